"""
Run a command several times and print what each run cost: a line of numbers a run.

    python3 -I -S meter.py RUNS INPUT COMMAND [ARGUMENT ...]

INPUT is the file on the command's standard input, or ``|FILE`` for the same through a pipe.
Prints the exit code, wall and CPU milliseconds, and the peak resident memory in KiB.

The rule: stay small, import nothing. The kernel counts a program's peak from that of the process
which started it, so nothing under this one's own 8 MB can be seen, and a larger one would hide
what is measured.
"""

import os
import sys
import time

_TO_NOWHERE = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]


def _open_input(name):
    """Return a descriptor of the input, and the process that fills it, if there is one."""
    if not name.startswith("|"):
        return os.open(name, os.O_RDONLY), 0
    read_end, write_end = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write_end, 1)]
    filler = os.posix_spawnp("cat", ["cat", name[1:]], os.environ, file_actions=actions)
    os.close(write_end)
    return read_end, filler


def measure(name, command):
    """Run the command once."""
    descriptor, filler = _open_input(name)
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, 0), *_TO_NOWHERE]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    os.close(descriptor)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - start
    if filler:
        os.waitpid(filler, 0)
    cpu = used.ru_utime + used.ru_stime
    code = os.waitstatus_to_exitcode(status)
    print(f"{code} {wall * 1e3:.3f} {cpu * 1e3:.3f} {used.ru_maxrss}", flush=True)


for _ in range(int(sys.argv[1])):
    measure(sys.argv[2], sys.argv[3:])
