"""
Reading replies: bytes in, ``Reply`` values out, in bounded memory.

Strict where leniency would let a server fool us (RFC 5321 4.2): three digits of the allowed
ranges, one code on all lines, a known separator. A bare LF may end a line, as some old servers
do it; nothing depends on it.
"""

from __future__ import annotations

from collections import deque

from pillarbox.errors import RemoteProtocolError
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.text import say

__all__ = ["ReplyReader"]

# RFC 5321 4.5.3.1.5 asks for 512; Postfix takes 2,048. A challenge of RFC 4954 may have 12,288.
_MAX_LINE = 2048
_MAX_CHALLENGE_LINE = 12288
# No known greeting or EHLO has 50 lines; with a hundred a server only wants our memory.
_MAX_LINES = 100
_MAX_REPLY = 1 << 16

# One-line replies repeat by the thousand in a long session: they are parsed once.
_CACHE_SIZE = 256

_CHALLENGE = 334


class ReplyReader:
    """Gather bytes and give back whole replies."""

    __slots__ = ("_cache", "_code", "_complete", "_lines", "_size", "_tail")

    def __init__(self) -> None:
        self._complete: deque[bytes] = deque()  # lines not yet looked at, without their LF
        self._tail = b""  # the start of a line
        self._lines: list[bytes] = []  # texts of the reply that is being read
        self._code = 0  # its code
        self._size = 0  # its octets
        self._cache: dict[bytes, Reply] = {}

    @property
    def has_leftover(self) -> bool:
        """Whether anything is held that no reply has been made of yet."""
        return bool(self._complete or self._tail or self._lines)

    def feed(self, data: bytes) -> None:
        """Take what the server sent."""
        lines = data.split(b"\n")
        if self._tail:
            lines[0] = self._tail + lines[0]
        self._tail = lines.pop()
        self._complete += lines

    def next_reply(self) -> Reply | None:
        """
        Return the next whole reply, or None when more data is needed.

        Raises:
            RemoteProtocolError: What came is no reply, or is longer than any honest one. The
                reader is of no use then.

        """
        while self._complete:
            line = self._complete.popleft()
            reply = None if self._lines else self._cache.get(line)
            if reply is None:
                reply = self._take_line(line)
            if reply is not None:
                return reply
        if len(self._tail) > _MAX_CHALLENGE_LINE + 1:  # a CR may be its last
            _fail(say("the server sent a line without end"), self._tail)
        return None

    def _take_line(self, line: bytes) -> Reply | None:
        """Add a line to the reply at hand; return the reply if this was its last."""
        text = line[:-1] if line.endswith(b"\r") else line
        code = _code_of(text)
        if len(text) > (_MAX_CHALLENGE_LINE if code == _CHALLENGE else _MAX_LINE):
            _fail(say("the server sent a line of {size} octets", size=len(text)), text)
        if self._lines and code != self._code:
            problem = say(
                "the server mixed the codes {first} and {second} in one reply",
                first=self._code,
                second=code,
            )
            _fail(problem, text)
        self._code = code
        self._lines.append(text[4:])
        self._size += len(text)
        if len(self._lines) > _MAX_LINES or self._size > _MAX_REPLY:
            _fail(say("the server's reply does not end"), text)
        if text[3:4] == b"-":
            return None
        reply = Reply(code, tuple(self._lines), _enhanced_code_of(code, self._lines[0]))
        if len(self._lines) == 1 and len(self._cache) < _CACHE_SIZE and code != _CHALLENGE:
            self._cache[line] = reply
        self._lines = []
        self._size = 0
        return reply


def _fail(problem: str, received: bytes) -> None:
    raise RemoteProtocolError(problem, received=received[:80])


def _code_of(line: bytes) -> int:
    digits, separator = line[:3], line[3:4]
    is_code = len(digits) == 3 and digits.isdigit()
    if not is_code or not b"200" <= digits < b"560" or digits[1:2] > b"5":
        _fail(say("the server sent a line that is no reply"), line)
    if separator not in (b" ", b"-", b""):
        _fail(say("the server sent a reply code without a space behind it"), line)
    return int(digits)


def _enhanced_code_of(code: int, text: bytes) -> EnhancedCode | None:
    """Return the code that ``text`` begins with, if its class agrees with the reply's (2034 4)."""
    klass, dot, rest = text.partition(b".")
    if not dot or klass not in (b"2", b"4", b"5") or int(klass) != code // 100:
        return None
    subject, dot, rest = rest.partition(b".")
    detail = rest.split(b" ", 1)[0]
    if not dot or not _is_short_number(subject) or not _is_short_number(detail):
        return None
    return EnhancedCode(int(klass), int(subject), int(detail))


def _is_short_number(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) <= 3  # RFC 3463 2
