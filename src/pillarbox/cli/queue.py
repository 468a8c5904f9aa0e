"""
``pillarbox queue``: what waits to be sent, and what can be done about it.

The steps: the arguments (one row of ``ACTIONS`` for each subcommand), the queue (``queue_access``:
the daemon, or the spool itself), the question and its answer (``delivery.steward``), the page or
the lines of JSON. One question a row: the next subcommand is one more of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from base64 import b64decode
from itertools import islice

from pillarbox.cli.arguments import Parser
from pillarbox.cli.main import complain, spoken
from pillarbox.cli.queue_access import QueueAccess, find_queue
from pillarbox.cli.queue_page import account_lines, count_line, entry_lines, heading, shown_lines
from pillarbox.delivery.queue_view import short_id
from pillarbox.delivery.requests import IDS_MAX
from pillarbox.errors import EX_NOPERM, EX_OK, EX_TEMPFAIL, PillarboxError, SpoolError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import STATES
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from pillarbox.cli.queue_access import QueuePlace

    Row = dict[str, Any]
    Wishes = argparse.Namespace

__all__ = ["ACTIONS", "flush", "main"]

# What a listing does not show by itself, and should not pass over in silence.
_ASIDE = ("failed", "corrupt")


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox queue``.

    Returns:
        0: done; 66: there is no such mail; 75: not now, or mail is left; 77: not allowed.

    Raises:
        UsageError: The arguments are wrong.
        NetworkError: The daemon does not answer.
        SpoolError: Neither a daemon nor the spool itself can be asked.

    """
    wishes = _parse_arguments(argv)
    action = ACTIONS[wishes.action]
    place = find_queue(os.environ, is_user=wishes.user, spool=wishes.spool, settings=wishes.config)
    with QueueAccess(place, os.environ, is_changing=action.is_changing) as queue:
        return action.run(queue, wishes)


def flush(place: QueuePlace) -> int:
    """
    Have all tried now that waits in a queue; of the system's, whoever may not: what is his.

    Returns, raises:
        As ``main``.

    """
    with QueueAccess(place, os.environ, is_changing=True) as queue:
        if not queue.is_there:
            return EX_OK
        if not queue.has_daemon:
            from pillarbox.cli.queue_flush import flush_spool

            return flush_spool(queue)
        end = list(queue.ask("flush"))[-1]
        if end["code"] == EX_NOPERM:
            end = list(queue.ask("retry", ids="all"))[-1]
        return _ended(end)


class Action(Value):
    """
    One subcommand.

    Attributes:
        text: What it does, for --help.
        arguments: Names or flags of its arguments, and what argparse has to know of each.
        run: Asks the queue and prints; returns the exit code.
        is_changing: It changes something, so that without a daemon it needs the spool's lock.

    """

    __slots__ = ("arguments", "is_changing", "run", "text")

    def __init__(
        self,
        text: str,
        run: Callable[[QueueAccess, Wishes], int],
        *arguments: tuple[str, dict[str, Any]],
        is_changing: bool = False,
    ) -> None:
        self.text = text
        self.run = run
        self.arguments = arguments
        self.is_changing = is_changing


def _list(queue: QueueAccess, wishes: Wishes) -> int:
    states = list(STATES) if "all" in wishes.state else wishes.state or ["queue", "hold"]
    answer = queue.ask("list", states=states, account=wishes.account)
    if wishes.json:
        return _print_json(answer)
    count, now_s = 0, time.time()
    for row in answer:
        if row.get("end"):
            code = _ended(row)
            break
        if not count:
            print(heading())
        count += 1
        _print_lines(entry_lines(row, now_s))
    if not count and code == EX_OK:
        print(spoken(say("no mail waits")))
    return code or _print_status(queue, is_short=True)


def _show(queue: QueueAccess, wishes: Wishes) -> int:
    answer = queue.ask("show", id=wishes.id, content=wishes.content)
    if wishes.json:
        return _print_json(answer)
    for row in answer:
        if row.get("end"):
            return _ended(row)
        if "content" in row:
            _write(b64decode(row["content"]))
        elif not wishes.content:
            _print_lines(shown_lines(row, time.time()))
    return _cut_off()


