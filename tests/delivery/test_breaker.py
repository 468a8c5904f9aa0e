"""Whether an account may be tried: ever more seldom, and never more than eight logins in a day."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.delivery.breaker import MAX_LOGINS, SENDERS_IN_A_ROW, Breaker, fingerprint
from pillarbox.delivery.policy import BROKEN, KINDS

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
WALL_S = 1.8e9


def fail(breaker, kind, elapsed_s, **more):
    """Have a connection fail at that moment."""
    breaker.trying(elapsed_s)
    return breaker.failed(
        kind, f"{kind} failed", now_s=WALL_S, elapsed_s=elapsed_s, chance=0.0, **more
    )


def restored(breaker, elapsed_s, *, saved_s=None, **more):
    """Return what a new process makes of a breaker."""
    record = json.loads(json.dumps(breaker.record(elapsed_s if saved_s is None else saved_s)))
    return Breaker(record, elapsed_s=elapsed_s, **more)


def tries(breaker, kind, until_s, *, start_s=0.0, is_login_made=True):
    """Return when an account that always fails is tried, as hours from the first."""
    moments, now_s = [], start_s
    while now_s < until_s:
        if not breaker.may_try(now_s):
            now_s += max(breaker.wait_s(now_s), 0.001)
            continue
        moments.append(round((now_s - start_s) / HOUR_S, 3))
        fail(breaker, kind, now_s, is_login_made=is_login_made)
    return moments


def test_new_account_is_tried_once_before_twice():
    """Until a login has succeeded, one connection finds out for all."""
    breaker = Breaker(elapsed_s=0.0)
    assert breaker.may_try(0.0)
    assert (breaker.parallel, breaker.is_proven) == (1, False)
    breaker.trying(0.0)
    assert breaker.succeeded(1.0) is False
    assert (breaker.parallel, breaker.is_proven) == (0, True)
    assert (breaker.kind, breaker.is_open, breaker.is_broken) == ("", False, False)
    assert not breaker.needs_notice


def test_wrong_password_is_tried_at_0_15_minutes_1_hour_and_every_4_hours():
    """A login that is refused is made eight times in a day."""
    hours = tries(Breaker(elapsed_s=0.0), "login", DAY_S)
    assert hours == [0, 0.25, 1.25, 5.25, 9.25, 13.25, 17.25, 21.25]
    assert len(hours) == MAX_LOGINS == 8


def test_locked_account_is_left_alone_for_four_hours():
    """Where the provider says that the account is locked, the short steps are left out."""
    assert tries(Breaker(elapsed_s=0.0), "locked", DAY_S) == [0, 4, 8, 12, 16, 20]


def test_faulty_certificate_is_looked_at_every_hour():
    """TLS fails before a password is shown: 5, 15, 60 minutes, then hourly."""
    hours = tries(Breaker(elapsed_s=0.0), "tls", 4 * HOUR_S, is_login_made=False)
    assert hours == pytest.approx([0, 1 / 12, 1 / 3, 4 / 3, 7 / 3, 10 / 3], abs=1e-3)


def test_unreachable_server_is_tried_for_ever():
    """What costs no login has no limit in a day."""
    hours = tries(Breaker(elapsed_s=0.0), "site", 10 * DAY_S, is_login_made=False)
    assert len(hours) > 500


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_makes_nine_logins_a_day(kind):
    """Whatever a server answers to a login, the ninth waits for the first to be a day old."""
    hours = tries(Breaker(elapsed_s=0.0), kind, 3 * DAY_S)
    assert all(
        later - early > 23.99 for early, later in zip(hours, hours[MAX_LOGINS:], strict=False)
    )


def test_success_closes_it_and_forgets_the_steps():
    """A login that works has the next failure begin anew."""
    breaker = Breaker(elapsed_s=0.0)
    for now_s in (0.0, 1000.0, 9000.0):
        assert breaker.may_try(now_s)
        fail(breaker, "login", now_s)
    assert breaker.failures == 3
    breaker.trying(50_000.0)
    assert breaker.succeeded(50_000.0) is True
    assert (breaker.kind, breaker.reason, breaker.since_s, breaker.failures) == ("", "", 0.0, 0)
    fail(breaker, "login", 50_001.0)
    assert breaker.wait_s(50_001.0) == 15 * MINUTE_S


def test_person_is_told_once_an_opening():
    """Each try that fails again is no news; the next opening is."""
    breaker = Breaker(elapsed_s=0.0)
    assert fail(breaker, "login", 0.0) is True
    assert (breaker.needs_notice, breaker.is_broken, breaker.since_s) == (True, True, WALL_S)
    assert breaker.reason == "login failed"
    breaker.told()
    assert not breaker.needs_notice
    assert fail(breaker, "login", 1000.0) is False
    assert not breaker.needs_notice
    assert not restored(breaker, 1001.0).needs_notice
    breaker.trying(9000.0)
    breaker.succeeded(9000.0)
    fail(breaker, "login", 9001.0)
    assert breaker.needs_notice


def test_another_fault_is_news():
    """An account whose certificate breaks while its login is broken has a person told again."""
    breaker = Breaker(elapsed_s=0.0)
    fail(breaker, "login", 0.0)
    breaker.told()
    assert fail(breaker, "tls", 1000.0, is_login_made=False) is True
    assert (breaker.kind, breaker.needs_notice) == ("tls", True)


NOTABLE = [
    # kind, failures in a row -> broken, to be told
    ("site", 9, False, False),
    ("busy", 9, False, False),
    ("dropped", 3, False, False),
    ("daily", 3, False, False),
    ("tomorrow", 3, False, False),
    ("throttled", 1, False, False),
    ("throttled", 2, False, True),
    ("protocol", 2, False, False),
    ("protocol", 3, True, True),
    ("login", 1, True, True),
    ("locked", 1, True, True),
    ("tls", 1, True, True),
    ("blocked", 1, True, True),
    ("settings", 1, True, True),
    ("internal", 1, True, True),
]


@pytest.mark.parametrize(("kind", "failures", "is_broken", "is_told"), NOTABLE)
def test_person_is_told_of_what_does_not_pass(kind, failures, is_broken, is_told):
    """What passes by itself is nobody's business, what does not is; chance needs three strikes."""
    breaker = Breaker(elapsed_s=0.0)
    for number in range(failures):
        fail(breaker, kind, number * 2 * DAY_S, is_login_made=False)
    assert (breaker.is_broken, breaker.needs_notice) == (is_broken, is_told)
    assert breaker.is_open
    assert breaker.parallel == 1


