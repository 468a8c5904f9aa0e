"""Hold, release, edit, pause, stats and history, and what is logged of them."""

from __future__ import annotations

from base64 import b64encode

import pytest

from pillarbox.delivery.carrier import AccountState
from pillarbox.delivery.event_table import EVENTS
from pillarbox.delivery.events import NOTICE, Event, Events
from pillarbox.delivery.history import History
from pillarbox.delivery.steward import Steward
from pillarbox.errors import SpoolError
from pillarbox.spool.base import FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from queue_desk import ANN, BEN, CONTENT, NOW_S, OWNER, FixedClock, HandCarrier, put

ROOT = 0


class Asked:
    """A steward, and what he is asked with."""

    def __init__(self, spool, history):
        self.spool = spool
        self.carrier = HandCarrier()
        self.log = []
        self.history = history
        events = Events(self.log.append, environment={})
        self.steward = Steward(
            spool, self.carrier, owner_uid=OWNER, clock=FixedClock(), events=events,
            history=history,
        )  # fmt: skip

    def __call__(self, uid, command, **wishes):
        """Ask as somebody; return the rows, and the end apart."""
        rows = list(self.steward.answer(uid, {"command": command, **wishes}))
        return rows[:-1], rows[-1]

    def told(self, name):
        """Return the lines of the log that tell of an event."""
        return [line for line in self.log if f"event={name} " in line]


@pytest.fixture(name="spool", params=["memory", "directory"])
def _spool(request, tmp_path):
    spool = Memory() if request.param == "memory" else Directory(str(tmp_path / "spool"))
    spool.open()
    yield spool
    spool.close()


@pytest.fixture(name="ask")
def _ask(spool, tmp_path):
    return Asked(spool, History(str(tmp_path / "history"), 1e9, epoch_s=lambda: NOW_S))


def where_all(spool):
    """Return the ids in each state that has some."""
    return {state: spool.names(state) for state in (QUEUE, HOLD, FAILED) if spool.names(state)}


def content_of(spool, entry_id, state=QUEUE):
    """Return the content of an entry."""
    claim = spool.claim(entry_id, state)
    try:
        return claim.read(1 << 20)
    finally:
        claim.close()


# -- hold and release ----------------------------------------------------------------------------


def test_a_held_mail_waits_until_it_is_released(ask, spool):
    """It is taken from who delivers, and given back to him."""
    entry_id = put(spool)
    rows, end = ask(ROOT, "hold", ids=[entry_id])
    assert (rows[0]["done"], end["code"], where_all(spool)) == (True, 0, {HOLD: [entry_id]})
    assert ask.carrier.told == []
    rows, end = ask(ROOT, "release", ids=[entry_id])
    assert (rows[0]["done"], end["code"], where_all(spool)) == (True, 0, {QUEUE: [entry_id]})
    assert ask.carrier.told == [("put_back", entry_id, b"P")]
    assert len(ask.told("held")) == len(ask.told("released")) == 1


@pytest.mark.parametrize(("command", "state", "code"), [
    ("hold", HOLD, 0), ("hold", FAILED, 64), ("release", QUEUE, 64), ("release", FAILED, 64),
])  # fmt: skip
def test_what_cannot_be_held_or_released_is_left_where_it_is(ask, spool, command, state, code):
    """What failed is retried; what is held, is."""
    entry_id = put(spool, state=state)
    rows, end = ask(ROOT, command, ids=[entry_id])
    assert (bool(rows[0]["note"]), end["code"]) == (True, code)
    assert where_all(spool) == {state: [entry_id]}


def test_a_mail_on_its_way_cannot_be_held(ask, spool):
    """It is too late for that."""
    entry_id = put(spool)
    ask.carrier.busy.add(entry_id)
    rows, end = ask(ROOT, "hold", ids="all")
    assert (rows[0]["done"], end["code"], spool.names()) == (False, 75, [entry_id])
    assert ask.told("held") == []


