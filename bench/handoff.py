"""What it costs a caller to hand one mail over, durably."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import HERE, RECIPIENT, USER
from service import Daemon
from table import Table, median, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Peer", "bare_sendmail", "callers", "find_peers", "measure"]

_AIM = 1.25  # of the bare interpreter's wall time
FLOOR = "python -I -S, pass"

# Where Debian has them, and where a person unpacked them to compare.
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/sendmail"


@dataclass(frozen=True)
class Peer:
    """
    Another program that takes mail into a queue.

    Attributes:
        name: Its row in the tables.
        program: What is looked for.
        command: From the program's path to the words that hand a mail over.

    """

    name: str
    program: str
    command: Callable[[Any], list[object]]


# They hand over to the machine's own queue, so they are asked with ``--peers`` only. The domain is
# one that exists nowhere (RFC 2606).
PEERS = (
    Peer("postfix sendmail", "postdrop", lambda _: ["/usr/sbin/sendmail", "-f", USER, RECIPIENT]),
    Peer("dma", "dma", lambda program: [program, "-f", USER, RECIPIENT]),
    Peer("nullmailer", "nullmailer-inject", lambda program: [program, "-f", USER, RECIPIENT]),
)


def find_peers(lab):
    """Return name -> command of the peers that may be asked and are here."""
    if not lab.asks_peers:
        return {}
    found = ((peer, shutil.which(peer.program, path=_PLACES)) for peer in PEERS)
    return {peer.name: peer.command(program) for peer, program in found if program}


def bare_sendmail(lab):
    """Return our sendmail as a distribution may install it, with ``-I -S`` in its first line."""
    return [lab.python, "-I", "-S", lab.client("pillarbox_handoff")]


def callers(lab):
    """Return name -> command of ours that hand a mail over."""
    sendmail = HERE.parent / "bin" / "sendmail"
    arguments = ["-f", USER, RECIPIENT]
    return {
        "pillarbox -I -S": [*bare_sendmail(lab), *arguments],
        "pillarbox": [lab.python, sendmail, *arguments],
        "pillarbox -t": [lab.python, sendmail, "-t", "-i"],
    }


def measure(lab, *, runs=0, is_quick=False):
    """Hand one mail over again and again; return the table."""
    runs = runs or (2 if is_quick else 31)
    commands = {FLOOR: [lab.python, "-I", "-S", "-c", "pass"], **callers(lab), **find_peers(lab)}
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
        taken = len(callers(lab)) * (runs + 1)
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
