"""
A client session: bytes from the server in, events and bytes for the server out.

How a driver uses it:

1. ``receive_data`` with what was read (``b""`` at the end of the stream), then ``next_event``
   until it gives None.
2. On ``TlsRequested``: negotiate, then ``tls_started``. On ``SessionReady``: ``begin`` a
   transaction whenever ``can_begin``. On ``SessionRefused``: ``quit`` and close.
3. While ``wants_content``: ``send_content``. After each of these, ``take_output`` and write it.
4. While ``awaited`` names a stage: read, for at most ``patience_s`` seconds, and go to 1.

Commands go out in groups as far as RFC 2920 and the server allow: MAIL, RCPT and DATA or BDAT
together, and the next transaction behind the end of the last content; nothing goes behind EHLO,
STARTTLS or AUTH, and QUIT never behind a content whose reply is not there (docs/threats.md N7).
Every reply is matched to its command through one queue. What arrives when nothing is awaited
is a protocol violation, unless it says 421.
"""

from __future__ import annotations

from collections import deque

from pillarbox.errors import (
    EX_NOPERM,
    EX_PROTOCOL,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    CredentialError,
    LocalProtocolError,
    PillarboxError,
    RemoteProtocolError,
)
from pillarbox.mail.reply import Reply, printable
from pillarbox.mail.status import Trouble
from pillarbox.mail.wire import DotStuffing
from pillarbox.smtp import commands, states
from pillarbox.smtp.capabilities import NO_CAPABILITIES, parse_capabilities
from pillarbox.smtp.reply import ReplyReader
from pillarbox.smtp.session import (
    CommandEnded,
    SessionReady,
    SessionRefused,
    TlsRequested,
    TransactionEnded,
)
from pillarbox.smtp.transaction import Transaction
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pillarbox.smtp.auth import Credentials, Mechanism
    from pillarbox.smtp.rehearsal import Rehearsal
    from pillarbox.smtp.session import SessionOptions
    from pillarbox.value import Value

    Handler = Callable[[Reply, Any], None]
    Command = tuple[bytes, Handler, Any, str]  # a line, what takes its reply, with what, stage

__all__ = ["Client"]

# Replies that may be on their way to us at once: at 60 octets each they fit into the smallest
# socket buffer, so a server that stops reading until its replies are taken cannot lock us both.
_MAX_AWAITED = 200
# Transactions under way at once over BDAT: a round trip of 100 ms then still allows 640 a second.
_MAX_TRANSACTIONS = 64
# Octets handed out before the driver should write them.
_MAX_OUTPUT = 1 << 18
# Chunks whose replies are not there yet: at 112 KiB each they keep a line of 500 Mbit/s and 100 ms
# full, and what a server refuses midway is found out before much more of it is sent.
_MAX_CHUNKS_AHEAD = 64
# RFC 4422 sets no limit; no mechanism of ours needs more challenges.
_MAX_CHALLENGES = 4
# Octets before base64 that leave AUTH within the 512 of a command line (RFC 5321 4.5.3.1.4).
_MAX_INITIAL_RESPONSE = 360

_CLOSING = 421
_CHALLENGE = 334

# States in which nothing that the server says matters any more: all is told.
_OVER = frozenset((states.REFUSED, states.QUITTING, states.CLOSED, states.BROKEN))
# The same for what else it said in one go with the reply that led there.
_DEAF = _OVER | {states.HANDSHAKE}


