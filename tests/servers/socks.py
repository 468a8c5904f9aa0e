"""SOCKS5 proxies (RFC 1928): one that remembers what it was asked, and microsocks."""

import asyncio
import contextlib
import socket

from servers.loop import LoopServer
from servers.packages import require
from servers.process import Server

__all__ = ["Microsocks", "Socks"]

_IPV4, _NAME = 1, 3  # types of an address; 4 is IPv6


class Microsocks:
    """A running microsocks, as Debian has it, at ``port``."""

    def __init__(self):
        root = require("microsocks")
        self._server = Server("microsocks")
        self.port = self._server.ports.reserve()
        self._server.start(
            [root / "usr/bin/microsocks", "-i", "127.0.0.1", "-p", self.port], {}, port=self.port
        )
        self.log = self._server.output

    def stop(self):
        """End it."""
        self._server.stop()


class Socks(LoopServer):
    """
    A SOCKS5 server in a thread of its own; it connects to loopback whatever it is asked for.

    Attributes:
        asked: For each connection the type of address (3: a name), the address, and the port.
        refusal: The reply code to give instead of connecting; 0: none.

    """

    def __init__(self):
        self.asked = []
        self.refusal = 0
        super().__init__(lambda: asyncio.start_server(self._serve, "127.0.0.1", 0))

    async def _serve(self, reader, writer):
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # one of the two sides has gone
        finally:
            await _close(writer)

    async def _answer(self, reader, writer):
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        if kind == _NAME:
            (length,) = await reader.readexactly(1)
            address = (await reader.readexactly(length)).decode()
        else:
            family = socket.AF_INET if kind == _IPV4 else socket.AF_INET6
            packed = await reader.readexactly(4 if kind == _IPV4 else 16)
            address = socket.inet_ntop(family, packed)
        port = int.from_bytes(await reader.readexactly(2))
        self.asked.append((kind, address, port))
        writer.write(bytes((5, self.refusal, 0, _IPV4, 0, 0, 0, 0, 0, 0)))
        if not self.refusal:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            finally:
                await _close(far_writer)


async def _copy(source, sink):
    while data := await source.read(1 << 16):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


async def _close(writer):
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
