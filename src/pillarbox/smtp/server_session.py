"""
What goes into a server session and what comes out of it, as values.

``ServerOptions`` says what is offered and demanded; the events say what the client asks. Those
that derive from ``Decision`` are answered, before anything else of the session is read.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox
    from pillarbox.secret import Secret

__all__ = [
    "AuthAttempt",
    "CommandReceived",
    "ContentChunk",
    "ContentEnded",
    "ContentStarted",
    "Decision",
    "EtrnRequested",
    "MailParameters",
    "MailRequested",
    "RecipientParameters",
    "RecipientRequested",
    "ServerOptions",
    "SessionEnded",
    "SessionStarted",
    "TlsRequested",
    "TransactionEnded",
]

_ALL = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")


class ServerOptions(Value):
    """
    What a server session offers and demands.

    Attributes:
        hostname: Our name, for the greeting and the reply to EHLO.
        greeting: What the greeting says behind 220; empty: the name and the protocol.
        keywords: The lines of the EHLO reply, as they are said. ``SIZE`` gets its number from
            ``max_size_bytes``. STARTTLS stands there only until TLS is there; AUTH (and its
            form of old, ``AUTH=PLAIN LOGIN``) only where a login is taken.
        is_lmtp: Speak LMTP (RFC 2033): LHLO, and a reply for each recipient.
        is_secured: The connection is protected from the start: implicit TLS, or a Unix socket.
        requires_tls: No mail without TLS.
        requires_auth: No mail without a login.
        may_login_in_clear: Take a password over an open connection.
        login_prompts: What AUTH LOGIN asks with.
        max_size_bytes: The largest content, in octets without dot-stuffing; 0: any.
        max_recipients: The most forward-paths of one mail (RFC 5321 4.5.3.1.8 asks for 100).
        max_errors: After so many wrong commands the session ends.
        max_idle_commands: After so many commands without a mail the session ends.
        max_failed_logins: After so many refused logins the session ends.
        takes_bare_newlines: Take a content with a CR or LF that is no line end. It never ends
            the content; what it becomes is then the receiver's care.
        takes_scripts: Take commands behind EHLO before its reply: the client is a program of our
            own user that writes a whole session into a pipe.
        shows_commands: Report each command line as ``CommandReceived``.
        replies: Rows that replace those of ``server_states.REPLIES``.

    """

    __slots__ = (
        "greeting",
        "hostname",
        "is_lmtp",
        "is_secured",
        "keywords",
        "login_prompts",
        "max_errors",
        "max_failed_logins",
        "max_idle_commands",
        "max_recipients",
        "max_size_bytes",
        "may_login_in_clear",
        "replies",
        "requires_auth",
        "requires_tls",
        "shows_commands",
        "takes_bare_newlines",
        "takes_scripts",
    )

    def __init__(
        self,
        *,
        hostname: str = "localhost",
        greeting: str = "",
        keywords: tuple[str, ...] = _ALL,
        is_lmtp: bool = False,
        is_secured: bool = False,
        requires_tls: bool = False,
        requires_auth: bool = False,
        may_login_in_clear: bool = False,
        login_prompts: tuple[str, str] = ("Username:", "Password:"),
        max_size_bytes: int = 0,
        max_recipients: int = 1000,
        max_errors: int = 10,
        max_idle_commands: int = 100,
        max_failed_logins: int = 3,
        takes_bare_newlines: bool = False,
        takes_scripts: bool = False,
        shows_commands: bool = False,
        replies: dict[str, tuple[int, str, str]] | None = None,
    ) -> None:
        self.hostname = hostname
        self.greeting = greeting or f"{hostname} {'LMTP' if is_lmtp else 'ESMTP'} ready"
        self.keywords = keywords
        self.is_lmtp = is_lmtp
        self.is_secured = is_secured
        self.requires_tls = requires_tls
        self.requires_auth = requires_auth
        self.may_login_in_clear = may_login_in_clear
        self.login_prompts = login_prompts
        self.max_size_bytes = max_size_bytes
        self.max_recipients = max_recipients
        self.max_errors = max_errors
        self.max_idle_commands = max_idle_commands
        self.max_failed_logins = max_failed_logins
        self.takes_bare_newlines = takes_bare_newlines
        self.takes_scripts = takes_scripts
        self.shows_commands = shows_commands
        self.replies = replies or {}

    @property
    def offered(self) -> dict[str, str]:
        """Each keyword in upper case with its parameters; both forms of AUTH count."""
        offered = {"": ""}  # what belongs to no extension is always there
        for line in self.keywords:
            keyword, _, parameters = line.upper().replace("=", " ", 1).partition(" ")
            offered[keyword] = f"{offered.get(keyword, '')} {parameters}".strip()
        return offered

    def keyword_lines(self, *, is_secured: bool, may_log_in: bool) -> list[str]:
        """Return the lines that EHLO is answered with behind the name."""
        lines = []
        for line in self.keywords:
            keyword = line.upper().replace("=", " ").partition(" ")[0]
            if keyword == "SIZE":
                lines.append(f"SIZE {self.max_size_bytes}")
            elif keyword == "AUTH":
                lines += [line] if may_log_in else []
            elif keyword != "STARTTLS" or not is_secured:
                lines.append(line)
        return lines


class Decision(Value):
    """An event that is answered with ``accept``, ``refuse`` or ``answer`` before all else."""

    __slots__ = ()


class SessionStarted(Decision):
    """A client is there. Accepted: it is greeted. Refused: that is the greeting, and the end."""

    __slots__ = ()


class TlsRequested(Decision):
    """
    The client said STARTTLS.

    Accepted: the driver writes the output, reads nothing more in clear, negotiates and calls
    ``tls_started``.
    """

    __slots__ = ()


class AuthAttempt(Decision):
    """
    Somebody wants to log in.

    Attributes:
        mechanism: ``PLAIN`` or ``LOGIN``.
        authzid: Whom they want to act for; empty: themselves.
        authcid: Who they say they are.
        secret: Their password; bytes that are not UTF-8 are lone surrogates.

    """

    __slots__ = ("authcid", "authzid", "mechanism", "secret")

    def __init__(self, mechanism: str, authzid: str, authcid: str, secret: Secret) -> None:
        self.mechanism = mechanism
        self.authzid = authzid
        self.authcid = authcid
        self.secret = secret


class MailParameters(Value):
    """
    What MAIL says besides the reverse-path.

    Attributes:
        size_bytes: SIZE (RFC 1870); None: not said.
        body: ``7BIT``, ``8BITMIME``, or empty: not said (RFC 6152).
        is_smtputf8: Whether SMTPUTF8 was asked for (RFC 6531).
        ret: ``FULL`` or ``HDRS``; empty: not said (RFC 3461 4.3).
        envid: The envelope identifier, decoded; empty: not said (RFC 3461 4.4).
        auth: The submitter that the client vouches for, decoded, or ``<>``; empty: not said
            (RFC 4954 5).
        priority: MT-PRIORITY, -9 to 9 (RFC 6710); 0: usual, or not said.
        wishes: The parameters of XPILLARBOX that were given, by name and decoded; the value of
            those without one is empty: ``XACCOUNT`` (name of the account), ``XNAME`` (full name
            for From), ``XOWN`` (the account's own sender in place of the reverse-path),
            ``XRAW`` (no repair), ``XWAIT`` (answer when the provider has answered).

    """

    __slots__ = (
        "auth",
        "body",
        "envid",
        "is_smtputf8",
        "priority",
        "ret",
        "size_bytes",
        "wishes",
    )

    def __init__(
        self,
        *,
        size_bytes: int | None = None,
        body: str = "",
        is_smtputf8: bool = False,
        ret: str = "",
        envid: str = "",
        auth: str = "",
        priority: int = 0,
        wishes: dict[str, str] | None = None,
    ) -> None:
        self.size_bytes = size_bytes
        self.body = body
        self.is_smtputf8 = is_smtputf8
        self.ret = ret
        self.envid = envid
        self.auth = auth
        self.priority = priority
        self.wishes = wishes or {}


class MailRequested(Decision):
    """
    MAIL: somebody wants to send.

    Attributes:
        reverse_path: The sender; None is the null reverse-path.
        parameters: The rest of the command.

    """

    __slots__ = ("parameters", "reverse_path")

    def __init__(self, reverse_path: Mailbox | None, parameters: MailParameters) -> None:
        self.reverse_path = reverse_path
        self.parameters = parameters


class RecipientParameters(Value):
    """
    What RCPT says besides the forward-path.

    Attributes:
        notify: ``NEVER`` or a comma list of ``SUCCESS``, ``FAILURE``, ``DELAY``; empty: not said.
        orcpt: The original recipient, ``type;address``, decoded; empty: not said.

    """

    __slots__ = ("notify", "orcpt")

    def __init__(self, *, notify: str = "", orcpt: str = "") -> None:
        self.notify = notify
        self.orcpt = orcpt


class RecipientRequested(Decision):
    """RCPT: one forward-path, and the rest of the command."""

    __slots__ = ("forward_path", "parameters")

    def __init__(self, forward_path: Mailbox, parameters: RecipientParameters) -> None:
        self.forward_path = forward_path
        self.parameters = parameters


class ContentStarted(Decision):
    """The client wants to send the content, by DATA or by its first BDAT."""

    __slots__ = ()


class ContentChunk(Value):
    """A piece of the content, in wire form without dot-stuffing; never empty."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class ContentEnded(Decision):
    """
    The content is there, whole: accepting it is taking the responsibility for the mail.

    Attributes:
        size_bytes: Octets of the content.

    Under LMTP every accepted recipient has an answer of its own (``Server.answers_due``).
    """

    __slots__ = ("size_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


class TransactionEnded(Value):
    """A transaction is over, for good or bad: what was gathered for it can be dropped."""

    __slots__ = ()


class EtrnRequested(Decision):
    """ETRN: run the queue for a node (RFC 1985)."""

    __slots__ = ("argument",)

    def __init__(self, argument: str) -> None:
        self.argument = argument


class CommandReceived(Value):
    """
    A command line came.

    Attributes:
        text: The line, safe to show; what could be a secret is ``*``.

    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class SessionEnded(Value):
    """
    Nothing more is read; the output is to be written and the connection closed.

    Attributes:
        reason: ``QUIT``, ``closed`` (by the client), ``refused`` (by the handler), or the row
            of ``server_states.REPLIES`` that was said.

    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason
