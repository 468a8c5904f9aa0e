"""
The one driver of server sessions: connections, TLS and deadlines around ``smtp.server``.

Everything that listens is a ``Handler`` (what is answered) and ``Limits`` (how much and how long)
around a ``Listener``. The rule to keep: whatever a client, a handler or the network does ends
in a reply, in a closed connection or in ``on_fault``, and never in a traceback.

A connection's steps: a ``link.Link`` carries the bytes; ``Session.run`` secures the connection if
TLS is implicit, then reads, feeds the engine, and lets ``Session._answer`` ask the handler.
"""

from __future__ import annotations

import asyncio
import socket

from pillarbox.errors import LocalProtocolError
from pillarbox.intake.link import Link
from pillarbox.mail.reply import Reply
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    AuthAttempt,
    CommandReceived,
    ContentChunk,
    ContentEnded,
    ContentStarted,
    Decision,
    EtrnRequested,
    MailRequested,
    RecipientRequested,
    SessionEnded,
    SessionStarted,
    TlsRequested,
    TransactionEnded,
)
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext
    from typing import Any

    from pillarbox.smtp.server_session import ServerOptions

__all__ = ["Handler", "Limits", "Listener", "Session"]

_BACKLOG = 1024  # callers that wait at a socket; the kernel cuts it to somaxconn
_AT_ONCE = 20  # connections that are accepted before others have their turn
_PAUSE_S = 1.0  # while no connection can be had
_TURNS = 5  # of the loop, from an accepted connection to its session

_LOCAL_ERROR = Reply(451, (b"Local error, try again later",))


class Limits(Value):
    """
    How much a listener gives to its clients.

    Attributes:
        max_connections: Open at once; one more is told 421, or closed where TLS is implicit.
        max_session_bytes: Octets read from one connection; 0: any number.
        greeting_delay_s: How long to wait for somebody who speaks first; 0: only a look.
        takes_early_talkers: Do not even look: the client is a program of our own user.
        handshake_s: For a TLS handshake.
        command_s: From the last reply to the end of the next command (RFC 5321 4.5.3.2.7: 300),
            and for the next piece of a content.
        session_s: For a whole session.
        linger_s: How long a client whose session we ended may go on sending, so that our last
            reply reaches it and is not overtaken by a reset.

    """

    __slots__ = (
        "command_s",
        "greeting_delay_s",
        "handshake_s",
        "linger_s",
        "max_connections",
        "max_session_bytes",
        "session_s",
        "takes_early_talkers",
    )

    def __init__(
        self,
        *,
        max_connections: int = 100,
        max_session_bytes: int = 0,
        greeting_delay_s: float = 0.0,
        handshake_s: float = 30.0,
        command_s: float = 300.0,
        session_s: float = 3600.0,
        linger_s: float = 1.0,
        takes_early_talkers: bool = False,
    ) -> None:
        self.max_connections = max_connections
        self.max_session_bytes = max_session_bytes
        self.greeting_delay_s = greeting_delay_s
        self.handshake_s = handshake_s
        self.command_s = command_s
        self.session_s = session_s
        self.linger_s = linger_s
        self.takes_early_talkers = takes_early_talkers


