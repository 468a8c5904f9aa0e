"""Streams: what arrives, what a deadline stops, what is said when something breaks."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import Chain, TlsServer, make
from pillarbox.errors import DeadlineError, LocalProtocolError, NetworkError, TlsError
from pillarbox.net.stream import Stream, wait_ready
from pillarbox.net.tls import TlsPolicy, make_context

PEER = "mx.example, port 465"
SOON_S = 0.25  # a deadline that is meant to be reached
LATE_S = 5.0  # one that is not


def soon() -> float:
    """Return a deadline that is meant to be reached."""
    return time.monotonic() + SOON_S


def late() -> float:
    """Return a deadline that a working test never reaches."""
    return time.monotonic() + LATE_S


@pytest.fixture
def pair():
    """Return a stream and the socket at its other end."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours, PEER)
    with theirs:
        yield stream, theirs
        stream.close()


def read_for_ever(stream: Stream, deadline: float) -> None:
    """Read until something stops it."""
    while True:
        stream.read(deadline)


def write_for_ever(stream: Stream) -> None:
    """Write until it fails; the first ones still fit into the system's buffer."""
    while True:
        stream.write(bytes(1_000_000), late())


class Clock:
    """Assert that what happens inside takes as long as the deadline, and hardly longer."""

    def __enter__(self) -> Self:
        self.start = time.monotonic()
        return self

    def __exit__(self, kind: object, *exc_info: object) -> None:
        if kind is None:
            assert SOON_S - 0.01 <= time.monotonic() - self.start < SOON_S + 1.5


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return a right certificate chain."""
    return make(Chain("right"), tmp_path_factory.mktemp("chain"))


def dialled(server: TlsServer) -> Stream:
    """Return a stream to a server."""
    return Stream(socket.create_connection(("127.0.0.1", server.port)), PEER)


def secured(server: TlsServer, material, deadline: float = 0, **policy: str) -> Stream:
    """Return a stream to a server, under TLS."""
    stream = dialled(server)
    wanted = TlsPolicy(**{**material.policy, **policy})
    stream.start_tls(make_context(wanted), wanted, "good.example", deadline or late())
    return stream


class Drip:
    """Send one byte every few milliseconds until the other side has gone."""

    def __init__(self) -> None:
        self.pause = threading.Event()  # never set: waiting for it is the pause
        self.sent = 0

    def __call__(self, connection: socket.socket, data: bytes) -> None:
        """Send some data that way."""
        for place in range(len(data)):
            connection.sendall(data[place : place + 1])
            self.sent += 1
            self.pause.wait(0.02)


def reset(connection: socket.socket) -> None:
    """Close a connection with a reset (RST) in the place of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# -- plain text -------------------------------------------------------------------------------


def test_reads_what_is_there_as_soon_as_it_is(pair):
    """A part of a line is returned at once; nobody waits for more."""
    stream, theirs = pair
    theirs.sendall(b"220 rea")
    assert stream.read(late()) == b"220 rea"
    theirs.sendall(b"dy\r\n")
    assert stream.read(late()) == b"dy\r\n"


def test_reads_no_more_than_the_limit(pair):
    """What is over the limit stays for the next read, also when it was read ahead."""
    stream, theirs = pair
    theirs.sendall(b"abcdef")
    assert stream.read(late(), 2) == b"ab"
    assert stream.has_input()
    assert stream.read(late(), 3) == b"cde"
    assert stream.read(late(), 3) == b"f"


def test_the_end_of_the_stream_stays_the_end(pair):
    """An empty result is the end, and the next read says the same."""
    stream, theirs = pair
    theirs.sendall(b"bye")
    theirs.close()
    assert stream.read(late()) == b"bye"
    assert stream.read(late()) == b""
    assert stream.read(late()) == b""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=10), st.integers(1, 400))
def test_chunks_do_not_matter(chunks, limit):
    """Whatever the sizes of writes and reads, the bytes and their order are the same."""
    ours, theirs = socket.socketpair()
    sender, receiver = Stream(ours, PEER), Stream(theirs, PEER)
    for chunk in chunks:
        sender.write(chunk, late())
    sender.close()
    received = b""
    while data := receiver.read(late(), limit):
        assert len(data) <= limit
        received += data
    receiver.close()
    assert received == b"".join(chunks)


