"""
Feed the header scanner with texts that are hardly mail.

The property: the same section and the same body come out however the text is read; nothing is
lost (every octet but NULs, CRs and an mbox line is in the section or the body, in order); what
the section sends is fields of one name each, with no control character, no line that could end
it or begin another field, and no Bcc once that was removed.

Allowed refusals:
    DataError: the section is longer than 1 MiB.
"""

from __future__ import annotations

import re

from pillarbox.errors import DataError
from pillarbox.mail.headers import HeaderSection, read_header_section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A field as a suspicious reader would have it: a name, and folded lines that say something.
_TEXT = rb"[\t -~\x80-\xff]*\r\n"
_FIELD = re.compile(rb"[!-9;-~]+:" + _TEXT + rb"(?:[\t ]+[!-~\x80-\xff]" + _TEXT + rb")*")
# The line that begins a mail in an mbox file; "From :" is a field.
_MBOX_LINE = re.compile(rb"\AFrom (?![\0-\x09\x0b-\x20\x7f]*:)[^\n]*\n?")

SEEDS = [
    b"From: a@b\r\nTo: c@d\r\nSubject: x\r\n\r\nbody\r\n",
    b"From me@here Mon Jan  1 00:00:00 2024\nSubject: x\n y\n\tz\n\nbody\n.\n",
    b"bcc : a@b\n c@d\nBCC\t:e@f\nResent-Bcc:\n g@h\n\n",
    b"Subject: a\rBcc: b@c\x0b\x0c\x7f\0d\xc2\x85e\n \n\nx",
    b"no header at all\nTo: x\n",
    b"\nSubject: behind\n",
    b" folded: first\nX: y",
]


def check(data: bytes) -> None:
    """Hold the property for a text, read whole, in threes and byte by byte."""
    try:
        section, body = _read(data, len(data) + 1)
    except DataError:
        return
    assert _read(data, 3) == (section, body)
    assert _read(data, 1) == (section, body)
    wire = section.wire_form()
    for field in section.fields:
        assert _FIELD.fullmatch(field.raw), field.raw
        assert field.raw.startswith(field.name + b":")
        assert field.key == field.name.lower()
        assert not any(char in field.value for char in "\r\n\0")
    assert _read(wire + b"\r\n" + body, len(wire) + 3) == (section, body)
    assert _letters(wire + body) == _letters(_MBOX_LINE.sub(b"", data))
    assert not re.search(rb"(?im)^(resent-)?bcc[ \t]*:", _without_bcc(section))


def _read(data: bytes, size: int) -> tuple[HeaderSection, bytes]:
    read = _reader(data, size)
    section, body = read_header_section(read)
    while chunk := read(1 << 16):
        body += chunk
    return section, body


def _reader(data: bytes, size: int) -> Callable[[int], bytes]:
    pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
    return lambda _: next(pieces, b"")


def _without_bcc(section: HeaderSection) -> bytes:
    return section.without(["Bcc", "Resent-Bcc"]).wire_form()


def _letters(text: bytes) -> bytes:
    """Return what must never be lost or reordered: everything that is no white space."""
    return re.sub(rb"[\0-\x20\x7f]", b"", text)


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
