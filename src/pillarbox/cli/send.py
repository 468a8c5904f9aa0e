"""
``pillarbox send``: write a mail, with Markdown, HTML, a template, attachments, and send it.

1. ``_parse_arguments`` - the table ``_OPTIONS``.
2. ``_letter`` - the body from an option, a file, a template or standard input: a ``Letter``.
3. ``compose.sending.make_ready`` - everything that can be wrong is told before anything is sent.
4. ``hand_over``, or ``_show`` with ``--dry-run``.

Results go to standard output, talk to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys

from pillarbox.cli.arguments import Parser
from pillarbox.cli.main import spoken, tell
from pillarbox.compose.attachment import Attachment
from pillarbox.compose.letter import Letter
from pillarbox.compose.message import PRIORITIES
from pillarbox.compose.own_headers import parse_own_header
from pillarbox.compose.sending import Choice, hand_over, make_ready
from pillarbox.delivery.report import failure_lines
from pillarbox.errors import EX_OK, DataError, MissingInputError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pillarbox.compose.sending import Ready
    from pillarbox.compose.templates import Rendered

__all__ = ["main"]

_PROGRAM = "pillarbox"
_MAX_BODY = 32 << 20  # octets; no provider takes a longer text, and it is held whole
_MANY = 1 << 20  # octets of a mail from which on its progress is shown
_STEP = 5  # percent between two showings


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox send``.

    Returns:
        The exit code of the attempt (sysexits).

    Raises:
        PillarboxError: It never came to an attempt.

    """
    wishes = _parse_arguments(argv)
    choice = Choice(os.environ, wishes.account, wishes.file)
    with make_ready(_letter(wishes), choice) as ready:
        if wishes.dry_run:
            return _show(ready)
        message = ready.message(_with_progress(ready))
        outcome, log_failure = hand_over(ready.account, ready.envelope, message, choice)
    for warning in outcome.warnings:
        tell(_PROGRAM, spoken(say("warning: {warning}", warning=warning)))
    if outcome.exit_code:
        for line in failure_lines(outcome, ready.account, language_of(os.environ)):
            tell(_PROGRAM, line)
    if log_failure is not None:
        tell(_PROGRAM, spoken(log_failure.problem))
    return outcome.exit_code


# Flags, what the option is for, and the rest that argparse has to know.
_AGAIN: dict[str, Any] = {"action": "append", "default": []}
_OPTIONS: tuple[tuple[tuple[str, ...], str, dict[str, Any]], ...] = (
    (
        ("recipients",),
        say("who gets it: an address, or 'Name <address>'"),
        {"nargs": "*", "metavar": "TO"},
    ),
    (("-s", "--subject"), say("the subject"), {"metavar": "TEXT"}),
    (("--to",), say("one more recipient; may be repeated"), {**_AGAIN, "metavar": "ADDRESS"}),
    (("--cc",), say("who gets a copy; may be repeated"), {**_AGAIN, "metavar": "ADDRESS"}),
    (("--bcc",), say("who gets it unseen; may be repeated"), {**_AGAIN, "metavar": "ADDRESS"}),
    (
        ("--from",),
        say("who it is from; else the account's address"),
        {"dest": "sender", "metavar": "ADDRESS"},
    ),
    (("--reply-to",), say("where answers go; may be repeated"), {**_AGAIN, "metavar": "ADDRESS"}),
    (("--body",), say("the body; else it is read from standard input"), {"metavar": "TEXT"}),
    (("--body-file",), say("a file with the body"), {"metavar": "FILE"}),
    (
        ("--markdown",),
        say("the body is Markdown; it is sent as text and HTML"),
        {"action": "store_true"},
    ),
    (("--html",), say("the body is HTML; a text is made of it"), {"action": "store_true"}),
    (
        ("--template",),
        say("a Jinja2 template with the body; .html.j2 and .md.j2 say its kind"),
        {"metavar": "FILE"},
    ),
    (
        ("--var",),
        say("a value for the template; may be repeated"),
        {**_AGAIN, "metavar": "NAME=VALUE"},
    ),
    (
        ("--vars",),
        say("a file with values for the template, JSON or TOML; may be repeated"),
        {**_AGAIN, "metavar": "FILE"},
    ),
    (("--attach",), say("a file to go with it; may be repeated"), {**_AGAIN, "metavar": "FILE"}),
    (
        ("--inline",),
        say("a picture that the HTML shows as cid:NAME; may be repeated"),
        {**_AGAIN, "metavar": "FILE"},
    ),
    (
        ("--header",),
        say("one more header; may be repeated"),
        {**_AGAIN, "metavar": "'NAME: VALUE'"},
    ),
    (("--priority",), say("how urgent it is"), {"choices": list(PRIORITIES), "default": "normal"}),
    (
        ("--auto",),
        say("mark it as written by a program, so that no vacation notice answers"),
        {"action": "store_true"},
    ),
    (
        ("--dry-run",),
        say("print the mail as it would go out, and send nothing"),
        {"action": "store_true"},
    ),
    (
        ("-a", "--account"),
        say("the account of the configuration; else by sender, or the default"),
        {"metavar": "NAME"},
    ),
    (
        ("-C", "--file"),
        say("the configuration; else that of msmtp, in the usual places"),
        {"metavar": "FILE"},
    ),
)


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="pillarbox send",
        description=spoken(say("Write a mail and send it.")),
        allow_abbrev=False,
    )
    for flags, text, rest in _OPTIONS:
        parser.add_argument(*flags, help=spoken(text), **rest)
    # Operands may stand between options, as everywhere else.
    return parser.parse_intermixed_args(argv)


