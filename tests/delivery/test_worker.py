"""One connection and the mail that goes over it: kept warm, lost, budgeted, and never blocked."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from peer import Puppet
from pillarbox.delivery.health import Memory
from pillarbox.delivery.job import Job
from pillarbox.mail.status import DELIVERED
from pillarbox.spool.base import FAILED
from queue_world import CONTENT, DAY_S, HOUR_S, MINUTE_S, World, repair

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as opened:
        yield opened


def count(puppet: Puppet, verb: str) -> int:
    """Return how often a server heard a command."""
    return sum(line.startswith(verb) for line in puppet.commands)


def test_many_mails_go_over_one_connection(tmp_path, stack):
    """A queue of mails costs one login, and goes out in the order in which it came."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    for number in range(20):
        world.put(content=CONTENT + b"%d\n" % number)
        world.clock.now_s += 0.001
    world.run(1)
    assert puppet.connections == 1
    assert [int(each.split()[-1]) for each in world.arrived] == list(range(20))


def test_connection_is_changed_after_a_number_of_mails(tmp_path, stack):
    """Providers count the mails of a connection: it is ended before they do."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, limits={"mails": 5, "connections": 1})
    for _ in range(12):
        world.put()
    world.run(MINUTE_S)
    assert (puppet.connections, len(world.arrived)) == (3, 12)


def test_first_connection_finds_out_for_all(tmp_path, stack):
    """Until a login has succeeded there is one; then as many as are set."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, limits={"connections": 4, "mails": 2})
    for _ in range(8):
        world.put()
    assert world.deliverer._start_workers() >= 0
    assert world.health().workers == 1
    world.run(MINUTE_S)
    assert len(world.arrived) == 8
    assert world.health().max_workers(4) == 4


class Warm:
    """A worker that keeps its connection, driven by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rounds = 0

    def serve(self, *actions) -> None:
        """Serve, with each action done where the worker would wait for mail, and then stop."""
        from pillarbox.delivery.worker import Worker

        waiting = list(actions)

        class Waiting(Worker):
            def _wait(self, _: float) -> bool:
                if not waiting:
                    return False
                waiting.pop(0)()
                return True

        Waiting(self.world.deliverer._traffic, self.world.health(), lingers=True).serve()
        self.world.deliverer._traffic._recorders.wait()


def test_kept_connection_is_used_again(tmp_path, stack):
    """The next mail finds the connection warm: no second login."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    world.put()
    Warm(world).serve(world.put, world.put)
    assert (puppet.connections, len(world.arrived)) == (1, 3)


