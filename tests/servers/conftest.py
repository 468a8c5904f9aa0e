"""The servers, each started once for all tests of a process, and the program under test."""

import pytest

from servers.certificates import Certificates
from servers.client import Client
from servers.cyrus import Cyrus
from servers.dovecot import PASSWORD, USER, Dovecot
from servers.exim import Exim
from servers.opensmtpd import OpenSmtpd
from servers.postfix import Postfix
from servers.process import RUNNING, wait_for_all
from servers.socks import Microsocks, Socks


def pytest_collection_modifyitems(items):
    """Mark every test of this folder."""
    here = __file__.rpartition("/")[0]
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.servers)


def pytest_sessionfinish():
    """Wait for the end of the servers, which all end at the same time."""
    wait_for_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Show with a failure what the servers logged since the test began."""
    report = yield
    if report.failed and str(item.path).startswith(__file__.rpartition("/")[0]):
        report.sections += [(f"log of {server.name}", server.describe()) for server in RUNNING]
    return report


@pytest.fixture(autouse=True)
def _mark_logs():
    """Let each test see of the logs only what was written since it began."""
    for server in RUNNING:
        server.forget()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Make the certificates that the servers and the configurations here use."""
    pytest.importorskip("trustme", reason="trustme, of the extra 'test', makes the certificates")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def dovecot(certificates):
    """Give a running Dovecot."""
    server = Dovecot(certificates)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postfix(certificates, dovecot):
    """Give a running Postfix."""
    server = Postfix(certificates, dovecot)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def exim(certificates, dovecot):
    """Give a running Exim."""
    server = Exim(certificates, dovecot)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def opensmtpd(certificates):
    """Give a running OpenSMTPD."""
    server = OpenSmtpd(certificates)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cyrus(certificates):
    """Give a running Cyrus."""
    server = Cyrus(certificates)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def submission(certificates, postfix):
    """Give a Dovecot whose submission server hands on to Postfix."""
    server = Dovecot(certificates, relay_port=postfix.ports["open"])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def microsocks():
    """Give a running microsocks."""
    server = Microsocks()
    yield server
    server.stop()


@pytest.fixture
def socks():
    """Give a SOCKS5 proxy of its own to a test."""
    server = Socks()
    yield server
    server.stop()


@pytest.fixture
def client(tmp_path):
    """Give msmtp with an empty home directory and a limit on every wait."""
    return Client(tmp_path, {"from": "alice@example.test", "timeout": "20"})


@pytest.fixture
def login_settings():
    """Give the keywords of a login that every server with logins here accepts."""
    return {"auth": "on", "user": USER, "password": PASSWORD}
