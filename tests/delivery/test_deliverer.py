"""The deliverer with its own threads, and everything that may be asked of it meanwhile."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from peer import Puppet
from pillarbox.delivery.clock import Clock
from pillarbox.spool.base import FAILED, QUEUE, Progress
from queue_world import CONTENT, HOUR_S, MINUTE_S, YEAR_S, World, alerts, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_LOGIN = {"AUTH": "535 5.7.8 authentication failed"}
LATER = {"RCPT": "450 4.2.0 later"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


def world_of(folder, stack, replies=None, **settings):
    """Return a world with a puppet that answers so."""
    return World(folder, puppet=stack.enter_context(Puppet(replies)), **settings)


def started(folder, stack, replies=None, **settings):
    """Return a world whose deliverer runs by itself, by the clock of this machine."""
    settings.setdefault("limits", {"idle_s": 60.0, "scan_interval_s": 60.0})
    world = world_of(folder, stack, replies, **settings)
    world.clock = Clock()
    world.start()
    world.deliverer.start()
    stack.callback(world.deliverer.stop, 10)
    return world


def wait_until(is_true: Callable[[], object], queue) -> None:
    """Wait for the queue to change until something is true."""
    limit = monotonic() + 20
    while not is_true():
        assert monotonic() < limit, "it never came"
        with queue.changed:
            queue.changed.wait(0.02)


# -- with its own threads ----------------------------------------------------------------------


def test_mail_is_sent_as_soon_as_it_comes(tmp_path, stack):
    """Nothing is polled: a mail that is accepted wakes the one that sends it."""
    world = started(tmp_path, stack)
    for _ in range(5):
        entry_id = world.put(is_known=False)
        promise = world.deliverer.wait_for(entry_id)
        world.deliverer.added(entry_id)
        assert not promise.result(10).is_kept
    assert len(world.arrived) == 5
    assert world.puppet.connections == 1  # kept warm
    assert world.deliverer.stalled() == ""


def test_stop_ends_what_is_on_its_way(tmp_path, stack):
    """What has begun is brought to its end, what has not stays, and nothing is sent twice."""
    reached, may_go_on = threading.Event(), threading.Event()

    def watch() -> None:
        if puppet.commands and puppet.commands[-1].startswith("RCPT"):
            reached.set()
            may_go_on.wait(10)

    puppet = stack.enter_context(Puppet(watch=watch))
    world = World(tmp_path, puppet=puppet, limits={"scan_interval_s": 60.0})
    world.clock = Clock()
    world.start()
    for _ in range(20):
        world.put()
    world.deliverer.start()
    assert reached.wait(10)
    stopper = threading.Thread(target=world.deliverer.stop, args=(10,))
    stopper.start()
    may_go_on.set()
    stopper.join(15)
    assert not stopper.is_alive()
    sent = len(world.arrived)
    assert sent >= 1
    assert len(world.spool.names()) == 20 - sent
    puppet._watch = None
    world.start()
    assert world.deliverer.flush_once() == 0
    assert len(world.arrived) == 20


def test_stop_leaves_nothing_that_could_come_back(tmp_path, stack):
    """What was sent before the end is gone for good, even if the power is cut the moment after."""
    world = started(tmp_path, stack)
    for _ in range(10):
        world.put()
    wait_until(lambda: len(world.arrived) == 10, world.deliverer.queue)
    assert world.deliverer.stop(10) is True
    after = world.spool.crashed()
    after.open()
    assert after.names() == []
    assert len(world.told("delivered")) == 10


def test_stop_does_not_wait_for_ever(tmp_path, stack):
    """A server that says nothing does not keep the daemon from ending; the mail is still there."""
    may_go_on = threading.Event()
    reached = threading.Event()

    def watch() -> None:
        if puppet.commands and puppet.commands[-1] == "DATA":
            reached.set()
            may_go_on.wait(20)

    puppet = stack.enter_context(Puppet(watch=watch))
    stack.callback(may_go_on.set)
    world = World(tmp_path, puppet=puppet, limits={"scan_interval_s": 60.0}, timeout=20)
    world.clock = Clock()
    world.start()
    entry_id = world.put()
    world.deliverer.start()
    assert reached.wait(10)
    assert world.deliverer.stop(0.2) is False
    assert world.spool.names() == [entry_id]


def test_change_of_the_limits_counts_from_the_next_mail_on(tmp_path, stack):
    """A reload changes how mail is delivered without a restart."""
    world = world_of(tmp_path, stack, limits={"mails": 1, "connections": 1})
    limits = world.deliverer.limits
    assert limits.mails == 1
    world.put()
    world.put()
    world.run(1)
    assert world.puppet.connections == 2
    from pillarbox.delivery.deliverer import Limits

    world.deliverer.limits = Limits(idle_s=0.0, scan_interval_s=1800.0)
    for _ in range(5):
        world.put()
    world.run(1)
    assert world.puppet.connections == 3


def test_dead_dispatcher_is_seen(tmp_path, stack):
    """A watchdog hears when nothing would be sent any more."""
    world = world_of(tmp_path, stack)
    assert world.deliverer.stalled() == ""  # it was not started
    world.deliverer._dispatcher = threading.Thread()
    assert "dispatcher" in world.deliverer.stalled()
    world.deliverer._dispatcher = threading.current_thread()
    assert world.deliverer.stalled() == ""
    world.clock.now_s += 3 * HOUR_S
    assert "looked" in world.deliverer.stalled()


def test_fault_of_one_round_stops_no_mail(tmp_path, stack, monkeypatch):
    """It is told, and the next round sends: a service without a watchdog would be dead for ever."""
    monkeypatch.setattr("pillarbox.delivery.deliverer._LOOK_S", 0.01)
    world = world_of(tmp_path, stack)
    planted = [RuntimeError("planted")]

    def look():
        if planted:
            raise planted.pop()

    monkeypatch.setattr(world.deliverer._upkeep, "look_at_files", look)
    entry_id = world.put(is_known=False)
    promise = world.deliverer.wait_for(entry_id)
    world.deliverer.start()
    world.deliverer.added(entry_id)
    assert not promise.result(20).is_kept
    assert len(world.told("fault")) == 1
    assert world.deliverer.stop(20)


# -- in the foreground -------------------------------------------------------------------------


def test_flush_once_sends_everything_now(tmp_path, stack):
    """``queue flush`` without a daemon tries what waits for its time, and counts what is left."""
    world = world_of(tmp_path, stack, LATER)
    for _ in range(3):
        world.put()
    assert world.deliverer.flush_once() == 3
    assert world.deliverer.flush_once() == 3
    repair(world.puppet)
    assert world.deliverer.flush_once() == 0
    assert len(world.arrived) == 3
    assert world.spool.names() == []


def test_a_queue_without_a_service_reports_what_it_cannot_deliver(tmp_path, stack):
    """Mail grows old between the processes that look at it: its sender is warned, then told."""
    world = world_of(tmp_path, stack, LATER)
    mail = world.put()
    for _ in range(21):
        world.clock.now_s += 6 * HOUR_S
        world.start()  # another process, as cron starts one
        world.deliverer.flush_once()
    assert len(world.told("expired")) == 1
    assert mail in world.told("expired")[0]
    assert mail not in world.spool.names()
    assert world.spool.names(FAILED) == [mail]
    assert len([line for line in world.told("notice") if f"about={mail}" in line]) == 2


def test_attack_a_calendar_that_jumps_gives_up_no_mail_of_a_queue_without_a_service(
    tmp_path, stack
):
    """A day at a time is believed, and ten attempts are wanted."""
    world = world_of(tmp_path, stack, LATER)
    mail = world.put()
    for _ in range(4):
        world.clock.calendar_s += YEAR_S
        world.start()
        world.deliverer.flush_once()
    world.clock.calendar_s -= 10 * YEAR_S
    for _ in range(20):
        world.start()
        world.deliverer.flush_once()
    assert mail in world.spool.names()
    assert world.told("expired") == []


def test_attack_a_mail_in_doubt_is_not_sent_again_with_each_new_one(tmp_path, stack):
    """Without a service each mail flushes the queue; one that may have arrived has its delay."""
    world = world_of(tmp_path, stack, {".": ""})
    world.put()
    for _ in range(5):
        world.deliverer.flush_once(hurries=False)
        world.start()
    before = world.puppet.connections
    world.clock.now_s += 10 * MINUTE_S
    world.start()
    world.deliverer.flush_once(hurries=False)
    assert (before, world.puppet.connections) == (1, 2)


def test_flush_once_sends_only_what_is_named(tmp_path, stack):
    """A user's own mail goes at once; what waited stays what it was."""
    world = world_of(tmp_path, stack)
    ids = [world.put(content=CONTENT + b"%d\n" % number) for number in range(3)]
    assert world.deliverer.flush_once(ids=[ids[1]]) == 2
    assert [each.split()[-1] for each in world.arrived] == [b"1"]
    assert sorted(world.spool.names()) == sorted((ids[0], ids[2]))


