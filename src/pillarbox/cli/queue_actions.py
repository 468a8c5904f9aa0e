"""
What each subcommand of ``pillarbox queue`` does: asks the queue, prints, and returns the exit code.

``cli.queue`` has the table of them, with their arguments.
"""

from __future__ import annotations

import os
import sys
import time
from base64 import b64decode

from pillarbox.cli.main import spoken
from pillarbox.cli.queue_access import QueueAccess
from pillarbox.cli.queue_page import account_lines, count_line, past_lines, shown_lines
from pillarbox.cli.queue_talk import (
    change_each,
    cut_off,
    ended,
    print_json,
    print_lines,
    print_listing,
    where_of,
)
from pillarbox.errors import EX_NOPERM, EX_OK, SpoolError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from pillarbox.cli.queue_access import QueuePlace

    Row = dict[str, Any]
    Wishes = argparse.Namespace

__all__ = [
    "delete",
    "edit",
    "flush",
    "flush_place",
    "history",
    "hold",
    "import_",
    "list_",
    "pause",
    "release",
    "resume",
    "retry",
    "show",
    "stats",
    "status",
]

# What a listing does not show by itself, and should not pass over in silence.
_ASIDE = ("failed", "corrupt")


# -- those that look -----------------------------------------------------------------------------


def list_(queue: QueueAccess, wishes: Wishes) -> int:
    """List what waits."""
    answer = queue.ask("list", where=where_of(wishes))
    if wishes.json:
        return print_json(answer)
    ends: list[Row] = []
    count = print_listing(_rows_of(answer, ends))
    code = ended(ends[0])
    if not count and code == EX_OK:
        print(spoken(say("no mail waits")))
    return code or _print_status(queue, is_short=True)


def _rows_of(answer: Iterator[Row], ends: list[Row]) -> Iterator[Row]:
    """Yield the rows of an answer, and put its end aside."""
    for row in answer:
        if row.get("end"):
            ends.append(row)
            return
        yield row
    cut_off()


def show(queue: QueueAccess, wishes: Wishes) -> int:
    """Show all that is known of one mail, or the mail itself."""
    answer = queue.ask("show", id=wishes.id, content=wishes.content)
    if wishes.json:
        return print_json(answer)
    for row in answer:
        if row.get("end"):
            return ended(row)
        if "content" in row:
            sys.stdout.flush()
            sys.stdout.buffer.write(b64decode(row["content"]))
        elif not wishes.content:
            print_lines(shown_lines(row, time.time()))
    return cut_off()


def history(queue: QueueAccess, wishes: Wishes) -> int:
    """List what became of mails."""
    answer = queue.ask("history", where=where_of(wishes), limit=wishes.limit)
    if wishes.json:
        return print_json(answer)
    for row in answer:
        if row.get("end"):
            return ended(row)
        print_lines(past_lines(row))
    return cut_off()


def status(queue: QueueAccess, wishes: Wishes) -> int:
    """Tell how the queue and its accounts are doing."""
    if wishes.json:
        return print_json(queue.ask("status"))
    return _print_status(queue, is_short=False)


def _print_status(queue: QueueAccess, *, is_short: bool) -> int:
    """Print how many mails there are, and how accounts are doing; short: what is out of order."""
    may_steer = True
    for row in queue.ask("status"):
        if row.get("end"):
            return ended(row)
        if "counts" in row:
            may_steer = row["may_steer"]
            if not is_short or any(row["counts"].get(state) for state in _ASIDE):
                print(count_line(row["counts"]))
            if not row["is_delivering"]:
                print(spoken(say("no daemon delivers this queue")))
        elif row["is_paused"] or not is_short:
            print_lines(account_lines(row, time.time(), may_steer=may_steer))
    return cut_off()


def stats(queue: QueueAccess, wishes: Wishes) -> int:
    """Print the queue in numbers."""
    from pillarbox.cli.queue_stats import prometheus_lines, stats_lines

    answer = queue.ask("stats")
    if wishes.json:
        return print_json(answer)
    for row in answer:
        if row.get("end"):
            return ended(row)
        print_lines(prometheus_lines(row) if wishes.prometheus else stats_lines(row))
    return cut_off()