class Handler:
    """
    What a session is answered with: derive from it and replace what matters.

    There is one handler for each session. Each answer is None (what is usual: yes) or a reply,
    which is said as it is: 2yz and 3yz accept, the rest refuses. Nothing else of the session is
    read meanwhile. An exception from here is a fault of ours: it is answered with 451, or ends the
    session where no answer is due.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    async def session_started(self, _: SessionStarted) -> Reply | None:
        """Decide about a new connection."""
        return None

    async def login_attempted(self, _: AuthAttempt) -> Reply | None:
        """Decide about a login."""
        return Reply(535, (b"Authentication failed",))

    async def mail_requested(self, _: MailRequested) -> Reply | None:
        """Decide about a sender."""
        return None

    async def recipient_requested(self, _: RecipientRequested) -> Reply | None:
        """Decide about one recipient."""
        return None

    async def content_started(self, _: ContentStarted) -> Reply | None:
        """Decide whether a content may come."""
        return None

    async def content_received(self, chunk: bytes) -> None:
        """Take a piece of the content."""

    async def content_ended(self, _: ContentEnded) -> Reply | tuple[Reply | None, ...] | None:
        """
        Take the responsibility for the mail, or not.

        Returns:
            The answer; under LMTP it is everybody's, unless it is a tuple of one for each
            accepted recipient.

        """
        return Reply(550, (b"No mail is taken here",))

    async def etrn_requested(self, _: EtrnRequested) -> Reply | None:
        """Decide about ETRN."""
        return Reply(458, (b"Unable to queue messages for that node",))

    async def transaction_ended(self) -> None:
        """Drop what was gathered for the mail: it is over, for good or bad."""

    async def session_ended(self, reason: str) -> None:
        """Drop what was gathered for the session; called once, whatever happened."""

    def command_received(self, text: str) -> None:
        """Take note of a command line, where the options have them shown."""


class Session:
    """
    One connection and what is known of it; handlers look at it.

    Attributes:
        server: The engine: ``hello_name``, ``login``, ``is_secured``.
        peer: The other side as ``host, port N``; empty for a Unix socket.
        caller: The other side of a Unix socket (SO_PEERCRED); None for a TCP connection.

    """

    def __init__(self, link: Link, listener: Listener) -> None:
        self.server = Server(listener.options)
        self.caller = link.caller()
        self._link = link
        self._limits = listener.limits
        self._tls = listener.tls
        self._is_tls_implicit = listener.is_tls_implicit
        self._on_fault = listener.on_fault
        self._handler = listener.make_handler(self)
        self._received_bytes = 0
        self._reason = ""  # why the session ended; empty: it goes on
        address = link.info("peername")
        self.peer = f"{address[0]}, port {address[1]}" if isinstance(address, tuple) else ""

    @property
    def tls_version(self) -> str:
        """The TLS version of the connection, ``TLSv1.3``; empty: it is not secured."""
        secured = self._link.info("ssl_object")
        return (secured.version() or "") if secured is not None else ""

    @property
    def socket(self) -> socket.socket | None:
        """The socket, to be looked at only."""
        found: socket.socket | None = self._link.info("socket")
        return found

    async def run(self, *, is_one_too_many: bool) -> None:
        """Hold the session, to its end."""
        try:
            async with asyncio.timeout(self._limits.session_s):
                if is_one_too_many:
                    await self._turn_away()
                elif not self._is_tls_implicit or await self._secure():
                    await self._converse()
        except TimeoutError:
            self.server.close("The session has lasted too long")
        except asyncio.CancelledError:
            self.server.close("Shutting down")
        await self._part()

    async def _turn_away(self) -> None:
        self.server.next_event()
        if self._is_tls_implicit:
            self.server.receive_data(b"")
        else:
            self.server.refuse(421, "Too many connections, try again later")

    async def _secure(self) -> bool:
        """Negotiate TLS; return whether it is there. If not, nothing more is said in clear."""
        if self._tls is None:
            return False
        try:
            await self._link.start_tls(self._tls, self._limits.handshake_s)
            self.server.is_secured = True
        except OSError:  # ssl.SSLError is one
            self.server.receive_data(b"")
        finally:
            if not self.server.is_secured:
                self._link.abort()
        return self.server.is_secured

    async def _converse(self) -> None:
        """Feed the engine, and write what it says, until it has ended."""
        server, link = self.server, self._link
        clock = asyncio.get_running_loop().time
        seen, deadline = -1, 0.0
        while True:
            await self._handle_events()
            await link.write(server.take_output())
            if server.has_ended:
                return
            # A deadline for the whole command: one octet a second buys no time.
            if server.is_in_content or server.commands_taken != seen:
                seen, deadline = server.commands_taken, clock() + self._limits.command_s
            try:
                async with asyncio.timeout_at(deadline):
                    data = await link.read()
            except TimeoutError:
                server.close("Too slow")
                continue
            self._received_bytes += len(data)
            if 0 < self._limits.max_session_bytes < self._received_bytes:
                server.close("Too much data in one session")
            else:
                server.receive_data(data)

    async def _handle_events(self) -> None:
        server = self.server
        while (event := server.next_event()) is not None:
            try:
                await self._handle(event)
            except Exception as exc:  # noqa: BLE001 (a handler's fault must not reach asyncio)
                self._report(exc)
                due = server.answers_due
                for _ in range(due):
                    server.answer(_LOCAL_ERROR)
                if not due:
                    server.close("Local error")

    async def _handle(self, event: Value) -> None:
        handler, server = self._handler, self.server
        if isinstance(event, Decision):
            if server.answers_due:  # else the session ended before it could be asked
                await self._answer(event)
        elif isinstance(event, ContentChunk):
            await handler.content_received(event.data)
        elif isinstance(event, CommandReceived):
            handler.command_received(event.text)
        elif isinstance(event, TransactionEnded):
            await handler.transaction_ended()
        elif isinstance(event, SessionEnded):
            self._reason = event.reason
            await handler.session_ended(event.reason)

    async def _answer(self, event: Decision) -> None:
        """Ask the handler, and tell the engine."""
        server = self.server
        if isinstance(event, TlsRequested):
            await self._answer_tls()
            return
        if isinstance(event, SessionStarted) and not self._limits.takes_early_talkers:
            await self._look_for_early_talkers()
            if server.has_ended:
                return
        due = server.answers_due
        answer = await _QUESTIONS[type(event)](self._handler, event)
        answers = answer if isinstance(answer, tuple) else (answer,) * due
        if len(answers) != due:
            msg = f"the handler gave {len(answers)} answers where {due} are due"
            raise LocalProtocolError(msg)
        for each in answers:
            if each is None:
                server.accept()
            else:
                server.answer(each)

    async def _look_for_early_talkers(self) -> None:
        """Read what came before our greeting: who cannot wait for it is no mail client (L13)."""
        try:
            async with asyncio.timeout(self._limits.greeting_delay_s):
                self.server.receive_data(await self._link.read())
        except TimeoutError:
            self._link.pause()
            if early := self._link.read_now():
                self.server.receive_data(early)

    async def _answer_tls(self) -> None:
        server, link = self.server, self._link
        if self._tls is None:
            server.refuse()
            return
        link.pause()
        if early := link.read_now():
            server.receive_data(early)
            return
        server.accept()
        await link.write(server.take_output())
        if await self._secure():
            server.tls_started()

    async def _part(self) -> None:
        """Say the last words, tell the handler, and close."""
        link, server = self._link, self.server
        try:
            await self._handle_events()
            async with asyncio.timeout(self._limits.linger_s):
                await link.write(server.take_output())
                # A Unix socket keeps what we said for its reader, whatever of his we left unread.
                # Who was refused at the door had nothing to say yet, and others want his place.
                if self.caller is None and self._reason not in ("QUIT", "closed", "refused"):
                    link.end_output()
                    while await link.read():
                        pass
        except (TimeoutError, asyncio.CancelledError):
            # He does not read: what is still to be written would keep the connection for ever.
            link.abort()
        finally:
            link.close()

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be written."""
        self._link.abort()

    def _report(self, exc: BaseException) -> None:
        if self._on_fault is not None:
            self._on_fault(exc)


