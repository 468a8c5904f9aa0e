"""
The strict reader of a body: media types, transfer encodings, charsets and parts (RFC 2045, 2046).

``body_faults`` walks the parts with a reader of its own, so that what the standard ``email``
package forgives is seen too.
"""

from __future__ import annotations

import codecs
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import NamedTuple

__all__ = ["Leaf", "MediaType", "body_faults", "leaves", "parse_media_type", "signed_body"]

Fields = list[tuple[bytes, str]]
Row = tuple[str, str, str]

_TOKEN = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_TYPE = re.compile(rf"({_TOKEN})/({_TOKEN})")
_PARAMETER = re.compile(rf';({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")')
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_CODINGS = frozenset({"7bit", "8bit", "binary", "quoted-printable", "base64"})
_ESCAPE = re.compile(r"\x1b|\x9b")
_CONTROL = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f]")
_MAX_DEPTH = 30
_OPAQUE = frozenset({"multipart/signed", "multipart/encrypted", "application/pkcs7-mime"})


class MediaType(NamedTuple):
    """A Content-Type: its name in lower case, and its parameters."""

    name: str
    parameters: dict[str, str]


class Leaf(NamedTuple):
    """
    A part that is no multipart.

    Attributes:
        place: Its number, such as ``1.2``; ``body`` when there is only one.
        fields: Its MIME fields, lower-case names and values.
        media_type: What it says it is.
        coding: Its transfer encoding, in lower case.
        raw: Its octets as they stand there.

    """

    place: str
    fields: Fields
    media_type: MediaType
    coding: str
    raw: bytes

    @property
    def octets(self) -> bytes:
        """The octets without their transfer encoding; as good as they can be had."""
        if self.coding == "base64":
            data = re.sub(rb"[^A-Za-z0-9+/]", b"", self.raw.partition(b"=")[0])
            return a2b_base64(data[: len(data) - (len(data) % 4 == 1)] + b"===")
        if self.coding == "quoted-printable":
            return _unquote(self.raw)
        return self.raw

    @property
    def disposition(self) -> str:
        """``attachment``, ``inline`` or an empty string."""
        return _first(self.fields, b"content-disposition").partition(";")[0].strip().lower()


def parse_media_type(value: str) -> MediaType | None:
    """Return a media type, or None when the value is none (RFC 2045 5.1)."""
    value = _without_blanks_and_comments(value)
    if not (start := _TYPE.match(value)):
        return None
    parameters: dict[str, str] = {}
    position = start.end()
    while position < len(value):
        found = _PARAMETER.match(value, position)
        if not found or found[1].lower() in parameters:
            return None
        text = found[2]
        text = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
        parameters[found[1].lower()] = text
        position = found.end()
    return MediaType(start[0].lower(), parameters)


def _without_blanks_and_comments(value: str) -> str:
    pieces = re.findall(r'"(?:[^"\\]|\\.)*"|(?:\([^()]*\)|[ \t])+|.', value, re.DOTALL)
    kept = []
    for piece, behind in zip(pieces, [*pieces[1:], ";"], strict=True):
        is_blank = piece[0] in " \t" or (piece[0] == "(" and len(piece) > 1)
        # A blank between two words is none that may go: it is a fault.
        if not is_blank or (kept and kept[-1] not in ";=/" and behind not in ";=/"):
            kept.append(" " if is_blank else piece)
    return "".join(kept)


def body_faults(fields: Fields, body: bytes, *, allows_8bit: bool) -> list[Row]:
    """Return what is wrong with a body: rows of id, place and what was found."""
    found: list[Row] = []
    for leaf in _walk(fields, body, "", found, 0):
        _check_leaf(leaf, found, allows_8bit=allows_8bit)
    if not allows_8bit and not body.isascii():
        found.append(("body-8bit", "body", "the server takes no 8-bit body"))
    if not body.strip() and not _first(fields, b"content-type").startswith("multipart/"):
        found.append(("body-empty", "body", "nothing is in it"))
    return found


def leaves(octets: bytes) -> list[Leaf]:
    """Return the parts of a message, which may be faulty, with any line ends."""
    octets = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
    head, _, body = octets.partition(b"\r\n\r\n")
    if octets.startswith(b"\r\n"):
        head, body = b"", octets[2:]
    return list(_walk(_split_fields(head), body, "", [], 0))


def signed_body(fields: Fields) -> bool:
    """Tell whether nobody may change the body."""
    media_type = parse_media_type(_first(fields, b"content-type"))
    name = media_type.name if media_type else ""
    return name in _OPAQUE or any(key == b"dkim-signature" for key, _ in fields)


def _first(fields: Fields, name: bytes) -> str:
    return next((value for key, value in fields if key == name), "")


def _split_fields(head: bytes) -> Fields:
    text = re.sub(rb"\r\n(?=[ \t])", b"", head).decode("utf-8", "surrogateescape")
    rows = [line.partition(":") for line in text.split("\r\n")]
    return [
        (name.strip().lower().encode("utf-8", "surrogateescape"), value.strip())
        for name, colon, value in rows
        if colon
    ]


