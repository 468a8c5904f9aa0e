"""A relay host, and the machine as a caller of sendmail sees it."""

import pytest

from callers.stage import Stage
from peer import Peer


@pytest.fixture(scope="session")
def relay():
    """Return an aiosmtpd for all tests of a process."""
    with Peer() as server:
        yield server


@pytest.fixture
def peer(relay):
    """Return the relay host with nothing received and nobody refused."""
    relay.received.clear()
    relay.refused.clear()
    return relay


@pytest.fixture
def stage(tmp_path, peer):
    """Return home, programs and configuration."""
    return Stage(tmp_path, peer)
