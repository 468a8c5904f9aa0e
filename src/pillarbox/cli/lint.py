"""
``pillarbox lint``: what is wrong with a mail, and what is put right when it is sent.

The steps: the arguments (``_parse_arguments``), the mail (``_read``), the account as far as a
configuration says it without running a command (``lint_account``), the rules (``lint.lint``),
the page or the JSON object (``lint_page``). Nothing is sent and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from pillarbox.cli.arguments import Parser
from pillarbox.cli.lint_account import find_account
from pillarbox.cli.lint_page import print_page
from pillarbox.cli.main import spoken
from pillarbox.errors import DataError, MissingInputError
from pillarbox.lint import Finding, LintFacts, lint
from pillarbox.lint.check import MAX_RECIPIENTS, MAX_SIZE_BYTES
from pillarbox.lint.finding import summary
from pillarbox.lint.rspamd import RSPAMD
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.originate import make_message_id
from pillarbox.mail.rules import ERROR, WARNING
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.lint import Linted
    from pillarbox.lint.score import Score

__all__ = ["main"]

# A mail is held whole; ten times this is refused by every provider.
_INPUT_MAX = 256 << 20

_CLEAN = 0
_HAS_WARNINGS = 1
_HAS_ERRORS = 2


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox lint``.

    Returns:
        0: nothing worse than hints, 1: warnings, 2: errors.

    Raises:
        UsageError: The arguments are wrong.
        MissingInputError: The mail cannot be read.
        DataError: It cannot be sent as it is, now or later.
        FilterError: A filter was asked that is not there.

    """
    wishes = _parse_arguments(argv)
    octets = _read(wishes.file)
    facts = _facts(wishes)
    linted = lint(octets, facts)
    if wishes.repaired:
        sys.stdout.flush()
        sys.stdout.buffer.write(_like(octets, linted.repaired))
        return _exit_code(linted.findings)
    if wishes.as_sent:
        octets = linted.repaired
        linted = lint(octets, facts)
    scores = _scores(wishes, octets, facts)
    if wishes.json:
        _print_json(linted, scores)
    else:
        print_page(_shown(wishes.file), linted.findings, scores)
    return _exit_code(linted.findings)


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="pillarbox lint",
        description=spoken(say("Say what is wrong with a mail before it is sent.")),
        epilog=spoken(
            say(
                "Exit code: 0 nothing worse than hints, 1 warnings, 2 errors; 64 wrong usage,"
                " 65 a mail that cannot be sent, 66 a file that cannot be read,"
                " 69 a filter that does not answer."
            )
        ),
        allow_abbrev=False,
    )
    only = parser.add_mutually_exclusive_group()
    for flag, text, rest in _OPTIONS:
        group = only if flag in _EITHER_OR else parser
        group.add_argument(flag, help=spoken(text), **rest)
    return parser.parse_args(argv)


def _mailbox(text: str) -> Mailbox:
    try:
        return parse_mailbox(text)
    except DataError as exc:
        raise argparse.ArgumentTypeError(spoken(exc.sentence)) from exc


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16):
        raise argparse.ArgumentTypeError(spoken(say("a number of bytes is needed")))
    return int(text)


def _endpoint(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port[:6]) < 65536):
        raise argparse.ArgumentTypeError(spoken(say("HOST:PORT is needed")))
    return text


# A flag, what it is for, and the rest that argparse has to know.
_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "file",
        say("the mail; standard input when it is - or left out"),
        {"nargs": "?", "default": "-", "metavar": "FILE"},
    ),
    (
        "--from",
        say("the account's address; else that of the default account"),
        {"dest": "sender", "type": _mailbox, "metavar": "ADDRESS"},
    ),
    (
        "--to",
        say("a recipient; may be repeated; else those that the mail names"),
        {"action": "append", "default": [], "type": _mailbox, "metavar": "ADDRESS"},
    ),
    (
        "--max-size",
        say("what the server takes; else the provider's limit, or 25 MiB"),
        {"type": _size, "metavar": "BYTES"},
    ),
    (
        "--as-sent",
        say("look at the mail as it would go out, repaired"),
        {"action": "store_true"},
    ),
    ("--repaired", say("print the repaired mail and nothing else"), {"action": "store_true"}),
    ("--json", say("print one JSON object for scripts"), {"action": "store_true"}),
    (
        "--spamassassin",
        say("ask the SpamAssassin of this computer too"),
        {"action": "store_true"},
    ),
    (
        "--rspamd",
        say("ask an rspamd too; {endpoint} when left out", endpoint=RSPAMD),
        {"nargs": "?", "const": RSPAMD, "type": _endpoint, "metavar": "HOST:PORT"},
    ),
)
_EITHER_OR = ("--as-sent", "--repaired")


def _read(path: str) -> bytes:
    shown = _shown(path)
    try:
        if path == "-":
            octets = sys.stdin.buffer.read(_INPUT_MAX + 1)
        else:
            with open(path, "rb") as file:
                octets = file.read(_INPUT_MAX + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        problem = say("cannot read {path}: {reason}", path=shown, reason=reason)
        raise MissingInputError(problem) from exc
    if len(octets) > _INPUT_MAX:
        raise DataError(say("{path} is larger than 256 MiB, so no mail", path=shown))
    return octets


def _shown(path: str) -> str:
    return say("standard input") if path == "-" else path


def _facts(wishes: argparse.Namespace) -> LintFacts:
    account = find_account(os.environ)
    sender: Mailbox | None = wishes.sender or account.sender
    now = time.time()
    domain = sender.domain if sender and sender.domain.isascii() and sender.domain else "localhost"
    return LintFacts(
        sender=sender,
        recipients=tuple(wishes.to),
        epoch_s=now,
        message_id=make_message_id(domain, epoch_s=now, random=os.urandom(10)),
        host=os.uname().nodename,
        demands_sender=account.demands_sender,
        max_size_bytes=wishes.max_size or account.max_size_bytes or MAX_SIZE_BYTES,
        max_recipients=account.max_recipients or MAX_RECIPIENTS,
    )


def _scores(wishes: argparse.Namespace, octets: bytes, facts: LintFacts) -> list[Score]:
    from pillarbox.lint.score import arrived

    to = tuple(str(mailbox) for mailbox in facts.recipients)
    sample = arrived(octets, to[0] if to else "", facts.epoch_s)
    scores = []
    if wishes.spamassassin:
        from pillarbox.lint.spamassassin import ask_spamassassin

        scores.append(ask_spamassassin(sample, os.environ))
    if wishes.rspamd:
        from pillarbox.lint.rspamd import ask_rspamd

        sender = str(facts.sender or "")
        scores.append(ask_rspamd(sample, endpoint=wishes.rspamd, sender=sender, recipients=to))
    return scores


def _print_json(linted: Linted, scores: list[Score]) -> None:
    language = language_of(os.environ)
    found = {
        "findings": [finding.as_dict(language) for finding in linted.findings],
        "summary": summary(linted.findings),
        "scores": {score.program: score.as_dict() for score in scores},
    }
    print(json.dumps(found, indent=2))


def _like(octets: bytes, repaired: bytes) -> bytes:
    """Return the repaired mail with the line ends of the one that came."""
    return repaired if b"\r\n" in octets else repaired.replace(b"\r\n", b"\n")


def _exit_code(findings: tuple[Finding, ...]) -> int:
    severities = {finding.rule.severity for finding in findings}
    if ERROR in severities:
        return _HAS_ERRORS
    return _HAS_WARNINGS if WARNING in severities else _CLEAN
