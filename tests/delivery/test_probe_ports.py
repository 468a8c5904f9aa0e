"""Ports of a host: all asked at once, each told apart, and never a word said to any."""

from __future__ import annotations

import socket
import time

import pytest

from pillarbox.delivery.probe_ports import (
    OPEN,
    REFUSED,
    TIMEOUT,
    UNREACHABLE,
    PortAnswer,
    best_answers,
    look_up,
    try_addresses,
    try_ports,
)
from pillarbox.errors import ConfigError
from speakers import Speaker, answers, closed_port, full_port, hangs_up, says

SHORT_S = 0.3
LONG_S = 5.0

# TCP to the broadcast address of loopback: the kernel has no way there.
NO_WAY = "127.255.255.255"


def one(port, **options):
    """Return the answer of one port of 127.0.0.1."""
    (answer,) = try_addresses(["127.0.0.1"], [port], **{"patience_s": LONG_S, **options})
    return answer


# -- states ------------------------------------------------------------------------------------


def test_an_open_port_tells_its_greeting():
    """What a server of SMTP says first is there, to the end of its line."""
    with Speaker(says(b"220 here ESMTP\r\n")) as server:
        answer = one(server.port)
    assert (answer.state, answer.first_octets) == (OPEN, b"220 here ESMTP\r\n")
    assert answer.is_open
    assert not answer.is_closed
    assert (answer.address, answer.reason) == ("127.0.0.1", "")


def test_a_refused_port():
    """Nobody listens: the reason is the system's."""
    answer = one(closed_port())
    assert (answer.state, answer.reason) == (REFUSED, "Connection refused")
    assert not answer.is_open


def test_a_port_whose_packets_are_dropped():
    """A firewall that says nothing ends with the patience, and not later."""
    with full_port() as port:
        start = time.monotonic()
        answer = one(port, patience_s=SHORT_S)
        took_s = time.monotonic() - start
    assert (answer.state, answer.reason) == (TIMEOUT, "Connection timed out")
    assert SHORT_S <= took_s < SHORT_S + 1


def test_an_address_without_a_way():
    """Without a route the kernel says so at once."""
    (answer,) = try_addresses([NO_WAY], [25], patience_s=LONG_S)
    assert (answer.state, answer.reason) == (UNREACHABLE, "Network is unreachable")


def test_what_is_no_address_is_unreachable():
    """A name has no place among addresses; nobody is asked about it."""
    (answer,) = try_addresses(["localhost"], [25], patience_s=LONG_S)
    assert answer.state == UNREACHABLE


# -- what is said ------------------------------------------------------------------------------


