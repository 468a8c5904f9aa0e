"""
``sendmail -bs``: SMTP on standard input and output, each mail sent or handed over at once.

The session is one of ``driver``, over a pair of sockets that two threads connect with the
standard streams; so what a listener withstands, this does, and there is no second driver. Which
way a mail goes is the one rule of ``handoff.way``: it is answered with 250 when the service has it
for good, or else when the relay host has taken it for everybody, and not before.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import threading

from pillarbox.config.finish import finish_account, require_sender
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.delivery.report import failure_lines, log_lines, write_log
from pillarbox.delivery.submit import send_now
from pillarbox.errors import EX_OK, EX_TEMPFAIL, PillarboxError
from pillarbox.handoff import SYSTEM, hand_over, has_own_configuration, socket_of, way
from pillarbox.handoff.call import Call
from pillarbox.intake.driver import Handler, Limits, Listener
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.mail.reply import Reply, printable
from pillarbox.mail.status import DEFERRED
from pillarbox.mail.wire import LineEndings
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.text import language_of, localize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from pillarbox.delivery.submit import Outcome
    from pillarbox.intake.driver import Session
    from pillarbox.mail.reply import EnhancedCode
    from pillarbox.mail.status import RecipientStatus, Trouble
    from pillarbox.smtp.server_session import ContentEnded, MailRequested, RecipientRequested

__all__ = ["main"]

_PIECE = 1 << 16
_IN_MEMORY = 1 << 20  # octets of a content before it goes into a file without a name
_CLOSING = 421
_MAX_TEXT = 400  # octets of a reply's text: its line has 512 (RFC 5321 4.5.3.1.5)

# No CHUNKING: line ends are put right on the way, which would change the size of a chunk.
_KEYWORDS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


def main(arguments: Sequence[str]) -> int:
    """
    Hold one session with whoever started us. Blocks until it ends.

    Args:
        arguments: The envelope sender to be used in place of the session's, if any.

    """
    sender = arguments[0] if arguments else None
    asyncio.run(_hold(sender))
    return EX_OK


async def _hold(sender: str | None) -> None:
    ours, theirs = socket.socketpair()
    options = ServerOptions(
        hostname=os.uname().nodename,
        keywords=_KEYWORDS,
        is_secured=True,
        takes_scripts=True,
    )
    # Such a program does not wait for the greeting either.
    limits = Limits(takes_early_talkers=True)
    listener = Listener(lambda session: _Sender(session, sender), options, limits=limits)
    reading = threading.Thread(target=_read_input, args=(theirs,), daemon=True)
    writing = threading.Thread(target=_write_output, args=(theirs,), daemon=True)
    reading.start()
    writing.start()
    try:
        await listener.hold(ours)
    finally:
        await asyncio.to_thread(writing.join)
        theirs.close()


def _read_input(pipe: socket.socket) -> None:
    """
    Give the session what comes on standard input, to its end.

    Lines may end in LF alone, as scripts write them: who speaks here has our own rights, so
    there is nobody whom a mail in the content of another could deceive.
    """
    endings = LineEndings()
    try:
        while data := os.read(0, _PIECE):
            pipe.sendall(endings.feed(data))
        pipe.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the session has ended


def _write_output(pipe: socket.socket) -> None:
    """Print what the session says, to its end."""
    try:
        while data := pipe.recv(_PIECE):
            while data:
                data = data[os.write(1, data) :]
    except OSError:
        pass  # nobody listens any more; the session finds the end of its input


class _Sender(Handler):
    """Send each mail of the session through the account of its sender."""

    def __init__(self, session: Session, sender: str | None) -> None:
        super().__init__(session)
        self._forced = sender
        self._mail: MailRequested | None = None
        self._recipients: list[RecipientRequested] = []
        self._content: IO[bytes] | None = None

    async def mail_requested(self, event: MailRequested) -> None:
        """Remember the sender; which account takes it is found out with the mail."""
        self._mail = event

    async def recipient_requested(self, event: RecipientRequested) -> None:
        """Remember a recipient; the relay host decides about it."""
        self._recipients.append(event)

    async def content_received(self, chunk: bytes) -> None:
        """Keep a piece."""
        if self._content is None:
            # Not checked: it lives from one event to another; transaction_ended closes it.
            self._content = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._content.write(chunk)

    async def content_ended(self, _: ContentEnded) -> Reply:
        """Send the mail, and answer as the relay host did."""
        return await asyncio.to_thread(self._send)

    async def transaction_ended(self) -> None:
        """Forget the mail."""
        self._mail = None
        self._recipients.clear()
        if self._content is not None:
            self._content.close()
            self._content = None

    def _send(self) -> Reply:
        try:
            if path := _socket_of_the_service():
                return self._hand_over(path)
            return _answer(self._attempt())
        except PillarboxError as exc:
            _complain(exc)
            code = 451 if exc.exit_code == EX_TEMPFAIL else 554
            return _reply(code, printable(str(exc)))

    def _hand_over(self, path: str) -> Reply:
        """Give the mail to the service; its words become ours where it does not take it."""
        mail, content = self._mail, self._content
        assert mail is not None  # no content without MAIL
        if content is not None:
            content.seek(0)
        call = Call(
            [str(event.forward_path) for event in self._recipients],
            sender=self._sender(mail),
            notify=self._notify(),
            ret=mail.parameters.ret,
            envid=mail.parameters.envid,
        )
        hand_over(call, path, content.read if content is not None else lambda _: b"")
        return _reply(250, "Queued")

    def _sender(self, mail: MailRequested) -> str:
        return self._forced if self._forced is not None else str(mail.reverse_path or "")

    def _attempt(self) -> Outcome:
        mail, content = self._mail, self._content
        assert mail is not None  # no content without MAIL
        sender = self._sender(mail)
        wishes = Wishes({"from": sender}, env=os.environ)
        chosen, _ = choose_account(load_files(wishes), wishes)
        account = finish_account(chosen, wishes)
        allowed = require_sender(account)
        recipients = [event.forward_path for event in self._recipients]
        if account.aliases is not None:
            from pillarbox.mail.aliases import expand_aliases

            recipients = expand_aliases(recipients, account.aliases)
        envelope = Envelope(
            parse_mailbox(allowed) if allowed else None,
            tuple(recipients),
            ret=mail.parameters.ret or account.dsn_return or "",
            envid=mail.parameters.envid,
            notify=self._notify() or account.dsn_notify or "",
        )
        size = content.tell() if content is not None else 0
        if content is not None:
            content.seek(0)
        read = content.read if content is not None else lambda _: b""
        message = read_message(read, remaining_bytes=size)
        outcome = send_now(account, envelope, message, environment=os.environ)
        if outcome.exit_code:
            for line in failure_lines(outcome, account, language_of(os.environ)):
                print(f"sendmail: {line}", file=sys.stderr)
        try:
            write_log(account, log_lines(outcome, account), is_success=outcome.exit_code == EX_OK)
        except PillarboxError as exc:
            # The mail's fate is what the answer tells, whatever became of the log.
            _complain(exc)
        return outcome

    def _notify(self) -> str:
        """Return the NOTIFY that all recipients have; else empty, as an envelope has one."""
        wishes = {event.parameters.notify for event in self._recipients}
        return wishes.pop() if len(wishes) == 1 else ""


def _socket_of_the_service() -> str:
    """Return where mail is handed over; empty: this process sends it."""
    path = socket_of(os.environb)
    chosen = way(
        "",
        changes_sending=False,
        has_own_configuration=has_own_configuration(os.environb),
        has_system_socket=bool(path),
    )
    return path if chosen == SYSTEM else ""


def _complain(exc: PillarboxError) -> None:
    """Say in the person's language what failed; the replies of the session are English."""
    sentence = localize(exc.sentence, language_of(os.environ))
    print(f"sendmail: {printable(sentence, 2000)}", file=sys.stderr)


