"""How many mails an account may send: limits that hold in every stretch of time, and a reserve."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.delivery.budget import SLICES, Budget, reserve_of

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


def spend(budget, elapsed_s, *, is_urgent=False, most=10_000):
    """Take as many mails as the budget gives at that moment, and return how many."""
    count = 0
    while count < most and not budget.wait_s(elapsed_s, is_urgent=is_urgent):
        budget.take(elapsed_s)
        count += 1
    return count


RESERVES = [(1, 0), (2, 1), (5, 1), (10, 1), (19, 1), (20, 2), (200, 20), (2000, 200)]


@pytest.mark.parametrize(("limit", "reserve"), RESERVES)
def test_tenth_is_kept_for_urgent_mail(limit, reserve):
    """Ordinary mail stops before the limit; urgent mail does not."""
    assert reserve_of(limit) == reserve
    budget = Budget(limit)
    assert spend(budget, 1000.0) == limit - reserve
    assert spend(budget, 1000.0, is_urgent=True) == reserve
    assert budget.wait_s(1000.0, is_urgent=True) > 0


@pytest.mark.parametrize("name", ["per_minute", "per_hour", "per_day"])
def test_each_window_opens_again(name):
    """What was spent comes back when its window has passed, and a slice's length later at most."""
    length_s = {"per_minute": MINUTE_S, "per_hour": HOUR_S, "per_day": DAY_S}[name]
    budget = Budget(**{name: 10})
    assert budget.has_limits
    assert spend(budget, 0.0) == 9
    wait_s = budget.wait_s(0.0)
    assert length_s <= wait_s <= length_s * (1 + 1 / SLICES)
    assert spend(budget, wait_s - 0.001) == 0
    assert spend(budget, wait_s) == 9


@pytest.mark.parametrize("into_s", [0.0, 1.0, 2.4])
def test_mail_counts_for_a_whole_window_wherever_in_a_slice_it_was_sent(into_s):
    """A mail from the end of a slice is not forgotten with the slice's beginning."""
    budget = Budget(per_minute=1)
    budget.take(into_s)
    assert budget.wait_s(into_s + 59.9) > 0
    record = budget.record(into_s)
    for reboot_s in (0.0, 1.0, 2.4):
        again = Budget(per_minute=1, record=record, elapsed_s=reboot_s)
        assert again.wait_s(reboot_s) >= 57.5 - reboot_s
        assert again.wait_s(59.9) > 0


def test_no_limit_is_no_limit():
    """Nought means that nobody counts."""
    budget = Budget(0, 0, 0)
    assert not budget.has_limits
    assert spend(budget, 0.0, most=100) == 100
    assert budget.record(0.0) == {"version": 1, "elapsed_s": 0.0}


def test_tightest_window_decides():
    """Of several limits, the one that takes longest is waited for."""
    budget = Budget(per_minute=100, per_hour=20)
    assert spend(budget, 0.0) == 18
    assert budget.wait_s(0.0) >= HOUR_S


def test_many_mails_are_taken_at_once():
    """A batch counts as its mails, also beyond the limit."""
    budget = Budget(per_minute=10)
    budget.take(0.0, 25)
    assert budget.wait_s(0.0, is_urgent=True) >= MINUTE_S


@pytest.mark.parametrize("name", ["per_minute", "per_hour", "per_day"])
def test_what_was_not_sent_is_given_back(name):
    """One mail comes back, to the moment at which it was counted, and never more than were."""
    budget = Budget(**{name: 10})
    assert spend(budget, 0.0) == 9
    budget.give_back(0.0)
    assert spend(budget, 0.0) == 1
    budget.give_back(10 * DAY_S)  # nothing was counted then
    assert spend(budget, 0.0) == 0
    for _ in range(20):
        budget.give_back(0.0)
    assert spend(budget, 0.0) == 9


def test_record_survives_a_restart():
    """A new process goes on where the old one was, and counts what time went by."""
    budget = Budget(per_hour=10)
    spend(budget, 5000.0)
    record = json.loads(json.dumps(budget.record(5000.0)))
    for now_s, is_open in (
        (5000.0, False),
        (5000.0 + HOUR_S - 1, False),
        (5000 + 2 * HOUR_S, True),
    ):
        restored = Budget(per_hour=10, record=record, elapsed_s=now_s)
        assert (restored.wait_s(now_s) == 0) is is_open


def test_reboot_does_not_give_the_budget_back():
    """A clock that begins anew proves only that it has run so long."""
    budget = Budget(per_hour=10)
    spend(budget, 5000.0)
    record = budget.record(5000.0)
    assert Budget(per_hour=10, record=record, elapsed_s=30.0).wait_s(30.0) > HOUR_S - 300
    assert Budget(per_hour=10, record=record, elapsed_s=4999.0).wait_s(4999.0) == 0


NONSENSE = [
    {},
    {"minute": 5},
    {"minute": [5, [1], [1, 2, 3], None, "x"]},
    {"minute": [[-1, 5]], "elapsed_s": "x"},
    {"minute": [[0, -5]], "elapsed_s": -1},
    {"minute": [[0, float("nan")]], "elapsed_s": float("inf")},
    {"minute": [[0, 1e300]]},
    {"minute": [[None, True]]},
]


@pytest.mark.parametrize("record", NONSENSE, ids=str)
def test_nonsense_in_a_record_is_nothing_spent(record):
    """A damaged record stops no mail."""
    assert spend(Budget(per_minute=10, record=record, elapsed_s=50.0), 50.0) >= 4


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("pass", "restart", "reboot")),
        st.one_of(
            st.sampled_from((0.0, 0.1, 1.0, 2.4, 2.5, 5.0, 28.0, 57.5, 59.9, 60.0)),
            st.floats(0, 70),
        ),
        st.sampled_from((0, 1, 99)),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(st.integers(1, 12), _STEPS)
def test_no_minute_ever_has_more_than_its_limit(limit, steps):
    """However time passes, and through restarts and reboots, no stretch of 60 s has more (real)."""
    budget, real_s, boot_s = Budget(limit), 0.0, 0.0
    sent = []
    for what, seconds, wishes, is_urgent in steps:
        real_s += seconds
        if what != "pass":
            record = json.loads(json.dumps(budget.record(max(real_s - seconds - boot_s, 0.0))))
            if what == "reboot":
                boot_s = real_s - seconds / 2
            budget = Budget(limit, record=record, elapsed_s=real_s - boot_s)
        taken = spend(budget, real_s - boot_s, is_urgent=is_urgent, most=wishes)
        sent += [real_s] * taken
    for start in sent:
        assert sum(start <= moment < start + MINUTE_S for moment in sent) <= limit


def test_restart_lets_nothing_through_before_its_time():
    """Neither reading of the clock says where in its slice a mail was taken: the later counts."""
    slice_s = MINUTE_S / SLICES
    for taken_s in (0.0, slice_s * 0.9):
        budget = Budget(per_minute=10)
        spend(budget, taken_s)
        record = json.loads(json.dumps(budget.record(slice_s * 0.95)))
        # The clock has begun anew: that it ran for nearly a minute since is all that is known.
        now_s = MINUTE_S - slice_s * 0.05
        restored = Budget(per_minute=10, record=record, elapsed_s=now_s)
        assert restored.wait_s(now_s) > 0
