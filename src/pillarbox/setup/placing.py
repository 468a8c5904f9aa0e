"""
Put a file in its place: whole or not at all, and never more readable than it may be.

1. ``look`` - what is there, and whose it is; follows a symbolic link to the file that it means,
   for people keep such files in a repository of theirs.
2. ``require_room`` - whether we can write there, before anybody is asked for anything.
3. ``put`` - a new file beside the old one, readable by us alone, written and synced; a second
   name for the old one (the backup); a rename; a sync of the directory.

At every moment between two system calls the old file is whole or the new one is, and a file that
was left over by a kill can be read by nobody else; the next ``put`` sweeps it away.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.errors import InputOutputError
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO, NoReturn

__all__ = ["Place", "Rights", "look", "make_folder", "put", "require_room", "set_rights"]

_FILE_MAX = 1 << 20  # bytes, as of the reader of configurations
_PRIVATE = 0o600
_PRIVATE_FOLDER = 0o700
_OTHERS = 0o007
_WORD = ".pillarbox-"  # stands in the name of a new file; a dot before it hides it
_RANDOM = 8  # octets of its name, in hexadecimal digits twice as many
# Where there are no hard links: FAT, some network and FUSE file systems.
_NO_LINKS = frozenset((errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))


class Rights(Value):
    """
    Whose a file is to be.

    Attributes:
        uid: Its owner; -1: as it comes.
        gid: Its group; -1 likewise.
        mode: Its permissions.

    """

    __slots__ = ("gid", "mode", "uid")

    def __init__(self, uid: int, gid: int, mode: int) -> None:
        self.uid = uid
        self.gid = gid
        self.mode = mode

    def are_of(self, status: os.stat_result) -> bool:
        """Tell whether a file has them."""
        return (
            self.uid in (-1, status.st_uid)
            and self.gid in (-1, status.st_gid)
            and stat.S_IMODE(status.st_mode) == self.mode
        )


class Place(Value):
    """
    A file that is, or will be.

    Attributes:
        path: As a person knows it.
        target: The file itself, behind symbolic links.
        content: What it says; empty: nothing, or it is not there.
        status: Its owner and mode; None: it is not there.

    """

    __slots__ = ("content", "path", "status", "target")

    def __init__(
        self, path: str, target: str, content: bytes, status: os.stat_result | None
    ) -> None:
        self.path = path
        self.target = target
        self.content = content
        self.status = status

    @property
    def folder(self) -> str:
        """The directory of the file itself."""
        return os.path.dirname(self.target)


def look(path: str) -> Place:
    """
    Return what is at a path.

    Raises:
        InputOutputError: It is there and cannot be read, or is no file of text.

    """
    target = os.path.realpath(path)
    try:
        content, status = _read(target)
    except (FileNotFoundError, NotADirectoryError):
        return Place(path, target, b"", None)
    except OSError as error:
        raise InputOutputError(
            say("cannot read {path}: {reason}", path=path, reason=error.strerror)
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputOutputError(say("{path} is not a file", path=path))
    if len(content) > _FILE_MAX:
        problem = say("is larger than a mebibyte")
        raise InputOutputError(say("{path}: {problem}", path=path, problem=problem))
    return Place(path, target, content, status)


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """Return what a file says; nothing of a pipe, which would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        content = b""
        while stat.S_ISREG(status.st_mode) and len(content) <= _FILE_MAX:
            piece = os.read(descriptor, 65536)
            if not piece:
                break
            content += piece
        return content, status
    finally:
        os.close(descriptor)


def require_room(place: Place, *, is_rooted: bool = False) -> None:
    """
    Raise if the file could not be written; nothing is left behind by finding out.

    Args:
        place: Where.
        is_rooted: Whoever calls may write into what belongs to others.

    Raises:
        InputOutputError: It could not, and why.

    """
    _require_own(place, is_rooted=is_rooted)
    try:
        descriptor, path = _new_file(place)
        try:
            os.unlink(path)
        finally:
            os.close(descriptor)  # may fail on a full disk; the name has gone before
    except OSError as error:
        advice = ""
        if error.errno == errno.EROFS:
            advice = say("make the file system writable, or set it up where it is")
        elif error.errno in (errno.EACCES, errno.EPERM):
            advice = say("run it with sudo, or with --user for yourself alone")
        raise _failure(place.path, error, advice=advice) from error


def _require_own(place: Place, *, is_rooted: bool) -> None:
    """
    Raise where the file, or for root a directory that leads to it, is another user's.

    Attack: root sets up "his own" account with the home of somebody who has put a link there.
    """
    for folder in dict.fromkeys((os.path.dirname(place.path), place.folder)):
        try:
            owner = os.stat(folder).st_uid
        except OSError as error:
            advice = say("make the directory {path} first", path=folder)
            raise _failure(folder, error, advice=advice) from error
        # Others are kept out by the system, unless somebody has let them in.
        if owner and not is_rooted and os.geteuid() == 0:
            _fail_not_own(folder)
    if not is_rooted and place.status is not None and place.status.st_uid != os.geteuid():
        _fail_not_own(place.target)


