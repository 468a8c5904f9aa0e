"""Filters for texts: UTF-8 out of anything, and nothing that is for a terminal."""

from __future__ import annotations

import pytest

from pillarbox.mail.filters import Chain, Clean, Convert, Fixed, run
from pillarbox.mail.terminal import without_terminal_codes


def through(each, octets, size):
    """Return what comes of octets in chunks of a size."""
    out = [each.feed(octets[at : at + size]) for at in range(0, len(octets), size)]
    return b"".join([*out, each.finish()])


TERMINAL = [
    (b"\x1b[1;31mred\x1b[0m", b"red"),
    (b"\x1b[2K\x1b[1Gdone\x1b(B\x1b[m", b"done"),
    (b"\x1b]0;title\x07text", b"text"),
    (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"link"),
    (b"\x1bPdata\x1b\\x\x1b=y\x1b", b"xy"),
    (b"N\x08NA\x08AM\x08M", b"NAM"),
    ("é\bé".encode(), "é".encode()),
    (b"bell\x07 vt\x0b del\x7f", b"bell vt del"),
    (b"a\fb", b"a\nb"),
    (b"tab\tstays\n", b"tab\tstays\n"),
]


@pytest.mark.parametrize(("text", "clean"), TERMINAL)
def test_terminal_codes_are_gone(text, clean):
    """What a terminal would show is left (ECMA-48)."""
    assert without_terminal_codes(text) == clean


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (b"a\r\r\nb\rc\n", b"a\r\nb\r\nc\r\n"),
        (b"a\0\rb", b"a\r\nb"),
        (b"\x1b[1m\na\x1b[0m", b"\r\na"),
        (b"50%\r100%\r\n", b"50%\r\n100%\r\n"),
    ],
)
def test_cleans_line_by_line(text, clean, size):
    """CR alone is a line end; it does not matter how the text is cut."""
    assert through(Clean(is_plain=True), text, size) == clean


def test_other_texts_keep_their_escapes():
    """In HTML only what no line may hold is settled."""
    assert through(Clean(is_plain=False), b"\x1b[1m\0a\rb", 3) == b"\x1b[1ma\r\nb"


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb18030", "备份失败：磁盘𠮷"),
        ("big5", "測試碁銹"),
        ("utf-16", "disk 测试"),
        ("shift_jis", "テスト①"),
    ],
)
def test_converts_across_chunks(charset, text, size):
    """A character cut in two is one."""
    codec = {"big5": "cp950", "shift_jis": "cp932"}.get(charset, charset)
    assert through(Convert(charset), text.encode(codec), size).decode() == text


def test_a_chain_ends_its_filters_in_order():
    """What one gives at its end goes through the next."""
    chain = Chain([Convert("gb18030"), Clean(is_plain=True)])
    assert through(chain, "\x1b[1m备份\r".encode("gbk"), 1).decode() == "备份\r\n"
    assert through(Chain([Fixed(b"x")]), b"y" * 70_000, 70_000) == b"x"


def test_a_sample_uses_up_nothing():
    """The filters are as new afterwards."""
    filters = [Convert("gb18030")]
    assert run(filters, b"\xb1") == "\ufffd".encode()
    assert run(filters, b"\xb1\xb8", is_whole=True).decode() == "备"
