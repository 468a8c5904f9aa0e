"""What a domain needs to send: what is there, what should be, and how it is written."""

import pytest

from domain_zone import Table, rsa_record
from pillarbox.dns.record import parse_term
from pillarbox.dns.sender_records import FINE, MISSING, OPEN, WRONG, sender_records

DOMAIN = "example.com"


def rows_of(zone, **wishes):
    """Return the rows of a domain, by host and kind."""
    rows = sender_records(DOMAIN, lambda name, kind: zone.get((name, kind), ()), **wishes)
    return {(row.host, row.kind): row for row in rows}


MX = [
    # the MX that are there, suffixes of the provider, state, those that should be
    ([], ("p.example",), MISSING, ()),
    ([(5, "mx.p.example")], ("p.example",), FINE, ("5 mx.p.example",)),
    ([(5, "p.example")], ("p.example",), FINE, ("5 p.example",)),
    ([(5, "xp.example")], ("p.example",), WRONG, ()),
    ([(9, "old.example"), (5, "mx.p.example")], ("p.example",), WRONG, ("5 mx.p.example",)),
    ([(5, "mx.x.example")], (), OPEN, ("5 mx.x.example",)),
]


@pytest.mark.parametrize(("present", "suffixes", "state", "wished"), MX)
def test_mx_are_the_providers(present, suffixes, state, wished):
    """A host of somebody else is to be removed; without a provider nobody can tell."""
    row = rows_of({(DOMAIN, "MX"): tuple(present)}, mx_suffixes=suffixes)["@", "MX"]
    assert (row.state, row.wished) == (state, wished)


SPF = [
    # the records that are there, what the provider wishes, state, the one that should be, a note
    ([], "", MISSING, (), "no SPF record"),
    ([], "spf.p.example", MISSING, ("v=spf1 include:spf.p.example -all",), "no SPF record"),
    (["v=spf1 include:spf.p.example ~all"], "spf.p.example", FINE,
     ("v=spf1 include:spf.p.example ~all",), ""),
    (["v=spf1 mx -all"], "spf.p.example", WRONG,
     ("v=spf1 mx include:spf.p.example -all",), "do not add a second"),
    (["v=spf1 mx -all", "v=spf1 include:spf.p.example -all"], "", WRONG,
     ("v=spf1 include:spf.p.example mx -all",), "more than one"),
    (["v=spf1 -all a:late.example"], "", WRONG, ("v=spf1 a:late.example -all",),
     "a:late.example stood behind 'all'"),
    (["v=spf1 +all"], "", WRONG, ("v=spf1 -all",), "lets the whole world"),
    (["v=spf1 include:open.example -all"], "", WRONG, (), "+all in the record of open.example"),
    (["v=spf1 include=spf.p.example -all"], "", WRONG, ("v=spf1 include:spf.p.example -all",),
     "a colon belongs behind"),
    (["v=spf1 exp=x.example mx:example.org ~all"], "", FINE,
     ("v=spf1 exp=x.example mx:example.org ~all",), ""),
    (["v=spf1 include:ours.example -all"], "spf.p.example", FINE,
     ("v=spf1 include:ours.example -all",), ""),
    (["v=spf1 -all include:spf.p.example"], "spf.p.example", WRONG,
     ("v=spf1 include:spf.p.example -all",), "stood behind 'all'"),
    (["v=spf1mx:example.org -all"], "spf.p.example", WRONG,
     ("v=spf1 mx:example.org include:spf.p.example -all",), "begins with 'v=spf1'"),
    (['"v=spf1 -all"'], "", WRONG, ("v=spf1 -all",), "begins with 'v=spf1'"),
    (["v=spf1#mx -all"], "", WRONG, (), "begins with 'v=spf1'"),
    (["v=spf2.0/pra mx -all"], "", MISSING, (), "no SPF record"),
    (["v=spf1 ?all"], "", FINE, ("v=spf1 ?all",), "nobody is refused"),
    (["v=spf1 include:gone.example -all"], "", WRONG, (), "gone.example has no SPF record"),
    (["v=spf1 a:x.example a:y.example a:z.example -all"], "", WRONG, (), "find nothing"),
    (["v=spf1 ip4:1.2.3 -all"], "spf.p.example", WRONG, (), "is no IPv4 address"),
]  # fmt: skip


@pytest.mark.parametrize(("present", "include", "state", "wished", "note"), SPF)
def test_spf_is_one_record_with_the_provider(present, include, state, wished, note):
    """What is there is merged with what the provider wishes, and what merging did is told."""
    zone = {
        (DOMAIN, "TXT"): tuple(text.encode() for text in [*present, "other=1"]),
        ("spf.p.example", "TXT"): (b"v=spf1 ip4:192.0.2.0/24 -all",),
        ("open.example", "TXT"): (b"v=spf1 +all",),
        ("ours.example", "TXT"): (b"v=spf1 redirect=spf.p.example",),
        ("example.org", "MX"): ((5, "mx.example.org"),),
        ("mx.example.org", "A"): ("198.51.100.1",),
    }
    row = rows_of(zone, spf_include=include)["@", "TXT"]
    assert (row.state, row.wished) == (state, wished)
    assert note in " ".join(row.notes)
    assert bool(row.notes) is bool(note)


