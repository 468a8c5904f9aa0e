"""
The seam to the file system: every system call of the spool goes through a ``Disk``.

A test puts its own in place, to record the calls, to have one fail, or to end in front of one.
The rule to keep: a method is one call of the system and nothing more (what is done with a short
write, or after an error, is decided by the caller), and no other file of this room makes one.

An interrupted call is tried again by Python (PEP 475). Names are relative to a directory that is
open, and a symbolic link at the end of one is never followed.
"""

from __future__ import annotations

import errno
import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Disk", "pread_all", "pwrite_all", "write_all"]

_MOUNTS = "/proc/self/mountinfo"
_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700


class Disk:
    """The file system of this computer. Every method may raise ``OSError``, and blocks."""

    def open(self, name: str, flags: int, *, dir_fd: int | None = None) -> int:
        """Open a file, or make one that nobody else can read; the caller owns the descriptor."""
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, _PRIVATE_FILE, dir_fd=dir_fd)

    def dup(self, fd: int) -> int:
        """Return a second descriptor of the same open file."""
        return os.dup(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor; it is closed even when this raises."""
        os.close(fd)

    def stat(self, fd: int) -> os.stat_result:
        """Return what is known of an open file."""
        return os.fstat(fd)

    def stat_name(self, name: str, *, dir_fd: int | None = None) -> os.stat_result:
        """Return what is known of a name; of the link itself if it is one."""
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)

    def read(self, fd: int, size: int) -> bytes:
        """Read up to ``size`` octets from where the last call ended."""
        return os.read(fd, size)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to ``size`` octets from ``offset`` on."""
        return os.pread(fd, size, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write at the end; return how many octets were."""
        return os.write(fd, data)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write from ``offset`` on; return how many octets were."""
        return os.pwrite(fd, data, offset)

    def fsync(self, fd: int) -> None:
        """Have the disk keep a file, or the names in a directory."""
        os.fsync(fd)

    def fdatasync(self, fd: int) -> None:
        """Have the disk keep the contents of a file."""
        os.fdatasync(fd)

    def rename(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give a file another name; what has that name already is replaced."""
        os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)

    def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give a file a second name; fails where that is taken."""
        os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Take a name away."""
        os.unlink(name, dir_fd=dir_fd)

    def mkdir(self, name: str, *, dir_fd: int | None = None) -> None:
        """Make a directory that nobody else can enter."""
        os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=dir_fd)

    def names(self, dir_fd: int) -> Iterator[str]:
        """Yield the names in a directory, few at a time in memory; it may change meanwhile."""
        # Opened anew: a duplicate would share its position with every other thread's.
        fd = self.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=dir_fd)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    yield entry.name
        finally:
            self.close(fd)

    def flock(self, fd: int, *, waits: bool = False) -> None:
        """Take the lock of a file; if somebody has it, wait or raise ``BlockingIOError``."""
        fcntl.flock(fd, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)

    def statvfs(self, fd: int) -> os.statvfs_result:
        """Return how much fits into the file system of an open file."""
        return os.statvfs(fd)

    def mounts(self) -> str:
        """Return what the kernel says of mounted file systems; empty where it does not say."""
        try:
            with open(_MOUNTS, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def euid(self) -> int:
        """Return the user that files are made as."""
        return os.geteuid()


def write_all(disk: Disk, fd: int, data: bytes) -> None:
    """
    Write all of ``data`` at the end of a file, however often that takes.

    Raises:
        OSError: Some of it, or nothing, was written.

    """
    written = disk.write(fd, data)
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[_progress(disk.write(fd, rest)) :]


def pwrite_all(disk: Disk, fd: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` from ``offset`` on; raises as ``write_all``."""
    written = disk.pwrite(fd, data, offset)
    while written < len(data):
        rest = memoryview(data)[written:]
        written += _progress(disk.pwrite(fd, rest, offset + written))


def pread_all(disk: Disk, fd: int, size: int, offset: int) -> bytes:
    """Return ``size`` octets from ``offset`` on; fewer only where the file ends."""
    data = disk.pread(fd, size, offset)
    while len(data) < size:
        more = disk.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def _progress(written: int) -> int:
    # POSIX has no reason for it, so that a loop without it could go on for ever.
    if written <= 0:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return written
