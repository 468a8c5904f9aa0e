"""The steward of a queue: what is answered, to whom, and that nothing is done which is not told."""

from __future__ import annotations

from base64 import b64decode
from concurrent.futures import Future

import pytest

from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.operations import OPERATIONS
from pillarbox.delivery.queue_view import short_id
from pillarbox.delivery.steward import Steward
from pillarbox.delivery.steward_rows import parse_status_row, status_row
from pillarbox.delivery.waiters import Result
from pillarbox.errors import SpoolError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.mail.status import Trouble, bounced, deferred, delivered
from pillarbox.spool.base import CORRUPT, FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from queue_desk import ANN, BEN, CONTENT, NOW_S, OWNER, FixedClock, HandCarrier, put

ROOT, NOBODY = 0, 65534
PAUSED = AccountState(
    "work", is_open=True, kind="login", since_s=NOW_S - 60, next_try_s=NOW_S + 60, reason="535 no",
    waiting=2,
)  # fmt: skip


@pytest.fixture(name="spool", params=["memory", "directory"])
def _spool(request, tmp_path):
    spool = Memory() if request.param == "memory" else Directory(str(tmp_path / "spool"))
    spool.open()
    yield spool
    spool.close()


@pytest.fixture(name="carrier")
def _carrier():
    return HandCarrier()


@pytest.fixture(name="ask")
def _ask(spool, carrier):
    """Return a function that asks as somebody; it gives the rows, and the end apart."""
    steward = Steward(spool, carrier, owner_uid=OWNER, clock=FixedClock())

    def ask(uid, command, **wishes):
        rows = list(steward.answer(uid, {"command": command, **wishes}))
        assert [row for row in rows if row.get("end")] == rows[-1:], "one end, at the end"
        return rows[:-1], rows[-1]

    return ask


def ids_of(answer):
    """Return the ids of the rows of an answer that went well."""
    rows, end = answer
    assert (end["code"], end["problem"]) == (0, "")
    return [row["id"] for row in rows]


# -- list ---------------------------------------------------------------------------------------


def test_a_listing_tells_all_of_an_entry(ask, spool):
    """Every key of a row, and its unit."""
    entry_id = put(
        spool, "a@example.net", "b@example.net", "c@example.net",
        progress=Progress(b"DPF", attempts=3, last_attempt_s=NOW_S - 30, is_in_doubt=True,
                          reason="450 later"),
    )  # fmt: skip
    rows, _ = ask(ROOT, "list")
    assert rows == [{
        "id": entry_id,
        "state": "queue",
        "is_active": False,
        "accepted_s": NOW_S - 60,
        "age_s": 60.0,
        "from": "ann@example.org",
        "recipients": [
            {"address": "a@example.net", "status": "delivered"},
            {"address": "b@example.net", "status": "pending"},
            {"address": "c@example.net", "status": "bounced"},
        ],
        "account": "work",
        "size_bytes": len(CONTENT),
        "attempts": 3,
        "last_attempt_s": NOW_S - 30,
        "next_attempt_s": NOW_S + 90,
        "reason": "450 later",
        "is_in_doubt": True,
        "uid": ANN,
    }]  # fmt: skip


def test_what_is_not_known_is_null(ask, spool):
    """Never tried, and a null reverse-path: neither is 0 or an empty text."""
    put(spool, sender=None)
    ((row,), _) = ask(ROOT, "list")
    assert (row["from"], row["last_attempt_s"], row["reason"]) == (None, None, "")


def test_the_oldest_comes_first(ask, spool):
    """A listing is in order of time."""
    ages = [30, 500, 10, 70]
    ids = {age: put(spool, age_s=age) for age in ages}
    assert ids_of(ask(ROOT, "list")) == [ids[age] for age in sorted(ages, reverse=True)]


