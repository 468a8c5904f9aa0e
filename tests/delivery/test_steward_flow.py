"""What people do to a queue while its mail flows: each mail is sent once, or deleted, never both."""

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


def _content(number):
    return b"From: me@example.org\nSubject: number %d.\n\nx\n" % number


@pytest.mark.parametrize("kind", ["memory", "directory"])
def test_steering_while_mail_flows_loses_nothing_and_sends_nothing_twice(tmp_path, kind):
    """Three people list, hold, release, retry, edit and delete all the time."""
    spool = Memory() if kind == "memory" else Directory(str(tmp_path / "spool"))
    faults = []
    deleted = {}
    with Puppet() as puppet:
        world = World(tmp_path, puppet=puppet, spool=spool, limits={"connections": 2})
        steward = Steward(spool, world.deliverer, owner_uid=4242)
        numbers = {}

        def ask(command, **wishes):
            rows = list(steward.answer(0, {"command": command, **wishes}))
            assert rows[-1]["end"]
            return rows[:-1]

        def steer(seed):
            chance = random.Random(seed)
            try:
                while not is_over.is_set():
                    command = chance.choice(("list", "hold", "release", "retry", "delete", "stats"))
                    if command in ("list", "stats"):
                        ask(command)
                        continue
                    rows = ask("list")
                    if not rows:
                        continue
                    ids = [row["id"] for row in chance.sample(rows, min(3, len(rows)))]
                    for row in ask(command, ids=ids):
                        if command == "delete" and row["done"]:
                            deleted[row["id"]] = deleted.get(row["id"], 0) + 1
            except BaseException as exc:  # noqa: BLE001 (told to the test)
                faults.append(exc)

        is_over = threading.Event()
        people = [threading.Thread(target=steer, args=(seed,)) for seed in range(3)]
        world.deliverer.start()
        for person in people:
            person.start()
        for number in range(MAILS):
            numbers[world.put(content=_content(number))] = number
        is_over.set()
        for person in people:
            person.join(PATIENCE_S)
        ask("release", ids="all")
        limit = monotonic() + PATIENCE_S
        while spool.names(QUEUE) and monotonic() < limit:
            with world.deliverer.queue.changed:
                world.clock.now_s += 3600  # the spool is looked through again
                world.deliverer.queue.changed.notify_all()
                world.deliverer.queue.changed.wait(0.05)
        assert world.deliverer.stop(PATIENCE_S)
        assert faults == []
        assert (spool.names(QUEUE), spool.names(HOLD), spool.names(FAILED)) == ([], [], [])
        sent = sorted(
            int(content.partition(b"number ")[2].partition(b".")[0]) for content in puppet.contents
        )
        gone = sorted(numbers[entry_id] for entry_id in deleted)
        assert len(set(sent)) == len(sent), "sent twice"
        assert sorted([*sent, *gone]) == list(range(MAILS)), "lost, or sent though deleted"
        assert gone, "nothing was deleted"
        assert len(sent) > 10, "hardly anything was sent"
    spool.close()
