"""
``mailq``, ``sendmail -bp`` and ``sendmail -q``: what waits to be sent, as Postfix would say it.

Scripts count mails by these lines, so they are English everywhere and never change: ``Mail queue
is empty``, the line of column heads, ``-- N Kbytes in M Requests.`` An ID with ``*`` behind it is
being delivered, one with ``!`` is on hold. Shown are the system's queue, of which an ordinary user
sees his own mails, and the queue that the user has for himself, if he has one.

Exit codes: 0, also when nothing waits; 75: a queue is there and cannot be looked into, or, for
``-q``, mail is left; 78: the settings of a queue are wrong.
"""

from __future__ import annotations

import os
import sys
import time

from pillarbox.errors import EX_OK, PillarboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    Row = dict[str, Any]

__all__ = ["flush", "main"]

_HEADS = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
_RECIPIENT = " " * 43
_REASON_END = 76  # the column at which a reason ends, where it is that short
_MARKS = {"hold": "!"}


def main(_: Sequence[str]) -> int:
    """Print the listing; arguments are accepted and have no effect."""
    from pillarbox.cli.queue_access import QueueAccess

    code, count, size_bytes = EX_OK, 0, 0
    for place in _places():
        try:
            with QueueAccess(place, os.environ) as queue:
                for row in queue.ask("list"):
                    if row.get("end"):
                        code = _ended(row) or code
                        break
                    if not count:
                        print(_HEADS)
                    count += 1
                    size_bytes += row["size_bytes"]
                    print(*_entry_lines(row), "", sep="\n")
        except PillarboxError as exc:
            code = _complain(exc)
    if count:
        plural = "" if count == 1 else "s"
        print(f"-- {(size_bytes + 1023) // 1024} Kbytes in {count} Request{plural}.")
    elif code == EX_OK:
        print("Mail queue is empty")
    return code


def flush() -> int:
    """Have what waits tried now, in every queue there is. Blocks where no daemon does it."""
    from pillarbox.cli.queue_actions import flush_place

    code = EX_OK
    # The user's own first: where root becomes the owner of the system's spool, he stays it.
    for place in reversed(list(_places())):
        try:
            code = flush_place(place) or code
        except PillarboxError as exc:
            code = _complain(exc)
    return code


def _places() -> Iterator[Any]:
    """Yield the system's queue and the user's own."""
    from pillarbox.cli.queue_access import find_queue

    system = find_queue(os.environ, is_user=False)
    yield system
    own = find_queue(os.environ, is_user=True)
    if (own.control, own.spool) != (system.control, system.spool):
        # One variable names one socket: it is not asked for both.
        if own.control == system.control:
            own.control = ""
        yield own


def _entry_lines(row: Row) -> Iterator[str]:
    """Yield the lines of an entry, without the empty one behind it."""
    from pillarbox.delivery.queue_view import short_id
    from pillarbox.mail.reply import printable

    mark = "*" if row["is_active"] else _MARKS.get(row["state"], " ")
    arrival = time.strftime("%a %b %d %H:%M:%S", time.localtime(row["accepted_s"]))
    sender = "MAILER-DAEMON" if row["from"] is None else printable(row["from"])
    name = short_id(printable(row["id"])) + mark
    yield f"{name:<11} {row['size_bytes']:>8} {arrival:>20}  {sender}"
    if row["reason"]:
        reason = f"({printable(row['reason'])})"
        yield f"{reason:>{_REASON_END}}"
    for recipient in row["recipients"]:
        if recipient["status"] == "pending":
            yield _RECIPIENT + printable(recipient["address"])


def _ended(row: Row) -> int:
    if row["problem"]:
        _complain(PillarboxError(row["problem"], advice=row["advice"]))
    code: int = row["code"]
    return code


def _complain(exc: PillarboxError) -> int:
    from pillarbox.cli.main import complain

    complain(os.path.basename(sys.argv[0]) or "mailq", exc)
    return exc.exit_code
