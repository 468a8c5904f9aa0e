"""
Run a server and let nothing of it outlive the tests.

``python keeper.py DIRECTORY COMMAND [ARGUMENT ...]`` runs the command until standard input ends
or the command does. The tests hold the other end of standard input, so it ends with them however
they end, a kill included. Then every descendant is killed, also one that made itself a daemon:
the keeper is the reaper of all that it started, so none can leave its family. Last, when the
tests have let go, the directory with configuration, spool, logs and mailboxes is removed.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_GRACE_S = 3.0  # between SIGTERM and SIGKILL

ENDED = "keeper: the server ended by itself, exit code"


def main():
    """Run the command and clean up behind it; see the module's docstring."""
    directory, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        ended = os.pidfd_open(child.pid)
        select.select([0, ended], [], [])
        if child.poll() is not None:
            print(ENDED, child.returncode, flush=True)
        _end_family()
        select.select([0], [], [])
    finally:
        _end_family()
        shutil.rmtree(directory, ignore_errors=True)


def _end_family():
    """Kill every descendant, first gently."""
    limit = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    told = set()
    while family := _descendants():
        if time.monotonic() > limit:
            number = signal.SIGKILL
            told.clear()
        for pid in family - told:
            _signal(pid, number)
        told |= family
        _reap()
        time.sleep(0.01)


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _descendants():
    """Return the ids of all processes whose line of parents leads to this one."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The second field is the command in parentheses and may hold any byte.
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found = set()
    grown = {os.getpid()}
    while grown:
        grown = {pid for pid, parent in parents.items() if parent in grown}
        found |= grown
    return found


if __name__ == "__main__":
    main()
