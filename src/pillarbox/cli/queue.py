"""
``pillarbox queue``: what waits to be sent, and what can be done about it.

The steps: the arguments (one row of ``ACTIONS`` for each subcommand, and the filters of
``delivery.filters`` for those that mean several mails), the queue (``queue_access``: the daemon, or
the spool itself), the question and its answer (``delivery.operations``), the page or the lines of
JSON. The next subcommand is one more row.
"""

from __future__ import annotations

import os

from pillarbox.cli import queue_actions as actions
from pillarbox.cli.arguments import Parser
from pillarbox.cli.main import spoken
from pillarbox.cli.queue_access import QueueAccess, find_queue
from pillarbox.delivery.filters import FILTERS
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    Wishes = argparse.Namespace

__all__ = ["ACTIONS", "Action", "main", "make_parser"]


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
    wishes = make_parser().parse_args(argv)
    action = ACTIONS[wishes.action]
    if action.asks_nobody:
        return action.run(None, wishes)
    place = find_queue(os.environ, is_user=wishes.user, spool=wishes.spool, settings=wishes.config)
    with QueueAccess(place, os.environ, is_changing=action.is_changing) as queue:
        return action.run(queue, wishes)


class Action(Value):
    """
    One subcommand.

    Attributes:
        text: What it does, for --help.
        arguments: Names or flags of its arguments, and what argparse has to know of each.
        run: Asks the queue and prints; returns the exit code.
        is_changing: It changes something, so that without a daemon it needs the spool's lock.
        has_filters: It means the mails that pass filters.
        asks_nobody: It needs no queue that answers.

    """

    __slots__ = ("arguments", "asks_nobody", "has_filters", "is_changing", "run", "text")

    def __init__(
        self,
        text: str,
        run: Callable[[Any, Wishes], int],
        *arguments: tuple[str, dict[str, Any]],
        is_changing: bool = False,
        has_filters: bool = False,
        asks_nobody: bool = False,
    ) -> None:
        self.text = text
        self.run = run
        self.arguments = arguments
        self.is_changing = is_changing
        self.has_filters = has_filters
        self.asks_nobody = asks_nobody


_ID = ("id", {"metavar": "ID", "help": say("a mail, by its ID or the beginning of it")})
_IDS = (
    "ids",
    {"nargs": "*", "metavar": "ID", "help": say("mails, by their IDs or the beginnings; or all")},
)
_JSON = (
    "--json",
    {"action": "store_true", "help": say("print one JSON object a line for scripts")},
)
_YES = ("--yes", {"action": "store_true", "help": say("do not ask")})
_ACCOUNT = ("name", {"metavar": "ACCOUNT", "help": say("the account, as status names it")})

# A subcommand -> what it does, what carries it out, and its arguments.
ACTIONS = {
    "list": Action(say("list what waits"), actions.list_, _JSON, has_filters=True),
    "show": Action(
        say("show all that is known of one mail"),
        actions.show,
        _ID,
        (
            "--content",
            {"action": "store_true", "help": say("print the mail itself; root and owner only")},
        ),
        _JSON,
    ),
    "history": Action(
        say("list what was delivered, given up or deleted, the newest first"),
        actions.history,
        (
            "--limit",
            {"type": int, "default": 100, "metavar": "N", "help": say("so many; 100 if left out")},
        ),
        _JSON,
        has_filters=True,
    ),
    "hold": Action(
        say("have mails wait until they are released"),
        actions.hold,
        _IDS,
        _YES,
        _JSON,
        is_changing=True,
        has_filters=True,
    ),
    "release": Action(
        say("let mails go on that were on hold"),
        actions.release,
        _IDS,
        _JSON,
        is_changing=True,
        has_filters=True,
    ),
    "retry": Action(
        say("try mails now; those that failed too"),
        actions.retry,
        _IDS,
        _JSON,
        is_changing=True,
        has_filters=True,
    ),
    "delete": Action(
        say("take mails out for good, without notice to anybody"),
        actions.delete,
        _IDS,
        _YES,
        _JSON,
        is_changing=True,
        has_filters=True,
    ),
    "edit": Action(
        say("change a mail that waits: its content in your editor, or what options say"),
        actions.edit,
        _ID,
        (
            "--to",
            {
                "action": "append",
                "default": [],
                "metavar": "ADDRESS",
                "help": say("instead of those who still wait; may be repeated"),
            },
        ),
        (
            "--from",
            {"dest": "sender", "default": "", "metavar": "ADDRESS", "help": say("the new sender")},
        ),
        (
            "--account",
            {"default": "", "metavar": "NAME", "help": say("the account that it goes through")},
        ),
        (
            "--content",
            {"default": "", "metavar": "FILE", "help": say("the new mail; - is standard input")},
        ),
        _YES,
        _JSON,
        is_changing=True,
    ),
    "flush": Action(
        say("try all that waits, now"),
        actions.flush,
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
    "pause": Action(
        say("let nothing go through an account"), actions.pause, _ACCOUNT, _JSON, is_changing=True
    ),
    "resume": Action(
        say("try an account that is paused, now"), actions.resume, _ACCOUNT, _JSON, is_changing=True
    ),
    "status": Action(say("tell how the queue and its accounts are doing"), actions.status, _JSON),
    "stats": Action(
        say("the queue in numbers"),
        actions.stats,
        ("--prometheus", {"action": "store_true", "help": say("print metrics for Prometheus")}),
        _JSON,
    ),
    "import": Action(
        say("take over the queue of msmtpq"),
        actions.import_,
        (
            "folder",
            {
                "nargs": "?",
                "default": "",
                "metavar": "DIR",
                "help": say("where msmtpq kept its mails; else ~/.msmtp.queue"),
            },
        ),
        _YES,
        asks_nobody=True,
    ),
}

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


def make_parser() -> Parser:
    """Return the parser of the command line."""
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
            one.add_argument(flag, **{**rest, "help": spoken(rest["help"])})
        if action.has_filters:
            _add_filters(one.add_argument_group(spoken(say("filters; all of them have to hold"))))
    return parser


def _add_filters(group: Any) -> None:
    for name, each in FILTERS.items():
        rest: dict[str, Any] = {"dest": f"where_{name}", "help": spoken(each.text)}
        if each.metavar:
            rest["metavar"] = each.metavar
        else:
            rest |= {"action": "store_const", "const": ""}
        group.add_argument(f"--{name}", **rest)
