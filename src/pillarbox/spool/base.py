"""
The contract of every spool, and the values that go in and come out of one.

A caller's way through it:

1. ``Spool.open`` - take the lock, put right what a crash left behind.
2. ``Spool.begin`` and ``Draft.write`` - a new entry, streamed in; ``Draft.commit`` makes it
   durable. Nothing may be acknowledged to anybody before ``commit`` has returned.
3. ``Spool.scan`` - what is there, without the contents.
4. ``Spool.claim`` - one entry to be sent: its content, and ``Claim.record`` for what became of it.
5. ``Spool.remove``, ``Spool.move`` and, now and then, ``Spool.settle``.

The rule to keep: an entry that was committed is there until ``remove``, whatever happens between;
a file that cannot be understood is moved to ``CORRUPT`` and never deleted.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pillarbox.mail.envelope import Envelope

__all__ = [
    "BOUNCED",
    "CORRUPT",
    "DELIVERED",
    "FAILED",
    "HOLD",
    "PENDING",
    "QUEUE",
    "STATES",
    "Claim",
    "Draft",
    "Entry",
    "Head",
    "Origin",
    "Progress",
    "Room",
    "Spool",
]

# Where an entry is.
QUEUE = "queue"  # it waits to be sent
HOLD = "hold"  # a person said that it shall wait
FAILED = "failed"  # nothing more will be tried; kept for people to look at
CORRUPT = "corrupt"  # it cannot be understood; kept for people to look at
STATES = (QUEUE, HOLD, FAILED, CORRUPT)

# What is known of one recipient: a byte of ``Progress.statuses``.
PENDING = b"P"
DELIVERED = b"D"
BOUNCED = b"F"


class Origin(Value):
    """
    Who handed a mail over.

    Attributes:
        uid: The user, as the kernel said; -1: nobody knows.
        gid: The group, likewise.
        pid: The process, likewise.
        door: ``socket``, ``own`` (the process that keeps the spool), ``listener`` or ``notice``.

    """

    __slots__ = ("door", "gid", "pid", "uid")

    def __init__(self, uid: int = -1, gid: int = -1, pid: int = -1, *, door: str = "own") -> None:
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.door = door


class Head(Value):
    """
    What an entry says of its mail; it never changes.

    Attributes:
        id: The queue ID: lower-case letters, digits and ``-`` only, unique for ever.
        accepted_s: When it was accepted, in seconds since the epoch.
        account: The name of the account that it goes through; empty: chosen by the sender.
        envelope: Sender, recipients, wishes for reports.
        message_id: The Message-ID it gets if it has none: ``<...@...>``. The same at each try.
        origin: Who handed it over.
        priority: That of RFC 6710, -9 to 9; from 4 on it may use an account's last reserve.
        settings: Values of configuration keywords that the caller may set for this one mail, by
            name and as they are written in a file (``full_name`` is ``from_full_name``).
        trace: The Received field that goes before the content, without line end; empty: none.

    """

    __slots__ = (
        "accepted_s",
        "account",
        "envelope",
        "id",
        "message_id",
        "origin",
        "priority",
        "settings",
        "trace",
    )

    def __init__(
        self,
        id: str,  # noqa: A002 (the field's word)
        accepted_s: float,
        envelope: Envelope,
        *,
        account: str = "",
        message_id: str = "",
        origin: Origin | None = None,
        priority: int = 0,
        settings: Mapping[str, str] | None = None,
        trace: str = "",
    ) -> None:
        self.id = id
        self.accepted_s = accepted_s
        self.envelope = envelope
        self.account = account
        self.message_id = message_id
        self.origin = origin if origin is not None else Origin()
        self.priority = priority
        self.settings = dict(settings or {})
        self.trace = trace


class Progress(Value):
    """
    What became of an entry so far; rewritten in place.

    Attributes:
        statuses: One byte for each forward-path, in order: ``P``, ``D`` or ``F``.
        attempts: How often it was tried.
        last_attempt_s: When it was tried last, in seconds since the epoch; 0: never.
        observed_s: How many seconds of its age somebody has watched go by (by a clock that
            nobody can set): the second witness of its age beside the calendar.
        is_in_doubt: A content was sent whole and no reply was recorded: the provider may have it.
        has_warned: The sender was told that it takes long.
        reason: Why it still waits or failed, one line, up to 200 octets of UTF-8; empty: unknown.

    """

    __slots__ = (
        "attempts",
        "has_warned",
        "is_in_doubt",
        "last_attempt_s",
        "observed_s",
        "reason",
        "statuses",
    )

    def __init__(
        self,
        statuses: bytes,
        *,
        attempts: int = 0,
        last_attempt_s: float = 0.0,
        observed_s: float = 0.0,
        is_in_doubt: bool = False,
        has_warned: bool = False,
        reason: str = "",
    ) -> None:
        self.statuses = statuses
        self.attempts = attempts
        self.last_attempt_s = last_attempt_s
        self.observed_s = observed_s
        self.is_in_doubt = is_in_doubt
        self.has_warned = has_warned
        self.reason = reason

    @property
    def is_final(self) -> bool:
        """Whether nobody waits any more."""
        return PENDING not in self.statuses


class Entry(Value):
    """
    One entry without its content.

    Attributes:
        head: What it says of its mail.
        progress: What became of it so far.
        size_bytes: Octets of the content.

    """

    __slots__ = ("head", "progress", "size_bytes")

    def __init__(self, head: Head, progress: Progress, size_bytes: int) -> None:
        self.head = head
        self.progress = progress
        self.size_bytes = size_bytes


class Room(Value):
    """
    How much still fits in.

    Attributes:
        free_bytes: Octets that may still be written.
        total_bytes: Octets of the whole; 0: there is no limit.
        free_inodes: Files that may still be made.
        total_inodes: Files in all; 0: there is no limit.

    """

    __slots__ = ("free_bytes", "free_inodes", "total_bytes", "total_inodes")

    def __init__(
        self, free_bytes: int, total_bytes: int, free_inodes: int, total_inodes: int
    ) -> None:
        self.free_bytes = free_bytes
        self.total_bytes = total_bytes
        self.free_inodes = free_inodes
        self.total_inodes = total_inodes


class Draft:
    """An entry that is being written; it is not there before ``commit`` has returned."""

    def write(self, data: bytes) -> None:
        """
        Add octets of the content. May block.

        Raises:
            SpoolError: They cannot be written; only ``discard`` makes sense now.

        """
        raise NotImplementedError

    def commit(self) -> None:
        """
        Make the entry durable and visible, once. Blocks and fsyncs.

        Raises:
            SpoolError: It is not certain to be there. It may be there all the same: a caller
                that tries again may make a duplicate, and never loses a mail.

        """
        raise NotImplementedError

    def discard(self) -> None:
        """Leave nothing behind. Never raises; does nothing after ``commit``."""
        raise NotImplementedError


class Claim:
    """
    An entry that is being sent, open until ``close``.

    Attributes:
        entry: What it is; ``entry.progress`` is what was recorded last.

    """

    entry: Entry

    def read(self, size: int) -> bytes:
        """
        Return up to ``size`` octets more of the content as it was written; ``b""`` at its end.

        Raises:
            SpoolError: It cannot be read.

        """
        raise NotImplementedError

    def rewind(self) -> None:
        """Begin again at the first octet."""
        raise NotImplementedError

    def record(self, progress: Progress, *, is_durable: bool) -> None:
        """
        Write down what became of the entry, in place: it works on a full disk.

        Args:
            progress: What is true now; as many statuses as before.
            is_durable: Have it survive a power cut (fdatasync), not only our own end.

        Raises:
            SpoolError: It may not be there after a restart.

        """
        raise NotImplementedError

    def close(self) -> None:
        """Give the entry back. Never raises."""
        raise NotImplementedError


class Spool:
    """
    A place where entries are kept. Every method may be called by several threads at a time.

    Its methods block, and raise ``SpoolError`` where the place fails; ``EntryNotFoundError`` where
    there is no such entry; ``CorruptEntryError`` where it cannot be understood.
    """

    def open(self) -> None:
        """
        Take the lock and put right what a crash left behind.

        No entry is looked at: what is damaged is put aside by ``scan``, ``read`` and ``claim``.

        Raises:
            SpoolError: It cannot be used, or somebody else has the lock.

        """
        raise NotImplementedError

    def begin(self, head: Head) -> Draft:
        """Begin a new entry; its recipients are all pending."""
        raise NotImplementedError

    def scan(self, state: str = QUEUE) -> Iterator[Entry]:
        """
        Yield each entry of a state, in no order; one at a time in memory.

        What is damaged is moved to ``CORRUPT`` on the way, and not yielded.
        """
        raise NotImplementedError

    def names(self, state: str = QUEUE) -> list[str]:
        """Return the queue IDs of a state, in no order; in ``CORRUPT`` these are file names."""
        raise NotImplementedError

    def read(self, entry_id: str, state: str = QUEUE) -> Entry:
        """Return one entry without its content."""
        raise NotImplementedError

    def claim(self, entry_id: str, state: str = QUEUE) -> Claim:
        """
        Open an entry for sending; its content was checked whole when this returns.

        One that is damaged is moved to ``CORRUPT`` before ``CorruptEntryError`` is raised.
        """
        raise NotImplementedError

    def update(self, entry_id: str, progress: Progress, state: str = QUEUE) -> None:
        """Write down how far an entry is, in place; nothing is checked or fsynced."""
        raise NotImplementedError

    def move(self, entry_id: str, source: str, target: str) -> None:
        """Move an entry from one state to another, durably. Fsyncs."""
        raise NotImplementedError

    def remove(self, entry_id: str, state: str = QUEUE) -> None:
        """
        Remove an entry, for good after the next ``settle``.

        Until then it may come back after a power cut, as it was recorded last.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Make what was removed so far stay removed. Fsyncs, if there is anything to do."""
        raise NotImplementedError

    def room(self) -> Room:
        """Return how much still fits in."""
        raise NotImplementedError

    def close(self) -> None:
        """Settle, and give the lock back. Never raises."""
        raise NotImplementedError