_QUESTIONS: dict[type[Decision], Callable[[Any, Any], Awaitable[Any]]] = {
    SessionStarted: lambda handler, event: handler.session_started(event),
    AuthAttempt: lambda handler, event: handler.login_attempted(event),
    MailRequested: lambda handler, event: handler.mail_requested(event),
    RecipientRequested: lambda handler, event: handler.recipient_requested(event),
    ContentStarted: lambda handler, event: handler.content_started(event),
    ContentEnded: lambda handler, event: handler.content_ended(event),
    EtrnRequested: lambda handler, event: handler.etrn_requested(event),
}


class Listener:
    """
    What listens, and the sessions that came of it.

    Args:
        make_handler: Gives the handler of a new session.
        options: What each session offers and demands.
        tls: For STARTTLS or implicit TLS; None: TLS cannot be had.
        is_tls_implicit: TLS comes before everything else (RFC 8314 3.3).
        limits: How much clients get.
        on_fault: Told of every exception that a handler let through.

    """

    def __init__(
        self,
        make_handler: Callable[[Session], Handler],
        options: ServerOptions,
        *,
        tls: SSLContext | None = None,
        is_tls_implicit: bool = False,
        limits: Limits | None = None,
        on_fault: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.make_handler = make_handler
        self.options = options
        self.tls = tls
        self.is_tls_implicit = is_tls_implicit
        self.limits = limits or Limits()
        self.on_fault = on_fault
        self._servers: list[asyncio.Server] = []
        self._sockets: dict[socket.socket, bool] = {}  # those of ``listen_on``: is it attended to?
        self._connecting: set[asyncio.Task[None]] = set()
        self._sessions: dict[asyncio.Task[None], Session] = {}

    async def listen(self, host: str, port: int = 0) -> int:
        """
        Listen on a TCP port; 0: any that is free. Return the port.

        Raises:
            OSError: The port cannot be had.

        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._make_link, host, port)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def listen_unix(self, path: str) -> None:
        """Listen on a Unix socket, which is made."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._make_link, path))

    async def listen_on(self, sock: socket.socket) -> None:
        """
        Listen on a Unix or TCP socket that is bound, and listening perhaps; it is ours now.

        Where there are as many sessions as there may be, others are not turned away but wait
        with the kernel: so a flood cannot have somebody refused whom the handlers would let in.
        """
        sock.settimeout(0)
        sock.listen(_BACKLOG)
        self._attend(sock)

    async def hold(self, sock: socket.socket) -> None:
        """Hold one session over a connected socket, to its end."""
        await asyncio.get_running_loop().connect_accepted_socket(self._make_link, sock)
        while self._sessions:
            await asyncio.wait(self._sessions)

    async def finish(self) -> None:
        """Listen no more, and wait for the ends of the sessions."""
        await self._stop_listening()
        while self._sessions:
            await asyncio.wait(self._sessions)

    async def close(self) -> None:
        """Listen no more, tell every session so, and wait for their ends."""
        await self._stop_listening()
        sessions = dict(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        for session in sessions.values():
            session.abort()

    async def _stop_listening(self) -> None:
        loop = asyncio.get_running_loop()
        sockets, self._sockets = self._sockets, {}
        for sock in sockets:
            loop.remove_reader(sock)
            sock.close()
        for server in self._servers:
            for each in server.sockets:
                loop.remove_reader(each.fileno())
        # asyncio loses, with a traceback, what it has accepted and not yet connected when a
        # server is closed (Python 3.11: an assertion in Server._attach).
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _attend(self, sock: socket.socket) -> None:
        self._sockets[sock] = True
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _attend_to_all(self) -> None:
        """Take up the sockets that were left alone, where there is room again."""
        for sock, is_attended in self._sockets.items():
            if not is_attended:
                self._attend(sock)

    def _leave_alone(self, sock: socket.socket) -> None:
        self._sockets[sock] = False
        asyncio.get_running_loop().remove_reader(sock)

    def _accept(self, sock: socket.socket) -> None:
        """Take what waits at a socket, some at a time."""
        loop = asyncio.get_running_loop()
        for _ in range(_AT_ONCE):
            if len(self._sessions) + len(self._connecting) >= self.limits.max_connections:
                self._leave_alone(sock)
                return
            try:
                connection, _ = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:  # too many files are open, or there is no memory
                self._report(exc)
                self._leave_alone(sock)
                loop.call_later(_PAUSE_S, self._attend_to_all)
                return
            task = loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._on_link_made)

    def _on_link_made(self, task: asyncio.Task[None]) -> None:
        # Until now it may have been counted twice: as it came, and as a session.
        self._connecting.discard(task)
        self._attend_to_all()

    async def _connect(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(self._make_link, connection)
        except OSError as exc:
            connection.close()
            self._report(exc)

    def _make_link(self) -> Link:
        return Link(self._on_connected)

    def _on_connected(self, link: Link) -> None:
        if len(self._sessions) >= 2 * self.limits.max_connections:
            link.abort()  # even to say no would take what the others need
            return
        is_one_too_many = len(self._sessions) >= self.limits.max_connections
        try:
            session = Session(link, self)
        except Exception as exc:  # noqa: BLE001 (as for every fault of a handler)
            self._report(exc)
            link.abort()
            return
        run = session.run(is_one_too_many=is_one_too_many)
        task = asyncio.get_running_loop().create_task(run)
        self._sessions[task] = session
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        del self._sessions[task]
        self._attend_to_all()
        exc = None if task.cancelled() else task.exception()
        if exc is not None:
            self._report(exc)

    def _report(self, exc: BaseException) -> None:
        if self.on_fault is not None:
            self.on_fault(exc)
