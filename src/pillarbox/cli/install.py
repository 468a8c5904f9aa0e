"""
``pillarbox install``: put the programs, the units and the package where the system looks for them.

What would be done is shown first, and done when a person says yes, or with ``--yes``. It can be
repeated: then it repairs, or brings a newer version. ``pillarbox uninstall`` undoes it.
"""

from __future__ import annotations

import os
import sys

from pillarbox.cli.arguments import Parser
from pillarbox.cli.install_files import Root
from pillarbox.cli.install_plan import USER, library_items, other_items, program_paths, sources
from pillarbox.cli.install_steps import Installation
from pillarbox.cli.install_system import ask_python, has_systemd, ids_of_user, systemctl
from pillarbox.cli.main import spoken
from pillarbox.errors import EX_NOPERM, EX_OK, PillarboxError, UsageError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    Wishes = argparse.Namespace

__all__ = ["NotAllowedError", "agrees", "main", "make_parser", "require_rights", "tell"]

_ACCOUNTS = "/etc/msmtprc"
_STARTED = ("pillarbox-submit.socket", "pillarbox.service", "pillarbox-doctor.timer")
_OTHERS_READ = 0o004


class NotAllowedError(PillarboxError):
    """Only root may do that."""

    exit_code = EX_NOPERM


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox install``.

    Raises:
        UsageError: The arguments are wrong, or nobody can be asked.
        ConfigError: The interpreter cannot be used, or the record of an installation is damaged.
        InputOutputError: Something cannot be done; what was done stays, to be gone on from.

    """
    wishes = make_parser().parse_args(argv)
    root, prefix = Root(wishes.root), wishes.prefix
    files = sources()
    library = f"{prefix}/lib/pillarbox"
    python = ask_python(root, wishes.python, library, files)
    is_with_units = has_systemd(root) if wishes.units is None else wishes.units
    items = library_items(library, files, python.compiled) + other_items(
        prefix,
        files,
        python=wishes.python,
        packages=python.packages,
        has_systemd=is_with_units,
    )
    installation = Installation(root, prefix, items, diverts=wishes.divert, library=library)
    for line in installation.lines():
        tell(line)
    if not installation.is_needed:
        tell(say("everything is in its place"))
    elif wishes.dry_run:
        tell(say("nothing was done: this is what would be"))
        return EX_OK
    else:
        require_rights(root)
        if not agrees(is_sure=wishes.yes):
            return EX_OK
        for path in installation.carry_out():
            tell(say("what was changed of ours is now {path}", path=path))
        tell(say("installed; 'pillarbox uninstall' undoes it"))
    if not wishes.dry_run and is_with_units:
        systemctl(root, "daemon-reload")
    if wishes.start and not wishes.dry_run:
        return _start(root)
    _tell_what_is_left(root, prefix, has_units=is_with_units)
    return EX_OK


def make_parser() -> Parser:
    """Return the reader of the command line."""
    parser = Parser(
        prog="pillarbox install",
        description=spoken(
            say(
                "Put the programs sendmail, msmtp, mailq and newaliases, the services and the"
                " package where this system looks for them. What is to be done is shown first."
            )
        ),
        allow_abbrev=False,
    )
    add = parser.add_argument
    root = say("install into the system whose top is DIR; this one if left out")
    add("--root", default="/", type=os.path.abspath, metavar="DIR", help=spoken(root))
    prefix = say("below what the files go; /usr if left out")
    add("--prefix", default="/usr", type=_prefix, metavar="DIR", help=spoken(prefix))
    python = say("the interpreter that the programs start with; /usr/bin/python3 if left out")
    add(
        "--python",
        default="/usr/bin/python3",
        type=_interpreter,
        metavar="FILE",
        help=spoken(python),
    )
    add("--dry-run", action="store_true", help=spoken(say("only show what would be done")))
    add("--yes", action="store_true", help=spoken(say("do not ask")))
    no_divert = say("keep copies of other packages' files in place of diverting them")
    add("--no-divert", dest="divert", action="store_false", help=spoken(no_divert))
    units = say("put the units of systemd in place even where there is none, or not at all")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--units", action="store_true", default=None, help=spoken(units))
    group.add_argument("--no-units", dest="units", action="store_false", help=spoken(units))
    add("--start", action="store_true", help=spoken(say("start the services, now and at boot")))
    return parser


def _prefix(text: str) -> str:
    if not text.startswith("/") or text.rstrip("/") == "":
        import argparse

        raise argparse.ArgumentTypeError(say("write an absolute path, as {path}", path="/usr"))
    return os.path.normpath(text)


def _interpreter(text: str) -> str:
    """Return a path that can stand behind ``#!``, where nothing is looked for along PATH."""
    if not text.startswith("/"):
        import argparse

        path = "/usr/bin/python3"
        raise argparse.ArgumentTypeError(say("write an absolute path, as {path}", path=path))
    return text


def tell(line: str) -> None:
    """Print a line for a person."""
    print(spoken(line))


def require_rights(root: Root) -> None:
    """
    See that the caller may change this system.

    Raises:
        NotAllowedError: It is not his.

    """
    if root.is_here and os.geteuid() != 0:
        raise NotAllowedError(
            say("only root may change this system"),
            advice=say("use sudo; --dry-run shows what would be done"),
        )


def agrees(*, is_sure: bool) -> bool:
    """
    Return whether a person says yes.

    Raises:
        UsageError: There is nobody to ask.

    """
    if is_sure:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            say("nothing was done: nobody can be asked"), advice=say("use --yes or --dry-run")
        )
    print(spoken(say("Do this? [y/N]")), end=" ", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _start(root: Root) -> int:
    if systemctl(root, "enable", "--now", *_STARTED):
        tell(say("the services are started"))
    else:
        tell(say("systemd does not run here: start 'pillarbox serve' by what starts services"))
    return EX_OK


def _tell_what_is_left(root: Root, prefix: str, *, has_units: bool) -> None:
    """Say what only the administrator can do."""
    place = root.at(_ACCOUNTS)
    if not os.path.exists(place):
        tell(say("next: write the account into {path} (msmtprc(5))", path=_ACCOUNTS))
    elif _is_closed_to_service(root, place):
        command = f"chgrp {USER} {_ACCOUNTS}; chmod 640 {_ACCOUNTS}"
        tell(say("next: let the service read the account: {command}", command=command))
    if has_units:
        command = f"systemctl enable --now {' '.join(_STARTED)}"
        tell(say("next: {command}", command=command))
    tell(say("try it: {command}", command=f"{program_paths(prefix)['msmtp']} --serverinfo"))


def _is_closed_to_service(root: Root, place: str) -> bool:
    owner, status = ids_of_user(root), os.stat(place)
    if owner is None or status.st_mode & _OTHERS_READ:
        return False
    return status.st_uid != owner[0] and not (status.st_gid == owner[1] and status.st_mode & 0o040)
