"""
That a doctor who looks again and again does not lock the account.

Providers lock an account after a few wrong passwords, some for a day. So a login that was refused
is not tried again and again: by a watch not at all, by a program three times a day with hours in
between, until what would be tried is another: the password, or a setting of the account. What a
person does at his terminal is his to decide. The rules to keep:

1. A watch and a program come to seven refusals in 24 hours and no more, whatever changes meanwhile.
2. A try is written down before it is made, and struck out when it was none or was taken: monitoring
   kills who takes too long, and a server may answer a wrong password late.
3. A program that can write nothing down does not log in at all: it would do so every five minutes.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

from pillarbox.config.account import FIELDS
from pillarbox.doctor.examination import Examination, Result
from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.doctor.refused_logins import (
    Refusals,
    Turn,
    load_refusals,
    mark_of,
    save_refusals,
    state_path,
)
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pillarbox.doctor.patient import Patient

__all__ = ["BY_PERSON", "BY_PROGRAM", "BY_WATCH", "LoginGuard"]

# Seconds to wait before the same login may be refused again, the first time, the second ...; behind
# the last it is not tried any more for a day. An hour: a provider that could not ask its own
# directory says that the password is wrong, and monitoring need not believe it all day.
BY_WATCH, BY_PROGRAM, BY_PERSON = (0.0,), (0.0, 3600.0, 6 * 3600.0), None
# Eight a day are harmless everywhere; one is left for the person who mends it.
_REFUSALS_A_DAY = 7
# After a login that came to no clear answer, which the provider may have counted as a wrong one.
_UNCLEAR_S = 4 * 3600.0
_UNCLEAR = frozenset(("login.quiet", "login.closed", "login.garbled", "login.later"))
_HIDDEN = frozenset(("password", "passwordeval"))  # what they give is in the secret

# The check right before the login: behind it, whoever waits is not waiting for anything else.
_BEFORE = "tls"


class LoginGuard:
    """
    Remember refused logins between the examinations of an account.

    Call ``hear`` with each result as it is there, and ``end`` behind the last or when there is none
    any more; ``known`` and ``as_known`` put what is remembered in the place of a login that was not
    tried.

    Args:
        waits_s: When the same login may be tried again: ``BY_WATCH`` and its brothers.
        environment: Says where the memory is; empty: it ends with the process.
        epoch_s: Tells the time, in seconds since the epoch.

    """

    def __init__(
        self,
        waits_s: Sequence[float] | None,
        environment: Mapping[str, str],
        *,
        epoch_s: Callable[[], float] = time.time,
    ) -> None:
        self._waits_s = waits_s
        self._path = state_path(environment)
        self._turn = Turn(self._path)
        self._epoch_s = epoch_s
        self._accounts: dict[str, Refusals] = {}
        self._kept: Finding | None = None  # of the login that is not tried now
        self._try: tuple[float, str] | None = None  # that is written down, while it is made
        self._before: Finding | None = None  # what the one before that came to
        self._is_paused = False  # the service tries this account as well, and it was refused

    def hear(self, result: Result, patient: Patient) -> None:
        """Take a result, and forbid the login that comes behind it if it would be the same."""
        if result.check.name == "service":
            self._is_paused = any(each.code == "service.paused" for each in result.findings)
        elif result.check.name == _BEFORE:
            self._kept = self._try = None
            account = patient.account
            is_next = not result.because and not result.is_end
            if is_next and patient.may_log_in and account is not None and account.auth != "off":
                self._judge(patient)
        elif result.check.name == "login" and self._try is not None:
            self._remember(result, patient)
            self.end()

    def end(self) -> None:
        """Let others log in. Never raises."""
        self._turn.end()

    def known(self, result: Result) -> Result:
        """Return a result; that of a login that was not tried is what it was before."""
        if result.check.name != "login" or result.because or self._kept is None:
            return result
        return Result(result.check, (self._kept,))

    def as_known(self, examination: Examination) -> Examination:
        """Return an examination in which every result is ``known``."""
        return Examination(tuple(map(self.known, examination.results)))

    def _judge(self, patient: Patient) -> None:
        """Forbid the login, or write down that it is tried."""
        if self._turn.take():
            self._accounts = load_refusals(self._path)
        refusals = self._accounts.setdefault(_name_of(patient), Refusals())
        now_s = self._epoch_s()
        refusals.forget_old(now_s)
        mark = _mark(patient, refusals)
        self._kept = self._old(refusals, mark, now_s)
        if self._kept is None:
            self._try, self._before = (now_s, mark), refusals.finding
            refusals.times.append(self._try)
            refusals.finding = _unfinished()
            if not self._save() and self._waits_s is BY_PROGRAM:
                self._kept = _unasked()
                self._strike(refusals)
        if self._kept is not None:
            patient.may_log_in = False
            self.end()

    def _strike(self, refusals: Refusals) -> None:
        """Take back that a login was tried."""
        refusals.times = [row for row in refusals.times if row != self._try]
        self._try, refusals.finding = None, self._before

    def _save(self) -> bool:
        return bool(self._path) and save_refusals(self._path, self._accounts)

    def _old(self, refusals: Refusals, mark: str, now_s: float) -> Finding | None:
        """Return what the login came to before, if it is not to be tried again now."""
        finding, waits_s = refusals.finding, self._waits_s
        if waits_s is None or finding is None or not refusals.times:
            return None
        if self._is_paused:
            waits_s = BY_WATCH
        last_s = refusals.times[-1][0]
        same_s = refusals.times_of(mark)
        is_over = finding.code in _UNCLEAR and now_s - last_s >= _UNCLEAR_S
        is_same = len(same_s) >= len(waits_s) or (
            bool(same_s) and now_s - same_s[-1] < waits_s[len(same_s)]
        )
        if len(refusals.times) >= _REFUSALS_A_DAY or (is_same and not is_over):
            return _again(finding, last_s, len(refusals.times))
        return None

    def _remember(self, result: Result, patient: Patient) -> None:
        """Write down what the try has come to, or strike it out."""
        refusals = self._accounts[_name_of(patient)]
        if not any(line.startswith("--> AUTH ") for line in patient.dialogue):
            self._strike(refusals)
        elif result.has_fault:
            refusals.finding = result.findings[0]
        else:
            del self._accounts[_name_of(patient)]
        self._try = None
        self._save()


def _again(finding: Finding, last_s: float, count: int) -> Finding:
    """Return a finding that says that it is an old one."""
    when = datetime.fromtimestamp(last_s).astimezone().isoformat(sep=" ", timespec="minutes")
    seen = say(
        "not tried now, for providers lock accounts for that; tried last at {time}, refused logins"
        " in 24 hours: {count}",
        time=when,
        count=count,
    )
    return Finding(
        finding.code,
        finding.severity,
        finding.problem,
        meaning=finding.meaning,
        fix=finding.fix,
        evidence=(*finding.evidence, seen),
    )


def _unfinished() -> Finding:
    """Return what is found of a login whose end nobody has seen."""
    return Finding(
        "login.quiet",
        FAULT,
        say("the doctor was ended while it waited for the answer to the login"),
        meaning=say("a server that takes so long is overloaded, or makes a wrong password wait"),
        fix=say("run on a terminal: pillarbox doctor; and give monitoring 60 seconds for it"),
    )


def _unasked() -> Finding:
    """
    Return that a program does not log in, for it would not know that it has.

    A warning: monitoring that says OK for ever, and never looks, is worse than none.
    """
    return Finding(
        "login.unasked",
        WARNING,
        say("no login was tried: a refused one could not be remembered"),
        meaning=say("a program that asks every few minutes would lock the account"),
        fix=say("set HOME or XDG_STATE_HOME to a folder that the doctor may write to"),
        is_end=True,
    )


def _name_of(patient: Patient) -> str:
    """Return what the provider counts by."""
    account = patient.account
    if account is None:
        return ""
    return f"{account.user or ''} {account.host or account.socket or ''} {account.port or ''}"


def _mark(patient: Patient, refusals: Refusals) -> str:
    account = patient.account
    values = [] if account is None else [
        f"{field.name}={account.get(field)}" for field in FIELDS if field.name not in _HIDDEN
    ]  # fmt: skip
    if patient.secret is not None:
        values.append(patient.secret.reveal())
    return mark_of(values, refusals.salt)
