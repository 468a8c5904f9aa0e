"""
May this address send for that domain: ``check_host`` of RFC 7208 section 4.

The steps: the domain (``check_host``), its record (``find_records``), its terms from left to
right (``_Check._evaluate``), one function a mechanism. The rule to keep: the limits of 4.6.4 are
counted for the whole check, through every ``include`` and ``redirect``.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from pillarbox.dns.answers import LookupFailedError, is_askable
from pillarbox.dns.macro import MacroError, expand
from pillarbox.dns.record import RecordError, is_spf, parse_record
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.dns.answers import Answer, Ask
    from pillarbox.dns.record import Record, Term

__all__ = ["LOOKUPS_MAX", "RESULTS", "VOIDS_MAX", "Verdict", "check_host", "find_records"]

RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")

LOOKUPS_MAX = 10  # RFC 7208 4.6.4
VOIDS_MAX = 2
_HOSTS_MAX = 10  # of one mx or ptr

_OF_QUALIFIER = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class Verdict(Value):
    """
    What a receiver finds.

    Attributes:
        result: One of ``RESULTS``.
        domain: Whose record decided.
        term: The term that matched, as written; empty: none did.
        explanation: What the domain says to a sender that it refuses; not to be trusted.
        problem: Why it is an error, for a person; empty: it is none.
        lookups: How many of the ten lookups were used.

    """

    __slots__ = ("domain", "explanation", "lookups", "problem", "result", "term")

    def __init__(
        self,
        result: str,
        domain: str,
        *,
        term: str = "",
        explanation: str = "",
        problem: str = "",
        lookups: int = 0,
    ) -> None:
        self.result = result
        self.domain = domain
        self.term = term
        self.explanation = explanation
        self.problem = problem
        self.lookups = lookups


class _Stop(Exception):  # noqa: N818 (it does not leave this file)
    """The check ends in an error."""

    def __init__(self, result: str, problem: str) -> None:
        super().__init__(problem)
        self.result, self.problem = result, problem


def find_records(domain: str, ask: Ask) -> tuple[str, ...]:
    """
    Return the SPF records of a domain; octets above 127 stay one character each. Blocks.

    Nameservers turn their answers round, so several are put into an order that stays.
    """
    found = ask(domain, "TXT")
    return tuple(
        sorted(text.decode("latin-1") for text in found if isinstance(text, bytes) and is_spf(text))
    )


def check_host(
    ip: str, sender: str, ask: Ask, *, helo: str = "", record: str = "", receiver: str = "unknown"
) -> Verdict:
    """
    Return whether an address may send for a sender (RFC 7208 4). Blocks.

    Args:
        ip: An IPv4 or IPv6 address.
        sender: The reverse-path; empty, or without a local part: postmaster (4.3).
        ask: Who answers questions to the DNS.
        helo: The name that the sending host says; the domain when ``sender`` is empty.
        record: Taken in the place of what the domain publishes; empty: what it publishes.
        receiver: The name of who checks.

    Raises:
        ValueError: ``ip`` is no address.

    """
    local, _, domain = (sender or helo).rpartition("@")
    domain = domain.removesuffix(".").lower()
    if "." not in domain or not is_askable(domain):
        return Verdict("none", domain)  # also an address literal: its brackets have no record
    check = _Check(ip, f"{local or 'postmaster'}@{domain}", ask, helo, receiver)
    try:
        return check.run(domain, record)
    except _Stop as stop:
        return Verdict(stop.result, domain, problem=stop.problem, lookups=check.lookups)


class _Check:
    """One check: the mail that is asked about, and what was counted."""

    def __init__(self, ip: str, sender: str, ask: Ask, helo: str, receiver: str) -> None:
        address = ip_address(ip)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        self._ip: IPv4Address | IPv6Address = mapped or address
        self._kind = "A" if self._ip.version == 4 else "AAAA"
        self._sender, self._ask = sender, ask
        self._helo, self._receiver = helo, receiver
        self._voids = 0
        self.lookups = 0

    def run(self, domain: str, record: str = "", *, is_included: bool = False) -> Verdict:
        read = self._record(domain, record)
        if read is None:
            return Verdict("none", domain, lookups=self.lookups)
        for term in read.mechanisms:
            if self._matches(term, domain):
                result = _OF_QUALIFIER[term.qualifier]
                exp = read.modifier("exp")
                explanation = ""
                if result == "fail" and exp and not is_included:
                    explanation = self._explanation(exp, domain)
                return Verdict(
                    result,
                    domain,
                    term=term.text,
                    explanation=explanation,
                    lookups=self.lookups,
                )
        redirect = read.modifier("redirect")
        if redirect is None:
            return Verdict("neutral", domain, lookups=self.lookups)
        self._count()
        target = self._expanded(redirect.value, domain)
        verdict = self.run(target, is_included=is_included)
        if verdict.result == "none":
            raise _Stop("permerror", say("{domain} has no SPF record", domain=target))
        return verdict

    def _record(self, domain: str, given: str) -> Record | None:
        """Return the one record of a domain (RFC 7208 4.5), or None."""
        if not is_askable(domain):
            return None
        try:
            records = (given,) if given else find_records(domain, self._ask)
            if len(records) > 1:
                problem = say("{domain} has more than one SPF record", domain=domain)
                raise _Stop("permerror", problem)
            return parse_record(records[0]) if records else None
        except LookupFailedError as exc:
            raise _Stop("temperror", exc.problem) from exc
        except RecordError as exc:
            raise _Stop("permerror", exc.problem) from exc

    def _matches(self, term: Term, domain: str) -> bool:
        if term.is_looking:
            self._count()
        if term.name == "all":
            return True
        if term.network is not None:
            return self._ip.version == term.network.version and self._ip in term.network
        if term.name == "ptr":
            target = self._expanded(term.value, domain) if term.value else domain
            return any(_is_below(name, target) for name in self._validated_names())
        target = self._expanded(term.value, domain) if term.value else domain
        if term.name == "include":
            return self._is_included(target)
        if term.name == "exists":
            return bool(self._answers(target, "A"))
        hosts = [target]
        if term.name == "mx":
            found = self._answers(target, "MX")
            hosts = [row[1] for row in sorted(x for x in found if isinstance(x, tuple))]
            if len(hosts) > _HOSTS_MAX:
                raise _Stop("permerror", say("{domain} has more than ten MX", domain=target))
        return any(self._is_at(host, term) for host in hosts)

    def _is_included(self, target: str) -> bool:
        verdict = self.run(target, is_included=True)
        if verdict.result == "none":
            raise _Stop("permerror", say("{domain} has no SPF record", domain=target))
        return verdict.result == "pass"

    def _is_at(self, host: str, term: Term) -> bool:
        prefix = term.prefix4 if self._ip.version == 4 else term.prefix6
        for address in self._answers(host, self._kind):
            if self._ip in ip_network(f"{address!s}/{prefix}", strict=False):
                return True
        return False

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS_MAX:
            raise _Stop("permerror", say("more than ten DNS lookups are needed"))

    def _answers(self, name: str, kind: str) -> Answer:
        try:
            found = self._ask(name, kind) if is_askable(name) else ()
        except LookupFailedError as exc:
            raise _Stop("temperror", exc.problem) from exc
        if not found:
            self._voids += 1
            if self._voids > VOIDS_MAX:
                problem = say("more than two DNS lookups find nothing, the last {kind} of {domain}",
                              kind=kind, domain=name)  # fmt: skip
                raise _Stop("permerror", problem)
        return found

    def _validated_names(self) -> list[str]:
        """Return the names of the address that lead back to it (RFC 7208 5.5); never fails."""
        try:
            names = self._ask(self._ip.reverse_pointer, "PTR")[:_HOSTS_MAX]
        except LookupFailedError:
            return []
        validated = []
        for name in names:
            try:
                found = self._ask(str(name), self._kind)
            except LookupFailedError:
                continue
            if any(ip_address(str(address)) == self._ip for address in found):
                validated.append(str(name).lower())
        return validated

    def _validated_name(self, domain: str) -> str:
        """Return what ``%{p}`` means: the domain, else a name below it, else any (7.3)."""
        names = self._validated_names()
        below = [name for name in names if _is_below(name, domain)]
        if domain in names:
            return domain
        return (below or names or ["unknown"])[0]

    def _expanded(self, text: str, domain: str, *, is_explanation: bool = False) -> str:
        local, _, sender_domain = self._sender.rpartition("@")
        is_ip4 = self._ip.version == 4
        digits = self._ip.exploded.replace(":", "")
        values = {
            "s": self._sender, "l": local, "o": sender_domain, "d": domain, "h": self._helo,
            "i": str(self._ip) if is_ip4 else ".".join(digits.upper()),
            "v": "in-addr" if is_ip4 else "ip6", "c": str(self._ip),
            "r": self._receiver, "t": str(int(time.time())),
        }  # fmt: skip
        return expand(
            text, values, lambda: self._validated_name(domain), is_explanation=is_explanation
        )

    def _explanation(self, exp: Term, domain: str) -> str:
        """Return what the domain says of a fail; anything wrong with it: nothing (6.2)."""
        try:
            found = self._ask(self._expanded(exp.value, domain), "TXT")
            if len(found) != 1 or not isinstance(found[0], bytes):
                return ""
            return self._expanded(found[0].decode("ascii"), domain, is_explanation=True)
        except (LookupFailedError, MacroError, UnicodeDecodeError):
            return ""


def _is_below(name: str, domain: str) -> bool:
    domain = domain.lower()
    return name == domain or name.endswith(f".{domain}")
