"""Who gets a mail and who sends it, from the command line and from the header."""

import os

import pytest

from peer import Puppet, send_to_puppet
from programs import call_program

# -- recipients -------------------------------------------------------------------------------

RECIPIENTS = [
    (["a@x.org"], ["a@x.org"]),
    (["a@x.org", "b@x.org"], ["a@x.org", "b@x.org"]),
    (["b@x.org", "a@x.org", "b@x.org"], ["b@x.org", "a@x.org", "b@x.org"]),
    (["Name <n@m.org>, p@q.org"], ["n@m.org", "p@q.org"]),
    (["a@x.org,b@x.org"], ["a@x.org", "b@x.org"]),
    (["two words@x.org"], ["words@x.org"]),
    (["", "a@x.org", ""], ["a@x.org"]),
    ([",", "a@x.org;"], ["a@x.org"]),
    (["<a@x.org>"], ["a@x.org"]),
    (["name@x.org <a@x.org>"], ["a@x.org"]),
    (['"Doe, J" <a@x.org>'], ["a@x.org"]),
    (["a@x.org (a comment (nested))"], ["a@x.org"]),
    (["friends: a@x.org, b@x.org;"], ["a@x.org", "b@x.org"]),
    (["undisclosed:;", "a@x.org"], ["a@x.org"]),
    (['"quoted local"@x.org'], ['"quoted local"@x.org']),
    (["a@[127.0.0.1]"], ["a@[127.0.0.1]"]),
    (["<@relay.org:a@x.org>"], ["a@x.org"]),
    (["\ta@x.org "], ["a@x.org"]),
    (["-a@x.org"], ["-a@x.org"]),
    (["用户@x.org"], ["用户@x.org"]),
]


@pytest.mark.parametrize(("arguments", "recipients"), RECIPIENTS)
def test_recipient_arguments(arguments, recipients):
    """Each argument is the content of a To field; order and duplicates are kept."""
    result, puppet = send_to_puppet({"EHLO": "250-x\r\n250 SMTPUTF8"}, to=arguments)
    assert (result.exit_code, result.err) == (0, "")
    sent = [line for line in puppet.commands if line.startswith("RCPT")]
    assert sent == [f"RCPT TO:<{recipient}>" for recipient in recipients]


@pytest.mark.parametrize(
    "argument",
    [
        "x@y.org\nBcc: evil@example.org",
        "x@y.org\n evil@example.org",
        "x@y.org\r\nRCPT TO:<evil@example.org>",
        "x@y.org\x0bevil@example.org",
        "x@y.org\x7f",
        "x@y.org evil@example.org",
        "<x@y.org",
        "x@y@z@",
        "@y.org",
        "a b <c d@e.org>",
        "(open",
        '"open',
        "x@-[",
        "x" * 65 + "@y.org",
        os.fsdecode(b"\xff@y.org"),
    ],
)
def test_recipient_argument_is_refused(argument):
    """
    Attack: what cannot be one clean list of addresses is refused before connecting.

    In msmtp a newline made more recipients.
    """
    result, puppet = send_to_puppet({}, to=["a@x.org", argument])
    assert result.exit_code == 65
    assert puppet.connections == 0
    assert len(result.lines) == 1
    assert result.err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("arguments", "options"), [([], []), ([""], []), ([], ["-t"]), ([","], [])]
)
def test_no_recipients(arguments, options):
    """Nobody to send to is a usage error, told with what to do."""
    result, puppet = send_to_puppet({}, *options, to=arguments)
    assert (result.exit_code, puppet.connections) == (64, 0)
    assert result.lines[0] == "no recipients found"
    assert result.lines[1].startswith("advice: ")


HEADER_RECIPIENTS = [
    ("To: a@x.org", ["a@x.org"]),
    ("To: a@x.org\nCc: b@x.org\nBcc: c@x.org", ["a@x.org", "b@x.org", "c@x.org"]),
    ("Bcc: c@x.org\nTo: a@x.org", ["c@x.org", "a@x.org"]),
    ("To: a@x.org\nTo: b@x.org", ["a@x.org", "b@x.org"]),
    ("to: A <a@x.org>,\n b@x.org,\n\t(c) c@x.org", ["a@x.org", "b@x.org", "c@x.org"]),
    ("To : a@x.org", ["a@x.org"]),
    ("To: g: a@x.org, b@x.org;, c@x.org", ["a@x.org", "b@x.org", "c@x.org"]),
    ("To: =?utf-8?B?5pyN?= <a@x.org>", ["a@x.org"]),
    ("To: 服务器 <a@x.org>", ["a@x.org"]),
    ("Reply-To: z@x.org\nTo: a@x.org", ["a@x.org"]),
    ("Resent-To: r@x.org\nTo: a@x.org", ["r@x.org"]),
    ("To: a@x.org\nResent-To: r@x.org\nResent-Cc: s@x.org", ["r@x.org", "s@x.org"]),
    ("Resent-To: r@x.org\nResent-Bcc: t@x.org\nTo: a@x.org", ["r@x.org", "t@x.org"]),
    (
        "Resent-From: m@x.org\nResent-To: r@x.org\nTo: a@x.org\nResent-To: older@x.org",
        ["r@x.org"],
    ),
    (
        "Resent-To: r@x.org\nResent-Date: x\nResent-Cc: s@x.org\nA: b\nResent-Cc: t@x.org",
        ["r@x.org", "s@x.org"],
    ),
]


