"""How fast a large mail is, and how much memory it takes."""

from __future__ import annotations

from senders import Target, find_senders
from table import Table, median, ratio

__all__ = ["measure"]

_SIZES = (25_000_000, 280_000_000)
_QUICK_SIZES = (1_000_000,)

_SLOW_MS = 5000  # a program that takes longer is measured once; its figure needs no precision


def measure(lab, *, runs=0, is_quick=False):
    """Send large mails with every program and without any; return the table."""
    runs = runs or (1 if is_quick else 5)
    table = Table(
        f"Large mails from standard input, median of {runs} runs",
        {
            "mail MB": ".0f",
            "program": "",
            "offered": "",
            "MB/s": ".0f",
            "MB/s ÷ smtplib": ".2f",
            "MB per CPU second": ".0f",
            "peak MB": ".1f",
        },
    )
    sinks = {"CHUNKING": lab.sink(), "DATA only": lab.sink("--no-chunking")}
    for size in _QUICK_SIZES if is_quick else _SIZES:
        _measure_size(lab, table, sinks, size, runs)
    table.notes += [
        f"The server is the one in {lab.sink_kind}; floor sends the file as it is, from Python.",
        "The time has the start of the process in it, which a 25 MB mail shows.",
        "curl reads the mail from its file.",
    ]
    return table


def _measure_size(lab, table, sinks, size, runs):
    mail = lab.message(size)
    octets = mail.stat().st_size
    rows = _rows(lab, sinks, mail)
    costs = {row: [] for row in rows}
    for _ in range(runs):
        for row, (command, stdin) in rows.items():
            if costs[row] and costs[row][0].wall_ms > _SLOW_MS:
                continue
            costs[row] += _send(lab, sinks[row[1]], row[0], command, stdin)
    speed = {row: octets / 1e3 / median(run.wall_ms for run in costs[row]) for row in rows}
    reference = speed["smtplib -I -S", "DATA only"]
    for row in rows:
        cpu = median(run.cpu_ms for run in costs[row])
        peak = median(run.peak_mb for run in costs[row])
        name, offered = row
        rate = speed[row]
        table.add(
            octets / 1e6, name, offered, rate, ratio(rate, reference), octets / 1e3 / cpu, peak
        )


def _rows(lab, sinks, mail):
    """Return (program, what is offered) -> command and standard input."""
    rows = {}
    for sender in find_senders():
        for offered, sink in sinks.items():
            is_ours = sender.name.startswith("pillarbox")
            if offered == "CHUNKING" and not is_ours:
                continue  # nobody else uses it
            if is_ours and sender.name != "pillarbox":
                continue  # the same program; only its start differs
            command = sender.command(lab, Target(sink.port, str(lab.authority), mail))
            rows[sender.name, offered] = (command, mail)
            if sender.name == "pillarbox":
                rows[f"{sender.name}, from a pipe", offered] = (command, f"|{mail}")
    script = [lab.python, "-I", "-S", lab.client("floor"), "large"]
    floor = [*script, sinks["DATA only"].port, lab.authority]
    rows["floor: a loop in Python", "DATA only"] = (floor, mail)
    return rows


def _send(lab, sink, name, command, stdin):
    found = lab.meter(command, stdin=stdin)
    mails = sink.counts()["mails"]
    if found[0].exit_code or mails != 1:
        raise SystemExit(f"{name} failed: exit code {found[0].exit_code}, {mails} mails arrived")
    return found