def test_flush_once_does_not_use_up_logins(tmp_path, stack):
    """However often it is called, a refused login is made once a quarter of an hour."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    world.put()
    for _ in range(10):
        assert world.deliverer.flush_once() == 1
        world.start()
    assert world.logins == 1


def test_flush_once_goes_on_through_the_fallback(tmp_path, stack):
    """One call is enough to find out that an account is broken, and to use the other."""
    spare = stack.enter_context(Puppet())
    more = f"account spare\nhost 127.0.0.1\nport {spare.port}\nauth off\ntls off\n"
    world = world_of(tmp_path, stack, NO_LOGIN, fallback="spare", more=more)
    world.put()
    assert world.deliverer.flush_once() == 0
    assert len(alerts(spare)) == 1


# -- what may be asked of it -------------------------------------------------------------------


def test_flush_tries_what_could_not_be_reached(tmp_path, stack):
    """The network is back: nobody waits out the half hour."""
    world = world_of(tmp_path, stack, {"": "421 busy"})
    world.put()
    world.run(HOUR_S)
    repair(world.puppet)
    world.deliverer.flush()
    world.run(1)
    assert len(world.arrived) == 1


def test_flush_tries_no_refused_login(tmp_path, stack):
    """A network that comes and goes all day costs no more logins than one that stays (R9)."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    world.put()
    for _ in range(100):
        world.deliverer.flush()
        world.run(MINUTE_S / 10)
    assert world.logins == 1