def test_the_reason_of_a_paused_account_is_its_mails(ask, spool, carrier):
    """What waits for an account that cannot log in says so, whatever it waited for before."""
    put(spool, progress=Progress(b"P", attempts=1, reason="450 later"))
    put(spool, account="other", progress=Progress(b"P", attempts=1, reason="451 too"))
    carrier.states = [PAUSED]
    rows, _ = ask(ROOT, "list")
    assert sorted(row["reason"] for row in rows) == ["451 too", "535 no"]


def test_a_listing_shows_what_waits_and_what_is_held(ask, spool):
    """What failed is shown to who asks for it."""
    queued, held, failed = (put(spool, state=state) for state in (QUEUE, HOLD, FAILED))
    assert set(ids_of(ask(ROOT, "list"))) == {queued, held}
    assert ids_of(ask(ROOT, "list", where={"state": "failed"})) == [failed]
    assert set(ids_of(ask(ROOT, "list", where={"state": "all"}))) == {queued, held, failed}


def test_an_entry_on_its_way_is_active(ask, spool, carrier):
    """Who delivers knows that."""
    carrier.busy.add(put(spool))
    ((row,), _) = ask(ROOT, "list")
    assert row["is_active"] is True


# -- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("uid", "seen"), [
    (ROOT, "abo"), (OWNER, "abo"), (ANN, "a"), (BEN, "b"), (NOBODY, ""), (-1, ""),
])  # fmt: skip
@pytest.mark.parametrize("state", [QUEUE, HOLD, FAILED])
def test_everybody_sees_his_own_and_root_and_owner_all(ask, spool, uid, seen, state):
    """In every state; and nobody's mail (-1: a notice) is not that of one whom nobody knows."""
    ids = {
        "a": put(spool, uid=ANN, state=state),
        "b": put(spool, uid=BEN, state=state),
        "o": put(spool, uid=-1, state=state),
    }
    assert set(ids_of(ask(uid, "list", where={"state": state}))) == {ids[letter] for letter in seen}


@pytest.mark.parametrize("command", ["show", "retry", "delete"])
def test_attack_touching_the_mail_of_others(ask, spool, carrier, command):
    """For a stranger it is not there, not even as something that he may not."""
    entry_id = put(spool, uid=ANN)
    wishes = {"id": entry_id} if command == "show" else {"ids": [entry_id]}
    missing = {"id": "0" * 37} if command == "show" else {"ids": ["0" * 37]}
    theirs, nothing = ask(BEN, command, **wishes), ask(BEN, command, **missing)
    assert str(theirs).replace(entry_id, "X") == str(nothing).replace("0" * 37, "X")
    assert theirs[1]["code"] == 66
    assert spool.names() == [entry_id]
    assert not [told for told in carrier.told if len(told) > 1]


def test_all_means_all_that_is_his(ask, spool):
    """``delete all`` of a user leaves everything of the others."""
    put(spool, uid=ANN)
    kept = put(spool, uid=BEN)
    rows, end = ask(ANN, "delete", ids="all")
    assert (len(rows), end["code"], spool.names()) == (1, 0, [kept])


@pytest.mark.parametrize(("command", "wishes"), [
    ("flush", {}), ("resume", {"account": "work"}), ("wake", {"id": "x"}), ("wait", {"id": "x"}),
])  # fmt: skip
def test_attack_steering_accounts_as_a_user(ask, carrier, command, wishes):
    """Only root and the owner may, and nothing is done before that is known."""
    rows, end = ask(ANN, command, **wishes)
    assert (rows, end["code"]) == ([], 77)
    assert carrier.told == []


def test_attack_reading_a_body_that_is_asked_for_by_a_user(ask, spool):
    """The content is root's and the owner's to see."""
    entry_id = put(spool, uid=ANN)
    assert ask(ANN, "show", id=entry_id, content=True)[1]["code"] == 77


# -- show ----------------------------------------------------------------------------------------


