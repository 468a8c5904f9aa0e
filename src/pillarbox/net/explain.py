"""
Why there is no secured connection, in words that say what to do.

The rule: every text from OpenSSL that a user can meet has its row here; what has none is shown
as OpenSSL says it. Loaded when something has failed, never before.

What the certificate says (names, dates, issuer) is untrusted: it comes from a server that has
just failed to prove who it is, and passes ``printable``.
"""

from __future__ import annotations

import hashlib
import ssl
import time

from pillarbox.errors import CertificateError, TlsError
from pillarbox.mail.reply import printable
from pillarbox.text import Text, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _Saying = Text | Callable[["_Shown"], Text]

__all__ = ["certificate_facts", "explain_handshake", "explain_tls"]

_NAMES_SHOWN = 8  # of a certificate; some have hundreds


def explain_handshake(error: OSError, secured: ssl.SSLObject, peer: str) -> TlsError:
    """Return the exception for a handshake that failed with ``error``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, secured, peer)
    return explain_tls(error, peer, say("TLS handshake failed"))


def explain_tls(error: OSError, peer: str, what: str) -> TlsError:
    """Return the exception for what OpenSSL reports, during the handshake or after it."""
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        msg = _tls_failure(what, peer, say("closed the connection"))
        return TlsError(msg, peer=peer, advice=_ADVICE_CLOSED)
    reason = str(getattr(error, "reason", None) or "")
    for names, problem, advice in _TLS_REASONS:
        if reason in names:
            return TlsError(_tls_failure(what, peer, problem), peer=peer, advice=advice)
    shown = printable(reason.replace("_", " ").lower() or str(error))
    msg = say("{what}: {peer}: {problem}", what=what, peer=peer, problem=shown)
    return TlsError(msg, peer=peer)


def _tls_failure(what: str, peer: str, problem: Text) -> Text:
    return say("{what}: {peer} {problem}", what=what, peer=peer, problem=problem)


_ADVICE_CLOSED = say("the server may want no TLS on this port, or no connection from this address")
_ADVICE_OLD = say("the server must be updated; pillarbox speaks TLS 1.2 and 1.3")
_ADVICE_CLIENT = say("set tls_key_file and tls_cert_file to a certificate that the server accepts")
_ADVICE_PORT = say("check port and tls_starttls: off means port 465, on means 587 (or 25)")
_ADVICE_CIPHERS = say(
    "try tls_priorities NORMAL, which offers more; better, have the server updated"
)

# Names by OpenSSL 1.1.1 and 3; Python puts the prefix of the alert's first protocol before it.
_TLS_REASONS = (
    (
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"),
        say("does not speak TLS on this port, or not at this point"),
        _ADVICE_PORT,
    ),
    (
        ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION"),
        say(
            "speaks no TLS version that is allowed here (too old, or tls_priorities is too narrow)"
        ),
        _ADVICE_OLD,
    ),
    (
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
        say("found no cipher that both sides allow, or demands a client certificate"),
        _ADVICE_CIPHERS,
    ),
    (
        ("NO_CIPHERS_AVAILABLE", "NO_SHARED_CIPHER", "WRONG_CIPHER_RETURNED"),
        say("and pillarbox have no cipher in common"),
        _ADVICE_CIPHERS,
    ),
    (
        ("DH_KEY_TOO_SMALL", "BAD_DH_VALUE"),
        say("uses a Diffie-Hellman prime of less than 2048 bits, which can be broken"),
        _ADVICE_OLD,
    ),
    (
        ("WRONG_SIGNATURE_TYPE", "UNSUPPORTED_SIGNATURE_TYPE", "DIGEST_TOO_BIG_FOR_RSA_KEY"),
        say("signs in a way that is not safe any more"),
        _ADVICE_OLD,
    ),
    (
        ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "BAD_KEY_SHARE"),
        say("uses a key that is too short to be safe"),
        _ADVICE_OLD,
    ),
    (
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
        say("demands a client certificate"),
        _ADVICE_CLIENT,
    ),
    (
        (
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            "TLSV1_ALERT_ACCESS_DENIED",
            "TLSV1_ALERT_UNKNOWN_CA",
        ),
        say("does not accept our client certificate"),
        _ADVICE_CLIENT,
    ),
    (
        ("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"),
        say("does not serve the name that it was asked for"),
        say("check host, or set tls_host_override to the name in the server's certificate"),
    ),
    (
        ("TLSV1_ALERT_INTERNAL_ERROR",),
        say("had a failure of its own (alert: internal error)"),
        say("try again later, or tell the server's administrator"),
    ),
    (
        ("UNEXPECTED_EOF_WHILE_READING",),
        say("closed the connection"),
        _ADVICE_CLOSED,
    ),
    (
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "SSLV3_ALERT_BAD_RECORD_MAC", "BAD_RECORD_TYPE"),
        say("sent, or received, data that was changed on the way"),
        say("try again; when it stays, something between here and the server tampers with it"),
    ),
)


# -- certificates ---------------------------------------------------------------------------


def _explain_certificate(
    error: ssl.SSLCertVerificationError, secured: ssl.SSLObject, peer: str
) -> CertificateError:
    shown = _Shown(secured)
    message = printable(error.verify_message)
    unknown = (say("is not valid: {reason}", reason=message), "")
    problem, advice = (
        saying if isinstance(saying, str) else saying(shown)
        for saying in _CERTIFICATE_REASONS.get(error.verify_code, unknown)
    )
    msg = say(
        "TLS certificate verification failed: the certificate of {peer} {problem}",
        peer=peer,
        problem=problem,
    )
    return CertificateError(msg, peer=peer, advice=advice)


class _Shown:
    """
    What can be shown of the certificate that was refused; empty texts where nothing can.

    OpenSSL does not say through Python which certificate of the chain failed. For dates the
    server's own tells: when it is in order, an issuer's is not.
    """

    def __init__(self, secured: ssl.SSLObject) -> None:
        facts, certificate = certificate_facts(secured)
        now = time.time()
        until, since = _seconds(facts.get("notAfter")), _seconds(facts.get("notBefore"))
        self.now = _date(now)
        asked = secured.server_hostname
        self.asked = printable(asked) if asked else say("this host")
        self.names = _names(facts) if facts else ""
        self.expired = _expired(until, now)
        self.early = _early(since, now)
        issuer = _common_name(facts.get("issuer", ()))
        self.issuer = say(", {issuer},", issuer=printable(issuer, 80)) if issuer else ""
        digest = hashlib.sha256(certificate).digest().hex(":").upper() if certificate else ""
        self.fingerprint = say(" ({fingerprint})", fingerprint=digest) if digest else ""


def _expired(until: float, now: float) -> Text:
    if until > now:
        return say("has an issuer whose certificate has expired")
    return say("expired on {date}", date=_date(until)) if until else say("has expired")


def _early(since: float, now: float) -> Text:
    if 0 < since <= now:
        return say("has an issuer whose certificate is not valid yet")
    if since:
        return say("is not valid before {date}", date=_date(since))
    return say("is not valid yet")


def certificate_facts(secured: ssl.SSLObject) -> tuple[dict[str, Any], bytes]:
    """
    Return what ``ssl`` says of the server's certificate, checked or not, and its DER.

    Both are empty where that cannot be known.

    ``getpeercert`` refuses after a failed handshake, but with OpenSSL 3 the chain that the
    server sent is still there. Before Python 3.13 only the inner object gives it away; without
    it the message says less, nothing else changes.
    """
    try:
        leaf = secured._sslobj.get_unverified_chain()[0]  # type: ignore[attr-defined]  # noqa: SLF001
        return leaf.get_info(), ssl.PEM_cert_to_DER_cert(leaf.public_bytes())
    except (AttributeError, LookupError, TypeError, ValueError, OSError):
        return {}, b""


def _names(facts: dict[str, Any]) -> Text:
    names = [str(value) for _, value in facts.get("subjectAltName", ())]
    if not names:
        return say("; it names no host (a common name does not count)")
    shown = ", ".join(printable(name, 80) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    if more > 0:
        return say("; it is for {names} and {count} more", names=shown, count=more)
    return say("; it is for {names}", names=shown)


def _seconds(text: object) -> float:
    """Return a date of a certificate in seconds since 1970, or 0 when it is none."""
    try:
        return ssl.cert_time_to_seconds(str(text))
    except (ValueError, OverflowError):
        return 0


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _common_name(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    parts = [value for rdn in name for key, value in rdn if key == "commonName"]
    parts += [value for rdn in name for key, value in rdn if key == "organizationName"]
    return parts[0] if parts else ""


_ADVICE_NAME = say(
    "set host, or tls_host_override, to a name in the certificate if it is the server's"
)
_ADVICE_POSING = say(
    "unless its issuer made a mistake somebody is posing as the server: do not send, and tell "
    "the server's administrator"
)
_ADVICE_CHAIN = say("the server's administrator must install it with its intermediate certificates")
_ADVICE_MALFORMED = say(
    "it, or its issuer's, breaks RFC 5280 and must be made anew; until then tls_fingerprint "
    "can take the place of this check"
)
_ADVICE_CRL = say("put the current list of every issuer in the chain into tls_crl_file")
_ADVICE_SERVER = say("the server needs a certificate for servers")
_ADVICE_WEAK = say(
    "the server's administrator must replace it by one with a stronger key or signature"
)


def _advice_issuer(shown: _Shown) -> Text:
    return say(
        "trust its issuer with tls_trust_file; or, when the server's administrator confirms its "
        "SHA-256 fingerprint{fingerprint}, set tls_fingerprint to it",
        fingerprint=shown.fingerprint,
    )


def _advice_renew(shown: _Shown) -> Text:
    return say(
        "the server's administrator must renew it; this machine's clock says {time}",
        time=shown.now,
    )


def _advice_clock(shown: _Shown) -> Text:
    return say("check this machine's clock: it says {time}", time=shown.now)


def _unknown_issuer(shown: _Shown) -> Text:
    return say("has an issuer{issuer} that cannot be found", issuer=shown.issuer)


def _untrusted_issuer(shown: _Shown) -> Text:
    return say(
        "has an issuer{issuer} that is not trusted here or was not sent", issuer=shown.issuer
    )


def _lonely(shown: _Shown) -> Text:
    return say("comes without its issuer's{issuer}", issuer=shown.issuer)


def _other_host(shown: _Shown) -> Text:
    return say("is not for {host}{names}", host=shown.asked, names=shown.names)


def _other_address(shown: _Shown) -> Text:
    return say("is not for the address {address}{names}", address=shown.asked, names=shown.names)


# By the X509_V_ERR_* codes of OpenSSL's <openssl/x509_vfy.h>, 1.1.1 and 3.
# What depends on the certificate is a function of what can be shown of it.
_CERTIFICATE_REASONS: dict[int, tuple[_Saying, _Saying]] = {
    2: (_unknown_issuer, _ADVICE_CHAIN),
    3: (say("cannot be checked: tls_crl_file has no list of one of its issuers"), _ADVICE_CRL),
    7: (say("has a signature that is wrong"), _ADVICE_POSING),
    8: (say("cannot be checked: the list in tls_crl_file has a wrong signature"), _ADVICE_CRL),
    9: (lambda shown: shown.early, _advice_clock),
    10: (lambda shown: shown.expired, _advice_renew),
    11: (say("cannot be checked: the list in tls_crl_file is not valid yet"), _advice_clock),
    12: (say("cannot be checked: the list in tls_crl_file has expired"), _ADVICE_CRL),
    18: (say("is self-signed: nobody vouches for it"), _advice_issuer),
    19: (say("goes back to an issuer that is not trusted here"), _advice_issuer),
    20: (_untrusted_issuer, _advice_issuer),
    21: (_lonely, _ADVICE_CHAIN),
    22: (say("has too long a chain of issuers"), _ADVICE_CHAIN),
    23: (say("has been revoked, or an issuer's has"), _ADVICE_POSING),
    24: (say("was issued with a certificate that may not issue any"), _ADVICE_POSING),
    25: (say("has a longer chain of issuers than one of them allows"), _ADVICE_CHAIN),
    26: (say("is not for servers (extended key usage)"), _ADVICE_SERVER),
    27: (say("has an issuer that is marked as not trusted"), _advice_issuer),
    28: (say("has an issuer that is marked as rejected"), _advice_issuer),
    32: (say("was issued with a key that may not issue any (key usage)"), _ADVICE_POSING),
    33: (say("cannot be checked: the issuer of a list in tls_crl_file is unknown"), _ADVICE_CRL),
    34: (say("has an extension that must be understood and is not"), _ADVICE_MALFORMED),
    35: (say("cannot be checked: the issuer may not sign lists (key usage)"), _ADVICE_CRL),
    37: (say("was issued with a certificate that may not issue any"), _ADVICE_POSING),
    44: (say("cannot be checked: a list in tls_crl_file is for other certificates"), _ADVICE_CRL),
    47: (say("has a name that its issuer may not vouch for"), _ADVICE_POSING),
    48: (say("has a name that its issuer may not vouch for"), _ADVICE_POSING),
    62: (_other_host, _ADVICE_NAME),
    64: (_other_address, _ADVICE_NAME),
    66: (say("has a key that is too short to be safe"), _ADVICE_WEAK),
    67: (say("has an issuer whose key is too short to be safe"), _ADVICE_WEAK),
    68: (say("is signed with a digest that is not safe any more (MD5, SHA-1)"), _ADVICE_WEAK),
    79: (say("was issued with a certificate that may not issue any"), _ADVICE_POSING),
    80: (say("breaks the rules: a path length in what is no issuer's"), _ADVICE_MALFORMED),
    81: (say("breaks the rules: a path length without the right to issue"), _ADVICE_MALFORMED),
    82: (say("breaks the rules: the right to issue in what is no issuer's"), _ADVICE_MALFORMED),
    83: (say("breaks the rules: it names no issuer"), _ADVICE_MALFORMED),
    84: (say("breaks the rules: an issuer without a name"), _ADVICE_MALFORMED),
    85: (say("breaks the rules: no authority key identifier"), _ADVICE_MALFORMED),
    86: (say("breaks the rules: no subject key identifier"), _ADVICE_MALFORMED),
    87: (say("breaks the rules: an empty list of names"), _ADVICE_MALFORMED),
    88: (say("breaks the rules: neither a subject nor critical names"), _ADVICE_MALFORMED),
    89: (
        say("breaks the rules: its issuer's basic constraints are not critical"),
        _ADVICE_MALFORMED,
    ),
    90: (say("breaks the rules: a critical authority key identifier"), _ADVICE_MALFORMED),
    91: (say("breaks the rules: a critical subject key identifier"), _ADVICE_MALFORMED),
    92: (say("breaks the rules: its issuer's has no key usage"), _ADVICE_MALFORMED),
    93: (say("breaks the rules: extensions in a certificate of version 1"), _ADVICE_MALFORMED),
    94: (say("has a key on a curve that is spelled out, which is not safe"), _ADVICE_WEAK),
}  # fmt: skip
