"""
The checks of what the reader sees and of what is attached: functions from a letter to spots.

Nothing is opened that a reader would have to open: of an archive, only its list of names.
"""

from __future__ import annotations

import re
from io import BytesIO
from zipfile import ZipFile

from pillarbox.lint.finding import Spot, quoted
from pillarbox.lint.html import read_html
from pillarbox.lint.lists import DANGEROUS, PACKED, SHORTENERS
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.lint.letter import Letter, Part

__all__ = [
    "address_link",
    "attached_program",
    "image_only",
    "large_mail",
    "link_text",
    "short_link",
    "url_only",
]


_ARCHIVES_MAX = 20  # archives that are looked into
_NAMES_MAX = 2000  # names of an archive that are looked at
_FEW_LETTERS = 10  # beside an image or a link: no sentence
_LINKS_MAX = 5  # told of one kind; the next ones say nothing new

_URL = re.compile(r"https?://[^\s<>\"'`\u3000-\u303f\uff00-\uffef]{1,2000}", re.IGNORECASE)
_HOST = re.compile(r"https?://(?:[^\s/?#@]{0,200}@)?(\[[0-9a-f:.]+\]|[^\s/?#:]+)", re.IGNORECASE)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_SHOWN_URL = re.compile(
    r"(?:https?://)?((?:[a-z0-9\u4e00-\u9fff-]{1,63}\.)+[a-z]{2,24})(?::\d+)?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


def image_only(letter: Letter) -> Iterator[Spot]:
    """Find HTML that is an image and no words, without a plain text beside it."""
    if any(_letters(part.text) >= _FEW_LETTERS for part in letter.plain_texts):
        return
    for part in letter.html_texts:
        page = read_html(part.text)
        if page.has_image and _letters(page.text) < _FEW_LETTERS:
            yield Spot(part.place, quoted(page.text))


def url_only(letter: Letter) -> Iterator[Spot]:
    """Find a text that is a link and nothing else."""
    for part, text in _visible(letter):
        urls = _URL.findall(text)
        if urls and _letters(_URL.sub(" ", text)) < _FEW_LETTERS:
            yield Spot(part.place, quoted(urls[0]))
            return


def short_link(letter: Letter) -> Iterator[Spot]:
    """Find links that hide where they lead to."""
    yield from _links_whose_host(letter, lambda host: host.removeprefix("www.") in SHORTENERS)


def address_link(letter: Letter) -> Iterator[Spot]:
    """Find links to an address in numbers."""
    yield from _links_whose_host(
        letter, lambda host: host.startswith("[") or bool(_IPV4.fullmatch(host))
    )


def link_text(letter: Letter) -> Iterator[Spot]:
    """Find links whose text shows another host than the one that they lead to."""
    count = 0
    for part in letter.html_texts:
        for target, text in read_html(part.text).links:
            shown = _SHOWN_URL.fullmatch(text)
            if shown is None or _site(shown[1]) == _site(_host_of(target)):
                continue
            if _host_of(target) and count < _LINKS_MAX:
                count += 1
                yield Spot(part.place, f"{quoted(text)} -> {quoted(target)}")


def large_mail(letter: Letter) -> Iterator[Spot]:
    """Find a mail that is larger than the server takes."""
    size, limit = letter.size_bytes, letter.max_size_bytes
    if size > limit:
        yield Spot("", say("{size} of {limit} bytes", size=size, limit=limit))


def attached_program(letter: Letter) -> Iterator[Spot]:
    """Find attachments that providers refuse: programs, also in an archive, and locked archives."""
    archives = 0
    for part in letter.parts:
        if _is_dangerous(part.filename):
            yield Spot(part.place, quoted(part.filename))
        elif part.octets.startswith(b"PK") and archives < _ARCHIVES_MAX:
            archives += 1
            yield from _in_archive(part)


def _in_archive(part: Part) -> Iterator[Spot]:
    try:
        with ZipFile(BytesIO(part.octets)) as archive:
            members = archive.infolist()[:_NAMES_MAX]
    except Exception:  # noqa: BLE001 (hostile archives raise whatever they like)
        return  # what cannot be opened is no program
    shown = part.filename or part.kind
    if any(member.flag_bits & 1 for member in members):
        yield Spot(part.place, say("{name} is encrypted", name=quoted(shown)))
    for member in members:
        if _is_dangerous(member.filename):
            yield Spot(part.place, f"{quoted(shown)}: {quoted(member.filename)}")
            return


def _is_dangerous(filename: str) -> bool:
    """Tell whether the last ending, that of a compressed file apart, is a program's."""
    # Windows drops dots and blanks at the end of a name.
    pieces = filename.lower().rstrip(". \t").split(".")
    if len(pieces) > 2 and pieces[-1] in PACKED:
        pieces.pop()
    return len(pieces) > 1 and pieces[-1].strip() in DANGEROUS


def _links_whose_host(letter: Letter, is_bad: Callable[[str], bool]) -> Iterator[Spot]:
    seen: set[str] = set()
    for part, text in _visible(letter):
        urls = _URL.findall(text)
        if part.kind == "text/html":
            urls += [target for target, _ in read_html(part.text).links]
        for url in urls:
            host = _host_of(url)
            if host and host not in seen and is_bad(host) and len(seen) < _LINKS_MAX:
                seen.add(host)
                yield Spot(part.place, quoted(url))


def _visible(letter: Letter) -> Iterator[tuple[Part, str]]:
    for part in letter.plain_texts:
        yield part, part.text
    for part in letter.html_texts:
        yield part, read_html(part.text).text


def _host_of(url: str) -> str:
    found = _HOST.match(url)
    return found[1].lower().rstrip(".") if found else ""


def _site(host: str) -> str:
    """Return the last two labels: ``www.example.com`` and ``example.com`` are one site."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _letters(text: str) -> int:
    """Count letters; one of Chinese, Japanese or Korean says as much as two."""
    return sum(2 if char > "\u2e7f" else 1 for char in text if char.isalnum())