def _letter(wishes: argparse.Namespace) -> Letter:
    if wishes.template is not None:
        rendered = _rendered(wishes)
        kind, body = rendered.kind, rendered.body
        subject = wishes.subject if wishes.subject is not None else rendered.subject
    else:
        if wishes.var or wishes.vars:
            raise UsageError(say("--var and --vars need --template"))
        if wishes.html and wishes.markdown:
            raise UsageError(say("the body is either HTML or Markdown"))
        kind = "html" if wishes.html else "markdown" if wishes.markdown else "text"
        body, subject = _body(wishes), wishes.subject
    return Letter(
        to=(*wishes.recipients, *wishes.to),
        cc=tuple(wishes.cc),
        bcc=tuple(wishes.bcc),
        from_=wishes.sender,
        reply_to=tuple(wishes.reply_to),
        subject=subject or "",
        attachments=tuple(map(_attachment, wishes.attach)),
        inline=tuple(map(_attachment, wishes.inline)),
        headers=tuple(map(parse_own_header, wishes.header)),
        priority=wishes.priority,
        is_automatic=wishes.auto,
        **{kind: body},
    )


def _rendered(wishes: argparse.Namespace) -> Rendered:
    from pillarbox.compose.templates import parse_variable, read_variables, render

    if wishes.body is not None or wishes.body_file or wishes.html or wishes.markdown:
        raise UsageError(
            say("--template gives the body and its kind"),
            advice=say("leave out --body, --body-file, --html and --markdown"),
        )
    variables: dict[str, object] = {}
    for path in wishes.vars:
        variables |= read_variables(path)
    variables |= dict(map(parse_variable, wishes.var))
    return render(wishes.template, variables)


def _body(wishes: argparse.Namespace) -> str:
    if wishes.body is not None:
        if wishes.body_file is not None:
            raise UsageError(say("--body and --body-file contradict each other"))
        return str(wishes.body)
    if wishes.body_file is None and os.isatty(0):
        if wishes.attach:
            return ""  # the files say it all
        raise UsageError(
            say("there is no body"),
            advice=say("use --body or --body-file, or give it on standard input"),
        )
    octets = _read(wishes.body_file)
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        from pillarbox.mail.charset import find_charset, to_text

        charset = find_charset(octets)
        if charset is None:
            raise DataError(
                say("the body is no text"), advice=say("send a file with --attach")
            ) from None
        return to_text(octets, charset)


def _read(path: str | None) -> bytes:
    shown = say("standard input") if path is None else printable(path)
    try:
        with open(0 if path is None else path, "rb", closefd=path is not None) as file:
            octets = file.read(_MAX_BODY + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        problem = say("cannot read {path}: {reason}", path=shown, reason=reason)
        raise MissingInputError(problem) from exc
    if len(octets) > _MAX_BODY:
        problem = say("the body is larger than 32 MiB")
        raise DataError(problem, advice=say("send a file with --attach"))
    return octets


def _attachment(path: str) -> Attachment:
    if path in ("", "-"):
        raise UsageError(
            say("{path} cannot be attached", path=repr(path)),
            advice=say("standard input is the body; attach a file"),
        )
    return Attachment(path)


def _show(ready: Ready) -> int:
    """Print the mail as it would go out, with line ends of this system."""
    from pillarbox.delivery.outgoing import repaired
    from pillarbox.mail.repair import Change

    changes: list[Change] = []
    message = repaired(ready.account, ready.envelope, ready.message(), changes)
    output = sys.stdout.buffer
    for chunk, _ in message.content().chunks():
        output.write(chunk.replace(b"\r", b""))
    output.flush()
    for change in changes:
        place = f"{change.rule} {change.place}".rstrip()
        line = say("{path}: {problem}", path=place, problem=change.what)
        tell(_PROGRAM, spoken(line))
    return EX_OK


def _with_progress(ready: Ready) -> Callable[[int], bytes]:
    """Return what reads the mail, and shows a person how far it has come."""
    composed = ready.composed
    if composed.size_bytes < _MANY or not sys.stderr.isatty():
        return composed.read
    done = shown = 0

    def read(size: int) -> bytes:
        nonlocal done, shown
        chunk = composed.read(size)
        done += len(chunk)
        percent = done * 100 // composed.size_bytes
        if percent >= shown + _STEP or percent == 100 != shown:
            shown = percent
            mebibytes = composed.size_bytes / (1 << 20)
            text = spoken(say("{percent}% of {size} MiB", percent=percent, size=f"{mebibytes:.1f}"))
            print(f"\r{text}", end="" if done < composed.size_bytes else "\n", file=sys.stderr)
            sys.stderr.flush()
        return chunk

    return read
