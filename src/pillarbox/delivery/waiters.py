"""Who waits for what becomes of an entry: callers of ``--wait``, answered in the end."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.mail.status import RecipientStatus

__all__ = ["Result", "Waiters", "keep"]


class Result(Value):
    """
    What the first attempt at an entry came to.

    Attributes:
        id: The queue ID.
        statuses: One for each forward-path, in order.
        is_kept: It stays in the queue, and is tried again.

    """

    __slots__ = ("id", "is_kept", "statuses")

    def __init__(
        self,
        id: str,  # noqa: A002 (the field's word)
        statuses: tuple[RecipientStatus, ...],
        *,
        is_kept: bool,
    ) -> None:
        self.id = id
        self.statuses = statuses
        self.is_kept = is_kept


class Waiters:
    """The promises that were made, by queue ID; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._promises: dict[str, list[Future[Result]]] = {}

    def add(self, entry_id: str) -> Future[Result]:
        """Return what will be set; cancel it when nobody listens any more."""
        promise: Future[Result] = Future()
        with self._lock:
            self._promises.setdefault(entry_id, []).append(promise)
        promise.add_done_callback(lambda _: self._drop(entry_id, promise))
        return promise

    def _drop(self, entry_id: str, promise: Future[Result]) -> None:
        """Forget a promise that was cancelled."""
        with self._lock:
            found = self._promises.get(entry_id, [])
            if promise in found:
                found.remove(promise)
                if not found:
                    del self._promises[entry_id]

    def take(self, entry_id: str) -> list[Future[Result]]:
        """Return the promises for an entry that somebody still listens to, once."""
        with self._lock:
            found = self._promises.pop(entry_id, ())
        # From here on they cannot be cancelled: they will be kept.
        return [each for each in found if each.set_running_or_notify_cancel()]


def keep(
    promises: Sequence[Future[Result]],
    entry_id: str,
    statuses: Sequence[RecipientStatus],
    *,
    is_kept: bool,
) -> None:
    """Keep what was promised."""
    for promise in promises:
        promise.set_result(Result(entry_id, tuple(statuses), is_kept=is_kept))
