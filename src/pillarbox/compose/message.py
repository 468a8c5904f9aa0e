"""
From a letter to the octets of a message (RFC 5322, RFC 2045), read piece by piece.

1. ``_head`` - the header section, from parsed parts only.
2. ``make_bodies`` - plain text, and HTML where there is any.
3. ``_part`` - the tree: mixed(alternative(text, related(html, pictures)), attachments), each level
   only where there is something for it.
4. ``Composed`` - the octets, the base64 of files being made as it is read.

What is written here needs no repair; a test holds that.
"""

from __future__ import annotations

from binascii import hexlify
from os import urandom

from pillarbox.compose.address_fields import address_field, parse_correspondents, parse_one
from pillarbox.compose.attachment import OpenAttachment, open_attachment
from pillarbox.compose.bodies import make_bodies
from pillarbox.compose.own_headers import own_field
from pillarbox.errors import UsageError
from pillarbox.mail.encoded_word import encode_unstructured
from pillarbox.mail.originate import format_date, make_message_id
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.compose.address_fields import Correspondent
    from pillarbox.compose.letter import Letter

__all__ = ["PRIORITIES", "Composed", "compose"]

# X-Priority is Outlook's and the webmailers' word, Importance that of RFC 2156.
PRIORITIES = {
    "high": b"X-Priority: 1 (Highest)\r\nImportance: high\r\n",
    "normal": b"",
    "low": b"X-Priority: 5 (Lowest)\r\nImportance: low\r\n",
}

# RFC 2231: parameters are cut so that their lines stay under 78 characters.
_PARAMETER_PIECE = 50
_PARAMETER_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")

_Pieces = list["bytes | OpenAttachment"]


class Composed:
    """
    A message that can be read once; whoever has it calls ``close``.

    Attributes:
        message_id: The value of its Message-ID.
        size_bytes: Octets that ``read`` gives in all.

    """

    def __init__(self, pieces: _Pieces, message_id: str) -> None:
        self.message_id = message_id
        self.size_bytes = sum(
            piece.encoded_bytes if isinstance(piece, OpenAttachment) else len(piece)
            for piece in pieces
        )
        self._pieces = pieces
        self._chunks = _chunks(pieces)
        self._held = b""

    def read(self, size: int) -> bytes:
        """
        Return up to so many octets; ``b""`` is the end. Blocks to read files.

        Raises:
            InputOutputError: A file cannot be read to the end that it had.

        """
        if not self._held:
            self._held = next(self._chunks, b"")
        chunk, self._held = self._held[:size], self._held[size:]
        return chunk

    def close(self) -> None:
        """Close all files; harmless the second time."""
        for piece in self._pieces:
            if isinstance(piece, OpenAttachment):
                piece.close()


def _chunks(pieces: _Pieces) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, OpenAttachment):
            yield from piece.encoded()
        elif piece:
            yield piece


def compose(
    letter: Letter, *, domain: str, epoch_s: float, sender: Correspondent | None = None
) -> Composed:
    """
    Write a message. Opens all attachments.

    Args:
        letter: What is wanted.
        domain: For the Message-ID and the ids of pictures; ASCII.
        epoch_s: Now, seconds since the epoch.
        sender: Who it is from where the letter does not say it; None: From is left out.

    Raises:
        UsageError, DataError: Something that is wanted cannot be.
        MissingInputError: An attachment cannot be read.
        MissingExtraError: A package for Markdown, HTML or a domain is missing.

    """
    message_id = make_message_id(domain, epoch_s=epoch_s, random=urandom(10))
    head = _head(letter, message_id, epoch_s, sender)
    text, html = make_bodies(letter)
    if letter.inline and html is None:
        problem = say("an inline picture needs a body in HTML or Markdown")
        raise UsageError(problem, advice=say("attach it instead, or add --html or --markdown"))
    opened: list[OpenAttachment] = []
    try:
        for wanted in (*letter.inline, *letter.attachments):
            # One by one, so that those before a missing one are closed.
            opened.append(open_attachment(wanted))  # noqa: PERF401
        inline, attached = opened[: len(letter.inline)], opened[len(letter.inline) :]
        part = _body_part(text, html, inline, domain)
        if attached:
            part = _multipart("mixed", [part, *(_file_part(file) for file in attached)])
    except BaseException:
        for file in opened:
            file.close()
        raise
    return Composed([head + b"MIME-Version: 1.0\r\n", *part], message_id)


