"""What a domain needs to send: what is there, what should be, and how it is written."""

import pytest

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
     ("v=spf1 mx include:spf.p.example -all",), "more than one"),
    (["v=spf1 -all a:late.example"], "", WRONG, ("v=spf1 a:late.example -all",),
     "a:late.example stood behind 'all'"),
    (["v=spf1 +all"], "", FINE, ("v=spf1 +all",), "lets the whole world"),
    (["v=spf1 ip4:1.2.3 -all"], "spf.p.example", WRONG, (), "is no IPv4 address"),
]  # fmt: skip


@pytest.mark.parametrize(("present", "include", "state", "wished", "note"), SPF)
def test_spf_is_one_record_with_the_provider(present, include, state, wished, note):
    """What is there is merged with what the provider wishes, and what merging did is told."""
    zone = {(DOMAIN, "TXT"): tuple(text.encode() for text in [*present, "other=1"])}
    row = rows_of(zone, spf_include=include)["@", "TXT"]
    assert (row.state, row.wished) == (state, wished)
    assert note in " ".join(row.notes)
    assert bool(row.notes) is bool(note)


def test_dkim_and_dmarc_are_as_they_stand():
    """A key is only the console's to say; DMARC begins by watching, and is there once."""
    bare = rows_of({}, selectors=("s1",), reports_to="me@example.com")
    assert bare["s1._domainkey", "TXT"].state == OPEN
    assert bare["_dmarc", "TXT"].wished == ("v=DMARC1; p=none; rua=mailto:me@example.com",)
    zone = {
        ("s1._domainkey.example.com", "TXT"): (b"v=DKIM1; p = MIGf",),
        ("_dmarc.example.com", "TXT"): (b"V=DMARC1; p=reject", b"else"),
    }
    full = rows_of(zone, selectors=("s1",))
    assert {full[key].state for key in (("s1._domainkey", "TXT"), ("_dmarc", "TXT"))} == {FINE}
    zone["_dmarc.example.com", "TXT"] = (b"v=DMARC1; p=none", b"v=DMARC1; p=reject")
    twice = rows_of(zone)["_dmarc", "TXT"]
    assert (twice.state, twice.wished) == (WRONG, ("v=DMARC1; p=none",))


def test_zone_file_splits_and_escapes_texts():
    """A text over 255 octets is several strings; quotes and octets are escaped (RFC 1035 5.1)."""
    long = "v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(20)) + " -all"
    row = rows_of({(DOMAIN, "TXT"): (long.encode(),)})["@", "TXT"]
    (line,) = row.zone_lines(DOMAIN)
    assert line.startswith('example.com. 3600 IN TXT "v=spf1 ')
    assert line.count('"') == 4
    zone = {("_dmarc.example.com", "TXT"): (b'v=DMARC1; p="\\\x1b',)}
    (line,) = rows_of(zone)["_dmarc", "TXT"].zone_lines(DOMAIN)
    assert line.endswith(r'"v=DMARC1; p=\"\\\027"')


def test_mx_of_any_octets_cannot_write_to_the_terminal():
    """Attack: an MX label with an escape sequence, a blank and a comment sign."""
    row = rows_of({(DOMAIN, "MX"): ((5, "\x1b[2j ;x.example"),)})["@", "MX"]
    assert row.zone_lines(DOMAIN) == (r"example.com. 3600 IN MX 5 \027[2j\032\059x.example.",)


def test_what_else_may_send_stands_behind_the_provider():
    """Additions come after the include, once."""
    added = (parse_term("a:mail.example.com"), parse_term("include:spf.p.example"))
    row = rows_of({}, spf_include="spf.p.example", additions=added)["@", "TXT"]
    assert row.wished == ("v=spf1 include:spf.p.example a:mail.example.com -all",)
