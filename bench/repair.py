"""What repair costs: mails in order and not, small and large, beside the same unrepaired."""

from __future__ import annotations

from senders import SENDERS, Target
from table import Table, median, ratio

__all__ = ["measure"]

_LARGE = 280_000_000
_QUICK_LARGE = 1_000_000


def measure(lab, *, runs=0, is_quick=False):
    """Send each mail with repair, with ``--raw`` and with smtplib; return the table."""
    runs = runs or (1 if is_quick else 21)
    table = Table(
        f"Repair, cold process, median of {runs} runs (large: 5)",
        {
            "mail": "",
            "program": "",
            "wall ms": ".1f",
            "CPU ms": ".1f",
            "CPU ms more than --raw": ".1f",
            "wall ÷ --raw": ".2f",
            "peak MB": ".1f",
        },
    )
    sink = lab.sink()
    for name, mail in _mails(lab, _QUICK_LARGE if is_quick else _LARGE).items():
        _measure_mail(lab, table, sink, name, mail, min(runs, 5) if name == "large" else runs)
    table.notes += [
        f"The server is the one in {lab.sink_kind}; it offers CHUNKING and 8BITMIME.",
        "clean: 5 kB of text with everything that a mail needs.",
        "faulty: a raw Subject and 5 kB of text without a charset; large: a body in base64.",
    ]
    return table


def _mails(lab, large):
    faulty = lab.folder / "faulty.eml"
    text = "Subject: 磁盘已满\n\n" + "web01: /var 已满。One line of a report.\n" * 110
    faulty.write_text(text, encoding="utf-8")
    clean = lab.folder / "clean.eml"
    with lab.message(large).open("rb") as file:
        head = file.read(4096).partition(b"Content-Type")[0]
    clean.write_bytes(
        head + b"Content-Type: text/plain; charset=utf-8\n\n" + b"One line of a report.\n" * 220
    )
    return {"clean": clean, "faulty": faulty, "large": lab.message(large)}


def _measure_mail(lab, table, sink, name, mail, runs):
    target = Target(sink.port, str(lab.authority), mail)
    ours, theirs = SENDERS[0].command(lab, target), SENDERS[-1].command(lab, target)
    rows = {
        "pillarbox --raw": [*ours[:2], "--raw", *ours[2:]],
        "pillarbox": ours,
        SENDERS[-1].name.split()[0]: theirs,
    }
    costs = {row: [] for row in rows}
    for _ in range(runs + 1):  # the first warms the caches
        for row, command in rows.items():
            costs[row] += lab.meter(command, stdin=mail)
    if any(run.exit_code for found in costs.values() for run in found):
        raise SystemExit(f"a program failed with the mail {name}")
    raw_wall, raw_cpu = (
        median(getattr(run, what) for run in costs["pillarbox --raw"][1:])
        for what in ("wall_ms", "cpu_ms")
    )
    for row, found in costs.items():
        wall, cpu = (
            median(getattr(run, what) for run in found[1:]) for what in ("wall_ms", "cpu_ms")
        )
        peak = median(run.peak_mb for run in found)
        table.add(name, row, wall, cpu, cpu - raw_cpu, ratio(wall, raw_wall), peak)
