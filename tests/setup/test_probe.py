"""Looking whether servers answer: real listeners, right and wrong ones, and no secret anywhere."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
import trustme

from peer import Peer, Puppet
from pillarbox.delivery import attempt
from pillarbox.errors import HostNotFoundError, NetworkError
from pillarbox.setup.probe import Prober

HOST = "smtp.example.com"
LATE_S = 10.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return an authority, and the file that says so."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("trust") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return ca, str(path)


def context_of(ca, *names):
    """Return what a server of these names needs."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(made)
    return made


def here(name, port, **more):
    """Find every name on this machine."""
    assert name == HOST.encode()
    return socket.getaddrinfo("127.0.0.1", port, **more)


@pytest.fixture
def probe(authority):
    """Return a prober that trusts the authority."""
    return Prober(authority[1], resolver=here)


@contextlib.contextmanager
def serving(talk, context=None):
    """Serve whoever comes, by a function of the connection; give the port."""

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve, args=(connection,))
            threads.append(thread)
            thread.start()

    def serve(connection):
        connection.settimeout(LATE_S)
        with contextlib.suppress(OSError), connection:
            if context is None:
                talk(connection)
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                talk(secured)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def closed_port():
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_server_that_proves_its_name_is_proven(authority, probe, tls):
    """TLS in either way, then what it offers for a login."""
    context = context_of(authority[0], HOST)
    with Peer(tls=tls, context=context, wants_login=True) as server:
        (answer,) = probe(HOST, [(server.port, tls)], LATE_S)
    assert (answer.is_proven, answer.problem) == (True, "")
    assert (answer.port, answer.tls) == (server.port, tls)
    assert answer.auth == ("LOGIN", "PLAIN")


def test_the_first_that_works_ends_the_look(authority, probe):
    """A port that nobody serves is passed over; behind the one that works nobody is called."""
    context = context_of(authority[0], HOST)
    with Peer(tls="starttls", context=context) as server, Puppet() as third:
        ways = [(closed_port(), "implicit"), (server.port, "starttls"), (third.port, "starttls")]
        answers = probe(HOST, ways, LATE_S)
        assert third.commands == []
    assert [answer.is_proven for answer in answers] == [False, True]
    assert answers[0].problem == "Connection refused"


@pytest.mark.parametrize("ways", [("implicit", "starttls"), ("starttls", "implicit")])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_port_may_be_asked_in_both_ways(authority, probe, tls, ways, monkeypatch):
    """Which one it speaks is found out, in either order."""
    monkeypatch.setattr(attempt, "_QUIET_S", 0.1)
    with Peer(tls=tls, context=context_of(authority[0], HOST)) as server:
        answers = probe(HOST, [(server.port, way) for way in ways], LATE_S)
    assert (answers[-1].tls, answers[-1].is_proven) == (tls, True)
    assert len(answers) == 1 + ways.index(tls)


def test_attack_certificate_that_proves_nothing(authority, probe):
    """Who sits in between has no certificate for the name, and is not proven."""
    for ca, name in ((trustme.CA(), HOST), (authority[0], "evil.example.com")):
        with Peer(tls="implicit", context=context_of(ca, name)) as server:
            (answer,) = probe(HOST, [(server.port, "implicit")], LATE_S)
        assert not answer.is_proven
        assert "certificate" in answer.problem


def test_attack_starttls_taken_out(probe):
    """A server that offers no TLS is told nothing more."""
    with Puppet() as server:
        (answer,) = probe(HOST, [(server.port, "starttls")], LATE_S)
    assert not answer.is_proven
    assert "STARTTLS" in answer.problem
    assert [line.split(" ")[0] for line in server.commands] in (["EHLO"], ["EHLO", "QUIT"])


