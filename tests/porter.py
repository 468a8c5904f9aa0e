"""
The socket of a mail service, as a hand-off sees it.

``Porter`` is the real engine and driver behind a real Unix socket, with a handler that keeps
what comes; ``script`` is a service that says what it is told to, right or wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pillarbox.intake.driver import Handler, Limits, Listener
from pillarbox.mail.reply import Reply
from pillarbox.smtp.server_session import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pillarbox.smtp.server_session import (
        ContentEnded,
        MailRequested,
        RecipientRequested,
        SessionStarted,
    )

__all__ = ["Handed", "Porter", "script"]

_KEYWORDS = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "MT-PRIORITY",
    "XPILLARBOX",
)


@dataclass
class Handed:
    """A mail as the service has it."""

    sender: str | None
    wishes: dict[str, str]
    recipients: list[str] = field(default_factory=list)
    notify: list[str] = field(default_factory=list)
    ret: str = ""
    envid: str = ""
    size_bytes: int | None = None
    content: bytearray | None = None
    received_bytes: int = 0


class _Handler(Handler):
    def __init__(self, session: Any, porter: Porter) -> None:
        super().__init__(session)
        self._porter = porter
        self._mail: Handed | None = None

    async def session_started(self, _: SessionStarted) -> Reply | None:
        self._porter.connections += 1
        return self._porter.greetings.pop(0) if self._porter.greetings else None

    async def mail_requested(self, event: MailRequested) -> Reply | None:
        said = event.parameters
        sender = None if event.reverse_path is None else str(event.reverse_path)
        self._mail = Handed(
            sender,
            said.wishes,
            ret=said.ret,
            envid=said.envid,
            size_bytes=said.size_bytes,
            content=bytearray() if self._porter.keeps_contents else None,
        )
        return self._porter.answer_to_mail

    async def recipient_requested(self, event: RecipientRequested) -> Reply | None:
        address = str(event.forward_path)
        if address in self._porter.refused:
            return self._porter.refused[address]
        assert self._mail is not None
        self._mail.recipients.append(address)
        self._mail.notify.append(event.parameters.notify)
        return None

    async def content_received(self, chunk: bytes) -> None:
        assert self._mail is not None
        self._mail.received_bytes += len(chunk)
        if self._mail.content is not None:
            self._mail.content += chunk

    async def content_ended(self, _: ContentEnded) -> Reply | tuple[Reply | None, ...] | None:
        assert self._mail is not None
        answers = self._porter.answers
        if answers is None or any(answer.is_positive for answer in answers):
            self._porter.mails.append(self._mail)
        self._mail = None
        return answers

    async def transaction_ended(self) -> None:
        self._mail = None


class Porter:
    """
    A service that takes what comes.

    Args:
        path: Where it listens.

    Attributes:
        mails: What it has taken.
        connections: How many there were.
        greetings: What the next ones are greeted with; behind them all are welcome.
        refused: The answer to RCPT for an address.
        answer_to_mail: The answer to MAIL; None: yes.
        answers: What is said to each recipient behind the content; None: yes.
        keeps_contents: Keep contents, and not only their lengths.

    """

    def __init__(self, path: Path, *, max_size_bytes: int = 0, keeps_contents: bool = True) -> None:
        self.path = path
        self.mails: list[Handed] = []
        self.connections = 0
        self.greetings: list[Reply] = []
        self.refused: dict[str, Reply] = {}
        self.answer_to_mail: Reply | None = None
        self.answers: tuple[Reply, ...] | None = None
        self.keeps_contents = keeps_contents
        self.faults: list[BaseException] = []
        self._max_size_bytes = max_size_bytes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    async def _listen(self) -> None:
        options = ServerOptions(
            hostname="porter.example",
            keywords=_KEYWORDS,
            is_lmtp=True,
            is_secured=True,
            max_size_bytes=self._max_size_bytes,
            max_recipients=10000,
            takes_bare_newlines=True,
            takes_scripts=True,
        )
        self._listener = Listener(
            lambda session: _Handler(session, self),
            options,
            limits=Limits(takes_early_talkers=True),
            on_fault=self.faults.append,
        )
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.path))
        await self._listener.listen_on(sock)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._listener.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert self.faults == []


@contextlib.contextmanager
def script(path: Path, *talks: Callable[[socket.socket], None]) -> Iterator[None]:
    """Serve connections one after another, each by a function; then nobody listens any more."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()

    def serve() -> None:
        with sock:
            for talk in talks:
                connection, _ = sock.accept()
                with connection, contextlib.suppress(OSError):
                    talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join()
