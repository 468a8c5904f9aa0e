"""
How one account is doing, and what it may still send: its breaker, its budget, and their memory.

What must outlive a restart (how often the account was logged in to today, why it is paused) is
written into a small JSON file, one an account, so that a daemon that is started again and again
cannot lock the account out.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress

from pillarbox.delivery.breaker import Breaker, fingerprint
from pillarbox.delivery.budget import Budget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.config.account import Account
    from pillarbox.delivery.clock import Clock
    from pillarbox.mail.status import Trouble

__all__ = ["Health", "Memory"]

_NO_ACCOUNT = ""  # no account is called so: the file of the queue itself
_MAX_RECORD = 1 << 20  # octets; ours have a few hundred
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Memory:
    """
    The folder with a file for each account.

    Args:
        path: The folder, which is there; empty: nothing is kept.

    """

    def __init__(self, path: str = "") -> None:
        self._path = path

    def load(self, name: str) -> dict[str, Any]:
        """Return what was kept of an account; empty: nothing that can be understood."""
        if not self._path:
            return {}
        try:
            with open(self._file(name), "rb") as file:
                found = json.loads(file.read(_MAX_RECORD))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def save(self, name: str, record: dict[str, Any]) -> None:
        """Keep what is known of an account. Fsyncs. A disk that is full keeps what was there."""
        if not self._path:
            return
        path = self._file(name)
        part = f"{path}.part"
        try:
            with open(part, "wb") as file:
                file.write(json.dumps(record, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                os.unlink(part)

    def gap_s(self, now_s: float, limit_s: float) -> float:
        """
        Return how long ago the queue was looked at by who has no process that watches it.

        Args:
            now_s: The calendar, which is all there is from one process to the next.
            limit_s: It may jump, and is believed so far at a time.

        """
        before_s = self.load(_NO_ACCOUNT).get("looked_s")
        if not isinstance(before_s, int | float):
            return 0.0
        return min(max(0.0, now_s - before_s), limit_s)

    def has_looked(self, now_s: float) -> None:
        """Write down that the queue was looked at. Fsyncs."""
        self.save(_NO_ACCOUNT, {"looked_s": now_s})

    def _file(self, name: str) -> str:
        quoted = "".join(
            char if char in _PLAIN else "".join(f"%{octet:02X}" for octet in char.encode())
            for char in name
        )
        return f"{self._path}/account-{quoted}.json"


class Health:
    """
    One account, as the queue sees it. Every method may be called by several threads.

    Attributes:
        account: The account, finished.
        breaker: Whether it may be tried; use it only with ``lock``.
        budget: What it may still send; likewise.
        workers: How many threads serve it.
        idle: How many of them wait for mail.
        trouble: What its last failure was; None: there was none.

    """

    def __init__(self, account: Account, memory: Memory, clock: Clock) -> None:
        self.account = account
        self.lock = threading.Lock()
        self.workers = 0
        self.idle = 0
        self.trouble: Trouble | None = None
        self._saving = threading.Lock()
        self._memory = memory
        self._clock = clock
        record = memory.load(account.name)
        now = clock.elapsed_s()
        self.breaker = Breaker(record.get("breaker"), elapsed_s=now, fingerprint=_mark(account))
        self.budget = self._budget(record.get("budget"))

    def renew(self, account: Account) -> None:
        """Take the account as it is now configured; with other credentials the breaker closes."""
        with self.lock:
            spent = self.budget.record(self._clock.elapsed_s())
            self.account = account
            self.breaker.use(_mark(account))
            self.budget = self._budget(spent)
        self.save()

    def _budget(self, record: dict[str, Any] | None) -> Budget:
        account = self.account
        return Budget(
            account.max_per_minute,
            account.max_per_hour,
            account.max_per_day,
            record=record,
            elapsed_s=self._clock.elapsed_s(),
        )

    def wait_s(self, *, is_urgent: bool = False) -> float:
        """Return in how many seconds the account may be used; 0: now."""
        with self.lock:
            now = self._clock.elapsed_s()
            return max(self.breaker.wait_s(now), self.budget.wait_s(now, is_urgent=is_urgent))

    def may_try(self) -> bool:
        """Tell whether the account may be tried now, whatever is left of its budget."""
        with self.lock:
            return self.breaker.may_try(self._clock.elapsed_s())

    def max_workers(self, limit: int) -> int:
        """Return how many connections it may have at a time, of so many that are allowed."""
        with self.lock:
            own = self.breaker.parallel
        return min(limit, own) if own else limit

    def save(self) -> None:
        """Write down what must outlive a restart. Fsyncs."""
        # One at a time, from the record to the disk: what is older must not come later.
        with self._saving:
            with self.lock:
                now = self._clock.elapsed_s()
                record = {"breaker": self.breaker.record(now), "budget": self.budget.record(now)}
            self._memory.save(self.account.name, record)


def _mark(account: Account) -> str:
    """Return what changes when the account's settings do, or the credential of its unit."""
    words = [
        str(getattr(account, name))
        for name in (
            "host",
            "port",
            "socket",
            "user",
            "auth",
            "tls",
            "tls_starttls",
            "passwordeval",
        )
    ]
    words.append(account.password.reveal() if account.password is not None else "")
    words += [str(account.tls_trust_file), str(account.tls_fingerprint), str(account.tls_certcheck)]
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        for name in (f"pillarbox.{account.name}", "pillarbox.password"):
            with suppress(OSError, ValueError):
                words.append(str(os.stat(f"{folder}/{name}").st_mtime_ns))
    return fingerprint(*words)