def test_show_tells_everything_but_the_body(ask, spool):
    """The header section is there, the body is not."""
    entry_id = put(spool, "a@example.net")
    ((row,), _) = ask(ANN, "show", id=entry_id)
    assert row["headers"] == [
        "From: ann@example.org", "Subject: the disk is full", "Bcc: x@example.org",
    ]  # fmt: skip
    assert row["origin"] == {"uid": ANN, "gid": 100, "pid": 4242, "door": "socket"}
    assert row["message_id"] == "<it@example.org>"
    assert "secret body" not in str(row)


def test_a_mail_without_headers_shows_nothing_of_itself(ask, spool):
    """All of it is body, however it begins."""
    entry_id = put(spool, content=b"the password is secret body\n\nand more\n")
    ((row,), _) = ask(ROOT, "show", id=entry_id)
    assert row["headers"] == []
    assert "secret" not in str(row)


@pytest.mark.parametrize("content", [CONTENT, b"", b"\0\xff\r\n" * 50_000])
def test_the_content_is_given_as_it_was_written(ask, spool, content):
    """In pieces that fit into a line, and nothing changed."""
    entry_id = put(spool, content=content)
    rows, end = ask(OWNER, "show", id=entry_id, content=True)
    assert b"".join(b64decode(row["content"]) for row in rows[1:]) == content
    assert all(len(str(row)) < 64 << 10 for row in rows)
    assert end["code"] == 0


# -- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shortened", [
    lambda name: name,
    short_id,
    lambda name: name[12:16],
    lambda name: name[:20],
])  # fmt: skip
def test_an_id_may_be_abbreviated(ask, spool, shortened):
    """To its beginning, or to the beginning of what is random in it."""
    entry_id = put(spool)
    put(spool, age_s=7e6)
    ((row,), _) = ask(ROOT, "show", id=shortened(entry_id))
    assert row["id"] == entry_id


@pytest.mark.parametrize(("word", "problem"), [
    ("0hogno", "several mails begin with 0hogno"),  # both have it
    ("aaa", "there is no mail aaa"),  # too short
    ("zzzz", "there is no mail zzzz"),
    ("../queue/x", "'id' of the request is wrong"),
    ("a\0b", "'id' of the request is wrong"),
    ("", "'id' of the request is wrong"),
    ("x" * 256, "'id' of the request is wrong"),
])  # fmt: skip
def test_an_id_that_names_nothing(ask, spool, word, problem):
    """Or too much: nothing is guessed, and no path is followed."""
    for letter in "ab":
        put(spool, entry_id="0hognofoxgj-" + f"aaa{letter}" + "0" * 21)
    rows, end = ask(ROOT, "show", id=word)
    assert (rows, end["problem"]) == ([], problem)


def test_an_abbreviation_need_be_unique_among_his_own_only(ask, spool):
    """What others have is not told by an ambiguity."""
    own = put(spool, uid=ANN, entry_id="0hognofoxgj-aaaa" + "0" * 21)
    put(spool, uid=BEN, entry_id="0hognofoxgj-aaab" + "0" * 21)
    assert ids_of(ask(ANN, "show", id="0hogno")) == [own]


# -- retry ---------------------------------------------------------------------------------------


def test_retry_has_mails_tried_now(ask, spool, carrier):
    """All of them at once are told to who delivers."""
    ids = [put(spool), put(spool)]
    rows, end = ask(ANN, "retry", ids=ids)
    assert [(row["id"], row["done"]) for row in rows] == [(entry_id, True) for entry_id in ids]
    assert end["code"] == 0
    assert carrier.told == [("retry", *ids)]


def test_retry_of_a_paused_account_says_how_it_is_resumed(ask, spool, carrier):
    """To knock at a closed door would use up the day's logins."""
    entry_id = put(spool)
    other = put(spool, account="other")
    carrier.states = [PAUSED]
    rows, end = ask(ROOT, "retry", ids=[entry_id, other])
    assert [(row["id"], row["done"]) for row in rows] == [(entry_id, False), (other, True)]
    assert "pillarbox queue resume work" in rows[0]["note"]
    assert "535 no" in rows[0]["note"]
    assert end["code"] == 75
    assert carrier.told == [("retry", other)]


