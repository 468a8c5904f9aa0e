"""
``pillarbox doctor``: why mail does not arrive, from the configuration to the domain's records.

The checks and what they find are in ``pillarbox.doctor``; here is the command: which of them are
made, and who is told how. Exit code: 0 healthy, 1 a warning, 2 a fault, as the plugins of
monitoring have it; faults of the call itself are those of sysexits.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.doctor_page import Page, account_name, document
from pillarbox.cli.main import spoken
from pillarbox.config.load import Wishes
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.examination import examine
from pillarbox.doctor.login_guard import BY_PERSON, BY_PROGRAM, BY_WATCH, LoginGuard
from pillarbox.doctor.patient import Patient
from pillarbox.errors import DataError, InputOutputError, UsageError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, say

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from typing import TextIO

    from pillarbox.doctor.examination import Examination, Result
    from pillarbox.mail.address import Mailbox

    Look = Callable[[Callable[[Result, Patient], None]], tuple[Examination, Patient, float]]

__all__ = ["OFFLINE", "main", "make_parser", "make_patient"]

# The check without which nothing can be asked of the network: --offline leaves it out, and with
# it all that need it.
OFFLINE = ("resolver",)

_WATCH_S = 300  # seconds between two examinations, where --watch names none
_WATCH_MIN_S = 10  # whoever asks more often is a burden to his provider


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox doctor``.

    Returns:
        0: healthy; 1: a warning; 2: a fault.

    Raises:
        UsageError: The arguments are wrong.
        InputOutputError: The bundle, or what is printed, cannot be written.

    """
    choose_language(argv)
    wishes = make_parser().parse_args(argv)
    _require_sense(wishes)
    language = language_of(os.environ)
    form = "json" if wishes.json else "summary" if wishes.summary else ""
    look = partial(_look, wishes, _guard(wishes))
    try:
        code = _answer(wishes, look, language, form)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:  # of what was printed: the checks keep theirs
        problem = say("cannot write standard output: {reason}", reason=exc.strerror)
        raise InputOutputError(problem) from exc
    return code


def _answer(wishes: Namespace, look: Look, language: str, form: str) -> int:
    if wishes.watch is not None:
        from pillarbox.cli.doctor_watch import watch

        watch(
            look,
            wishes.watch,
            language,
            form=form,
            has_colour=_likes_colour(sys.stdout),
        )
    if wishes.bundle is not None:
        return _bundle(wishes.bundle, look, language, form)
    return _tell(look, language, form, sys.stdout)[0].exit_code


def make_parser() -> SpeakingParser:
    """Return the reader of the command line."""
    parser = SpeakingParser(
        prog="pillarbox doctor",
        description=spoken(say("Find out why mail does not arrive, and what to do. Sends none.")),
        epilog=spoken(
            say("Exit code: 0 healthy, 1 a warning, 2 a fault; 64 wrong usage. See docs/doctor.md.")
        ),
        allow_abbrev=False,
    )
    for flags, metavar, text in (
        (("--account", "-a"), "NAME", say("the account of this name")),
        (("--from", "-f"), "ADDRESS", say("the sender that is asked about")),
        (("--to",), "ADDRESS", say("ask the server about this recipient; else the sender")),
        (("--file", "-C"), "FILE", say("this file in place of ~/.msmtprc")),
    ):
        dest = {"--from": "sender"}.get(flags[0], flags[0].strip("-"))
        parser.add_argument(*flags, dest=dest, default=None, metavar=metavar, help=spoken(text))
    parser.add_argument(
        "--watch",
        nargs="?",
        type=int,
        const=_WATCH_S,
        metavar="SECONDS",
        help=spoken(say("look again every so many seconds (300), and tell what changes")),
    )
    parser.add_argument(
        "--bundle",
        metavar="FILE",
        help=spoken(say("write a support bundle (tar.gz) without secrets; sends it nowhere")),
    )
    for flag, text in (
        ("--summary", say("print one line, for monitoring")),
        ("--json", say("print one JSON object for scripts")),
        ("--offline", say("ask nothing of the network")),
        ("--no-login", say("do not log in")),
    ):
        parser.add_argument(flag, action="store_true", help=spoken(text))
    return parser


