"""
What will be different in a file, for a person: a unified diff in which no secret stands.

Whatever may hold a password is four stars, whoever's it is, and however long: the new one, the
old ones that go or stay, one that was put out of use by a ``#``, a command that may contain one.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["difference"]

_STARS = "****"
_SECRET = ("password", "passwordeval", "eval")
_NO_WORD = " \t\ufeff"  # blanks, and what some editors put in front of UTF-8
_CONTEXT = 2  # lines around a change


def difference(before: bytes, after: bytes, path: str) -> Iterator[str]:
    """Yield the lines of a unified diff; a password is four stars, whoever's it is."""
    old, new = (_lines(text) for text in (before, after))
    name = path if before else "/dev/null"
    for line in difflib.unified_diff(old, new, name, path, n=_CONTEXT, lineterm=""):
        # Compared first: else nothing would be seen of a password that is another one.
        yield line if line.startswith(("---", "+++", "@@")) else line[:1] + _masked(line[1:])


def _lines(text: bytes) -> list[str]:
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


def _masked(line: str) -> str:
    keyword = line.strip(_NO_WORD).partition(" ")[0].partition("\t")[0]
    # Of eval too: its command may print a password that stands in it.
    if keyword in _SECRET:
        return f"{line[: len(line) - len(line.lstrip(_NO_WORD))]}{keyword} {_STARS}"
    if keyword.startswith("#") and "password" in line.lower():
        return f"# password {_STARS}"  # one that was put out of use is one still
    return line