def test_connection_that_was_closed_meanwhile_is_nobodys_failure(tmp_path, stack):
    """The server's farewell to an idle connection costs a new one, no wait and no second copy."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    world.put()

    def close_and_put() -> None:
        # It says goodbye to whatever comes next.
        puppet.replies = puppet.replies | {"MAIL": "421 4.4.2 idle for too long", "RSET": "421 x"}
        ids.append(world.put())

    def heal() -> None:
        repair(puppet, forgets=False)

    ids: list[str] = []
    puppet._watch = lambda: heal() if puppet.connections > 1 else None
    Warm(world).serve(close_and_put)
    assert (puppet.connections, len(world.arrived)) == (2, 2)
    assert world.spool.names() == []
    assert world.told("account_failed") == world.told("account_paused") == []
    assert world.told("deferred") == []


def test_new_connection_that_is_closed_is_a_failure(tmp_path, stack):
    """The same words over a fresh connection have the account wait."""
    puppet = stack.enter_context(Puppet({"MAIL": "421 4.4.2 no"}))
    world = World(tmp_path, puppet=puppet)
    world.put()
    world.run(1)
    assert puppet.connections == 1
    assert world.health().breaker.kind == "site"


def test_mail_that_kills_connections_does_not_block_the_others(tmp_path, stack):
    """A mail at which the server hangs up waits its own time; those behind it go out."""
    puppet = stack.enter_context(Puppet({"RCPT TO:<poison": ""}))
    world = World(tmp_path, puppet=puppet)
    poison = world.put("poison@example.net")
    others = [world.put() for _ in range(5)]
    world.run(5 * MINUTE_S)
    assert world.spool.names() == [poison]
    assert len(world.arrived) == len(others)


def test_lost_answer_is_doubt_and_doubt_waits(tmp_path, stack):
    """A mail that may have arrived is sent again after five minutes, under the same Message-ID."""
    puppet = stack.enter_context(Puppet({".": ""}))
    world = World(tmp_path, puppet=puppet)
    entry_id = world.put()
    world.run(1)
    assert world.spool.read(entry_id).progress.is_in_doubt
    assert "possible_duplicate=yes" in world.told("deferred")[0]
    puppet.replies = puppet.replies | {".": "250 taken"}
    world.run(4 * MINUTE_S)
    assert len(world.arrived) == 1
    world.run(2 * MINUTE_S)
    first, second = world.arrived
    assert first == second
    assert b"Message-ID: <" in first
    assert "possible_duplicate=yes" in world.told("delivered")[0]
    assert world.spool.names() == []


def test_budget_is_kept_and_the_reserve_is_for_urgent_mail(tmp_path, stack):
    """Ordinary mail waits when nine of ten are spent; an alarm still goes, before what is older."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, max_per_hour=10)
    for _ in range(30):
        world.put()
    world.run(MINUTE_S)
    assert len(world.arrived) == 9
    world.put(content=b"Subject: alert\n\nurgent\n", priority=5)
    world.run(MINUTE_S)
    assert len(world.arrived) == 10
    assert b"urgent" in world.arrived[-1]
    world.put(content=b"Subject: alert\n\ntoo much\n", priority=5)
    world.run(MINUTE_S)
    assert len(world.arrived) == 10
    world.run(1.5 * HOUR_S)
    assert len(world.arrived) in (19, 20)
    world.run(4 * HOUR_S)
    assert world.spool.names() == []


def test_exhausted_budget_costs_nothing_while_it_is(tmp_path, stack, monkeypatch):
    """Hundreds of mails that wait for a limit are not taken up and put back one by one."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet, max_per_hour=10)
    for _ in range(300):
        world.put()
    world.run(1)
    started = []
    start = world.deliverer._start_thread
    monkeypatch.setattr(
        world.deliverer, "_start_thread", lambda *given: started.append(given) or start(*given)
    )
    world.run(50 * MINUTE_S)
    assert started == []


def test_connection_that_cannot_be_opened_costs_no_budget(tmp_path, stack):
    """A provider that is away for hours has not used up what may be sent in the day."""
    puppet = stack.enter_context(Puppet({"EHLO": "421 4.3.2 away"}))
    world = World(tmp_path, puppet=puppet, max_per_day=10)
    for _ in range(9):
        world.put()
    world.run(3 * HOUR_S)
    assert puppet.connections > 3
    assert world.arrived == []
    repair(puppet, forgets=False)
    world.run(HOUR_S)
    assert len(world.arrived) == 9


def test_budget_survives_a_restart(tmp_path, stack):
    """A daemon that is started again has not got a new day's worth of mails."""
    puppet = stack.enter_context(Puppet())
    # Without warnings, which are urgent.
    world = World(tmp_path, puppet=puppet, limits={"warning_after_s": 0.0}, max_per_day=10)
    for _ in range(20):
        world.put()
    world.run(1)
    assert world.deliverer.stop(10)
    world.start()
    world.run(HOUR_S)
    assert len(world.arrived) == 9
    world.run(1.2 * DAY_S)
    assert len(world.arrived) == 18