KEY = rsa_record()
DKIM = [
    # the records at the selector, its alias, state, what should be there, a note
    ([], "", OPEN, (), "copy it from there"),
    ([KEY], "", FINE, (KEY,), ""),
    ([KEY], "key.p.example", FINE, ("key.p.example",), ""),
    ([], "key.p.example", OPEN, ("key.p.example",), "does not sign yet"),
    ([KEY, KEY + " "], "", WRONG, (), "copy it from there"),
    ([KEY[:-20]], "", WRONG, (), "a part of it is missing"),
    (["v=DKIM1; p="], "", WRONG, (), "copy it from there"),
    ([rsa_record(512)], "", WRONG, (), "copy it from there"),
    (["v=spf1 -all"], "", OPEN, (), "copy it from there"),
]


@pytest.mark.parametrize(("texts", "alias", "state", "wished", "note"), DKIM)
def test_dkim_key_is_the_consoles_to_say(texts, alias, state, wished, note):
    """A key that can be used stays, by its alias where it has one; nothing is made up."""
    place = "s1._domainkey.example.com"
    zone = {(alias or place, "TXT"): tuple(text.encode() for text in texts)}
    if alias:
        zone[place, "CNAME"] = (alias,)
    rows = {row.host: row for row in sender_records(DOMAIN, Table(zone), selectors=("s1",))}
    row = rows["s1._domainkey"]
    assert (row.state, row.wished) == (state, wished)
    assert row.kind == ("CNAME" if alias else "TXT")
    assert note in " ".join(row.notes)
    if alias:
        assert row.zone_lines(DOMAIN) == (f"{place}. 3600 IN CNAME key.p.example.",)


def test_selector_with_a_placeholder_is_left_out():
    """``aliyun-<region>`` is not asked for, and is no row."""
    assert not any("<" in host for host, _ in rows_of({}, selectors=("aliyun-<region>",)))


FIRST = "v=DMARC1; p=none; rua=mailto:me@example.com"
DMARC = [
    # the records that are there, those of the domain above, state, what should be, a note
    ([], [], MISSING, (FIRST,), ""),
    (["v=DMARC1; p=reject", "else"], [], FINE, ("v=DMARC1; p=reject",), ""),
    (["v=DMARC1; p=none", "v=DMARC1; p=reject"], [], WRONG, ("v=DMARC1; p=none",), "one DMARC"),
    (["v=DMARC1; p=no"], [], WRONG, (FIRST,), "'no' cannot stand in 'p='"),
    (["v=DMARC1; p=none; sp=no"], [], WRONG, (), "'no' cannot stand in 'sp='"),
    (["v=DMARC1 p=reject"], [], WRONG, ("v=DMARC1; p=reject",), "at its beginning"),
    (["V=dmarc1; p=x"], [], WRONG, (FIRST,), "at its beginning"),
    ([], ["v=DMARC1; p=reject"], FINE, (), "the policy of com counts for it"),
]


@pytest.mark.parametrize(("texts", "above", "state", "wished", "note"), DMARC)
def test_dmarc_is_one_record_that_can_be_read(texts, above, state, wished, note):
    """It begins by watching, is there once, and is not needed below a domain that has one."""
    zone = {
        ("_dmarc.example.com", "TXT"): tuple(text.encode() for text in texts),
        ("_dmarc.com", "TXT"): tuple(text.encode() for text in above),
    }
    row = rows_of(zone, reports_to="me@example.com")["_dmarc", "TXT"]
    assert (row.state, row.wished) == (state, wished)
    assert note in " ".join(row.notes)


def test_addition_that_is_not_needed_is_told():
    """Mail that goes through the provider leaves from the provider (the tutorial's case)."""
    zone = {
        (DOMAIN, "TXT"): (b"v=spf1 include:spf.p.example -all",),
        ("spf.p.example", "TXT"): (b"v=spf1 ip4:192.0.2.0/24 -all",),
    }
    added = (parse_term("a:mail.example.com"),)
    row = rows_of(zone, spf_include="spf.p.example", additions=added)["@", "TXT"]
    assert row.wished == ("v=spf1 include:spf.p.example a:mail.example.com -all",)
    assert "leaves from the provider" in " ".join(row.notes)


def test_zone_file_splits_and_escapes_texts():
    """A text over 255 octets is several strings; quotes and octets are escaped (RFC 1035 5.1)."""
    long = "v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(20)) + " -all"
    row = rows_of({(DOMAIN, "TXT"): (long.encode(),)})["@", "TXT"]
    (line,) = row.zone_lines(DOMAIN)
    assert line.startswith('example.com. 3600 IN TXT "v=spf1 ')
    assert line.count('"') == 4
    zone = {("_dmarc.example.com", "TXT"): (b'v=DMARC1; p=none; x="\\\x1b',)}
    (line,) = rows_of(zone)["_dmarc", "TXT"].zone_lines(DOMAIN)
    assert line.endswith(r'"v=DMARC1; p=none; x=\"\\\027"')


def test_mx_of_any_octets_cannot_write_to_the_terminal():
    """Attack: an MX label with an escape sequence, a blank and a comment sign."""
    row = rows_of({(DOMAIN, "MX"): ((5, "\x1b[2j ;x.example"),)})["@", "MX"]
    assert row.zone_lines(DOMAIN) == (r"example.com. 3600 IN MX 5 \027[2j\032\059x.example.",)


def test_what_else_may_send_stands_behind_the_provider():
    """Additions come after the include, once."""
    added = (parse_term("a:mail.example.com"), parse_term("include:spf.p.example"))
    row = rows_of({}, spf_include="spf.p.example", additions=added)["@", "TXT"]
    assert row.wished == ("v=spf1 include:spf.p.example a:mail.example.com -all",)
