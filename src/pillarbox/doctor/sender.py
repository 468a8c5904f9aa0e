"""
Whether this sender is taken: MAIL, RCPT and RSET, and never a mail.

The sender is that of a mail: what sending puts in its place is put in its place here, too. What a
provider looks at only in the content (Outlook's 5.7.60, a From header) is not found out this way;
what is known of it is said as a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.delivery.outgoing import with_allowed_sender
from pillarbox.doctor.account_lines import write_line, write_sender
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.replies import evidence_of, told
from pillarbox.doctor.sender_replies import refused_recipient, refused_sender
from pillarbox.errors import DataError
from pillarbox.mail.envelope import Envelope
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.attempt import Connection
    from pillarbox.doctor.patient import Patient
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.repair import Change

__all__ = ["CODES", "check_sender"]

CODES = (
    "sender.refused",
    "sender.not-login",
    "sender.recipient",
    "sender.later",
    "sender.quota",
    "sender.blocked",
    "sender.frozen",
    "sender.closed",
    "sender.rewritten",
    "sender.header",
)

# Octets that the rehearsed mail would have: those of a short one.
_SIZE = 4096


def check_sender(patient: Patient) -> Iterator[Finding]:
    """Ask the server whether it takes this sender, and look at what the provider's rule is."""
    account, connection, sender = patient.account, patient.connection, patient.sender
    assert account is not None  # it needs ``config``
    if connection is None or connection.client is None or sender is None:
        return
    if sender.needs_smtputf8 and "SMTPUTF8" not in connection.client.capabilities:
        return  # ``extensions`` says so
    recipient = patient.recipient or sender
    changes: list[Change] = []
    envelope = Envelope(sender, (recipient,))
    envelope = with_allowed_sender(account, envelope, connection.client, changes)
    used = envelope.reverse_path or sender
    if patient.recipient is None:
        recipient = used
    faults = list(_rehearsed(connection, patient, used, recipient))
    yield from faults
    if not any(finding.severity == FAULT for finding in faults):
        yield from _by_the_rule(account, patient.provider, sender, used, is_changed=bool(changes))


def _rehearsed(
    connection: Connection, patient: Patient, sender: Mailbox, recipient: Mailbox
) -> Iterator[Finding]:
    """Yield what the server has against the sender or the recipient."""
    account = patient.account
    assert account is not None
    secret = connection.route.secret
    try:
        rehearsal = connection.rehearse(sender, recipient, _SIZE)
    except DataError as exc:
        yield Finding(
            "sender.recipient",
            FAULT,
            exc.sentence,
            fix=exc.advice or say("choose another recipient with --to"),
        )
        return
    if rehearsal.is_mail_refused:
        assert rehearsal.mail is not None
        yield refused_sender(rehearsal.mail, "MAIL", sender, connection, patient)
    elif rehearsal.rcpt is not None and not rehearsal.rcpt.is_positive:
        yield refused_recipient(rehearsal.rcpt, sender, recipient, connection, patient)
    elif rehearsal.rcpt is None and connection.trouble is not None:
        trouble = connection.trouble
        yield Finding(
            "sender.closed",
            FAULT,
            say(
                "{host} ended the connection at {stage}",
                host=account.host or account.socket or "",
                stage=trouble.stage,
            ),
            meaning=told(trouble.problem, secret),
            fix=say("ask again in a quarter of an hour"),
            evidence=evidence_of(trouble.reply, secret),
        )


def _by_the_rule(
    account: Account,
    provider: Provider | None,
    sender: Mailbox,
    used: Mailbox,
    *,
    is_changed: bool,
) -> Iterator[Finding]:
    """Yield what the provider's rule makes of a sender that it takes."""
    login = account.user if account.auth != "off" and "@" in (account.user or "") else ""
    name: str = ""
    if provider is not None:
        name = bilingual(provider.name("en"), provider.name("zh"))
    if is_changed:
        yield _replaced(account, sender, used)
        return
    if provider is None or not login or str(sender).lower() == login.lower():
        yield from _header(account, provider, name)
        return
    if provider.from_rule == "must-equal-login":
        yield Finding(
            "sender.not-login",
            WARNING,
            say("{provider} takes no sender but its user", provider=name),
            meaning=say("MAIL was taken, but the mail may be refused or dropped behind it"),
            fix=write_sender(account, login),
            evidence=_seen(account, sender),
        )
    elif provider.from_rule == "rewritten-unless-verified-alias":
        yield Finding(
            "sender.rewritten",
            NOTE,
            say(
                "{provider} puts {user} in the place of {sender}",
                provider=name,
                user=login,
                sender=str(sender),
            ),
            meaning=say("unless that address is one of the account's verified aliases"),
            fix=say(
                "{line}, or add {sender} as an alias in the web mail",
                line=write_sender(account, login),
                sender=str(sender),
            ),
        )


def _replaced(account: Account, sender: Mailbox, used: Mailbox) -> Finding:
    return Finding(
        "sender.not-login",
        WARNING,
        say("mail from {sender} goes out as {used}", sender=str(sender), used=str(used)),
        meaning=say("the server takes no other sender, so it is put in its place"),
        fix=write_sender(account, str(used)),
        evidence=_seen(account, sender),
    )


def _seen(account: Account, sender: Mailbox) -> tuple[str, ...]:
    """Return the lines by which sender and login are not the same."""
    return (f"from {sender} ({account.where('from')})", f"user {account.user}")


def _header(account: Account, provider: Provider | None, name: str) -> Iterator[Finding]:
    """Yield that a program's own From header is sent as it is, and refused."""
    if provider is None or provider.from_rule != "must-equal-login" or account.repair:
        return
    if account.set_from_header == "on":
        return
    yield Finding(
        "sender.header",
        NOTE,
        say("a program's own From header is sent as it is, for repair is off"),
        meaning=say("{provider} refuses mail whose From is not its user", provider=name),
        fix=write_line(account, "repair", "on"),
    )
