"""What is written down of an attempt, in which order, and what the log says of it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from peer import PASSWORD, Puppet
from pillarbox.delivery.recorder import shown_reason
from pillarbox.errors import SpoolError
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import Trouble
from pillarbox.secret import Secret
from pillarbox.spool.base import FAILED, Progress
from pillarbox.spool.memory import Memory
from queue_world import CONTENT, HOUR_S, MINUTE_S, World

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = {"RCPT TO:<bad": "550 5.1.1 no such user here"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


class Noting(Memory):
    """A spool that notes what was done to it, and where nothing new fits in while ``is_full``."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.is_full = False

    def begin(self, head):
        """Begin an entry."""
        if self.is_full:
            raise SpoolError("no room")
        self.done.append(f"begin {head.origin.door}")
        return super().begin(head)

    def claim(self, entry_id, state="queue"):
        """Open an entry."""
        claim = super().claim(entry_id, state)
        record = claim.record

        def note(progress, *, is_durable):
            self.done.append(f"record {progress.statuses.decode()} {is_durable}")
            record(progress, is_durable=is_durable)

        claim.record = note
        return claim

    def move(self, entry_id, source, target):
        """Move an entry."""
        self.done.append(f"move {target}")
        super().move(entry_id, source, target)

    def remove(self, entry_id, state="queue"):
        """Remove an entry."""
        self.done.append("remove")
        super().remove(entry_id, state)


def noted(folder, stack, replies=None, **settings):
    """Return a world on a spool that notes, and the puppet."""
    puppet = stack.enter_context(Puppet(replies))
    return World(folder, puppet=puppet, spool=Noting(), **settings)


def test_delivered_mail_is_marked_before_it_is_removed(tmp_path, stack):
    """Doubt, then the word that it has gone, durably, then the end (D4 to D7)."""
    world = noted(tmp_path, stack)
    world.put()
    world.run(1)
    assert world.spool.done == [
        "begin own",
        "record P False",
        "record D False",
        "record D True",
        "remove",
    ]


def test_notice_is_there_before_the_failure_is(tmp_path, stack):
    """A crash between the two makes two notices, and never none (D8)."""
    world = noted(tmp_path, stack, NOBODY)
    world.put("bad@example.net")
    world.run(0)
    done = world.spool.done
    assert done[:5] == [
        "begin own",
        "begin notice",
        "record F False",
        "record F True",
        "move failed",
    ]


def test_failure_waits_for_its_notice(tmp_path, stack):
    """Where the notice does not fit in, nothing is decided: it is tried again, and told then."""
    world = noted(tmp_path, stack, NOBODY)
    entry_id = world.put("bad@example.net")
    world.spool.is_full = True
    world.run(5 * MINUTE_S)
    assert world.statuses(entry_id) == "P"
    assert world.spool.names(FAILED) == []
    assert world.told("spool_failed")
    world.spool.is_full = False
    world.run(5 * MINUTE_S)
    assert world.spool.names(FAILED) == [entry_id]
    assert world.told("notice")


def test_progress_says_how_it_stands(tmp_path, stack):
    """Attempts, time and reason stand in the entry, for people and for the next process."""
    world = noted(tmp_path, stack, {"RCPT": "450 4.2.0 come back later"})
    entry_id = world.put()
    world.run(2 * MINUTE_S)
    progress = world.spool.read(entry_id).progress
    assert progress.attempts == 2
    assert progress.reason == "450 4.2.0 come back later"
    assert not progress.is_in_doubt
    assert 40 < progress.observed_s < 130
    assert progress.last_attempt_s == pytest.approx(world.clock.epoch_s(), abs=121)


def test_accounts_failure_is_no_attempt_of_the_mail(tmp_path, stack):
    """What never had its turn was not tried."""
    world = noted(tmp_path, stack, {"": "421 busy"})
    entry_id = world.put()
    world.run(HOUR_S)
    assert world.spool.read(entry_id).progress.attempts == 0


def test_secret_that_the_server_echoes_is_starred_out(tmp_path, stack):
    """Neither the spool nor the log has the password (attack L10)."""
    world = noted(tmp_path, stack, {"RCPT": f"450 4.2.0 your password is {PASSWORD}"})
    entry_id = world.put()
    world.run(1)
    reason = world.spool.read(entry_id).progress.reason
    assert reason == "450 4.2.0 your password is ***"
    assert PASSWORD not in "\n".join(world.lines)


