"""
The domain's DMARC policy, and whether our mail stands up to it.

Mail passes where SPF passes for the envelope, or a signature is good, and the domain of either is
that of the ``From`` field. Envelope and ``From`` are the sender's here, so what counts is whether
the provider is in the SPF record, and whether its key is published. Where both are known to fail,
a policy of ``reject`` is the one thing in a domain that keeps mail from arriving: a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.dkim import find_keys
from pillarbox.dns.dmarc import find_policy, meant
from pillarbox.dns.record import RecordError, parse_term
from pillarbox.dns.spf import check_host, find_records
from pillarbox.dns.spf_coverage import lets_through
from pillarbox.dns.spf_merge import merge
from pillarbox.dns.spf_weakness import mended
from pillarbox.dns.tags import texts_of
from pillarbox.doctor.domain_dkim import known_selectors
from pillarbox.doctor.domain_subject import (
    marked,
    named,
    outer_addresses,
    subject_of,
    unanswered,
)
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.dmarc import Policy, Published
    from pillarbox.doctor.domain_subject import Subject
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_dmarc"]

CODES: tuple[str, ...] = (
    "dmarc.none",
    "dmarc.several",
    "dmarc.syntax",
    "dmarc.tag",
    "dmarc.unaligned",
    "dmarc.unproven",
    "dmarc.reports",
    "dmarc.failed",
)

_SHOWN = 400  # characters of a record

# Nothing is refused, and a report tells who sends as the domain: how everybody begins.
_FIRST = "v=DMARC1; p=none; rua=mailto:postmaster@{domain}"


def check_dmarc(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the policy, or with our mail by its measure."""
    subject = subject_of(patient)
    if subject is None:
        return
    try:
        published = find_policy(subject.domain, subject.ask)
        if published.policy is None:
            yield _no_policy(published, subject)
            return
        yield from _judged(published.policy, subject, patient)
    except LookupFailedError as exc:
        yield unanswered("dmarc", subject.domain, exc)


def _no_policy(published: Published, subject: Subject) -> Finding:
    domain = subject.domain
    place = f"_dmarc.{domain}"
    if published.fault is not None:
        return Finding(
            "dmarc.syntax",
            WARNING,
            say("the DMARC record of {domain} is wrong at character {place}: {reason}",
                domain=domain, place=published.fault.place + 1, reason=published.fault.problem),
            meaning=say("receivers then read nothing of it"),
            fix=say("in the record at the mark: {advice}", advice=published.fault.advice),
            evidence=marked(published.fault),
        )  # fmt: skip
    if len(published.texts) > 1:
        return Finding(
            "dmarc.several",
            WARNING,
            say("{domain} has more than one DMARC record", domain=domain),
            meaning=say("receivers then read none of them"),
            fix=say("keep one of the TXT records of {place} and remove the others", place=place),
            evidence=tuple(printable(text, _SHOWN) for text in published.texts),
        )
    if published.strange:
        right = meant(published.strange[0], domain) or _FIRST.format(domain=domain)
        return Finding(
            "dmarc.syntax",
            WARNING,
            say("the TXT record of {place} is no DMARC record", place=place),
            meaning=say("receivers look for 'v=DMARC1;' at its beginning, written like that"),
            fix=say(
                "replace it by {record}",
                record=right,
            ),
            evidence=tuple(printable(text, _SHOWN) for text in published.strange),
        )
    return _none(subject, place)


def _none(subject: Subject, place: str) -> Finding:
    domain = subject.domain
    misplaced = [text for text in texts_of(domain, subject.ask) if text.startswith("v=DMARC1")]
    fix = say("in the DNS, give {domain} a TXT record with the value {record}",
              domain=place, record=_FIRST.format(domain=domain))  # fmt: skip
    if misplaced:
        fix = say("move the DMARC record from {domain} to {place}", domain=domain, place=place)
    return Finding(
        "dmarc.none",
        WARNING,
        say("{domain} has no DMARC policy", domain=domain),
        meaning=say("large receivers ask for one, if only p=none, and trust the mail less"
                    " without"),
        fix=fix,
        evidence=(
            say("{domain} has no TXT record", domain=place),
            *(printable(text, _SHOWN) for text in misplaced),
        ),
    )  # fmt: skip


def _judged(policy: Policy, subject: Subject, patient: Patient) -> Iterator[Finding]:
    asked = policy.request(subject.domain)
    if asked != "none":
        finding = _alignment(policy, asked, subject, patient)
        if finding is not None:
            yield finding
    for doubt in policy.doubts:
        yield Finding(
            "dmarc.tag",
            WARNING,
            say("the DMARC record of {domain} is wrong at character {place}: {reason}",
                domain=policy.domain, place=doubt.place + 1, reason=doubt.problem),
            meaning=say("receivers pass over that part, and its default counts"),
            fix=say("in the record at the mark: {advice}", advice=doubt.advice),
            evidence=marked(doubt),
        )  # fmt: skip
    yield from _reports(policy, subject)


