"""OpenSMTPD: no CHUNKING, no PIPELINING, PLAIN and LOGIN only, and reply codes of its own."""

import pytest

from servers.dovecot import PASSWORD, USER
from servers.mails import HEADER, MAILS, behind_trace, large_mail

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.fixture
def settings(opensmtpd, certificates):
    """Return a function that gives the keywords for a service and the settings on top."""
    tls = {"tls": "on", "tls_trust_file": certificates.authority}
    starttls = {"open": {}, "starttls": tls}

    def make(service, **more):
        way = starttls.get(service, tls | {"tls_starttls": "off"})
        return {"host": "localhost", "port": opensmtpd.ports[service]} | way | more

    return make


@pytest.mark.parametrize("name", MAILS)
def test_arrives_unchanged(opensmtpd, client, settings, name):
    """Octet for octet, through DATA."""
    given, expected = MAILS[name]
    box = opensmtpd.boxes.fresh()

    result = client.send(settings("open"), box, mail=given)

    assert result.code == 0, result
    assert behind_trace(opensmtpd.boxes.mail(box)) == expected


def test_thirty_megabytes_arrive_unchanged(opensmtpd, client, settings):
    """So does a large mail."""
    mail = large_mail(30 << 20)
    box = opensmtpd.boxes.fresh()

    result = client.send(settings("open"), box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(opensmtpd.boxes.mail(box)) == mail


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("nobody@example.test", "server message: 524 5.2.4"),
        ("somebody@elsewhere.invalid", "server message: 550"),
    ],
)
def test_one_refused_recipient_does_not_fail_the_others(
    opensmtpd, client, settings, refused, words
):
    """The others get the mail; exit code and text tell of the one who did not."""
    boxes = [opensmtpd.boxes.fresh(), opensmtpd.boxes.fresh()]

    result = client.send(settings("open"), boxes[0], refused, boxes[1], mail=MAIL)

    assert result.code == 67, result
    assert f"recipient address {refused} not accepted by the server" in result.errors
    assert words in result.errors
    for box in boxes:
        assert behind_trace(opensmtpd.boxes.mail(box)) == MAIL


def test_too_large(opensmtpd, client, settings, tmp_path):
    """The limit is known before a word of the mail is sent."""
    source = tmp_path / "mail"
    source.write_bytes(HEADER + b"\n" + b"x" * opensmtpd.limit)

    result = client.send(settings("open"), opensmtpd.boxes.fresh(), mail=source)

    assert result.code == 65, result
    assert f"the server takes {opensmtpd.limit}" in result.errors


@pytest.mark.parametrize("service", ["starttls", "tls"])
@pytest.mark.parametrize("mechanism", ["plain", "login", "on"])
def test_logs_in_or_says_that_the_server_has_failed(
    opensmtpd, client, settings, service, mechanism
):
    """A server that breaks the handshake off has failed, and not its certificate or our login."""
    box = opensmtpd.boxes.fresh()
    account = settings(service, auth=mechanism, user=USER, password=PASSWORD)

    result = client.send(account, box, mail=MAIL)

    if opensmtpd.has_tls:
        assert result.code == 0, result
        assert behind_trace(opensmtpd.boxes.mail(box)) == MAIL
    else:
        assert result.code == 69, result
        assert "TLS handshake failed" in result.errors
        assert "alert: internal error" in result.errors


def test_ten_recipients_take_one_connection(opensmtpd, client, settings):
    """Command by command, as the server offers no PIPELINING."""
    boxes = [opensmtpd.boxes.fresh() for _ in range(10)]

    result = client.send(settings("open"), *boxes, mail=MAIL)

    assert result.code == 0, result
    for box in boxes:
        assert behind_trace(opensmtpd.boxes.mail(box)) == MAIL
    opensmtpd.log.wait_for("smtp disconnected reason=quit")
    assert opensmtpd.log.text().count("smtp connected address=") == 1
