"""Nothing reaches the disk but through the seam, and the disk in memory does as the real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pillarbox
from crash.explore import ROOT, record
from crash.fake_disk import FakeDisk
from crash.stories import STORIES

_TESTS = Path(__file__).parents[1]

# What strace calls it, and what the seam does.
_CALLS = {
    "openat": "open",
    "read": "read",
    "pread64": "pread",
    "write": "write",
    "pwrite64": "pwrite",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "linkat": "link",
    "unlinkat": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "flock": "flock",
}
# What changes nothing; Python makes more of some of them than the seam has calls.
_HARMLESS = {
    *("close", "dup", "fcntl", "fstat", "fstatfs", "getdents64", "lseek", "newfstatat", "statfs"),
    *("stat", "names", "statvfs"),
}

_PROGRAM = """
import sys
sys.path[:0] = {path!r}
from crash.recorder import Recorder
from crash.stories import STORIES
from pillarbox.spool.directory import Directory
from pillarbox.spool.disk import Disk
recorder = Recorder(Disk(), {root!r})
for tell in (*STORIES[{story!r}][0], STORIES[{story!r}][1]):
    tell(Directory({root!r} + "/spool", disk=recorder), recorder.say)
print(*recorder.calls, sep="\\n")
"""


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: apt install strace")
@pytest.mark.parametrize("story", STORIES)
def test_every_system_call_goes_through_the_seam(story, tmp_path):
    """What strace sees on the spool is what the recorder wrote down, call by call."""
    root, log = tmp_path / "disk", tmp_path / "log"
    root.mkdir()
    code = _PROGRAM.format(
        path=[str(Path(pillarbox.__file__).parents[1]), str(_TESTS)], root=str(root), story=story
    )
    command = ["strace", "-f", "-y", "-s", "300", "-e", "signal=none", "-o", log]
    done = subprocess.run(
        [*command, sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "PTRACE" in done.stderr:
        pytest.skip("this environment does not let strace trace")
    assert done.returncode == 0, done.stderr
    written = [call.split()[0] for call in done.stdout.splitlines()]
    assert [call for call in written if call not in _HARMLESS] == _seen(log.read_text(), root)


def _seen(log: str, root: Path) -> list[str]:
    """Return the calls that strace saw below ``root``, in the seam's words."""
    seen = []
    for line in log.splitlines():
        match = re.match(r"\d+ +(\w+)\((.*)", line)
        if match is None or str(root) not in match[2].partition(" = ")[0]:
            continue
        name, arguments = match.groups()
        if name in _HARMLESS or (name == "openat" and '>, "."' in arguments):
            continue  # "." is opened to list a directory
        seen.append(_CALLS[name])
    return seen


@pytest.mark.parametrize("story", STORIES)
def test_the_disk_in_memory_does_as_the_real_one(story):
    """The same story makes the same calls and the same changes on both."""
    real, fake = record(story), record(story, FakeDisk(ROOT, {}))
    ours = f"{os.getpid():10}\n".encode()
    assert ("write", 2, 0, ours) in real.trace  # the lock file; it is the same process
    assert real.calls == fake.calls
    assert real.trace == fake.trace
