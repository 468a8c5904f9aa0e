"""The words for what OpenSSL says: every row of the tables, and what has no row."""

from __future__ import annotations

import re
import ssl

import pytest

from pillarbox.errors import CertificateError
from pillarbox.net.explain import (
    _CERTIFICATE_REASONS,
    _TLS_REASONS,
    explain_handshake,
    explain_tls,
)


class _Silent:
    """A connection of which nothing is known any more, as with OpenSSL 1.1.1."""

    server_hostname = None
    _sslobj = None


def refused(code: int, message: str = "some words") -> ssl.SSLCertVerificationError:
    """Return what Python raises for a certificate."""
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] ...")
    error.verify_code = code
    error.verify_message = message
    return error


def failed(reason: str) -> ssl.SSLError:
    """Return what Python raises for a failure of the protocol."""
    error = ssl.SSLError(1, f"[SSL: {reason}] {reason.lower().replace('_', ' ')} (_ssl.c:992)")
    error.reason = reason
    return error


@pytest.mark.parametrize("code", sorted(_CERTIFICATE_REASONS))
def test_every_reason_for_a_certificate_makes_a_sentence(code):
    """Also when nothing of the certificate can be shown."""
    error = explain_handshake(refused(code), _Silent(), "mx, port 465")
    assert isinstance(error, CertificateError)
    start = "TLS certificate verification failed: the certificate of mx, port 465 "
    assert str(error).startswith(start)
    assert not re.search(r"[{}]|  |None", str(error) + error.advice)
    assert error.advice


def test_a_certificate_refused_for_an_unknown_reason_shows_openssls_words():
    """A reason of a later OpenSSL is not hidden; nothing in it is taken for a placeholder."""
    error = explain_handshake(refused(999, "new\n{trouble}"), _Silent(), "mx")
    assert str(error).endswith("the certificate of mx is not valid: new\\x0a{trouble}")


@pytest.mark.parametrize(("reason", "problem"), [
    (reason, problem) for reasons, problem, _ in _TLS_REASONS for reason in reasons
])  # fmt: skip
def test_every_reason_for_a_failure_makes_a_sentence(reason, problem):
    """Each constant of OpenSSL that has a row is said in the words of that row."""
    error = explain_tls(failed(reason), "mx", "TLS handshake failed")
    assert str(error) == f"TLS handshake failed: mx {problem}"
    assert error.advice


def test_no_reason_has_two_rows():
    """The first row would hide the second."""
    reasons = [reason for row in _TLS_REASONS for reason in row[0]]
    assert len(reasons) == len(set(reasons))


def test_a_failure_for_an_unknown_reason_shows_openssls_words():
    """A reason of a later OpenSSL is not hidden."""
    error = explain_tls(failed("QUITE_NEW_TROUBLE"), "mx", "network read error")
    assert str(error) == "network read error: mx: quite new trouble"
    error = explain_tls(ssl.SSLError("no\nreason"), "mx", "network read error")
    assert str(error).isprintable()
