"""
``pillarbox config show|check|import``: the msmtprc, for a person.

``show`` says what would be used and who said so, ``check`` what is wrong, ``import`` takes over
what another program had. No secret is ever printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.cli import config_check, config_import, config_show
from pillarbox.cli.arguments import Parser, SpeakingParser, choose_language
from pillarbox.cli.main import spoken
from pillarbox.text import say

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

__all__ = ["ACTIONS", "main", "make_parser"]

# action -> its text, what adds its arguments, and what runs it.
ACTIONS: dict[str, tuple[str, Callable[[Parser], None], Callable[[Namespace], int]]] = {
    "show": (
        say("show the values that would be used, and who set each"),
        config_show.add_arguments,
        config_show.run,
    ),
    "check": (
        say("say everything that is wrong with the files, with line and column"),
        config_check.add_arguments,
        config_check.run,
    ),
    "import": (
        say("take over the relay settings of ssmtp, nullmailer, dma or postfix; shows first"),
        config_import.add_arguments,
        config_import.run,
    ),
}


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox config``.

    Raises:
        UsageError: The arguments are wrong.
        PillarboxError: The action could not be done.

    """
    choose_language(argv)
    wishes = make_parser().parse_args(argv)
    return ACTIONS[wishes.action][2](wishes)


def make_parser() -> SpeakingParser:
    """Return the reader of the command line."""
    parser = SpeakingParser(
        prog="pillarbox config",
        description=spoken(say("Show and check the accounts, or take them over from elsewhere.")),
        epilog=spoken(
            say("Exit code: 0 fine; 64 wrong usage, 66 a file is missing, 78 a file is wrong.")
        ),
        allow_abbrev=False,
    )
    parsers = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (text, add_arguments, _) in ACTIONS.items():
        one = parsers.add_parser(
            name, help=spoken(text), description=spoken(text), allow_abbrev=False
        )
        add_arguments(one)
    return parser
