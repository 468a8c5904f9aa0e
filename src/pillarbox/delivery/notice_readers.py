"""
Who reads a notice: the first that is there and has a mailbox.

1. ``bounce_to`` of the account.
2. The first of the aliases ``postmaster`` and ``root`` that leads to an address of the world.
3. The sender of the mail, unless it is a name of this computer.
4. The account's own address, from which such mail goes out.

Nobody is told of a failure at the address that failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.hints import demands_login_as_sender
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.mail.address import Mailbox, is_local, parse_mailbox
from pillarbox.mail.aliases import expand_aliases

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.spool.base import Head

__all__ = ["Readers", "read_address", "sender_of"]

_MAX_READERS = 10  # of one alias; more is a list, and no list wants this

# Who has no mailbox, whatever domain the configuration put behind the name.
_SYSTEM_NAMES = frozenset(
    ("root", "mailer-daemon", "daemon", "nobody", "www-data", "apache", "nginx")
)


class Readers:
    """
    Find who reads a notice.

    Args:
        hostname: The name of this computer.
        aliases: The aliases file; empty: that of the account.

    """

    def __init__(self, hostname: str, aliases: str) -> None:
        self._hostname = hostname
        self._aliases = aliases

    def find(
        self, head: Head, account: Account, failed: set[str], greeting: str
    ) -> tuple[Mailbox, ...]:
        """Return the first who can be told, and to whom nothing has failed just now."""
        sender = head.envelope.reverse_path
        own = sender_of(account, greeting)
        candidates = [self.administrators(account)]
        if sender is not None and not self._is_of_system(sender):
            candidates.append((sender,))
        if own is not None:
            candidates.append((own,))
        for readers in candidates:
            left = tuple(reader for reader in readers if str(reader).lower() not in failed)
            if left:
                return left
        return ()

    def administrators(self, account: Account) -> tuple[Mailbox, ...]:
        """Return whom the account, or else the aliases, name for trouble."""
        wanted = read_address(account.bounce_to or "")
        if wanted is not None:
            return (wanted,)
        path = self._aliases or account.aliases or ""
        for name in ("postmaster", "root") if path else ():
            try:
                found = expand_aliases([Mailbox(name, "")], path)
            except ConfigError:
                return ()  # the mails that need the file say so
            readers = [mailbox for mailbox in found if self._is_remote(mailbox)]
            if readers:
                return tuple(readers[:_MAX_READERS])
        return ()

    def are_named(self, readers: tuple[Mailbox, ...], account: Account) -> bool:
        """Tell whether the configuration names these, and not the mail."""
        return set(readers) <= set(self.administrators(account))

    def _is_of_system(self, mailbox: Mailbox) -> bool:
        return not self._is_remote(mailbox) or mailbox.local_part.lower() in _SYSTEM_NAMES

    def _is_remote(self, mailbox: Mailbox) -> bool:
        return _can_be_sent_to(mailbox) and not is_local(mailbox, self._hostname)


def sender_of(account: Account, greeting: str = "") -> Mailbox | None:
    """
    Return the address from which an account's notices come; None: it has none.

    Args:
        account: A finished account.
        greeting: That of its server; empty: unknown.

    """
    login = account.user if account.auth != "off" and account.user else ""
    wanted = [account.own_sender, login, account.from_ or ""]
    if login and demands_login_as_sender(account.host, greeting):
        wanted.insert(0, login)
    for text in wanted:
        mailbox = read_address(text)
        if mailbox is not None:
            return mailbox
    return None


def read_address(text: str) -> Mailbox | None:
    """Return an address that can be written to from anywhere, or None."""
    if not text or any(char in text for char in "*?[%"):
        return None
    try:
        mailbox = parse_mailbox(text)
    except PillarboxError:
        return None
    return None if is_local(mailbox) or not _can_be_sent_to(mailbox) else mailbox


def _can_be_sent_to(mailbox: Mailbox) -> bool:
    try:
        mailbox.wire_form(smtputf8=mailbox.needs_smtputf8)
    except PillarboxError:  # a domain that is not ASCII, and nothing here to convert it
        return False
    return True
