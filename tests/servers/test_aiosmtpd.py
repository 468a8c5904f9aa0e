"""aiosmtpd: what comes over the wire, seen as it comes."""

import pytest

from servers.dovecot import PASSWORD, USER
from servers.mails import HEADER, MAILS, SOME_MAILS, large_mail

aiosmtp = pytest.importorskip(
    "servers.aiosmtp", reason="aiosmtpd, of the extra 'test', is not installed"
)

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.fixture(scope="module", params=["starttls", "implicit"])
def server(request, certificates):
    """Give a running aiosmtpd, with STARTTLS and with implicit TLS."""
    running = aiosmtp.Aiosmtpd(certificates, is_implicit=request.param == "implicit")
    running.kind = request.param
    yield running
    running.stop()


@pytest.fixture
def settings(server, certificates):
    """Give the keywords of an account there; what was kept before is forgotten."""
    server.envelopes.clear()
    return {
        "host": "localhost",
        "port": server.port,
        "tls": "on",
        "tls_starttls": "on" if server.kind == "starttls" else "off",
        "tls_trust_file": certificates.authority,
        "auth": "on",
        "user": USER,
        "password": PASSWORD,
    }


@pytest.mark.parametrize("name", [*SOME_MAILS, "NUL", "bare CR", "CRLF"])
def test_goes_out_in_wire_form(server, client, settings, name):
    """Every line ends in CRLF and no CR or LF stands anywhere else."""
    given, expected = MAILS[name]

    result = client.send(settings, "bob@example.test", mail=given)

    assert result.code == 0, result
    ((_, envelope),) = server.envelopes
    assert envelope.original_content == expected.replace(b"\n", b"\r\n")


def test_five_megabytes_go_out_in_wire_form(server, client, settings):
    """So does a large mail."""
    mail = large_mail(5 << 20)

    result = client.send(settings, "bob@example.test", mail=mail)

    assert result.code == 0, result
    ((_, envelope),) = server.envelopes
    assert envelope.original_content == mail.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("mechanism", "used"), [("on", "PLAIN"), ("plain", "PLAIN"), ("login", "LOGIN")]
)
def test_logs_in(server, client, settings, mechanism, used):
    """Both mechanisms that it has work."""
    result = client.send(settings | {"auth": mechanism}, "bob@example.test", mail=MAIL)

    assert result.code == 0, result
    ((session, _),) = server.envelopes
    assert session.auth_data == used


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_reports_a_refused_login(server, client, settings, mechanism):
    """A wrong password is exit code 77."""
    wrong = {"auth": mechanism, "password": "not the password"}

    result = client.send(settings | wrong, "bob@example.test", mail=MAIL)

    assert result.code == 77, result
    assert "server message: 535 5.7.8" in result.errors
    assert server.envelopes == []


def test_one_refused_recipient_does_not_fail_the_others(server, client, settings):
    """Recipient by recipient, in their order."""
    recipients = ["a@example.test", "nobody@example.test", "b@example.test"]

    result = client.send(settings, *recipients, mail=MAIL)

    assert result.code == 67, result
    assert "recipient address nobody@example.test not accepted by the server" in result.errors
    ((_, envelope),) = server.envelopes
    assert envelope.rcpt_tos == ["a@example.test", "b@example.test"]


def test_says_what_the_mail_is_like(server, client, settings):
    """SMTPUTF8 for an address, BODY for the content, and the size."""
    mail = HEADER + "\nGrüße\n".encode()

    result = client.send(settings, "büro@example.test", mail=mail)

    assert result.code == 0, result
    ((_, envelope),) = server.envelopes
    size = len(mail.replace(b"\n", b"\r\n"))
    assert envelope.mail_options == [f"SIZE={size}", "BODY=8BITMIME", "SMTPUTF8"]
    assert envelope.rcpt_tos == ["büro@example.test"]


def test_too_long_a_line_is_told(certificates, client):
    """A server that refuses long lines does so in its own words, and the mail is given up."""
    strict = aiosmtp.Aiosmtpd(certificates, is_implicit=True, is_strict=True)
    try:
        account = {
            "host": "localhost",
            "port": strict.port,
            "tls": "on",
            "tls_starttls": "off",
            "tls_trust_file": certificates.authority,
            "auth": "on",
            "user": USER,
            "password": PASSWORD,
        }
        mail = HEADER + b"\n" + b"x" * 2000 + b"\n"

        result = client.send(account, "bob@example.test", mail=mail)

        assert result.code == 65, result
        assert "server message: 500 Line too long" in result.errors
        assert strict.envelopes == []
    finally:
        strict.stop()
