"""
A part of a body by its fields (RFC 2045): what they say, and what is changed in them.

A changed field takes the place of the old one; all others keep their octets.
"""

from __future__ import annotations

from pillarbox.mail.content_type import ContentType, parse_content_type

__all__ = ["NAMES", "Leaf", "changed_head", "field_raw", "split_fields"]

NAMES = {
    "content-disposition": b"Content-Disposition",
    "mime-version": b"MIME-Version",
    "content-type": b"Content-Type",
    "content-transfer-encoding": b"Content-Transfer-Encoding",
}


def field_raw(key: str, value: str) -> bytes:
    """Return a field's octets, folded at its parameters where it is long."""
    text = NAMES[key] + b": " + value.encode("utf-8", "surrogateescape")
    if len(text) > 76:
        text = text.replace(b"; ", b";\r\n ")
    return text + b"\r\n"


class Leaf:
    """
    The fields of a body part, and what is changed in them.

    Attributes:
        fields: Keys in lower case and raw octets.
        place: What a change is noted for.
        type: Its Content-Type; None: it cannot be read.
        kind: The kind, ``text/plain`` for one that cannot be read.
        encoding: The transfer encoding in lower case; empty: none is named.
        changes: New values by key; an empty one drops the field.
        head: A part's head as it came, with its blank line.
        is_inner: Whether it is inside a message that is attached: its octets are kept.

    """

    __slots__ = (
        "_firsts",
        "changes",
        "encoding",
        "fields",
        "head",
        "is_inner",
        "kind",
        "place",
        "type",
    )

    def __init__(
        self, fields: list[tuple[bytes, bytes]], place: str, kind: str = "text/plain"
    ) -> None:
        self.fields = fields
        self.place = place
        self.changes: dict[str, str] = {}
        self.head = b""
        self.is_inner = False
        self._firsts = dict(reversed(fields))
        value = self.value(b"content-type")
        self.type = ContentType(kind) if value is None else parse_content_type(value)
        self.kind = self.type.kind if self.type else "text/plain"
        encoding = self.value(b"content-transfer-encoding") or ""
        self.encoding = encoding.partition(";")[0].strip().lower()

    def value(self, key: bytes) -> str | None:
        """Return the first field's value, unfolded."""
        raw = self._firsts.get(key)
        if raw is None:
            return None
        text = raw.partition(b":")[2].replace(b"\r\n", b"").replace(b"\n", b"")
        return text.decode("utf-8", "surrogateescape").strip(" \t")

    def has_field(self, name: str) -> bool:
        """Tell whether there is such a field; the name is in lower case."""
        return name.encode() in self._firsts

    @property
    def boundary(self) -> bytes:
        """A multipart's boundary; empty: it is none, or nobody knows it."""
        if not self.kind.startswith("multipart/") or self.type is None:
            return b""
        # A boundary may not end in a blank, which would be lost on the way (RFC 2046 5.1.1).
        boundary = (self.type.param("boundary") or "").rstrip()
        return boundary.encode("utf-8", "surrogateescape")

    @property
    def is_opaque(self) -> bool:
        """Whether it is left alone: a structure we do not look into."""
        return self.kind.startswith(("multipart/", "message/"))

    @property
    def is_attachment(self) -> bool:
        """Whether it is a file that happens to be text."""
        disposition = self.value(b"content-disposition") or ""
        return self.is_inner or disposition.lower().startswith("attachment")

    def set_type(self, new: ContentType) -> None:
        """Change the Content-Type."""
        self.changes["content-type"] = str(new)

    def set_encoding(self, encoding: str) -> None:
        """Change the transfer encoding."""
        self.changes["content-transfer-encoding"] = encoding


def split_fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a part's head: keys in lower case, and raw octets."""
    fields: list[tuple[bytes, bytes]] = []
    for line in head.splitlines(keepends=True) if b"\r" not in head.replace(b"\r\n", b"") else ():
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        elif line.strip():
            fields.append((line.partition(b":")[0].strip().lower(), line))
    return fields


def changed_head(leaf: Leaf) -> bytes:
    """Return a part's head with its changes: in place of the old fields, new ones at the end."""
    left = dict(leaf.changes)
    pieces = []
    for key_octets, raw in leaf.fields:
        key = key_octets.decode("ascii", "replace")
        if key not in leaf.changes:
            pieces.append(raw)
        elif key in left:
            value = left.pop(key)
            pieces.append(field_raw(key, value) if value else b"")
    pieces += [field_raw(key, value) for key, value in left.items() if value]
    return b"".join(pieces) + b"\r\n"
