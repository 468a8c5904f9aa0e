"""
What the accounts are without their secrets, told by who delivers to who takes mail.

Where the roles of a service run apart, the process that takes mail from the programs of a machine
must not be able to read a password (attack P2), and yet it has to know which accounts there are,
their senders and their aliases. So the deliverer, which alone reads msmtprc, writes that into a
file beside the state of the accounts, and the others read it, again whenever it changes.

The rule to keep: a keyword is told because it is in ``TOLD``, never because it is not secret.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.config.load import ConfigFile, Files
from pillarbox.delivery.acceptance import Accounts
from pillarbox.errors import PillarboxError, SpoolError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["TOLD", "TellingAccounts", "ToldAccounts"]

# What acceptance asks of an account, and what ``finish_account`` needs to know of it.
TOLD = (
    "host",
    "port",
    "protocol",
    "socket",
    "domain",
    "user",
    "tls",
    "tls_starttls",
    "tls_host_override",
    "auto_from",
    "maildomain",
    "from",
    "from_full_name",
    "allow_from_override",
    "dsn_notify",
    "dsn_return",
    "aliases",
)
_NAME = "told.json"
_FORMAT = 1
_FILE_MAX = 1 << 24  # octets; a file of accounts has up to one mebibyte


class TellingAccounts(Accounts):
    """The accounts of a process that delivers; others are told of them as soon as it may."""

    _place = ""

    def tell(self, folder: str) -> None:
        """
        Tell of them now, and each time that they were read anew.

        Args:
            folder: The folder of the spool for what is known of accounts; it is there.

        """
        self._place = f"{folder}/{_NAME}"
        self._write()

    def load(self) -> None:
        """Read the files, as ``Accounts.load`` does, and tell what is in them."""
        super().load()
        if self._place:
            self._write()

    def _write(self) -> None:
        files = self._files
        assert files is not None  # load() comes first
        rows = [_row(account) for account in files.accounts()]
        content = json.dumps({"format": _FORMAT, "accounts": rows}, indent=1).encode()
        part = f"{self._place}.part"
        # A disk that is full keeps what was told before; it is told again with the next change.
        with suppress(OSError):
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._place)


class ToldAccounts(Accounts):
    """
    The accounts of a process that does not deliver.

    Their file is read where that is allowed; else what the deliverer has told counts.

    Args:
        folder: The folder of the spool for what is known of accounts.
        others: As for ``Accounts``.

    """

    def __init__(self, *others: Any, folder: str, **named: Any) -> None:
        super().__init__(*others, **named)
        self._place = f"{folder}/{_NAME}"
        self._is_told = False
        self._has_heard = False

    def chosen(self, name: str, sender: str | None, uid: int) -> Account:
        """
        Return the finished account for a mail of a user, as ``Accounts.chosen`` does.

        Raises:
            ConfigError: There is none.
            SpoolError: Nobody has told yet which accounts there are.

        """
        if self._is_told and self.has_changed():
            with suppress(PillarboxError):  # what was told before counts on
                self.load()
        if self._is_told and not self._has_heard:
            raise SpoolError(
                say("the service that delivers has not told yet which accounts there are"),
                advice=say("see whether it runs: systemctl status pillarbox.service"),
            )
        return super().chosen(name, sender, uid)

    def _read(self) -> Files:
        files = super()._read()
        system = files.system
        self._is_told = system is not None and bool(system.reason)
        if system is None or not self._is_told:
            return files
        accounts = self._hear()
        if accounts is None and self._has_heard and self._files is not None:
            return self._files  # what was told before counts on
        self._has_heard = accounts is not None
        return Files(ConfigFile(system.path, accounts or ()), None)

    def _hear(self) -> tuple[Account, ...] | None:
        """Return what was told; None: nothing that can be understood."""
        try:
            with open(self._place, "rb") as file:
                told = json.loads(file.read(_FILE_MAX))
            if told["format"] != _FORMAT:
                return None
            return tuple(map(_account, told["accounts"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _look(self) -> tuple[object, ...]:
        return (*super()._look(), self._stamp(self._place))


def _row(account: Account) -> dict[str, Any]:
    values = {}
    for name in TOLD:
        if account.is_set(name):
            values[name] = [account.get(FIELD_BY_NAME[name]), *account.place(name)]
    return {"name": account.name, "origin": account.origin, "values": values}


def _account(row: dict[str, Any]) -> Account:
    account = Account(row["name"], row["origin"])
    for name, (value, source, line) in row["values"].items():
        if name in TOLD:
            account.set(FIELD_BY_NAME[name], value, source, line)
    return account
