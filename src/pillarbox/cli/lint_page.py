"""
The findings for a person: plain text as wide as the terminal, in his language.

Colour is used on a terminal only, and never where NO_COLOR is set (no-color.org). What stands
here of a message has been made printable by the room that found it.
"""

from __future__ import annotations

import os
import shutil
import sys

from pillarbox.cli.main import spoken
from pillarbox.cli.page import width_of, words_of
from pillarbox.lint.finding import Finding, summary
from pillarbox.mail.reply import printable
from pillarbox.mail.rules import ERROR, HINT, RULE_BY_ID, WARNING
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.lint.score import Score

__all__ = ["print_page", "wrapped"]

_NARROW, _WIDE = 40, 120  # columns: below, nothing fits; above, lines are hard to read
_INDENT = "  "
_COLOURS = {ERROR: "31;1", WARNING: "33", HINT: "36"}


def print_page(name: str, findings: Sequence[Finding], scores: Sequence[Score]) -> None:
    """Print what was found in the mail of that name, and what filters say of it."""
    columns = max(_NARROW, min(_WIDE, shutil.get_terminal_size().columns))
    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for finding in findings:
        _print_finding(finding, columns, has_colour=has_colour)
    for score in scores:
        _print_score(score, columns)
    print("\n".join(wrapped(_last_line(name, findings), "", "", columns)))


def _print_finding(finding: Finding, columns: int, *, has_colour: bool) -> None:
    rule = finding.rule
    severity = spoken(_SEVERITIES[rule.severity])
    label = severity + " " * (8 - width_of(severity))
    text = "  ".join(filter(None, (rule.id, _where(finding))))
    title = "\n".join(wrapped(text, label, _INDENT, columns))
    if has_colour:
        title = f"\033[{_COLOURS[rule.severity]}m{severity}\033[0m{title[len(severity) :]}"
    print(title)
    shown = finding.shown_evidence(language_of(os.environ))
    remedy = say("repaired") if finding.is_repaired else say("to do")
    if finding.is_repaired and rule.id in RULE_BY_ID:
        # Repair has told what it did with this very mail, which says more than the rule.
        rows = [("", rule.what), (say("why"), rule.why), (remedy, shown or rule.fix)]
    else:
        rows = [("", rule.what), (say("seen"), shown), (say("why"), rule.why), (remedy, rule.fix)]
    rows.append((say("cost"), _cost(finding)))
    for title, text in rows:
        if text:
            _print_row(title, spoken(text), columns)
    print()


def _print_row(title: str, text: str, columns: int) -> None:
    if not title:
        first = following = _INDENT
    else:
        name = spoken(title)
        first = f"{_INDENT}{name}{' ' * max(1, 10 - width_of(name))}"
        following = _INDENT + " " * 10
    print("\n".join(wrapped(text, first, following, columns)))


def _where(finding: Finding) -> str:
    place, line = printable(finding.place), finding.line
    if place and line:
        return spoken(say("line {line}, {place}", line=line, place=place))
    return place


def _cost(finding: Finding) -> str:
    rule = finding.rule
    if not rule.spamassassin and not rule.rspamd:
        return ""
    one, other = rule.spamassassin or 0.0, rule.rspamd or 0.0
    return say("SpamAssassin {one}, rspamd {other} points", one=one, other=other)


def _print_score(score: Score, columns: int) -> None:
    points = round(score.points, 2)
    if score.limit is None:
        title = say("{program}: {points} points", program=score.program, points=points)
    else:
        title = say(
            "{program}: {points} points; spam from {limit} on",
            program=score.program,
            points=points,
            limit=score.limit,
        )
    print(spoken(title))
    for hit in score.hits:
        first = f"{hit.points:7.1f}  "
        text = f"{hit.name}: {hit.description}" if hit.description else hit.name
        print("\n".join(wrapped(text, first, " " * 9, columns)))
    print()


def _last_line(name: str, findings: Sequence[Finding]) -> str:
    name = printable(spoken(name))
    if not findings:
        return spoken(say("{name}: nothing is wrong", name=name))
    counts = summary(findings)
    return spoken(
        say(
            "{name}: {error} errors, {warning} warnings, {hint} hints;"
            " {repaired} of {total} are repaired when it is sent",
            name=name,
            error=counts[ERROR],
            warning=counts[WARNING],
            hint=counts[HINT],
            repaired=counts["repaired"],
            total=counts["total"],
        )
    )


_SEVERITIES = {ERROR: say("error"), WARNING: say("warning"), HINT: say("hint")}


def wrapped(text: str, first: str, following: str, columns: int) -> Iterator[str]:
    """Yield a text in lines of at most so many columns; a word is cut if it must be."""
    line, start = first, first
    for word in _pieces(text, columns - width_of(following)):
        if width_of(line + word.rstrip()) > columns and line != start:
            yield line.rstrip()
            line = start = following
            word = word.lstrip()  # noqa: PLW2901 (a space does not begin a line)
        line += word
    yield line.rstrip()


def _pieces(text: str, room: int) -> Iterator[str]:
    """Yield the words, and of a word that no line has room for, its pieces."""
    for word in words_of(text):
        rest = word
        while len(rest) > room:
            yield rest[:room]
            rest = rest[room:]
        yield rest