def _alignment(policy: Policy, asked: str, subject: Subject, patient: Patient) -> Finding | None:
    """Return the finding for mail that does not pass, or of which nobody knows; None: it does."""
    by_spf = _passes_by_spf(subject, patient)
    if by_spf:
        return None
    by_dkim = _passes_by_dkim(policy, subject)
    if by_dkim:
        return None
    seen = (printable(f"_dmarc.{policy.domain}: {policy.text}", _SHOWN),)
    if by_spf is None and by_dkim is None:
        return Finding(
            "dmarc.unproven",
            NOTE,
            say("{domain} asks receivers to refuse or sort out what is not proven: p={asked}",
                domain=policy.domain, asked=asked),
            meaning=say("from here nobody can see whether SPF or DKIM proves this mail"),
            fix=say("send a mail to another provider, and look for 'dmarc=pass' in its"
                    " Authentication-Results"),
            evidence=seen,
        )  # fmt: skip
    is_certain = asked == "reject" and by_spf is False and by_dkim is False
    return Finding(
        "dmarc.unaligned",
        FAULT if is_certain else WARNING,
        say("neither SPF nor DKIM proves the mail of {domain}, and its DMARC policy is p={asked}",
            domain=subject.domain, asked=asked),
        meaning=say("receivers refuse the mail, for the domain asks them to")
        if asked == "reject"
        else say("receivers put the mail into the junk folder, for the domain asks them to"),
        fix=_prove(by_spf, subject),
        evidence=seen,
    )  # fmt: skip


def _passes_by_spf(subject: Subject, patient: Patient) -> bool | None:
    """Tell whether SPF passes for the sender's own domain; None: nobody knows."""
    provider = subject.provider
    if provider is None:
        addresses = outer_addresses(patient)
        # A host that does not pass may hand the mail on to one that does.
        return (bool(addresses) and all(_passes(one, subject) for one in addresses)) or None
    if subject.is_relayed_elsewhere or not provider.spf_include:
        return None
    return lets_through(subject.domain, provider.spf_include, subject.ask)


def _passes(address: str, subject: Subject) -> bool:
    sender = f"postmaster@{subject.domain}"
    return check_host(address, sender, subject.ask).result == "pass"


def _passes_by_dkim(policy: Policy, subject: Subject) -> bool | None:
    """Tell whether the provider has a good key in a domain that counts; None: nobody knows."""
    selectors = known_selectors(subject.provider)
    if not selectors:
        return None
    found = find_keys(selectors, subject.domain, subject.ask)
    own = f"._domainkey.{subject.domain}"
    return any(
        one.key is not None
        and one.key.is_good
        and (one.name.endswith(own) or not policy.is_strict_dkim)
        for one in found
    )


def _prove(by_spf: bool | None, subject: Subject) -> str:  # noqa: FBT001 (three answers)
    provider, domain = subject.provider, subject.domain
    if provider is None or by_spf is None or not provider.spf_include:
        name = named(provider) if provider is not None else subject.host
        return say("in the console of {name}, switch DKIM on for {domain}, and publish the record"
                   " that it shows", name=name, domain=domain)  # fmt: skip
    return say("in the DNS, make this the one SPF record of {domain}: {record}",
               domain=domain, record=_spf_record(provider.spf_include, subject))  # fmt: skip


def _spf_record(include: str, subject: Subject) -> str:
    """Return the one record that permits the provider, out of what is there."""
    records, wished = find_records(subject.domain, subject.ask), (parse_term(f"include:{include}"),)
    try:
        if len(records) == 1:
            return mended(records[0], wished, domain=subject.domain)
        return merge(records, wished, domain=subject.domain).text
    except RecordError:
        return merge((), wished, domain=subject.domain).text


def _reports(policy: Policy, subject: Subject) -> Iterator[Finding]:
    """Yield the domains to which reports are asked for, and that have not agreed to it."""
    for other in dict.fromkeys(policy.report_domains):
        if _is_related(other, policy.domain):
            continue
        place = f"{policy.domain}._report._dmarc.{other}"
        if not _has_agreed(place, subject.ask):
            yield Finding(
                "dmarc.reports",
                NOTE,
                say("no DMARC report is sent to {other}, for it has not agreed", other=other),
                meaning=say("receivers look for its word at {place} (RFC 7489 7.1)", place=place),
                fix=say("let {other} publish a TXT record of {place} with the value {record}",
                        other=other, place=place, record="v=DMARC1"),
                evidence=(printable(policy.text, _SHOWN),),
            )  # fmt: skip


def _has_agreed(place: str, ask: Ask) -> bool:
    """Tell whether another domain takes reports, as far as its nameservers answer."""
    try:
        return any(text.startswith("v=DMARC1") for text in texts_of(place, ask))
    except LookupFailedError:
        return True


def _is_related(one: str, other: str) -> bool:
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