def _walk(fields: Fields, body: bytes, place: str, found: list[Row], depth: int) -> list[Leaf]:
    media_type = _type_of(fields, place, found)
    coding = _coding_of(fields, place, found)
    top = media_type.name.partition("/")[0]
    if top == "multipart" and depth < _MAX_DEPTH:
        if coding not in ("7bit", "8bit", "binary"):
            found.append(("multipart-coding", place or "body", coding))
        if coding == "7bit" and not body.isascii():
            found.append(("coding-8bit", place or "body", "8-bit octets in a 7bit multipart"))
        parts = _parts(media_type, body, place or "body", found)
        if parts is None:
            return [Leaf(place or "body", fields, media_type, coding, body)]
        result = []
        for number, part in enumerate(parts, 1):
            inner_place = f"{place}.{number}" if place else str(number)
            inner_fields, inner_body = _open_part(part, inner_place, found)
            result += _walk(inner_fields, inner_body, inner_place, found, depth + 1)
        return result
    if media_type.name == "message/rfc822" and coding in ("7bit", "8bit", "binary"):
        inner_fields, inner_body = _open_part(body, place, found, is_message=True)
        return _walk(inner_fields, inner_body, f"{place}.0" if place else "0", found, depth + 1)
    return [Leaf(place or "body", fields, media_type, coding, body)]


def _type_of(fields: Fields, place: str, found: list[Row]) -> MediaType:
    value = _first(fields, b"content-type")
    media_type = parse_media_type(value) if value else None
    if value and media_type is None:
        found.append(("content-type", place or "body", value))
    return media_type or MediaType("text/plain", {})


def _coding_of(fields: Fields, place: str, found: list[Row]) -> str:
    value = _first(fields, b"content-transfer-encoding") or "7bit"
    coding = _without_blanks_and_comments(value).lower()
    if coding not in _CODINGS:
        found.append(("coding-unknown", place or "body", value))
        return "7bit"
    return coding


def _parts(media_type: MediaType, body: bytes, place: str, found: list[Row]) -> list[bytes] | None:
    boundary = media_type.parameters.get("boundary", "")
    if not boundary:
        found.append(("boundary-missing", place, media_type.name))
        return None
    if not _BOUNDARY.fullmatch(boundary):
        found.append(("boundary-form", place, boundary))
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    pieces = re.split(rb"(?:\A|\r\n)--" + mark + rb"(--)?[ \t]*(?=\r\n|\Z)", body)
    # Text, mark, text, mark ...: what stands in front of the first mark is for nobody.
    parts: list[bytes] = []
    is_closed = False
    for closing, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if closing:
            is_closed = True
            break
        parts.append(text.removeprefix(b"\r\n"))
    if not is_closed:
        found.append(("multipart-open", place, "no closing delimiter"))
    if not parts:
        found.append(("multipart-empty", place, "no part"))
        return None
    return parts


def _open_part(
    part: bytes, place: str, found: list[Row], *, is_message: bool = False
) -> tuple[Fields, bytes]:
    if part.startswith(b"\r\n"):
        return [], part[2:]
    head, _, body = part.partition(b"\r\n\r\n")
    fields = _split_fields(head)
    if not is_message:
        lines = re.sub(rb"\r\n(?=[ \t])", b"", head).split(b"\r\n")
        wrong = [line for line in lines if line and not re.match(rb"[!-9;-~]+:", line)]
        found += [("part-field", place, repr(line[:60])) for line in wrong]
        if not head.isascii():
            found.append(("part-head-8bit", place, repr(head[:60])))
    return fields, body


def _check_leaf(leaf: Leaf, found: list[Row], *, allows_8bit: bool) -> None:
    place, raw = leaf.place, leaf.raw
    if leaf.coding == "7bit" and not raw.isascii():
        found.append(("coding-8bit", place, "8-bit octets are called 7bit"))
    elif leaf.coding == "8bit" and not raw.isascii() and not allows_8bit:
        found.append(("coding-refused", place, "8bit"))
    elif leaf.coding == "binary":
        found.append(("coding-binary", place, "needs BINARYMIME"))
    elif leaf.coding == "quoted-printable":
        _check_quoted_printable(raw, place, found)
    elif leaf.coding == "base64":
        _check_base64(raw, place, found)
    if leaf.media_type.name.startswith("text/"):
        _check_text(leaf, found)


def _check_quoted_printable(raw: bytes, place: str, found: list[Row]) -> None:
    for line in raw.split(b"\r\n"):
        if len(line) > 76:
            found.append(("qp-length", place, f"{len(line)} characters"))
        if re.search(rb"=(?![0-9A-F]{2}|$)", line):
            found.append(("qp-form", place, repr(line)))
        if re.search(rb"[^\t -~]", line):
            found.append(("qp-octet", place, repr(line)))
        if line.endswith((b" ", b"\t")):
            found.append(("qp-blank", place, repr(line)))


def _check_base64(raw: bytes, place: str, found: list[Row]) -> None:
    lines = raw.split(b"\r\n")
    if any(len(line) > 76 for line in lines):
        found.append(("base64-length", place, f"{max(map(len, lines))} characters"))
    try:
        a2b_base64(b"".join(lines), strict_mode=True) if b"".join(lines) else b""
    except Base64Error as error:
        found.append(("base64-form", place, str(error)))


def _check_text(leaf: Leaf, found: list[Row]) -> None:
    charset = leaf.media_type.parameters.get("charset", "us-ascii")
    try:
        codec = codecs.lookup(charset)
    except LookupError:
        found.append(("charset-unknown", leaf.place, charset))
        return
    try:
        text = codec.decode(leaf.octets, "strict")[0]
    except ValueError:
        found.append(("charset-wrong", leaf.place, charset))
        return
    if leaf.media_type.name == "text/plain" and leaf.disposition != "attachment":
        if _ESCAPE.search(text):
            found.append(("escape", leaf.place, "codes for a terminal"))
        elif _CONTROL.search(text):
            found.append(("text-control", leaf.place, repr(_CONTROL.search(text))))


def _unquote(raw: bytes) -> bytes:
    raw = re.sub(rb"[ \t]+(?=\r\n|\Z)", b"", raw)
    raw = re.sub(rb"=\r\n|=\Z", b"", raw)
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), raw)