def test_broken_account_stays_so_when_its_server_is_away():
    """That a server cannot be reached now does not mend the password, nor count as a login."""
    breaker = Breaker(elapsed_s=0.0)
    fail(breaker, "login", 0.0)
    fail(breaker, "site", 1000.0, is_login_made=False)
    assert (breaker.kind, breaker.is_broken) == ("login", True)
    assert breaker.wait_s(1000.0) == pytest.approx(48.0)
    fail(breaker, "login", 1060.0)
    assert breaker.wait_s(1060.0) == HOUR_S


def test_more_of_the_same_while_it_waits_changes_nothing():
    """Two connections that fail at once are one failure; something graver is another."""
    breaker = Breaker(elapsed_s=0.0)
    for _ in range(3):
        fail(breaker, "site", 0.0, is_login_made=False)
    assert (breaker.failures, breaker.wait_s(0.0)) == (1, pytest.approx(48.0))
    assert fail(breaker, "login", 1.0) is True
    assert (breaker.kind, breaker.wait_s(1.0)) == ("login", 15 * MINUTE_S)
    assert fail(breaker, "site", 2.0, is_login_made=False) is False
    assert (breaker.kind, breaker.wait_s(1.0)) == ("login", 15 * MINUTE_S)


def test_graver_failure_never_shortens_a_wait():
    """An account that waits for tomorrow is not tried in five minutes because TLS fails, too."""
    breaker = Breaker(elapsed_s=0.0)
    fail(breaker, "tomorrow", 0.0, is_session=True)
    before_s = breaker.wait_s(10.0)
    fail(breaker, "tls", 10.0, is_login_made=False)
    assert breaker.wait_s(10.0) == before_s


