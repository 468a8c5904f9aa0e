"""
Filters for the body of a leaf: transfer encodings (RFC 2045 6), chunk by chunk.

Each has ``feed`` and ``finish``, holds no more than a line and a chunk, and loses no octet. What
one gives out never ends in a line end that was not in its input: the delimiter behind a part
brings its own.
"""

from __future__ import annotations

from binascii import b2a_base64, b2a_qp

from pillarbox.mail.wire import MAX_LINE, LineLengths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Base64",
    "Base64Lines",
    "QuotedPrintable",
    "QuotedPrintableLines",
    "Watch",
    "canonical",
]

# A line that goes on for longer is dealt with in pieces.
_MAX_HELD = 1 << 16
_HEX = b"0123456789ABCDEFabcdef"
_CODED_LINE = 76  # RFC 2045 6.7, 6.8
_LINE_OCTETS = 57  # what a line of base64 holds


def canonical(text: bytes) -> bytes:
    """Return text with CRLF for every LF or CRLF."""
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class _Held:
    """Give a function whole lines; hold the last piece of one."""

    __slots__ = ("_held", "_work")

    is_transparent = False

    def __init__(self, work: Callable[[bytes, bool], bytes]) -> None:
        self._held = b""
        self._work = work

    def feed(self, chunk: bytes) -> bytes:
        chunk = self._held + chunk
        end = chunk.rfind(b"\n") + 1
        if not end and len(chunk) > _MAX_HELD:
            # A CRLF must stay in one piece, and an =XX.
            end = len(chunk) - 4
            self._held = chunk[end:]
            return self._work(chunk[:end], False)  # noqa: FBT003 - an inner signature
        self._held = chunk[end:]
        return self._work(chunk[:end], True) if end else b""  # noqa: FBT003 - an inner signature

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return self._work(held, True) if held else b""  # noqa: FBT003 - an inner signature


class QuotedPrintable(_Held):
    """Encode text in quoted-printable; its line ends stay line ends."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_encode_qp)


def _encode_qp(text: bytes, is_line: bool) -> bytes:  # noqa: FBT001 - called with both
    coded = canonical(b2a_qp(canonical(text), istext=True))
    if b"=20\r\n" in coded or b"=09\r\n" in coded or coded[-3:] in (b"=20", b"=09"):
        # CPython forgets to count the blank that it encodes at the end of a line: 77 characters.
        lines = coded.split(b"\r\n")
        coded = b"\r\n".join(
            line[:-3] + b"=\r\n" + line[-3:] if len(line) > _CODED_LINE else line for line in lines
        )
    return coded + (b"" if is_line else b"=\r\n")


class Base64:
    """
    Encode in base64, in lines of 76.

    Args:
        is_text: Whether line ends are made CRLF first (RFC 2045 6.8); otherwise octets are kept.

    """

    __slots__ = ("_has_cr", "_held", "_is_started", "_is_text")

    is_transparent = False

    def __init__(self, *, is_text: bool) -> None:
        self._is_text = is_text
        self._has_cr = False
        self._held = b""
        self._is_started = False

    def feed(self, chunk: bytes) -> bytes:
        """Return the lines that are full."""
        if self._is_text and chunk:
            if self._has_cr:
                chunk = b"\r" + chunk
            self._has_cr = chunk.endswith(b"\r")
            chunk = canonical(chunk[:-1] if self._has_cr else chunk)
        chunk = self._held + chunk
        end = len(chunk) - len(chunk) % _LINE_OCTETS
        self._held = chunk[end:]
        return self._lines(chunk[:end])

    def finish(self) -> bytes:
        """Return the last line, without an end."""
        rest = self._held + (b"\r" if self._has_cr else b"")
        self._held, self._has_cr = b"", False
        return self._lines(rest)

    def _lines(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        text = b2a_base64(octets, newline=False)
        lines = [text[at : at + _CODED_LINE] for at in range(0, len(text), _CODED_LINE)]
        first = b"\r\n" if self._is_started else b""
        self._is_started = True
        return first + b"\r\n".join(lines)


class Base64Lines:
    """Pass base64 on; from the first line that is too long on, break it into lines of 76."""

    __slots__ = ("_column", "_is_wrapping", "_lengths", "_on_fault")

    def __init__(self, on_fault: Callable[[], None], limit: int) -> None:
        self._lengths = LineLengths(limit)
        self._on_fault = on_fault
        self._is_wrapping = False
        self._column = 0

    @property
    def is_transparent(self) -> bool:
        """Whether what is fed is what comes, so that a line end may go ahead of its delimiter."""
        return not self._is_wrapping

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunk itself as long as nothing is wrong."""
        if not self._is_wrapping:
            if not self._lengths.feed(chunk):
                self._column += len(chunk)
                return chunk
            self._is_wrapping = True
            self._on_fault()
            # What was given out of this line ends here.
            return (b"\r\n" if self._column else b"") + self._wrap(chunk, 0)
        return self._wrap(chunk, self._column)

    def finish(self) -> bytes:
        """Return nothing: nothing is held."""
        return b""

    def _wrap(self, chunk: bytes, column: int) -> bytes:
        text = chunk.translate(None, b"\r\n \t")
        first = _CODED_LINE - column
        lines = [text[:first]]
        lines += [text[at : at + _CODED_LINE] for at in range(first, len(text), _CODED_LINE)]
        self._column = column + len(text) if len(lines) == 1 else len(lines[-1])
        return b"\r\n".join(lines)


