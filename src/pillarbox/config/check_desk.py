"""
What a check of configuration files looks at, and what it finds.

``Desk`` holds the files as far as they can be understood; a ``Finding`` is one thing about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.patterns import MAILNAME_FILE
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.load import Wishes
    from pillarbox.config.parse import ParsedFile

__all__ = ["ERROR", "NOTE", "WARNING", "CheckedFile", "Desk", "Finding"]

ERROR, WARNING, NOTE = "error", "warning", "note"


class Finding(Value):
    """
    One thing that was found.

    Attributes:
        severity: ``ERROR``, ``WARNING`` or ``NOTE``.
        problem: What is wrong.
        advice: What to do; empty: nothing.
        path: The file; empty: it is about all of them.
        line: Counted from 1; 0: it is in no single line.
        column: Counted from 1, in characters; 0 likewise.

    """

    __slots__ = ("advice", "column", "line", "path", "problem", "severity")

    def __init__(
        self,
        severity: str,
        problem: str,
        advice: str = "",
        *,
        place: tuple[str, int] = ("", 0),
        column: int = 0,
    ) -> None:
        self.severity = severity
        self.problem = problem
        self.advice = advice
        self.path, self.line = place
        self.column = column


class CheckedFile(Value):
    """
    One file that could be read.

    Attributes:
        parsed: What it says, as far as it can be understood.
        lines: Its text.
        is_whole: Every line was understood; else what is missing may stand in one that was not,
            or come from an ``eval``, which is not run.

    """

    __slots__ = ("is_whole", "lines", "parsed")

    def __init__(self, parsed: ParsedFile, lines: list[str], *, is_whole: bool) -> None:
        self.parsed = parsed
        self.lines = lines
        self.is_whole = is_whole


class Desk:
    """
    What the checks look at.

    Args:
        wishes: The caller.
        mailname_file: Where the mail name is.

    """

    def __init__(self, wishes: Wishes, mailname_file: str = MAILNAME_FILE) -> None:
        self.wishes = wishes
        self.mailname_file = mailname_file
        self.files: list[CheckedFile] = []

    @property
    def accounts(self) -> list[Account]:
        """The accounts among which one is chosen, in that order: the user's first."""
        by_name: dict[str, Account] = {}
        for file in reversed(self.files):
            for account in file.parsed.accounts:
                by_name.setdefault(account.name, account)
        return list(by_name.values())

    @property
    def is_whole(self) -> bool:
        """Whether all that is set is known: only then is something missing or contradictory."""
        return all(file.is_whole for file in self.files)

    def headers(self) -> Iterator[tuple[str, int, str, list[str]]]:
        """Yield path, line, name and parents of each ``account`` line."""
        for file in self.files:
            for number, line in enumerate(file.lines, 1):
                word, _, rest = line.strip().replace("\t", " ").partition(" ")
                if word == "account":
                    name, _, parents = rest.strip().partition(":")
                    names = [parent.strip() for parent in parents.split(",") if parent.strip()]
                    yield file.parsed.path, number, name.strip(), names

    def place_of(self, account: Account) -> tuple[str, int]:
        """Return where an account begins."""
        for path, line, name, _ in self.headers():
            if path == account.origin and name == account.name:
                return path, line
        return account.origin, 0
