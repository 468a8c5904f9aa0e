"""
A disk in memory, in place of ``spool.disk.Disk``: made of a tree, and quick to make.

A hundred thousand trees that a power cut may leave behind are each given to the real recovery.
It knows what the spool asks of a file system and nothing more; ``test_seam.py`` compares it with
the real one, call by call.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pillarbox.spool.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FakeDisk"]

_UID = os.geteuid()


class _Node:
    """A file or a directory; a directory has ``names``."""

    __slots__ = ("data", "links", "lock", "names", "number")

    def __init__(self, number: int, data: bytes, names: dict[str, _Node] | None) -> None:
        self.number = number
        self.data = data
        self.names = names
        self.links = 1
        self.lock: _Open | None = None


class _Open:
    """An open file, that several descriptors may share."""

    __slots__ = ("count", "node", "position")

    def __init__(self, node: _Node) -> None:
        self.node = node
        self.position = 0
        self.count = 1


class _Stat:
    """The fields of ``os.stat_result`` that somebody looks at."""

    def __init__(self, node: _Node) -> None:
        is_file = node.names is None
        self.st_mode = stat.S_IFREG | 0o600 if is_file else stat.S_IFDIR | 0o700
        self.st_uid = _UID
        self.st_gid = 0
        self.st_nlink = node.links
        self.st_size = len(node.data)
        self.st_ino = node.number
        self.st_dev = 1
        self.st_mtime = self.st_ctime = self.st_atime = 0.0


class FakeDisk(Disk):
    """
    A file system with one directory.

    Args:
        root: The absolute path of the directory; those above it are there too.
        tree: The content of each file in it, by name; None for a directory. Names that share one
            number in ``links`` are one file.
        links: The number of the file behind a name.

    """

    def __init__(
        self, root: str, tree: Mapping[str, bytes | None], links: Mapping[str, int] | None = None
    ) -> None:
        self._count = 1
        self._top = _Node(1, b"", {})
        node = self._top
        for part in root.strip("/").split("/"):
            node = self._add(node, part, None)
        self._root = node
        self._open: dict[int, _Open] = {}
        self._next_fd = 1000
        known: dict[int, _Node] = {}
        places: dict[str, _Node] = {"": node}
        for name in sorted(tree):
            directory, _, last = name.rpartition("/")
            number = (links or {}).get(name, -1)
            if number in known:
                places[directory].names[last] = known[number]  # type: ignore[index]
                known[number].links += 1
                continue
            places[name] = self._add(places[directory], last, tree[name])
            if number >= 0:
                known[number] = places[name]

    def _add(self, directory: _Node, name: str, data: bytes | None) -> _Node:
        self._count += 1
        node = _Node(self._count, data or b"", {} if data is None else None)
        directory.names[name] = node  # type: ignore[index]
        return node

    def end_process(self) -> None:
        """Close all and drop all locks, as the kernel does."""
        for file in self._open.values():
            file.node.lock = None
        self._open.clear()

    def tree(self) -> dict[str, bytes | None]:
        """Return what is in the directory now."""
        found: dict[str, bytes | None] = {}

        def walk(node: _Node, before: str) -> None:
            for name, child in (node.names or {}).items():
                found[before + name] = None if child.names is not None else child.data
                walk(child, f"{before}{name}/")

        walk(self._root, "")
        return found

    def _find(self, name: str, dir_fd: int | None) -> tuple[_Node, str]:
        """Return the directory that a name is in, and the last part of the name."""
        node = self._top if dir_fd is None else self._file(dir_fd).node
        *parts, last = [part for part in name.split("/") if part] or ["."]
        for part in parts:
            node = self._child(node, part)
        if node.names is None:
            raise _error(errno.ENOTDIR)
        return node, last

    def _child(self, node: _Node, name: str) -> _Node:
        if name == ".":
            return node
        child = (node.names or {}).get(name)
        if child is None:
            raise _error(errno.ENOENT)
        return child

    def _file(self, fd: int) -> _Open:
        file = self._open.get(fd)
        if file is None:
            raise _error(errno.EBADF)
        return file

    def open(self, name: str, flags: int, *, dir_fd: int | None = None) -> int:
        """Open a name, or make a file."""
        directory, last = self._find(name, dir_fd)
        names = directory.names or {}
        node = directory if last == "." else names.get(last)
        if node is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT)
            node = self._add(directory, last, b"")
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise _error(errno.EEXIST)
        if flags & os.O_DIRECTORY and node.names is None:
            raise _error(errno.ENOTDIR)
        if flags & os.O_TRUNC:
            node.data = b""
        return self._keep(_Open(node))

    def _keep(self, file: _Open) -> int:
        self._next_fd += 1
        self._open[self._next_fd] = file
        return self._next_fd

    def dup(self, fd: int) -> int:
        """Count one more descriptor."""
        file = self._file(fd)
        file.count += 1
        return self._keep(file)

    def close(self, fd: int) -> None:
        """Forget a descriptor, and a lock with the last one."""
        file = self._file(fd)
        del self._open[fd]
        file.count -= 1
        if not file.count and file.node.lock is file:
            file.node.lock = None

    def stat(self, fd: int) -> os.stat_result:
        """Tell of an open file."""
        return _Stat(self._file(fd).node)  # type: ignore[return-value]

    def stat_name(self, name: str, *, dir_fd: int | None = None) -> os.stat_result:
        """Tell of a name."""
        return _Stat(self._child(*self._find(name, dir_fd)))  # type: ignore[return-value]

    def read(self, fd: int, size: int) -> bytes:
        """Read on."""
        file = self._file(fd)
        data = file.node.data[file.position : file.position + size]
        file.position += len(data)
        return data

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read anywhere."""
        return self._file(fd).node.data[offset : offset + size]

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write on."""
        file = self._file(fd)
        file.position += self.pwrite(fd, data, file.position)
        return len(data)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write anywhere."""
        node = self._file(fd).node
        before = node.data.ljust(offset, b"\0")
        node.data = before[:offset] + bytes(data) + before[offset + len(data) :]
        return len(data)

    def fsync(self, fd: int) -> None:
        """Do nothing: memory does not fail."""
        self._file(fd)

    def fdatasync(self, fd: int) -> None:
        """Do nothing, either."""
        self._file(fd)

    def rename(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give another name."""
        names, target_names = self._names(source_fd), self._names(target_fd)
        if source not in names:
            raise _error(errno.ENOENT)
        if target in target_names:
            target_names[target].links -= 1
        target_names[target] = names.pop(source)

    def link(self, source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        """Give a second name."""
        names, target_names = self._names(source_fd), self._names(target_fd)
        if source not in names:
            raise _error(errno.ENOENT)
        if target in target_names:
            raise _error(errno.EEXIST)
        target_names[target] = names[source]
        names[source].links += 1

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Take a name away."""
        names = self._names(dir_fd)
        if name not in names:
            raise _error(errno.ENOENT)
        names.pop(name).links -= 1

    def _names(self, fd: int) -> dict[str, _Node]:
        names = self._file(fd).node.names
        if names is None:
            raise _error(errno.ENOTDIR)
        return names

    def mkdir(self, name: str, *, dir_fd: int | None = None) -> None:
        """Make a directory."""
        directory, last = self._find(name, dir_fd)
        if last in (directory.names or {}):
            raise _error(errno.EEXIST)
        self._add(directory, last, None)

    def names(self, dir_fd: int) -> Iterator[str]:
        """Yield the names of a moment."""
        yield from list(self._names(dir_fd))

    def flock(self, fd: int, *, waits: bool = False) -> None:
        """Take a lock that no other open file has; waiting for it would be for ever."""
        del waits
        file = self._file(fd)
        if file.node.lock not in (None, file):
            raise BlockingIOError(errno.EWOULDBLOCK, "locked")
        file.node.lock = file

    def statvfs(self, fd: int) -> os.statvfs_result:
        """Tell of much room."""
        self._file(fd)
        return os.statvfs_result((4096, 4096, *[1 << 20] * 6, 0, 255))


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
