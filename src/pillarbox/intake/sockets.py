"""
Make the Unix sockets of a service, in a directory that nobody else can change.

A socket is bound under a name of its own, and put in its place when it listens: there is no moment
at which a caller finds one that nobody listens on, or one with the wrong mode. The rule to keep: a
socket on which somebody answers is never taken away from him.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from pillarbox.errors import ConfigError, SpoolError
from pillarbox.text import say

__all__ = ["FOR_ALL", "FOR_OWNER", "make_socket"]

FOR_ALL = 0o666  # the kernel says who comes; what he may is decided then
FOR_OWNER = 0o600

_BACKLOG = 1024  # callers that wait while we are busy; the kernel cuts it to somaxconn
_OTHERS_WRITE = 0o022
_PUBLIC = 0o755
_PRIVATE = 0o700
_MAX_PATH = 107  # octets of a Unix socket's path (unix(7)), without the NUL


def make_socket(path: str, mode: int) -> socket.socket:
    """
    Return a socket that listens at a path; a directory that is not there is made.

    Args:
        path: Where.
        mode: ``FOR_ALL`` or ``FOR_OWNER``.

    Raises:
        ConfigError: The directory cannot be made, or others could put a socket of theirs there.
        SpoolError: Somebody answers there already.

    """
    if len(os.fsencode(path)) + len(_suffix()) > _MAX_PATH:
        raise ConfigError(
            say("{path} is too long for a socket", path=path),
            advice=say("choose a path of up to {limit} octets", limit=_MAX_PATH - len(_suffix())),
        )
    _make_directory(os.path.dirname(path), _PUBLIC if mode == FOR_ALL else _PRIVATE)
    _refuse_if_answered(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    name = path + _suffix()
    try:
        with suppress(FileNotFoundError):
            os.unlink(name)  # of a process with our number that was killed
        sock.bind(name)
        os.chmod(name, mode)
        sock.listen(_BACKLOG)
        os.rename(name, path)
    except OSError as exc:
        sock.close()
        with suppress(OSError):
            os.unlink(name)
        raise ConfigError(
            say("cannot listen at {path}: {reason}", path=path, reason=exc.strerror)
        ) from exc
    return sock


def _suffix() -> str:
    return f".{os.getpid()}"


def _make_directory(path: str, mode: int) -> None:
    """Make a directory if it is not there, and see that nobody else can change what is in it."""
    try:
        with suppress(FileExistsError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(path, mode)
            os.chmod(path, mode)  # whatever the umask took away
        status = os.lstat(path)
    except OSError as exc:
        raise ConfigError(
            say("cannot make the directory {path}: {reason}", path=path, reason=exc.strerror),
            advice=say("make it, and give it to the user of the service"),
        ) from exc
    is_ours = status.st_uid in (0, os.geteuid())
    if not stat.S_ISDIR(status.st_mode) or not is_ours or status.st_mode & _OTHERS_WRITE:
        raise ConfigError(
            say("{path} can be changed by others: no socket is put there", path=path),
            advice=say(
                "keep others out: chown {uid} {path}; chmod go-w {path}",
                uid=os.geteuid(),
                path=path,
            ),
        )


def _refuse_if_answered(path: str) -> None:
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return  # nothing is there
    if not is_socket:
        raise ConfigError(
            say("{path} is there and no socket", path=path), advice=say("take it away")
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            pass  # it listens, and has a full backlog
        except OSError:
            return  # nobody is behind it: it is what a killed process has left
    raise SpoolError(
        say("another process answers at {path}", path=path),
        advice=say("stop it first, or choose another socket"),
    )
