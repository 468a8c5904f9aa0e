"""Whether one record lets through what another domain's record names."""

from ipaddress import ip_network

import pytest

from domain_zone import Table
from pillarbox.dns.record import parse_term
from pillarbox.dns.spf_coverage import cover, lets_through, needless, networks_of

ZONE = {
    ("p.example", "TXT"): ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:q.example -all",),
    ("q.example", "TXT"): ("v=spf1 a:host.example/30 -ip4:203.0.113.0/24 ~all",),
    ("host.example", "A"): ("198.51.100.9",),
    ("many.example", "TXT"): (
        "v=spf1 " + " ".join(f"ip4:10.0.{number}.0/24" for number in range(100)) + " -all",
    ),
    ("twice.example", "TXT"): ("v=spf1 -all", "v=spf1 mx -all"),
    ("bad.example", "TXT"): ("v=spf1 ip4:x -all",),
    ("mail.example.com", "A"): ("192.0.2.77",),
    ("far.example.com", "A"): ("203.0.113.5",),
    ("dead.example", "TXT"): None,
}


def test_networks_are_what_a_record_and_its_includes_permit():
    """Each once; what is refused is none."""
    found = [str(network) for network in networks_of("p.example", Table(ZONE))]
    assert found == ["192.0.2.0/24", "2001:db8::/32", "198.51.100.8/30"]


@pytest.mark.parametrize("domain", ["none.example", "twice.example", "bad.example"])
def test_networks_of_no_record_are_unknown(domain):
    """Nothing is made up."""
    assert networks_of(domain, Table(ZONE)) == ()


THROUGH = [
    # record of example.com, included, is it let through
    ("v=spf1 include:p.example -all", "p.example", True),
    ("v=spf1 redirect=p.example", "p.example", True),
    ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:198.51.100.8/30 -all", "p.example", True),
    ("v=spf1 +all", "p.example", True),
    ("v=spf1 ip4:192.0.2.0/24 -all", "p.example", False),
    ("v=spf1 -all include:p.example", "p.example", False),
    ("v=spf1 -include:p.example ~all", "p.example", False),
    ("v=spf1 ?include:p.example -all", "p.example", False),
    ("v=spf1 include=p.example -all", "p.example", False),
    ("v=spf1 -all", "none.example", None),
    ("v=spf1 include:none.example -all", "none.example", True),
    ("v=spf1 -include:none.example -all", "none.example", None),
    ("v=spf1 include:dead.example -all", "dead.example", True),
    ("v=spf1 include:dead.example -all", "p.example", None),
    ("v=spf1 ip4:x -all", "p.example", False),
    ("other", "p.example", False),
]


@pytest.mark.parametrize(("text", "included", "expected"), THROUGH)
def test_what_counts_is_whether_it_passes(text, included, expected):
    """A name may be read never, and addresses may do without it."""
    table = Table({**ZONE, ("example.com", "TXT"): (text,)})
    assert lets_through("example.com", included, table) is expected


def test_two_records_let_nobody_through():
    """RFC 7208 4.5."""
    table = Table({**ZONE, ("example.com", "TXT"): ("v=spf1 +all", "v=spf1 +all")})
    assert lets_through("example.com", "p.example", table) is False


def test_of_many_networks_some_are_tried():
    """From the first to the last."""
    networks = networks_of("many.example", Table(ZONE))
    covered = cover("v=spf1 ip4:10.0.0.0/19 -all", "example.com", networks, Table(ZONE))
    assert (len(networks), covered.tried) == (100, 8)
    assert covered.refused[-1] == "10.0.99.1: fail"
    assert "10.0.0.1: fail" not in covered.refused


def test_failure_on_the_way_makes_the_sample_unknown():
    """One address could not be looked up, the next passed."""
    table = Table({("192.0.2.1.x.example", "A"): None})
    others = [ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24")]
    for order in (others, others[::-1]):
        covered = cover("v=spf1 exists:%{i}.x.example +all", "example.com", order, table)
        assert not covered.is_known


NEEDLESS = [
    # addition, record, words; no words where it is needed
    ("a:mail.example.com", "v=spf1 include:p.example -all", "is permitted already"),
    ("a:far.example.com", "v=spf1 include:p.example -all", "leaves from the provider"),
    ("ip4:203.0.113.5", "v=spf1 include:p.example -all", "leaves from the provider"),
    ("ip4:192.0.2.128/25", "v=spf1 include:p.example -all", "is permitted already"),
    ("ip6:2001:db8:1::/48", "v=spf1 include:p.example -all", "is permitted already"),
    ("ip4:192.0.0.0/16", "v=spf1 ip4:192.0.2.0/24 -all", ""),
    ("ip4:192.0.2.0/24", "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/23 -all", ""),
    ("include:p.example", "v=spf1 include:P.example. -all", "is there already"),
    ("include:q.example", "v=spf1 include:p.example -all", "is permitted already"),
    ("include:many.example", "v=spf1 include:p.example -all", ""),
    ("a", "v=spf1 a:example.com -all", "is there already"),
    ("a:none.example", "v=spf1 mx -all", ""),
]


@pytest.mark.parametrize(("addition", "text", "words"), NEEDLESS)
def test_addition_that_is_not_needed_is_told(addition, text, words):
    """Because it is there, because it passes, or because mail leaves from elsewhere."""
    told = needless((parse_term(addition),), (text,), "example.com", Table(ZONE))
    assert words in " ".join(told)
    assert bool(told) is bool(words)


def test_second_record_beside_the_providers_is_an_addition():
    """The tutorial's two records: the server's own is not needed for mail through the provider."""
    records = ("v=spf1 include:p.example -all", "v=spf1 a:far.example.com -all")
    for texts in (records, records[::-1]):
        (told,) = needless((), texts, "example.com", Table(ZONE))
        assert told.startswith("a:far.example.com is not needed for mail that goes through")
    assert needless((), records[:1] * 2, "example.com", Table(ZONE)) == ()
    assert needless((), records[1:] * 2, "example.com", Table(ZONE)) == ()
