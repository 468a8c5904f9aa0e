"""Dialling: addresses, deadlines, source addresses, Unix sockets, proxies."""

from __future__ import annotations

import _thread
import contextlib
import os
import socket
import sys
import threading
import time

import pytest

from certificates import TlsServer
from pillarbox.errors import (
    ConfigError,
    DeadlineError,
    HostNotFoundError,
    MissingExtraError,
    NetworkError,
)
from pillarbox.net import dial as dial_module
from pillarbox.net.dial import Endpoint, dial

SOON_S = 0.25
LATE_S = 5.0


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 on loopback")


@pytest.fixture
def listener():
    """Return a listening socket on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def refusing():
    """Return a port on loopback where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture
def deaf():
    """Return a port on loopback whose connections are neither made nor refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        waiting = []
        for _ in range(3):  # a full queue: the system drops what comes then
            client = socket.socket()
            client.settimeout(0)
            client.connect_ex(sock.getsockname())
            waiting.append(client)
        yield sock.getsockname()[1]
        for client in waiting:
            client.close()


def port_of(listener: socket.socket) -> int:
    """Return the port of a socket."""
    return listener.getsockname()[1]


def answers(*addresses: tuple[str, int]):
    """Return a resolver that gives these addresses, and what it was asked."""
    asked = []

    def resolver(host, port, **_):
        asked.append((host, port))
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, number, 0, 0) if ":" in address else (address, number),
            )
            for address, number in addresses
        ]

    resolver.asked = asked
    return resolver


def fails(error: Exception):
    """Return a resolver that fails."""

    def resolver(*_, **__):
        raise error

    return resolver


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("endpoint", "text"), [
    (Endpoint("mx.example", 465), "mx.example, port 465"),
    (Endpoint("mx.example", 465, proxy_host="p"), "mx.example, port 465"),
    (Endpoint("", 0, socket_path="/run/x"), "/run/x"),
    (Endpoint("mx\x1b", 25), "mx\\x1b, port 25"),
])  # fmt: skip
def test_an_endpoint_is_shown_as_people_say_it(endpoint, text):
    """The words that every message about a connection uses."""
    assert str(endpoint) == text


def test_endpoints_are_equal_by_their_fields():
    """An endpoint is part of the key under which a connection may be kept (N12)."""
    fields = {"socket_path": "x", "source_ip": "x", "proxy_host": "x", "proxy_port": 1}
    others = [Endpoint("a", 1, **{name: value}) for name, value in fields.items()]
    assert len({Endpoint("a", 1), Endpoint("a", 1), Endpoint("a", 2), *others}) == 6


# -- TCP --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connects(listener, host):
    """A stream is returned that says where it leads; small packets leave at once."""
    stream = dial(Endpoint(host, port_of(listener)), LATE_S, resolver=_only_ipv4)
    connection, _ = listener.accept()
    with connection:
        assert stream.peer == f"{host}, port {port_of(listener)}"
        assert stream.address == "127.0.0.1"
        sock = stream._sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not os.get_inheritable(sock.fileno())
        connection.sendall(b"220\r\n")
        assert stream.read(time.monotonic() + LATE_S) == b"220\r\n"
        stream.close()


def _only_ipv4(host, port, **options):
    return socket.getaddrinfo(host, port, socket.AF_INET, **options)


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_connects_to_ipv6(host):
    """An IPv6 address may stand in brackets or not."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        stream = dial(Endpoint(host, port_of(listener)), LATE_S)
        assert stream.address == "::1"
        stream.close()


def test_tells_a_refused_connection(refusing):
    """The text is msmtp's: host, port, reason."""
    with pytest.raises(NetworkError) as caught:
        dial(Endpoint("127.0.0.1", refusing), LATE_S)
    assert str(caught.value) == f"cannot connect to 127.0.0.1, port {refusing}: Connection refused"
    assert caught.value.peer == f"127.0.0.1, port {refusing}"
    assert caught.value.exit_code == 75
    assert caught.value.advice
    assert not isinstance(caught.value, DeadlineError)


def test_knows_that_port_25_is_often_blocked():
    """The most frequent reason for a silent port has its own advice."""
    error = dial_module._cannot_connect(Endpoint("mx", 25), {"192.0.2.1": "x"}, is_late=True)
    assert "465" in error.advice


