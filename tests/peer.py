"""
Servers that the programs send to.

``Peer`` is aiosmtpd: somebody else's reading of the protocol, for what arrives. ``Puppet``
answers what it is told to, right or wrong, for what becomes of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult

from programs import call_program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from programs import Result

__all__ = [
    "FROM",
    "PASSWORD",
    "USER",
    "Peer",
    "Puppet",
    "Received",
    "plain_response",
    "send_to_puppet",
]

FROM = ["-f", "me@example.org"]
USER = "user@example.org"
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Received:
    """A mail as the server has it."""

    sender: str
    recipients: list[str]
    content: bytes
    options: list[str] = field(default_factory=list)
    login: str = ""

    @property
    def head(self) -> list[str]:
        """The lines of its header section."""
        return self.content.partition(b"\r\n\r\n")[0].decode().split("\r\n")

    @property
    def names(self) -> list[str]:
        """The names of its header fields, in order."""
        return [line.partition(":")[0] for line in self.head if line[:1] not in " \t"]

    @property
    def body(self) -> bytes:
        """What stands behind its header section."""
        return self.content.partition(b"\r\n\r\n")[2]

    def value(self, name: str) -> str:
        """Return the value of the one field of that name."""
        (line,) = [line for line in self.head if line.lower().startswith(name.lower() + ":")]
        return line.partition(":")[2].strip()


class _Handler:
    def __init__(self) -> None:
        self.received: list[Received] = []
        self.refused: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, _: Any, __: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        login = session.auth_data.login.decode() if session.auth_data else ""
        self.received.append(
            Received(
                envelope.mail_from,
                list(envelope.rcpt_tos),
                envelope.original_content,
                list(envelope.mail_options),
                login,
            )
        )
        return "250 taken"


class Peer(Controller):
    """
    An aiosmtpd on loopback, to be used in a ``with``; ``port`` is its port.

    Args:
        tls: ``none``, ``starttls`` or ``implicit``.
        context: For TLS.
        wants_login: Offer a login, to ``USER`` with ``PASSWORD``; with STARTTLS demand it.
        is_lmtp: Speak LMTP.
        size_limit: Octets of a mail that it takes.

    """

    def __init__(
        self,
        *,
        tls: str = "none",
        context: ssl.SSLContext | None = None,
        wants_login: bool = False,
        is_lmtp: bool = False,
        size_limit: int = 1 << 26,
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.log = _Handler()
        self._is_lmtp = is_lmtp
        options: dict[str, Any] = {"data_size_limit": size_limit, "enable_SMTPUTF8": True}
        if wants_login:
            options |= {
                "authenticator": _check_login,
                # aiosmtpd does not see implicit TLS, and warns.
                "auth_required": tls == "starttls",
                "auth_require_tls": tls == "starttls",
            }
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        super().__init__(
            self.log,
            hostname="127.0.0.1",
            port=self._listener.getsockname()[1],
            ssl_context=context if tls == "implicit" else None,
            **options,
        )

    def factory(self) -> SMTP:
        """Return the protocol for one connection."""
        return (LMTP if self._is_lmtp else SMTP)(self.handler, **self.SMTP_kwargs)

    def _create_server(self) -> Any:
        return self.loop.create_server(
            self._factory_invoker, sock=self._listener, ssl=self.ssl_context
        )

    def _trigger_server(self) -> None:
        # aiosmtpd looks whether somebody answers, and that would be a session of its own.
        asyncio.run_coroutine_threadsafe(_started(), self.loop).result()
        self._thread_exception = None
        self._factory_invoked.set()
        self.smtpd = True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._listener.close()

    @property
    def received(self) -> list[Received]:
        """The mails that it took."""
        return self.log.received

    @property
    def refused(self) -> dict[str, str]:
        """The recipients that it does not take, and with which reply."""
        return self.log.refused

    def last(self) -> Received:
        """Return the one mail that came since the last look."""
        (received,) = self.log.received
        self.log.received.clear()
        return received


async def _started() -> None:
    pass


def _check_login(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
    is_right = is_right and mechanism in ("PLAIN", "LOGIN")
    return AuthResult(success=is_right, handled=is_right, auth_data=data)


# What Puppet says when it is told nothing else, by the beginning of a command.
# How a ClientHello begins. None of ours says one: it is another test's daemon, which still looks
# for a provider whose port the system has given to us meanwhile.
_TLS_RECORD = b"\x16\x03"

_GOOD = {
    "": "220 puppet ESMTP",
    "EHLO": "250-puppet\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
    "LHLO": "250-puppet\r\n250-PIPELINING\r\n250 8BITMIME",
    "AUTH": "235 welcome",
    "MAIL": "250 sender is fine",
    "RCPT": "250 recipient is fine",
    "DATA": "354 go on",
    ".": "250 taken",
    "RSET": "250 forgotten",
    "QUIT": "221 bye",
}


class Puppet:
    """
    A server on loopback that answers by a table, to be used in a ``with``.

    Args:
        replies: What it says, by the longest beginning of a command that is there: ``""`` is
            the greeting, ``.`` the end of the content. ``{line}`` in it is the command.
            An empty reply hangs up.
        path: Listen on a unix socket there instead.
        watch: Is called before each reply: the client waits then.

    """

    def __init__(
        self,
        replies: Mapping[str, str] | None = None,
        path: Path | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        self._watch = watch
        self.replies = _GOOD | dict(replies or {})
        self.commands: list[str] = []
        self.contents: list[bytes] = []
        self.connections = 0
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(20)
            try:
                with connection, connection.makefile("rwb") as stream:
                    self._converse(stream)
            except OSError:
                pass  # it hung up

    def _converse(self, stream: Any) -> None:
        accepted = 0
        if not self._say(stream, ""):
            return
        for raw in stream:
            if raw.startswith(_TLS_RECORD):
                self.connections -= 1
                return
            line = raw.decode().rstrip("\r\n")
            self.commands.append(line)
            reply = self._say(stream, line)
            if not reply or line == "QUIT":
                return
            if line.startswith("RCPT") and reply.startswith("2"):
                accepted += 1
            if line == "DATA" and reply.startswith("3"):
                self.contents.append(_read_content(stream))
                is_lmtp = self.commands[0].startswith("LHLO")
                for number in range(accepted if is_lmtp else 1):
                    if not self._say(stream, f".{number}"):
                        return
                accepted = 0

    def _say(self, stream: Any, line: str) -> str:
        key = max((k for k in self.replies if line.startswith(k) and (k or not line)), key=len)
        reply = self.replies[key].replace("{line}", line)
        if self._watch is not None:
            self._watch()
        if reply:
            stream.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
            stream.flush()
        return reply


def _read_content(stream: Any) -> bytes:
    content = b""
    for line in stream:
        if line == b".\r\n":
            return content
        content += line.removeprefix(b".")
    return content


def send_to_puppet(
    replies: Mapping[str, str],
    *arguments: str,
    mail: bytes = b"Subject: t\n\nx\n",
    to: Sequence[str] = ("to@example.org",),
    env: dict[str, str] | None = None,
) -> tuple[Result, Puppet]:
    """Send with msmtp to a server that answers by a table; return what was told, and it."""
    with Puppet(replies) as puppet:
        options = ["--host=127.0.0.1", f"--port={puppet.port}", *FROM, *arguments]
        result = call_program("msmtp", [*options, "--", *to], mail, env)
    return result, puppet


def plain_response(user: str = USER, password: str = PASSWORD) -> str:
    """Return what AUTH PLAIN says of a login."""
    return b64encode(f"\0{user}\0{password}".encode()).decode()
