"""
A server session: bytes from the client in, events and bytes for the client out.

How a driver uses it:

1. ``next_event`` until it gives None. A ``Decision`` is answered with ``accept``, ``refuse`` or
   ``answer`` before the next event is asked for; the rest is told.
2. On ``TlsRequested``, accepted: write the output, negotiate, then ``tls_started``. Nothing
   more may be read in clear from the event on.
3. ``take_output`` and write it. After ``SessionEnded``: close.
4. Else read, ``receive_data`` (``b""`` at the end of the stream), and go to 1.

Commands are taken one by one from what was received, and none while an answer is owed, so that
a pipelined group (RFC 2920) is answered in order, and its replies leave together. What may stand
where, and what is said otherwise, is the table ``server_states.SERVER``; every end of a mail
transaction, good or bad, goes through ``_reset`` (attack L15: state that outlives a mail).
"""

from __future__ import annotations

from collections import deque

from pillarbox.errors import LocalProtocolError
from pillarbox.mail.reply import Reply, printable
from pillarbox.smtp import server_states as states
from pillarbox.smtp.content import Chunk, Incoming
from pillarbox.smtp.lines import BARE, OVERLONG, LineBuffer
from pillarbox.smtp.parse import (
    Fault,
    has_control_character,
    parse_bdat,
    parse_hello,
    parse_mail,
    parse_rcpt,
    split_command,
)
from pillarbox.smtp.server_auth import DIALOGS, LoginDialog, PlainDialog, decode_response
from pillarbox.smtp.server_replies import ReplyWriter
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from pillarbox.smtp.server_session import ServerOptions
    from pillarbox.value import Value

__all__ = ["Server"]


