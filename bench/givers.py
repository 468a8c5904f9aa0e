"""
The programs that hand a mail over to a queue of this machine, each as a command line.

Ours come in the shapes in which they are installed. To compare another one, add a row to ``PEERS``.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import HERE, RECIPIENT, USER

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FLOOR", "Peer", "bare_sendmail", "find_givers", "floor", "ours"]

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


def _find_peers(lab):
    """Return name -> command of the peers that may be asked and are here."""
    if not lab.asks_peers:
        return {}
    found = ((peer, shutil.which(peer.program, path=_PLACES)) for peer in PEERS)
    return {peer.name: peer.command(program) for peer, program in found if program}


def bare_sendmail(lab):
    """Return our sendmail as a distribution may install it, with ``-I -S`` in its first line."""
    return [lab.python, "-I", "-S", lab.client("pillarbox_handoff")]


def ours(lab):
    """Return name -> command of ours that hand a mail over."""
    sendmail = HERE.parent / "bin" / "sendmail"
    arguments = ["-f", USER, RECIPIENT]
    return {
        "pillarbox -I -S": [*bare_sendmail(lab), *arguments],
        "pillarbox": [lab.python, sendmail, *arguments],
        "pillarbox -t": [lab.python, sendmail, "-t", "-i"],
    }


def floor(lab):
    """Return the command that does nothing at all."""
    return [lab.python, "-I", "-S", "-c", "pass"]


def find_givers(lab):
    """Return name -> command of all that may be asked: the floor, ours, peers."""
    return {FLOOR: floor(lab), **ours(lab), **_find_peers(lab)}