def test_logins_under_way_count_until_they_succeed():
    """However many connections are opened at once, eight logins are the most that can fail."""
    breaker = Breaker(elapsed_s=0.0)
    for _ in range(MAX_LOGINS):
        assert breaker.may_try(0.0)
        breaker.trying(0.0)
    assert not breaker.may_try(0.0)
    breaker.succeeded(1.0)
    assert breaker.may_try(1.0)


def test_login_that_was_cut_off_by_a_crash_counts():
    """A process that dies between login and answer, again and again, logs in eight times a day."""
    breaker, logins, now_s = Breaker(elapsed_s=0.0), 0, 0.0
    while now_s < DAY_S - 1:
        if breaker.may_try(now_s):
            breaker.trying(now_s)
            logins += 1
        breaker = restored(breaker, now_s)
        now_s += 60.0
    assert logins == MAX_LOGINS


def test_kills_in_the_middle_of_logins_close_no_healthy_account():
    """A login that works forgets those whose end nobody saw: they had the same password."""
    breaker, now_s = Breaker(elapsed_s=0.0), 0.0
    for _ in range(30):
        breaker.trying(now_s)
        breaker = restored(breaker, now_s)  # killed
        assert breaker.wait_s(now_s) == 0
        breaker.trying(now_s + 1)
        breaker.succeeded(now_s + 1)
        now_s += 10
    assert breaker.may_try(now_s)


def test_process_that_is_killed_at_each_login_waits_ever_longer():
    """Without a word from the server, a wait of hours takes the place of a burst and a day."""
    breaker, now_s, waits = Breaker(elapsed_s=0.0), 0.0, []
    for _ in range(5):
        breaker.trying(now_s)
        breaker = restored(breaker, now_s)
        waits.append(breaker.wait_s(now_s) / MINUTE_S)
        now_s += breaker.wait_s(now_s)
    breaker = restored(breaker, now_s - 1, saved_s=now_s - 14400)
    assert waits == [0, 30, 240, 240, 240]
    breaker.resume()
    breaker.trying(now_s - 1)
    breaker.succeeded(now_s - 1)
    assert breaker.may_try(now_s - 1)
    # Four connections that were killed together are one crash.
    many = Breaker(elapsed_s=0.0)
    for _ in range(4):
        many.trying(0.0)
    assert restored(many, 0.0).may_try(0.0)


def test_lost_connection_has_one_login_find_out_for_all():
    """A server that went away under open connections may come back with another password."""
    breaker = Breaker(elapsed_s=0.0)
    breaker.trying(0.0)
    breaker.succeeded(0.0)
    for kind in ("busy", "daily", "tomorrow", "sender"):
        breaker.failed(kind, "x", now_s=WALL_S, elapsed_s=1.0, is_session=True)
        assert breaker.is_proven
    breaker.failed("site", "lost", now_s=WALL_S, elapsed_s=1.0, is_session=True)
    assert not breaker.is_proven
    breaker.resume()
    assert breaker.parallel == 1


def test_session_failure_is_no_login():
    """What fails behind a login that worked does not use up the day's logins."""
    breaker = Breaker(elapsed_s=0.0)
    for number in range(20):
        now_s = number * HOUR_S
        breaker.trying(now_s)
        breaker.succeeded(now_s)
        assert breaker.may_try(now_s) or number
        breaker.failed("site", "lost", now_s=WALL_S, elapsed_s=now_s, is_session=True)
    assert breaker.wait_s(20 * HOUR_S) == 0


def test_session_that_is_ready_does_not_disprove_what_mails_meet():
    """A server that takes the login and drops each mail is tried ever more seldom all the same."""
    breaker, waits = Breaker(elapsed_s=0.0), []
    for number in range(4):
        now_s = number * DAY_S
        breaker.trying(now_s)
        breaker.succeeded(now_s)
        fail(breaker, "site", now_s, is_session=True)
        waits.append(breaker.wait_s(now_s) / MINUTE_S)
    assert waits == pytest.approx([0.8, 1.6, 4, 8])
    assert breaker.mail_accepted() is True
    assert (breaker.kind, breaker.failures, breaker.may_try(now_s)) == ("", 0, True)
    assert breaker.mail_accepted() is False


