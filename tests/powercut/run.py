"""
Cut the power of real file systems, at random system calls, and see what is left of the mail.

A file system in a file is mounted on a loop device. A process hands mails in, or delivers them;
at one of its calls the file system is shut down (``FS_IOC_SHUTDOWN``): nothing reaches the disk
any more that has not, with the journal in memory or without. It is mounted again, the spool is
recovered, and every promise that the process made is looked at.

What this does not show: a disk that lies about its flushes, or tears sectors.

    make powercut [ARGS="--cuts N --seed N --only ext4"]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if __name__ == "__main__":
    _TESTS = Path(__file__).parents[1]
    sys.path += [str(_TESTS), str(_TESTS.parent / "src")]

from crash.nursery import CUT, Nursery, Told, after_kill, compiler_path
from crash.world import (
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
from pillarbox.errors import PillarboxError
from pillarbox.spool.directory import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator

# How each is made; XFS wants 300 MB at least. The files are sparse.
FILE_SYSTEMS = {
    "ext4": ("64M", ["mkfs.ext4", "-q", "-F"]),
    "xfs": ("320M", ["mkfs.xfs", "-q", "-f"]),
}
_STORIES = ("submit", "deliver", "carry")

# What happens to the journal: it still reaches the disk, or not even that (linux/fs.h).
_FLAGS = (1, 2)

_FRESH_AFTER = 25  # cuts that one file system is used for


@dataclass
class Tally:
    """What came of the cuts of one file system."""

    cuts: int = 0
    accepted: int = 0
    lost: int = 0
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Rig:
    """
    A file system, the process that is cut off, and the server that it sends to.

    Args:
        kind: Of ``FILE_SYSTEMS``.
        folder: Where everything is.
        nursery: The process.
        puppet: The server.

    """

    def __init__(self, kind: str, folder: Path, nursery: Nursery, puppet: Puppet) -> None:
        self._kind = kind
        self._image = folder / f"{kind}.img"
        self._mount = folder / kind
        self._mount.mkdir()
        self._nursery = nursery
        self._puppet = puppet
        self._configuration = folder / "msmtprc"
        self._configuration.write_text(settings_for(puppet.port))
        self._configuration.chmod(0o600)
        self._accounts = accounts_for(str(self._configuration))
        self._calls: dict[str, int] = {}

    def make(self) -> None:
        """Make the file system anew."""
        size, command = FILE_SYSTEMS[self._kind]
        self._image.unlink(missing_ok=True)
        _run("truncate", "-s", size, str(self._image))
        _run(*command, str(self._image))

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Have the file system mounted."""
        _run("mount", "-o", "loop", str(self._image), str(self._mount))
        try:
            yield self._mount
        finally:
            _run("umount", str(self._mount))

    def cut(self, number: int, random: Random) -> tuple[int, list[str]]:
        """
        Cut the power once; return how many mails had been accepted, and the promises broken.

        Args:
            number: Which cut it is.
            random: Chooses the story, the place, and what becomes of the journal.

        """
        story, flags = random.choice(_STORIES), random.choice(_FLAGS)
        configuration = str(self._configuration) if story == "carry" else ""
        with self.mounted() as root:
            spool = root / f"spool{number}"
            told = [self._nursery.tell("submit", spool)] if story == "deliver" else []
            point = random.randint(1, self._length(story, root, configuration))
            told.append(
                self._nursery.tell(
                    story, spool, point, CUT, flags, cut=root, configuration=configuration
                )
            )
        with self.mounted():
            try:
                if story == "carry":
                    broken = self._carry_on(spool, told[0])
                else:
                    broken = after_kill(spool, *told, has_power=False)
            except PillarboxError as exc:
                broken = [f"the spool cannot be used: {exc!r}"]
            shutil.rmtree(spool, ignore_errors=True)
        accepted = sum(line.startswith("ack ") for each in told for line in each.lines)
        where = f"{self._kind}, {story} cut at call {point}, journal {flags}"
        return accepted, [f"{where}: {each}" for each in broken]

    def _length(self, story: str, root: Path, configuration: str) -> int:
        """Return how many calls a story has, when nothing happens to it."""
        if story not in self._calls:
            spool = root / "whole"
            if story == "deliver":
                self._nursery.tell("submit", spool)
            whole = self._nursery.tell(story, spool, configuration=configuration)
            self._calls[story] = len(whole.calls)
            shutil.rmtree(spool)
            self._forget()
        return self._calls[story]

    def _forget(self) -> None:
        wait_until_idle(self._puppet.port)
        self._puppet.contents.clear()

    def _carry_on(self, spool: Path, told: Told) -> list[str]:
        """Deliver what the cut left, with another process; return the promises broken."""
        wait_until_idle(self._puppet.port)
        has = arrived(self._puppet.contents)
        self._forget()
        acked = dict(line.split()[1:] for line in told.lines if line.startswith("ack "))
        before = standing(Directory(str(spool)))
        carry(Directory(str(spool)), self._accounts, lambda _: None, accepts=False)
        wait_until_idle(self._puppet.port)
        again = arrived(self._puppet.contents)
        self._forget()
        return list(broken_promises(acked, has, again, before, standing(Directory(str(spool)))))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _reason_to_skip(kinds: list[str]) -> str:
    if os.geteuid() != 0:
        return "only root can mount a file system"
    if not compiler_path():
        return "a C compiler is missing (cc)"
    if not os.path.exists("/dev/loop-control"):
        return "there are no loop devices here"
    for kind in kinds:
        tool = FILE_SYSTEMS[kind][1][0]
        if not shutil.which(tool):
            return f"{tool} is missing: apt install {'xfsprogs' if kind == 'xfs' else 'e2fsprogs'}"
    return ""


