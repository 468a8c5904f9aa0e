"""
A spool in memory, for tests, and the model that the real one is held against.

``Memory.crashed`` gives what a restart would find: what was committed and not removed for good,
with the progress that was recorded durably. The rule to keep: it keeps the word of ``base.Spool``
and promises nothing beyond it, so that what works with it works with every spool.
"""

from __future__ import annotations

from threading import RLock

from pillarbox.errors import (
    CorruptEntryError,
    EntryNotFoundError,
    LocalProtocolError,
    SpoolError,
)
from pillarbox.spool.area import check_statuses, first_progress, format_progress, parse_progress
from pillarbox.spool.base import CORRUPT, QUEUE, STATES, Claim, Draft, Entry, Room, Spool
from pillarbox.spool.entry import format_head, is_entry_id
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from pillarbox.spool.base import Head, Progress

__all__ = ["Memory"]


class _Stored:
    """An entry as it is kept."""

    __slots__ = ("content", "durable", "head", "is_damaged", "progress")

    def __init__(self, head: Head, content: bytes, progress: Progress) -> None:
        self.head = head
        self.content = content
        self.progress = progress
        self.durable = progress
        self.is_damaged = False

    def entry(self) -> Entry:
        return Entry(self.head, self.progress, len(self.content))

    def record(self, progress: Progress, *, is_durable: bool) -> None:
        check_statuses(progress, self.progress)
        # Through the file's form: times are cut to milliseconds, and reasons to their room.
        area = format_progress(progress)
        self.progress = parse_progress(area, len(progress.statuses))
        if is_durable:
            self.durable = self.progress


class Memory(Spool):
    """
    A spool that ends with its process.

    Attributes:
        path: A name for messages.
        warnings: None, as there is no file system.

    """

    def __init__(self) -> None:
        self.path = "memory"
        self.warnings: list[str] = []
        self._lock = RLock()
        self._is_open = False
        self._states: dict[str, dict[str, _Stored]] = {state: {} for state in STATES}
        # What was removed since the last ``settle`` and may come back.
        self._removed: list[tuple[str, str, _Stored]] = []

    def crashed(self, *, is_power_cut: bool = True) -> Memory:
        """
        Return what would be found after a crash, not yet opened.

        Args:
            is_power_cut: Lose what was not durable, and have back what was not removed durably;
                else only the process ended, and all that it did counts.

        """
        result = Memory()
        with self._lock:
            for state, entries in self._states.items():
                result._states[state].update(
                    (name, _copy(stored, is_power_cut=is_power_cut))
                    for name, stored in entries.items()
                )
            if is_power_cut:
                for state, name, stored in self._removed:
                    result._states[state].setdefault(name, _copy(stored, is_power_cut=True))
        return result

    def damage(self, entry_id: str, state: str = QUEUE) -> None:
        """Have an entry be damaged."""
        with self._lock:
            self._find(entry_id, state).is_damaged = True

    def open(self) -> None:
        """Take the lock."""
        with self._lock:
            if self._is_open:
                raise LocalProtocolError(say("the spool {path} is open already", path=self.path))
            self._is_open = True

    def begin(self, head: Head) -> Draft:
        """Begin a new entry; its recipients are all pending."""
        if not is_entry_id(head.id):
            raise LocalProtocolError(say("{name} is no queue ID", name=ascii(head.id)))
        format_head(head)  # refuses what has no room in a file
        self._check_open()
        return _MemoryDraft(self, head)

    def scan(self, state: str = QUEUE) -> Iterator[Entry]:
        """Yield each entry of a state, in no order."""
        for name in self.names(state):
            try:
                yield self.read(name, state)
            except (EntryNotFoundError, CorruptEntryError):
                continue

    def names(self, state: str = QUEUE) -> list[str]:
        """Return the queue IDs of a state."""
        self._check_open()
        with self._lock:
            return list(self._states[state])

    def read(self, entry_id: str, state: str = QUEUE) -> Entry:
        """Return one entry without its content."""
        with self._lock:
            return self._find_whole(entry_id, state).entry()

    def claim(self, entry_id: str, state: str = QUEUE) -> Claim:
        """Open an entry for sending."""
        with self._lock:
            return _MemoryClaim(self._lock, self._find_whole(entry_id, state))

    def update(self, entry_id: str, progress: Progress, state: str = QUEUE) -> None:
        """Write down how far an entry is, not durably."""
        with self._lock:
            self._find(entry_id, state).record(progress, is_durable=False)

    def move(self, entry_id: str, source: str, target: str) -> None:
        """Move an entry from one state to another, durably."""
        with self._lock:
            stored = self._find(entry_id, source)
            if entry_id in self._states[target]:
                raise SpoolError(say("there is an entry {name} already", name=entry_id))
            self._states[target][entry_id] = self._states[source].pop(entry_id)
            self._removed = [removed for removed in self._removed if removed[2] is not stored]

    def remove(self, entry_id: str, state: str = QUEUE) -> None:
        """Remove an entry, for good after the next ``settle``."""
        with self._lock:
            self._removed.append((state, entry_id, self._find(entry_id, state)))
            del self._states[state][entry_id]

    def settle(self) -> None:
        """Make what was removed so far stay removed."""
        with self._lock:
            self._removed.clear()

    def room(self) -> Room:
        """Return that there is no limit."""
        return Room(0, 0, 0, 0)

    def close(self) -> None:
        """Settle, and give the lock back."""
        with self._lock:
            self._removed.clear()
            self._is_open = False

    def add(self, stored: _Stored) -> None:
        """Put an entry into ``QUEUE``; called by its draft."""
        with self._lock:
            self._check_open()
            self._states[QUEUE][stored.head.id] = stored

    def _check_open(self) -> None:
        if not self._is_open:
            raise SpoolError(say("the spool {path} is not open", path=self.path))

    def _find(self, entry_id: str, state: str) -> _Stored:
        self._check_open()
        try:
            return self._states[state][entry_id]
        except KeyError:
            raise EntryNotFoundError(say("there is no entry {name}", name=entry_id)) from None

    def _find_whole(self, entry_id: str, state: str) -> _Stored:
        stored = self._find(entry_id, state)
        if stored.is_damaged:
            self._put_aside(entry_id, state)
            raise CorruptEntryError(say("its content is damaged"))
        return stored

    def _put_aside(self, entry_id: str, state: str) -> None:
        self._states[CORRUPT][entry_id] = self._states[state].pop(entry_id)


