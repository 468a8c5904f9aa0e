"""What a queue's threads share: which way mail goes, who is told, and what cannot be written."""

from __future__ import annotations

from concurrent.futures import CancelledError
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from peer import Puppet
from pillarbox.spool.base import CORRUPT, FAILED, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from queue_world import DAY_S, HOUR_S, MINUTE_S, FullDisk, World, alerts, repair

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_LOGIN = {"AUTH": "535 5.7.8 authentication failed"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


def other_account(name: str, puppet: Puppet, fallback: str = "") -> str:
    """Return the lines of one more account."""
    lines = f"account {name}\nhost 127.0.0.1\nport {puppet.port}\nfrom {name}@example.org\n"
    lines += "auth off\ntls off\ntimeout 2\n"
    return lines + (f"fallback {fallback}\n" if fallback else "")


# -- fallback ----------------------------------------------------------------------------------


def test_mail_goes_through_the_fallback_while_its_account_is_broken(tmp_path, stack):
    """What waits and what comes goes the other way, and so does the word of it."""
    main, spare = stack.enter_context(Puppet(NO_LOGIN)), stack.enter_context(Puppet())
    world = World(tmp_path, puppet=main, fallback="spare", more=other_account("spare", spare))
    for _ in range(3):
        world.put()
    world.run(MINUTE_S)
    assert world.spool.names() == []
    assert len(alerts(spare)) == 3
    # The notice of the broken account, to its own sender.
    assert len(spare.contents) == 4
    assert world.alarms == []
    world.put()
    world.run(MINUTE_S)
    assert len(spare.contents) == 5
    assert world.logins == 1


def test_account_that_works_again_has_its_mail_back(tmp_path, stack):
    """When its time has come a mail tries it, and behind that one all the new ones."""
    main, spare = stack.enter_context(Puppet(NO_LOGIN)), stack.enter_context(Puppet())
    world = World(tmp_path, puppet=main, fallback="spare", more=other_account("spare", spare))
    world.put()
    world.run(MINUTE_S)
    repair(main)
    world.run(20 * MINUTE_S)
    before = len(spare.contents)
    for _ in range(3):
        world.put()
        world.run(MINUTE_S)
    assert len(main.contents) == 3
    assert len(spare.contents) == before
    assert world.told("account_recovered")


def test_server_that_is_only_away_is_waited_for(tmp_path, stack):
    """An account that cannot be reached is not broken: its mail stays its own."""
    main, spare = stack.enter_context(Puppet({"": "421 busy"})), stack.enter_context(Puppet())
    world = World(tmp_path, puppet=main, fallback="spare", more=other_account("spare", spare))
    world.put()
    world.run(HOUR_S)
    assert spare.contents == []
    assert len(world.spool.names()) == 1


def test_chain_of_fallbacks_is_followed(tmp_path, stack):
    """With the first two broken, the third sends."""
    bad, third = Puppet(NO_LOGIN), stack.enter_context(Puppet())
    stack.enter_context(bad)
    second = other_account("second", bad, "third").replace(
        "auth off", "auth plain\nuser x\npassword y"
    )
    world = World(
        tmp_path, puppet=bad, fallback="second", more=second + other_account("third", third)
    )
    for _ in range(3):
        world.put()
    world.run(MINUTE_S)
    assert len(alerts(third)) == 3
    assert world.spool.names() == []


def test_mail_waits_when_everything_is_broken(tmp_path, stack):
    """Where no account works nothing fails, and each is logged in to eight times a day."""
    first, second = stack.enter_context(Puppet(NO_LOGIN)), stack.enter_context(Puppet(NO_LOGIN))
    more = other_account("spare", second).replace("auth off", "auth plain\nuser x\npassword y")
    world = World(tmp_path, puppet=first, fallback="spare", more=more)
    ids = [world.put() for _ in range(5)]
    world.run(DAY_S - HOUR_S)
    for puppet in (first, second):
        assert sum(line.startswith("AUTH") for line in puppet.commands) <= 8
    assert world.spool.names(FAILED) == []
    waiting = [each.head.id for each in world.spool.scan() if each.head.origin.door != "notice"]
    assert sorted(waiting) == sorted(ids)
    repair(first)
    repair(second)
    world.run(5 * HOUR_S)
    assert world.spool.names() == []
    assert len(alerts(first) + alerts(second)) == 5


# -- who waits ---------------------------------------------------------------------------------


def wait_for(world: World, **wishes):
    """Hand a mail over and wait for the answer; return the promise."""
    entry_id = world.put(is_known=False, **wishes)
    promise = world.deliverer.wait_for(entry_id)
    world.deliverer.added(entry_id)
    return promise


def test_waiting_caller_hears_of_a_paused_account_at_once(tmp_path, stack):
    """Nobody waits four hours for an answer, not even behind a restart."""
    puppet = stack.enter_context(Puppet(NO_LOGIN))
    world = World(tmp_path, puppet=puppet)
    first = wait_for(world)
    world.run(1)
    second = wait_for(world)
    world.start()
    third = wait_for(world)
    for promise in (first, second, third):
        result = promise.result(0)
        assert result.is_kept
        (status,) = result.statuses
        assert status.action == "deferred"
        assert "authentication failed" in str(status.trouble.reply or status.trouble.problem)
    assert world.logins == 1


def test_waiting_caller_hears_of_a_spent_budget_at_once(tmp_path, stack):
    """A limit that is reached is said, and not waited for."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, max_per_day=2)
    world.put()
    world.run(1)
    result = wait_for(world).result(0)
    assert result.is_kept
    assert "limits" in result.statuses[0].trouble.problem
    urgent = wait_for(world, priority=6)
    world.run(1)
    assert not urgent.result(0).is_kept


def test_promise_that_nobody_needs_is_forgotten(tmp_path, stack):
    """A caller who has gone does not stop his mail."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    promise = wait_for(world)
    assert promise.cancel()
    world.run(1)
    with pytest.raises(CancelledError):
        promise.result(0)
    assert len(world.arrived) == 1
    assert world.deliverer._traffic.waiters._promises == {}


# -- entries -----------------------------------------------------------------------------------


def test_restart_sends_to_those_who_have_not_got_it(tmp_path, stack):
    """Recipients that are done are done, also for the next process."""
    replies = {"RCPT TO:<slow": "450 later"}
    puppet = stack.enter_context(Puppet(replies))
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put("fast@example.net", "slow@example.net")
    world.run(1)
    assert world.statuses(entry_id) == "DP"
    repair(puppet)
    puppet.commands.clear()
    world.start()
    world.run(HOUR_S)
    assert [line for line in puppet.commands if "RCPT" in line] == ["RCPT TO:<slow@example.net>"]
    assert world.spool.names() == []


def test_entry_that_is_done_is_cleared_away(tmp_path, stack):
    """What a crash left between the last word and the removal is not sent again."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    done, failed = (
        world.put("a@example.net", is_known=False),
        world.put("b@example.net", is_known=False),
    )
    world.spool.update(done, Progress(b"D", attempts=1))
    world.spool.update(failed, Progress(b"F", attempts=1))
    world.start()
    world.run(HOUR_S)
    assert puppet.connections == 0
    assert world.spool.names() == []
    assert world.spool.names(FAILED) == [failed]


DOUBTS = [
    # in doubt, attempts, seconds since the last, by the calendar -> seconds until it is sent
    (True, 1, 0, 300),
    (True, 1, 200, 100),
    (True, 1, 1000, 0),
    (True, 1, -3.2e8, 300),  # the calendar has jumped back
    (False, 3, 0, 240),
    (False, 0, 0, 0),
]


@pytest.mark.parametrize(("in_doubt", "attempts", "since_s", "wait_s"), DOUBTS)
def test_restart_does_not_shorten_a_wait(in_doubt, attempts, since_s, wait_s, tmp_path, stack):
    """A mail that is in doubt is not sent again at once because a process was started."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put(is_known=False)
    last_s = world.clock.epoch_s() - since_s
    progress = Progress(b"P", attempts=attempts, last_attempt_s=last_s, is_in_doubt=in_doubt)
    world.spool.update(entry_id, progress)
    world.start()
    if wait_s:
        world.run(wait_s - 2)
        assert world.arrived == []
    world.run(4)
    assert len(world.arrived) == 1


def test_damaged_entry_is_put_aside_and_told(tmp_path, stack):
    """One bad file never stops the queue, and is never deleted."""
    puppet = stack.enter_context(Puppet())
    spool = Memory()
    world = World(tmp_path, puppet=puppet, spool=spool)
    bad, good = world.put(), world.put()
    spool.damage(bad)
    world.run(MINUTE_S)
    assert len(world.arrived) == 1
    assert (spool.names(), spool.names(CORRUPT)) == ([], [bad])
    assert world.told("corrupt")
    assert any(bad in alarm for alarm in world.alarms)
    assert good not in world.deliverer.queue


def test_entry_that_somebody_has_deleted_is_forgotten(tmp_path, stack):
    """What is gone from the spool is not missed."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    world.spool.remove(world.put())
    world.put()
    world.run(MINUTE_S)
    assert len(world.arrived) == 1
    assert len(world.deliverer.queue) == 0


# -- what cannot be written down ---------------------------------------------------------------


def test_nothing_is_sent_while_nothing_can_be_written_down(tmp_path, stack):
    """A mail that has gone and cannot be marked stops the queue: better late than a thousand."""
    disk = FullDisk()
    spool = Directory(str(tmp_path / "spool"), disk=disk)
    stack.callback(spool.close)

    def fill() -> None:
        disk.is_full = disk.is_full or bool(puppet.contents)

    puppet = stack.enter_context(Puppet(watch=fill))
    world = World(tmp_path, puppet=puppet, spool=spool)
    promise = wait_for(world)
    world.put()
    world.run(1)
    assert len(world.arrived) == 1
    assert promise.result(0).is_kept  # what became of it is not known to the disk
    world.put()
    world.run(3 * HOUR_S)
    assert len(world.arrived) == 1
    assert len(world.told("suspended")) == 1
    assert (
        "disk" in world.deliverer._traffic.suspended
        or "space" in world.deliverer._traffic.suspended
    )
    assert world.deliverer.accounts()[0].reason
    late = wait_for(world)
    assert "nothing is sent" in late.result(0).statuses[0].trouble.problem
    puppet._watch = None
    disk.is_full = False
    world.run(HOUR_S)
    assert world.told("resumed")
    assert len(world.arrived) == 4
    assert spool.names() == []


def test_restart_after_an_unwritten_end_is_in_doubt(tmp_path, stack):
    """What could not be written down before the process ended may arrive twice, and is not lost."""
    disk = FullDisk()
    spool = Directory(str(tmp_path / "spool"), disk=disk)

    def fill() -> None:
        disk.is_full = disk.is_full or bool(puppet.contents)

    puppet = stack.enter_context(Puppet(watch=fill))
    world = World(tmp_path, puppet=puppet, spool=spool)
    entry_id = world.put()
    world.run(1)
    spool.close()
    disk.is_full = False
    puppet._watch = None
    world.spool = Directory(str(tmp_path / "spool"))
    stack.callback(world.spool.close)
    world.spool.open()
    world.start()
    assert world.spool.read(entry_id).progress.is_in_doubt
    world.run(HOUR_S)
    assert len(world.arrived) == 2
    assert world.spool.names() == []


def test_account_that_is_gone_has_its_mail_wait(tmp_path, stack):
    """Mail of an account that was taken out of the file is kept, and sent when it is back."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, more=other_account("spare", puppet))
    entry_id = world.put(account="spare")
    world.more = ""
    world.write_settings()
    world.start()
    world.run(HOUR_S)
    assert world.spool.names() == [entry_id]
    assert len(world.told("account_missing")) in (2, 3)
    waiter = world.deliverer.wait_for(entry_id)
    world.more = other_account("spare", puppet)
    world.write_settings()
    world.run(HOUR_S)
    assert world.spool.names() == []
    assert not waiter.result(0).is_kept