def _retry(queue: QueueAccess, wishes: Wishes) -> int:
    code = _ask_for_each(queue, wishes, "retry", _words(wishes.ids), say("is tried now"))
    if queue.is_there and not queue.has_daemon and not wishes.json:
        print(spoken(say("no daemon delivers this queue: 'pillarbox queue flush' sends it")))
    return code


def _delete(queue: QueueAccess, wishes: Wishes) -> int:
    words = _words(wishes.ids)
    if not wishes.yes:
        words = _agreed(queue, words)
        if not words:
            return EX_OK
    return _ask_for_each(queue, wishes, "delete", words, say("deleted"))


def _flush(queue: QueueAccess, wishes: Wishes) -> int:
    return _send(queue, wishes, "flush")


def _resume(queue: QueueAccess, wishes: Wishes) -> int:
    return _send(queue, wishes, "resume")


def _status(queue: QueueAccess, wishes: Wishes) -> int:
    if wishes.json:
        return _print_json(queue.ask("status"))
    return _print_status(queue, is_short=False)


# -- what they have in common -------------------------------------------------------------------


def _ask_for_each(
    queue: QueueAccess, wishes: Wishes, command: str, words: list[str], done: str
) -> int:
    """Have something done to each of several mails, and tell what came of it."""
    worst = EX_OK
    for portion in _portions(words):
        answer = queue.ask(command, ids="all" if portion == ["all"] else portion)
        if wishes.json:
            worst = worst or _print_json(answer)
            continue
        for row in answer:
            if row.get("end"):
                worst = worst or _ended(row)
                break
            note = printable(row["note"]) or spoken(done)
            print(f"{short_id(printable(row['id']))}  {note}")
    return worst


def _words(ids: list[str]) -> list[str]:
    if "all" in ids and len(ids) > 1:
        raise UsageError(say("name mails or write all, not both"))
    return ids


