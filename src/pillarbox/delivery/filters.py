"""
Which mails are meant: one grammar for every column of a listing, and for every command.

``FILTERS`` is the grammar: a row is a name, what may be written behind it, and what that means. A
command line's options, its help and the ``where`` of a request to the steward come from it. All
filters of a request have to hold.
"""

from __future__ import annotations

import operator
import pwd
from fnmatch import fnmatchcase

from pillarbox.config.units import parse_duration, parse_size
from pillarbox.errors import UsageError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import STATES
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Row = dict[str, Any]
    Test = Callable[[Row], bool]

__all__ = ["FILTERS", "Filter", "parse_filters", "states_of"]


class Filter(Value):
    """
    One filter.

    Attributes:
        parse: Makes a test of rows out of what was written; raises ``ValueError``.
        metavar: What is to be written, for --help; empty: nothing, it is a switch.
        text: Which mails it leaves over, for --help.

    """

    __slots__ = ("metavar", "parse", "text")

    def __init__(self, parse: Callable[[str], Test], metavar: str, text: str) -> None:
        self.parse = parse
        self.metavar = metavar
        self.text = text


def parse_filters(where: Mapping[str, str]) -> list[Test]:
    """
    Return the tests that a row has to pass.

    Raises:
        UsageError: There is no such filter, or it cannot be understood.

    """
    tests = []
    for name, text in where.items():
        found = FILTERS.get(name)
        if found is None:
            raise UsageError(say("there is no filter '{name}'", name=printable(name, 40)))
        try:
            tests.append(found.parse(text))
        except ValueError as exc:
            raise UsageError(
                say("--{name} {text} is wrong", name=name, text=repr(printable(text, 80))),
                advice=say("write {metavar}: {what}", metavar=found.metavar, what=found.text),
            ) from exc
    return tests


def states_of(where: Mapping[str, str], default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the states in which there can be a mail that is meant."""
    text = where.get("state")
    return default if text is None else _parse_states(text)


# -- what may be written -------------------------------------------------------------------------


def _pattern(key: str) -> Callable[[str], Test]:
    """Return a reader of patterns for texts: a part of it, or with ``*`` and ``?`` the whole."""

    def parse(text: str) -> Test:
        matches = _matcher(text)
        return lambda row: key in row and matches(_text_of(row[key]))

    return parse


def _matcher(text: str) -> Callable[[str], bool]:
    wanted = text.casefold()
    if not wanted:
        raise ValueError
    if "*" in wanted or "?" in wanted:
        # Brackets are parts of addresses and no sets of characters.
        pattern = wanted.replace("[", "[[]")
        return lambda value: fnmatchcase(value.casefold(), pattern)
    return lambda value: wanted in value.casefold()


def _text_of(value: object) -> str:
    return "<>" if value is None else str(value)


def _parse_to(text: str) -> Test:
    matches = _matcher(text)
    return lambda row: any(matches(each["address"]) for each in row.get("recipients", ()))


def _parse_account(text: str) -> Test:
    matches = _matcher(text)
    if "*" in text or "?" in text:
        return lambda row: "account" in row and matches(row["account"])
    # The whole name: "work" does not mean "homework" as well.
    return lambda row: row.get("account") == text


def _parse_id(text: str) -> Test:
    if not text:
        raise ValueError

    def test(row: Row) -> bool:
        name: str = row.get("id", "")
        return name.startswith(text) or name.partition("-")[2].startswith(text)

    return test


def _parse_uid(text: str) -> Test:
    try:
        uid = int(text) if text.lstrip("-").isdecimal() else pwd.getpwnam(text).pw_uid
    except KeyError:
        raise ValueError from None
    return lambda row: row.get("uid") == uid


def _parse_state(text: str) -> Test:
    states = _parse_states(text)
    return lambda row: row.get("state") in states


def _parse_states(text: str) -> tuple[str, ...]:
    if text == "all":
        return STATES
    words = text.split(",")
    if not all(word in STATES for word in words):
        raise ValueError
    return tuple(state for state in STATES if state in words)


def _age(compare: Callable[[float, float], bool]) -> Callable[[str], Test]:
    def parse(text: str) -> Test:
        limit_s = parse_duration(text)
        return lambda row: "age_s" in row and compare(row["age_s"], limit_s)

    return parse


def _size(compare: Callable[[float, float], bool]) -> Callable[[str], Test]:
    def parse(text: str) -> Test:
        limit = parse_size(text)
        return lambda row: "size_bytes" in row and compare(row["size_bytes"], limit)

    return parse


# The longer ones first: ``>=`` begins with ``>``.
_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "": operator.eq,
}


def _parse_attempts(text: str) -> Test:
    sign = next(sign for sign in _COMPARISONS if text.startswith(sign))
    number = text[len(sign) :].strip()
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise ValueError
    compare, limit = _COMPARISONS[sign], int(number)
    return lambda row: "attempts" in row and compare(row["attempts"], limit)


def _parse_in_doubt(_: str) -> Test:
    return lambda row: row.get("is_in_doubt") is True


# A name -> what may be written behind it, and which mails are left over.
FILTERS = {
    "id": Filter(_parse_id, "ID", say("mails whose ID, or its second half, begins so")),
    "from": Filter(_pattern("from"), "TEXT", say("with this in the sender, or <>; * and ? match")),
    "to": Filter(_parse_to, "TEXT", say("with this in a recipient; * and ? match")),
    "account": Filter(_parse_account, "NAME", say("through this account; * and ? match")),
    "uid": Filter(_parse_uid, "USER", say("handed over by this user, a name or a number")),
    "state": Filter(
        _parse_state, "STATE", say("queue, hold, failed, corrupt, with commas, or all")
    ),
    "older": Filter(_age(operator.gt), "TIME", say("older than 90s, 10m, 2h, 1d")),
    "newer": Filter(_age(operator.lt), "TIME", say("younger than 90s, 10m, 2h, 1d")),
    "larger": Filter(_size(operator.gt), "SIZE", say("larger than 100k, 1M")),
    "smaller": Filter(_size(operator.lt), "SIZE", say("smaller than 100k, 1M")),
    "attempts": Filter(_parse_attempts, "N", say("tried N times; >N, >=N, <N, <=N too")),
    "reason": Filter(_pattern("reason"), "TEXT", say("with this in the reason; * and ? match")),
    "in-doubt": Filter(_parse_in_doubt, "", say("that may have arrived already")),
}
