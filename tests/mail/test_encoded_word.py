"""Display names in headers: what a reader decodes is what was meant, and nothing else."""

from __future__ import annotations

from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.mail.encoded_word import format_mailbox_field, format_phrase

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
