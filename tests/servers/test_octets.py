"""What arrives is what was sent, octet for octet, through Postfix, with BDAT and with DATA."""

import pytest

from servers.mails import HEADER, MAILS, behind_trace, large_mail

# The service, and the command that carries the content there.
SERVICES = {"open": "bdat", "neither": "data", "no-chunking": "data"}


@pytest.fixture
def settings(postfix):
    """Return a function that gives the keywords for a service."""
    return lambda service: {"host": "127.0.0.1", "port": postfix.ports[service]}


@pytest.mark.parametrize("service", ["open", "no-chunking"])
@pytest.mark.parametrize("name", MAILS)
def test_arrives_unchanged(postfix, client, settings, name, service):
    """Nothing is added, dropped, folded, split or re-encoded on the way."""
    given, expected = MAILS[name]
    box = postfix.boxes.fresh()

    result = client.send(settings(service), box, mail=given)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == expected
    assert SERVICES[service] in postfix.session()


@pytest.mark.parametrize("service", ["open", "neither"])
@pytest.mark.parametrize("length", [999, 1000, 2048, 2049, 65_536, 300_000])
def test_long_lines_arrive_whole(postfix, client, settings, length, service):
    """A line longer than the standard's 998 octets is the sender's affair; it is not cut."""
    mail = HEADER + b"\n." + b"x" * (length - 1) + b"\n.\n"
    box = postfix.boxes.fresh()

    result = client.send(settings(service), box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == mail


@pytest.mark.parametrize("is_file", [False, True], ids=["pipe", "file"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_megabyte_arrives_unchanged(postfix, client, settings, tmp_path, service, is_file):
    """A body longer than every buffer arrives whole, from a pipe and from a file."""
    mail = large_mail(1 << 20)
    source = tmp_path / "mail"
    source.write_bytes(mail)
    box = postfix.boxes.fresh()

    result = client.send(settings(service), box, mail=source if is_file else mail)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == mail


@pytest.mark.parametrize("service", ["open", "neither"])
def test_thirty_megabytes_arrive_unchanged(postfix, client, settings, service):
    """So does a mail that no buffer could hold."""
    mail = large_mail(30 << 20)
    box = postfix.boxes.fresh()

    result = client.send(settings(service), box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == mail


@pytest.mark.parametrize("service", ["submissions", "submission-data"])
def test_thirty_megabytes_arrive_unchanged_through_tls(
    postfix, client, settings, certificates, service, login_settings
):
    """TLS changes nothing of it."""
    mail = large_mail(30 << 20, seed=8)
    box = postfix.boxes.fresh()
    tls = {"tls": "on", "tls_starttls": "off" if service == "submissions" else "on"}
    account = settings(service) | login_settings | tls | {"tls_trust_file": certificates.authority}

    result = client.send(account, box, mail=mail)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == mail


def test_adds_what_the_header_lacks(postfix, client, settings):
    """A mail of a subject and a text gets From, Date and Message-ID in front, and no To."""
    box = postfix.boxes.fresh()

    result = client.send(settings("open"), box, mail=b"Subject: x\n\nHello.\n")

    assert result.code == 0, result
    lines = behind_trace(postfix.boxes.mail(box)).splitlines()
    names = [line.partition(b":")[0] for line in lines]
    assert names == [b"From", b"Date", b"Message-ID", b"Subject", b"", b"Hello."]
    assert lines[0] == b"From: alice@example.test"


def test_removes_blind_copies(postfix, client, settings):
    """Those who got a blind copy got one, and nobody is told of them."""
    box, hidden = postfix.boxes.fresh(), postfix.boxes.fresh()
    mail = f"To: {box}\nBcc: {hidden}\nSubject: x\n\nHello.\n"

    result = client.send(settings("open"), "-t", mail=mail.encode())

    assert result.code == 0, result
    for address in (box, hidden):
        assert hidden.encode() not in behind_trace(postfix.boxes.mail(address))
