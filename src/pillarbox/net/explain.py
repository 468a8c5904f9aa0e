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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["certificate_facts", "explain_handshake", "explain_tls"]

_NAMES_SHOWN = 8  # of a certificate; some have hundreds


def explain_handshake(error: OSError, secured: ssl.SSLObject, peer: str) -> TlsError:
    """Return the exception for a handshake that failed with ``error``."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, secured, peer)
    return explain_tls(error, peer, "TLS handshake failed")


def explain_tls(error: OSError, peer: str, what: str) -> TlsError:
    """Return the exception for what OpenSSL reports, during the handshake or after it."""
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        msg = f"{what}: {peer} closed the connection"
        return TlsError(msg, peer=peer, advice=_ADVICE_CLOSED)
    reason = str(getattr(error, "reason", None) or "")
    for names, problem, advice in _TLS_REASONS:
        if reason in names:
            return TlsError(f"{what}: {peer} {problem}", peer=peer, advice=advice)
    shown = printable(reason.replace("_", " ").lower() or str(error))
    return TlsError(f"{what}: {peer}: {shown}", peer=peer)


_ADVICE_CLOSED = "the server may want no TLS on this port, or no connection from this address"
_ADVICE_OLD = "the server must be updated; pillarbox speaks TLS 1.2 and 1.3"
_ADVICE_CLIENT = "set tls_key_file and tls_cert_file to a certificate that the server accepts"
_ADVICE_PORT = "check port and tls_starttls: off means port 465, on means 587 (or 25)"
_ADVICE_CIPHERS = "try tls_priorities NORMAL, which offers more; better, have the server updated"

# Names by OpenSSL 1.1.1 and 3; Python puts the prefix of the alert's first protocol before it.
_TLS_REASONS = (
    (
        ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"),
        "does not speak TLS on this port, or not at this point",
        _ADVICE_PORT,
    ),
    (
        ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION"),
        "speaks no TLS version that is allowed here (too old, or tls_priorities is too narrow)",
        _ADVICE_OLD,
    ),
    (
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
        "found no cipher that both sides allow, or demands a client certificate",
        _ADVICE_CIPHERS,
    ),
    (
        ("NO_CIPHERS_AVAILABLE", "NO_SHARED_CIPHER", "WRONG_CIPHER_RETURNED"),
        "and pillarbox have no cipher in common",
        _ADVICE_CIPHERS,
    ),
    (
        ("DH_KEY_TOO_SMALL", "BAD_DH_VALUE"),
        "uses a Diffie-Hellman prime of less than 2048 bits, which can be broken",
        _ADVICE_OLD,
    ),
    (
        ("WRONG_SIGNATURE_TYPE", "UNSUPPORTED_SIGNATURE_TYPE", "DIGEST_TOO_BIG_FOR_RSA_KEY"),
        "signs in a way that is not safe any more",
        _ADVICE_OLD,
    ),
    (
        ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "BAD_KEY_SHARE"),
        "uses a key that is too short to be safe",
        _ADVICE_OLD,
    ),
    (
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
        "demands a client certificate",
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
        "does not accept our client certificate",
        _ADVICE_CLIENT,
    ),
    (
        ("TLSV1_UNRECOGNIZED_NAME", "TLSV1_ALERT_UNRECOGNIZED_NAME"),
        "does not serve the name that it was asked for",
        "check host, or set tls_host_override to the name in the server's certificate",
    ),
    (
        ("TLSV1_ALERT_INTERNAL_ERROR",),
        "had a failure of its own (alert: internal error)",
        "try again later, or tell the server's administrator",
    ),
    (
        ("UNEXPECTED_EOF_WHILE_READING",),
        "closed the connection",
        _ADVICE_CLOSED,
    ),
    (
        ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "SSLV3_ALERT_BAD_RECORD_MAC", "BAD_RECORD_TYPE"),
        "sent, or received, data that was changed on the way",
        "try again; when it stays, something between here and the server tampers with it",
    ),
)


# -- certificates ---------------------------------------------------------------------------


def _explain_certificate(
    error: ssl.SSLCertVerificationError, secured: ssl.SSLObject, peer: str
) -> CertificateError:
    shown = _Shown(secured)
    problem = f"is not valid: {printable(error.verify_message)}"
    advice = ""
    if error.verify_code in _CERTIFICATE_REASONS:
        problem, advice = (
            text.format(shown=shown) for text in _CERTIFICATE_REASONS[error.verify_code]
        )
    msg = f"TLS certificate verification failed: the certificate of {peer} {problem}"
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
        self.asked = printable(secured.server_hostname or "this host")
        self.names = _names(facts) if facts else ""
        self.expired = f"expired on {_date(until)}" if until else "has expired"
        self.early = f"is not valid before {_date(since)}" if since else "is not valid yet"
        if until > now:
            self.expired = "has an issuer whose certificate has expired"
        if 0 < since <= now:
            self.early = "has an issuer whose certificate is not valid yet"
        issuer = _common_name(facts.get("issuer", ()))
        self.issuer = f", {printable(issuer, 80)}," if issuer else ""
        digest = hashlib.sha256(certificate).digest().hex(":").upper() if certificate else ""
        self.fingerprint = f" ({digest})" if digest else ""


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


def _names(facts: dict[str, Any]) -> str:
    names = [str(value) for _, value in facts.get("subjectAltName", ())]
    if not names:
        return "; it names no host (a common name does not count)"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return "; it is for " + ", ".join(printable(name, 80) for name in names[:_NAMES_SHOWN]) + more


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


_ADVICE_NAME = "set host, or tls_host_override, to a name in the certificate if it is the server's"
_ADVICE_ISSUER = (
    "trust its issuer with tls_trust_file; or, when the server's administrator confirms its "
    "SHA-256 fingerprint{shown.fingerprint}, set tls_fingerprint to it"
)
_ADVICE_RENEW = "the server's administrator must renew it; this machine's clock says {shown.now}"
_ADVICE_POSING = (
    "unless its issuer made a mistake somebody is posing as the server: do not send, and tell "
    "the server's administrator"
)
_ADVICE_CHAIN = "the server's administrator must install it with its intermediate certificates"
_ADVICE_MALFORMED = (
    "it, or its issuer's, breaks RFC 5280 and must be made anew; until then tls_fingerprint "
    "can take the place of this check"
)
_ADVICE_CRL = "put the current list of every issuer in the chain into tls_crl_file"
_ADVICE_WEAK = "the server's administrator must replace it by one with a stronger key or signature"
_ADVICE_CLOCK = "check this machine's clock: it says {shown.now}"

# By the X509_V_ERR_* codes of OpenSSL's <openssl/x509_vfy.h>, 1.1.1 and 3.
_CERTIFICATE_REASONS: dict[int, tuple[str, str]] = {
    2: ("has an issuer{shown.issuer} that cannot be found", _ADVICE_CHAIN),
    3: ("cannot be checked: tls_crl_file has no list of one of its issuers", _ADVICE_CRL),
    7: ("has a signature that is wrong", _ADVICE_POSING),
    8: ("cannot be checked: the list in tls_crl_file has a wrong signature", _ADVICE_CRL),
    9: ("{shown.early}", _ADVICE_CLOCK),
    10: ("{shown.expired}", _ADVICE_RENEW),
    11: ("cannot be checked: the list in tls_crl_file is not valid yet", _ADVICE_CLOCK),
    12: ("cannot be checked: the list in tls_crl_file has expired", _ADVICE_CRL),
    18: ("is self-signed: nobody vouches for it", _ADVICE_ISSUER),
    19: ("goes back to an issuer that is not trusted here", _ADVICE_ISSUER),
    20: ("has an issuer{shown.issuer} that is not trusted here or was not sent", _ADVICE_ISSUER),
    21: ("comes without its issuer's{shown.issuer}", _ADVICE_CHAIN),
    22: ("has too long a chain of issuers", _ADVICE_CHAIN),
    23: ("has been revoked, or an issuer's has", _ADVICE_POSING),
    24: ("was issued with a certificate that may not issue any", _ADVICE_POSING),
    25: ("has a longer chain of issuers than one of them allows", _ADVICE_CHAIN),
    26: ("is not for servers (extended key usage)", "the server needs a certificate for servers"),
    27: ("has an issuer that is marked as not trusted", _ADVICE_ISSUER),
    28: ("has an issuer that is marked as rejected", _ADVICE_ISSUER),
    32: ("was issued with a key that may not issue any (key usage)", _ADVICE_POSING),
    33: ("cannot be checked: the issuer of a list in tls_crl_file is unknown", _ADVICE_CRL),
    34: ("has an extension that must be understood and is not", _ADVICE_MALFORMED),
    35: ("cannot be checked: the issuer may not sign lists (key usage)", _ADVICE_CRL),
    37: ("was issued with a certificate that may not issue any", _ADVICE_POSING),
    44: ("cannot be checked: a list in tls_crl_file is for other certificates", _ADVICE_CRL),
    47: ("has a name that its issuer may not vouch for", _ADVICE_POSING),
    48: ("has a name that its issuer may not vouch for", _ADVICE_POSING),
    62: ("is not for {shown.asked}{shown.names}", _ADVICE_NAME),
    64: ("is not for the address {shown.asked}{shown.names}", _ADVICE_NAME),
    66: ("has a key that is too short to be safe", _ADVICE_WEAK),
    67: ("has an issuer whose key is too short to be safe", _ADVICE_WEAK),
    68: ("is signed with a digest that is not safe any more (MD5, SHA-1)", _ADVICE_WEAK),
    79: ("was issued with a certificate that may not issue any", _ADVICE_POSING),
    80: ("breaks the rules: a path length in what is no issuer's", _ADVICE_MALFORMED),
    81: ("breaks the rules: a path length without the right to issue", _ADVICE_MALFORMED),
    82: ("breaks the rules: the right to issue in what is no issuer's", _ADVICE_MALFORMED),
    83: ("breaks the rules: it names no issuer", _ADVICE_MALFORMED),
    84: ("breaks the rules: an issuer without a name", _ADVICE_MALFORMED),
    85: ("breaks the rules: no authority key identifier", _ADVICE_MALFORMED),
    86: ("breaks the rules: no subject key identifier", _ADVICE_MALFORMED),
    87: ("breaks the rules: an empty list of names", _ADVICE_MALFORMED),
    88: ("breaks the rules: neither a subject nor critical names", _ADVICE_MALFORMED),
    89: ("breaks the rules: its issuer's basic constraints are not critical", _ADVICE_MALFORMED),
    90: ("breaks the rules: a critical authority key identifier", _ADVICE_MALFORMED),
    91: ("breaks the rules: a critical subject key identifier", _ADVICE_MALFORMED),
    92: ("breaks the rules: its issuer's has no key usage", _ADVICE_MALFORMED),
    93: ("breaks the rules: extensions in a certificate of version 1", _ADVICE_MALFORMED),
    94: ("has a key on a curve that is spelled out, which is not safe", _ADVICE_WEAK),
}  # fmt: skip
