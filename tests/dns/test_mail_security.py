"""What a domain and a host say of TLS."""

import pytest

from domain_zone import Table
from pillarbox.dns.answers import TlsaRecord
from pillarbox.dns.mail_security import fault_of_statement, find_pins, find_statements

ZONE = {
    ("_mta-sts.a.example", "TXT"): ("v=STSv1; id=1", "other=1"),
    ("_smtp._tls.a.example", "TXT"): ("v=TLSRPTv1; rua=https://a.example",),
    ("_465._tcp.smtp.a.example", "TLSA"): (TlsaRecord(3, 1, 1, b"x"),),
}


def test_each_is_looked_for_at_its_place():
    """Records of others are passed over."""
    table = Table(ZONE)
    assert find_statements("MTA-STS", "a.example", table) == ("v=STSv1; id=1",)
    assert find_statements("TLS-RPT", "a.example", table) == ("v=TLSRPTv1; rua=https://a.example",)
    assert find_statements("TLS-RPT", "b.example", table) == ()
    assert find_pins("smtp.a.example", 465, table) == (TlsaRecord(3, 1, 1, b"x"),)
    assert find_pins("smtp.a.example", 587, table) == ()


FAULTS = [
    ("MTA-STS", "v=STSv1; id=20261101", ""),
    ("MTA-STS", "v=STSv1;", "'id=' is missing"),
    ("MTA-STS", "v=STSv1; id=", "'id=' is missing"),
    ("TLS-RPT", "v=TLSRPTv1; rua=mailto:a@b.example", ""),
    ("TLS-RPT", "v=TLSRPTv1; id=1", "'rua=' is missing"),
    ("TLS-RPT", "v=TLSRPTv1; mailto:a@b.example", "is no tag"),
]


@pytest.mark.parametrize(("name", "text", "words"), FAULTS)
def test_says_what_is_wrong(name, text, words):
    """Nothing wrong is nothing said."""
    fault = fault_of_statement(name, text)
    assert words in fault
    assert bool(fault) is bool(words)
