"""Exim: other logins, other replies, other habits than Postfix."""

import pytest

from servers.dovecot import PASSWORD, USER
from servers.mails import HEADER, SOME_MAILS, behind_trace, large_mail

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.fixture
def settings(exim, certificates):
    """Return a function that gives the keywords for a service and the settings on top."""
    tls = {"tls": "on", "tls_trust_file": certificates.authority}
    starttls = {"open": {}, "no-chunking": {}, "small": {}, "starttls": tls}

    def make(service, **more):
        way = starttls.get(service, tls | {"tls_starttls": "off"})
        return {"host": "localhost", "port": exim.ports[service]} | way | more

    return make


@pytest.mark.parametrize("service", ["open", "no-chunking"])
@pytest.mark.parametrize("name", SOME_MAILS)
def test_arrives_unchanged(exim, client, settings, name, service):
    """Octet for octet, with BDAT and with DATA."""
    given, expected = SOME_MAILS[name]
    box = exim.boxes.fresh()

    result = client.send(settings(service), box, mail=given)

    assert result.code == 0, result
    assert behind_trace(exim.boxes.mail(box)) == expected


@pytest.mark.parametrize(("service", "megabytes"), [("open", 30), ("no-chunking", 3)])
def test_many_megabytes_arrive_unchanged(exim, client, settings, service, megabytes):
    """So does a large mail."""
    mail = large_mail(megabytes << 20)
    box = exim.boxes.fresh()

    result = client.send(settings(service), box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(exim.boxes.mail(box)) == mail


@pytest.fixture
def ntlm(client):
    """Let NTLM answer as it did before Windows 2000: Exim knows no later answer."""
    pytest.importorskip("spnego", reason="NTLM needs pyspnego, of the extra 'kerberos'")
    client.environment["LM_COMPAT_LEVEL"] = "0"


@pytest.mark.parametrize("service", ["starttls", "tls"])
@pytest.mark.usefixtures("ntlm")
def test_logs_in_with_ntlm(exim, client, settings, service):
    """NTLM works by name, with the package of its extra."""
    account = settings(service, auth="ntlm", user=USER, password=PASSWORD)

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    exim.log.wait_for(rf" <= alice@example\.test .* A=NTLM:{USER} ")


@pytest.mark.usefixtures("ntlm")
def test_reports_a_refused_login_with_ntlm(exim, client, settings):
    """A wrong password is a wrong password there, too."""
    account = settings("tls", auth="ntlm", user=USER, password="not the password")

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 77, result
    assert "authentication failed (method NTLM)" in result.errors
    assert "not the password" not in result.errors


@pytest.mark.parametrize("service", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("mechanism", "used"),
    [
        ("on", "SCRAM_SHA_256"),
        ("plain", "PLAIN"),
        ("login", "LOGIN"),
        ("cram-md5", "CRAM_MD5"),
        ("scram-sha-1", "SCRAM_SHA_1"),
        ("scram-sha-256", "SCRAM_SHA_256"),
    ],
)
def test_logs_in(exim, client, settings, service, mechanism, used):
    """Each of Exim's own drivers, and Dovecot's behind it, takes our login."""
    box = exim.boxes.fresh()
    account = settings(service, auth=mechanism, user=USER, password=PASSWORD)

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(exim.boxes.mail(box)) == MAIL
    exim.log.wait_for(rf" <= alice@example\.test .* A={used}:{USER} ")


def test_logs_in_with_a_client_certificate(exim, client, settings, certificates):
    """EXTERNAL: the certificate is the login, and no password is needed."""
    box = exim.boxes.fresh()
    account = settings(
        "client-certificate",
        auth="external",
        user=USER,
        tls_cert_file=certificates.client,
        tls_key_file=certificates.client,
    )

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(exim.boxes.mail(box)) == MAIL
    exim.log.wait_for(rf" A=EXTERNAL:{USER} ")


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5", "scram-sha-256"])
def test_reports_a_refused_login(exim, client, settings, mechanism):
    """A wrong password is exit code 77, whichever driver finds out."""
    account = settings("tls", auth=mechanism, user=USER, password="not the password")

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 77, result
    assert f"authentication failed (method {mechanism.upper()})" in result.errors
    assert "server message: 535" in result.errors
    assert "not the password" not in result.errors


@pytest.mark.parametrize("service", ["open", "no-chunking"])
@pytest.mark.parametrize(
    ("refused", "code", "words"),
    [
        ("nobody@example.test", 67, "server message: 550"),
        ("somebody@elsewhere.invalid", 67, "server message: 550"),
        ("later@example.test", 75, "server message: 451 4.2.0 come back later"),
    ],
)
def test_one_refused_recipient_does_not_fail_the_others(
    exim, client, settings, service, refused, code, words
):
    """The others get the mail; exit code and text tell of the one who did not."""
    boxes = [exim.boxes.fresh(), exim.boxes.fresh()]

    result = client.send(settings(service), boxes[0], refused, boxes[1], mail=MAIL)

    assert result.code == code, result
    assert f"recipient address {refused} not accepted by the server" in result.errors
    assert words in result.errors
    for box in boxes:
        assert behind_trace(exim.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("service", ["open", "no-chunking"])
def test_refused_sender(exim, client, settings, service):
    """Exim refuses a sender at MAIL: exit code 65, and the text names the sender."""
    account = settings(service) | {"from": "mallory@example.test"}

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 65, result
    assert "envelope from address mallory@example.test not accepted" in result.errors
    assert "server message: 550 5.7.1 you are not mallory" in result.errors


@pytest.mark.parametrize("service", ["open", "no-chunking"])
def test_refused_content(exim, client, settings, service):
    """A mail refused behind its content is refused for good."""
    result = client.send(settings(service), exim.boxes.fresh(), mail=b"X-Refuse: yes\n" + MAIL)

    assert result.code == 65, result
    assert "server message: 550 5.7.1 refused by the test" in result.errors


def test_login_wanted(exim, client, settings):
    """A server that wants a login says so at RCPT, and the text passes it on."""
    result = client.send(settings("tls"), exim.boxes.fresh(), mail=MAIL)

    assert result.code == 67, result
    assert "5.7.0 log in first" in result.errors


@pytest.mark.parametrize("size", [3000, 1_000_000])
def test_too_large(exim, client, settings, tmp_path, size):
    """Exim tells its limit, and nothing is sent to it in vain."""
    source = tmp_path / "mail"
    source.write_bytes(HEADER + b"\n" + b"0123456789abcde\n" * (size // 16))

    result = client.send(settings("small"), exim.boxes.fresh(), mail=source)

    assert result.code == 65, result
    assert "the server takes 2000" in result.errors


def test_needs_one_connection_with_tls_1_3(exim, client, settings):
    """GnuTLS on the other side agrees on TLS 1.3, too."""
    account = settings("tls", auth="on", user=USER, password=PASSWORD)

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    exim.log.wait_for(r" <= alice@example\.test .* X=TLS1\.3:")
    assert exim.log.text().count("TCP/IP connection count") == 1


def test_tls_1_2(exim, client, settings):
    """And on TLS 1.2, when it has no more."""
    account = settings("tls12", auth="on", user=USER, password=PASSWORD)

    result = client.send(account, exim.boxes.fresh(), mail=MAIL)

    assert result.code == 0, result
    exim.log.wait_for(r" <= alice@example\.test .* X=TLS1\.2:ECDHE_")
