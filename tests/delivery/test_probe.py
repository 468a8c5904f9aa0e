"""Silent servers: told apart from those that wait for TLS, and never accused for nothing."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
import trustme

from certificates import TlsServer
from pillarbox.config.account import Account, parse_setting
from pillarbox.delivery import attempt, probe
from pillarbox.delivery.attempt import Connection
from pillarbox.delivery.probe import find_tls
from pillarbox.delivery.route import Route

LATE_S = 5.0
STARTTLS = {"tls": "on", "tls_starttls": "on", "tls_trust_file": ""}

ADVICE = [
    ({"tls": "off"}, "tls off", "set tls on and tls_starttls off"),
    (STARTTLS, "tls_starttls on", "set tls_starttls off"),
]


def route(port, **keywords):
    """Return the route of an account whose server is on loopback."""
    account = Account("name", "/etc/msmtprc")
    for name, text in ({"host": "localhost", "port": str(port)} | keywords).items():
        field, value = parse_setting(name, text)
        account.set(field, value, "test")
    return Route(account, None)


def soon():
    """Return a deadline that no test waits for."""
    return time.monotonic() + LATE_S


@pytest.fixture(scope="module")
def context():
    """Return what a server needs for TLS; nobody trusts it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example").configure_cert(made)
    return made


@pytest.mark.parametrize(("keywords", "setting", "advice"), ADVICE)
def test_a_server_that_waits_for_tls_is_named_with_what_to_set(context, keywords, setting, advice):
    """Who it is, what the account has, and what it should have; certificates do not matter."""
    with TlsServer(context, greeting=b"") as server:
        trouble = find_tls(route(server.port, **keywords), soon())
    assert (trouble.scope, trouble.stage, trouble.exit_code) == ("site", "tls", 69)
    assert f"localhost, port {server.port} waits for TLS" in trouble.problem
    assert trouble.problem.endswith(f"but the account has {setting}")
    assert trouble.advice.startswith(advice)


def test_nothing_is_said_but_a_handshake(context):
    """Whoever answers is not known, and learns nothing."""
    with TlsServer(context) as server:
        assert find_tls(route(server.port), soon()) is not None
    assert server.received == b""


@pytest.mark.parametrize("greeting", [b"220 ready\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b""])
def test_another_answer_to_the_handshake_accuses_nobody(greeting):
    """Plain text, an alert, the end of the stream: the silence has another reason."""

    def end(connection):
        connection.shutdown(socket.SHUT_WR)

    with TlsServer(None, greeting=greeting, talk=end) as server:
        assert find_tls(route(server.port), soon()) is None


def test_silence_is_no_answer_and_has_an_end():
    """The look ends with its deadline."""
    with TlsServer(None, greeting=b"") as server:
        start = time.monotonic()
        assert find_tls(route(server.port), start + 0.2) is None
        assert time.monotonic() - start < LATE_S


def test_a_server_that_takes_one_connection_only_is_not_accused():
    """The second connection is refused; the first goes on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert find_tls(route(sock.getsockname()[1]), soon()) is None


def test_nobody_knocks_on_port_25(monkeypatch):
    """There who speaks before the greeting is taken for a spammer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        monkeypatch.setattr(probe, "_NEVER_TLS_PORT", port)
        assert find_tls(route(port), soon()) is None
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_nobody_knocks_on_a_unix_socket(tmp_path):
    """It has no port that could be the wrong one."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.settimeout(0)
        assert find_tls(route(1, socket=str(tmp_path / "socket")), soon()) is None
        with pytest.raises(BlockingIOError):
            listener.accept()


# -- from the connection's side ---------------------------------------------------------------


@contextlib.contextmanager
def _serving(first, second):
    """Serve two connections on loopback, each by a function of its socket; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LATE_S)

        def serve():
            with contextlib.ExitStack() as stack:
                socks = []
                for _ in range(2):
                    sock = stack.enter_context(listener.accept()[0])
                    sock.settimeout(LATE_S)
                    socks.append(sock)
                second(*socks)
                first(*socks)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def _greet(first, _):
    first.sendall(b"220 late\r\n")
    assert first.recv(100).startswith(b"EHLO")
    first.sendall(b"250 late\r\n")
    first.recv(100)


@pytest.fixture
def impatient(monkeypatch):
    """Have silence looked into after a moment."""
    monkeypatch.setattr(attempt, "_QUIET_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_the_silence_of_a_tls_server_ends_the_attempt(context):
    """The trouble is the connection's, and nothing was said in the open."""
    heard = []

    def shake_hands(_, second):
        with context.wrap_socket(second, server_side=True) as secured:
            secured.recv(1)

    def listen(first, _):
        heard.append(first.recv(1))

    with _serving(listen, shake_hands) as port:
        connection = Connection(route(port, **STARTTLS | {"tls_certcheck": "off"}))
        trouble = connection.open()
        connection.close()
    assert "waits for TLS" in trouble.problem
    assert heard == [b""]


@pytest.mark.usefixtures("impatient")
def test_a_late_greeting_is_waited_for():
    """A tarpit closes the second connection, greets on the first, and gets the session."""
    with _serving(_greet, lambda _, second: second.close()) as port:
        connection = Connection(route(port))
        assert connection.open() is None
        connection.close()


@pytest.mark.usefixtures("impatient")
def test_a_greeting_that_comes_meanwhile_counts_for_more(context):
    """A port that serves both (sslh) has greeted by the time that the handshake is over."""

    def greet_and_shake_hands(first, second):
        first.sendall(b"220 both\r\n")
        with context.wrap_socket(second, server_side=True) as secured:
            secured.recv(1)

    def go_on(first, _):
        assert first.recv(100).startswith(b"EHLO")
        first.sendall(b"250 both\r\n")
        first.recv(100)

    with _serving(go_on, greet_and_shake_hands) as port:
        connection = Connection(route(port))
        assert connection.open() is None
        connection.close()


def test_the_look_is_part_of_a_short_time_out(monkeypatch):
    """With a time-out of a second the whole attempt takes no more than that."""
    monkeypatch.setattr(probe, "_PROBE_S", 10 * LATE_S)

    def listen(first, second):
        second.recv(600)
        first.recv(1)

    with _serving(listen, lambda *_: None) as port:
        start = time.monotonic()
        connection = Connection(route(port, timeout="1"))
        trouble = connection.open()
        took = time.monotonic() - start
        connection.close()
    assert "timed out" in trouble.problem
    assert took < 0.8 * LATE_S
