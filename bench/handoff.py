"""What it costs a caller to hand one mail over, durably."""

from __future__ import annotations

import shutil

from givers import FLOOR, find_givers, ours
from service import Daemon
from table import Table, median, ratio

__all__ = ["measure"]

_AIM = 1.25  # of the bare interpreter's wall time


def measure(lab, *, runs=0, is_quick=False):
    """Hand one mail over again and again; return the table."""
    runs = runs or (2 if is_quick else 31)
    commands = find_givers(lab)
    if shutil.which("true"):
        commands["true"] = ["true"]
    found = {name: [] for name in commands}
    sink = lab.sink()
    with Daemon(lab, "handoff", sink.port, lab.authority) as daemon:
        environment = {"PILLARBOX_SOCKET": str(daemon.socket)}
        for turn in range(runs + 1):  # interleaved; the first warms the caches and is not counted
            for name, command in commands.items():
                (run,) = lab.meter(command, stdin=lab.message(), **environment)
                if run.exit_code:
                    raise SystemExit(f"{name} failed with exit code {run.exit_code}")
                if turn:
                    found[name].append(run)
        taken = len(ours(lab)) * (runs + 1)
        if (arrived := daemon.wait_until_delivered(sink, taken)) != taken:
            raise SystemExit(f"{arrived} of {taken} mails arrived")
    table = Table(
        f"Handing one mail over, median of {runs} runs",
        {
            "program": "",
            "wall ms": ".2f",
            f"wall ÷ {FLOOR}": ".2f",
            "aim": "",
            "CPU ms": ".2f",
            "peak MB": ".1f",
        },
    )
    floor = median(run.wall_ms for run in found[FLOOR])
    for name, results in found.items():
        wall = median(run.wall_ms for run in results)
        table.add(
            name,
            wall,
            ratio(wall, floor),
            f"≤ {_AIM}" if name == "pillarbox -I -S" else None,
            median(run.cpu_ms for run in results),
            median(run.peak_mb for run in results),
        )
    table.notes += [
        "When the program has ended, the mail has been synced to the disk (file and folder).",
        "-t reads the recipients from the mail, so it loads a parser.",
        "Other programs are asked with --peers only: they write into this machine's own queue.",
    ]
    return table