class Server:
    """The server's side of one connection; see the module's docstring for its use."""

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.state = states.CONNECTED
        self.is_secured = options.is_secured
        self.hello_name = ""  # what the client calls itself; empty: it did not say yet
        self.is_extended = False  # it said EHLO or LHLO, and not HELO
        self.login = ""  # who is logged in; empty: nobody
        self.commands_taken = 0
        self._offered = options.offered
        has_enhanced = "ENHANCEDSTATUSCODES" in self._offered
        self._replies = ReplyWriter(options.replies, has_enhanced=has_enhanced)
        self._buffer = LineBuffer(max(states.LINES.values()))
        self._events: deque[Value] = deque()
        self._pending: Decision | None = None  # what an answer is owed to
        self._mail = Incoming()
        self._chunk = Chunk(0, is_last=False)
        self._dialog: PlainDialog | LoginDialog | None = None
        self._answers: list[Reply] = []  # LMTP: what was answered to the content so far
        self._errors = 0
        self._idle_commands = 0
        self._failed_logins = 0
        self._ask(SessionStarted())

    # -- the driver's side ---------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether the session is over."""
        return self.state == states.ENDED

    @property
    def is_in_content(self) -> bool:
        """Whether content, and no command, comes next."""
        return self.state in (states.DATA, states.CHUNK)

    @property
    def answers_due(self) -> int:
        """How many answers the pending decision still needs: under LMTP one for each recipient."""
        if self._pending is None:
            return 0
        if isinstance(self._pending, ContentEnded):
            return self._final_replies - len(self._answers)
        return 1

    def next_event(self) -> Value | None:
        """Return the next thing that happened, or None."""
        return self._events.popleft() if self._events else None

    def take_output(self) -> bytes:
        """Return what is to be written now; ``b""``: nothing."""
        return self._replies.take()

    def receive_data(self, data: bytes) -> None:
        """
        Take what the client sent; ``b""`` is the end of the stream.

        Never raises, whatever it is. What comes while an answer is owed waits for it, so read
        no more until then.
        """
        if self.has_ended:
            return
        if not data:
            self._end("closed")
        elif self.state == states.CONNECTED:
            self._drop("early")
        elif self.state in (states.STARTTLS, states.HANDSHAKE):
            self._drop("plaintext_behind_starttls")
        else:
            self._buffer.feed(data)
            self._advance()

    def tls_started(self) -> None:
        """
        Go on after the negotiation: what the client said before is forgotten (RFC 3207 4.2).

        Raises:
            LocalProtocolError: TLS was not asked for, or the request not accepted.

        """
        if self.state != states.HANDSHAKE:
            msg = "TLS was not asked for"
            raise LocalProtocolError(msg)
        self.is_secured = True
        self.hello_name = self.login = ""
        self.is_extended = False
        self.state = states.HELLO

    def close(self, text: str = "") -> None:
        """End the session from our side: 421, with a text that says why."""
        if not self.has_ended:
            self._drop("closing", text)

    # -- answers -------------------------------------------------------------------------------

    def accept(self, text: str = "") -> None:
        """Answer yes to the pending decision, in the words of its row or in these."""
        if isinstance(self._pending, SessionStarted):
            self.answer(Reply(220, (self._replies.line(text or self.options.greeting),)))
        else:
            self.answer(self._replies.row(_YES.get(type(self._pending), "content"), text))

    def refuse(self, code: int = 0, text: str = "") -> None:
        """
        Answer no to the pending decision.

        Args:
            code: 400 to 559; 0: what is usual.
            text: What is said behind it.

        """
        if code:
            self.answer(Reply(code, (self._replies.line(text),)))
        else:
            self.answer(self._replies.row(_NO.get(type(self._pending), "local_error"), text))

    def answer(self, reply: Reply) -> None:
        """
        Answer the pending decision with exactly this reply: 2yz or 3yz is yes, the rest is no.

        An answer to a session that has ended meanwhile goes nowhere.

        Raises:
            LocalProtocolError: Nothing is pending.

        """
        if self.has_ended:
            return
        pending = self._pending
        if pending is None:
            msg = "there is nothing to be answered"
            raise LocalProtocolError(msg)
        if isinstance(pending, ContentEnded):
            self._answers.append(reply)
            if self.answers_due:
                return
        self._pending = None
        self._ANSWERS[type(pending)](self, pending, reply)
        self._advance()

    def _ask(self, decision: Decision) -> None:
        self._pending = decision
        self._events.append(decision)

    def _on_start_answer(self, _: SessionStarted, reply: Reply) -> None:
        self._say(reply)
        if _is_yes(reply):
            self.state = states.HELLO
        else:
            self._end("refused")

    def _on_tls_answer(self, _: TlsRequested, reply: Reply) -> None:
        self._say(reply)
        self.state = states.HANDSHAKE if _is_yes(reply) else states.READY

    def _on_auth_answer(self, attempt: AuthAttempt, reply: Reply) -> None:
        self._say(reply)
        if _is_yes(reply):
            self.login = attempt.authcid
            return
        self._failed_logins += 1
        if self._failed_logins >= self.options.max_failed_logins:
            self._drop("too_many_logins")

    def _on_mail_answer(self, event: MailRequested, reply: Reply) -> None:
        self._say(reply)
        if _is_yes(reply):
            self.state = states.MAIL
            self._mail = Incoming(is_open=True, is_smtputf8=event.parameters.is_smtputf8)

    def _on_rcpt_answer(self, _: RecipientRequested, reply: Reply) -> None:
        self._say(reply)
        if _is_yes(reply):
            self._mail.recipients += 1
            self.state = states.RCPT

    def _on_content_start_answer(self, _: ContentStarted, reply: Reply) -> None:
        if self.state == states.CHUNK:
            # BDAT is answered when its octets are there.
            self._chunk.refusal = None if _is_yes(reply) else reply
            return
        self._say(reply)
        if _is_yes(reply):
            self.state = states.DATA
        else:
            self._end_refused_data()

    def _on_content_answer(self, _: ContentEnded, __: Reply) -> None:
        for reply in self._answers:
            self._say(reply)
            if _is_yes(reply):
                self._errors = self._idle_commands = 0
        self._reset()

    def _on_etrn_answer(self, _: EtrnRequested, reply: Reply) -> None:
        self._say(reply)

    # -- reading -------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Take from the buffer what can be taken before an answer is owed or more is needed."""
        has_more = True
        while has_more and self._pending is None:
            if self.state == states.DATA:
                has_more = self._take_data()
            elif self.state == states.CHUNK:
                has_more = self._take_chunk()
            elif self.state in (states.HANDSHAKE, states.ENDED):
                has_more = False
            else:
                has_more = self._take_line()

    def _take_line(self) -> bool:
        """Take the next line; return whether there was one."""
        if self._begins_no_command(self._buffer.first_octet()):
            # A TLS hello, or another protocol: there may never be a line end.
            self._drop("http")
            return False
        line = self._buffer.next_line()
        if line is None:
            return False
        self.commands_taken += 1
        if line is BARE:
            self._drop("bare_newline_in_command")
        elif line is OVERLONG:
            self.state = states.READY if self.state == states.AUTHENTICATE else self.state
            self._fail("line_too_long")
        elif isinstance(line, bytes):
            self._on_line(line)
        return True

    def _begins_no_command(self, octet: bytes) -> bool:
        """Whether no command begins so; a CR may be that of an empty line, which harms nobody."""
        return octet not in (b"", b"\r") and not octet.isalpha() and self.state in states.COLUMNS

    def _on_line(self, line: bytes) -> None:
        if self.state == states.AUTHENTICATE:
            self._on_response(line)
            return
        verb, argument = split_command(line)
        if self.options.shows_commands:
            self._show(verb, line)
        if verb in states.HTTP_VERBS:
            self._drop("http")
        elif len(line) + 2 > states.LINES.get(verb, states.DEFAULT_LINE):
            self._fail("line_too_long")
        elif has_control_character(line):
            self._fail("control_character")
        else:
            self._on_command(verb, argument)

    def _show(self, verb: bytes, line: bytes) -> None:
        if verb == b"AUTH":
            words = line.split()
            line = b" ".join(words[:2]) + (b" *" if words[2:] else b"")
        elif verb not in states.SERVER:
            line = b"(unknown command)"  # it could be a password, one line too late
        self._events.append(CommandReceived(printable(line)))

    def _on_command(self, verb: bytes, argument: bytes) -> None:
        """Carry a command out, or say which row of the table forbids it."""
        if verb in states.OF_NO_USE:
            self._idle_commands += 1
            if self._idle_commands > self.options.max_idle_commands:
                self._drop("too_many_commands")
                return
        row = self._gate(verb)
        if verb == b"BDAT":
            self._do_bdat(argument, row)
        elif row == "no_recipient":
            self._say_row(row)
            self._end_refused_data()
        elif row:
            self._fail(row)
        else:
            self._COMMANDS[verb](self, argument)

    def _gate(self, verb: bytes) -> str:
        """Return the row that forbids a command here, or an empty text."""
        options = self.options
        cells = states.SERVER.get(verb)
        if cells is None:
            return "unsupported" if verb in states.UNSUPPORTED else "unknown"
        if options.is_lmtp and verb in (b"EHLO", b"HELO"):
            return "lmtp_only"
        if not options.is_lmtp and verb == b"LHLO":
            return "unknown"
        if states.EXTENSIONS.get(verb, "") not in self._offered:
            return "unsupported"
        if options.requires_tls and not self.is_secured and verb not in states.FREE_BEFORE_TLS:
            return "tls_first"
        row = cells[states.COLUMNS[self.state]]
        needs_login = options.requires_auth and not self.login
        if not row and needs_login and verb not in states.FREE_BEFORE_LOGIN:
            return "login_first"
        return row

    # -- commands ------------------------------------------------------------------------------

    def _do_ehlo(self, argument: bytes) -> None:
        if self._greet(argument, is_extended=True):
            options = self.options
            lines = options.keyword_lines(is_secured=self.is_secured, may_log_in=self._may_log_in)
            # RFC 2034 4: no enhanced code in the reply to EHLO.
            self._replies.write(250, map(self._replies.line, (options.hostname, *lines)))

    def _do_helo(self, argument: bytes) -> None:
        if self._greet(argument, is_extended=False):
            self._replies.write(250, [self._replies.line(self.options.hostname)])

    def _greet(self, argument: bytes, *, is_extended: bool) -> bool:
        name = parse_hello(argument)
        if isinstance(name, Fault):
            self._fail(name.row)
            return False
        if self._buffer and not self.options.takes_scripts:
            # What follows was written without knowing what we offer (RFC 2920 3.1): it is a
            # request to another protocol that holds SMTP (attack L13), and no mail client.
            self._drop("unsynchronized")
            return False
        self.hello_name = name
        self.is_extended = is_extended
        self._reset()
        return True

    @property
    def _may_log_in(self) -> bool:
        return self.is_secured or self.options.may_login_in_clear

    def _do_starttls(self, argument: bytes) -> None:
        if argument:
            self._fail("no_argument")
        elif self.is_secured:
            self._fail("secured_already")
        elif self._buffer:
            # It would be taken for something said under TLS (NO STARTTLS, CVE-2011-0411).
            self._drop("plaintext_behind_starttls")
        else:
            self.state = states.STARTTLS
            self._ask(TlsRequested())

    def _do_mail(self, argument: bytes) -> None:
        event = parse_mail(argument, self._offered if self.is_extended else ())
        limit = self.options.max_size_bytes
        if isinstance(event, Fault):
            self._fail(event.row, event.detail)
        elif limit and (event.parameters.size_bytes or 0) > limit:
            self._say_row("too_big")
        else:
            self._ask(event)

    def _do_rcpt(self, argument: bytes) -> None:
        offered = self._offered if self.is_extended else ()
        event = parse_rcpt(argument, offered, is_smtputf8=self._mail.is_smtputf8)
        if isinstance(event, Fault):
            self._fail(event.row, event.detail)
        elif self._mail.recipients >= self.options.max_recipients:
            self._say_row("too_many_recipients")
        else:
            self._ask(event)

    def _do_data(self, argument: bytes) -> None:
        if argument:
            self._fail("no_argument")
        else:
            self._ask(ContentStarted())

    def _do_bdat(self, argument: bytes, row: str) -> None:
        """Take BDAT; if a row forbids it, its octets are swallowed and never read as commands."""
        parsed = parse_bdat(argument)
        if isinstance(parsed, Fault):
            # Nobody knows how many octets follow, so nothing that follows can be read.
            self._drop(parsed.row)
            return
        size_bytes, is_last = parsed
        refusal = self._replies.row(row) if row else None
        # Behind RCPTs that were all refused, a pipelined BDAT is nobody's fault.
        is_fault = bool(row) and row != "no_recipient"
        self._chunk = Chunk(size_bytes, is_last=is_last, refusal=refusal, is_fault=is_fault)
        is_first = self.state == states.RCPT
        self.state = states.CHUNK
        if is_first and not row:
            self._ask(ContentStarted())

    def _do_rset(self, argument: bytes) -> None:
        if argument:
            self._fail("no_argument")
        else:
            self._reset()
            self._say_row("reset")

    def _do_noop(self, _: bytes) -> None:
        self._say_row("noop")

    def _do_help(self, _: bytes) -> None:
        self._say_row("help")

    def _do_vrfy(self, argument: bytes) -> None:
        if argument:
            self._say_row("vrfy")
        else:
            self._fail("vrfy_syntax")

    def _do_etrn(self, argument: bytes) -> None:
        if argument and argument.isascii():
            self._ask(EtrnRequested(argument.decode("ascii")))
        else:
            self._fail("etrn_syntax")

    def _do_quit(self, argument: bytes) -> None:
        if argument:
            self._fail("no_argument")
        else:
            self._say_row("bye")
            self._end("QUIT")

    # -- login ---------------------------------------------------------------------------------

    def _do_auth(self, argument: bytes) -> None:
        mechanism, _, response = argument.partition(b" ")
        name = mechanism.decode("ascii", "replace").upper()
        if self.login:
            self._fail("logged_in_already")
        elif not name or b" " in response:
            self._fail("auth_syntax")
        elif not self._may_log_in:
            self._fail("login_in_clear")
        elif name not in self._offered["AUTH"].split() or name not in DIALOGS:
            self._fail("mechanism")
        else:
            self._dialog = DIALOGS[name](self.options.login_prompts)
            self._step(self._dialog, decode_response(response) if response else None)

    def _on_response(self, response: bytes) -> None:
        self.state = states.READY
        dialog, self._dialog = self._dialog, None
        if self.options.shows_commands:
            self._events.append(CommandReceived("*"))
        if response == b"*" or dialog is None:
            self._fail("auth_cancelled")
        else:
            self._step(dialog, decode_response(response))

    def _step(self, dialog: PlainDialog | LoginDialog, response: bytes | Fault | None) -> None:
        from binascii import b2a_base64

        said = response if isinstance(response, Fault) else dialog.step(response)
        if isinstance(said, Fault):
            self._fail(said.row)
        elif isinstance(said, AuthAttempt):
            self._ask(said)
        else:
            self._dialog = dialog
            self._replies.write(334, [b2a_base64(said, newline=False)])
            self.state = states.AUTHENTICATE

    # -- content -------------------------------------------------------------------------------

    def _take_data(self) -> bool:
        """Take a piece of a content that came by DATA; return whether there was any."""
        if not self._buffer:
            return False
        piece, rest = self._mail.take_data(self._buffer.take_all())
        self._take_content(piece)
        if rest is not None:
            self._buffer.feed(rest)
            self._end_content()
        return True

    def _take_chunk(self) -> bool:
        """Take some of the octets of a BDAT; return whether there were any, or none are left."""
        chunk = self._chunk
        if chunk.left:
            if not self._buffer:
                return False
            piece = self._buffer.take(chunk.left)
            chunk.left -= len(piece)
            if chunk.refusal is None:
                self._take_content(piece)
        if not chunk.left:
            self._end_chunk(chunk)
        return True

    def _end_chunk(self, chunk: Chunk) -> None:
        if chunk.refusal is not None:
            self._say(chunk.refusal)
            self._reset()
            if chunk.is_fault:
                self._count_error()
        elif chunk.is_last:
            self._end_content()
        elif self._mail.fault:
            self._say_row(self._mail.fault)
            self._reset()
        else:
            self.state = states.CHUNKS
            self._say_row("chunk")

    def _take_content(self, piece: bytes) -> None:
        limit, takes_bare = self.options.max_size_bytes, self.options.takes_bare_newlines
        if self._mail.judge(piece, limit=limit, takes_bare=takes_bare):
            self._events.append(ContentChunk(piece))

    def _end_content(self) -> None:
        self._mail.finish()
        if not self._mail.fault:
            self._ask(ContentEnded(self._mail.size_bytes))
            return
        for _ in range(self._final_replies):
            self._say_row(self._mail.fault)
        self._reset()

    @property
    def _final_replies(self) -> int:
        """How many replies follow a content: LMTP gives one for each recipient (RFC 2033 4.2)."""
        return self._mail.recipients if self.options.is_lmtp else 1

    def _end_refused_data(self) -> None:
        """End a transaction whose DATA was refused, and the session if its content is there."""
        self._reset()
        if self._buffer:
            # RFC 2920 3.1 ends a group at DATA: what follows can only be the content, and must
            # not be carried out as commands.
            self._drop("unsynchronized", "The content must not follow DATA before its reply")

    # -- ends and replies ----------------------------------------------------------------------

    def _reset(self) -> None:
        """Forget the transaction: the one end of every one, good or bad (attack L15)."""
        if self._mail.is_open:
            self._events.append(TransactionEnded())
        self._mail = Incoming()
        self._chunk = Chunk(0, is_last=False)
        self._answers = []
        self.state = states.READY if self.hello_name else states.HELLO

    def _fail(self, row: str, text: str = "") -> None:
        """Refuse a command that is wrong by itself."""
        self._say_row(row, text)
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= self.options.max_errors:
            self._drop("too_many_errors")

    def _drop(self, row: str, text: str = "") -> None:
        """Say why, and end the session."""
        self._say_row(row, text)
        self._end(row)

    def _end(self, reason: str) -> None:
        self._pending = None
        self._dialog = None
        self._buffer.clear()
        self._reset()
        self.state = states.ENDED
        self._events.append(SessionEnded(reason))

    def _say(self, reply: Reply) -> None:
        self._replies.say(reply, is_greeting=self.state == states.CONNECTED)

    def _say_row(self, row: str, text: str = "") -> None:
        self._say(self._replies.row(row, text))

    # -- tables --------------------------------------------------------------------------------

    _COMMANDS: ClassVar[dict[bytes, Callable[[Server, bytes], None]]] = {
        b"EHLO": _do_ehlo,
        b"LHLO": _do_ehlo,
        b"HELO": _do_helo,
        b"STARTTLS": _do_starttls,
        b"AUTH": _do_auth,
        b"MAIL": _do_mail,
        b"RCPT": _do_rcpt,
        b"DATA": _do_data,
        b"ETRN": _do_etrn,
        b"RSET": _do_rset,
        b"NOOP": _do_noop,
        b"VRFY": _do_vrfy,
        b"HELP": _do_help,
        b"QUIT": _do_quit,
    }

    _ANSWERS: ClassVar[dict[type[Decision], Callable[[Server, Any, Reply], None]]] = {
        SessionStarted: _on_start_answer,
        TlsRequested: _on_tls_answer,
        AuthAttempt: _on_auth_answer,
        MailRequested: _on_mail_answer,
        RecipientRequested: _on_rcpt_answer,
        ContentStarted: _on_content_start_answer,
        ContentEnded: _on_content_answer,
        EtrnRequested: _on_etrn_answer,
    }


# The rows of server_states.REPLIES that say yes, and no.
_YES: dict[type, str] = {
    TlsRequested: "tls_ready",
    AuthAttempt: "logged_in",
    MailRequested: "mail",
    RecipientRequested: "recipient",
    ContentStarted: "send_content",
    ContentEnded: "content",
    EtrnRequested: "etrn",
}
_NO: dict[type, str] = {
    TlsRequested: "tls_refused",
    AuthAttempt: "login_refused",
    EtrnRequested: "etrn_refused",
}


def _is_yes(reply: Reply) -> bool:
    return reply.is_positive or reply.is_intermediate
