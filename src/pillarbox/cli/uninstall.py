"""
``pillarbox uninstall``: undo ``pillarbox install``, to the octet.

What somebody has changed since is kept and named; mail that waits is never deleted.
"""

from __future__ import annotations

import os

from pillarbox.cli.arguments import Parser
from pillarbox.cli.install import agrees, require_rights, tell
from pillarbox.cli.install_files import Root
from pillarbox.cli.install_plan import UNITS
from pillarbox.cli.install_record import PATH, Record
from pillarbox.cli.install_steps import take_back
from pillarbox.cli.install_system import systemctl
from pillarbox.cli.main import spoken
from pillarbox.errors import EX_OK, MissingInputError
from pillarbox.text import say

__all__ = ["main", "make_parser"]


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox uninstall``.

    Raises:
        UsageError: The arguments are wrong, or nobody can be asked.
        MissingInputError: Nothing is installed.
        ConfigError: The record of the installation is damaged.
        InputOutputError: Something cannot be undone; do it again when that is mended.

    """
    wishes = make_parser().parse_args(argv)
    root = Root(wishes.root)
    record = Record.read(root)
    if record is None:
        raise MissingInputError(
            say("there is no {path}: nothing was installed by 'pillarbox install'", path=PATH)
        )
    for entry in record.entries.values():
        if entry.before is not None or entry.diverted:
            tell(say("give {path} back as it was", path=entry.path))
    tell(say("take away the other {count} files", count=len(record.entries)))
    if wishes.dry_run:
        tell(say("nothing was done: this is what would be"))
        return EX_OK
    require_rights(root)
    if not agrees(is_sure=wishes.yes):
        return EX_OK
    units = [name for name in UNITS if name.endswith((".service", ".socket", ".timer"))]
    if any(path.endswith(".service") for path in record.entries):
        systemctl(root, "disable", "--now", *units)
    kept, moved = take_back(root, record)
    systemctl(root, "daemon-reload")
    for path in kept:
        tell(say("kept, as it is not what was installed: {path}", path=path))
    for path in moved:
        tell(say("what was changed of ours is now {path}", path=path))
    tell(say("uninstalled"))
    return EX_OK


def make_parser() -> Parser:
    """Return the reader of the command line."""
    parser = Parser(
        prog="pillarbox uninstall",
        description=spoken(
            say("Undo 'pillarbox install'. What was changed since, and mail that waits, is kept.")
        ),
        allow_abbrev=False,
    )
    add = parser.add_argument
    root = say("the top of the system that it was installed into; this one if left out")
    add("--root", default="/", type=os.path.abspath, metavar="DIR", help=spoken(root))
    add("--dry-run", action="store_true", help=spoken(say("only show what would be done")))
    add("--yes", action="store_true", help=spoken(say("do not ask")))
    return parser