class Client:
    """The client's side of one connection; see the module's docstring for its use."""

    def __init__(self, options: SessionOptions) -> None:
        self.options = options
        self.state = states.CONNECTED
        self.greeting: Reply | None = None
        self.capabilities = NO_CAPABILITIES
        self.mechanism: Mechanism | None = None
        self.login = ""  # the name of the mechanism that logged us in; empty: none has
        self._is_secured = options.is_secured
        self._channel_bindings = options.channel_bindings
        self._reader = ReplyReader()
        self._output: list[bytes] = []
        self._output_size = 0
        self._waiting: deque[Command] = deque()  # commands to be sent
        self._awaited: deque[tuple[Handler, Any, str]] = deque()  # replies of commands sent
        self._events: deque[Value] = deque()
        self._transactions: deque[Transaction] = deque()  # begun and not ended
        self._filling: Transaction | None = None  # the one whose content is not complete
        self._stuffing = DotStuffing()
        self._challenges = 0
        self._initial_response: bytes | None = None  # held back: too long for the AUTH line
        self._sent_secrets: list[bytes] = []  # as they stood on the wire, to be starred out
        self._needs_rset = False
        self._awaited.append((self._on_greeting, None, "greeting"))
        self._in_flight = 1  # how many of the awaited replies the server can know of
        self.replies_taken = 0

    # -- the driver's side ---------------------------------------------------------------------

    @property
    def awaited(self) -> str:
        """The stage whose reply is awaited next; empty: nothing is."""
        return self._awaited[0][2] if self._awaited else ""

    @property
    def expects_silence(self) -> bool:
        """Whether anything that the server says now comes before it was asked."""
        return not self._in_flight

    @property
    def patience_s(self) -> float:
        """How many seconds the reply awaited next may take (RFC 5321 4.5.3.2)."""
        return states.PATIENCE_S[self.awaited or "content"]

    def next_event(self) -> Value | None:
        """Return the next thing that happened, or None."""
        return self._events.popleft() if self._events else None

    def take_output(self) -> bytes:
        """Return what is to be written now; ``b""``: nothing."""
        output = self._output
        if not output:
            return b""
        self._in_flight = len(self._awaited)
        self._output = []
        self._output_size = 0
        return output[0] if len(output) == 1 else b"".join(output)

    def receive_data(self, data: bytes) -> None:
        """
        Take what the server sent; ``b""`` is the end of the stream.

        Never raises: a violation of the protocol breaks the session, and the statuses say so.
        """
        if self.state in _OVER:
            return
        if not data:
            self._on_end_of_stream()
            return
        try:
            self._take_replies(data)
        except RemoteProtocolError as exc:
            self._fail(exc, self._stage)

    def connection_lost(self, trouble: Trouble) -> None:
        """End the session because the connection failed or a deadline passed."""
        if self.state in _OVER:
            self.state = states.CLOSED
        else:
            self._end(states.CLOSED, trouble)

    def tls_started(self, channel_bindings: dict[str, bytes]) -> None:
        """Go on after the negotiation: everything the server said before is forgotten."""
        if self.state != states.HANDSHAKE:
            msg = "TLS was not asked for"
            raise LocalProtocolError(msg)
        if self._reader.has_leftover:
            self._fail(_injected(), "STARTTLS")
            return
        self._reader = ReplyReader()
        self.capabilities = NO_CAPABILITIES
        self._is_secured = True
        self._channel_bindings = channel_bindings
        self._say_hello()

    # -- transactions --------------------------------------------------------------------------

    @property
    def can_begin(self) -> bool:
        """Whether a transaction may begin now."""
        if self.state != states.READY or self._filling is not None:
            return False
        if not self._transactions:
            return True
        return (
            self.capabilities.has_pipelining
            and len(self._transactions) < _MAX_TRANSACTIONS
            and len(self._awaited) < _MAX_AWAITED
            and self._output_size < _MAX_OUTPUT
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._transactions and not self._awaited and not self._waiting

    def begin(self, transaction: Transaction) -> None:
        """
        Begin a transaction; its end is a ``TransactionEnded``.

        Raises:
            LocalProtocolError: ``can_begin`` is not true.
            DataError, MissingExtraError: The reverse-path cannot stand in a command. Nothing
                was sent then. (A forward-path that cannot gets its status.)

        """
        if not self.can_begin:
            msg = "a transaction cannot begin now"
            raise LocalProtocolError(msg)
        if self._reader.has_leftover and not self._awaited:
            self._transactions.append(transaction)
            self._fail(_early(), "idle")
            return
        transaction.check(self.capabilities)
        waiting = self._envelope_commands(transaction)
        if not waiting:
            self._events.append(TransactionEnded(transaction))
            return
        transaction.replies_due = len(waiting)
        # Behind a BDAT whose reply is open, RSET makes sure that MAIL finds no transaction:
        # servers differ in whether a refused BDAT LAST ends one.
        if self._needs_rset or (self.capabilities.has_chunking and self._transactions):
            self._waiting.append((commands.RSET, self._on_rset, None, "RSET"))
            self._needs_rset = False
        self._waiting += waiting
        self._transactions.append(transaction)
        self._filling = transaction
        self._send_waiting()

    def _envelope_commands(self, transaction: Transaction) -> list[Command]:
        """Return MAIL, each RCPT and, where it may go with them, DATA; empty: nobody is left."""
        envelope, offered = transaction.envelope, self.capabilities
        paths = transaction.open_paths
        if not paths:
            return []
        line = commands.mail(
            envelope, offered, size_bytes=transaction.size_bytes, is_8bit=transaction.is_8bit
        )
        found: list[Command] = [(line, transaction.on_mail, None, "MAIL")]
        for index in paths:
            try:
                line = commands.rcpt(envelope.forward_paths[index], envelope, offered)
            except PillarboxError as exc:
                transaction.fail_one(index, exc)
            else:
                found.append((line, transaction.on_rcpt, index, "RCPT"))
        if len(found) == 1:
            return []
        if offered.has_pipelining and not offered.has_chunking:
            found.append((commands.DATA, transaction.on_data, None, "DATA"))
        return found

    @property
    def wants_content(self) -> bool:
        """Whether the next chunk of the content should be given now."""
        transaction = self._filling
        if transaction is None or self._waiting or self._output_size >= _MAX_OUTPUT:
            return False
        if not self.capabilities.has_chunking:
            return transaction.may_send_content
        if transaction.replies_due:
            return self.capabilities.has_pipelining and not transaction.has_chunks
        # The envelope is settled: an unwanted transaction was ended by _settle.
        limit = _MAX_CHUNKS_AHEAD if self.capabilities.has_pipelining else 1
        return len(self._awaited) < limit

    def send_content(self, chunk: bytes, *, is_last: bool) -> None:
        """
        Send the next chunk of the content, which must be in wire form.

        Args:
            chunk: May be empty.
            is_last: Whether the content ends with it.

        Raises:
            LocalProtocolError: ``wants_content`` is not true.

        """
        transaction = self._filling
        if transaction is None or not self.wants_content:
            msg = "no content is wanted now"
            raise LocalProtocolError(msg)
        if not self._awaited and self._reader.has_leftover:
            # The start of a reply came first; its end must not pass for the answer to this.
            self._fail(_early(), "content")
            return
        if self.capabilities.has_chunking:
            self._put(commands.bdat(len(chunk), is_last=is_last))
            self._put(chunk)
            transaction.has_chunks = True
            if not is_last:
                self._awaited.append((transaction.on_chunk, None, "BDAT"))
        else:
            self._put(self._stuffing.feed(chunk))
            if is_last:
                self._put(self._stuffing.finish())
        if is_last:
            self._complete(transaction)

    def etrn(self, argument: str) -> None:
        """
        Ask the server to run its queue for us (RFC 1985); the answer is a ``CommandEnded``.

        Raises:
            LocalProtocolError: Something is under way.
            DataError: The argument cannot stand in a command.

        """
        if not self.can_begin or not self.is_idle:
            msg = "ETRN cannot be sent now"
            raise LocalProtocolError(msg)
        self._waiting.append((commands.etrn(argument), self._on_etrn, None, "ETRN"))
        self._send_waiting()

    def rehearse(self, rehearsal: Rehearsal) -> None:
        """
        Say MAIL, RCPT and RSET; the end is a ``CommandEnded``, and the replies are in it.

        Raises:
            LocalProtocolError: Something is under way.
            DataError, MissingExtraError: An address cannot stand in a command. Nothing was sent.

        """
        if not self.can_begin or not self.is_idle:
            msg = "a rehearsal cannot begin now"
            raise LocalProtocolError(msg)
        if self._reader.has_leftover:
            self._fail(_early(), "idle")
            return
        mail, rcpt = rehearsal.lines(self.capabilities)
        if self._needs_rset:
            self._waiting.append((commands.RSET, self._on_rset, None, "RSET"))
            self._needs_rset = False
        self._waiting += (
            (mail, self._on_rehearsed_mail, rehearsal, "MAIL"),
            (rcpt, rehearsal.on_rcpt, None, "RCPT"),
            (commands.RSET, self._on_rehearsed, rehearsal, "RSET"),
        )
        self._send_waiting()

    def quit(self) -> None:
        """Say QUIT if the server is there to hear it; its answer is not awaited."""
        if self.state in (states.READY, states.REFUSED) and not self._transactions:
            self._put(commands.QUIT)
        self.state = states.QUITTING

    # -- replies -------------------------------------------------------------------------------

    def _take_replies(self, data: bytes) -> None:
        reader, awaited = self._reader, self._awaited
        reader.feed(data)
        while (reply := reader.next_reply()) is not None:
            if not self._in_flight:
                # Sent before the command that it would seem to answer (docs/threats.md N7).
                self._on_unasked(reply)
                return
            self._in_flight -= 1
            self.replies_taken += 1
            handler, argument, stage = awaited.popleft()
            if reply.code == _CLOSING:
                self._on_closing(reply, stage, argument)
                return
            try:
                handler(reply, argument)
            except PillarboxError as exc:
                self._fail(exc, stage)
                return
            if (filling := self._filling) is not None:
                self._settle(filling)
            if self._waiting:
                self._send_waiting()
            if self.state in _DEAF:
                return
        if not self._in_flight and awaited and reader.has_leftover:
            raise _early()

    def _on_unasked(self, reply: Reply) -> None:
        """Take a reply to nothing: a farewell, the end of a content's welcome, or an attack."""
        if reply.code == _CLOSING:
            self._on_closing(reply, self._stage)
        elif self._filling is not None and not self._awaited and not reply.is_positive:
            self._on_interruption(reply)
        else:
            raise _early(reply.lines[0][:80])

    def _go(self, state: str, reply: Reply) -> None:
        """Follow an edge of the table, or refuse to."""
        if state not in states.CLIENT[self.state].get(reply.code // 100, ()):
            problem = say("the server answered {code} where that has no meaning", code=reply.code)
            raise RemoteProtocolError(problem, received=reply.lines[0][:80])
        self.state = state

    def _refuse(self, reply: Reply, stage: str, problem: str, exit_code: int) -> None:
        """End the session on a refusal; for a while, or for ever, as the code says."""
        self._go(states.REFUSED, reply)
        scope = "account" if stage == "AUTH" else "site"
        reply = self._without_secrets(reply)
        code = exit_code if reply.is_permanent else EX_TEMPFAIL
        trouble = Trouble(scope=scope, stage=stage, problem=problem, exit_code=code, reply=reply)
        self._end(states.REFUSED, trouble)

    def _give_up(self, stage: str, problem: str, advice: str) -> None:
        """End the session because the server does not offer what we must have."""
        scope = "account" if stage == "AUTH" else "site"
        trouble = Trouble(
            scope=scope, stage=stage, problem=problem, exit_code=EX_UNAVAILABLE, advice=advice
        )
        self._end(states.REFUSED, trouble)

    def _on_greeting(self, reply: Reply, _: None) -> None:
        self.greeting = reply
        if not reply.is_positive:
            problem = say("the server refused the connection with its greeting")
            self._refuse(reply, "greeting", problem, EX_UNAVAILABLE)
            return
        self._go(states.HELLO, reply)
        self._say_hello()

    def _say_hello(self) -> None:
        self.state = states.HELLO
        verb = "LHLO" if self.options.is_lmtp else "EHLO"
        self._send(commands.hello(verb, self.options.hello_name), self._on_hello, None, "EHLO")

    def _on_hello(self, reply: Reply, _: None) -> None:
        if reply.is_positive:
            self.capabilities = parse_capabilities(reply)
            self._after_hello(reply)
        elif reply.is_permanent and not self.options.is_lmtp:
            self._go(states.FALLBACK, reply)
            line = commands.hello("HELO", self.options.hello_name)
            self._send(line, self._on_helo, None, "EHLO")
        else:
            self._refuse(reply, "EHLO", say("the server refused our EHLO"), EX_UNAVAILABLE)

    def _on_helo(self, reply: Reply, _: None) -> None:
        if reply.is_positive:
            self._after_hello(reply)
        else:
            problem = say("the server refused our EHLO and HELO")
            self._refuse(reply, "EHLO", problem, EX_UNAVAILABLE)

    def _after_hello(self, reply: Reply) -> None:
        if self.options.starttls and not self._is_secured:
            if "STARTTLS" not in self.capabilities:
                self._give_up(
                    "STARTTLS",
                    say("the server does not support TLS via the STARTTLS command"),
                    say(
                        "use the port for implicit TLS (465, tls_starttls off);"
                        " if it was offered until now, somebody may be stripping it"
                    ),
                )
                return
            self._go(states.STARTTLS, reply)
            self._send(commands.STARTTLS, self._on_starttls, None, "STARTTLS")
        elif self.options.credentials is not None:
            self._authenticate(self.options.credentials, reply)
        else:
            self._go(states.READY, reply)
            self._events.append(SessionReady(self.capabilities))

    def _on_starttls(self, reply: Reply, _: None) -> None:
        if not reply.is_positive:
            problem = say("the server refused STARTTLS")
            self._refuse(reply, "STARTTLS", problem, EX_UNAVAILABLE)
            return
        if self._reader.has_leftover:
            # Purging it would hide the attack (NO STARTTLS, docs/threats.md N2).
            raise _injected()
        self._go(states.HANDSHAKE, reply)
        self._events.append(TlsRequested())

    # -- login ---------------------------------------------------------------------------------

    def _authenticate(self, credentials: Credentials, reply: Reply) -> None:
        from pillarbox.smtp.auth import NoMechanism, choose_mechanism, strength

        options = self.options
        chosen = choose_mechanism(
            offered=self.capabilities.mechanisms,
            wanted=options.mechanism,
            credentials=credentials,
            is_secured=self._is_secured,
            channel_bindings=self._channel_bindings,
            may_send_secret_in_clear=options.may_send_secret_in_clear,
            nonce=options.nonce or _no_nonce,
        )
        if isinstance(chosen, NoMechanism):
            self._give_up("AUTH", chosen.problem, chosen.advice)
            return
        if not options.mechanism and strength(chosen.name) < strength(options.known_login):
            self._give_up(
                "AUTH",
                say(
                    "the server took the login {known} until now, and offers only weaker ones",
                    known=options.known_login,
                ),
                say(
                    "somebody may be after the password; if the server was changed on purpose, "
                    "set auth {method}",
                    method=chosen.name.lower(),
                ),
            )
            return
        self._go(states.AUTHENTICATE, reply)
        self.mechanism = chosen
        response = chosen.initial_response()
        if response is not None and len(response) > _MAX_INITIAL_RESPONSE:
            # It answers the empty challenge instead (RFC 4954 4).
            self._initial_response, response = response, None
        line = commands.auth(chosen.name, response)
        if response:
            self._sent_secrets.append(line.split()[-1])
        self._send(line, self._on_auth, chosen, "AUTH")

    def _on_auth(self, reply: Reply, mechanism: Mechanism) -> None:
        if reply.is_positive:
            mechanism.finish()
            self._go(states.READY, reply)
            self.login = mechanism.name
            self._events.append(SessionReady(self.capabilities))
        elif reply.code == _CHALLENGE:
            self._go(states.AUTHENTICATE, reply)
            self._challenges += 1
            if self._challenges > _MAX_CHALLENGES:
                raise RemoteProtocolError(say("the server's challenges do not end"))
            line = commands.auth_response(self._answer(mechanism, reply))
            self._sent_secrets.append(line[:-2])
            self._send(line, self._on_auth, mechanism, "AUTH")
        else:
            problem = say("authentication failed (method {name})", name=mechanism.name)
            if mechanism.error_text:
                problem = say("{problem}: {reason}", problem=problem, reason=mechanism.error_text)
            self._refuse(reply, "AUTH", problem, EX_NOPERM)

    def _answer(self, mechanism: Mechanism, reply: Reply) -> bytes:
        response, self._initial_response = self._initial_response, None
        if response is not None:
            return response
        return mechanism.step(b"" if mechanism.ignores_challenge else _challenge_of(reply))

    def _without_secrets(self, reply: Reply) -> Reply:
        """Star out what the server echoes of our login (docs/threats.md L10)."""
        lines = tuple(map(self._starred, reply.lines))
        return Reply(reply.code, lines, reply.enhanced)

    def _starred(self, text: bytes) -> bytes:
        if not self._sent_secrets:
            return text
        credentials = self.options.credentials
        secret = credentials.secret if credentials is not None else None
        raw = secret.reveal().encode("utf-8", "surrogateescape") if secret is not None else b""
        for word in (raw, *self._sent_secrets):
            if word:
                text = text.replace(word, b"*")
        return text

    # -- within READY --------------------------------------------------------------------------

    def _on_rset(self, reply: Reply, _: None) -> None:
        if not reply.is_positive:
            problem = say("the server refused RSET")
            raise RemoteProtocolError(problem, received=reply.lines[0][:80])

    def _on_etrn(self, reply: Reply, _: None) -> None:
        self._events.append(CommandEnded(reply))

    def _on_rehearsed_mail(self, reply: Reply, rehearsal: Rehearsal) -> None:
        rehearsal.on_mail(reply)
        if rehearsal.is_mail_refused and self._waiting:
            self._waiting.popleft()  # RCPT did not go with it, and would be out of sequence

    def _on_rehearsed(self, reply: Reply, rehearsal: Rehearsal) -> None:
        rehearsal.rset = reply
        self._on_rset(reply, None)
        self._events.append(CommandEnded(reply))

    def _settle(self, transaction: Transaction) -> None:
        """Take the step that the answered replies allow for the transaction being filled."""
        if transaction.is_mail_refused and self._waiting:
            transaction.replies_due -= len(self._waiting)
            self._waiting.clear()
        if transaction.replies_due:
            return
        if transaction.has_accepted and transaction.open_paths:
            if not self.capabilities.has_chunking and not transaction.may_send_content:
                # Without PIPELINING, DATA waits for the envelope's replies.
                transaction.replies_due = 1
                self._waiting.append((commands.DATA, transaction.on_data, None, "DATA"))
            return
        if transaction.may_send_content:
            # DATA went in one group with a RCPT that nobody survived: RFC 2920 3.1 has us send
            # an empty content, which the server refuses.
            self._put(b".\r\n")
            self._awaited.append((self._on_content, transaction, "content"))
            self._filling = None
            return
        self._needs_rset = True
        self._filling = None
        self._end_transaction(transaction)

    def _complete(self, transaction: Transaction) -> None:
        """Await the replies to the whole content."""
        transaction.is_complete = True
        self._filling = None
        self._stuffing = DotStuffing()
        self._awaited.append((self._on_content, transaction, "content"))

    def _on_content(self, reply: Reply, transaction: Transaction) -> None:
        if self.options.is_lmtp:
            self._on_delivery(reply, (transaction, 0))
            return
        transaction.on_content(reply, None)
        self._needs_rset = self._needs_rset or not reply.is_positive
        self._end_transaction(transaction)

    def _on_delivery(self, reply: Reply, place: tuple[Transaction, int]) -> None:
        """Take one of LMTP's replies to a content; the next recipient's comes right behind."""
        transaction, position = place
        transaction.on_delivery(reply, position)
        if position + 1 < transaction.final_replies:
            following = (self._on_delivery, (transaction, position + 1), "content")
            self._awaited.appendleft(following)
            self._in_flight += 1
        else:
            self._end_transaction(transaction)

    def _end_transaction(self, transaction: Transaction) -> None:
        self._transactions.remove(transaction)
        if transaction.open_paths:
            problem = say("the server did not say what became of the mail")
            trouble = Trouble(scope="site", stage="content", problem=problem, exit_code=EX_PROTOCOL)
            transaction.fail(trouble)
        self._events.append(TransactionEnded(transaction))

    # -- sending and ending --------------------------------------------------------------------

    def _put(self, data: bytes) -> None:
        self._output.append(data)
        self._output_size += len(data)

    def _send(self, line: bytes, handler: Handler, argument: Any, stage: str) -> None:
        self._waiting.append((line, handler, argument, stage))
        self._send_waiting()

    def _send_waiting(self) -> None:
        """Send the commands whose turn has come."""
        limit = _MAX_AWAITED if self.capabilities.has_pipelining else 1
        waiting, awaited = self._waiting, self._awaited
        while waiting and len(awaited) < limit:
            line, handler, argument, stage = waiting.popleft()
            self._put(line)
            awaited.append((handler, argument, stage))

    def _on_closing(self, reply: Reply, stage: str, argument: object = None) -> None:
        """Take 421, as the answer to a command (with what its handler would get) or to none."""
        trouble = Trouble(
            scope="site",
            stage=stage,
            problem=say("the server closes the connection"),
            exit_code=EX_TEMPFAIL,
            reply=self._without_secrets(reply) if stage == "AUTH" else reply,
        )
        if isinstance(argument, Transaction) and not self.options.is_lmtp:
            argument.fail(trouble, is_answered=True)  # its content was not taken, then
        elif isinstance(argument, Transaction):
            argument.on_delivery(reply, 0)  # of the others nothing was said
        elif isinstance(argument, tuple):
            argument[0].on_delivery(reply, argument[1])
        self._end(states.CLOSED, trouble)

    def _on_interruption(self, reply: Reply) -> None:
        """Take an answer to a content whose end was not sent: the server wants no more of it."""
        trouble = Trouble(
            scope="site",
            stage="content",
            problem=say("the server broke off the mail before it was whole"),
            exit_code=EX_TEMPFAIL,
            reply=reply,
        )
        self._end(states.BROKEN, trouble)

    def _on_end_of_stream(self) -> None:
        if self._reader.has_leftover:
            problem = say("the server closed the connection in the middle of a reply")
        else:
            problem = say("the server closed the connection")
        trouble = Trouble(scope="site", stage=self._stage, problem=problem, exit_code=EX_TEMPFAIL)
        self._end(states.CLOSED, trouble)

    @property
    def _stage(self) -> str:
        return self.awaited or ("content" if self._filling is not None else "idle")

    def _fail(self, exc: PillarboxError, stage: str) -> None:
        """End the session on an error: theirs breaks it, with one of ours QUIT may be said."""
        state, problem = states.REFUSED, exc.problem
        if isinstance(exc, RemoteProtocolError):
            state = states.BROKEN
            if exc.received and stage != "AUTH":  # where it may be half of our password
                received = printable(self._starred(exc.received))
                problem = say("{problem}: {reason}", problem=problem, reason=received)
        elif stage == "AUTH":
            # The server waits for the answer to a challenge and would take QUIT for it.
            state = states.CLOSED
        trouble = Trouble(
            scope="account" if isinstance(exc, CredentialError) else "site",
            stage=stage,
            problem=problem,
            exit_code=exc.exit_code,
            advice=exc.advice,
        )
        self._end(state, trouble)

    def _end(self, state: str, trouble: Trouble) -> None:
        """Give every transaction under way this trouble, and say that the session is over."""
        if self.state == states.HANDSHAKE:
            self._events.clear()  # of a TlsRequested that the driver has not taken yet
        self.state = state
        self._awaited.clear()
        self._waiting.clear()
        self._output.clear()
        self._output_size = 0
        self._filling = None
        for transaction in self._transactions:
            transaction.fail(trouble)
            self._events.append(TransactionEnded(transaction))
        self._transactions.clear()
        self._events.append(SessionRefused(trouble))


def _early(received: bytes = b"") -> RemoteProtocolError:
    return RemoteProtocolError(say("the server answered before it was asked"), received=received)


def _injected() -> RemoteProtocolError:
    return RemoteProtocolError(say("the server sent plaintext behind its answer to STARTTLS"))


def _challenge_of(reply: Reply) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(reply.lines[-1], strict_mode=True) if reply.lines[-1] else b""
    except Error as exc:
        # Its bytes are not shown: a hostile server may have sent a secret back.
        raise RemoteProtocolError(say("the server's challenge is not base64")) from exc


def _no_nonce() -> str:
    msg = "the session was given no source of nonces"
    raise LocalProtocolError(msg)
