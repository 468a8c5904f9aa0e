"""
The grammar that DKIM, DMARC, MTA-STS and TLS-RPT share: ``name=value;`` one after the other.

RFC 6376 3.2, which the others refer to. Each tag remembers where it stands, so that a fault is
shown at its place. What the tags mean is said in the file of each.
"""

from __future__ import annotations

import re

from pillarbox.dns.record import RecordError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.dns.answers import Ask

__all__ = ["Tag", "parse_tags", "texts_of"]

_TAG = re.compile(r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=[ \t\r\n]*", re.ASCII)
_BLANK = " \t\r\n"


class Tag(Value):
    """
    One of them.

    Attributes:
        name: In lower case.
        value: Without blanks around it; those inside stay.
        place: Where the value begins, in characters of the record.

    """

    __slots__ = ("name", "place", "value")

    def __init__(self, name: str, value: str, place: int) -> None:
        self.name = name
        self.value = value
        self.place = place


def texts_of(name: str, ask: Ask) -> tuple[str, ...]:
    """Return the TXT records of a name; octets above 127 stay one character each. Blocks."""
    return tuple(text.decode("latin-1") for text in ask(name, "TXT") if isinstance(text, bytes))


def parse_tags(text: str) -> tuple[Tag, ...]:
    """
    Read a list of tags; a name is there once.

    Raises:
        RecordError: A part is no tag, or a name is there twice.

    """
    tags: list[Tag] = []
    for place, part in _parts(text):
        found = _TAG.match(part)
        if found is None:
            raise _no_tag(text, place, part)
        name, value = found.group(1).lower(), part[found.end() :].rstrip(_BLANK)
        if any(tag.name == name for tag in tags):
            raise RecordError(
                say("'{name}=' is there twice", name=name),
                text,
                place,
                len(part),
                say("keep one of them"),
            )
        tags.append(Tag(name, value, place + found.end()))
    return tuple(tags)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands between the semicolons, and its place; what is blank is nothing."""
    place = 0
    for part in text.split(";"):
        if part.strip(_BLANK):
            yield place, part
        place += len(part) + 1


def _no_tag(text: str, place: int, part: str) -> RecordError:
    blanks = len(part) - len(part.lstrip(_BLANK))
    return RecordError(
        say("'{word}' is no tag with a value", word=printable(part.strip(_BLANK), 40)),
        text,
        place + blanks,
        len(part.strip(_BLANK)),
        say("write name=value, and a semicolon between two of them"),
    )
