"""One SPF record out of several."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain_zone import Table
from pillarbox.dns.record import parse_term
from pillarbox.dns.spf import check_host
from pillarbox.dns.spf_merge import merge, split_strings

PROVIDER = "v=spf1 include:spf.qiye.aliyun.com -all"
CASES = [
    ([PROVIDER], ["a:mail.example.com"],
     "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"),
    ([PROVIDER, "v=spf1 a:mail.example.com -all"], [],
     "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"),
    (["v=spf1 a:mail.example.com -all", PROVIDER], [],
     "v=spf1 include:spf.qiye.aliyun.com a:mail.example.com -all"),
    ([], ["include:spf.qiye.aliyun.com"], PROVIDER),
    ([PROVIDER], ["include:SPF.qiye.aliyun.com."], PROVIDER),
    (["v=spf1 a ~all", "v=spf1 a:example.com mx ?all"], [], "v=spf1 a mx ~all"),
    (["v=spf1 redirect=x.example"], ["ip4:192.0.2.1"],
     "v=spf1 ip4:192.0.2.1 redirect=x.example"),
    (["v=spf1 redirect=x.example", "v=spf1 mx -all"], [],
     "v=spf1 mx include:x.example -all"),
    (["v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all"], ["mx"],
     "v=spf1 mx -ip4:192.0.2.1 ip4:192.0.2.0/24 -all"),
    (["v=spf1 redirect=x.example", "v=spf1 -a mx"], [], "v=spf1 mx redirect=x.example"),
    (["v=spf1 -all a:late.example.com"], [], "v=spf1 a:late.example.com -all"),
    (["v=spf1 +all", "v=spf1 a -all"], [], "v=spf1 a +all"),
    (["v=spf1 -all +all"], [], "v=spf1 -all"),
    (["v=spf1 mx +all -a"], [], "v=spf1 mx +all"),
    (["v=spf1 +all", "v=spf1 -a mx -all"], [], "v=spf1 mx +all"),
]  # fmt: skip


@pytest.mark.parametrize(("records", "added", "expected"), CASES)
def test_makes_one_record(records, added, expected):
    """Order stays, nothing is twice, one all stays at the end."""
    terms = tuple(parse_term(text) for text in added)
    assert merge(records, terms, domain="example.com").text == expected


def test_plus_all_is_reported():
    """What merging may not take away it says."""
    assert any("+all" in note for note in merge(["v=spf1 +all"]).notes)


_ADDRESSES = [f"192.0.2.{number}" for number in range(4)]
_ZONE = {
    ("p.example", "TXT"): (b"v=spf1 ip4:192.0.2.0 -all",),
    ("q.example", "TXT"): (b"v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/31 ?all",),
    ("h.example", "A"): ("192.0.2.2",),
    ("example.com", "A"): ("192.0.2.3",),
    ("example.com", "MX"): ((5, "h.example"),),
}
_TERM = st.builds(
    str.__add__,
    st.sampled_from(["", "+", "-", "~", "?"]),
    st.one_of(
        st.builds("ip4:192.0.2.{}/{}".format, st.integers(0, 3), st.sampled_from([30, 31, 32])),
        st.sampled_from(["include:p.example", "include:q.example", "a:h.example", "a", "mx"]),
    ),
)
_RECORD = st.builds(
    lambda terms, end: " ".join(["v=spf1", *terms, *end]),
    st.lists(_TERM, max_size=5),
    st.sampled_from([[], ["-all"], ["~all"], ["+all"], ["?all"], ["redirect=q.example"]]),
)


def result(record, address):
    """Return what a receiver finds."""
    return check_host(address, "a@example.com", Table(_ZONE), record=record).result


@settings(max_examples=200, deadline=None)
@given(st.lists(_RECORD, min_size=1, max_size=3), st.sampled_from(_ADDRESSES))
def test_what_an_input_permitted_stays_permitted(records, added):
    """Every address that one of the records lets through, the merged one does; and the new one."""
    merged = merge(records, (parse_term(f"ip4:{added}"),), domain="example.com").text
    assert result(merged, added) == "pass"
    for address in _ADDRESSES:
        if any(result(record, address) == "pass" for record in records):
            assert result(merged, address) == "pass", (merged, ip_address(address))


def test_long_record_is_split_for_the_zone_file():
    """A string has at most 255 octets, and joined they are the record."""
    text = "v=spf1 " + "ip4:192.0.2.1 " * 30 + "-all"
    assert "".join(split_strings(text)) == text
    assert max(map(len, split_strings(text))) == 255
