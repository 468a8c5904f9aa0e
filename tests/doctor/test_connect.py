"""The way to the port: what fails there gets its name, and a fix that was tried before."""

from __future__ import annotations

import contextlib
import copy
import itertools
import socket
import ssl
import threading

import pytest
import trustme

from patients import findings_of, one_finding, patient_of
from pillarbox.config.providers import Endpoint, load_providers, provider_of_host
from pillarbox.delivery.probe_ports import FORBIDDEN, OPEN, TIMEOUT, UNREACHABLE, PortAnswer
from pillarbox.delivery.route import Route
from pillarbox.doctor import connect_failed
from pillarbox.doctor.connect import CODES, check_connect
from pillarbox.doctor.finding import FAULT, WARNING
from pillarbox.errors import NetworkError
from servers.socks import Socks
from speakers import Speaker, answers, closed_port, full_port, hangs_up, says, smtp

SHORT_S = 0.4  # where the end of the patience is waited for
MIDDLE_S = 2.0  # the same, with a handshake before it
LONG_S = 5.0

PLAIN = "auth off\ntls off\n"
STARTTLS = "auth off\ntls on\ntls_starttls on\n"
IMPLICIT = "auth off\ntls on\ntls_starttls off\n"
BANNER = b"220 here ESMTP\r\n"


@pytest.fixture(autouse=True)
def _own_ports(monkeypatch):
    """Keep what this machine has on its own mail ports out of the tests."""
    monkeypatch.setattr(connect_failed, "SUBMISSION_PORTS", ())


@pytest.fixture(scope="module")
def context():
    """Return what a server needs for TLS; nobody trusts it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example").configure_cert(made)
    return made


def patient_at(folder, port, lines=PLAIN, **options):
    """Return a patient whose server is on loopback, and whose addresses are known."""
    options = {"host": "localhost", "patience_s": LONG_S} | options
    patient = patient_of(folder, port=port, lines=lines, **options)
    patient.addresses = ("127.0.0.1",)
    return patient


def find(patient):
    """Return the one finding."""
    finding = one_finding(check_connect, patient)
    assert finding.code in CODES
    assert finding.fix
    return finding


def serving(patient, *rows):
    """Make the host that of a provider with these ports, each with its kind of TLS."""
    provider = copy.copy(load_providers()[0])
    host = patient.host
    facts = {"preferred": False, "note": "", "confidence": "S"}
    provider.endpoints = tuple(
        Endpoint(facts | {"host": host, "port": port, "tls": tls}) for port, tls in rows
    )
    patient.provider = provider
    return patient


# -- healthy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [PLAIN, STARTTLS])
def test_finds_nothing_where_smtp_greets(tmp_path, lines):
    """The server speaks first; it is told goodbye, and no second connection is made."""
    heard = []

    def talk(connection):
        connection.sendall(BANNER)
        heard.append(connection.recv(100))

    with Speaker(talk) as server:
        assert findings_of(check_connect, patient_at(tmp_path, server.port, lines)) == []
        assert server.connections == 1
    assert heard == [b""]


def test_finds_nothing_where_tls_comes_first(tmp_path, context):
    """Whom the certificate is for does not matter here."""
    with Speaker(says(BANNER), context) as server:
        assert findings_of(check_connect, patient_at(tmp_path, server.port, IMPLICIT)) == []


def test_finds_nothing_with_a_greeting_in_pieces(tmp_path):
    """A greeting of several lines may come in several packets."""

    def talk(connection):
        for piece in (b"220-he", b"re\r\n220-no spam\r\n", b"220 ESMTP\r\n"):
            connection.sendall(piece)
        connection.recv(1)

    with Speaker(talk) as server:
        assert findings_of(check_connect, patient_at(tmp_path, server.port)) == []


def test_finds_nothing_over_ipv6(tmp_path):
    """An address is as good as a name."""
    with Speaker(says(BANNER), host="::1") as server:
        patient = patient_at(tmp_path, server.port, host="::1")
        patient.addresses = ("::1",)
        assert findings_of(check_connect, patient) == []


def test_finds_nothing_through_a_proxy(tmp_path):
    """The proxy connects, and the server behind it greets."""
    proxy = Socks()
    try:
        with Speaker(says(BANNER)) as server:
            lines = f"{PLAIN}proxy_host 127.0.0.1\nproxy_port {proxy.port}\n"
            patient = patient_at(tmp_path, server.port, lines, host="mail.example")
            assert findings_of(check_connect, patient) == []
    finally:
        proxy.stop()
    assert proxy.asked == [(3, "mail.example", server.port)]


def test_finds_nothing_at_a_socket(tmp_path):
    """A unix socket has no port to look at."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with _greeting(listener, BANNER):
            patient = patient_of(tmp_path, socket=path, lines=PLAIN, patience_s=LONG_S)
            assert findings_of(check_connect, patient) == []


