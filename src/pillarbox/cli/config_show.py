"""
``pillarbox config show``: the values that would be used for a mail, and who set each.

What ``msmtp --pretend`` prints is for scripts and stays msmtp's; this is for a person: only what
somebody has set or what decides, with file and line. Commands are not run and not shown: both
``passwordeval`` and ``password`` may hold the secret.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pillarbox.cli.main import spoken, tell
from pillarbox.cli.page import width_of
from pillarbox.config.account import FIELDS
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.config.secrets import SOURCES
from pillarbox.errors import EX_OK
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from pillarbox.config.account import Account, Field
    from pillarbox.config.load import Files

__all__ = ["add_arguments", "run", "settings_of"]

# What decides where a mail goes: shown whoever set it.
_ALWAYS = frozenset(("host", "port", "tls", "tls_starttls", "tls_trust_file", "auth", "from"))
_HIDDEN = frozenset(("password", "passwordeval"))

# Why an account was chosen, by how ``choose_account`` begins to say it.
_REASONS = (
    ("using account specified", say("as it was named")),
    ("account chosen by envelope", say("by the sender")),
    ("falling back", say("as the default")),
    ("using environment", say("from the environment")),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``config show``."""
    add = parser.add_argument
    account = say("the account of this name")
    add("--account", "-a", default=None, metavar="NAME", help=spoken(account))
    sender = say("the account that a mail of this sender goes through")
    add("--from", "-f", default=None, dest="sender", metavar="ADDRESS", help=spoken(sender))
    file = say("this file in place of ~/.msmtprc")
    add("--file", "-C", default=None, metavar="FILE", help=spoken(file))
    add("--all", action="store_true", help=spoken(say("all keywords, set or not")))
    add("--json", action="store_true", help=spoken(say("print JSON for a program")))


def run(wishes: Namespace) -> int:
    """
    Show the account that would be used.

    Raises:
        ConfigError, InputOutputError: The files cannot be used, or no account fits.

    """
    settings = {} if wishes.sender is None else {"from": wishes.sender}
    asked = Wishes(settings, env=os.environ, account_name=wishes.account, user_file=wishes.file)
    files = load_files(asked)
    chosen, reason = choose_account(files, asked)
    account = finish_account(chosen, asked)
    for note in files.notes:
        tell("pillarbox", spoken(say("warning: {warning}", warning=note)))
    rows = settings_of(account, is_all=wishes.all or wishes.json)
    if wishes.json:
        row = {"account": account.name, "file": account.origin, "settings": rows}
        print(json.dumps(row, ensure_ascii=False, indent=2))
    else:
        _print(account, reason, files, rows)
    return EX_OK


def settings_of(account: Account, *, is_all: bool) -> dict[str, dict[str, Any]]:
    """
    Return keyword -> value, who set it, and on which line (0: in no file).

    Args:
        account: A finished account.
        is_all: Those as well that nobody set and that decide nothing.

    """
    rows: dict[str, dict[str, Any]] = {}
    for field in FIELDS:
        source, line = account.place(field.name)
        is_own = account.get(field) != field.default or field.name in _ALWAYS or line
        if is_all or is_own:
            value = _value(field, account.get(field))
            rows[field.name] = {"value": value, "source": spoken(source), "line": line}
    return rows


def _value(field: Field, value: object) -> str | None:
    if value is None:
        return None
    if field.name in _HIDDEN:
        return "*"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _print(account: Account, reason: str, files: Files, rows: dict[str, dict[str, Any]]) -> None:
    for file in files.both():
        read = say("read {path}", path=file.path)
        if file.reason:
            read = say("not read: {path} ({reason})", path=file.path, reason=file.reason)
        print(spoken(read))
    why = next((text for start, text in _REASONS if reason.startswith(start)), "")
    print(spoken(say("account {name}, {reason}", name=account.name or "-", reason=why)))
    print()
    cells = [
        (name, printable(row["value"] if row["value"] is not None else "-"), _place(row))
        for name, row in rows.items()
    ]
    first = max(width_of(name) for name, *_ in cells)
    second = max(width_of(value) for _, value, _ in cells)
    for name, value, place in cells:
        gap = " " * (second - width_of(value))
        print(f"{name:{first}}  {value}{gap}  {place}".rstrip())
    if account.auth != "off" and account.password is None and account.passwordeval is None:
        names = ", ".join(source.name for source in SOURCES[2:])
        print()
        print(spoken(say("The password is looked for in: {names}", names=names)))


def _place(row: dict[str, Any]) -> str:
    return f"{row['source']}:{row['line']}" if row["line"] else row["source"]