def test_silent_server_does_not_outlast_the_deadline(pair):
    """A server that says nothing is waited for until the deadline, and no longer."""
    stream, _ = pair
    with Clock(), pytest.raises(DeadlineError, match=r"network read error: .*timed out") as caught:
        stream.read(soon())
    assert caught.value.peer == PEER
    assert PEER in str(caught.value)


def test_byte_drip_does_not_outlast_the_deadline():
    """A server that sends a byte now and then cannot hold a reader past its deadline."""
    drip = Drip()
    with TlsServer(None, talk=lambda connection: drip(connection, b"2" * 500)) as server:
        stream = dialled(server)
        deadline = soon()
        with Clock(), pytest.raises(DeadlineError):
            read_for_ever(stream, deadline)
        stream.close()
    assert drip.sent > 3


def test_endless_input_does_not_outlast_the_deadline():
    """A server that never stops talking gains no time by it: a late read returns nothing."""

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"250-more\r\n" * 1000)

    with TlsServer(None, talk=talk) as server:
        stream = dialled(server)
        deadline = soon()
        with Clock(), pytest.raises(DeadlineError):
            read_for_ever(stream, deadline)
        stream.close()


def test_a_passed_deadline_returns_nothing_even_if_there_is_something(pair):
    """Who calls too late is told so before anything is read."""
    stream, theirs = pair
    theirs.sendall(b"250 ok\r\n")
    with pytest.raises(DeadlineError):
        stream.read(time.monotonic() - 1)
    assert stream.read(late()) == b"250 ok\r\n"


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
def test_writes_everything(size):
    """Data of any size arrives whole, through a pipe that is smaller."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with TlsServer(None) as server:
        stream = dialled(server)
        assert stream.read(late()) == b"220 ready\r\n"
        stream.write(data, late())
        stream.close()
    assert server.received == data


def test_what_was_written_last_arrives_though_something_was_not_read():
    """Closing over an unread reply would be a reset, and the QUIT before it would be lost."""
    with TlsServer(None) as server:
        stream = dialled(server)
        assert wait_ready(stream._sock, select.POLLIN, late())
        stream.write(b"QUIT\r\n", late())
        stream.close()
    assert server.received == b"QUIT\r\n"
    assert server.failure == ""


def test_reader_that_does_not_read_does_not_outlast_the_deadline(pair):
    """A server that takes nothing is waited for until the deadline, and no longer."""
    stream, _ = pair
    with Clock(), pytest.raises(DeadlineError, match=r"network write error: .*timed out"):
        stream.write(bytes(10_000_000), soon())
    with pytest.raises(NetworkError, match="an earlier write failed"):
        stream.write(b"QUIT\r\n", late())


def test_a_passed_deadline_writes_nothing_even_if_there_is_room(pair):
    """Who calls too late is told so before anything is written."""
    stream, theirs = pair
    with pytest.raises(DeadlineError):
        stream.write(b"MAIL FROM:<a@b.example>\r\n", time.monotonic() - 1)
    stream.close()
    assert theirs.recv(100) == b""


def test_reader_that_takes_a_little_at_a_time_does_not_outlast_the_deadline(pair):
    """A server that reads slowly cannot hold a writer past its deadline."""
    stream, theirs = pair
    is_over, started = threading.Event(), threading.Event()

    def sip() -> None:
        started.set()
        while not is_over.wait(0.02):
            theirs.recv(30_000)

    thread = threading.Thread(target=sip)
    thread.start()
    started.wait()
    with Clock(), pytest.raises(DeadlineError):
        stream.write(bytes(50_000_000), soon())
    is_over.set()
    thread.join()


def test_tells_a_reset_in_plain_words():
    """A connection that breaks is a network error, not an end of the stream."""
    with TlsServer(None, talk=reset) as server:
        stream = dialled(server)
        with pytest.raises(NetworkError, match=r"network read error: .*broke the connection off"):
            stream.read(late())
        stream.close()


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_what_the_server_said_before_it_closed_can_be_read_after_a_failed_write(end):
    """A 421 sent before the connection was closed is not lost with the write that fails."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"421 go away\r\n")
        if end is reset:  # a reset destroys what was not received yet
            connection.recv(1)
        end(connection)

    with TlsServer(None, talk=talk) as server:
        stream = dialled(server)
        wait_ready(stream._sock, select.POLLIN, late())
        stream.write(b"x", late())
        with pytest.raises(NetworkError, match="network write error: "):
            write_for_ever(stream)
        assert stream.read(late()) == b"421 go away\r\n"
        stream.close()