@pytest.mark.parametrize("reply", ["454 4.7.0 too many logins", ""])
def test_flush_tries_no_throttled_login(reply, tmp_path, stack):
    """What the provider asked to be spared of waits on."""
    world = world_of(tmp_path, stack, {"AUTH": reply})
    world.put()
    world.run(2 * MINUTE_S)
    before = world.logins
    for _ in range(20):
        world.deliverer.flush()
        world.run(MINUTE_S / 10)
    assert world.logins == before


def test_flush_of_one_account_leaves_the_others(tmp_path, stack):
    """A name restricts it to that account."""
    other = stack.enter_context(Puppet(LATER))
    more = f"account other\nhost 127.0.0.1\nport {other.port}\nfrom o@example.org\n"
    more += "auth off\ntls off\n"
    world = world_of(tmp_path, stack, LATER, more=more)
    world.put()
    world.put(account="other")
    world.run(1)
    repair(other)
    repair(world.puppet)
    world.deliverer.flush("other")
    world.run(1)
    assert (len(alerts(other)), len(world.arrived)) == (1, 0)


def test_resume_closes_a_broken_account_and_tries_it(tmp_path, stack):
    """A person who has mended the provider's side need not wait; a name that is none is nothing."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    world.put()
    world.run(1)
    assert world.deliverer.resume("nobody") is False
    repair(world.puppet)
    assert world.deliverer.resume("default") is True
    world.run(1)
    assert len(world.arrived) == 1
    assert world.deliverer.resume("default") is False


def test_resume_counts_behind_a_restart(tmp_path, stack):
    """Also where no mail has named the account yet in this process."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    entry_id = world.put()
    world.run(1)
    world.spool.remove(entry_id)
    world.start()
    repair(world.puppet)
    assert world.deliverer.resume("default") is True
    world.put()
    world.run(1)
    assert len(world.arrived) == 1


def test_accounts_tell_how_they_are_doing(tmp_path, stack):
    """What is wrong since when, when it is tried next, and how many wait."""
    world = world_of(tmp_path, stack, NO_LOGIN)
    assert world.deliverer.accounts() == []
    for _ in range(3):
        world.put()
    world.run(MINUTE_S)
    (state,) = world.deliverer.accounts()
    assert (state.name, state.is_open, state.kind, state.waiting) == ("default", True, "login", 3)
    now_s = world.clock.epoch_s()
    assert state.since_s == pytest.approx(now_s - MINUTE_S, abs=1)
    assert state.next_try_s == pytest.approx(now_s + 14 * MINUTE_S, abs=1)
    assert state.reason == "535 5.7.8 authentication failed"


