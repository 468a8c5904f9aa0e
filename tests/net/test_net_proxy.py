"""SOCKS5: what is asked, every answer that a proxy can give, and not one byte too many."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.errors import ConfigError, DeadlineError, NetworkError
from pillarbox.net.proxy import _REFUSALS, connect_through
from pillarbox.net.stream import Stream

LATE_S = 5.0
ACCEPTED = b"\x05\x00" + b"\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"


def converse(answer: bytes, host: str = "mx.example", port: int = 465, *, end: bool = True):
    """Ask a proxy that answers like this; return what it was asked, and the stream."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours, "proxy, port 1080")
    theirs.sendall(answer)
    if end:
        theirs.shutdown(socket.SHUT_WR)
    try:
        connect_through(stream, host, port, time.monotonic() + LATE_S)
        return theirs.recv(1000), stream, theirs
    except BaseException:
        stream.close()
        theirs.close()
        raise


REQUESTS = [
    # host, the address in the request
    ("mx.example", b"\x03\x0amx.example"),
    ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
    ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
    ("[::1]", b"\x04" + bytes(15) + b"\x01"),
    ("bücher.example", b"\x03\x15xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("host", "address"), REQUESTS)
def test_asks_for_a_name_or_an_address(host, address):
    """A name is sent as a name: the proxy looks it up."""
    asked, stream, theirs = converse(ACCEPTED, host)
    stream.close()
    theirs.close()
    assert asked == b"\x05\x01\x00" + b"\x05\x01\x00" + address + b"\x01\xd1"


@pytest.mark.parametrize("bound", [
    b"\x01\x00\x00\x00\x00\x00\x00",
    b"\x04" + bytes(16) + b"\x00\x00",
    b"\x03\x05proxy\x00\x00",
    b"\x03\x00\x00\x00",
])  # fmt: skip
def test_reads_not_a_byte_of_the_servers(bound):
    """Whatever the length of the answer, the greeting behind it is read from the stream."""
    answer = b"\x05\x00" + b"\x05\x00\x00" + bound
    _, stream, theirs = converse(answer + b"220 mx ready\r\n")
    assert stream.read(time.monotonic() + LATE_S) == b"220 mx ready\r\n"
    stream.close()
    theirs.close()


def test_understands_an_answer_that_comes_byte_by_byte():
    """The answer may come in any pieces."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours, "proxy")

    def talk() -> None:
        for place in range(len(ACCEPTED)):
            theirs.sendall(ACCEPTED[place : place + 1])

    thread = threading.Thread(target=talk)
    thread.start()
    connect_through(stream, "mx.example", 25, time.monotonic() + LATE_S)
    thread.join()
    stream.close()
    theirs.close()


WRONG = [
    # the answer, words
    (b"", "closed the connection"),
    (b"\x05", "closed the connection"),
    (b"\x05\xff", "demands a login"),
    (b"\x05\x02", "demands a login"),
    (b"\x04\x5a", "does not speak SOCKS5"),
    (b"HTTP/1.1 400 Bad Request\r\n", "does not speak SOCKS5"),
    (b"220 mx.example ESMTP\r\n", "does not speak SOCKS5"),
    (b"\x05\x00", "closed the connection"),
    (b"\x05\x00\x05\x00\x00\x01\x7f", "closed the connection"),
    (b"\x05\x00\x04\x00\x00\x01" + bytes(6), "does not speak SOCKS5"),
    (b"\x05\x00\x05\x00\x00\x02" + bytes(6), "unknown kind 2"),
    (b"\x05\x00\x05\x63\x00\x01" + bytes(6), "unknown code 99"),
]


@pytest.mark.parametrize(("answer", "words"), WRONG)
def test_tells_what_is_wrong_with_an_answer(answer, words):
    """Every other answer is a network error in plain words, naming the proxy."""
    with pytest.raises(NetworkError, match=words) as caught:
        converse(answer)
    assert str(caught.value).startswith("cannot connect through the proxy proxy, port 1080: ")


@pytest.mark.parametrize("code", sorted(_REFUSALS))
def test_tells_every_refusal_in_words(code):
    """The codes of RFC 1928 6 are said in words, with the server that was asked for."""
    with pytest.raises(NetworkError, match=r"mx.example, port 465: ") as caught:
        converse(b"\x05\x00\x05" + bytes([code]) + b"\x00\x01" + bytes(6))
    assert _REFUSALS[code] in str(caught.value)


def test_a_silent_proxy_does_not_outlast_the_deadline():
    """A proxy that accepts and says nothing is given up at the deadline."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours, "proxy")
    with pytest.raises(DeadlineError):
        connect_through(stream, "mx.example", 25, time.monotonic() + 0.2)
    stream.close()
    theirs.close()


def test_a_name_that_no_host_has_is_never_sent():
    """A name with a NUL or a control character is refused here."""
    with pytest.raises(ConfigError):
        converse(ACCEPTED, "good.example\0.evil")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: b"\x05\x00\x05\x00" + tail))
def test_any_answer_is_success_or_a_network_error(answer):
    """Whatever a proxy sends, it is understood or refused with a documented error."""
    try:
        _, stream, theirs = converse(answer)
    except NetworkError:
        return
    assert answer.startswith(b"\x05\x00\x05\x00")
    stream.close()
    theirs.close()
