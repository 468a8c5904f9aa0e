"""
Whom the doctor examines: one account on one machine, and what has been found out of it so far.

A check reads what those before it have put here, and puts here what those behind it need. A field
is None until the check that finds it has passed; a check names in its row whom it needs, so that
it never meets a None there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.load import SYSTEM_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.config.account import Account
    from pillarbox.config.load import Files, Wishes
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.attempt import Connection
    from pillarbox.dns.answers import Ask
    from pillarbox.mail.address import Mailbox
    from pillarbox.secret import Secret

__all__ = ["Patient"]


class Patient:
    """
    One account on one machine.

    Args:
        wishes: Who asks, and which account and sender (``-a``, ``-f``) he means.
        root: The top of the file system that is looked at, without a slash at the end; empty:
            this machine's. Everything that is about the machine is looked for below it.
        make_ask: Returns whom to ask of the DNS; raises as ``dns.answers.nameservers_of`` does,
            which is asked in its place when it is None.
        recipient: Whom ``RCPT`` names in the rehearsal; None: the sender himself.
        patience_s: Seconds that one wait for the network may take.
        may_log_in: Whether a login may be tried; False: nothing needs a secret.
        is_offline: Nothing may be asked of the network, time servers included.

    Attributes:
        system_file: The system's configuration file, below the root.
        files: The configuration files.
        account: The finished account.
        sender: The envelope sender that is asked about.
        provider: Whose server it is; None: nobody's that we know.
        secret: What the login uses; None: there is no login, or it may not be read.
        addresses: The addresses of the host (or of the proxy), the first first.
        clock_offset_s: Seconds that this clock is ahead of a better one; None: not known.
        connection: The open, logged-in connection; closed by ``close``.
        dialogue: What was said until it was logged in, as ``--debug`` shows it, a line each:
            nothing of the login is in it.

    """

    def __init__(
        self,
        wishes: Wishes,
        *,
        root: str = "",
        make_ask: Callable[[], Ask] | None = None,
        recipient: Mailbox | None = None,
        patience_s: float = 10.0,
        may_log_in: bool = True,
        is_offline: bool = False,
    ) -> None:
        self.wishes = wishes
        self.root = root
        self.recipient = recipient
        self.patience_s = patience_s
        self.may_log_in = may_log_in
        self.is_offline = is_offline
        self.system_file = self.at(SYSTEM_FILE)
        self.files: Files | None = None
        self.account: Account | None = None
        self.sender: Mailbox | None = None
        self.provider: Provider | None = None
        self.secret: Secret | None = None
        self.addresses: tuple[str, ...] = ()
        self.clock_offset_s: float | None = None
        self.connection: Connection | None = None
        self.dialogue: tuple[str, ...] = ()
        self._make_ask = make_ask
        self._ask: Ask | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment of who asks."""
        return self.wishes.env

    @property
    def host(self) -> str:
        """Where mail is handed in; empty before the account is known, or for a socket."""
        return (self.account.host or "") if self.account is not None else ""

    def at(self, path: str) -> str:
        """Return where an absolute path is, below the root."""
        return self.root + path

    def read(self, path: str, limit: int = 1 << 20) -> str | None:
        """Return the text of a file of the machine, below the root; None: it cannot be read."""
        try:
            with open(self.at(path), "rb") as file:
                return file.read(limit).decode("utf-8", "replace")
        except OSError:
            return None

    def is_root(self) -> bool:
        """Tell whether whoever asks may read everything."""
        return self.wishes.euid == 0

    @property
    def ask(self) -> Ask:
        """
        Whom to ask of the DNS; the same each time, so that no question is asked twice.

        Raises:
            UsageError: ``PILLARBOX_DNS`` is no address and port.
            MissingExtraError: dnspython is not installed.
            NetworkError: This machine names no nameserver.

        """
        if self._ask is None:
            if self._make_ask is None:
                from pillarbox.dns.answers import nameservers_of

                self._ask = nameservers_of(self.env)
            else:
                self._ask = self._make_ask()
        return self._ask

    def close(self) -> None:
        """Close what is open. Never raises."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def has(self, path: str) -> bool:
        """Tell whether there is something at a path, below the root."""
        return os.path.lexists(self.at(path))
