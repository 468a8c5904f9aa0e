"""
Names in header fields: quoted where they must be, encoded where they are not ASCII (RFC 2047).

Only what pillarbox itself puts into a header is made here; what came in is left to ``repair``.
"""

from __future__ import annotations

__all__ = ["format_mailbox_field", "format_phrase"]

# RFC 2047 2: a line with an encoded word has at most 76 characters. "From: " and "=?utf-8?B??="
# take 18 of them, so 58 remain for base64: 14 groups of 4 characters, which is 42 octets of text.
_MAX_OCTETS = 42

_ATOM_OR_SPACE = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~ "
)


def format_phrase(name: str) -> str:
    """
    Return a display name as an RFC 5322 phrase, in ASCII.

    Control characters become spaces. A name that is not ASCII becomes encoded words of UTF-8,
    cut between characters; bytes that are no UTF-8 (lone surrogates) become U+FFFD.
    """
    # First what is no byte, so that the bytes can be put together; then what they turn out to be.
    name = "".join(char if char.isprintable() or _is_byte(char) else " " for char in name)
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name = "".join(char if char.isprintable() else " " for char in name).strip()
    if name.isascii():
        if _ATOM_OR_SPACE.issuperset(name) and "=?" not in name:
            return name
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return " ".join(_encoded_words(name))


def format_mailbox_field(name: str, address: str) -> str:
    """Return ``name <address>``, or the bare address when the name is empty."""
    phrase = format_phrase(name)
    return f"{phrase} <{address}>" if phrase else address


def _is_byte(char: str) -> bool:
    return "\udc80" <= char <= "\udcff"


def _encoded_words(text: str) -> list[str]:
    from binascii import b2a_base64

    words = []
    piece = b""
    for char in text:
        octets = char.encode()
        if len(piece) + len(octets) > _MAX_OCTETS:
            words.append(piece)
            piece = b""
        piece += octets
    words.append(piece)
    return [f"=?utf-8?B?{b2a_base64(word, newline=False).decode()}?=" for word in words]
