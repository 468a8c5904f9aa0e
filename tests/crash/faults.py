"""
Mistakes that would lose mail, put into a copy of the package, and what must notice each of them.

A harness that never failed proves little. Each row is one small change of the source; its text is
to be found exactly once, so that a source that changes makes the row fail and not pass.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pillarbox

__all__ = ["FAULTS", "Fault", "noticed", "plant"]

_ROOT = Path(__file__).parents[2]
_PACKAGE = Path(pillarbox.__file__).parent


@dataclass(frozen=True)
class Fault:
    """
    A row.

    Attributes:
        name: The mistake.
        file: Where, below the package.
        old: What stands there.
        new: What the mistake is.
        by: Who notices: a kind of ``explore.KINDS``, or a test.
        words: What is in the complaint, as a regular expression.

    """

    name: str
    file: str
    old: str
    new: str
    by: str
    words: str

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


_SPOILED = "tests/crash/test_errno.py::test_says_yes_to_nothing_that_failed"
_CUT = "tests/crash/test_deliverer.py::test_a_power_cut_anywhere_costs_no_mail"
_WORLD = "tests/delivery/test_false_bounces.py"

_COMMIT = """        disk.fsync(self._fd)
        lock = disk.dup(self._fd)
        first, self._fd = self._fd, lock
        disk.close(first)
        disk.rename(self._name, self._name, source_fd=folders.fd(TMP), target_fd=folders.fd(QUEUE))
"""
_AFTER_FSYNC = _COMMIT.split("\n", 1)[1]
_RENAME = _COMMIT.rstrip("\n").rpartition("\n")[2] + "\n"
_RECORD = """        if progress.statuses != job.progress.statuses:
            job.claim.record(progress, is_durable=True)
"""
_REMOVE_FIRST = """        if progress.is_final and BOUNCED not in progress.statuses:
            self._spool.remove(job.head.id, QUEUE)
            job.claim.record(progress, is_durable=True)
            job.claim.close()
            return True
