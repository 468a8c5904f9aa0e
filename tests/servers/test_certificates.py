"""Whom msmtp trusts: Postfix with good and bad certificates, and Postfix asking for ours."""

import subprocess

import pytest

from servers.certificates import NAME
from servers.mails import HEADER, behind_trace

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.fixture
def settings(postfix, certificates):
    """Return a function that gives the keywords for a service with implicit TLS."""

    def make(service, **change):
        return {
            "host": "localhost",
            "port": postfix.ports[service],
            "tls": "on",
            "tls_starttls": "off",
            "tls_trust_file": certificates.authority,
        } | change

    return make


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("wrong-name", "localhost"),
        ("expired", "expired"),
        ("stranger", "certificate"),
    ],
)
def test_bad_certificate_ends_the_session(postfix, client, settings, service, words):
    """Nothing is sent to who cannot prove who he is; the reason is named; exit code 69."""
    result = client.send(settings(service), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "TLS certificate verification failed" in result.errors
    assert words in result.errors
    assert postfix.session() == {}


@pytest.mark.parametrize("service", ["submissions", "submission"])
def test_unknown_authority_ends_the_session_before_the_login(
    postfix, client, settings, certificates, login_settings, service
):
    """The system's trust store does not know the tests' authority, so no password goes out."""
    account = settings(
        service,
        tls_trust_file="system",
        tls_starttls="on" if service == "submission" else "off",
    )

    result = client.send(account | login_settings, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "TLS certificate verification failed" in result.errors
    assert "auth" not in postfix.session()
    assert certificates.authority.exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_name_and_both_addresses_can_be_proved(postfix, client, settings, login_settings, host):
    """A host that is given as an address must be an address in the certificate."""
    box = postfix.boxes.fresh()

    result = client.send(settings("submissions", host=host) | login_settings, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize(
    ("service", "name", "code"),
    [("wrong-name", "other.example.test", 0), ("open-tls", NAME, 0), ("wrong-name", NAME, 69)],
)
def test_expects_the_name_that_the_configuration_gives(
    postfix, client, settings, service, name, code
):
    """``tls_host_override`` is the name to prove, whatever host is connected to."""
    box = postfix.boxes.fresh()

    result = client.send(settings(service, tls_host_override=name), box, mail=MAIL)

    assert result.code == code, result
    if code == 0:
        assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("service", ["open-tls"])
def test_pinned_certificate_is_trusted_without_an_authority(
    postfix, client, settings, certificates, service
):
    """The right fingerprint takes the place of every other check."""
    box = postfix.boxes.fresh()
    pinned = {"tls_trust_file": "system", "tls_fingerprint": certificates.fingerprint}

    result = client.send(settings(service) | pinned, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("service", ["wrong-name", "expired", "stranger"])
def test_other_certificate_than_the_pinned_is_refused(
    postfix, client, settings, certificates, service
):
    """Another certificate is refused and its fingerprint is shown, to be compared."""
    account = settings(service, tls_fingerprint=certificates.fingerprint)

    result = client.send(account, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    path = getattr(certificates, service.replace("-", "_"))
    shown = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip().partition("=")[2] in result.errors
    assert postfix.session() == {}


@pytest.mark.parametrize("service", ["wrong-name", "expired", "stranger"])
def test_checks_can_be_turned_off(postfix, client, settings, service):
    """``tls_certcheck off`` trusts anybody, because it was asked for in so many words."""
    box = postfix.boxes.fresh()
    trusting = {"tls_certcheck": "off", "tls_trust_file": ""}

    result = client.send(settings(service) | trusting, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_shows_its_own_certificate(postfix, client, settings, certificates):
    """A server that wants a certificate of the client gets it and lets it in."""
    box = postfix.boxes.fresh()
    own = {"tls_cert_file": certificates.client, "tls_key_file": certificates.client}

    result = client.send(settings("client-certificate") | own, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL
    postfix.log.wait_for("Trusted TLS connection established from localhost")


def test_says_that_a_certificate_of_ours_is_wanted(postfix, client, settings):
    """Without one the server ends the session, and what it says is passed on."""
    result = client.send(settings("client-certificate"), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 75, result
    assert "server message: 421 4.7.1" in result.errors
    assert "No client certificate presented" in result.errors


def test_speaks_tls_1_2_to_an_older_server(postfix, client, settings, login_settings):
    """A server without TLS 1.3 gets TLS 1.2, and a cipher with forward secrecy."""
    box = postfix.boxes.fresh()

    result = client.send(settings("tls12") | login_settings, box, mail=MAIL)

    assert result.code == 0, result
    assert postfix.log.wait_for(r"established from \S+ TLSv1\.2 with cipher (\S+)")[1].startswith(
        "ECDHE-"
    )


def test_refuses_a_server_that_has_nothing_better_than_tls_1_1(postfix, client, settings):
    """Attack: downgrade. What is older than TLS 1.2 is not spoken."""
    result = client.send(settings("tls11"), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert postfix.session() == {}


@pytest.mark.parametrize(
    ("priorities", "service", "version"),
    [
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "open-tls", r"TLSv1\.2"),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.3", "open-tls", r"TLSv1\.3"),
    ],
)
def test_obeys_the_priorities(postfix, client, settings, priorities, service, version):
    """A GnuTLS priority string decides on the version of TLS, as with msmtp."""
    account = settings(service, tls_priorities=priorities)

    result = client.send(account, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    postfix.log.wait_for(rf"TLS connection established from \S+ {version} ")


def test_says_when_tls_is_spoken_to_a_port_without(postfix, client, settings):
    """TLS from the start to a server that greets in clear is told apart from a bad certificate."""
    result = client.send(settings("open"), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "tls_starttls" in result.errors


def test_does_without_no_starttls(postfix, client, settings):
    """Attack: a server, or somebody before it, that hides STARTTLS gets no mail."""
    result = client.send(settings("open", tls_starttls="on"), postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "mail" not in postfix.session()


def test_says_when_a_clear_connection_meets_tls(postfix, client, settings, login_settings):
    """A port with implicit TLS, where nobody greets us, is found out and named."""
    account = settings("open-tls", tls_starttls="on", timeout="2")

    result = client.send(account | login_settings, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 69, result
    assert "tls_starttls off" in result.errors
    assert "auth" not in postfix.session()
