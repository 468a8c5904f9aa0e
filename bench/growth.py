"""What a mail costs when many wait already."""

from __future__ import annotations

import socket

from drain import drain
from givers import bare_sendmail
from lab import HERE, RECIPIENT, USER
from service import Daemon, fill
from table import Table, median, ratio

__all__ = ["measure"]

_COUNTS, _QUICK_COUNTS = (1_000, 10_000, 100_000), (20, 40)
_AIM_BYTES = 1000  # of the service's memory for each mail that waits


def measure(lab, *, runs=0, is_quick=False):
    """Let more and more mails wait behind a relay host that is away; return the table."""
    runs = runs or (1 if is_quick else 9)
    table = Table(
        f"What grows with the queue, median of {runs} runs where it is not one",
        {
            "program": "",
            "waiting": "",
            "start ms": ".0f",
            "start µs a mail": ".0f",
            "memory MB": ".1f",
            "memory bytes a mail": ".0f",
            "list ms": ".0f",
            "list µs a mail": ".0f",
            "hand-off ms": ".2f",
            "hand-off ÷ that of the first row": ".2f",
            "drain µs a mail": ".0f",
            "drain ÷ that of the first row": ".2f",
        },
    )
    sink = lab.sink()
    with _Nobody() as port:
        empty = _measure_waiting(lab, "growth-0", port, 0, runs)
        first = None
        for count in _QUICK_COUNTS if is_quick else _COUNTS:
            start, memory, listing, handoff = _measure_waiting(
                lab, f"growth-{count}", port, count, runs
            )
            _, cpu, _ = drain(lab, f"growth-drain-{count}", sink, sink, count)
            first = first or (handoff, cpu)
            table.add(
                "pillarbox", count, start * 1e3, (start - empty[0]) * 1e6 / count, memory / 1e6,
                (memory - empty[1]) / count, listing, (listing - empty[2]) * 1e3 / count, handoff,
                ratio(handoff, first[0]), cpu, ratio(cpu, first[1]),
            )  # fmt: skip
    table.notes += [
        "What is said for each mail is the difference to an empty queue.",
        f"Aims: less than {_AIM_BYTES} bytes of memory a mail; the cost of a mail grows by < 20 %.",
        "The start is until the socket answers; the list is 'pillarbox queue list'.",
        "A drain's cost is the service's CPU, and has its start in it.",
    ]
    return table


def _measure_waiting(lab, name, port, count, runs):
    """Return seconds of start, bytes of memory, ms of a list, ms of a hand-off."""
    daemon = Daemon(lab, name, port, lab.authority)
    if count:
        fill(lab, daemon.spool, count)
    with daemon:
        memory = daemon.memory_bytes()
        environment = {
            "PILLARBOX_SOCKET": str(daemon.socket),
            "PILLARBOX_CONTROL": str(daemon.control),
        }
        show = [lab.python, HERE.parent / "bin" / "pillarbox", "queue", "list"]
        listing = lab.meter(show, runs=3, **environment)
        sendmail = [*bare_sendmail(lab), "-f", USER, RECIPIENT]
        handoff = lab.meter(sendmail, stdin=lab.message(), runs=runs, **environment)
        if any(run.exit_code for run in (*listing, *handoff)):
            raise SystemExit(f"a command failed: {daemon.log()[-2000:]}")
        if (left := daemon.queued()) != count + runs:
            raise SystemExit(f"{left} of {count + runs} mails wait")
    start = daemon.ready_s
    return start, memory, *(median(run.wall_ms for run in found) for found in (listing, handoff))


class _Nobody:
    """A port at which nobody answers."""

    def __enter__(self):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # bound, and never listened at: refused at once
        return self._socket.getsockname()[1]

    def __exit__(self, *exc_info):
        self._socket.close()
