"""A message taken apart: parts and texts; and input that was made to break it."""

import random

import pytest

from pillarbox.lint.check import read_letter
from pillarbox.lint.letter import subject_of
from pillarbox.lint.rules import CHECKS

MIXED = (
    b"From: a@example.com\nTo: b@example.net\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=one\n\n"
    b"--one\nContent-Type: multipart/alternative; boundary=two\n\n"
    b"--two\nContent-Type: text/plain; charset=gb2312\nContent-Transfer-Encoding: base64\n\n"
    b"1f3OxA==\n"
    b"--two\nContent-Type: text/html; charset=utf-8\n\n<p>a</p>\n--two--\n"
    b"--one\nContent-Type: message/rfc822\n\nSubject: other\n\ntext\n"
    b"--one\nContent-Type: application/zip\n"
    b"Content-Disposition: attachment; filename*=utf-8''%E6%8A%A5.zip\n\nPK\n--one--\n"
)


def test_parts_are_numbered_and_decoded(facts):
    """Each leaf has its place, its kind, its name and its text; another's mail is one leaf."""
    parts = read_letter(MIXED, facts(), size_bytes=0).parts
    assert [(part.number, part.kind, part.filename, part.text.strip()) for part in parts] == [
        ("1.1", "text/plain", "", "正文"),
        ("1.2", "text/html", "", "<p>a</p>"),
        ("2", "message/rfc822", "", ""),
        ("3", "application/zip", "报.zip", ""),
    ]


@pytest.mark.parametrize(("mail", "text"), [
    (b"Subject: x\n\nplain\n", "plain\n"),
    ("Subject: x\n\n正文\n".encode("gb18030"), "正文\n"),
    (b"Content-Type: text/plain; charset=nonsense\n\ntext\n", "text\n"),
    (b"Content-Type: text/plain; charset=rot13\n\ntext\n", "text\n"),
    (b"Content-Type: multipart/mixed; boundary=b\n\nno part\n", "no part\n"),
    (b"", ""),
])  # fmt: skip
def test_text_of_a_simple_mail_is_read(facts, mail, text):
    """Whatever its headers say of it."""
    (part,) = read_letter(mail, facts(), size_bytes=0).parts
    assert (part.place, part.text or part.octets.decode()) == ("body", text)


@pytest.mark.parametrize(("value", "subject"), [
    ("plain ", "plain"),
    ("=?utf-8?b?5rWL6K+V?=", "测试"),
    ("测试", "测试"),
    ("=?utf-8?q?a=0D=0AB=00?=", "a  B"),
])  # fmt: skip
def test_subject_is_decoded_without_controls(facts, value, subject):
    """Nothing that is decoded ends a line (attack: encoded line ends)."""
    letter = read_letter(f"Subject: {value}\n\n".encode(), facts(), size_bytes=0)
    assert subject_of(letter) == subject


def ask_all(mail, facts):
    """Run every check over a mail."""
    letter = read_letter(mail, facts(), size_bytes=len(mail))
    return [spot for check in CHECKS for spot in check.find(letter)]


@pytest.mark.parametrize("mail", [
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"".join(b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" for _ in range(2000)),
    b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(3000)),
    b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 5000,
    b"Content-Type: text/html\n\n" + b"<a href='http://a.b'>" * 5000 + b"<![" * 5000,
    b"Content-Type: text/html\n\n<![CDATA[" + b"<!x" * 1000,
    b"Content-Type: text/plain; name*0*=x''%; name*1*=%ff; charset*=\xff\n\n\xff\xfe\0",
    b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + b"=A" * 100,
    b"Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 \n\xff\n",
    b"To: " + b"(" * 5000 + b"\nMessage-ID: " + b"<" * 5000 + b"\n\n",
    b"Subject: " + b"=?utf-8?b?" * 3000 + b"\n\nhttp://[::" + b":" * 5000,
    b"\0" * 1000,
    b"http://" + b"a." * 50000,
])  # fmt: skip
def test_hostile_message_is_read(facts, mail):
    """Deep, broken or endless structures end in findings, not in a traceback."""
    assert isinstance(ask_all(mail, facts), list)


def test_any_mutation_is_read(facts):
    """Two hundred broken copies of one mail are each read to the end."""
    chance = random.Random(4)
    seeds = (MIXED, MIXED.replace(b"\n", b"\r\n"))
    for number in range(200):
        octets = bytearray(seeds[number % 2])
        for _ in range(chance.randrange(1, 12)):
            at = chance.randrange(len(octets))
            octets[at : at + chance.randrange(4)] = chance.choice(
                (b"\0", b"\n", b"\r", b"--one", b"=?", b"\xff", b'"', b";", b"", b"%", b"<", b":")
            )
        spots = ask_all(bytes(octets), facts)
        assert all(str(spot.evidence).isprintable() for spot in spots)
