"""
One connection to the relay host, and the mails that go over it.

This is the one blocking driver of the client engine: it moves bytes between ``smtp.client`` and
``net.stream`` and holds every wait against an absolute deadline. It never raises for what the
network or the server does: that becomes a ``Trouble``, and a status of each forward-path.

1. ``Connection.open`` - dial, TLS, greeting, EHLO, STARTTLS, login.
2. ``Connection.deliver`` - any number of mails, pipelined as far as the server allows;
   ``rehearse`` asks before, between or behind them whether a mail would be taken.
3. ``Connection.close`` - QUIT, without waiting for its answer.
"""

from __future__ import annotations

from time import monotonic

from pillarbox.errors import (
    CertificateError,
    DeadlineError,
    NetworkError,
    PillarboxError,
    TlsError,
)
from pillarbox.mail.status import Trouble
from pillarbox.net.dial import dial
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import (
    CommandEnded,
    SessionReady,
    SessionRefused,
    TlsRequested,
    TransactionEnded,
)
from pillarbox.smtp.transaction import Transaction
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ssl import SSLContext

    from pillarbox.delivery.route import Route
    from pillarbox.delivery.trace import Trace
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.message import Content
    from pillarbox.mail.reply import Reply
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.net.stream import Stream
    from pillarbox.smtp.rehearsal import Rehearsal

__all__ = ["Connection", "Mail", "MailEnded"]

# Seconds. A person waits for the first; a kernel gives up after 130 on its own.
_CONNECT_S = 60.0
_HANDSHAKE_S = 60.0
# A greeting that takes longer is looked into. Tarpits take longer, too, and are waited for.
_QUIET_S = 2.0
# RFC 5321 4.5.3.2.5: three minutes for a piece of the content.
_WRITE_S = 180.0
_PIECE = 1 << 16
# No session needs longer to be ready, and no mail longer to be answered, than this in all; so
# a server that answers each of a thousand commands at the last moment cannot hold us for days.
_SETUP_S = 900.0
_SILENCE_S = 1800.0
_FAREWELL_S = 5.0


class Mail(Value):
    """A mail object (RFC 5321 2.3.1): an envelope and a content."""

    __slots__ = ("content", "envelope")

    def __init__(self, envelope: Envelope, content: Content) -> None:
        self.envelope = envelope
        self.content = content


class MailEnded(Value):
    """
    What became of a mail in an attempt.

    Attributes:
        mail: The mail.
        statuses: One for each forward-path, in the envelope's order.
        warnings: What was left out because the server does not offer it.

    """

    __slots__ = ("mail", "statuses", "warnings")

    def __init__(
        self, mail: Mail, statuses: tuple[RecipientStatus, ...], warnings: tuple[str, ...] = ()
    ) -> None:
        self.mail = mail
        self.statuses = statuses
        self.warnings = warnings


