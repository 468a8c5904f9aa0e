"""
A letter: a message taken apart for the checks, however broken it is.

Here, off the way of a mail, the standard ``email`` package may do the work. It fails in many ways
on hostile input; each of them ends here, in a part that is not understood and never in a traceback.
"""

from __future__ import annotations

from email.message import Message as Entity
from email.parser import BytesParser
from email.policy import compat32

from pillarbox.errors import PillarboxError
from pillarbox.mail.address import Mailbox, parse_address_list
from pillarbox.mail.charset import find_charset, to_text
from pillarbox.mail.encoded_word import decode_words
from pillarbox.mail.headers import HeaderSection
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Letter", "Part", "addresses_in", "subject_of"]

_PARTS_MAX = 1000  # more are an attack; what stands behind them is not looked at
_TEXT_MAX = 1 << 20  # characters of a text that are looked at: nobody reads more


class Part(Value):
    """
    One leaf of a message.

    Attributes:
        number: ``1.2``: its place among the parts; empty: the body is all of it.
        kind: Its media type in lower case.
        filename: The name that the reader would save it under; empty: it has none.
        octets: Its content, decoded.
        text: The same as text for ``text/*`` that is no attachment; else empty.

    """

    __slots__ = ("filename", "kind", "number", "octets", "text")

    def __init__(self, number: str, kind: str, filename: str, octets: bytes, text: str) -> None:
        self.number = number
        self.kind = kind
        self.filename = filename
        self.octets = octets
        self.text = text

    @property
    def place(self) -> str:
        """The place of what is found in it."""
        return f"part {self.number}" if self.number else "body"


class Letter:
    """
    What the checks read.

    Args:
        raw_head: The header section as it came, with its controls.
        headers: The header section.
        body: The whole body.
        sender: The account's address; None: unknown.
        recipients: Who gets it, of the envelope; empty: unknown.
        size_bytes: What goes over the wire, transfer encoding included.
        max_size_bytes: What the server takes.
        max_recipients: How many recipients the server takes at once.

    """

    def __init__(
        self,
        raw_head: bytes,
        headers: HeaderSection,
        body: bytes,
        *,
        sender: Mailbox | None,
        recipients: tuple[Mailbox, ...],
        size_bytes: int,
        max_size_bytes: int,
        max_recipients: int,
    ) -> None:
        self.raw_head = raw_head
        self.headers = headers
        self.sender = sender
        self.recipients = recipients
        self.size_bytes = size_bytes
        self.max_size_bytes = max_size_bytes
        self.max_recipients = max_recipients
        self.parts = tuple(_parts(headers, body))

    @property
    def plain_texts(self) -> list[Part]:
        """The parts in plain text, attachments apart."""
        return [part for part in self.parts if part.kind == "text/plain" and part.text]

    @property
    def html_texts(self) -> list[Part]:
        """The parts in HTML, attachments apart."""
        return [part for part in self.parts if part.kind == "text/html" and part.text]


def subject_of(letter: Letter) -> str:
    """Return the Subject as a reader sees it; empty: there is none."""
    value = letter.headers.first("Subject") or ""
    if any("\udc80" <= char <= "\udcff" for char in value):
        octets = value.encode("utf-8", "surrogateescape")
        value = to_text(octets, find_charset(octets) or "latin-1")
    return decode_words(value).strip()


def addresses_in(headers: HeaderSection, *names: str) -> list[Mailbox]:
    """Return the addresses in all fields of these names, as far as they can be read."""
    found: list[Mailbox] = []
    keys = {name.lower().encode() for name in names}
    for field in headers.fields:
        if field.key in keys:
            try:
                found.extend(parse_address_list(field.value))
            except PillarboxError:
                continue  # what is no address is the matter of the repairs
    return found


def _parts(headers: HeaderSection, body: bytes) -> Iterator[Part]:
    try:
        root = BytesParser(policy=compat32).parsebytes(headers.wire_form() + b"\r\n" + body)
        leaves = list(_leaves(root, ""))
    except (Exception, RecursionError):  # noqa: BLE001 (the package raises whatever it likes)
        leaves = []
    if not leaves:
        yield Part("", "text/plain", "", body, _text_of(body, ""))
    for number, entity in leaves:
        yield _part(number, entity)


def _leaves(root: Entity, number: str) -> Iterator[tuple[str, Entity]]:
    """Yield the leaves and their numbers; not recursive, as depth is the sender's choice."""
    waiting = [(number, root)]
    for _ in range(_PARTS_MAX):
        if not waiting:
            return
        number, entity = waiting.pop()
        children = entity.get_payload()
        if entity.get_content_maintype() == "message" and number:
            yield number, entity  # another's mail: it is an attachment
        elif isinstance(children, list):
            prefix = f"{number}." if number else ""
            numbered = [
                (f"{prefix}{index}", child)
                for index, child in enumerate(children, 1)
                if isinstance(child, Entity)
            ]
            waiting.extend(reversed(numbered))
        else:
            yield number, entity


def _part(number: str, entity: Entity) -> Part:
    try:
        kind = entity.get_content_type()
        filename = decode_words(str(entity.get_filename() or ""))
        payload = entity.get_payload(decode=True)
        octets = payload if isinstance(payload, bytes) else b""
        charset = str(entity.get_content_charset() or "")
        is_attached = entity.get_content_disposition() == "attachment" or bool(filename)
    except (Exception, RecursionError):  # noqa: BLE001 (as above)
        return Part(number, "application/octet-stream", "", b"", "")
    is_text = kind.startswith("text/") and not is_attached
    text = _text_of(octets, charset) if is_text else ""
    return Part(number, kind, filename, octets, text)


def _text_of(octets: bytes, charset: str) -> str:
    octets = octets[: 4 * _TEXT_MAX]
    if not charset or charset == "us-ascii":
        charset = find_charset(octets, is_whole=False) or "utf-8"
    try:
        text = octets.decode(charset, "replace")
    except (LookupError, ValueError, TypeError):
        text = to_text(octets, find_charset(octets, is_whole=False) or "utf-8")
    return text[:_TEXT_MAX]
