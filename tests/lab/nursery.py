"""
The doctor in a child of a warm process: everything is real but the start, which costs the most.

For the long table of broken set-ups. The child shuts itself into the machine as ``Machine.run``
has it done, and becomes the machine's user, before it reads anything of the machine.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.machine import SRC, Outcome

__all__ = ["Nursery"]

_PATIENCE_S = 60
_PROGRAM = """
import ctypes, json, os, subprocess, sys, time
from importlib import import_module
from pillarbox.cli import main
for module in ("pillarbox.cli.doctor", "pillarbox.doctor.checks", "dns.resolver", "tomllib"):
    import_module(module)
NEW_MOUNTS, NEW_HOSTNAME = 0x20000, 0x4000000  # CLONE_NEWNS, CLONE_NEWUTS, linux/sched.h
PRIVATE, ALL_BELOW = 1 << 18, 1 << 14  # MS_PRIVATE, MS_REC, linux/mount.h
for line in sys.stdin:
    call = json.loads(line)
    pid = os.fork()
    if not pid:
        for number, (path, flags) in enumerate(call["streams"]):
            os.dup2(os.open(path, flags), number)
        os.closerange(3, 64)
        libc = ctypes.CDLL(None)
        assert not libc.unshare(NEW_MOUNTS | NEW_HOSTNAME)
        assert not libc.mount(b"none", b"/", None, ctypes.c_ulong(PRIVATE | ALL_BELOW), None)
        subprocess.run(["sh", "-ec", call["script"], "sh", call["top"], "true"], check=True)
        os.chroot(call["top"])
        os.chdir("/")
        if call["user"]:
            os.setgroups([])
            os.setgid(call["user"])
            os.setuid(call["user"])
        os.environ.clear()
        os.environ.update(call["environment"])
        time.tzset()
        sys.argv = ["pillarbox", *call["arguments"]]
        main.run("pillarbox")
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """The warm process, in a network."""

    def __init__(self, network):
        self._folder = tempfile.TemporaryDirectory(prefix="pillarbox-lab-")
        with network.inside():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(SRC)},
                start_new_session=True,
                text=True,
            )

    def call(self, machine, *arguments):
        """Run ``pillarbox`` on a machine to its end; return the ``Outcome``."""
        paths = [Path(self._folder.name, stream) for stream in ("stdin", "stdout", "stderr")]
        for path in paths:
            path.write_bytes(b"")
        flags = (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)
        call = machine.description() | {
            "arguments": arguments,
            "streams": [(str(path), flag) for path, flag in zip(paths, flags, strict=True)],
        }
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE_S)
        assert ready, f"pillarbox {arguments} did not end"
        code = int(self._process.stdout.readline())
        return Outcome(code, paths[1].read_bytes(), paths[2].read_bytes())

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()
