"""
The header section as bytes: a scanner that neither loses nor invents a field.

The standard ``email`` package takes a bare CR inside a value for a new header and costs 20 ms;
here only LF and CRLF end a line (attack: header injection), names compare without case, and a
blank before the colon does not hide a field (``Bcc :`` is a Bcc).
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["HeaderField", "HeaderSection", "read_header_section"]

# A header section is kept in memory. 1 MiB is a list of 20,000 recipients; Postfix stops at 100 kB.
_MAX_SECTION = 1 << 20

# The visible characters but the colon (RFC 5322 2.2).
_NAME = bytes(range(0x21, 0x3A)) + bytes(range(0x3B, 0x7F))

# Everything below space but TAB and LF, and DEL: none may reach another program's parser.
_TO_SPACE = bytes(
    0x20 if (byte < 0x20 and byte not in b"\t\n") or byte == 0x7F else byte for byte in range(256)
)


class HeaderField(Value):
    """
    One header field.

    Attributes:
        name: As written, without the colon.
        key: The name in lower case.
        raw: The whole field with its folding, each line ending in CRLF.

    """

    __slots__ = ("key", "name", "raw")

    def __init__(self, name: bytes, raw: bytes) -> None:
        self.name = name
        self.key = name.lower()
        self.raw = raw

    @property
    def value(self) -> str:
        """
        The field body, unfolded and stripped.

        Bytes that are not UTF-8 become lone surrogates (``surrogateescape``).
        """
        body = self.raw.partition(b":")[2].replace(b"\r\n", b"")
        return body.decode("utf-8", "surrogateescape").strip(" \t")


class HeaderSection(Value):
    """
    The fields of a header section, in order.

    A section is never changed: each method that would gives back a new one. An empty section is
    that of a text without headers.

    Attributes:
        fields: All of them.
        firsts: The first of each name, by its key.

    """

    __slots__ = ("fields", "firsts")

    def __init__(self, fields: tuple[HeaderField, ...] = ()) -> None:
        self.fields = fields
        self.firsts = {field.key: field for field in reversed(fields)}

    def _fields(self) -> tuple[tuple[HeaderField, ...]]:
        return (self.fields,)

    def __contains__(self, name: str) -> bool:
        return name.lower().encode() in self.firsts

    def first(self, name: str) -> str | None:
        """Return the value of the first field of that name, or None."""
        field = self.firsts.get(name.lower().encode())
        return field.value if field is not None else None

    def without(self, names: Iterable[str]) -> HeaderSection:
        """Return the section without the fields of these names."""
        keys = {name.lower().encode() for name in names}
        return HeaderSection(tuple(field for field in self.fields if field.key not in keys))

    def preceded_by(self, fields: Iterable[HeaderField]) -> HeaderSection:
        """Return the section with ``fields`` put in front of it."""
        return HeaderSection((*fields, *self.fields))

    def wire_form(self) -> bytes:
        """Return the fields' octets, without the empty line that ends the section."""
        return b"".join([field.raw for field in self.fields])


def read_header_section(read: Callable[[int], bytes]) -> tuple[HeaderSection, bytes]:
    """
    Read the header section from the start of a message.

    The section ends at an empty line, which is consumed, or before the first line that can be
    no header: a text without headers is all body. An mbox line ``From `` in front is dropped.

    Args:
        read: Gives up to that many octets; ``b""`` is the end of the message. May block.

    Returns:
        The section, and the octets of the body that were read along with it.

    Raises:
        DataError: The section is longer than 1 MiB.

    """
    lines: list[list[bytes]] = []  # of each field its name, and then its lines
    buffer = b""
    total = 0
    is_first = True
    while True:
        chunk = read(65536)
        buffer += chunk
        start = 0
        while (newline := buffer.find(b"\n", start)) >= 0 or not chunk:
            end = newline + 1 or len(buffer)
            # However many CRs stand before an LF: programs that convert twice write two.
            octets = buffer[start:] if newline < 0 else buffer[start:newline].rstrip(b"\r")
            line, name = _read_line(octets)
            if name:
                lines.append([name, line])
            elif line[:1] in (b" ", b"\t") and lines and line.strip(b" \t"):
                lines[-1].append(line)
            elif not (is_first and buffer.startswith(b"From ", start)):
                # A line of blanks ends the section too: some parsers would end it there.
                is_separator = not line.strip(b" \t")
                return _section(lines), buffer[end if is_separator else start :]
            is_first = False
            total += end - start
            if total > _MAX_SECTION:
                _refuse_length()
            start = end
            if not chunk and start == len(buffer):
                return _section(lines), b""
        buffer = buffer[start:]
        if len(buffer) > _MAX_SECTION:
            # A field that long must not pass for body: it may be a Bcc.
            line, name = _read_line(buffer)
            if name or line[:1] in (b" ", b"\t"):
                _refuse_length()
            return _section(lines), buffer


def _read_line(line: bytes) -> tuple[bytes, bytes]:
    """
    Return a line, and the name of the field that begins with it; empty: none does.

    The line comes without its end; its NULs are dropped, other control characters become spaces.
    """
    line = line.translate(_TO_SPACE, b"\0")
    name, colon, _ = line.partition(b":")
    name = name.rstrip(b" \t")
    return line, name if colon and not name.translate(None, _NAME) else b""


def _section(lines: list[list[bytes]]) -> HeaderSection:
    fields = []
    for name, *group in lines:
        raw = b"\r\n".join(group) + b"\r\n"
        if not raw.startswith(name + b":"):
            # "Name :" is obsolete syntax that filters and servers read in different ways.
            raw = name + b":" + raw.partition(b":")[2]
        fields.append(HeaderField(name, raw))
    return HeaderSection(tuple(fields))


def _refuse_length() -> None:
    msg = say("the header section is longer than {limit} octets", limit=_MAX_SECTION)
    advice = say("put long lists of recipients into the envelope, not into To")
    raise DataError(msg, advice=advice)
