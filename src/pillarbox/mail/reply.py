"""
What a server answered: the values, without the reading of them (that is ``smtp/reply.py``).

Everything about what a code *means* lives here; texts from a server are untrusted and pass
``printable()`` before a person or a log sees them.
"""

from __future__ import annotations

from pillarbox.value import Value

__all__ = ["EnhancedCode", "Reply", "printable"]

_SHOWN = 512  # characters of untrusted text that a person is shown: a screen's worth


def printable(data: bytes | str, limit: int = _SHOWN) -> str:
    r"""
    Return untrusted text as one line of printable characters.

    Control characters (C0, C1), line separators and the bidirectional overrides become ``\xNN``
    or ``\uNNNN``; bytes that are not UTF-8 become ``\xNN``; what is longer than ``limit``
    characters is cut and ends in ``...``.
    """
    text = data.decode("utf-8", "backslashreplace") if isinstance(data, bytes) else data
    if len(text) > limit:
        text = text[:limit] + "..."
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable() and char not in _BIDI:
        return char
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


# isprintable() already refuses the C0 and C1 controls, U+2028/2029 and the bidirectional
# marks, which are of category Cf; the set is the guard should Unicode move one of them.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


class EnhancedCode(Value):
    """An enhanced status code, ``class.subject.detail`` (RFC 3463)."""

    __slots__ = ("detail", "klass", "subject")

    def __init__(self, klass: int, subject: int, detail: int) -> None:
        self.klass = klass
        self.subject = subject
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.klass}.{self.subject}.{self.detail}"


class Reply(Value):
    """
    One reply (RFC 5321 4.2).

    Attributes:
        code: The three digits, 200 to 559.
        lines: The text of each line without code and separator, as received; never empty,
            but a line's text may be.
        enhanced: The enhanced status code that the text begins with, or None.

    """

    __slots__ = ("code", "enhanced", "lines")

    def __init__(
        self, code: int, lines: tuple[bytes, ...], enhanced: EnhancedCode | None = None
    ) -> None:
        self.code = code
        self.lines = lines
        self.enhanced = enhanced

    @property
    def is_positive(self) -> bool:
        """Whether the command was carried out (2yz)."""
        return 200 <= self.code < 300

    @property
    def is_intermediate(self) -> bool:
        """Whether the server waits for the rest of the command (3yz)."""
        return 300 <= self.code < 400

    @property
    def is_transient(self) -> bool:
        """Whether the same command may succeed later (4yz)."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """Whether the same command will fail again (5yz)."""
        return self.code >= 500

    def text_lines(self) -> list[str]:
        """Return each line as it stood on the wire, code and hyphen included, safe to show."""
        shown = [f"{self.code}-{printable(line)}" for line in self.lines[:-1]]
        return [*shown, f"{self.code} {printable(self.lines[-1])}".rstrip()]

    def __str__(self) -> str:
        return " / ".join(self.text_lines())
