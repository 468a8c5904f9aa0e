"""
What is done at the start of a spool: the locks are taken, and what a crash left is put right.

The rule to keep: nothing is deleted here but what was never acknowledged (a file in ``tmp`` that
nobody is writing) and the second name of a file that keeps its first.
"""

from __future__ import annotations

import errno
import os

from pillarbox.errors import SpoolError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import FAILED, HOLD, QUEUE
from pillarbox.spool.folders import TMP
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.spool.folders import Folders

__all__ = ["end_move", "end_moves", "take_lock", "tidy_up"]

_LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK
# Where a file may have two names for an instant; that in the first of these stays.
_MOVABLE = (QUEUE, HOLD, FAILED)


def take_lock(folders: Folders, part: str) -> int:
    """
    Return the descriptor of a lock that is ours until it is closed.

    Args:
        folders: The spool.
        part: ``submit`` or ``deliver``.

    Raises:
        SpoolError: Another process has it.
        OSError: The file system failed.

    """
    disk = folders.disk
    fd = disk.open(f"{part}.lock", _LOCK_FILE, dir_fd=folders.fd(""))
    try:
        disk.flock(fd)
    except BlockingIOError:
        try:
            pid = disk.pread(fd, 20, 0).decode("ascii", "replace").strip()
        finally:
            disk.close(fd)
        raise SpoolError(
            say("the spool {path} is in use by process {pid}", path=folders.path, pid=pid),
            advice=say("stop that process, or wait until it has ended"),
        ) from None
    except BaseException:
        disk.close(fd)
        raise
    try:
        # In place, and only for people to read: a full disk must not stop a start.
        disk.pwrite(fd, b"%10d\n" % os.getpid(), 0)
    except OSError:
        return fd
    return fd


def tidy_up(folders: Folders) -> None:
    """Delete what nobody is writing any more; what cannot be deleted is a warning."""
    for name in folders.disk.names(folders.fd(TMP)):
        try:
            _tidy(folders, name)
        except FileNotFoundError:
            continue
        except OSError as exc:
            path = f"{folders.path}/{TMP}/{printable(name)}"
            reason = exc.strerror
            folders.warn(say("{path} cannot be removed: {reason}", path=path, reason=reason))


def _tidy(folders: Folders, name: str) -> None:
    disk, directory = folders.disk, folders.fd(TMP)
    try:
        fd = disk.open(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=directory)
    except OSError as exc:
        if exc.errno != errno.ELOOP:
            raise
        disk.unlink(name, dir_fd=directory)  # the link, not what it points at
        return
    try:
        disk.flock(fd)
        disk.unlink(name, dir_fd=directory)
    except BlockingIOError:
        return  # it is being written
    finally:
        disk.close(fd)


def end_moves(folders: Folders) -> None:
    """Take the second name of everything that has two; raises ``OSError``."""
    for state in _MOVABLE[1:]:
        for name in folders.disk.names(folders.fd(state)):
            end_move(folders, name)


def end_move(folders: Folders, name: str) -> None:
    """
    Take the second name of what an end in the middle of a move left with two.

    Raises:
        SpoolError: The name that stays may not be durable, so that the other stays as well.
        OSError: The file system failed.

    """
    disk = folders.disk
    kept: dict[tuple[int, int], str] = {}
    for state in _MOVABLE:
        directory = folders.fd(state)
        try:
            found = disk.stat_name(name, dir_fd=directory)
        except FileNotFoundError:
            continue
        file = found.st_dev, found.st_ino
        if file in kept:
            # The move may have ended before this was done.
            folders.sync(kept[file])
            disk.unlink(name, dir_fd=directory)
        else:
            kept[file] = state