def test_a_mail_that_goes_through_the_fallback_does_not_wait_for_its_own_account(
    ask, spool, carrier
):
    """What counts is the account that it goes through now."""
    entry_id = put(spool)
    carrier.states = [PAUSED]
    carrier.account_of = lambda _: "fallback"
    rows, end = ask(ROOT, "retry", ids=[entry_id])
    assert (rows[0]["done"], end["code"]) == (True, 0)
    assert ask(ROOT, "list")[0][0]["reason"] == ""


@pytest.mark.parametrize(("uid", "is_tried"), [(ROOT, True), (ANN, False)])
def test_retry_knocks_where_nobody_answered(ask, spool, carrier, uid, is_tried):
    """The network may be back; but a user does not have everybody's mail knock."""
    entry_id = put(spool)
    carrier.states = [AccountState("work", is_open=True, kind="site", reason="no route")]
    rows, end = ask(uid, "retry", ids=[entry_id])
    assert (rows[0]["done"], end["code"]) == (is_tried, 0 if is_tried else 75)
    flushed = [("flush", "work"), ("retry", entry_id)]
    assert carrier.told == (flushed if is_tried else [("retry",)])


def test_what_failed_is_tried_again_from_the_beginning(ask, spool, carrier):
    """Its age and its attempts begin anew; who has it does not get it again."""
    progress = Progress(b"DFF", attempts=12, observed_s=5e5, has_warned=True, reason="550 no")
    entry_id = put(spool, "a@x.org", "b@x.org", "c@x.org", state=FAILED, progress=progress)
    rows, _ = ask(ROOT, "retry", ids=[entry_id])
    assert rows[0]["done"] is True
    assert (spool.names(FAILED), spool.names(QUEUE)) == ([], [entry_id])
    found = spool.read(entry_id).progress
    assert (found.statuses, found.attempts, found.observed_s) == (b"DPP", 0, 0)
    assert found.has_warned is False
    assert carrier.told == [("put_back", entry_id, b"DPP"), ("retry", entry_id)]


def test_retry_leaves_what_is_on_hold(ask, spool, carrier):
    """A person said that it shall wait."""
    rows, end = ask(ROOT, "retry", ids=[put(spool, state=HOLD)])
    assert (rows[0]["done"], end["code"], len(spool.names(HOLD))) == (False, 75, 1)
    assert carrier.told == [("retry",)]


# -- delete --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [QUEUE, HOLD, FAILED])
def test_delete_takes_mails_out_for_good(ask, spool, state):
    """And when that is told, no power cut brings them back."""
    entry_id, kept = put(spool, state=state), put(spool)
    rows, end = ask(ANN, "delete", ids=[entry_id])
    assert (rows, end["code"]) == ([{"id": entry_id, "done": True, "note": ""}], 0)
    assert ids_of(ask(ROOT, "list", where={"state": "queue,hold,failed"})) == [kept]
    if isinstance(spool, Memory):
        after = spool.crashed()
        after.open()
        assert (after.names(QUEUE), after.names(state)) == ([kept], [kept] * (state == QUEUE))


@pytest.mark.parametrize("state", [QUEUE, HOLD, FAILED])
@pytest.mark.parametrize("command", ["delete", "hold", "release", "retry"])
def test_what_was_taken_is_let_go(ask, spool, carrier, command, state):
    """Whatever came of it: else nobody could do anything to it again."""
    ask(ROOT, command, ids=[put(spool, state=state)])
    assert carrier.taken == set()


def test_a_mail_on_its_way_cannot_be_deleted(ask, spool, carrier):
    """It would arrive all the same, and nobody would know of it."""
    busy, free = put(spool), put(spool)
    carrier.busy.add(busy)
    rows, end = ask(ROOT, "delete", ids=[busy, free])
    assert [row["done"] for row in rows] == [False, True]
    assert (end["code"], spool.names()) == (75, [busy])


