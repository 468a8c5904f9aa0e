"""
Reading a Date: the form of RFC 5322, and what programs write in its place.

A zone by name is no zone: CST is China, Cuba or Chicago.
"""

from __future__ import annotations

__all__ = ["read_date", "read_mail_date"]

_DAYS = frozenset(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# RFC 5322 4.3 gives these one meaning; the names of the United States are not among them, as
# CST is mostly China's where a Subject is Chinese.
_ZONES = {"gmt": 0, "ut": 0, "utc": 0, "z": 0}


def read_date(value: str) -> float | None:
    """
    Return the moment of a Date in seconds since the epoch; None: it does not say one for sure.

    Understands RFC 5322, and ISO 8601 with a zone.
    """
    found = read_mail_date(value)
    return found if found is not None else _read_iso(value)


def read_mail_date(value: str) -> float | None:
    """
    Return the moment of a Date in the form of RFC 5322 3.3, or in an old one of one meaning.

    In seconds since the epoch; None: it is in another form.
    """
    words = _without_comments(value).replace(",", " , ").split()
    if words and words[0].lower() in _DAYS:
        words = words[1:]
        if words and words[0] == ",":
            words = words[1:]
    if len(words) != 5:
        return None
    day, month, year, time, zone = words
    number = _MONTHS.index(month.lower()) + 1 if month.lower() in _MONTHS else 0
    offset_s = _offset(zone)
    clock = time.split(":")
    digits = (day, year, *clock)
    if not number or offset_s is None or len(clock) not in (2, 3):
        return None
    if not _are_numbers(digits):
        return None
    full = int(year)
    if len(year) == 2:
        full += 2000 if full < 50 else 1900  # RFC 5322 4.3
    elif len(year) == 3:
        full += 1900
    return _moment(full, number, int(day), [int(word) for word in (*clock, "0")][:3], offset_s)


def _read_iso(value: str) -> float | None:
    text = value.strip().upper().replace("T", " ")
    date, _, rest = text.partition(" ")
    rest = rest.replace(" ", "")
    if rest.endswith("Z"):
        rest = rest[:-1] + "+0000"
    sign = "+" if "+" in rest else "-"
    time, _, zone = rest.partition(sign)
    time, _, fraction = time.partition(".")
    fields, clock = date.split("-"), time.split(":")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        return None
    offset_s = _offset(sign + zone.replace(":", ""))
    words = (*fields, *clock)
    if len(fields) != 3 or len(clock) not in (2, 3) or offset_s is None:
        return None
    if not _are_numbers(words):
        return None
    year, month, day = (int(word) for word in fields)
    return _moment(year, month, day, [int(word) for word in (*clock, "0")][:3], offset_s)


def _are_numbers(words: tuple[str, ...]) -> bool:
    """Tell whether each is a number of one to four digits."""
    joined = "".join(words)
    return joined.isascii() and joined.isdigit() and all(words) and max(map(len, words)) <= 4


def _offset(zone: str) -> int | None:
    """Return a zone's seconds east of Greenwich; None: it is none."""
    if zone.lower() in _ZONES:
        return 0
    if len(zone) != 5 or zone[0] not in "+-" or not (zone[1:].isascii() and zone[1:].isdigit()):
        return None
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    if int(zone[3:]) > 59 or minutes > 24 * 60:
        return None
    return -minutes * 60 if zone[0] == "-" else minutes * 60


def _moment(year: int, month: int, day: int, clock: list[int], offset_s: int) -> float | None:
    hour, minute, second = clock
    if not (year >= 1900 and 1 <= month <= 12 and 1 <= day <= _length(year, month)):
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    # Days since the epoch, with March as the first month (Howard Hinnant's civil days).
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days * 86400 + hour * 3600 + minute * 60 + second - offset_s


def _length(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _without_comments(value: str) -> str:
    if "(" not in value:
        return value
    depth, kept = 0, []
    is_escaped = False
    for char in value:
        if is_escaped:
            is_escaped = False
        elif depth and char == "\\":
            is_escaped = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(char)
    return "".join(kept)
