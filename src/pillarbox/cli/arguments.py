"""The command lines for people: argparse, whose faults end like every other fault."""

from __future__ import annotations

import argparse

from pillarbox.errors import UsageError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """A parser that raises ``UsageError`` where argparse would print and end the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line, and where its options are listed."""
        raise UsageError(message, advice=say("see '{command} --help'", command=self.prog))
