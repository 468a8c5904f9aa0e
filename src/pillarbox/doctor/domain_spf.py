"""
The domain's SPF record: whether receivers take mail that leaves from the provider for the domain's.

A record that receivers call an error is told alone: what else it says counts for nothing. Then
whether the provider is in it, and then what is not wise. Mail goes all the same, and lands in the
junk; so nothing here is a fault.
"""

from __future__ import annotations

import itertools
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.record import RecordError, parse_record, parse_term
from pillarbox.dns.spf import check_host, find_records
from pillarbox.dns.spf_coverage import cover, is_named, networks_of
from pillarbox.dns.spf_merge import merge
from pillarbox.dns.spf_walk import walk
from pillarbox.dns.spf_weakness import LENGTH_MAX, mended, weaknesses
from pillarbox.doctor.domain_spf_errors import (
    errors,
    misspelt,
    replace_by,
    several,
    shown,
    syntax,
    wished,
)
from pillarbox.doctor.domain_subject import named, outer_addresses, subject_of, unanswered
from pillarbox.doctor.finding import NOTE, WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.dns.record import Network, Record, Term
    from pillarbox.dns.spf_walk import Walk
    from pillarbox.doctor.domain_subject import Subject
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_spf"]

CODES: tuple[str, ...] = (
    "spf.none",
    "spf.several",
    "spf.syntax",
    "spf.lookups",
    "spf.void",
    "spf.include",
    "spf.provider-missing",
    "spf.plus-all",
    "spf.unread",
    "spf.colon",
    "spf.neutral",
    "spf.ptr",
    "spf.too-long",
    "spf.needless",
    "spf.relay",
    "spf.failed",
)


