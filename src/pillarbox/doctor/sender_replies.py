"""
What a refusal of a sender or of a recipient is about: one code for each kind, and what to do.

Many servers refuse the sender only at RCPT (Postfix ``smtpd_delay_reject``), and some take a
limit of the sender's for a fault of the recipient: so the words decide, not the command. The
tables are read from above.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_sender
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.replies import evidence_of, explain_reply
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.config.hints import Hint
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.attempt import Connection
    from pillarbox.doctor.patient import Patient
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.reply import Reply

__all__ = ["refused_recipient", "refused_sender"]

_QUOTA = re.compile(
    r"quota|too (many|fast|frequent)|too frequently|frequen\w+ limited|rate.?limit|limit exceeded"
    r"|maximum threshold|\blimit(s|ed)?\b.*(day|hour|minute)|(daily|hourly).*limit",
    re.IGNORECASE,
)
_FROZEN = re.compile(
    r"MAIL FROM.*mailbox unavailable|frozen|expired|account unavailable", re.IGNORECASE
)
_BLOCKED = re.compile(
    r"isn.t allowed to send|not allowed to send|barred|blocked|suspended|blacklist|behaviou?r spam",
    re.IGNORECASE,
)
# Not the sender is blocked, but the address that the connection comes from.
_OUR_ADDRESS = re.compile(
    r"client host|\[[0-9a-f]+[.:][0-9a-f.:]+\]|\bip\b|spamhaus|\brbl\b|dnsbl", re.IGNORECASE
)
# At RCPT: it is the sender who is refused.
_SENDER = re.compile(
    r"sender|MAIL ?FROM|from address|not owned|send ?as|conform with auth|disallowed as"
    r"|not local sender|not authori[sz]ed to send|authorized user|authorization user|not verified",
    re.IGNORECASE,
)
_RELAY = re.compile(r"relay", re.IGNORECASE)

_DEMANDING = (
    "must-equal-login",
    "must-equal-login-or-alias",
    "must-equal-login-or-send-as",
    "must-equal-login-or-verified",
    "must-be-own-address",
    "must-be-own-address-or-alias",
    "alias-allowed",
)
_VERIFYING = ("verified-identity", "verified-domain")


def refused_sender(
    reply: Reply, stage: str, sender: Mailbox, connection: Connection, patient: Patient
) -> Finding:
    """Return the finding that a refusal of the sender is, at MAIL or at RCPT."""
    account = patient.account
    assert account is not None
    explanation = explain_reply(reply, stage, connection)
    host = account.host or account.socket or ""
    code = _kind_of_sender(reply, explanation)
    if code == "sender.quota":
        problem = say("{host} takes no more mail from {sender} now", host=host, sender=str(sender))
        meaning: str = say("its limit is reached")
        fix: str = say("send less: wait until tomorrow, and merge alerts into one mail")
    elif code == "sender.blocked":
        problem = say("{host} has barred {sender} from sending", host=host, sender=str(sender))
        meaning = say("the provider thinks that it sent what nobody wanted, or was not paid")
        fix = say("ask the administrator of the mail accounts, or the provider")
        if _OUR_ADDRESS.search(str(reply)):
            problem = say("{host} takes no mail from the address of this machine", host=host)
            meaning = say("the address is on a list of senders of junk, or new to the provider")
            fix = say("hand mail in at a provider's port 465 or 587, with a login")
    elif code == "sender.frozen":
        problem = say(
            "the mailbox {sender} cannot be used at {host}", host=host, sender=str(sender)
        )
        meaning = say("it is frozen, expired or switched off")
        fix = say("look at the state of {sender} in the provider's console", sender=str(sender))
    elif code == "sender.later":
        problem = say("{host} takes no mail from {sender} now", host=host, sender=str(sender))
        meaning = say("the server says that this will pass")
        fix = say("wait for a quarter of an hour, and ask again")
    else:
        problem = say("{host} does not take {sender} as the sender", host=host, sender=str(sender))
        meaning = say("the account may not send as this address")
        fix = say("write a sender that the account may use: from ADDRESS")
    # What is so at any server takes such words for a recipient's, who is refused more often.
    if explanation is not None and explanation.provider:
        meaning, fix = explanation.cause, explanation.fix
    if code == "sender.refused":
        fix = _allowed_sender(account, patient.provider, sender) or fix
    severity = NOTE if code == "sender.later" and stage == "RCPT" else FAULT
    evidence = (f"MAIL FROM:<{sender}>", *evidence_of(reply, connection.route.secret))
    return Finding(code, severity, problem, meaning=meaning, fix=fix, evidence=evidence)


def _kind_of_sender(reply: Reply, explanation: Hint | None) -> str:
    text = str(reply)
    retry = explanation.retry if explanation is not None and explanation.provider else ""
    if _FROZEN.search(text):
        return "sender.frozen"
    if _QUOTA.search(text) or retry == "next-day":
        return "sender.quota"
    if _BLOCKED.search(text):
        return "sender.blocked"
    if retry in ("later", "later-once", "hold"):
        return "sender.quota"
    if reply.is_transient and retry != "no":
        return "sender.later"
    return "sender.refused"


def _allowed_sender(account: Account, provider: Provider | None, sender: Mailbox) -> str:
    """Return the line that names a sender that will be taken; empty: nobody knows one."""
    login = account.user if account.auth != "off" and "@" in (account.user or "") else ""
    rule = provider.from_rule if provider is not None else ""
    if provider is not None and rule in _VERIFYING:
        return say(
            "verify {sender} or its domain in the console of {provider}",
            sender=str(sender),
            provider=bilingual(provider.name("en"), provider.name("zh")),
        )
    if not login or login.lower() == str(sender).lower():
        return ""
    if provider is None or rule in _DEMANDING:
        return write_sender(account, login)
    return ""


def refused_recipient(
    reply: Reply, sender: Mailbox, recipient: Mailbox, connection: Connection, patient: Patient
) -> Finding:
    """Return the finding that a refusal at RCPT is."""
    account = patient.account
    assert account is not None
    text = str(reply)
    explanation = explain_reply(reply, "RCPT", connection)
    is_own = explanation is not None and explanation.provider
    if _SENDER.search(text):
        return refused_sender(reply, "RCPT", sender, connection, patient)
    if _QUOTA.search(text) or _BLOCKED.search(text):
        return refused_sender(reply, "RCPT", sender, connection, patient)
    host = account.host or account.socket or ""
    problem: str = say("{host} does not take mail to {recipient}", host=host, recipient=recipient)
    evidence = (
        f"MAIL FROM:<{sender}>",
        f"RCPT TO:<{recipient}>",
        *evidence_of(reply, connection.route.secret),
    )
    if reply.is_transient and not _RELAY.search(text):
        return Finding(
            "sender.later",
            NOTE,
            problem,
            meaning=(
                explanation.cause
                if explanation is not None
                else say("the server says that this will pass")
            ),
            fix=say("nothing: a mail is tried again by itself with queue on"),
            evidence=evidence,
        )
    if _RELAY.search(text):
        meaning: str = say("the server does not send mail to others for us: it relays nothing")
        fix: str = say(
            "ask who runs {host} to let this account relay, or use its port 587", host=host
        )
    elif recipient == sender:
        meaning = say("the sender's own mailbox is not there, so bounces and answers are lost")
        fix = say(
            "make the mailbox {address}, or name another recipient with --to", address=recipient
        )
    else:
        meaning = say("there is no such mailbox, or it takes no mail")
        fix = say("name a recipient that exists with --to")
    if explanation is not None and is_own:
        meaning = explanation.cause
    severity = WARNING if recipient == sender and not _RELAY.search(text) else FAULT
    return Finding(
        "sender.recipient", severity, problem, meaning=meaning, fix=fix, evidence=evidence
    )
