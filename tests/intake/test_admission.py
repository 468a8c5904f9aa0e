"""The gate in front of the spool: what each user may use up, and what is left for root."""

from __future__ import annotations

import dataclasses

import pytest

from pillarbox.config.places import find_places
from pillarbox.config.service import parse_service
from pillarbox.errors import SpoolError
from pillarbox.intake.admission import Admission, refusal
from pillarbox.mail.address import parse_mailbox
from pillarbox.spool.base import Room

JOE, ANN, ROOT = 1000, 1001, 0
GIB = 1 << 30


class World:
    """Surroundings that a test changes."""

    def __init__(self):
        self.now_s = 1000.0
        self.free = Room(100 * GIB, 200 * GIB, 9000, 10000)
        self.shares = {}
        self.count = 0
        self.rules = {}
        self.asked = 0

    def elapsed_s(self):
        """Return the time that a test says it is."""
        return self.now_s

    def room(self):
        """Return the room that a test says there is."""
        if self.free is None:
            raise SpoolError("it is gone")
        return self.free

    def owner_share(self, uid):
        """Return what a test says that waits."""
        return self.shares.get(uid, (0, 0))

    def queue_count(self):
        """Likewise."""
        return self.count

    def has_patterns(self):
        """Return whether there are rules."""
        return bool(self.rules)

    def patterns(self, uid):
        """Count that it was asked, and answer."""
        self.asked += 1
        return self.rules.get(uid)

    def names(self, uid):
        """Return the two names that a user has."""
        return frozenset({f"user{uid}", f"user{uid}@host.example.org"})


class Gate(Admission):
    """A gate with small limits, the notes that it made, and the default of everything else."""

    def __init__(self, *, owner_uid=-1, **limits):
        self.world = World()
        self.notes = []
        base = parse_service({}, find_places({"HOME": "/"}, is_user=True)).limits
        small = {
            "max_message_bytes": 1000,
            "per_user_rate_per_minute": 60,
            "per_user_burst": 5,
            "per_user_share_count": 10,
            "per_user_share_bytes": 5000,
            "max_queue_count": 100,
            "max_connections": 6,
            "max_connections_per_user": 3,
        }
        super().__init__(
            dataclasses.replace(base, **(small | limits)),
            self.world,
            note=lambda uid, reason: self.notes.append((uid, reason)),
            owner_uid=owner_uid,
        )

    def mails(self, uid, count, size=10):
        """Return how many of so many mails are let through."""
        return sum(self.judge_mail(uid, size) is None for _ in range(count))


@pytest.fixture
def gate():
    """Return a gate with small limits."""
    return Gate()


def said(reply):
    """Return code and enhanced code of a refusal; None: there is none."""
    return reply and (reply.code, str(reply.enhanced))


# -- the rate --------------------------------------------------------------------------------------


def test_a_flood_is_cut_off_and_root_still_gets_through(gate):
    """Attack L11: of a user's ten thousand mails a handful comes in; root's alert comes in too."""
    assert gate.mails(JOE, 10_000) == 5
    assert said(gate.judge_mail(JOE, 10)) == (452, "4.7.1")
    assert gate.judge_mail(ROOT, 10) is None
    assert gate.judge_mail(ANN, 10) is None


def test_the_bucket_fills_with_time_up_to_its_brim(gate):
    """A mail a second at 60 a minute; waiting long gives no more than the burst."""
    gate.mails(JOE, 5)
    gate.world.now_s += 1.0
    assert gate.mails(JOE, 5) == 1
    gate.world.now_s += 2.5
    assert gate.mails(JOE, 5) == 2
    gate.world.now_s += 1e6
    assert gate.mails(JOE, 50) == 5


def test_a_clock_that_goes_back_gives_nothing(gate):
    """And takes nothing either."""
    gate.mails(JOE, 4)
    gate.world.now_s -= 500.0
    assert gate.mails(JOE, 5) == 1


def test_root_has_ten_times_as_much(gate):
    """Root's own broken job is cut off too."""
    assert gate.mails(ROOT, 1000) == 50


def test_the_owner_of_his_own_queue_is_its_root():
    """In a queue of one user there is nobody whom he could crowd out."""
    gate = Gate(owner_uid=JOE)
    assert gate.mails(JOE, 1000) == 50
    assert gate.mails(ANN, 1000) == 5