def test_login_that_works_does_not_disprove_what_a_mail_hears_of_it():
    """A server that takes the login and says 530 to MAIL is as broken as one that does not."""
    breaker = Breaker(elapsed_s=0.0)
    waits = []
    for now_s in (0.0, DAY_S, 2 * DAY_S):
        breaker.trying(now_s)
        breaker.succeeded(now_s)
        breaker.failed("login", "530", now_s=WALL_S, elapsed_s=now_s, chance=0.0, is_session=True)
        waits.append(breaker.wait_s(now_s) / MINUTE_S)
        assert breaker.needs_notice is (now_s == 0)
        breaker.told()
        breaker = restored(breaker, now_s)
    assert waits == [15, 60, 240]
    assert breaker.mail_accepted() is True
    assert breaker.kind == ""


def test_mail_that_goes_through_does_not_disprove_a_failed_login():
    """A connection from before the password was changed proves nothing of the new login."""
    breaker = Breaker(elapsed_s=0.0)
    fail(breaker, "login", 0.0)
    assert breaker.mail_accepted() is False or breaker.kind == "login"
    assert breaker.wait_s(0.0) == 15 * MINUTE_S


def test_busy_server_is_left_in_peace_from_the_third_mail_on():
    """Two mails that are deferred may have reasons of their own."""
    breaker = Breaker(elapsed_s=0.0)
    for expected in (0, 0, 48):
        breaker.failed("busy", "x", now_s=WALL_S, elapsed_s=0.0, chance=0.0, is_session=True)
        assert breaker.wait_s(0.0) == pytest.approx(expected)


def refuse(breaker, sender, now_s=0.0):
    """Have a sender refused."""
    return breaker.sender_refused(sender, "refused", now_s=WALL_S, elapsed_s=now_s, chance=0.0)


def test_third_sender_in_a_row_opens_it():
    """One program's wrong address is its own; three of them mean the account."""
    breaker = Breaker(elapsed_s=0.0)
    for sender in ("a@x", "b@x", "a@x", "b@x", "b@x"):
        assert refuse(breaker, sender) is False
        assert (breaker.kind, breaker.may_try(0.0)) == ("", True)
    assert refuse(breaker, "") is True
    assert (breaker.kind, breaker.is_broken, breaker.needs_notice) == ("sender", True, True)
    assert breaker.wait_s(0.0) == 15 * MINUTE_S
    assert refuse(breaker, "a@x", 1000.0) is False
    assert breaker.wait_s(1000.0) == HOUR_S
    assert SENDERS_IN_A_ROW == 3


def test_mail_that_goes_through_breaks_the_row_of_senders():
    """Refusals with a success between them are no row, also across a restart."""
    breaker = Breaker(elapsed_s=0.0)
    refuse(breaker, "a@x")
    refuse(breaker, "b@x")
    breaker.mail_accepted()
    assert refuse(breaker, "c@x") is False
    assert refuse(breaker, "d@x") is False
    assert refuse(restored(breaker, 0.0), "e@x") is True


def test_resume_has_it_tried_at_once_and_anew():
    """A person who mended something need not wait, even with the day's logins used up."""
    breaker = Breaker(elapsed_s=0.0)
    tries(breaker, "login", DAY_S)
    now_s = 80_000.0
    assert breaker.wait_s(now_s) > 1000
    breaker.told()
    breaker.resume()
    assert (breaker.kind, breaker.may_try(now_s), breaker.parallel) == ("", True, 1)
    breaker.trying(now_s)
    assert not breaker.may_try(now_s)  # one try was asked for, not as many as you like
    breaker.failed("login", "again", now_s=WALL_S, elapsed_s=now_s)
    assert breaker.needs_notice
    assert breaker.wait_s(now_s) >= 15 * MINUTE_S


