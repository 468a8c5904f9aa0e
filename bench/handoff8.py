"""How fast many programs hand mail over at the same time."""

from __future__ import annotations

import subprocess

from givers import FLOOR, find_givers
from lab import HERE
from service import Daemon
from table import Table, median, ratio

__all__ = ["measure"]

_PARALLEL = 8


def measure(lab, *, runs=0, is_quick=False):
    """Let 8 processes at a time hand over 1,000 mails; return the table."""
    runs = runs or (1 if is_quick else 3)
    count = 16 if is_quick else 1000
    commands = find_givers(lab)
    del commands["pillarbox -t"]
    found = {name: [] for name in commands}
    sink = lab.sink()
    with Daemon(lab, "handoff8", sink.port, lab.authority) as daemon:
        sent = 0
        for _ in range(runs):
            for name, command in commands.items():
                before = daemon.cpu_s()
                wall, cpu = _crowd(lab, count, command, daemon)
                ours = name.startswith("pillarbox")
                sent += count if ours else 0
                arrived = daemon.wait_until_delivered(sink, sent)
                if arrived != sent:
                    raise SystemExit(f"{arrived} of {sent} mails arrived")
                used = (daemon.cpu_s() - before) * 1e3 / count if ours else None
                found[name].append((wall, cpu, used))
    table = Table(
        f"{count} mails handed over by {_PARALLEL} processes at a time, median of {runs} runs",
        {
            "program": "",
            "mails/s": ".0f",
            f"wall ÷ {FLOOR}": ".2f",
            "caller's CPU ms a mail": ".2f",
            "service's CPU ms a mail": ".2f",
        },
    )
    floor = median(wall for wall, _, _ in found[FLOOR])
    for name, results in found.items():
        wall = median(wall for wall, _, _ in results)
        used = [used for _, _, used in results if used is not None]
        cpu = median(cpu for _, cpu, _ in results) * 1e3 / count
        table.add(name, count / wall, ratio(wall, floor), cpu, median(used))
    table.notes += [
        "Until the last caller had ended; the service and the server work on the same cores.",
        "The service's CPU is for taking and delivering the mail.",
    ]
    return table


def _crowd(lab, count, command, daemon):
    """Return wall and CPU seconds of all the callers together."""
    crowd = [lab.python, "-I", "-S", HERE / "crowd.py", count, _PARALLEL, lab.message(), *command]
    done = subprocess.run(
        list(map(str, crowd)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=lab.environment(PILLARBOX_SOCKET=str(daemon.socket)),
    )
    failed, wall, cpu = done.stdout.split()
    if int(failed):
        raise SystemExit(f"{failed} of {count} hand-overs failed")
    return float(wall), float(cpu)
