"""
``pillarbox setup [ADDRESS]``: from a mail address and a password to a proved configuration.

Options, variables, an answer file and a person at a terminal answer the same questions
(``setup.questions``); the order of them is ``setup.interview``. With ``--json``, and with
``--no-confirm``, nobody is asked anything.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.main import spoken, tell
from pillarbox.errors import UsageError
from pillarbox.setup.interview import interview
from pillarbox.setup.order import Order
from pillarbox.setup.questions import Answers, Questions, read_answer_file
from pillarbox.setup.report import Report
from pillarbox.setup.terminal import Terminal, has_terminal
from pillarbox.setup.writing import STORES
from pillarbox.text import say

if TYPE_CHECKING:
    from argparse import Namespace
    from types import FrameType

__all__ = ["main", "make_parser"]

_PROGRAM = "pillarbox"
_SECRET_MAX = 1 << 16  # octets of standard input, for a password
_NOT_INHERITED = "PILLARBOX_SETUP_PASSWORD"
_SIGINT_EXIT = 130
_ENDS = (signal.SIGTERM, signal.SIGHUP)


class _EndedError(KeyboardInterrupt):
    """A signal has ended it, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox setup``.

    Returns:
        The exit code: 0 when the account is there and has logged in; that of sending when the
        provider refuses; 130 when a person ended it.

    Raises:
        PillarboxError: Something is missing, or cannot be done.

    """
    choose_language(argv)
    wishes = make_parser().parse_args(argv)
    given = dict(os.environ)
    os.environ.pop(_NOT_INHERITED, None)  # by no program that we start
    order = Order(
        is_system=_is_system(wishes),
        environment=os.environ,
        root=wishes.root or "",
        is_dry=wishes.dry_run,
    )
    report = Report(is_dry=wishes.dry_run)
    questions = _questions(wishes, given)
    # One that is ignored, as by nohup, stays so.
    ends = [each for each in _ENDS if signal.getsignal(each) != signal.SIG_IGN]
    before = [(each, signal.signal(each, _end)) for each in ends]
    try:
        code = interview(order, questions, report)
    except KeyboardInterrupt as ended:
        _tell_end(report)
        return getattr(ended, "exit_code", _SIGINT_EXIT)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    if wishes.json:
        print(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
    return code


def make_parser() -> SpeakingParser:
    """Return the reader of the command line."""
    parser = SpeakingParser(
        prog="pillarbox setup",
        description=spoken(
            say(
                "Make the configuration for a mail address: find the server, log in there, and"
                " only then write it. The password is asked for, or read from a file; it never"
                " stands on the command line."
            )
        ),
        epilog=spoken(
            say(
                "What an option does not say is looked for in PILLARBOX_SETUP_NAME"
                " (PILLARBOX_SETUP_PASSWORD, say), then in the answer file, and then asked."
            )
        ),
        allow_abbrev=False,
    )
    _add_place(parser)
    _add_server(parser)
    _add_course(parser)
    return parser


def _add_place(parser: SpeakingParser) -> None:
    add = parser.add_argument
    add("address", nargs="?", metavar="ADDRESS", help=spoken(say("whom mail is from")))
    place = parser.add_mutually_exclusive_group()
    system = say("for all users, into /etc/msmtprc; so it is for root")
    place.add_argument("--system", action="store_true", help=spoken(system))
    user = say("for yourself, into ~/.msmtprc; so it is for anybody else")
    place.add_argument("--user", action="store_true", help=spoken(user))
    root = say("for the system whose top is DIR")
    add("--root", type=os.path.abspath, metavar="DIR", help=spoken(root))
    account = say("the account to write; else the default one")
    add("--account", metavar="NAME", help=spoken(account))
    store = say("where the password is kept: in that file, or as a credential of the service")
    add("--store", choices=STORES, help=spoken(store))
    alias = say("write root's address into /etc/aliases; so it is for the system")
    add("--alias", action="store_const", const="yes", help=spoken(alias))
    no_alias = say("leave aliases alone")
    add("--no-alias", dest="alias", action="store_const", const="no", help=spoken(no_alias))


def _add_server(parser: SpeakingParser) -> None:
    add = parser.add_argument
    add("--provider", metavar="NAME", help=spoken(say("whose mail it is; see pillarbox providers")))
    add("--region", metavar="NAME", help=spoken(say("the region of an account that has one")))
    add("--host", metavar="HOST", help=spoken(say("the server; else it is found out")))
    add("--port", metavar="PORT", help=spoken(say("its port; else it is found out")))
    tls = say("TLS from the beginning, as on port 465, or STARTTLS, as on 587")
    add("--tls", choices=("implicit", "starttls"), help=spoken(tls))
    trust = say("a PEM file of authorities to trust; else those of the system")
    add("--trust-file", metavar="FILE", help=spoken(trust))
    add("--user-name", metavar="NAME", help=spoken(say("the login name; else the address")))
    password = say("a file whose first line is the password; - is standard input")
    add("--password-file", metavar="FILE", help=spoken(password))


def _add_course(parser: SpeakingParser) -> None:
    add = parser.add_argument
    add("--answers", metavar="FILE", help=spoken(say("a TOML file with the answers")))
    to = say("whom the test mail, and mail to root, goes to; else the address itself")
    add("--to", metavar="ADDRESS", help=spoken(to))
    confirm = say("ask nothing: change a file that is there, and let nobody type the word back")
    add("--no-confirm", dest="confirm", action="store_const", const="no", help=spoken(confirm))
    test = say("send no test mail")
    add("--no-test-mail", dest="test_mail", action="store_const", const="no", help=spoken(test))
    dry = say("log in and show what would be written, but write nothing")
    add("--dry-run", action="store_true", help=spoken(dry))
    add("--json", action="store_true", help=spoken(say("ask nothing, and print what was done")))


def _is_system(wishes: Namespace) -> bool:
    if wishes.system or wishes.root:
        if wishes.user:
            raise UsageError(say("--root is for the system's file: leave --user out"))
        return True
    return not wishes.user and os.geteuid() == 0


def _questions(wishes: Namespace, given: dict[str, str]) -> Questions:
    """Return what is answered already, and whom to ask for the rest."""
    file: dict[str, str] = {}
    if wishes.answers:
        file, note = read_answer_file(wishes.answers)
        if note:
            tell(_PROGRAM, spoken(say("warning: {warning}", warning=note)))
    answers = Answers(vars(wishes), given, file)
    is_asking = has_terminal() and not wishes.json and answers.is_yes("confirm", default=True)
    return Questions(
        answers,
        Terminal() if is_asking else None,
        environment=os.environ,
        show=_show_beside if wishes.json else print,
        read_stdin=_read_stdin,
    )


def _read_stdin() -> bytes:
    if sys.stdin is None:
        return b""
    if sys.stdin.isatty():  # which would show it
        raise UsageError(
            say("--password-file - is for a pipe, and standard input is a terminal"),
            advice=say("leave it out: the password is asked for, and not shown"),
        )
    return sys.stdin.buffer.read(_SECRET_MAX)


def _show_beside(text: str) -> None:
    print(text, file=sys.stderr)


def _end(number: int, _: FrameType | None) -> None:
    raise _EndedError(number)


def _tell_end(report: Report) -> None:
    """Say how far it has come, if anybody is there still."""
    if report.is_written:
        left = say("{path} is written; pillarbox doctor examines it", path=report.file)
    else:
        left = say("nothing was written")
    tell(_PROGRAM, spoken(left))
