"""Disks that record what they are asked to do, fail at a call, or end in front of one."""

import errno
import os

from pillarbox.spool.disk import Disk


class Death(BaseException):
    """The process ends: nothing that it does from now on has an effect."""


class QuickDisk(Disk):
    """The real file system without its waiting: who does not cut the power sees no difference."""

    def fsync(self, fd):
        """Do nothing to an open file."""
        os.fstat(fd)

    def fdatasync(self, fd):
        """Do nothing to an open file."""
        os.fstat(fd)


class FaultyDisk(QuickDisk):
    """
    The real file system, with one fault.

    Args:
        at: The number of the call that fails, from 1 on; 0: none.
        error: The error it fails with.
        kind: Only calls of this name count; empty: all.
        is_death: Die in front of it instead, and at each later call.
        most: Octets that a call writes or reads at most; 0: all.

    """

    def __init__(self, at=0, error=errno.EIO, *, kind="", is_death=False, most=0):
        self.at = at
        self.error = error
        self.kind = kind
        self.is_death = is_death
        self.most = most
        self.calls = []
        self.failed = None
        self.open_fds = set()
        self.number = 0

    def names_of_calls(self, *, changing_only=False):
        """Return the names of the calls so far."""
        reading = ("stat", "stat_name", "read", "pread", "names", "statvfs", "euid", "mounts")
        return [call[0] for call in self.calls if not (changing_only and call[0] in reading)]

    def bury(self):
        """Close what the dead process had open, as the kernel does."""
        for fd in self.open_fds:
            os.close(fd)
        self.open_fds.clear()

    def step(self, name, *args):
        """Count a call, and let it fail if it is its turn."""
        if self.is_death and self.failed:
            raise Death
        self.calls.append((name, *args))
        if self.kind in ("", name):
            self.number += 1
            if self.number == self.at:
                self.failed = (name, *args)
                if self.is_death:
                    raise Death
                raise OSError(self.error, os.strerror(self.error))

    def open(self, name, flags, *, dir_fd=None):
        """Open, and remember what is open."""
        self.step("open", name)
        fd = super().open(name, flags, dir_fd=dir_fd)
        self.open_fds.add(fd)
        return fd

    def dup(self, fd):
        """Double, and remember what is open."""
        self.step("dup", fd)
        copy = super().dup(fd)
        self.open_fds.add(copy)
        return copy

    def close(self, fd):
        """Close, also where that is the call that fails."""
        if self.is_death and self.failed:
            return  # ``bury`` does it; raised in a generator's end, Death would come to nobody
        self.open_fds.discard(fd)
        try:
            self.step("close", fd)
        except Death:
            self.open_fds.add(fd)
            raise
        except OSError:
            super().close(fd)
            raise
        super().close(fd)

    def write(self, fd, data):
        """Write as much as a call does."""
        self.step("write", fd, len(data))
        return super().write(fd, data[: self.most] if self.most else data)

    def pwrite(self, fd, data, offset):
        """Write as much as a call does."""
        self.step("pwrite", fd, len(data), offset)
        return super().pwrite(fd, data[: self.most] if self.most else data, offset)

    def pread(self, fd, size, offset):
        """Read as much as a call does."""
        self.step("pread", fd, size, offset)
        return super().pread(fd, min(size, self.most) if self.most else size, offset)

    def names(self, dir_fd):
        """List; it fails at once or, in ``open``, when it begins."""
        self.step("names", dir_fd)
        return super().names(dir_fd)


def _recorded(name):
    real = getattr(QuickDisk, name)

    def call(self, *args, **keywords):
        self.step(name, *args)
        return real(self, *args, **keywords)

    return call


for _name in (
    *("stat", "stat_name", "read", "fsync", "fdatasync", "rename", "link", "unlink"),
    *("mkdir", "flock", "statvfs", "mounts"),
):
    setattr(FaultyDisk, _name, _recorded(_name))