def test_nobody_logs_in(authority, probe):
    """What is said is EHLO and QUIT."""
    heard = []

    def talk(connection):
        connection.sendall(b"220 hello\r\n")
        with connection.makefile("rwb") as stream:
            for line in stream:
                heard.append(line.split()[0])
                reply = b"221 bye\r\n" if line[:4] == b"QUIT" else b"250-me\r\n250 AUTH PLAIN\r\n"
                stream.write(reply)
                stream.flush()

    with serving(talk, context_of(authority[0], HOST)) as port:
        (answer,) = probe(HOST, [(port, "implicit")], LATE_S)
    assert answer.is_proven
    assert heard == [b"EHLO", b"QUIT"]


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({"": "554 go away"}, "go away"),
        ({"": "SSH-2.0-OpenSSH_9.2"}, ""),
        ({"EHLO": "550 not you", "HELO": "550 not you"}, "not you"),
        ({"": ""}, ""),
    ],
    ids=["greeting", "ssh", "ehlo", "hangs up"],
)
def test_who_does_not_want_us_is_not_proven(probe, replies, words):
    """With his own words, or ours."""
    with Puppet(replies) as server:
        (answer,) = probe(HOST, [(server.port, "starttls")], LATE_S)
    assert not answer.is_proven
    assert answer.problem
    assert words in answer.problem


def test_attack_words_that_move_the_cursor(authority, probe):
    """What a server says is shown in one line of printable characters."""
    with Puppet({"": "554 \x1b[2J\u202eevil"}) as server:
        (answer,) = probe(HOST, [(server.port, "starttls")], LATE_S)
    assert answer.problem.isprintable()

    def talk(connection):
        connection.sendall(b"220 x\r\n")
        connection.recv(1000)
        connection.sendall(b"250-x\r\n250 AUTH PLAIN \x1b[2J\r\n")
        connection.recv(1000)

    with serving(talk, context_of(authority[0], HOST)) as port:
        (answer,) = probe(HOST, [(port, "implicit")], LATE_S)
    assert answer.is_proven
    assert all(name.isprintable() for name in answer.auth)


def test_attack_server_that_drips(probe):
    """A server that says an octet now and then has us for as long as we said."""
    end = threading.Event()

    def drip(connection):
        with contextlib.suppress(OSError):
            while not end.wait(0.02):
                connection.sendall(b"2")

    with serving(drip) as port:
        start = time.monotonic()
        (answer,) = probe(HOST, [(port, "starttls")], 0.4)
        assert time.monotonic() - start < LATE_S / 2
        end.set()
    assert not answer.is_proven
    assert answer.problem == "there was no time left"


def test_no_session_begins_when_the_time_is_up(probe, monkeypatch):
    """Of many open ports those at the end are not talked to."""
    monkeypatch.setattr("pillarbox.setup.probe._SESSION_S", 0.0)
    with Puppet() as server:
        (answer,) = probe(HOST, [(server.port, "starttls")], LATE_S)
        assert server.commands == []
    assert answer.problem == "there was no time left"


def test_a_name_that_does_not_exist_is_told_so():
    """And one that could not be looked up is another thing."""

    def nowhere(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def failing(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(HostNotFoundError, match="there is no such host"):
        Prober(resolver=nowhere)(HOST, [(465, "implicit")], LATE_S)
    with pytest.raises(NetworkError, match="Temporary failure") as failure:
        Prober(resolver=failing)(HOST, [(465, "implicit")], LATE_S)
    assert not isinstance(failure.value, HostNotFoundError)


def test_a_resolver_that_says_nothing_is_not_waited_for():
    """It has a part of the time, and no more."""
    end = threading.Event()

    def silent(*_, **__):
        end.wait(LATE_S)
        return []

    start = time.monotonic()
    with pytest.raises(NetworkError, match="did not answer in time"):
        Prober(resolver=silent)(HOST, [(465, "implicit")], 0.2)
    assert time.monotonic() - start < LATE_S / 2
    end.set()


def test_a_machine_that_trusts_nobody_proves_nobody(tmp_path):
    """Its own fault is the problem, told as such."""
    probe = Prober(str(tmp_path / "missing.pem"), resolver=here)
    with Puppet() as server:
        (answer,) = probe(HOST, [(server.port, "starttls")], LATE_S)
    assert not answer.is_proven
    assert "missing.pem" in answer.problem


def test_the_address_that_is_open_is_used(authority):
    """Of two addresses the one without a server does not hide the other."""
    context = context_of(authority[0], HOST)
    with Peer(tls="implicit", context=context) as server:

        def two(_name, _port, **_more):
            kind = socket.SOCK_STREAM
            return [(socket.AF_INET, kind, 0, "", (ip, 0)) for ip in ("127.0.0.9", "127.0.0.1")]

        (answer,) = Prober(authority[1], resolver=two)(HOST, [(server.port, "implicit")], LATE_S)
    assert answer.is_proven
