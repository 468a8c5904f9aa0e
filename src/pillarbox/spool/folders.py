"""
The directories of a spool: made, checked, opened once, and fsynced in company.

::

    <spool>/format          "pillarbox-spool 1": made last, so that it vouches for the rest
    <spool>/submit.lock     who has the right to accept mail into it
    <spool>/deliver.lock    who has the right to send mail from it
    <spool>/tmp             entries that are being written
    <spool>/queue hold failed corrupt
    <spool>/accounts        what ``delivery`` remembers of accounts

The rule to keep: nobody else may own one of them, write to one, or have put a link in its place;
what is in them is opened relative to the descriptor that was checked, and by no other way.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISVTX, S_IWGRP, S_IWOTH

from pillarbox.errors import LocalProtocolError, SpoolError, SpoolFullError
from pillarbox.spool.base import STATES
from pillarbox.spool.disk import write_all
from pillarbox.spool.sync import SharedSync
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.spool.disk import Disk
    from pillarbox.text import Text

__all__ = ["ACCOUNTS", "TMP", "Folders"]

TMP = "tmp"
ACCOUNTS = "accounts"
_FOLDERS = (TMP, *STATES, ACCOUNTS)

_FORMAT = "format"
_FORMAT_WORD = b"pillarbox-spool "
_FORMAT_TEXT = _FORMAT_WORD + b"1\n"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EROFS)
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
# What a file system says that cannot fsync a directory (some FUSE ones, CIFS, old NFS).
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_MAX_WARNINGS = 100
# File systems that keep nothing, and those whose keeping is another's business.
_FORGETFUL = ("tmpfs", "ramfs", "overlay", "aufs")
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse", "virtiofs", "ceph", "glusterfs")


class Folders:
    """
    The open directories of one spool.

    Attributes:
        disk: What all calls go through.
        path: Where the spool is.
        warnings: What an administrator should know, in sentences; the latest hundred.

    """

    def __init__(self, path: str, disk: Disk) -> None:
        self.disk = disk
        self.path = path
        self.warnings: list[Text] = []
        self._fds: dict[str, int] = {}
        self._syncs: dict[str, SharedSync] = {}

    def open(self) -> None:
        """
        Make what is missing, durably, and open all.

        Raises:
            SpoolError: One of them cannot be made, or is not ours alone.

        """
        if self._fds:
            raise LocalProtocolError(say("the spool {path} is open already", path=self.path))
        try:
            self._open()
        except OSError as exc:
            self.close()
            raise self.failure(exc) from exc
        except SpoolError:
            self.close()
            raise

    def warn_of_file_system(self) -> None:
        """Add a warning if the spool is where a promise cannot be kept."""
        device = self.disk.stat(self.fd("")).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        for line in self.disk.mounts().splitlines():
            mount, _, source = line.partition(" - ")
            if mount.split(" ")[2:3] == [number]:
                kind = source.partition(" ")[0]
                if kind in _FORGETFUL:
                    self.warn(
                        say(
                            "the spool {path} is on {kind}, which forgets everything when the "
                            "computer or container ends",
                            path=self.path,
                            kind=kind,
                        )
                    )
                elif kind.startswith(_REMOTE):
                    self.warn(
                        say(
                            "the spool {path} is on {kind}: whether mail survives a power cut "
                            "is up to another computer or program",
                            path=self.path,
                            kind=kind,
                        )
                    )
                return

    def close(self) -> None:
        """Close all. Never raises."""
        fds, self._fds, self._syncs = self._fds, {}, {}
        for fd in fds.values():
            try:
                self.disk.close(fd)
            except OSError:
                continue  # only read from: nothing can be lost

    def fd(self, name: str) -> int:
        """Return the descriptor of a directory; ``""`` is the spool itself."""
        try:
            return self._fds[name]
        except KeyError:
            raise SpoolError(say("the spool {path} is not open", path=self.path)) from None

    def sync(self, name: str) -> None:
        """
        Have the names in a directory survive a power cut, sharing the fsync.

        Raises:
            SpoolError: They may not.

        """
        self.fd(name)
        try:
            self._syncs[name].sync()
        except OSError as exc:
            if exc.errno not in _NO_SYNC:
                raise self.failure(exc) from exc
            self._warn_of_no_sync()

    def warn(self, text: Text) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)
            del self.warnings[:-_MAX_WARNINGS]

    def failure(self, exc: OSError) -> SpoolError:
        """Return the error that tells a person what the file system said."""
        path, reason = self.path, exc.strerror or str(exc)
        if exc.errno in _FULL:
            return SpoolFullError(
                say("the spool {path} is full: {reason}", path=path, reason=reason),
                advice=say("make room on its file system and send the mail again"),
            )
        return SpoolError(
            say("the spool {path} cannot be used: {reason}", path=path, reason=reason),
            advice=self._advice(exc.errno),
        )

    def _advice(self, number: int | None) -> Text:
        if number in _NOT_OURS:
            uid = self.disk.euid()
            return say("see that uid {uid} can make it and write to it", uid=uid)
        if number in _TOO_MANY:
            return say("try again later; if it stays so, allow more open files (LimitNOFILE)")
        return say("look into the system's log for errors of the disk, and try again")

    def _open(self) -> None:
        self._check_parents()
        made = self._make_root()
        root = self._fds[""] = self.disk.open(self.path, _DIRECTORY)
        device = self._check(root, self.path)
        for name in _FOLDERS:
            try:
                fd = self.disk.open(name, _DIRECTORY, dir_fd=root)
            except FileNotFoundError:
                self._mkdir(name, dir_fd=root)
                fd = self.disk.open(name, _DIRECTORY, dir_fd=root)
                made = True
            self._fds[name] = fd
            self._syncs[name] = SharedSync(self.disk, fd)
            if self._check(fd, f"{self.path}/{name}") != device:
                raise SpoolError(
                    say(
                        "{path} is on another file system than its spool",
                        path=f"{self.path}/{name}",
                    )
                )
        if made or not self._is_vouched_for(root):
            self._settle_directories(root, device)
            self._vouch(root)

    def _check_parents(self) -> None:
        """Refuse a place from where anybody could take the spool away."""
        path = os.path.realpath(os.path.dirname(os.path.abspath(self.path)))
        while True:
            try:
                mode = self.disk.stat_name(path).st_mode
            except FileNotFoundError:
                mode = 0
            if mode & S_IWOTH and not mode & S_ISVTX:
                raise SpoolError(
                    say("{path} can be written by others", path=path),
                    advice=say("run: chmod o-w {path}", path=path),
                )
            if path == "/":
                return
            path = os.path.dirname(path)

    def _make_root(self) -> bool:
        missing = []
        path = os.path.abspath(self.path)
        while True:
            try:
                self.disk.stat_name(path)
                break
            except FileNotFoundError:
                missing.append(path)
                path = os.path.dirname(path)
        for path in reversed(missing):
            self._mkdir(path)
        return bool(missing)

    def _mkdir(self, name: str, *, dir_fd: int | None = None) -> None:
        try:
            self.disk.mkdir(name, dir_fd=dir_fd)
        except FileExistsError:
            return  # another process is making the same spool

    def _check(self, fd: int, path: str) -> int:
        found = self.disk.stat(fd)
        me = self.disk.euid()
        if found.st_uid != me:
            raise SpoolError(
                say(
                    "{path} belongs to uid {uid}, not to uid {me}",
                    path=path,
                    uid=found.st_uid,
                    me=me,
                ),
                advice=say("run it as the owner of the spool, or name another spool"),
            )
        if found.st_mode & (S_IWGRP | S_IWOTH):
            raise SpoolError(
                say("{path} can be written by others", path=path),
                advice=say("run: chmod 0700 {path}", path=path),
            )
        return found.st_dev

    def _is_vouched_for(self, root: int) -> bool:
        try:
            fd = self.disk.open(_FORMAT, os.O_RDONLY | os.O_NONBLOCK, dir_fd=root)
        except FileNotFoundError:
            return False
        try:
            text = self.disk.pread(fd, 64, 0)
        finally:
            self.disk.close(fd)
        # A power cut in the middle of its making may have left anything of the right size.
        if text != _FORMAT_TEXT and text.startswith(_FORMAT_WORD) and text.endswith(b"\n"):
            raise SpoolError(
                say("the spool {path} was made by another version of pillarbox", path=self.path)
            )
        return text == _FORMAT_TEXT

    def _vouch(self, root: int) -> None:
        """Say that all directories are durable; if this is lost, they are made so once more."""
        fd = self.disk.open(_FORMAT, os.O_WRONLY | os.O_CREAT, dir_fd=root)
        try:
            write_all(self.disk, fd, _FORMAT_TEXT)
            self.disk.fsync(fd)
        finally:
            self.disk.close(fd)

    def _settle_directories(self, root: int, device: int) -> None:
        """Fsync the spool's directories and each parent up to the mount point."""
        for name in _FOLDERS:
            self._settle(self._fds[name])
        self._settle(root)
        path = os.path.abspath(self.path)
        while path != "/":
            path = os.path.realpath(os.path.dirname(path))
            try:
                fd = self.disk.open(path, _DIRECTORY)
            except PermissionError:
                return  # it can be passed and not be read: an administrator made what is in it
            try:
                if self.disk.stat(fd).st_dev != device:
                    return
                self._settle(fd)
            finally:
                self.disk.close(fd)

    def _settle(self, fd: int) -> None:
        try:
            self.disk.fsync(fd)
        except OSError as exc:
            if exc.errno not in _NO_SYNC:
                raise
            self._warn_of_no_sync()

    def _warn_of_no_sync(self) -> None:
        self.warn(
            say(
                "the file system of the spool {path} cannot fsync a directory: a power cut may "
                "lose mail that was accepted",
                path=self.path,
            )
        )
