"""Who is at the other end: known by what comes first, whoever it is, in bounded time and memory."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

import pytest
import trustme

from pillarbox.doctor.first_words import END, PLAIN, SILENCE, TLS, FirstWords, hear
from pillarbox.net.dial import Endpoint, dial
from speakers import Speaker, answers, hangs_up, says

LONG_S = 5.0
SHORT_S = 0.3
MIDDLE_S = 1.5  # where a handshake comes first


@pytest.fixture(scope="module")
def context():
    """Return what a server needs for TLS; nobody trusts it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example").configure_cert(made)
    return made


def heard_at(server, patience_s=LONG_S, **options):
    """Return what is heard at a server."""
    stream = dial(Endpoint("127.0.0.1", server.port), LONG_S)
    with contextlib.closing(stream):
        return hear(stream, patience_s, **options)


SERVICES = [
    (b"220 here ESMTP\r\n", "SMTP"),
    (b"554\r\n", "SMTP"),
    (b"220-here\r\n220 there\r\n", "SMTP"),
    (b"220 FTP gateway, SMTP\r\n", "SMTP"),
    (b"220 (vsFTPd 3.0.5)\r\n", "FTP"),
    (b"200 NNTP\r\n", "NNTP"),
    (b"* ok ready\r\n", "IMAP"),
    (b"* BYE\r\n", "IMAP"),
    (b"+OK POP3\r\n", "POP3"),
    (b"-ERR no\r\n", "POP3"),
    (b"SSH-2.0-x\r\n", "SSH"),
    (b"HTTP/1.0 400\r\n", "HTTP"),
    (b"\n <HTML>", "HTTP"),
    (b"2200 x", ""),
    (b"22", ""),
    (b"", ""),
    (b"hello", ""),
]


@pytest.mark.parametrize(("octets", "service"), SERVICES)
def test_services(octets, service):
    """By how they begin."""
    assert FirstWords(PLAIN, octets).service == service


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"220 here\r\n", 220),
        (b"554-a\r\n554 b\r\n", 554),
        (b"220 not whole", None),
        (b"220-a\r\n250 b\r\n", None),
        (b"* OK\r\n", None),
    ],
)
def test_greetings(octets, code):
    """Only a whole and a right one is one."""
    greeting = FirstWords(PLAIN, octets).greeting
    assert (greeting.code if greeting else None) == code


@pytest.mark.parametrize("hello_to", [None, "mail.example", "127.0.0.1"])
def test_plain_text(hello_to):
    """It is heard to its end, whether TLS was begun or not."""
    with Speaker(says(b"220-a\r\n220 b\r\n")) as server:
        words = heard_at(server, hello_to=hello_to)
    assert (words.kind, words.octets) == (PLAIN, b"220-a\r\n220 b\r\n")


def test_what_is_said_under_tls(context):
    """Whoever's certificate it is."""
    with Speaker(says(b"220 secret\r\n"), context) as server:
        words = heard_at(server, hello_to="mail.example")
    assert (words.kind, words.octets) == (TLS, b"220 secret\r\n")


@pytest.mark.parametrize("hello_to", [None, "mail.example"])
@pytest.mark.parametrize("is_last_try", [True, False])
def test_silence(hello_to, is_last_try):
    """It ends with the patience."""
    with Speaker(says(b"")) as server:
        start = time.monotonic()
        words = heard_at(server, SHORT_S, hello_to=hello_to, is_last_try=is_last_try)
        assert time.monotonic() - start < SHORT_S + 1
    assert words == FirstWords(SILENCE)


@pytest.mark.parametrize("is_last_try", [True, False])
def test_silence_under_tls(context, is_last_try):
    """A handshake is no greeting."""
    with Speaker(says(b""), context) as server:
        words = heard_at(server, MIDDLE_S, hello_to="mail.example", is_last_try=is_last_try)
    assert words == FirstWords(SILENCE, is_tls=True)


