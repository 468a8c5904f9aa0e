"""
A letter on its way: from the account to the outcome, for the command and for programs.

1. ``make_ready`` - recipients, account, envelope, message; all that can be wrong is told here.
2. ``hand_over`` - ``delivery.submit.send_now``, and the account's log.

``forward`` does both for a message that somebody else wrote.
"""

from __future__ import annotations

from time import time

from pillarbox.compose.address_fields import Correspondent, parse_correspondents, parse_one
from pillarbox.compose.message import Composed, compose
from pillarbox.config.finish import finish_account, require_sender
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.delivery.outgoing import message_id_domain
from pillarbox.delivery.submit import send_now
from pillarbox.errors import PillarboxError, UsageError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from pillarbox.compose.letter import Letter
    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.message import Message

__all__ = ["Choice", "Ready", "forward", "hand_over", "make_ready"]


class Choice(Value):
    """
    Which account is to be used.

    Attributes:
        environment: Variables, for the home directory and the search for the password.
        account_name: Its name; None: by the sender, else the default one.
        config_file: The configuration; None: the usual places.

    """

    __slots__ = ("account_name", "config_file", "environment")

    def __init__(
        self,
        environment: Mapping[str, str],
        account_name: str | None = None,
        config_file: str | None = None,
    ) -> None:
        self.environment = environment
        self.account_name = account_name
        self.config_file = config_file


class Ready:
    """
    A mail that can go out; to be used in a ``with``, which closes its files.

    Attributes:
        account: A finished account.
        envelope: Who gets it.
        composed: What it is made of.

    """

    def __init__(self, account: Account, envelope: Envelope, composed: Composed) -> None:
        self.account = account
        self.envelope = envelope
        self.composed = composed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.composed.close()

    def message(self, read: Callable[[int], bytes] | None = None) -> Message:
        """Return the message, once; ``read`` stands before what reads it."""
        return read_message(read or self.composed.read, remaining_bytes=self.composed.size_bytes)


def make_ready(letter: Letter, choice: Choice) -> Ready:
    """
    Make a letter ready to go out. May run commands of the configuration.

    Raises:
        UsageError, DataError: It cannot be written as it is wanted.
        ConfigError, MissingInputError, InputOutputError, MissingExtraError: A file or a package
            is missing or wrong.

    """
    texts = (*letter.to, *letter.cc, *letter.bcc)
    recipients = [person.mailbox for person in parse_correspondents(texts)]
    sender = str(parse_one(letter.from_).mailbox) if letter.from_ is not None else None
    account, envelope = _find_account(recipients, sender, choice)
    own = envelope.reverse_path
    composed = compose(
        letter,
        domain=message_id_domain(account, own),
        epoch_s=time(),
        sender=Correspondent(account.from_full_name or "", own) if own is not None else None,
    )
    return Ready(account, envelope, composed)


def hand_over(
    account: Account, envelope: Envelope, message: Message, choice: Choice
) -> tuple[Outcome, PillarboxError | None]:
    """
    Send, and write the account's log. Blocks.

    Returns:
        What became of it, and why the log could not be written, if so: that changes nothing.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    outcome = send_now(account, envelope, message, environment=choice.environment)
    if account.logfile or account.syslog:
        from pillarbox.delivery.report import log_lines, write_log

        try:
            write_log(account, log_lines(outcome, account), is_success=outcome.exit_code == 0)
        except PillarboxError as exc:
            return outcome, exc
    return outcome, None


def forward(
    octets: bytes, sender: str | None, recipients: Iterable[str], choice: Choice
) -> Outcome:
    """
    Send a message that is written already. Blocks.

    Args:
        octets: The message, any line endings.
        sender: The address that it should come from; None: the account's.
        recipients: Contents of address fields; they alone are the envelope.
        choice: The account.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    mailboxes = [person.mailbox for person in parse_correspondents(recipients)]
    address = str(parse_one(sender).mailbox) if sender else None
    account, envelope = _find_account(mailboxes, address, choice)
    place = 0

    def read(size: int) -> bytes:
        nonlocal place
        chunk = octets[place : place + size]
        place += len(chunk)
        return chunk

    message = read_message(read, remaining_bytes=len(octets))
    return hand_over(account, envelope, message, choice)[0]


def _find_account(
    recipients: list[Mailbox], sender: str | None, choice: Choice
) -> tuple[Account, Envelope]:
    """Return the finished account, and the envelope with its sender and its aliases."""
    if not recipients:
        raise UsageError(say("no recipients found"), advice=say("name at least one: to, cc or bcc"))
    wishes = Wishes(
        {} if sender is None else {"from": sender},
        env=choice.environment,
        account_name=choice.account_name,
        user_file=choice.config_file,
    )
    chosen, _ = choose_account(load_files(wishes), wishes)
    account = finish_account(chosen, wishes)
    address = require_sender(account)
    if account.aliases is not None and not all(mailbox.domain for mailbox in recipients):
        from pillarbox.mail.aliases import expand_aliases

        recipients = expand_aliases(recipients, account.aliases)
    envelope = Envelope(
        parse_mailbox(address) if address else None,
        tuple(dict.fromkeys(recipients)),
        ret=account.dsn_return or "",
        notify=account.dsn_notify or "",
    )
    return account, envelope
