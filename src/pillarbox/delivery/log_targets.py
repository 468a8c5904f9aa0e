"""
The places where the log of the service can go: a file, syslog, the journal, standard error.

Each is tried again by itself when it was gone for a while. None of them waits: what a log daemon
does not take at once is dropped, as the mail must not stand still for it.
"""

from __future__ import annotations

import errno
import os
import socket
import threading

from pillarbox.delivery.events import FORMATS, LEVELS, WARNING, Event, Lines, Target, stamp
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.config.settings import Log
    from pillarbox.delivery.events import Events

__all__ = ["TARGETS", "File", "Journal", "Syslog", "adopt"]

_FILE_MODE = 0o640  # the group may read it: that is who reads logs (adm on Debian)
_FACILITY_MAIL = 2 << 3  # RFC 5424 6.2.1
_SYSLOG_SOCKET = "/dev/log"
_JOURNAL_SOCKET = "/run/systemd/journal/socket"
_NAME = "pillarbox"
_SEALS = 0x000F  # F_SEAL_SEAL, SHRINK, GROW and WRITE: journald takes no other memory file
_F_ADD_SEALS = 1033


class File(Target):
    """
    A file that lines are added to, each with a single write, so that many may write to it.

    Args:
        path: Where it is.
        form: Makes the line.

    Raises:
        OSError: It cannot be opened.

    """

    def __init__(self, path: str, form: Callable[[Event], str]) -> None:
        self._path = path
        self._form = form
        self._has_time = form is not FORMATS["json"]
        self._lock = threading.Lock()
        self._fd = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self._path, flags)
        except FileNotFoundError:
            fd = os.open(self._path, flags | os.O_CREAT, _FILE_MODE)
            os.fchmod(fd, _FILE_MODE)  # our mask is that of mail
            return fd

    def send(self, event: Event) -> None:
        """Add one line."""
        start = f"{stamp(event.epoch_s)} " if self._has_time else ""
        data = f"{start}{self._form(event)}\n".encode()
        with self._lock:
            os.write(self._fd, data)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class _Datagrams(Target):
    """A socket that takes one datagram an event."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def _send(self, data: bytes) -> None:
        with self._lock:
            if self._socket is None:
                self._connect()
            try:
                self._give(data)
            except (ConnectionError, FileNotFoundError):
                # The other side was started anew.
                self._connect()
                self._give(data)

    def _connect(self) -> None:
        self._drop()
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        fresh.settimeout(0)
        try:
            fresh.connect(self._path)
        except OSError:
            fresh.close()
            raise
        self._socket = fresh

    def _give(self, data: bytes) -> None:
        assert self._socket is not None  # connected just before
        self._socket.send(data)

    def _drop(self) -> None:
        before, self._socket = self._socket, None
        if before is not None:
            before.close()

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            self._drop()


class Syslog(_Datagrams):
    """The system's log (RFC 3164, as every ``/dev/log`` takes it), facility mail."""

    def __init__(self, form: Callable[[Event], str], path: str = _SYSLOG_SOCKET) -> None:
        super().__init__(path)
        self._form = form

    def send(self, event: Event) -> None:
        """Send one line."""
        number = _FACILITY_MAIL | event.priority
        self._send(f"<{number}>{_NAME}[{os.getpid()}]: {self._form(event)}".encode())


class Journal(_Datagrams):
    """
    Journald by its own protocol: each field of an event is a field that it can be searched for.

    ``journalctl PILLARBOX_ID=...`` finds a mail.
    """

    def __init__(self, form: Callable[[Event], str], path: str = _JOURNAL_SOCKET) -> None:
        super().__init__(path)
        self._form = form

    def send(self, event: Event) -> None:
        """Send the fields."""
        fields = {
            "MESSAGE": self._form(event),
            "PRIORITY": str(event.priority),
            "SYSLOG_IDENTIFIER": _NAME,
            "PILLARBOX_EVENT": event.name,
        }
        for key, value in event.fields.items():
            fields[f"PILLARBOX_{key.upper()}"] = str(value)
        self._send(b"".join(_journal_field(key, value) for key, value in fields.items()))

    def _give(self, data: bytes) -> None:
        try:
            super()._give(data)
        except OSError as exc:
            if exc.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._give_as_file(data)

    def _give_as_file(self, data: bytes) -> None:
        import fcntl

        assert self._socket is not None  # connected just before
        fd = os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, data)
            fcntl.fcntl(fd, _F_ADD_SEALS, _SEALS)
            socket.send_fds(self._socket, [b""], [fd])
        finally:
            os.close(fd)


def _journal_field(key: str, value: str) -> bytes:
    name, data = key.encode(), value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name + b"=" + data + b"\n"
    return name + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


def _make_lines(log: Log, environment: Mapping[str, str]) -> Target:
    return Lines(environment=environment, form=FORMATS[log.format])


def _make_file(log: Log, _: Mapping[str, str]) -> Target:
    if not log.file:
        raise OSError(errno.ENOENT, say("[log] names no file"))
    return File(log.file, FORMATS[log.format])


def _make_syslog(log: Log, _: Mapping[str, str]) -> Target:
    return Syslog(FORMATS[log.format])


def _make_journal(log: Log, _: Mapping[str, str]) -> Target:
    return Journal(FORMATS[log.format])


# The words of the setting ``targets``, and what makes each.
TARGETS = {
    "stderr": _make_lines,
    "file": _make_file,
    "syslog": _make_syslog,
    "journal": _make_journal,
}


def adopt(events: Events, log: Log, environment: Mapping[str, str]) -> None:
    """
    Have events go where the settings say, from now on; files are opened anew.

    Never raises: a target that cannot be had is told of on the others; where it is the only one,
    on standard error.
    """
    targets: list[Target] = []
    failed = []
    for word in log.targets:
        try:
            targets.append(TARGETS[word](log, environment))
        except OSError as exc:
            failed.append((word, printable(exc.strerror or str(exc))))
    events.use(targets or [_make_lines(log, environment)], level=LEVELS[log.level])
    for word, reason in failed:
        events.event(WARNING, "log_failed", target=word, reason=reason)