@contextlib.contextmanager
def _greeting(listener, words):
    """Greet one connection with some words."""

    def greet():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(words)
            connection.recv(100)

    thread = threading.Thread(target=greet)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_late_greeting_is_waited_for(tmp_path):
    """A server that is only slow is asked about TLS meanwhile, and not accused of anything."""
    hello = threading.Event()
    order = itertools.count()

    def talk(connection):
        if next(order):
            if connection.recv(1) == b"\x16":
                hello.set()
            return
        assert hello.wait(LONG_S)
        connection.sendall(BANNER)
        connection.recv(100)

    with Speaker(talk) as server:
        patient = patient_at(tmp_path, server.port, STARTTLS, patience_s=MIDDLE_S)
        assert findings_of(check_connect, patient) == []
        assert server.connections == 2


# -- no connection -----------------------------------------------------------------------------


def test_refused(tmp_path):
    """Nobody listens, there or elsewhere: the port and what the system says are the evidence."""
    port = closed_port()
    finding = find(patient_at(tmp_path, port))
    assert (finding.code, finding.severity) == ("connect.refused", FAULT)
    assert finding.evidence == (f"127.0.0.1:{port}: Connection refused",)


def test_blocked_with_another_port_open(tmp_path):
    """The provider serves both ports, and one does not answer: the other's lines are the fix."""
    with full_port() as blocked, Speaker(says(BANNER)) as server:
        patient = patient_at(tmp_path, blocked, patience_s=SHORT_S)
        finding = find(serving(patient, (blocked, "starttls"), (server.port, "starttls")))
    assert finding.code == "connect.blocked"
    assert f"port {server.port}\ntls on\ntls_starttls on" in finding.fix
    assert str(tmp_path / "msmtprc") in finding.fix
    assert finding.evidence == (
        f"127.0.0.1:{blocked}: Connection timed out",
        f"127.0.0.1:{server.port}: 220 here ESMTP",
    )


def test_blocked_with_implicit_tls_open(tmp_path, context):
    """A silent port is one for TLS: with the provider's word the line is tls_starttls off."""
    with full_port() as blocked, Speaker(says(BANNER), context) as server:
        patient = patient_at(tmp_path, blocked, STARTTLS, patience_s=SHORT_S)
        finding = find(serving(patient, (blocked, "starttls"), (server.port, "implicit")))
    assert finding.code == "connect.blocked"
    assert f"port {server.port}\ntls_starttls off" in finding.fix
    assert finding.evidence[1] == f"127.0.0.1:{server.port}: open"


@pytest.mark.parametrize(("port", "mode"), [(465, "off"), (587, "on"), (25, "on")])
def test_the_mode_of_a_port_nobody_told_us_about(tmp_path, port, mode):
    """Without a provider it is as RFC 8314 has it."""
    patient = patient_at(tmp_path, 2525, STARTTLS)
    route = route_of(patient)
    lines = connect_failed.lines_for_port(patient, route, port)
    assert f"port {port}\ntls_starttls {mode}" in lines


def route_of(patient):
    """Return the patient's route."""
    return Route(patient.account, None)


def test_blocked_with_nothing_else(tmp_path):
    """The others refuse, so the host is there: the port must be let through."""
    with full_port() as blocked:
        patient = patient_at(tmp_path, blocked, patience_s=SHORT_S)
        finding = find(serving(patient, (blocked, "starttls"), (closed_port(), "implicit")))
    assert finding.code == "connect.blocked"
    assert f"TCP port {blocked}" in finding.fix


def test_port_25_is_blocked_in_clouds(tmp_path):
    """Of port 25 it is known who blocks it, and why."""
    route = route_of(patient_at(tmp_path, 25))
    assert "clouds" in connect_failed._blocked(route, ()).meaning
    route = route_of(patient_at(tmp_path, 587))
    assert "clouds" not in connect_failed._blocked(route, ()).meaning


