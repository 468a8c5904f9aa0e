"""When to try again, to warn and to give up: tables, and bounds for every input."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.policy import KINDS, WAITS
from pillarbox.delivery.schedule import (
    DAY_S,
    DELAYS_S,
    MIN_ATTEMPTS,
    Age,
    account_delay_s,
    age_of,
    is_expired,
    is_warning_due,
    mail_delay_s,
    next_day_delay_s,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import Head, Progress

MINUTE_S, HOUR_S = 60, 3600
CHANCES = st.floats(0, 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)

# kind -> minutes behind the first, second ... failure, in the middle of their spread
DELAYS = [
    ("site", (1, 2, 5, 10, 20, 30, 30)),
    ("busy", (0, 0, 1, 2, 5, 10, 20, 30, 30)),
    ("tls", (5, 15, 60, 60)),
    ("settings", (5, 15, 60, 60)),
    ("login", (15, 60, 240, 240)),
    ("blocked", (15, 60, 240, 240)),
    ("sender", (15, 60, 240, 240)),
    ("locked", (240, 240)),
    ("throttled", (30, 60, 120, 240, 240)),
    ("dropped", (1, 30, 60, 120, 240, 240)),
    ("protocol", (1, 2, 15, 60, 240, 240)),
    ("daily", (60, 60)),
    ("internal", (1, 2, 5, 10, 20, 30, 30)),
]
# What may come up to a fifth earlier or later; the rest comes up to a tenth later.
SPREAD = {"site": (0.8, 1.2), "busy": (0.8, 1.2), "internal": (1.0, 1.0)}


@pytest.mark.parametrize(("kind", "minutes"), DELAYS, ids=str)
def test_account_waits_ever_longer(kind, minutes):
    """Each kind has its steps, the last for ever, and chance moves them within bounds."""
    least, most = SPREAD.get(kind, (1.0, 1.1))
    for number, minute in enumerate(minutes, 1):
        delays = [account_delay_s(kind, number, chance=chance, now_s=0.0) for chance in (0, 0.5, 1)]
        expected = [minute * MINUTE_S * part for part in (least, (least + most) / 2, most)]
        assert delays == pytest.approx(expected)
    at_last = account_delay_s(kind, 10**9, chance=0.5, now_s=0.0)
    assert at_last == pytest.approx(minutes[-1] * MINUTE_S * (least + most) / 2)


def test_each_kind_has_its_delays():
    """No kind of failure can happen that the schedule does not know."""
    assert {kind for kind, _ in DELAYS} | {"tomorrow"} == set(KINDS) == set(DELAYS_S)


@given(st.sampled_from(KINDS), st.integers(1, 1000), CHANCES, CHANCES)
def test_account_never_waits_less_for_failing_more(kind, failures, chance, other):
    """Except for chance, a delay grows with the failures, and is never more than five hours."""
    now = account_delay_s(kind, failures, chance=0.5, now_s=0.0)
    later = account_delay_s(kind, failures + 1, chance=0.5, now_s=0.0)
    if kind != "tomorrow":
        assert 0 <= now <= later
    spread = [account_delay_s(kind, failures + 1, chance=c, now_s=0.0) for c in (chance, other)]
    assert all(0 <= delay <= 5 * HOUR_S for delay in spread)


MAIL_DELAYS = [
    # wait, attempts -> the least and the most, in minutes
    ("", 1, 0, 0),
    ("account", 1, 0, 0),
    ("account", 50, 0, 0),
    ("mail", 1, 0.8, 1.2),
    ("mail", 2, 1.6, 2.4),
    ("mail", 3, 4, 6),
    ("mail", 4, 8, 12),
    ("mail", 5, 16, 24),
    ("mail", 6, 24, 36),
    ("mail", 1000, 24, 36),
    ("doubt", 1, 5, 5.5),
    ("doubt", 3, 5, 6),
    ("doubt", 6, 24, 36),
    ("refused", 1, 30, 33),
    ("refused", 9, 30, 33),
]


@pytest.mark.parametrize(("wait", "attempts", "least", "most"), MAIL_DELAYS)
def test_mail_waits_its_own_time(wait, attempts, least, most):
    """A mail in doubt waits five minutes at the least, one that was refused half an hour."""
    delays = [mail_delay_s(wait, attempts, chance=chance) for chance in (0, 1)]
    assert delays == pytest.approx([least * MINUTE_S, most * MINUTE_S])


@given(st.sampled_from(WAITS), st.integers(0, 1000), CHANCES)
def test_mail_never_waits_less_than_its_reason_asks_for(wait, attempts, chance):
    """The bounds hold for every attempt and every chance."""
    delay = mail_delay_s(wait, attempts, chance=chance)
    assert delay >= {"doubt": 300, "refused": 1800, "mail": 48}.get(wait, 0)
    assert delay <= 36 * MINUTE_S + 1e-6


def utc(now_s):
    """Return the time of day in Greenwich."""
    return time.gmtime(now_s)


MIDNIGHTS = [
    # time of day, chance -> hours and minutes to wait
    ("00:00:00", 0.0, 24, 5),
    ("00:00:00", 1.0, 24, 30),
    ("06:30:00", 0.0, 17, 35),
    ("12:00:00", 0.5, 12, 17.5),
    ("22:00:00", 0.0, 2, 5),
    ("23:50:00", 0.0, 1, 0),  # not 15 minutes: the provider's midnight may be later
    ("23:59:59", 1.0, 1, 0),
]


@pytest.mark.parametrize(("clock", "chance", "hours", "minutes"), MIDNIGHTS)
def test_tomorrow_is_behind_the_next_midnight(clock, chance, hours, minutes):
    """A limit of the day is asked again behind midnight, and in an hour at the earliest."""
    now_s = datetime.fromisoformat(f"2026-11-24T{clock}").replace(tzinfo=UTC).timestamp()
    delay_s = next_day_delay_s(now_s, chance=chance, localtime=utc)
    assert delay_s == pytest.approx(hours * HOUR_S + minutes * MINUTE_S, abs=1.5)


@given(st.floats(allow_nan=False), CHANCES)
def test_tomorrow_is_never_far_whatever_the_calendar_says(now_s, chance):
    """A calendar of 1970, of the year 60000 or of none at all costs a day (docs/threats.md P9)."""
    assert HOUR_S <= next_day_delay_s(now_s, chance=chance) <= 25 * HOUR_S


def test_second_refusal_of_tomorrow_does_not_wait_for_the_day_after():
    """A provider whose day has no midnight is asked every four hours from then on."""
    noon_s = 12 * HOUR_S
    first = account_delay_s("tomorrow", 1, chance=0.0, now_s=noon_s)
    assert first == next_day_delay_s(noon_s, chance=0.0)
    for failures in (2, 3, 99):
        again = account_delay_s("tomorrow", failures, chance=0.0, now_s=noon_s)
        assert again == 4 * HOUR_S


def head(accepted_s):
    """Return the head of a mail that was accepted then."""
    to = parse_mailbox("to@example.org")
    return Head("id", accepted_s, Envelope(None, (to,)))


def test_age_has_two_witnesses_and_every_try():
    """What was recorded, what was watched since, and the tries of the account are added up."""
    progress = Progress(b"P", attempts=3, observed_s=100.0)
    age = age_of(head(1000.0), progress, now_s=1500.0, watched_s=20.0, account_failures=4)
    assert age == Age(500.0, 120.0, 7)
    assert age.sure_s == 120.0
    assert Age(100.0, 120.0, 7).sure_s == 100.0


DAYS = [
    # wall days, observed days, attempts, broken, warned -> expired after 5 days, after 1 day
    (5, 5, 10, False, False, True, True),
    (5, 5, 10, False, True, True, True),
    (5, 5, 9, False, True, False, False),
    (4.99, 5, 10, False, True, False, True),
    (5, 4.99, 10, False, True, False, True),
    (1, 1, 10, False, True, False, True),
    (0.99, 30, 99, False, True, False, False),
    # Ten years forth, ten years back, 1970.
    (3650, 0.01, 99, False, True, False, False),
    (-3650, 30, 99, False, True, False, False),
    (-20000, 0, 0, False, True, False, False),
    # A broken account: five days at the least, and a warning first.
    (1, 1, 99, True, True, False, False),
    (5, 5, 10, True, True, True, True),
    (5, 5, 10, True, False, False, False),
    (99, 99, 99, True, False, False, False),
]


@pytest.mark.parametrize(
    ("wall", "observed", "attempts", "is_broken", "has_warned", "five", "one"), DAYS
)
def test_mail_is_given_up_only_when_both_clocks_and_ten_tries_say_so(
    wall, observed, attempts, is_broken, has_warned, five, one
):
    """No clock alone gives a mail up, and no broken account before five days (P9)."""
    age = Age(wall * DAY_S, observed * DAY_S, attempts)
    for days, expected in ((5, five), (1, one)):
        expired = is_expired(
            age, lifetime_s=days * DAY_S, is_broken=is_broken, has_warned=has_warned
        )
        assert expired is expected


@given(TIMES, TIMES, st.integers(0, 1000), st.booleans(), st.booleans())
def test_mail_is_never_given_up_on_one_clocks_word(wall_s, observed_s, attempts, broken, warned):
    """Whatever is given up is old by both clocks and was tried ten times."""
    lifetime_s = 5 * DAY_S
    age = Age(wall_s, observed_s, attempts)
    if is_expired(age, lifetime_s=lifetime_s, is_broken=broken, has_warned=warned):
        assert min(wall_s, observed_s) >= lifetime_s
        assert attempts >= MIN_ATTEMPTS == 10
        assert warned or not broken


WARNINGS = [
    # wall hours, observed hours, has warned, after -> due
    (4, 4, False, 4, True),
    (4, 4, True, 4, False),
    (3.99, 4, False, 4, False),
    (4, 3.99, False, 4, False),
    (87600, 0.1, False, 4, False),
    (-87600, 100, False, 4, False),
    (100, 100, False, 0, False),
]


@pytest.mark.parametrize(("wall", "observed", "has_warned", "after", "is_due"), WARNINGS)
def test_warning_comes_once_when_both_clocks_say_so(wall, observed, has_warned, after, is_due):
    """A sender hears of a delay once, after it has certainly taken so long."""
    age = Age(wall * HOUR_S, observed * HOUR_S, 1)
    assert is_warning_due(age, after_s=after * HOUR_S, has_warned=has_warned) is is_due
