"""
What makes receivers call an SPF record an error, or take it for none: then nothing of it counts.

Several records, one whose grammar or whose beginning is wrong, one that needs too many lookups,
leads to an error, or asks for what is not there.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from pillarbox.dns.record import RecordError, parse_record, parse_term
from pillarbox.dns.spf import LOOKUPS_MAX, VOIDS_MAX
from pillarbox.dns.spf_merge import merge
from pillarbox.dns.spf_weakness import find_misspelt, meant
from pillarbox.doctor.domain_subject import marked
from pillarbox.doctor.finding import WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.dns.record import Term
    from pillarbox.dns.spf_walk import Step, Walk
    from pillarbox.doctor.domain_subject import Subject

__all__ = ["errors", "misspelt", "replace_by", "several", "shown", "syntax", "wished"]

_CLOSE = 0.85  # of difflib: a letter is missing, and not another host of the provider's
_SHOWN = 600  # characters of a record

# Behind the record of such a name another one begins: two strings were put together.
_GLUED = ("include:", "ip4:", "ip6:", "redirect=", "a:", "mx:")


def misspelt(subject: Subject) -> Finding | None:
    """Return the finding for a text that was meant to be a record, and is none to a receiver."""
    for text in find_misspelt(subject.domain, subject.ask):
        try:
            parse_record(text)
        except RecordError as exc:
            return syntax(exc, subject, meant(text, wished(subject), domain=subject.domain))
    return None


def several(records: Sequence[str], subject: Subject) -> Finding:
    """Return the finding for more than one record."""
    domain = subject.domain
    try:
        merged = merge(records, wished(subject), domain=domain).text
        fix = say("remove them all and publish this one: {record}", record=merged)
    except RecordError:
        fix = say("keep one of them: 'pillarbox spf check {domain}' shows what is wrong in it",
                  domain=domain)  # fmt: skip
    return Finding(
        "spf.several",
        WARNING,
        say("{domain} has more than one SPF record", domain=domain),
        meaning=say("receivers then read none of them (RFC 7208 4.5): a second sender goes into"
                    " the first record"),
        fix=fix,
        evidence=tuple(shown(text) for text in records),
    )  # fmt: skip


def syntax(exc: RecordError, subject: Subject, right: str = "") -> Finding:
    """Return the finding for a record at fault; ``right``: what it was meant to be."""
    fix: str = say("correct the record at the mark, or remove that part")
    if right:
        fix = replace_by(right, subject.domain)
    elif exc.advice:
        fix = say("in the record at the mark: {advice}", advice=exc.advice)
    return Finding(
        "spf.syntax",
        WARNING,
        say("the SPF record of {domain} is wrong at character {place}: {reason}",
            domain=subject.domain, place=exc.place + 1, reason=exc.problem),
        meaning=say("receivers then read nothing of it"),
        fix=fix,
        evidence=marked(exc),
    )  # fmt: skip


def errors(way: Walk, subject: Subject) -> Iterator[Finding]:
    """Yield what makes a receiver call the whole record an error."""
    domain = subject.domain
    meaning = say("receivers call the record an error and read nothing of it")
    wrong = [step for step in way.steps if step.problem]
    if way.lookups > LOOKUPS_MAX:
        yield Finding(
            "spf.lookups",
            WARNING,
            say("the SPF record of {domain} needs {count} DNS lookups, and ten are allowed",
                domain=domain, count=way.lookups),
            meaning=meaning,
            fix=say("remove what no longer sends from the record: 'pillarbox spf explain {domain}'"
                    " shows what each term costs", domain=domain),
            evidence=tuple(_costs(way))[:20],
        )  # fmt: skip
    elif wrong:
        yield _leads_to_error(wrong[0], subject, meaning)
    elif way.voids > VOIDS_MAX:
        empty = [
            step.term.text
            for step in way.steps
            if step.term.name in ("a", "mx") and step.term.is_looking and not step.found
        ]
        yield Finding(
            "spf.void",
            WARNING,
            say("{count} DNS lookups of the SPF record of {domain} find nothing, and two are"
                " allowed", count=way.voids, domain=domain),
            meaning=meaning,
            fix=say("remove from the record: {terms}", terms=printable(" ".join(empty), 200)),
            evidence=tuple(printable(text, 100) for text in empty[:20]),
        )  # fmt: skip


def _leads_to_error(step: Step, subject: Subject, meaning: str) -> Finding:
    term = printable(step.term.text, 100)
    fix = say("correct {term} in the record of {domain}, or remove it",
              term=term, domain=printable(step.domain, 100))  # fmt: skip
    right = _nearly_the_provider(step, subject)
    if right:
        fix = say("replace {term} by {other}", term=term, other=right)
    elif any(word in step.term.value.lower() for word in _GLUED):
        fix = say("put a space into {term}, where two strings of the record meet", term=term)
    return Finding(
        "spf.include",
        WARNING,
        say("the SPF record of {domain} leads to an error: {reason}",
            domain=subject.domain, reason=step.problem),
        meaning=meaning,
        fix=fix,
        evidence=(printable(f"{step.domain}: {step.term.text}", 200),),
    )  # fmt: skip


def _costs(way: Walk) -> Iterator[str]:
    """Yield the terms of the record itself, each with the lookups that it needs with all in it."""
    own = [(at, step) for at, step in enumerate(way.steps) if not step.depth]
    for number, (at, step) in enumerate(own):
        before = way.steps[at - 1].lookups if at else 0
        end = own[number + 1][0] if number + 1 < len(own) else len(way.steps)
        cost = way.steps[end - 1].lookups - before
        if cost:
            yield printable(f"{step.term.text}: {cost}", 120)


def _nearly_the_provider(step: Step, subject: Subject) -> str:
    """Return the provider's include if a term is that, misspelt; else empty."""
    provider = subject.provider
    if provider is None or step.term.name != "include" or not provider.spf_include:
        return ""
    value = step.term.value.lower()
    is_near = get_close_matches(value, [provider.spf_include], 1, _CLOSE)
    return f"include:{provider.spf_include}" if is_near and value != provider.spf_include else ""


def wished(subject: Subject) -> tuple[Term, ...]:
    """Return what the provider wishes in the record."""
    provider = subject.provider
    if provider is None or not provider.spf_include:
        return ()
    return (parse_term(f"include:{provider.spf_include}"),)


def replace_by(record: str, domain: str) -> str:
    """Return the fix that is a record in the place of what is there."""
    return say("in the DNS, replace the SPF record of {domain} by {record}",
               domain=domain, record=record)  # fmt: skip


def shown(record: str) -> str:
    """Return a record as evidence."""
    return printable(record, _SHOWN)