def test_all_blocked(tmp_path, monkeypatch):
    """None of the mail ports answers: a firewall, or no internet."""
    with full_port() as own, full_port() as other:
        monkeypatch.setattr(connect_failed, "SUBMISSION_PORTS", (own, other))
        finding = find(patient_at(tmp_path, own, patience_s=SHORT_S))
    assert finding.code == "connect.all-blocked"
    assert len(finding.evidence) == 2


@pytest.mark.parametrize("is_blocked", [True, False])
def test_wrong_port(tmp_path, is_blocked):
    """The port is not one of the provider's, however it fails."""
    with full_port() as full, Speaker(says(BANNER)) as server:
        port = full if is_blocked else closed_port()
        patient = patient_at(tmp_path, port, STARTTLS, patience_s=SHORT_S)
        finding = find(serving(patient, (server.port, "starttls")))
    assert finding.code == "connect.wrong-port"
    assert f"port {server.port}\ntls_starttls on" in finding.fix


def test_a_refused_port_of_the_provider_is_not_blocked(tmp_path):
    """Who refuses is there: that is no firewall that drops."""
    port = closed_port()
    with Speaker(says(BANNER)) as server:
        patient = patient_at(tmp_path, port)
        finding = find(serving(patient, (port, "starttls"), (server.port, "starttls")))
    assert finding.code == "connect.wrong-port"


@pytest.mark.parametrize(
    "talk",
    [says(b"SSH-2.0-OpenSSH_9.2\r\n"), hangs_up(b"HTTP/1.1 200 OK\r\n\r\n"), hangs_up()],
)
def test_a_port_that_is_no_mail_server_is_not_advised(tmp_path, talk):
    """Open is not enough: who says something else, or hangs up, takes no mail."""
    port = closed_port()
    with Speaker(talk) as server:
        patient = patient_at(tmp_path, port)
        finding = find(serving(patient, (port, "starttls"), (server.port, "starttls")))
    assert finding.code == "connect.refused"


def test_unreachable(tmp_path):
    """Without a route there is nothing to say about ports."""
    patient = patient_at(tmp_path, 465, host="127.255.255.255")
    patient.addresses = ("127.255.255.255",)
    finding = find(patient)
    assert finding.code == "connect.unreachable"
    assert "ip route get 127.255.255.255" in finding.fix


def test_forbidden(tmp_path, monkeypatch):
    """What this machine itself forbids is not the network's doing; no kernel here forbids it."""
    port = closed_port()
    answer = PortAnswer(port, FORBIDDEN, "Operation not permitted", address="127.0.0.1")
    monkeypatch.setattr(connect_failed, "try_addresses", lambda *_, **__: (answer,))
    finding = find(patient_at(tmp_path, port))
    assert finding.code == "connect.forbidden"
    assert finding.evidence == (f"127.0.0.1:{port}: Operation not permitted",)


@pytest.mark.parametrize("state", [UNREACHABLE, FORBIDDEN, TIMEOUT])
def test_a_firewall_that_says_no_in_another_way(tmp_path, monkeypatch, state):
    """Some answer "no route" for one port; that another answers proves that there is one."""
    port, other = closed_port(), closed_port()
    seen = (
        PortAnswer(port, state, "why", address="127.0.0.1"),
        PortAnswer(other, OPEN, "", BANNER, address="127.0.0.1"),
    )
    monkeypatch.setattr(connect_failed, "try_addresses", lambda *_, **__: seen)
    patient = serving(patient_at(tmp_path, port), (port, "starttls"), (other, "starttls"))
    finding = find(patient)
    assert finding.code == "connect.blocked"
    assert f"port {other}" in finding.fix


def test_what_works_again_is_told_as_it_was(tmp_path, monkeypatch):
    """Where the second try works there is only the first one's word."""
    port = closed_port()
    answer = PortAnswer(port, "open", address="127.0.0.1")
    monkeypatch.setattr(connect_failed, "try_addresses", lambda *_, **__: (answer,))
    with pytest.raises(NetworkError, match="Connection refused"):
        findings_of(check_connect, patient_at(tmp_path, port))


