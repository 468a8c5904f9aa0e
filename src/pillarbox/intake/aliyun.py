"""
How Aliyun enterprise mail (smtp.qiye.aliyun.com) talks, as far as a sender notices.

Everything in which the embedded provider differs from a plain server is here: what EHLO offers,
what its replies say, whom it takes as a sender. The facts were collected from transcripts and
error reports of 2017 to 2026; nothing here knows of sockets or threads but through ``Desk``.
"""

from __future__ import annotations

import threading

from pillarbox.errors import DeadlineError
from pillarbox.intake.driver import Handler, Limits
from pillarbox.mail.reply import Reply, printable
from pillarbox.secret import Secret
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pillarbox.intake.driver import Session
    from pillarbox.mail.address import Mailbox
    from pillarbox.smtp.server_session import (
        AuthAttempt,
        ContentEnded,
        MailParameters,
        MailRequested,
        RecipientParameters,
        RecipientRequested,
    )

__all__ = ["ALIYUN", "AliyunHandler", "Desk", "ProviderOptions", "ReceivedMail"]

# What EHLO offered on smtp.qiye.aliyun.com:465 in October 2024; SIZE, STARTTLS, SMTPUTF8,
# CHUNKING and ENHANCEDSTATUSCODES were absent.
ALIYUN = (
    "8BITMIME",
    "AUTH=PLAIN LOGIN XOAUTH2 XALIOAUTH",
    "AUTH PLAIN LOGIN XOAUTH2 XALIOAUTH",
    "PIPELINING",
    "DSN",
)
_GREETING = "smtp.aliyun-inc.com MX AliMail Server"
_PROMPTS = ("username:", "password:")
_ROWS = {
    "bad_base64": (523, "", "cipher text is invalid base64 format"),
    "content": (250, "", "Data Ok: queued as freedom"),
}
_WRONG_PASSWORD = b"Authentication failure[0]"
_LOCKED = b"Authentication failure[1]"
_EMPTY = b"username or passwd is NULL"
_WRONG_SENDER = b"mail from account doesn't conform with authentication"

_MAX_COMMANDS = 1000  # of one mail; what is remembered must have an end


