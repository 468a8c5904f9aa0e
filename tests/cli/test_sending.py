"""A mail from standard input to a server: what arrives."""

import datetime as dt
import os
import re
import subprocess
import time
from email.utils import parsedate_to_datetime

import pytest

from peer import FROM, USER, send_to_puppet
from programs import start_program

# -- what arrives: the header section ---------------------------------------------------------


def test_missing_headers_come_first_and_in_order(send):
    """From, Date and Message-ID are put in front of what the mail has, as msmtp does."""
    received = send(b"Subject: t\nX-A: 1\n\nx\n")
    assert received.names == ["From", "Date", "Message-ID", "Subject", "X-A"]
    assert received.value("From") == "me@example.org"
    assert re.fullmatch(r"<[0-9a-f.]+@example\.org>", received.value("Message-ID"))
    age = dt.datetime.now(dt.UTC) - parsedate_to_datetime(received.value("Date"))
    assert abs(age.total_seconds()) < 60


def test_all_four_in_order(send):
    """With set_to_header the order is From, To, Date, Message-ID."""
    received = send(b"Subject: t\n\nx\n", "--set-to-header=on")
    assert received.names == ["From", "To", "Date", "Message-ID", "Subject"]


def test_nothing_is_added_to_a_whole_mail(send):
    """A mail that has everything arrives octet for octet."""
    mail = b"Date: x\nmessage-id: <a@b>\nFROM: Me <x@y.z>\nSubject: t\n\nbody\n"
    assert send(mail).content == mail.replace(b"\n", b"\r\n")


def test_date_is_local_time(send):
    """The zone of TZ is in the Date."""
    date = send(b"\nx\n", env={"TZ": "<+0545>-5:45"}).value("Date")
    assert date.endswith(" +0545")
    assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 60


HEADERS = [
    # what is asked for, the mail's fields, the fields that arrive
    (["--set-from-header=off"], b"Subject: t", ["Date", "Message-ID", "Subject"]),
    (["--set-date-header=off"], b"Subject: t", ["From", "Message-ID", "Subject"]),
    (["--set-msgid-header=off"], b"Subject: t", ["From", "Date", "Subject"]),
    (
        ["--set-from-header=off", "--set-date-header=off", "--set-msgid-header=off"],
        b"Subject: t",
        ["Subject"],
    ),
    (["--add-missing-from-header=off"], b"A: t", ["Date", "Message-ID", "A"]),
    (["--add-missing-date-header=off"], b"A: t", ["From", "Message-ID", "A"]),
    (
        ["--set-to-header=on"],
        b"To: x\nCc: y\nBcc: z\nA: t",
        ["From", "To", "Date", "Message-ID", "A"],
    ),
    (["--keepbcc"], b"Bcc: a@b\nBCC: c@d", ["From", "Date", "Message-ID", "Bcc", "BCC"]),
    (
        ["--remove-bcc-headers=off"],
        b"Resent-Bcc: a@b",
        ["From", "Date", "Message-ID", "Resent-Bcc"],
    ),
    (["--keepbcc=off"], b"Bcc: a@b\nA: t", ["From", "Date", "Message-ID", "A"]),
    ([], b"From: a@b\nA: t", ["Date", "Message-ID", "From", "A"]),
    ([], b"Resent-From: a@b\nA: t", ["From", "Date", "Message-ID", "Resent-From", "A"]),
    ([], b"From:\nDate:\nMessage-ID:\nA: t", ["From", "Date", "Message-ID", "A"]),
    ([], b"To: x@y\nCc: x@y\nA: t", ["From", "Date", "Message-ID", "To", "Cc", "A"]),
]


@pytest.mark.parametrize(("options", "fields", "names"), HEADERS)
def test_header_options(send, options, fields, names):
    """Each option adds or removes its fields and no other."""
    assert send(fields + b"\n\nx\n", *options).names == names