class QuotedPrintableLines:
    """Pass quoted-printable on; lines that are too long or not ASCII are put right."""

    __slots__ = ("_held", "_on_fault")

    is_transparent = False

    def __init__(self, on_fault: Callable[[], None]) -> None:
        self._on_fault = on_fault
        self._held = _Held(self._mend)

    def feed(self, chunk: bytes) -> bytes:
        """Return the whole lines."""
        return self._held.feed(chunk)

    def finish(self) -> bytes:
        """Return the last line."""
        return self._held.finish()

    def _mend(self, text: bytes, is_line: bool) -> bytes:  # noqa: FBT001 - called with both
        if is_line and text.isascii() and not LineLengths().feed(text):
            return text
        mended = b"".join(map(_mend_line, text.split(b"\n")[:-1]))
        mended += _mend_line(text[text.rfind(b"\n") + 1 :], end=b"")
        if mended != text:
            self._on_fault()
        return mended + (b"" if is_line else b"=\r\n")


def _mend_line(line: bytes, end: bytes = b"\n") -> bytes:
    text = line.rstrip(b"\r")
    if line.isascii() and len(text) <= MAX_LINE:
        return line + end
    pieces, width, at = [], 0, 0
    while at < len(text):
        is_code = text[at] == 0x3D
        if is_code and not text[at + 1 :].strip(b" \t"):
            step, piece = len(text) - at, text[at:]  # a soft line break
        elif is_code and not text[at + 1 : at + 3].strip(_HEX) and len(text) >= at + 3:
            step, piece = 3, text[at : at + 3]
        elif is_code or text[at] >= 0x80:
            step, piece = 1, b"=%02X" % text[at]
        else:
            step, piece = 1, text[at : at + 1]
        is_last = at + step >= len(text)
        if width + len(piece) > _CODED_LINE - (0 if is_last else 1):
            pieces.append(b"=\r\n")
            width = 0
        pieces.append(piece)
        width += len(piece)
        at += step
    return b"".join(pieces) + line[len(text) :] + end


class Watch:
    """Pass octets on, and call once when something in them is no longer as was said of them."""

    __slots__ = ("_is_ascii_wanted", "_lengths", "_on_fault")

    is_transparent = True

    def __init__(self, on_fault: Callable[[], None], *, is_ascii_wanted: bool) -> None:
        self._on_fault = on_fault
        self._is_ascii_wanted = is_ascii_wanted
        self._lengths: LineLengths | None = LineLengths()

    def feed(self, chunk: bytes) -> bytes:
        """Return the chunk itself."""
        if self._lengths is not None and (
            self._lengths.feed(chunk) or (self._is_ascii_wanted and not chunk.isascii())
        ):
            self._lengths = None
            self._on_fault()
        return chunk

    def finish(self) -> bytes:
        """Return nothing: nothing is held."""
        return b""
