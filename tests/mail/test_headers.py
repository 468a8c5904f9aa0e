"""The header scanner loses no field, invents none, and lets no Bcc through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import DataError
from pillarbox.mail.headers import HeaderField, HeaderSection, read_header_section

LIMIT = 1 << 20


def reader(data, size):
    """Return a function that gives ``data`` in pieces of ``size`` octets."""
    pieces = iter([data[start : start + size] for start in range(0, len(data), size)])
    return lambda _: next(pieces, b"")


def read(data, size=1 << 16):
    """Return the section and the whole body of a message that comes in pieces."""
    read_piece = reader(data, size)
    section, body = read_header_section(read_piece)
    while piece := read_piece(1 << 16):
        body += piece
    return section, body


MESSAGES = [
    # message, header section in wire form, body
    (b"", b"", b""),
    (b"A: b", b"A: b\r\n", b""),
    (b"A: b\n", b"A: b\r\n", b""),
    (b"A: b\n\nbody\n", b"A: b\r\n", b"body\n"),
    (b"A: b\r\n\r\nbody\r\n", b"A: b\r\n", b"body\r\n"),
    (b"A: b\r\nC:d\n\r\nbody", b"A: b\r\nC:d\r\n", b"body"),
    (b"A:\nA: b\n\n", b"A:\r\nA: b\r\n", b""),
    (b"A: b\n c\n\td\n\nx", b"A: b\r\n c\r\n\td\r\n", b"x"),
    (b"A:\n b\n\n", b"A:\r\n b\r\n", b""),
    (b"\nA: b\n", b"", b"A: b\n"),
    (b"\r\n", b"", b""),
    (b"just text\nA: b\n", b"", b"just text\nA: b\n"),
    (b"just text", b"", b"just text"),
    (b"A: b\njust text\nC: d\n", b"A: b\r\n", b"just text\nC: d\n"),
    (b" A: b\n", b"", b" A: b\n"),
    (b"From me Mon Jan  1 00:00:00 2024\nA: b\n\nx", b"A: b\r\n", b"x"),
    (b"From me Mon Jan  1 00:00:00 2024", b"", b""),
    (b"A: b\nFrom me Mon Jan  1\n\nx", b"A: b\r\n", b"From me Mon Jan  1\n\nx"),
    (b"From me\nFrom me\n", b"", b"From me\n"),
    (b"From : a@b\n\n", b"From: a@b\r\n", b""),
    (b"A : b\nC\t:d\n\n", b"A: b\r\nC:d\r\n", b""),
    (b"A: b\n \nC: d\n", b"A: b\r\n", b"C: d\n"),
    (b"A: b\n \t\r\nC: d\n", b"A: b\r\n", b"C: d\n"),
    (b"http://x\n\n", b"http://x\r\n", b""),
    (b"A: \xff\xc3\xa9\n\n", b"A: \xff\xc3\xa9\r\n", b""),
    (b"\xc3\xa9: b\n", b"", b"\xc3\xa9: b\n"),
    (b": b\n", b"", b": b\n"),
    (b"A: b\n\n\n.\nx", b"A: b\r\n", b"\n.\nx"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 16])
@pytest.mark.parametrize(("message", "wire", "body"), MESSAGES)
def test_splits_section_and_body(message, wire, body, size):
    """The section ends at an empty line, or before what is no header; however it is read."""
    section, rest = read(message, size)
    assert section.wire_form() == wire
    assert rest == body


CONTROLS = [
    # raw header, header in wire form
    (b"Subject: a\rBcc: evil@e", b"Subject: a Bcc: evil@e\r\n"),
    (b"Subject: a\r\rBcc: evil@e", b"Subject: a  Bcc: evil@e\r\n"),
    (b"Subject: a\x0bBcc: evil@e", b"Subject: a Bcc: evil@e\r\n"),
    (b"Subject: a\x0cBcc: evil@e", b"Subject: a Bcc: evil@e\r\n"),
    (b"Subject: a\x1c\x1d\x1e\x1f\x7fb", b"Subject: a     b\r\n"),
    (b"Subject: a\0b", b"Subject: ab\r\n"),
    (b"Subject: a\x1b[2Jb", b"Subject: a [2Jb\r\n"),
    (b"Subject: a\r\r\nTo: x", b"Subject: a\r\nTo: x\r\n"),
    ("Subject: a\x85To: b".encode(), "Subject: a\x85To: b\r\n".encode()),
    ("Subject: a\u2028To: b".encode(), "Subject: a\u2028To: b\r\n".encode()),
    (b"Subject: a\r", b"Subject: a \r\n"),
]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(("raw", "wire"), CONTROLS)
def test_header_injection_by_control_characters_makes_no_field(raw, wire, size):
    """Only LF and CRLF end a line (L5): CR, VT, FF, NEL and U+2028 begin no header."""
    section, _ = read(raw, size)
    assert section.wire_form() == wire
    assert "Bcc" not in section


BCC = [
    b"Bcc: x",
    b"bcc: x",
    b"BCC: x",
    b"bCC:x",
    b"Bcc:x",
    b"Bcc :x",
    b"Bcc : x",
    b"Bcc\t: x",
    b"Bcc \t \t: x",
    b"Bcc\r: x",
    b"Bcc\x0b: x",
    b"Bcc\x0c: x",
    b"Bcc\0: x",
    b"B\0cc: x",
    b"\0Bcc: x",
    b"Bcc\x7f: x",
    b"Bcc:\n x",
    b"Bcc:\r\n x",
    b"Bcc:\n\tx",
    b"Bcc: a,\n b,\n c, x",
    b"Bcc: a,\r\n\tb,\r\n\tx",
    b"Bcc:\n \x01x",
    b"Bcc :\n x",
    b"bcc\t:\r\n\tx",
    b"Bcc: Team: x;",
    b"Bcc: (comment\n more) x",
    b'Bcc: "quo\n ted" <x>',
    b"Bcc: \xff\xfe x",
    b"Bcc: =?utf-8?Q?x?=",
    b"Bcc: x\nBcc: x",
    b"Bcc: x\nBCC : x",
    b"Bcc:\nBcc: x",
    b"Resent-Bcc: x",
    b"resent-bcc: x",
    b"RESENT-BCC : x",
    b"Resent-Bcc\t:\n x",
    b"Resent-Bcc: a,\n x",
    b"Resent-Bcc: x\nBcc: x",
    b"Bcc: " + b"a, " * 3000 + b"x",
    b"Bcc:" + b"\n a" * 3000 + b"\n x",
]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("bcc", BCC, ids=range(len(BCC)))
def test_bcc_in_any_spelling_is_removed(bcc, where, line_end):
    """A blind recipient stays blind (L4), whatever the spelling and the place."""
    secret = bcc.replace(b"x", b"secret@example.org")
    lines = [b"From: a@b", b"To: c@d"]
    lines.insert({"first": 0, "middle": 1, "last": 2}[where], secret)
    message = line_end.join([*lines, b"", b"body"])
    section, body = read(message)
    sent = section.without(["Bcc", "Resent-Bcc"]).wire_form() + b"\r\n" + body
    assert b"secret" not in sent
    assert b"bcc" not in sent.lower()
    assert sent == b"From: a@b\r\nTo: c@d\r\n\r\nbody"


def test_bcc_leak_by_a_field_longer_than_the_limit_is_refused():
    """A first field over a megabyte must not pass for the body of a text without headers (L4)."""
    message = b"Bcc: " + b"a@example.org, " * (LIMIT // 15 + 1) + b"\n\nbody"
    for size in (1 << 16, 1 << 20, len(message)):
        with pytest.raises(DataError, match="longer than"):
            read(message, size)


def test_section_as_long_as_the_limit_is_taken_and_one_octet_more_is_not():
    """A header section may have 1 MiB."""
    line = b"X: " + b"a" * 1020 + b"\n"
    section, body = read(line * (LIMIT // len(line)) + b"\nbody")
    assert len(section.fields) == LIMIT // len(line)
    assert body == b"body"
    for tail in (b"Y: x\n\nbody", b" folded\n\nbody", b"Z:" + b"z" * LIMIT):
        with pytest.raises(DataError, match="longer than 1048576 octets") as refusal:
            read(line * (LIMIT // len(line)) + tail)
        assert refusal.value.advice


@pytest.mark.parametrize("start", [b"", b"A: b\n"])
def test_long_line_that_is_no_header_is_body(start):
    """A text without headers may begin with a line of any length."""
    text = b"no header " * (LIMIT // 10 + 1000)
    section, body = read(start + text)
    assert section.wire_form() == start.replace(b"\n", b"\r\n")
    assert body == text


def test_section_is_read_without_the_whole_body():
    """The body stays where it is: no more than a piece behind the section is read."""
    asked = []
    pieces = iter([b"A: b\n\nbody", b"never read"])

    def read_piece(size):
        asked.append(size)
        return next(pieces)

    assert read_header_section(read_piece)[1] == b"body"
    assert len(asked) == 1


VALUES = [
    (b"A: b\r\n", "b"),
    (b"A:b\r\n", "b"),
    (b"A:  b \t\r\n", "b"),
    (b"A: b\r\n c\r\n", "b c"),
    (b"A:\r\n\tb\r\n", "b"),
    (b"A: b: c\r\n", "b: c"),
    (b"A: \xc3\xa9\xff\r\n", "é\udcff"),
    (b"A:\r\n", ""),
]


@pytest.mark.parametrize(("raw", "value"), VALUES)
def test_value_is_unfolded_and_stripped(raw, value):
    """The value has no line ends; bytes that are no UTF-8 are kept as surrogates."""
    assert HeaderField(b"A", raw).value == value


def test_section_finds_and_changes_fields_without_case():
    """Names compare without case; the section itself is never changed."""
    section, _ = read(b"To: a\nSubject: x\nTO: b\n\n")
    assert "subject" in section
    assert "Sub" not in section
    assert section.first("tO") == "a"
    assert section.first("Cc") is None
    assert section.without(["TO"]).wire_form() == b"Subject: x\r\n"
    added = section.preceded_by([HeaderField(b"A", b"A: b\r\n")])
    assert added.wire_form() == b"A: b\r\nTo: a\r\nSubject: x\r\nTO: b\r\n"
    assert section.wire_form() == b"To: a\r\nSubject: x\r\nTO: b\r\n"
    assert HeaderSection().wire_form() == b""


# -- properties --------------------------------------------------------------------------------

NAME_CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":")
NAME = st.text(NAME_CHARACTERS, min_size=1, max_size=8)
TEXT = st.binary(max_size=12).map(
    lambda data: bytes(byte for byte in data if byte >= 0x20 and byte != 0x7F)
)
LINE = st.builds(lambda text: b"x" + text, TEXT)
FIELD = st.tuples(NAME, TEXT, st.lists(st.tuples(st.sampled_from([b" ", b"\t"]), LINE), max_size=3))


@given(
    st.lists(FIELD, max_size=5),
    st.binary(max_size=30),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([1, 5, 1 << 16]),
)
@settings(max_examples=200)
def test_scanner_neither_loses_nor_invents_a_field(fields, body, line_end, size):
    """What a well-formed section says comes out, field by field; the body octet by octet."""
    raws = []
    for name, text, folded in fields:
        lines = [name.encode() + b":" + text, *[blank + more for blank, more in folded]]
        raws.append(lines)
    message = b"".join(line + line_end for lines in raws for line in lines) + line_end + body
    section, rest = read(message, size)
    assert [field.name.decode() for field in section.fields] == [name for name, _, _ in fields]
    assert [field.raw for field in section.fields] == [
        b"".join(line + b"\r\n" for line in lines) for lines in raws
    ]
    assert rest == body
    assert read(section.wire_form() + b"\r\n" + body, size) == (section, body)


@given(st.text("Aa:b \t\r\n\0\x0bF.", max_size=40), st.integers(1, 9))
@settings(max_examples=300)
def test_reading_in_pieces_is_reading_whole(text, size):
    """However a message comes, the section and the body are the same."""
    assert read(text.encode(), size) == read(text.encode())
