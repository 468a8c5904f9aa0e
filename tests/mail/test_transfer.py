"""Transfer encodings: nothing is lost, however it comes."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mail.transfer import (
    Base64,
    Base64Lines,
    QuotedPrintable,
    QuotedPrintableLines,
    Watch,
    canonical,
)


def through(each, octets, size):
    """Return what comes of octets in chunks of a size."""
    out = [each.feed(octets[at : at + size]) for at in range(0, len(octets), size)]
    return b"".join([*out, each.finish()])


sizes = st.sampled_from([1, 7, 57, 1 << 20])
texts = st.text(alphabet="ab =.é\t測", max_size=300).map(str.encode)


@given(octets=st.binary(max_size=400), size=sizes)
def test_base64_keeps_every_octet(octets, size):
    """Lines have 76 characters, and no line end is added."""
    out = through(Base64(is_text=False), octets, size)
    assert base64.b64decode(out) == octets
    assert out == b"\r\n".join(out.split())
    assert all(len(line) == 76 for line in out.split()[:-1])


@given(lines=st.lists(texts, max_size=5), size=sizes, end=st.sampled_from([b"\n", b"\r\n"]))
def test_text_is_encoded_with_crlf(lines, size, end):
    """LF and CRLF are one line end, also cut in two (RFC 2045 6.7, 6.8)."""
    octets = end.join(lines)
    wanted = b"\r\n".join(lines)
    assert base64.b64decode(through(Base64(is_text=True), octets, size)) == wanted
    coded = through(QuotedPrintable(), octets, size)
    assert coded.isascii()
    assert max(map(len, coded.split(b"\r\n"))) <= 76
    assert quopri.decodestring(coded).replace(b"\r\n", b"\n") == wanted.replace(b"\r\n", b"\n")


def test_a_blank_at_the_end_of_a_line_is_counted():
    """CPython makes 77 characters of this, one too many (RFC 2045 6.7)."""
    octets = "==aaaaaaaaaaaaaaééé測測測測 \n".encode() * 2
    coded = through(QuotedPrintable(), octets, 7)
    assert max(map(len, coded.split(b"\r\n"))) <= 76
    assert quopri.decodestring(coded).replace(b"\r\n", b"\n") == octets


def test_a_bare_cr_at_the_end_is_kept():
    """It is no half of a line end."""
    assert base64.b64decode(through(Base64(is_text=True), b"a\r", 1)) == b"a\r"


@pytest.mark.parametrize("size", [1000, 70_000])
def test_quoted_printable_holds_no_endless_line(size):
    """A line that does not end is cut by soft line breaks."""
    octets = "é ".encode() * 100_000
    coder = QuotedPrintable()
    assert coder.feed(octets[:size]) or size < 1 << 16
    rest = octets[size:]
    out = through(QuotedPrintable(), octets[:size] + rest, size)
    assert quopri.decodestring(out) == octets


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "octets",
    [
        base64.encodebytes(bytes(range(256)) * 9),
        base64.b64encode(bytes(range(256)) * 9),
        base64.encodebytes(bytes(500)) + base64.b64encode(bytes(range(256)) * 9)[:996],
    ],
)
def test_base64_is_broken_anew_only_where_it_must(octets, size):
    """Good lines are the same; from a bad one on there are lines of 76."""
    faults = []
    out = through(Base64Lines(lambda: faults.append(1), 76), octets, size)
    assert base64.b64decode(out) == base64.b64decode(octets)
    if max(map(len, octets.split())) <= 76:
        assert (out, faults) == (octets, [])
    else:
        assert faults == [1]
        assert max(map(len, out.split())) <= 78


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("octets", "mended"),
    [
        (b"good =C3=BC\nlines=\n", None),
        (b"x\xc3\xbc\n", b"x=C3=BC\n"),
        (b"x\xc3\xbc=\ny\r\n", b"x=C3=BC=\ny\r\n"),
        (b"=\xc3=A9= \n", b"=3D=C3=A9= \n"),
        (b"\xc3=4", b"=C3=3D4"),
        (b"a=3D" * 20 + b"\xc3\n", b"a=3D" * 18 + b"a=\r\n=3Da=3D=C3\n"),
    ],
)
def test_quoted_printable_is_mended(octets, mended, size):
    """Raw octets are encoded, and nothing else changes."""
    faults = []
    out = through(QuotedPrintableLines(lambda: faults.append(1)), octets, size)
    assert out == (octets if mended is None else mended)
    assert bool(faults) == (mended is not None)


def test_quoted_printable_lines_that_are_too_long_get_soft_breaks():
    """No code is cut."""
    octets = b"=C3=BC word " * 200 + b"\n"
    out = through(QuotedPrintableLines(lambda: None), octets, 100)
    assert quopri.decodestring(out) == quopri.decodestring(octets)
    assert max(map(len, out.splitlines())) <= 76


@pytest.mark.parametrize(
    ("octets", "is_ascii_wanted", "count"),
    [
        (b"fine\n" * 500, True, 0),
        (b"\xff\n" * 500, True, 1),
        (b"\xff\n" * 500, False, 0),
        (b"x" * 5000, False, 1),
    ],
)
def test_watches_what_passes(octets, is_ascii_wanted, count):
    """A fault is told once, and the octets pass."""
    faults = []
    watch = Watch(lambda: faults.append(1), is_ascii_wanted=is_ascii_wanted)
    assert through(watch, octets, 100) == octets
    assert len(faults) == count


def test_clean_chunks_are_not_copied():
    """The very same object comes back."""
    chunk = b"QUJD\r\n" * 100
    assert Base64Lines(lambda: None, 76).feed(chunk) is chunk
    assert Watch(lambda: None, is_ascii_wanted=True).feed(chunk) is chunk


def test_canonical_text_has_crlf():
    """Whatever it had before."""
    assert canonical(b"a\nb\r\n\n") == b"a\r\nb\r\n\r\n"