# -- those that change something -----------------------------------------------------------------


def retry(queue: QueueAccess, wishes: Wishes) -> int:
    """Have mails tried now."""
    done: list[str] = []
    code = change_each(queue, wishes, "retry", say("is tried now"), done)
    if done and not queue.has_daemon:
        from pillarbox.cli.queue_flush import flush_spool

        code = flush_spool(queue, ids=done, is_quiet=wishes.json) or code
    return code


def delete(queue: QueueAccess, wishes: Wishes) -> int:
    """Take mails out for good."""
    return change_each(queue, wishes, "delete", say("deleted"), asks=True)


def hold(queue: QueueAccess, wishes: Wishes) -> int:
    """Have mails wait until they are released."""
    is_many = len(wishes.ids) != 1 or wishes.ids == ["all"]
    return change_each(queue, wishes, "hold", say("on hold"), asks=is_many)


def release(queue: QueueAccess, wishes: Wishes) -> int:
    """Let mails go on."""
    return change_each(queue, wishes, "release", say("goes on"))


def edit(queue: QueueAccess, wishes: Wishes) -> int:
    """Change a mail."""
    from pillarbox.cli.queue_edit import edit_mail

    return edit_mail(queue, wishes)


def flush(queue: QueueAccess, wishes: Wishes) -> int:
    """Have all that waits tried now."""
    return _send(queue, wishes, "flush")


def resume(queue: QueueAccess, wishes: Wishes) -> int:
    """Have an account tried now."""
    return _send(queue, wishes, "resume")


def _send(queue: QueueAccess, wishes: Wishes, command: str) -> int:
    """Have mail tried now: by the daemon, or here, and then it takes as long as it takes."""
    if not queue.is_there:
        return EX_OK
    if not queue.has_daemon:
        from pillarbox.cli.queue_flush import flush_spool

        is_quiet = wishes.json
        return flush_spool(queue, wishes.name, resumes=command == "resume", is_quiet=is_quiet)
    return _steer(queue, wishes, command, say("is tried now"))


def pause(queue: QueueAccess, wishes: Wishes) -> int:
    """Let nothing go through an account."""
    if not queue.is_there:
        raise SpoolError(  # it would be forgotten at once
            say("there is no queue at {path}", path=queue.place.spool),
            advice=say("start the daemon, 'pillarbox serve'"),
        )
    return _steer(queue, wishes, "pause", say("is paused"))


def _steer(queue: QueueAccess, wishes: Wishes, command: str, done: str) -> int:
    answer = queue.ask(command, account=wishes.name)
    if wishes.json:
        return print_json(answer)
    for row in answer:
        if row.get("end"):
            return ended(row)
        note = printable(row["note"]) or spoken(done)
        print(f"{printable(row['account'])}: {note}")
    return cut_off()


def import_(_: None, wishes: Wishes) -> int:
    """Take over the queue of msmtpq."""
    from pillarbox.cli.queue_import import import_queue

    return import_queue(wishes.folder, may=wishes.yes)


def flush_place(place: QueuePlace) -> int:
    """
    Have all tried now that waits in a queue; of the system's, whoever may not: what is his.

    Returns:
        0: all of it is on its way or gone; 75: not now, or mail is left.

    Raises:
        NetworkError: The daemon does not answer.
        SpoolError: Neither a daemon nor the spool itself can be asked.

    """
    with QueueAccess(place, os.environ, is_changing=True) as queue:
        if not queue.is_there:
            return EX_OK
        if not queue.has_daemon:
            from pillarbox.cli.queue_flush import flush_spool

            return flush_spool(queue, is_quiet=True)
        end = list(queue.ask("flush"))[-1]
        if end["code"] == EX_NOPERM:
            end = list(queue.ask("retry", ids="all"))[-1]
        return ended(end)
