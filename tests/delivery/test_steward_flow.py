"""What people do to a queue while its mail flows: a mail is sent once, or deleted, never both."""

from __future__ import annotations

import random
import threading
from time import monotonic

import pytest

from peer import Puppet
from pillarbox.delivery.steward import Steward
from pillarbox.spool.base import FAILED, HOLD, QUEUE
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from queue_world import World

MAILS = 200
PATIENCE_S = 30
COMMANDS = ("list", "hold", "release", "retry", "delete", "stats")


class _Person(threading.Thread):
    """Somebody who lists, holds, releases, retries and deletes until he is told to stop."""

    def __init__(self, ask, seed):
        super().__init__()
        self.deleted = []
        self.fault = None
        self.is_over = threading.Event()
        self._ask = ask
        self._chance = random.Random(seed)

    def run(self):
        """Steer."""
        try:
            while not self.is_over.is_set():
                self._do(self._chance.choice(COMMANDS))
        except BaseException as exc:  # noqa: BLE001 (told to the test)
            self.fault = exc

    def _do(self, command):
        if command in ("list", "stats"):
            self._ask(command)
        elif rows := self._ask("list"):
            ids = [row["id"] for row in self._chance.sample(rows, min(3, len(rows)))]
            done = [row["id"] for row in self._ask(command, ids=ids) if row["done"]]
            self.deleted += done if command == "delete" else []


def _number_of(content):
    return int(content.partition(b"number ")[2].partition(b".")[0])


@pytest.mark.parametrize("kind", ["memory", "directory"])
def test_steering_while_mail_flows_loses_nothing_and_sends_nothing_twice(tmp_path, kind):
    """Three people at a time, two connections, and a scan of the spool whenever time goes by."""
    spool = Memory() if kind == "memory" else Directory(str(tmp_path / "spool"))
    with Puppet() as puppet:
        limits = {"connections": 2, "scan_interval_s": 1.0}
        world = World(tmp_path, puppet=puppet, spool=spool, limits=limits)
        deliverer = world.deliverer
        steward = Steward(spool, deliverer, owner_uid=4242)

        def ask(command, **wishes):
            rows = list(steward.answer(0, {"command": command, **wishes}))
            assert rows[-1]["end"]
            return rows[:-1]

        def let_time_go_by():
            with deliverer.queue.changed:
                world.clock.now_s += 2  # the spool is looked through again
                deliverer.queue.changed.notify_all()
                deliverer.queue.changed.wait(0.02)

        people = [_Person(ask, seed) for seed in range(3)]
        deliverer.start()
        for person in people:
            person.start()
        numbers = {}
        for number in range(MAILS):
            content = b"From: me@example.org\nSubject: number %d.\n\nx\n" % number
            numbers[world.put(content=content)] = number
            if number % 20 == 0:
                let_time_go_by()
        for person in people:
            person.is_over.set()
            person.join(PATIENCE_S)
        assert [person.fault for person in people] == [None] * 3
        ask("release", ids="all")
        limit = monotonic() + PATIENCE_S
        while spool.names(QUEUE) and monotonic() < limit:
            let_time_go_by()
        assert deliverer.stop(PATIENCE_S)
        left = (spool.names(QUEUE), spool.names(HOLD), spool.names(FAILED))
    spool.close()
    sent = sorted(map(_number_of, puppet.contents))
    gone = sorted({numbers[each] for person in people for each in person.deleted})
    assert left == ([], [], [])
    assert len(set(sent)) == len(sent), "sent twice"
    assert sorted([*sent, *gone]) == list(range(MAILS)), "lost, or sent though deleted"
    assert gone, "nothing was deleted"
    assert len(sent) > 10, "hardly anything was sent"
