"""
The wire form of a message: CRLF line ends and nothing else that could end a line.

This is the one place that makes it. What leaves ``LineEndings`` holds no CR or LF outside CRLF
and no NUL, so that every server, however it splits lines, sees one mail (SMTP smuggling,
CVE-2023-51764 and its kin). ``DotStuffing`` comes behind it, for DATA only.

``LineLengths`` tells whether a line is too long. All work on a stream of chunks, in memory
proportional to one chunk.
"""

from __future__ import annotations

__all__ = ["MAX_LINE", "DotStuffing", "LineEndings", "LineLengths", "has_long_line"]

MAX_LINE = 998  # octets of a line without its end (RFC 5321 4.5.3.1.6, RFC 5322 2.1.1)


class LineEndings:
    """
    Turn text with LF or CRLF line ends into CRLF form, chunk by chunk.

    A bare CR becomes a space: it is no line end to us and must not become one to a server. NUL
    is dropped, as RFC 5321 4.5.2 has no place for it. A missing final line end is supplied.
    """

    __slots__ = ("_has_cr", "_is_at_line_start")

    def __init__(self) -> None:
        self._has_cr = False  # the last chunk ended in a CR that is not yet decided
        self._is_at_line_start = True

    def feed(self, chunk: bytes) -> bytes:
        """Return the wire form of ``chunk``; a final CR is held until the next call."""
        if not chunk:
            return b""
        if self._has_cr:
            chunk = b"\r" + chunk
            self._has_cr = False
        if b"\0" in chunk:
            chunk = chunk.replace(b"\0", b"")
        if b"\r" in chunk:
            chunk = self._settle_cr(chunk)
        if chunk:
            self._is_at_line_start = chunk.endswith(b"\n")
        return chunk.replace(b"\n", b"\r\n")

    def finish(self) -> bytes:
        """Return what ends the text properly: usually nothing, else a line end."""
        tail = b" " if self._has_cr else b""
        self._has_cr = False
        if tail or not self._is_at_line_start:
            tail += b"\r\n"
        self._is_at_line_start = True
        return tail

    def _settle_cr(self, chunk: bytes) -> bytes:
        if chunk.endswith(b"\r"):
            self._has_cr = True
            chunk = chunk[:-1]
        chunk = chunk.replace(b"\r\n", b"\n")
        return chunk.replace(b"\r", b" ") if b"\r" in chunk else chunk


class DotStuffing:
    """Double the dot that begins a line (transparency, RFC 5321 4.5.2), chunk by chunk."""

    __slots__ = ("_is_at_line_start",)

    def __init__(self) -> None:
        self._is_at_line_start = True

    def feed(self, chunk: bytes) -> bytes:
        """Return ``chunk``, which must be in wire form, with its leading dots doubled."""
        if not chunk:
            return b""
        is_first = self._is_at_line_start and chunk.startswith(b".")
        self._is_at_line_start = chunk.endswith(b"\n")
        if b"\n." in chunk:
            chunk = chunk.replace(b"\n.", b"\n..")
        return b"." + chunk if is_first else chunk

    def finish(self) -> bytes:
        """Return the dot that ends the content, on a line of its own whatever came before."""
        return b".\r\n" if self._is_at_line_start else b"\r\n.\r\n"


def has_long_line(octets: bytes) -> bool:
    """Tell whether a line of a whole text is over the limit."""
    return len(octets) > MAX_LINE and LineLengths().feed(octets)


class LineLengths:
    """
    Tell whether a line is over the limit.

    Lines of one length, as encoders make them, are found by one slice of a chunk; in others there
    is a jump for each limit's worth of octets.
    """

    __slots__ = ("_carry", "_has_cr", "_limit", "_period")

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._has_cr = False  # the last octet was a CR
        self._carry = 0  # octets of a line that has not ended
        self._period = 0  # from one line end to the next, as it was last; 0: nobody knows

    def feed(self, chunk: bytes) -> bool:
        """Return whether a line that is too long has been seen in, or reaches into, the chunk."""
        return bool(chunk) and not self._is_regular(chunk) and self._jump(chunk)

    def _is_regular(self, chunk: bytes) -> bool:
        """Tell whether a line end stands wherever the last lines' length wants one, at least."""
        period = self._period
        first = period - 1 - self._carry
        if first < 0:
            return False
        ends = chunk[first::period]
        if not ends or ends.count(b"\n") != len(ends):
            return False
        self._carry = len(chunk) - 1 - chunk.rfind(b"\n")
        self._has_cr = chunk[-1] == 0x0D
        return True

    def _jump(self, chunk: bytes) -> bool:
        start = -self._carry
        size = len(chunk)
        last = chunk.rfind(b"\n")
        period = last - chunk.rfind(b"\n", 0, max(last, 0))
        self._period = period if last > 0 and period <= self._limit else 0
        rfind = chunk.rfind
        limit = self._limit
        while True:
            # The last line end that the line may have: those in front of it are right, too.
            end = start + limit + 1
            newline = rfind(b"\n", max(start, 0), max(end, 0))
            if newline >= 0:
                start = newline + 1
            elif end < size:
                has_cr = chunk[end - 1] == 0x0D if end else self._has_cr
                if chunk[end] != 0x0A or not has_cr:
                    return True
                start = end + 1
            else:
                self._carry = size - start
                self._has_cr = chunk[-1] == 0x0D
                return self._carry > limit and not self._has_cr
