"""
The domain's DKIM key: whether receivers can check what the provider signs.

A signature survives forwarding, which SPF does not, and counts for DMARC. Where a provider rotates
its keys, one good key is enough. Which selector a signature names only the provider knows; where
the presets do not, nobody guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.dkim import BITS_LEAST, BITS_WISHED, find_keys
from pillarbox.doctor.domain_subject import marked, named, subject_of, unanswered
from pillarbox.doctor.finding import NOTE, WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.config.providers import Provider
    from pillarbox.dns.dkim import Key, Selector
    from pillarbox.doctor.domain_subject import Subject
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_dkim", "known_selectors"]

CODES: tuple[str, ...] = (
    "dkim.unknown",
    "dkim.missing",
    "dkim.dangling",
    "dkim.several",
    "dkim.broken",
    "dkim.revoked",
    "dkim.test",
    "dkim.weak",
    "dkim.short",
    "dkim.failed",
)

_SHOWN = 120  # characters of a record; a key says nothing to a person


def check_dkim(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the keys at the provider's selectors."""
    subject = subject_of(patient)
    if subject is None:
        return
    selectors = known_selectors(subject.provider)
    if not selectors:
        yield _unknown(subject)
        return
    try:
        found = find_keys(selectors, subject.domain, subject.ask)
    except LookupFailedError as exc:
        yield unanswered("dkim", subject.domain, exc)
        return
    good = [one for one in found if one.key is not None and one.key.is_good]
    if good:
        yield from _short(good)
        return
    there = [one for one in found if one.is_there]
    if not there:
        yield _missing(found, subject)
    for one in there:
        yield _wrong(one, subject)


def known_selectors(provider: Provider | None) -> tuple[str, ...]:
    """Return where a provider's keys are; a placeholder (``aliyun-<region>``) is no selector."""
    if provider is None:
        return ()
    return tuple(name for name in provider.dkim_selectors if "<" not in name and "{" not in name)


def _unknown(subject: Subject) -> Finding:
    provider = subject.provider
    problem = say("it is not known where the DKIM key of {domain} is", domain=subject.domain)
    fix = say("open a mail of yours at the receiver, look for 's=' in its DKIM-Signature, and for"
              " 'dkim=pass' in its Authentication-Results")  # fmt: skip
    if provider is not None:
        fix = say("look in the console of {name} whether DKIM is on for {domain}",
                  name=named(provider), domain=subject.domain)  # fmt: skip
    return Finding("dkim.unknown", NOTE, problem, fix=fix)


def _missing(found: Sequence[Selector], subject: Subject) -> Finding:
    assert subject.provider is not None
    return Finding(
        "dkim.missing",
        WARNING,
        say("{domain} has no DKIM key at the selector of {name}",
            domain=subject.domain, name=named(subject.provider)),
        meaning=say("receivers cannot check who signed the mail; a forwarded mail then proves"
                    " nothing, and large receivers ask for it"),
        fix=_switch_on(found[0], subject),
        evidence=tuple(say("{domain} has no TXT record", domain=one.name) for one in found),
    )  # fmt: skip


def _wrong(one: Selector, subject: Subject) -> Finding:
    """Return the finding for a selector that has something, and no good key."""
    if one.key is not None:
        return _bad_key(one, one.key, subject)
    if one.fault is not None:
        return Finding(
            "dkim.broken",
            WARNING,
            say("the DKIM key at {name} cannot be read: {reason}",
                name=one.name, reason=one.fault.problem),
            meaning=say("receivers cannot check the signature, and treat the mail as unsigned"),
            fix=say("copy the record {name} from the provider's console again, whole",
                    name=one.name),
            evidence=marked(one.fault),
        )  # fmt: skip
    if one.texts:
        return Finding(
            "dkim.several",
            WARNING,
            say("there is more than one DKIM key at {name}", name=one.name),
            meaning=say("receivers take whichever comes first, so some find the wrong one"),
            fix=say("keep the one that the provider's console shows, and remove the others"),
            evidence=tuple(printable(text, _SHOWN) for text in one.texts),
        )
    return Finding(
        "dkim.dangling",
        WARNING,
        say("{name} leads to {target}, where there is no DKIM key",
            name=one.name, target=printable(one.alias, 100)),
        meaning=say("the record is there, and the provider does not sign yet"),
        fix=_switch_on(one, subject),
        evidence=(f"{one.name} CNAME {printable(one.alias, 100)}",),
    )  # fmt: skip


def _bad_key(one: Selector, key: Key, subject: Subject) -> Finding:
    code, problem, meaning = (
        "dkim.weak",
        say("the DKIM key at {name} has {count} bits", name=one.name, count=key.bits),
        say(
            "receivers do not believe a key of less than {limit} bits (RFC 8301)", limit=BITS_LEAST
        ),
    )
    if key.is_revoked:
        code = "dkim.revoked"
        problem = say("the DKIM key at {name} was taken back: 'p=' is empty", name=one.name)
        meaning = say("receivers treat what it signed as forged or unsigned")
    elif key.is_testing:
        code = "dkim.test"
        problem = say("the DKIM key at {name} is marked as a test: t=y", name=one.name)
        meaning = say("receivers are to treat the mail as if it were not signed (RFC 6376 3.6.1)")
    fix = _new_key(one, subject)
    if code == "dkim.test":
        fix = say("remove 't=y;' from the record {name}", name=one.name)
    seen = tuple(printable(text, _SHOWN) for text in one.texts)
    return Finding(code, WARNING, problem, meaning=meaning, fix=fix, evidence=seen)


def _short(good: Sequence[Selector]) -> Iterator[Finding]:
    """Yield a note if no key is as long as today's should be."""
    keys = [one.key for one in good if one.key is not None]
    if all(key.kind == "rsa" and key.bits < BITS_WISHED for key in keys):
        yield Finding(
            "dkim.short",
            NOTE,
            say("the DKIM key at {name} has {count} bits", name=good[0].name, count=keys[0].bits),
            meaning=say("it is still taken; {limit} are usual today", limit=BITS_WISHED),
            fix=say("when the provider's console offers a longer key, take it"),
            evidence=tuple(printable(text, _SHOWN) for text in good[0].texts),
        )


def _switch_on(one: Selector, subject: Subject) -> str:
    assert subject.provider is not None
    return say("in the console of {name}, switch DKIM on for {domain}, and publish the record that"
               " it shows at {place}",
               name=named(subject.provider), domain=subject.domain, place=one.name)  # fmt: skip


def _new_key(one: Selector, subject: Subject) -> str:
    assert subject.provider is not None
    return say("in the console of {name}, make a new DKIM key of {count} bits for {domain}, and"
               " publish the record that it shows at {place}",
               name=named(subject.provider), count=BITS_WISHED, domain=subject.domain,
               place=one.name)  # fmt: skip
