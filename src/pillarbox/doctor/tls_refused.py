"""
Why there is no secured connection: what OpenSSL says, and what the certificate looks like.

``net.explain`` has the words; here is which of them is which finding, what there is to see, and
whether the clock is to blame. The rule to keep: what is looked at without checks is evidence, and
nothing is said over that connection but EHLO.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from pillarbox.doctor.certificate import Certificate, date_in, day
from pillarbox.doctor.connect_failed import lines_for_port, lines_to_set, open_alternative
from pillarbox.doctor.finding import FAULT, Finding
from pillarbox.doctor.handshake import checked, open_context, shake_hands, unchecked
from pillarbox.doctor.local_clock import SET_CLOCK
from pillarbox.doctor.replies import evidence_of, told
from pillarbox.doctor.tls_files import find_unusable
from pillarbox.errors import CertificateError, PillarboxError
from pillarbox.text import say

if TYPE_CHECKING:
    import ssl

    from pillarbox.config.account import Account
    from pillarbox.delivery.route import Route
    from pillarbox.doctor.handshake import Handshake
    from pillarbox.doctor.patient import Patient
    from pillarbox.text import Text

__all__ = ["explain_refusal"]

# Codes of <openssl/x509_vfy.h>; all others are tls.certificate.
_CERTIFICATE_CODES = {
    9: "tls.not-yet",
    10: "tls.expired",
    62: "tls.name",
    64: "tls.name",
    23: "tls.revoked",
    **dict.fromkeys((2, 18, 19, 20, 21, 27, 28), "tls.untrusted"),
    **dict.fromkeys((3, 8, 11, 12, 33, 35, 44), "tls.trust-file"),  # of tls_crl_file
}
# Names by OpenSSL of what no certificate is to blame for; all others are tls.aborted.
_REASONS = {
    **dict.fromkeys(
        (
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "UNSUPPORTED_PROTOCOL",
            "WRONG_SSL_VERSION",
            "NO_PROTOCOLS_AVAILABLE",
        ),
        "tls.version",
    ),
    **dict.fromkeys(
        (
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
            "NO_CIPHERS_AVAILABLE",
            "NO_SHARED_CIPHER",
            "WRONG_CIPHER_RETURNED",
            "DH_KEY_TOO_SMALL",
            "BAD_DH_VALUE",
            "WRONG_SIGNATURE_TYPE",
            "UNSUPPORTED_SIGNATURE_TYPE",
            "EE_KEY_TOO_SMALL",
            "CA_KEY_TOO_SMALL",
        ),
        "tls.cipher",
    ),
    **dict.fromkeys(
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            "TLSV1_ALERT_CERTIFICATE_REQUIRED",
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            "TLSV1_ALERT_ACCESS_DENIED",
            "TLSV1_ALERT_UNKNOWN_CA",
        ),
        "tls.client-certificate",
    ),
}

# A name that may be written into a configuration, whoever has put it into a certificate.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")

_OLD_VERSIONS = ("SSLv3", "TLSv1 ", "TLSv1.1 ")  # as a description begins with them

# Seconds by which a server's clock and ours may differ before one of them is called wrong.
_SAME_TIME_S = 300


def explain_refusal(
    patient: Patient, route: Route, made: Handshake, patience_s: float
) -> Finding | None:
    """
    Return why a connection was not secured, or not for long. Connects once more.

    None where the session ended for another reason, which is the login's matter.
    """
    if made.trouble is not None:
        return _no_starttls(patient, route, made) if made.trouble.stage == "STARTTLS" else None
    error = made.error
    assert error is not None
    if not isinstance(error, CertificateError):
        return _broken(patient, route, made, error, patience_s)
    seen = shake_hands(route, unchecked(route.tls_policy), patience_s)
    certificate = Certificate(seen.facts, seen.certificate)
    verification = made.cause
    code = "tls.fingerprint"
    if verification is not None:
        code = _CERTIFICATE_CODES.get(_verify_code(verification), "tls.certificate")
    if code in ("tls.expired", "tls.not-yet"):
        finding = _wrong_clock(patient, certificate, date_in(seen.greeting))
        if finding is not None:
            return finding
    return Finding(
        code,
        FAULT,
        told(error.sentence, patient.secret),
        meaning=_meaning(code, patient, route, certificate),
        fix=_fix(code, patient, route, certificate, patience_s) or error.advice or _ASK,
        evidence=(*filter(None, [seen.description]), *certificate.lines(time.time())),
    )


_ASK = say("send this to the server's administrator")


def _verify_code(error: ssl.SSLError) -> int:
    return int(getattr(error, "verify_code", 0))


# -- certificates -----------------------------------------------------------------------------


def _wrong_clock(
    patient: Patient, certificate: Certificate, server_time: float | None
) -> Finding | None:
    """Return that this machine's clock is wrong, if the server's own says so; else None."""
    now = time.time()
    if server_time is None or abs(now - server_time) < _SAME_TIME_S:
        return None
    if certificate.until and not certificate.is_valid_at(server_time):
        return None
    patient.clock_offset_s = now - server_time
    return Finding(
        "tls.clock",
        FAULT,
        say(
            "this machine's clock says {ours}, the server's {theirs}: the certificate is in order "
            "by the server's",
            ours=day(now),
            theirs=day(server_time),
        ),
        meaning=say("with a wrong clock every certificate looks expired, or not valid yet"),
        fix=SET_CLOCK,
        evidence=certificate.lines(now),
    )


def _meaning(code: str, patient: Patient, route: Route, certificate: Certificate) -> str:
    if code == "tls.untrusted" and patient.provider is not None:
        return say(
            "the certificates of {host} come from a public authority, and this one does not: "
            "something on the way (a company's proxy, an antivirus, a login page) opens the TLS, "
            "or this machine's ca-certificates are missing",
            host=route.endpoint.host,
        )
    if code == "tls.untrusted" and certificate.is_self_signed:
        return say("the server made its certificate itself, as one of a company or a test does")
    if code == "tls.not-yet":
        return say("either this machine's clock is behind, or the server's was ahead")
    if code == "tls.name":
        return say("the server is another one, or it is known by another name to its certificate")
    if code == "tls.fingerprint":
        return say("the server has another certificate than it had: mostly it was renewed")
    return say("nothing is sent to a server that cannot prove who it is")


def _fix(
    code: str, patient: Patient, route: Route, certificate: Certificate, patience_s: float
) -> Text | None:
    """Return what to do where more is known than OpenSSL does; None: what it advises."""
    account = route.account
    if code == "tls.untrusted" and _is_trusted_by_system(route, patience_s):
        return lines_to_set(account, "tls_trust_file system")
    if code == "tls.untrusted" and patient.provider is not None:
        return say(
            "install ca-certificates (apt install ca-certificates); when it is there, ask who "
            "runs this network to leave port {port} alone",
            port=route.endpoint.port,
        )
    if code == "tls.fingerprint" and certificate.fingerprint:
        return _when_confirmed(account, f"tls_fingerprint {certificate.fingerprint}")
    if code == "tls.name" and not route.tls_policy.host_override:
        name = _own_name(patient, route.endpoint.host, certificate)
        if name:
            return lines_to_set(account, f"host {name}")
        name = _only_name(certificate)
        return _when_confirmed(account, f"tls_host_override {name}") if name else None
    return None


def _when_confirmed(account: Account, line: str) -> Text:
    lines = lines_to_set(account, line)
    return say("when the server's administrator confirms it, {lines}", lines=lines)


def _only_name(certificate: Certificate) -> str:
    """Return the first name that stands for one host; empty: there is none."""
    return next((name for name in certificate.names if _HOST.fullmatch(name)), "")


def _is_trusted_by_system(route: Route, patience_s: float) -> bool:
    """Tell whether the certificate passes with the machine's own store, which is not used."""
    if route.tls_policy.trust_file == "system":
        return False
    policy = checked(route.tls_policy, trust_file="system")
    return find_unusable(policy) is None and shake_hands(route, policy, patience_s).is_secured


