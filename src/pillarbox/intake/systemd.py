"""
What systemd and a service tell each other: readiness, the watchdog, sockets that are open already.

Everything is optional: without systemd nothing here does anything. No library is used, the
protocol is a datagram of lines (sd_notify(3)) and three variables (sd_listen_fds(3)). The rule to
keep: what was meant for this process is taken out of the environment, so that no program it starts
can speak in its name.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["Notifier", "Passed", "take_sockets"]

_FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
_MAX_DESCRIPTORS = 64  # a service has two; more is somebody's mistake
_MAX_STATUS = 200  # characters of the line that `systemctl status` shows


class Notifier:
    """
    The one that tells systemd how the service is doing.

    Args:
        environment: Where NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out of.

    Attributes:
        watchdog_s: Within what time systemd wants to hear of us; 0: it does not watch.

    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        if self._address[:1] not in ("/", "@"):
            self._address = ""
        period = environment.pop("WATCHDOG_USEC", "")
        watched = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
        is_for_us = period.isdigit() and watched == str(os.getpid())
        self.watchdog_s = int(period) / 1e6 if is_for_us else 0.0

    def ready(self, status: str = "") -> None:
        """Say that the service takes mail now, after a start or a reload."""
        self._tell("READY=1", status)

    def reloading(self) -> None:
        """Say that the settings are being read anew; ``ready`` ends it."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Say that everything works: only after a look at what has to."""
        self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Have ``systemctl status`` show a line."""
        self._tell("", text)

    def _tell(self, lines: str, status: str = "") -> None:
        if not self._address:
            return
        if status:
            shown = "".join(char if char.isprintable() else " " for char in status[:_MAX_STATUS])
            lines = f"{lines}\nSTATUS={shown}".lstrip("\n")
        address = self._address.encode("utf-8", "surrogateescape")
        if address.startswith(b"@"):
            address = b"\0" + address[1:]  # the abstract name space
        # Nobody who listens is no reason to take no mail.
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sock:
            sock.sendto(lines.encode(), address)


class Passed:
    """
    The sockets that systemd listens on for us; each is taken once.

    Args:
        sockets: Each with the name that its unit gives it (FileDescriptorName=).

    """

    def __init__(self, sockets: list[tuple[str, socket.socket]]) -> None:
        self._sockets = sockets

    def take(self, word: str, path: str) -> socket.socket | None:
        """
        Return the socket for a purpose; None: systemd has none.

        Args:
            word: ``submit``, ``control`` or ``listen``: stands in the name.
            path: The path, or the address with its port, that it is expected at; it counts for
                more than the name.

        """
        found = [each for each in self._sockets if _place(each[1]) == path]
        found += [each for each in self._sockets if word in each[0]]
        if not found:
            return None
        self._sockets.remove(found[0])
        return found[0][1]

    def take_all(self, word: str) -> list[socket.socket]:
        """Return all sockets for a purpose, whatever they are bound to."""
        found = [each for each in self._sockets if word in each[0]]
        self._sockets = [each for each in self._sockets if each not in found]
        return [sock for _, sock in found]

    def close_rest(self) -> int:
        """Close what nobody has taken; return how many these were."""
        count = len(self._sockets)
        for _, sock in self._sockets:
            sock.close()
        self._sockets.clear()
        return count


def take_sockets(environment: MutableMapping[str, str]) -> Passed:
    """
    Return the sockets that were passed to this process; what is no listening socket is closed.

    Args:
        environment: Where LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are taken out of.

    """
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit() or int(count) > _MAX_DESCRIPTORS:
        return Passed([])
    sockets = []
    for number in range(int(count)):
        descriptor = _FIRST_DESCRIPTOR + number
        with suppress(OSError):
            os.set_inheritable(descriptor, False)  # noqa: FBT003 (its name says what is true)
            sock = socket.socket(fileno=descriptor)
            if _is_listening(sock):
                sockets.append((names[number] if number < len(names) else "", sock))
            else:
                sock.close()
    return Passed(sockets)


def _place(sock: socket.socket) -> str:
    """Return the path or the address with its port that a socket is bound to."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return str(name)
    return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def _is_listening(sock: socket.socket) -> bool:
    is_stream = sock.family in _FAMILIES and sock.type == socket.SOCK_STREAM
    return is_stream and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
