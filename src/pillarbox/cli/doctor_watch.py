"""
``pillarbox doctor --watch``: look again and again, and tell what changes.

A check that is not made, because of another, keeps what was last known of it: when the network is
back, the certificate has not become better.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from pillarbox.cli.doctor_page import Page, account_name, document, state_of
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from pillarbox.doctor.examination import Examination, Result
    from pillarbox.doctor.finding import Finding
    from pillarbox.doctor.patient import Patient

    Hear = Callable[[Result, Patient], None]
    Look = Callable[[Hear], tuple[Examination, Patient, float]]

__all__ = ["Changes", "watch"]

_NO_MORE = say("no login is tried again before the password or the account changes")

_AUTH = "--> AUTH "  # in a dialogue: a login was tried

_RANKS = {"ok": 0, NOTE: 0, WARNING: 1, FAULT: 2}


class Changes:
    """What is different from one examination to the next."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._ranks: dict[str, int] = {}

    def take(self, examination: Examination) -> list[tuple[str, Result]]:
        """
        Return the checks that changed, each with ``worse``, ``better`` or ``other``.

        Of the first examination everything that is not well is ``worse``.
        """
        changed = []
        for result in examination.results:
            if result.because:
                continue
            name, rank = result.check.name, _RANKS[state_of(result)]
            codes = tuple(each.code for each in result.findings if each.severity != NOTE)
            before, was = self._known.get(name, ()), self._ranks.get(name, 0)
            self._known[name], self._ranks[name] = codes, rank
            if codes != before:
                kind = "worse" if rank > was else "better" if rank < was else "other"
                changed.append((kind, result))
        return changed


def watch(
    look: Look,
    pause_s: float,
    language: str,
    *,
    form: str = "",
    has_colour: bool = False,
    wait: Callable[[float], object] = time.sleep,
) -> NoReturn:
    """
    Look and tell, until Ctrl-C.

    Args:
        look: Makes an examination; tells each result as it is there, with whose it is.
        pause_s: Seconds between two of them.
        language: ``en`` or ``zh``.
        form: ``summary``: a line for monitoring whenever something changes; ``json``: an object,
            on a line; empty: for a person.
        has_colour: For the page at the beginning.
        wait: Waits for so many seconds.

    """
    page = Page(language, has_colour=has_colour)
    changes = Changes()
    is_first = True

    def hear(result: Result, _patient: Patient) -> None:
        if is_first and not form:
            print(page.check_line(result, CHECKS), flush=True)

    while True:
        examination, patient, seconds = look(hear)
        changed = changes.take(examination)
        if form and (changed or is_first):
            if form == "json":
                row = document(examination, patient, language, seconds)
                print(json.dumps(row, ensure_ascii=False))
            else:
                print(page.summary(examination, account_name(patient), seconds))
        elif not form:
            lines = list(_change_lines(changed, page))
            if is_first:
                lines = [*page.outcome_lines(examination)]
                lines.append(page.summary(examination, account_name(patient), seconds))
                lines.append(page.said(_again(pause_s)))
            if any(_is_refused_login(result, patient) for _, result in changed):
                lines.append(page.said(_NO_MORE))
            _print(lines)
        sys.stdout.flush()
        is_first = False
        wait(pause_s)


def _is_refused_login(result: Result, patient: Patient) -> bool:
    """Tell whether a login was tried, now or before, and refused."""
    is_tried = not patient.may_log_in or any(line.startswith(_AUTH) for line in patient.dialogue)
    return result.check.name == "login" and result.has_fault and is_tried


def _again(pause_s: float) -> str:
    return say("looking again every {count} seconds; Ctrl-C ends it", count=round(pause_s))


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line)


def _change_lines(changed: list[tuple[str, Result]], page: Page) -> Iterator[str]:
    time_text = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    for kind, result in changed:
        title = result.check.title
        worst = _worst(result)
        if worst is None:
            yield f"{time_text} {page.said(say('better: {title}', title=title))}"
            continue
        text = {
            "worse": say("worse: {title}: {problem}", title=title, problem=worst.problem),
            "better": say("better: {title}: still {problem}", title=title, problem=worst.problem),
            "other": say("changed: {title}: {problem}", title=title, problem=worst.problem),
        }[kind]
        yield f"{time_text} {page.said(text)}  [{worst.code}]"
        for line in page.said_lines(say("do this: {fix}", fix=worst.fix)):
            yield f"   {line}"


def _worst(result: Result) -> Finding | None:
    for severity in (FAULT, WARNING):
        for finding in result.findings:
            if finding.severity == severity:
                return finding
    return None
