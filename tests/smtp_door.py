"""
The SMTP listener for tests: everything is real but who delivers; see ``door``.

``SmtpDoor`` listens at a port of 127.0.0.1, at one of ::1 and at a Unix socket; with ``is_open``
at a port of every address too, as others reach it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import Any, Self

import trustme

from door import HOSTNAME, Door, as_stranger
from pillarbox.intake.listener import Listeners, bind_address
from pillarbox.intake.logins import hash_password
from pillarbox.intake.sockets import FOR_ALL, make_socket

__all__ = ["LOGIN", "PASSWORD", "SmtpClient", "SmtpDoor"]

LOGIN, PASSWORD = "app", "correct horse"


class SmtpDoor(Door):
    """A listener, to be used in a ``with``."""

    def __init__(
        self,
        spool: Any = None,
        settings: dict[str, Any] | None = None,
        *,
        has_tls: bool = False,
        has_users: bool = False,
        is_open: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init__(spool, settings, **keywords)
        self.settings = dict(settings or {})
        self.is_open = is_open
        listen = self.settings.setdefault("listen", {})
        if has_tls:
            authority = trustme.CA()
            made = authority.issue_cert(HOSTNAME, "127.0.0.1")
            listen["tls_certificate"] = f"{self.folder}/certificate.pem"
            made.private_key_and_cert_chain_pem.write_to_path(listen["tls_certificate"])
            self.context = ssl.create_default_context()
            authority.configure_trust(self.context)
        if has_users:
            listen["users"] = f"{self.folder}/users"
            with open(listen["users"], "w", opener=_private, encoding="utf-8") as file:
                file.write(f"# who may\n{hash_password(LOGIN, PASSWORD)}\n")
        self.configure(self.settings)

    async def _open(self) -> None:
        self.listener = Listeners(
            self.service,
            self.desk,
            self.host,
            hostname=HOSTNAME,
            clock=self.clock.elapsed_s,
            on_fault=self.faults.append,
        )
        inside = bind_address("127.0.0.1:0")
        self.port = inside.getsockname()[1]
        sockets = [inside, make_socket(self.path, FOR_ALL)]
        with contextlib.suppress(Exception):
            sockets.append(bind_address("[::1]:0"))
            self.port6 = sockets[-1].getsockname()[1]
        if self.is_open:
            sockets.append(bind_address("0.0.0.0:0"))
            self.open_port = sockets[-1].getsockname()[1]
        for sock in sockets:
            await self.listener.listen_on(sock)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class SmtpClient:
    """A connection over TCP, to be used in a ``with``."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, is_stranger: bool = False) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with as_stranger() if is_stranger else contextlib.nullcontext():
            self.sock = socket.socket(family)
        self.sock.settimeout(20)
        self.sock.connect((host, port))
        self.lines = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.sock.close()

    def send(self, *lines: str | bytes) -> None:
        """Send command lines, or octets as they are."""
        for line in lines:
            self.sock.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")

    def reply(self) -> str:
        """Return the next reply, its lines joined; empty: the connection has ended."""
        text = ""
        try:
            while line := self.lines.readline().decode():
                text += line.rstrip("\r\n")
                if line[3:4] != "-":
                    break
                text += "\n"
        except ConnectionError:
            return text
        return text

    def start_tls(self, context: ssl.SSLContext) -> Self:
        """Ask for TLS, negotiate it, and say hello again."""
        assert self.say("STARTTLS").startswith("220 ")
        self.lines.close()
        self.sock = context.wrap_socket(self.sock, server_hostname=HOSTNAME)
        self.lines = self.sock.makefile("rb")
        assert self.say("EHLO client.example.org").startswith("250-")
        return self

    def say(self, *lines: str | bytes) -> str:
        """Send one command, and return what it is answered."""
        self.send(*lines)
        return self.reply()

    def greet(self) -> Self:
        """Wait for the greeting, and say hello."""
        assert self.reply().startswith("220 ")
        assert self.say("EHLO client.example.org").startswith("250-")
        return self

    def hand_over(self, content: bytes, *recipients: str, sender: str = "me@example.org") -> str:
        """Hand a mail over by DATA, each command waited for; return what its end is answered."""
        for command in (
            f"MAIL FROM:<{sender}>",
            *(f"RCPT TO:<{recipient}>" for recipient in recipients or ("you@example.com",)),
        ):
            said = self.say(command)
            if not said.startswith("250 "):
                return said
        said = self.say("DATA")
        if not said.startswith("354 "):
            return said
        return self.say(content + b"\r\n.\r\n")
