"""What the checks of a domain ask about, and whose servers its mail leaves from."""

import pytest

from domain_zone import AT_ALIYUN, BEHIND_A_RELAY, Table, changed, patient_of
from pillarbox.dns.record import RecordError, parse_record
from pillarbox.dns.sender_records import FINE
from pillarbox.doctor.domain_subject import (
    is_private,
    marked,
    outer_addresses,
    relays_alone,
    rows_of,
    subject_of,
)
from pillarbox.errors import DataError

PROVIDERS = [
    # host, port, sender, provider
    ("smtp.qiye.aliyun.com", 465, "a@example.com", "aliyun-qiye"),
    ("SMTP.Qiye.Aliyun.com", 465, "a@example.com", "aliyun-qiye"),
    ("smtp.qiye.aliyun.com", 2525, "a@example.com", "aliyun-qiye"),
    ("smtp.gmail.com", 587, "a@example.com", "google-workspace"),
    ("smtp.mail.me.com", 587, "a@example.com", "icloud"),
    ("127.0.0.1", 1025, "a@example.com", "proton-bridge"),
    ("127.0.0.1", 25, "a@example.com", ""),
    ("relay.example.com", 25, "a@example.com", ""),
]


@pytest.mark.parametrize(("host", "port", "sender", "provider"), PROVIDERS)
def test_provider_is_whose_server_takes_the_mail(host, port, sender, provider):
    """For a domain that is somebody's own."""
    subject = subject_of(patient_of({}, host=host, port=port, sender=sender))
    assert (subject.provider.id if subject.provider else "") == provider


DOMAINS = [
    # sender, domain; empty: there is nothing to examine
    ("a@Example.COM", "example.com"),
    ("a@stra\u00dfe.example", "xn--strae-oqa.example"),
    ("a@alerts.example.com", "alerts.example.com"),
    ("a@qq.com", ""),
    ("a@GMAIL.com", ""),
    ("a@host.lan", ""),
    ("a@host.test", ""),
    ("a@[192.0.2.1]", ""),
    ("a@localhost", ""),
    ("root", ""),
]


@pytest.mark.parametrize(("sender", "domain"), DOMAINS)
def test_subject_is_a_domain_that_the_sender_could_change(sender, domain):
    """In ASCII and lower case; the DNS is not asked for it."""
    patient = patient_of({}, sender=sender)
    subject = subject_of(patient)
    assert (subject.domain if subject else "") == domain
    assert patient.ask.asked == []


def test_no_sender_is_no_subject():
    """The configuration is somebody else's to read."""
    patient = patient_of({})
    patient.sender = None
    assert subject_of(patient) is None
    assert not is_private(patient)
    assert rows_of(patient) == ()


def test_domain_that_cannot_be_is_an_error():
    """It never gets as far as a question."""
    with pytest.raises(DataError, match="not a valid domain"):
        subject_of(patient_of({}, sender="a@\u2603.example"))


@pytest.mark.parametrize(
    ("host", "is_alone"), [("", True), ("localhost", True), ("::1", True), ("h.example", False)]
)
def test_relay_on_this_machine_is_another_program(host, is_alone):
    """It may rewrite the sender."""
    assert relays_alone(patient_of({}, host=host)) is is_alone


def test_outer_addresses_are_few_and_of_the_world():
    """Nothing leaves from the inside."""
    given = ["10.1.1.1", "::1", "fe80::1%eth0", *(f"203.0.113.{n}" for n in range(9))]
    assert outer_addresses(patient_of({}, addresses=given)) == tuple(given[3:7])


def test_mark_stands_below_the_fault():
    """Whatever octets stand before it, one character is one column."""
    text = "v=spf1 " + "a:x.example " * 10 + "\x1b\u3042 -all"
    with pytest.raises(RecordError) as caught:
        parse_record(text)
    shown, mark = marked(caught.value)
    assert shown[mark.index("^") :].startswith("?? -all")
    assert len(shown) <= 120


def test_rows_are_those_of_the_dns_page():
    """For the page and the support bundle."""
    rows = rows_of(patient_of(AT_ALIYUN))
    assert {(row.host, row.state) for row in rows} == {
        ("@", FINE), ("default._domainkey", FINE), ("_dmarc", FINE)
    }  # fmt: skip
    rows = rows_of(patient_of(changed(BEHIND_A_RELAY), host="relay.example.com"))
    assert [row.host for row in rows] == ["@", "@", "_dmarc"]


def test_table_follows_an_alias():
    """The tests' own resolver does as a real one."""
    table = Table({("a.example", "CNAME"): ("b.example",), ("b.example", "TXT"): ("x",)})
    assert table("A.example.", "TXT") == (b"x",)
    assert table("a.example", "CNAME") == ("b.example",)
