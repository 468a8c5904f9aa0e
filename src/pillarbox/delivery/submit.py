"""
Sending one mail now, from an account and a message to a status for each recipient.

1. ``find_secret`` - before connecting, so that a slow helper holds no session open.
2. ``_complete_headers`` - what the message lacks.
3. ``attempt.Connection`` - the way to the relay host and back.
4. ``_judge`` - what the provider's answers are known to mean.
"""

from __future__ import annotations

from pillarbox.config.secrets import find_secret
from pillarbox.delivery.attempt import Connection, Mail
from pillarbox.delivery.policy import apply_hint, exit_code_of
from pillarbox.delivery.route import Route
from pillarbox.mail.originate import (
    HeaderWishes,
    add_missing_headers,
    format_date,
    make_message_id,
)
from pillarbox.mail.status import DELIVERED, deferred
from pillarbox.text import language_of
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pillarbox.config.account import Account
    from pillarbox.config.hints import Hint
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.headers import HeaderSection
    from pillarbox.mail.message import Content, Message
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.secret import Secret

__all__ = ["Outcome", "connect_for", "send_now"]

# Mechanisms that log in without a secret of ours.
_WITHOUT_SECRET = frozenset(("external", "gssapi"))


class Outcome(Value):
    """
    What became of one mail.

    Attributes:
        envelope: Its envelope.
        statuses: One for each forward-path, in order.
        hints: The explanation of each failed status, in the same order; None where nobody
            knows one, or nothing failed.
        warnings: What was left out because the server does not offer it.
        size_bytes: Octets of the content with each line end counted as one; 0 when unknown.
        secret: What texts from the server must be cleaned of before anybody sees them.

    """

    __slots__ = ("envelope", "hints", "secret", "size_bytes", "statuses", "warnings")

    def __init__(
        self,
        envelope: Envelope,
        statuses: tuple[RecipientStatus, ...],
        *,
        hints: tuple[Hint | None, ...],
        warnings: tuple[str, ...] = (),
        size_bytes: int = 0,
        secret: Secret | None = None,
    ) -> None:
        self.envelope = envelope
        self.statuses = statuses
        self.hints = hints
        self.warnings = warnings
        self.size_bytes = size_bytes
        self.secret = secret

    @property
    def exit_code(self) -> int:
        """The sysexits code for a caller."""
        return exit_code_of(self.statuses)


def send_now(
    account: Account,
    envelope: Envelope,
    message: Message,
    *,
    environment: Mapping[str, str],
    show: Callable[[str], None] | None = None,
) -> Outcome:
    """
    Send a mail and wait for what becomes of it. Blocks.

    Args:
        account: A finished account.
        envelope: Who gets it, and who hears of failures.
        message: As it came.
        environment: For the search for the password, and the language of explanations.
        show: Gets each line of the dialogue with the server; None: nobody sees it.

    Raises:
        CredentialError, ConfigError, MissingInputError, MissingExtraError, InputOutputError:
            The mail never got on its way.

    """
    connection = connect_for(account, environment=environment, show=show)
    headers = _complete_headers(account, envelope, message.headers)
    is_logged = bool(account.logfile or account.syslog)
    counter = _Counter(message.with_headers(headers).content(), is_counting=is_logged)
    try:
        statuses, warnings = _deliver(connection, Mail(envelope, counter.content))
    finally:
        connection.close()
    client = connection.client
    if account.auth == "on" and client is not None and client.login:
        from pillarbox.delivery.logins import remember_login

        remember_login(connection.route, client.login, environment)
    statuses, hints = _judge(statuses, connection, environment)
    return Outcome(
        envelope,
        statuses,
        hints=hints,
        warnings=warnings,
        size_bytes=counter.size_bytes,
        secret=connection.route.secret,
    )


def connect_for(
    account: Account,
    *,
    environment: Mapping[str, str],
    show: Callable[[str], None] | None = None,
) -> Connection:
    """
    Return a connection for an account that is still to be opened; may run ``passwordeval``.

    Args and exceptions are those of ``send_now``.
    """
    secret = None
    if account.auth not in ("off", *_WITHOUT_SECRET):
        secret = find_secret(account, env=environment)
    trace = None
    if show is not None:
        from pillarbox.delivery.trace import Trace

        trace = Trace(show, secret)
    route = Route(account, secret)
    if account.auth == "on":
        from pillarbox.delivery.logins import recall_login

        route.known_login = recall_login(route, environment)
    return Connection(route, trace)


def _deliver(
    connection: Connection, mail: Mail
) -> tuple[tuple[RecipientStatus, ...], tuple[str, ...]]:
    connection.open()
    for ended in connection.deliver((mail,)):
        return ended.statuses, ended.warnings
    trouble = connection.trouble
    assert trouble is not None  # a connection that delivers nothing says why
    return tuple(deferred(path, trouble) for path in mail.envelope.forward_paths), ()


def _complete_headers(
    account: Account, envelope: Envelope, headers: HeaderSection
) -> HeaderSection:
    from os import urandom
    from time import time

    wishes = HeaderWishes(
        set_from=account.set_from_header,
        set_to=account.set_to_header,
        set_date=account.set_date_header == "auto",
        set_message_id=account.set_msgid_header == "auto",
        remove_bcc=account.remove_bcc_headers,
        full_name=account.from_full_name or "",
    )
    now = time()
    return add_missing_headers(
        headers,
        wishes,
        sender=envelope.reverse_path,
        recipients=envelope.forward_paths,
        date=format_date(now),
        message_id=make_message_id(
            _message_id_domain(account, envelope.reverse_path), epoch_s=now, random=urandom(10)
        ),
    )


def _message_id_domain(account: Account, sender: Mailbox | None) -> str:
    if account.domain and account.domain != "localhost":
        return account.domain
    if sender is not None and sender.domain:
        return sender.domain_ascii
    # An IPv6 address, or a name that is not ASCII, cannot stand in a Message-ID as it is.
    is_plain = account.host.isascii() and ":" not in account.host
    return account.host if account.host and is_plain else "localhost"


class _Counter:
    """Count the octets of a content on its way, as msmtp's log has them."""

    def __init__(self, content: Content, *, is_counting: bool) -> None:
        from pillarbox.mail.message import Content

        self.size_bytes = 0
        self.content = content
        if is_counting:
            first = self._count(content.first)
            rest = self._counted(content.rest) if content.rest is not None else None
            self.content = Content(
                first, rest, size_bytes=content.size_bytes, is_8bit=content.is_8bit
            )

    def _count(self, chunk: bytes) -> bytes:
        self.size_bytes += len(chunk) - chunk.count(b"\n")
        return chunk

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield self._count(chunk)


def _judge(
    statuses: tuple[RecipientStatus, ...], connection: Connection, environment: Mapping[str, str]
) -> tuple[tuple[RecipientStatus, ...], tuple[Hint | None, ...]]:
    """Return each status as the provider means it, and its explanation."""
    if all(status.action == DELIVERED for status in statuses):
        return statuses, (None,) * len(statuses)
    from pillarbox.config.hints import find_hint

    client = connection.client
    greeting = str(client.greeting) if client is not None and client.greeting else ""
    host = connection.route.endpoint.host
    language = language_of(environment)
    judged, hints = [], []
    for status in statuses:
        trouble = status.trouble
        hint = None
        if trouble is not None:
            text = str(trouble.reply) if trouble.reply is not None else trouble.problem
            hint = find_hint(
                text, host=host, greeting=greeting, stage=trouble.stage, language=language
            )
        judged.append(apply_hint(status, hint))
        hints.append(hint)
    return tuple(judged), tuple(hints)
