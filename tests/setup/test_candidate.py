"""Ways to hand mail in: what can be in one, and what is said about regions."""

import pytest

from pillarbox.config.providers import find_providers
from pillarbox.setup.candidate import (
    Candidate,
    Discovery,
    is_host_name,
    is_mail_port,
    is_region,
)

HOSTS = [
    "smtp.example.com",
    "a.example",
    "1.2.3.example",
    "xn--fiqs8s.xn--fiqs8s",
    "my_host.example.com",
    "-".join(["a"] * 32) + ".example",
]
NO_HOSTS = [
    "",
    "localhost",
    "127.0.0.1",
    "192.0.2.11",
    "1.2",
    "0x7f.1",
    "::1",
    "[::1]",
    "Smtp.Example.com",
    "smtp.example.com.",
    ".example.com",
    "smtp..example.com",
    "-smtp.example.com",
    "smtp-.example.com",
    "smtp.example.com\n",
    "smtp.example.com\0",
    "smtp example.com",
    "smtp.ex\u00e4mple.com",
    "smtp.example.com\u202e",
    "smtp.example.com/x",
    "smtp.example.com:25",
    "smtp.example.com#",
    "a" * 64 + ".example",
    ".".join(["abcdefg"] * 33),
]


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_name_is_taken(text):
    """What the DNS and the world have."""
    assert is_host_name(text)


@pytest.mark.parametrize("text", NO_HOSTS)
def test_what_is_no_host_name_is_not(text):
    """No address, nothing of this machine, nothing that breaks a line or a terminal."""
    assert not is_host_name(text)


@pytest.mark.parametrize("port", [25, 80, 443, 465, 587, 994, 1024, 2525, 65535])
def test_ports_of_mail_are_taken(port):
    """And the high ones, which nobody owns."""
    assert is_mail_port(port)


@pytest.mark.parametrize("port", [-1, 0, 1, 22, 23, 53, 110, 143, 445, 993, 995, 1023, 65536])
def test_attack_port_of_another_service(port):
    """A stranger cannot have us speak to it."""
    assert not is_mail_port(port)


@pytest.mark.parametrize(("text", "is_one"), [("eu-west-1", True), ("eu", True), ("x", True)])
def test_a_region_is_one_label(text, is_one):
    """Such as clouds have."""
    assert is_region(text) is is_one


@pytest.mark.parametrize("text", ["", "evil.example/", "a.b", "-a", "a-", "EU", "a b", "a\n"])
def test_attack_region_that_leaves_the_host(text):
    """Nothing but one label stands in the place of a region."""
    assert not is_region(text)


def test_a_region_completes_a_host():
    """The provider's own example is what to propose."""
    (ses,) = find_providers("ses")
    candidate = Candidate("email-smtp.{region}.amazonaws.com", 465, "implicit", provider=ses)
    assert candidate.needs_region
    assert candidate.default_region == "us-east-1"
    filled = candidate.in_region("eu-west-1")
    assert filled.host == "email-smtp.eu-west-1.amazonaws.com"
    assert not filled.needs_region
    assert (filled.port, filled.tls, filled.provider) == (465, "implicit", ses)


def test_no_region_is_proposed_where_nobody_knows_one():
    """Nothing is made up."""
    assert Candidate("smtp.{region}.example", 465, "implicit").default_region == ""


def test_the_best_is_the_first_or_none():
    """Of none there is no best."""
    one = Candidate("a.example", 465, "implicit")
    assert Discovery((one, one.but(host="b.example"))).best is one
    assert Discovery(()).best is None
    assert str(one) == "a.example:465"
