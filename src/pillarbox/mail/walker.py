"""
The walker through a body: it cuts it into its leaves and hands each to ``leaf.decide``.

Everything about where a part begins and ends lives here (RFC 2046 5.1). What is in order goes
through uncopied; what cannot be understood goes through untouched.
"""

from __future__ import annotations

from pillarbox.mail.content_type import encode_parameters, parse_content_type
from pillarbox.mail.leaf import decide
from pillarbox.mail.part import Leaf, changed_head, split_fields
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.filters import Filter
    from pillarbox.mail.repair import Draft

__all__ = ["SIGNED_KINDS", "Walker"]

# Octets of a leaf that are held until it is decided; of the body ``Message.look_ahead`` holds so.
LOOK_AHEAD = 1 << 18
_MAX_PART_HEAD = 1 << 16
_MAX_DEPTH = 20
_READABLE = ("", "7bit", "8bit", "base64", "quoted-printable")

SIGNED_KINDS = (
    "multipart/signed",
    "multipart/encrypted",
    "application/pkcs7-mime",
    "application/x-pkcs7-mime",
    "application/pgp-encrypted",
)


class _Level:
    """
    A multipart that is being read.

    Attributes:
        delimiter: The two dashes and the boundary.
        kind: Its kind.
        path: The numbers of the part that is being read.
        holds_8bit: Whether it, and all around it, say that they may.

    """

    __slots__ = ("delimiter", "holds_8bit", "kind", "path")

    def __init__(self, delimiter: bytes, kind: str, path: list[int], *, holds_8bit: bool) -> None:
        self.delimiter = delimiter
        self.kind = kind
        self.path = path
        self.holds_8bit = holds_8bit


