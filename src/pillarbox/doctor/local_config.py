"""
The configuration files: who may read them, what they say, and the account that comes of it.

1. ``config.check`` looks at every line without running anything; a line that breaks the grammar
   ends the examination, because then no mail is sent at all,
2. ``load_files`` reads them as for a mail (and runs their ``eval`` lines, as a mail would),
3. ``choose_account`` and ``finish_account`` make the account that is examined, and
4. what is wrong with it is told apart from what is wrong with the others of the same files.

The rule to keep: a line that contains a password is named by its place, never shown.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config import check_desk
from pillarbox.config.account_checks import CHECKS
from pillarbox.config.check import check_files, usual_files
from pillarbox.config.files import read_file
from pillarbox.config.finish import finish_account
from pillarbox.config.load import SYSTEM_FILE, choose_account, judge_permissions, load_files
from pillarbox.config.parse import parse
from pillarbox.config.patterns import MAILNAME_FILE
from pillarbox.config.providers import provider_of_endpoint
from pillarbox.doctor.config_absent import no_account
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.installed import USER, has_units
from pillarbox.errors import ConfigError, DataError, InputOutputError, PillarboxError
from pillarbox.mail.address import parse_mailbox
from pillarbox.text import Text, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.parse import ParsedFile
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_config"]

CODES: tuple[str, ...] = (
    "config.missing",
    "config.denied",
    "config.service",
    "config.unreadable",
    "config.syntax",
    "config.permissions",
    "config.account",
    "config.settings",
    "config.doubtful",
    "config.others",
    "config.sender",
)

_FILE_MAX = 1 << 20  # bytes, as ``load_files`` reads


def check_config(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the files, and put files, account, sender and provider there."""
    desk = _Desk(patient)
    broken = [finding for finding in desk.told if desk.is_grammar(finding)]
    if broken:
        for finding in broken:
            yield _told("config.syntax", FAULT, finding)
        return
    try:
        files = load_files(patient.wishes, system_file=patient.system_file)
    except ConfigError as error:
        yield _refused("config.permissions", error)
        return
    except InputOutputError as error:
        yield _refused("config.unreadable", error)
        return
    patient.files = files
    yield from desk.modes
    try:
        chosen, _ = choose_account(files, patient.wishes)
    except PillarboxError as error:
        yield no_account(patient, error)
        return
    yield from _examined(patient, desk, chosen)


def _examined(patient: Patient, desk: _Desk, chosen: Account) -> Iterator[Finding]:
    """Yield what is wrong with the account, and finish it."""
    # A trust store that is not there is the machine's fault, and that check knows how to mend it.
    store = chosen.place("tls_trust_file")
    wrong = [
        finding
        for finding in desk.own(chosen, check_desk.ERROR)
        if not finding.line or (finding.path, finding.line) != store
    ]
    if wrong:
        for finding in wrong:
            yield _told("config.settings", FAULT, finding)
        return
    try:
        account = finish_account(chosen, patient.wishes, mailname_file=patient.at(MAILNAME_FILE))
    except PillarboxError as error:
        yield _refused("config.settings", error)
        return
    for finding in desk.own(chosen, check_desk.WARNING):
        yield _told("config.doubtful", WARNING, finding)
    for finding in desk.of_others(chosen):
        is_error = finding.severity == check_desk.ERROR
        yield _told("config.others", WARNING if is_error else NOTE, finding)
    yield from _sender(patient, account)


