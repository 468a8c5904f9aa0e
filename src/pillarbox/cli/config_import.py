"""
``pillarbox config import PROGRAM [PATH]``: take over the relay settings of another program.

1. ``IMPORTERS`` reads them, and says what cannot be carried over,
2. ``_merged`` puts the accounts behind what the msmtprc has already,
3. the difference is shown, with the secrets starred out, and
4. with ``--write`` the file is written: whole or not at all, the old one kept.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pillarbox.cli.main import spoken, tell
from pillarbox.config.files import read_file
from pillarbox.config.importers import IMPORTERS
from pillarbox.config.importers.result import text_of
from pillarbox.config.load import SYSTEM_FILE
from pillarbox.config.parse import parse
from pillarbox.config.patterns import Surroundings
from pillarbox.errors import EX_OK, InputOutputError
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from pillarbox.config.importers import NewAccount

__all__ = ["add_arguments", "run"]

_FILE_MAX = 1 << 20  # bytes
_PRIVATE = 0o600
_BEYOND_GROUP = 0o137  # what a file with a password must not grant; a group may read it
_KEPT = "before-import"  # the ending of the old file's name


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``config import``."""
    add = parser.add_argument
    add("program", choices=tuple(IMPORTERS), help=spoken(say("whose settings")))
    path = say("its file, or its directory; the usual one if left out")
    add("path", nargs="?", default="", metavar="PATH", help=spoken(path))
    to = say("the msmtprc to write: /etc/msmtprc for root and ~/.msmtprc for others if left out")
    add("--to", default="", metavar="FILE", help=spoken(to))
    add("--write", action="store_true", help=spoken(say("write it; else it is only shown")))


def run(wishes: Namespace) -> int:
    """
    Show what would be imported, and write it if that is wished.

    Raises:
        MissingInputError: There are no such settings.
        DataError: A value of them fits in no msmtprc.
        ConfigError: The msmtprc that is there is faulty: mend it first.
        InputOutputError: It cannot be read or written.

    """
    usual, read = IMPORTERS[wishes.program]
    source = wishes.path or usual
    target = os.path.realpath(wishes.to or _usual_target())
    result = read(source)
    before = _text_of(target)
    names = _names_in(before, target)
    _rename(result.accounts, names)
    is_default = "default" not in names
    after = _merged(before, result.accounts, source, is_default=is_default)
    for note in result.notes:
        print(printable(spoken(say("note: {note}", note=note)), 500))
    if _has_already(before, result.accounts):
        print(spoken(say("{path} has these settings already", path=target)))
        return EX_OK
    _show(before, result.accounts, source, target, is_default=is_default)
    if not wishes.write:
        print(spoken(say("nothing was written: --write does")))
        return EX_OK
    kept = _write(target, after)
    print(spoken(say("wrote {path}", path=target)))
    if kept:
        print(spoken(say("the old one is {path}", path=kept)))
    tell("pillarbox", spoken(say("try it: pillarbox config check {path}", path=target)))
    return EX_OK


def _usual_target() -> str:
    if os.geteuid() == 0:
        return SYSTEM_FILE
    return f"{Surroundings(os.environ, os.getuid()).home_directory()}/.msmtprc"


def _text_of(path: str) -> str:
    """Return what a file says; empty when it is not there."""
    try:
        content, _ = read_file(path, _FILE_MAX)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputOutputError(
            say("{path}: input error: {reason}", path=path, reason=error.strerror)
        ) from error
    if len(content) > _FILE_MAX:  # only a part of it was read: the rest would be lost
        raise InputOutputError(
            say("{path}: {problem}", path=path, problem=say("is larger than a mebibyte"))
        )
    return content.decode("utf-8", "surrogateescape")


def _names_in(text: str, path: str) -> set[str]:
    """Return the names of the accounts; ``eval`` is not run: no line of it names one usually."""
    content = text.encode("utf-8", "surrogateescape")
    parsed = parse(content, path, run_eval=lambda _command, _line: "# not run")
    return {account.name for account in parsed.accounts}


def _rename(accounts: list[NewAccount], taken: set[str]) -> None:
    """Give the accounts names that are free, and mend what names them."""
    renamed = {}
    for account in accounts:
        name, number = account.name, 1
        while name in taken:
            number += 1
            name = f"{account.name}-{number}"
        renamed[account.name] = account.name = name
    for account in accounts:
        fallback = account.settings.get("fallback")
        if fallback:
            account.settings["fallback"] = renamed[fallback]


def _lines(
    accounts: list[NewAccount], source: str, *, is_default: bool, hides_secrets: bool
) -> list[str]:
    """Return the lines that are added; the fallback of an account may stand below it."""
    lines = [f"# from {source}", *text_of(accounts, hides_secrets=hides_secrets)]
    if is_default:
        lines += [f"account default : {accounts[0].name}", ""]
    return lines


def _merged(before: str, accounts: list[NewAccount], source: str, *, is_default: bool) -> str:
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    lines = _lines(accounts, source, is_default=is_default, hides_secrets=False)
    return before + gap + "\n".join(lines)


def _has_already(before: str, accounts: list[NewAccount]) -> bool:
    """Tell whether all settings of each account stand together in the file, whatever its name."""
    blocks = ["\n".join(list(text_of([each], hides_secrets=False))[1:]) for each in accounts]
    return bool(before) and all(
        _without_fallback(block) in _without_fallback(before) for block in blocks
    )


def _without_fallback(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.startswith("fallback "))


def _show(
    before: str, accounts: list[NewAccount], source: str, target: str, *, is_default: bool
) -> None:
    """Print the difference; nothing of what is there already is shown: it may be secret."""
    print(f"--- {target if before else '/dev/null'}")
    print(f"+++ {target}")
    for line in _lines(accounts, source, is_default=is_default, hides_secrets=True):
        print(printable(f"+{line}", 600))


def _write(target: str, text: str) -> str:
    """Write a file whole or not at all; return the name of the old one, empty: there was none."""
    content = text.encode("utf-8", "surrogateescape")
    new = f"{target}.new.{os.getpid()}"
    try:
        status = os.stat(target) if os.path.exists(target) else None
        mode = _PRIVATE
        if status is not None and not status.st_mode & _BEYOND_GROUP:
            mode = stat.S_IMODE(status.st_mode)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, _PRIVATE), "wb") as file:
            if status is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        kept = _keep(target) if status is not None else ""
        os.rename(new, target)
        if kept:
            os.chmod(kept, mode)  # it may hold a password that all could read
    except OSError as error:
        if os.path.lexists(new):
            os.unlink(new)
        raise InputOutputError(
            say("{path} cannot be written: {reason}", path=target, reason=error.strerror)
        ) from error
    return kept


def _keep(target: str) -> str:
    """Give the old file a second name that nobody has; the first one stays until it is replaced."""
    number = 0
    while True:
        number += 1
        kept = f"{target}.{_KEPT}" + (f".{number}" if number > 1 else "")
        try:
            os.link(target, kept)
        except FileExistsError:
            continue
        return kept
