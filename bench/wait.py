"""What it costs a caller to hand a mail over and wait until the provider has it."""

from __future__ import annotations

import shutil

from givers import bare_sendmail
from lab import HERE, RECIPIENT, USER
from service import Daemon
from table import Table, median, ratio

__all__ = ["measure"]

_RTTS_MS = (0, 30, 100)
_AIM_RTTS, _AIM_MS = 2, 20

_MSMTP_PLACES = "/usr/bin:/usr/local/bin:/bin"


def measure(lab, *, runs=0, is_quick=False):
    """Send a mail over a connection that is open already, and beside it as others do; a table."""
    runs = runs or (1 if is_quick else 9)
    sink = lab.sink()
    table = Table(
        f"One mail, and the caller waits for the provider, median of {runs} runs",
        {
            "RTT ms": "",
            "program": "",
            "wall ms": ".1f",
            "aim ms": "",
            "wall ÷ pillarbox direct": ".2f",
            "turns": ".1f",
        },
    )
    for rtt in (0, 10) if is_quick else _RTTS_MS:
        place = lab.proxy(sink, rtt) if rtt else sink
        _measure_rtt(lab, table, place, rtt, runs)
    table.notes += [
        "The aim is 2 round trips and 20 ms.",
        "Turns are how often our side began to speak; one mail over an open connection needs 1.",
    ]
    return table


def _measure_rtt(lab, table, place, rtt, runs):
    account = lab.account(place.port, lab.authority)
    msmtp = HERE.parent / "bin" / "msmtp"
    commands = {
        "pillarbox --wait": [*bare_sendmail(lab), "--wait", "-f", USER, RECIPIENT],
        "pillarbox direct": [lab.python, msmtp, "-C", account, RECIPIENT],
    }
    if program := shutil.which("msmtp", path=_MSMTP_PLACES):
        commands["msmtp"] = [program, "-C", account, RECIPIENT]
    found = {name: [] for name in commands}
    name = f"wait-{rtt}"
    with Daemon(lab, name, place.port, lab.authority, connection_lifetime=3600) as daemon:
        environment = {"PILLARBOX_SOCKET": str(daemon.socket)}
        for turn in range(runs + 1):  # the first opens the connection
            for name, command in commands.items():
                place.counts()
                (run,) = lab.meter(command, stdin=lab.message(), **environment)
                if run.exit_code:
                    raise SystemExit(f"{name} failed with exit code {run.exit_code}")
                if turn:
                    found[name].append((run.wall_ms, place.counts().get("turns", 0)))
    reference = median(wall for wall, _ in found["pillarbox direct"])
    for name, results in found.items():
        wall, turns = (median(column) for column in zip(*results, strict=True))
        aim = f"≤ {_AIM_RTTS * rtt + _AIM_MS}" if name == "pillarbox --wait" else None
        table.add(rtt, name, wall, aim, ratio(wall, reference), turns if rtt else None)