def test_set_from_header_on_replaces_every_from(send):
    """set_from_header on leaves one From, which is the envelope's."""
    received = send(b"From: a@b\nA: t\nFrom: c@d\n\nx\n", "--set-from-header=on", "-F", "Me")
    assert received.names == ["From", "Date", "Message-ID", "A"]
    assert received.value("From") == "Me <me@example.org>"


def test_set_to_header_names_the_recipients(send):
    """set_to_header on names them all, folded; undisclosed_recipients names nobody."""
    to = [f"someone.with.a.long.name.{n}@example.org" for n in range(9)]
    received = send(b"To: x@y\n\nx\n", "--set-to-header", to=to)
    lines = received.content.partition(b"\r\n\r\n")[0].decode().replace("\r\n ", " ").split("\r\n")
    (line,) = [line for line in lines if line.startswith("To:")]
    assert line.removeprefix("To: ").split(", ") == to
    assert max(map(len, received.head)) <= 78
    received = send(b"To: x@y\n\nx\n", "--undisclosed-recipients", to=to)
    assert received.value("To") == "undisclosed-recipients:;"


NAMES = [
    ("Me", "Me <me@example.org>"),
    ("John Q. Public", '"John Q. Public" <me@example.org>'),
    ('a "b" \\c', '"a \\"b\\" \\\\c" <me@example.org>'),
    ("Doe, J", '"Doe, J" <me@example.org>'),
    ("服务器", "=?utf-8?B?5pyN5Yqh5Zmo?= <me@example.org>"),
    ("Müller", "=?utf-8?B?TcO8bGxlcg==?= <me@example.org>"),
    ("=?x?=", '"=?x?=" <me@example.org>'),
    ("<evil@example.com>", '"<evil@example.com>" <me@example.org>'),
    ("", "me@example.org"),
]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(("name", "value"), NAMES)
def test_full_name(send, name, value, locale):
    """A full name is quoted or encoded as it has to be, in every locale (cron has C)."""
    assert send(b"\nx\n", "-F", name, env={"LC_ALL": locale}).value("From") == value


def test_long_full_name_is_folded(send):
    """No line of an encoded name is longer than RFC 2047 allows."""
    received = send(b"\nx\n", "-F", "名" * 80)
    assert all(len(line) <= 76 for line in received.head[:4])


BCC = [
    b"Bcc: hidden@example.org",
    b"bcc: hidden@example.org",
    b"BCC:hidden@example.org",
    b"Bcc : hidden@example.org",
    b"Bcc\t: hidden@example.org",
    b"Bcc: a@b,\n hidden@example.org",
    b"Bcc:\n hidden@example.org",
    b"Bcc: a@b,\n\thidden@example.org,\n   x@y",
    b"Bcc: a@b,\r\n hidden@example.org",
    b"Bcc: x\nBcc: hidden@example.org",
    b"Resent-Bcc: hidden@example.org",
    b"RESENT-BCC : hidden@example.org",
    b"Bcc: =?utf-8?q?x?= <hidden@example.org>",
    b"Bcc: a@b\rTo: hidden@example.org",
    b"B\0cc: hidden@example.org",
    b"Bcc: a@b,\x0b hidden@example.org",
    b"Bcc: \xff hidden@example.org",
    b"Bcc: group: hidden@example.org;",
]


@pytest.mark.parametrize("options", [[], ["-t"]], ids=["argv", "-t"])
@pytest.mark.parametrize("field", BCC)
def test_blind_copies_stay_blind(send, peer, field, options):
    """Attack: no spelling of a Bcc arrives, with -t or without (L4)."""
    mail = b"To: to@example.org\n" + field + b"\nSubject: t\n\nbody\n"
    try:
        received = send(mail, *options)
    except AssertionError:
        # A list that cannot be read is refused as a whole; nothing was sent.
        assert options
        assert not peer.received
        return
    assert b"hidden" not in received.content
    assert received.body == b"body\r\n"
    assert "Subject" in received.names