def test_so_many_users_are_remembered_that_a_flood_of_ids_forgets_none_that_floods(gate):
    """Attack: 65,536 ids of a user namespace must not fill the memory, nor free a flooder."""
    for uid in range(10_000, 30_000):
        gate.judge_mail(uid, 10)
        gate.world.now_s += 0.00001
    gate.mails(JOE, 5)
    for uid in range(40_000, 42_000):
        gate.judge_mail(uid, 10)
    assert gate.mails(JOE, 5) == 0
    assert len(gate._buckets) <= 4096 + 1


# -- the queue -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "uid", "expected"),
    [
        ((9, 0), JOE, None),
        ((10, 0), JOE, (452, "4.7.1")),
        ((99, 0), ROOT, None),
        ((100, 0), ROOT, (452, "4.7.1")),
        ((1, 4990), JOE, None),
        ((1, 4991), JOE, (452, "4.7.1")),
        ((1, 49_990), ROOT, None),
        ((1, 49_991), ROOT, (452, "4.7.1")),
    ],
)
def test_each_user_has_a_share_of_the_queue(gate, share, uid, expected):
    """In mails and in octets; root ten times as much of both."""
    gate.world.shares[uid] = share
    assert said(gate.judge_mail(uid, 10)) == expected


@pytest.mark.parametrize(
    ("count", "uid", "expected"),
    [
        (89, JOE, None),
        (90, JOE, (452, "4.3.1")),
        (99, ROOT, None),
        (100, ROOT, (452, "4.3.1")),
    ],
)
def test_the_last_places_of_the_queue_are_roots(gate, count, uid, expected):
    """A tenth of them."""
    gate.world.count = count
    assert said(gate.judge_mail(uid, 10)) == expected


@pytest.mark.parametrize("uid", [JOE, ROOT])
def test_a_mail_that_says_it_is_too_large_costs_nothing(gate, uid):
    """It is refused for ever, and takes none of the user's rate."""
    assert said(gate.judge_mail(uid, 1001)) == (552, "5.3.4")
    assert gate.judge_mail(uid, 1000) is None
    assert gate.mails(JOE, 10) == (4 if uid == JOE else 5)


# -- the disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "size", "uid", "expected"),
    [
        (Room(50, 1000, 500, 1000), 10, JOE, None),
        (Room(49, 1000, 500, 1000), 10, JOE, (452, "4.3.1")),  # 5 %
        (Room(400, 1000, 500, 1000), 100, JOE, None),
        (Room(399, 1000, 500, 1000), 100, JOE, (452, "4.3.1")),  # four times its size
        (Room(49, 1000, 500, 1000), 10, ROOT, None),
        (Room(100, 1000, 500, 1000), 100, ROOT, None),
        (Room(99, 1000, 500, 1000), 100, ROOT, (452, "4.3.1")),
        (Room(500, 1000, 50, 1000), 10, JOE, None),
        (Room(500, 1000, 49, 1000), 10, JOE, (452, "4.3.1")),
        (Room(500, 1000, 1, 1000), 10, ROOT, None),
        (Room(500, 1000, 0, 1000), 10, ROOT, (452, "4.3.1")),
        (Room(0, 0, 0, 0), 10, JOE, None),  # no limit
        (Room(10**6, 10**6, 0, 0), 1001, JOE, (552, "5.3.4")),
        (Room(10**6, 10**6, 0, 0), 1001, ROOT, (552, "5.3.4")),
    ],
)
def test_a_full_disk_is_noticed_before_it_is_full(gate, room, size, uid, expected):
    """Attack P7: some room and some inodes are left; the last of both are root's."""
    gate.world.free = room
    assert said(gate.judge_room(uid, size)) == expected


def test_a_disk_that_does_not_answer_is_its_callers_care(gate):
    """The error passes through, to become a temporary refusal."""
    gate.world.free = None
    with pytest.raises(SpoolError):
        gate.judge_room(JOE, 1)


# -- connections -----------------------------------------------------------------------------------


def test_no_user_has_more_than_his_connections(gate):
    """The fourth is refused, and comes in when another has gone."""
    assert [said(gate.enter(JOE)) for _ in range(4)] == [None, None, None, (421, "4.7.0")]
    gate.leave(JOE)
    assert gate.enter(JOE) is None


def test_all_users_together_leave_some_for_root(gate):
    """Six at most, and root as many as he needs."""
    for uid in (1, 1, 1, 2, 2, 2):
        assert gate.enter(uid) is None
    assert said(gate.enter(3)) == (421, "4.7.0")
    assert gate.enter(ROOT) is None