@pytest.mark.parametrize(("fields", "recipients"), HEADER_RECIPIENTS)
def test_recipients_from_the_header(send, fields, recipients):
    """-t takes To, Cc and Bcc, or the newest block of Resent fields (RFC 5322 3.6.6)."""
    mail = f"{fields}\nSubject: t\n\nx\n".encode()
    assert send(mail, "-t", to=[]).recipients == recipients
    assert send(mail, "-t", to=["argv@x.org"]).recipients == ["argv@x.org", *recipients]
    assert send(mail, to=["argv@x.org"]).recipients == ["argv@x.org"]


def test_recipients_in_the_body_are_none(send):
    """Attack: a To in the body, or behind a line of blanks, is text."""
    for separator in ("\n\n", "\n \n", "\r\n\r\n", "\nno header\n"):
        mail = f"To: a@x.org{separator}To: evil@example.org\n\nx\n"
        assert send(mail.encode(), "-t", to=[]).recipients == ["a@x.org"]


# -- the sender -------------------------------------------------------------------------------

SENDERS = [
    (["-f", "a@x.org"], "<a@x.org>"),
    (["-f", "<a@x.org>"], "<a@x.org>"),
    (["-f", "Name <a@x.org>"], "<a@x.org>"),
    (["-f", '"Last, First" <a@x.org>'], "<a@x.org>"),
    (["-f", " a@x.org "], "<a@x.org>"),
    (["-f", "root"], "<root>"),
    (["-f", "<>"], "<>"),
    (["--from=<>"], "<>"),
    (["-f", ""], "<>"),
    (["-f", "MAILER-DAEMON"], "<>"),
    (["-f", "mailer-daemon"], "<>"),
    (["-f", "mailer-daemon@x.org"], "<mailer-daemon@x.org>"),
    (["--read-envelope-from"], "<first@x.org>"),
    (["--read-env"], "<first@x.org>"),
    (["-f", "%F"], "<first@x.org>"),
]


@pytest.mark.parametrize(("arguments", "path"), SENDERS)
def test_sender(arguments, path):
    """The reverse-path is one mailbox, or empty, and never a display name (msmtp: it was)."""
    mail = b"From: First <first@x.org>, second@x.org\nResent-From: r@x.org\n\nx\n"
    with Puppet() as puppet:
        options = ["--host=127.0.0.1", f"--port={puppet.port}", *arguments, "to@x.org"]
        result = call_program("msmtp", options, mail)
    assert (result.exit_code, result.err) == (0, "")
    assert puppet.commands[1] == f"MAIL FROM:{path}"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("Resent-From: r@x.org\nFrom: a@x.org", "<r@x.org>"),
        ("From: a@x.org\nResent-From: r@x.org", "<a@x.org>"),
        ("FROM :a@x.org\nFrom: b@x.org", "<a@x.org>"),
        ("From: (c) g: a@x.org;", "<a@x.org>"),
        ("From:\n =?utf-8?B?5pyN?=\n <a@x.org>", "<a@x.org>"),
    ],
)
def test_sender_from_the_header(fields, path):
    """--read-envelope-from takes the first address of the first From or Resent-From."""
    with Puppet() as puppet:
        options = ["--host=127.0.0.1", f"--port={puppet.port}", "--read-envelope-from", "to@x.org"]
        assert call_program("msmtp", options, f"{fields}\n\nx\n".encode()).exit_code == 0
    assert puppet.commands[1] == f"MAIL FROM:{path}"


@pytest.mark.parametrize("fields", ["Subject: t", "From:", "From: @", "From: ;", "X-From: a@b", ""])
def test_no_sender_in_the_header(fields):
    """--read-envelope-from without a usable From is a usage error."""
    result, puppet = send_to_puppet({}, "--read-envelope-from", mail=f"{fields}\n\nx\n".encode())
    assert result.exit_code == 64  # both -f and --read-envelope-from
    options = ["--host=127.0.0.1", f"--port={puppet.port}", "--read-envelope-from", "to@x.org"]
    result = call_program("msmtp", options, f"{fields}\n\nx\n".encode())
    assert result.exit_code == 64
    assert result.lines[0] == "the mail has no From header with an address in it"
    assert puppet.connections == 0


@pytest.mark.parametrize(
    "sender", ["a@x.org, b@x.org", "a@x.org b@x.org", "a b", "a@", "<a@x.org> x@y", "g:;"]
)
def test_sender_that_is_not_one_address(sender):
    """A sender that is no single address never gets on the wire."""
    with Puppet() as puppet:
        options = ["--host=127.0.0.1", f"--port={puppet.port}", "-f", sender, "to@x.org"]
        result = call_program("msmtp", options, b"\nx\n")
    if sender == "a b":  # the last word is the address, as in a To field
        assert puppet.commands[1] == "MAIL FROM:<b>"
        return
    assert (result.exit_code, puppet.connections) == (65, 0)


def test_null_sender_gets_no_from_header(send):
    """A notice has no originator of ours, and not an empty From (msmtp: it had)."""
    assert send(b"Subject: t\n\nx\n", sender=["-f", "<>"]).names == [
        "Date",
        "Message-ID",
        "Subject",
    ]


def test_no_sender_at_all():
    """Without any sender the configuration is at fault."""
    result = call_program("msmtp", ["--host=127.0.0.1", "--port=1", "to@x.org"], b"\nx\n")
    assert result.exit_code == 78
    assert result.lines[0] == "envelope-from address is missing"
    assert result.lines[1].startswith("advice: use -f")