def _head(letter: Letter, message_id: str, epoch_s: float, sender: Correspondent | None) -> bytes:
    """Return the header section up to the MIME fields."""
    lines = []
    if letter.from_ is not None:
        sender = parse_one(letter.from_)
    if sender is not None:
        lines.append(address_field("From", [sender]))
    to, cc = parse_correspondents(letter.to), parse_correspondents(letter.cc)
    if to:
        lines.append(address_field("To", to))
    elif not cc:
        lines.append(b"To: undisclosed-recipients:;\r\n")
    if cc:
        lines.append(address_field("Cc", cc))
    if replies := parse_correspondents(letter.reply_to):
        lines.append(address_field("Reply-To", replies))
    if letter.subject.strip():
        lines.append(encode_unstructured("Subject", letter.subject))
    lines.append(f"Date: {format_date(epoch_s)}\r\nMessage-ID: {message_id}\r\n".encode())
    if letter.priority not in PRIORITIES:
        names = ", ".join(PRIORITIES)
        problem = say(
            "priority must be one of {names}, not {text}",
            names=names,
            text=repr(letter.priority),
        )
        raise UsageError(problem)
    lines.append(PRIORITIES[letter.priority])
    if letter.is_automatic:
        lines.append(b"Auto-Submitted: auto-generated\r\n")
    lines += [own_field(name, value) for name, value in letter.headers]
    return b"".join(lines)


def _body_part(text: str, html: str | None, inline: list[OpenAttachment], domain: str) -> _Pieces:
    plain = _text_part(text, "plain")
    if html is None:
        return plain
    if not inline:
        return _multipart("alternative", [plain, _text_part(html, "html")])
    parts = []
    # The longest name first: that of one picture may begin another's.
    for file in sorted(inline, key=lambda file: -len(file.name)):
        content_id = f"{_token()}@{domain}"
        html = _with_reference(html, file.name, content_id)
        parts.append(_file_part(file, content_id))
    shown = _text_part(html, "html")
    return _multipart("alternative", [plain, _multipart("related", [shown, *parts])])


def _with_reference(html: str, name: str, content_id: str) -> str:
    from urllib.parse import quote

    for form in {name, quote(name)}:
        html = html.replace(f"cid:{form}", f"cid:{content_id}")
    return html


def _text_part(text: str, subtype: str) -> _Pieces:
    """Return a text in the encoding that is shortest for it, in 7-bit lines of 76 characters."""
    from email.message import MIMEPart
    from email.policy import SMTP

    if text and not text.endswith("\n"):
        text += "\n"
    part = MIMEPart(policy=SMTP.clone(cte_type="7bit", max_line_length=76))
    charset = "us-ascii" if text.isascii() else "utf-8"
    part.set_content(text, subtype=subtype, charset=charset)
    return [part.as_bytes()]


def _file_part(file: OpenAttachment, content_id: str = "") -> _Pieces:
    kind = "inline" if content_id else "attachment"
    head = f"Content-Type: {file.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
    head += f"Content-Disposition: {kind}{_parameter('filename', file.name)}\r\n"
    if content_id:
        head += f"Content-ID: <{content_id}>\r\n"
    return [head.encode() + b"\r\n", file]


def _parameter(name: str, value: str) -> str:
    """Return a parameter with what stands before it (RFC 2183, RFC 2231 3 and 4)."""
    # A quotation mark or backslash in a quoted string is read differently everywhere.
    is_plain = value.isascii() and '"' not in value and "\\" not in value
    if is_plain and len(value) <= _PARAMETER_PIECE:
        return f';\r\n {name}="{value}"'
    pieces = [""]
    for char in value:  # whole characters: not everybody joins the pieces before decoding
        text = "".join(
            chr(octet) if octet in _PARAMETER_SAFE else f"%{octet:02X}" for octet in char.encode()
        )
        if len(pieces[-1]) + len(text) > _PARAMETER_PIECE:
            pieces.append("")
        pieces[-1] += text
    pieces[0] = f"utf-8''{pieces[0]}"
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{index}*={piece}" for index, piece in enumerate(pieces))


def _multipart(subtype: str, parts: list[_Pieces]) -> _Pieces:
    # "=_" is in no base64 and no quoted-printable, so that no part can have the boundary in it;
    # in 7-bit text 96 bits of chance stand before it.
    boundary = f"=_{_token()}"
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'
    pieces: _Pieces = [head.encode()]
    for part in parts:
        pieces += [f"--{boundary}\r\n".encode(), *part]
        pieces.append(b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return pieces


def _token() -> str:
    return hexlify(urandom(12)).decode()