class _FailingMemory(Memory):
    """A disk that removes nothing, or that does not promise it."""

    failing = "remove"

    def remove(self, entry_id, state=QUEUE):
        if self.failing == "remove":
            raise SpoolError("disk")
        super().remove(entry_id, state)

    def settle(self):
        if self.failing == "settle":
            raise SpoolError("disk")
        super().settle()


def test_what_cannot_be_removed_is_delivered_after_all():
    """It was taken from who delivers, and is given back to him."""
    spool, carrier = _FailingMemory(), HandCarrier()
    spool.open()
    entry_id = put(spool)
    steward = Steward(spool, carrier, owner_uid=OWNER)
    row, end = steward.answer(ROOT, {"command": "delete", "ids": [entry_id]})
    assert (row["done"], row["note"], end["code"]) == (False, "disk", 75)
    assert carrier.told == [("put_back", entry_id, b"P")]


def test_nothing_is_told_as_deleted_that_may_come_back():
    """Where the directory cannot be synced, the answer is that, and no row."""
    spool = _FailingMemory()
    spool.open()
    entry_id = put(spool)
    spool.failing = "settle"
    steward = Steward(spool, HandCarrier(), owner_uid=OWNER)
    (end,) = steward.answer(ROOT, {"command": "delete", "ids": [entry_id]})
    assert (end["problem"], end["code"]) == ("disk", 75)


def test_damaged_entries_are_roots_to_see_and_to_delete(tmp_path):
    """They belong to nobody, and have the name that they were found under."""
    spool = Directory(str(tmp_path / "spool"))
    spool.open()
    (tmp_path / "spool" / "corrupt" / "what is this").write_text("?")
    steward = Steward(spool, HandCarrier(), owner_uid=OWNER)

    def ask(uid, **request):
        return list(steward.answer(uid, request))

    assert ask(ANN, command="list", where={"state": "corrupt"})[:-1] == []
    listed = ask(ROOT, command="list", where={"state": "corrupt"})[:-1]
    assert listed == [{"id": "what is this", "state": "corrupt"}]
    assert ask(ROOT, command="show", id="what is this")[:-1] == listed
    assert ask(ANN, command="delete", ids=["what is this"])[-1]["code"] == 66
    assert ask(ROOT, command="retry", ids=["what is this"])[-1]["code"] == 65
    assert ask(ROOT, command="delete", ids=["what is this"])[-1]["code"] == 0
    assert spool.names(CORRUPT) == []
    spool.close()


# -- accounts --------------------------------------------------------------------------------------


def test_status_counts_and_tells_of_accounts(ask, spool, carrier):
    """Root hears of everything."""
    put(spool, uid=ANN)
    put(spool, uid=BEN, state=FAILED)
    carrier.states = [AccountState("fine", waiting=0), PAUSED]
    rows, _ = ask(ROOT, "status")
    assert rows[0]["counts"] == {"queue": 1, "hold": 0, "failed": 1, "corrupt": 0}
    assert rows[0]["is_delivering"] is True
    assert [row["account"] for row in rows[1:]] == ["fine", "work"]
    assert rows[2] == {
        "account": "work", "is_paused": True, "kind": "login", "since_s": NOW_S - 60,
        "next_try_s": NOW_S + 60, "reason": "535 no", "waiting": 2,
    }  # fmt: skip


def test_status_of_a_user_is_that_of_his_mails(ask, spool, carrier):
    """He hears of the accounts that his mail waits for, and not how much others have."""
    put(spool, uid=ANN)
    put(spool, uid=BEN, account="other")
    carrier.states = [PAUSED, AccountState("other", waiting=1)]
    rows, _ = ask(ANN, "status")
    assert rows[0]["counts"] == {"queue": 1, "hold": 0, "failed": 0}
    assert [(row["account"], row["waiting"]) for row in rows[1:]] == [("work", 1)]


