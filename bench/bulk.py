"""How many small mails a second go over one connection."""

from __future__ import annotations

import os

from senders import Target, find_senders
from table import Table, median, ratio

__all__ = ["measure"]

# How many mails, by RTT in milliseconds and by what the server offers: so many that the
# connection's beginning does not show, and yet no row takes longer than some seconds. A program
# that waits for four round trips a mail sends 8 a second over 30 ms.
_COUNTS = {0: {"DATA only": 10_000, "CHUNKING": 10_000}, 30: {"DATA only": 60, "CHUNKING": 5_000}}
_QUICK_COUNTS = {0: {"DATA only": 200, "CHUNKING": 200}, 10: {"DATA only": 4, "CHUNKING": 200}}
_PROCESSES, _QUICK_PROCESSES = 20, 2  # mails of a program that is started for each


def measure(lab, *, runs=0, is_quick=False):
    """Send a small mail over and over, from near and from far; return the table."""
    runs = runs or (1 if is_quick else 5)
    table = Table(
        f"Small mails over one connection, median of {runs} runs",
        {
            "RTT ms": "",
            "program": "",
            "offered": "",
            "mails/s": ".0f",
            "mails/s ÷ smtplib": ".3g",
            "CPU µs a mail": ".0f",
            "turns a mail": ".2f",
        },
    )
    sinks = {"DATA only": lab.sink("--no-chunking"), "CHUNKING": lab.sink()}
    for rtt, counts in (_QUICK_COUNTS if is_quick else _COUNTS).items():
        turns = runs if rtt == 0 else max(1, runs // 3)
        _measure_rtt(lab, table, sinks, rtt, counts, turns)
    _measure_processes(lab, table, sinks, _QUICK_PROCESSES if is_quick else _PROCESSES)
    table.notes += [
        f"The server is the one in {lab.sink_kind}; floor sends ready-made octets, from Python.",
        "The server counts, from the first MAIL to the last reply; CPU has the start in it.",
        "Turns are how often the client began to speak after it had heard something.",
    ]
    return table


def _measure_rtt(lab, table, sinks, rtt, counts, runs):
    proxies = {offered: lab.proxy(sink, rtt) for offered, sink in sinks.items()} if rtt else {}
    ports = {offered: service.port for offered, service in (proxies or sinks).items()}
    rows = _rows(lab, ports, counts)
    found = {row: [] for row in rows}
    for _ in range(runs):
        for row, command in rows.items():
            count = counts[row[1]]
            found[row].append(_send(lab, command, count, sinks[row[1]], proxies.get(row[1])))
    reference = median(rate for rate, _, _ in found["smtplib", "DATA only"])
    for (name, offered), results in found.items():
        rate, cpu, turns = (median(column) for column in zip(*results, strict=True))
        table.add(rtt, name, offered, rate, ratio(rate, reference), cpu, turns if rtt else None)


def _rows(lab, ports, counts):
    """Return (program, what is offered) -> command."""
    mail, data, chunking = lab.message(), ports["DATA only"], ports["CHUNKING"]
    many, more = counts["DATA only"], counts["CHUNKING"]

    def client(name, *arguments):
        return [lab.python, lab.client(name), *arguments]

    def ours(port, count):
        return client("pillarbox_bulk", lab.account(port, lab.authority), mail, count)

    return {
        ("smtplib", "DATA only"): client("smtplib_bulk", data, lab.authority, mail, many),
        ("pillarbox", "DATA only"): ours(data, many),
        ("pillarbox", "CHUNKING"): ours(chunking, more),
        ("floor: groups", "DATA only"): client("floor", "bulk", data, lab.authority, mail, many),
        ("floor: a window", "CHUNKING"): client(
            "floor", "window", chunking, lab.authority, mail, more
        ),
    }


def _send(lab, command, count, sink, proxy):
    """Run a client; return mails a second, microseconds of CPU a mail, turns a mail."""
    sink.counts()
    if proxy is not None:
        proxy.counts()
    run = lab.meter(command)[0]
    taken = sink.counts()
    if run.exit_code or taken["mails"] != count:
        raise SystemExit(f"{command[1]} failed: {taken['mails']} of {count} mails arrived")
    turns = proxy.counts()["turns"] if proxy is not None else 0
    return count / (taken["ended"] - taken["began"]), run.cpu_ms * 1e3 / count, turns / count


def _measure_processes(lab, table, sinks, count):
    """Add rows of what a loop over a program that sends one mail makes of it, from near."""
    target = Target(sinks["DATA only"].port, str(lab.authority), lab.message())
    reference = table.rows[0][3]
    for sender in find_senders():
        if sender.name not in {"pillarbox", "msmtp", "curl"}:
            continue
        stdin = target.mail if sender.reads_stdin else os.devnull
        runs = lab.meter(sender.command(lab, target), stdin=stdin, runs=count)
        rate = 1e3 / median(run.wall_ms for run in runs)
        cpu = median(run.cpu_ms for run in runs) * 1e3
        name = f"{sender.name}, a process a mail"
        table.add(0, name, "DATA only", rate, ratio(rate, reference), cpu, None)
