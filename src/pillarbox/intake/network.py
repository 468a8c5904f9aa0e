"""
Notice when the network comes back: the kernel tells it to whoever listens (rtnetlink(7)).

A laptop that wakes up or a line that is repaired need not wait for the next try of a queue: an
address that can be used or a default route has come. No privilege is needed. The rule to keep:
this is a kindness; whatever fails here is a log line, and the queue's own timers are what counts.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["NetworkWatch", "is_network_up"]

# linux/rtnetlink.h
_RTM_NEWADDR = 20
_RTM_NEWROUTE = 24
_GROUPS = 0x10 | 0x40 | 0x100 | 0x400  # IPv4 and IPv6 addresses and routes
_SCOPE_GLOBAL = 0  # RT_SCOPE_UNIVERSE; host and link are greater
_TABLE_MAIN = 254
_UNICAST = 1  # RTN_UNICAST
_TENTATIVE = 0x40  # IFA_F_TENTATIVE: nobody has agreed to the address yet
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, dst, src, tos, table, protocol, scope, type
_BUFFER = 1 << 16

_SETTLE_S = 0.5  # a route comes some moments behind its address
_PAUSE_S = 10.0  # between two signals: a flapping line must not make us knock at every turn


def is_network_up(data: bytes) -> bool:
    """Return whether messages of the kernel say that there is a new way out of this host."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return False
        body = data[offset + _HEADER.size : offset + length]
        if kind == _RTM_NEWADDR and len(body) >= _ADDRESS.size:
            _, _, flags, scope, _ = _ADDRESS.unpack_from(body)
            if scope == _SCOPE_GLOBAL and not flags & _TENTATIVE:
                return True
        elif kind == _RTM_NEWROUTE and len(body) >= _ROUTE.size:
            _, prefix, _, _, table, _, _, route, _ = _ROUTE.unpack_from(body)
            if prefix == 0 and table == _TABLE_MAIN and route == _UNICAST:
                return True
        offset += (length + 3) & ~3
    return False


class NetworkWatch:
    """
    Call somebody when the network is up, as long as it is open.

    Args:
        loop: The loop that reads.
        on_up: Called in the loop, at most once in some seconds.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_up: Callable[[], None]) -> None:
        self._loop = loop
        self._on_up = on_up
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._earliest = 0.0

    def open(self) -> None:
        """
        Begin to listen.

        Raises:
            OSError: The kernel or a sandbox does not let us.

        """
        sock = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        try:
            sock.bind((0, _GROUPS))
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._loop.add_reader(sock, self._read)

    def close(self) -> None:
        """Listen no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        sock, self._socket = self._socket, None
        if sock is not None:
            self._loop.remove_reader(sock)
            sock.close()

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data, address = self._socket.recvfrom(_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            # ENOBUFS: more happened than we were told of; the network may well be up.
            self._arm()
            return
        if address[0] == 0 and is_network_up(data):  # from the kernel, and nobody else
            self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            when = max(self._loop.time() + _SETTLE_S, self._earliest)
            self._timer = self._loop.call_at(when, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._earliest = self._loop.time() + _PAUSE_S
        self._on_up()
