"""
Run a command many times, several at a time, and print what all of it cost.

    python3 -I -S crowd.py COUNT PARALLEL INPUT COMMAND [ARGUMENT ...]

INPUT is the file on each one's standard input. Prints how many failed, the wall seconds until the
last had ended, and the CPU seconds of them all.

The rule is that of ``meter.py``: stay small. What starts the processes must not be what is
measured: it needs 0.3 ms of CPU for one.
"""

import os
import sys
import time


def measure(count, parallel, name, command):
    """Keep ``parallel`` of them running until ``count`` have ended."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, name, os.O_RDONLY, 0)]
    actions.append((os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0))
    failed = started = ended = 0
    cpu = 0.0
    start = time.perf_counter()
    while ended < count:
        while started < count and started - ended < parallel:
            os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
            started += 1
        _, status, used = os.wait3(0)
        ended += 1
        failed += status != 0
        cpu += used.ru_utime + used.ru_stime
    wall = time.perf_counter() - start
    print(f"{failed} {wall:.6f} {cpu:.6f}", flush=True)


measure(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