def test_flush_tries_all_and_tells_what_stays_paused(ask, carrier):
    """A network that is back heals no wrong password."""
    carrier.states = [AccountState("fine", waiting=1), PAUSED]
    rows, end = ask(OWNER, "flush")
    assert [(row["account"], row["done"]) for row in rows] == [("fine", True), ("work", False)]
    assert end["code"] == 75
    assert carrier.told == [("flush", "")]
    assert ask(OWNER, "flush", account="fine")[1]["code"] == 0


def test_flush_of_an_account_that_nothing_waits_for(ask):
    """A name with a slip in it is told."""
    assert ask(ROOT, "flush", account="wrok")[1]["code"] == 66


@pytest.mark.parametrize(("name", "done"), [("work", True), ("fine", False)])
def test_resume_closes_a_breaker(ask, carrier, name, done):
    """And says so where none was open."""
    carrier.states = [PAUSED]
    rows, end = ask(ROOT, "resume", account=name)
    assert (rows[0]["done"], bool(rows[0]["note"]), end["code"]) == (done, not done, 0)
    assert carrier.told == [("resume", name)]


@pytest.mark.parametrize("request_", [
    {"command": "flush"}, {"command": "resume", "account": "x"}, {"command": "wait", "id": "x"},
])  # fmt: skip
def test_a_queue_without_a_daemon_says_so(request_):
    """Nothing is promised where nobody delivers."""
    spool = Memory()
    spool.open()
    (end,) = Steward(spool, Carrier(), owner_uid=OWNER).answer(ROOT, request_)
    assert end["code"] == 75
    assert "pillarbox queue flush" in end["advice"]


# -- between two processes ------------------------------------------------------------------

_REPLY = Reply(450, (b"4.2.1 \xff later",), EnhancedCode(4, 2, 1))
_TROUBLE = Trouble(
    scope="recipient", stage="RCPT", problem="refused", exit_code=75, reply=_REPLY, advice="wait"
)
_YOU = parse_mailbox("you@example.net")


@pytest.mark.parametrize("status", [
    delivered(_YOU, Reply(250, (b"2.0.0 ok", b"queued"), EnhancedCode(2, 0, 0))),
    deferred(_YOU, _TROUBLE, is_in_doubt=True),
    bounced(_YOU, _TROUBLE),
    deferred(_YOU, Trouble(scope="site", stage="connect", problem="p", exit_code=75)),
])  # fmt: skip
def test_a_status_crosses_to_another_process(status):
    """Reply and trouble, octet by octet."""
    assert parse_status_row(status_row(status)) == status


def test_who_waits_is_told_what_became_of_it(spool):
    """The future is handed out, and what it came to becomes rows."""
    future = Future()

    class Waiting(HandCarrier):
        def wait_for(self, _):
            return future

    answer = Steward(spool, Waiting(), owner_uid=OWNER).answer(
        OWNER, {"command": "wait", "id": "x"}
    )
    assert next(answer) is future
    status = delivered(_YOU, Reply(250, (b"ok",)))
    row = answer.send(Result("x", (status,), is_kept=False))
    assert parse_status_row(row) == status
    assert next(answer)["end"] is True


def test_a_mail_of_another_process_is_passed_on(ask, carrier):
    """``wake`` is how the half that takes mail tells the half that delivers it."""
    assert ask(OWNER, "wake", id="x") == ([], {"end": True, "code": 0, "problem": "", "advice": ""})
    assert carrier.told == [("added", "x")]


