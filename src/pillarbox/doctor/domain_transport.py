"""
MTA-STS, TLS-RPT and DANE: notes only, for none of them decides whether a mail of ours goes.

The first two are about mail that comes to the sender's domain; DANE here is about the host that
takes our mail in, whose certificate is checked against the usual authorities in any case.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.mail_security import fault_of_statement, find_pins, find_statements
from pillarbox.doctor.domain_subject import subject_of
from pillarbox.doctor.finding import NOTE, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.domain_subject import Subject
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_transport"]

CODES: tuple[str, ...] = (
    "transport.none",
    "transport.mta-sts",
    "transport.tls-rpt",
    "transport.dane",
    "transport.failed",
)

_CODES = {"MTA-STS": "transport.mta-sts", "TLS-RPT": "transport.tls-rpt"}
_SHOWN = 120


def check_transport(patient: Patient) -> Iterator[Finding]:
    """Yield what the domain and the host say of TLS."""
    subject = subject_of(patient)
    if subject is None:
        return
    missing: list[str] = []
    try:
        for name in _CODES:
            texts = find_statements(name, subject.domain, subject.ask)
            if texts:
                yield _statement(name, texts, subject)
            else:
                missing.append(name)
        port = patient.account.port if patient.account is not None else 0
        if subject.host and port and not _is_address(subject.host):
            yield from _dane(subject, port, missing)
    except LookupFailedError as exc:
        yield Finding(
            "transport.failed",
            NOTE,
            say("the nameservers did not say what the domain says of TLS"),
            evidence=(exc.problem,),
        )
        return
    if missing:
        yield Finding(
            "transport.none",
            NOTE,
            say("{names}: not used", names=", ".join(missing)),
            meaning=say("they guard the way of mail that comes in; none is needed to send"),
        )


def _statement(name: str, texts: tuple[str, ...], subject: Subject) -> Finding:
    domain = subject.domain
    reason = fault_of_statement(name, texts[0])
    if len(texts) > 1:
        reason = say("there is more than one record")
    seen = tuple(printable(text, _SHOWN) for text in texts)
    if reason:
        return Finding(
            _CODES[name],
            NOTE,
            say("the {name} record of {domain} is wrong: {reason}",
                name=name, domain=domain, reason=reason),
            meaning=say("those who send to the domain do not follow it"),
            fix=say("correct the {name} record of {domain}", name=name, domain=domain),
            evidence=seen,
        )  # fmt: skip
    problem = say("{domain} has a record of {name}", domain=domain, name=name)
    return Finding(_CODES[name], NOTE, problem, evidence=seen)


def _dane(subject: Subject, port: int, missing: list[str]) -> Iterator[Finding]:
    pins = find_pins(subject.host.lower().rstrip("."), port, subject.ask)
    if not pins:
        missing.append("DANE")
        return
    yield Finding(
        "transport.dane",
        NOTE,
        say("{host} has TLSA records (DANE) for port {port}", host=subject.host, port=port),
        meaning=say("pillarbox checks the certificate against the authorities that the system"
                    " trusts, and does not need them"),
        evidence=tuple(f"TLSA {pin.usage} {pin.selector} {pin.matching}" for pin in pins[:8]),
    )  # fmt: skip


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
