"""Display names in headers: what a reader decodes is what was meant, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.encoded_word import (
    decode_words,
    encode_unstructured,
    format_mailbox_field,
    format_phrase,
    has_encoded_word,
)

PHRASES = [
    # name, phrase
    ("", ""),
    ("  ", ""),
    ("Joe User", "Joe User"),
    (" Joe ", "Joe"),
    ("Joe's #1 {host}", "Joe's #1 {host}"),
    ("User, Joe", '"User, Joe"'),
    ("Joe Q. User", '"Joe Q. User"'),
    ("ops@host", '"ops@host"'),
    ('a "b" \\c', '"a \\"b\\" \\\\c"'),
    ("a <b@c>", '"a <b@c>"'),
    ("a (b)", '"a (b)"'),
    ("=?utf-8?B?eA==?=", '"=?utf-8?B?eA==?="'),
    ("Joe\r\nBcc: x", '"Joe  Bcc: x"'),
    ("Joe\0\x1b[2J\x7f", '"Joe  [2J"'),
    ("Jörg", "=?utf-8?B?SsO2cmc=?="),
    ("测试", "=?utf-8?B?5rWL6K+V?="),
    ("J\udcc3\udcb6rg", "=?utf-8?B?SsO2cmc=?="),
    ("J\udcf6rg", "=?utf-8?B?Su+/vXJn?="),
    ("ö\r\nBcc: x", "=?utf-8?B?w7YgIEJjYzogeA==?="),
    ("ö\udcc2\udc85x", "=?utf-8?B?w7YgeA==?="),
    ("a\u2028b", "a b"),
    ("\ud800x", "x"),
]


@pytest.mark.parametrize(("name", "phrase"), PHRASES)
def test_formats_a_phrase(name, phrase):
    """Atoms stay, specials are quoted, what is not ASCII is encoded, controls are blanks."""
    assert format_phrase(name) == phrase


def test_formats_a_mailbox_field():
    """A name stands before the address in brackets; without one the address stands alone."""
    assert format_mailbox_field("", "a@b") == "a@b"
    assert format_mailbox_field("Joe", "a@b") == "Joe <a@b>"
    assert format_mailbox_field("\r\n", "a@b") == "a@b"


@given(st.text(max_size=120))
@settings(max_examples=200)
def test_standard_library_reads_the_name_back(name):
    """The standard email package, decoding, finds the name (controls as blanks) and no more."""
    phrase = format_phrase(name)
    assert phrase.isascii()
    assert phrase.isprintable()
    for word in phrase.split(" ") if phrase.startswith("=?") else []:
        assert len(word) <= 75
    wanted = "".join(char if char.isprintable() else " " for char in name).strip()
    found, address = parseaddr(f"{phrase} <a@example.org>")
    assert address == "a@example.org"
    if phrase.startswith("=?"):
        found = str(make_header(decode_header(phrase)))
    if phrase.startswith(("=?", '"')):
        assert found == wanted
    else:
        assert found.split() == wanted.split()


@given(st.text("äß测😀e\u0301", min_size=20, max_size=200).map("ä{}".format))
@settings(max_examples=50)
def test_long_name_is_cut_between_characters(name):
    """Each encoded word decodes by itself (RFC 2047 5)."""
    decoded = ""
    for word in format_phrase(name).split(" "):
        ((data, charset),) = decode_header(word)
        decoded += data.decode(charset)
    assert decoded == name


TEXTS = [
    "hello",
    "测试",
    "Grüße aus Köln",
    "Disk full on web01: " + "磁盘空间不足，" * 30 + " now",
    "a =?utf-8?B?eA==?= b",
    "x" * 2000,
    "a  b   ü  ü c",
    "😀" * 60,
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["Subject", "X-A-Rather-Long-Name-Of-A-Header-Field"])
def test_encodes_an_unstructured_field(name, text):
    """Ours and the standard library's decoder find the text; no line or word is too long."""
    lines = encode_unstructured(name, text).decode("ascii").split("\r\n")
    assert lines.pop() == ""
    assert all(0 < len(line) <= 76 for line in lines)
    words = [word for word in " ".join(lines).split() if word.startswith("=?")]
    assert all(len(word) <= 75 for word in words)
    for word in words:
        ((octets, _),) = decode_header(word)
        octets.decode()  # no character is cut between two words
    value = "".join(lines).partition(": ")[2]
    assert decode_words(value) == text
    if "  " not in text:
        assert str(make_header(decode_header(value))) == text


