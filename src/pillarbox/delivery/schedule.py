"""
When to try again, when to warn, when to give up: plain functions of what happened and the time.

Two clocks, never mixed. Delays run on the elapsed clock, which nobody can set; only "tomorrow" asks
the calendar, and gets a delay that is bounded whatever it says. An age is judged by both, for the
calendar may jump by years (no battery, a wrong server of time) and the elapsed clock has seen only
what the daemon was there to see (docs/threats.md P9): neither alone gives a mail up.

Nothing here draws lots: ``chance`` is handed in, evenly spread from 0 to 1.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from time import struct_time

    from pillarbox.spool.base import Head, Progress

__all__ = [
    "DAY_S",
    "DELAYS_S",
    "DOUBT_S",
    "MIN_ATTEMPTS",
    "MIN_BROKEN_LIFETIME_S",
    "REFUSED_S",
    "SPREAD",
    "Age",
    "account_delay_s",
    "age_of",
    "is_expired",
    "is_warning_due",
    "mail_delay_s",
    "next_day_delay_s",
]

_MINUTE_S = 60.0
_HOUR_S = 3600.0
DAY_S = 24 * _HOUR_S

# Seconds behind the first, second ... failure of a kind in a row; the last one for all the rest.
_SITE_S = (60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0)
_BREAKER_S = (5 * _MINUTE_S, 15 * _MINUTE_S, _HOUR_S)
# With the first try at 0 these make eight tries in a day; no provider is known that locks an
# account for that.
_LOGIN_S = (15 * _MINUTE_S, _HOUR_S, 4 * _HOUR_S)
_THROTTLED_S = (30 * _MINUTE_S, _HOUR_S, 2 * _HOUR_S, 4 * _HOUR_S)
DELAYS_S: dict[str, tuple[float, ...]] = {
    "site": _SITE_S,
    # Two are left to themselves: a mail may have its own reason.
    "busy": (0.0, 0.0, *_SITE_S),
    # Two strikes may be a restart in the middle of a sentence; from the third on it is broken.
    "protocol": (60.0, 120.0, *_LOGIN_S),
    "throttled": _THROTTLED_S,
    # Once is chance. A server that hangs up on each login may mean the password.
    "dropped": (60.0, *_THROTTLED_S),
    "daily": (_HOUR_S,),
    # Behind the first comes the calendar, see next_day_delay_s. A provider whose day has no
    # midnight (24 hours from the first mail) is asked every four hours from then on.
    "tomorrow": (4 * _HOUR_S,),
    "tls": _BREAKER_S,
    "settings": _BREAKER_S,
    # Each knock at a closed door may make it stay closed for longer.
    "blocked": _LOGIN_S,
    "sender": _LOGIN_S,
    "login": _LOGIN_S,
    "locked": (4 * _HOUR_S,),
    "internal": _SITE_S,
}

# How far chance moves a delay, as parts of it: down and up. A thousand machines that lost the same
# relay must not all come back in the same second; what spares an account never comes early.
SPREAD = {"site": (0.2, 0.2), "busy": (0.2, 0.2), "internal": (0.0, 0.0)}
_LATER = (0.0, 0.1)

# One mail's own delays: greylisting asks for five minutes, the rest is courtesy.
_MAIL_S = _SITE_S
# RFC 1047: a server that had the whole mail may still be at work on it.
DOUBT_S = 300.0
# A sender or a content that was refused for ever gets one more try, when a setting that is being
# changed has been changed.
REFUSED_S = 1800.0

# Giving up takes so many tries, whatever the clocks say.
MIN_ATTEMPTS = 10
# A broken account is no fault of the mail: whatever the setting, it gets RFC 5321 4.5.4.1's time.
MIN_BROKEN_LIFETIME_S = 5 * DAY_S

# A provider counts by a calendar of its own: near midnight its day may not be over when ours is.
_MIN_TO_MIDNIGHT_S = _HOUR_S
_MAX_TO_MIDNIGHT_S = 25 * _HOUR_S  # a day with a change of clocks in it
_BEHIND_MIDNIGHT_S = 5 * _MINUTE_S
_MORNING_S = 25 * _MINUTE_S


def account_delay_s(kind: str, failures: int, *, chance: float, now_s: float) -> float:
    """
    Return how long an account waits.

    Args:
        kind: What happened, of ``DELAYS_S``.
        failures: How often in a row by now, from 1 on.
        chance: From 0 to 1.
        now_s: What the calendar says, in seconds since the epoch; only "tomorrow" looks at it.

    """
    if kind == "tomorrow" and failures <= 1:
        return next_day_delay_s(now_s, chance=chance)
    return _spread(_nth(DELAYS_S[kind], failures), chance, *SPREAD.get(kind, _LATER))


def mail_delay_s(wait: str, attempts: int, *, chance: float) -> float:
    """
    Return how long one mail waits, beside what its account waits.

    Args:
        wait: Of ``policy.WAITS``.
        attempts: How often it was tried by now, from 1 on.
        chance: From 0 to 1.

    """
    if wait in ("", "account"):
        return 0.0
    delay_s = _spread(_nth(_MAIL_S, attempts), chance, *SPREAD["site"])
    if wait == "doubt":
        return max(delay_s, _spread(DOUBT_S, chance, *_LATER))
    if wait == "refused":
        return _spread(REFUSED_S, chance, *_LATER)
    return delay_s


def next_day_delay_s(
    now_s: float, *, chance: float, localtime: Callable[[float], struct_time] | None = None
) -> float:
    """
    Return the seconds until the next local midnight and a little more.

    Limits of a day end at midnight where the provider is, and that is mostly where its customers
    are. Five to thirty minutes more, by chance, let the provider's own count be reset and spread
    its customers. It is an hour at the least, for clocks differ, and a day at the most, for ours
    may be wrong.
    """
    if localtime is None:
        import time

        localtime = time.localtime
    try:
        here = localtime(now_s)
    except (OverflowError, ValueError, OSError):
        past_s = 0.0  # a calendar beyond any calendar: a whole day, then
    else:
        past_s = here.tm_hour * _HOUR_S + here.tm_min * _MINUTE_S + min(here.tm_sec, 59)
    to_midnight_s = DAY_S - past_s + _BEHIND_MIDNIGHT_S + chance * _MORNING_S
    return min(max(to_midnight_s, _MIN_TO_MIDNIGHT_S), _MAX_TO_MIDNIGHT_S)


class Age(Value):
    """
    How old a mail is, by every witness.

    Attributes:
        wall_s: By the calendar; may be negative, or years.
        observed_s: What somebody has watched go by.
        attempts: How often it, or its account while it waited for that, was tried.

    """

    __slots__ = ("attempts", "observed_s", "wall_s")

    def __init__(self, wall_s: float, observed_s: float, attempts: int) -> None:
        self.wall_s = wall_s
        self.observed_s = observed_s
        self.attempts = attempts

    @property
    def sure_s(self) -> float:
        """How old it is at the least, as far as both clocks agree."""
        return min(self.wall_s, self.observed_s)


def age_of(
    head: Head,
    progress: Progress,
    *,
    now_s: float,
    watched_s: float = 0.0,
    account_failures: int = 0,
) -> Age:
    """
    Return how old a mail is.

    Args:
        head: Says when it was accepted.
        progress: What was recorded of it.
        now_s: The calendar, in seconds since the epoch.
        watched_s: Seconds by the elapsed clock since ``progress.observed_s`` was recorded.
        account_failures: How often in a row its account failed: each try of an account is one
            for every mail that waits for it.

    """
    return Age(
        now_s - head.accepted_s,
        progress.observed_s + watched_s,
        progress.attempts + account_failures,
    )


def is_expired(
    age: Age, *, lifetime_s: float, is_broken: bool = False, has_warned: bool = True
) -> bool:
    """
    Tell whether a mail is given up: old by both clocks, and tried often enough.

    Args:
        age: How old it is.
        lifetime_s: How long it may wait.
        is_broken: Its account is broken: it gets five days at the least, and is given up only
            after its sender was told of the delay.
        has_warned: He was.

    """
    if is_broken:
        if not has_warned:
            return False
        lifetime_s = max(lifetime_s, MIN_BROKEN_LIFETIME_S)
    return age.sure_s >= lifetime_s and age.attempts >= MIN_ATTEMPTS


def is_warning_due(age: Age, *, after_s: float, has_warned: bool) -> bool:
    """
    Tell whether it is time to tell the sender that it takes long; 0 for ``after_s``: it never is.

    A mail that nobody has tried to send yet is not late by anybody's fault but ours; the sender
    is told all the same.
    """
    return after_s > 0 and not has_warned and age.sure_s >= after_s


def _nth(delays_s: tuple[float, ...], number: int) -> float:
    return delays_s[min(max(number, 1), len(delays_s)) - 1]


def _spread(delay_s: float, chance: float, down: float, up: float) -> float:
    return delay_s * (1.0 - down + chance * (down + up))
