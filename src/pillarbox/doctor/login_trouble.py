"""
Why there was no login although the server refused none: what each stage's trouble means.

The connection stood a moment before, when the checks before this one looked at it; what fails
here is what only a whole session meets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.doctor.account_lines import write_line
from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.doctor.replies import evidence_of, explain_trouble, told
from pillarbox.errors import EX_PROTOCOL
from pillarbox.mail.reply import printable
from pillarbox.smtp.auth import MECHANISMS, PREFERENCE, strength
from pillarbox.text import say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.attempt import Connection
    from pillarbox.doctor.patient import Patient
    from pillarbox.mail.status import Trouble

__all__ = ["finding_of"]

_SHOWN = 200  # characters of a server's list
_CLOSING = 421
_OF_TOKENS = frozenset(("OAUTHBEARER", "XOAUTH2"))
_SUBMISSION_PORTS = (465, 587)


def finding_of(
    trouble: Trouble, connection: Connection, patient: Patient, *, is_quiet: bool
) -> Finding:
    """
    Return the finding that a trouble on the way to the login is.

    Args:
        trouble: What ``Connection.open`` returned; no reply to AUTH is in it.
        connection: Where it happened.
        patient: Whose login it was.
        is_quiet: The server said nothing for as long as we waited.

    """
    account = patient.account
    assert account is not None
    host = account.host or account.socket or ""
    if is_quiet:
        return Finding(
            "login.quiet",
            FAULT,
            say("{host} stopped answering at {stage}", host=host, stage=trouble.stage),
            meaning=say("it is overloaded, or something on the way swallows what is said"),
            fix=say(
                "ask again in a quarter of an hour; if it stays so, ask who runs {host}", host=host
            ),
            evidence=_heard(connection),
        )
    if trouble.reply is None and trouble.stage in ("AUTH", "EHLO") and trouble.scope == "account":
        return _no_way(trouble, connection, account, patient.provider)
    if trouble.reply is not None and trouble.stage == "EHLO" and trouble.reply.code != _CLOSING:
        return _unwelcome_name(trouble, connection, patient, host)
    return _ended(trouble, connection, host)


def _no_way(
    trouble: Trouble, connection: Connection, account: Account, provider: Provider | None
) -> Finding:
    """Return why no mechanism can be used, from what was offered and what is configured."""
    client, host = connection.client, account.host or account.socket or ""
    assert client is not None  # it read the answer to EHLO
    offered = client.capabilities.mechanisms
    secret = connection.route.secret
    problem, fix = told(trouble.problem, secret), told(trouble.advice, secret)
    names = printable(", ".join(sorted(offered)), _SHOWN)
    evidence = (f"AUTH: {names or '-'}", f"auth {account.auth} ({account.where('auth')})")
    if trouble.stage == "EHLO":
        # The mechanism was chosen, and could not begin.
        return Finding("login.unusable", FAULT, problem, fix=fix or _say_user(account))
    if not offered:
        return Finding(
            "login.not-offered",
            FAULT,
            say("{host} offers no login", host=host),
            meaning=say("auth is on, and on this port nobody can log in"),
            fix=_where_logins_are(account, provider) or fix,
            evidence=evidence,
        )
    if _would_show(account, offered):
        return Finding("login.plaintext", FAULT, problem, fix=fix, evidence=evidence)
    known = connection.route.known_login
    if account.auth == "on" and max(map(strength, offered)) < strength(known):
        return Finding("login.weaker", FAULT, problem, fix=fix, evidence=evidence)
    if offered <= _OF_TOKENS and offered:
        fix = say(
            "{line}, and let passwordeval print an access token in place of a password",
            line=write_line(account, "auth", min(offered).lower()),
        )
    return Finding(
        "login.mechanism",
        FAULT,
        problem,
        fix=fix or write_line(account, "auth", "on"),
        evidence=evidence,
    )


def _where_logins_are(account: Account, provider: Provider | None) -> str:
    """Return what to do where nobody can log in; empty: what the engine advises (TLS)."""
    if provider is not None:
        way = provider.preferred
        return say("write host {host} and port {port}", host=way.host, port=way.port)
    if account.tls or account.socket or account.port in _SUBMISSION_PORTS:
        # A relay that knows its clients by their address, and takes mail without a login.
        return write_line(account, "auth", "off")
    return ""


def _say_user(account: Account) -> str:
    return say("correct user ({place}) or the password", place=account.where("user"))


def _would_show(account: Account, offered: frozenset[str]) -> bool:
    """Tell whether all that could be used would show the secret to whoever listens."""
    if account.tls or account.socket:
        return False
    wanted = (account.auth.upper(),) if account.auth != "on" else PREFERENCE
    rows = [MECHANISMS[name] for name in wanted if name in offered and name in MECHANISMS]
    return bool(rows) and all(row.sends_secret or row.needs_binding for row in rows)


def _unwelcome_name(
    trouble: Trouble, connection: Connection, patient: Patient, host: str
) -> Finding:
    """Return that the server does not like what we call ourselves."""
    account, sender = patient.account, patient.sender
    assert account is not None
    name = account.domain or "localhost"
    better = sender.domain if sender is not None and "." in sender.domain else "mail.example.com"
    explanation = explain_trouble(trouble, connection)
    return Finding(
        "login.hello",
        FAULT,
        say("{host} does not welcome a client that calls itself {name}", host=host, name=name),
        meaning=explanation.cause if explanation is not None and explanation.provider else "",
        fix=write_line(account, "domain", better),
        evidence=(f"EHLO {name}", *evidence_of(trouble.reply, connection.route.secret)),
    )


def _ended(trouble: Trouble, connection: Connection, host: str) -> Finding:
    """Return that the connection came to an end, by a greeting that refuses or without a word."""
    secret = connection.route.secret
    if trouble.reply is None and trouble.exit_code == EX_PROTOCOL:
        return Finding(
            "login.garbled",
            FAULT,
            say(
                "{host} answers against the rules of SMTP at {stage}",
                host=host,
                stage=trouble.stage,
            ),
            meaning=told(trouble.problem, secret),
            fix=say(
                "look for a firewall or virus scanner that reads the mail on the way to {host}, and"
                " switch that off; without one, show this to whoever runs {host}",
                host=host,
            ),
            evidence=_heard(connection),
        )
    explanation = explain_trouble(trouble, connection)
    meaning = explanation.cause if explanation is not None else told(trouble.problem, secret)
    fix: str = say(
        "ask again in a quarter of an hour; if many programs here use {host}, let them use one"
        " connection: queue on",
        host=host,
    )
    if explanation is not None and explanation.provider:
        fix = explanation.fix
    if trouble.stage == "greeting" and trouble.reply is not None:
        return Finding(
            "login.greeting",
            FAULT,
            say("{host} refuses us with its greeting", host=host),
            meaning=meaning,
            fix=fix,
            evidence=evidence_of(trouble.reply, secret),
        )
    return Finding(
        "login.closed",
        FAULT,
        say("{host} ended the connection at {stage}", host=host, stage=trouble.stage),
        meaning=meaning,
        fix=fix,
        evidence=evidence_of(trouble.reply, secret) or _heard(connection),
    )


def _heard(connection: Connection) -> tuple[str, ...]:
    """Return what the server said last that is sure to hold no secret: its greeting."""
    client = connection.client
    if client is None or client.greeting is None:
        return ()
    return evidence_of(client.greeting, connection.route.secret)[:1]