class _Desk:
    """
    What a check of all files told, and whose it is.

    Attributes:
        told: All that ``check_files`` says.
        modes: Which files more people may read or change than should.

    """

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._desk = check_desk.Desk(patient.wishes, patient.at(MAILNAME_FILE))
        self._grammar: set[tuple[str, int]] = set()
        self.modes: list[Finding] = []
        self._mode_texts: set[str] = set()
        paths = [path for path in _paths(patient) if self._read(path)]
        self.told = check_files(
            paths,
            patient.wishes,
            system_file=patient.system_file,
            mailname_file=patient.at(MAILNAME_FILE),
        )

    def _read(self, path: str) -> bool:
        """Read a file for its grammar and its mode; whether there is something to be checked."""
        try:
            content, status = read_file(path, _FILE_MAX)
        except (OSError, ValueError):
            return False  # ``load_files`` says it, or it is nobody's fault
        if len(content) > _FILE_MAX:
            return False
        faults: list[ConfigError] = []
        try:
            parsed = parse(content, path, run_eval=_skip_eval, on_fault=faults.append)
        except ConfigError as error:
            self._grammar.add((error.path, error.line))
            return True
        self._grammar.update((error.path, error.line) for error in faults)
        lines = content.decode("utf-8-sig", "surrogateescape").split("\n")
        is_whole = not faults and not any(line.split()[:1] == ["eval"] for line in lines)
        self._desk.files.append(check_desk.CheckedFile(parsed, lines, is_whole=is_whole))
        self._judge(parsed, status)
        return True

    def _judge(self, parsed: ParsedFile, status: os.stat_result) -> None:
        patient = self._patient
        is_system = parsed.path == patient.system_file
        try:
            notes = judge_permissions(parsed, status, patient.wishes, is_system=is_system)
        except ConfigError as error:
            self._mode_texts.add(error.problem)
            return  # ``load_files`` refuses it too
        self._mode_texts.update(notes)
        mode = f"{status.st_mode & 0o7777:04o}"
        fix = f"chmod 600 {parsed.path}"
        meaning = say("every user and every program of this computer can send in its name")
        if is_system and has_units(patient):
            fix = f"sudo chgrp {USER} {parsed.path} && sudo chmod 640 {parsed.path}"
        elif is_system:
            fix = f"sudo chmod 600 {parsed.path}"
            meaning = say(
                "{meaning}; with the service ('sudo pillarbox install --start') they send without "
                "reading it",
                meaning=meaning,
            )
        self.modes += [
            Finding(
                "config.permissions",
                WARNING,
                note,
                meaning=meaning,
                fix=fix,
                evidence=(say("{path} has mode {mode}", path=parsed.path, mode=mode),),
            )
            for note in notes
        ]

    def is_grammar(self, told: check_desk.Finding) -> bool:
        """Tell whether something is about a line that cannot be understood."""
        is_place = (told.path, told.line) in self._grammar
        return is_place and told.severity == check_desk.ERROR

    def own(self, chosen: Account, severity: str) -> Iterator[check_desk.Finding]:
        """Yield what is to be said about the account, and about the files as a whole."""
        others = self._keys(lambda account: account.name != chosen.name)
        own = self._keys(lambda account: account.name == chosen.name)
        for told in self._settings():
            key = _key(told)
            if told.severity == severity and (key in own or key not in others):
                yield told

    def of_others(self, chosen: Account) -> Iterator[check_desk.Finding]:
        """Yield what is to be said about the accounts that are not examined."""
        others = self._keys(lambda account: account.name != chosen.name)
        own = self._keys(lambda account: account.name == chosen.name)
        for told in self._settings():
            key = _key(told)
            if told.severity != check_desk.NOTE and key in others and key not in own:
                yield told

    def _settings(self) -> Iterator[check_desk.Finding]:
        for told in self.told:
            if told.problem not in self._mode_texts and not self.is_grammar(told):
                yield told

    def _keys(self, is_meant: Callable[[Account], bool]) -> set[tuple[str, int, str]]:
        return {
            _key(told)
            for account in self._desk.accounts
            if is_meant(account)
            for check in CHECKS
            for told in check(account, self._desk)
        }


def _key(told: check_desk.Finding) -> tuple[str, int, str]:
    return told.path, told.line, told.problem


def _skip_eval(_command: str, _line: int) -> str:
    return ""


def _paths(patient: Patient) -> list[str]:
    """Return the files that a mail would be sent by, the system's first."""
    wishes = patient.wishes
    if wishes.host_given:
        return []
    if wishes.user_file is not None:
        own = [wishes.user_file]
    else:
        own = [path for path in usual_files(wishes) if path != SYSTEM_FILE]
    return [patient.system_file, *own]


def _told(code: str, severity: str, told: check_desk.Finding) -> Finding:
    """Return a finding of ``config.check`` as one of ours."""
    place = say("{path}: line {line}", path=told.path, line=told.line) if told.line else told.path
    if told.column:
        place = say(
            "{path}: line {line}, column {column}",
            path=told.path,
            line=told.line,
            column=told.column,
        )
    fix = _imperative(told.advice) or _look_again()
    if told.line:  # a fix is read alone, too
        fix = say("{path}: line {line}: {problem}", path=told.path, line=told.line, problem=fix)
    return Finding(code, severity, told.problem, fix=fix, evidence=(place,) if place else ())


def _imperative(advice: str) -> str:
    """Return an advice as a thing to do: "did you mean" is a question."""
    if isinstance(advice, Text) and advice.template == "did you mean {keyword}?":
        return say("write {lines}", lines=advice.fields["keyword"])
    return advice


def _refused(code: str, error: PillarboxError) -> Finding:
    return Finding(code, FAULT, error.sentence, fix=error.advice or _look_again())


def _look_again() -> str:
    return say("correct it, or remove the line; 'pillarbox config check' looks again")


def _sender(patient: Patient, account: Account) -> Iterator[Finding]:
    """Decide the sender that is asked about, and hand account and provider to the others."""
    text = account.from_ or _some_sender(account)
    patient.provider = provider_of_endpoint(account.host or "", account.port or 0)
    if not text:
        yield Finding(
            "config.sender",
            FAULT,
            say("account {name} has no sender", name=account.name or say("of the command line")),
            meaning=say("a mail without a From header, as cron writes them, cannot be sent"),
            fix=say("add a line from ADDRESS to the account, or ask with --from ADDRESS"),
        )
        return
    try:
        patient.sender = parse_mailbox(text)
    except DataError as error:
        yield Finding(
            "config.sender",
            FAULT,
            error.sentence,
            meaning=say("no server takes a mail from such a sender"),
            fix=say("write from NAME@DOMAIN"),
            evidence=(
                say("{keyword} is set at {place}", keyword="from", place=account.where("from")),
            ),
        )
        return
    patient.account = account


def _some_sender(account: Account) -> str:
    """Return an address that a ``from`` with a wildcard takes; empty: none can be made."""
    local_part, at, domain = account.from_pattern.rpartition("@")
    if not at or not domain or any(char in domain for char in "*?["):
        return ""
    user = account.user or ""
    return f"{user if user.isalnum() else 'postmaster'}@{domain}" if local_part else ""
