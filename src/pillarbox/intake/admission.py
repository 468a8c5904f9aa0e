"""
Who may hand over how much, and under which sender: the gate in front of the spool.

Everything that a user of this host can use up is counted here, for each user id that the kernel
names: connections, mails a minute, mails and octets that wait, room on the disk (attacks L11, P7).
Root has a reserve in each of them, so that the alert of a host that a user has flooded still goes
out. The rule to keep: a refusal for want of something is temporary (``452``: the caller's mail is
not lost, he tries again), one of a sender is not (``550 5.7.1``).

Nothing here reads a clock, a disk or a user database: what it needs to know it asks the
``Surroundings`` that it was given, and tests give it their own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from pillarbox.config.match import matches_sender
from pillarbox.mail.reply import EnhancedCode, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.config.settings import Limits
    from pillarbox.mail.address import Mailbox
    from pillarbox.spool.base import Room

__all__ = ["ROOT_FACTOR", "Admission", "Surroundings", "refusal"]

ROOT_FACTOR = 10  # root may have so many times as much as another user
_RESERVE_PERCENT = 10  # of connections and of the queue's places: only root may use the last ones
_ROOM_FACTOR = 4  # a mail needs so many times its size free: its notice, its retry, its log
_ONCE_S = 3600.0  # one log line a user and reason in this time
_MAX_USERS = 4096  # remembered at a time; with user namespaces one user may have 65,536 ids
_MAX_PRIORITY = 3  # of all but root's mail; from 4 on a mail is urgent
_ROOT = 0


class Surroundings(Protocol):
    """What the gate asks the world."""

    def elapsed_s(self) -> float:
        """Return seconds that only grow."""

    def room(self) -> Room:
        """Return how much still fits into the spool. May raise ``SpoolError``."""

    def owner_share(self, uid: int) -> tuple[int, int]:
        """Return how many mails of a user wait, and their octets."""

    def queue_count(self) -> int:
        """Return how many mails wait."""

    def has_patterns(self) -> bool:
        """Return whether there is any user for whom there are patterns; does not block."""

    def patterns(self, uid: int) -> tuple[str, ...] | None:
        """Return the senders that a user may use; None: every one."""

    def names(self, uid: int) -> frozenset[str]:
        """Return the local names of a user in lower case: ``joe``, ``joe@host.example.org``."""


def refusal(code: int, enhanced: str, text: str) -> Reply:
    """Return a reply that refuses, with its enhanced code in front of the text."""
    klass, subject, detail = map(int, enhanced.split("."))
    line = f"{enhanced} {text}".encode("utf-8", "backslashreplace")
    return Reply(code, (line,), EnhancedCode(klass, subject, detail))


class Admission:
    """
    The gate; every method may be called by several threads at a time.

    Args:
        limits: How much there is.
        world: What it asks.
        note: Told of a refusal, at most once an hour for a user and a reason:
            ``note(uid, reason)``.
        owner_uid: A user who has root's rights here: the owner of a queue of his own; -1: nobody.

    Attributes:
        limits: Replaced by a reload.

    """

    def __init__(
        self,
        limits: Limits,
        world: Surroundings,
        *,
        note: Callable[[int, str], None],
        owner_uid: int = -1,
    ) -> None:
        self.limits = limits
        self._world = world
        self._note = note
        self._owner_uid = owner_uid
        self._lock = threading.Lock()
        self._connections: dict[int, int] = {}
        self._buckets: dict[int, tuple[float, float]] = {}  # uid -> mails left, when
        self._noted: dict[tuple[int, str], float] = {}

    def is_privileged(self, uid: int) -> bool:
        """Return whether a user may use the reserves."""
        return uid in (_ROOT, self._owner_uid)

    # -- connections ---------------------------------------------------------------------------

    def enter(self, uid: int) -> Reply | None:
        """Count a connection, to be given back by ``leave``; or return why there is none."""
        limits = self.limits
        own = limits.max_connections_per_user
        total = limits.max_connections
        with self._lock:
            mine = self._connections.get(uid, 0)
            everybody = sum(self._connections.values())
            # Of root's the driver counts how many there are; its limit is above both of these.
            if self.is_privileged(uid) or (mine < own and everybody < total):
                self._connections[uid] = mine + 1
                return None
        self._remark(uid, "connections")
        return refusal(421, "4.7.0", "Too many connections, try again later")

    def leave(self, uid: int) -> None:
        """Give a connection back that ``enter`` has counted."""
        with self._lock:
            left = self._connections.get(uid, 0) - 1
            if left > 0:
                self._connections[uid] = left
            else:
                self._connections.pop(uid, None)

    # -- one mail ------------------------------------------------------------------------------

    def judge_mail(self, uid: int, size_bytes: int) -> Reply | None:
        """
        Take one mail from what a user may hand over now; or return why he may not.

        Args:
            uid: Who he is.
            size_bytes: What he says that it has; 0: he does not say.

        """
        limits, factor = self.limits, self._factor(uid)
        if size_bytes > limits.max_message_bytes:
            return refusal(552, "5.3.4", _too_big(limits.max_message_bytes))
        count, waiting_bytes = self._world.owner_share(uid)
        places = limits.max_queue_count
        if not self.is_privileged(uid):
            places -= places * _RESERVE_PERCENT // 100
        if self._world.queue_count() >= places:
            return self._refuse(uid, "queue", "4.3.1", "The queue is full, try again later")
        if count >= limits.per_user_share_count * factor:
            return self._refuse(
                uid,
                "share_count",
                "4.7.1",
                f"You have {count} mails waiting, and may not have more",
            )
        if waiting_bytes + size_bytes > limits.per_user_share_bytes * factor:
            return self._refuse(
                uid, "share_bytes", "4.7.1", "Your waiting mails are too large already"
            )
        if not self._take_token(uid, factor):
            return self._refuse(
                uid, "rate", "4.7.1", "You hand over too many mails, try again in a minute"
            )
        return None

    def is_sender_judged(self, uid: int) -> bool:
        """Return whether ``judge_sender`` has anything to look up; does not block."""
        return self._world.has_patterns() and not self.is_privileged(uid)

    def judge_sender(self, uid: int, sender: Mailbox | None) -> Reply | None:
        """
        Return why a user may not use a sender; None: he may. May look users up, and so block.

        The null reverse-path forges nobody, and a user's own local name is his.
        """
        if sender is None or not self.is_sender_judged(uid):
            return None
        patterns = self._world.patterns(uid)
        if patterns is None:
            return None
        text = str(sender)
        if text.lower() in self._world.names(uid):
            return None
        if any(matches_sender(pattern, text) for pattern in patterns):
            return None
        self._remark(uid, "sender")
        return refusal(550, "5.7.1", f"User id {uid} may not send as this sender")

    def priority(self, uid: int, asked: int) -> int:
        """
        Return the priority that a mail gets (RFC 6710 allows us to lower what is asked for).

        Urgent mail may use the last of an account's daily budget, so it is root's to call it so.
        """
        return asked if self.is_privileged(uid) else min(asked, _MAX_PRIORITY)

    def judge_room(self, uid: int, size_bytes: int) -> Reply | None:
        """
        Return why a mail does not fit in; None: it does. Blocks, as the disk does.

        Args:
            uid: Whose it is.
            size_bytes: Octets that are known of it; asked again as they get more.

        Raises:
            SpoolError: The disk does not say.

        """
        limits = self.limits
        room = self._world.room()
        needed, inodes = size_bytes, 1
        if not self.is_privileged(uid):
            needed = max(
                _ROOM_FACTOR * size_bytes, _part(room.total_bytes, limits.min_free_percent)
            )
            inodes = max(1, _part(room.total_inodes, limits.min_free_inodes_percent))
        if room.total_bytes and room.free_bytes < needed:
            return self._refuse(uid, "space", "4.3.1", "The disk is too full, try again later")
        if room.total_inodes and room.free_inodes < inodes:
            return self._refuse(uid, "inodes", "4.3.1", "The disk has too many files already")
        if size_bytes > limits.max_message_bytes:
            return refusal(552, "5.3.4", _too_big(limits.max_message_bytes))
        return None

    # -- the books -----------------------------------------------------------------------------

    def _factor(self, uid: int) -> int:
        return ROOT_FACTOR if self.is_privileged(uid) else 1

    def _take_token(self, uid: int, factor: int) -> bool:
        """Take one mail from a user's bucket, which fills with time; False: there is none."""
        burst = float(self.limits.per_user_burst * factor)
        per_s = self.limits.per_user_rate_per_minute * factor / 60.0
        now_s = self._world.elapsed_s()
        with self._lock:
            left, seen_s = self._buckets.get(uid, (burst, now_s))
            left = min(burst, left + max(0.0, now_s - seen_s) * per_s)
            has_one = left >= 1.0
            self._buckets[uid] = (left - 1.0 if has_one else left, now_s)
            if len(self._buckets) > _MAX_USERS:
                self._forget_full(now_s)
        return has_one

    def _forget_full(self, now_s: float) -> None:
        """Drop the buckets that are full again, and if there is none, those longest unused."""
        per_s = self.limits.per_user_rate_per_minute / 60.0
        burst = self.limits.per_user_burst
        kept = {
            uid: (left, seen_s)
            for uid, (left, seen_s) in self._buckets.items()
            if left + (now_s - seen_s) * per_s < burst
        }
        newest = sorted(kept.items(), key=lambda item: item[1][1])[-_MAX_USERS // 2 :]
        self._buckets = dict(newest)

    def _refuse(self, uid: int, reason: str, enhanced: str, text: str) -> Reply:
        self._remark(uid, reason)
        return refusal(452, enhanced, text)

    def _remark(self, uid: int, reason: str) -> None:
        now_s = self._world.elapsed_s()
        with self._lock:
            last_s = self._noted.get((uid, reason))
            if last_s is not None and now_s - last_s < _ONCE_S:
                return
            if len(self._noted) >= _MAX_USERS:
                self._noted.clear()
            self._noted[uid, reason] = now_s
        self._note(uid, reason)


def _part(total: int, percent: int) -> int:
    return total * percent // 100


def _too_big(limit: int) -> str:
    return f"The message is larger than {limit} octets"
