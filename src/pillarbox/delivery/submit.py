"""
Sending one mail now, from an account and a message to a status for each recipient.

1. ``find_secret`` - before connecting, so that a slow helper holds no session open.
2. ``attempt.Connection`` - the way to the relay host.
3. ``outgoing.outgoing_mails`` - what is sent over it, repaired.
4. ``hints_for`` - what the provider's answers are known to mean.
"""

from __future__ import annotations

from pillarbox.config.secrets import ask_on_terminal, find_secret
from pillarbox.delivery.attempt import Connection, Mail
from pillarbox.delivery.outgoing import outgoing_mails, with_allowed_sender
from pillarbox.delivery.policy import apply_hint, exit_code_of
from pillarbox.delivery.route import Route
from pillarbox.mail.status import DELIVERED, deferred
from pillarbox.text import language_of
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pillarbox.config.account import Account
    from pillarbox.config.hints import Hint
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.message import Message
    from pillarbox.mail.repair import Change
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.secret import Secret

__all__ = ["Outcome", "connect_for", "hints_for", "send_now"]

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
        changes: What was repaired.
        secret: What texts from the server must be cleaned of before anybody sees them.

    """

    __slots__ = ("changes", "envelope", "hints", "secret", "size_bytes", "statuses", "warnings")

    def __init__(
        self,
        envelope: Envelope,
        statuses: tuple[RecipientStatus, ...],
        *,
        hints: tuple[Hint | None, ...],
        warnings: tuple[str, ...] = (),
        size_bytes: int = 0,
        changes: tuple[Change, ...] = (),
        secret: Secret | None = None,
    ) -> None:
        self.envelope = envelope
        self.statuses = statuses
        self.hints = hints
        self.warnings = warnings
        self.size_bytes = size_bytes
        self.changes = changes
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
    changes: Sequence[Change] = (),
) -> Outcome:
    """
    Send a mail and wait for what becomes of it. Blocks.

    Args:
        account: A finished account.
        envelope: Who gets it, and who hears of failures.
        message: As it came.
        environment: For the search for the password, and the language of explanations.
        show: Gets each line of the dialogue with the server; None: nobody sees it.
        changes: What was repaired before, for the outcome.

    Raises:
        CredentialError, ConfigError, MissingInputError, MissingExtraError, InputOutputError:
            The mail never got on its way.
        DataError: An address of it has no form in which it could be sent.

    """
    connection = connect_for(account, environment=environment, show=show)
    # First, so that a slow writer holds no session open.
    message.look_ahead()
    made = list(changes)
    counter = _Counter(is_counting=bool(account.logfile or account.syslog))
    try:
        connection.open()
        client = connection.client
        envelope = with_allowed_sender(account, envelope, client, made)
        mails = outgoing_mails(account, envelope, message, client, made)
        statuses, warnings = _deliver(connection, envelope, map(counter.counted, mails))
    finally:
        connection.close()
    if account.auth == "on" and client is not None and client.login:
        from pillarbox.delivery.logins import remember_login

        remember_login(connection.route, client.login, environment)
    hints = hints_for(statuses, connection, language_of(environment))
    statuses = tuple(map(apply_hint, statuses, hints))
    return Outcome(
        envelope,
        statuses,
        hints=hints,
        warnings=warnings,
        size_bytes=counter.size_bytes,
        changes=tuple(made),
        secret=connection.route.secret,
    )


def connect_for(
    account: Account,
    *,
    environment: Mapping[str, str],
    show: Callable[[str], None] | None = None,
    is_attended: bool = True,
) -> Connection:
    """
    Return a connection for an account that is still to be opened; may run ``passwordeval``.

    Args and exceptions are those of ``send_now``; unless it ``is_attended``, no person is asked
    for the password.
    """
    secret = None
    if account.auth not in ("off", *_WITHOUT_SECRET):
        ask = ask_on_terminal if is_attended else None
        secret = find_secret(account, env=environment, ask=ask)
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
    connection: Connection, envelope: Envelope, mails: Iterator[Mail]
) -> tuple[tuple[RecipientStatus, ...], tuple[str, ...]]:
    """Send the mails that have an envelope's recipients between them; see ``MailEnded``."""
    found: dict[str, list[RecipientStatus]] = {}
    warnings: dict[str, None] = {}
    for ended in connection.deliver(mails):
        for status in ended.statuses:
            found.setdefault(str(status.forward_path), []).append(status)
        warnings.update(dict.fromkeys(ended.warnings))
    statuses = []
    for path in envelope.forward_paths:
        if str(path) in found:
            # One for each time that it was given; the last of them may stand for several.
            own = found[str(path)]
            statuses.append(own.pop(0) if len(own) > 1 else own[0])
            continue
        trouble = connection.trouble
        assert trouble is not None  # a connection that leaves a mail says why
        statuses.append(deferred(path, trouble))
    return tuple(statuses), tuple(warnings)


class _Counter:
    """Count the octets of a content on its way, as msmtp's log has them."""

    def __init__(self, *, is_counting: bool) -> None:
        self.size_bytes = 0
        self._is_counting = is_counting

    def counted(self, mail: Mail) -> Mail:
        """Return the mail with its content counted from here on."""
        if not self._is_counting:
            return mail
        from pillarbox.mail.message import Content

        content = mail.content
        self.size_bytes = 0  # of several copies, the size of the last
        first = self._count(content.first)
        rest = self._counted(content.rest) if content.rest is not None else None
        return Mail(
            mail.envelope,
            Content(first, rest, size_bytes=content.size_bytes, is_8bit=content.is_8bit),
        )

    def _count(self, chunk: bytes) -> bytes:
        self.size_bytes += len(chunk) - chunk.count(b"\n")
        return chunk

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield self._count(chunk)


def hints_for(
    statuses: Sequence[RecipientStatus], connection: Connection, language: str = "en"
) -> tuple[Hint | None, ...]:
    """Return what is known of the reply or the failure in each status; None: nothing."""
    if all(status.action == DELIVERED for status in statuses):
        return (None,) * len(statuses)
    from pillarbox.config.hints import find_hint

    client = connection.client
    greeting = str(client.greeting) if client is not None and client.greeting else ""
    host = connection.route.endpoint.host
    hints = []
    for status in statuses:
        trouble = status.trouble
        hint = None
        if trouble is not None:
            text = str(trouble.reply) if trouble.reply is not None else trouble.problem
            hint = find_hint(
                text, host=host, greeting=greeting, stage=trouble.stage, language=language
            )
        hints.append(hint)
    return tuple(hints)