def test_tries_the_next_address_when_the_first_refuses(listener, refusing):
    """A host with a dead address can still be reached."""
    resolver = answers(("127.0.0.1", refusing), ("127.0.0.2", refusing),
                       ("127.0.0.1", port_of(listener)))  # fmt: skip
    stream = dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver)
    assert stream.peer == "mx.example, port 25"
    stream.close()
    assert resolver.asked == [(b"mx.example", 25)]


def test_two_hundred_addresses_do_not_keep_us_busy(listener, refusing):
    """Only four addresses of a DNS answer are tried, however many it has (N13)."""
    many = [(f"127.0.{high}.{low}", refusing) for high in range(2) for low in range(1, 101)]
    for place, is_reached in ((3, True), (4, False)):
        addresses = [*many[:place], ("127.0.0.1", port_of(listener)), *many[place:]]
        resolver = answers(*addresses)
        if is_reached:
            dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver).close()
            continue
        with pytest.raises(NetworkError, match="Connection refused"):
            dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver)


@needs_ipv6
def test_the_other_family_is_tried_although_four_addresses_of_the_first_fail(listener):
    """Where IPv6 is broken, four IPv6 addresses do not hide the IPv4 one."""
    six = []
    with contextlib.ExitStack() as ports:
        for _ in range(6):
            sock = ports.enter_context(socket.socket(socket.AF_INET6))
            sock.bind(("::1", 0))
            six.append(("::1", port_of(sock)))
        resolver = answers(*six, ("127.0.0.1", port_of(listener)))
        stream = dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver)
    assert stream.address == "127.0.0.1"
    stream.close()


def test_the_same_address_is_tried_once(refusing, listener):
    """A resolver that repeats itself does not use up the four."""
    same = [("127.0.0.1", refusing)] * 6
    resolver = answers(*same, ("127.0.0.1", port_of(listener)))
    dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver).close()


def test_shows_each_reason_when_addresses_fail_differently(refusing):
    """Whoever debugs IPv6 sees which address failed how."""
    resolver = answers(("127.0.0.1", refusing), ("255.255.255.255", refusing))
    with pytest.raises(NetworkError, match=r"Connection refused \(127.0.0.1\); .*255.255"):
        dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver)


def test_a_silent_address_does_not_outlast_the_deadline(deaf):
    """A firewall that drops packets holds us until the deadline and no longer."""
    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"cannot connect to .*: Connection timed out"):
        dial(Endpoint("127.0.0.1", deaf), SOON_S)
    assert SOON_S <= time.monotonic() - start < SOON_S + 1.5


def test_several_silent_addresses_share_the_deadline(deaf):
    """Not one deadline for each address, as msmtp has it."""
    resolver = answers(("127.0.0.1", deaf), ("192.0.2.1", deaf))
    start = time.monotonic()
    with pytest.raises(NetworkError):
        dial(Endpoint("mx.example", 25), SOON_S, resolver=resolver)
    assert time.monotonic() - start < SOON_S + 1.5


def test_a_silent_address_leaves_time_for_the_next(deaf, listener):
    """The first of two addresses may take half of the time."""
    resolver = answers(("127.0.0.1", deaf), ("127.0.0.1", port_of(listener)))
    start = time.monotonic()
    dial(Endpoint("mx.example", 25), SOON_S * 2, resolver=resolver).close()
    assert time.monotonic() - start < SOON_S * 2


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_refuses_a_port_that_cannot_be(port):
    """A wrong port is a fault of the configuration, also of the proxy's."""
    for endpoint in (
        Endpoint("127.0.0.1", port),
        Endpoint("127.0.0.1", port, proxy_host="127.0.0.1"),
        Endpoint("127.0.0.1", 25, proxy_host="127.0.0.1", proxy_port=port),
    ):
        with pytest.raises(ConfigError, match=f"port {port}"):
            dial(endpoint, LATE_S)


# -- names ------------------------------------------------------------------------------------

NO_NAME = [
    # what the resolver says, exit code
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), 68),
    (socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"), 68),
    (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), 75),
    (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution"), 75),
]


@pytest.mark.parametrize(("error", "exit_code"), NO_NAME)
def test_tells_a_name_that_does_not_exist_from_a_resolver_that_fails(error, exit_code):
    """Only the first is worth giving up for; the text is msmtp's."""
    with pytest.raises(NetworkError) as caught:
        dial(Endpoint("mx.example", 25), LATE_S, resolver=fails(error))
    assert str(caught.value) == f"cannot locate host mx.example: {error.strerror}"
    assert caught.value.exit_code == exit_code
    assert isinstance(caught.value, HostNotFoundError) == (exit_code == 68)
    assert caught.value.advice


