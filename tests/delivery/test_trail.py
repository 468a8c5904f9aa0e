"""Following a mail: every name that a person may have leads to it, and nobody sees another's."""

from __future__ import annotations

import pytest

from pillarbox.delivery.events import INFO, Event
from pillarbox.delivery.history import History
from pillarbox.delivery.steward import Steward
from pillarbox.spool.base import FAILED, HOLD
from pillarbox.spool.memory import Memory
from queue_desk import ANN, BEN, NOW_S, OWNER, FixedClock, HandCarrier, put

ROOT = 0
OLD = "0hogno00000-zzzz000000000000000000000"
OTHER = "0hogno00001-yyyy000000000000000000000"


@pytest.fixture
def history(tmp_path):
    """Return a history with a mail of Ann's and one of Ben's."""
    history = History(str(tmp_path / "history"))
    rows = [
        (
            1,
            "accepted",
            {"id": OLD, "uid": ANN, "pid": 77, "account": "work", "message_id": "<a@h>"},
        ),
        (2, "account_failed", {"account": "home", "reason": "not this one's"}),
        (3, "account_paused", {"account": "work", "reason": "535"}),
        (4, "rerouted", {"id": OLD, "account": "work", "via": "spare"}),
        (5, "accepted", {"id": OTHER, "uid": BEN, "pid": 78, "account": "work"}),
        (6, "account_recovered", {"account": "spare"}),
        (
            7,
            "delivered",
            {"id": OLD, "account": "spare", "provider_id": "4XY", "message_id": "<b@h>"},
        ),
        (8, "notice", {"id": "0n-1", "about": OTHER, "to": "ben@example.org"}),
        (9, "account_failed", {"account": "work", "reason": "too late"}),
    ]
    for number, name, fields in rows:
        history.add(Event(NOW_S - 1000 + number, INFO, name, fields))
    yield history
    history.close()


@pytest.fixture
def spool():
    """Return an open spool."""
    spool = Memory()
    spool.open()
    return spool


@pytest.fixture
def ask(spool, history):
    """Return a function that asks; it returns the rows and the end."""

    def ask_steward(word, uid=ROOT, **changes):
        keywords = {"owner_uid": OWNER, "clock": FixedClock(), "history": history} | changes
        steward = Steward(spool, HandCarrier(), **keywords)
        *rows, end = steward.answer(uid, {"command": "trace", "word": word})
        return rows, end

    return ask_steward


def events(rows):
    """Return what happened."""
    return [row["event"] for row in rows]


WHOLE = [
    "accepted", "account_paused", "rerouted", "account_recovered", "delivered"
]  # fmt: skip


@pytest.mark.parametrize(
    "word",
    [OLD, OLD[:20], "zzzz", "pid:77", "<a@h>", "a@h", "<b@h>", "4XY", f"  {OLD} "],
)
def test_every_name_leads_to_the_mail(ask, word):
    """What is told is the mail's, and what befell its accounts while it was on its way."""
    rows, end = ask(word)
    assert end["code"] == 0
    assert events(rows) == WHOLE
    assert {row["mail"] for row in rows} == {OLD}


@pytest.mark.parametrize(
    "word",
    [
        "pid:7",
        "pid:",
        "pid:x",
        "pid:-1",
        "pid:" + "9" * 30,
        "c@h",
        "zzz",
        "4XYZ",
        "x" * 998,
    ],
)
def test_what_nobody_knows_is_said_with_what_could_be_asked(ask, word):
    """Exit code 66, and nothing else."""
    rows, end = ask(word)
    assert (rows, end["code"]) == ([], 66)
    assert end["advice"]


def test_a_beginning_that_several_have_shows_each(ask):
    """Each mail is told by itself, one behind the other."""
    rows, end = ask("0hogno0")
    assert end["code"] == 0
    assert [row["mail"] for row in rows] == [OLD] * 5 + [OTHER] * 2
    assert events(rows)[5:] == ["accepted", "notice"]