def _own_name(patient: Patient, host: str, certificate: Certificate) -> str:
    """Return the name of the server that its certificate has; empty: none is sure."""
    from pillarbox.config.providers import load_providers

    try:
        aliases = [str(name) for name in patient.ask(host.rstrip("."), "CNAME")]
    except PillarboxError:
        aliases = []
    known = [row.host for provider in load_providers() for row in provider.endpoints]
    for name in (*aliases, *known):
        if any(_fits(pattern, name.lower()) for pattern in certificate.names):
            return name
    return ""


def _fits(pattern: str, name: str) -> bool:
    """Tell whether a name is meant by one of a certificate (RFC 6125 6.4.3)."""
    if not pattern.startswith("*."):
        return pattern == name
    return name.partition(".")[2] == pattern[2:]


# -- not the certificate ----------------------------------------------------------------------


def _no_starttls(patient: Patient, route: Route, made: Handshake) -> Finding:
    assert made.trouble is not None
    instead = None
    if not route.endpoint.proxy_host and not route.endpoint.socket_path:
        instead = open_alternative(patient, route)
    fix = made.trouble.advice or say("ask again in a quarter of an hour")
    if instead is not None:
        fix = lines_for_port(patient, route, instead.port)
    return Finding(
        "tls.no-starttls",
        FAULT,
        made.trouble.problem,
        meaning=say("the account demands TLS; if it was offered until now, somebody strips it"),
        fix=fix,
        evidence=evidence_of(made.trouble.reply, patient.secret),
    )


def _broken(
    patient: Patient, route: Route, made: Handshake, error: PillarboxError, patience_s: float
) -> Finding:
    reason = str(getattr(made.cause, "reason", None) or "")
    code = _REASONS.get(reason, "tls.aborted")
    fix = error.advice or say(
        "try from another network; when it works there, a firewall here breaks TLS"
    )
    # Some hang up without an alert: what they do speak is found out by offering them everything.
    context = open_context()
    spoken = shake_hands(route, unchecked(route.tls_policy), patience_s, context).description
    if code == "tls.aborted" and spoken.startswith(_OLD_VERSIONS):
        code, fix = (
            "tls.version",
            say("the server must be updated; pillarbox speaks TLS 1.2 and 1.3"),
        )
    if code in ("tls.version", "tls.cipher") and route.tls_policy.priorities:
        fix = say("take tls_priorities out ({place})", place=route.account.where("tls_priorities"))
    return Finding(
        code,
        FAULT,
        told(error.sentence, patient.secret),
        fix=fix,
        evidence=tuple(filter(None, (reason, spoken))),
    )
