"""
The domain's MX: whether the sender can be answered, and whether the provider knows the domain.

Nothing of ours is received there; but a bounce, a reply and a provider's own rule all go by the
MX. Aliyun refuses the senders of a domain whose MX has left it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from pillarbox.config.providers import provider_of_mx
from pillarbox.dns.answers import LookupFailedError
from pillarbox.doctor.domain_subject import (
    is_private,
    named,
    relays_alone,
    subject_of,
    unanswered,
)
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.config.providers import Provider
    from pillarbox.doctor.domain_subject import Subject
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_mx"]

CODES: tuple[str, ...] = (
    "mx.private",
    "mx.domain",
    "mx.none",
    "mx.null",
    "mx.elsewhere",
    "mx.mixed",
    "mx.cname",
    "mx.dead",
    "mx.failed",
)

# A domain that has none of these is not in the DNS, whatever the reply code was.
_KINDS_OF_ALL = ("NS", "A", "AAAA", "TXT")

_HOSTS_MAX = 10  # that are looked at

# They filter what comes in for a domain and hand it on to its mailboxes, so an MX there is right.
_FILTERS = (
    "pphosted.com",
    "ppe-hosted.com",
    "mimecast.com",
    "messagelabs.com",
    "barracudanetworks.com",
    "iphmx.com",
    "trendmicro.com",
    "trendmicro.eu",
    "hornetsecurity.com",
    "antispamcloud.com",
    "cisco.com",
)

# Public tails of two labels, where the label before names whose a host is (``mx.x.com.cn``).
_SHORT_TAILS = ("com", "net", "org", "co", "gov", "edu", "ac")


def check_mx(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with where the sender's domain receives."""
    if is_private(patient):
        yield _private(patient)
        return
    subject = subject_of(patient)
    if subject is None:
        return
    try:
        yield from _judged(subject)
    except LookupFailedError as exc:
        yield unanswered("mx", subject.domain, exc)


def _judged(subject: Subject) -> Iterator[Finding]:
    domain, ask = subject.domain, subject.ask
    rows = sorted(row for row in ask(domain, "MX") if isinstance(row, tuple))
    hosts = [host for _, host in rows]
    if not rows:
        yield _none(subject)
        return
    if hosts == [""]:
        yield _null(subject)
        return
    seen = tuple(f"{domain} MX {number} {printable(host, 100)}" for number, host in rows)
    there: list[str] = []  # where the mail comes to: not to a host that is not there
    for number, host in enumerate(hosts):
        if number >= _HOSTS_MAX or not host:
            there.append(host)
            continue
        try:
            fault, goes_to = _looked_at(host, subject)
        except LookupFailedError as exc:
            yield unanswered("mx", printable(host, 100), exc)
            there += hosts[number:]  # nor would the others be answered for
            break
        if fault is not None:
            yield fault
        if goes_to:
            there.append(goes_to)
    if subject.provider is not None:
        yield from _at_the_provider(subject, subject.provider, there, seen)


def _private(patient: Patient) -> Finding:
    domain = patient.sender.domain if patient.sender is not None else ""
    severity = NOTE if relays_alone(patient) else WARNING
    problem = (
        say("the sender's domain {domain} is known on this network only", domain=domain)
        if domain
        else say("the sender has no domain")
    )
    return Finding(
        "mx.private",
        severity,
        problem,
        meaning=say("receivers look the sender's domain up and refuse what does not exist"),
        fix=say("in the configuration, set 'from' to an address of a domain of yours"),
        evidence=(str(patient.sender),),
    )


def _none(subject: Subject) -> Finding:
    domain, provider, ask = subject.domain, subject.provider, subject.ask
    is_there = {kind: bool(ask(domain, kind)) for kind in _KINDS_OF_ALL}
    if not any(is_there.values()):
        return Finding(
            "mx.domain",
            FAULT,
            say("the domain {domain} is not in the DNS", domain=domain),
            meaning=say("it is misspelt, or its registration has run out; receivers refuse a"
                        " sender whose domain does not exist"),
            fix=say("compare {domain} with what you own; if it is right, renew it at the"
                    " registrar", domain=domain),
            evidence=(say("{domain} has no MX, NS, A, AAAA or TXT record", domain=domain),),
        )  # fmt: skip
    has_address = is_there["A"] or is_there["AAAA"]
    needs_none = provider is None or provider.kind == "relay"
    seen: tuple[str, ...] = (say("{domain} has no MX record", domain=domain),)
    if needs_none and has_address:
        return Finding(
            "mx.none",
            NOTE,
            say("{domain} has no MX record", domain=domain),
            meaning=say("replies and bounces go to the host {domain} itself", domain=domain),
            evidence=seen,
        )
    return Finding(
        "mx.none",
        WARNING,
        say("{domain} has no MX record", domain=domain),
        meaning=_lost(provider),
        fix=_set_mx(subject),
        evidence=seen,
    )


def _null(subject: Subject) -> Finding:
    return Finding(
        "mx.null",
        WARNING,
        say("the MX of {domain} says that it takes no mail", domain=subject.domain),
        meaning=say("many receivers refuse a sender who cannot be answered (RFC 7505)"),
        fix=_set_mx(subject),
        evidence=(f"{subject.domain} MX 0 .",),
    )


