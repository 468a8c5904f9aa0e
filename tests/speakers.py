"""
Servers on loopback that take any number of connections, for whoever only looks at a port.

``Speaker`` runs a talk with each connection; the talks are below it. ``full_port`` is one that
drops what comes, as a firewall does, and ``closed_port`` one where nobody listens.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Talk = Callable[[socket.socket], None]

__all__ = ["Speaker", "answers", "closed_port", "full_port", "hangs_up", "says", "smtp"]

_PATIENCE_S = 8  # longer than any test waits


class Speaker:
    """
    A server that runs a talk with each connection, in a thread each; a context manager.

    Args:
        talk: What it does; the connection is closed behind it.
        context: For TLS from the start; None: there is none.
        host: Where it listens.

    Attributes:
        port: Where it listens.
        connections: How many came.

    """

    def __init__(
        self, talk: Talk, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.connections = 0
        self._talk = talk
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(_PATIENCE_S)
        self._listener.close()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(_PATIENCE_S)
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._context is None:
                self._talk(connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._talk(secured)


def says(words: bytes) -> Talk:
    """Return a talk that says something and then only listens."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(words)
        _drain(connection)

    return talk


def hangs_up(words: bytes = b"") -> Talk:
    """Return a talk that hangs up, behind some last words."""

    def talk(connection: socket.socket) -> None:
        if words:
            connection.sendall(words)

    return talk


def answers(words: bytes, mark: bytes = b"\n") -> Talk:
    """Return a talk that says nothing until it has heard a mark; then something, and hangs up."""

    def talk(connection: socket.socket) -> None:
        heard = b""
        while mark not in heard:
            data = connection.recv(4096)
            if not data:
                return
            heard += data
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        _drain(connection)

    return talk


def smtp(
    *,
    greeting: bytes = b"220 here ESMTP\r\n",
    offers: tuple[bytes, ...] = (),
    context: ssl.SSLContext | None = None,
    secured_offers: tuple[bytes, ...] = (b"AUTH PLAIN LOGIN",),
) -> Talk:
    """
    Return a talk of SMTP as far as EHLO and STARTTLS.

    Args:
        greeting: What it says first.
        offers: What its answer to EHLO offers.
        context: For STARTTLS, which is offered where this is given.
        secured_offers: What it offers under TLS.

    """
    open_offers = (*offers, b"STARTTLS") if context is not None else offers

    def talk(connection: socket.socket) -> None:
        connection.sendall(greeting)
        if _converse(connection, open_offers):
            assert context is not None
            with context.wrap_socket(connection, server_side=True) as secured:
                _converse(secured, secured_offers)

    return talk


def _converse(connection: socket.socket, offers: tuple[bytes, ...]) -> bool:
    """Answer commands; return whether STARTTLS was asked for, and granted."""
    while True:
        line = _line(connection)
        verb = line.strip().upper()[:8]
        if not line or verb.startswith(b"QUIT"):
            return False
        if verb.startswith((b"EHLO", b"LHLO")):
            lines = (b"here", *offers)
            parts = [b"250-" + text for text in lines[:-1]] + [b"250 " + lines[-1]]
            connection.sendall(b"\r\n".join(parts) + b"\r\n")
        elif verb == b"STARTTLS" and b"STARTTLS" in offers:
            connection.sendall(b"220 go on\r\n")
            return True
        else:
            connection.sendall(b"502 not here\r\n")


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        octet = connection.recv(1)  # never a byte of the handshake
        if not octet:
            return b""
        line += octet
    return line


def _drain(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def closed_port(host: str = "127.0.0.1") -> int:
    """Return a port where nobody listens."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextlib.contextmanager
def full_port(host: str = "127.0.0.1") -> Iterator[int]:
    """Give a port whose backlog is full: what comes more is dropped, as by a firewall."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)  # noqa: FBT003 (the name of the method says it)
            caller.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
