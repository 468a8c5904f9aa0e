"""
What a setup has done, for a script: one JSON object, without a secret.

``changed`` is what Ansible asks for; with a dry run it says what would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pillarbox.setup.way import Way

__all__ = ["NOT_SENT", "Report"]

NOT_SENT = "no"  # else: sent, confirmed, refused


class Report:
    """
    What was done; filled from the beginning on.

    Attributes:
        is_changed: Something was written, or would have been.
        is_dry: It was not.
        file: The msmtprc.
        account: Its account.
        way: The server and the login.
        store: Where the password is.
        credential: The file of the credential; empty: none was written.
        backup: What was kept of the old msmtprc; empty: nothing.
        aliases: The file of aliases that the account names; empty: none.
        root_alias: Whom mail to root goes to.
        logins: How many were tried.
        is_login_good: One of them succeeded.
        tested: ``no``, ``sent``, ``confirmed`` or ``refused``.
        recipient: Whom the test mail went to.

    """

    def __init__(self, *, is_dry: bool = False) -> None:
        self.is_changed = False
        self.is_dry = is_dry
        self.file = ""
        self.account = ""
        self.way: Way | None = None
        self.store = "file"
        self.credential = ""
        self.backup = ""
        self.aliases = ""
        self.root_alias: tuple[str, ...] = ()
        self.logins = 0
        self.is_login_good = False
        self.tested = NOT_SENT
        self.recipient = ""

    @property
    def is_written(self) -> bool:
        """Whether something was written, so that an early end does not undo it."""
        return self.is_changed and not self.is_dry

    def login_tried(self) -> None:
        """Count a login."""
        self.logins += 1

    def as_json(self) -> dict[str, object]:
        """Return it as ``--json`` prints it; keys are only ever added to it."""
        way = self.way
        provider = way.provider.id if way is not None and way.provider is not None else None
        return {
            "version": 1,
            "changed": self.is_changed,
            "dry_run": self.is_dry,
            "file": self.file,
            "account": self.account,
            "address": str(way.address) if way is not None else None,
            "provider": provider,
            "host": way.host if way is not None else None,
            "port": way.port if way is not None else None,
            "tls": way.tls if way is not None else None,
            "user": way.user or None if way is not None else None,
            "source": way.source if way is not None else None,
            "store": self.store,
            "credential": self.credential or None,
            "backup": self.backup or None,
            "aliases": self.aliases or None,
            "root_alias": list(self.root_alias),
            "logins": self.logins,
            "login": self.is_login_good,
            "tested": self.tested,
            "test_recipient": self.recipient or None,
        }
