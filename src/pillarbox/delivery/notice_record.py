"""
How many notices went to whom, and what was put off: written down, so that a restart forgets none.

A window of a day begins with the first notice to somebody. When it has had its number, further
failures become rows of a digest, which is due a day later.

The rule to keep: a row that was put off is on the disk before anybody is told that it is, and it
stays there until the digest that has it is in the spool.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from pillarbox.errors import SpoolError
from pillarbox.mail.notice import Row
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from typing import Any

__all__ = ["NoticeRecord", "PutOff"]

_DAY_S = 86400.0
_VERSION = 1

# What is kept of a digest: a person reads no more, and the rest is in the log and in failed/.
_MAX_ROWS = 100
# Whoever sends under a thousand names may not fill the memory, the disk or the relay: behind these
# nobody new is told, and only the log knows.
_MAX_WINDOWS = 1000
_MAX_ALL_ROWS = 2000
_ALL_TIMES = 10  # notices a day in all, in multiples of those to one


class PutOff(Value):
    """
    A digest that is due.

    Attributes:
        key: Whom it is for, as the record has it.
        account: The name of the account that it goes through.
        rows: The mails, as far as they were kept.
        count: How many there were in all.

    """

    __slots__ = ("account", "count", "key", "rows")

    def __init__(self, key: str, account: str, rows: tuple[Row, ...], count: int) -> None:
        self.key = key
        self.account = account
        self.rows = rows
        self.count = count


class _Window:
    """One day of one reader."""

    __slots__ = ("account", "count", "digest_s", "put_off", "rows", "since_s")

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.count = 0
        self.account = ""
        self.digest_s = 0.0  # when the digest is due; 0: nothing is put off
        self.put_off = 0
        self.rows: list[Row] = []


class NoticeRecord:
    """
    The windows of all readers. Its methods may be called by several threads at a time.

    Args:
        path: The file; empty: in memory only.
        per_day: How many notices one reader gets in a day.

    """

    def __init__(self, path: str, per_day: int) -> None:
        self._path = path
        self._per_day = per_day
        self._lock = Lock()
        self._windows = _load(path)

    def take(self, key: str, *, now_s: float, is_named: bool = False) -> bool:
        """
        Count one notice to a reader.

        Args:
            key: Who it is.
            now_s: Now, in seconds since the epoch.
            is_named: The configuration names him: there is always room for him, as nobody can
                make him up.

        Returns:
            False: he has had his number; it is to be put off.

        """
        with self._lock:
            total = sum(other.count for other in self._windows.values() if _is_within(other, now_s))
            if total >= self._per_day * _ALL_TIMES and not is_named:
                return False
            window = self._window(key, now_s, is_named=is_named)
            if window is None or window.count >= self._per_day:
                return False
            window.count += 1
            # A notice too many after a crash is better than none.
            with suppress(SpoolError):
                self._save()
            return True

    def put_off(
        self, key: str, account: str, row: Row, *, now_s: float, is_named: bool = False
    ) -> bool:
        """
        Keep a row for the digest of a reader; durable when this returns. Fsyncs.

        ``is_named`` is as for ``take``.

        Returns:
            False: there are too many readers, and he is none of them.

        Raises:
            SpoolError: It could not be written down.

        """
        with self._lock:
            window = self._window(key, now_s, is_named=is_named)
            if window is None:
                return False
            before = window.digest_s, window.account
            if not window.digest_s:
                window.digest_s = window.since_s + _DAY_S
                window.account = account
            has_room = len(window.rows) < _MAX_ROWS and (
                sum(len(other.rows) for other in self._windows.values()) < _MAX_ALL_ROWS
            )
            window.put_off += 1
            if has_room:
                window.rows.append(row)
            try:
                self._save()
            except SpoolError:
                window.digest_s, window.account = before
                window.put_off -= 1
                if has_room:
                    window.rows.pop()
                raise
            return True

    def due(self, *, now_s: float) -> list[PutOff]:
        """Return the digests whose day is over; the same again until ``forget``."""
        with self._lock:
            return [
                PutOff(key, window.account, tuple(window.rows), window.put_off)
                for key, window in self._windows.items()
                # Before its window began: somebody has set the clock back.
                if window.put_off and not window.digest_s - _DAY_S <= now_s < window.digest_s
            ]

    def forget(self, put_off: PutOff) -> None:
        """Forget what a digest told; what was put off since stays. Fsyncs."""
        with self._lock:
            window = self._windows.get(put_off.key)
            if window is None:
                return
            window.put_off = max(0, window.put_off - put_off.count)
            del window.rows[: len(put_off.rows)]
            if window.put_off:
                window.digest_s += _DAY_S
            else:
                window.digest_s, window.account = 0.0, ""
            with suppress(SpoolError):
                self._save()

    def _window(self, key: str, now_s: float, *, is_named: bool) -> _Window | None:
        """Return the window of a reader, a new one where his is over; None: there are too many."""
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= _MAX_WINDOWS:
                self._drop_old(now_s)
            if len(self._windows) >= _MAX_WINDOWS and not is_named:
                return None
            window = self._windows[key] = _Window(now_s)
        elif not _is_within(window, now_s):
            window.since_s, window.count = now_s, 0
        return window

    def _drop_old(self, now_s: float) -> None:
        self._windows = {
            key: window
            for key, window in self._windows.items()
            if window.put_off or _is_within(window, now_s)
        }

    def _save(self) -> None:
        if not self._path:
            return
        windows = {key: _as_dict(window) for key, window in self._windows.items()}
        text = json.dumps({"version": _VERSION, "readers": windows}, ensure_ascii=False, indent=1)
        try:
            _replace(self._path, text.encode("utf-8", "surrogateescape"))
        except OSError as exc:
            problem = say("cannot write {path}: {reason}", path=self._path, reason=exc.strerror)
            raise SpoolError(problem) from exc


def _is_within(window: _Window, now_s: float) -> bool:
    return window.since_s <= now_s < window.since_s + _DAY_S


def _replace(path: str, octets: bytes) -> None:
    """Write a file in the place of another, durably: there is always a whole one."""
    new = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(new, flags, 0o600)
    try:
        view = memoryview(octets)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(new, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(path: str) -> dict[str, _Window]:
    """Return what a file says; a damaged one is put aside, never deleted."""
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
        return {str(key): _from_dict(row) for key, row in content["readers"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        with suppress(OSError):
            os.rename(path, f"{path}.damaged")
        return {}


def _as_dict(window: _Window) -> dict[str, Any]:
    return {
        "since": window.since_s,
        "count": window.count,
        "account": window.account,
        "digest": window.digest_s,
        "put_off": window.put_off,
        "rows": [
            {
                "id": row.queue_id,
                "accepted": row.accepted_s,
                "subject": row.subject,
                "recipients": row.recipients,
                "problems": row.problems,
            }
            for row in window.rows
        ],
    }


def _from_dict(content: dict[str, Any]) -> _Window:
    window = _Window(float(content["since"]))
    window.count = int(content["count"])
    window.account = str(content["account"])
    window.digest_s = float(content["digest"])
    window.put_off = int(content["put_off"])
    for row in content["rows"]:
        problems = {str(key): str(value) for key, value in row["problems"].items()}
        window.rows.append(
            Row(
                str(row["id"]),
                float(row["accepted"]),
                str(row["subject"]),
                str(row["recipients"]),
                problems,
            )
        )
    return window
