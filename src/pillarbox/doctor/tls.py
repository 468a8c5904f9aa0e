"""
TLS and the certificate, under the account's own policy.

1. ``tls_files`` - can what is configured be carried out at all?
2. ``shake_hands`` - as a mail would; when it fails, once more without checks, to see with whom.
3. ``tls_refused`` says why it failed; ``_passed`` looks at what will fail soon, or is not checked.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pillarbox.delivery.route import Route
from pillarbox.doctor.certificate import Certificate, day
from pillarbox.doctor.connect_failed import lines_for_port, lines_to_set, open_alternative
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.handshake import checked, shake_hands
from pillarbox.doctor.tls_files import find_unusable
from pillarbox.doctor.tls_refused import explain_refusal
from pillarbox.smtp.auth import MECHANISMS
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.handshake import Handshake
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_tls"]

CODES: tuple[str, ...] = (
    "tls.trust-file",
    "tls.client-certificate",
    "tls.priorities",
    "tls.fingerprint",
    "tls.clock",
    "tls.expired",
    "tls.not-yet",
    "tls.name",
    "tls.untrusted",
    "tls.revoked",
    "tls.certificate",
    "tls.version",
    "tls.cipher",
    "tls.no-starttls",
    "tls.aborted",
    "tls.off",
    "tls.unchecked",
    "tls.expiring",
    "tls.secured",
)

# Days: whoever renews by a program has done it 30 days before the end.
_SOON = 14


def check_tls(patient: Patient) -> Iterator[Finding]:
    """Secure a connection as for a mail, and look at the certificate."""
    account = patient.account
    assert account is not None
    route = Route(account, None)
    patience_s = route.patience(patient.patience_s)
    if not account.tls:
        yield from _off(patient, route, patience_s)
        return
    unusable = find_unusable(route.tls_policy)
    if unusable is not None:
        yield unusable
        return
    made = shake_hands(route, route.tls_policy, patience_s)
    if made.is_secured and not made.cause:
        yield from _passed(route, made, patience_s)
        return
    refusal = explain_refusal(patient, route, made, patience_s)
    if refusal is not None:
        yield refusal


# -- no TLS -----------------------------------------------------------------------------------


def _off(patient: Patient, route: Route, patience_s: float) -> Iterator[Finding]:
    """Yield what it means that TLS is off, unless the server is this machine."""
    account, endpoint = route.account, route.endpoint
    may_show = route.session_options({}).may_send_secret_in_clear
    if endpoint.socket_path or (may_show and not account.allow_plaintext_auth):
        return
    if account.auth == "off":
        yield Finding(
            "tls.off",
            NOTE,
            say(
                "TLS is off: whoever is on the way to {host} can read the mail", host=endpoint.host
            ),
            fix=say(
                "if the server has a certificate: {lines}", lines=lines_to_set(account, "tls on")
            ),
        )
        return
    made = shake_hands(route, route.tls_policy, patience_s)
    # Where the session came to nothing, the login says what it would have come to.
    is_known = made.error is None and made.trouble is None
    is_fault = is_known and not (may_show or _keeps_secret(account.auth, made))
    yield Finding(
        "tls.off",
        FAULT if is_fault else WARNING,
        say("TLS is off, and the account logs in over the network"),
        meaning=say("without TLS the password is not sent, so nobody can log in")
        if is_fault
        else say("whoever is on the way to {host} can read the mail", host=endpoint.host),
        fix=_turn_on(patient, route, made),
        evidence=(f"tls off ({account.where('tls')})", f"auth {account.auth}"),
    )


def _keeps_secret(auth: str, made: Handshake) -> bool:
    """Tell whether a login that is offered, and may be used, does not send the secret itself."""
    offered = made.capabilities.mechanisms
    names = offered if auth == "on" else (auth.upper(),)
    rows = [MECHANISMS[name] for name in names if name in MECHANISMS and name in offered]
    return any(not row.sends_secret and not row.needs_binding for row in rows)


def _turn_on(patient: Patient, route: Route, made: Handshake) -> str:
    if "STARTTLS" in made.capabilities or route.endpoint.proxy_host:
        return lines_to_set(route.account, "tls on", "tls_starttls on")
    instead = open_alternative(patient, route)
    if instead is None:
        return lines_to_set(route.account, "tls on")
    return lines_for_port(patient, route, instead.port)


# -- secured ----------------------------------------------------------------------------------


def _passed(route: Route, made: Handshake, patience_s: float) -> Iterator[Finding]:
    account, policy = route.account, route.tls_policy
    certificate, now = Certificate(made.facts, made.certificate), time.time()
    evidence = (made.description, *certificate.lines(now))
    if not policy.check_certificate:
        yield Finding(
            "tls.unchecked",
            WARNING,
            say("the server's certificate is not checked (tls_certcheck off)"),
            meaning=say("anybody on the way can pose as the server and have the password"),
            fix=_turn_check_on(route, certificate, patience_s),
            evidence=(account.where("tls_certcheck"), *evidence),
        )
        return
    if policy.verifies_chain and certificate.until and certificate.is_nearly_over(now, _SOON):
        yield Finding(
            "tls.expiring",
            WARNING,
            say(
                "the certificate of {host} ends on {date}",
                host=route.endpoint.host,
                date=day(certificate.until),
            ),
            meaning=say("when it has ended nothing is sent any more"),
            fix=say("tell the server's administrator to renew it; if it is yours: certbot renew"),
            evidence=evidence,
        )
        return
    yield Finding(
        "tls.secured",
        NOTE,
        say("secured with {description}", description=made.description),
        evidence=evidence[1:],
    )


def _turn_check_on(route: Route, certificate: Certificate, patience_s: float) -> str:
    """Return the line to write: with checks on, if they pass, else the fingerprint."""
    strict = checked(route.tls_policy, route.tls_policy.trust_file or "system")
    passes = find_unusable(strict) is None and shake_hands(route, strict, patience_s).is_secured
    if passes or not certificate.fingerprint:
        return lines_to_set(route.account, "tls_certcheck on")
    return say(
        "ask the server's administrator whether its fingerprint is this one, and {lines}",
        lines=lines_to_set(
            route.account, "tls_certcheck on", f"tls_fingerprint {certificate.fingerprint}"
        ),
    )