@pytest.mark.parametrize(("command", "state"), [("hold", QUEUE), ("release", HOLD)])
def test_all_means_those_that_can_be(ask, spool, command, state):
    """Without a filter, a command looks where its mails are."""
    ids = {each: put(spool, state=each) for each in (QUEUE, HOLD, FAILED)}
    rows, end = ask(ROOT, command, ids="all")
    assert ([row["id"] for row in rows], end["code"]) == ([ids[state]], 0)


@pytest.mark.parametrize("command", ["hold", "release", "edit", "pause"])
def test_attack_steering_the_queue_as_a_user(ask, spool, command):
    """What root holds, nobody lets go; and his own mail he may delete, not change."""
    entry_id = put(spool, uid=ANN)
    wishes = {"edit": {"id": entry_id}, "pause": {"account": "work"}}
    rows, end = ask(ANN, command, **wishes.get(command, {"ids": [entry_id]}))
    assert (rows, end["code"], ask.carrier.told) == ([], 77, [])
    assert where_all(spool) == {QUEUE: [entry_id]}


# -- filters -------------------------------------------------------------------------------


def test_filters_choose_for_every_command(ask, spool):
    """List, hold, release, retry and delete have the same."""
    wanted = put(spool, "joe@example.net", age_s=7200)
    put(spool, "joe@example.net", age_s=60)
    put(spool, "zoe@example.net", age_s=7200)
    where = {"to": "joe", "older": "1h"}
    for command in ("list", "retry", "hold", "release", "delete"):
        rows, end = ask(ROOT, command, where=where)
        assert ([row["id"] for row in rows], end["code"]) == ([wanted], 0), command
    assert len(spool.names()) == 2


def test_named_mails_have_to_pass_as_well(ask, spool):
    """And wherever a named mail is, it is found."""
    one, other = put(spool, state=FAILED), put(spool, account="other")
    rows, _ = ask(ROOT, "list", ids=[one, other], where={"account": "work"})
    assert [row["id"] for row in rows] == [one]


def test_a_listing_of_named_mails_tells_of_those_that_are_not_there(ask, spool):
    """The others are listed."""
    entry_id = put(spool)
    rows, end = ask(ROOT, "list", ids=["zzzz", entry_id])
    assert rows[0] == {"id": "zzzz", "problem": "there is no mail zzzz", "advice": ""}
    assert (rows[1]["id"], end["code"]) == (entry_id, 66)


def test_filters_show_a_user_nothing_of_others(ask, spool):
    """A question with a yes or no would be an answer."""
    put(spool, "secret@example.net", uid=BEN)
    for where in ({"to": "secret"}, {"uid": str(BEN)}, {"state": "all"}):
        assert ask(ANN, "list", where=where)[0] == []


# -- edit ----------------------------------------------------------------------------------


def test_a_mail_is_replaced_by_one_with_other_recipients(ask, spool):
    """What is not changed stays: the age, the Message-ID, who handed it over, the content."""
    entry_id = put(spool, "a@example.net", uid=ANN, progress=Progress(b"P", attempts=3))
    before = spool.read(entry_id)
    ((row,), end) = ask(OWNER, "edit", id=entry_id, to=["b@example.net", "c@例子.example"])
    after = spool.read(row["new_id"])
    assert (end["code"], spool.names()) == (0, [row["new_id"]])
    assert list(map(str, after.head.envelope.forward_paths)) == ["b@example.net", "c@例子.example"]
    for name in ("accepted_s", "account", "message_id", "origin", "settings", "trace", "priority"):
        assert getattr(after.head, name) == getattr(before.head, name), name
    assert after.head.envelope.reverse_path == before.head.envelope.reverse_path
    assert (after.progress.statuses, after.progress.attempts) == (b"PP", 0)
    assert content_of(spool, row["new_id"]) == CONTENT
    assert ask.carrier.told == [("put_back", row["new_id"], b"PP")]
    assert f"new_id={row['new_id']} by={OWNER}" in ask.told("edited")[0]