@pytest.mark.parametrize("addresses", [[], [("0.0.0.0", 25)], [("::", 25), ("0.0.0.0", 25)]])  # noqa: S104
def test_an_answer_that_means_this_machine_or_nothing_is_no_answer(addresses):
    """Otherwise a mail server of this machine would get the mail (N13)."""
    with pytest.raises(NetworkError, match="no usable address"):
        dial(Endpoint("mx.example", 25), LATE_S, resolver=answers(*addresses))


def test_a_slow_resolver_does_not_outlast_the_deadline():
    """Looking a name up counts; getaddrinfo itself knows no deadline."""
    is_over, has_ended = threading.Event(), threading.Event()

    def resolver(*_, **__):
        is_over.wait(LATE_S)
        has_ended.set()
        return []

    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"cannot locate host mx.example"):
        dial(Endpoint("mx.example", 25), SOON_S, resolver=resolver)
    assert SOON_S <= time.monotonic() - start < SOON_S + 1.5
    is_over.set()
    assert has_ended.wait(LATE_S)


def test_looks_a_name_up_even_where_no_thread_is_to_be_had(monkeypatch, listener):
    """A limit on processes takes the deadline away, not the mail."""

    class NoThreads:
        TIMEOUT_MAX = _thread.TIMEOUT_MAX
        allocate_lock = staticmethod(_thread.allocate_lock)

        @staticmethod
        def start_new_thread(*_) -> None:
            msg = "can't start new thread"
            raise RuntimeError(msg)

    monkeypatch.setattr(dial_module, "_thread", NoThreads)
    resolver = answers(("127.0.0.1", port_of(listener)))
    dial(Endpoint("mx.example", 25), LATE_S, resolver=resolver).close()


def test_asks_for_a_labels_made_by_idna2008(listener):
    """Python's own codec would ask for strasse.example, which is another host."""
    resolver = answers(("127.0.0.1", port_of(listener)))
    dial(Endpoint("straße.example", 25), LATE_S, resolver=resolver).close()
    assert resolver.asked == [(b"xn--strae-oqa.example", 25)]


def test_says_which_extra_a_non_ascii_host_needs(monkeypatch):
    """Without the package the user reads what to install."""
    monkeypatch.setitem(sys.modules, "idna", None)
    with pytest.raises(MissingExtraError, match=r"\[idn\]"):
        dial(Endpoint("bücher.example", 25), LATE_S)


def test_a_name_cut_short_by_nul_is_never_looked_up():
    """In C the name would end at the NUL, and be another host's."""
    resolver = answers(("127.0.0.1", 1))
    with pytest.raises(ConfigError):
        dial(Endpoint("good.example\0.evil", 25), LATE_S, resolver=resolver)
    assert resolver.asked == []


# -- source address ---------------------------------------------------------------------------


def test_connects_from_the_source_address(listener):
    """The server sees the address that the user chose."""
    stream = dial(Endpoint("127.0.0.1", port_of(listener), source_ip="127.0.0.2"), LATE_S)
    connection, address = listener.accept()
    connection.close()
    stream.close()
    assert address[0] == "127.0.0.2"


def test_the_source_address_decides_the_family(listener, refusing):
    """An IPv4 source leaves the IPv6 addresses out."""
    resolver = answers(("::1", refusing), ("127.0.0.1", port_of(listener)))
    endpoint = Endpoint("mx.example", 25, source_ip="127.0.0.1")
    stream = dial(endpoint, LATE_S, resolver=resolver)
    assert stream.address == "127.0.0.1"
    stream.close()
    with pytest.raises(NetworkError, match="family of source_ip"):
        dial(endpoint, LATE_S, resolver=answers(("::1", refusing)))


@pytest.mark.parametrize(("source_ip", "words"), [
    ("192.0.2.1", "cannot connect from this address"),
    ("localhost", "is no IPv4 or IPv6 address"),
    ("127.0.0.1.1", "is no IPv4 or IPv6 address"),
    ("a b", "cannot be the name"),
])  # fmt: skip
def test_refuses_a_source_address_that_is_not_ours(listener, source_ip, words):
    """A wrong source_ip is a fault of the configuration, not of the network."""
    with pytest.raises(ConfigError, match=words):
        dial(Endpoint("127.0.0.1", port_of(listener), source_ip=source_ip), LATE_S)


