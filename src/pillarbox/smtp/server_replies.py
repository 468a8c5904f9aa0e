"""
What the server says: rows of the table, or a handler's reply, as lines for the wire.

Everything about the form of a reply is here (RFC 5321 4.2): its length, its continuation lines,
and that each has an enhanced code where ENHANCEDSTATUSCODES is offered (RFC 2034 4).
"""

from __future__ import annotations

from pillarbox.mail.reply import EnhancedCode, Reply, printable
from pillarbox.smtp.server_states import REPLIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ReplyWriter"]

# RFC 5321 4.5.3.1.5: 512 octets a reply line, of which code, space and CRLF take 6.
_MAX_TEXT = 506


class ReplyWriter:
    """
    Gather the replies of a session until they are taken.

    Args:
        has_enhanced: Whether enhanced codes are offered.
        rows: Rows that replace those of ``server_states.REPLIES``.

    """

    __slots__ = ("_has_enhanced", "_lines", "_rows", "_said")

    def __init__(self, rows: dict[str, tuple[int, str, str]], *, has_enhanced: bool) -> None:
        self._rows = rows
        self._has_enhanced = has_enhanced
        self._lines: list[bytes] = []
        self._said: dict[str, Reply] = {}  # rows that were made into replies before

    def take(self) -> bytes:
        """Return what is to be written now; ``b""``: nothing."""
        output = b"".join(self._lines)
        self._lines.clear()
        return output

    def row(self, name: str, text: str = "") -> Reply:
        """Return a row of the table as a reply, in other words if a text is given."""
        reply = None if text else self._said.get(name)
        if reply is not None:
            return reply
        code, enhanced, usual = self._rows.get(name) or REPLIES[name]
        if enhanced and self._has_enhanced:
            klass, subject, detail = map(int, enhanced.split("."))
            code_of_text = EnhancedCode(klass, subject, detail)
            reply = Reply(code, (self.line(f"{enhanced} {text or usual}"),), code_of_text)
        else:
            reply = Reply(code, (self.line(text or usual),))
        if not text:
            self._said[name] = reply
        return reply

    @staticmethod
    def line(text: str) -> bytes:
        """Return a text as one line of a reply."""
        return printable(text).encode("utf-8", "backslashreplace")

    def say(self, reply: Reply, *, is_greeting: bool = False) -> None:
        """Give a reply out, with an enhanced code if it has none and needs one."""
        lines = reply.lines
        is_bare = reply.enhanced is None and not reply.is_intermediate
        if is_bare and self._has_enhanced and not is_greeting:
            lines = tuple(b"%d.0.0 %s" % (reply.code // 100, line) for line in lines)
        self.write(reply.code, lines)

    def write(self, code: int, lines: Iterable[bytes]) -> None:
        """Give lines out as they are: the replies to EHLO and the challenges of AUTH."""
        *others, last = lines
        for line in others:
            self._lines.append(b"%d-%s\r\n" % (code, line[:_MAX_TEXT]))
        self._lines.append(b"%d %s\r\n" % (code, last[:_MAX_TEXT]))
