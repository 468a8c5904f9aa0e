"""What a terminal obeys goes, and the text stays."""

import pytest

from pillarbox.mail.terminal import without_terminal_codes

CODES = [
    # as it came, as it is read
    (b"\x1b[31mred\x1b[0m", b"red"),
    (b"\x1b[1;38;5;196mred\x1b[m", b"red"),
    (b"\x1b[2J\x1b[Htop", b"top"),
    (b"\x1b]0;title\x07text", b"text"),
    (b"\x1b]8;;http://a.example\x1b\\link\x1b]8;;\x1b\\", b"link"),
    (b"\x1bPq#0\x1b\\x", b"x"),
    (b"\x1b(Bx\x1b=y\x1b7", b"xy"),
    (b"end\x1b", b"end"),
    (b"end\x1b[3", b"end"),
    # An unfinished title takes no line with it that comes behind.
    (b"\x1b]0;title\nkept", b"\nkept"),
    (b"N\x08NA\x08A", b"NA"),
    ("文\x08文".encode(), "文".encode()),
    (b"_\x08x", b"x"),
    (b"\x08x", b"x"),
    (b"a\x07b\x00c\x7fd", b"abcd"),
    (b"a\x0cb", b"a\nb"),
]


@pytest.mark.parametrize(("text", "read"), CODES)
def test_removes_what_a_terminal_obeys(text, read):
    """Colours, titles, links, overstriking, bells; in any place of the text."""
    assert without_terminal_codes(text) == read
    assert without_terminal_codes(b"a\n" + text + b"\nz") == b"a\n" + read + b"\nz"


@pytest.mark.parametrize(
    "text", [b"[31m", b"tab\there\n", "Grüße 测试\n".encode(), b"\xff\xfe", b""]
)
def test_leaves_text_alone(text):
    """What only looks like a code, and octets of other charsets, stay."""
    assert without_terminal_codes(text) == text