def check_spf(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the SPF record of the sender's domain."""
    subject = subject_of(patient)
    if subject is None:
        return
    try:
        yield from _judged(subject, patient)
    except LookupFailedError as exc:
        yield unanswered("spf", subject.domain, exc)


def _judged(subject: Subject, patient: Patient) -> Iterator[Finding]:
    records = find_records(subject.domain, subject.ask)
    if not records:
        yield misspelt(subject) or _none(subject)
        return
    if len(records) > 1:
        yield several(records, subject)
        return
    try:
        record = parse_record(records[0])
    except RecordError as exc:
        yield syntax(exc, subject)
        return
    way = walk(record, subject.domain, subject.ask)
    if way.failure is not None:
        yield unanswered("spf", subject.domain, way.failure)
        return
    found = tuple(errors(way, subject))
    yield from found
    if found:
        return
    networks = _networks(subject)
    missing = _provider_missing(record, networks, subject)
    if missing is not None and not _is_only_unread(record, networks, way, subject):
        yield missing
    yield from _weak(record, networks, way, subject)
    if missing is None and networks:
        yield from _needless(record, networks, way, subject)
    if subject.provider is None:
        yield from _relay(record, patient, subject)


def _none(subject: Subject) -> Finding:
    provider, domain = subject.provider, subject.domain
    fix: str = say("publish an SPF record for {domain} that names the addresses from which mail"
                   " leaves: 'pillarbox spf merge {domain} --add ip4:ADDRESS' makes it",
                   domain=domain)  # fmt: skip
    if provider is not None:
        fix = say("publish the SPF record that the console of {name} shows",
                  name=named(provider))  # fmt: skip
        if provider.spf_include:
            fix = _publish(merge((), wished(subject), domain=domain).text, domain)
    return Finding(
        "spf.none",
        NOTE if subject.is_relayed_elsewhere else WARNING,
        say("{domain} has no SPF record", domain=domain),
        meaning=say("receivers cannot tell this mail from forged mail, and many take it for junk"),
        fix=fix,
        evidence=(say("{domain} has no TXT record that begins with v=spf1", domain=domain),),
    )


def _networks(subject: Subject) -> tuple[Network, ...]:
    provider = subject.provider
    if provider is None or not provider.spf_include:
        return ()
    try:
        return networks_of(provider.spf_include, subject.ask)
    except LookupFailedError:
        return ()


def _provider_missing(
    record: Record, networks: Sequence[Network], subject: Subject
) -> Finding | None:
    provider, domain = subject.provider, subject.domain
    if provider is None or not provider.spf_include:
        return None
    if networks:
        covered = cover(record.text, domain, networks, subject.ask)
        if not covered.refused or not covered.is_known:
            return None
        seen: tuple[str, ...] = (shown(record.text), covered.refused[0])
    else:
        # What the provider names cannot be had, so its name must do.
        if is_named(record, provider.spf_include):
            return None
        seen = (shown(record.text),)
    name = named(provider)
    return Finding(
        "spf.provider-missing",
        NOTE if subject.is_relayed_elsewhere else WARNING,
        say("the SPF record of {domain} does not permit {name}", domain=domain, name=name),
        meaning=say("mail leaves from {name}, so receivers take it for forged", name=name),
        fix=replace_by(mended(record.text, wished(subject), domain=domain), domain),
        evidence=seen,
    )


def _is_only_unread(
    record: Record, networks: Sequence[Network], way: Walk, subject: Subject
) -> bool:
    """Tell whether the provider stands there, behind ``all`` or without its colon."""
    kinds = {weakness.kind for weakness in weaknesses(way.steps)}
    if not networks or kinds.isdisjoint(("unread", "colon")):
        return False
    better = mended(record.text, domain=subject.domain)
    return not cover(better, subject.domain, networks, subject.ask).refused


def _weak(
    record: Record, networks: Sequence[Network], way: Walk, subject: Subject
) -> Iterator[Finding]:
    domain = subject.domain
    better = mended(record.text, domain=domain)
    if cover(better, domain, networks, subject.ask).refused:
        # The provider passed because everybody did.
        better = mended(record.text, wished(subject), domain=domain)
    for weakness in weaknesses(way.steps):
        fix = replace_by(better, subject.domain)
        if better == record.text:
            fix = say("remove what includes it from the record of {domain}", domain=subject.domain)
        yield Finding(
            f"spf.{weakness.kind}",
            NOTE if weakness.kind == "ptr" else WARNING,
            weakness.problem,
            fix=fix,
            evidence=(shown(record.text),),
        )
    if len(record.text) > LENGTH_MAX:
        yield Finding(
            "spf.too-long",
            NOTE,
            say("the SPF record of {domain} has {count} characters, and {limit} should do",
                domain=subject.domain, count=len(record.text), limit=LENGTH_MAX),
            meaning=say("a longer one may not fit in an answer of the DNS, and in a zone file each"
                        " string has at most 255"),
            evidence=(shown(record.text),),
        )  # fmt: skip


def _needless(
    record: Record, networks: Sequence[Network], way: Walk, subject: Subject
) -> Iterator[Finding]:
    """Yield the hosts that were added although mail leaves from the provider."""
    assert subject.provider is not None
    found = {step.term.place: step.found for step in way.steps if not step.depth}
    read = itertools.takewhile(lambda term: term.name != "all", record.mechanisms)
    extra = [
        term.text
        for term in read
        if term.qualifier == "+"
        and (term.network is not None or term.name in ("a", "mx"))
        and not _touches(found.get(term.place, ()), networks)
    ]
    if extra:
        terms = printable(" ".join(extra), 200)
        name = named(subject.provider)
        yield Finding(
            "spf.needless",
            NOTE,
            say("the SPF record does not need {terms}", terms=terms),
            meaning=say("mail that goes through {name} leaves from {name}; it is needed only if"
                        " that host delivers by itself too", name=name),
            evidence=(shown(record.text),),
        )  # fmt: skip


def _relay(record: Record, patient: Patient, subject: Subject) -> Iterator[Finding]:
    """Yield a note if a relay that nobody knows would not pass, were it to deliver by itself."""
    addresses = outer_addresses(patient)
    sender = f"postmaster@{subject.domain}"
    for address in addresses:
        verdict = check_host(address, sender, subject.ask, record=record.text)
        if verdict.result not in ("pass", "temperror"):
            yield Finding(
                "spf.relay",
                NOTE,
                say("the SPF record of {domain} does not permit {host}",
                    domain=subject.domain, host=printable(subject.host, 100)),
                meaning=say("if that host delivers by itself, receivers take the mail for forged;"
                            " if it hands it on, this is right"),
                fix=say("if it delivers by itself: publish {record}",
                        record=mended(record.text, (_address_term(address),),
                                      domain=subject.domain)),
                evidence=(f"{address}: {verdict.result} {verdict.term}".rstrip(),),
            )  # fmt: skip
            return


def _address_term(address: str) -> Term:
    return parse_term(f"ip{ip_address(address).version}:{address}")


def _touches(found: Sequence[str], networks: Sequence[Network]) -> bool:
    mine = [ip_network(text, strict=False) for text in found]
    return any(
        one.version == other.version and one.overlaps(other) for one in mine for other in networks
    )


def _publish(record: str, domain: str) -> str:
    return say("in the DNS, give {domain} a TXT record with the value {record}",
               domain=domain, record=record)  # fmt: skip
