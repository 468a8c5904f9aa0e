"""
A finding: a rule, and the place in a message where it was broken.

What is quoted from a message has passed ``printable`` before it becomes part of a finding.
"""

from __future__ import annotations

from pillarbox.mail.reply import printable
from pillarbox.mail.rules import ERROR, HINT, WARNING, Rule
from pillarbox.text import localize
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["SEVERITIES", "Finding", "Spot", "quoted", "summary"]

SEVERITIES = (ERROR, WARNING, HINT)  # the worst first

_QUOTED = 72  # characters of the message that are shown: a line of a terminal


def quoted(text: str | bytes) -> str:
    """Return text of the message as it may be shown."""
    return printable(text, _QUOTED)


class Spot(Value):
    """
    Where a check found what it looks for.

    Attributes:
        place: The name of a header field, ``body``, ``part 1.2``, or ``envelope``.
        evidence: What was seen, safe to show.

    """

    __slots__ = ("evidence", "place")

    def __init__(self, place: str, evidence: str = "") -> None:
        self.place = place
        self.evidence = evidence


class Finding(Value):
    """
    One thing that is wrong with a message.

    Attributes:
        rule: The rule that it breaks.
        place: As in ``Spot``; empty: the whole message.
        line: The line of the input, counted from 1; 0: unknown.
        evidence: What was seen, or what is done about it.
        is_repaired: Whether it goes out put right.

    """

    __slots__ = ("evidence", "is_repaired", "line", "place", "rule")

    def __init__(
        self, rule: Rule, place: str, line: int, evidence: str, *, is_repaired: bool
    ) -> None:
        self.rule = rule
        self.place = place
        self.line = line
        self.evidence = evidence
        self.is_repaired = is_repaired

    def shown_evidence(self, language: str = "en") -> str:
        """Return the evidence in a language, safe to show whoever made it."""
        return printable(localize(self.evidence, language))

    def as_dict(self, language: str = "en") -> dict[str, Any]:
        """Return what ``--json`` shows; the keys are for good."""
        rule = self.rule
        return {
            "rule": rule.id,
            "severity": rule.severity,
            "place": self.place,
            "line": self.line or None,
            "what": localize(rule.what, language),
            "evidence": self.shown_evidence(language),
            "why": localize(rule.why, language),
            "fix": localize(rule.fix, language),
            "cost": {"spamassassin": rule.spamassassin, "rspamd": rule.rspamd},
            "source": rule.source,
            "repaired": self.is_repaired,
        }


def summary(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity, in all, and repaired ones."""
    findings = list(findings)
    counts = {name: sum(f.rule.severity == name for f in findings) for name in SEVERITIES}
    repaired = sum(finding.is_repaired for finding in findings)
    return {**counts, "total": len(findings), "repaired": repaired}