@pytest.mark.parametrize(
    ("line", "arrives"),
    [
        (b"Subject: a\rBcc: evil@example.org", "Subject: a Bcc: evil@example.org"),
        (b"Subject: a\x0bBcc: evil", "Subject: a Bcc: evil"),
        (b"Subject: a\x0cBcc: evil", "Subject: a Bcc: evil"),
        (b"Subject: a\0b", "Subject: ab"),
        (b"Subject: a\x1b[2J\x7f", "Subject: a [2J "),
        ("Subject: a\x85Bcc: evil".encode(), "Subject: a\x85Bcc: evil"),
        ("Subject: a\u2028Bcc: evil".encode(), "Subject: a\u2028Bcc: evil"),
    ],
)
def test_only_a_line_feed_ends_a_header(send, line, arrives):
    """Attack: header injection by CR, VT, FF, NEL and U+2028 (L5)."""
    head = send(line + b"\n\nx\n").content.partition(b"\r\n\r\n")[0]
    assert arrives.encode() in head.split(b"\r\n")
    assert b"\r" not in head.replace(b"\r\n", b"")


# -- what arrives: the body -------------------------------------------------------------------

BODIES = [
    # what stands behind the empty line, and what arrives there
    (b"", b""),
    (b"x", b"x\r\n"),
    (b"x\n", b"x\r\n"),
    (b"x\r\n", b"x\r\n"),
    (b"\n\nx\n\n", b"\r\n\r\nx\r\n\r\n"),
    (b".\n", b".\r\n"),
    (b".", b".\r\n"),
    (b"..\n.\n...\n", b"..\r\n.\r\n...\r\n"),
    (b".\r\n..\r\nx", b".\r\n..\r\nx\r\n"),
    (b"a\n.\nb\n", b"a\r\n.\r\nb\r\n"),
    (b"a\r\n.\r\nMAIL FROM:<x>\r\n", b"a\r\n.\r\nMAIL FROM:<x>\r\n"),
    (b"a\rb\n", b"a b\r\n"),
    (b"a\n.\rb\n", b"a\r\n. b\r\n"),
    (b"a\r.\r\nb\n", b"a .\r\nb\r\n"),
    (b"a\r\r\nb\n", b"a \r\nb\r\n"),
    (b"a\r", b"a \r\n"),
    (b"a\0b\n", b"ab\r\n"),
    (b"\xff\xfe\x80\n", b"\xff\xfe\x80\r\n"),
    ("你好\n".encode(), "你好\r\n".encode()),
    (b"From me\n>From you\n", b"From me\r\n>From you\r\n"),
    (b"x" * 3000 + b"\n", b"x" * 3000 + b"\r\n"),
    (b"Bcc: kept@example.org\n", b"Bcc: kept@example.org\r\n"),
    (b"\t \n x\n", b"\t \r\n x\r\n"),
]


@pytest.mark.parametrize(("body", "arrives"), BODIES)
def test_body_arrives(send, body, arrives):
    """Every octet of the body arrives, in wire form; a line of one dot ends nothing."""
    if any(len(line) > 900 for line in body.split(b"\n")):
        # aiosmtpd takes no line longer than RFC 5321 has it.
        result, puppet = send_to_puppet({}, "--raw", mail=b"Subject: t\n\n" + body)
        assert result.exit_code == 0
        assert puppet.contents[0].partition(b"\r\n\r\n")[2] == arrives
        return
    assert send(b"Subject: t\n\n" + body).body == arrives


def test_large_body_arrives_whole(send):
    """5 MB of lines, dots and 8-bit octets come out as they went in."""
    body = (b".dot\n" + bytes(range(128, 256)) * 2 + b"\n..\nplain text\n") * 19000
    assert len(body) > 5_000_000
    assert send(b"Subject: t\n\n" + body).body == body.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "text", [b"hello\n", b"hello", b"two words\nSubject: no\n", b"\xe4\n: x\n"]
)
def test_text_without_header_block_is_the_body(send, text):
    """``echo hello | msmtp x`` sends hello as a body and not as a broken header (msmtp: it did)."""
    received = send(text)
    assert received.names == ["From", "Date", "Message-ID"]
    assert received.body == text.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"


