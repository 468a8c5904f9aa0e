"""
Where a domain takes its users' mail: the SRV records of RFC 6186 and RFC 8314.

``_submissions._tcp`` is implicit TLS and comes first; ``_submission._tcp`` is STARTTLS. The rule
to keep: what comes out can stand in a configuration; a target that is no host name is nobody.
"""

from __future__ import annotations

import re

from pillarbox.dns.answers import Service
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.dns.answers import Ask

__all__ = ["Submission", "find_submission", "find_submissions"]

_SERVICES = (("_submissions._tcp", True), ("_submission._tcp", False))

# RFC 1123 2.1, in lower case; the underscore is not allowed and is met.
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\Z")


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


def find_submissions(domain: str, ask: Ask) -> tuple[Submission, ...]:
    """
    Return the submission servers that a domain names, the best first. Blocks.

    Args:
        domain: The domain of a mail address, in ASCII.
        ask: Who answers questions to the DNS.

    Raises:
        LookupFailedError: No nameserver answered.

    """
    found = []
    for service, is_implicit in _SERVICES:
        rows = [row for row in ask(f"{service}.{domain}", "SRV") if isinstance(row, Service)]
        # RFC 2782: the lowest priority; of those, the weight is a preference.
        rows.sort(key=lambda row: (row.priority, -row.weight))
        # "." says that there is no such service (RFC 6186 3.4); it has no name left.
        found += [
            Submission(row.host, row.port, is_implicit=is_implicit)
            for row in rows
            if row.port and _HOST.match(row.host)
        ]
    return tuple(found)


def find_submission(domain: str, ask: Ask) -> Submission | None:
    """
    Return the first of ``find_submissions``, or None. Blocks.

    Raises:
        LookupFailedError: No nameserver answered.

    """
    return next(iter(find_submissions(domain, ask)), None)