def test_knows_without_waiting_whether_there_is_input(pair):
    """Something said, or the end, is input; silence is not; nothing is lost by asking."""
    stream, theirs = pair
    assert not stream.has_input()
    theirs.sendall(b"421 bye\r\n")
    assert stream.has_input()
    assert stream.has_input()
    assert stream.read(late()) == b"421 bye\r\n"
    assert not stream.has_input()
    theirs.close()
    assert stream.has_input()
    assert stream.read(late()) == b""


def test_a_broken_connection_is_input_and_its_failure_is_read():
    """The failure that has_input met is not swallowed: read raises it."""
    with TlsServer(None, talk=reset) as server:
        stream = dialled(server)
        assert wait_ready(stream._sock, select.POLLIN, late())
        assert stream.has_input()
        assert stream.has_input()
        with pytest.raises(NetworkError, match="broke the connection off"):
            stream.read(late())
        assert stream.read(late()) == b""
        stream.close()


def test_cannot_be_used_after_its_end(pair):
    """Using a closed stream is a bug of ours, closing it twice is not."""
    stream, _ = pair
    stream.close()
    stream.close()
    for use in (lambda: stream.read(late()), lambda: stream.write(b"x", late()), stream.has_input):
        with pytest.raises(LocalProtocolError):
            use()


def test_has_no_tls_before_tls(pair):
    """Without TLS there is nothing to tell about it."""
    stream, _ = pair
    assert not stream.is_secured
    assert stream.tls_description() == ""
    assert stream.peer_certificate() == b""
    assert stream.channel_bindings() == {}


# -- under TLS --------------------------------------------------------------------------------


def test_tells_about_the_connection(material):
    """Protocol, suite and certificate of a secured connection can be asked for."""
    with TlsServer(material.server) as server:
        stream = secured(server, material)
        assert stream.is_secured
        assert stream.tls_description().startswith("TLSv1.3 TLS_")
        assert stream.peer_certificate() == material.certificate
        stream.close()
        assert not stream.is_secured


def test_promises_tls_unique_under_tls_1_2_as_the_server_sees_it(material):
    """Both sides have the same binding; SCRAM-PLUS would succeed."""
    theirs = []
    is_done = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        theirs.append(connection.get_channel_binding("tls-unique"))
        is_done.set()
        connection.recv(1)

    with TlsServer(material.server, talk=talk) as server:
        stream = secured(server, material, priorities="NORMAL:-VERS-TLS1.3")
        is_done.wait(LATE_S)
        assert stream.channel_bindings() == {"tls-unique": theirs[0]}
        stream.close()