@pytest.mark.parametrize("kind", ["site", "login", "tls"])
def test_account_that_was_not_reached_is_tried_by_one_connection_first(kind):
    """When the way is free again, four connections must not make four wrong logins at once."""
    breaker = Breaker(elapsed_s=0.0)
    breaker.trying(0.0)
    breaker.succeeded(0.0)
    assert breaker.parallel == 0
    fail(breaker, kind, 1.0, is_login_made=False)
    breaker.hurry()
    assert breaker.parallel == 1
    breaker.trying(2.0)
    breaker.succeeded(2.0)
    breaker.resume()
    assert breaker.parallel == 1


@pytest.mark.parametrize("kind", KINDS)
def test_network_that_is_back_costs_no_login(kind):
    """A cable that is loose has a server knocked at often, and no password shown more often."""
    breaker = Breaker(elapsed_s=0.0)
    for number in range(3):
        fail(breaker, kind, number * 3 * DAY_S, is_login_made=False)
    now_s = 6 * DAY_S
    before_s = breaker.wait_s(now_s)
    assert before_s > 0
    assert breaker.hurry() is (kind in {"site", "busy"})
    assert breaker.wait_s(now_s) == (0 if kind in {"site", "busy"} else before_s)
    assert not Breaker(elapsed_s=0.0).hurry()


def test_pause_ends_only_when_a_person_says_so():
    """Neither time, nor a restart, a network, a success or another password ends a pause."""
    breaker = Breaker(elapsed_s=0.0, fingerprint="old")
    assert breaker.pause(WALL_S) is True
    assert breaker.pause(WALL_S + 5) is False
    breaker.hurry()
    breaker.use("new")
    breaker.succeeded(1.0)
    breaker.mail_accepted()
    for each in (breaker, restored(breaker, 2.0, fingerprint="other")):
        assert not each.may_try(50 * DAY_S)
        assert (each.is_paused, each.is_open, each.is_broken) == (True, True, False)
        assert each.paused_s == WALL_S
        assert not each.needs_notice
    breaker.resume()
    assert breaker.may_try(3.0)
    assert (breaker.is_paused, breaker.is_open) == (False, False)


def test_changed_settings_have_it_tried_at_once():
    """A new password is a reason to try; the same one, read again, is none."""
    old, new = fingerprint("me", "secret"), fingerprint("me", "other")
    assert len({old, new, fingerprint("mes", "ecret")}) == 3
    assert len(old) == 4
    breaker = Breaker(elapsed_s=0.0, fingerprint=old)
    fail(breaker, "login", 0.0)
    assert breaker.use(old) is False
    assert not breaker.may_try(1.0)
    assert not restored(breaker, 1.0, fingerprint=old).may_try(1.0)
    assert restored(breaker, 1.0, fingerprint=new).may_try(1.0)
    assert breaker.use(new) is True
    assert breaker.may_try(1.0)


@pytest.mark.parametrize("kind", [*KINDS[1:]])
def test_restart_remembers(kind):
    """A new process waits on, knows since when, and tells nobody again."""
    breaker = Breaker(elapsed_s=1000.0)
    for number in range(3):
        fail(breaker, kind, 1000.0 + number * 3 * DAY_S, is_login_made=kind == "login")
    breaker.told()
    saved_s = 1000.0 + 6 * DAY_S
    again = restored(breaker, saved_s + 10)
    for name in ("kind", "reason", "since_s", "failures", "is_broken", "needs_notice"):
        assert getattr(again, name) == getattr(breaker, name), name
    waits = kind != "site"  # to knock costs nothing
    assert again.wait_s(saved_s + 10) == pytest.approx(
        breaker.wait_s(saved_s + 10) if waits else 0.0
    )
    assert not again.is_proven


def test_restart_knows_how_old_a_login_is():
    """The ninth try is due a day behind the first, in this process or in the next."""
    breaker = Breaker(elapsed_s=0.0)
    tries(breaker, "login", DAY_S)  # the last at 21.25, the next is due at 25.25
    record = breaker.record(22 * HOUR_S)
    for hours, is_due in ((25.2, False), (25.3, True)):
        now_s = hours * HOUR_S
        assert Breaker(record, elapsed_s=now_s).may_try(now_s) is is_due
        assert breaker.may_try(now_s) is is_due