def _tell(look: Look, language: str, form: str, out: TextIO) -> tuple[Examination, Patient, float]:
    """Examine, and tell of it as it goes; return what was found, of whom, and how long it took."""
    page = Page(language, has_colour=_likes_colour(out))

    def tell(result: Result, _patient: Patient) -> None:
        if not form:
            print(page.check_line(result, CHECKS), file=out, flush=True)

    examination, patient, seconds = look(tell)
    if form == "json":
        row = document(examination, patient, language, seconds)
        print(json.dumps(row, ensure_ascii=False, indent=2), file=out)
    else:
        for line in () if form else page.outcome_lines(examination):
            print(line, file=out)
        print(page.summary(examination, account_name(patient), seconds), file=out)
    return examination, patient, seconds


def _bundle(path: str, look: Look, language: str, form: str) -> int:
    """Examine, and write a bundle; where that goes to standard output, nothing else does."""
    from pillarbox.cli.doctor_bundle import STDOUT, begun, fill

    out = sys.stderr if path == STDOUT else sys.stdout
    # Made first: nobody waits for an examination that cannot be written down.
    with begun(path) as file:
        examination, patient, seconds = _tell(look, language, form, out)
        lines = fill(file, path, examination, patient, language=language, seconds=seconds)
    for line in lines:
        print(line, file=sys.stderr if form else out)
    return examination.exit_code


def _require_sense(wishes: Namespace) -> None:
    """Refuse what cannot be meant."""
    if wishes.summary and wishes.json:
        raise UsageError(say("--summary and --json are two answers: take one"))
    if wishes.bundle is not None and wishes.watch is not None:
        raise UsageError(say("--bundle and --watch do not go together"))
    if wishes.watch is not None and wishes.watch < _WATCH_MIN_S:
        raise UsageError(say("--watch takes {least} seconds or more", least=_WATCH_MIN_S))


def make_patient(wishes: Namespace) -> Patient:
    """
    Return whom the command line means.

    Raises:
        UsageError: --to is no address.

    """
    settings = {} if wishes.sender is None else {"from": wishes.sender}
    asked = Wishes(settings, env=os.environ, account_name=wishes.account, user_file=wishes.file)
    return Patient(
        asked,
        recipient=_recipient(wishes.to),
        may_log_in=not wishes.no_login,
        is_offline=wishes.offline,
    )


def _recipient(text: str | None) -> Mailbox | None:
    if text is None:
        return None
    try:
        return parse_mailbox(text)
    except DataError as exc:
        problem = say("--to '{address}' is no address", address=printable(text, 80))
        raise UsageError(problem) from exc


def _guard(wishes: Namespace) -> LoginGuard:
    """Return who sees to it that no account is locked."""
    by = BY_PERSON if sys.stdout.isatty() else BY_PROGRAM
    # Monitoring and systemd often give no HOME; whoever asks has one all the same.
    environment = {"HOME": os.path.expanduser("~"), **os.environ}
    return LoginGuard(BY_WATCH if wishes.watch is not None else by, environment)


def _look(
    wishes: Namespace, guard: LoginGuard, hear: Callable[[Result, Patient], None]
) -> tuple[Examination, Patient, float]:
    """Return an examination, of whom (closed again), and how many seconds it took."""

    def tell(result: Result) -> None:
        guard.hear(result, patient)
        hear(guard.known(result), patient)

    started_s = time.monotonic()
    patient = make_patient(wishes)
    left_out = OFFLINE if wishes.offline else ()
    try:
        examination = examine(patient, CHECKS, tell, left_out=left_out)
    finally:
        patient.close()
        guard.end()
    return guard.as_known(examination), patient, time.monotonic() - started_s


def _likes_colour(out: TextIO) -> bool:
    """Tell whether colours are seen and wanted (no-color.org)."""
    env = os.environ
    return out.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"
