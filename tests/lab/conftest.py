"""The laboratory: a network of its own with a DNS of its own, once for all tests of a process."""

import functools
import os

import pytest

from servers.process import wait_for_all

HERE = __file__.rpartition("/")[0]


def pytest_collection_modifyitems(items):
    """Mark every test of this folder."""
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.servers)


def pytest_sessionfinish():
    """Wait for the end of the servers."""
    wait_for_all()


@pytest.fixture(scope="session")
def network():
    """Give a network where nobody else is."""
    from lab.bind import Bind
    from lab.network import Network
    from lab.zones import VIEWS

    made = Network([view.address for view in VIEWS])
    try:
        with made.inside():
            bind = Bind()
        yield made
        bind.stop()
    finally:
        made.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Give the authority that the machines trust."""
    pytest.importorskip("trustme", reason="trustme, of the extra 'test', makes the certificates")
    from lab.authority import Authority
    from lab.zones import ADDRESSES

    names = (*ADDRESSES, "relay6.example.net", "both.example.net", "half.example.net")
    return Authority(tmp_path_factory.mktemp("authority"), names)


@pytest.fixture(scope="session")
def usr(tmp_path_factory):
    """Give the programs of all machines."""
    from lab.machine import make_usr

    return make_usr(tmp_path_factory.mktemp("usr"))


class Neighbours:
    """Postfix, and Dovecot that hands on to it; started when they are first asked for."""

    def __init__(self, network, folder):
        self._network = network
        self._folder = folder
        self._servers = []

    @functools.cached_property
    def certificates(self):
        """Their certificates."""
        from servers.certificates import Certificates

        return Certificates(self._folder)

    @functools.cached_property
    def postfix(self):
        """A running Postfix."""
        from servers.dovecot import Dovecot
        from servers.postfix import Postfix

        logins = self._start(Dovecot, self.certificates)
        return self._start(Postfix, self.certificates, logins)

    @functools.cached_property
    def dovecot(self):
        """A running Dovecot."""
        from servers.dovecot import Dovecot

        return self._start(Dovecot, self.certificates, relay_port=self.postfix.ports["open"])

    def _start(self, kind, *arguments, **options):
        with self._network.inside():
            server = kind(*arguments, **options)
        self._servers.append(server)
        return server

    def stop(self):
        """End them."""
        while self._servers:
            self._servers.pop().stop()


@pytest.fixture(scope="session")
def neighbours(network, tmp_path_factory):
    """Give the real servers of the network."""
    made = Neighbours(network, tmp_path_factory.mktemp("neighbours"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def nursery(network):
    """Give the warm process of the network."""
    from lab.nursery import Nursery

    made = Nursery(network)
    yield made
    made.close()


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Give the folder that all processes of these tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def scene(network, authority, usr, neighbours, store, tmp_path):
    """Give a new machine of a customer of Aliyun's, where all is well."""
    from lab.machine import Machine
    from lab.scene import Scene

    top = tmp_path / "machine"
    top.mkdir()
    byte_code = store / "byte-code"
    byte_code.mkdir(exist_ok=True)
    machine = Machine(top, network, authority.pem, usr, byte_code)
    with Scene(machine, network, authority, neighbours, store) as made:
        yield made
