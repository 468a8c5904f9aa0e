"""
Writing an entry, so that it is there after any crash once ``commit`` has returned.

The steps of a submission, and what a power cut behind each leaves:

=====  ====================================================  =======================
S1     may it come in? (``intake`` and ``delivery`` know)    nothing
S2     ``_create``: a new file in ``tmp``                    maybe an empty file
S3     ``write``: head and content, in a loop                part of a file
S4     ``commit``: the trailer                               a file, maybe not on disk
S5     fsync of the file, never tried twice                  a whole file in ``tmp``
S6     close, and its result                                 the same
S7     rename into ``queue``                                 the name is here or there
S8     fsync of ``queue``, shared with other commits         durable
S9     ``commit`` returns: the caller says yes               durable
S10    the caller wakes the deliverer                        durable
=====  ====================================================  =======================

Up to S7 an error takes the file away. An error at S8 leaves it: it may get sent, so that a
caller who tries again makes a duplicate, and nothing is lost.

A file in ``tmp`` is locked (flock) by its writer from S2 to S7, so that whoever tidies up knows
what is garbage. The lock is why the descriptor is doubled in front of S6.
"""

from __future__ import annotations

import os
from contextlib import suppress

from pillarbox.errors import LocalProtocolError, SpoolError
from pillarbox.spool.area import first_area
from pillarbox.spool.base import QUEUE, Draft
from pillarbox.spool.disk import write_all
from pillarbox.spool.entry import format_head, format_prefix, format_trailer, is_entry_id, new_hash
from pillarbox.spool.folders import TMP
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.spool.base import Head
    from pillarbox.spool.folders import Folders

__all__ = ["FileDraft"]

# A mail up to this size is written with a single call.
_BUFFER_BYTES = 65_536
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
# How often a file may be tidied away in the instant between its creation and its lock.
_MAX_CREATIONS = 5


class FileDraft(Draft):
    """An entry that is being written into ``tmp``."""

    def __init__(self, folders: Folders, head: Head) -> None:
        if not is_entry_id(head.id):
            raise LocalProtocolError(say("{name} is no queue ID", name=ascii(head.id)))
        recipients = len(head.envelope.forward_paths)
        lines = format_head(head)
        prefix = format_prefix(lines, recipients)
        area = first_area(recipients)
        self._folders = folders
        self._name = head.id
        self._hash = new_hash(prefix)
        self._hash.update(lines)
        self._pieces = [prefix, area, lines]
        self._buffered = len(prefix) + len(area) + len(lines)
        self._size = 0  # octets in front of the buffer
        self._fd = self._create()

    def write(self, data: bytes) -> None:
        """Add octets of the content (S3)."""
        self._check_open()
        self._hash.update(data)
        self._pieces.append(data)
        self._buffered += len(data)
        if self._buffered >= _BUFFER_BYTES:
            try:
                self._flush()
            except OSError as exc:
                self.discard()
                raise self._folders.failure(exc) from exc

    def commit(self) -> None:
        """Make the entry durable and visible (S4 to S9)."""
        self._check_open()
        try:
            self._rename_whole_file()
        except OSError as exc:
            self.discard()
            raise self._folders.failure(exc) from exc
        self._close()
        self._folders.sync(QUEUE)  # S8

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._fd < 0:
            return
        with suppress(OSError, SpoolError):  # the next start tidies up
            self._folders.disk.unlink(self._name, dir_fd=self._folders.fd(TMP))
        self._close()

    def _check_open(self) -> None:
        if self._fd < 0:
            raise LocalProtocolError(say("this entry is finished already"))

    def _create(self) -> int:
        """S2: return the descriptor of a new file that is locked."""
        disk, directory = self._folders.disk, self._folders.fd(TMP)
        try:
            for _ in range(_MAX_CREATIONS):
                fd = disk.open(self._name, _NEW_FILE, dir_fd=directory)
                try:
                    disk.flock(fd, waits=True)
                    is_there = disk.stat(fd).st_nlink == 1
                except BaseException:
                    self._fd = fd
                    self.discard()
                    raise
                if is_there:
                    return fd
                disk.close(fd)
        except OSError as exc:
            raise self._folders.failure(exc) from exc
        raise SpoolError(say("{name} was taken away while it was written", name=self._name))

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._buffered = 0
        write_all(self._folders.disk, self._fd, data)
        self._size += len(data)

    def _rename_whole_file(self) -> None:
        """S4 to S7."""
        disk, folders = self._folders.disk, self._folders
        self._pieces.append(format_trailer(self._size + self._buffered, self._hash))
        self._flush()
        disk.fsync(self._fd)
        lock = disk.dup(self._fd)
        first, self._fd = self._fd, lock
        disk.close(first)
        disk.rename(self._name, self._name, source_fd=folders.fd(TMP), target_fd=folders.fd(QUEUE))

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        with suppress(OSError):  # that of S6 was the one that counts
            self._folders.disk.close(fd)