# -- what comes in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [
    {},
    {"command": None},
    {"command": ["list"]},
    {"command": "lst"},
    {"command": "list", "strange": 1},
    {"command": "list", "where": []},
    {"command": "list", "where": {"state": "queue,nowhere"}},
    {"command": "list", "where": {"state": ["queue"]}},
    {"command": "list", "where": {"strange": ""}},
    {"command": "list", "where": {"older": "x" * 321}},
    {"command": "list", "where": {str(number): "" for number in range(51)}},
    {"command": "show"},
    {"command": "show", "id": 5},
    {"command": "show", "id": "abcd", "content": "yes"},
    {"command": "delete"},
    {"command": "delete", "ids": ""},
    {"command": "delete", "where": {}},
    {"command": "history", "limit": 0},
    {"command": "history", "limit": True},
    {"command": "edit", "id": "x", "content": "no base64"},
    {"command": "edit", "id": "x", "to": "a@example.net"},
    {"command": "delete", "ids": []},
    {"command": "delete", "ids": [None]},
    {"command": "delete", "ids": ["x"] * 1001},
    {"command": "delete", "ids": {"all": 1}},
    {"command": "resume", "account": ""},
    {"command": "resume", "account": "x" * 256},
    {"command": "flush", "account": 1},
])  # fmt: skip
def test_a_request_that_makes_no_sense(ask, request_):
    """One row, which says what is wrong; nothing is done."""
    command = request_.pop("command", "")
    rows, end = ask(ROOT, command, **request_)
    assert (rows, end["code"]) == ([], 64)
    assert end["problem"]


def test_the_answer_is_in_the_callers_language(ask, spool, carrier):
    """What a person reads; the rest is for machines."""
    carrier.busy.add(put(spool))
    rows, end = ask(ROOT, "delete", ids="all", language="zh")
    assert not rows[0]["note"].isascii()
    assert ask(ROOT, "nonsense", language="zh")[1]["problem"].isascii() is False
    assert ask(ROOT, "nonsense", language=["zh"])[1]["problem"].isascii() is True
    assert end["code"] == 75


def test_every_operation_is_tried_here():
    """A new row needs a test of its own."""
    assert set(OPERATIONS) == {
        "list", "show", "history", "status", "stats", "retry", "delete", "hold", "release", "edit",
        "flush", "pause", "resume", "wake", "wait", "trace",
    }  # fmt: skip


# -- what a stranger may cost, and a power cut ---------------------------------------------------


class _Counted(Memory):
    """A spool that counts how often it is listed and read."""

    listed = opened = 0

    def names(self, state=QUEUE):
        """See ``Spool``."""
        self.listed += 1
        return super().names(state)

    def read(self, entry_id, state=QUEUE):
        """See ``Spool``."""
        self.opened += 1
        return super().read(entry_id, state)


def _cost(ids, mails):
    """Return how often a spool of Ben's mails is listed and read when Ann asks for ids."""
    spool = _Counted()
    spool.open()
    for _ in range(mails):
        put(spool, uid=BEN)
    steward = Steward(spool, HandCarrier(), owner_uid=OWNER, clock=FixedClock())
    rows = list(steward.answer(ANN, {"command": "list", "ids": ids}))
    assert rows[-1]["code"] == 66
    return spool.listed, spool.opened


def test_attack_a_thousand_unknown_ids_list_the_spool_once():
    """As often as one does."""
    assert _cost([f"none{number}" for number in range(1000)], 2)[0] == _cost(["none"], 2)[0] > 0


def test_attack_an_abbreviation_of_all_mails_of_others():
    """No more of them are opened, however many there are."""
    prefix = short_start()
    assert 200 < _cost([prefix], 400)[1] == _cost([prefix], 900)[1] < 300


def short_start():
    """Return what the IDs of ``put`` begin with."""
    spool = Memory()
    spool.open()
    return put(spool)[:6]


def test_what_is_tried_again_is_so_after_a_power_cut():
    """In the queue with "failed" in it, it would be removed and never sent."""
    spool = Memory()
    spool.open()
    entry_id = put(spool, state=FAILED, progress=Progress(b"F", attempts=20))
    steward = Steward(spool, HandCarrier(), owner_uid=OWNER, clock=FixedClock())
    assert list(steward.answer(ROOT, {"command": "retry", "ids": [entry_id]}))[-1]["code"] == 0
    after = spool.crashed()
    after.open()
    assert after.read(entry_id).progress.statuses == b"P"
