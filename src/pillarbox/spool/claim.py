"""
Reading entries back: without their content, or whole to be sent.

The steps of a delivery that concern the file:

=====  ===========================================================  =========================
D1     ``open_claim``: length and hash of the whole                 sent later
D2     ``record``: one attempt more; need not be durable            back-off slightly off
D3     the recipients' replies, kept in memory                      sent later
D4     ``record``: in doubt; need not be durable                    sent later
D5     the content is sent, and its reply waited for                unknown: sent again
D6     ``record``: what became of it, durable (fdatasync)           before: sent again
D7     all are final: ``Directory.remove``, and ``settle`` later    comes back final: removed
D8     what failed is reported first, then recorded, then removed   reported twice, never not
=====  ===========================================================  =========================

A record is one ``pwrite`` within the first 4096 octets: it needs no new block, and works on a
full disk. When it fails, nothing more is recorded through this descriptor: Linux reports a
failed fsync once, and says yes the next time.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG

from pillarbox.errors import CorruptEntryError, EntryNotFoundError, LocalProtocolError, SpoolError
from pillarbox.spool.area import check_statuses, first_progress, format_progress, parse_progress
from pillarbox.spool.base import Claim, Entry
from pillarbox.spool.disk import pread_all, pwrite_all
from pillarbox.spool.entry import (
    PREFIX_BYTES,
    TRAILER_BYTES,
    check_head,
    new_hash,
    parse_head,
    parse_prefix,
    parse_trailer,
)
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.spool.base import Progress
    from pillarbox.spool.disk import Disk
    from pillarbox.spool.folders import Folders

__all__ = ["FileClaim", "open_claim", "read_entry", "update_entry"]

# What is read of an entry without its content: most mails whole.
_LOOK_BYTES = 8192
# A mail up to this size is read with a single call and kept in memory while it is sent.
_WHOLE_BYTES = 131_072
_CHUNK_BYTES = 131_072

# Neither a FIFO nor a device may hold us up.
_READ = os.O_RDONLY | os.O_NONBLOCK
_READ_AND_RECORD = os.O_RDWR | os.O_NONBLOCK
# What ``open`` says of something that is no regular file: a link, a directory, a socket.
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV)


class _Look:
    """An open file of an entry, and what its first read showed; the head is whole."""

    __slots__ = ("data", "digest", "fd", "prefix", "size")

    def __init__(self, disk: Disk, fd: int, name: str, look_bytes: int) -> None:
        found = disk.stat(fd)
        if not S_ISREG(found.st_mode):
            raise CorruptEntryError(say("it is no regular file"))
        if found.st_nlink != 1:
            raise CorruptEntryError(say("it has a second name (a hard link)"))
        self.fd = fd
        self.size = size = found.st_size
        self.data = data = pread_all(disk, fd, min(size, look_bytes), 0)
        self.prefix = prefix = parse_prefix(data)
        content_at = prefix.content_at
        if content_at + TRAILER_BYTES > size:
            raise CorruptEntryError(say("it was cut off, or something was added to it"))
        if content_at > len(data):
            self.data = data = data + pread_all(disk, fd, content_at - len(data), len(data))
        if len(data) == size:
            trailer = data[-TRAILER_BYTES:]
        else:
            trailer = pread_all(disk, fd, TRAILER_BYTES, size - TRAILER_BYTES)
        self.digest = parse_trailer(trailer, size)
        check_head(data[prefix.head_at : content_at], prefix, name)

    def entry(self) -> Entry:
        data, prefix = self.data, self.prefix
        return Entry(
            parse_head(data[prefix.head_at : prefix.content_at], prefix),
            parse_progress(data[PREFIX_BYTES : prefix.head_at], prefix.recipients),
            self.size - TRAILER_BYTES - prefix.content_at,
        )


def _open(folders: Folders, state: str, name: str, flags: int) -> int:
    try:
        return folders.disk.open(name, flags, dir_fd=folders.fd(state))
    except FileNotFoundError:
        raise EntryNotFoundError(say("there is no entry {name}", name=name)) from None
    except OSError as exc:
        if exc.errno in _NO_FILE:
            raise CorruptEntryError(say("it is no regular file")) from exc
        raise


def _close(disk: Disk, fd: int) -> None:
    try:
        disk.close(fd)
    except OSError:
        return  # what had to be durable was made so before


def read_entry(folders: Folders, state: str, name: str) -> Entry:
    """
    Return one entry without its content, which is not checked.

    Raises:
        EntryNotFoundError: There is none.
        CorruptEntryError: It cannot be understood.
        OSError: It cannot be read.

    """
    disk = folders.disk
    fd = _open(folders, state, name, _READ)
    try:
        return _Look(disk, fd, name, _LOOK_BYTES).entry()
    finally:
        _close(disk, fd)


def open_claim(folders: Folders, state: str, name: str, *, can_record: bool) -> FileClaim:
    """
    Open an entry for sending (D1); raises as ``read_entry``, also for a damaged content.

    Args:
        folders: Where it is.
        state: Which directory.
        name: Its queue ID.
        can_record: It may be written to.

    """
    disk = folders.disk
    fd = _open(folders, state, name, _READ_AND_RECORD if can_record else _READ)
    try:
        look = _Look(disk, fd, name, _WHOLE_BYTES)
        content = _check_content(disk, look)
        return FileClaim(folders, look, content, can_record=can_record)
    except BaseException:
        _close(disk, fd)
        raise


def update_entry(folders: Folders, state: str, name: str, progress: Progress) -> None:
    """
    Write an entry's mutable area, in place and not durably; raises as ``read_entry``.

    Its head and content are not looked at.
    """
    disk = folders.disk
    fd = _open(folders, state, name, _READ_AND_RECORD)
    try:
        prefix = parse_prefix(pread_all(disk, fd, PREFIX_BYTES, 0))
        check_statuses(progress, first_progress(prefix.recipients))
        pwrite_all(disk, fd, format_progress(progress), PREFIX_BYTES)
    finally:
        _close(disk, fd)


def _check_content(disk: Disk, look: _Look) -> bytes | None:
    """Compare the hash of the whole; return the content if it was read already."""
    data, prefix, content_at = look.data, look.prefix, look.prefix.content_at
    end = look.size - TRAILER_BYTES
    hash_ = new_hash(data[:PREFIX_BYTES])
    hash_.update(memoryview(data)[prefix.head_at : end])
    content = data[content_at:end] if len(data) == look.size else None
    position = len(data)
    while position < end:
        chunk = disk.pread(look.fd, min(_CHUNK_BYTES, end - position), position)
        if not chunk:
            break
        hash_.update(chunk)
        position += len(chunk)
    if hash_.hexdigest().encode() != look.digest:
        raise CorruptEntryError(say("its content is damaged"))
    return content


class FileClaim(Claim):
    """An open entry."""

    def __init__(
        self, folders: Folders, look: _Look, content: bytes | None, *, can_record: bool
    ) -> None:
        self.entry = look.entry()
        self._folders = folders
        self._disk = folders.disk
        self._fd = look.fd
        self._content = content
        self._start = look.prefix.content_at
        self._position = 0
        self._can_record = can_record
        self._recorded: Progress | None = None  # what we wrote last: it needs no second write
        self._has_failed = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` octets more of the content; ``b""`` at its end."""
        position = self._position
        size = min(size, self.entry.size_bytes - position)
        if size <= 0:
            return b""
        if self._content is not None:
            data = self._content[position : position + size]
        else:
            data = self._read_file(size)
        self._position += len(data)
        return data

    def rewind(self) -> None:
        """Begin again at the first octet."""
        self._position = 0

    def record(self, progress: Progress, *, is_durable: bool) -> None:
        """Write down what became of the entry, in place (D2, D4, D6)."""
        entry = self.entry
        check_statuses(progress, entry.progress)
        if not self._can_record:
            raise LocalProtocolError(say("this part of pillarbox may not change the spool"))
        self._check_recording()
        try:
            if progress is not self._recorded:
                pwrite_all(self._disk, self._fd, format_progress(progress), PREFIX_BYTES)
            if is_durable:
                self._disk.fdatasync(self._fd)
        except OSError as exc:
            self._has_failed = True
            raise self._folders.failure(exc) from exc
        self._recorded = progress
        self.entry = Entry(entry.head, progress, entry.size_bytes)

    def close(self) -> None:
        """Give the entry back."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            _close(self._disk, fd)

    def _read_file(self, size: int) -> bytes:
        try:
            data = self._disk.pread(self._fd, size, self._start + self._position)
        except OSError as exc:
            raise self._folders.failure(exc) from exc
        if not data:
            raise SpoolError(
                say("the entry {name} was cut off while it was sent", name=self.entry.head.id)
            )
        return data

    def _check_recording(self) -> None:
        if self._has_failed:
            raise SpoolError(
                say("the entry {name} could not be written before", name=self.entry.head.id)
            )
