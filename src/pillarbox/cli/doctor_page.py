"""
What an examination says: to a person, to monitoring, and to a program.

Everything here is made of an ``Examination`` and gives back text; nothing is printed. What stands
in a finding passes ``printable``, a line at a time. A fix and what was seen are never broken into
lines of a page: a command that is broken in two cannot be copied.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pillarbox import __version__
from pillarbox.cli.page import width_of, words_of
from pillarbox.doctor.examination import EXIT_FAULT, EXIT_WARNING, WISH
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.mail.reply import printable
from pillarbox.text import localize, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pillarbox.doctor.examination import Check, Examination, Result
    from pillarbox.doctor.finding import Finding
    from pillarbox.doctor.patient import Patient

__all__ = ["SCHEMA_VERSION", "Page", "account_name", "document", "state_of"]

# Of the JSON: a field that is taken away or means something else makes it a new one.
SCHEMA_VERSION = 1

_OK, _SKIPPED = "ok", "skipped"

# What begins a line, in words for those who see no colour and hear no bell.
_MARKS = {_OK: "ok", NOTE: "ok", WARNING: "! ", FAULT: "!!", _SKIPPED: "--"}
_COLOURS = {_OK: "32", NOTE: "32", WARNING: "33", FAULT: "31", _SKIPPED: "2"}

# The words of the plugins of Nagios, which programs look for: in English everywhere.
_STATES = {0: "OK", EXIT_WARNING: "WARNING", EXIT_FAULT: "CRITICAL"}

_COLUMNS = 80
_SUMMARY_MAX = 200  # characters: what old plugins of monitoring take for sure, with room to spare
_SHOWN = 2000  # characters of one line


class Page:
    """
    Say what was found, in a language.

    Args:
        language: ``en`` or ``zh``.
        has_colour: Whoever reads it has a terminal and likes colours.

    """

    def __init__(self, language: str, *, has_colour: bool = False) -> None:
        self._language = language
        self._has_colour = has_colour

    def said(self, text: str) -> str:
        """Return a text in the language, safe to show, on one line."""
        return printable(localize(text, self._language), _SHOWN)

    def said_lines(self, text: str) -> list[str]:
        """Return a text that may have lines of its own in the language, safe to show."""
        return [printable(line, _SHOWN) for line in localize(text, self._language).split("\n")]

    def check_line(self, result: Result, checks: Sequence[Check]) -> str:
        """Return one line on one check; ``checks`` has the titles of those that are to blame."""
        state = state_of(result)
        mark = _MARKS[state]
        if self._has_colour:
            mark = f"\x1b[{_COLOURS[state]}m{mark}\x1b[0m"
        return f"{mark}  {self.said(_line(result, checks))}"

    def outcome_lines(self, examination: Examination) -> Iterator[str]:
        """Yield what to do first, then all the rest, behind the lines of the checks."""
        cause = examination.root_cause
        if cause is not None:
            yield ""
            first = say("Root cause: {problem}", problem=cause.problem)
            if cause.severity == WARNING:
                first = say("Mail goes, but: {problem}", problem=cause.problem)
            yield from self._finding(first, cause)
        rest = [
            finding
            for severity in (FAULT, WARNING)
            for finding in examination.findings(severity)
            if finding is not cause
        ]
        for title, findings in (
            (say("Besides:"), rest),
            (say("Good to know:"), examination.findings(NOTE)),
        ):
            if findings:
                yield ""
                yield self.said(title)
            for finding in findings:
                problem = finding.problem
                if finding.severity == FAULT:
                    problem = say("fault: {problem}", problem=finding.problem)
                elif finding.severity == WARNING:
                    problem = say("warning: {problem}", problem=finding.problem)
                yield from self._finding(problem, finding, indent="   ")
        yield ""

    def _finding(self, first: str, finding: Finding, indent: str = "") -> Iterator[str]:
        yield from _wrapped(f"{self.said(first)}  [{finding.code}]", indent, f"{indent}   ")
        if finding.fix:
            yield from self._lines(say("do this: {fix}", fix=finding.fix), f"{indent}   ")
        if finding.meaning:
            yield from _wrapped(self.said(finding.meaning), f"{indent}   ", f"{indent}   ")
        for each in finding.evidence:
            yield from self._lines(say("seen: {evidence}", evidence=each), f"{indent}   ")

    def _lines(self, text: str, indent: str) -> Iterator[str]:
        """Yield a text that has lines of its own; they stay as they are."""
        for number, line in enumerate(self.said_lines(text)):
            yield f"{indent}{'   ' * bool(number)}{line}"

    def summary(self, examination: Examination, account: str, seconds: float) -> str:
        """
        Return the line for monitoring: state, account, and the first thing to do.

        Args:
            examination: What was found.
            account: The name of the account.
            seconds: How long it took.

        """
        state = _STATES[examination.exit_code]
        count = len(examination.findings(FAULT)), len(examination.findings(WARNING))
        head = f"PILLARBOX {state} - account {printable(account, 40)}: ".replace("|", "/")
        tail = f" | faults={count[0]} warnings={count[1]} time={seconds:.2f}s"
        room = _SUMMARY_MAX - len(head) - len(tail)
        said = " ".join(self.said_lines(self._in_short(examination))).replace("|", "/")
        if len(said) > room:
            said = said[: room - 3].rstrip() + "..."
        return head + said + tail

    def _in_short(self, examination: Examination) -> str:
        cause = examination.root_cause
        if cause is not None:
            # The code first: what is too long is cut at its end.
            text = say("{code}: {problem}", code=cause.code, problem=cause.problem)
            return say("{text}; do this: {fix}", text=text, fix=cause.fix) if cause.fix else text
        skipped = sum(bool(result.because) for result in examination.results)
        if not skipped:
            return say("nothing is wrong")
        text = say("nothing is wrong; checks that were not made: {count}", count=skipped)
        for finding in examination.findings(NOTE):
            if finding.is_end and finding.fix:
                return say("{text}; do this: {fix}", text=text, fix=finding.fix)
        return text


def state_of(result: Result) -> str:
    """Return ``skipped``, or the worst that a check found, or ``ok``."""
    if result.because:
        return _SKIPPED
    found = {finding.severity for finding in result.findings}
    return next((severity for severity in (FAULT, WARNING, NOTE) if severity in found), _OK)


def account_name(patient: Patient) -> str:
    """Return the name of the account that is examined, as far as it is known."""
    named = patient.account.name if patient.account is not None else ""
    return named or patient.wishes.account_name or "default"


def document(
    examination: Examination, patient: Patient, language: str, seconds: float
) -> dict[str, Any]:
    """
    Return all of it for a program; docs/doctor.md describes it.

    Args:
        examination: What was found.
        patient: Of whom.
        language: Of the texts, ``en`` or ``zh``; codes, states and names are the same in each.
        seconds: How long it took.

    """
    page = Page(language)
    cause = examination.root_cause
    account = patient.account
    return {
        "version": SCHEMA_VERSION,
        "pillarbox": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "language": language,
        "state": _STATES[examination.exit_code].lower(),
        "exit_code": examination.exit_code,
        "account": account_name(patient),
        "host": printable(patient.host),
        "port": account.port if account is not None else None,
        "sender": printable(str(patient.sender)) if patient.sender is not None else "",
        "provider": patient.provider.id if patient.provider is not None else "",
        "root_cause": None if cause is None else _finding_row(cause, page),
        "results": [
            {
                "check": result.check.name,
                "title": page.said(result.check.title),
                "state": state_of(result),
                "because": result.because,
                "findings": [_finding_row(finding, page) for finding in result.findings],
            }
            for result in examination.results
        ],
        "codes": [finding.code for each in examination.results for finding in each.findings],
    }


def _finding_row(finding: Finding, page: Page) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "problem": page.said(finding.problem),
        "meaning": page.said(finding.meaning),
        "fix": "\n".join(page.said_lines(finding.fix)),
        "evidence": [page.said(each) for each in finding.evidence],
    }


def _line(result: Result, checks: Sequence[Check]) -> str:
    title = result.check.title
    if result.because == WISH:
        return say("{title}: not looked at, as you wished", title=title)
    if result.because:
        titles = {check.name: check.title for check in checks}
        return say(
            "{title}: not looked at, because of: {cause}",
            title=title,
            cause=titles[result.because],
        )
    for severity in (FAULT, WARNING):
        for finding in result.findings:
            if finding.severity == severity:
                return say("{title}: {problem}", title=title, problem=finding.problem)
    return title


def _wrapped(text: str, first: str, following: str) -> Iterator[str]:
    """Yield the lines of a paragraph, as wide as a page at the most where it can be broken."""
    line, start = first, first
    for word in words_of(text):
        if width_of(line + word.rstrip()) > _COLUMNS and line != start:
            yield line.rstrip()
            line = start = following
            word = word.lstrip()  # noqa: PLW2901 (a space does not begin a line)
        line += word
    yield line.rstrip()
