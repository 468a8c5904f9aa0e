"""
``pillarbox config check``: everything that is wrong with the files, each with its place.

A line is ``FILE:LINE:COLUMN: SEVERITY: PROBLEM``, as compilers write it and editors understand,
with what to do below it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pillarbox.cli.main import spoken
from pillarbox.config.check import check_files, usual_files
from pillarbox.config.check_desk import ERROR, NOTE, WARNING, Finding
from pillarbox.config.load import Wishes
from pillarbox.config.places import find_places
from pillarbox.config.service import load_service
from pillarbox.errors import EX_CONFIG, EX_OK, ConfigError, MissingInputError
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

__all__ = ["add_arguments", "run"]

_SHOWN = 500  # characters of a text
_SEVERITIES = {ERROR: say("error"), WARNING: say("warning"), NOTE: say("note")}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``config check``."""
    file = say("an msmtprc, or settings of the service (*.toml); by default all that are used")
    parser.add_argument("file", nargs="?", default="", metavar="FILE", help=spoken(file))
    parser.add_argument("--json", action="store_true", help=spoken(say("print JSON for a program")))


def run(wishes: Namespace) -> int:
    """
    Check the files.

    Returns:
        0: no error was found; ``EX_CONFIG``: some were.

    Raises:
        MissingInputError: There is no file to check, or not the one that was named.

    """
    if wishes.file and not os.path.exists(wishes.file):
        problem = say("there is no file {path}", path=printable(wishes.file))
        raise MissingInputError(problem, advice=say("check the spelling of its path"))
    accounts, services = _files(wishes.file)
    if not accounts and not services:
        raise MissingInputError(
            say("there is no configuration file"),
            advice=say("write /etc/msmtprc or ~/.msmtprc, or name a file"),
        )
    findings = check_files(accounts, Wishes({}, env=os.environ))
    for path, is_user in services:
        findings += _check_service(path, is_user=is_user)
    if wishes.json:
        print(json.dumps([_row(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        _print([*accounts, *(path for path, _ in services)], findings)
    return EX_CONFIG if any(finding.severity == ERROR for finding in findings) else EX_OK


def _files(named: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """Return the files of accounts, and those of services and whether they are a user's."""
    if named.endswith(".toml"):
        return [], [(named, os.geteuid() != 0)]
    if named:
        return [named], []
    services = [
        (find_places(os.environ, is_user=is_user).settings, is_user) for is_user in (False, True)
    ]
    there = [(path, is_user) for path, is_user in services if os.path.exists(path)]
    return usual_files(Wishes({}, env=os.environ)), there


def _check_service(path: str, *, is_user: bool) -> Iterator[Finding]:
    try:
        load_service(path, is_user=is_user)
    except ConfigError as error:
        place = (error.path or path, error.line)
        yield Finding(ERROR, error.problem, error.advice, place=place, column=int(bool(error.line)))


def _print(paths: Sequence[str], findings: Sequence[Finding]) -> None:
    for finding in findings:
        place = ":".join(str(part) for part in (finding.path, finding.line, finding.column) if part)
        severity = spoken(_SEVERITIES[finding.severity])
        problem = spoken(finding.problem)
        print(printable(": ".join(filter(None, (place, severity, problem))), _SHOWN))
        if finding.advice:
            print(printable(f"    {spoken(finding.advice)}", _SHOWN))
    if not findings:
        for path in paths:
            print(printable(spoken(say("{name}: nothing is wrong", name=path)), _SHOWN))
        return
    counts = {name: sum(each.severity == name for each in findings) for name in _SEVERITIES}
    print(
        spoken(
            say(
                "{error} errors, {warning} warnings, {note} notes",
                error=counts[ERROR],
                warning=counts[WARNING],
                note=counts[NOTE],
            )
        )
    )


def _row(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "problem": spoken(finding.problem),
        "advice": spoken(finding.advice),
    }
