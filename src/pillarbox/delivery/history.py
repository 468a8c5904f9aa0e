"""
What became of every mail, kept for some weeks: one file a day, one JSON object a line.

It is written from the events of the log, so that nothing is told twice and differently, by any
process that works on the spool: a line is one write at the end of a file. It is not fsynced: it is
for people who ask where a mail went, and nothing is decided by it. The rules to keep: a history
that cannot be written never stops the mail; a line that cannot be read is passed over.
"""

from __future__ import annotations

import json
import os
import threading
import time

from pillarbox.delivery.events import as_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Any

    from pillarbox.delivery.events import Event

    Row = dict[str, Any]

__all__ = ["HISTORY", "History"]

HISTORY = "history"  # the directory in a spool

_DAY_S = 86400
_SUFFIX = ".jsonl"
_NAME_LENGTH = len("2026-11-24") + len(_SUFFIX)
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CHUNK = 1 << 18
_MAX_LINE = 1 << 17  # no line of ours is longer


class History:
    """
    The history of one spool. Every method may be called by several threads.

    Args:
        directory: Where the files are; made at the first event.
        kept_s: How long they are kept, in seconds; None: somebody else removes them.
        epoch_s: Tells the time, to remove what is too old.

    """

    def __init__(
        self,
        directory: str,
        kept_s: float | None = None,
        *,
        epoch_s: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self.kept_s = kept_s
        self._epoch_s = epoch_s
        self._lock = threading.Lock()
        self._day = -1
        self._fd = -1

    def add(self, event: Event) -> None:
        """Keep an event. Never raises."""
        data = as_json(event).encode() + b"\n"
        day = int(event.epoch_s) // _DAY_S
        try:
            with self._lock:
                if day != self._day:
                    self._begin(day)
                if os.write(self._fd, data) != len(data):
                    self._leave()  # the disk is full: the half of a line gets its end first
        except OSError:
            return

    def close(self) -> None:
        """Close the file of today. Never raises; what is added later opens it again."""
        with self._lock:
            self._leave()

    def tidy(self) -> None:
        """Remove the files that are too old. Never raises."""
        if self.kept_s is None:
            return
        oldest = _name_of(int(self._epoch_s() - self.kept_s) // _DAY_S)
        for name in self._names():
            if name < oldest:
                try:
                    os.unlink(f"{self._directory}/{name}")
                except OSError:
                    continue

    def find(
        self,
        *,
        id: str = "",  # noqa: A002 (the field's word)
        message_id: str = "",
        provider_id: str = "",
        pid: int | None = None,
        uid: int | None = None,
        account: str = "",
        about: str = "",
        events: Collection[str] = (),
        since_s: float | None = None,
        until_s: float | None = None,
    ) -> Iterator[Row]:
        """
        Yield the records that have all of what is asked for, one at a time in memory.

        The newest file is read first, each from its beginning: within a day the records are in
        order. A record has ``time`` (seconds since the epoch), ``event``, ``priority``, and the
        fields of its row in ``event_table.EVENTS``.
        """
        wanted: Row = {
            "id": id or None,
            "message_id": message_id or None,
            "provider_id": provider_id or None,
            "pid": pid,
            "uid": uid,
            "account": account or None,
            "about": about or None,
        }
        wanted = {key: value for key, value in wanted.items() if value is not None}
        # Most lines are told apart without being understood.
        needles = [json.dumps(value).encode() for value in wanted.values()]
        for name in sorted(self._names(), reverse=True):
            if since_s is not None and name < _name_of(int(since_s) // _DAY_S):
                return
            if until_s is not None and name > _name_of(int(until_s) // _DAY_S):
                continue
            for line in self._lines(name):
                if all(needle in line for needle in needles):
                    row = _parse(line)
                    if row is not None and _matches(row, wanted, events, since_s, until_s):
                        yield row

    def _begin(self, day: int) -> None:
        """Go on in the file of a day; the old ones go, as this is when one becomes too old."""
        self._leave()
        path = f"{self._directory}/{_name_of(day)}"
        try:
            fd = os.open(path, _APPEND, 0o600)
        except FileNotFoundError:
            os.mkdir(self._directory, 0o700)
            fd = os.open(path, _APPEND, 0o600)
        self._fd, self._day = fd, day
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            os.write(fd, b"\n")  # a power cut left half a line: it shall not spoil the next
        self.tidy()

    def _leave(self) -> None:
        fd, self._fd, self._day = self._fd, -1, -1
        if fd >= 0:
            os.close(fd)

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self._directory)
        except OSError:
            return []
        return [name for name in names if len(name) == _NAME_LENGTH and name.endswith(_SUFFIX)]

    def _lines(self, name: str) -> Iterator[bytes]:
        try:
            fd = os.open(f"{self._directory}/{name}", _READ)
        except OSError:
            return
        try:
            rest = b""
            while chunk := os.read(fd, _CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
                if len(rest) > _MAX_LINE:
                    rest = b""  # no line of ours: what is left of it will not be understood
        except OSError:
            return
        finally:
            os.close(fd)


def _name_of(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(max(0, day) * _DAY_S)) + _SUFFIX


def _parse(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_ours = (
        isinstance(row, dict)
        and isinstance(row.get("time"), int | float)
        and isinstance(row.get("event"), str)
    )
    return row if is_ours else None


def _matches(
    row: Row,
    wanted: Row,
    events: Collection[str],
    since_s: float | None,
    until_s: float | None,
) -> bool:
    return (
        all(row.get(key) == value for key, value in wanted.items())
        and (not events or row["event"] in events)
        and (since_s is None or row["time"] >= since_s)
        and (until_s is None or row["time"] <= until_s)
    )
