"""Every certificate chain of the table, tried against a real TLS server on loopback."""

from __future__ import annotations

import re
import socket
import time

import pytest

from certificates import CHAINS, Chain, TlsServer, make
from pillarbox.errors import CertificateError, TlsError
from pillarbox.net.stream import Stream
from pillarbox.net.tls import TlsPolicy, make_context

RIGHT = [chain for chain in CHAINS if not chain.problem]
WRONG = [chain for chain in CHAINS if chain.problem]

# What fails without the certificate being at fault is a plain TlsError.
NOT_THE_CERTIFICATE = ("TLS 1.", "client certificate")


def converse(stream: Stream, chain: Chain, policy: TlsPolicy) -> None:
    """Secure a connection and say something, as a client would."""
    deadline = time.monotonic() + 5
    try:
        stream.start_tls(make_context(policy), policy, chain.host, deadline)
        assert stream.read(deadline) == b"220 ready\r\n"
        stream.write(b"EHLO me\r\n", deadline)
    finally:
        stream.close()


def connected(server: TlsServer) -> Stream:
    """Return a stream to a server."""
    return Stream(socket.create_connection(("127.0.0.1", server.port)), "mx, port 465")


def test_there_are_at_least_forty_chains_and_no_title_twice():
    """The table is what the issue asks for."""
    assert len(RIGHT) >= 25
    assert len(WRONG) >= 40
    assert len({chain.title for chain in CHAINS}) == len(CHAINS)


@pytest.mark.parametrize("chain", RIGHT, ids=str)
def test_accepts_a_right_chain(chain, tmp_path):
    """A right chain is accepted, and both sides hear each other."""
    material = make(chain, tmp_path)
    with TlsServer(material.server) as server:
        converse(connected(server), chain, TlsPolicy(**material.policy))
    assert server.received == b"EHLO me\r\n"


@pytest.mark.parametrize("chain", WRONG, ids=str)
def test_refuses_a_wrong_chain_before_a_byte_is_said(chain, tmp_path):
    """A wrong chain is refused in plain words, and the server never receives a byte."""
    material = make(chain, tmp_path)
    with TlsServer(material.server) as server, pytest.raises(TlsError) as caught:
        converse(connected(server), chain, TlsPolicy(**material.policy))
    assert server.received == b""
    assert chain.problem in str(caught.value)
    assert "mx, port 465" in str(caught.value)
    assert caught.value.peer == "mx, port 465"
    assert caught.value.advice
    assert not re.search("[A-Z]+_[A-Z]", str(caught.value))  # no constant of OpenSSL's
    is_about_certificate = not chain.title.startswith(NOT_THE_CERTIFICATE)
    assert isinstance(caught.value, CertificateError) == is_about_certificate


def test_shows_the_fingerprint_that_the_server_has(tmp_path):
    """An administrator can compare the certificate that came with the one that was expected."""
    chain = next(chain for chain in WRONG if chain.title == "other fingerprint")
    material = make(chain, tmp_path)
    with TlsServer(material.server) as server, pytest.raises(CertificateError) as caught:
        converse(connected(server), chain, TlsPolicy(**material.policy))
    # That fingerprint, put into the configuration, makes the same server the right one.
    actual = str(caught.value).rpartition(" ")[2]
    with TlsServer(material.server) as server:
        converse(connected(server), chain, TlsPolicy(fingerprint=actual))
    assert server.received == b"EHLO me\r\n"


def test_names_in_a_certificate_cannot_write_on_the_terminal(tmp_path):
    """What an impostor's certificate says is shown as printable characters, and not all of it."""
    names = ("\x1b[2Jevil\r\n.example", *(f"host{number}.example" for number in range(100)))
    chain = Chain("names", "x", names=names)
    material = make(chain, tmp_path)
    with TlsServer(material.server) as server, pytest.raises(CertificateError) as caught:
        converse(connected(server), chain, TlsPolicy(**material.policy))
    assert str(caught.value).isprintable()
    assert "and 93 more" in str(caught.value)
