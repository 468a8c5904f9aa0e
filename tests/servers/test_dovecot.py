"""Dovecot: LMTP over TCP, TLS and a unix socket, a reply for each recipient; submission."""

import pytest

from servers.dovecot import PASSWORD, USER
from servers.mails import HEADER, SOME_MAILS, behind_trace, large_mail

MAIL = HEADER + b"Subject: x\n\nHello.\n"
WAYS = ["tcp", "tls", "starttls", "socket"]


@pytest.fixture
def settings(dovecot, certificates):
    """Return a function that gives the keywords for a way to LMTP."""
    tls = {"tls": "on", "tls_trust_file": certificates.authority}
    ways = {
        "tcp": {"host": "127.0.0.1", "port": dovecot.ports["lmtp"]},
        "ipv6": {"host": "::1", "port": dovecot.ports["lmtp"]},
        "starttls": {"host": "localhost", "port": dovecot.ports["lmtp"]} | tls,
        "tls": {"host": "localhost", "port": dovecot.ports["lmtps"], "tls_starttls": "off"} | tls,
        "socket": {"socket": dovecot.lmtp_socket},
    }
    return lambda way: {"protocol": "lmtp"} | ways[way]


@pytest.mark.parametrize("way", [*WAYS, "ipv6"])
def test_delivers_over_lmtp(dovecot, client, settings, way):
    """A mail to three mailboxes has three replies, and all three have it."""
    boxes = [dovecot.boxes.fresh() for _ in range(3)]

    result = client.send(settings(way), *boxes, mail=MAIL)

    assert result.code == 0, result
    for box in boxes:
        assert behind_trace(dovecot.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("name", SOME_MAILS)
def test_arrives_unchanged(dovecot, client, settings, name):
    """Octet for octet, as with SMTP."""
    given, expected = SOME_MAILS[name]
    box = dovecot.boxes.fresh()

    result = client.send(settings("socket"), box, mail=given)

    assert result.code == 0, result
    assert behind_trace(dovecot.boxes.mail(box)) == expected


@pytest.mark.parametrize(("way", "megabytes"), [("tls", 3), ("socket", 30)])
def test_many_megabytes_arrive_unchanged(dovecot, client, settings, way, megabytes):
    """So does a large mail."""
    mail = large_mail(megabytes << 20)
    box = dovecot.boxes.fresh()

    result = client.send(settings(way), box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(dovecot.boxes.mail(box)) == mail


@pytest.mark.parametrize("way", WAYS)
def test_unknown_user_does_not_fail_the_others(dovecot, client, settings, way):
    """A recipient refused at RCPT has no reply behind the content; the others are counted right."""
    boxes = [dovecot.boxes.fresh(), dovecot.boxes.fresh()]

    result = client.send(settings(way), boxes[0], "nobody@example.test", boxes[1], mail=MAIL)

    assert result.code == 67, result
    assert "recipient address nobody@example.test not accepted by the server" in result.errors
    assert "server message: 550 5.1.1" in result.errors
    for box in boxes:
        assert behind_trace(dovecot.boxes.mail(box)) == MAIL
        assert box not in result.errors


@pytest.mark.parametrize("way", ["tcp", "socket"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_full_mailbox_does_not_fail_the_others(dovecot, client, settings, way, place):
    """Only the reply behind the content tells who has no room; it is that recipient's alone."""
    boxes = [dovecot.boxes.fresh(), dovecot.boxes.fresh()]
    recipients = [*boxes[:place], dovecot.full, *boxes[place:]]

    result = client.send(settings(way), *recipients, mail=MAIL)

    assert result.code == 67, result
    assert f"the server did not accept the mail for {dovecot.full}" in result.errors
    assert "server message: 552 5.2.2" in result.errors
    for box in boxes:
        assert behind_trace(dovecot.boxes.mail(box)) == MAIL
        assert box not in result.errors


def test_smtp_is_not_spoken_to_an_lmtp_server(dovecot, client, settings):
    """A forgotten ``protocol lmtp`` ends in the server's own words."""
    account = settings("tcp")
    del account["protocol"]

    result = client.send(account, dovecot.boxes.fresh(), mail=MAIL)

    assert result.code != 0, result
    assert "server message: 5" in result.errors


@pytest.mark.parametrize("mechanism", ["on", "plain", "scram-sha-256"])
@pytest.mark.parametrize(("service", "starttls"), [("submission", "on"), ("submissions", "off")])
def test_submits_through_dovecot(
    submission, postfix, client, certificates, service, starttls, mechanism
):
    """Dovecot's submission server logs us in and hands the mail to Postfix behind it."""
    box = postfix.boxes.fresh()
    account = {
        "host": "localhost",
        "port": submission.ports[service],
        "tls": "on",
        "tls_starttls": starttls,
        "tls_trust_file": certificates.authority,
        "auth": mechanism,
        "user": USER,
        "password": PASSWORD,
    }

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_refusal_comes_through_dovecot(submission, postfix, client, certificates):
    """What the server behind it refuses is refused to us, recipient by recipient."""
    box = postfix.boxes.fresh()
    account = {
        "host": "localhost",
        "port": submission.ports["submissions"],
        "tls": "on",
        "tls_starttls": "off",
        "tls_trust_file": certificates.authority,
        "auth": "on",
        "user": USER,
        "password": PASSWORD,
    }

    result = client.send(account, "nobody@example.test", box, mail=MAIL)

    assert result.code == 67, result
    assert "recipient address nobody@example.test not accepted by the server" in result.errors
    assert behind_trace(postfix.boxes.mail(box)) == MAIL