def test_fault_of_ours_puts_mail_off_and_says_so(tmp_path, stack, monkeypatch):
    """A bug ends in one line; its mail waits half an hour, the others go, and none is stuck."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    bad = world.put("bad@example.net")
    statuses = Job.statuses

    def faulty(job: Job, trouble) -> list:
        if job.item.id == bad:
            raise RuntimeError("secret words")
        return statuses(job, trouble)

    monkeypatch.setattr(Job, "statuses", faulty)
    world.run(1)
    (line,) = world.told("fault")
    assert "kind=RuntimeError" in line
    assert "secret" not in line
    others = [world.put() for _ in range(3)]
    world.run(MINUTE_S)
    assert world.spool.names() == [bad]
    assert len(world.arrived) == len(others) + 1  # the faulty one had gone before the fault
    monkeypatch.undo()
    world.run(HOUR_S)
    assert world.spool.names() == []


def test_missing_password_has_the_account_wait(tmp_path, stack):
    """A command for the password that fails is the account's trouble, and no mail's."""
    puppet = stack.enter_context(Puppet())
    world = World(tmp_path, puppet=puppet)
    world.settings.pop("password")
    world.write_settings(passwordeval='"exit 1"')
    world.start()
    entry_id = world.put()
    world.run(HOUR_S)
    assert puppet.connections == 0
    assert world.spool.names() == [entry_id]
    assert world.health().breaker.kind == "settings"
    assert len(world.alarms) == 1
    world.write_settings(passwordeval='"echo correct horse"')
    world.run(MINUTE_S)  # the file was changed: it is read again, and tried
    assert world.spool.names() == []
    assert len(world.arrived) == 1


def test_login_is_remembered_before_it_is_made(tmp_path, stack):
    """A process that is killed between the login and its answer has not forgotten it (R9)."""
    seen = []

    def watch() -> None:
        if puppet.commands and puppet.commands[-1].startswith("AUTH"):
            seen.append(Memory(str(tmp_path)).load("default")["breaker"]["pending"])

    puppet = stack.enter_context(Puppet({"AUTH": "535 no"}, watch=watch))
    world = World(tmp_path, puppet=puppet)
    world.put()
    world.run(20 * MINUTE_S)
    assert seen == [1, 1]


def test_large_recipient_lists_are_sent_in_parts_the_server_takes(tmp_path, stack):
    """Each recipient's own answer counts, and each gets one copy."""
    puppet = stack.enter_context(Puppet({"RCPT TO:<no": "550 5.1.1 unknown"}))
    world = World(tmp_path, puppet=puppet)
    names = [f"{'no' if number % 7 == 0 else 'yes'}{number}@example.net" for number in range(120)]
    world.put(*names, sender=None)
    world.run(MINUTE_S)
    assert world.spool.names() == []
    assert len(world.spool.names(FAILED)) == 1
    asked = [line for line in puppet.commands if line.startswith("RCPT")]
    assert len(asked) == len(set(asked)) == 120


def test_waiting_caller_gets_the_providers_answer(tmp_path, stack):
    """``--wait``: the statuses of the first attempt, and whether the mail was kept."""
    replies = {"RCPT TO:<bad": "550 5.1.1 unknown", "RCPT TO:<slow": "450 4.2.0 later"}
    puppet = stack.enter_context(Puppet(replies))
    world = World(tmp_path, puppet=puppet)
    for to, actions, is_kept in (
        (("good@example.net",), [DELIVERED], False),
        (("bad@example.net",), ["bounced"], False),
        (("slow@example.net", "good@example.net"), ["deferred", DELIVERED], True),
    ):
        entry_id = world.put(*to, is_known=False)
        promise = world.deliverer.wait_for(entry_id)
        world.deliverer.added(entry_id)
        world.run(1)
        result = promise.result(0)
        assert result.id == entry_id
        assert [status.action for status in result.statuses] == actions
        assert result.is_kept is is_kept
    # He who waits hears of a failure himself: there is no notice beside that.
    assert world.notices == []
    assert not any(b"multipart/report" in each for each in puppet.contents)
    assert len(world.spool.names(FAILED)) == 1