@pytest.mark.parametrize("text", [b"", b"\n"])
def test_empty_mail(send, text):
    """A mail of nothing is a mail of headers."""
    received = send(text)
    assert (received.names, received.body) == (["From", "Date", "Message-ID"], b"")


def test_mbox_line_in_front_is_dropped(send):
    """The ``From `` line of a mailbox file is no header, and does not arrive as one."""
    received = send(b"From me@example.org Mon Jan  1 00:00:00 2024\nSubject: t\n\nFrom here\n")
    assert received.names == ["From", "Date", "Message-ID", "Subject"]
    assert received.body == b"From here\r\n"


def test_tutorial_mail(send):
    """The mail of the tutorial arrives with its text."""
    text = "Subject: 这是一封测试发送的邮件, 来自服务器\n\n这里是邮件内容, 仅用于测试\n"
    received = send(text.encode())
    assert received.value("Subject") == "这是一封测试发送的邮件, 来自服务器"
    assert received.body.decode() == "这里是邮件内容, 仅用于测试\r\n"
    assert "BODY=8BITMIME" in received.options


def test_header_section_without_an_end(send):
    """A mail that is headers only gets the empty line that it lacks."""
    assert send(b"Subject: t").content.endswith(b"Subject: t\r\n\r\n")


# -- standard input ---------------------------------------------------------------------------


def test_input_that_does_not_block(peer):
    """A caller who made the pipe non-blocking (node does) is waited for."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, "to@example.org"]
    with start_program("msmtp", *options, stdin=reading) as process:
        for piece in (b"Subject: ", b"t\n", b"\n", b"slow\n"):
            os.write(writing, piece)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        os.close(writing)
        os.close(reading)
        assert (process.wait(20), process.stderr.read()) == (0, b"")
    assert peer.last().body == b"slow\r\n"


def test_input_that_fails(tmp_path):
    """What cannot be read is an input error, not an empty mail."""
    options = ["--host=127.0.0.1", "--port=1", *FROM]
    with (
        (tmp_path / "file").open("wb") as file,
        start_program("msmtp", *options, "a@x.org", stdin=file) as process,
    ):
        assert process.wait(20) == 74
        assert process.stderr.read() == b"msmtp: cannot read the mail: Bad file descriptor\n"


def test_input_is_read_from_where_it_stands(tmp_path, peer):
    """A file whose beginning was read by somebody else is read from there on."""
    path = tmp_path / "mail"
    path.write_bytes(b"not ours\nSubject: t\n\n" + (b"x" * 70 + b"\n") * 6000)
    options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, "to@example.org"]
    with path.open("rb", buffering=0) as file:
        file.seek(9)
        with start_program("msmtp", *options, stdin=file) as process:
            assert process.wait(20) == 0
    received = peer.last()
    assert received.value("Subject") == "t"
    assert received.body == (b"x" * 70 + b"\r\n") * 6000
    (size,) = [int(word[5:]) for word in received.options if word.startswith("SIZE=")]
    assert size == path.stat().st_size - 9  # an estimate: without line ends and added headers


def test_password_command_cannot_eat_the_mail():
    """A helper that reads standard input does not get the mail (msmtp: it did)."""
    mail = b"Subject: t\n\n" + b"line\n" * 50_000
    login = ["--auth=plain", f"--user={USER}", "--passwordeval=cat >/dev/null; echo secret"]
    result, puppet = send_to_puppet({}, *login, mail=mail)
    assert result.exit_code == 0
    assert puppet.contents[0].count(b"line\r\n") == 50_000
