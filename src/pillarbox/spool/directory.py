"""
A spool in a directory: one file a mail.

What it promises, and the steps: ``draft`` (S1 to S10: from the caller's yes on, a mail is there)
and ``claim`` (D1 to D8: who has a mail does not get it again). The rest is here: recovery at the
start, listing, moving, removing.

1. ``Directory.open`` - the lock; garbage in ``tmp`` goes, interrupted moves are ended
   (``recovery``). No entry is read: the ``scan`` that follows checks each.
2. ``begin``, ``scan``, ``claim`` ...: any thread, any time.
3. ``settle`` - one fsync for all that was removed; ``close``.

The rule to keep: what is damaged goes to ``corrupt`` and stays there. Nothing but ``remove``
deletes an entry, and nothing but the owner of the delivering part touches one.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from threading import Lock

from pillarbox.errors import (
    CorruptEntryError,
    EntryNotFoundError,
    LocalProtocolError,
    SpoolError,
)
from pillarbox.mail.reply import printable
from pillarbox.spool.base import CORRUPT, QUEUE, STATES, Room, Spool
from pillarbox.spool.claim import open_claim, read_entry, update_entry
from pillarbox.spool.disk import Disk
from pillarbox.spool.draft import FileDraft
from pillarbox.spool.entry import is_entry_id
from pillarbox.spool.folders import ACCOUNTS, Folders
from pillarbox.spool.recovery import end_move, end_moves, take_lock, tidy_up
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from pillarbox.spool.base import Claim, Draft, Entry, Head, Progress
    from pillarbox.text import Text

    _Found = TypeVar("_Found")

__all__ = ["PARTS", "Directory"]

# Which locks a part of pillarbox takes; a process that only adds mails to its user's own spool
# takes none, as many do so at a time.
PARTS = {
    "both": ("submit", "deliver"),
    "submit": ("submit",),
    "deliver": ("deliver",),
    "draft": (),
}

_MAX_NAME = 255  # octets; that of every file system of Linux


class Directory(Spool):
    """
    The spool below one directory.

    Args:
        path: The directory; made, with its parents, where it is missing.
        part: What this process does with it: a key of ``PARTS``.
        disk: What all system calls go through.

    Attributes:
        path: The same.
        warnings: What an administrator should know of it, in sentences.

    """

    def __init__(self, path: str, *, part: str = "both", disk: Disk | None = None) -> None:
        self.path = path
        self._folders = Folders(path, disk or Disk())
        self._disk = self._folders.disk
        self._locks: list[int] = []
        self._wanted_locks = PARTS[part]
        self._may_change = "deliver" in self._wanted_locks
        self._lock = Lock()
        self._moving = Lock()
        self._removed = dict.fromkeys(STATES, 0)
        self._settled = dict.fromkeys(STATES, 0)

    @property
    def warnings(self) -> list[Text]:
        """What an administrator should know of it, in sentences; the latest hundred."""
        return self._folders.warnings

    @property
    def accounts_path(self) -> str:
        """Where ``delivery`` keeps what it remembers of accounts: a directory that is there."""
        return f"{self.path}/{ACCOUNTS}"

    def open(self) -> None:
        """Take the lock and put right what a crash left behind; no entry is looked at."""
        self._folders.open()
        try:
            for part in self._wanted_locks:
                self._locks.append(take_lock(self._folders, part))
            if self._wanted_locks:
                tidy_up(self._folders)
            if self._may_change:
                self._folders.warn_of_file_system()
                end_moves(self._folders)
        except OSError as exc:
            self._give_up()
            raise self._folders.failure(exc) from exc
        except SpoolError:
            self._give_up()
            raise

    def begin(self, head: Head) -> Draft:
        """Begin a new entry; its recipients are all pending."""
        return FileDraft(self._folders, head)

    def scan(self, state: str = QUEUE) -> Iterator[Entry]:
        """Yield each entry of a state, in no order; what is damaged goes to ``CORRUPT``."""
        for name in self._names(state):
            entry = self._look(name, state)
            if entry is not None:
                yield entry

    def names(self, state: str = QUEUE) -> list[str]:
        """Return the queue IDs of a state, in no order; in ``CORRUPT`` these are file names."""
        return [name for name in self._names(state) if state == CORRUPT or is_entry_id(name)]

    def read(self, entry_id: str, state: str = QUEUE) -> Entry:
        """Return one entry without its content."""
        _check_name(entry_id, state)
        try:
            return self._read(read_entry, entry_id, state)
        except OSError as exc:
            raise self._folders.failure(exc) from exc

    def claim(self, entry_id: str, state: str = QUEUE) -> Claim:
        """Open an entry for sending; its content was checked whole when this returns."""
        _check_name(entry_id, state)
        try:
            return self._read(self._open_claim, entry_id, state)
        except OSError as exc:
            raise self._folders.failure(exc) from exc

    def update(self, entry_id: str, progress: Progress, state: str = QUEUE) -> None:
        """Write down how far an entry is, in place; nothing is checked or fsynced."""
        _check_name(entry_id, state)
        self._check_may_change()
        try:
            update_entry(self._folders, state, entry_id, progress)
        except OSError as exc:
            raise self._folders.failure(exc) from exc

    def move(self, entry_id: str, source: str, target: str) -> None:
        """
        Move an entry from one state to another, durably.

        It has both names for an instant: by the letter of POSIX, a rename from one directory to
        another may leave it with none after a power cut.
        """
        _check_name(entry_id, source)
        _check_name(entry_id, target)
        self._check_may_change()
        folders, disk = self._folders, self._disk
        source_fd, target_fd = folders.fd(source), folders.fd(target)
        try:
            with self._moving:
                disk.link(entry_id, entry_id, source_fd=source_fd, target_fd=target_fd)
                try:
                    folders.sync(target)
                except SpoolError:
                    disk.unlink(entry_id, dir_fd=target_fd)
                    raise
                disk.unlink(entry_id, dir_fd=source_fd)
        except FileNotFoundError:
            raise _not_found(entry_id) from None
        except OSError as exc:
            raise folders.failure(exc) from exc
        folders.sync(source)

    def remove(self, entry_id: str, state: str = QUEUE) -> None:
        """Remove an entry, for good after the next ``settle``."""
        _check_name(entry_id, state)
        self._check_may_change()
        try:
            self._disk.unlink(entry_id, dir_fd=self._folders.fd(state))
        except FileNotFoundError:
            raise _not_found(entry_id) from None
        except OSError as exc:
            raise self._folders.failure(exc) from exc
        with self._lock:
            self._removed[state] += 1

    def settle(self) -> None:
        """Make what was removed so far stay removed: one fsync a directory."""
        for state in STATES:
            removed = self._removed[state]
            if self._settled[state] < removed:
                self._folders.sync(state)
                with self._lock:
                    self._settled[state] = max(self._settled[state], removed)

    def room(self) -> Room:
        """Return how much still fits in; what only root may use is not counted."""
        try:
            found = self._disk.statvfs(self._folders.fd(""))
        except OSError as exc:
            raise self._folders.failure(exc) from exc
        unit = found.f_frsize
        return Room(found.f_bavail * unit, found.f_blocks * unit, found.f_favail, found.f_files)

    def close(self) -> None:
        """Settle, and give the lock back."""
        with suppress(SpoolError):  # what was removed may come back, as it was recorded last
            self.settle()
        self._give_up()

    def _names(self, state: str) -> Iterator[str]:
        try:
            yield from self._disk.names(self._folders.fd(state))
        except OSError as exc:
            raise self._folders.failure(exc) from exc

    def _open_claim(self, folders: Folders, state: str, name: str) -> Claim:
        return open_claim(folders, state, name, can_record=self._may_change)

    def _read(self, read: Callable[[Folders, str, str], _Found], name: str, state: str) -> _Found:
        """
        Read an entry; what is damaged is put aside.

        Raises:
            EntryNotFoundError: There is none.
            CorruptEntryError: It could not be understood.
            OSError: It could not be read.

        """
        try:
            return read(self._folders, state, name)
        except CorruptEntryError:
            # Either it is damaged, or it was seen while it was moved or recorded.
            with self._moving:
                if self._may_change:
                    end_move(self._folders, name)
                try:
                    return read(self._folders, state, name)
                except CorruptEntryError as exc:
                    self._put_aside(name, state, exc)
                    raise

    def _look(self, name: str, state: str) -> Entry | None:
        """Return an entry; None: it is gone, or was put aside, or cannot be read now."""
        try:
            if not is_entry_id(name):
                if state != CORRUPT:
                    problem = CorruptEntryError(say("its name is no queue ID"))
                    with self._moving:
                        self._put_aside(name, state, problem)
                return None
            return self._read(read_entry, name, state)
        except (EntryNotFoundError, CorruptEntryError):
            return None  # sent meanwhile, or put aside
        except OSError as exc:
            if exc.errno != errno.EIO:
                raise self._folders.failure(exc) from exc
            # One bad block stops nothing, and may be read the next time.
            self._warn(say("{name} cannot be read: {reason}", name=name, reason=exc.strerror))
            return None

    def _put_aside(self, name: str, state: str, problem: CorruptEntryError) -> None:
        """Move what is damaged to ``CORRUPT``; the caller has the lock for moving."""
        if state == CORRUPT or not self._may_change:
            return
        folders, disk = self._folders, self._disk
        target_fd = folders.fd(CORRUPT)
        target, number = name, 0
        try:
            while _is_taken(disk, target, target_fd):
                number += 1
                target = f"{name}.{number}"
            disk.rename(name, target, source_fd=folders.fd(state), target_fd=target_fd)
            folders.sync(CORRUPT)
            folders.sync(state)
        except FileNotFoundError:
            return
        except (OSError, SpoolError) as exc:
            self._warn(
                say(
                    "{name} is damaged and cannot be moved away: {reason}",
                    name=printable(name),
                    reason=str(exc),
                )
            )
            return
        self._warn(
            say(
                "{name} is damaged and was moved to {path}: {reason}",
                name=printable(name),
                path=printable(f"{self.path}/{CORRUPT}/{target}"),
                reason=problem.problem,
            )
        )

    def _check_may_change(self) -> None:
        if not self._may_change:
            raise LocalProtocolError(say("this part of pillarbox may not change the spool"))

    def _give_up(self) -> None:
        locks, self._locks = self._locks, []
        for fd in locks:
            try:
                self._disk.close(fd)
            except OSError:
                continue
        self._folders.close()

    def _warn(self, text: Text) -> None:
        with self._lock:
            self._folders.warn(text)


def _check_name(name: str, state: str) -> None:
    """Let nothing but a file of that very directory pass."""
    if not is_entry_id(name) and not (state == CORRUPT and _is_file_name(name)):
        raise _not_found(name)


def _is_file_name(name: str) -> bool:
    try:
        data = os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return 0 < len(data) <= _MAX_NAME and not set(name) & {"/", "\0"} and name not in (".", "..")


def _not_found(name: str) -> EntryNotFoundError:
    return EntryNotFoundError(say("there is no entry {name}", name=printable(name)))


def _is_taken(disk: Disk, name: str, directory: int) -> bool:
    try:
        disk.stat_name(name, dir_fd=directory)
    except FileNotFoundError:
        return False
    return True
