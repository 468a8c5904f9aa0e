"""
Find everything that is wrong with configuration files, and what is not wrong but not meant.

Reading them for a mail stops at the first fault; here all are found, each with its place. An
error is what fails or will fail; a warning works and should not stay; a note is what a person
may not know. To add a check, write a generator and give it a row in ``account_checks.CHECKS`` or
in ``CHECKS_OF_ALL``.

The rule to keep: nothing is run (``eval`` and ``passwordeval`` are commands), nothing is asked of
the network, and no finding repeats what may be a secret.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.account import ALIASES, FIELD_BY_NAME, Account
from pillarbox.config.account_checks import CHECKS
from pillarbox.config.check_desk import ERROR, NOTE, WARNING, CheckedFile, Desk, Finding
from pillarbox.config.fallback import check_fallbacks
from pillarbox.config.files import read_file
from pillarbox.config.load import SYSTEM_FILE, Wishes, judge_permissions
from pillarbox.config.match import has_wildcard, matches_sender
from pillarbox.config.parse import STRUCTURE, parse
from pillarbox.config.patterns import MAILNAME_FILE, Surroundings
from pillarbox.errors import ConfigError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CHECKS_OF_ALL", "check_files", "usual_files"]

_FILE_MAX = 1 << 20  # bytes, as for a mail
_KEYWORDS = frozenset(
    [*FIELD_BY_NAME, *(alias.name for alias in ALIASES), *(word for word, _ in STRUCTURE)]
)


def usual_files(wishes: Wishes) -> list[str]:
    """Return the files that would be read for this user, the system's first; all are there."""
    home = Surroundings(wishes.env, wishes.uid).home_directory()
    config_home = wishes.env.get("XDG_CONFIG_HOME") or f"{home}/.config"
    own = [f"{home}/.msmtprc", f"{config_home}/msmtp/config"]
    there = [path for path in own if os.path.lexists(path)]
    return [path for path in (SYSTEM_FILE, *there[:1]) if os.path.lexists(path)]


def check_files(
    paths: Sequence[str],
    wishes: Wishes,
    *,
    system_file: str = SYSTEM_FILE,
    mailname_file: str = MAILNAME_FILE,
) -> list[Finding]:
    """
    Return what is to be said about files that are used together.

    Args:
        paths: The files, the system's first.
        wishes: The caller; ``settings`` are not looked at.
        system_file: The system's file, which is judged by other rules than a user's.
        mailname_file: Where the mail name is.

    """
    desk = Desk(wishes, mailname_file)
    findings: list[Finding] = []
    for path in paths:
        findings += _read(path, desk, is_system=path == system_file)
    for account in desk.accounts:
        for check in CHECKS:
            findings += check(account, desk)
    for check_all in CHECKS_OF_ALL:
        findings += check_all(desk)
    order = {path: number for number, path in enumerate(paths)}
    findings = [_with_column(finding, desk) for finding in _once(findings)]
    return sorted(findings, key=lambda each: (order.get(each.path, len(order)), each.line))


def _read(path: str, desk: Desk, *, is_system: bool) -> Iterator[Finding]:
    """Read one file; what it breaks of the grammar, and what its owner and mode are."""
    try:
        content, status = read_file(path, _FILE_MAX)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or say("no file can have this name")
        yield Finding(ERROR, say("cannot be read: {reason}", reason=reason), place=(path, 0))
        return
    if len(content) > _FILE_MAX:
        yield Finding(ERROR, say("is larger than a mebibyte"), place=(path, 0))
        return
    faults: list[ConfigError] = []
    evals: list[int] = []

    def skip_eval(_command: str, line: int) -> str:
        evals.append(line)
        return "# nothing is run here"

    try:
        parsed = parse(content, path, run_eval=skip_eval, on_fault=faults.append)
    except ConfigError as error:  # no text at all: it has a NUL
        before = content[: content.index(b"\0")].rpartition(b"\n")[2]
        column = len(before.decode("utf-8-sig", "surrogateescape")) + 1
        place = error.path, error.line
        yield Finding(ERROR, error.problem, error.advice, place=place, column=column)
        return
    yield from map(_of_error, faults)
    for line in evals:
        problem = say("eval is not run here: what it prints is not checked")
        yield Finding(NOTE, problem, place=(path, line))
    try:
        for note in judge_permissions(parsed, status, desk.wishes, is_system=is_system):
            advice = say("chmod 600 {path}, or use passwordeval in place of password", path=path)
            yield Finding(WARNING, note, advice, place=(path, 0))
    except ConfigError as error:
        yield _of_error(error)
    lines = content.decode("utf-8-sig", "surrogateescape").split("\n")
    desk.files.append(CheckedFile(parsed, lines, is_whole=not evals and not faults))