@pytest.mark.parametrize("patience_s", [LONG_S, 0.2])
def test_a_silent_port_is_open(patience_s):
    """One that waits for TLS, or for a request, says nothing: that is heard for a short time."""
    with Speaker(answers(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        start = time.monotonic()
        answer = one(server.port, patience_s=patience_s, hearing_s=0.2)
        took_s = time.monotonic() - start
    assert (answer.state, answer.first_octets) == (OPEN, b"")
    assert took_s < LONG_S / 2


def test_nothing_is_ever_sent():
    """Whoever listens gets not one octet: he may be somebody else's."""
    heard = []

    def talk(connection):
        connection.sendall(b"220 who are you\r\n")
        heard.append(connection.recv(100))

    with Speaker(talk) as server:
        one(server.port)
    assert heard == [b""]


@pytest.mark.parametrize("words", [b"", b"554 go away"])
def test_a_port_that_hangs_up(words):
    """It is told, with the last words if there were any."""
    with Speaker(hangs_up(words)) as server:
        answer = one(server.port)
    assert (answer.state, answer.first_octets, answer.is_closed) == (OPEN, words, True)


def test_a_web_server_that_speaks_first():
    """A captive portal may answer before it is asked."""
    with Speaker(hangs_up(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n")) as server:
        answer = one(server.port)
    assert answer.first_octets.startswith(b"HTTP/1.1 302 Found\r\n")


def test_attack_endless_words_fill_no_memory():
    """Attack: a line without end is cut."""
    with Speaker(says(b"2" * 100_000)) as server:
        answer = one(server.port)
    assert answer.first_octets == b"2" * 1024


def test_nobody_listens_where_that_is_not_wished():
    """Where only the way matters, the answer is there with the connection."""
    with Speaker(says(b"220 here\r\n")) as server:
        answer = one(server.port, hearing_s=0)
    assert (answer.state, answer.first_octets) == (OPEN, b"")


# -- many at once ------------------------------------------------------------------------------


def test_all_ports_share_one_deadline():
    """A port that drops does not keep the others waiting, nor does it add up."""
    with full_port() as one_port, full_port() as other, Speaker(says(b"220 hi\r\n")) as server:
        start = time.monotonic()
        found = try_ports(
            "localhost", (one_port, server.port, other, closed_port()), patience_s=SHORT_S
        )
        took_s = time.monotonic() - start
    assert [answer.state for answer in found] == [TIMEOUT, OPEN, TIMEOUT, REFUSED]
    assert found[1].first_octets == b"220 hi\r\n"
    assert took_s < SHORT_S + 1


def test_every_address_is_asked_up_to_four():
    """Four addresses, and no fifth."""
    port = closed_port()
    found = try_addresses([f"127.0.0.{n}" for n in range(1, 7)], [port], patience_s=LONG_S)
    assert [answer.address for answer in found] == [f"127.0.0.{n}" for n in range(1, 5)]


def test_the_best_address_speaks_for_a_port():
    """An address that answers is worth more than one that refuses, whatever the order."""
    with Speaker(says(b"220 hi\r\n"), host="127.0.0.2") as server:
        found = try_addresses(["127.0.0.1", "127.0.0.2"], [server.port], patience_s=LONG_S)
        assert [answer.state for answer in found] == [REFUSED, OPEN]
        assert [answer.address for answer in best_answers(found)] == ["127.0.0.2"]
        assert [answer.address for answer in best_answers(found[::-1])] == ["127.0.0.2"]


@pytest.mark.parametrize(
    ("better", "worse"), [(OPEN, REFUSED), (REFUSED, TIMEOUT), (TIMEOUT, UNREACHABLE)]
)
def test_the_order_of_states(better, worse):
    """Who answers goes before who does not."""
    found = [PortAnswer(25, worse), PortAnswer(25, better)]
    assert [answer.state for answer in best_answers(found)] == [better]


def test_ipv6():
    """An IPv6 address is asked as well as any other."""
    with Speaker(says(b"220 hi\r\n"), host="::1") as server:
        (answer,) = try_addresses(["::1"], [server.port], patience_s=LONG_S)
    assert answer.first_octets == b"220 hi\r\n"


# -- names -------------------------------------------------------------------------------------


def table(*addresses):
    """Return a resolver that knows one answer."""

    def resolve(_name, port, **_options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in addresses]

    return resolve


def test_addresses_come_once_and_in_order():
    """The resolver's order is kept: it is that of preference."""
    resolver = table("127.0.0.3", "127.0.0.1", "127.0.0.3")
    assert look_up("mail.example", LONG_S, resolver=resolver) == ("127.0.0.3", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::1", "::1")]
)
def test_an_address_needs_no_resolver(host, address):
    """Nobody is asked about an address, with or without brackets."""
    assert look_up(host, LONG_S, resolver=None) == (address,)


def test_a_name_that_does_not_exist():
    """What the resolver says is handed on."""

    def resolve(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(socket.gaierror) as caught:
        try_ports("mail.example", patience_s=LONG_S, resolver=resolve)
    assert caught.value.errno == socket.EAI_NONAME


def test_a_resolver_that_does_not_answer():
    """A lookup has the patience of the whole, and not that of the system."""
    never, other = socket.socketpair()
    with never, other:

        def resolve(*_arguments, **_options):
            return table("127.0.0.1")("", 0) if never.recv(1) else []

        start = time.monotonic()
        with pytest.raises(TimeoutError):
            look_up("mail.example", SHORT_S, resolver=resolve)
        assert time.monotonic() - start < SHORT_S + 1
        other.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("host", ["", "two words", "a\0b"])
def test_what_can_be_no_host(host):
    """It is told before anybody is asked."""
    with pytest.raises(ConfigError):
        try_ports(host, patience_s=LONG_S)