def test_leaves_ascii_words_readable():
    """Only what must be encoded is; ASCII in front and behind stays."""
    assert encode_unstructured("Subject", "[web01] 测试 now") == (
        b"Subject: [web01] =?utf-8?B?5rWL6K+V?= now\r\n"
    )
    assert encode_unstructured("Subject", "plain") == b"Subject: plain\r\n"
    assert encode_unstructured("Subject", "Les cafés") == b"Subject: Les =?utf-8?B?Y2Fmw6lz?=\r\n"


DECODED = [
    ("plain", "plain"),
    ("=?utf-8?B?5rWL6K+V?=", "测试"),
    ("=?UTF-8?b?5rWL?= =?utf-8?B?6K+V?=", "测试"),
    ("=?utf-8?B?5rU=?= =?utf-8?B?i+ivlQ==?=", "测试"),
    ("=?gb2312?B?suLK1A==?= end", "测试 end"),
    ("=?utf-8?Q?a_b=3D?= c", "a b= c"),
    ("=?utf-8?B?5rWL6K+V", "=?utf-8?B?5rWL6K+V"),
    ("=?nowhere?B?eA==?=", "=?nowhere?B?eA==?="),
    ("=?punycode?Q?a?=", "=?punycode?Q?a?="),
    ("=?rot13?Q?a?=", "=?rot13?Q?a?="),
    ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
    ("=?utf-8*en?Q?a?=", "a"),
    ("=?x =?utf-8?Q?=C3=BC?=", "=?x ü"),
    ("a =?utf-8?Q?b?=  ", "a b  "),
]


@pytest.mark.parametrize(("value", "text"), DECODED)
def test_decodes_words(value, text):
    """Known words are decoded, adjacent ones joined; broken or unknown ones stay as they are."""
    assert decode_words(value) == text
    assert has_encoded_word(value) is (value != text)


@pytest.mark.parametrize(
    "octets",
    [b"a\r\nBcc: victim@x", b"a\0b", b"\x1b[2J", "a\x85b".encode(), "a\u202eb".encode(), b"a\x7f"],
)
def test_header_injection_by_an_encoded_word(octets):
    """Line ends, NUL, controls and direction overrides inside a word become spaces."""
    text = decode_words(f"=?utf-8?B?{b64encode(octets).decode()}?=")
    assert not set(text) & set("\r\n\0\x1b\x85\u202e\x7f")
    assert (
        text.split()
        == "".join(
            " " if char in "\r\n\0\x1b\x85\u202e\x7f" else char for char in octets.decode()
        ).split()
    )
    raw = encode_unstructured("Subject", octets.decode())
    assert raw.count(b"\n") == 1
    assert b"\0" not in raw
    assert b"\x1b" not in raw


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_makes_one_field(text):
    """Whatever the text is, one field of short ASCII lines comes out, and decodes without error."""
    raw = encode_unstructured("Subject", text)
    lines = raw.split(b"\r\n")
    assert raw.isascii()
    assert all(line.startswith(b" ") for line in lines[1:-1])
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in lines)
    again = decode_words(b"".join(lines).decode().partition(": ")[2])
    assert encode_unstructured("Subject", again) == raw


@pytest.mark.parametrize("text", ["", "plain"])
def test_long_name_does_not_make_its_value_encoded(text):
    """A line that its name makes too long gets no better by encoding what is behind it."""
    name = "x" * 999
    assert encode_unstructured(name, text) == f"{name}: {text}\r\n".encode()
