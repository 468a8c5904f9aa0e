"""
A machine with a queue, for tests: the real deliverer, a real spool and server; the clocks are ours.

``World.put`` accepts a mail, ``World.run`` lets time go by: what is due is done in the deliverer's
own threads, which are waited for, and then the clocks move on to what is due next. Nothing sleeps.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from peer import _GOOD, PASSWORD, USER
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, load_files
from pillarbox.delivery.acceptance import Accounts, Submission, make_head
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.deliverer import Deliverer
from pillarbox.delivery.events import Events
from pillarbox.delivery.health import Memory as Remembered
from pillarbox.delivery.notices import Notices
from pillarbox.delivery.traffic import Limits, Traffic
from pillarbox.mail.address import parse_mailbox
from pillarbox.spool.base import Entry, Progress
from pillarbox.spool.disk import Disk
from pillarbox.spool.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path

    from peer import Puppet
    from pillarbox.config.account import Account
    from pillarbox.delivery.health import Health
    from pillarbox.spool.base import Spool

__all__ = [
    "CONTENT",
    "DAY_S",
    "HOUR_S",
    "MINUTE_S",
    "YEAR_S",
    "FullDisk",
    "HandClock",
    "World",
    "account",
    "alerts",
    "repair",
]

MINUTE_S, HOUR_S, DAY_S, YEAR_S = 60.0, 3600.0, 86400.0, 365.25 * 86400.0
CONTENT = b"Subject: alert\nFrom: cron@example.org\nTo: you@example.net\n\nThe disk is full.\n"


class HandClock(Clock):
    """Two clocks that are moved by hand, the calendar also by years."""

    def __init__(self) -> None:
        self.now_s = 50_000.0
        self.calendar_s = 1.8e9

    def epoch_s(self) -> float:
        """Return what the calendar says."""
        return self.now_s + self.calendar_s

    def elapsed_s(self) -> float:
        """Return what nobody can set."""
        return self.now_s


class FullDisk(Disk):
    """A disk on which nothing can be written in place while ``is_full``."""

    is_full = False

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write, or have no room."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().pwrite(fd, data, offset)


class World:
    """A machine with an account, a server that it sends to, and a queue."""

    def __init__(
        self,
        folder: Path,
        *,
        puppet: Puppet,
        spool: Spool | None = None,
        limits: dict[str, Any] | None = None,
        more: str = "",
        **settings: object,
    ) -> None:
        self.folder = folder
        self.limits = {"idle_s": 0.0, "scan_interval_s": 1800.0} | (limits or {})
        self.more = more
        self.puppet = puppet
        self.clock = HandClock()
        self.spool = spool if spool is not None else Memory()
        self.spool.open()
        self.lines: list[str] = []
        self.alarms: list[str] = []
        self.settings = {
            "host": "127.0.0.1",
            "port": puppet.port,
            "from": "me@example.org",
            "auth": "plain",
            "user": USER,
            "password": f'"{PASSWORD}"',
            "tls": "off",
            "timeout": 2,
        } | settings
        self.write_settings()
        self.start()

    def write_settings(self, **settings: object) -> None:
        """Write the account down."""
        self.settings |= settings
        path = self.folder / "msmtprc"
        path.write_text(
            "account default\n"
            + "".join(f"{name} {value}\n" for name, value in self.settings.items())
            + self.more
        )
        path.chmod(0o600)

    def start(self) -> None:
        """Have a process begin, as after a restart."""
        accounts = Accounts({}, system_file=str(self.folder / "msmtprc"))
        accounts.load()
        self.accounts = accounts
        self.deliverer = Deliverer(
            Traffic(
                self.spool,
                accounts,
                Events(self.lines.append, environment={}),
                Notices("host.example.org"),
                limits=Limits(**self.limits),
                clock=self.clock,
                memory=Remembered(str(self.folder)),
                alarm=lambda subject, text: self.alarms.append(f"{subject}: {text}"),
                chance=lambda: 0.0,
            )
        )
        self.deliverer.load()

    def put(
        self,
        *to: str,
        sender: str | None = "me@example.org",
        content: bytes = CONTENT,
        is_known: bool = True,
        **wishes: Any,
    ) -> str:
        """Accept a mail; when it is not known, it only lies in the spool."""
        recipients = tuple(map(parse_mailbox, to or ("you@example.net",)))
        submission = Submission(
            recipients, sender=parse_mailbox(sender) if sender else None, **wishes
        )
        head = make_head(
            submission,
            self.accounts,
            hostname="host.example.org",
            epoch_s=self.clock.epoch_s(),
        )
        draft = self.spool.begin(head)
        draft.write(content)
        draft.commit()
        entry = Entry(head, Progress(b"P" * len(head.envelope.forward_paths)), len(content))
        if is_known:
            self.deliverer.accepted(entry)
        return head.id

    def run(self, seconds: float) -> None:
        """Let time go by: what is due is done, and then the clocks move to what is due next."""
        end_s = self.clock.now_s + seconds
        while True:
            wait_s = self.do_what_is_due()
            if self.clock.now_s >= end_s:
                return
            self.clock.now_s = min(self.clock.now_s + wait_s, end_s)

    def do_what_is_due(self) -> float:
        """Do what is due now, and return in how many seconds there may be more."""
        deliverer = self.deliverer
        while True:
            deliverer._do_chores()
            wait_s = deliverer._start_workers()
            threads = [*deliverer._threads]
            deliverer._threads.clear()
            for thread in threads:
                thread.join(20)
                assert not thread.is_alive(), "a worker hangs"
            deliverer._traffic._recorders.wait()
            if not threads:
                return max(min(wait_s, deliverer._next_scan_s - self.clock.now_s), 1.0)

    def statuses(self, entry_id: str) -> str:
        """Return what is known of the recipients of an entry in the queue."""
        return self.spool.read(entry_id).progress.statuses.decode()

    def told(self, name: str) -> list[str]:
        """Return the lines of the log that tell of an event."""
        return [line for line in self.lines if f"event={name} " in line + " "]

    def health(self, name: str = "default") -> Health:
        """Return how an account is doing."""
        health = self.deliverer._traffic.health(name)
        assert health is not None
        return health

    @property
    def arrived(self) -> list[bytes]:
        """The mails that the server took, notices not among them."""
        return alerts(self.puppet)

    @property
    def notices(self) -> list[Entry]:
        """The notices that wait."""
        return [each for each in self.spool.scan() if each.head.origin.door == "notice"]

    @property
    def logins(self) -> int:
        """How often the server was shown a password."""
        return sum(line.startswith("AUTH") for line in self.puppet.commands)


def account(folder: Path, **settings: object) -> Account:
    """Return an account with these settings."""
    lines: dict[str, object] = {
        "host": "h.example",
        "auth": "plain",
        "user": "me",
        "password": "x",
    } | settings
    path = folder / "msmtprc"
    path.write_text("account a\n" + "".join(f"{name} {value}\n" for name, value in lines.items()))
    path.chmod(0o600)
    wishes = Wishes({}, env={})
    files = load_files(wishes, system_file=str(path), has_user_file=False)
    return finish_account(next(iter(files.accounts())), wishes)


def alerts(puppet: Puppet) -> list[bytes]:
    """Return the mails that a server took, notices not among them."""
    heads = ((each.partition(b"\r\n\r\n")[0], each) for each in puppet.contents)
    return [each for head, each in heads if b"\r\nSubject: alert" in b"\r\n" + head]


def repair(puppet: Puppet, *, forgets: bool = True) -> None:
    """Have a server say what it should, and forget the contents that came before."""
    puppet.replies = dict(_GOOD)
    if forgets:
        puppet.contents.clear()
