"""What a certificate says, and the date in a greeting: all of it untrusted."""

from __future__ import annotations

import pytest

from pillarbox.doctor.certificate import Certificate, date_in, day
from pillarbox.mail.reply import Reply

DAY_S = 86400
NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC

FACTS = {
    "subject": ((("commonName", "mail.example"),),),
    "issuer": ((("organizationName", "Some CA"),), (("commonName", "Some CA R3"),)),
    "notBefore": "Jan  5 08:00:00 2027 GMT",
    "notAfter": "Apr  5 08:00:00 2027 GMT",
    "subjectAltName": (
        ("DNS", "Mail.Example"),
        ("IP Address", "192.0.2.1"),
        ("DNS", "*.b.example"),
    ),
}


def test_the_facts():
    """Names in lower case and without addresses, the issuer's common name, its dates."""
    certificate = Certificate(FACTS, b"der")
    assert certificate.names == ("mail.example", "*.b.example")
    assert certificate.issuer == "Some CA R3"
    assert not certificate.is_self_signed
    assert certificate.days_left(NOW) == 80
    assert certificate.is_valid_at(NOW)
    assert not certificate.is_valid_at(NOW - 11 * DAY_S)
    assert not certificate.is_valid_at(NOW + 81 * DAY_S)
    assert len(certificate.fingerprint) == 95


def test_the_lines():
    """What an administrator asks for, a line each."""
    assert Certificate(FACTS, b"").lines(NOW) == (
        "names: mail.example, *.b.example",
        "issuer: Some CA R3",
        "valid from 2027-01-05 08:00 UTC to 2027-04-05 08:00 UTC (days left: 80)",
    )


def test_nothing_is_known():
    """Where the certificate could not be had there is nothing to show, and nothing is valid."""
    certificate = Certificate({}, b"")
    assert certificate.lines(NOW) == ()
    assert certificate.fingerprint == ""
    assert not certificate.is_self_signed
    assert not certificate.is_valid_at(NOW)


def test_an_issuer_without_a_common_name():
    """The organization takes its place; without either there is a dash."""
    organization = FACTS | {"issuer": ((("organizationName", "Some CA"),),)}
    assert Certificate(organization, b"").issuer == "Some CA"
    assert Certificate(FACTS | {"issuer": ()}, b"").lines(NOW)[1] == "issuer: -"


def test_self_signed():
    """It names itself."""
    assert Certificate(FACTS | {"issuer": FACTS["subject"]}, b"").is_self_signed


def test_attack_a_certificate_with_control_characters():
    """Attack: names and issuers that would write on the terminal, or without end."""
    names = tuple(("DNS", f"n{n}.example") for n in range(300))
    facts = FACTS | {
        "issuer": ((("commonName", "\x1b]0;evil\x07"),),),
        "subjectAltName": (("DNS", "a\nb" + "x" * 5000), *names),
    }
    lines = Certificate(facts, b"").lines(NOW)
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert lines[0].endswith("and 293 more")


@pytest.mark.parametrize(
    ("since", "until", "is_over"),
    [
        (-76, 13.9, True),
        (-76, 14.1, False),
        (-5, 1, True),  # six days
        (-3, 3, False),
        (-900, -1, True),
    ],
)
def test_nearly_over(since, until, is_over):
    """Two weeks, or a third of a short life."""
    certificate = Certificate({}, b"")
    certificate.since, certificate.until = NOW + since * DAY_S, NOW + until * DAY_S
    assert certificate.is_nearly_over(NOW, 14) == is_over


DATES = [
    ("mx ESMTP Exim 4.96 Fri, 15 Jan 2027 08:00:00 +0000", NOW),
    ("mx ESMTP Sendmail 8.17.1/8.17.1; Fri, 15 Jan 2027 09:00:00 +0100", NOW),
    ("mx ESMTP Exim 4.96 #2 Fri, 15 Jan 2027 16:00:00 +0800 ", NOW),
    ("mx at 15 Jan 2027 08:00:00 GMT", NOW),
    ("mx Fri, 15 Jan 2027 08:00 UT", NOW),
    ("mx ready", None),
    ("mx Fri, 99 Jan 2027 08:00:00 +0000", None),
    ("mx Fri, 15 Jan 2027 25:00:00 +0000", None),
    ("mx 2027-01-15", None),
]


@pytest.mark.parametrize(("text", "seconds"), DATES)
def test_date_in_a_greeting(text, seconds):
    """Exim and Sendmail say what time it is."""
    assert date_in(Reply(220, (text.encode(),))) == seconds


def test_no_greeting():
    """Who said nothing said no date."""
    assert date_in(None) is None


def test_day():
    """In UTC, as the dates of a certificate are."""
    assert day(NOW) == "2027-01-15 08:00 UTC"
    assert day(2.0**63) == "9223372036854775808 s"
