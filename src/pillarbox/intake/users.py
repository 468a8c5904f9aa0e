"""
What the gate of the submission socket asks of this host: users, clock, disk, queue.

The user database may be a server somewhere else, so it is asked only where settings speak of
senders, in a thread, and what it said is believed for some minutes.
"""

from __future__ import annotations

import grp
import os
import pwd
import threading
import zlib
from typing import TYPE_CHECKING

from pillarbox.config.settings import patterns_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.config.settings import Service
    from pillarbox.delivery.clock import Clock
    from pillarbox.spool.base import Room, Spool

__all__ = ["Host"]

_BELIEVED_S = 300.0  # what the user database said
_MAX_USERS = 4096


class Host:
    """
    The surroundings of ``admission.Admission``, as they are.

    Args:
        service: The settings.
        spool: Whose room it is.
        clock: For seconds that only grow.
        hostname: Our name: ``joe@hostname`` is joe.
        share_of: How many mails of a user wait, and their octets.
        count: How many mails wait.

    Attributes:
        service: Replaced by a reload.

    """

    def __init__(
        self,
        service: Service,
        spool: Spool,
        clock: Clock,
        hostname: str,
        *,
        share_of: Callable[[int], tuple[int, int]],
        count: Callable[[], int],
    ) -> None:
        self.service = service
        self._spool = spool
        self._clock = clock
        self._hostname = hostname
        self._share_of = share_of
        self._count = count
        self._known: dict[int, tuple[float, str, tuple[str, ...]]] = {}
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()

    def elapsed_s(self) -> float:
        """Return seconds that only grow."""
        return self._clock.elapsed_s()

    def room(self) -> Room:
        """Return how much still fits into the spool."""
        return self._spool.room()

    def owner_share(self, uid: int) -> tuple[int, int]:
        """Return how many mails of a user wait, and their octets."""
        return self._share_of(uid)

    def queue_count(self) -> int:
        """Return how many mails wait."""
        return self._count()

    def has_patterns(self) -> bool:
        """Return whether the settings speak of senders."""
        return bool(self.service.senders)

    def patterns(self, uid: int) -> tuple[str, ...] | None:
        """Return the senders that a user may use; None: every one. May block."""
        user, groups = self._look_up(uid)
        return patterns_of(self.service, uid=uid, user=user, groups=groups)

    def names(self, uid: int) -> frozenset[str]:
        """Return the local names of a user in lower case. May block."""
        user = self._look_up(uid)[0].lower()
        if not user:
            return frozenset()
        return frozenset((user, f"{user}@{self._hostname.lower()}", f"{user}@localhost"))

    def id_of(self, name: str) -> int:
        """
        Return the id of somebody whom the kernel does not know: a login, or a host far away.

        It is negative, and the same at every start, for the spool remembers it. Whom the settings
        name so, has his patterns.
        """
        uid = -2 - zlib.crc32(name.encode("utf-8", "surrogateescape"))
        with self._lock:
            if len(self._names) >= _MAX_USERS:
                self._names.clear()
            self._names[uid] = name
        return uid

    def _look_up(self, uid: int) -> tuple[str, tuple[str, ...]]:
        if uid < 0:
            return self._names.get(uid, ""), ()
        now_s = self.elapsed_s()
        with self._lock:
            known = self._known.get(uid)
        if known is not None and now_s - known[0] < _BELIEVED_S:
            return known[1], known[2]
        user, groups = _ask_for_user(uid)
        with self._lock:
            if len(self._known) >= _MAX_USERS:
                self._known.clear()
            self._known[uid] = (now_s, user, groups)
        return user, groups


def _ask_for_user(uid: int) -> tuple[str, tuple[str, ...]]:
    """Return a user's name and groups; both are empty for one whom nobody knows."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return "", ()
    names = []
    for gid in os.getgrouplist(found.pw_name, found.pw_gid):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue  # a group without a name cannot be in the settings
    return found.pw_name, tuple(names)
