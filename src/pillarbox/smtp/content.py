"""
Reading a content on the server's side: where it ends, and that nothing in it passes for a line end.

The end of DATA is CRLF, dot, CRLF and nothing that looks like it (SMTP smuggling, CVE-2023-51764
and its kin). Everything works on a stream of chunks, in memory proportional to one chunk.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.reply import Reply

__all__ = ["BareNewlines", "Chunk", "DataReader", "Incoming"]

_END = b"\r\n.\r\n"

# What the end of the content may begin with, longest first.
_BEGINNINGS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")

_LF = 10


class DataReader:
    """Find the end of a content that came by DATA, and undo its dot-stuffing (RFC 5321 4.5.2)."""

    __slots__ = ("_held", "_is_first")

    def __init__(self) -> None:
        # As if a CRLF stood before the content: a dot may end it, or be stuffed, at once.
        self._held = b"\r\n"
        self._is_first = True

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """
        Take what came.

        Returns:
            A piece of the content, and what came behind its end; that is None as long as the
            end is not there.

        """
        data = self._held + data
        dot = data.find(b"\r\n.")  # the first line that begins with one
        end = data.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            return self._unstuff(data[: end + 2], dot), data[end + 5 :]
        self._held = next((part for part in _BEGINNINGS if data.endswith(part)), b"")
        return self._unstuff(data[: len(data) - len(self._held)], dot), None

    def _unstuff(self, piece: bytes, dot: int) -> bytes:
        if 0 <= dot < len(piece):
            piece = piece.replace(b"\r\n.", b"\r\n")
        if self._is_first and piece:
            self._is_first = False
            return piece[2:]
        return piece


class BareNewlines:
    """Notice a CR or LF that is not part of a CRLF, across chunks."""

    __slots__ = ("_has_cr",)

    def __init__(self) -> None:
        self._has_cr = False

    def are_in(self, chunk: bytes) -> bool:
        """Return whether a bare one is in it; a CR at its end is judged with the next chunk."""
        if not chunk:
            return False
        pairs = chunk.count(b"\r\n")
        returns, feeds = chunk.count(b"\r"), chunk.count(b"\n")
        if self._has_cr:
            if chunk[0] != _LF:
                return True
            feeds -= 1
        self._has_cr = chunk.endswith(b"\r")
        return returns - self._has_cr != pairs or feeds != pairs

    @property
    def has_open_cr(self) -> bool:
        """Whether the last chunk ended in a CR: bare, if nothing comes behind it."""
        return self._has_cr


class Incoming:
    """A mail under way, as the server keeps it: everything that is forgotten with it."""

    __slots__ = ("_bare", "_reader", "fault", "is_open", "is_smtputf8", "recipients", "size_bytes")

    def __init__(self, *, is_open: bool = False, is_smtputf8: bool = False) -> None:
        self.is_open = is_open
        self.is_smtputf8 = is_smtputf8
        self.recipients = 0  # accepted ones
        self.size_bytes = 0  # of the content so far
        self.fault = ""  # the row that will refuse the content, which is swallowed until its end
        self._reader = DataReader()
        self._bare = BareNewlines()

    def take_data(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take what came behind DATA; return a piece and what is behind the end (or None)."""
        return self._reader.feed(data)

    def judge(self, piece: bytes, *, limit: int, takes_bare: bool) -> bool:
        """
        Count a piece of the content; return whether it shall be handed on.

        Args:
            piece: May be empty, which never is handed on.
            limit: The largest content in octets; 0: any.
            takes_bare: Whether a bare CR or LF may be in it.

        """
        self.size_bytes += len(piece)
        if self.fault or not piece:
            return False
        if limit and self.size_bytes > limit:
            self.fault = "too_big"
        elif not takes_bare and self._bare.are_in(piece):
            self.fault = "bare_newline"
        return not self.fault

    def finish(self) -> None:
        """Judge what only the end of the content shows."""
        if self._bare.has_open_cr and not self.fault:
            self.fault = "bare_newline"


class Chunk:
    """The octets that one BDAT announced (RFC 3030 2)."""

    __slots__ = ("is_fault", "is_last", "left", "refusal")

    def __init__(
        self, left: int, *, is_last: bool, refusal: Reply | None = None, is_fault: bool = False
    ) -> None:
        self.left = left  # octets that are still to come
        self.is_last = is_last
        self.refusal = refusal  # what is said when they are swallowed; None: they are taken
        self.is_fault = is_fault  # the client should have known better
