"""The ways to a server: IPv6, a unix socket, a source address, a proxy."""

import pytest

from servers.mails import HEADER, behind_trace

MAIL = HEADER + b"Subject: x\n\nHello.\n"


@pytest.mark.parametrize(
    ("host", "peer"),
    [("127.0.0.1", r"127\.0\.0\.1"), ("::1", "::1"), ("localhost", r"127\.0\.0\.1|::1")],
)
def test_reaches_both_address_families(postfix, client, host, peer):
    """An IPv6 address is a host like any other."""
    box = postfix.boxes.fresh()

    result = client.send({"host": host, "port": postfix.ports["open"]}, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL
    postfix.log.wait_for(rf"smtpd.*: connect from \S+\[({peer})\]")


@pytest.mark.parametrize("host", [None, "mail.example.test"])
def test_speaks_smtp_over_a_unix_socket(postfix, client, host):
    """``socket`` takes the place of host and port."""
    box = postfix.boxes.fresh()
    named = {"host": host} if host else {}

    result = client.send({"socket": postfix.socket} | named, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_secures_a_unix_socket(postfix, client, certificates):
    """TLS over a unix socket needs the name to check, and then is like any other."""
    box = postfix.boxes.fresh()
    secured = {
        "socket": postfix.secured_socket,
        "tls": "on",
        "tls_starttls": "off",
        "tls_trust_file": certificates.authority,
        "tls_host_override": "mail.example.test",
    }

    result = client.send(secured, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL
    postfix.log.wait_for(r"TLS connection established .*TLSv1\.3")


def test_names_a_socket_where_nobody_listens(client, tmp_path):
    """A missing socket is worth trying again, and the message has its path."""
    result = client.send({"socket": tmp_path / "none"}, "box@example.test", mail=MAIL)

    assert result.code == 75, result
    assert str(tmp_path / "none") in result.errors


@pytest.mark.parametrize(
    ("host", "source"),
    [("127.0.0.1", "127.0.0.2"), ("127.0.0.1", "127.1.2.3"), ("::1", "::1")],
)
def test_connects_from_the_source_address(postfix, client, host, source):
    """``source_ip`` is where the server sees us."""
    box = postfix.boxes.fresh()
    account = {"host": host, "port": postfix.ports["open"], "source_ip": source}

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    postfix.log.wait_for(rf": client=\S+\[{source}\]")


@pytest.mark.parametrize(
    ("host", "kind"), [("mail.nowhere.invalid", 3), ("127.0.0.1", 1), ("::1", 4)]
)
def test_goes_through_a_proxy(postfix, client, socks, host, kind):
    """A name is handed to the proxy unresolved; it need not exist here."""
    box = postfix.boxes.fresh()
    port = postfix.ports["open"]
    account = {"host": host, "port": port, "proxy_host": "127.0.0.1", "proxy_port": socks.port}

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL
    assert socks.asked == [(kind, host, port)]


def test_starts_tls_behind_a_proxy(postfix, client, certificates, socks, login_settings):
    """The certificate is checked for the host's name, not for the proxy's."""
    box = postfix.boxes.fresh()
    account = {
        "host": "mail.example.test",
        "port": postfix.ports["submission"],
        "proxy_host": "127.0.0.1",
        "proxy_port": socks.port,
        "tls": "on",
        "tls_trust_file": certificates.authority,
    }

    result = client.send(account | login_settings, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


@pytest.mark.parametrize("refusal", [1, 2, 4, 5])
def test_tells_of_a_proxy_that_refuses(postfix, client, socks, refusal):
    """The proxy's answer is a failure to connect, and the message names the proxy."""
    socks.refusal = refusal
    account = {
        "host": "127.0.0.1",
        "port": postfix.ports["open"],
        "proxy_host": "127.0.0.1",
        "proxy_port": socks.port,
    }

    result = client.send(account, postfix.boxes.fresh(), mail=MAIL)

    assert result.code == 75, result
    assert "proxy" in result.errors
    assert postfix.connections() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_goes_through_microsocks(postfix, client, microsocks, host):
    """A real proxy does as ours."""
    box = postfix.boxes.fresh()
    account = {
        "host": host,
        "port": postfix.ports["open"],
        "proxy_host": "127.0.0.1",
        "proxy_port": microsocks.port,
    }

    result = client.send(account, box, mail=MAIL)

    assert result.code == 0, result
    assert behind_trace(postfix.boxes.mail(box)) == MAIL


def test_tells_of_a_proxy_that_cannot_connect(postfix, client, microsocks):
    """A port where nobody listens is worth trying again."""
    postfix.log.mark()
    account = {
        "host": "127.0.0.1",
        "port": 1,
        "proxy_host": "127.0.0.1",
        "proxy_port": microsocks.port,
    }

    result = client.send(account, "box@example.test", mail=MAIL)

    assert result.code == 75, result
    assert "proxy" in result.errors
