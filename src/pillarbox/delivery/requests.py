"""
What came in a request to the steward, checked: behind this nothing of it is strange any more.

A request comes from any local user, or from a program that is broken. The rule to keep: whatever
it holds ends in values of the kinds below, or in a ``UsageError`` that says what is wrong.
"""

from __future__ import annotations

from base64 import b64decode

from pillarbox.errors import EX_NOPERM, EX_TEMPFAIL, PillarboxError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Check = Callable[[object], Any]
    Needs = Mapping[str, tuple[Check, object]]

__all__ = [
    "ACCOUNT",
    "ADDRESS",
    "ADDRESSES",
    "ANY_ACCOUNT",
    "COUNT",
    "FLAG",
    "ID",
    "IDS",
    "IDS_MAX",
    "OCTETS",
    "WHERE",
    "LaterError",
    "NotPermittedError",
    "understand",
]

# IDs of one request: with 37 characters each they fit into its 64 KiB.
IDS_MAX = 1000

_ID_MAX = 255  # a file name: in ``corrupt`` an entry has the name that it was found under
_NAME_MAX = 255
_TEXT_MAX = 320  # an address with both of its parts as long as they may be
_WHERE_MAX = 50
_COUNT_MAX = 10**9


class NotPermittedError(PillarboxError):
    """The caller is neither root nor the owner of the queue."""

    exit_code = EX_NOPERM

    def __init__(self) -> None:
        super().__init__(say("only root and the owner of the queue may do that"))


class LaterError(PillarboxError):
    """It cannot be done now."""

    exit_code = EX_TEMPFAIL


def understand(request: Mapping[str, object], needs: Needs) -> dict[str, Any]:
    """
    Return what a request asks for, each value checked, and the default where there is none.

    Args:
        request: What came.
        needs: name -> how it is checked, and the default; None as default: it has to be there.

    Raises:
        UsageError: Something is missing, too much, or of the wrong kind.

    """
    for name in request:
        if name not in needs and name not in ("command", "language"):
            raise UsageError(say("the request has a strange '{name}'", name=printable(name, 40)))
    wishes = {}
    for name, (check, default) in needs.items():
        value = request.get(name, default)
        if value is None:
            raise UsageError(say("the request lacks '{name}'", name=name))
        try:
            wishes[name] = check(value)
        except ValueError:
            raise UsageError(say("'{name}' of the request is wrong", name=name)) from None
    return wishes


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError
    return value


def _id(value: object) -> str:
    text = _text(value, _ID_MAX)
    if not text or "/" in text or "\0" in text or text in (".", ".."):
        raise ValueError
    return text


def _ids(value: object) -> str | list[str]:
    if value in ("", "all"):
        return str(value)
    if not isinstance(value, list) or not 0 < len(value) <= IDS_MAX:
        raise ValueError
    return list(dict.fromkeys(_id(word) for word in value))


def _where(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _WHERE_MAX:
        raise ValueError
    return {_text(name, _NAME_MAX): _text(text, _TEXT_MAX) for name, text in value.items()}


def _account(value: object) -> str:
    if not (text := _text(value, _NAME_MAX)):
        raise ValueError
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 (one exception for all that is wrong)
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _COUNT_MAX:
        raise ValueError
    return value


def _addresses(value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > IDS_MAX:
        raise ValueError
    return [_text(address, _TEXT_MAX) for address in value]


def _octets(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 (one exception for all that is wrong)
    return b64decode(value, validate=True)  # what it raises is a ValueError


ID: Check = _id
IDS: Check = _ids  # a list of them without duplicates, ``all``, or empty: those of the filters
WHERE: Check = _where  # name -> what is written behind it, for ``filters.parse_filters``
ACCOUNT: Check = _account
ANY_ACCOUNT: Check = lambda value: _text(value, _NAME_MAX)  # noqa: E731 (a row beside the others)
ADDRESSES: Check = _addresses
ADDRESS: Check = lambda value: _text(value, _TEXT_MAX)  # noqa: E731
OCTETS: Check = _octets  # base64
FLAG: Check = _flag
COUNT: Check = _count
