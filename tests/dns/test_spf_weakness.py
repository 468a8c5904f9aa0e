"""What an SPF record may say and should not, and the record that says it right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_zone import Table
from pillarbox.dns.record import parse_record, parse_term
from pillarbox.dns.spf import check_host
from pillarbox.dns.spf_walk import walk
from pillarbox.dns.spf_weakness import mended, weaknesses

ZONE = {
    ("open.example", "TXT"): ("v=spf1 +all",),
    ("p.example", "TXT"): ("v=spf1 ip4:192.0.2.0/24 ?all",),
}

CASES = [
    # record, kinds, the record in its place
    ("v=spf1 include:p.example -all", [], "v=spf1 include:p.example -all"),
    ("v=spf1 include:p.example ~all", [], "v=spf1 include:p.example ~all"),
    ("v=spf1 redirect=p.example", [], "v=spf1 redirect=p.example"),
    ("v=spf1 +all", ["plus-all"], "v=spf1 -all"),
    ("v=spf1 all", ["plus-all"], "v=spf1 -all"),
    ("v=spf1 mx ip4:0.0.0.0/0 -all", ["plus-all"], "v=spf1 mx -all"),
    ("v=spf1 ip6:8000::/1 -all", ["plus-all"], "v=spf1 -all"),
    ("v=spf1 ip4:0.0.0.0/0 +all", ["plus-all"], "v=spf1 -all"),
    ("v=spf1 include:open.example -all", ["plus-all"], "v=spf1 include:open.example -all"),
    ("v=spf1 -all mx", ["unread"], "v=spf1 mx -all"),
    ("v=spf1 ptr mx -all", ["ptr"], "v=spf1 mx -all"),
    ("v=spf1 include=p.example -all", ["colon"], "v=spf1 include:p.example -all"),
    ("v=spf1 ip4=1.2.3 -all", ["colon"], "v=spf1 -all"),
    ("v=spf1 mx", ["neutral"], "v=spf1 mx -all"),
    ("v=spf1 mx ?all", ["neutral"], "v=spf1 mx -all"),
    ("v=spf1", ["neutral"], "v=spf1 -all"),
    ("v=spf1 ?all a", ["unread", "neutral"], "v=spf1 a -all"),
    ("v=spf1 -ip4:0.0.0.0/0 mx -all", [], "v=spf1 -ip4:0.0.0.0/0 mx -all"),
    ("v=spf1 exp=x.example mx -all", [], "v=spf1 mx -all exp=x.example"),
]


@pytest.mark.parametrize(("text", "kinds", "better"), CASES)
def test_weakness_is_found_and_mended(text, kinds, better):
    """The new record has none of its own."""
    steps = walk(parse_record(text), "example.com", Table(ZONE)).steps
    assert [weakness.kind for weakness in weaknesses(steps)] == kinds
    assert mended(text, domain="example.com") == better
    steps = walk(parse_record(better), "example.com", Table(ZONE)).steps
    assert {weakness.kind for weakness in weaknesses(steps)} <= {"plus-all"} & set(kinds)


def test_what_is_added_is_in_the_record():
    """Before ``all``."""
    added = (parse_term("include:p.example"),)
    assert mended("v=spf1 mx ?all", added) == "v=spf1 mx include:p.example -all"


_TERMS = st.lists(
    st.builds(
        lambda qualifier, number: f"{qualifier}ip4:192.0.2.{number}",
        st.sampled_from(["", "~", "?"]),
        st.integers(0, 3),
    ),
    max_size=4,
)


@given(_TERMS, st.sampled_from([[], ["-all"], ["~all"], ["?all"]]), st.integers(0, 3))
def test_mending_refuses_nobody_who_was_permitted(terms, end, number):
    """But for the whole world: each address that passed passes still."""
    text = " ".join(["v=spf1", *terms, *end])
    address = f"192.0.2.{number}"
    if check_host(address, "a@example.com", Table({}), record=text).result == "pass":
        better = mended(text)
        assert check_host(address, "a@example.com", Table({}), record=better).result == "pass"
