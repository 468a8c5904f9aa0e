"""
Read the value of one setting of the service: what TOML gave in, a value with its unit out.

Every reader has the same shape: it returns a value and raises ``ValueError`` with a reason that
completes the sentence "invalid value for X: ...".
"""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
from typing import TYPE_CHECKING, TypeGuard

from pillarbox.config import values
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "OneOf",
    "SomeOf",
    "check_who",
    "count_to",
    "parse_addresses",
    "parse_command",
    "parse_count",
    "parse_duration",
    "parse_optional_path",
    "parse_optional_socket",
    "parse_path",
    "parse_patterns",
    "parse_percent",
    "parse_size",
    "parse_socket",
    "parse_switch",
    "parse_text",
]

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}  # binary, as du has them
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NUMBER_MAX = 2**53  # what a float still counts exactly; nothing here is sensibly larger
_YEAR_S = 366 * 86400
_PORT_MAX = 65535
_PERCENT_MAX = 90  # more would leave a spool that takes nothing


def parse_count(given: object) -> int:
    """Return a whole number of at least 1."""
    if not _is_number(given) or not 0 < given <= _NUMBER_MAX:
        raise ValueError(say("write a number of at least 1"))
    return given


def count_to(highest: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from 1 to ``highest``."""

    def parse_limited(given: object) -> int:
        if not _is_number(given) or not 0 < given <= highest:
            raise ValueError(say("write a number from 1 to {highest}", highest=highest))
        return given

    return parse_limited


def parse_percent(given: object) -> int:
    """Return a percentage from 0 to 90."""
    if not _is_number(given) or not 0 <= given <= _PERCENT_MAX:
        raise ValueError(say("write a number from 0 to {highest}", highest=_PERCENT_MAX))
    return given


def parse_size(given: object) -> int:
    """Return bytes, from a number of them or from a text such as ``"25M"`` (1024 * 1024)."""
    size = _with_unit(given, _SIZES, case_matters=False)
    if size is None or not 0 < size <= _NUMBER_MAX:
        raise ValueError(say('write bytes, or a size such as "512K", "25M" or "2G"'))
    return size


def parse_duration(given: object) -> int:
    """Return seconds, from a number of them or from a text such as ``"4h"``; at least 1."""
    seconds = _with_unit(given, _SECONDS, case_matters=True)
    if seconds is None or not 0 < seconds <= _YEAR_S:
        raise ValueError(say('write seconds, or a time such as "90s", "15m", "4h" or "5d"'))
    return seconds


def parse_text(given: object) -> str:
    """Return a text without control characters."""
    if not isinstance(given, str):
        raise ValueError(say("write a text in quotes"))  # noqa: TRY004 (the readers' one error)
    return values.parse_text(given)


def parse_path(given: object) -> str:
    """Return an absolute path; a leading ``~`` stands for the home directory."""
    path = os.path.expanduser(parse_text(given))
    if not path.startswith("/"):
        raise ValueError(say("write an absolute path"))
    return path.rstrip("/") or "/"


def parse_optional_path(given: object) -> str:
    """Return an absolute path, or an empty text for an empty one (unset)."""
    return parse_path(given) if given != "" else ""


def parse_socket(given: object) -> str:
    """Return the absolute path of a socket, which the system limits to 107 bytes."""
    path = parse_path(given)
    values.parse_socket_path(path)
    return path


def parse_optional_socket(given: object) -> str:
    """Return the absolute path of a socket, or an empty text for an empty one (unset)."""
    return parse_socket(given) if given != "" else ""


def parse_switch(given: object) -> bool:
    """Return a yes or a no, as TOML has them."""
    if not isinstance(given, bool):
        raise ValueError(say("write true or false"))  # noqa: TRY004 (the readers' one error)
    return given


def parse_addresses(given: object) -> tuple[str, ...]:
    """Return addresses with ports, each ``127.0.0.1:25`` or ``[::1]:25``; no name is looked up."""
    return tuple(_address(text) for text in _texts(given))


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    is_number = port.isascii() and port.isdigit() and len(port) <= 5
    reason = say('write addresses with their ports, such as "127.0.0.1:25" or "[::1]:25"')
    if not is_number or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(reason)
    try:
        if host.startswith("[") and host.endswith("]"):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]:{int(port)}"
        return f"{ipaddress.IPv4Address(host)}:{int(port)}"
    except ValueError:
        raise ValueError(reason) from None


class SomeOf:
    """
    A reader of a list of some of a few words, each at most once.

    Attributes:
        words: The words.

    """

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, given: object) -> tuple[str, ...]:
        """Return the words that were given."""
        found = _texts(given)
        if not found or len(set(found)) < len(found) or not set(found) <= set(self.words):
            raise ValueError(say("write a list of some of {words}", words=_listed(self.words)))
        return found


class OneOf:
    """
    A reader of one of a few words.

    Attributes:
        words: The words.

    """

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, given: object) -> str:
        """Return the word that was given."""
        if not isinstance(given, str) or given not in self.words:
            raise ValueError(say("write one of {words}", words=_listed(self.words)))
        return given


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def parse_command(given: object) -> tuple[str, ...]:
    """Return a program by its absolute path and its arguments; empty: none."""
    words = _texts(given)
    if words and not words[0].startswith("/"):
        raise ValueError(say("its first word is the absolute path of a program"))
    return words


def parse_patterns(given: object) -> tuple[str, ...]:
    """Return patterns of sender addresses: an address, or with ``*`` and ``?``."""
    patterns = _texts(given)
    for pattern in patterns:
        if "@" not in pattern and pattern != "*":
            raise ValueError(
                say('write addresses or patterns such as "*@example.com", or "*" for all')
            )
    return patterns


def check_who(who: str) -> None:
    """Refuse a user or group that does not exist: a slip would leave somebody unlimited."""
    if who == "*" or (who.isascii() and who.isdigit()):
        return
    try:
        if who.startswith("@"):
            grp.getgrnam(who[1:])
        else:
            pwd.getpwnam(who)
    except KeyError:
        reason = (
            say("there is no such group") if who.startswith("@") else say("there is no such user")
        )
        raise ValueError(reason) from None


def _is_number(given: object) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool)


def _with_unit(given: object, factors: dict[str, int], *, case_matters: bool) -> int | None:
    if _is_number(given):
        return given
    if not isinstance(given, str):
        return None
    text = given.strip() if case_matters else given.strip().lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    factor = factors.get(text[len(digits) :].strip())
    if factor is None or not (digits.isascii() and digits.isdigit()) or len(digits) > 15:
        return None
    return int(digits) * factor


def _texts(given: object) -> tuple[str, ...]:
    if not isinstance(given, list):
        reason = say("write a list of texts in square brackets")
        raise ValueError(reason)  # noqa: TRY004 (the readers' one error)
    return tuple(parse_text(item) for item in given)
