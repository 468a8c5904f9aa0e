"""
Names in header fields: quoted where they must be, encoded where they are not ASCII (RFC 2047).

Whatever is decoded or encoded here has its control characters as spaces: no encoded word can bring
a line end into a header (attack: header injection).
"""

from __future__ import annotations

__all__ = [
    "decode_words",
    "encode_unstructured",
    "format_mailbox_field",
    "format_phrase",
    "has_encoded_word",
]

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
    name = "".join(char if _is_shown(char) or _is_byte(char) else " " for char in name)
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    name = "".join(char if _is_shown(char) else " " for char in name).strip()
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


# RFC 2047 2: an encoded word has at most 75 characters, a line with one at most 76.
_MAX_WORD = 75
_MAX_LINE = 76
# "=?utf-8?Q?" and "?=" around the text of a word.
_FRAME = 12
# More blanks in a row than this are no layout, and a line of them may grow too long.
_MAX_BLANKS = 20

# What may stand for itself in a Q word, in any place (RFC 2047 5).
_Q_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")

# C0, DEL, C1, line and paragraph separators, and what turns the direction of the text around it.
_SPACED = dict.fromkeys(
    (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)), " "
)

# Codecs of Python that are no charset of a mail: slow, or escapes that are decoded once more.
_NO_CHARSETS = frozenset(
    ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem")
)


def encode_unstructured(name: str, text: str) -> bytes:
    """
    Return a whole unstructured field, folded, each line ending in CRLF (RFC 2047 5, rule 1).

    ASCII words in front of and behind what must be encoded stay readable. The text between the
    first and the last such word is encoded as one, so that each blank survives. Control
    characters become spaces, and bytes that are no UTF-8 (lone surrogates) U+FFFD.
    """
    text = _without_controls(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = _without_controls(text).strip(" ")
    if " " * _MAX_BLANKS in text:
        text = " ".join(text.split())
    words = text.split(" ")
    # Behind a name that fills the line nothing gets shorter by encoding; a short word may stay.
    widest = max(_MAX_LINE - len(name) - 2, _FRAME + 12)
    must = [index for index, word in enumerate(words) if not _is_plain(word, widest)]
    if must:
        first, last = must[0], must[-1] + 1
        # The first line has the name in front; the others one blank.
        room = widest if first == 0 else _MAX_WORD
        words[first:last] = _words_of(" ".join(words[first:last]), min(room, _MAX_WORD))
    return _fold(name, words)


def has_encoded_word(value: str) -> bool:
    """Tell whether an encoded word that can be decoded is in it."""
    return "=?" in value and any(word is not None for _, word in _pieces(value))


def decode_words(value: str) -> str:
    """
    Return a value with its encoded words decoded (RFC 2047 6.2).

    Blanks between two encoded words go. A word that is unknown or broken stays as it is, and
    control characters, decoded or not, become spaces.
    """
    result: list[str] = []
    codec, octets = "", b""  # of adjacent words: programs cut characters between two of them
    blanks = ""
    for text, word in _pieces(value):
        if word is not None:
            if octets and word[0] != codec:
                result.append(octets.decode(codec, "replace"))
                octets = b""
            codec, octets, blanks = word[0], octets + word[1], ""
        elif octets and not text.strip(" \t\r\n"):
            blanks = text
        else:
            result += (octets.decode(codec, "replace") if octets else "", blanks, text)
            octets, blanks = b"", ""
    result += (octets.decode(codec, "replace") if octets else "", blanks)
    return _without_controls("".join(result))


def _without_controls(text: str) -> str:
    spaced = text.translate(_SPACED)
    if spaced.isprintable():
        return spaced
    # Half a surrogate pair is no character; a byte that was escaped (U+DC80-DCFF) may become one.
    return "".join(
        " " if "\ud800" <= char <= "\udfff" and not _is_byte(char) else char for char in spaced
    )


def _is_plain(word: str, widest: int) -> bool:
    return word.isascii() and "=?" not in word and len(word) <= widest


def _words_of(text: str, room: int) -> list[str]:
    """Return encoded words, cut between characters; the first fits into ``room``."""
    from binascii import b2a_base64

    octets = text.encode()
    is_q = len("".join(map(_q, text))) <= (len(octets) + 2) // 3 * 4
    pieces: list[str] = [""]
    for char in text:
        longer = pieces[-1] + char
        size = len("".join(map(_q, longer))) if is_q else (len(longer.encode()) + 2) // 3 * 4
        if size + _FRAME > room and pieces[-1]:
            pieces.append(char)
            room = _MAX_WORD
        else:
            pieces[-1] = longer
    if is_q:
        return ["=?utf-8?Q?" + "".join(map(_q, piece)) + "?=" for piece in pieces]
    return [f"=?utf-8?B?{b2a_base64(piece.encode(), newline=False).decode()}?=" for piece in pieces]


def _q(char: str) -> str:
    if char in _Q_SAFE:
        return char
    return "_" if char == " " else "".join(f"={octet:02X}" for octet in char.encode())


def _fold(name: str, words: list[str]) -> bytes:
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        # No line begins at an empty word: one of blanks alone would end the header for some.
        if word and len(lines[-1]) + 1 + len(word) > _MAX_LINE:
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _pieces(value: str) -> list[tuple[str, tuple[str, bytes] | None]]:
    """Return the value in pieces: each its text, and for a word its codec and its octets."""
    pieces: list[tuple[str, tuple[str, bytes] | None]] = []
    done = start = 0
    while (start := value.find("=?", start)) >= 0:
        parts = value[start + 2 : start + 70].split("?", 2)
        if len(parts) < 3 or len(parts[1]) != 1:
            start += 2
            continue
        text_start = start + 4 + len(parts[0]) + 1
        end = value.find("?=", text_start)
        if end < 0:
            break
        word = _decoded(parts[0], parts[1], value[text_start:end])
        if word is None:
            start += 2
            continue
        if start > done:
            pieces.append((value[done:start], None))
        start = done = end + 2
        pieces.append((value[text_start:end], word))
    pieces.append((value[done:], None))
    return pieces


def _decoded(charset: str, encoding: str, text: str) -> tuple[str, bytes] | None:
    """Return a word's codec and octets, or None when it is none."""
    from binascii import Error, a2b_base64, a2b_qp
    from codecs import lookup

    charset = charset.partition("*")[0].lower()  # RFC 2231 5: a language may stand behind it
    if not charset.replace("-", "").replace("_", "").isalnum() or not text.isascii():
        return None
    codec = {"gb2312": "gb18030", "gbk": "gb18030"}.get(charset, charset)
    try:
        codec = lookup(codec).name
        if codec.replace("_", "-") in _NO_CHARSETS:
            return None
        if encoding in "Bb":
            octets = a2b_base64(text + "=" * (-len(text) % 4))
        elif encoding in "Qq":
            octets = a2b_qp(text, header=True)
        else:
            return None
        octets.decode(codec, "replace")  # some codecs are no charsets: rot13, zlib
    except (LookupError, Error, ValueError):
        return None
    return codec, octets


def _is_shown(char: str) -> bool:
    # Without the joiners families of emoji and Persian names come apart.
    return char.isprintable() or char in "\u200c\u200d"


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