class ProviderOptions(Value):
    """
    What the provider offers and whom it knows.

    Attributes:
        user: The one account: an address.
        password: Its password.
        tls: ``implicit`` (as port 465), ``starttls`` (as port 587) or ``none``.
        keywords: The lines of the EHLO reply, as for ``ServerOptions``.
        unix_path: Listen on this Unix socket, and on no port; empty: on a port.
        port: The port; 0: any that is free.
        is_lmtp: Speak LMTP.
        requires_auth: Take no mail without a login.
        checks_sender: Take no sender but the login, as Aliyun does.
        max_wrong_logins: So many wrong passwords lock the account, until the provider ends.
        refused: Recipients that do not exist.
        content_reply: What is said to each content in place of the usual; None: the usual.
        max_size_bytes: The largest mail; 0: any. Said in EHLO only if SIZE is a keyword.
        keeps_content: Keep the content of mails, and not only their size.
        limits: How much clients get.

    """

    __slots__ = (
        "checks_sender",
        "content_reply",
        "is_lmtp",
        "keeps_content",
        "keywords",
        "limits",
        "max_size_bytes",
        "max_wrong_logins",
        "password",
        "port",
        "refused",
        "requires_auth",
        "tls",
        "unix_path",
        "user",
    )

    def __init__(
        self,
        *,
        user: str = "no-reply@example.com",
        password: Secret | str = "",
        tls: str = "implicit",
        keywords: tuple[str, ...] = ALIYUN,
        unix_path: str = "",
        port: int = 0,
        is_lmtp: bool = False,
        requires_auth: bool = True,
        checks_sender: bool = True,
        max_wrong_logins: int = 5,
        refused: tuple[str, ...] = (),
        content_reply: Reply | None = None,
        max_size_bytes: int = 0,
        keeps_content: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self.user = user
        self.password = password if isinstance(password, Secret) else Secret(password)
        self.tls = tls
        self.keywords = keywords
        self.unix_path = unix_path
        self.port = port
        self.is_lmtp = is_lmtp
        self.requires_auth = requires_auth
        self.checks_sender = checks_sender
        self.max_wrong_logins = max_wrong_logins
        self.refused = refused
        self.content_reply = content_reply
        self.max_size_bytes = max_size_bytes
        self.keeps_content = keeps_content
        self.limits = limits or Limits(linger_s=0.2)

    def server_options(self) -> ServerOptions:
        """Return what each session offers and demands."""
        keywords = self.keywords
        if self.tls == "starttls" and "STARTTLS" not in keywords:
            keywords = (*keywords, "STARTTLS")
        return ServerOptions(
            hostname="smtp.aliyun-inc.com",
            greeting=_GREETING,
            keywords=keywords,
            is_lmtp=self.is_lmtp,
            is_secured=bool(self.unix_path),
            requires_auth=self.requires_auth,
            may_login_in_clear=self.tls == "none",
            login_prompts=_PROMPTS,
            max_size_bytes=self.max_size_bytes,
            max_failed_logins=self.max_wrong_logins + 3,
            shows_commands=True,
            replies=_ROWS,
        )


class ReceivedMail(Value):
    """
    One mail as it was taken.

    Attributes:
        reverse_path: The sender; None is the null reverse-path.
        parameters: The rest of MAIL.
        forward_paths: The recipients that were accepted.
        recipient_parameters: The rest of each one's RCPT.
        content: The content in wire form, without dot-stuffing; empty when it was not kept.
        size_bytes: Octets of the content.
        login: Who was logged in; empty: nobody.
        mechanism: How; empty: not at all.
        tls_version: ``TLSv1.3``; empty: it came in clear.
        hello_name: What the client called itself.
        commands: The command lines since the last mail, what is secret as ``*``.

    """

    __slots__ = (
        "commands",
        "content",
        "forward_paths",
        "hello_name",
        "login",
        "mechanism",
        "parameters",
        "recipient_parameters",
        "reverse_path",
        "size_bytes",
        "tls_version",
    )

    def __init__(
        self,
        *,
        reverse_path: Mailbox | None,
        parameters: MailParameters,
        forward_paths: tuple[Mailbox, ...],
        recipient_parameters: tuple[RecipientParameters, ...],
        content: bytes,
        size_bytes: int,
        login: str,
        mechanism: str,
        tls_version: str,
        hello_name: str,
        commands: tuple[str, ...],
    ) -> None:
        self.reverse_path = reverse_path
        self.parameters = parameters
        self.forward_paths = forward_paths
        self.recipient_parameters = recipient_parameters
        self.content = content
        self.size_bytes = size_bytes
        self.login = login
        self.mechanism = mechanism
        self.tls_version = tls_version
        self.hello_name = hello_name
        self.commands = commands


class Desk:
    """
    What the provider's sessions share: the account, and the mails that were taken.

    Args:
        options: Whom the provider knows.
        watch: Told of everything that happens, as the JSON lines are.

    """

    def __init__(
        self, options: ProviderOptions, watch: Callable[[dict[str, Any]], None] | None
    ) -> None:
        self.options = options
        self.mails: list[ReceivedMail] = []
        self._watch = watch
        self._changed = threading.Condition()
        self._wrong_logins = 0

    def wait_for_mails(self, count: int, timeout_s: float = 10.0) -> list[ReceivedMail]:
        """
        Return the mails as soon as there are so many. Blocks.

        Raises:
            DeadlineError: There were fewer when the time was over.

        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.mails) >= count, timeout_s):
                msg = f"{len(self.mails)} of {count} mails came within {timeout_s:g} s"
                raise DeadlineError(msg, peer="the embedded provider")
            return list(self.mails)

    def judge_login(self, attempt: AuthAttempt) -> Reply | None:
        """Return what refuses a login; None: it is right."""
        secret = attempt.secret.reveal()
        if not attempt.authcid or not secret:
            return Reply(524, (_EMPTY,))
        if self._wrong_logins >= self.options.max_wrong_logins:
            return Reply(526, (_LOCKED,))
        is_right = attempt.authcid.lower() == self.options.user.lower()
        if is_right and secret == self.options.password.reveal():
            self._wrong_logins = 0
            return None
        self._wrong_logins += 1
        return Reply(526, (_WRONG_PASSWORD,))

    def take(self, mail: ReceivedMail) -> None:
        """Keep a mail, and tell who waits for it."""
        with self._changed:
            self.mails.append(mail)
            self._changed.notify_all()
        if self._watch is not None:
            from base64 import b64encode

            self.note(
                "mail",
                reverse_path=str(mail.reverse_path) if mail.reverse_path else None,
                forward_paths=[str(path) for path in mail.forward_paths],
                login=mail.login,
                mechanism=mail.mechanism,
                tls=mail.tls_version,
                hello=mail.hello_name,
                commands=list(mail.commands),
                size_bytes=mail.size_bytes,
                content=b64encode(mail.content).decode(),
            )

    def note(self, event: str, **facts: Any) -> None:
        """Tell who watches."""
        if self._watch is not None:
            self._watch({"event": event, **facts})


class AliyunHandler(Handler):
    """What Aliyun says: who may log in, and send as whom."""

    def __init__(self, session: Session, desk: Desk) -> None:
        super().__init__(session)
        self._desk = desk
        self._options = desk.options
        self._mechanism = ""
        self._commands: list[str] = []
        self._mail: MailRequested | None = None
        self._recipients: list[RecipientRequested] = []
        self._pieces: list[bytes] = []

    async def login_attempted(self, attempt: AuthAttempt) -> Reply | None:
        """Decide about a login."""
        reply = self._desk.judge_login(attempt)
        self._desk.note(
            "login",
            user=printable(attempt.authcid),
            mechanism=attempt.mechanism,
            accepted=reply is None,
            tls=self.session.tls_version,
        )
        self._mechanism = attempt.mechanism
        return self._refusal(reply)

    async def mail_requested(self, event: MailRequested) -> Reply | None:
        """Take only who is logged in as the sender."""
        path, login = event.reverse_path, self.session.server.login
        if self._options.checks_sender and login and str(path or "").lower() != login.lower():
            return self._refusal(Reply(440, (_WRONG_SENDER,)))
        self._mail = event
        return None

    async def recipient_requested(self, event: RecipientRequested) -> Reply | None:
        """Take whoever is not among the refused."""
        address = str(event.forward_path)
        if address in self._options.refused:
            text = f"RCPT ({address}) dosn't exist"
            return self._refusal(Reply(554, (text.encode(),)))
        self._recipients.append(event)
        return None

    async def content_received(self, chunk: bytes) -> None:
        """Keep a piece."""
        if self._options.keeps_content:
            self._pieces.append(chunk)

    async def content_ended(self, event: ContentEnded) -> Reply | None:
        """Keep the mail."""
        reply = self._options.content_reply
        if self._mail is None or (reply is not None and not reply.is_positive):
            return self._refusal(reply)
        server = self.session.server
        mail = ReceivedMail(
            reverse_path=self._mail.reverse_path,
            parameters=self._mail.parameters,
            forward_paths=tuple(each.forward_path for each in self._recipients),
            recipient_parameters=tuple(each.parameters for each in self._recipients),
            content=b"".join(self._pieces),
            size_bytes=event.size_bytes,
            login=server.login,
            mechanism=self._mechanism if server.login else "",
            tls_version=self.session.tls_version,
            hello_name=server.hello_name,
            commands=tuple(self._commands),
        )
        self._commands.clear()
        self._desk.take(mail)
        return reply

    async def transaction_ended(self) -> None:
        """Forget what was gathered."""
        self._mail = None
        self._recipients.clear()
        self._pieces.clear()

    def command_received(self, text: str) -> None:
        """Keep a command line."""
        if len(self._commands) < _MAX_COMMANDS:
            self._commands.append(text)

    def _refusal(self, reply: Reply | None) -> Reply | None:
        if reply is not None:
            command = self._commands[-1] if self._commands else ""
            self._desk.note("refused", command=command, reply=str(reply))
        return reply
