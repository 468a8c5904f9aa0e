"""What the tests of the scores need of the machine."""

import os

import pytest

from corpus.sending import MSMTP
from scores import rspamd, spamassassin
from servers.process import wait_for_all


def pytest_collection_modifyitems(items):
    """Mark every test of this folder that measures."""
    here = __file__.rpartition("/")[0]
    for item in items:
        if str(item.path).startswith(here) and "filters" in item.fixturenames:
            item.add_marker(pytest.mark.servers)


def pytest_sessionfinish():
    """Wait for the end of the filters."""
    wait_for_all()


@pytest.fixture(scope="session")
def filters():
    """Skip the test where msmtp or a filter is missing, with the reason."""
    reasons = [spamassassin.MISSING, rspamd.MISSING]
    if not os.access(MSMTP, os.X_OK):
        reasons.append(f"{MSMTP} is missing: tests/servers/install.sh installs it")
    if any(reasons):
        pytest.skip("; ".join(filter(None, reasons)))
