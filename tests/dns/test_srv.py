"""Submission servers by SRV."""

import pytest

from domain_zone import Table
from pillarbox.dns.answers import LookupFailedError, Service
from pillarbox.dns.srv import Submission, find_submission, find_submissions

ZONE = {
    ("_submissions._tcp.both.example", "SRV"): (Service(10, 1, 465, "smtp.both.example"),),
    ("_submission._tcp.both.example", "SRV"): (Service(0, 1, 587, "smtp.both.example"),),
    ("_submission._tcp.old.example", "SRV"): (
        Service(20, 1, 587, "b.old.example"),
        Service(10, 1, 588, "a.old.example"),
    ),
    ("_submissions._tcp.heavy.example", "SRV"): (
        Service(0, 1, 465, "a.heavy.example"),
        Service(0, 9, 466, "b.heavy.example"),
    ),
    ("_submissions._tcp.none.example", "SRV"): (Service(0, 0, 0, ""),),
    ("_submission._tcp.none.example", "SRV"): (Service(0, 0, 587, "smtp.none.example"),),
    ("_submission._tcp.no.example", "SRV"): (Service(0, 0, 587, ""),),
    ("_submission._tcp.zero.example", "SRV"): (Service(0, 0, 0, "smtp.zero.example"),),
    ("_submission._tcp.dead.example", "SRV"): None,
}

CASES = [
    ("both.example", Submission("smtp.both.example", 465, is_implicit=True)),
    ("old.example", Submission("a.old.example", 588, is_implicit=False)),
    ("heavy.example", Submission("b.heavy.example", 466, is_implicit=True)),
    ("none.example", Submission("smtp.none.example", 587, is_implicit=False)),
    ("no.example", None),
    ("zero.example", None),
    ("nothing.example", None),
]


@pytest.mark.parametrize(("domain", "expected"), CASES)
def test_finds_the_server_that_the_domain_names(domain, expected):
    """Implicit TLS first, then the lowest priority, then the highest weight."""
    assert find_submission(domain, Table(ZONE)) == expected


def test_finds_all_that_the_domain_names_the_best_first():
    """Whoever cannot use the first has the others."""
    found = find_submissions("both.example", Table(ZONE))
    assert [(one.port, one.is_implicit) for one in found] == [(465, True), (587, False)]
    found = find_submissions("old.example", Table(ZONE))
    assert [one.host for one in found] == ["a.old.example", "b.old.example"]


@pytest.mark.parametrize(
    "host",
    ["a b.example", "x\ny.example", "-a.example", "a..b", "\u00fc.example", "a.example\n", "*.x"],
)
def test_target_that_is_no_host_name_is_nobody(host):
    """Attack: a label of any octets is not put into a configuration."""
    rows = {("_submission._tcp.evil.example", "SRV"): (Service(0, 0, 587, host),)}
    assert find_submission("evil.example", Table(rows)) is None


def test_dead_nameserver_is_a_failure():
    """Nobody answers: try again, says the exit code."""
    with pytest.raises(LookupFailedError, match=r"cannot look up SRV of _submission._tcp.dead"):
        find_submission("dead.example", Table(ZONE))