REASONS = [
    (Reply(550, (b"no\x1b[31m\r\nevent=delivered",)), "550 no\\x1b[31m\\x0d\\x0aevent=delivered"),
    (Reply(550, (b"one", b"two")), "550-one / 550 two"),
    (None, "it failed"),
    (Reply(550, (b"x" * 1000,)), "550 " + "x" * 156 + "..."),
    (Reply(550, (b"the word canary is mine",)), "550 the word *** is mine"),
]


@pytest.mark.parametrize(("reply", "text"), REASONS, ids=str)
def test_reason_is_one_line_of_harmless_text(reply, text):
    """What a server says is cut, escaped and cleaned of our secret before anybody sees it."""
    trouble = Trouble(scope="message", stage="RCPT", problem="it failed", exit_code=65, reply=reply)
    assert shown_reason(trouble, Secret("canary")) == text


def test_log_has_a_line_for_those_of_one_fate(tmp_path, stack):
    """Who it was for, what was said, when it is tried again: one line an event, with the id."""
    replies = NOBODY | {"RCPT TO:<slow": "450 4.2.0 later"}
    world = noted(tmp_path, stack, replies)
    names = ("a@example.net", "bad@example.net", "b@example.net", "slow@example.net")
    entry_id = world.put(*names)
    world.run(0)
    (delivered,) = [line for line in world.told("delivered") if entry_id in line]
    (bounced,) = world.told("bounced")
    (deferred,) = world.told("deferred")
    assert "to=a@example.net,b@example.net " in delivered
    assert "from=me@example.org" in delivered
    assert 'reply="250 taken"' in delivered
    assert "to=bad@example.net" in bounced
    assert 'reply="550 5.1.1 no such user here"' in bounced
    assert "next_s=" not in bounced
    assert "to=slow@example.net" in deferred
    assert "next_s=48" in deferred
    for line in (delivered, bounced, deferred):
        assert "possible_duplicate" not in line
        assert "account=default" in line
        assert "attempts=1" in line


def test_repairs_are_logged(tmp_path, stack):
    """What was changed in a mail can be looked up."""
    world = noted(tmp_path, stack)
    world.put(content=b"no header at all\n")
    world.run(0)
    (line,) = world.told("repaired")
    assert "rules=" in line


def test_line_of_msmtp_is_written_where_the_account_wants_it(tmp_path, stack):
    """``logfile`` counts in the queue as it does without it; one that fails stops nothing."""
    log = tmp_path / "log"
    world = noted(tmp_path, stack, logfile=log)
    world.put()
    world.run(0)
    text = log.read_text()
    assert "recipients=you@example.net" in text
    assert "exitcode=EX_OK" in text
    log.unlink()
    log.mkdir()
    world.put(content=CONTENT)
    world.run(0)
    assert world.told("log_failed")
    assert len(world.arrived) == 2


def test_notice_that_cannot_be_committed_leaves_nothing_behind(tmp_path, stack):
    """What was begun of it is discarded: else each try would leave a file."""
    world = noted(tmp_path, stack, NOBODY)
    world.put("bad@example.net")
    discarded = []
    begin = world.spool.begin

    def begin_and_fail(head):
        draft = begin(head)
        discard = draft.discard

        def fail():
            raise SpoolError("the disk is on fire")

        draft.commit = fail
        draft.discard = lambda: (discarded.append(head.origin.door), discard())
        return draft

    world.spool.begin = begin_and_fail
    world.run(0)
    assert discarded == ["notice"]
    assert world.told("spool_failed")


def test_entry_that_was_deleted_stops_nothing_any_more(tmp_path, stack):
    """What could not be written down of it need not be: nobody has it, and the queue goes on."""
    world = noted(tmp_path, stack)
    entry_id = world.put()
    record = world.spool.claim

    def claim(name, state="queue"):
        found = record(name, state)

        def fail(progress, **_):
            if b"D" in progress.statuses:
                raise SpoolError("the disk is on fire")

        found.record = fail
        return found

    world.spool.claim = claim
    world.run(1)
    assert world.told("suspended")
    world.spool.claim = record
    world.spool.remove(entry_id)
    world.deliverer._traffic.retry_records()
    assert world.deliverer._traffic.suspended == ""
    assert entry_id not in world.deliverer.queue


def test_entry_of_an_earlier_life_is_durable_before_it_is_removed(tmp_path, stack):
    """Killed behind the soft record: a power cut could take both back, and it would go twice."""
    world = noted(tmp_path, stack)
    entry_id = world.put(is_known=False)
    claim = world.spool.claim(entry_id)
    claim.record(Progress(b"D"), is_durable=False)
    claim.close()
    world.spool.done.clear()
    world.start()
    assert world.spool.done == ["record D True", "remove"]
