"""
A mail that would land in spam, from standard input to a server.

What is repaired, and how, has its tests in ``tests/mail``; here it meets account and envelope.
"""

import re
from email import message_from_bytes, policy
from email.utils import format_datetime, localtime

import pytest

from peer import FROM, Puppet
from programs import call_program

TUTORIAL = "Subject: 测试\n\n正文\n".encode()
GOOD = (
    b"From: Me <me@example.org>\r\nTo: to@example.org\r\nSubject: all is well\r\n"
    b"Date: {date}\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"
)


@pytest.fixture
def mails(peer):
    """Return a function that sends with msmtp as it comes, and gives what arrived."""
    peer.received.clear()

    def call(mail, *arguments, to=("to@example.org",), code=0):
        options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, *arguments]
        result = call_program("msmtp", [*options, "--", *to], mail)
        assert (result.exit_code, result.err) == (code, "")
        return list(peer.received)

    return call


def parsed(received):
    """Return a mail that arrived as Python reads it."""
    return message_from_bytes(received.content, policy=policy.default)


def now(text=GOOD):
    """Return a good mail of now."""
    return text.replace(b"{date}", format_datetime(localtime()).encode())


def test_a_faulty_mail_is_repaired_on_its_way(mails):
    """The tutorial's mail arrives with all that filters look for, and reads as it was meant."""
    (received,) = mails(TUTORIAL)
    assert received.content.isascii()
    mail = parsed(received)
    assert (mail["Subject"], mail.get_content().strip()) == ("测试", "正文")
    assert (mail["From"], mail["To"]) == ("me@example.org", "to@example.org")
    assert mail["MIME-Version"] == "1.0"
    assert mail.get_content_charset() == "utf-8"
    assert re.fullmatch(r"<[0-9a-f.]+@example\.org>", mail["Message-ID"])
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_good_mail_leaves_byte_for_byte(mails):
    """Nothing is changed where nothing is wrong."""
    mail = now()
    (received,) = mails(mail)
    assert received.content == mail


def test_a_mail_is_left_as_it_is_on_demand(mails):
    """With --raw, or repair off, only what msmtp adds is added."""
    for option in ("--raw", "--repair=off"):
        received = mails(TUTORIAL, option)[-1]
        assert received.names == ["From", "Date", "Message-ID", "Subject"]
        assert received.body == "正文\r\n".encode()


def test_an_account_can_want_its_mail_left_alone(peer, tmp_path):
    """With repair off in the file, even what was done before the account was known is undone."""
    peer.received.clear()
    path = tmp_path / "rc"
    text = f"account default\nhost 127.0.0.1\nport {peer.port}\nfrom me@example.org\nrepair off\n"
    path.write_text(text)
    path.chmod(0o600)
    mail = b"-e To: a@b.example\nSubject: x\n\ny\n"
    options = ["-C", str(path), "-v", "-t", "--", "to@example.org"]
    result = call_program("msmtp", options, mail)
    assert result.exit_code == 0, result.err
    assert "repaired:" not in result.out
    received = peer.last()
    assert received.recipients == ["to@example.org"]
    assert received.body == mail.replace(b"\n", b"\r\n")


def test_a_header_that_echo_broke_names_the_recipients(mails):
    """What ``echo -e`` of dash leaves is removed before -t looks for recipients."""
    (received,) = mails(b"-e To: a@b.example\nSubject: x\n\ny\n", "-t", to=())
    assert received.recipients == ["a@b.example"]
    assert parsed(received)["Subject"] == "x"


def test_a_broken_header_stays_broken_on_demand(mails):
    """With --raw the text is a body, and so it names no recipient."""
    (received,) = mails(b"-e To: a@b.example\nSubject: x\n\ny\n", "-t", "--raw")
    assert received.recipients == ["to@example.org"]
    assert received.body.startswith(b"-e To: a@b.example\r\n")


def test_every_repair_is_shown_and_logged(mails, tmp_path):
    """-v shows a line for each, and the log has one."""
    log = tmp_path / "log"
    mails(TUTORIAL, "-v", f"--logfile={log}")
    lines = log.read_text().splitlines()
    repairs = [line.partition("repair=")[2].split()[0] for line in lines[:-1]]
    assert {"HDR-SUBJ-RAW8", "HDR-TO-MISSING", "MIME-CHARSET", "HDR-AUTOSUB"} <= set(repairs)
    assert lines[-1].endswith("exitcode=EX_OK")