def test_reboot_counts_only_time_that_has_certainly_passed():
    """A clock that begins anew proves that it has run so long, and nothing of the time before."""
    breaker = Breaker(elapsed_s=0.0)
    tries(breaker, "login", 6 * HOUR_S)  # the last at 5.25, the next is due at 9.25
    saved_s = 6 * HOUR_S
    wait_s = breaker.wait_s(saved_s)
    assert restored(breaker, 60.0, saved_s=saved_s).wait_s(60.0) == pytest.approx(wait_s - 60)
    # The machine has run for longer than it had when the record was made: for all that is known
    # it is the same boot.
    later_s = saved_s + 600
    assert restored(breaker, later_s, saved_s=saved_s).wait_s(later_s) == pytest.approx(
        wait_s - 600
    )


NONSENSE = [
    {},
    {"kind": "nonsense", "steps": {"nonsense": 1}},
    {"kind": 5, "steps": [], "told": "x", "senders": None, "login_ages_s": {}},
    {"steps": {"login": "x"}, "login_ages_s": ["x", None, -1, float("nan")]},
    {"wait_s": float("inf"), "elapsed_s": float("-inf"), "failures": -1},
    {"wait_s": True, "pending": "x", "since_s": [], "fingerprint": 5},
]


@pytest.mark.parametrize("record", NONSENSE, ids=str)
def test_nonsense_in_a_record_closes_no_account(record):
    """A damaged record stops no mail, and the account works from there."""
    breaker = Breaker(record, elapsed_s=5.0)
    assert breaker.kind == ""
    assert breaker.may_try(5.0)
    fail(breaker, "login", 5.0)
    assert breaker.wait_s(5.0) == 15 * MINUTE_S
    json.dumps(breaker.record(5.0), allow_nan=False)


def test_record_says_no_more_than_it_must():
    """A reason is cut, and senders are three at the most: the record cannot grow."""
    breaker = Breaker(elapsed_s=0.0)
    for number in range(50):
        refuse(breaker, f"{number}@x", number * DAY_S)
        breaker.resume()
        breaker.trying(number * DAY_S)
        breaker.failed("login", "x" * 9999, now_s=WALL_S, elapsed_s=number * DAY_S)
    assert len(json.dumps(breaker.record(50 * DAY_S))) < 2000


class World:
    """A machine with a real time, a calendar that jumps and a clock that begins anew at a boot."""

    def __init__(self):
        self.real_s = 0.0
        self.boot_s = 0.0
        self.wall_shift_s = WALL_S
        self.breaker = Breaker(elapsed_s=0.0)
        self.saved = self.breaker.record(0.0)
        self.logins = []  # in real time, those that did not succeed
        self.unseen = []  # those whose end nobody saw, since the last that succeeded
        self.resumes = []

    @property
    def elapsed_s(self):
        """What the clock says that begins anew at each boot."""
        return self.real_s - self.boot_s

    def save(self):
        """Write the record down."""
        self.saved = json.loads(json.dumps(self.breaker.record(self.elapsed_s)))

    def restart(self):
        """Begin again with what was written down."""
        self.breaker = Breaker(self.saved, elapsed_s=self.elapsed_s)

    def login(self, outcome, lasts_s):
        """Try if it may be tried; a crash comes before the answer is recorded."""
        breaker = self.breaker
        if not breaker.may_try(self.elapsed_s):
            return
        breaker.trying(self.elapsed_s)
        self.save()
        self.real_s += lasts_s
        if outcome == "success":
            breaker.succeeded(self.elapsed_s)
            breaker.mail_accepted()
            self.unseen.clear()
            self.save()
            return
        is_login_made = outcome not in ("site", "tls")
        if outcome == "crash":
            self.unseen.append(self.real_s)
            self.restart()
            return
        if is_login_made:
            self.logins.append(self.real_s)
        breaker.failed(
            outcome,
            "x",
            now_s=self.real_s + self.wall_shift_s,
            elapsed_s=self.elapsed_s,
            is_login_made=is_login_made,
        )
        self.save()


