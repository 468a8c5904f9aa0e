"""
Where a domain takes its users' mail: the SRV records of RFC 6186 and RFC 8314.

``_submissions._tcp`` is implicit TLS and comes first; ``_submission._tcp`` is STARTTLS.
"""

from __future__ import annotations

from pillarbox.errors import MissingExtraError, NetworkError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dns.resolver import Resolver

__all__ = ["Submission", "find_submission"]

_LIFETIME_S = 15.0

_SERVICES = (("_submissions._tcp", True), ("_submission._tcp", False))


class Submission(Value):
    """
    A submission server.

    Attributes:
        host: Its name.
        port: Its port.
        is_implicit: TLS comes first; else STARTTLS.

    """

    __slots__ = ("host", "is_implicit", "port")

    def __init__(self, host: str, port: int, *, is_implicit: bool) -> None:
        self.host = host
        self.port = port
        self.is_implicit = is_implicit


def find_submission(
    domain: str, *, resolver: Resolver | None = None, lifetime_s: float = _LIFETIME_S
) -> Submission | None:
    """
    Return the submission server that a domain names, or None. Blocks.

    Args:
        domain: The domain of a mail address.
        resolver: Whom to ask; None: the nameservers of this machine.
        lifetime_s: Seconds for one question, all nameservers together.

    Raises:
        MissingExtraError: dnspython is not installed.
        NetworkError: No nameserver answered.

    """
    try:
        import dns.exception
        import dns.resolver
    except ImportError as exc:
        raise MissingExtraError(say("looking up a domain"), "dns") from exc
    try:
        resolver = resolver or dns.resolver.Resolver()
        for service, is_implicit in _SERVICES:
            try:
                answer = resolver.resolve(f"{service}.{domain}", "SRV", lifetime=lifetime_s)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            # RFC 2782: the lowest priority; of those, the weight is a preference.
            best = min(answer, key=lambda record: (record.priority, -record.weight))
            host = best.target.to_text(omit_final_dot=True)
            if host != ".":  # which says that there is no such service (RFC 6186 3.4)
                return Submission(host, best.port, is_implicit=is_implicit)
    except dns.exception.DNSException as exc:
        problem = say("cannot look up {domain}: {reason}", domain=domain, reason=str(exc))
        raise NetworkError(
            problem, advice=say("check the nameservers in /etc/resolv.conf")
        ) from exc
    return None