def test_what_was_refused_is_not_counted(gate):
    """Knocking in vain does not keep the door shut."""
    for _ in range(3):
        gate.enter(JOE)
    for _ in range(50):
        gate.enter(JOE)
    for _ in range(3):
        gate.leave(JOE)
    assert gate._connections == {}
    assert gate.enter(JOE) is None


# -- senders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "is_fine"),
    [
        ("joe@example.org", True),
        ("Joe@Example.org", True),
        ("anybody@lists.example.org", True),
        ("user1000", True),
        ("USER1000@host.example.org", True),
        ("ann@example.org", False),
        ("user1001", False),
        ("user1000@elsewhere.example.org", False),
        ("joe@example.org.evil.example", False),
    ],
)
def test_a_user_with_patterns_sends_as_these_and_as_himself(gate, sender, is_fine):
    """Attack L6: everybody else's address is refused for ever, which becomes EX_NOPERM."""
    gate.world.rules[JOE] = ("joe@example.org", "*@lists.example.org")
    expected = None if is_fine else (550, "5.7.1")
    assert said(gate.judge_sender(JOE, parse_mailbox(sender))) == expected


def test_the_null_reverse_path_forges_nobody(gate):
    """A report of one's own may go out."""
    gate.world.rules[JOE] = ()
    assert gate.judge_sender(JOE, None) is None


def test_an_empty_list_allows_no_sender_but_oneself(gate):
    """It is no wildcard."""
    gate.world.rules[JOE] = ()
    assert said(gate.judge_sender(JOE, parse_mailbox("a@example.org"))) == (550, "5.7.1")
    assert gate.judge_sender(JOE, parse_mailbox("user1000")) is None


@pytest.mark.parametrize("uid", [ANN, ROOT])
def test_who_has_no_patterns_may_use_every_sender(gate, uid):
    """As without the section."""
    gate.world.rules[JOE] = ()
    assert gate.judge_sender(uid, parse_mailbox("a@example.org")) is None


@pytest.mark.parametrize(
    ("uid", "asked", "given"),
    [(JOE, 9, 3), (JOE, 4, 3), (JOE, 3, 3), (JOE, -9, -9), (ROOT, 9, 9), (ROOT, -1, -1)],
)
def test_nobody_but_root_calls_a_mail_urgent(gate, uid, asked, given):
    """Attack L11: else one user would use up the budget that is kept for alerts."""
    assert gate.priority(uid, asked) == given


def test_without_rules_nobody_is_looked_up(gate):
    """The user database of some hosts is a server that is down."""
    assert gate.judge_sender(JOE, parse_mailbox("a@example.org")) is None
    assert not gate.is_sender_judged(JOE)
    assert gate.world.asked == 0


# -- the log ---------------------------------------------------------------------------------------


def test_one_log_line_an_hour_for_a_user_and_a_reason(gate):
    """Attack L9: a flood of refusals is no flood of log lines."""
    gate.mails(JOE, 1000)
    gate.world.count = 95
    gate.mails(JOE, 1000)
    assert gate.notes == [(JOE, "rate"), (JOE, "queue")]
    gate.world.now_s += 3599.0
    gate.mails(JOE, 10)
    assert len(gate.notes) == 2
    gate.world.now_s += 2.0
    gate.mails(JOE, 10)
    assert gate.notes[2:] == [(JOE, "queue")]


def test_every_reason_is_noted(gate):
    """So that an administrator finds out why mail is refused."""
    gate.world.rules[JOE] = ()
    gate.judge_sender(JOE, parse_mailbox("a@example.org"))
    for _ in range(4):
        gate.enter(JOE)
    gate.world.shares[JOE] = (10, 0)
    gate.judge_mail(JOE, 1)
    gate.world.shares[JOE] = (0, 6000)
    gate.judge_mail(JOE, 1)
    gate.world.free = Room(0, 1000, 0, 1000)
    gate.judge_room(JOE, 1)
    gate.world.free = Room(1000, 1000, 0, 1000)
    gate.judge_room(JOE, 1)
    reasons = [reason for _, reason in gate.notes]
    assert reasons == ["sender", "connections", "share_count", "share_bytes", "space", "inodes"]


def test_the_notes_do_not_fill_the_memory(gate):
    """However many ids are refused."""
    gate.world.count = 1000
    for uid in range(10_000):
        gate.judge_mail(uid + 1, 1)
    assert len(gate._noted) <= 4096


def test_a_refusal_says_its_enhanced_code_once():
    """In the text, as RFC 2034 has it, and as a value."""
    reply = refusal(452, "4.3.1", "Full")
    assert reply.lines == (b"4.3.1 Full",)
    assert str(reply.enhanced) == "4.3.1"