def test_a_log_has_no_line_for_a_good_mail(mails, tmp_path):
    """The log of a mail in which nothing was wrong is msmtp's."""
    log = tmp_path / "log"
    mails(now(), f"--logfile={log}")
    assert len(log.read_text().splitlines()) == 1


def test_eight_bits_stay_where_the_server_takes_them():
    """A mail that says that it is 8-bit is sent so, with BODY=8BITMIME, if that is offered."""
    mail = now(
        GOOD.replace(
            b"\r\n\r\nhello",
            b"\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe",
        )
    )
    contents = []
    for offered in ("250-puppet\r\n250 8BITMIME", "250 puppet"):
        with Puppet({"EHLO": offered}) as puppet:
            options = ["--host=127.0.0.1", f"--port={puppet.port}", *FROM]
            result = call_program("msmtp", [*options, "--", "to@example.org"], mail)
            assert result.exit_code == 0, result.err
            contents += puppet.contents
    assert contents[0] == mail
    assert contents[1].isascii()


def test_who_is_not_named_gets_a_copy_of_his_own(mails):
    """own_copies: one for those in To, and one for each blind recipient, which names only him."""
    mail = b"To: a@example.org\nBcc: b@example.org, c@example.org\nSubject: x\n\ny\n"
    received = mails(mail, "-t", "--own-copies", to=())
    assert [one.recipients for one in received] == [
        ["a@example.org"],
        ["b@example.org"],
        ["c@example.org"],
    ]
    assert [parsed(one)["Bcc"] for one in received] == [None, "b@example.org", "c@example.org"]
    assert {parsed(one)["To"] for one in received} == {"a@example.org"}
    assert len({parsed(one)["Message-ID"] for one in received}) == 1
    assert {one.body for one in received} == {b"y\r\n"}


def test_undisclosed_recipients_each_get_a_copy(mails):
    """own_copies: where To names nobody, each copy's To names its recipient."""
    mail = b"To: undisclosed-recipients:;\nSubject: x\n\ny\n"
    received = mails(mail, "--own-copies", to=("a@b.example", "c@d.example"))
    assert [parsed(one)["To"] for one in received] == ["a@b.example", "c@d.example"]
    assert [one.recipients for one in received] == [["a@b.example"], ["c@d.example"]]


def test_blind_recipients_share_one_mail_by_default(mails):
    """Without own_copies there is one transaction, and no copy names a blind recipient."""
    mail = b"To: a@example.org\nBcc: blind@example.org\nSubject: x\n\ny\n"
    (received,) = mails(mail, "-t", to=())
    assert received.recipients == ["a@example.org", "blind@example.org"]
    assert b"blind@example.org" not in received.content


def test_own_copies_of_a_large_mail_are_whole(mails):
    """A body that does not fit into memory is kept for the copies, and each gets all of it."""
    body = b"".join(b"line %06d\n" % number for number in range(60_000))
    received = mails(b"Subject: x\n\n" + body, "--own-copies", to=("a@b.example", "c@d.example"))
    assert [one.body for one in received] == [body.replace(b"\n", b"\r\n")] * 2


def test_a_refused_copy_leaves_the_others(peer):
    """own_copies: each recipient has his own fate, in the order of the envelope."""
    peer.received.clear()
    peer.refused["a@b.example"] = "550 5.1.1 nobody"
    try:
        options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, "--own-copies"]
        result = call_program(
            "msmtp", [*options, "--", "a@b.example", "c@d.example"], b"Subject: x\n\ny\n"
        )
    finally:
        peer.refused.clear()
    assert result.exit_code != 0
    assert "a@b.example" in result.err
    assert [one.recipients for one in peer.received] == [["c@d.example"]]


def test_the_login_becomes_the_sender_where_no_other_is_taken():
    """A provider known by its greeting gets mail from the login, and the log says so."""
    greeting = "220 smtp.aliyun-inc.com MX AliMail Server"
    with Puppet({"": greeting}) as puppet:
        options = ["--host=127.0.0.1", f"--port={puppet.port}", "-f", "other@example.org"]
        options += ["--auth=plain", "--user=me@example.org", "--passwordeval=echo x"]
        result = call_program("msmtp", [*options, "--", "to@example.org"], TUTORIAL)
        assert result.exit_code == 0, result.err
        assert any(line.startswith("MAIL FROM:<me@example.org>") for line in puppet.commands)
    assert b"From: me@example.org\r\n" in puppet.contents[0]
