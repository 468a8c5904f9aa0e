"""
A disk that writes down what the spool does to it, and can fail at one call.

``Recorder.trace`` is what ``weak.Weak`` takes: the steps that change anything, and between them
the lines of the story (``("say", line)``). ``Recorder.calls`` is everything, one line a call, to
be compared with what strace saw.
"""

from __future__ import annotations

import os
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any

from crash.weak import DIRECTORY
from pillarbox.spool.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["KILL", "SHORT", "Killed", "Recorder"]


SHORT = 0  # a read or a write does half of its work
KILL = -1  # the process ends in front of the call


class Killed(BaseException):
    """The process ends here: no handler behind this does anything to the disk any more."""


class Recorder(Disk):
    """
    A ``Disk`` in front of another one.

    Args:
        disk: Where the calls go.
        root: The directory that is watched, absolute; it is there, and empty or as ``names`` says.
        names: The number of the file behind each name in it, ``DIRECTORY`` for a directory.

    """

    def __init__(self, disk: Disk, root: str, names: Mapping[str, int] | None = None) -> None:
        self._disk = disk
        self._lock = RLock()
        self._root = root.rstrip("/")
        self._names = dict(names or {})
        self._last = max(self._names.values(), default=0)
        self._open: dict[int, str] = {}
        self._number: dict[int, int] = {}  # of the file behind a descriptor, whatever its name
        self._position: dict[int, list[int]] = {}
        self.trace: list[tuple[Any, ...]] = []
        self.begin()

    def begin(self, *, fail_at: int = 0, error: int = 0, is_lasting: bool = False) -> None:
        """
        Count the calls from here on; the trace goes on.

        Args:
            fail_at: The number of the call that fails, from 1; 0: none.
            error: Its errno, ``SHORT`` or ``KILL``.
            is_lasting: Have all calls of that name fail from there on.

        """
        self._fail_at, self._error, self._is_lasting = fail_at, error, is_lasting
        self._failing = ""
        self._is_dead = False
        self.calls: list[str] = []
        self.failed: list[str] = []  # the calls that failed because we said so
        self.start = len(self.trace)  # or, later, where a call failed

    def say(self, line: str) -> None:
        """Put a line of the story into the trace."""
        self.trace.append(("say", line))

    def _path(self, name: str, dir_fd: int | None) -> str | None:
        """Return a name as the watched directory has it; None: it is elsewhere."""
        if dir_fd is not None:
            above = self._open.get(dir_fd)
            return None if above is None else os.path.normpath(f"{above}/{name}")
        if name == self._root or name.startswith(self._root + "/"):
            return os.path.normpath(f"./{name[len(self._root) :]}")
        return None

    def _meet(self, call: str, path: str | None) -> None:
        """Count a call that is ours, and have it fail if it is the one."""
        if path is None:
            return
        if self._is_dead:
            raise Killed
        self.calls.append(f"{call} {path}")
        is_hit = len(self.calls) == self._fail_at
        if is_hit and self._is_lasting:
            self._failing = call
        if not is_hit and call != self._failing:
            return
        self.start = len(self.trace)
        if self._error == KILL:
            self._is_dead = True
            raise Killed
        self.failed.append(f"{call} {path}")
        self.say(f"{'failing' if self._error else 'shortening'} {call} {path}")
        if self._error:
            raise OSError(self._error, os.strerror(self._error), path)

    def _is_short(self) -> bool:
        """Tell whether the call that was met just now shall do half of its work."""
        return bool(self.failed) and not self._error and len(self.calls) == self._fail_at

    def open(self, name: str, flags: int, *, dir_fd: int | None = None) -> int:
        """Open, and follow the descriptor."""
        path = self._path(name, dir_fd)
        self._meet("open", path)
        fd = self._disk.open(name, flags, dir_fd=dir_fd)
        if path is not None:
            if path not in self._names and path != "." and flags & os.O_CREAT:
                self._last += 1
                self._names[path] = self._last
                self.trace.append(("create", path, self._last))
            elif flags & os.O_TRUNC:
                self.trace.append(("resize", self._names[path], 0))
            self._open[fd] = path
            self._number[fd] = self._names.get(path, DIRECTORY)
            self._position[fd] = [0]
        return fd

    def dup(self, fd: int) -> int:
        """Follow both."""
        self._meet("dup", self._open.get(fd))
        new = self._disk.dup(fd)
        if fd in self._open:
            for kept in (self._open, self._number, self._position):
                kept[new] = kept[fd]  # type: ignore[index, assignment]
        return new

    def close(self, fd: int) -> None:
        """Follow no more; a failing one is closed all the same."""
        path = self._open.pop(fd, None)
        try:
            self._meet("close", path)
        finally:
            if not self._is_dead:
                self._disk.close(fd)

    def stat(self, fd: int) -> os.stat_result:
        """Pass on."""
        self._meet("stat", self._open.get(fd))
        return self._disk.stat(fd)

    def stat_name(self, name: str, *, dir_fd: int | None = None) -> os.stat_result:
        """Pass on."""
        self._meet("stat", self._path(name, dir_fd))
        return self._disk.stat_name(name, dir_fd=dir_fd)

    def read(self, fd: int, size: int) -> bytes:
        """Pass on; a short one reads a half."""
        self._meet("read", self._open.get(fd))
        return self._disk.read(fd, max(1, size // 2) if self._is_short() else size)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Pass on; a short one reads a half."""
        self._meet("pread", self._open.get(fd))
        return self._disk.pread(fd, max(1, size // 2) if self._is_short() else size, offset)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write on."""
        self._meet("write", self._open.get(fd))
        written = self._disk.write(fd, data[: len(data) // 2] if self._is_short() else data)
        if fd in self._open:
            position = self._position[fd]
            self._wrote(fd, data[:written], position[0])
            position[0] += written
        return written

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write anywhere."""
        self._meet("pwrite", self._open.get(fd))
        written = self._disk.pwrite(
            fd, data[: len(data) // 2] if self._is_short() else data, offset
        )
        if fd in self._open:
            self._wrote(fd, data[:written], offset)
        return written

    def _wrote(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        self.trace.append(("write", self._number[fd], offset, bytes(data)))

    def fsync(self, fd: int) -> None:
        """Make certain; one that fails makes it certain that what was written is lost."""
        self._sync("fsync", fd)

    def fdatasync(self, fd: int) -> None:
        """Do the same: the size of a file counts as its data."""
        self._sync("fdatasync", fd)

    def _sync(self, call: str, fd: int) -> None:
        with self._lock:
            path = self._open.get(fd)
            number = None if path is None else self._number[fd]
            try:
                self._meet(call, path)
            except OSError:
                if number != DIRECTORY:
                    self.trace.append(("fail_to_sync", number))
                raise
            token = len(self.trace)
            if number == DIRECTORY:
                self.trace.append(("begin_sync", token))
        # Others may go on meanwhile: what they do now is not made certain by this.
        getattr(self._disk, call)(fd)
        with self._lock:
            if number == DIRECTORY:
                self.trace.append(("sync_directory", path, token))
            elif number is not None:
                self.trace.append(("sync", number))

    def rename(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give another name."""
        old, new = self._path(source, source_fd), self._path(target, target_fd)
        self._meet("rename", old)
        self._disk.rename(source, target, source_fd=source_fd, target_fd=target_fd)
        if old is not None and new is not None:
            self._names[new] = self._names.pop(old)
            self._open.update({fd: new for fd, path in self._open.items() if path == old})
            self.trace.append(("rename", old, new))

    def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give a second name."""
        old, new = self._path(source, source_fd), self._path(target, target_fd)
        self._meet("link", old)
        self._disk.link(source, target, source_fd=source_fd, target_fd=target_fd)
        if old is not None and new is not None:
            self._names[new] = self._names[old]
            self.trace.append(("link", old, new))

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Take a name away."""
        path = self._path(name, dir_fd)
        self._meet("unlink", path)
        self._disk.unlink(name, dir_fd=dir_fd)
        if path is not None:
            del self._names[path]
            self.trace.append(("unlink", path))

    def mkdir(self, name: str, *, dir_fd: int | None = None) -> None:
        """Make a directory."""
        path = self._path(name, dir_fd)
        self._meet("mkdir", path)
        self._disk.mkdir(name, dir_fd=dir_fd)
        if path is not None:
            self._names[path] = DIRECTORY
            self.trace.append(("mkdir", path))

    def names(self, dir_fd: int) -> Iterator[str]:
        """List, in the same order on every disk; the open and close in it are the other disk's."""
        self._meet("names", self._open.get(dir_fd))
        return iter(sorted(self._disk.names(dir_fd)))

    def flock(self, fd: int, *, waits: bool = False) -> None:
        """Pass on."""
        self._meet("flock", self._open.get(fd))
        self._disk.flock(fd, waits=waits)

    def statvfs(self, fd: int) -> os.statvfs_result:
        """Pass on."""
        self._meet("statvfs", self._open.get(fd))
        return self._disk.statvfs(fd)

    def euid(self) -> int:
        """Pass on."""
        return self._disk.euid()


def _alone(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def locked(self: Recorder, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            return call(self, *arguments, **options)

    return locked


# Several threads may use a spool; what the trace says came first did come first.
for _name in [name for name in vars(Disk) if not name.startswith("_") and "sync" not in name]:
    setattr(Recorder, _name, _alone(getattr(Recorder, _name)))
