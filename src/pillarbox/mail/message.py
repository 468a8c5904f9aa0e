"""
A message: a header section in memory and a body that streams.

The body is never parsed and never held whole. ``Message.content`` gives what DATA or BDAT
carry, in wire form, and says what is known of it before the first octet is sent.
"""

from __future__ import annotations

from pillarbox.mail.headers import HeaderSection, read_header_section
from pillarbox.mail.wire import LineEndings
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Content", "Message", "read_message"]

# Octets held before anything is sent: of a mail up to this, size and coding are known.
CHUNK_SIZE = 1 << 18
# Octets of each chunk behind the first. From 128 KiB on malloc maps fresh memory for a buffer,
# and clearing it would be a fifth of the CPU of a large mail; below 64 KiB calls begin to show.
_STREAM_SIZE = 112 << 10


def read_message(read: Callable[[int], bytes], *, remaining_bytes: int | None = None) -> Message:
    """
    Read a message's header section; its body stays where it is until it is sent.

    Args:
        read: Gives up to that many octets of the message; ``b""`` is its end. May block.
        remaining_bytes: How many octets ``read`` will give in all, where that is known.

    Raises:
        DataError: The header section is too long.

    """
    section, start = read_header_section(read)
    return Message(section, start, read, remaining_bytes)


class Message:
    """
    One message (RFC 5322).

    Args:
        headers: Its header section.
        body_start: The first octets of the body, any line endings.
        read: Gives the rest of the body as for ``read_message``; None: there is no rest.
        total_bytes: The size of the whole message as it came, or None when nobody knows.

    """

    __slots__ = ("_body_start", "_read", "_total_bytes", "headers")

    def __init__(
        self,
        headers: HeaderSection,
        body_start: bytes = b"",
        read: Callable[[int], bytes] | None = None,
        total_bytes: int | None = None,
    ) -> None:
        self.headers = headers
        self._body_start = body_start
        self._read = read
        self._total_bytes = total_bytes

    def with_headers(self, headers: HeaderSection) -> Message:
        """Return the same body under another header section; use only one of the two."""
        return Message(headers, self._body_start, self._read, self._total_bytes)

    def look_ahead(self) -> tuple[bytes, Callable[[int], bytes] | None]:
        """
        Return the first 256 KiB of the body and what reads the rest; None: that was the whole.

        Blocks until they are there. Nothing is lost: ``content`` still gives them all.
        """
        read = self._read
        start = self._body_start
        while read is not None and len(start) < CHUNK_SIZE:
            chunk = read(CHUNK_SIZE - len(start))
            if not chunk:
                read = None
            start += chunk
        self._body_start, self._read = start, read
        return start, read

    def replaced(
        self,
        headers: HeaderSection,
        start: bytes,
        read: Callable[[int], bytes] | None,
        *,
        keeps_size: bool,
    ) -> Message:
        """Return a message of other parts; its size is as well known as before, or unknown."""
        return Message(headers, start, read, self._total_bytes if keeps_size else None)

    def content(self) -> Content:
        """
        Return the content to be sent. Blocks until a first chunk of the body is there.

        The body can be read only once, so this can be called only once.
        """
        head = self.headers.wire_form() + b"\r\n"
        endings = LineEndings()
        start, read = self.look_ahead()
        first = head + endings.feed(start)
        if read is None:
            whole = first + endings.finish()
            return Content(whole, None, size_bytes=len(whole), is_8bit=not whole.isascii())
        # A body line may gain an octet for its CR; servers take SIZE as an estimate (RFC 1870 5).
        is_8bit = None if first.isascii() else True
        return Content(first, _rest(read, endings), size_bytes=self._total_bytes, is_8bit=is_8bit)


def _rest(read: Callable[[int], bytes], endings: LineEndings) -> Iterator[bytes]:
    while chunk := read(_STREAM_SIZE):
        yield endings.feed(chunk)
    yield endings.finish()


class Content(Value):
    """
    What goes over the wire: header section, empty line and body, in CRLF form.

    Attributes:
        first: The first chunk; the whole content when ``rest`` is None.
        rest: The chunks behind it, some possibly empty; may block and can be walked once.
        size_bytes: Octets on the wire without dot-stuffing: exact when whole, else an estimate,
            or None when nobody knows.
        is_8bit: Whether an octet above 127 is in it; None when that is not yet known.

    """

    __slots__ = ("first", "is_8bit", "rest", "size_bytes")

    def __init__(
        self,
        first: bytes,
        rest: Iterator[bytes] | None = None,
        *,
        size_bytes: int | None = None,
        is_8bit: bool | None = None,
    ) -> None:
        self.first = first
        self.rest = rest
        self.size_bytes = size_bytes
        self.is_8bit = is_8bit

    def chunks(self) -> Iterator[tuple[bytes, bool]]:
        """Yield each chunk with whether it is the last; may block between two."""
        held = self.first
        for chunk in self.rest or ():
            if chunk:
                yield held, False
                held = chunk
        yield held, True
