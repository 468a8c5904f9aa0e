"""
Filters for a text: converted to UTF-8, cleaned of what is for a terminal, and chains of them.

Each has ``feed`` and ``finish`` and holds no more than a line and a chunk.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Filter(Protocol):
        """What the octets of a leaf go through."""

        @property
        def is_transparent(self) -> bool:
            """Whether it gives out what it is fed, as far as it has come."""

        def feed(self, chunk: bytes, /) -> bytes:
            """Return what comes of a chunk."""

        def finish(self) -> bytes:
            """Return what comes at the end."""


__all__ = ["Chain", "Clean", "Convert", "Fixed", "run"]

# Encoders cut a chunk into thousands of lines: this bounds their number.
_SLICE = 1 << 15


class Fixed:
    """Give something else, known whole, for what comes."""

    __slots__ = ("_octets",)

    is_transparent = False

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def feed(self, _chunk: bytes, /) -> bytes:
        """Return what comes of a chunk."""
        return b""

    def finish(self) -> bytes:
        """Return what comes at the end."""
        return self._octets


class Chain:
    """Put filters behind each other."""

    __slots__ = ("_filters",)

    is_transparent = False

    def __init__(self, filters: list[Filter]) -> None:
        self._filters = filters

    def feed(self, chunk: bytes, /) -> bytes:
        """Return what comes of a chunk."""
        if len(chunk) > _SLICE:
            slices = range(0, len(chunk), _SLICE)
            return b"".join([self.feed(chunk[at : at + _SLICE]) for at in slices])
        for each in self._filters:
            chunk = each.feed(chunk)
        return chunk

    def finish(self) -> bytes:
        """Return what comes at the end."""
        out = b""
        for each in self._filters:
            out = (each.feed(out) if out else b"") + each.finish()
        return out


def run(filters: list[Filter], octets: bytes, *, is_whole: bool = False) -> bytes:
    """Return what comes of octets: of a sample when they are not whole, which uses up nothing."""
    if not is_whole:
        filters = [each.fresh() if isinstance(each, (Convert, Clean)) else each for each in filters]
    chain = Chain(filters)
    return chain.feed(octets) + chain.finish()


class Convert:
    """Convert to UTF-8."""

    __slots__ = ("_charset", "_decode")

    is_transparent = False

    def __init__(self, charset: str) -> None:
        from codecs import getincrementaldecoder

        # As in ``charset.to_text``: what Windows writes under these names.
        codec = {"big5": "cp950", "shift_jis": "cp932", "euc-kr": "cp949"}.get(charset, charset)
        self._charset = charset
        self._decode = getincrementaldecoder(codec)("replace").decode

    def fresh(self) -> Convert:
        """Return another one that has seen nothing."""
        return Convert(self._charset)

    def feed(self, chunk: bytes, /) -> bytes:
        """Return what comes of a chunk."""
        return self._decode(chunk).encode()

    def finish(self) -> bytes:
        """Return what comes at the end."""
        return self._decode(b"", True).encode()  # noqa: FBT003 - the standard library's


class Clean:
    """Remove what is for a terminal, line by line."""

    __slots__ = ("_held", "_is_plain")

    is_transparent = False

    def __init__(self, *, is_plain: bool) -> None:
        self._held = b""
        self._is_plain = is_plain

    def fresh(self) -> Clean:
        """Return another one that has seen nothing."""
        return Clean(is_plain=self._is_plain)

    def feed(self, chunk: bytes, /) -> bytes:
        """Return what comes of a chunk."""
        chunk = self._held + chunk
        end = chunk.rfind(b"\n") + 1
        if not end and len(chunk) > 1 << 16:
            end = len(chunk)
        self._held = chunk[end:]
        return self._clean(chunk[:end])

    def finish(self) -> bytes:
        """Return what comes at the end."""
        held, self._held = self._held, b""
        return self._clean(held)

    def _clean(self, text: bytes) -> bytes:
        text = text.replace(b"\0", b"")
        while b"\r\r\n" in text:
            text = text.replace(b"\r\r\n", b"\r\n")
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._is_plain:
            from pillarbox.mail.terminal import without_terminal_codes

            text = without_terminal_codes(text)
        return text.replace(b"\n", b"\r\n")