_OUTCOMES = (*sorted(BROKEN - {"internal"}), "throttled", "dropped", "site", "success", "crash")
_SPANS = st.sampled_from((1.0, 40.0, 600.0, 3000.0, 4 * HOUR_S, 7 * HOUR_S, DAY_S))
_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), _SPANS),
        st.tuples(st.just("login"), st.sampled_from(_OUTCOMES)),
        st.tuples(st.just("wrong password"), st.integers(1, 12)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("reboot"), _SPANS),
        st.tuples(st.just("clock"), st.sampled_from((-3.2e8, 3.2e8, -1.0e9, DAY_S))),
        st.tuples(st.just("resume"), st.just(0)),
    ),
    max_size=60,
)


def step(world, what, argument):
    """Have one thing happen."""
    if what == "pass":
        world.real_s += argument
    elif what == "login":
        world.login(argument, 1.0)
    elif what == "wrong password":
        for number in range(argument):
            world.real_s += world.breaker.wait_s(world.elapsed_s)
            world.login("crash" if number % 3 == 2 else "login", 300.0)
    elif what == "restart":
        world.restart()
    elif what == "reboot":
        world.real_s += argument
        world.boot_s = world.real_s - 5.0
        world.restart()
    elif what == "clock":
        world.wall_shift_s += argument
    else:
        world.breaker.resume()
        world.save()
        world.resumes.append(world.real_s)


@settings(max_examples=300)
@given(_EVENTS)
def test_never_more_than_eight_logins_in_any_day(events):
    """Through every order of failures, crashes, reboots and jumps of the calendar (R9)."""
    world = World()
    for event in events:
        step(world, *event)
    # One step more for rounding: times are sums of many floats.
    day_s = DAY_S - 1e-3
    logins = world.logins + world.unseen
    for start in logins:
        made = sum(start <= moment < start + day_s for moment in logins)
        asked = sum(start - day_s < moment < start + day_s for moment in world.resumes)
        assert made <= MAX_LOGINS + asked


@given(_EVENTS)
def test_account_always_comes_back(events):
    """Whatever happened, a day later it is tried again, and a success mends everything."""
    world = World()
    for event in events:
        step(world, *event)
    wait_s = world.breaker.wait_s(world.elapsed_s)
    assert 0 <= wait_s <= DAY_S + HOUR_S
    world.real_s += wait_s
    world.login("success", 1.0)
    assert (world.breaker.kind, world.breaker.failures, world.breaker.parallel) == ("", 0, 0)
    world.restart()
    assert world.breaker.wait_s(world.elapsed_s) <= DAY_S


def test_attack_made_up_senders_of_one_user():
    """Whatever senders one user makes up, the account of all others stays open."""
    breaker = Breaker(elapsed_s=0.0)
    for number in range(50):
        sender = f"nobody{number}@example.org"
        assert not breaker.sender_refused(
            sender, "553 not owned", now_s=0.0, elapsed_s=1.0, stranger=1000
        )
        record = json.loads(json.dumps(breaker.record(1.0)))
        breaker = Breaker(record, elapsed_s=1.0)
    assert not breaker.is_open
    # Somebody else's is refused as well: now it is the account.
    assert breaker.sender_refused("b@example.org", "553", now_s=0.0, elapsed_s=1.0, stranger=1001)
    assert breaker.kind == "sender"


def test_refused_senders_of_who_runs_the_machine_end_it():
    """Root's mail is refused under three senders: nobody's would be taken."""
    breaker = Breaker(elapsed_s=0.0)
    opened = [
        breaker.sender_refused(f"{name}@example.org", "553", now_s=0.0, elapsed_s=1.0)
        for name in "abc"
    ]
    assert opened == [False, False, True]


def test_network_that_is_back_mends_no_login():
    """What was refused before the cable was loose goes on with its own delays."""
    breaker = Breaker(elapsed_s=0.0)
    fail(breaker, "login", 0.0)
    fail(breaker, "login", DAY_S)
    second_s = breaker.wait_s(DAY_S)
    fail(breaker, "site", 2 * DAY_S, is_login_made=False)
    breaker.hurry()
    assert breaker.kind in ("", "login")
    fail(breaker, "login", 3 * DAY_S)
    assert breaker.wait_s(3 * DAY_S) > second_s
