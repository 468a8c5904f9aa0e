"""A server of others for the tests of the programs, and the shortest way to it."""

import pytest

from peer import FROM, Peer
from programs import call_program


@pytest.fixture(scope="module")
def peer():
    """Return an aiosmtpd, which every test leaves empty."""
    with Peer() as server:
        yield server


@pytest.fixture
def send(peer):
    """Return a function that sends with msmtp, unrepaired, to the peer and gives what arrived."""
    peer.received.clear()

    def call(mail, *arguments, env=None, to=("to@example.org",), sender=FROM):
        options = ["--raw", "--host=127.0.0.1", f"--port={peer.port}", *sender, *arguments]
        result = call_program("msmtp", [*options, "--", *to], mail, env)
        assert (result.exit_code, result.out, result.err) == (0, "", "")
        return peer.last()

    return call
