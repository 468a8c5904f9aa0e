"""A web server with TLS on loopback, which answers what it is told to, right or wrong."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Website", "page"]


def page(content: bytes, status: str = "200 OK", **fields: str) -> bytes:
    """Return an answer with the length of its content."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Website:
    """
    Web servers of many names behind one port, to be used in a ``with``.

    Args:
        folder: Where the authority's certificate is put, as ``trust_file``.
        names: What the certificate says.
        pages: ``host/target`` -> what is answered, as it is, or a function of the connection
            that answers; whatever is not there is 404.
        ca: The authority; None: one that ``trust_file`` is about.

    """

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        pages: Mapping[str, bytes | Callable[[Any], None]],
        *,
        ca: trustme.CA | None = None,
    ) -> None:
        trusted = trustme.CA()
        self.trust_file = str(folder / "authority.pem")
        trusted.cert_pem.write_to_path(self.trust_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (ca or trusted).issue_cert(*names).configure_cert(self._context)
        self._pages = pages
        self.heads: list[str] = []
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._names = names
        self._threads: list[threading.Thread] = []

    def resolver(self, name: bytes, _port: int, **_: Any) -> Any:
        """Find the names of the certificate, and no others, here."""
        self.asked.append(name.decode())
        if name.decode() not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 0, "", self._listener.getsockname())]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(8)
        with (
            contextlib.suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as secured,
        ):
            self._answer(secured)

    def _answer(self, connection: Any) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(4096)
            if not piece:
                return
            head += piece
        lines = head.decode().split("\r\n")
        self.heads.append(head.decode())
        host = next(line[6:] for line in lines if line.startswith("Host: "))
        answer = self._pages.get(host + lines[0].split(" ")[1], page(b"", "404 Not Found"))
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)
            connection.unwrap()
