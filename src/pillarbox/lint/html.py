"""
What a reader sees of HTML: its text, its links, whether it has an image.

Not ``html.parser``: that of the library takes a minute for 64 KiB of ``<a <a <a`` (attack:
quadratic time). Here each step moves forward and looks at nothing twice; what is broken is read
as text or passed over, as browsers do too.
"""

from __future__ import annotations

import re
from html import unescape

from pillarbox.value import Value

__all__ = ["Html", "read_html"]

# Tags between two letters of one word; all others separate.
_IN_LINE = frozenset(
    ["a", "b", "code", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u"]
)
_IMAGES = frozenset(("img", "image", "svg"))
# What stands up to the end of these is not seen.
_ENDS = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "title", "noframes")
}
_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9:-]{0,30}")
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_TAG_MAX = 8192  # characters of a tag that are looked at


class Html(Value):
    """
    What is to be seen of HTML.

    Attributes:
        text: The visible text, white space folded.
        links: Target and visible text of each link.
        has_image: Whether there is an image.

    """

    __slots__ = ("has_image", "links", "text")

    def __init__(self, text: str, links: tuple[tuple[str, str], ...], *, has_image: bool) -> None:
        self.text = text
        self.links = links
        self.has_image = has_image


class _Reader:
    """Collect text and links as the tags go by."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.has_image = False
        self._target: str | None = None
        self._link_text: list[str] = []

    def see_text(self, text: str) -> None:
        self.pieces.append(text)
        if self._target is not None:
            self._link_text.append(text)

    def see_tag(self, name: str, tag: str) -> None:
        if name.removeprefix("/") not in _IN_LINE:
            self.see_text(" ")
        self.has_image = self.has_image or name in _IMAGES
        if name in ("a", "/a"):
            self.end_link()
        if name == "a":
            found = _HREF.search(tag)
            self._target = next(filter(None, found.groups()), "") if found else ""

    def end_link(self) -> None:
        if self._target is not None:
            self.links.append((_folded([self._target]), _folded(self._link_text)))
        self._target = None
        self._link_text = []


def read_html(source: str) -> Html:
    """Return what a reader sees; takes time in proportion to the length, whatever it is."""
    reader = _Reader()
    position = 0
    while (start := source.find("<", position)) >= 0:
        reader.see_text(source[position:start])
        if source.startswith("<!--", start):
            position = _behind(source, "-->", start + 4)
        elif source[start + 1 : start + 2] in ("!", "?"):
            position = _behind(source, ">", start + 1)
        elif found := _NAME.match(source, start + 1):
            position = _end_of_tag(source, found.end())
            name = found[0].lower()
            reader.see_tag(name, source[start : min(position, start + _TAG_MAX)])
            if name in _ENDS:
                end = _ENDS[name].search(source, position)
                position = end.start() if end else len(source)
        else:
            reader.see_text("<")
            position = start + 1
    reader.see_text(source[position:])
    reader.end_link()
    return Html(_folded(reader.pieces), tuple(reader.links), has_image=reader.has_image)


def _behind(source: str, mark: str, position: int) -> int:
    end = source.find(mark, position)
    return len(source) if end < 0 else end + len(mark)


def _end_of_tag(source: str, position: int) -> int:
    """Return the place behind the ``>`` that is in no quotes; the end if there is none."""
    end = _behind(source, ">", position)
    for quote in "\"'":
        if source.count(quote, position, end) % 2 and end < len(source):
            # An odd number: the > stands in quotes, and the tag goes on behind them.
            return _behind(source, ">", _behind(source, quote, end))
    return end


def _folded(pieces: list[str]) -> str:
    return " ".join(unescape("".join(pieces)).split())
