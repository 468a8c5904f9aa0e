"""Whatever ends the real deliverer, and wherever: each mail arrives, and is not sent again."""

from __future__ import annotations

import errno
import os
from random import Random

import pytest

from crash.explore import ROOT, disk_of, spool_of
from crash.fake_disk import FakeDisk
from crash.nursery import FAIL, KILL, Snapshot, compiler_path
from crash.recorder import Recorder
from crash.weak import Weak
from crash.world import (
    MAILS,
    NOTICE,
    REPLIES,
    accounts_for,
    arrived,
    broken_promises,
    carry,
    settings_for,
    standing,
    wait_until_idle,
)
from peer import Puppet
from pillarbox.spool.directory import Directory

_SIGKILL = 9
_USED_UP = 75  # how a process ends that could not go on; 0: it could
_SEED = 5
_CUTS = 250  # power cuts that are gone on from; the order of the calls is checked at each


@pytest.fixture
def world(tmp_path):
    """Return a server, and the accounts that lead to it."""
    with Puppet(REPLIES) as puppet:
        path = tmp_path / "msmtprc"
        path.write_text(settings_for(puppet.port))
        path.chmod(0o600)
        yield puppet, accounts_for(str(path))


def _record(puppet, accounts):
    """Carry all mails on a disk in memory, and return the trace; the server says what it took."""
    recorder = Recorder(FakeDisk(ROOT, {}), ROOT)
    taken = 0

    def tell():
        nonlocal taken
        for content in puppet.contents[taken:]:
            for token, number in arrived([content]).items():
                if number:
                    recorder.say(f"sent {token}")
        taken = len(puppet.contents)

    puppet._watch = tell
    carry(spool_of(recorder), accounts, recorder.say)
    puppet._watch = None
    puppet.contents.clear()
    return recorder.trace


def _check_marked(trees, name):
    """Hold that what was removed and comes back says that nobody waits for it."""
    for tree in trees:
        state, statuses = standing(spool_of(disk_of(tree))).get(name, ("", b""))
        assert b"P" not in statuses, f"{name} was removed, comes back in {state}, is sent again"


def test_a_power_cut_anywhere_costs_no_mail(world):
    """The real deliverer's calls, cut off: what is left is delivered by another one."""
    puppet, accounts = world
    trace = _record(puppet, accounts)
    tokens = {line[1].split()[1] for line in trace if line[0] == "say" and "sent" in line[1]}
    assert tokens == {*MAILS, NOTICE}
    assert puppet.connections == 1, "for all mails one connection"
    random, weak, acked, has, removed = Random(_SEED), Weak(_SEED), {}, [], set()
    cuts = []
    for number, step in enumerate(trace):
        if step[0] == "say":
            what, token, *name = step[1].split()
            if what == "ack":
                acked[token] = name[0]
            elif what == "sent":
                has.append(token)
        else:
            weak.step(*step)
            if step[0] == "unlink" and "/queue/" in step[1]:
                removed.add(step[1].rpartition("/")[2])
        trees = list(weak.trees(200))
        if step[0] == "unlink" and "/queue/" in step[1]:
            _check_marked(trees, step[1].rpartition("/")[2])
        cuts += [
            (number, tree, dict(acked), list(has), set(removed))
            for tree in random.sample(trees, min(len(trees), 1 + _CUTS // len(trace)))
        ]
    for number, tree, promised, got, gone in cuts:
        before = standing(spool_of(disk_of(tree)))
        disk = disk_of(tree)
        carry(spool_of(disk), accounts, lambda _: None, accepts=False)
        wait_until_idle(puppet.port)
        again = arrived(puppet.contents)
        puppet.contents.clear()
        had = {token: got.count(token) for token in (*MAILS, NOTICE)}
        broken = list(broken_promises(promised, had, again, before, standing(spool_of(disk))))
        broken += [
            f"{token} was removed, and sent again"
            for token, name in promised.items()
            if name in gone and again[token]
        ]
        assert not broken, f"seed {_SEED}, cut behind step {number}, {trace[number][:2]}: {broken}"


@pytest.mark.timeout(300)
@pytest.mark.skipif(not compiler_path(), reason="a C compiler is missing (cc)")
@pytest.mark.parametrize("action", [KILL, FAIL], ids=["killed", "failing"])
def test_spoiled_at_any_call_it_delivers_all(action, world, nursery, folder, tmp_path):
    """
    Calls on the spool and on the connection: each is the last one once, or fails once.

    Of those that fail three of four are left out, of the others every second one, unless
    ``PILLARBOX_ALL_POINTS`` is set.
    """
    puppet, accounts = world
    configuration, spool = str(tmp_path / "msmtprc"), folder / "spool"
    spool.mkdir(mode=0o700)
    empty = Snapshot(spool)
    calls = nursery.tell("carry", spool, configuration=configuration).calls
    assert any("<socket>" in call for call in calls)
    step = 1 if os.environ.get("PILLARBOX_ALL_POINTS") else 2 if action == KILL else 4
    missed = 0
    for point, call in list(enumerate(calls, 1))[::step]:
        wait_until_idle(puppet.port)
        puppet.contents.clear()
        empty.restore(spool)
        error = errno.ECONNRESET if "<socket>" in call else errno.EIO
        told = nursery.tell("carry", spool, point, action, error, configuration=configuration)
        spoiled = [line for line in told.lines if line.startswith("failing")]
        where = f"call {point}, {spoiled}"
        if spoiled:
            assert told.ended in ((-_SIGKILL,) if action == KILL else (0, _USED_UP)), where
        else:
            # Its threads, and the network, make a few calls more or less each time.
            assert told.ended == 0, where
            missed += 1
        wait_until_idle(puppet.port)
        has = arrived(puppet.contents)
        puppet.contents.clear()
        acked = dict(line.split()[1:] for line in told.lines if line.startswith("ack "))
        before = standing(Directory(str(spool)))
        carry(Directory(str(spool)), accounts, lambda _: None, accepts=False)
        wait_until_idle(puppet.port)
        again = arrived(puppet.contents)
        broken = list(broken_promises(acked, has, again, before, standing(Directory(str(spool)))))
        assert not broken, f"{where}: {broken}"
    assert missed < len(calls) // 10