def _answer(outcome: Outcome) -> Reply:
    """Return one answer for all recipients: what is worth trying again goes before the rest."""
    for action in (DEFERRED, None):
        for status in outcome.statuses:
            if status.trouble is not None and action in (None, status.action):
                return _refusal(status, status.trouble)
    decisive = outcome.statuses[0].reply
    return _reply(250, f"Sent ({decisive})" if decisive is not None else "Sent")


def _refusal(status: RecipientStatus, trouble: Trouble) -> Reply:
    """Return the relay host's own refusal where there is one, for the client to classify."""
    said = status.reply
    is_deferred = status.action == DEFERRED
    # 421 would end this session, and a class that the provider does not mean would mislead.
    if said is not None and said.is_transient == is_deferred and said.code != _CLOSING:
        text = " / ".join(printable(line) for line in said.lines)
        return _reply(said.code, text, said.enhanced)
    quoted = f" ({said})" if said is not None else ""
    return _reply(451 if is_deferred else 554, f"{trouble.problem}{quoted}")


def _reply(code: int, text: str, enhanced: EnhancedCode | None = None) -> Reply:
    shown = printable(text, _MAX_TEXT).encode("ascii", "backslashreplace")
    return Reply(code, (shown[:_MAX_TEXT],), enhanced)
