"""How fast mail that waits goes out when it can."""

from __future__ import annotations

from service import Daemon, fill
from table import Table, ratio

__all__ = ["drain", "measure"]

_COUNT, _QUICK_COUNT = 10_000, 50
_RTTS_MS = (0, 30)
_AIM = 2000  # mails a second, near


def measure(lab, *, runs=0, is_quick=False):
    """Fill a spool, start the service, and count at the relay host; return the table."""
    count = _QUICK_COUNT if is_quick else _COUNT
    sinks = {"CHUNKING": lab.sink(), "DATA only": lab.sink("--no-chunking")}
    table = Table(
        f"{count} mails that wait go out, best of {runs or 1} runs",
        {
            "RTT ms": "",
            "program": "",
            "offered": "",
            "mails/s": ".0f",
            "aim": "",
            "mails/s ÷ Postfix's": ".1f",
            "service's CPU µs a mail": ".0f",
            "connections": "",
            "duplicates": "",
        },
    )
    reference = {0: 534, 30: 192, 10: 192}
    for rtt in (0, 10) if is_quick else _RTTS_MS:
        for offered, sink in sinks.items():
            place = lab.proxy(sink, rtt) if rtt else sink
            results = [
                drain(lab, f"drain-{rtt}-{offered[:4]}-{run}", sink, place, count)
                for run in range(runs or 1)
            ]
            rate, cpu, counts = max(results, key=lambda result: result[0])
            table.add(
                rtt,
                "pillarbox",
                offered,
                rate,
                f"≥ {_AIM}" if rtt == 0 else None,
                ratio(rate, reference[rtt]),
                cpu,
                counts["connections"],
                counts["mails"] - count,
            )
    table.notes += [
        f"The server is the one in {lab.sink_kind}; from the first MAIL to the last reply.",
        "Postfix 3.7 with TLS reuse, measured once beside such a server: 534/s, 192/s at RTT 30.",
        "The service's CPU is that from its start until all has gone.",
    ]
    return table


def drain(lab, name, sink, place, count):
    """Let ``count`` mails go out; return mails a second, CPU µs a mail, and the sink's counts."""
    daemon = Daemon(lab, name, place.port, lab.authority)
    fill(lab, daemon.spool, count)
    sink.counts()
    with daemon:
        counts = daemon.watch(sink, count)
        cpu_s = daemon.cpu_s()
        if left := daemon.wait_until_empty():
            raise SystemExit(f"{left} mails are left in the queue: {daemon.log()[-2000:]}")
    return count / (counts["ended"] - counts["began"]), cpu_s * 1e6 / count, counts
