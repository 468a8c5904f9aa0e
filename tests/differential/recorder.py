"""
The server that both programs are sent to: it says what it is told to and keeps what it hears.

The rule: what a program said is kept as octets, and nothing of it is judged here. No wait is
without a limit, so a program that hangs is a result and not the end of the tests.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["GOOD", "HANG_UP", "SILENCE", "Recorder", "Session"]

HANG_UP = ""
SILENCE = "~"  # say nothing, and wait until the client has had enough

# What is said when the case says nothing else, by the beginning of a command.
GOOD: dict[str, str | Sequence[str]] = {
    "": "220 recorder.example ready",
    "HELO": "250 recorder.example",
    "STARTTLS": "220 go on",
    "AUTH": "235 welcome",
    "MAIL": "250 sender is fine",
    "RCPT": "250 recipient is fine",
    "DATA": "354 go on",
    "BDAT": "250 chunk is fine",
    ".": "250 taken",
    "RSET": "250 forgotten",
    "ETRN": "250 started",
    "QUIT": "221 bye",
}
_PATIENCE_S = 8.0


@dataclass
class Session:
    """One connection, as the server has it."""

    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    proxy_request: bytes = b""
    seconds_after_quit: float = 0.0


class Recorder:
    """
    A server on loopback or on a unix socket, to be used in a ``with``; ``port`` is its port.

    Args:
        replies: What it says, by the longest beginning of a command that is there: ``""`` is
            the greeting, ``.`` the end of the content. A list is said in turn.
        offers: The extensions in its answer to EHLO and LHLO.
        context: Its side of TLS; None: it has none.
        is_implicit: TLS begins with the connection.
        socks_reply: It is a SOCKS5 proxy first, which answers with this code; None: it is not.
        path: Listen on a unix socket there.

    """

    def __init__(
        self,
        replies: Mapping[str, str | Sequence[str]],
        offers: Sequence[str] = (),
        *,
        context: ssl.SSLContext | None = None,
        is_implicit: bool = False,
        socks_reply: int | None = None,
        path: Path | None = None,
    ) -> None:
        lines = ["recorder.example", *offers]
        greeting = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        extended = "\r\n".join(greeting)
        self._replies = {**GOOD, "EHLO": extended, "LHLO": extended, **replies}
        self._context = context
        self._is_implicit = is_implicit
        self._socks_reply = socks_reply
        self.sessions: list[Session] = []
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port: int = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
            self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(2 * _PATIENCE_S)

    def take(self) -> list[Session]:
        """Return the sessions since the last call."""
        taken, self.sessions = self.sessions, []
        return taken

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            session = Session()
            self.sessions.append(session)
            connection.settimeout(_PATIENCE_S)
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError, EOFError):
                _Conversation(connection, session, self._replies).run(
                    self._context, is_implicit=self._is_implicit, socks_reply=self._socks_reply
                )
            connection.close()


class _Conversation:
    """One connection; ends with OSError or EOFError when the other side does."""

    def __init__(
        self,
        connection: socket.socket,
        session: Session,
        replies: Mapping[str, str | Sequence[str]],
    ) -> None:
        self._connection = connection
        self._session = session
        self._replies = replies
        self._said: dict[str, int] = {}
        self._buffer = b""
        self._accepted = 0

    def run(
        self, context: ssl.SSLContext | None, *, is_implicit: bool, socks_reply: int | None
    ) -> None:
        if socks_reply is not None and not self._be_proxy(socks_reply):
            return
        if is_implicit and context is not None:
            self._connection = context.wrap_socket(self._connection, server_side=True)
        try:
            if not self._say(""):
                return
            while self._answer(self._line(), context):
                pass
        finally:
            with contextlib.suppress(OSError):
                self._connection.close()

    def _answer(self, line: str, context: ssl.SSLContext | None) -> bool:
        """Answer one command; False ends the conversation."""
        self._session.commands.append(line)
        verb = line[:4].upper()
        if verb == "BDAT":
            self._take_chunk(line)
        reply = self._say(line)
        if verb == "QUIT" or not reply:
            return False
        if verb == "STAR" and reply.startswith("220") and context is not None:
            self._connection = context.wrap_socket(self._connection, server_side=True)
        elif verb == "AUTH":
            while reply.startswith("334"):
                self._session.commands.append(f"({self._line()})")
                reply = self._say(line)
            return bool(reply)
        elif verb == "MAIL":
            self._accepted = 0
        elif verb == "RCPT":
            self._accepted += reply.startswith("25")
        elif verb == "DATA" and reply.startswith("354"):
            return self._take_content()
        return True

    def _take_chunk(self, line: str) -> None:
        size = line.split()[1]
        while len(self._buffer) < int(size):
            self._receive()
        chunk, self._buffer = self._buffer[: int(size)], self._buffer[int(size) :]
        if self._session.commands[-2:-1] and self._session.commands[-2].startswith("BDAT"):
            chunk = self._session.contents.pop() + chunk
        self._session.contents.append(chunk)

    def _take_content(self) -> bool:
        while not ("\r\n" + self._text()).endswith("\r\n.\r\n"):
            self._receive()
        lines = self._buffer[:-3].split(b"\r\n")
        self._buffer = b""
        self._session.contents.append(b"\r\n".join(line.removeprefix(b".") for line in lines))
        is_lmtp = self._session.commands[0].startswith("LHLO")
        return all(self._say(".") for _ in range(self._accepted if is_lmtp else 1))

    def _text(self) -> str:
        return self._buffer[-5:].decode("latin-1")

    def _line(self) -> str:
        while b"\n" not in self._buffer:
            self._receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def _receive(self) -> None:
        data = self._connection.recv(1 << 16)
        if not data:
            raise EOFError
        self._buffer += data

    def _say(self, line: str) -> str:
        key = max(
            (k for k in self._replies if line.startswith(k) and (k or not line)),
            key=len,
            default="",
        )
        reply = self._replies[key] if key or not line else "500 what?"
        if not isinstance(reply, str):
            turn = self._said.get(key, 0)
            self._said[key] = turn + 1
            reply = reply[min(turn, len(reply) - 1)]
        if reply == SILENCE:
            since = time.monotonic()
            with contextlib.suppress(OSError):
                while self._connection.recv(1 << 16):
                    pass
            if line == "QUIT":
                self._session.seconds_after_quit = time.monotonic() - since
            return ""
        if reply:
            self._connection.sendall(reply.encode("utf-8", "surrogateescape") + b"\r\n")
        return reply

    def _be_proxy(self, code: int) -> bool:
        """Be a SOCKS5 proxy (RFC 1928) up to its answer."""
        _, count = self._exactly(2)
        self._exactly(count)
        self._connection.sendall(b"\x05\x00")
        head = self._exactly(4)
        if head[3] == 3:
            size = self._exactly(1)
            rest = size + self._exactly(size[0] + 2)
        else:
            rest = self._exactly({1: 6, 4: 18}[head[3]])
        self._session.proxy_request = head + rest[:-2]
        self._connection.sendall(struct.pack("!BBBB4sH", 5, code, 0, 1, bytes(4), 0))
        return code == 0

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data