def _once(findings: list[Finding]) -> list[Finding]:
    """Return each finding once: a line that several accounts take over has one fault, not many."""
    once: dict[tuple[object, ...], Finding] = {}
    for number, each in enumerate(findings):
        template = getattr(each.problem, "template", each.problem)
        key = (each.path, each.line, template) if each.line else (number,)
        once.setdefault(key, each)
    return list(once.values())


def _of_error(error: ConfigError) -> Finding:
    return Finding(ERROR, error.problem, error.advice, place=(error.path, error.line))


def _with_column(finding: Finding, desk: Desk) -> Finding:
    """Return a finding with the column of what it is about: the argument of a known keyword."""
    for file in desk.files:
        if file.parsed.path == finding.path and 0 < finding.line <= len(file.lines):
            column = _column(file.lines[finding.line - 1])
            place = finding.path, finding.line
            return Finding(
                finding.severity, finding.problem, finding.advice, place=place, column=column
            )
    return finding


def _column(line: str) -> int:
    start = len(line) - len(line.lstrip(" \t"))
    word, _, rest = line[start:].replace("\t", " ").partition(" ")
    argument = rest.strip()
    if word not in _KEYWORDS or not argument:
        return start + 1
    return line.index(argument, start + len(word)) + 1 if argument in line else start + 1


# -- all accounts -------------------------------------------------------------------------------


def _fallbacks(desk: Desk) -> Iterator[Finding]:
    """Every fallback that leads nowhere; each is mended in a copy to find the next."""
    accounts = {account.name: account.copy() for account in desk.accounts}
    while True:
        try:
            check_fallbacks(accounts.values())
        except ConfigError as error:
            yield _of_error(error)
            for account in accounts.values():
                if account.place("fallback") == (error.path, error.line):
                    account.set(FIELD_BY_NAME["fallback"], None, error.path, error.line)
        else:
            return


def _default(desk: Desk) -> Iterator[Finding]:
    """No account for a mail whose sender fits none."""
    names = [account.name for account in desk.accounts]
    if names and "default" not in names and desk.is_whole:
        yield Finding(
            WARNING,
            say("there is no account default: mail whose sender fits no account is refused"),
            say("write a line account default : {name}", name=names[0]),
            place=(desk.files[-1].parsed.path, 0),
        )
    if not names and desk.files and desk.is_whole:
        problem = say("the file names no account")
        yield Finding(WARNING, problem, place=(desk.files[-1].parsed.path, 0))


def _reached(desk: Desk) -> Iterator[Finding]:
    """Accounts that no mail goes through unless somebody names them."""
    accounts = desk.accounts
    helpers = {account.fallback for account in accounts} | {"default"}
    parents = {parent for *_, names in desk.headers() for parent in names}
    for number, account in enumerate(accounts):
        if account.name in helpers:
            continue
        if account.from_ is None:
            if account.name not in parents:
                yield _unused(account, desk)
            continue
        first = next((each for each in accounts[:number] if _takes(each, account.from_)), None)
        if first is not None:
            yield Finding(
                NOTE,
                say(
                    "account {name} is not chosen for {sender}: {other} comes before it",
                    name=account.name,
                    sender=account.from_,
                    other=first.name,
                ),
                say("-a {name} still uses it", name=account.name),
                place=account.place("from"),
            )


def _unused(account: Account, desk: Desk) -> Finding:
    return Finding(
        NOTE,
        say("account {name} is used only with -a {name}", name=account.name),
        say("give it a from, or make it the fallback of another"),
        place=desk.place_of(account),
    )


def _takes(earlier: Account, sender: str) -> bool:
    """Tell whether an earlier account takes everything that a ``from`` is about."""
    pattern = earlier.from_
    if pattern is None:
        return False
    if has_wildcard(sender):
        return pattern == sender or not pattern.strip("*")
    return matches_sender(pattern, sender)


def _hidden(desk: Desk) -> Iterator[Finding]:
    """Accounts of the system's file that the user's file has too."""
    if len(desk.files) < 2:
        return
    system, own = desk.files[0], desk.files[-1]
    names = {account.name for account in own.parsed.accounts}
    for account in system.parsed.accounts:
        if account.name in names:
            problem = say(
                "account {name} is hidden by the one in {path}",
                name=account.name,
                path=own.parsed.path,
            )
            yield Finding(NOTE, problem, place=desk.place_of(account))


CHECKS_OF_ALL = (_fallbacks, _default, _reached, _hidden)