def _at_the_provider(
    subject: Subject, provider: Provider, hosts: Sequence[str], seen: tuple[str, ...]
) -> Iterator[Finding]:
    if provider.kind != "mailbox" or not provider.mx_suffixes:
        return
    strange = [host for host in hosts if not _is_at(host, provider)]
    if not strange:
        return
    name, domain, shown = named(provider), subject.domain, printable(strange[0], 100)
    if len(strange) == len(hosts):
        is_filtered = all(_ends_in(host, _FILTERS) for host in hosts)
        yield Finding(
            "mx.elsewhere",
            NOTE if is_filtered else WARNING,
            say("the MX of {domain} is not {name}", domain=domain, name=name),
            meaning=_elsewhere(provider, shown),
            fix="" if is_filtered else _set_mx(subject),
            evidence=seen,
        )
        return
    yield Finding(
        "mx.mixed",
        WARNING,
        say("one MX of {domain} is not {name}: {host}", domain=domain, name=name, host=shown),
        meaning=say("some of the replies and bounces go there, and are lost or late"),
        fix=say("in the DNS of {domain}, remove the MX record {host}", domain=domain, host=shown),
        evidence=seen,
    )


def _looked_at(host: str, subject: Subject) -> tuple[Finding | None, str]:
    """Return what is wrong with a host, and where mail for it goes; empty: nowhere."""
    ask, shown = subject.ask, printable(host, 100)
    if _is_address(host):
        return _address(shown), ""
    provider = subject.provider
    is_theirs = provider is not None and _is_at(host, provider)
    aliases = () if is_theirs else ask(host, "CNAME")
    if aliases:
        return _alias(shown, printable(str(aliases[0]), 100)), str(aliases[0])
    if ask(host, "A") or ask(host, "AAAA"):
        return None, host
    fix: str = say("correct the name {host} in the MX record, or remove it", host=shown)
    if provider is not None and provider.mx_suffixes and not is_theirs:
        fix = say("correct the name {host} in the MX record (those of {name} end in {suffix}), or"
                  " remove it",
                  host=shown, name=named(provider), suffix=provider.mx_suffixes[0])  # fmt: skip
    dead = Finding(
        "mx.dead",
        WARNING,
        say("the MX {host} has no address", host=shown),
        meaning=say("no reply and no bounce can reach the sender by it"),
        fix=fix,
        evidence=(say("{host} has no A and no AAAA record", host=shown),),
    )
    return dead, ""


def _alias(shown: str, leads_to: str) -> Finding:
    return Finding(
        "mx.cname",
        WARNING,
        say("the MX {host} is an alias (CNAME)", host=shown),
        meaning=say("an MX must have addresses of its own (RFC 2181 10.3); some senders do not"
                    " follow an alias"),
        fix=say("let the MX record name {target}", target=leads_to),
        evidence=(f"{shown} CNAME {leads_to}",),
    )  # fmt: skip


def _address(shown: str) -> Finding:
    return Finding(
        "mx.dead",
        WARNING,
        say("the MX {host} is an address, and must be a name", host=shown),
        meaning=say("no reply and no bounce can reach the sender by it"),
        fix=say("give {host} a name by an A or AAAA record, and let the MX record have that name",
                host=shown),
        evidence=(f"MX {shown}",),
    )  # fmt: skip


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _lost(provider: Provider | None) -> str:
    if provider is not None and provider.id == "aliyun-qiye":
        return say("Aliyun refuses the senders of a domain whose MX is not there"
                   " (\u53d1\u4ef6\u4eba\u5730\u5740\u9519\u8bef), and replies and bounces have no"
                   " way back")  # fmt: skip
    if provider is not None and provider.kind == "mailbox":
        return say("replies and bounces do not reach the mailbox at {name}",
                   name=named(provider))  # fmt: skip
    return say("replies and bounces have no way back, and many receivers refuse such a sender")


def _elsewhere(provider: Provider, host: str) -> str:
    other = provider_of_mx(host)
    if provider.id == "aliyun-qiye":
        return _lost(provider)
    if other is not None:
        return say("replies and bounces go to {other} and not to the mailbox at {name}",
                   other=named(other), name=named(provider))  # fmt: skip
    return say("replies and bounces go to {host} and not to the mailbox at {name}",
               host=host, name=named(provider))  # fmt: skip


def _set_mx(subject: Subject) -> str:
    provider, domain = subject.provider, subject.domain
    if provider is not None and provider.mx_suffixes and provider.kind == "mailbox":
        return say("in the DNS of {domain}, set the MX that the console of {name} shows (they end"
                   " in {suffix}), and remove every other",
                   domain=domain, name=named(provider),
                   suffix=provider.mx_suffixes[0])  # fmt: skip
    return say("in the DNS of {domain}, set an MX that names the host which receives its mail",
               domain=domain)  # fmt: skip


def _is_at(host: str, provider: Provider) -> bool:
    """Tell whether a host is the provider's; regions differ in the tail (``mx.zoho.eu``)."""
    if _ends_in(host, provider.mx_suffixes):
        return True
    return any(_is_in_another_region(host, suffix) for suffix in provider.mx_suffixes)


def _is_in_another_region(host: str, suffix: str) -> bool:
    """Tell whether two hosts are below the same name, in two top-level domains."""
    one, other = _registered(host), _registered(suffix)
    return one != other and one[0] == other[0]


def _registered(host: str) -> tuple[str, str]:
    """Return the label that somebody has registered, and below what."""
    labels = host.lower().split(".")
    size = 2 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHORT_TAILS else 1
    return ".".join(labels[-size - 1 : -size]), ".".join(labels[-size:])


def _ends_in(host: str, suffixes: Sequence[str]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)
