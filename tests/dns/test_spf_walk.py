"""A whole record, term by term: its cost at worst, and who may send."""

import pytest

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.record import parse_record
from pillarbox.dns.spf_walk import walk

ZONE = {
    ("in.example", "TXT"): (b"v=spf1 ip4:192.0.2.0/24 include:deep.example ~all",),
    ("deep.example", "TXT"): (b"v=spf1 ip6:2001:db8::/32 ?all",),
    ("sub.example.com", "TXT"): (b"v=spf1 ip4:198.51.100.9 -all",),
    ("com", "TXT"): (),
    ("twice.example", "TXT"): (b"v=spf1 -all", b"v=spf1 mx -all"),
    ("bad.example", "TXT"): (b"v=spf1 ip4:1.2.3 -all",),
    ("back.example", "TXT"): (b"v=spf1 include:example.com -all",),
    ("host.example", "A"): ("192.0.2.7",),
    ("host.example", "AAAA"): ("2001:db8::7",),
    ("example.com", "MX"): ((5, "host.example"), (9, "away.example")),
    **{
        (f"w{number}.example", "TXT"): (
            " ".join(["v=spf1", *(f"include:w{number + 1}.example" for _ in range(9))]).encode(),
        )
        for number in range(12)
    },
}


def ask(name, kind):
    """Answer from ZONE; one name fails."""
    if name == "fails.example":
        raise LookupFailedError(name, kind, "no answer")
    return ZONE.get((name, kind), ())


def way_of(text):
    """Return the way through a record of example.com."""
    return walk(parse_record(text), "example.com", ask)


CASES = [
    # record, lookups, voids, a word of the problems
    ("v=spf1 -all", 0, 0, ""),
    ("v=spf1 include:in.example -all", 2, 0, ""),
    ("v=spf1 a:host.example mx -all", 2, 1, ""),
    ("v=spf1 redirect=in.example", 2, 0, ""),
    ("v=spf1 mx:none.example -all", 1, 1, ""),
    ("v=spf1 redirect=in.example -all", 0, 0, ""),
    ("v=spf1 include:sub.%{D} -all", 1, 0, ""),
    ("v=spf1 include:sub.%{d2} -all", 1, 0, ""),
    ("v=spf1 exists:%{i}.x.example -all", 1, 0, ""),
    ("v=spf1 include=in.example a=b exp=in.example -all", 0, 0, ""),
    ("v=spf1 include:none.example -all", 1, 0, "none.example has no SPF record"),
    ("v=spf1 include:twice.example -all", 1, 0, "more than one SPF record"),
    ("v=spf1 include:bad.example -all", 1, 0, "is no IPv4 address"),
    ("v=spf1 include:back.example -all", 2, 0, "includes itself"),
    ("v=spf1 include:fails.example -all", 1, 0, "cannot look up TXT of fails.example"),
    ("v=spf1 a:x.example a:y.example a:z.example -all", 3, 3, "more than two DNS lookups"),
    ("v=spf1 " + "a:host.example " * 11 + "-all", 11, 0, "more than ten DNS lookups"),
]


@pytest.mark.parametrize(("text", "lookups", "voids", "problem"), CASES)
def test_counts_and_says_what_is_wrong(text, lookups, voids, problem):
    """Each term that asks is counted, in every record below; nothing wrong is no problem."""
    way = way_of(text)
    assert (way.lookups, way.voids) == (lookups, voids)
    assert problem in "; ".join(way.problems)
    assert bool(way.problems) is bool(problem)


def test_steps_say_where_they_lie_and_what_they_permit():
    """Depth, domain and addresses of each term, in the order of reading."""
    steps = way_of("v=spf1 a:host.example/24//64 include:in.example -all").steps
    assert [(step.depth, step.domain, step.term.text, step.found) for step in steps] == [
        (0, "example.com", "a:host.example/24//64", ("192.0.2.7/24", "2001:db8::7/64")),
        (0, "example.com", "include:in.example", ()),
        (1, "in.example", "ip4:192.0.2.0/24", ("192.0.2.0/24",)),
        (1, "in.example", "include:deep.example", ()),
        (2, "deep.example", "ip6:2001:db8::/32", ("2001:db8::/32",)),
        (2, "deep.example", "?all", ()),
        (1, "in.example", "~all", ()),
        (0, "example.com", "-all", ()),
    ]


def test_hostile_record_that_fans_out_comes_to_an_end():
    """Attack: nine includes in each of twelve levels; steps and depth are bounded."""
    way = way_of("v=spf1 include:w0.example -all")
    assert len(way.steps) <= 500
    assert any("more than ten" in problem for problem in way.problems)


def test_hostile_record_asks_a_bounded_number_of_addresses():
    """Attack: a thousand hosts in one record are not a thousand questions."""
    asked = []
    record = parse_record("v=spf1 " + " ".join(f"a:h{n}.example" for n in range(400)))
    walk(record, "example.com", lambda name, kind: asked.append((name, kind)) or ())
    assert len(asked) == 100