def test_next_attempt_is_that_of_the_mail_and_its_account(tmp_path, stack):
    """The later of the two counts; what is not in the queue has none."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    assert world.deliverer.next_attempt_s(entry_id) == world.clock.epoch_s()
    world.run(0)
    assert world.deliverer.next_attempt_s(entry_id) == pytest.approx(world.clock.epoch_s() + 48)
    assert world.deliverer.next_attempt_s("gone") is None
    world.puppet.replies = world.puppet.replies | NO_LOGIN
    world.run(MINUTE_S)
    wait_s = world.deliverer.next_attempt_s(entry_id) - world.clock.epoch_s()
    assert 13 * MINUTE_S < wait_s <= 15 * MINUTE_S


def test_retry_makes_one_mail_due(tmp_path, stack):
    """The named one is tried now, the others at their time."""
    world = world_of(tmp_path, stack, LATER)
    first, second = world.put(), world.put()
    world.run(1)
    repair(world.puppet)
    world.deliverer.retry([second, "gone"])
    world.run(1)
    assert world.spool.names() == [first]


def test_entry_can_be_taken_unless_it_is_on_its_way(tmp_path, stack):
    """What is taken is not sent; what is being sent cannot be taken."""
    world = world_of(tmp_path, stack, LATER)
    entry_id = world.put()
    assert not world.deliverer.is_busy(entry_id)
    item = world.deliverer.queue.take_one(entry_id)
    assert world.deliverer.is_busy(entry_id)
    assert world.deliverer.take(entry_id) is False
    world.deliverer.queue.give_back(item, 0.0)
    assert world.deliverer.take(entry_id) is True
    assert world.deliverer.take(entry_id) is False  # somebody has it already
    world.deliverer.let_go(entry_id)
    assert world.deliverer.take(entry_id) is True  # it is not there: so it is not sent
    world.run(1)
    assert world.puppet.connections == 0
    world.deliverer.put_back(world.spool.read(entry_id))
    world.run(1)
    assert world.puppet.connections == 0  # whoever finds it, somebody has it
    world.deliverer.let_go(entry_id)
    world.deliverer.put_back(world.spool.read(entry_id))
    world.run(1)
    assert world.puppet.connections == 1


def test_failed_mail_can_be_put_back(tmp_path, stack):
    """What failed is sent again when a person says so, to those who did not get it."""
    world = world_of(tmp_path, stack, {"RCPT TO:<bad": "550 5.1.1 no"})
    entry_id = world.put("good@example.net", "bad@example.net")
    world.run(1)
    assert world.spool.names(FAILED) == [entry_id]
    repair(world.puppet)
    world.spool.move(entry_id, FAILED, QUEUE)
    world.spool.update(entry_id, Progress(b"DP"))
    world.deliverer.put_back(world.spool.read(entry_id))
    world.puppet.commands.clear()
    world.run(1)
    asked = [line for line in world.puppet.commands if line.startswith("RCPT")]
    assert asked == ["RCPT TO:<bad@example.net>"]
    assert world.spool.names() == world.spool.names(FAILED) == []


def test_owner_finds_his_own(tmp_path, stack):
    """The index knows whose mail it is."""
    from pillarbox.spool.base import Origin

    world = world_of(tmp_path, stack, LATER)
    mine = world.put(origin=Origin(1000))
    world.put(origin=Origin(1001))
    assert world.deliverer.ids_of(1000) == [mine]
    assert world.deliverer.queue.share_of(1000)[0] == 1


def test_load_takes_in_what_is_there(tmp_path, stack):
    """The queue is made anew from the spool at every start."""
    world = world_of(tmp_path, stack)
    ids = [world.put(is_known=False) for _ in range(5)]
    assert len(world.deliverer.queue) == 0
    world.start()
    assert sorted(world.deliverer.queue.ids()) == sorted(ids)
    assert sorted(world.spool.names(QUEUE)) == sorted(ids)


def test_reload_by_hand_tries_what_waited(tmp_path, stack):
    """SIGHUP: the files are read again, and mail that waited is due."""
    world = world_of(tmp_path, stack, LATER)
    world.put()
    world.run(1)
    repair(world.puppet)
    world.deliverer.reload()
    world.run(1)
    assert len(world.arrived) == 1
