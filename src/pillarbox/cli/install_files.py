"""
The files of the system that is installed to: looked at, put in place at once, and taken away.

All paths are those that the installed system will know; ``Root.at`` says where each is now. The
rule to keep: a file appears whole or not at all (it is written beside its place and renamed), and
nothing is followed out of the root.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from pillarbox.errors import InputOutputError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.cli.install_plan import Item

    # What is at a path: kind (file, link, other), and mode, uid, gid, sha256 or target.
    Sight = dict[str, Any]

__all__ = ["CHANGED", "NEW", "Root", "is_same", "sight_of"]

NEW = ".pillarbox-new"  # what an interrupted installation may leave behind; always the same name
CHANGED = ".pillarbox-changed"  # what somebody has made of a file that has to make way

_DIRECTORY = 0o755


class Root:
    """
    The top of the system that is installed to.

    Args:
        path: Its directory; ``/`` is this system.

    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.is_here = self.path == "/"

    def at(self, path: str) -> str:
        """
        Return where a path of the installed system is.

        Raises:
            InputOutputError: A link in it leads out of the root.

        """
        if self.is_here:
            return path
        place = f"{self.path}{path}"
        folder = os.path.realpath(os.path.dirname(place))
        if folder != self.path and not folder.startswith(f"{self.path}/"):
            problem = say("{path} leads out of {root}", path=path, root=self.path)
            raise InputOutputError(problem, advice=say("see which directory of it is a link"))
        return place

    def look(self, path: str) -> Sight | None:
        """Return what is at a path; None: nothing."""
        place = self.at(path)
        try:
            status = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return {"kind": "link", "target": os.readlink(place)}
        sight: Sight = {
            "kind": "file" if stat.S_ISREG(status.st_mode) else "other",
            "mode": stat.S_IMODE(status.st_mode),
            "uid": status.st_uid,
            "gid": status.st_gid,
        }
        if sight["kind"] == "file":
            with open(place, "rb") as file:
                sight["sha256"] = _digest(file.read())
        return sight

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None: there is none."""
        try:
            with open(self.at(path), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, item: Item) -> None:
        """Put a file or a link in its place, at once. The directory is there."""
        if item.target:
            self._put_link(item.path, item.target)
        else:
            self._put_file(item.path, item.content, item.mode)

    def save(self, path: str, copy: str) -> None:
        """Keep a copy of a file, safe from a power cut."""
        content = self.read(path)
        assert content is not None  # it was looked at
        self._put_file(copy, content, 0o600)

    def restore(self, path: str, before: Sight, copy: str) -> None:
        """Put back what was at a path."""
        if before["kind"] == "link":
            self._put_link(path, before["target"])
            return
        content = self.read(copy)
        if content is None or _digest(content) != before["sha256"]:
            problem = say("the copy of {path} in {copy} is not there", path=path, copy=copy)
            raise InputOutputError(problem)
        owner = (before["uid"], before["gid"])
        self._put_file(path, content, before["mode"], owner)

    def move_aside(self, path: str) -> str:
        """Rename what somebody has changed; return its new path."""
        aside = path + CHANGED
        os.replace(self.at(path), self.at(aside))
        return aside

    def remove(self, path: str) -> None:
        """Take a file away, and what an interrupted installation has left beside it."""
        for name in (path, path + NEW):
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(self.at(name))

    def make_folders(self, path: str) -> list[str]:
        """Make the directories that lead to a path; return those that were not there."""
        missing = []
        folder = os.path.dirname(path)
        while not os.path.isdir(self.at(folder)):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for name in reversed(missing):
            os.mkdir(self.at(name))
            os.chmod(self.at(name), _DIRECTORY)
        return missing

    def remove_folder(self, path: str) -> None:
        """Remove a directory that is empty."""
        with suppress(OSError):
            os.rmdir(self.at(path))

    def _put_file(
        self, path: str, content: bytes, mode: int, owner: tuple[int, int] | None = None
    ) -> None:
        place = self.at(path)
        with suppress(FileNotFoundError):
            os.unlink(place + NEW)
        fd = os.open(place + NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None and os.geteuid() == 0:
                os.fchown(fd, *owner)
            os.fchmod(fd, mode)  # behind fchown, which takes bits away
            os.fsync(fd)
        os.rename(place + NEW, place)

    def _put_link(self, path: str, target: str) -> None:
        place = self.at(path)
        with suppress(FileNotFoundError):
            os.unlink(place + NEW)
        os.symlink(target, place + NEW)
        os.rename(place + NEW, place)


def sight_of(item: Item) -> Sight:
    """Return what will be seen at the place of an item."""
    if item.target:
        return {"kind": "link", "target": item.target}
    return {"kind": "file", "mode": item.mode, "sha256": _digest(item.content)}


def is_same(one: Sight | None, other: Sight | None) -> bool:
    """Tell whether two looks saw the same, owners aside."""
    if one is None or other is None:
        return one is other
    return all(one.get(key) == other.get(key) for key in ("kind", "mode", "sha256", "target"))


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