@pytest.mark.parametrize("hello_to", [None, "mail.example"])
def test_a_last_word_makes_a_web_server_speak(hello_to):
    """It waits for a line, and this is one."""
    with Speaker(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n", mark=b"QUIT\r\n\r\n")) as server:
        words = heard_at(server, SHORT_S, hello_to=hello_to)
    assert words.service == "HTTP"


def test_the_last_word_is_not_said_where_there_is_another_try():
    """Who will be listened to again is not told to go."""
    with Speaker(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        assert heard_at(server, SHORT_S, is_last_try=False).kind == SILENCE


def test_a_connection_that_was_silent_can_be_heard_again():
    """Listening to it has not spoiled it: the last word can still be said, and be answered."""
    with Speaker(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        stream = dial(Endpoint("127.0.0.1", server.port), LONG_S)
        with contextlib.closing(stream):
            assert hear(stream, 0.1, is_last_try=False).kind == SILENCE
            assert hear(stream, SHORT_S).service == "HTTP"


@pytest.mark.parametrize("hello_to", [None, "mail.example"])
def test_the_end(hello_to):
    """Hanging up is an answer."""
    with Speaker(hangs_up()) as server:
        assert heard_at(server, hello_to=hello_to) == FirstWords(END)


def test_the_end_under_tls(context):
    """Behind a handshake as well."""
    with Speaker(hangs_up(), context) as server:
        assert heard_at(server, hello_to="mail.example") == FirstWords(END, is_tls=True)


def test_a_connection_that_breaks():
    """A reset is an end."""

    def talk(connection):
        connection.recv(4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Speaker(talk) as server:
        assert heard_at(server, hello_to="mail.example") == FirstWords(END)


REFUSALS = [
    b"\x15\x03\x01\x00\x02\x02\x28",  # an alert: handshake failure
    b"\x15\x03\x01\x00\x02\x02\x46",  # an alert: protocol version
    b"\x16\x03\x03\x00\x01\x00",  # a handshake that makes no sense
    b"\x16\x03",  # and one that ends
]


@pytest.mark.parametrize("record", REFUSALS)
def test_tls_that_refuses_is_tls(record):
    """Why it does is another check's question."""
    with Speaker(hangs_up_behind_hello(record)) as server:
        assert heard_at(server, hello_to="mail.example") == FirstWords(TLS)


def hangs_up_behind_hello(record):
    """Return a talk that answers a hello with a record and hangs up."""

    def talk(connection):
        connection.recv(4096)
        connection.sendall(record)

    return talk


def test_tls_where_nobody_began_it():
    """An alert may be all that a server of TLS ever says."""
    with Speaker(hangs_up(b"\x15\x03\x01\x00\x02\x02\x28")) as server:
        assert heard_at(server).kind == TLS


def test_a_demand_for_a_client_certificate_is_tls(tmp_path):
    """Under TLS 1.3 the refusal comes behind the handshake."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca"))
    demanding = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("x.example").configure_cert(demanding)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(str(tmp_path / "ca"))
    with Speaker(says(b"220 here\r\n"), demanding) as server:
        assert heard_at(server, hello_to="mail.example") == FirstWords(TLS)


@pytest.mark.parametrize("is_secured", [False, True])
def test_attack_words_without_end(context, is_secured):
    """Attack: a flood, or a line that never ends, is neither kept nor waited for."""

    def talk(connection):
        while True:
            connection.sendall(b"220-" + b"x" * 60_000)

    with Speaker(talk, context if is_secured else None) as server:
        start = time.monotonic()
        words = heard_at(server, hello_to="mail.example" if is_secured else None)
        assert time.monotonic() - start < LONG_S
    assert len(words.octets) < 1 << 17


def test_a_line_that_is_not_finished():
    """Half a line is half a line."""
    with Speaker(says(b"RFB 003.008")) as server:
        assert heard_at(server).octets == b"RFB 003.008"
