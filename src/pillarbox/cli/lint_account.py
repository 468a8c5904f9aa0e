"""
What ``pillarbox lint`` learns of the account from a configuration, silently and if it can.

Lint must work where nothing is configured, and must not do what sending does: no command of a
configuration is run, no password is looked for, and a broken file is not its business.
"""

from __future__ import annotations

import os
from functools import partial

from pillarbox.config.files import read_file
from pillarbox.config.hints import demands_login_as_sender, limits_of
from pillarbox.config.load import SYSTEM_FILE, ConfigFile, Files, Wishes, choose_account
from pillarbox.config.parse import parse
from pillarbox.errors import PillarboxError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from pillarbox.config import account as config_account

__all__ = ["Account", "find_account"]

_FILE_MAX = 1 << 20  # as for sending


class _CommandError(Exception):
    """An eval line stands in the way: what it would print is not known."""


class Account(Value):
    """
    What is known of the account.

    Attributes:
        sender: Its address; None: unknown.
        demands_sender: Tells whether its provider takes no other From.
        max_size_bytes: What its provider takes; None: unknown.
        max_recipients: How many recipients its provider takes at once; None: unknown.

    """

    __slots__ = ("demands_sender", "max_recipients", "max_size_bytes", "sender")

    def __init__(
        self,
        sender: Mailbox | None = None,
        demands_sender: Callable[[], bool] = bool,
        max_size_bytes: int | None = None,
        max_recipients: int | None = None,
    ) -> None:
        self.sender = sender
        self.demands_sender = demands_sender
        self.max_size_bytes = max_size_bytes
        self.max_recipients = max_recipients


def find_account(env: Mapping[str, str]) -> Account:
    """Return what the usual files say of the default account; nothing where they are broken."""
    try:
        files = Files(_load(SYSTEM_FILE), _load_user_file(env))
        account, _ = choose_account(files, Wishes({}, env=env))
    except (PillarboxError, _CommandError):
        return Account()
    host = account.host or ""
    limits = limits_of(host)
    return Account(
        _sender(account),
        partial(demands_login_as_sender, host),
        limits.get("message_bytes"),
        limits.get("recipients_per_message"),
    )


def _load_user_file(env: Mapping[str, str]) -> ConfigFile:
    home = env.get("HOME") or os.path.expanduser("~")
    file = _load(f"{home}/.msmtprc")
    if not file.reason:
        return file
    return _load(f"{env.get('XDG_CONFIG_HOME') or home + '/.config'}/msmtp/config")


def _load(path: str) -> ConfigFile:
    try:
        text, _ = read_file(path, _FILE_MAX)
    except (OSError, ValueError) as exc:
        return ConfigFile(path, reason=str(exc))
    return ConfigFile(path, parse(text, path, run_eval=_run_nothing).accounts)


def _run_nothing(_command: str, _line: int) -> NoReturn:
    raise _CommandError


def _sender(account: config_account.Account) -> Mailbox | None:
    """Return the account's address, if it is one and no pattern for several."""
    for text in (account.from_, account.user):
        if text and "@" in text and not set(text) & set("*?[%"):
            try:
                return parse_mailbox(text)
            except PillarboxError:
                continue
    return None
