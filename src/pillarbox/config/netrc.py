"""
Find a password in a .netrc file, as tolerantly as the programs that share it.

The words are those of ftp(1): ``machine``, ``login`` (or ``user``), ``password``, ``account``,
``macdef``. Quotes, single or double, may enclose a word or a part of it; there is no escape. A
word that begins with ``#`` starts a comment to the end of the line, unless it stands where a
value is expected. What cannot be understood is skipped. ``default`` never gives a password: it
would hand it to whichever host is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["all_passwords", "find_password"]

_BLANKS = " \t\r\f\v"  # not isspace(): a password may contain a no-break space
_WITH_VALUE = frozenset(("machine", "login", "user", "password", "account"))


def find_password(content: bytes, host: str, user: str) -> str | None:
    """
    Return the password of the first entry for this host and user that has one.

    Args:
        content: The bytes of the file.
        host: Compared exactly with ``machine``.
        user: Compared exactly with ``login``.

    """
    for entry in _entries(content.decode("utf-8", "surrogateescape")):
        if entry.get("machine") == host and entry.get("login") == user and entry.get("password"):
            return entry["password"]
    return None


def all_passwords(content: bytes) -> Iterator[str]:
    """Yield every password of a file, of whatever host: what must not be shown."""
    for entry in _entries(content.decode("utf-8", "surrogateescape")):
        if entry.get("password"):
            yield entry["password"]


def _entries(text: str) -> Iterator[dict[str, str]]:
    entry: dict[str, str] = {}
    words = _words(text)
    for word in words:
        if word in ("machine", "default"):
            yield entry
            entry = {}
        if word in _WITH_VALUE:
            value = next(words, None)
            if value is not None:
                entry["login" if word == "user" else word] = value
    yield entry


def _words(text: str) -> Iterator[str]:
    """Give the words one by one; those of a macro, which an empty line ends, are left out."""
    is_value = is_macro = False
    for line in text.split("\n"):
        if is_macro:
            is_macro = bool(line.strip(_BLANKS))
            continue
        at = 0
        while at < len(line):
            if line[at] in _BLANKS:
                at += 1
                continue
            if line[at] == "#" and not is_value:
                break
            word, at = _one_word(line, at)
            if word == "macdef" and not is_value:
                is_macro = True
                break
            is_value = not is_value and word in _WITH_VALUE
            yield word


def _one_word(line: str, at: int) -> tuple[str, int]:
    """Return the word that begins at ``at`` without its quotes, and the place behind it."""
    word = ""
    quote = ""
    while at < len(line):
        char = line[at]
        if char == quote:
            quote = ""
        elif quote:
            word += char
        elif char in "\"'":
            quote = char
        elif char in _BLANKS:
            break
        else:
            word += char
        at += 1
    return word, at
