"""Killed in front of any system call, and started again: nothing is lost, nothing sent again."""

from __future__ import annotations

import pytest

from crash.nursery import KILL, Snapshot, after_kill, compiler_path

pytestmark = pytest.mark.skipif(not compiler_path(), reason="a C compiler is missing (cc)")

_SIGKILL = 9

# A process that ends in front of a call that changes nothing leaves what it leaves in front of
# the next one that does.
_CHANGES = ("create", "write", "pwrite", "fsync", "rename", "link", "unlink", "mkdir")


def _before(nursery, story, folder):
    """Return a spool as it is before a story, what was told for it, and the story's calls."""
    spool = folder / "before"
    told = [] if story == "submit" else [nursery.tell("submit", spool)]
    spool.mkdir(mode=0o700, exist_ok=True)
    snapshot = Snapshot(spool)
    return snapshot, told, nursery.tell(story, spool).calls


@pytest.mark.parametrize("story", ["submit", "deliver"])
def test_killed_in_front_of_any_call_it_keeps_every_promise(nursery, story, folder):
    """Every call of a story is its last one once."""
    before, told, calls = _before(nursery, story, folder)
    assert len(calls) > 60
    for point, call in enumerate(calls, 1):
        before.restore(folder / "spool")
        killed = nursery.tell(story, folder / "spool", point, KILL)
        assert killed.ended == -_SIGKILL
        broken = after_kill(folder / "spool", *told, killed)
        assert not broken, f"{story}, killed in front of call {point}, {call}: {broken}"


@pytest.mark.parametrize("story", ["submit", "deliver"])
def test_killed_while_it_recovers_it_keeps_every_promise(nursery, story, folder):
    """What a kill left behind is recovered, killed in front of each change, and recovered."""
    spool = folder / "spool"
    before, told, calls = _before(nursery, story, folder)
    left = {}
    for point in range(1, len(calls) + 1):
        before.restore(spool)
        killed = nursery.tell(story, spool, point, KILL)
        snapshot = Snapshot(spool)
        # What a recovery does depends on what is where: one spool for each shape.
        left.setdefault(snapshot.shape, (snapshot, killed, point))
    for snapshot, killed, point in left.values():
        snapshot.restore(spool)
        for second, call in enumerate(nursery.tell("recover", spool).calls, 1):
            if not call.startswith(_CHANGES):
                continue
            snapshot.restore(spool)
            nursery.tell("recover", spool, second, KILL)
            broken = after_kill(spool, *told, killed)
            assert not broken, f"{story} killed at {point}, recovery at {second}, {call}: {broken}"