def _copy(stored: _Stored, *, is_power_cut: bool) -> _Stored:
    progress = stored.durable if is_power_cut else stored.progress
    result = _Stored(stored.head, stored.content, progress)
    result.is_damaged = stored.is_damaged
    return result


class _MemoryDraft(Draft):
    """An entry that is being written."""

    def __init__(self, spool: Memory, head: Head) -> None:
        self._spool = spool
        self._head = head
        self._pieces: list[bytes] = []
        self._is_open = True

    def write(self, data: bytes) -> None:
        """Add octets of the content."""
        self._check_open()
        self._pieces.append(bytes(data))

    def commit(self) -> None:
        """Make the entry visible."""
        self._check_open()
        self._is_open = False
        progress = first_progress(len(self._head.envelope.forward_paths))
        self._spool.add(_Stored(self._head, b"".join(self._pieces), progress))

    def discard(self) -> None:
        """Leave nothing behind."""
        self._is_open = False

    def _check_open(self) -> None:
        if not self._is_open:
            raise LocalProtocolError(say("this entry is finished already"))


class _MemoryClaim(Claim):
    """An open entry."""

    def __init__(self, lock: AbstractContextManager[bool], stored: _Stored) -> None:
        self.entry = stored.entry()
        self._lock = lock
        self._stored = stored
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` octets more of the content."""
        data = self._stored.content[self._position : self._position + max(size, 0)]
        self._position += len(data)
        return data

    def rewind(self) -> None:
        """Begin again at the first octet."""
        self._position = 0

    def record(self, progress: Progress, *, is_durable: bool) -> None:
        """Write down what became of the entry."""
        with self._lock:
            self._stored.record(progress, is_durable=is_durable)
            self.entry = self._stored.entry()

    def close(self) -> None:
        """Give the entry back."""
