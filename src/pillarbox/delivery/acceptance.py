"""
From what a caller hands over to the head of an entry: whose mail it is, and who gets it.

The configuration is asked here and now, so that a wrong address or an unknown account is the
caller's to hear of, and not a failure at night. The content is not looked at: it is kept as it was
written, and repaired when it is sent. What must be the same at each try (Message-ID, date) is made
here.
"""

from __future__ import annotations

import os
import threading

from pillarbox.config.account import FIELD_BY_NAME
from pillarbox.config.fallback import check_fallbacks
from pillarbox.config.finish import finish_account, require_sender
from pillarbox.config.load import SYSTEM_FILE, Wishes, choose_account, load_files
from pillarbox.delivery.outgoing import message_id_domain
from pillarbox.errors import ConfigError, DataError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.originate import format_date, make_message_id
from pillarbox.mail.reply import printable
from pillarbox.spool.base import Head, Origin
from pillarbox.spool.entry import make_entry_id
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.config.account import Account
    from pillarbox.config.load import Files
    from pillarbox.mail.address import Mailbox

__all__ = ["SETTINGS", "Accounts", "Submission", "make_head"]

# What a caller may set for one mail; everything else is the account's own (attack L1).
SETTINGS = frozenset(("from_full_name", "repair"))

_RANDOM_OCTETS = 16
_MAX_CHOSEN = 200  # finished accounts that are kept: a caller may make up any number of senders


class Submission(Value):
    """
    What a caller hands over, without the content.

    Attributes:
        recipients: Whom he names; local names are looked up in the account's aliases.
        sender: The reverse-path that he gives; None: the null reverse-path.
        is_own_sender: He gives none: it is the account's own.
        account: The account that he names; empty: it is chosen by the sender.
        settings: Values of keywords by name, as in a file; see ``SETTINGS``.
        ret: As in ``Envelope``.
        envid: As in ``Envelope``.
        notify: As in ``Envelope``.
        priority: That of RFC 6710, -9 to 9.
        origin: Who he is.
        hello_name: What he calls himself; empty: he did not say.
        protocol: How he spoke, in the words of RFC 3848 (``ESMTPS``); empty: as his door does.
        login: The name that he logged in with, of harmless characters; empty: he did not.

    """

    __slots__ = (
        "account",
        "envid",
        "hello_name",
        "is_own_sender",
        "login",
        "notify",
        "origin",
        "priority",
        "protocol",
        "recipients",
        "ret",
        "sender",
        "settings",
    )

    def __init__(
        self,
        recipients: tuple[Mailbox, ...],
        *,
        sender: Mailbox | None = None,
        is_own_sender: bool = False,
        account: str = "",
        settings: Mapping[str, str] | None = None,
        ret: str = "",
        envid: str = "",
        notify: str = "",
        priority: int = 0,
        origin: Origin | None = None,
        hello_name: str = "",
        protocol: str = "",
        login: str = "",
    ) -> None:
        self.recipients = recipients
        self.sender = sender
        self.is_own_sender = is_own_sender
        self.account = account
        self.settings = dict(settings or {})
        self.ret = ret
        self.envid = envid
        self.notify = notify
        self.priority = priority
        self.origin = origin if origin is not None else Origin(os.getuid(), os.getgid())
        self.hello_name = hello_name
        self.protocol = protocol
        self.login = login


