"""The grammar of an SPF record, with the place of each fault (RFC 7208 12)."""

import pytest

from pillarbox.dns.record import RecordError, is_spf, parse_record, parse_term

FAULTS = [
    # the record, what the mark stands below, a word of the problem or of the advice
    ("v=spf2 -all", "v=spf2", "begins with"),
    ("v=spf1\t-all", "v=spf1", "begins with"),
    ("v=spf1 ip4:192.0.2.1/33 -all", "/33", "0 to 32"),
    ("v=spf1 ip4:192.0.2.1/08 -all", "/08", "0 to 32"),
    ("v=spf1 ip6:2001:db8::/129 -all", "/129", "0 to 128"),
    ("v=spf1 ip4:2001:db8::1 -all", "2001:db8::1", "write ip6:2001:db8::1"),
    ("v=spf1 ip6:192.0.2.1 -all", "192.0.2.1", "write ip4:192.0.2.1"),
    ("v=spf1 ip4:192.0.2 -all", "192.0.2", "no IPv4 address"),
    ("v=spf1 ip6:fe80::1%eth0 -all", "fe80::1%eth0", "no IPv6 address"),
    ("v=spf1 ip4 -all", " ", "address is missing"),
    ("v=spf1 192.0.2.0/24 -all", "192.0.2.0/24", "write ip4:192.0.2.0/24"),
    ("v=spf1 a:192.0.2.1 -all", "192.0.2.1", "write ip4:192.0.2.1"),
    ("v=spf1 include -all", " ", "a domain is missing"),
    ("v=spf1 include: -all", " ", "a domain is missing"),
    ("v=spf1 include:localhost -all", "localhost", "is no domain"),
    ("v=spf1 incude:x.example -all", "incude:x.example", "did you mean 'include'"),
    ("v=spf1 include:x.example-all mx", None, None),  # a domain that ends so is possible
    ("v=spf1 mx-all", "mx-all", "put a space before -all"),
    ("v=spf1 -all:x.example", ":x.example", "behind 'all'"),
    ("v=spf1 a/33 -all", "33", "0 to 32"),
    ("v=spf1 mx//129 -all", "129", "0 to 128"),
    ("v=spf1 a/x -all", "/x", "cannot stand here"),
    ("v=spf1 exists:%{x}.example -all", "%{x}", "no macro"),
    ("v=spf1 exists:100%.example -all", "%.ex", "written %%"),
    ("v=spf1 x=%{c} -all", "%{c}", "no macro"),
    ("v=spf1 redirect=a.example redirect=b.example", "redirect=b.example", "there twice"),
    ("v=spf1 exp=a.example exp=b.example -all", "exp=b.example", "there twice"),
    ("v=spf1 include\uff1ax.example -all", "\uff1a", "plain ASCII"),
    ("v=spf1 \u2212all", "\u2212", "plain ASCII"),
]


@pytest.mark.parametrize(("text", "marked", "words"), FAULTS)
def test_fault_is_marked_and_explained(text, marked, words):
    """The mark stands below the fault, and a sentence says what is wrong or to be written."""
    if marked is None:
        parse_record(text)
        return
    with pytest.raises(RecordError) as caught:
        parse_record(text)
    fault = caught.value
    assert text[fault.place : fault.place + fault.length] == marked
    assert words in f"{fault.problem} {fault.advice}"


@pytest.mark.parametrize(
    ("octets", "is_it"),
    [(b"v=spf1", True), (b"V=SPF1 -all", True), (b"v=spf10 -all", False), (b"v=spf1-all", False),
     (b" v=spf1", False), (b"v=spf1\t-all", False), (b"", False)],
)  # fmt: skip
def test_version_alone_or_before_a_blank_makes_a_record(octets, is_it):
    """RFC 7208 4.5: what only begins alike is another TXT record."""
    assert is_spf(octets) is is_it


def test_term_is_read_whole():
    """Qualifier, name, domain and both prefix lengths, whatever the case."""
    term = parse_term("~MX:Mail.Example.com/24//64")
    assert (term.qualifier, term.name, term.value) == ("~", "mx", "Mail.Example.com")
    assert (term.prefix4, term.prefix6) == (24, 64)
    assert parse_term("ip4:192.0.2.7/24").network == parse_term("+ip4:192.0.2.0/24").network


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [("a", "+A:example.com.", True), ("mx", "mx/24", False), ("a", "?a", False),
     ("ip4:192.0.2.1", "ip4:192.0.2.1/32", True), ("ptr", "ptr:example.com", True),
     ("include:x.example", "include:X.example.", True), ("a=x", "a:x.example", False)],
)  # fmt: skip
def test_same_meaning_is_the_same_key(one, other, is_same):
    """Two spellings of one term are one; another reach or qualifier is another term."""
    keys = [parse_term(text).key("example.com") for text in (one, other)]
    assert (keys[0] == keys[1]) is is_same


@pytest.mark.parametrize(
    ("text", "is_looking"),
    [("include:x.example", True), ("a", True), ("redirect=x.example", True),
     ("ip4:192.0.2.1", False), ("all", False), ("exp=x.example", False),
     ("include=x.example", False), ("a=b", False)],
)  # fmt: skip
def test_only_what_asks_the_dns_costs_a_lookup(text, is_looking):
    """``include=`` is a modifier that nobody knows, not an include (RFC 7208 6)."""
    assert parse_term(text).is_looking is is_looking
