"""
Whether one record lets through what another domain's record names: a provider's servers.

A name that is missing in a record may still be permitted, by an include of an include or by its
addresses, and a name that is there may never be read, behind ``all``. So it is tried: addresses
of the provider's own networks are put to ``check_host``. The rule to keep: a bounded sample.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.record import RecordError, parse_record
from pillarbox.dns.spf import check_host, find_records
from pillarbox.dns.spf_walk import walk
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.record import Network, Record, Term
    from pillarbox.dns.spf_walk import Walk
    from pillarbox.text import Text

__all__ = ["Coverage", "cover", "is_named", "lets_through", "needless", "networks_of"]

_SAMPLES_MAX = 8  # networks of which an address is tried; each costs no question that is not kept


class Coverage(Value):
    """
    What became of the sample.

    Attributes:
        tried: How many addresses were.
        refused: Those that did not pass, each with the result: ``192.0.2.1: fail``.
        is_known: No question failed on the way.

    """

    __slots__ = ("is_known", "refused", "tried")

    def __init__(self, tried: int, refused: tuple[str, ...], *, is_known: bool) -> None:
        self.tried = tried
        self.refused = refused
        self.is_known = is_known


def networks_of(domain: str, ask: Ask) -> tuple[Network, ...]:
    """
    Return what the record of a domain permits, with all that it includes; none: unknown. Blocks.

    Raises:
        LookupFailedError: The domain's nameservers did not answer.

    """
    record = _record_of(domain, ask)
    return _networks(walk(record, domain, ask)) if record is not None else ()


def cover(record: str, domain: str, networks: Sequence[Network], ask: Ask) -> Coverage:
    """
    Put an address out of each network to a record, of many networks to some. Blocks.

    Args:
        record: The record of the domain, or what is to become it.
        domain: Whose it is.
        networks: What it is to permit.
        ask: Who answers questions to the DNS.

    """
    refused, is_known = [], True
    sample = _spread(networks)
    for network in sample:
        address = _inside(network)
        result = check_host(str(address), f"postmaster@{domain}", ask, record=record).result
        if result != "pass":
            refused.append(f"{address}: {result}")
        is_known = is_known and result != "temperror"
    return Coverage(len(sample), tuple(refused), is_known=is_known)


def _record_of(domain: str, ask: Ask) -> Record | None:
    """Return the one record of a domain; None: there is none, or it cannot be read."""
    records = find_records(domain, ask)
    try:
        return parse_record(records[0]) if len(records) == 1 else None
    except RecordError:
        return None


def _spread(networks: Sequence[Network]) -> Sequence[Network]:
    """Return some of many, from the first to the last."""
    if len(networks) <= _SAMPLES_MAX:
        return networks
    last = len(networks) - 1
    return [networks[number * last // (_SAMPLES_MAX - 1)] for number in range(_SAMPLES_MAX)]


def _inside(network: Network) -> IPv4Address | IPv6Address:
    """Return an address of a network, a host's if there is one."""
    return network[1] if network.num_addresses > 1 else network[0]


def lets_through(domain: str, included: str, ask: Ask) -> bool | None:
    """
    Tell whether the record of a domain permits what another's permits; None: nobody knows. Blocks.

    Args:
        domain: Whose mail it is.
        included: Whose servers send it, such as ``spf.qiye.aliyun.com``.
        ask: Who answers questions to the DNS.

    Raises:
        LookupFailedError: The domain's nameservers did not answer.

    """
    record = _record_of(domain, ask)
    if record is None:
        return False
    try:
        networks = networks_of(included, ask)
    except LookupFailedError:
        networks = ()
    if not networks:
        return is_named(record, included) or None
    covered = cover(record.text, domain, networks, ask)
    return not covered.refused if covered.is_known else None


def is_named(record: Record, included: str) -> bool:
    """Tell whether a record includes a domain by its name, or redirects to it."""
    return any(
        term.value.lower().removesuffix(".") == included and term.qualifier in ("", "+")
        for term in record.terms
        if term.name in ("include", "redirect") and term.is_looking
    )


def needless(
    additions: Sequence[Term], records: Sequence[str], domain: str, ask: Ask
) -> tuple[Text, ...]:
    """
    Return what is to be said of additions that the records of a domain do not need. Blocks.

    Args:
        additions: Mechanisms that permit.
        records: What is published, each of which can be understood. Of several, what stands
            beside the provider's, which has an include, was added to it.
        domain: Whose records they are.
        ask: Who answers questions to the DNS.

    """
    read, beside = _provider_and_beside([parse_record(text) for text in records])
    additions = (*additions, *beside)
    named = {term.key(domain) for record in read for term in record.mechanisms}
    includes = any(term.name == "include" for record in read for term in record.mechanisms)
    told: list[Text] = []
    for term in additions:
        if term.key(domain) in named:
            told.append(say("{term} is there already", term=term.text))
        elif any(_is_permitted(term, record, domain, ask) for record in read):
            told.append(
                say("{term} is not needed: what it names is permitted already", term=term.text)
            )
        elif includes and term.name != "include":
            told.append(
                say("{term} is not needed for mail that goes through the provider, which leaves"
                    " from the provider; only if that host delivers by itself", term=term.text)
            )  # fmt: skip
    return tuple(told)


def _provider_and_beside(read: Sequence[Record]) -> tuple[Sequence[Record], list[Term]]:
    """Return the records that include somebody, and what the others permit; else all, and none."""
    providers = [record for record in read if any(t.name == "include" for t in record.mechanisms)]
    if not providers:
        return read, []
    others = [record for record in read if record not in providers]
    found = [term for record in others for term in record.mechanisms]
    return providers, [term for term in found if term.qualifier == "+" and term.name != "all"]


def _is_permitted(term: Term, record: Record, domain: str, ask: Ask) -> bool:
    """Tell whether all that a term names passes already."""
    wanted = _networks(walk(parse_record(f"v=spf1 {term.text}"), domain, ask))
    permitted = _networks(walk(record, domain, ask))
    return (
        bool(wanted)
        and all(any(_is_within(one, other) for other in permitted) for one in wanted)
        and not cover(record.text, domain, wanted, ask).refused
    )


def _is_within(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)


def _networks(way: Walk) -> tuple[Network, ...]:
    """Return what the terms of a record permit, each once."""
    found = [text for step in way.steps if step.term.qualifier == "+" for text in step.found]
    return tuple(dict.fromkeys(ip_network(text, strict=False) for text in found))