"""

FAULTS = [
    Fault(
        "a mail is not fsynced",
        "spool/draft.py",
        _COMMIT,
        _AFTER_FSYNC,
        "submit",
        "lost|moved to corrupt",
    ),
    Fault(
        "the queue is not fsynced",
        "spool/draft.py",
        "        self._folders.sync(QUEUE)  # S8\n",
        "",
        "submit",
        "lost",
    ),
    Fault(
        "yes is said before the queue is fsynced",
        "spool/draft.py",
        "        self._folders.sync(QUEUE)  # S8\n",
        "        import threading\n"
        "        self._late = threading.Timer(1, self._folders.sync, (QUEUE,))\n",
        "submit",
        "lost",
    ),
    Fault(
        "the queue is fsynced before the rename",
        "spool/draft.py",
        _RENAME,
        f"        folders.sync(QUEUE)\n{_RENAME}        folders.sync = lambda _: None\n",
        "submit",
        "lost",
    ),
    Fault(
        "an fsync that had begun before counts",
        "spool/sync.py",
        "            mine = self._next\n            while self._is_running and not mine.is_done:\n",
        "            mine = self._now if self._is_running else self._next\n"
        "            self._now = mine\n"
        "            while self._is_running and not mine.is_done:\n",
        "together",
        "lost",
    ),
    Fault(
        "a failed fsync is tried again",
        "spool/draft.py",
        _COMMIT,
        "        try:\n            disk.fsync(self._fd)\n        except OSError:\n"
        f"            disk.fsync(self._fd)\n{_AFTER_FSYNC}",
        "submit-failing",
        "lost|moved to corrupt",
    ),
    Fault(
        "a failed fsync of the queue is passed over",
        "spool/draft.py",
        "        self._folders.sync(QUEUE)  # S8\n",
        "        with suppress(SpoolError):\n            self._folders.sync(QUEUE)\n",
        f"{_SPOILED}[submit]",
        "had failed, and the answer was: ack",
    ),
    Fault(
        "a mail is renamed before it is fsynced",
        "spool/draft.py",
        _COMMIT,
        _RENAME + _COMMIT.replace(_RENAME, ""),
        "submit",
        "moved to corrupt",
    ),
    Fault(
        "a short write is taken for a whole one",
        "spool/disk.py",
        "    while rest:\n        rest = rest[_progress(disk.write(fd, rest)) :]\n",
        "",
        "submit-failing",
        "lost|moved to corrupt",
    ),
    Fault(
        "the end of a file is not verified",
        "spool/claim.py",
        "    if hash_.hexdigest().encode() != look.digest:\n",
        "    if False:\n",
        "tests/spool/test_directory.py::test_no_damaged_octet_of_a_file_is_ever_sent",
        "AssertionError|DID NOT RAISE",
    ),
    Fault(
        "what was begun is not tidied away",
        "spool/recovery.py",
        "        disk.flock(fd)\n        disk.unlink(name, dir_fd=directory)\n",
        "        disk.flock(fd)\n",
        "submit",
        "stayed in tmp",
    ),
    Fault(
        "a move is not fsynced where it ends",
        "spool/directory.py",
        "                    folders.sync(target)\n",
        "                    pass\n",
        "deliver",
        "lost",
    ),
    Fault(
        "a recovery does not fsync the name that stays",
        "spool/recovery.py",
        "            folders.sync(kept[file])\n",
        "",
        "deliver-killed",
        "lost",
    ),
    Fault(
        "a record is not fsynced",
        "spool/claim.py",
        "            if is_durable:\n",
        "            if False:\n",
        "deliver",
        "recipient 0 of .* is P",
    ),
    Fault(
        "a mail is removed before it is marked",
        "delivery/recorder.py",
        _RECORD,
        _REMOVE_FIRST + _RECORD,
        _CUT,
        "was removed, comes back",
    ),
    Fault(
        "a mark survives no power cut",
        "delivery/recorder.py",
        "            job.claim.record(progress, is_durable=True)\n",
        "            job.claim.record(progress, is_durable=False)\n",
        _CUT,
        "was removed, comes back",
    ),
    Fault(
        "a failure is recorded and nobody is told",
        "delivery/recorder.py",
        "            self.tell(told, job.head.id)\n        progress = ",
        "        progress = ",
        _CUT,
        "'token-notice'",
    ),
    Fault(
        "the socket says yes before the mail is kept",
        "intake/incoming.py",
        "                self._draft.commit()\n",
        "                threading.Timer(0.2, self._draft.commit).start()\n",
        "tests/crash/test_daemon.py::test_says_yes_only_when_the_queue_is_fsynced",
        "'fsync ./queue' in",
    ),
    Fault(
        "a login that is refused fails the mail",
        "delivery/policy.py",
        "_LOGIN_CODES = frozenset((530, 534, 535, 538))\n",
        "_LOGIN_CODES: frozenset[int] = frozenset()\n",
        f"{_WORLD}::test_what_a_server_says[-535-at-RCPT]",
        "AssertionError",
    ),
    Fault(
        "the calendar alone gives a mail up",
        "delivery/schedule.py",
        "        return min(self.wall_s, self.observed_s)\n",
        "        return self.wall_s\n",
        "tests/delivery/test_schedule.py::"
        "test_mail_is_given_up_only_when_both_clocks_and_ten_tries_say_so",
        "assert True is False",
    ),
    Fault(
        "every mail has a login of its own",
        "delivery/worker.py",
        "        return way.mails < self._limits.mails and ",
        "        return way.mails < 1 and ",
        _CUT,
        "for all mails one connection",
    ),
    Fault(
        "a refused login is tried again for the next mail",
        "delivery/breaker.py",
        "        wait_s = self._until_s - elapsed_s\n",
        "        wait_s = 0.0\n",
        f"{_WORLD}::test_restarts_do_not_make_more_logins",
        "AssertionError|assert",
    ),
]


def plant(fault: Fault, folder: Path) -> Path:
    """Return a directory with a package that has the fault."""
    source = (_PACKAGE / fault.file).read_text()
    found = source.count(fault.old)
    assert found == 1, f"{fault.name}: its text stands {found} times in {fault.file}"
    copy = folder / "pillarbox"
    shutil.copytree(_PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / fault.file).write_text(source.replace(fault.old, fault.new))
    return folder


def noticed(fault: Fault, folder: Path) -> tuple[bool, str]:
    """Return whether a package with the fault is found to be wrong, and all that was said."""
    path = os.pathsep.join((str(folder), str(_ROOT / "tests")))
    if fault.by.startswith("tests/"):
        command = ["-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider"]
        command += ["-o", f"pythonpath={folder} tests fuzz", "--tb=short", fault.by]
    else:
        command = [str(_ROOT / "tests/crash/explore.py"), "--states=20000", "--only", fault.by]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    is_noticed = done.returncode == 1 and re.search(fault.words, done.stdout) is not None
    return is_noticed, done.stdout