# -- Unix sockets -----------------------------------------------------------------------------


def test_connects_to_a_unix_socket(tmp_path):
    """The path takes the place of host, port and proxy."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        stream = dial(Endpoint("mx.example", 25, socket_path=path, proxy_host="p"), LATE_S)
        connection, _ = listener.accept()
        connection.sendall(b"220\r\n")
        connection.close()
        assert stream.peer == path
        assert stream.address == ""
        assert stream.read(time.monotonic() + LATE_S) == b"220\r\n"
        stream.close()


def test_tells_what_is_wrong_with_a_unix_socket(tmp_path):
    """Missing, no socket, or nobody behind it: three different things to do."""
    (tmp_path / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "dead"))
    for name, words in (
        ("missing", "there is no such socket"),
        ("file", "it is not a socket"),
        ("dead", "nobody listens on it"),
    ):
        path = str(tmp_path / name)
        with pytest.raises(NetworkError, match=words) as caught:
            dial(Endpoint("", 0, socket_path=path), LATE_S)
        assert str(caught.value).startswith(f"cannot connect to {path}: ")
        assert caught.value.exit_code == 75


@contextlib.contextmanager
def not_root():
    """Be nobody for a while: permissions do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_tells_a_unix_socket_that_may_not_be_used(tmp_path):
    """A permission is for the administrator to give, and the text says which."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        with not_root(), pytest.raises(NetworkError, match="permission denied") as caught:
            dial(Endpoint("", 0, socket_path=str(path)), LATE_S)
    assert "write permission" in caught.value.advice


def test_a_path_too_long_for_a_socket_is_told(tmp_path):
    """The limit is in bytes, and is the system's."""
    path = str(tmp_path) + "/" + "é" * 60
    with pytest.raises(ConfigError, match="longer than 107 bytes"):
        dial(Endpoint("", 0, socket_path=path), LATE_S)


def test_a_busy_unix_socket_does_not_outlast_the_deadline(tmp_path):
    """A service that accepts nobody is given up at the deadline."""
    path = str(tmp_path / "s")
    waiting = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(0)
            waiting.append(client)
            if client.connect_ex(path):
                break
        start = time.monotonic()
        with pytest.raises(DeadlineError, match="timed out"):
            dial(Endpoint("", 0, socket_path=path), SOON_S)
        assert SOON_S <= time.monotonic() - start < SOON_S + 1.5
    for client in waiting:
        client.close()


# -- through a proxy --------------------------------------------------------------------------


def test_connects_through_a_proxy():
    """The proxy is asked for the server by its name, which nobody else is."""
    asked = []

    def talk(connection: socket.socket) -> None:
        asked.append(connection.recv(100))
        connection.sendall(b"\x05\x00")
        asked.append(connection.recv(100))
        connection.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x19" + b"220 mx\r\n")
        connection.recv(1)

    with TlsServer(None, talk=talk) as server:
        endpoint = Endpoint("mx.example", 587, proxy_host="127.0.0.1", proxy_port=server.port)
        stream = dial(endpoint, LATE_S, resolver=fails(AssertionError("looked up")))
        assert stream.peer == "mx.example, port 587"
        assert stream.address == ""
        assert stream.read(time.monotonic() + LATE_S) == b"220 mx\r\n"
        stream.close()
    assert asked == [b"\x05\x01\x00", b"\x05\x01\x00\x03\x0amx.example\x02\x4b"]


def test_a_silent_proxy_does_not_outlast_the_deadline():
    """The deadline is over the proxy's answers as well, and no connection is left behind."""
    with TlsServer(None, greeting=b"") as server:
        endpoint = Endpoint("mx.example", 587, proxy_host="127.0.0.1", proxy_port=server.port)
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            dial(endpoint, SOON_S)
        assert time.monotonic() - start < SOON_S + 1.5


def test_a_wrong_name_is_told_before_the_proxy_is_asked(refusing):
    """Nothing is sent for a host that cannot be."""
    with pytest.raises(ConfigError):
        dial(Endpoint("a b", 25, proxy_host="127.0.0.1", proxy_port=refusing), LATE_S)
