"""
What the client sent and nobody has read yet: command lines, or octets of a content.

Only CRLF ends a line. A line with a bare CR or LF ends, for us, nothing at all: where it ends is
a matter of opinion, and two opinions are what smuggling is made of.
"""

from __future__ import annotations

__all__ = ["BARE", "OVERLONG", "LineBuffer"]

# What next_line() gives in place of a line.
BARE = "bare"
OVERLONG = "overlong"


class LineBuffer:
    """
    Keep what is unread, in memory proportional to one ``feed`` and one line.

    Args:
        max_line: The longest line given back, in octets with its CRLF; of a longer one only the
            end is looked for.

    """

    __slots__ = ("_data", "_is_overlong", "_max_line", "_position")

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._data = b""
        self._position = 0  # where the unread part begins
        self._is_overlong = False  # the beginning of the line at hand was dropped

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._data = self._data[self._position :] + data if self else data
        self._position = 0

    def first_octet(self) -> bytes:
        """Return the octet that the line at hand begins with; empty: it is not known."""
        return b"" if self._is_overlong else self._data[self._position : self._position + 1]

    def next_line(self) -> bytes | str | None:
        """
        Return the next line without its CRLF, or None when it is not complete.

        In its place come ``OVERLONG`` (it was swallowed), or ``BARE``: there is no next line.
        """
        end = self._data.find(b"\n", self._position)
        if end < 0:
            if len(self._data) - self._position > self._max_line:
                self._is_overlong = True
                self._data = self._data[-1:]  # it may be the CR
                self._position = 0
            return None
        line = self._data[self._position : end - 1]
        ending = self._data[max(self._position, end - 1) : end]
        self._position = end + 1
        is_overlong, self._is_overlong = self._is_overlong, False
        if ending != b"\r" or b"\r" in line:
            return BARE
        return OVERLONG if is_overlong or len(line) + 2 > self._max_line else line

    def take(self, limit: int) -> bytes:
        """Return up to that many octets, whatever they are."""
        piece = self._data[self._position : self._position + limit]
        self._position += len(piece)
        return piece

    def take_all(self) -> bytes:
        """Return every octet that is there."""
        data = self._data[self._position :] if self._position else self._data
        self.clear()
        return data

    def clear(self) -> None:
        """Forget what is unread."""
        self._data = b""
        self._position = 0
