"""
Logins that are bound to the TLS connection, with Cyrus, which offers SCRAM-SHA-*-PLUS.

It binds to ``tls-unique``, which exists under TLS 1.2 only.
"""

import pytest

from servers.cyrus import USER, Relay
from servers.dovecot import PASSWORD
from servers.mails import HEADER, behind_trace

TLS_1_2 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"


@pytest.fixture
def settings(cyrus, certificates):
    """Give the keywords of an account there, under TLS 1.2."""
    return {
        "host": "localhost",
        "port": cyrus.port,
        "protocol": "lmtp",
        "tls": "on",
        "tls_trust_file": certificates.authority,
        "tls_priorities": TLS_1_2,
        "auth": "on",
        "user": USER,
        "password": PASSWORD,
    }


@pytest.fixture
def mail(request):
    """Give a mail that is not like another, and what makes it so."""
    name = request.node.name.encode().hex().encode()
    return HEADER.replace(b"test.1", name) + b"Subject: x\n\nHello.\n", name


@pytest.mark.parametrize(
    "mechanism",
    ["scram-sha-256-plus", "scram-sha-1-plus", "scram-sha-256", "scram-sha-1", "plain", "on"],
)
def test_logs_in(cyrus, client, settings, mail, mechanism):
    """A server written by others agrees on the binding, and on everything else."""
    given, name = mail

    result = client.send(settings | {"auth": mechanism}, "box001", mail=given)

    assert result.code == 0, result
    assert behind_trace(cyrus.mail_with(name)) == given


def test_chooses_a_bound_login_by_itself(client, settings):
    """Where it can be bound it is; a refusal names the mechanism."""
    wrong = {"password": "not the password"}

    result = client.send(settings | wrong, "box001", mail=HEADER + b"\n")

    assert result.code == 77, result
    assert "authentication failed (method SCRAM-SHA-256-PLUS)" in result.errors


def test_chooses_another_login_under_tls_1_3(cyrus, client, settings, mail):
    """Python has no binding for TLS 1.3, so SCRAM-SHA-256 is the best that is left."""
    given, name = mail
    del settings["tls_priorities"]

    refused = client.send(settings | {"password": "wrong"}, "box001", mail=given)
    result = client.send(settings, "box001", mail=given)

    assert "authentication failed (method SCRAM-SHA-256)" in refused.errors
    assert result.code == 0, result
    assert behind_trace(cyrus.mail_with(name)) == given


def test_says_why_a_login_cannot_be_bound(client, settings):
    """A bound login asked for by name under TLS 1.3 is not replaced by another in silence."""
    del settings["tls_priorities"]

    result = client.send(settings | {"auth": "scram-sha-256-plus"}, "box001", mail=HEADER + b"\n")

    assert result.code == 69, result
    assert "use scram-sha-256" in result.errors


@pytest.mark.parametrize(
    ("mechanism", "hidden", "code"),
    [
        # What is not bound passes: he can do with the session as he likes.
        ("scram-sha-256", b"", 0),
        ("scram-sha-256-plus", b"", 77),
        ("scram-sha-1-plus", b"", 77),
        ("on", b"", 77),
        # He hides that the server could bind: we say that we could, and the server sees through.
        ("on", b"SCRAM-SHA-256-PLUS ", 77),
        ("scram-sha-256-plus", b"SCRAM-SHA-256-PLUS ", 69),
    ],
)
def test_login_does_not_pass_through_somebody_in_the_middle(
    cyrus, client, settings, certificates, mechanism, hidden, code
):
    """Attack: relay with a certificate that we trust, with and without hiding the binding."""
    relay = Relay(certificates, cyrus.port, hidden)
    try:
        account = settings | {"port": relay.port, "auth": mechanism}

        result = client.send(account, "box001", mail=HEADER + b"\n")

        assert result.code == code, result
    finally:
        relay.stop()


def test_login_does_not_pass_when_every_binding_is_hidden(cyrus, client, settings, certificates):
    """Attack: all -PLUS mechanisms hidden. SCRAM says what it could have done, so it fails."""
    relay = Relay(certificates, cyrus.port, b"-PLUS")
    try:
        result = client.send(settings | {"port": relay.port}, "box001", mail=HEADER + b"\n")

        assert result.code == 77, result
        assert "authentication failed (method SCRAM-SHA-256)" in result.errors
    finally:
        relay.stop()
