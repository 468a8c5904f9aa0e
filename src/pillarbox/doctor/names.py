"""
The host's addresses: whether this machine finds them, and whether they are the host's.

What is asked is what a mail asks, ``getaddrinfo``; the DNS is asked beside it only where
``/etc/hosts`` has a word in it. The rule to keep: a private address is strange only for a name
that we know to be public.
"""

from __future__ import annotations

import errno
import socket
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from unicodedata import normalize

from pillarbox.config.providers import (
    load_providers,
    provider_of_domain,
    provider_of_host,
    provider_of_mx,
)
from pillarbox.delivery.probe_ports import look_up
from pillarbox.doctor.connect_failed import lines_to_set
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.hosts_file import find_other_address
from pillarbox.errors import ConfigError, MissingExtraError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.net.names import ascii_host, is_address
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.config.account import Account
    from pillarbox.config.providers import Provider
    from pillarbox.delivery.probe_ports import Resolver
    from pillarbox.doctor.patient import Patient
    from pillarbox.text import Text

__all__ = ["CODES", "check_names"]

CODES: tuple[str, ...] = (
    "names.spelling",
    "names.unknown",
    "names.none",
    "names.temporary",
    "names.sinkhole",
    "names.ipv6-only",
    "names.hosts",
    "names.strange",
)

_CLOSE = 0.75  # of difflib, for a whole host name: "smtp.gmial.com" is Gmail's
_CLOSE_AT_HOME = 0.6  # for a host of who has the sender's mailbox: it was guessed, mostly

# What a blocking resolver says in place of no (net.dial refuses them, too).
_SINKHOLES = ("0.0.0.0", "::")  # noqa: S104 (nothing is bound)

# Where nobody's public mail server is: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291, and
# RFC 2544, from which transparent proxies (Clash, Surge) make up their "fake IP" addresses.
_FAKE = ip_network("198.18.0.0/15")
_PRIVATE = (
    _FAKE,
    *(
        ip_network(text)
        for text in (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        )
    ),
)


def check_names(patient: Patient, resolver: Resolver = socket.getaddrinfo) -> Iterator[Finding]:
    """Look the host up, or the proxy before it."""
    account = patient.account
    assert account is not None
    if account.socket:
        return
    host = account.proxy_host or account.host
    try:
        if is_address(ascii_host(host)):
            patient.addresses = look_up(host, 0)
            return
        addresses = look_up(host, patient.patience_s, resolver=resolver)
    except (ConfigError, MissingExtraError) as exc:
        yield _misspelled(account, host, exc)
    except socket.gaierror as exc:
        yield _not_found(patient, account, host, exc)
    except (TimeoutError, OSError) as exc:
        yield _temporary(host, exc)
    else:
        yield from _judge(patient, host, addresses)


def _keyword(account: Account) -> str:
    return "proxy_host" if account.proxy_host else "host"


# -- no address -------------------------------------------------------------------------------


def _misspelled(account: Account, host: str, exc: PillarboxError) -> Finding:
    meant = _plain_name(host)
    fix: str = exc.advice or say("write the host's name alone, as its owner has it")
    if meant != host and _can_be_host(meant):
        fix = lines_to_set(account, f"{_keyword(account)} {meant}")
    return Finding("names.spelling", FAULT, exc.sentence, fix=fix, evidence=_place(account))


def _plain_name(host: str) -> str:
    """Return a host's name without what people copy along with it: a scheme, a port, a path."""
    text = normalize("NFKC", host).replace("。", ".").strip()
    text = text.partition("://")[2] or text
    text = text.split("/", 1)[0].split("@")[-1]
    head, _, port = text.partition(":")
    text = head if port.isdigit() else text
    return "".join(text.split()).strip(".").lower()


def _can_be_host(name: str) -> bool:
    try:
        ascii_host(name)
    except PillarboxError:
        return False
    return "." in name and name.isascii()


def _place(account: Account) -> tuple[str, ...]:
    return (printable(account.where(_keyword(account))),)


def _not_found(patient: Patient, account: Account, host: str, exc: socket.gaierror) -> Finding:
    shown = printable(host)
    if exc.errno == getattr(socket, "EAI_NODATA", None):
        return Finding(
            "names.none",
            FAULT,
            say("the name {host} exists, but has no address", host=shown),
            meaning=say("the name of a domain is not always that of its mail server"),
            fix=_proposal(patient, host)
            or say("set host to the name that the provider gives for SMTP"),
            evidence=(str(exc.strerror), *_place(account)),
        )
    if exc.errno != socket.EAI_NONAME:
        return _temporary(host, exc)
    return Finding(
        "names.unknown",
        FAULT,
        say("there is no host {host}", host=shown),
        meaning=say("the DNS says that the name does not exist: most often it is misspelled"),
        fix=_proposal(patient, host)
        or say("check the spelling of {keyword} in the configuration", keyword=_keyword(account)),
        evidence=(str(exc.strerror), *_place(account)),
    )