def test_promises_under_tls_1_3_only_what_ssl_offers(material):
    """``tls-unique`` is undefined there, whatever Python returns for it (RFC 9266)."""
    with TlsServer(material.server) as server:
        stream = secured(server, material)
        offered = {"tls-exporter"} & set(ssl.CHANNEL_BINDING_TYPES)
        assert set(stream.channel_bindings()) == offered
        stream.close()


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 65537, 3_000_000])
def test_writes_everything_under_tls(material, size):
    """Data of any size arrives whole, whatever the size of records and pieces."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with TlsServer(material.server) as server:
        stream = secured(server, material)
        assert stream.read(late()) == b"220 ready\r\n"
        stream.write(data, late())
        stream.close()
    assert server.received == data


def test_reads_everything_under_tls(material):
    """Many records arrive whole, and a limit smaller than a record holds."""
    data = bytes(range(256)) * 2000
    with TlsServer(material.server, greeting=data) as server:
        stream = secured(server, material)
        received = b""
        while len(received) < len(data):
            chunk = stream.read(late(), 5000)
            assert 0 < len(chunk) <= 5000
            received += chunk
        stream.close()
    assert received == data


def test_a_session_ticket_is_no_input(material):
    """What TLS 1.3 needs for itself must not look like an unsolicited reply."""
    may_speak = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        may_speak.wait(LATE_S)
        connection.sendall(b"220 ready\r\n")
        connection.recv(1)

    with TlsServer(material.server, talk=talk) as server:
        stream = secured(server, material)
        assert wait_ready(stream._sock, select.POLLIN, late())  # the tickets are there
        assert not stream.has_input()
        may_speak.set()
        deadline = late()
        while not stream.has_input():  # the second ticket may come by itself, and late
            assert wait_ready(stream._sock, select.POLLIN, deadline)
        assert stream.read(late()) == b"220 ready\r\n"
        stream.close()


def test_a_flood_of_session_tickets_is_no_input_and_does_not_hold_us(material):
    """What only has_input could loop over is left to read and its deadline; nothing is lost."""
    material.server.num_tickets = 2000
    try:
        with TlsServer(material.server) as server:
            stream = secured(server, material)
            assert wait_ready(stream._sock, select.POLLIN, late())
            start = time.monotonic()
            stream.has_input()
            assert time.monotonic() - start < 1
            assert stream.read(late()) == b"220 ready\r\n"
            stream.close()
    finally:
        material.server.num_tickets = 2


def test_what_was_decrypted_already_is_input(material):
    """Two replies in one record: the second waits in no socket, and counts."""
    with TlsServer(material.server, greeting=b"220 ready\r\n250 too early\r\n") as server:
        stream = secured(server, material)
        assert stream.read(late(), 11) == b"220 ready\r\n"
        assert stream.has_input()
        assert stream.read(late()) == b"250 too early\r\n"
        stream.close()


def test_silent_server_under_tls_does_not_outlast_the_deadline(material):
    """Here msmtp waits for ever."""
    with TlsServer(material.server, greeting=b"") as server:
        stream = secured(server, material)
        with Clock(), pytest.raises(DeadlineError, match="network read error"):
            stream.read(soon())
        stream.close()


def test_reader_that_does_not_read_under_tls_does_not_outlast_the_deadline(material):
    """A server that takes nothing cannot hold a writer; then not even a farewell is sent."""
    is_over = threading.Event()
    with TlsServer(material.server, talk=lambda _: is_over.wait(LATE_S)) as server:
        stream = secured(server, material)
        with Clock(), pytest.raises(DeadlineError, match="network write error"):
            stream.write(bytes(30_000_000), soon())
        start = time.monotonic()
        stream.close()
        assert time.monotonic() - start < 0.1
        is_over.set()


def test_says_goodbye_under_tls(material):
    """Closing sends the close alert, so that the server knows that nothing was cut off."""
    material.server.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    ends = []

    def talk(connection: ssl.SSLSocket) -> None:
        connection.suppress_ragged_eofs = False
        ends.append(connection.recv(1))

    with TlsServer(material.server, talk=talk) as server:
        secured(server, material).close()
    assert ends == [b""]


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_a_connection_cut_off_under_tls_ends_or_breaks(material, end):
    """Without a close alert it is the end of the stream all the same; a reset is an error."""

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"421 bye\r\n")
        connection.recv(1)
        end(connection)

    with TlsServer(material.server, talk=talk) as server:
        stream = secured(server, material)
        assert stream.read(late()) == b"421 bye\r\n"
        stream.write(b"x", late())
        if end is reset:
            with pytest.raises(NetworkError, match="broke the connection off"):
                stream.read(late())
        else:
            assert stream.read(late()) == b""
        stream.close()


def test_what_was_said_under_tls_can_be_read_after_a_failed_write(material):
    """A 421 under TLS is not lost with the write that fails, either."""

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"421 go away\r\n")
        connection.recv(1)
        reset(connection)

    with TlsServer(material.server, talk=talk) as server:
        stream = secured(server, material)
        assert wait_ready(stream._sock, select.POLLIN, late())
        stream.write(b"x", late())
        with pytest.raises(NetworkError, match="network write error"):
            write_for_ever(stream)
        assert stream.read(late()) == b"421 go away\r\n"
        stream.close()


# -- a server at the level of records ---------------------------------------------------------


class Records:
    """The server's side of TLS between two buffers, so that a test can spoil the bytes."""

    def __init__(self, context: ssl.SSLContext, connection: socket.socket) -> None:
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def shake_hands(self) -> None:
        """Make an honest handshake."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.connection.sendall(self.outgoing.read())
                self.incoming.write(self.connection.recv(65536))
            else:
                self.connection.sendall(self.outgoing.read())
                return

    def first_flight(self) -> bytes:
        """Return what the server answers to the first message of the client."""
        self.incoming.write(self.connection.recv(65536))
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def encrypted(self, data: bytes) -> bytes:
        """Return the record for some data."""
        self.tls.write(data)
        return self.outgoing.read()


def test_record_drip_does_not_outlast_the_deadline(material):
    """A TLS record that comes byte by byte cannot hold a single read past its deadline."""
    drip = Drip()

    def talk(connection: socket.socket) -> None:
        records = Records(material.server, connection)
        records.shake_hands()
        drip(connection, records.encrypted(b"220 ready\r\n" * 100))

    with TlsServer(None, talk=talk) as server:
        stream = secured(server, material)
        with Clock(), pytest.raises(DeadlineError):
            stream.read(soon())
        stream.close()
    assert drip.sent > 3


def test_handshake_drip_does_not_outlast_the_deadline(material):
    """A handshake that comes byte by byte cannot hold us past the deadline."""
    drip = Drip()

    def talk(connection: socket.socket) -> None:
        drip(connection, Records(material.server, connection).first_flight())

    expected = pytest.raises(DeadlineError, match=r"TLS handshake failed: .*timed out")
    with TlsServer(None, talk=talk) as server, Clock(), expected:
        secured(server, material, soon())
    assert drip.sent > 3


def test_handshake_flood_does_not_outlast_the_deadline(material):
    """
    Messages that mean nothing, sent without end before anybody is authenticated, do not hold us.

    OpenSSL skips a HelloRequest (RFC 5246 7.4.1.1) and goes on as long as there is input: given
    the socket, it looked at no clock for a second and more.
    """
    flood = b"\x16\x03\x03\x40\x00" + b"\0\0\0\0" * 4096

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        while True:
            connection.sendall(flood * 8)

    with TlsServer(None, talk=talk) as server, Clock(), pytest.raises(DeadlineError):
        secured(server, material, soon(), priorities="NORMAL:-VERS-TLS1.3")


def test_silent_server_does_not_outlast_the_deadline_of_the_handshake(material):
    """A server that accepts and says nothing, as behind the wrong port, is given up."""
    expected = pytest.raises(DeadlineError, match="TLS handshake failed")
    with TlsServer(None, greeting=b"") as server, Clock(), expected:
        secured(server, material, soon())


def test_a_changed_record_is_an_error(material):
    """One bit changed on the way ends the connection; nothing of it is passed on."""

    def talk(connection: socket.socket) -> None:
        records = Records(material.server, connection)
        records.shake_hands()
        record = bytearray(records.encrypted(b"250 accepted\r\n"))
        record[-20] ^= 1
        connection.sendall(record)

    with TlsServer(None, talk=talk) as server:
        stream = secured(server, material)
        with pytest.raises(TlsError, match=r"network read error: .*was changed on the way"):
            stream.read(late())
        stream.close()


def _closes_at_once(connection: socket.socket) -> None:
    connection.close()


def _closes_after_hello(connection: socket.socket) -> None:
    connection.recv(65536)


def _resets_after_hello(connection: socket.socket) -> None:
    connection.recv(65536)
    reset(connection)


def _answers_with_an_alert(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x50")  # fatal, internal_error


def _answers_with_noise(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x00\x04\xff\xff\xff\xff")


@pytest.mark.parametrize(("talk", "words"), [
    (_closes_at_once, "clos|broke"),
    (_closes_after_hello, "closed the connection"),
    (_resets_after_hello, "broke the connection off"),
    (_answers_with_an_alert, "failure of its own"),
    (_answers_with_noise, "TLS handshake failed"),
])  # fmt: skip
def test_a_handshake_that_breaks_is_explained(material, talk, words):
    """Whatever the server does instead of a handshake, the user reads it in plain words."""
    with TlsServer(None, talk=talk) as server, pytest.raises((TlsError, NetworkError)) as caught:
        secured(server, material)
    assert str(caught.value).startswith(f"TLS handshake failed: {PEER}")
    assert caught.value.peer == PEER
    with pytest.raises(type(caught.value), match=words):
        raise caught.value


def test_half_a_handshake_is_explained(material):
    """A server that closes in the middle of its first flight has closed the connection."""

    def talk(connection: socket.socket) -> None:
        flight = Records(material.server, connection).first_flight()
        connection.sendall(flight[: len(flight) // 2])

    expected = pytest.raises(TlsError, match="closed the connection")
    with TlsServer(None, talk=talk) as server, expected:
        secured(server, material)


# -- plain text where TLS should be -----------------------------------------------------------


def _greets_first(connection: socket.socket) -> None:
    connection.sendall(b"220 mx.example ESMTP\r\n")
    connection.recv(65536)


def _greets_after_hello(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"220 mx.example ESMTP\r\n")


@pytest.mark.parametrize("is_there_already", [True, False])
@pytest.mark.parametrize("talk", [_greets_first, _greets_after_hello])
def test_plain_text_server_is_told_with_what_it_said(material, talk, is_there_already):
    """``tls_starttls off`` towards port 587 or 25: the text says what to change."""
    with TlsServer(None, talk=talk) as server:
        stream = dialled(server)
        if is_there_already and talk is _greets_first:
            assert wait_ready(stream._sock, select.POLLIN, late())
        policy = TlsPolicy(**material.policy)
        with pytest.raises(TlsError) as caught:
            stream.start_tls(make_context(policy), policy, "good.example", late())
    assert str(caught.value) == (
        f"TLS handshake failed: {PEER} speaks plain text; it said: 220 mx.example ESMTP"
    )
    assert "tls_starttls on" in caught.value.advice
    assert "587" in caught.value.advice


@pytest.mark.parametrize("injected", [b"2", b"250-injected\r\n", b"\x16\x03\x03\x00\x01\x00"])
def test_plain_text_injected_behind_starttls_ends_the_session(material, injected):
    """Whatever stands behind the 220 in plain text is refused before we say a word (N2)."""
    said = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 go ahead\r\n" + injected)
        said.append(connection.recv(65536))

    with TlsServer(None, talk=talk) as server:
        stream = dialled(server)
        size = len(b"220 go ahead\r\n")
        assert stream.read(late(), size) == b"220 go ahead\r\n"
        assert wait_ready(stream._sock, select.POLLIN, late())
        policy = TlsPolicy(**material.policy)
        with pytest.raises(TlsError, match="speaks plain text") as caught:
            stream.start_tls(make_context(policy), policy, "good.example", late())
        assert "tampering" in caught.value.advice
        with pytest.raises(LocalProtocolError):
            stream.write(b"AUTH PLAIN secret\r\n", late())
    assert said in ([b""], [])  # nothing, or a reset: not even our first TLS message


def test_after_a_failed_handshake_nothing_can_be_sent(material):
    """The stream is closed: neither a password nor anything else can leave in plain text."""
    said = []

    def talk(connection: socket.socket) -> None:
        _greets_after_hello(connection)
        said.append(connection.recv(65536))

    with TlsServer(None, talk=talk) as server:
        stream = dialled(server)
        policy = TlsPolicy(**material.policy)
        with pytest.raises(TlsError):
            stream.start_tls(make_context(policy), policy, "good.example", late())
        with pytest.raises(LocalProtocolError):
            stream.write(b"AUTH PLAIN secret\r\n", late())
        assert not stream.is_secured
    assert said in ([b""], [])


def test_tls_cannot_be_started_twice(material):
    """A second handshake inside the first is a bug of ours."""
    with TlsServer(material.server) as server:
        stream = secured(server, material)
        policy = TlsPolicy(**material.policy)
        with pytest.raises(LocalProtocolError):
            stream.start_tls(make_context(policy), policy, "good.example", late())
        stream.close()


# -- sessions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("priorities", ["NORMAL:-VERS-TLS1.3", "NORMAL:-VERS-TLS1.2"])
def test_no_session_is_carried_to_another_connection(material, priorities):
    """Two connections with one context are two identities, also to the server (N12)."""
    reused = []

    def talk(connection: ssl.SSLSocket) -> None:
        reused.append(connection.session_reused)
        connection.sendall(b"220 ready\r\n")
        connection.recv(1)

    policy = TlsPolicy(**{**material.policy, "priorities": priorities})
    context = make_context(policy)
    for _ in range(2):
        with TlsServer(material.server, talk=talk) as server:
            stream = dialled(server)
            stream.start_tls(context, policy, "good.example", late())
            assert stream.read(late()) == b"220 ready\r\n"
            stream.close()
    assert reused == [False, False]


def test_asks_for_the_name_but_never_for_an_address(material):
    """The server name indication is the host's name in A-labels; an address has none."""
    asked = []
    material.server.sni_callback = lambda _, name, __: asked.append(name)
    for host in ("good.example.", "127.0.0.1"):
        policy = TlsPolicy(check_certificate=False)
        with TlsServer(material.server) as server:
            stream = dialled(server)
            stream.start_tls(make_context(policy), policy, host, late())
            stream.close()
    material.server.sni_callback = None
    assert asked == ["good.example", None]