def _portions(words: list[str]) -> Iterator[list[str]]:
    """Yield words in portions that fit into one request each."""
    rest = iter(words)
    while portion := list(islice(rest, IDS_MAX // 8)):
        yield portion


def _agreed(queue: QueueAccess, words: list[str]) -> list[str]:
    """
    Show mails, and ask on the terminal whether they shall go.

    Returns:
        The ids of those that were shown, no others; none: no.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            say("nobody can be asked whether the mails shall go"), advice=say("add --yes")
        )
    rows = []
    for word in words:
        answer = queue.ask("list") if word == "all" else queue.ask("show", id=word)
        for row in answer:
            if row.get("end"):
                _ended(row)
            else:
                rows.append(row)
    now_s = time.time()
    for row in rows:
        _print_lines(entry_lines(row, now_s))
    if not rows:
        print(spoken(say("no mail waits")))
        return []
    question = say(
        "Delete {count} mails for good, without notice to anybody? [y/N]", count=len(rows)
    )
    print(spoken(question), end=" ", flush=True)
    is_agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    return [row["id"] for row in rows] if is_agreed else []


def _send(queue: QueueAccess, wishes: Wishes, command: str) -> int:
    """Have mail tried now: by the daemon, or here, and then it takes as long as it takes."""
    if queue.is_there and not queue.has_daemon:
        from pillarbox.cli.queue_flush import flush_spool

        return flush_spool(queue, wishes.name, resumes=command == "resume")
    answer = queue.ask(command, account=wishes.name)
    if wishes.json:
        return _print_json(answer)
    for row in answer:
        if row.get("end"):
            return _ended(row)
        note = printable(row["note"]) or spoken(say("is tried now"))
        print(f"{printable(row['account'])}: {note}")
    return _cut_off()


def _print_status(queue: QueueAccess, *, is_short: bool) -> int:
    """Print how many mails there are, and how accounts are doing; short: what is out of order."""
    for row in queue.ask("status"):
        if row.get("end"):
            return _ended(row)
        if "counts" in row:
            if not is_short or any(row["counts"].get(state) for state in _ASIDE):
                print(count_line(row["counts"]))
            if not row["is_delivering"]:
                print(spoken(say("no daemon delivers this queue")))
        elif row["is_paused"] or not is_short:
            _print_lines(account_lines(row, time.time()))
    return _cut_off()


def _print_json(answer: Iterable[Row]) -> int:
    """Print one object a line; what ends the answer is told by the exit code."""
    for row in answer:
        if row.get("end"):
            return _ended(row)
        print(json.dumps(row))
    return _cut_off()


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _write(octets: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(octets)


class _AnsweredError(PillarboxError):
    """What the queue answered, with its exit code."""


def _ended(row: Row) -> int:
    """Say what the end of an answer says; return its exit code."""
    code = row["code"] if isinstance(row["code"], int) else EX_TEMPFAIL
    if row["problem"]:
        complain("pillarbox queue", _AnsweredError(row["problem"], advice=row["advice"]))
    return code


def _cut_off() -> int:
    raise SpoolError(say("the answer has no end"))


_ID_ARGUMENT = (
    "ids",
    {
        "nargs": "+",
        "metavar": "ID",
        "help": say("a mail, by its ID or the beginning of it; or all"),
    },
)
_JSON = (
    "--json",
    {"action": "store_true", "help": say("print one JSON object a line for scripts")},
)

# A subcommand -> what it does, its arguments, and what carries it out.
ACTIONS = {
    "list": Action(
        say("list what waits"),
        _list,
        (
            "--state",
            {
                "action": "append",
                "default": [],
                "choices": (*STATES, "all"),
                "help": say("only these; may be repeated; else queue and hold"),
            },
        ),
        (
            "--account",
            {"default": "", "metavar": "NAME", "help": say("only what goes through this account")},
        ),
        _JSON,
    ),
    "show": Action(
        say("show all that is known of one mail"),
        _show,
        ("id", {"metavar": "ID", "help": say("a mail, by its ID or the beginning of it")}),
        (
            "--content",
            {"action": "store_true", "help": say("print the mail itself; root and owner only")},
        ),
        _JSON,
    ),
    "retry": Action(
        say("try mails now; those that failed too"), _retry, _ID_ARGUMENT, _JSON, is_changing=True
    ),
    "delete": Action(
        say("take mails out for good, without notice to anybody"),
        _delete,
        _ID_ARGUMENT,
        ("--yes", {"action": "store_true", "help": say("do not ask")}),
        _JSON,
        is_changing=True,
    ),
    "flush": Action(
        say("try all that waits, now"),
        _flush,
        (
            "name",
            {
                "nargs": "?",
                "default": "",
                "metavar": "ACCOUNT",
                "help": say("only what goes through this account"),
            },
        ),
        _JSON,
        is_changing=True,
    ),
    "resume": Action(
        say("try an account that is paused, now"),
        _resume,
        ("name", {"metavar": "ACCOUNT", "help": say("the account, as status names it")}),
        _JSON,
        is_changing=True,
    ),
    "status": Action(say("tell how the queue and its accounts are doing"), _status, _JSON),
}


def _parse_arguments(argv: list[str]) -> Wishes:
    parser = Parser(
        prog="pillarbox queue",
        description=spoken(say("See and steer what waits to be sent.")),
        epilog=spoken(
            say(
                "Exit code: 0 done; 64 wrong usage, 66 there is no such mail, 75 not now or mail"
                " is left, 77 not allowed, 78 wrong settings."
            )
        ),
        allow_abbrev=False,
    )
    parsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, action in ACTIONS.items():
        one = parsers.add_parser(
            name, help=spoken(action.text), description=spoken(action.text), allow_abbrev=False
        )
        for flag, rest in (*action.arguments, *_PLACES):
            text = rest["help"]
            one.add_argument(flag, **{**rest, "help": spoken(text)})
    return parser.parse_args(argv)


# Which queue is meant: the same for every subcommand.
_PLACES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--user", {"action": "store_true", "help": say("your own queue, not the system's")}),
    (
        "--spool",
        {
            "default": "",
            "metavar": "DIR",
            "help": say("the queue in this directory, without its daemon"),
        },
    ),
    (
        "--config",
        {"default": "", "metavar": "FILE", "help": say("settings in place of the usual ones")},
    ),
)
