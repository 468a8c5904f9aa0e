"""
Feed the maker of the wire form with bodies made to smuggle a second mail.

The property: however the body is cut, the same octets come out; they hold no NUL and no CR or
LF outside CRLF, and end in CRLF; put behind DATA they are one mail, and the same text, to four
servers that take CRLF, also LF, also CR, or all of these for a line end.

Allowed refusals: none.
"""

from __future__ import annotations

import re

from pillarbox.mail.wire import DotStuffing, LineEndings

# How four kinds of servers split what they get into lines.
_LINE_ENDS = (rb"\r\n", rb"\r?\n", rb"\r\n|\r", rb"\r\n|\r|\n")

SEEDS = [
    b"hello\n.\nworld\n",
    b"a\r\n.\r\nMAIL FROM:<x@y>\r\nRCPT TO:<z@y>\r\nDATA\r\nb\r\n.\r\n",
    b"a\n.\r\nMAIL FROM:<x@y>\r\n",
    b"a\r.\rMAIL FROM:<x@y>\r",
    b"a\r\0\n.\r\0\n\0.\0\n",
    b"..\n.\n.",
    b"no end\r",
    b"\r\r\n\n\r",
]


def check(data: bytes) -> None:
    """Hold the property for a body."""
    plain, stuffed = _encode([data])
    assert _encode([data[i : i + 1] for i in range(len(data))]) == (plain, stuffed)
    middle = len(data) // 2
    assert _encode([data[:middle], data[middle:]]) == (plain, stuffed)
    assert not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", plain)
    assert not plain or plain.endswith(b"\r\n")
    text = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b" ")
    assert plain.replace(b"\r\n", b"\n") in (text, text + b"\n")
    for line_end in _LINE_ENDS:
        mail, commands = _receive(stuffed + b"QUIT\r\n", line_end)
        assert mail == plain.split(b"\r\n")[:-1]
        assert commands == [b"QUIT", b""]


def _encode(chunks: list[bytes]) -> tuple[bytes, bytes]:
    endings, stuffing = LineEndings(), DotStuffing()
    plain = [*map(endings.feed, chunks), endings.finish()]
    return b"".join(plain), b"".join([*map(stuffing.feed, plain), stuffing.finish()])


def _receive(stream: bytes, line_end: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of the first mail, and what comes behind it, as such a server has them."""
    lines = re.split(line_end, stream)
    end = lines.index(b".")
    return [line.removeprefix(b".") for line in lines[:end]], lines[end + 1 :]


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
