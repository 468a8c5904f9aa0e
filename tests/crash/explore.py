"""
Every state that a power cut may leave behind, given to the recovery: nothing accepted is lost.

1. ``record``: a story is told to a spool, through the seam; its system calls are the trace.
2. ``Weak`` takes the trace call by call. Behind each, what may be on the disk is enumerated.
3. ``recover``: each tree becomes a disk in memory, which the real spool opens, scans and claims.
4. The ledger of the lines said so far tells whether what was found keeps the promises.
5. Some recoveries are recorded themselves, and cut off at each of their calls: back to 2.

A state is a place in a trace and a tree; the same tree at another place has other promises to
keep, but is recovered only once. Where the traces come from is the table ``KINDS``.

    python tests/crash/explore.py [--states N] [--seed N] [--only KIND]
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # The package under test may be named in PYTHONPATH, which comes first.
    sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from crash.fake_disk import FakeDisk
from crash.ledger import Ledger
from crash.recorder import KILL, SHORT, Killed, Recorder
from crash.stories import MAILS, RECIPIENTS, STORIES, hand_in, look
from crash.weak import DIRECTORY, Weak
from pillarbox.errors import PillarboxError
from pillarbox.spool.directory import Directory
from pillarbox.spool.disk import Disk
from pillarbox.spool.folders import TMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from crash.ledger import Found
    from crash.weak import Tree

__all__ = ["KINDS", "ROOT", "Explorer", "disk_of", "explore", "record", "recover", "spool_of"]

# What is in a spool, None for one that cannot be used; and what is wrong with it.
Outcome = tuple["Mapping[str, list[Found]] | None", list[str]]

ROOT = "/disk"  # what is watched; the spool is made in it by the first story
_FOLDER = "spool"
_ENOUGH = 100  # promises broken, after which no more are looked for


def spool_of(disk: Disk, root: str = ROOT) -> Directory:
    """Return the spool below ``root``, not open."""
    return Directory(f"{root}/{_FOLDER}", disk=disk)


def record(story: str, disk: Disk | None = None, **options: Any) -> Recorder:
    """
    Tell a story, with those before it, and return who wrote it down.

    Args:
        story: Its name.
        disk: Where; by default the real one, in a directory that is removed.
        options: For the recorder: which call fails. It begins with the story itself.

    """
    before, tell = STORIES[story]
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        root = folder if disk is None else ROOT
        disk = disk or Disk()
        recorder = Recorder(disk, root)
        for earlier in before:
            earlier(spool_of(recorder, root), recorder.say)
        recorder.begin(**options)
        try:
            tell(spool_of(recorder, root), recorder.say)
        except PillarboxError as exc:
            recorder.say(f"failing story {type(exc).__name__}")
        except Killed:
            assert isinstance(disk, FakeDisk)
            disk.end_process()
            recorder.begin()
            recover(recorder)
    return recorder


def _straight(story: str) -> Iterator[Recorder]:
    """Tell the story on the real disk."""
    yield record(story)


def _killed(story: str) -> Iterator[Recorder]:
    """Kill the story at each of its calls, and start again with the power on."""
    for number in range(1, len(record(story, FakeDisk(ROOT, {})).calls) + 1):
        yield record(story, FakeDisk(ROOT, {}), fail_at=number, error=KILL)


def _failing(story: str) -> Iterator[Recorder]:
    """Have each call of the story fail once; what was fsynced in vain is lost."""
    for number, call in enumerate(record(story, FakeDisk(ROOT, {})).calls, 1):
        yield record(story, FakeDisk(ROOT, {}), fail_at=number, error=errno.EIO)
        if call.startswith(("read", "pread", "write", "pwrite")):
            yield record(story, FakeDisk(ROOT, {}), fail_at=number, error=SHORT)


class _MeetingDisk(FakeDisk):
    """A disk on which the first fsync of the queue lasts until all have renamed their files."""

    def __init__(self, expected: int) -> None:
        super().__init__(ROOT, {})
        self._left = expected
        self._changed = threading.Condition()

    def rename(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        super().rename(source, target, source_fd=source_fd, target_fd=target_fd)
        with self._changed:
            self._left -= 1
            self._changed.notify_all()

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        if self._file(fd).node is self._find(f"{ROOT}/{_FOLDER}/queue/.", None)[0]:
            with self._changed:
                # Before the first mail the directories are fsynced, too.
                self._changed.wait_for(lambda: self._left in (0, len(MAILS)), 20)


def _together(_: str) -> Iterator[Recorder]:
    """Have all mails come in at the same time, and share the fsyncs of the queue."""
    recorder = Recorder(_MeetingDisk(len(MAILS)), ROOT)
    spool = spool_of(recorder)
    spool.open()
    threads = [
        threading.Thread(target=hand_in, args=(spool, *mail, recorder.say)) for mail in MAILS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    yield recorder


# Where traces come from, the story of each, and which part of the states is asked for. How many
# there are to be had in a place differs much, hence the shares.
KINDS: dict[str, tuple[Callable[[str], Iterator[Recorder]], str, float]] = {
    "submit": (_straight, "submit", 0.2),
    "deliver": (_straight, "deliver", 0.22),
    "together": (_together, "submit", 0.1),
    "submit-killed": (_killed, "submit", 0.2),
    "deliver-killed": (_killed, "deliver", 0.2),
    "submit-failing": (_failing, "submit", 0.12),
    "deliver-failing": (_failing, "deliver", 0.08),
}


def disk_of(tree: Tree) -> FakeDisk:
    """Return a disk with a tree on it."""
    names, contents = tree
    files = dict(names)
    of = dict(zip(sorted({*files.values()} - {DIRECTORY}), contents, strict=True))
    return FakeDisk(ROOT, {name: of.get(file) for name, file in files.items()}, files)


def recover(disk: Disk) -> Outcome:
    """Start on a disk as the daemon does; return what is there, and what is wrong with it."""
    spool = spool_of(disk)
    spool.open()
    found = look(spool)
    faults = [f"{name} was moved to corrupt" for name in spool.names("corrupt")]
    spool.close()
    tmp = disk.open(f"{spool.path}/{TMP}", os.O_RDONLY)
    faults += [f"{name} stayed in tmp" for name in disk.names(tmp)]
    disk.close(tmp)
    return found, faults


def _recovered(disk: Disk) -> Outcome:
    try:
        return recover(disk)
    except (PillarboxError, OSError) as exc:
        return None, [f"the spool cannot be used: {exc!r}"]


class Explorer:
    """
    The states of traces, and the promises that were broken in one.

    Attributes:
        places: How many places in traces were looked at.
        states: How many were looked at, each a place in a trace and a tree.
        trees: How many different trees were recovered for that.
        cuts: How many recoveries were cut off themselves.
        broken: What was wrong, with the place in the trace.

    Args:
        seed: For what is drawn.
        limit: How many states of one place are looked at.
        stride: Which places are looked at: one in so many.
        nested: Which part of the recoveries is recorded and cut off: one in so many; 0: none.
        is_split: See ``Weak``.

    """

    def __init__(
        self,
        seed: int = 0,
        *,
        limit: int = 300,
        stride: int = 1,
        nested: int = 0,
        is_split: bool = True,
    ) -> None:
        self._stride = stride
        self._seed, self._limit, self._nested, self._is_split = seed, limit, nested, is_split
        self._known: dict[Tree, Outcome] = {}
        self.places = self.states = self.cuts = 0
        self.broken: list[str] = []

    @property
    def trees(self) -> int:
        """How many different trees were recovered."""
        return len(self._known)

    def explore(self, recorder: Recorder) -> None:
        """Look at the states of one trace, from where the recorder began last."""
        weak = Weak(self._seed, is_split=self._is_split, variants=max(16, self._limit // 6))
        ledger = Ledger(RECIPIENTS, has_power=False)
        done: list[str] = []
        for number, step in enumerate(recorder.trace):
            done.append(" ".join(str(part)[:60] for part in step))
            if step[0] == "say":
                ledger.hear(step[1])
            else:
                weak.step(*step)
            if number < recorder.start or number % self._stride:
                continue
            self.places += 1
            for tree in weak.trees(self._limit):
                self.states += 1
                self._judge(tree, ledger, done)
            if len(self.broken) > _ENOUGH:
                return

    def _judge(self, tree: Tree, ledger: Ledger, done: list[str]) -> None:
        outcome = self._known.get(tree)
        if outcome is None:
            outcome = self._known[tree] = self._recover(tree)
        found, faults = outcome
        for fault in faults if found is None else (*faults, *ledger.broken(found)):
            self.broken.append(
                f"seed {self._seed}, cut behind step {len(done)}, {done[-1]}: {fault}"
            )

    def _recover(self, tree: Tree) -> Outcome:
        names, contents = tree
        files = dict(names)
        content_of = dict(zip(sorted({*files.values()} - {DIRECTORY}), contents, strict=True))
        disk: Disk = disk_of(tree)
        is_nested = self._nested and len(self._known) % self._nested == 0
        if is_nested:
            disk = recorder = Recorder(disk, ROOT, files)
        found, faults = _recovered(disk)
        if is_nested:
            faults = [*faults, *self._cut(recorder.trace, files, content_of, found)]
        return found, faults

    def _cut(
        self,
        trace: Iterable[tuple[Any, ...]],
        files: Mapping[str, int],
        content_of: Mapping[int, bytes],
        found: Mapping[str, list[Found]] | None,
    ) -> list[str]:
        """Cut a recovery off at each of its calls: the next one must find the same."""
        self.cuts += 1
        weak = Weak(self._seed, is_split=self._is_split, variants=16)
        weak.begin_with(files, content_of)
        for step in trace:
            weak.step(*step)
            for tree in weak.trees(16):
                self.states += 1
                if _recovered(disk_of(tree)) != (found, []):
                    return [f"a recovery that is cut off behind {step[:2]} finds something else"]
        return []


def explore(kind: str, states: int, seed: int = 0) -> Explorer:
    """Look at the part of a kind in about ``states`` states, or at all that it has."""
    tell, story, share = KINDS[kind]
    states = int(states * share)
    recorders = list(tell(story))
    places = sum(len(recorder.trace) - recorder.start for recorder in recorders)
    limit = max(8, states // places)
    explorer = Explorer(seed, limit=limit, stride=max(1, places * limit // states), nested=400)
    for recorder in recorders:
        explorer.explore(recorder)
        if len(explorer.broken) > _ENOUGH:
            break
    return explorer


def _main() -> int:
    parser = argparse.ArgumentParser(description="Look at what a power cut may leave behind.")
    parser.add_argument("--states", type=int, default=100_000, help="about how many (100000)")
    parser.add_argument("--seed", type=int, default=0, help="for what is drawn (0)")
    parser.add_argument("--only", choices=KINDS, help="one kind of traces")
    arguments = parser.parse_args()
    is_good = True
    print("traces           places     states      trees   cut off  promises broken    CPU")
    for kind in [arguments.only] if arguments.only else KINDS:
        began_s = time.process_time()
        explorer = explore(kind, arguments.states, arguments.seed)
        print(
            f"{kind:16} {explorer.places:6} {explorer.states:10} {explorer.trees:10} "
            f"{explorer.cuts:9} {len(explorer.broken):16} {time.process_time() - began_s:5.1f}s"
        )
        for line in list(dict.fromkeys(explorer.broken))[:10]:
            print(f"    {line}")
        is_good &= not explorer.broken
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(_main())
