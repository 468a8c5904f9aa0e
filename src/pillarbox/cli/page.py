"""
A page for a person: numbered steps, paragraphs and rows, in 80 columns of any language.

Plain ``print``, so that it can be read in a log too; a wide character takes two columns.
"""

from __future__ import annotations

from unicodedata import east_asian_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

__all__ = ["Page", "width_of", "words_of"]

_COLUMNS = 80

# What cannot begin a line in Chinese: , . : ; ) ! and the enumeration comma, all of them wide.
_CLOSING = "\uff0c\u3002\uff1a\uff1b\uff09\uff01\u3001"


class Page:
    """
    Print numbered steps.

    Args:
        texts: What is said, by key; places to fill are as for ``str.format``.

    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._section = 0

    def text(self, key: str, **facts: Any) -> str:
        """Return a text with its places filled."""
        return self._texts[key].format(**facts)

    def title(self, key: str, promise: str) -> None:
        """Print what this is, and a sentence below."""
        title = self.text(key)
        print(title, "=" * width_of(title), self.text(promise), sep="\n")

    def section(self, key: str) -> None:
        """Begin the next step."""
        self._section += 1
        print(f"\n{self._section}. {self.text(key)}", flush=True)

    def say(self, key: str, **facts: Any) -> None:
        """Print a paragraph."""
        self._wrapped(self.text(key, **facts), "   ", "   ")

    def item(self, text: str, note: str = "") -> None:
        """Print one point of a list, and a note below it."""
        self._wrapped(text, "   - ", "     ")
        if note:
            print(f"     [{note}]")

    def row(self, name: str, value: str, note: str = "", width: int = 12) -> None:
        """Print a name and its value."""
        gap = " " * max(1, width - width_of(name))
        following = "   " + " " * width
        self._wrapped(value, f"   {name}{gap}", following)
        if note:
            print(f"{following}({note})")

    def line(self, text: str) -> None:
        """Print a line as it is, however long."""
        print(f"   {text}" if text else "")

    def _wrapped(self, text: str, first: str, following: str) -> None:
        line, start = first, first
        for word in words_of(text):
            if width_of(line + word.rstrip()) > _COLUMNS and line != start:
                print(line.rstrip())
                line = start = following
                word = word.lstrip()  # noqa: PLW2901 (a space does not begin a line)
            line += word
        print(line.rstrip())


def words_of(text: str) -> Iterator[str]:
    """Yield the pieces that a line can be broken between: words, and each wide character."""
    word = ""
    for char in text:
        is_wide = width_of(char) > 1
        # What closes or separates stays with what stands before it.
        if word and (char == " " or (is_wide and char not in _CLOSING)):
            yield word
            word = ""
        word += char
    if word:
        yield word


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