@pytest.mark.parametrize("word", [5, None, "", "  ", ["x"], "x" * 999])
def test_a_request_that_is_none_is_refused(ask, word):
    """Whatever comes ends in one clear answer."""
    rows, end = ask(word)
    assert (rows, end["code"]) == ([], 64)


@pytest.mark.parametrize("word", [OLD, "zzzz", "pid:77", "<a@h>", "<b@h>", "4XY"])
@pytest.mark.parametrize(("uid", "found"), [(ANN, True), (BEN, False), (OWNER, True), (-1, False)])
def test_nobody_follows_another_users_mail(ask, word, uid, found):
    """Not by any of its names; its own user sees it without the accounts' affairs."""
    rows, end = ask(word, uid)
    assert end["code"] == (0 if found else 66)
    own = ["accepted", "rerouted", "delivered"]
    assert events(rows) == ((WHOLE if uid == OWNER else own) if found else [])


def test_a_mail_that_is_still_there_says_where_it_is(ask, spool):
    """The last row is where it is now, and when it is tried next."""
    name = put(spool, uid=ANN)
    rows, _ = ask(name, ANN)
    assert rows == [
        {
            "mail": name,
            "time": NOW_S,
            "event": "now",
            "state": "queue",
            "next_attempt_s": NOW_S + 90,
            "is_active": False,
            "reason": "",
        }
    ]
    assert ask(name, BEN)[1]["code"] == 66


@pytest.mark.parametrize("state", [HOLD, FAILED])
def test_a_mail_that_does_not_move_says_so_too(ask, spool, state):
    """On hold and failed are places as well."""
    name = put(spool, uid=ANN, state=state)
    rows, _ = ask(name[:20], ANN)
    assert [(row["event"], row["state"]) for row in rows] == [("now", state)]


def test_without_a_history_the_queue_still_answers(ask, spool):
    """What waits is known; what has left is not."""
    name = put(spool)
    assert events(ask(name, history=None)[0]) == ["now"]
    assert ask(OLD, history=None)[1]["code"] == 66
    assert ask("pid:77", history=None)[1]["code"] == 66


def test_one_process_that_sent_thousands_shows_twenty(ask, history):
    """A person sees the latest days first, and no more than he can read."""
    for number in range(100):
        fields = {"id": f"0b-{number}", "uid": ANN, "pid": 9}
        history.add(Event(NOW_S + number, INFO, "accepted", fields))
    rows, _ = ask("pid:9")
    assert len({row["mail"] for row in rows}) == 20


def test_attack_a_name_that_all_mails_of_others_have(spool, tmp_path):
    """The history is read as often for a thousand of them as for two: a stranger asks for free."""

    class Counted(History):
        reads = 0

        def _lines(self, name):
            self.reads += 1
            return super()._lines(name)

    def reads_for(count):
        history = Counted(str(tmp_path / str(count)))
        for number in range(count):
            fields = {"id": f"0hogno{number:05}-x", "uid": BEN, "pid": 9}
            history.add(Event(NOW_S, INFO, "accepted", fields))
        steward = Steward(
            spool, HandCarrier(), owner_uid=OWNER, clock=FixedClock(), history=history
        )
        *rows, end = steward.answer(ANN, {"command": "trace", "word": "0hogno"})
        history.close()
        assert (rows, end["code"]) == ([], 66)
        return history.reads

    assert 0 < reads_for(1000) == reads_for(2)


def test_a_mail_of_nobody_is_not_everybodys(ask, history):
    """Where the kernel did not say who it was (-1), only root and the owner see the mail."""
    history.add(Event(NOW_S, INFO, "accepted", {"id": "0c-1", "uid": -1, "pid": 5}))
    assert ask("pid:5", -1)[1]["code"] == 66
    assert ask("pid:5", OWNER)[1]["code"] == 0
