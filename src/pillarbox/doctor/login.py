"""
The login: the whole way that a mail would take, up to the point where it would be sent.

The rule to keep: there is one try an examination, for a provider locks an account after a few
wrong ones; and what cannot work is found out without it. The connection stays open for the checks
behind this one. Nothing is sent over it but the login.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from pillarbox.config.providers import provider_of_domain
from pillarbox.delivery.attempt import Connection
from pillarbox.delivery.logins import recall_login
from pillarbox.delivery.route import Route
from pillarbox.delivery.trace import Trace
from pillarbox.doctor.account_lines import write_line
from pillarbox.doctor.finding import FAULT, NOTE, Finding
from pillarbox.doctor.login_needed import find_needed_login
from pillarbox.doctor.login_replies import refused_login
from pillarbox.doctor.login_trouble import finding_of
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.providers import Provider
    from pillarbox.doctor.patient import Patient
    from pillarbox.secret import Secret

__all__ = ["CODES", "check_login"]

CODES = (
    "login.unasked",
    "login.user",
    "login.refused",
    "login.locked",
    "login.switched-off",
    "login.later",
    "login.mechanism",
    "login.weaker",
    "login.unusable",
    "login.plaintext",
    "login.not-offered",
    "login.needed",
    "login.greeting",
    "login.hello",
    "login.closed",
    "login.garbled",
    "login.quiet",
)

# Mechanisms that log in without a secret of ours.
_WITHOUT_SECRET = ("off", "external", "gssapi")
# A server may take three times as long for a login as for anything else: many answer a wrong
# password late, on purpose.
_LONGER = 3.0
# Seconds for the whole session, what is asked behind the login included: a server that answers
# each command at the last moment holds us no longer.
_SESSION_S = 90.0

_CLOSING = 421  # it says nothing of the login


class _PatientRoute(Route):
    """A route along which nobody is waited for as long as a mail would wait, nor in all."""

    __slots__ = ("_end", "_patience_s")

    def __init__(self, account: Account, secret: Secret | None, patience_s: float) -> None:
        super().__init__(account, secret)
        self._patience_s = patience_s
        self._end = monotonic() + _SESSION_S

    def patience(self, limit_s: float) -> float:
        """Return how many seconds a wait may take; 0 when all of them have taken too long."""
        left_s = max(self._end - monotonic(), 0.0)
        return min(super().patience(limit_s), self._patience_s, left_s)


class _Ear(Trace):
    """Hear when the server spoke last, and keep the dialogue without what is secret."""

    def __init__(self, secret: Secret | None) -> None:
        self.lines: list[str] = []
        super().__init__(self.lines.append, secret)
        self.last_s = monotonic()

    def sent(self, data: bytes, *, is_login: bool) -> None:
        """Begin to wait anew."""
        super().sent(data, is_login=is_login)
        self.last_s = monotonic()

    def received(self, data: bytes) -> None:
        """Begin to wait anew."""
        super().received(data)
        self.last_s = monotonic()


def check_login(patient: Patient) -> Iterator[Finding]:
    """Log in as a mail would, and leave the connection open for the checks that follow."""
    account = patient.account
    assert account is not None  # it needs ``config``
    unasked = _why_unasked(patient, account)
    if unasked is not None:
        yield unasked
        return
    user = _unusable_user(account, patient.provider)
    if user is not None:
        yield user
        return
    patience_s = patient.patience_s * _LONGER
    route = _PatientRoute(account, patient.secret, patience_s)
    if account.auth == "on":
        route.known_login = recall_login(route, patient.env)
    ear = _Ear(patient.secret)
    connection = Connection(route, ear)
    trouble = connection.open()
    patient.dialogue = tuple(ear.lines)
    if trouble is None:
        patient.connection = connection
        if account.auth == "off":
            yield from find_needed_login(connection, patient)
        return
    connection.close()
    reply = trouble.reply
    if trouble.stage == "AUTH" and reply is not None and reply.code != _CLOSING:
        finding = refused_login(reply, connection, account, patient.provider)
        yield _of_another_provider(finding, account, patient.provider) or finding
        return
    is_quiet = reply is None and monotonic() - ear.last_s >= route.patience(patience_s) * 0.9
    yield finding_of(trouble, connection, patient, is_quiet=is_quiet)


def _why_unasked(patient: Patient, account: Account) -> Finding | None:
    """Return why no login is tried; None: it is."""
    if account.auth == "off":
        return None
    if not patient.may_log_in:
        return Finding(
            "login.unasked",
            NOTE,
            say("no login was tried, as you wished"),
            meaning=say("whether the password and the sender are taken is not known"),
            fix=say("leave --no-login out"),
            is_end=True,
        )
    if patient.secret is None and account.auth not in _WITHOUT_SECRET:
        return Finding(
            "login.unasked",
            NOTE,
            say("no login was tried, for you may not read the password"),
            meaning=say("whether the password and the sender are taken is not known"),
            fix=say("run: sudo pillarbox doctor"),
            is_end=True,
        )
    return None


def _unusable_user(account: Account, provider: Provider | None) -> Finding | None:
    """Return why a user cannot be one of the provider's; None: it may be."""
    user = account.user or ""
    if provider is None or account.auth in _WITHOUT_SECRET or not user:
        return None
    name = bilingual(provider.name("en"), provider.name("zh"))
    if provider.username_rule == "full-address" and "@" not in user:
        domain = provider.domains[0] if provider.domains else "example.com"
        return Finding(
            "login.user",
            FAULT,
            say("the user {user} is no whole address", user=user),
            meaning=say("{provider} knows its users by their whole address", provider=name),
            fix=write_line(account, "user", f"{user}@{domain}"),
            evidence=(f"user {user}",),
        )
    if provider.username_rule == "literal" and user != provider.username:
        return Finding(
            "login.user",
            FAULT,
            say("the user must be the word {word}", word=provider.username),
            meaning=say("{provider} knows by the password alone who it is", provider=name),
            fix=write_line(account, "user", provider.username),
            evidence=(f"user {user}",),
        )
    return None


def _of_another_provider(
    refused: Finding, account: Account, provider: Provider | None
) -> Finding | None:
    """Return that a refused user belongs to another provider, if he does."""
    if refused.code != "login.refused":
        return None
    domain = (account.user or "").rpartition("@")[2]
    other = provider_of_domain(domain) if domain else None
    if provider is None or other is None or provider.username_rule != "full-address":
        return None
    if other.id == provider.id or other.is_host(account.host):
        return None
    way = other.preferred
    return Finding(
        "login.user",
        FAULT,
        say(
            "{user} is an address of {other}, and {host} is a server of {provider}",
            user=account.user,
            other=bilingual(other.name("en"), other.name("zh")),
            host=account.host,
            provider=bilingual(provider.name("en"), provider.name("zh")),
        ),
        meaning=say("nobody can log in at another provider's server"),
        fix=say("write host {host} and port {port}", host=way.host, port=way.port),
        evidence=refused.evidence,
    )
