"""
The wire form of a message: CRLF line ends and nothing else that could end a line.

This is the one place that makes it. What leaves ``LineEndings`` holds no CR or LF outside CRLF
and no NUL, so that every server, however it splits lines, sees one mail (SMTP smuggling,
CVE-2023-51764 and its kin). ``DotStuffing`` comes behind it, for DATA only.

Both work on a stream of chunks, in memory proportional to one chunk.
"""

from __future__ import annotations

__all__ = ["DotStuffing", "LineEndings"]


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
