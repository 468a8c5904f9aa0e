"""What one mail costs, from an empty process to the end of it."""

from __future__ import annotations

import os
import subprocess

from senders import Target, find_senders
from table import Table, median, ratio

__all__ = ["measure"]

_RTTS_MS = (30, 100)

_SSL = "python -I -S, import ssl"
_FLOORS = {"python -I -S, pass": "pass", _SSL: "import ssl"}


def measure(lab, *, runs=0, is_quick=False):
    """Send one small mail with every program, from near and from far; return the table."""
    runs = runs or (1 if is_quick else 15)
    rtts = (10,) if is_quick else _RTTS_MS
    sink = lab.sink()
    proxies = {rtt: lab.proxy(sink, rtt) for rtt in rtts}
    places = {0: sink.port, **{rtt: proxy.port for rtt, proxy in proxies.items()}}
    senders = find_senders()
    trips = {sender: _round_trips(lab, sender, proxies[rtts[-1]]) for sender in senders}
    costs = {(sender, rtt): [] for sender in senders for rtt in places}
    floors = {name: [] for name in _FLOORS}
    for turn in range(runs):  # interleaved, so that a busy moment hits everybody
        for name, code in _FLOORS.items():
            floors[name] += lab.meter([lab.python, "-I", "-S", "-c", code])
        for sender, rtt in costs:
            if rtt == 0 or turn <= runs // 3:
                costs[sender, rtt] += _send(lab, sender, places[rtt])
    sent = len(senders) + sum(len(found) for found in costs.values())
    if (arrived := sink.counts()["mails"]) != sent:
        raise SystemExit(f"{arrived} of {sent} mails arrived")
    return _tabulate(lab, rtts, trips, costs, floors)


def _command(lab, sender, port):
    return sender.command(lab, Target(port, str(lab.authority), lab.message()))


def _stdin(lab, sender):
    return lab.message() if sender.reads_stdin else os.devnull


def _send(lab, sender, port):
    found = lab.meter(_command(lab, sender, port), stdin=_stdin(lab, sender))
    if found[0].exit_code:
        raise SystemExit(f"{sender.name} failed with exit code {found[0].exit_code}")
    return found


def _round_trips(lab, sender, proxy):
    """Send through a proxy, which warms the caches as well; return what it counted."""
    proxy.counts()
    _send(lab, sender, proxy.port)
    return proxy.counts()["round_trips"]


def _modules(lab, command):
    """Count the modules that a Python program has imported when it ends."""
    python, *rest = map(str, command)
    with lab.message().open("rb") as mail:
        done = subprocess.run(
            [python, "-X", "importtime", *rest],
            stdin=mail,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            env=lab.environment(),
        )
    return done.stderr.count("import time:") - 1  # without the heading


def _tabulate(lab, rtts, trips, costs, floors):
    reference = _reference(trips)
    table = Table(
        f"One mail, cold process, median of {len(costs[reference, 0])} runs",
        {
            "program": "",
            "wall ms": ".1f",
            f"wall ÷ {reference.name}": ".2f",
            **{f"wall ms at RTT {rtt}": ".0f" for rtt in rtts},
            "round trips": "",
            "CPU ms": ".1f",
            "CPU ÷ import ssl": ".2f",
            "peak MB": ".1f",
            "modules": "",
        },
    )
    ssl_cpu = median(run.cpu_ms for run in floors[_SSL])
    wall = {place: median(run.wall_ms for run in found) for place, found in costs.items()}
    port = lab.sink().port
    for sender in trips:
        cpu = median(run.cpu_ms for run in costs[sender, 0])
        table.add(
            sender.name,
            wall[sender, 0],
            ratio(wall[sender, 0], wall[reference, 0]),
            *(wall[sender, rtt] for rtt in rtts),
            trips[sender],
            cpu,
            ratio(cpu, ssl_cpu),
            median(run.peak_mb for run in costs[sender, 0]),
            _modules(lab, _command(lab, sender, port)) if sender.is_python else None,
        )
    for name, found in floors.items():
        cpu = median(run.cpu_ms for run in found)
        near = median(run.wall_ms for run in found)
        peak = median(run.peak_mb for run in found)
        far = (None for _ in rtts)
        table.add(
            f"floor: {name}", near, ratio(near, wall[reference, 0]), *far, None, cpu,
            ratio(cpu, ssl_cpu), peak, None,
        )  # fmt: skip
    table.notes += [
        "TLS 1.3 from the start, a certificate checked against one authority, AUTH PLAIN.",
        "Round trips include TCP's handshake, and an answer to QUIT if it is waited for.",
        "A peak under 8 MB cannot be seen.",
    ]
    return table


def _reference(senders):
    names = {sender.name: sender for sender in senders}
    return names.get("msmtp") or names["smtplib -I -S"]