def test_who_has_the_mail_does_not_get_the_new_one(ask, spool):
    """Only those who still wait are carried over."""
    progress = Progress(b"DPF", attempts=1)
    entry_id = put(spool, "a@example.net", "b@example.net", "c@example.net", progress=progress)
    ((row,), _) = ask(ROOT, "edit", id=entry_id, account="other")
    head = spool.read(row["new_id"]).head
    assert list(map(str, head.envelope.forward_paths)) == ["b@example.net"]
    assert head.account == "other"


@pytest.mark.parametrize(("text", "sender"), [("new@example.org", "new@example.org"), ("<>", None)])
def test_the_sender_is_changed(ask, spool, text, sender):
    """Also to none at all."""
    ((row,), _) = ask(ROOT, "edit", id=put(spool), **{"from": text})
    path = spool.read(row["new_id"]).head.envelope.reverse_path
    assert (path and str(path)) == sender


@pytest.mark.parametrize("content", [b"Subject: new\n\nnew\n", b"\0\xff\r" * 100_000])
def test_the_content_is_replaced(ask, spool, content):
    """Octet by octet, and it may be larger than a line of the control socket."""
    entry_id = put(spool)
    ((row,), _) = ask(ROOT, "edit", id=entry_id, content=b64encode(content).decode())
    assert content_of(spool, row["new_id"]) == content


def test_what_is_on_hold_is_on_hold_behind_an_edit(ask, spool):
    """Nobody delivers it in between."""
    ((row,), _) = ask(ROOT, "edit", id=put(spool, state=HOLD), to=["b@example.net"])
    assert where_all(spool) == {HOLD: [row["new_id"]]}
    assert not [told for told in ask.carrier.told if told[0] == "put_back"]


@pytest.mark.parametrize(("wishes", "code"), [
    ({"to": ["no address"]}, 65),
    ({"to": ["root"]}, 64),
    ({"to": ["a@b\r\nRCPT TO:<x@y>"]}, 65),
    ({"from": "x@y@z@"}, 65),
    ({"account": "nowhere"}, 64),
])  # fmt: skip
def test_an_edit_that_is_wrong_changes_nothing(ask, spool, wishes, code):
    """The mail waits as before."""
    ask.carrier.has_account = lambda name: name == "work"
    entry_id = put(spool)
    rows, end = ask(ROOT, "edit", id=entry_id, **wishes)
    assert (rows, end["code"], spool.names(), ask.carrier.told) == ([], code, [entry_id], [])


def test_what_failed_is_not_edited(ask, spool):
    """It is retried first."""
    assert ask(ROOT, "edit", id=put(spool, state=FAILED))[1]["code"] == 64


def test_a_mail_on_its_way_cannot_be_edited(ask, spool):
    """Both would arrive."""
    entry_id = put(spool)
    ask.carrier.busy.add(entry_id)
    assert ask(ROOT, "edit", id=entry_id, account="other")[1]["code"] == 75
    assert spool.names() == [entry_id]


class _FailingMemory(Memory):
    failing = ""

    def begin(self, head):
        if self.failing == "begin":
            raise SpoolError("disk")
        return super().begin(head)

    def remove(self, entry_id, state=QUEUE):
        if self.failing == entry_id:
            raise SpoolError("disk")
        super().remove(entry_id, state)


@pytest.mark.parametrize("failing", ["begin", "remove"])
def test_a_disk_that_fails_leaves_one_of_the_two(failing):
    """The old one: it is delivered after all, and once."""
    spool = _FailingMemory()
    spool.open()
    ask = Asked(spool, None)
    entry_id = put(spool)
    spool.failing = entry_id if failing == "remove" else failing
    rows, end = ask(ROOT, "edit", id=entry_id, to=["b@example.net"])
    assert (rows, end["code"], spool.names()) == ([], 75, [entry_id])
    assert ask.carrier.told == [("put_back", entry_id, b"P")]
    assert (ask.told("edited"), ask.carrier.taken) == ([], set())


# -- pause ----------------------------------------------------------------------------------------