# -- another way -------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["192.0.2.1", "::1"])
def test_source(tmp_path, source):
    """An address that is not ours, or of the other family: without it the way is open."""
    with Speaker(says(BANNER)) as server:
        lines = f"{PLAIN}source_ip {source}\n"
        finding = find(patient_at(tmp_path, server.port, lines, host="127.0.0.1"))
    assert (finding.code, finding.severity) == ("connect.source", FAULT)
    assert "source_ip" in finding.problem + finding.fix


def test_a_source_that_is_not_to_blame(tmp_path):
    """Where the port is refused without source_ip as well, it is not source_ip."""
    patient = patient_at(tmp_path, closed_port(), f"{PLAIN}source_ip 127.0.0.1\n")
    assert find(patient).code == "connect.refused"


def test_a_proxy_that_is_not_there(tmp_path):
    """Nobody listens where the proxy should be."""
    lines = f"{PLAIN}proxy_host 127.0.0.1\nproxy_port {closed_port()}\n"
    patient = patient_at(tmp_path, 465, lines, host="mail.example")
    finding = find(patient)
    assert (finding.code, finding.severity) == ("connect.proxy", FAULT)
    assert "proxy_host" in finding.fix
    port = patient.account.proxy_port
    assert finding.evidence == (f"127.0.0.1:{port}: Connection refused",)


def test_attack_a_failing_proxy_is_never_gone_around(tmp_path):
    """Attack: who hides behind a proxy must not be seen at the server, not even to look at it."""
    proxy = Socks()
    proxy.refusal = 2
    try:
        with Speaker(says(BANNER)) as server:
            lines = f"{PLAIN}proxy_host 127.0.0.1\nproxy_port {proxy.port}\n"
            finding = find(patient_at(tmp_path, server.port, lines, host="127.0.0.1"))
            assert server.connections == 0
    finally:
        proxy.stop()
    assert finding.code == "connect.proxy"
    assert "its rules do not allow this connection" in finding.problem
    assert finding.fix == f"have the proxy allow connections to 127.0.0.1, port {server.port}"


def test_attack_a_dead_proxy_is_never_gone_around(tmp_path):
    """Attack: nor is it for finding out whether source_ip is to blame."""
    with Speaker(says(BANNER)) as server:
        lines = f"{PLAIN}source_ip 127.0.0.1\nproxy_host 127.0.0.1\nproxy_port {closed_port()}\n"
        finding = find(patient_at(tmp_path, server.port, lines, host="127.0.0.1"))
        assert server.connections == 0
    assert finding.code == "connect.proxy"


def with_hosts(folder, port, public):
    """Return a patient whose /etc/hosts has the host at 127.0.0.1, in a DNS that has it there."""
    (folder / "etc").mkdir()
    (folder / "etc/hosts").write_text("127.0.0.1 mail.localhost\n")

    def ask(_name, kind):
        return public if kind == "A" else ()

    options = {"root": str(folder), "make_ask": lambda: ask}
    return patient_at(folder, port, host="mail.localhost", **options)


@pytest.mark.parametrize(
    ("public", "code"),
    [
        (("192.0.2.9",), "connect.hosts"),
        (("127.0.0.1",), "connect.refused"),
        ((), "connect.refused"),
    ],
)
def test_a_line_in_hosts(tmp_path, public, code):
    """The old line is the root cause where the DNS knows better."""
    patient = with_hosts(tmp_path, closed_port(), public)
    finding = _find_unconnected(patient)
    assert (finding.code, finding.severity) == (code, FAULT)
    if code == "connect.hosts":
        assert f"take the line with mail.localhost out of {tmp_path}/etc/hosts" in finding.fix
        assert finding.evidence[:2] == (f"{tmp_path}/etc/hosts: 127.0.0.1", "DNS: 192.0.2.9")


def _find_unconnected(patient):
    """Return what is said of a name that only the patient's own resolver would know."""
    failure = NetworkError("cannot connect to mail.localhost: Connection refused")
    (finding,) = connect_failed.explain_failure(patient, route_of(patient), failure)
    return finding


def test_a_socket_that_is_not_there(tmp_path):
    """The path is in the problem, and the service behind it in the fix."""
    patient = patient_of(tmp_path, socket=tmp_path / "none", lines=PLAIN)
    finding = find(patient)
    assert finding.code == "connect.socket"
    assert str(tmp_path / "none") in finding.problem


