"""
What a check has found: a value that a page, a program and a support bundle can show.

The rule to keep: a finding has exactly one fix, which is concrete (a command, a line, a menu), and
no secret is in it. Its texts stay ``Text`` until they are shown, which is when ``printable`` is
applied; what a server said goes through ``printable`` before it becomes evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FAULT", "NOTE", "WARNING", "Finding"]

# Mail does not go, or will not for long; mail goes, but this should not stay; good to know.
FAULT, WARNING, NOTE = "fault", "warning", "note"


class Finding(Value):
    """
    One thing that a check has found.

    Attributes:
        code: Its stable name, the check's name first: ``connect.blocked``.
        severity: ``FAULT``, ``WARNING`` or ``NOTE``.
        problem: What is wrong, in one sentence without a full stop.
        meaning: What that means for the mail, and why it is so; empty: the problem says it all.
        fix: The one thing to do next, concrete; empty only for a note that needs nothing done.
        evidence: What was seen, a line each: a reply, a path and its mode, an address.
        is_end: What needs this check is not looked at, although nothing is wrong: somebody else
            has to, or somebody else does it.

    """

    __slots__ = ("code", "evidence", "fix", "is_end", "meaning", "problem", "severity")

    def __init__(
        self,
        code: str,
        severity: str,
        problem: str,
        *,
        meaning: str = "",
        fix: str = "",
        evidence: Sequence[str] = (),
        is_end: bool = False,
    ) -> None:
        self.code = code
        self.severity = severity
        self.problem = problem
        self.meaning = meaning
        self.fix = fix
        self.evidence = tuple(evidence)
        self.is_end = is_end
