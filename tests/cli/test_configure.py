"""A configuration from an address: its lines, and that msmtp reads them back."""

import pytest

from nameserver import serve_zone
from pillarbox.cli.configure import configuration_lines, print_configuration
from pillarbox.config.parse import parse
from pillarbox.dns.srv import Submission
from pillarbox.errors import DataError, HostNotFoundError
from pillarbox.mail.address import parse_mailbox

ME = parse_mailbox("me@example.org")


@pytest.mark.parametrize("is_implicit", [True, False])
def test_lines_are_a_configuration(is_implicit):
    """What is printed can be put into a file as it is."""
    server = Submission("smtp.example.org", 465, is_implicit=is_implicit)
    text = "\n".join(configuration_lines(ME, server)) + "\n"
    (account,) = parse(text.encode(), "printed", run_eval=None).accounts
    assert account.name == "me@example.org"
    assert (account.host, account.port, account.tls) == ("smtp.example.org", 465, True)
    assert account.tls_starttls is not is_implicit
    assert (account.user, account.from_, account.auth) == ("me", "me@example.org", "on")


def test_foreign_server_is_remarked():
    """A server of another domain may be right, and may be a trap."""
    lines = list(configuration_lines(ME, Submission("smtp.evil.test", 465, is_implicit=True)))
    assert "# - warning: smtp.evil.test does not belong to example.org: check it" in lines
    near = list(configuration_lines(ME, Submission("smtp.example.org", 465, is_implicit=True)))
    assert not any("warning" in line for line in near)


@pytest.mark.parametrize("address", ["", "me", "me@", "a b@c.org"])
def test_no_address_is_data_error(address):
    """As msmtp: 65."""
    with pytest.raises(DataError):
        print_configuration(address)


@pytest.fixture
def nameserver(monkeypatch):
    """Serve SRV records of example.org on loopback."""
    zone = {("_submissions._tcp.example.org.", "SRV"): ["0 1 465 smtp.example.org."]}
    with serve_zone(zone) as place:
        monkeypatch.setenv("PILLARBOX_DNS", place)
        yield


@pytest.mark.usefixtures("nameserver")
def test_server_is_found_by_the_nameserver_that_the_environment_names(capsys):
    """As everything else that asks the DNS."""
    assert print_configuration("me@example.org") == 0
    assert "host smtp.example.org\nport 465\n" in capsys.readouterr().out


@pytest.mark.usefixtures("nameserver")
def test_domain_that_names_no_server_is_told():
    """68, as msmtp: the host is not found."""
    with pytest.raises(HostNotFoundError, match=r"no SRV record names a server for example\.net"):
        print_configuration("me@example.net")
