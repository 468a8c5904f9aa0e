"""Where there are as many sessions as there may be, others wait with the kernel."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from pillarbox.intake.driver import Handler, Limits, Listener
from pillarbox.smtp.server_session import ServerOptions


class _Greeter(Handler):
    """Calls somebody when a session starts."""

    def __init__(self, session, on_start):
        super().__init__(session)
        self._on_start = on_start

    async def session_started(self, _):
        self._on_start()


class _Scene:
    """A listener on a Unix socket, and clients of it, all in one loop."""

    def __init__(self, path, *, at_most, on_start=lambda: None):
        self.path = str(path)
        self.faults = []
        self.listener = Listener(
            lambda session: _Greeter(session, on_start),
            ServerOptions(),
            limits=Limits(max_connections=at_most, takes_early_talkers=True),
            on_fault=self.faults.append,
        )
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)

    async def connect(self):
        """Return a connection."""
        return await asyncio.open_unix_connection(self.path)

    @staticmethod
    async def greeting(connection, timeout_s=5.0):
        """Return what a client is greeted with; empty: nothing yet."""
        try:
            async with asyncio.timeout(timeout_s):
                return await connection[0].readline()
        except (TimeoutError, ConnectionError):
            return b""


def run(scene, work):
    """Run something against a listener, and close all of it."""

    async def whole():
        await scene.listener.listen_on(scene.sock)
        connections = []
        try:
            await work(connections)
        finally:
            for _, writer in connections:
                writer.close()
            await scene.listener.close()

    asyncio.run(whole())


def test_one_more_waits_until_somebody_has_gone(tmp_path):
    """And is greeted then; nobody is told 421."""
    scene = _Scene(tmp_path / "s", at_most=2)

    async def work(connections):
        connections += [await scene.connect() for _ in range(4)]
        said = [await scene.greeting(each) for each in connections[:2]]
        assert all(line.startswith(b"220 ") for line in said)
        assert await scene.greeting(connections[2], 0.05) == b""
        connections[0][1].close()
        assert (await scene.greeting(connections[2])).startswith(b"220 ")
        assert await scene.greeting(connections[3], 0.05) == b""
        connections[1][1].close()
        assert (await scene.greeting(connections[3])).startswith(b"220 ")

    run(scene, work)
    assert scene.faults == []


def test_who_is_counted_twice_for_a_moment_keeps_nobody_out(tmp_path):
    """A connection that has just become a session is no two."""
    scene = None

    def look_again():
        # As if the next one had come at this very moment.
        scene.listener._accept(scene.sock)

    scene = _Scene(tmp_path / "s", at_most=2, on_start=look_again)

    async def work(connections):
        connections += [await scene.connect(), await scene.connect()]
        for each in connections:
            assert (await scene.greeting(each)).startswith(b"220 ")

    run(scene, work)


def test_without_descriptors_it_looks_again_after_a_while(tmp_path, monkeypatch):
    """Attack P3: the fault is told once, and who waits is served when there are some."""
    scene = _Scene(tmp_path / "s", at_most=5)
    real, failures = socket.socket.accept, [1]

    def accept(sock):
        if failures:
            failures.pop()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    monkeypatch.setattr("pillarbox.intake.driver._PAUSE_S", 0.05)

    async def work(connections):
        connections.append(await scene.connect())
        assert (await scene.greeting(connections[0])).startswith(b"220 ")

    run(scene, work)
    (fault,) = scene.faults
    assert fault.errno == errno.EMFILE


@pytest.mark.parametrize("ends", ["finish", "close"])
def test_what_waits_at_the_end_is_let_go(tmp_path, ends):
    """Both ends of a listener close its socket; ``finish`` lets sessions go on."""
    scene = _Scene(tmp_path / "s", at_most=1)

    async def work(connections):
        connections += [await scene.connect(), await scene.connect()]
        assert (await scene.greeting(connections[0])).startswith(b"220 ")
        ending = asyncio.create_task(getattr(scene.listener, ends)())
        assert await scene.greeting(connections[1]) == b""
        if ends == "finish":
            connections[0][1].write(b"QUIT\r\n")
            assert (await scene.greeting(connections[0])).startswith(b"221 ")
        else:
            assert (await scene.greeting(connections[0])).startswith(b"421 ")
        await asyncio.wait_for(ending, 5)

    run(scene, work)


def test_a_little_that_is_not_read_keeps_no_connection():
    """Attack L15: replies that fit into our own buffer are waited for as well, and given up."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def hold():
        listener = Listener(
            Handler,
            ServerOptions(takes_scripts=True),
            limits=Limits(session_s=0.3, linger_s=0.05, takes_early_talkers=True),
        )
        await listener.hold(ours)
        for _ in range(5):
            await asyncio.sleep(0)
        return ours.fileno()

    with theirs:
        theirs.sendall(b"EHLO x\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<a@x.example>\r\n" * 900)
        assert asyncio.run(hold()) == -1
