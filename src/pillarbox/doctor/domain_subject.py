"""
What the checks of a domain ask about: the sender's domain, and whose servers its mail leaves from.

The rule to keep: a domain that is a provider's own, or nobody's in the world's DNS, is no subject.
What a provider publishes for its own addresses is its business, and only ``mx`` tells of the rest.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pillarbox.config.providers import load_providers, provider_of_domain
from pillarbox.dns.sender_records import sender_records
from pillarbox.doctor.finding import WARNING, Finding
from pillarbox.mail.address import is_local
from pillarbox.text import bilingual, say
from pillarbox.value import Value

if TYPE_CHECKING:
    from pillarbox.config.providers import Provider
    from pillarbox.dns.answers import Ask, LookupFailedError
    from pillarbox.dns.record import RecordError
    from pillarbox.dns.sender_records import Row
    from pillarbox.doctor.patient import Patient
    from pillarbox.text import Text

__all__ = [
    "Subject",
    "is_private",
    "marked",
    "named",
    "outer_addresses",
    "relays_alone",
    "rows_of",
    "subject_of",
    "unanswered",
]

# Tails that the world's DNS never has, besides those of ``mail.address`` (RFC 2606, RFC 6761).
_NOBODYS_TAILS = (".invalid", ".test", ".intranet", ".onion")

# From where no mail comes into the world.
_INSIDE = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
                 "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip

_BOTH = ("en", "zh")

_MARKED = 60  # characters of a record that are shown around a fault


class Subject(Value):
    """
    A domain that is examined.

    Attributes:
        domain: In ASCII and lower case.
        provider: Whose server takes the mail in; None: nobody's that we know.
        host: Where mail is handed in; empty: a socket.
        ask: Who answers questions to the DNS.

    """

    __slots__ = ("ask", "domain", "host", "provider")

    def __init__(self, domain: str, provider: Provider | None, host: str, ask: Ask) -> None:
        self.domain = domain
        self.provider = provider
        self.host = host
        self.ask = ask

    @property
    def is_relayed_elsewhere(self) -> bool:
        """
        Whether the provider may put an envelope sender of its own in the place of ours.

        Services that only send do, so that bounces come to them; what the sender's domain says
        by SPF then counts for nothing. Those that want the login as the sender keep it.
        """
        provider = self.provider
        return (
            provider is not None
            and provider.kind == "relay"
            and provider.from_rule != "must-equal-login"
        )


def subject_of(patient: Patient) -> Subject | None:
    """
    Return what there is to examine; None: nothing that the sender could change.

    Raises:
        MissingExtraError: dnspython is not installed, or idna for a domain that is not ASCII.
        DataError: The domain is no valid internationalized one.
        NetworkError: This machine names no nameserver.

    """
    sender = patient.sender
    if sender is None or is_private(patient):
        return None
    domain = sender.domain_ascii.lower().rstrip(".")
    if provider_of_domain(domain) is not None:
        return None
    return Subject(domain, _provider(patient), patient.host, patient.ask)


def is_private(patient: Patient) -> bool:
    """Tell whether nobody but this network knows the sender's domain."""
    sender = patient.sender
    if sender is None:
        return False
    domain = sender.domain.lower().rstrip(".")
    return is_local(sender) or domain.startswith("[") or domain.endswith(_NOBODYS_TAILS)


def relays_alone(patient: Patient) -> bool:
    """Tell whether mail is handed to another program on this machine, which may rewrite it."""
    return not patient.host or _is_loopback(patient.host)


def outer_addresses(patient: Patient) -> tuple[str, ...]:
    """Return the addresses of the host from which mail may come into the world; few of many."""
    return tuple(text for text in patient.addresses if not _is_inside(text))[:4]


def rows_of(patient: Patient) -> tuple[Row, ...]:
    """
    Return the records of the sender's domain, as ``pillarbox dns`` has them. Blocks.

    Raises:
        PillarboxError: As ``subject_of``; or a nameserver did not answer.

    """
    subject = subject_of(patient)
    if subject is None:
        return ()
    provider = subject.provider
    return sender_records(
        subject.domain,
        subject.ask,
        mx_suffixes=provider.mx_suffixes if provider else (),
        spf_include=provider.spf_include if provider else "",
        selectors=provider.dkim_selectors if provider else (),
    )


def named(provider: Provider) -> Text:
    """Return a provider's name in both languages, without what stands in brackets."""
    english, chinese = (provider.name(language).partition("(")[0].strip() for language in _BOTH)
    return bilingual(english, chinese)


def unanswered(check: str, domain: str, exc: LookupFailedError) -> Finding:
    """Return the finding for a domain whose nameservers do not answer a question."""
    return Finding(
        f"{check}.failed",
        WARNING,
        say("the nameservers of {domain} did not answer", domain=domain),
        meaning=say("receivers ask the same and put the mail off, or distrust it"),
        fix=_advice(domain),
        evidence=(exc.problem,),
    )


def _advice(domain: str) -> Text:
    return say(
        "ask again in some minutes; if it stays, look at the nameservers of {domain} at its"
        " registrar, and at DNSSEC",
        domain=domain,
    )


def _provider(patient: Patient) -> Provider | None:
    """
    Return whose server it is, for a domain that is somebody's own.

    Two providers may share a host: Gmail is for addresses of Google's, Workspace for the rest. A
    loopback address is Proton's bridge on its own ports only.
    """
    found, account = patient.provider, patient.account
    if found is None or account is None:
        return found
    host, port = patient.host, account.port
    if _is_loopback(host) and port not in {each.port for each in found.endpoints}:
        return None
    if not found.domains:
        return found
    others = [each for each in load_providers() if each.is_host(host) and not each.domains]
    return others[0] if others else found


def marked(exc: RecordError) -> tuple[str, str]:
    """Return a record, or the part of it around a fault, and the line that marks it."""
    # One character stays one column, so that the mark stands below the fault.
    text = "".join(char if " " <= char <= "~" else "?" for char in exc.record)
    first = max(0, exc.place - _MARKED // 2)
    mark = " " * (exc.place - first) + "^" * min(exc.length, _MARKED)
    return text[first : first + 2 * _MARKED], mark


def _is_inside(text: str) -> bool:
    address = ip_address(text.partition("%")[0])
    return any(address.version == net.version and address in net for net in _INSIDE)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