def _cut_all(kind: str, cuts: int, seed: int, folder: Path, puppet: Puppet) -> Tally:
    tally, random, began_s = Tally(), Random(f"{seed} {kind}"), time.monotonic()
    library = folder / f"library-{kind}"
    library.mkdir()
    with Nursery(library) as nursery:
        rig = Rig(kind, folder, nursery, puppet)
        for number in range(cuts):
            if number % _FRESH_AFTER == 0:
                rig.make()
            accepted, broken = rig.cut(number, random)
            tally.cuts += 1
            tally.accepted += accepted
            tally.lost += sum("lost" in each or "did not arrive" in each for each in broken)
            tally.broken += broken
    tally.seconds = time.monotonic() - began_s
    return tally


def main() -> int:
    """Cut, and print a table; 1: a promise was broken."""
    parser = argparse.ArgumentParser(description="Cut the power of real file systems.")
    parser.add_argument("--cuts", type=int, default=200, help="in all (200)")
    parser.add_argument("--seed", type=int, default=0, help="for where they are (0)")
    parser.add_argument("--only", choices=FILE_SYSTEMS, help="one file system")
    arguments = parser.parse_args()
    kinds = [arguments.only] if arguments.only else list(FILE_SYSTEMS)
    reason = _reason_to_skip(kinds)
    if reason:
        print(f"powercut: skipped: {reason}")
        return 0
    is_good = True
    print(f"seed {arguments.seed}")
    print("file system   cuts   accepted   lost   other promises broken   seconds")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="powercut-")))
        puppet = stack.enter_context(Puppet(REPLIES))
        for kind in kinds:
            cuts = arguments.cuts // len(kinds)
            tally = _cut_all(kind, cuts, arguments.seed, folder, puppet)
            other = len(tally.broken) - tally.lost
            print(
                f"{kind:11} {tally.cuts:6} {tally.accepted:10} {tally.lost:6} {other:23} "
                f"{tally.seconds:9.1f}"
            )
            for line in tally.broken[:10]:
                print(f"    {line}")
            is_good &= not tally.broken
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
