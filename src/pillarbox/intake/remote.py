"""
The other half of a service whose roles run apart: who delivers is another process.

He is told over the control socket; that he hears of a mail at once is a kindness (step S10), for he
looks through the spool himself every minute. The rule to keep: nothing here can make a mail that
was committed fail.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from pillarbox.delivery.carrier import Carrier
from pillarbox.delivery.events import WARNING
from pillarbox.delivery.steward_rows import parse_status_row
from pillarbox.errors import PillarboxError, SpoolError
from pillarbox.net.control import ControlClient
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from typing import Any

    from pillarbox.delivery.events import Events
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.spool.base import Entry, Spool

__all__ = ["RemoteCarrier", "Result", "Shares"]

_MAX_WAKES = 1000  # not told yet; the rest he finds by himself
# Threads that wait at a time. A caller may go away, and his thread waits on: without an end to it
# one user had all tasks that systemd allows us (attack L11).
_MAX_WAITS = 50
_WAIT_S = 1800.0  # as long as anybody waits for a provider
_START_S = 2.0  # for a question to be on its way


class Result(Value):
    """What an entry's first attempt came to: a status for each forward-path, in order."""

    __slots__ = ("statuses",)

    def __init__(self, statuses: tuple[RecipientStatus, ...]) -> None:
        self.statuses = statuses


class RemoteCarrier(Carrier):
    """
    Tell the process that delivers what was put into the spool.

    Args:
        path: Its control socket.
        events: Told when it cannot be reached, once until it can.

    """

    def __init__(self, path: str, events: Events) -> None:
        self._path = path
        self._events = events
        self._wakes: Queue[str] = Queue(_MAX_WAKES)
        self._is_missing = False
        self._places = threading.BoundedSemaphore(_MAX_WAITS)
        threading.Thread(target=self._tell_wakes, name="wake", daemon=True).start()

    def put_back(self, entry: Entry) -> None:
        """Tell of an entry, soon and in another thread."""
        with suppress(Full):
            self._wakes.put_nowait(entry.head.id)

    def wait_for(self, entry_id: str) -> Future[Any]:
        """Return what will be set when the other process knows. Blocks until it was asked."""
        future: Future[Any] = Future()
        if not self._places.acquire(blocking=False):
            problem = say("too many programs wait for an answer already")
            future.set_exception(SpoolError(problem))
            return future
        has_started = threading.Event()
        threading.Thread(
            target=self._wait, args=(entry_id, future, has_started), name="wait", daemon=True
        ).start()
        has_started.wait(_START_S)
        return future

    def _tell_wakes(self) -> None:
        while True:
            ids = [self._wakes.get()]
            with suppress(Empty):
                while True:
                    ids.append(self._wakes.get_nowait())
            try:
                with ControlClient(self._path) as client:
                    for entry_id in ids:
                        list(client.ask({"command": "wake", "id": entry_id}))
                self._is_missing = False
            except PillarboxError as exc:
                if not self._is_missing:
                    self._events.event(WARNING, "deliverer_missing", problem=str(exc))
                self._is_missing = True

    def _wait(self, entry_id: str, future: Future[Any], has_started: threading.Event) -> None:
        try:
            with ControlClient(self._path, timeout_s=_WAIT_S) as client:
                rows = client.ask({"command": "wait", "id": entry_id})
                has_started.set()
                *statuses, end = rows
            if end.get("problem"):
                raise SpoolError(str(end["problem"]))
            result = Result(tuple(map(parse_status_row, statuses)))
        except PillarboxError as exc:
            with suppress(InvalidStateError):  # nobody waits any more
                future.set_exception(exc)
        else:
            with suppress(InvalidStateError):
                future.set_result(result)
        finally:
            has_started.set()
            self._places.release()


class Shares:
    """
    How much of the queue is whose, in a process that does not deliver it.

    Counted when the spool is looked through, and up with each mail that comes in since; what was
    delivered since is found at the next look.

    Args:
        spool: The spool.

    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._shares: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def look(self) -> None:
        """
        Count anew. Blocks, as long as it takes to read the head of every entry.

        Raises:
            SpoolError: The spool cannot be read.

        """
        shares: dict[int, tuple[int, int]] = {}
        for entry in self._spool.scan():
            _add(shares, entry.head.origin.uid, entry.size_bytes)
        with self._lock:
            self._shares = shares

    def count_in(self, uid: int, size_bytes: int) -> None:
        """Count one more mail."""
        with self._lock:
            _add(self._shares, uid, size_bytes)

    def share_of(self, uid: int) -> tuple[int, int]:
        """Return how many mails of a user wait, and their octets."""
        return self._shares.get(uid, (0, 0))

    def __len__(self) -> int:
        with self._lock:
            return sum(count for count, _ in self._shares.values())


def _add(shares: dict[int, tuple[int, int]], uid: int, size_bytes: int) -> None:
    count, waiting_bytes = shares.get(uid, (0, 0))
    shares[uid] = (count + 1, waiting_bytes + size_bytes)
