"""
A few threads that do what blocks, in the order in which they get to it.

An executor of the standard library does the same, and makes a future, a lock and a condition for
each piece of work: 30 us a mail, where a mail has 500.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Crew"]

_MAX_WAITING = 64  # pieces of work; who brings more has to wait


class Crew:
    """
    Threads, made when they are first needed, that end with the process.

    Args:
        size: How many.
        name: What they are called.

    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        # One token for each piece there is room for: a semaphore is ten times as slow.
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(_MAX_WAITING):
            self._room.put(None)
        self._lock = threading.Lock()
        self._waiting = threading.Lock()
        self._threads = 0

    def do(self, work: Callable[[], object]) -> None:
        """Have something done, soon; blocks while there is too much of it. It must not raise."""
        if self._threads < self._size:
            self._start_one()
        self._room.get()
        self._work.put(work)

    def wait(self) -> None:
        """Return when all that was given before is done. Blocks."""
        with self._waiting:  # two who share the room between them would wait for ever
            for _ in range(_MAX_WAITING):
                self._room.get()
            for _ in range(_MAX_WAITING):
                self._room.put(None)

    def _start_one(self) -> None:
        with self._lock:
            if self._threads < self._size:
                self._threads += 1
                name = f"pillarbox {self._name}"
                threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            finally:
                del work  # it holds a mail, and the next may be long in coming
                self._room.put(None)
