"""
Feed the readers of what a domain publishes: SPF, DKIM, DMARC, MTA-STS and TLS-RPT records.

The property: a record is read, or refused at a place inside it; what is read has only the words
that may stand there; an SPF record that is mended can be read, and has an ``all`` that permits
nobody new, or a redirect.

Allowed refusals: RecordError, for a record whose grammar is wrong, at its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.dns.dkim import read_key
from pillarbox.dns.dmarc import REQUESTS, is_dmarc, read_policy
from pillarbox.dns.mail_security import fault_of_statement
from pillarbox.dns.record import RecordError, parse_record
from pillarbox.dns.spf_weakness import mended
from pillarbox.dns.tags import parse_tags

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = [
    b"v=spf1 include:spf.qiye.aliyun.com a:mail.example.com/24//64 -ip4:192.0.2.1 ~all exp=a.b",
    b"v=spf1 +all ptr mx:%{d}.example.com exists:%{ir}.x.example redirect=_spf.example.com",
    b"v=spf1 include=x.example ?all ip6:2001:db8::/32 a:late.example",
    b"v=DMARC1; p=reject; sp=none; adkim=s; aspf=r; pct=50; t=y; psd=n; rua=mailto:a@b.example!1m",
    b"v=DMARC1;p=none;rua=mailto:a@b.example, mailto:c@d.example;fo=1:d:s",
    b"v=DKIM1; k=ed25519; t=y:s; s=email; h=sha256; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    b"p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAECAwEAAQ==",
    b"v=STSv1; id=20261101000000Z;",
    b"v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/",
]


def check(data: bytes) -> None:
    """Hold the property for a record."""
    text = data.decode("latin-1")
    for read in (parse_tags, read_key, _policy, _spf):
        fault = _fault_of(read, text)
        if fault is not None:
            assert fault.record == text, read
            assert 0 <= fault.place <= len(text), read
            assert fault.length > 0
    for name in ("MTA-STS", "TLS-RPT"):
        assert isinstance(fault_of_statement(name, text), str)


def _fault_of(read: Callable[[str], object], text: str) -> RecordError | None:
    try:
        read(text)
    except RecordError as exc:
        return exc
    return None


def _policy(text: str) -> None:
    policy = read_policy(text, "example.com")
    assert is_dmarc(text)
    assert policy.request("example.com") in REQUESTS
    assert policy.request("a.example.com") in REQUESTS
    assert all("@" not in domain and domain for domain in policy.report_domains)
    assert all(0 <= doubt.place <= len(text) for doubt in policy.doubts)


def _spf(text: str) -> None:
    record = parse_record(text)
    for term in record.terms:
        assert text[term.place : term.place + len(term.text)] == term.text
    better = parse_record(mended(text, domain="example.com"))
    ends = [term for term in better.mechanisms if term.name == "all"]
    assert ends or better.modifier("redirect")
    assert all(term.qualifier in "-~" for term in ends)


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
