"""The DMARC policy of a domain: where it stands, and what it asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain_zone import Table
from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.dmarc import REQUESTS, find_policy, is_dmarc, meant, read_policy
from pillarbox.dns.record import RecordError

POLICIES = [
    # record, p, sp, strict DKIM, strict SPF, testing
    ("v=DMARC1; p=none", ("none", "none", False, False, False)),
    ("v=DMARC1;p=Quarantine;", ("quarantine", "quarantine", False, False, False)),
    ("v=DMARC1; p=reject; sp=none; adkim=s; aspf=S", ("reject", "none", True, True, False)),
    ("v=DMARC1; p=reject; t=y", ("reject", "reject", False, False, True)),
    ("v=DMARC1; p=reject; pct=0", ("reject", "reject", False, False, True)),
    ("v=DMARC1; p=reject; pct=50", ("reject", "reject", False, False, False)),
    ("v=DMARC1; rua=mailto:a@b.example", ("none", "none", False, False, False)),
    ("v = DMARC1 ; p = reject ; x=unknown", ("reject", "reject", False, False, False)),
    ("v=DMARC1; sp=reject; p=none", ("none", "reject", False, False, False)),
    ("v=DMARC1; p=none; sp=never", ("none", "none", False, False, False)),
    ("v=DMARC1; p=reject; adkim=x; pct=x", ("reject", "reject", False, False, False)),
]


@pytest.mark.parametrize(("text", "expected"), POLICIES)
def test_reads_what_is_asked(text, expected):
    """A tag that cannot be read counts as not there (RFC 9989 4.7)."""
    policy = read_policy(text, "a.example")
    read = (policy.p, policy.sp, policy.is_strict_dkim, policy.is_strict_spf, policy.is_testing)
    assert read == expected
    assert is_dmarc(text)


FAULTS = [
    ("p=none", "begins with 'v=DMARC1;'"),
    ("v=DMARC2; p=none", "begins with 'v=DMARC1;'"),
    ("p=none; v=DMARC1", "begins with 'v=DMARC1;'"),
    ("", "begins with 'v=DMARC1;'"),
    ("v=DMARC1", "'p=' is missing"),
    ("v=DMARC1; sp=none", "'p=' is missing"),
    ("v=DMARC1; p=", "cannot stand in 'p='"),
    ("v=DMARC1; p=rejct", "'rejct' cannot stand in 'p='"),
    ("v=DMARC1; p=none; p=reject", "twice"),
    ("v=DMARC1, p=none", "begins with 'v=DMARC1;'"),
]


@pytest.mark.parametrize(("text", "words"), FAULTS)
def test_record_that_no_receiver_can_use_is_a_fault(text, words):
    """It says why."""
    with pytest.raises(RecordError, match=words):
        read_policy(text, "a.example")


DOUBTS = [
    ("sp=x", "x"), ("np=x", "x"), ("adkim=x", "x"), ("aspf=rs", "rs"), ("t=1", "1"), ("psd=x", "x"),
    ("pct=101", "101"), ("pct=-1", "-1"), ("pct=", ""), ("rua=a@b.example", "a@b.example"),
    ("rua=https://b.example", "https://b.example"), ("ruf=mailto:a@b.example, x",
                                                     "mailto:a@b.example, x"),
]  # fmt: skip


@pytest.mark.parametrize(("tag", "marked"), DOUBTS)
def test_tag_that_cannot_be_read_is_a_doubt_at_its_place(tag, marked):
    """The policy counts all the same."""
    text = f"v=DMARC1; p=reject; {tag}; x=y"
    policy = read_policy(text, "a.example")
    (doubt,) = policy.doubts
    assert policy.p == "reject"
    assert doubt.place == text.index(tag) + tag.index("=") + 1
    assert text[doubt.place :].startswith(marked)


@pytest.mark.parametrize(
    ("text", "is_it"),
    [("v=DMARC1", True), ("v=DMARC1 ;", True), (" v=DMARC1;", True), ("v=DMARC1 p=none", False),
     ("v=dmarc1;", False), ("V=DMARC1;", False), ("v=DMARC10;", False), ("x v=DMARC1;", False)],
)  # fmt: skip
def test_record_begins_with_its_version(text, is_it):
    """Written exactly so; all others are passed over (RFC 9989 4.7)."""
    assert is_dmarc(text) is is_it


REQUESTED = [
    ("p=reject", "a.example", "reject"),
    ("p=reject; sp=none", "a.example", "reject"),
    ("p=reject; sp=none", "b.a.example", "none"),
    ("p=reject; t=y", "a.example", "quarantine"),
    ("p=quarantine; t=y", "a.example", "none"),
    ("p=none; t=y", "a.example", "none"),
]


@pytest.mark.parametrize(("tags", "domain", "asked"), REQUESTED)
def test_asks_by_domain_and_less_while_testing(tags, domain, asked):
    """t=y: the next gentler thing (RFC 9989 4.7)."""
    assert read_policy(f"v=DMARC1; {tags}", "a.example").request(domain) == asked


ZONE = {
    ("_dmarc.own.example", "TXT"): ("v=DMARC1; p=reject", "other=1"),
    ("_dmarc.sub.own.example", "TXT"): ("other=1",),
    ("_dmarc.twice.example", "TXT"): ("v=DMARC1; p=none", "v=DMARC1; p=reject"),
    ("_dmarc.bad.example", "TXT"): ("v=DMARC1; p=x",),
    ("_dmarc.near.own.example", "TXT"): ("v=dmarc1; p=reject",),
    ("_dmarc.top", "TXT"): ("v=DMARC1; p=reject; psd=y; sp=quarantine",),
    ("_dmarc.org.top", "TXT"): ("v=DMARC1; p=none",),
    ("_dmarc.stop.large.example", "TXT"): ("v=DMARC1; p=none; psd=n",),
    ("_dmarc.large.example", "TXT"): ("v=DMARC1; p=reject",),
    ("_dmarc.deep.large.example", "TXT"): ("v=DMARC1; p=none",),
    ("_dmarc.two.large.example", "TXT"): ("v=DMARC1; p=none", "v=DMARC1; p=reject"),
    ("_dmarc.broken.large.example", "TXT"): ("v=DMARC1; p=x",),
    ("_dmarc.dead.example", "TXT"): None,
}

FOUND = [
    # domain, whose policy counts; empty: nobody's
    ("own.example", "own.example"),
    ("sub.own.example", "own.example"),
    ("a.b.c.own.example", "own.example"),
    ("nothing.example", ""),
    ("twice.example", ""),
    ("bad.example", ""),
    ("near.own.example", ""),
    ("org.top", "org.top"),
    ("x.org.top", "org.top"),
    ("other.top", "top"),
    ("x.other.top", "top"),
    ("x.stop.large.example", "stop.large.example"),
    ("x.y.large.example", "large.example"),
    ("x.deep.large.example", "large.example"),
    ("deep.large.example", "deep.large.example"),
    ("x.two.large.example", "large.example"),
    ("x.broken.large.example", "large.example"),
]


@pytest.mark.parametrize(("domain", "expected"), FOUND)
def test_walks_up_the_tree(domain, expected):
    """The domain itself, else the topmost below a public one (RFC 9989 4.10)."""
    policy = find_policy(domain, Table(ZONE)).policy
    assert (policy.domain if policy else "") == expected


def test_several_and_misspelt_records_are_told_and_not_passed_over():
    """Receivers find none there; a person is to see what he has written."""
    assert len(find_policy("twice.example", Table(ZONE)).texts) == 2
    assert find_policy("bad.example", Table(ZONE)).fault is not None
    assert find_policy("near.own.example", Table(ZONE)).strange == ("v=dmarc1; p=reject",)


def test_long_name_is_walked_in_eight_questions():
    """Attack: a name of sixty labels is not sixty questions (RFC 9989 4.10)."""
    table = Table({})
    find_policy(".".join("a" * 60) + ".example", table)
    assert len(table.asked) == 8
    assert table.asked[1] == ("_dmarc.a.a.a.a.a.a.example", "TXT")


def test_nameserver_that_fails_is_a_failure():
    """A policy that cannot be had is not a policy that is not there."""
    for domain in ("dead.example", "x.dead.example"):
        with pytest.raises(LookupFailedError):
            find_policy(domain, Table(ZONE))


@given(st.text(alphabet="vDMARC1p=;nose rua:mailto@.x%\u00fc\x1b", max_size=60))
def test_any_text_is_a_policy_or_a_fault(text):
    """What is read is one of the words that may be asked."""
    for candidate in (text, "v=DMARC1; p=none;" + text):
        try:
            policy = read_policy(candidate, "a.example")
        except RecordError:
            continue
        assert {policy.p, policy.sp} <= set(REQUESTS)


def test_reports_go_to_the_domains_of_mailto():
    """With a size, with several, without a last dot."""
    text = "v=DMARC1; p=none; rua=mailto:a@B.example.!10m, mailto:c@d.example"
    assert read_policy(text, "a.example").report_domains == ("b.example", "d.example")


MEANT = [
    ("v=DMARC1 p=reject", "v=DMARC1; p=reject"),
    ("v=dmarc1; p=none; rua=mailto:a@b.example", "v=DMARC1; p=none; rua=mailto:a@b.example"),
    ("v = DMARC1, p=none", "v=DMARC1; p=none"),
    ("DMARC1; p=none", ""),
    ('"v=DMARC1; p=none"', "v=DMARC1; p=none"),
    ("p=quarantine", "v=DMARC1; p=quarantine"),
    ("v=DMARC1 p=none; sp=x", ""),
    ("v=DMARC1 p=x", ""),
    ("dmarc", ""),
]


@pytest.mark.parametrize(("text", "expected"), MEANT)
def test_says_what_a_text_was_meant_to_be(text, expected):
    """A record that can be published as it is; else nothing is made up."""
    assert meant(text, "a.example") == expected
    if expected:
        assert is_dmarc(expected)
        assert not read_policy(expected, "a.example").doubts
