"""
The command lines for people: argparse, whose faults end like every other fault.

A command that speaks at length has ``--lang``: it calls ``choose_language`` before it makes its
first text, and makes its parser a ``SpeakingParser``, which knows the option.
"""

from __future__ import annotations

import argparse
import os
from itertools import pairwise

from pillarbox.errors import UsageError
from pillarbox.text import language_of, localize, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

__all__ = ["LANGUAGES", "Parser", "SpeakingParser", "choose_language"]

LANGUAGES = ("en", "zh")


class Parser(argparse.ArgumentParser):
    """A parser that raises ``UsageError`` where argparse would print and end the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line, and where its options are listed."""
        raise UsageError(message, advice=say("see '{command} --help'", command=self.prog))


class SpeakingParser(Parser):
    """A parser with ``--lang``, and so are those of its actions."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        help_text = say("speak English or Chinese; else as the environment says (LC_ALL, LANG)")
        self.add_argument(
            "--lang",
            choices=LANGUAGES,
            default=argparse.SUPPRESS,
            help=localize(help_text, language_of(os.environ)),
        )


def choose_language(argv: Sequence[str]) -> None:
    """
    Have ``--lang`` decide on the language of this process and of those that it starts.

    It is looked for before the command line is read, so that the help has the language too. What
    is no language is left to the parser, which refuses it.
    """
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    for word, following in pairwise((*words, "")):
        value = following if word == "--lang" else word.removeprefix("--lang=")
        if value in LANGUAGES and (word == "--lang" or value != word):
            os.environ["PILLARBOX_LANG"] = value
