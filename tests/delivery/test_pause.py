"""An account that a person has paused: nothing goes through it, whatever happens, until resume."""

from __future__ import annotations

import pytest

from peer import Puppet
from pillarbox.delivery.breaker import Breaker
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.health import Memory as Remembered
from pillarbox.delivery.still import StillCarrier
from queue_world import DAY_S, HOUR_S, World

REASON = "somebody has paused it"


@pytest.fixture(name="world")
def _world(tmp_path):
    with Puppet() as puppet:
        yield World(tmp_path, puppet=puppet)


def test_nothing_goes_through_a_paused_account(world):
    """Not what waits, not what is new, not on a flush; and nothing of it is lost or bounced."""
    assert world.deliverer.pause("default") is True
    ids = [world.put(), world.put()]
    world.run(HOUR_S)
    world.deliverer.flush()
    world.run(2 * DAY_S)
    assert world.puppet.connections == 0
    assert set(ids) <= set(world.spool.names()), "beside them there are notices, which wait too"
    (state,) = world.deliverer.accounts()
    assert (state.is_open, state.kind, state.reason) == (True, "paused", REASON)
    assert (state.since_s, state.next_try_s, state.waiting >= 2) == (
        1.8e9 + 50_000,
        0.0,
        True,
    )


def test_resume_sends_what_waits_at_once(world):
    """And says that it was paused."""
    world.deliverer.pause("default")
    world.put()
    world.run(HOUR_S)
    assert world.deliverer.resume("default") is True
    world.run(1)
    assert (len(world.puppet.contents), world.spool.names()) == (1, [])
    assert world.deliverer.resume("default") is False


def test_a_pause_outlives_a_restart_and_other_settings(world):
    """It is a person's word, and no failure that a new password could mend."""
    world.deliverer.pause("default")
    world.put()
    world.write_settings(timeout=3, auth="login")
    world.start()
    world.deliverer.reload()
    world.run(DAY_S)
    assert world.puppet.connections == 0
    assert world.deliverer.accounts()[0].kind == "paused"


def test_to_pause_twice_is_to_pause_once(world):
    """The first one's time stays; an account that is not there cannot be paused."""
    assert world.deliverer.pause("default") is True
    world.clock.now_s += 100
    assert world.deliverer.pause("default") is False
    assert world.deliverer.pause("wrok") is False
    assert (world.deliverer.has_account("default"), world.deliverer.has_account("wrok")) == (
        True,
        False,
    )


def test_failures_of_before_are_forgotten_with_the_pause():
    """``resume`` is one for both."""
    breaker = Breaker(elapsed_s=0.0)
    breaker.failed("login", "535 no", now_s=1e9, elapsed_s=0.0)
    breaker.pause(1e9)
    assert (breaker.is_open, breaker.kind, breaker.is_broken) == (True, "login", True)
    breaker.resume()
    assert (breaker.is_open, breaker.is_paused, breaker.may_try(1.0)) == (False, False, True)


@pytest.mark.parametrize("end", [
    lambda breaker: breaker.use("other"),
    lambda breaker: breaker.hurry(),
    lambda breaker: breaker.succeeded(5.0),
    lambda breaker: breaker.mail_accepted(),
    lambda breaker: breaker.failed("site", "down", now_s=1e9, elapsed_s=5.0),
])  # fmt: skip
def test_only_a_person_ends_what_a_person_began(end):
    """Neither a network nor a success that was under way nor new settings do."""
    breaker = Breaker(elapsed_s=0.0, fingerprint="one")
    breaker.pause(1e9)
    end(breaker)
    assert (breaker.is_paused, breaker.may_try(1e6)) == (True, False)


@pytest.mark.parametrize("paused_s", [None, "x", [], -5, True, float("nan")])
def test_a_record_that_is_nonsense_pauses_nothing(paused_s):
    """What cannot be understood is not known."""
    record = Breaker(elapsed_s=0.0).record(0.0) | {"paused_s": paused_s}
    breaker = Breaker(record, elapsed_s=0.0)
    assert breaker.may_try(1.0) or paused_s is True


def test_a_pause_without_a_daemon_is_kept_for_it(world):
    """It is written where who delivers next will find it."""
    still = StillCarrier(world.spool, Remembered(str(world.folder)), Clock())
    assert (still.pause("default"), still.pause("default")) == (True, False)
    world.start()
    world.put()
    world.run(HOUR_S)
    assert world.puppet.connections == 0
    assert still.accounts()[0].kind == "paused"


def test_an_account_without_a_daemon_is_one_that_mail_waits_for_or_one_that_is_known(world):
    """Whoever makes it says which others there are; where he does not, there may be any."""
    world.put()
    memory = Remembered(str(world.folder))
    still = StillCarrier(world.spool, memory, Clock(), knows=lambda name: name == "spare")
    assert [still.has_account(name) for name in ("default", "spare", "wrok")] == [True, True, False]
    assert StillCarrier(world.spool, memory, Clock()).has_account("wrok") is True


def test_who_waits_for_a_mail_hears_that_it_was_taken(world):
    """A mail that is held or deleted has no first attempt to wait for."""
    world.deliverer.pause("default")
    entry_id = world.put(is_known=False)
    waiting = world.deliverer.wait_for(entry_id)
    assert world.deliverer.take(entry_id) is True
    (status,) = waiting.result(1).statuses
    assert (status.action, "held, changed or deleted" in status.trouble.problem) == (
        "deferred",
        True,
    )