# -- what answers ------------------------------------------------------------------------------

HTTP = b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"
PAGE = b"<!DOCTYPE HTML><html><body>Log in</body></html>"

CAPTIVE = [
    (PLAIN, hangs_up(HTTP)),
    (PLAIN, answers(HTTP)),
    (STARTTLS, answers(HTTP)),
    (IMPLICIT, hangs_up(HTTP)),
    (IMPLICIT, answers(HTTP, mark=b"\r\n\r\n")),
    (PLAIN, answers(PAGE)),
    (STARTTLS, answers(b"HTTP/1.1 400 Bad Request\r\n\r\n", mark=b"\x16\x03")),
]


@pytest.mark.parametrize(("lines", "talk"), CAPTIVE)
def test_captive(tmp_path, lines, talk):
    """A web server is known by what it says first, or when asked anything at all."""
    with Speaker(talk) as server:
        finding = find(patient_at(tmp_path, server.port, lines, patience_s=SHORT_S))
    assert (finding.code, finding.severity) == ("connect.captive", FAULT)
    assert finding.evidence[0] == f"127.0.0.1:{server.port}"
    assert finding.evidence[1].startswith(("HTTP/1.1 ", "<!DOCTYPE"))


def test_a_web_server_under_tls(tmp_path, context):
    """Port 443 speaks TLS, too: it is the answer that gives it away."""
    with Speaker(answers(HTTP), context) as server:
        finding = find(patient_at(tmp_path, server.port, IMPLICIT, patience_s=MIDDLE_S))
    assert finding.code == "connect.captive"


BANNERS = [
    (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "IMAP"),
    (b"+OK Dovecot ready.\r\n", "POP3"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
    (b"220 ProFTPD Server ready.\r\n", "FTP"),
    (b"200 news ready\r\n", "NNTP"),
    (b"RFB 003.008\n", ""),
    (b"\x4a\x00\x00\x00\x0a8.0.36\x00", ""),
]


@pytest.mark.parametrize(("banner", "service"), BANNERS)
@pytest.mark.parametrize("is_secured", [False, True])
def test_not_smtp(tmp_path, context, banner, service, is_secured):
    """Whoever greets in another way is named, under TLS as well."""
    with Speaker(says(banner), context if is_secured else None) as server:
        lines = IMPLICIT if is_secured else STARTTLS
        finding = find(patient_at(tmp_path, server.port, lines))
    assert (finding.code, finding.severity) == ("connect.not-smtp", FAULT)
    assert (f"speaks {service}, not SMTP" in finding.problem) == bool(service)
    assert len(finding.evidence) == 2


def test_not_smtp_with_the_right_port_open(tmp_path, context):
    """Where the provider's port answers, its lines are the fix."""
    with Speaker(says(BANNERS[0][0])) as server, Speaker(says(BANNER), context) as right:
        patient = patient_at(tmp_path, server.port, STARTTLS)
        finding = find(serving(patient, (right.port, "implicit")))
    assert f"port {right.port}\ntls_starttls off" in finding.fix


def test_tls_mode_too_early(tmp_path):
    """TLS is begun where plain text is spoken."""
    with Speaker(says(BANNER)) as server:
        finding = find(patient_at(tmp_path, server.port, IMPLICIT))
    assert (finding.code, finding.severity) == ("connect.tls-mode", FAULT)
    assert finding.fix.endswith("set: tls_starttls on")
    assert finding.evidence == (f"127.0.0.1:{server.port}", "220 here ESMTP")


@pytest.mark.parametrize(
    ("lines", "fix"),
    [(STARTTLS, "set: tls_starttls off"), (PLAIN, "set these lines:\ntls on\ntls_starttls off")],
)
def test_tls_mode_too_late(tmp_path, context, lines, fix):
    """A silent server waits for TLS: a second connection has found out."""
    with Speaker(says(BANNER), context) as server:
        finding = find(patient_at(tmp_path, server.port, lines, patience_s=MIDDLE_S))
    assert finding.code == "connect.tls-mode"
    assert finding.fix.endswith(fix)


def test_tls_mode_at_a_server_that_refuses_the_hello(tmp_path):
    """A hello makes a strict server say no, which is no word about us."""
    with Speaker(answers(b"554 5.5.1 Error: send HELO first\r\n", mark=b"\x16\x03")) as server:
        finding = find(patient_at(tmp_path, server.port, IMPLICIT))
    assert finding.code == "connect.tls-mode"


@pytest.mark.parametrize("talk", [says(b""), hangs_up()])
def test_tls_mode_too_late_at_a_server_without_words(tmp_path, context, talk):
    """It is the handshake that tells, whatever comes behind it."""
    with Speaker(talk, context) as server:
        finding = find(patient_at(tmp_path, server.port, STARTTLS, patience_s=MIDDLE_S))
    assert finding.code == "connect.tls-mode"


@pytest.mark.parametrize("talk", [says(b""), hangs_up()])
def test_no_words_under_tls(tmp_path, context, talk):
    """Where TLS comes first as it should, what is missing is the greeting."""
    with Speaker(talk, context) as server:
        finding = find(patient_at(tmp_path, server.port, IMPLICIT, patience_s=MIDDLE_S))
    assert finding.code in ("connect.silent", "connect.closed")


@pytest.mark.parametrize("lines", [PLAIN, IMPLICIT])
def test_closed_at_once(tmp_path, lines):
    """Hanging up without a word is the word of a block list."""
    with Speaker(hangs_up()) as server:
        finding = find(patient_at(tmp_path, server.port, lines))
    assert (finding.code, finding.severity) == ("connect.closed", FAULT)


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"421 too many connections\r\n", "busy"),
        (b"450 who are you\r\n", "for a while"),
        (b"554-no\r\n554 never you\r\n", "before any login"),
    ],
)
def test_closed_by_a_greeting(tmp_path, greeting, words):
    """A greeting that refuses is quoted whole, and told for now from for ever."""
    with Speaker(hangs_up(greeting)) as server:
        finding = find(patient_at(tmp_path, server.port, PLAIN))
    assert finding.code == "connect.closed"
    assert finding.evidence[1:] == tuple(greeting.decode().split("\r\n")[:-1])
    assert words in finding.meaning


