"""Killed in the middle of what a person asked for: the queue is whole, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from pillarbox.delivery.steward import Steward
from pillarbox.spool.base import FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.disk import Disk
from queue_desk import CONTENT, OWNER, HandCarrier, put

STATES = (QUEUE, HOLD, FAILED)


class _Killed(Disk):
    """A disk whose process is killed in front of one of its calls."""

    def __init__(self, point):
        self.left = point

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name.startswith("_") or name == "left" or not callable(found):
            return found

        def call(*args, **options):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
            return found(*args, **options)

        return call


def _told(path, point, request):
    """Have a child ask, killed at a point; return the ids of what it was told, and how it ended."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        try:
            spool = Directory(path, disk=_Killed(point))
            spool.open()
            steward = Steward(spool, HandCarrier(), owner_uid=OWNER)
            for row in steward.answer(0, request):
                if row.get("done"):
                    os.write(writable, f"{row['id']}\n".encode())
            spool.close()
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as stream:
        told = stream.read().split()
    return told, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _found(path):
    """Return what a start finds: the state and the content of each mail by its id."""
    spool = Directory(path)
    spool.open()
    found = {}
    for state in STATES:
        for name in spool.names(state):
            assert name not in found, "a mail is in two states"
            claim = spool.claim(name, state)
            found[name] = (state, claim.read(1 << 20), claim.entry.progress.statuses)
            claim.close()
    spool.close()
    return found


def _deleted(before, after, told):
    assert not set(told) & set(after)
    assert after.items() <= before.items()


def _held(before, after, told):
    assert before.keys() == after.keys()
    assert {after[name][0] for name in told} <= {HOLD}


def _released(before, after, told):
    assert before.keys() == after.keys()
    assert {after[name][0] for name in told} <= {QUEUE}


def _retried(before, after, told):
    assert before.keys() == after.keys()
    assert {after[name] for name in told} <= {(QUEUE, CONTENT, b"P")}
    # What is in the queue and final would be cleared away unsent.
    assert (QUEUE, CONTENT, b"F") not in after.values()


def _edited(before, after, told):
    old = set(before)
    new = [value[1] for name, value in after.items() if name not in old]
    assert new in ([], [b"new"])
    gone = old - set(after)
    assert len(gone) <= len(new), "neither the old nor the new one is there"
    assert not told or (new and gone == set(told))


@pytest.mark.parametrize(("state", "progress", "request_", "check"), [
    (QUEUE, b"P", {"command": "delete", "ids": "all"}, _deleted),
    (FAILED, b"F", {"command": "delete", "where": {"state": "failed"}}, _deleted),
    (QUEUE, b"P", {"command": "hold", "ids": "all"}, _held),
    (HOLD, b"P", {"command": "release", "ids": "all"}, _released),
    (FAILED, b"F", {"command": "retry", "where": {"state": "failed"}}, _retried),
    (QUEUE, b"P", {"command": "edit", "id": "", "content": "bmV3"}, _edited),
    (HOLD, b"P", {"command": "edit", "id": "", "content": "bmV3"}, _edited),
])  # fmt: skip
def test_killed_in_front_of_any_call(tmp_path, state, progress, request_, check):
    """
    Every call of it is the last one once; what was told is so, and no mail is torn or lost.

    Two of three are left out, unless ``PILLARBOX_ALL_POINTS`` is set.
    """
    template, path = str(tmp_path / "template"), str(tmp_path / "spool")
    spool = Directory(template)
    spool.open()
    ids = [put(spool, state=state, progress=Progress(progress)) for _ in range(3)]
    spool.close()
    if "id" in request_:
        request_ = request_ | {"id": ids[0]}
    before = _found(template)
    step = 1 if "PILLARBOX_ALL_POINTS" in os.environ else 3
    point, ended = 1 - step, -signal.SIGKILL
    while ended:
        point += step
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(template, path)
        told, ended = _told(path, point, request_)
        assert ended in (0, -signal.SIGKILL)
        check(before, _found(path), told)
    assert point > 20, "nothing was done"
    assert len(told) == (1 if "id" in request_ else 3)