def _proposal(patient: Patient, host: str) -> Text | None:
    """Return what to write where the host is nearly a known one; None: it is nobody's."""
    account = patient.account
    assert account is not None
    if account.proxy_host:
        return None
    plain = _plain_name(host)
    meant = (
        get_close_matches(plain, _hosts_of(_home_of_sender(patient)), 1, _CLOSE_AT_HOME)
        or get_close_matches(plain, _hosts_of(*load_providers()), 1, _CLOSE)
        or ([plain] if plain != host.lower() else [])
    )
    if not meant:
        return None
    port = host.rpartition(":")[2]
    name = f"host {meant[0]}"
    lines = (name, f"port {port}") if port.isdecimal() else (name,)
    return lines_to_set(account, *lines)


def _hosts_of(*providers: Provider | None) -> list[str]:
    return [
        row.host
        for provider in providers
        if provider is not None
        for row in provider.endpoints
        if "{" not in row.host
    ]


def _home_of_sender(patient: Patient) -> Provider | None:
    """Return who has the sender's mailbox, by its domain or its MX; None: nobody that we know."""
    domain = patient.sender.domain if patient.sender is not None else ""
    known = provider_of_domain(domain)
    if known is not None or "." not in domain:
        return known
    try:
        answers = patient.ask(domain, "MX")
    except PillarboxError:
        return None
    hosts = [str(answer[1]) for answer in answers if isinstance(answer, tuple)]
    return next(filter(None, map(provider_of_mx, hosts)), None)


def _temporary(host: str, exc: OSError) -> Finding:
    reason = exc.strerror or say("the resolver did not answer in time")
    return Finding(
        "names.temporary",
        FAULT,
        say("the address of {host} cannot be found out now", host=printable(host)),
        meaning=say("the resolver does not answer, or its own servers do not"),
        fix=say(
            "ask again in a minute; when it stays, check the nameserver lines of /etc/resolv.conf"
        ),
        evidence=(reason,),
    )


# -- the addresses ----------------------------------------------------------------------------


def _judge(patient: Patient, host: str, addresses: tuple[str, ...]) -> Iterator[Finding]:
    usable = tuple(address for address in addresses if address not in _SINKHOLES)
    if not usable:
        yield Finding(
            "names.sinkhole",
            FAULT,
            say("the resolver hides {host}: it gives no real address", host=printable(host)),
            meaning=say("a filter against advertisements or malware answers so for what it blocks"),
            fix=say(
                "allow {host} in the filter (Pi-hole, AdGuard, the router), or take it out of "
                "/etc/hosts",
                host=printable(host),
            ),
            evidence=addresses,
        )
        return
    patient.addresses = usable
    if all(":" in address for address in usable) and not _has_way(usable):
        yield _ipv6_only(host, usable)
        return
    differing = _hosts_file(patient, host)
    if differing is not None:
        yield differing
        return
    strange = _strange(host, usable)
    if strange is not None:
        yield strange


def _has_way(addresses: Sequence[str]) -> bool:
    """Tell whether there is a route to one of the IPv6 addresses; nothing is sent."""
    for address in addresses:
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.connect((address.partition("%")[0], 9))
        except OSError as exc:
            # A link-local address without its zone is EINVAL: that is not for us to judge.
            if exc.errno != errno.EINVAL:
                continue
        return True
    return False


def _ipv6_only(host: str, addresses: tuple[str, ...]) -> Finding:
    return Finding(
        "names.ipv6-only",
        FAULT,
        say("{host} has IPv6 addresses only, and this machine has no IPv6", host=printable(host)),
        fix=say("give this machine IPv6, or use a host that has an IPv4 address"),
        evidence=addresses,
    )


def _hosts_file(patient: Patient, host: str) -> Finding | None:
    """
    Tell where /etc/hosts has an address for the host that the DNS does not know.

    A warning for a provider, whose addresses change; else it may well be so by intention.
    """
    other = find_other_address(patient, host)
    if other is None:
        return None
    return Finding(
        "names.hosts",
        NOTE if provider_of_host(other.host.lower()) is None else WARNING,
        say(
            "{path} sends {host} to {address}, which is not its address in the DNS",
            path=other.path,
            host=printable(host),
            address=other.own[0],
        ),
        meaning=say("the mail goes to that machine; an old line is followed for ever"),
        fix=other.fix,
        evidence=other.evidence,
    )


def _strange(host: str, addresses: tuple[str, ...]) -> Finding | None:
    """Return what is odd about a public provider's addresses; None: nothing."""
    provider = provider_of_host(host.lower().rstrip("."))
    parsed = [ip_address(address.partition("%")[0]) for address in addresses]
    if provider is None or not parsed:
        return None
    if all(address.is_loopback for address in parsed):
        return Finding(
            "names.strange",
            NOTE,
            say("{host} leads to this machine itself", host=printable(host)),
            meaning=say("that is so by intention in a test, or with a relay on this machine"),
            evidence=addresses,
        )
    private = [
        address
        for address in parsed
        if any(address.version == net.version and address in net for net in _PRIVATE)
    ]
    if len(private) < len(parsed):
        return None
    if any(address.version == 4 and address in _FAKE for address in private):
        meaning = say("a transparent proxy (Clash, Surge and the like) makes up such addresses")
    else:
        meaning = say(
            "a login page of this network, a filter or a router answers in place of the DNS"
        )
    return Finding(
        "names.strange",
        WARNING,
        say("{host} is public, but leads to a private address", host=printable(host)),
        meaning=meaning,
        fix=say(
            "use another nameserver in /etc/resolv.conf, or have the proxy leave {host} alone",
            host=printable(host),
        ),
        evidence=addresses,
    )