class Walker:
    """
    Take the body in chunks, give out the repaired one.

    What is not yet decided stands in ``_held``: a part's head, the start of a leaf, or the piece
    of a line that may turn out to be a delimiter.
    """

    def __init__(
        self, draft: Draft, note: Callable[[str, str, str], None], *, is_last: bool
    ) -> None:
        self._draft = draft
        self._note = note
        self._is_last = is_last
        self._held = b""
        self._levels: list[_Level] = []
        self._holds_8bit = True  # whether all that is around a leaf says that it may be 8-bit
        self._leaf: Leaf | None = None  # a leaf that is not yet decided
        self._filter: Filter | None = None  # of the leaf that is being read; None: pass
        self._inner_level = 0  # how many multiparts stand around an attached message; 0: none
        self._is_in_head = False
        self._is_line_start = True

    def begin(self, top: Leaf, start: bytes) -> bytes:
        """Decide the top level, of which ``start`` is known, and return what comes of it."""
        boundary = top.boundary
        if boundary:
            self._open(top, boundary, [])
            return self.feed(start)
        verdict = decide(
            top,
            start,
            self._draft.facts,
            self._note,
            is_whole=self._is_last,
            takes_8bit=self._draft.facts.takes_8bit,
            delimiters=(),
        )
        self._filter = verdict
        return verdict.feed(start) if verdict else start

    def reader(self, rest: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return what reads the repaired rest; the bare ``rest`` when there is nothing to see."""
        if self._filter is None and not self._levels:
            return rest

        def read(size: int) -> bytes:
            while not self._is_last:
                chunk = rest(size)
                if chunk:
                    out = self.feed(chunk)
                else:
                    self._is_last = True
                    out = self.finish()
                if out:
                    return out
            return b""

        return read

    def finish(self) -> bytes:
        """Return what was held; call it once, at the end."""
        self._is_last = True
        out = self.feed(b"") if self._levels else b""
        held, self._held = self._held, b""
        if self._leaf is not None:
            out += self._decide(held, is_whole=True) + self._close()
        else:
            out += self._through(held) + self._close()
        return out

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be given out by now."""
        if not self._levels:
            return self._through(chunk)
        self._held = self._held + chunk if self._held else chunk
        pieces: list[bytes] = []
        while self._step(pieces):
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _step(self, pieces: list[bytes]) -> bool:  # noqa: C901, PLR0912 - one list of what may come
        """Deal with the next thing that is whole; tell whether there was one."""
        held = self._held
        if not self._levels:
            # Behind the end of all parts.
            pieces.append(held)
            self._held = b""
            return False
        found, certain = self._find_delimiter(held)
        if self._is_in_head:
            end = _head_end(held)
            if end >= 0 and (found is None or end <= found[0] + 2):
                self._begin_part(held[:end], pieces)
                self._held = held[end:]
                self._is_line_start = True
                return True
            if found is None and len(held) < _MAX_PART_HEAD and not self._is_last:
                return False
            self._is_in_head = False
        if found is not None:
            content_end, line_end, level, is_close = found
            content = held[:content_end]
            if self._leaf is not None:
                made = self._fuller_text(content, held, line_end)
                if made is None:
                    return False
                pieces.append(made or self._decide(content, is_whole=True))
            else:
                pieces.append(self._through(content))
            pieces += [self._close(), held[content_end:line_end]]
            del self._levels[level + 1 :]
            if level < self._inner_level:
                self._inner_level = 0
            if is_close:
                del self._levels[level:]
            else:
                self._levels[level].path[-1] += 1
                self._is_in_head = True
            self._held = held[line_end:]
            self._is_line_start = True
            return bool(self._held)
        if self._leaf is not None:
            if certain < LOOK_AHEAD or self._is_last:
                return False
            pieces.append(self._decide(held[:certain], is_whole=False))
        elif certain:
            pieces.append(self._through(held if certain == len(held) else held[:certain]))
        if certain:
            self._is_line_start = held[certain - 1 : certain] == b"\n"
            self._held = held[certain:]
        return False

    def _find_delimiter(  # noqa: C901, PLR0912 - one list of what may come
        self, held: bytes
    ) -> tuple[tuple[int, int, int, bool] | None, int]:
        """
        Look for the next delimiter line.

        Returns:
            Where the content ends, where the line ends, its level, whether it closes; or None.
            And how many octets are surely in front of any delimiter.

        """
        # One octet is looked for many times faster than three, and base64 has none of it.
        at = 0
        if b"-" in held and not (self._is_line_start and held.startswith(b"--")):
            at = held.find(b"\n--") + 1
        while at or (self._is_line_start and held.startswith(b"--")):
            newline = held.find(b"\n", at)
            end = newline + 1 or len(held)
            line = held[at:end].rstrip(b" \t\r\n")
            for level in range(len(self._levels) - 1, -1, -1):
                delimiter = self._levels[level].delimiter
                if line in {delimiter, delimiter + b"--"}:
                    if newline < 0 and not self._is_last:
                        return None, _line_end_before(held, at)
                    is_close = line != delimiter
                    return (_line_end_before(held, at), end, level, is_close), 0
                if newline < 0 and (delimiter + b"--").startswith(line):
                    return None, len(held) if self._is_last else _line_end_before(held, at)
            if newline < 0:
                break
            at = held.find(b"\n--", newline) + 1
            if not at:
                break
        if self._is_last:
            return None, len(held)
        if self._leaf is None and (self._filter is None or self._filter.is_transparent):
            # The line end in front of a delimiter may go ahead of it: nothing is copied.
            is_begun = held.endswith(b"\n-") or (self._is_line_start and held == b"-")
            return None, len(held) - is_begun
        # The piece of a line at the end: the line end before a delimiter belongs to it.
        for tail in (b"\r\n-", b"\n-", b"\r\n", b"\n", b"\r"):
            if held.endswith(tail):
                return None, len(held) - len(tail)
        if self._is_line_start and held == b"-":
            return None, 0
        return None, len(held)

    def _open(self, part: Leaf, boundary: bytes, path: list[int]) -> None:
        # The top level is labelled by what is found in it, where all of it can be seen.
        says_8bit = part.encoding in {"8bit", "binary"} or (part.place == "body" and self._is_last)
        level = _Level(b"--" + boundary, part.kind, [*path, 0], holds_8bit=says_8bit)
        if self._levels:
            level.holds_8bit = level.holds_8bit and self._holds_8bit
        self._levels.append(level)

    def _begin_part(self, head: bytes, pieces: list[bytes]) -> None:
        self._is_in_head = False
        level = self._levels[-1]
        path = level.path
        self._holds_8bit = level.holds_8bit
        kind = "message/rfc822" if level.kind == "multipart/digest" else "text/plain"
        part = Leaf(split_fields(head), "part " + ".".join(map(str, path)), kind)
        part.is_inner = bool(self._inner_level)
        boundary = b"" if part.kind in SIGNED_KINDS else part.boundary
        if part.kind == "message/rfc822" and not part.is_inner and self._is_open(part):
            self._inner_level = len(self._levels)
            self._is_in_head = True
            level.holds_8bit = level.holds_8bit and part.encoding in {"8bit", "binary"}
            pieces.append(self._head_of(part, head))
        elif boundary and len(self._levels) < _MAX_DEPTH:
            self._open(part, boundary, path)
            pieces.append(self._head_of(part, head))
        elif part.is_opaque or part.kind in SIGNED_KINDS:
            pieces.append(head)
        else:
            part.head = head
            if not head.isascii() and not part.is_inner:
                self._encode_parameters(part)
            self._leaf = part

    def _encode_parameters(self, part: Leaf) -> None:
        """Put raw 8-bit file names into the form of RFC 2231."""
        for key in ("content-type", "content-disposition"):
            value = part.value(key.encode())
            made = encode_parameters(value) if value else value
            if made and made != value:
                part.changes[key] = made
                if key == "content-type":
                    part.type = parse_content_type(made)
                self._note(
                    "HDR-LINE", part.place, say("encoded in {encoding}", encoding="RFC 2231")
                )

    def _fuller_text(self, content: bytes, held: bytes, line_end: int) -> bytes | None:
        """Return an alternative's text that says too little, filled up; empty: none; None: wait."""
        leaf, level = self._leaf, self._levels[-1]
        if leaf is None or leaf.kind != "text/plain" or level.kind != "multipart/alternative":
            return b""
        if leaf.is_attachment or level.path[-1] != 1:
            return b""
        must_wait = None if not self._is_last and len(held) < LOOK_AHEAD else b""
        behind = held[line_end:]
        end = _head_end(behind)
        if end < 0:
            return must_wait
        page = Leaf(split_fields(behind[:end]), leaf.place)
        if page.kind != "text/html" or page.encoding not in _READABLE:
            return b""
        was_line_start, self._is_line_start = self._is_line_start, True
        found, _ = self._find_delimiter(behind[end:])
        self._is_line_start = was_line_start
        if found is None:
            return must_wait
        from pillarbox.mail.alternative import make_fuller_text

        made = make_fuller_text(leaf, content, page, behind[end : end + found[0]])
        if made is None:
            return b""
        self._leaf = None
        self._note("MIME-ALT-DIFF", leaf.place, say("the text of the HTML is put behind it"))
        return changed_head(leaf) + made

    def _is_open(self, part: Leaf) -> bool:
        return part.encoding in {"", "7bit", "8bit", "binary"}

    def _head_of(self, part: Leaf, head: bytes) -> bytes:
        """Label what holds parts anew: they hold no 8-bit octets any more."""
        if self._draft.facts.takes_8bit or part.encoding not in {"8bit", "binary"}:
            return head
        part.set_encoding("7bit")
        self._note("MIME-CTE", part.place, say("encoded in {encoding}", encoding="7bit"))
        return changed_head(part)

    def _decide(self, octets: bytes, *, is_whole: bool) -> bytes:
        leaf = self._leaf
        if leaf is None:
            return octets
        self._leaf = None
        self._filter = decide(
            leaf,
            octets,
            self._draft.facts,
            self._note,
            is_whole=is_whole,
            takes_8bit=self._draft.facts.takes_8bit and self._holds_8bit,
            delimiters=tuple(level.delimiter for level in self._levels),
        )
        head = changed_head(leaf) if leaf.changes else leaf.head
        return head + self._through(octets)

    def _through(self, octets: bytes) -> bytes:
        return self._filter.feed(octets) if self._filter is not None and octets else octets

    def _close(self) -> bytes:
        last, self._filter = self._filter, None
        return last.finish() if last is not None else b""


def _line_end_before(held: bytes, at: int) -> int:
    """Return where the line end in front of a delimiter begins, which belongs to it."""
    if at and held[at - 1] == 0x0A:
        at -= 1
        if at and held[at - 1] == 0x0D:
            at -= 1
    return at


def _head_end(held: bytes) -> int:
    """Return where the body of a part begins, or -1."""
    for blank in (b"\n", b"\r\n"):
        if held.startswith(blank):
            return len(blank)
    ends = [
        found + len(blank) for blank in (b"\n\n", b"\n\r\n") if (found := held.find(blank)) >= 0
    ]
    return min(ends, default=-1)