def test_pause_has_nothing_go_through_an_account(ask):
    """And it is told who did it."""
    told = []
    ask.carrier.pause = lambda name: told.append(name) or len(told) == 1
    assert ask(OWNER, "pause", account="work")[0] == [
        {"account": "work", "done": True, "note": ""}
    ]  # fmt: skip
    assert ask(OWNER, "pause", account="work")[0][0]["done"] is False
    assert f"account=work kind=person by={OWNER}" in ask.told("account_paused")[0]
    assert len(ask.told("account_paused")) == 1


def test_an_account_that_is_not_there_cannot_be_paused(ask):
    """A slip in its name is told."""
    ask.carrier.has_account = lambda name: name == "work"
    assert ask(ROOT, "pause", account="wrok")[1]["code"] == 64
    assert ask(ROOT, "resume", account="wrok")[1]["code"] == 64


# -- the log -------------------------------------------------------------------------------


def test_what_people_do_is_logged_with_who_did_it(ask, spool):
    """Every change of a mail is one line."""
    ids = [put(spool, uid=ANN) for _ in range(2)]
    ask(ANN, "retry", ids=ids)
    ask(ANN, "delete", ids=[*ids, "zzzz"])
    facts = f"account=work from=ann@example.org to=you@example.net by={ANN}"
    assert [line.partition("event=")[2] for line in ask.log] == [
        *(f"retried id={entry_id} {facts}" for entry_id in ids),
        *(f"deleted id={entry_id} {facts}" for entry_id in ids),
    ]
    assert {"retried", "deleted", "held", "released", "edited"} <= EVENTS.keys()


# -- stats and history ----------------------------------------------------------------------------


def tell(ask, name, ago_s, /, **fields):
    """Have something happened some time ago."""
    ask.history.add(Event(NOW_S - ago_s, NOTICE, name, fields))


def test_the_queue_in_numbers(ask, spool):
    """By state, age and account; what was delivered and given up lately."""
    put(spool, "a@example.net", "b@example.net", age_s=30)
    put(spool, age_s=7200, account="other", progress=Progress(b"P", attempts=1))
    put(spool, age_s=90_000, state=HOLD)
    put(spool, age_s=1e6, state=FAILED)
    ask.carrier.states = [AccountState("work", is_open=True)]
    tell(ask, "delivered", 60, id="x", to="a@b,c@d")
    tell(ask, "bounced", 7000, id="y", to="a@b")
    tell(ask, "delivered", 90_000, id="z", to="a@b")
    ((row,), _) = ask(ROOT, "stats")
    hours = row.pop("hours")
    assert (len(hours), hours[0]["delivered"], hours[1]["failed"]) == (24, 2, 1)
    assert row == {
        "is_delivering": True,
        "states": {"queue": 2, "hold": 1, "failed": 1, "corrupt": 0},
        "size_bytes": 3 * len(CONTENT),
        "recipients": 4,
        "oldest_s": 90_000.0,
        "ages": {"1m": 1, "10m": 0, "1h": 0, "6h": 1, "1d": 0, "older": 1},
        "accounts": {
            "work": {"is_paused": True, "waiting": 2, "size_bytes": 160, "oldest_s": 90_000.0},
            "other": {"is_paused": False, "waiting": 1, "size_bytes": 80, "oldest_s": 7200.0},
        },
        "last_hour": {"delivered": 2, "failed": 0, "deleted": 0},
        "last_day": {"delivered": 2, "failed": 1, "deleted": 0},
    }


def test_numbers_of_a_user_are_those_of_his_mails(ask, spool):
    """Nothing of how much others have."""
    put(spool, uid=ANN)
    put(spool, uid=BEN, account="other")
    ask.carrier.states = [AccountState("secret")]
    tell(ask, "accepted", 60, id="x", uid=BEN)
    tell(ask, "delivered", 60, id="x", to="a@b")
    ((row,), _) = ask(ANN, "stats")
    assert (row["states"], [*row["accounts"]]) == ({"queue": 1, "hold": 0, "failed": 0}, ["work"])
    assert row["last_day"] == {"delivered": 0, "failed": 0, "deleted": 0}