class Accounts:
    """
    The accounts that a queue sends through, as its files say.

    Args:
        environment: What the files' patterns and the search for secrets look up.
        system_file: The system's file.
        user_file: A file in place of the user's usual ones; None: those, if ``is_user``.
        is_user: The queue is that of one user, whose own file counts.
        aliases: A file of aliases that goes before those of the accounts; empty: none.

    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        system_file: str = SYSTEM_FILE,
        user_file: str | None = None,
        is_user: bool = False,
        aliases: str = "",
    ) -> None:
        self.aliases = aliases
        self.environment = environment
        self.generation = 0  # how often the files were read
        self._system_file = system_file
        self._user_file = user_file
        self._has_user_file = is_user or user_file is not None
        self._files: Files | None = None
        self._stamps: tuple[object, ...] = ()
        self._finished: dict[str, Account] = {}
        self._chosen: dict[tuple[str, str | None, int], Account] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """
        Read the files, again perhaps. Whatever is wrong with them leaves what was there before.

        Raises:
            ConfigError, InputOutputError: As ``load_files``, or an account cannot be used, or
                a ``fallback`` leads nowhere or in a circle.

        """
        before = self._look()  # what changes while it is read is read again
        files = self._read()
        finished = {}
        for account in files.accounts():
            # One that other accounts inherit from need not be usable by itself.
            if account.host or account.socket:
                finished[account.name] = finish_account(account, self._wishes({}))
        if self._finished and not finished:
            # A file that is being written anew is gone for a moment; mail must not bounce for it.
            missing = [file for file in files.both() if file.reason]
            raise ConfigError(
                say("no account is left: {reason}", reason=missing[0].reason)
                if missing
                else say("no account is left"),
                path=missing[0].path if missing else "",
                advice=say("the accounts that were there before stay in use"),
            )
        check_fallbacks(finished.values())
        with self._lock:
            self._files = files
            self._finished = finished
            self._chosen = {}
            self._stamps = before or self._look()
            self.generation += 1

    def has_changed(self) -> bool:
        """Return whether a file is another than the one that was read."""
        return self._look() != self._stamps

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the files."""
        return self._files.notes if self._files is not None else ()

    def names(self) -> list[str]:
        """Return the names of the accounts that can be used."""
        return list(self._finished)

    def named(self, name: str) -> Account:
        """
        Return the finished account of that name.

        Raises:
            ConfigError: There is none any more.

        """
        with self._lock:
            account = self._finished.get(name)
        if account is None:
            self._choose({}, name, -1)  # has the words for it
            problem = say("account {name} cannot be used", name=printable(name))
            raise ConfigError(problem, advice=say("give it a line host NAME"))
        return account

    def chosen(self, name: str, sender: str | None, uid: int) -> Account:
        """
        Return the finished account for a mail of a user.

        Args:
            name: What he asks for; empty: it is chosen by the sender.
            sender: The envelope sender that he gives; None: the account's own.
            uid: Who he is.

        Raises:
            ConfigError: There is none.

        """
        key = (name, sender, uid)
        known = self._chosen  # that of these files: what a reload brings has another
        account = known.get(key)
        if account is None:
            account = self._choose({} if sender is None else {"from": sender}, name, uid)
            # Most mail of a machine has one of a few senders; to finish an account takes 0.2 ms.
            if len(known) >= _MAX_CHOSEN:
                known.clear()
            known[key] = account
        return account

    def _choose(self, settings: dict[str, object], name: str, uid: int) -> Account:
        wishes = self._wishes(settings, name or None, uid)
        files = self._files
        assert files is not None  # load() comes first
        return finish_account(choose_account(files, wishes)[0], wishes)

    def _wishes(
        self, settings: dict[str, object], name: str | None = None, uid: int = -1
    ) -> Wishes:
        env = dict(self.environment)
        own = os.getuid()
        if uid not in (-1, own):
            # The patterns of a sender speak of the caller, and not of the daemon.
            env["USER"] = _user_name(uid)
        return Wishes(
            settings,
            env=env,
            account_name=name,
            user_file=self._user_file,
            uid=uid if uid >= 0 else own,
            euid=os.geteuid(),
        )

    def _read(self) -> Files:
        return load_files(
            self._wishes({}),
            system_file=self._system_file,
            has_user_file=self._has_user_file,
        )

    def _look(self) -> tuple[object, ...]:
        """Return what changes when a file does."""
        files = self._files
        return () if files is None else tuple(self._stamp(file.path) for file in files.both())

    @staticmethod
    def _stamp(path: str) -> object:
        try:
            status = os.stat(path)
        except OSError as exc:
            return exc.errno
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode


def make_head(submission: Submission, accounts: Accounts, *, hostname: str, epoch_s: float) -> Head:
    """
    Return the head of a new entry. May ask the resolver, where a pattern of the account does.

    Args:
        submission: What is handed over.
        accounts: Where it may go through.
        hostname: Our own name, for the Received field.
        epoch_s: Now, in seconds since the epoch.

    Raises:
        ConfigError: There is no such account, no sender, or an alias is wrong.
        DataError: The sender is no address, or nobody is left to send to.

    """
    given = None if submission.is_own_sender else str(submission.sender or "")
    origin = submission.origin
    account = accounts.chosen(submission.account, given, origin.uid)
    text = require_sender(account)
    # What the caller gave is parsed already; only the account's own is not.
    sender = submission.sender if text == given else parse_mailbox(text) if text else None
    recipients = submission.recipients
    aliases = accounts.aliases or account.aliases
    if aliases and not all(mailbox.domain for mailbox in recipients):
        from pillarbox.mail.aliases import expand_aliases

        recipients = tuple(expand_aliases(recipients, aliases))
    if not recipients:
        raise DataError(say("no recipients found"))
    random = os.urandom(_RANDOM_OCTETS)
    entry_id = make_entry_id(epoch_s, random)
    domain = message_id_domain(account, sender)
    return Head(
        entry_id,
        epoch_s,
        Envelope(
            sender,
            tuple(dict.fromkeys(recipients)),
            ret=submission.ret or account.dsn_return or "",
            envid=submission.envid,
            notify=submission.notify or account.dsn_notify or "",
        ),
        account=account.name,
        message_id=make_message_id(domain, epoch_s=epoch_s, random=os.urandom(10)),
        origin=origin,
        priority=submission.priority,
        settings={
            name: value for name, value in submission.settings.items() if _is_settable(name, value)
        },
        trace=_trace(submission, hostname, entry_id, epoch_s),
    )


def _is_settable(name: str, value: str) -> bool:
    if name not in SETTINGS:
        return False
    try:
        FIELD_BY_NAME[name].parse(value)
    except ValueError as exc:
        problem = say("{value} is no value of {name}", value=repr(printable(value)), name=name)
        raise DataError(problem) from exc
    return True


def _trace(submission: Submission, hostname: str, entry_id: str, epoch_s: float) -> str:
    """Return the Received field of a mail (RFC 5321 4.4): who handed it over, to whom, when."""
    origin = submission.origin
    if origin.door == "notice":
        return ""  # it begins here
    who = f"from {submission.hello_name or hostname}"
    if origin.uid >= 0:
        who += f" (uid {origin.uid})"
    if submission.login:
        who += f" (user {submission.login})"
    protocol = submission.protocol or ("LMTP" if origin.door == "socket" else "local")
    return (
        f"Received: {who}\r\n\tby {hostname} (pillarbox) with {protocol}"
        f" id {entry_id};\r\n\t{format_date(epoch_s)}"
    )


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
