"""
What goes into a client session and what comes out of it, as values.

``SessionOptions`` says what is to be done before the session is ready; the events say what
happened. ``client`` gives them out one by one; a driver needs no other word with it.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.reply import Reply
    from pillarbox.mail.status import Trouble
    from pillarbox.smtp.auth import Credentials
    from pillarbox.smtp.capabilities import Capabilities
    from pillarbox.smtp.transaction import Transaction

__all__ = [
    "CommandEnded",
    "SessionOptions",
    "SessionReady",
    "SessionRefused",
    "TlsRequested",
    "TransactionEnded",
]


class SessionOptions(Value):
    """
    What a session is to do before it is ready.

    Attributes:
        hello_name: Our name for EHLO: a domain or an address literal.
        is_lmtp: Speak LMTP (LHLO, a reply for each recipient).
        starttls: Require STARTTLS (RFC 3207); never go on without it.
        is_secured: The connection is protected from the start: implicit TLS, or a unix socket.
        credentials: Log in with these; None: do not log in.
        mechanism: The SASL mechanism asked for; empty: choose the best.
        known_login: When the best is chosen, it must not be weaker than this one; empty: any.
        may_send_secret_in_clear: Let a mechanism send the secret itself over an open connection.
        channel_bindings: Channel-binding data by type, when TLS is there from the start.
        nonce: Gives a fresh random text for each call.

    """

    __slots__ = (
        "channel_bindings",
        "credentials",
        "hello_name",
        "is_lmtp",
        "is_secured",
        "known_login",
        "may_send_secret_in_clear",
        "mechanism",
        "nonce",
        "starttls",
    )

    def __init__(
        self,
        *,
        hello_name: str = "localhost",
        is_lmtp: bool = False,
        starttls: bool = False,
        is_secured: bool = False,
        credentials: Credentials | None = None,
        mechanism: str = "",
        known_login: str = "",
        may_send_secret_in_clear: bool = False,
        channel_bindings: dict[str, bytes] | None = None,
        nonce: Callable[[], str] | None = None,
    ) -> None:
        self.hello_name = hello_name
        self.is_lmtp = is_lmtp
        self.starttls = starttls
        self.is_secured = is_secured
        self.credentials = credentials
        self.mechanism = mechanism
        self.known_login = known_login
        self.may_send_secret_in_clear = may_send_secret_in_clear
        self.channel_bindings = channel_bindings or {}
        self.nonce = nonce


class TlsRequested(Value):
    """The driver shall negotiate TLS now and then call ``tls_started``."""

    __slots__ = ()


class SessionReady(Value):
    """Greeting, TLS and login are done."""

    __slots__ = ("capabilities",)

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities


class SessionRefused(Value):
    """The session came to its end before it was ready, or between transactions."""

    __slots__ = ("trouble",)

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble


class TransactionEnded(Value):
    """Every forward-path of the transaction has its status."""

    __slots__ = ("transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction


class CommandEnded(Value):
    """What ``etrn`` sent was answered, or the last command of a rehearsal."""

    __slots__ = ("reply",)

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