def _fail_not_own(path: str) -> NoReturn:
    raise InputOutputError(
        say("{path} belongs to another user", path=path),
        advice=say("run this as that user, or for the whole system as root"),
    )


def set_rights(place: Place, rights: Rights) -> None:
    """
    Give a file that is there its owner and mode, and leave what it says.

    Raises:
        InputOutputError: They cannot be had.

    """
    try:
        descriptor = os.open(place.target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, rights.mode & _PRIVATE)  # to nobody else while it is changing
            if (rights.uid, rights.gid) != (-1, -1):
                os.fchown(descriptor, rights.uid, rights.gid)
            os.fchmod(descriptor, rights.mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failure(place.path, error) from error


def put(place: Place, content: bytes, rights: Rights, *, has_secret: bool) -> str:
    """
    Write a file; the old one is kept under another name. Blocks until it is on the disk.

    Args:
        place: Where; as ``look`` found it.
        content: All of it.
        rights: Whose it is to be.
        has_secret: The old one may hold a secret: others may not read what is kept of it.

    Returns:
        The path of the old one; empty: there was none.

    Raises:
        InputOutputError: It could not be written, or has changed since it was looked at; the old
            file is there as it was.

    """
    new = kept = ""
    try:
        _sweep(place)
        descriptor, new = _new_file(place)
        with open(descriptor, "wb") as file:
            _fill(file, content, rights)
            _require_unchanged(place)  # as late as it can be: two may be at it
            kept = _keep(place) if place.status is not None else ""
            os.rename(new, place.target)
        if kept and has_secret:
            _close_to_others(kept)
        _sync_folder(place.folder)
    except BaseException as error:
        if new and os.path.lexists(new):
            with suppress(OSError):
                os.unlink(new)
            if kept:
                with suppress(OSError):
                    os.unlink(kept)  # the old file has its own name still
        if isinstance(error, OSError):
            raise _failure(place.path, error) from error
        raise
    return kept


def _fill(file: BinaryIO, content: bytes, rights: Rights) -> None:
    """Write a new file, and have it on the disk."""
    file.write(content)
    file.flush()
    # The owner first: in between it is readable by fewer than it will be, never by more.
    if (rights.uid, rights.gid) != (-1, -1):
        os.fchown(file.fileno(), rights.uid, rights.gid)
    os.fchmod(file.fileno(), rights.mode)
    os.fsync(file.fileno())


def _require_unchanged(place: Place) -> None:
    now = look(place.path)
    is_there = now.status is not None
    if now.content != place.content or is_there != (place.status is not None):
        problem = say("{path} was changed by somebody else meanwhile", path=place.path)
        raise InputOutputError(problem, advice=say("run it again"))


def make_folder(path: str) -> None:
    """
    Make a directory that only its owner reads, if it is not there. Blocks until it is on the disk.

    Raises:
        InputOutputError: It cannot be made.

    """
    try:
        with suppress(FileExistsError):
            os.mkdir(path, _PRIVATE_FOLDER)
            _sync_folder(os.path.dirname(path))
    except OSError as error:
        raise _failure(path, error) from error


def _new_file(place: Place) -> tuple[int, str]:
    """
    Open a new file beside a place, which is locked as long as it is open.

    The lock tells ``_sweep`` that somebody is still at work on it.
    """
    name = f"{_prefix(place)}{secrets.token_hex(_RANDOM)}"
    path = os.path.join(place.folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, _PRIVATE)
    with suppress(OSError):  # a network file system without locks: then nothing is swept
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor, path


def _prefix(place: Place) -> str:
    return f".{os.path.basename(place.target).lstrip('.')}{_WORD}"


def _sweep(place: Place) -> None:
    """Remove what a run that was killed has left here."""
    for path in _left_over(place):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(descriptor)


def _left_over(place: Place) -> Iterator[str]:
    prefix = _prefix(place)
    for name in os.listdir(place.folder):
        if name.startswith(prefix) and len(name) == len(prefix) + 2 * _RANDOM:
            yield os.path.join(place.folder, name)


def _close_to_others(path: str) -> None:
    """Take from others what they could read; only behind the rename is it no other file's mode."""
    mode = stat.S_IMODE(os.stat(path, follow_symlinks=False).st_mode)
    if mode & _OTHERS:
        os.chmod(path, mode & ~_OTHERS)


def _keep(place: Place) -> str:
    """Give the old file a second name that nothing has; the first stays until it is replaced."""
    word = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        ending = f".{word}~" if number == 1 else f".{word}-{number}~"
        kept = place.target + ending
        try:
            _second_name(place, kept)
        except FileExistsError:
            number += 1
            continue
        return kept


def _second_name(place: Place, kept: str) -> None:
    try:
        os.link(place.target, kept, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    status = place.status
    assert status is not None  # else there is nothing to keep
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(kept, flags, _PRIVATE), "wb") as file:
        file.write(place.content)
        file.flush()
        if os.geteuid() == 0:
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
        os.fsync(file.fileno())


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(path: str, error: OSError, *, advice: str = "") -> InputOutputError:
    return InputOutputError(
        say("{path} cannot be written: {reason}", path=path, reason=error.strerror),
        advice=advice,
    )
