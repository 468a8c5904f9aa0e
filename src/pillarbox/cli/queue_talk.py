"""
How the subcommands of ``pillarbox queue`` ask, choose and tell: what they have in common.

Results go to standard output, a table for people or one JSON object a line; what went wrong goes to
standard error, and the exit code says it too. Before anything is destroyed it is shown, and a
person says yes on his terminal, or with ``--yes`` before.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice

from pillarbox.cli.main import complain, spoken
from pillarbox.cli.queue_page import entry_lines, heading
from pillarbox.delivery.filters import FILTERS
from pillarbox.delivery.operations import OPERATIONS
from pillarbox.delivery.queue_view import short_id
from pillarbox.errors import EX_OK, EX_TEMPFAIL, PillarboxError, SpoolError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pillarbox.cli.queue_access import QueueAccess

    Row = dict[str, Any]
    Wishes = argparse.Namespace

__all__ = [
    "agree",
    "change_each",
    "cut_off",
    "ended",
    "print_json",
    "print_lines",
    "print_listing",
    "said_yes",
    "where_of",
]

_PORTION = 100  # ids of one request, however long each of them is


def where_of(wishes: Wishes) -> dict[str, str]:
    """Return the filters of a command line, as a request has them."""
    found = ((name, getattr(wishes, f"where_{name}", None)) for name in FILTERS)
    return {name: text for name, text in found if text is not None}


def change_each(
    queue: QueueAccess,
    wishes: Wishes,
    command: str,
    text: str,
    done: list[str] | None = None,
    *,
    asks: bool = False,
) -> int:
    """
    Have something done to the mails that are meant, and tell what came of each.

    Args:
        queue: The queue.
        wishes: The command line.
        command: The operation.
        text: What is said of a mail that it was done to.
        done: Is given the IDs of those.
        asks: A person has to agree first.

    Raises:
        UsageError: None is named, or nobody can be asked.

    """
    words, where = _named(wishes.ids), where_of(wishes)
    if not words and not where:
        raise UsageError(say("name the mails, or write all"))
    if asks and not wishes.yes:
        words, where = agree(queue, words, where, command), {}
        if not words:
            return EX_OK
    worst = EX_OK
    for ids in _portions(words):
        answer = _noted(queue.ask(command, ids=ids, where=where), done)
        code = print_json(answer) if wishes.json else _tell(answer, text)
        worst = worst or code
    return worst


def _noted(answer: Iterable[Row], done: list[str] | None) -> Iterator[Row]:
    for row in answer:
        if done is not None and row.get("done"):
            done.append(row["id"])
        yield row


def _named(ids: list[str]) -> list[str]:
    if "all" in ids and len(ids) > 1:
        raise UsageError(say("name mails or write all, not both"))
    return ids


def _portions(words: list[str]) -> Iterator[str | list[str]]:
    """Yield what goes into one request each."""
    if not words or words == ["all"]:
        yield "all"
        return
    rest = iter(words)
    while portion := list(islice(rest, _PORTION)):
        yield portion


def _tell(answer: Iterable[Row], text: str) -> int:
    for row in answer:
        if row.get("end"):
            return ended(row)
        note = printable(row["note"]) or spoken(text)
        print(f"{short_id(printable(row['id']))}  {note}")
    return cut_off()


def agree(queue: QueueAccess, words: list[str], where: dict[str, str], command: str) -> list[str]:
    """
    Show the mails that are meant, and ask on the terminal whether it shall be done.

    Returns:
        The ids of those that were shown, no others; none: no.

    Raises:
        UsageError: Nobody can be asked.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(say("nobody can be asked"), advice=say("add --yes"))
    if not words or words == ["all"]:
        # A listing looks elsewhere by itself than this command does.
        where = {"state": ",".join(OPERATIONS[command].states)} | where
    rows: list[Row] = []
    for ids in _portions(words):
        for row in queue.ask("list", ids=ids, where=where):
            if row.get("end"):
                ended(row)
            elif "problem" in row:
                complain("pillarbox queue", _answered(row))
            else:
                rows.append(row)
    print_listing(rows)
    if not rows:
        print(spoken(say("no mail waits")))
        return []
    if not said_yes(_QUESTIONS[command], len(rows)):
        return []
    return [row["id"] for row in rows]


_QUESTIONS = {
    "delete": say("Take them out for good, without notice to anybody?"),
    "hold": say("Have them wait until they are released?"),
    "edit": say("Put the new mail in its place?"),
}


def said_yes(question: str, count: int = 1) -> bool:
    """Return whether a person agrees."""
    prompt = say("mails: {count}. {question} [y/N]", count=count, question=question)
    print(spoken(prompt), end=" ", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def print_listing(rows: Iterable[Row]) -> int:
    """Print a table of mails; return how many they are."""
    count, now_s = 0, time.time()
    for row in rows:
        if not count:
            print(heading())
        count += 1
        print_lines(entry_lines(row, now_s))
    return count


def print_json(answer: Iterable[Row]) -> int:
    """Print one object a line; what ends the answer is told by the exit code."""
    for row in answer:
        if row.get("end"):
            return ended(row)
        print(json.dumps(row))
    return cut_off()


def print_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        print(line)


class _AnsweredError(PillarboxError):
    """What the queue answered, with its exit code."""


def _answered(row: Row) -> PillarboxError:
    return _AnsweredError(str(row.get("problem", "")), advice=str(row.get("advice", "")))


def ended(row: Row) -> int:
    """Say what the end of an answer says; return its exit code."""
    code = row["code"] if isinstance(row.get("code"), int) else EX_TEMPFAIL
    if row.get("problem"):
        complain("pillarbox queue", _answered(row))
    return code


def cut_off() -> int:
    """
    Refuse an answer that has no end.

    Raises:
        SpoolError: Always.

    """
    raise SpoolError(say("the answer has no end"))
