"""
What is known of a way to hand mail in, before anybody has logged in there.

The rule to keep: a host that came from a stranger (the DNS, an XML file) gets into a ``Candidate``
only through ``is_host_name``, so that it can stand in a configuration, a command and on a
terminal.
"""

from __future__ import annotations

import re

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.config.providers import Provider

__all__ = [
    "IMPLICIT",
    "REGION",
    "SOURCES",
    "STARTTLS",
    "Candidate",
    "Discovery",
    "Tried",
    "Wish",
    "is_host_name",
    "is_mail_port",
    "is_region",
]

IMPLICIT = "implicit"  # TLS comes first (RFC 8314 3.3)
STARTTLS = "starttls"  # RFC 3207

# Who named a host; in this order they are asked.
SOURCES = ("given", "table", "mx", "srv", "autoconfig", "probe")

# Stands in a provider's host for what only the account's owner knows.
REGION = "{region}"

_HOST_MAX = 253  # octets of a name, written with dots (RFC 1035 3.1)
# RFC 1123 2.1 with the underscore, which is met; two labels at least, the last of them no number:
# so neither "localhost" nor an address, which a stranger could point at this machine with.
_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?!\d+\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])\Z"
)
# Below 1024 a port belongs to somebody; these are mail's, or (80, 443) borrowed for it.
_MAIL_PORTS = frozenset((25, 80, 443, 465, 587, 994))
_OWNED = 1024
_PORT_MAX = 65535

_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


def is_host_name(text: str) -> bool:
    """Tell whether a text, in lower case, is the name of a host in the DNS and no address."""
    return len(text) <= _HOST_MAX and _HOST.match(text) is not None


def is_mail_port(port: int) -> bool:
    """Tell whether a stranger may name a port: no other service's is ever connected to."""
    return port in _MAIL_PORTS or _OWNED <= port <= _PORT_MAX


def is_region(text: str) -> bool:
    """Tell whether a text can stand in the place of ``{region}``: one label, in lower case."""
    return _REGION.match(text) is not None


class Wish(Value):
    """
    What is known from the beginning; it is taken as it is.

    Attributes:
        provider: The provider; None: it is to be found out.
        host: The server; empty: it is to be found out.
        port: Its port; 0: 465 or 587, whichever answers.
        tls: ``implicit`` or ``starttls``; empty: what belongs to the port.
        username: The login name; empty: what the provider, or the rule of most, says.
        region: What stands for ``{region}`` in a provider's host.

    """

    __slots__ = ("host", "port", "provider", "region", "tls", "username")

    def __init__(
        self,
        *,
        provider: Provider | None = None,
        host: str = "",
        port: int = 0,
        tls: str = "",
        username: str = "",
        region: str = "",
    ) -> None:
        self.provider = provider
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self.region = region


class Candidate(Value):
    """
    A way to hand mail in.

    Attributes:
        host: The server; ``{region}`` in it must be filled first (``needs_region``).
        port: Its port.
        tls: ``implicit`` or ``starttls``.
        username: The login name; empty: only the person knows it (an API key, say).
        source: Who named it: one of ``SOURCES``.
        provider: Whose server it is; None: nobody's that we know.
        is_trusted: It was named by somebody who may name it; else a person must agree before a
            secret is sent there.
        is_proven: It answered: TLS with a valid certificate, and EHLO. Nobody logged in.
        auth: Mechanisms that it offers, or is known to offer; empty: not known.

    Not hashable where it has a provider.

    """

    __slots__ = (
        "auth",
        "host",
        "is_proven",
        "is_trusted",
        "port",
        "provider",
        "source",
        "tls",
        "username",
    )

    def __init__(
        self,
        host: str,
        port: int,
        tls: str,
        *,
        username: str = "",
        source: str = "given",
        provider: Provider | None = None,
        is_trusted: bool = True,
        is_proven: bool = False,
        auth: tuple[str, ...] = (),
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self.source = source
        self.provider = provider
        self.is_trusted = is_trusted
        self.is_proven = is_proven
        self.auth = auth

    @property
    def needs_region(self) -> bool:
        """Whether the host is to be completed with ``in_region``."""
        return REGION in self.host

    @property
    def default_region(self) -> str:
        """The region to propose where one is needed: that of the provider's own example."""
        start, _, end = self.host.partition(REGION)
        hosts = (row.host for row in self.provider.endpoints) if self.provider else ()
        for host in hosts:
            region = host[len(start) : len(host) - len(end)]
            if host == start + region + end and is_region(region):
                return region
        return ""

    def in_region(self, region: str) -> Candidate:
        """Return it with the host of a region; ``is_region`` tells what can be one."""
        return self.but(host=self.host.replace(REGION, region))

    def but(
        self,
        *,
        host: str | None = None,
        is_proven: bool | None = None,
        auth: tuple[str, ...] | None = None,
    ) -> Candidate:
        """Return it with what is named changed."""
        return Candidate(
            self.host if host is None else host,
            self.port,
            self.tls,
            username=self.username,
            source=self.source,
            provider=self.provider,
            is_trusted=self.is_trusted,
            is_proven=self.is_proven if is_proven is None else is_proven,
            auth=self.auth if auth is None else auth,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Tried(Value):
    """
    One place that was asked, for a person who wonders.

    Attributes:
        source: One of ``SOURCES``.
        what: What was asked: a name in the DNS, an address on the web, a host and a port.
        result: What came of it; a ``Text``.

    """

    __slots__ = ("result", "source", "what")

    def __init__(self, source: str, what: str, result: str) -> None:
        self.source = source
        self.what = what
        self.result = result


class Discovery(Value):
    """
    What was found out from an address.

    Attributes:
        candidates: The ways to hand mail in, the best first: those that are trusted before the
            others, of these those that answered; empty: a person must name one.
        provider: Who has the mailbox; None: nobody that we know.
        tried: What was asked, in order.

    """

    __slots__ = ("candidates", "provider", "tried")

    def __init__(
        self,
        candidates: tuple[Candidate, ...],
        provider: Provider | None = None,
        tried: tuple[Tried, ...] = (),
    ) -> None:
        self.candidates = candidates
        self.provider = provider
        self.tried = tried

    @property
    def best(self) -> Candidate | None:
        """The first candidate; None: there is none."""
        return self.candidates[0] if self.candidates else None