class Connection:
    """
    A connection along a route.

    Args:
        route: The way.
        trace: Told of every octet that goes over it; None: nobody is.

    Attributes:
        trouble: Why the connection is of no further use, or None.
        client: The session, once there is one: its capabilities and greeting.
        stream: The stream below it, once there is one.

    """

    def __init__(self, route: Route, trace: Trace | None = None) -> None:
        self.route = route
        self._trace = trace
        self.trouble: Trouble | None = None
        self.client: Client | None = None
        self.stream: Stream | None = None
        self._is_ready = False
        self._limit = 0.0  # monotonic seconds: the end of all patience

    def open(self) -> Trouble | None:
        """
        Connect and log in. Blocks until the session is ready or refused.

        Returns:
            None when it is ready, else the trouble.

        Raises:
            MissingInputError, ConfigError, MissingExtraError: The route itself is faulty, which
                is found out before anything is sent.

        """
        route = self.route
        self._limit = monotonic() + _SETUP_S
        context = route.make_tls_context()
        try:
            stream = self.stream = dial(route.endpoint, route.patience(_CONNECT_S))
        except NetworkError as exc:
            self.trouble = _as_trouble(exc, "connect")
            return self.trouble
        if route.tls_is_implicit and not self._start_tls(stream, context):
            return self.trouble
        bindings = stream.channel_bindings() if stream.is_secured else {}
        self.client = client = Client(route.session_options(bindings))
        while not self._is_ready and self.trouble is None:
            self._exchange(client, stream)
            while (event := client.next_event()) is not None:
                if isinstance(event, SessionReady):
                    self._is_ready = True
                elif isinstance(event, TlsRequested):
                    if self._start_tls(stream, context):
                        client.tls_started(stream.channel_bindings())
                elif isinstance(event, SessionRefused):
                    self.trouble = event.trouble
        return self.trouble

    def ask(self, argument: str) -> Reply | None:
        """
        Send ETRN with this argument (RFC 1985) and return its answer; None: see ``trouble``.

        Raises:
            DataError: The argument cannot stand in a command.

        """
        client, stream = self.client, self.stream
        if client is None or stream is None or not self._is_ready:
            return None
        client.etrn(argument)
        return self._await_answer(client, stream)

    def rehearse(
        self, sender: Mailbox | None, recipient: Mailbox, size_bytes: int = 0
    ) -> Rehearsal:
        """
        Ask whether a mail would be taken: MAIL, RCPT and RSET. Nothing is sent. Blocks.

        Mails may be delivered behind it. All three go at once where the server lets them.

        Args:
            sender: The reverse-path; None is the null reverse-path.
            recipient: The forward-path.
            size_bytes: The size that the mail would have; 0: none is said.

        Returns:
            The replies; where one is missing, ``trouble`` says why, or MAIL was refused.

        Raises:
            DataError, MissingExtraError: An address cannot stand in a command to this server.

        """
        from pillarbox.mail.envelope import Envelope
        from pillarbox.smtp.rehearsal import Rehearsal

        rehearsal = Rehearsal(Envelope(sender, (recipient,)), size_bytes)
        client, stream = self.client, self.stream
        if client is None or stream is None or not self._is_ready or self.trouble is not None:
            return rehearsal
        self._limit = monotonic() + _SETUP_S
        client.rehearse(rehearsal)
        self._await_answer(client, stream)
        return rehearsal

    def _await_answer(self, client: Client, stream: Stream) -> Reply | None:
        """Return the answer to the command that was given last; None: see ``trouble``."""
        while self.trouble is None:
            self._exchange(client, stream)
            while (event := client.next_event()) is not None:
                if isinstance(event, CommandEnded):
                    return event.reply
                if isinstance(event, SessionRefused):
                    self.trouble = event.trouble
        return None

    def deliver(self, mails: Iterable[Mail]) -> Iterator[MailEnded]:
        """
        Send mails and yield what became of each, in the order in which that is known.

        Mails are taken from ``mails`` only as they can be begun; when the connection ends
        early, the rest is left there untouched and ``trouble`` says why. Blocks.
        """
        client, stream = self.client, self.stream
        if client is None or stream is None or not self._is_ready:
            return
        waiting = iter(mails)
        chunks: Iterator[tuple[bytes, bool]] = iter(())
        has_more = True
        self._limit = monotonic() + _SILENCE_S
        while self.trouble is None:
            # First, so that the next mail's commands go behind the end of this one's content.
            self._give_content(client, chunks)
            while has_more and client.can_begin:
                mail = next(waiting, None)
                if mail is None:
                    has_more = False
                    break
                chunks = mail.content.chunks()
                if (ended := self._begin(client, mail)) is not None:
                    yield ended
                self._give_content(client, chunks)
            if client.is_idle and not has_more:
                break
            self._exchange(client, stream)
            yield from self._ended(client)
        yield from self._ended(client)

    def close(self) -> None:
        """Say QUIT if that makes sense, and close. Never raises; blocks for 5 s at most."""
        client, stream = self.client, self.stream
        if stream is None:
            return
        if client is not None:
            client.quit()
            output = client.take_output()
            try:
                if output:
                    stream.write(output, monotonic() + _FAREWELL_S)
                    if self._trace is not None:
                        self._trace.sent(output, is_login=False)
            except PillarboxError:
                pass  # the farewell is a courtesy: everything was decided before it
        stream.close()
        self.stream = None

    def _start_tls(self, stream: Stream, context: SSLContext | None) -> bool:
        route = self.route
        assert context is not None  # TLS is asked for only where the account has it on
        deadline = self._deadline(_HANDSHAKE_S)
        try:
            stream.start_tls(context, route.tls_policy, route.endpoint.host, deadline)
        except (TlsError, NetworkError) as exc:
            self._fail(_as_trouble(exc, "tls"))
            return False
        return True

    def _begin(self, client: Client, mail: Mail) -> MailEnded | None:
        """Begin a mail; give back its end if it is one that no server could be told of."""
        content = mail.content
        transaction = Transaction(
            mail.envelope,
            size_bytes=content.size_bytes,
            is_8bit=content.is_8bit is not False,
            tag=mail,
        )
        try:
            client.begin(transaction)
        except PillarboxError as exc:
            transaction.fail(_as_trouble(exc, "MAIL", scope="message"), is_for_ever=True)
            return MailEnded(mail, transaction.statuses)
        return None

    def _give_content(self, client: Client, chunks: Iterator[tuple[bytes, bool]]) -> None:
        """Give the next chunk if it is wanted; one at a time, as two would be copied into one."""
        if not client.wants_content:
            return
        try:
            chunk, is_last = next(chunks)
        except PillarboxError as exc:
            # Half a mail must never look whole: nothing that could end it is sent.
            self._fail(_as_trouble(exc, "content", scope="message"))
            return
        client.send_content(chunk, is_last=is_last)

    def _exchange(self, client: Client, stream: Stream) -> None:
        """Write what is to be written, then read until a reply is taken, if one is awaited."""
        try:
            # Once: at the end of the stream there is input for ever.
            if (client.expects_silence or client.awaited == "BDAT") and stream.has_input():
                self._read(client, stream, monotonic() + _FAREWELL_S)
            is_login = client.awaited == "AUTH"
            output = client.take_output()
            if output:
                self._write(stream, output)
                if self._trace is not None:
                    self._trace.sent(output, is_login=is_login)
            if client.awaited and not client.wants_content:
                taken = client.replies_taken
                deadline = self._deadline(client.patience_s)
                if client.awaited == "greeting" and not stream.is_secured:
                    self._hear_greeting(client, stream, deadline)
                while client.replies_taken == taken and client.awaited:
                    self._read(client, stream, deadline)
        except (NetworkError, TlsError) as exc:
            self._last_words(client, stream)
            client.connection_lost(_as_trouble(exc, client.awaited or "content"))

    def _hear_greeting(self, client: Client, stream: Stream, deadline: float) -> None:
        """Take the start of the greeting; when there is none, find out whether TLS is awaited."""
        now = monotonic()
        try:
            # Half of a short time-out is left for the finding out.
            limit = min(now + _QUIET_S, (now + deadline) / 2)
            self._read(client, stream, limit)
        except DeadlineError:
            from pillarbox.delivery.probe import find_tls

            trouble = find_tls(self.route, deadline)
            if stream.has_input():
                # A greeting that came meanwhile is the better answer. It came in time, although
                # the finding out may have taken all that was left.
                self._read(client, stream, monotonic() + _FAREWELL_S)
            elif trouble is not None:
                client.connection_lost(trouble)

    def _read(self, client: Client, stream: Stream, deadline: float) -> None:
        data = stream.read(deadline)
        if self._trace is not None:
            self._trace.received(data)
        client.receive_data(data)

    def _write(self, stream: Stream, output: bytes) -> None:
        if len(output) <= _PIECE:
            stream.write(output, self._deadline(_WRITE_S))
            return
        for start in range(0, len(output), _PIECE):
            stream.write(output[start : start + _PIECE], self._deadline(_WRITE_S))
        self._limit = monotonic() + _SILENCE_S

    def _last_words(self, client: Client, stream: Stream) -> None:
        """Hear why the server closed the connection that we could not write to."""
        try:
            # The mere end of the stream would hide why the connection failed.
            if stream.has_input() and (words := stream.read(monotonic() + _FAREWELL_S)):
                client.receive_data(words)
        except PillarboxError:
            pass  # it said nothing; the failure to write is the whole story

    def _deadline(self, patience_s: float) -> float:
        return min(monotonic() + self.route.patience(patience_s), self._limit)

    def _ended(self, client: Client) -> Iterator[MailEnded]:
        while (event := client.next_event()) is not None:
            if isinstance(event, TransactionEnded):
                transaction = event.transaction
                mail = transaction.tag
                assert isinstance(mail, Mail)
                yield MailEnded(mail, transaction.statuses, tuple(transaction.warnings))
                self._limit = monotonic() + _SILENCE_S
            elif isinstance(event, SessionRefused):
                self.trouble = event.trouble

    def _fail(self, trouble: Trouble) -> None:
        if self.client is not None:
            self.client.connection_lost(trouble)
        self.trouble = trouble


def _as_trouble(exc: PillarboxError, stage: str, *, scope: str = "site") -> Trouble:
    if isinstance(exc, CertificateError | TlsError):
        stage = "tls"
    return Trouble(
        scope=scope,
        stage=stage,
        problem=exc.problem,
        exit_code=exc.exit_code,
        advice=exc.advice,
    )