def past(ask, uid=ROOT, **wishes):
    """Return the ids of a history."""
    rows, end = ask(uid, "history", **wishes)
    assert end["code"] == 0
    return [row["id"] for row in rows]


def test_history_is_newest_first_and_has_the_columns_of_a_listing(ask):
    """Across midnight, and only what became final."""
    tell(ask, "delivered", 90_000, id="old", to="a@b")
    tell(ask, "accepted", 120, id="new", uid=ANN)
    tell(ask, "deferred", 100, id="new", to="a@b")
    tell(ask, "delivered", 60, id="new", to="a@b,c@d", account="work", attempts=2, age_s=60,
         reply="250 ok", provider_id="P1", message_id="<m>", **{"from": "<>"})  # fmt: skip
    tell(ask, "bounced", 50, id="bad", to="x@y", reply="550 no", **{"from": "me@z"})
    assert past(ask) == ["bad", "new", "old"]
    rows, _ = ask(ROOT, "history", limit=2)
    assert rows[1] == {
        "id": "new", "state": "delivered", "time_s": NOW_S - 60, "age_s": 60.0, "from": None,
        "recipients": [{"address": "a@b", "status": "delivered"},
                       {"address": "c@d", "status": "delivered"}],
        "account": "work", "attempts": 2, "took_s": 60, "reason": "250 ok", "provider_id": "P1",
        "message_id": "<m>", "is_in_doubt": False, "by": None,
    }  # fmt: skip
    assert len(rows) == 2


@pytest.mark.parametrize(("where", "ids"), [
    ({}, ["c", "b", "a"]), ({"to": "ann"}, ["a"]), ({"from": "<>"}, ["b"]),
    ({"newer": "1h"}, ["c", "b"]), ({"older": "1h"}, ["a"]), ({"state": "failed"}, ["c"]),
    ({"state": "delivered"}, ["b", "a"]), ({"state": "all"}, ["c", "b", "a"]),
    ({"reason": "550*"}, ["c"]), ({"account": "work"}, ["a"]), ({"id": "b"}, ["b"]),
])  # fmt: skip
def test_history_has_the_same_filters(ask, where, ids):
    """An age is that of what happened."""
    tell(ask, "delivered", 7200, id="a", to="ann@x", account="work", **{"from": "me@x"})
    tell(ask, "delivered", 60, id="b", to="ben@x", **{"from": "<>"})
    tell(ask, "bounced", 50, id="c", to="cat@x", reply="550 no", **{"from": "me@x"})
    assert past(ask, where=where) == ids


def test_history_of_a_user_is_that_of_his_mails(ask):
    """What became of the mail of others is not his to know."""
    for uid, entry_id in ((ANN, "a"), (BEN, "b")):
        tell(ask, "accepted", 100, id=entry_id, uid=uid)
        tell(ask, "delivered", 60, id=entry_id, to="x@y")
    assert past(ask, ANN) == ["a"]
    assert past(ask, OWNER) == ["b", "a"]
    assert past(ask, 4242) == []


def test_a_user_sees_a_week_back(ask):
    """And a mail that took days is his all the same."""
    for days, entry_id in ((8, "long ago"), (6, "slow")):
        tell(ask, "accepted", (days + 5) * 86400, id=entry_id, uid=ANN)
        tell(ask, "delivered", days * 86400, id=entry_id, to="x@y")
    assert past(ask, ANN) == ["slow"]
    assert past(ask, OWNER) == ["slow", "long ago"]


def test_a_queue_without_a_history_has_none(spool):
    """Nothing is known, and nothing fails."""
    assert past(Asked(spool, None)) == []


@pytest.mark.parametrize("where", [{"strange": ""}, {"older": "x"}, {"state": "nowhere"}])
def test_a_filter_of_the_history_that_is_wrong(ask, where):
    """It is told here too."""
    assert ask(ROOT, "history", where=where)[1]["code"] == 64
