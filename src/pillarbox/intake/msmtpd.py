"""
``msmtpd``: msmtp's own small SMTP server, with its options, for whoever starts it already.

Each mail is piped into a command, as there; without ``--command`` that is our own ``msmtp``, which
hands it to the service where there is one. What is otherwise, and on purpose:

* the command is run without a shell, so nothing in an address can be one; a command that needs a
  shell is refused at the start;
* a client that goes away in the middle of a mail sends nothing, only CRLF dot CRLF ends a mail,
  and what the command prints never gets into the session;
* a session goes on behind a mail that was not taken, and behind RSET.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from pillarbox.errors import (
    EX_NOHOST,
    EX_OK,
    EX_OSERR,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    PillarboxError,
    UsageError,
)
from pillarbox.intake.driver import Handler, Limits, Listener
from pillarbox.intake.msmtpd_options import (
    HELP,
    Options,
    find_password,
    make_log,
    parse_options,
)
from pillarbox.mail.originate import format_date
from pillarbox.mail.reply import Reply, printable
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.text import language_of, localize, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    from pillarbox.intake.driver import Session
    from pillarbox.mail.address import Mailbox
    from pillarbox.secret import Secret
    from pillarbox.smtp.server_session import (
        AuthAttempt,
        ContentEnded,
        MailRequested,
        RecipientRequested,
    )

__all__ = ["main"]

_FAILURE = 3  # msmtpd's exit code for whatever keeps it from starting
_MAX_SESSIONS = 16  # at a time; others wait
_MAX_RECIPIENTS = 1000
_IN_MEMORY = 1 << 20
_NOBODY = "MAILER-DAEMON"  # what the command gets for the null reverse-path

# What msmtpd lets into its command line; whoever wrote a script for it relies on that.
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@_-+/=")

_TEMPORARY = frozenset((EX_NOHOST, EX_UNAVAILABLE, EX_OSERR, EX_TEMPFAIL))
_WAIT_AFTER_FAILURE_S = 1.0
_YOUNG_S = 60.0

_OWN_COMMAND = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'msmtp';"
    " from pillarbox.cli.main import run; run('msmtp')"
)


def main(arguments: Sequence[str]) -> int:
    """Run ``msmtpd``; return its exit code."""
    try:
        if "--help" in arguments:
            print(HELP, end="")
            return EX_OK
        if "--version" in arguments:
            from pillarbox import __version__

            print(f"msmtpd (pillarbox {__version__})")
            return EX_OK
        options = parse_options(arguments)
        password = find_password(options)
        log = make_log(options.log)
    except PillarboxError as exc:
        _complain(exc)
        return _FAILURE
    return asyncio.run(_Server(options, password, log).run())


class _Server:
    """The server: what its sessions share."""

    def __init__(
        self, options: Options, password: Secret | None, log: Callable[[str, str], None]
    ) -> None:
        self.options = options
        self.password = password
        self.log = log
        self.failed_s = -_YOUNG_S
        self.hostname = os.uname().nodename

    async def run(self) -> int:
        """Serve; return the exit code."""
        if self.options.is_inetd:
            return await self._hold_one()
        return await self._listen()

    def _make_listener(self) -> Listener:
        return Listener(
            lambda session: _Handler(session, self),
            ServerOptions(
                hostname="localhost",
                greeting="localhost ESMTP msmtpd",
                keywords=("AUTH PLAIN",) if self.password is not None else (),
                requires_auth=self.password is not None,
                may_login_in_clear=True,
                max_failed_logins=1,
                max_recipients=_MAX_RECIPIENTS,
            ),
            limits=Limits(max_connections=_MAX_SESSIONS),
            on_fault=lambda exc: self.log("error", f"internal error: {type(exc).__name__}"),
        )

    async def _listen(self) -> int:
        options = self.options
        family = socket.AF_INET6 if ":" in options.interface else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((options.interface, options.port))
        except OSError as exc:
            sock.close()
            problem = say(
                "cannot listen at {path}: {reason}",
                path=f"{options.interface}, port {options.port}",
                reason=exc.strerror,
            )
            _complain(UsageError(problem))
            self.log("error", problem)
            return _FAILURE
        listener = self._make_listener()
        await listener.listen_on(sock)
        self.log("info", f"listening on {options.interface} port {sock.getsockname()[1]}")
        ends = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ends.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        await ends.wait()
        # The sessions that there are go on to their ends, as msmtpd's do.
        await listener.finish()
        return EX_OK

    async def _hold_one(self) -> int:
        """Hold one session on standard input and output, a socket or not."""
        try:
            sock = socket.socket(fileno=os.dup(0))
            sock.getpeername()
        except OSError:
            return await self._hold_over_pipes()
        await self._make_listener().hold(sock)
        return EX_OK

    async def _hold_over_pipes(self) -> int:
        ours, theirs = socket.socketpair()
        threading.Thread(target=_pump_in, args=(theirs,), daemon=True).start()
        out = threading.Thread(target=_pump_out, args=(theirs,), daemon=True)
        out.start()
        await self._make_listener().hold(ours)
        await asyncio.to_thread(out.join)
        theirs.close()
        return EX_OK

    def words(self, sender: str, recipients: Sequence[str]) -> list[str]:
        """Return the command for one mail."""
        if not self.options.command:
            root = str(Path(__file__).parents[2])
            start = [sys.executable, "-S", "-c", _OWN_COMMAND, root]
            return [*start, "-f", sender, "--", *recipients]
        words = list(self.options.command)
        for at, word in enumerate(words):
            if "%F" in word:
                words[at] = word.replace("%F", sender, 1)
                break
        return [*words, *recipients]


class _Handler(Handler):
    """Pipe each mail of a session into the command."""

    def __init__(self, session: Session, server: _Server) -> None:
        super().__init__(session)
        self._server = server
        self._sender = ""
        self._recipients: list[str] = []
        self._content: IO[bytes] | None = None

    async def login_attempted(self, attempt: AuthAttempt) -> Reply | None:
        """Let the one user in."""
        server = self._server
        loop = asyncio.get_running_loop()
        if loop.time() - server.failed_s < _YOUNG_S:
            await asyncio.sleep(_WAIT_AFTER_FAILURE_S)
        assert server.password is not None  # else no login is offered
        said, wanted = (
            f"{name}\0{secret.reveal()}".encode("utf-8", "surrogateescape")
            for name, secret in (
                (attempt.authcid, attempt.secret),
                (server.options.user, server.password),
            )
        )
        if hmac.compare_digest(said, wanted):
            return None
        server.failed_s = loop.time()
        server.log("error", "authentication failed")
        return Reply(535, (b"authentication failed",))

    async def mail_requested(self, event: MailRequested) -> Reply | None:
        """Note the sender."""
        refusal = None if event.reverse_path is None else self._look_at(event.reverse_path)
        if refusal is None:
            self._sender = str(event.reverse_path or _NOBODY)
        return refusal

    async def recipient_requested(self, event: RecipientRequested) -> Reply | None:
        """Note a recipient."""
        refusal = self._look_at(event.forward_path)
        if refusal is None:
            self._recipients.append(str(event.forward_path))
        return refusal

    async def content_received(self, chunk: bytes) -> None:
        """Keep a piece; lines end in LF for the command."""
        if self._content is None:
            # Not checked: it lives from one event to another; transaction_ended closes it.
            self._content = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
            self._content.write(self._trace().encode())
        self._content.write(chunk.replace(b"\r", b""))  # only those of CRLF are let in

    async def content_ended(self, _: ContentEnded) -> Reply:
        """Run the command, and say what its exit code means."""
        content = self._content
        if content is None:
            await self.content_received(b"")
            content = self._content
        assert content is not None
        words = self._server.words(self._sender, self._recipients)
        code = await asyncio.to_thread(_run, words, content)
        shown = shlex.join(words)
        if code == EX_OK:
            self._server.log("info", f"piped a mail into: {shown}")
            return Reply(250, (b"Ok, mail was piped",))
        self._server.log("error", f"exit code {code} of: {shown}")
        if code in _TEMPORARY:
            return Reply(451, (b"The command failed, try again later",))
        return Reply(554, (b"The command failed",))

    async def transaction_ended(self) -> None:
        """Forget the mail."""
        self._recipients = []
        if self._content is not None:
            self._content.close()
            self._content = None

    def _look_at(self, mailbox: Mailbox) -> Reply | None:
        """Refuse an address that could be an option, or that a script would not expect."""
        text = str(mailbox)
        if text.startswith("-") or (self._server.options.command and not _SAFE.issuperset(text)):
            return Reply(501, (b"invalid characters in this address",))
        return None

    def _trace(self) -> str:
        """Return the Received field, as msmtpd writes it."""
        server, session = self._server, self.session
        host = session.peer.partition(",")[0]
        name = "localhost" if host in ("127.0.0.1", "::1") else "unknown"
        where = f" ({name} [{host}])" if host else ""
        return (
            f"Received: from {session.server.hello_name}{where}\n"
            f"\tby {server.hostname} (msmtpd) with ESMTP;\n\t{format_date(time())}\n"
        )


def _run(words: list[str], content: IO[bytes]) -> int:
    """Run the command with a mail on its standard input; return its exit code."""
    with tempfile.TemporaryFile() as whole:
        content.seek(0)
        while piece := content.read(1 << 16):
            whole.write(piece)
        whole.seek(0)
        try:
            done = subprocess.run(words, stdin=whole, stdout=subprocess.DEVNULL, check=False)
        except OSError:
            return _FAILURE
    return done.returncode


def _pump_in(pipe: socket.socket) -> None:
    try:
        while data := os.read(0, 1 << 16):
            pipe.sendall(data)
        pipe.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the session has ended


def _pump_out(pipe: socket.socket) -> None:
    try:
        while data := pipe.recv(1 << 16):
            while data:
                data = data[os.write(1, data) :]
    except OSError:
        pass  # nobody listens any more


def _complain(exc: PillarboxError) -> None:
    language = language_of(os.environ)
    for text in (exc.sentence, exc.advice):
        if text:
            print(f"msmtpd: {printable(localize(text, language), 2000)}", file=sys.stderr)
