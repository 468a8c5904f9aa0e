"""Where ``auth off`` is written and the server wants a login: it says so only to a mail."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_line
from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.doctor.replies import evidence_of
from pillarbox.errors import DataError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.delivery.attempt import Connection
    from pillarbox.doctor.patient import Patient
    from pillarbox.mail.reply import Reply

__all__ = ["find_needed_login"]

_WANTS_TLS = re.compile(r"^530\b.*starttls", re.IGNORECASE)
_WANTS_LOGIN = re.compile(
    r"^530\b|auth\w* (is )?(required|needed|first)|(must|please|need to) (log ?in|auth\w+)"
    r"|not (authenticated|logged in)|unauthenticated",
    re.IGNORECASE,
)
# What a server says to who wants to send to others and has not logged in; Postfix says it with
# 454 unless it is told otherwise (defer_unauth_destination).
_DENIES_RELAY = re.compile(r"relay|5\.7\.1\b", re.IGNORECASE)


def find_needed_login(connection: Connection, patient: Patient) -> Iterator[Finding]:
    """Yield that the server takes no mail without a login, if it does not."""
    account, sender = patient.account, patient.sender
    assert account is not None
    recipient = patient.recipient or sender
    if sender is None or recipient is None:
        return
    try:
        rehearsal = connection.rehearse(sender, recipient)
    except DataError:
        return  # an address that is the business of ``extensions``
    reply = rehearsal.mail if rehearsal.is_mail_refused else rehearsal.rcpt
    if reply is None or reply.is_positive:
        return
    host = account.host or account.socket or ""
    if _WANTS_TLS.search(str(reply)):
        yield _finding(
            "login.plaintext",
            say("{host} takes no mail without TLS", host=host),
            write_line(account, "tls", "on"),
            reply,
        )
    elif _wants_login(reply, connection):
        yield _finding(
            "login.needed",
            say("{host} takes no mail without a login, and auth is off", host=host),
            say("{line}, and name user and password", line=write_line(account, "auth", "on")),
            reply,
        )


def _wants_login(reply: Reply, connection: Connection) -> bool:
    text = str(reply)
    if _WANTS_LOGIN.search(text):
        return True
    client = connection.client
    offers = client is not None and bool(client.capabilities.mechanisms)
    return offers and bool(_DENIES_RELAY.search(text))


def _finding(code: str, problem: str, fix: str, reply: Reply) -> Finding:
    return Finding(code, FAULT, problem, fix=fix, evidence=evidence_of(reply, None))
