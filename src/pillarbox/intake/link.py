"""
One connection of a listener: bytes in and out, over asyncio.

The rule to keep: nothing is read that nobody asked for, so that no octet that was sent in clear
can be left over when TLS begins, and no client can fill our memory.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext
    from typing import Any

__all__ = ["Caller", "Link"]

# How long the other side may take to answer our close alert; nothing depends on it.
_TLS_SHUTDOWN_S = 1.0

_CREDENTIALS = struct.Struct("iII")  # struct ucred: pid, uid, gid (unix(7))


class Caller(Value):
    """
    The process at the other end of a Unix socket, as the kernel knew it when it connected.

    Attributes:
        uid: Its effective user.
        gid: Its effective group.
        pid: Its process; it may have ended since, or given the connection to another.

    """

    __slots__ = ("gid", "pid", "uid")

    def __init__(self, uid: int, gid: int, pid: int) -> None:
        self.uid = uid
        self.gid = gid
        self.pid = pid


class Link(asyncio.Protocol):
    """
    A connection as a stream, with the pressure of both sides passed on.

    Args:
        on_connected: Called once, when the connection is there; nothing has been read then.

    """

    def __init__(self, on_connected: Callable[[Link], None]) -> None:
        self.is_lost = False
        self.is_secured = False
        self._on_connected = on_connected
        self._transport: asyncio.Transport | None = None
        self._inbox: list[bytes] = []
        self._has_ended = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._is_full = False
        self._is_securing = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, once; asyncio calls it again when TLS is there."""
        if self._transport is None and isinstance(transport, asyncio.Transport):
            self._transport = transport
            transport.pause_reading()
            # What write() has returned from is with the kernel, and no memory of ours.
            transport.set_write_buffer_limits(0)
            self._on_connected(self)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and ask for no more than one waits for."""
        self._inbox.append(data)
        # While TLS is being started, only asyncio knows which transport would have to pause.
        if self._reader is None and self._transport is not None and not self._is_securing:
            self._transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        """Note the end of the input; return whether we can still write."""
        self._has_ended = True
        self._wake_reader()
        return not self.is_secured  # under TLS there is no half-closed

    def connection_lost(self, _: Exception | None) -> None:
        """Note the end of the connection."""
        self.is_lost = self._has_ended = True
        self._wake_reader()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Note that the other side does not take what we write."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self._is_full = False
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)

    def _wake_reader(self) -> None:
        waiter, self._reader = self._reader, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # What a session calls.

    async def read(self) -> bytes:
        """Return what came, as soon as there is something; ``b""`` is the end of the stream."""
        while not self._inbox and not self._has_ended:
            self._reader = asyncio.get_running_loop().create_future()
            if self._transport is not None:
                self._transport.resume_reading()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.read_now()

    def read_now(self) -> bytes:
        """Return what is there already."""
        data = b"".join(self._inbox)
        self._inbox.clear()
        return data

    def pause(self) -> None:
        """Read nothing more until ``read`` is called."""
        if self._transport is not None:
            self._transport.pause_reading()

    async def write(self, data: bytes) -> None:
        """Write, and wait while the other side does not take it."""
        if self._transport is None or self.is_lost or not data:
            return
        self._transport.write(data)
        while self._is_full and not self.is_lost:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer

    async def start_tls(self, context: SSLContext, timeout_s: float) -> None:
        """
        Negotiate TLS.

        Raises:
            OSError: It failed (``ssl.SSLError`` is one).

        """
        if self._transport is None or self.is_lost:
            raise ConnectionResetError
        self.is_secured = self._is_securing = True
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=_TLS_SHUTDOWN_S,
            )
        finally:
            self._is_securing = False
        if transport is None:
            raise ConnectionResetError
        self._transport = transport

    def end_output(self) -> None:
        """Tell the other side that nothing more comes, where that is possible (not under TLS)."""
        if self._transport is not None and not self.is_lost and self._transport.can_write_eof():
            with suppress(OSError):  # the other side has broken the connection meanwhile
                self._transport.write_eof()

    def close(self) -> None:
        """Write what is left, and close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def info(self, name: str) -> Any:
        """Return what asyncio knows of the connection."""
        return None if self._transport is None else self._transport.get_extra_info(name)

    def caller(self) -> Caller | None:
        """Return who is at the other end of a Unix socket; None: the kernel does not tell."""
        sock = self.info("socket")
        if sock is None or sock.family != socket.AF_UNIX:
            return None
        with suppress(OSError):
            data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, gid = _CREDENTIALS.unpack(data)
            return Caller(uid, gid, pid)
        return None
