"""
Questions to the DNS, and their answers as plain values.

Everything else in this room asks through ``Ask``, a function of a name and a type, so that tests
answer from a table and no rule depends on dnspython. The rule to keep: a name that has no such
record is an empty answer, and only a nameserver that fails is an exception.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from ipaddress import ip_address

from pillarbox.errors import MissingExtraError, NetworkError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "Answer",
    "Ask",
    "LookupFailedError",
    "Nameservers",
    "Service",
    "TlsaRecord",
    "is_askable",
    "nameservers_of",
]

# TXT: the octets of each record, its strings joined without a space (RFC 7208 3.3). MX: a
# preference and a host. A, AAAA, PTR, CNAME, NS: text. SRV and TLSA: the values below. Names
# have no dot at the end.
Answer = tuple["bytes | str | tuple[int, str] | Service | TlsaRecord", ...]
Ask = Callable[[str, str], Answer]

# Names another nameserver than /etc/resolv.conf: ADDRESS:PORT.
_VARIABLE = "PILLARBOX_DNS"

_CONFIGURATION = "/etc/resolv.conf"
_CONFIGURATION_MAX = 1 << 16  # octets

_QUESTION_S = 5.0
# All questions of one check together; RFC 7208 4.6.4: at least 20 seconds.
_ALL_QUESTIONS_S = 40.0

_LABEL_MAX = 63  # octets, RFC 1035 2.3.4
_NAME_MAX = 253


class Service(Value):
    """
    One SRV record (RFC 2782).

    Attributes:
        priority: The lowest is asked first.
        weight: Of the same priority, the heavier is the likelier.
        port: TCP, for what we ask about.
        host: Empty: there is no such service.

    """

    __slots__ = ("host", "port", "priority", "weight")

    def __init__(self, priority: int, weight: int, port: int, host: str) -> None:
        self.priority = priority
        self.weight = weight
        self.port = port
        self.host = host


class TlsaRecord(Value):
    """
    One TLSA record (RFC 6698).

    Attributes:
        usage: 0 to 3; with SMTP 2 (an authority) and 3 (the certificate itself) count.
        selector: 0: the whole certificate; 1: its public key.
        matching: 0: as it is; 1: SHA-256; 2: SHA-512.
        octets: What must match.

    """

    __slots__ = ("matching", "octets", "selector", "usage")

    def __init__(self, usage: int, selector: int, matching: int, octets: bytes) -> None:
        self.usage = usage
        self.selector = selector
        self.matching = matching
        self.octets = octets


class LookupFailedError(NetworkError):
    """A nameserver did not answer, or answered that it cannot (SERVFAIL, REFUSED)."""

    def __init__(self, name: str, kind: str, reason: str, server: str = "") -> None:
        problem = say(
            "cannot look up {kind} of {domain}: {reason}",
            kind=kind,
            domain=printable(name, 80),
            reason=printable(reason, 120),
        )
        advice = (
            say("{server} was asked: check that a nameserver answers there", server=server)
            if server
            else say("check the nameservers in /etc/resolv.conf")
        )
        super().__init__(problem, advice=advice)


def is_askable(name: str) -> bool:
    """Tell whether a name fits in a question: labels of 1 to 63 octets, 253 in all."""
    if not name.isascii() or not name or len(name) > _NAME_MAX:
        return False
    return all(0 < len(label) <= _LABEL_MAX for label in name.split("."))


def nameservers_of(environment: Mapping[str, str]) -> Nameservers:
    """
    Return whom to ask of the DNS: who stands in ``PILLARBOX_DNS``, else in /etc/resolv.conf.

    Raises:
        UsageError: The variable is no address and port.
        MissingExtraError: dnspython is not installed.
        NetworkError: This machine names no nameserver.

    """
    named = environment.get(_VARIABLE, "")
    if not named:
        return Nameservers()
    address, _, port = named.rpartition(":")
    try:
        server = str(ip_address(address.strip("[]"))), int(port)
    except ValueError as exc:
        raise UsageError(say("PILLARBOX_DNS must be ADDRESS:PORT")) from exc
    if not 0 < server[1] < 1 << 16:
        raise UsageError(say("PILLARBOX_DNS must be ADDRESS:PORT"))
    return Nameservers(server)


class Nameservers:
    """
    Ask the nameservers of this machine; each question once. Blocks.

    A nameserver that lets a question wait is asked last from then on, so that a dead one costs
    its time once and not with each question.

    Args:
        server: The address and port of whom to ask; None: who stands in /etc/resolv.conf.
        total_s: Seconds that all questions may take together; time between them is not counted.

    Raises:
        MissingExtraError: dnspython is not installed.
        NetworkError: This machine names no nameserver.

    """

    def __init__(
        self, server: tuple[str, int] | None = None, *, total_s: float = _ALL_QUESTIONS_S
    ) -> None:
        try:
            import dns.exception
            import dns.resolver
        except ImportError as exc:
            raise MissingExtraError(say("looking up a domain"), "dns") from exc
        try:
            self._resolver = dns.resolver.Resolver(
                StringIO(_configuration()), configure=server is None
            )
        except dns.exception.DNSException as exc:
            raise NetworkError(
                say("this machine names no nameserver"),
                advice=say("check the nameservers in /etc/resolv.conf"),
            ) from exc
        self._server = ""
        if server is not None:
            self._resolver.nameservers, self._resolver.port = [server[0]], server[1]
            self._server = f"{server[0]}:{server[1]}"
        self._left_s = total_s
        self._known: dict[tuple[str, str], Answer] = {}

    def __call__(self, name: str, kind: str) -> Answer:
        """
        Return the records of a type that a name has; empty: none, or there is no such name.

        Args:
            name: Without a dot at the end; one that cannot be asked has no records.
            kind: ``TXT``, ``MX``, ``A``, ``AAAA``, ``PTR``, ``CNAME``, ``NS``, ``SRV`` or ``TLSA``.

        Raises:
            LookupFailedError: No answer came, or a failure.

        """
        name = name.lower().rstrip(".")
        if not is_askable(name):
            return ()
        if (name, kind) not in self._known:
            self._known[name, kind] = self._ask(name, kind)
        return self._known[name, kind]

    def _ask(self, name: str, kind: str) -> Answer:
        import dns.exception
        import dns.name
        import dns.rdatatype
        import dns.resolver

        if self._left_s <= 0:
            raise LookupFailedError(name, kind, say("the questions took too long"), self._server)
        begun_s = time.monotonic()
        try:
            # Made of labels and not of text, in which a backslash would mean something.
            asked = dns.name.Name([*(label.encode() for label in name.split(".")), b""])
            found = self._resolver.resolve(asked, kind, lifetime=min(_QUESTION_S, self._left_s))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError, ValueError) as exc:
            # ValueError: what came cannot be understood as DNS at all.
            raise LookupFailedError(name, kind, _reason(exc), self._server) from exc
        finally:
            took_s = time.monotonic() - begun_s
            self._left_s -= took_s
            self._put_last_if_slow(took_s)
        return tuple(_plain(record, kind) for record in found)

    def _put_last_if_slow(self, took_s: float) -> None:
        first, *others = self._resolver.nameservers
        if others and took_s >= self._resolver.timeout:
            self._resolver.nameservers = [*others, first]


def _configuration() -> str:
    """
    Return what counts of /etc/resolv.conf, as the C library takes it: what is no address is none.

    dnspython would refuse the whole file. Where it sends us is all that is wanted: every name that
    is asked is a whole one, so that there is nothing to search.
    """
    try:
        with open(_CONFIGURATION, "rb") as file:
            text = file.read(_CONFIGURATION_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(f"{line}\n" for line in text.splitlines() if _counts(line.split()))


def _counts(words: list[str]) -> bool:
    if words[:1] != ["nameserver"] or len(words) < 2:
        return words[:1] == ["options"]
    try:
        ip_address(words[1])
    except ValueError:
        return False
    return True


def _plain(record: Any, kind: str) -> bytes | str | tuple[int, str] | Service | TlsaRecord:
    if kind == "TXT":
        return b"".join(record.strings)
    if kind == "MX":
        return record.preference, _name(record.exchange)
    if kind in ("A", "AAAA"):
        return str(ip_address(record.address))
    if kind == "SRV":
        return Service(record.priority, record.weight, record.port, _name(record.target))
    if kind == "TLSA":
        return TlsaRecord(record.usage, record.selector, record.mtype, record.cert)
    return _name(record.target)


def _name(name: Any) -> str:
    """Return a name as text; octets that are not ASCII stay one character each."""
    return ".".join(label.decode("latin-1") for label in name.labels if label).lower()


def _reason(exc: Exception) -> str:
    import dns.resolver

    if isinstance(exc, dns.resolver.LifetimeTimeout):
        return say("no nameserver answered in time")
    if isinstance(exc, dns.resolver.NoNameservers):
        return say("every nameserver failed")
    return str(exc) or type(exc).__name__
