"""
``msmtpq`` and ``msmtp-queue``: the names that scripts of msmtp's users call.

``msmtpq`` queues a mail, then tries to send it; whatever becomes of that, the mail is kept and the
exit code is 0. Nothing of the call is lost: arguments with spaces stay what they are.
``msmtp-queue`` looks after the queue: ``-r`` sends what waits, ``-R ID ...`` some of it, ``-d`` (or
nothing) lists it, ``-p ID ...`` deletes some of it, ``-a`` all; ``-h`` tells this. It means the
user's own queue where he has one, else the system's.

What msmtpq read from its environment (``EMAIL_CONN_TEST`` ...) has no meaning here: the mail itself
is what tries the connection.
"""

from __future__ import annotations

import os
import sys

from pillarbox.cli.main import spoken
from pillarbox.errors import EX_OK, EX_USAGE, PillarboxError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MANAGEMENT", "main", "manage"]

MANAGEMENT = "--q-mgmt"  # as msmtp-queue called msmtpq

# An operation -> the subcommand of ``pillarbox queue``, and whether it wants to know which mails.
_OPERATIONS = {
    "-r": (["flush"], False),
    "-R": (["retry"], True),
    "-d": (["list"], False),
    "-p": (["delete"], True),
    "-a": (["delete", "all"], False),
}


def main(arguments: Sequence[str]) -> int:
    """
    Run msmtpq.

    Returns:
        0: the mail is kept; what becomes of it is told by ``msmtp-queue``.

    Raises:
        PillarboxError: It is not kept.

    """
    if arguments and arguments[0] == MANAGEMENT:
        return manage(arguments[1:])
    from pillarbox.cli import msmtp

    code = msmtp.main(["--queue", *arguments])
    if code == EX_OK:
        _try_own()
    return code


def _try_own() -> None:
    """Send what waits in the user's own queue; whatever happens, the new mail is kept."""
    from pillarbox.cli.queue_access import find_queue
    from pillarbox.cli.queue_actions import flush_place

    try:
        place = find_queue(os.environ, is_user=True)
        if not os.path.exists(place.control) and os.path.isdir(place.spool):
            flush_place(place)
    except PillarboxError:
        return  # somebody else is at it, as a rule


def manage(arguments: Sequence[str]) -> int:
    """
    Run msmtp-queue.

    Raises:
        UsageError: There is no such operation.

    """
    operation, *rest = [*arguments] or ["-d"]
    if operation == "-h":
        print(_USAGE)
        return EX_OK
    if operation not in _OPERATIONS:
        print(_USAGE, file=sys.stderr)
        return EX_USAGE
    words, needs_ids = _OPERATIONS[operation]
    from pillarbox.cli import queue

    own = _own_queue()
    if needs_ids and not rest:
        rest = _asked(own)
        if not rest:
            return EX_OK
    return queue.main([*words, *rest, *own])


_USAGE = """\
usage: msmtp-queue [OPERATION]
  -r         send all that waits, now
  -R ID ...  send these mails now
  -d         list what waits (the default)
  -p ID ...  delete these mails
  -a         delete all that waits
  -h         print this"""


def _own_queue() -> list[str]:
    from pillarbox.cli.queue_access import find_queue

    place = find_queue(os.environ, is_user=True)
    return ["--user"] if os.path.exists(place.control) or os.path.isdir(place.spool) else []


def _asked(own: list[str]) -> list[str]:
    """Show what waits, and ask which of it is meant."""
    from pillarbox.cli import queue

    if not sys.stdin.isatty():
        raise UsageError(say("name the mails"), advice=say("'msmtp-queue -d' lists them"))
    queue.main(["list", *own])
    print(spoken(say("Which? IDs, with spaces between them:")), end=" ", flush=True)
    return [printable(word) for word in sys.stdin.readline().split()]
