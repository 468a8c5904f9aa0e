"""
The fsyncs of a directory, shared: a hundred mails at a time need one, not a hundred.

The rule to keep: an fsync counts for a caller only if it began after the call.
"""

from __future__ import annotations

import errno
import os
from threading import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.spool.disk import Disk

__all__ = ["SharedSync"]


class _Round:
    """One fsync and whoever waits for it; it has failed until it has not."""

    __slots__ = ("error", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self.error: OSError | None = OSError(errno.EINTR, os.strerror(errno.EINTR))


class SharedSync:
    """
    The fsyncs of one directory, shared among all who need one at the same time.

    One that has begun already may have missed what a caller did just before: each caller gets
    the outcome of the first that begins after its call. A failed one is a failure for all who
    waited for it, whatever a later one says: Linux reports an error once and forgets it.
    """

    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk = disk
        self._fd = fd
        self._changed = Condition()
        self._next = _Round()
        self._is_running = False

    def sync(self) -> None:
        """
        Return when the names in the directory are durable. Blocks.

        Raises:
            OSError: They may not be.

        """
        with self._changed:
            mine = self._next
            while self._is_running and not mine.is_done:
                self._changed.wait()
            if not mine.is_done:
                self._next = _Round()
                self._is_running = True
                self._lead(mine)
        if mine.error is not None:
            raise OSError(mine.error.errno, mine.error.strerror) from mine.error

    def _lead(self, mine: _Round) -> None:
        self._changed.release()
        try:
            self._disk.fsync(self._fd)
            mine.error = None
        except OSError as exc:
            mine.error = exc
        finally:
            self._changed.acquire()
            mine.is_done = True
            self._is_running = False
            self._changed.notify_all()