def test_a_greeting_is_explained_by_the_provider_first(tmp_path):
    """What a provider means by it goes before what anybody may; its fix is the one to follow."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with _greeting(listener, b"550 Ip frequency limited\r\n"):
            finding = find(patient_of(tmp_path, socket=path, host="smtp.qq.com", lines=PLAIN))
    assert finding.code == "connect.closed"
    reply = next(
        reply
        for reply in provider_of_host("smtp.qq.com").replies
        if reply.sample == "550 Ip frequency limited"
    )
    assert reply.cause("en") in finding.meaning
    assert finding.fix == reply.fix("en")


def test_silent(tmp_path):
    """Who says nothing at all until the patience ends is no server."""
    with Speaker(says(b"")) as server:
        finding = find(patient_at(tmp_path, server.port, STARTTLS, patience_s=SHORT_S))
    assert (finding.code, finding.severity) == ("connect.silent", FAULT)


def test_attack_the_password_is_starred_out_of_a_banner(tmp_path):
    """Attack: a server that knows the password says it, to have it in a bundle."""
    with Speaker(says(b"+OK correct horse \x1b[2J\r\n")) as server:
        finding = find(patient_at(tmp_path, server.port))
    assert finding.evidence[1] == "+OK *** \\x1b[2J"


# -- IPv6 --------------------------------------------------------------------------------------


def test_ipv6_that_fails(tmp_path):
    """Mail goes over IPv4, and each time the IPv6 address is tried for nothing."""
    with Speaker(says(BANNER)) as server:
        patient = patient_at(tmp_path, server.port)
        patient.addresses = ("::1", "127.0.0.1")
        finding = find(patient)
    assert (finding.code, finding.severity) == ("connect.ipv6", WARNING)
    assert finding.evidence == (f"[::1]:{server.port}: Connection refused",)


def test_ipv6_that_works(tmp_path):
    """Both families answer."""
    with Speaker(smtp(), host="::1") as new, _same_port(new.port):
        patient = patient_at(tmp_path, new.port, host="::1")
        patient.addresses = ("::1", "127.0.0.1")
        assert findings_of(check_connect, patient) == []


def _same_port(port):
    return socket.create_server(("127.0.0.1", port))
