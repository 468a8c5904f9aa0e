"""
Who may know where a domain's mail is handed in: one function a source, ``STEPS`` in their order.

A source yields groups of candidates, the best first, and tells what it asked and what came of it.
What becomes of a group (whether it answers, and whether that is the end) is for ``discover``.
The rule to keep: a source decides whether what it names is trusted, and says so in the candidate.
An address's local part goes to the domain itself and to nobody else.
"""

from __future__ import annotations

from pillarbox.config.providers import provider_of_domain, provider_of_host, provider_of_mx
from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.srv import find_submissions
from pillarbox.errors import PillarboxError
from pillarbox.setup.autoconfig import ISPDB, own_places, parse_autoconfig
from pillarbox.setup.candidate import (
    IMPLICIT,
    REGION,
    STARTTLS,
    Candidate,
    is_host_name,
    is_mail_port,
)
from pillarbox.text import bilingual, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.config.providers import Endpoint, Provider
    from pillarbox.mail.address import Mailbox
    from pillarbox.setup.candidate import Wish
    from pillarbox.setup.search import Search
    from pillarbox.text import Text

    Group = tuple[Candidate, ...]
    Step = Callable[[Search], Iterator[Group]]

__all__ = ["STEPS", "provider_group"]

# The first is what is to be configured (RFC 8314 3.3).
_COMMON_WAYS: tuple[tuple[int, str], ...] = ((465, IMPLICIT), (587, STARTTLS))
# Where TLS comes first by custom; elsewhere it is STARTTLS, unless somebody says otherwise.
_IMPLICIT_PORTS = frozenset((443, 465, 994, 2465, 8465))
_FETCH_S = 5.0  # seconds for one file; a person waits
_MX_GUESSED = 2  # hosts of an MX that are knocked at
# The second label from the right is a registry's and nobody's own: co.uk, com.cn, or.jp.
_REGISTRY_MAX = 3


def _ask_wish(search: Search) -> Iterator[Group]:
    """Take what was said in so many words."""
    wish = search.wish
    if wish.host:
        yield _given(search)
    elif wish.provider is not None:
        search.take_provider(wish.provider)
        yield provider_group(wish.provider, search.mailbox, wish, "given")


def _given(search: Search) -> Group:
    wish, host = search.wish, search.wish.host
    ways = _COMMON_WAYS
    if wish.port and wish.tls:
        ways = ((wish.port, wish.tls),)
    elif wish.port:
        # Which of the two a port speaks is found out; without a probe custom decides.
        modes = sorted((IMPLICIT, STARTTLS), reverse=wish.port not in _IMPLICIT_PORTS)
        ways = tuple((wish.port, tls) for tls in modes)
    elif wish.tls:
        ways = tuple(way for way in _COMMON_WAYS if way[1] == wish.tls)
    provider = wish.provider or _owner(host, ways[0][0])
    search.take_provider(provider)
    username = wish.username or _username(provider, search.mailbox)
    return tuple(
        Candidate(
            host,
            port,
            tls,
            username=username,
            provider=provider,
            auth=provider.auth if provider else (),
        )
        for port, tls in ways
    )


def _owner(host: str, port: int) -> Provider | None:
    """Return whose a host is; a loopback address is a bridge's at the bridge's port only."""
    provider = provider_of_host(host)
    if provider is None or is_host_name(host.lower()):
        return provider
    return provider if any(row.port == port for row in provider.endpoints) else None


def _ask_table(search: Search) -> Iterator[Group]:
    """Look whether the domain is one that a provider gives addresses of away."""
    provider = provider_of_domain(search.domain)
    if provider is None:
        search.note("table", search.domain, say("no provider that pillarbox knows has this domain"))
        return
    search.take_provider(provider)
    search.note("table", search.domain, _name(provider))
    yield provider_group(provider, search.mailbox, search.wish, "table")


def _ask_mx(search: Search) -> Iterator[Group]:
    """Look who receives for the domain."""
    what = f"MX {search.domain}"
    rows = search.ask("mx", what, search.domain, "MX")
    if rows is None:
        return
    pairs = sorted(row for row in rows if isinstance(row, tuple))
    search.mx_hosts = hosts = tuple(host for _, host in pairs if is_host_name(host))
    if not hosts:
        search.note("mx", what, say("it names no host: nobody receives for this domain"))
        return
    owners = ((host, provider_of_mx(host)) for host in hosts)
    host, provider = next(((host, who) for host, who in owners if who), (hosts[0], None))
    if provider is None:
        search.note("mx", what, say("{host}: nobody that pillarbox knows", host=host))
        return
    search.take_provider(provider)
    search.note("mx", what, say("{host}: {provider}", host=host, provider=_name(provider)))
    yield provider_group(provider, search.mailbox, search.wish, "mx")


def _ask_srv(search: Search) -> Iterator[Group]:
    """Look whether the domain names a server for sending (RFC 6186, RFC 8314 5.1)."""
    what = f"SRV _submissions._tcp.{search.domain}"
    ask = search.seams.ask
    if ask is None or search.is_dns_silent:
        search.note_no_dns("srv", what)
        return
    try:
        found = find_submissions(search.domain, ask)
    except LookupFailedError as exc:
        search.dns_failed("srv", what, exc)
        return
    usable = [row for row in found if is_host_name(row.host) and is_mail_port(row.port)]
    if not usable:
        search.note("srv", what, say("it names no server that could be used"))
        return
    group = []
    for row in usable:
        tls = IMPLICIT if row.is_implicit else STARTTLS
        group.append(_named(search, "srv", row.host, row.port, tls))
    search.note("srv", what, _hosts(group))
    yield tuple(group)


def _ask_autoconfig(search: Search) -> Iterator[Group]:
    """Read what the domain, and then the ISPDB, tell about it."""
    for url in own_places(search.mailbox):
        yield from _read_file(search, url, is_trusted=True)
    yield from _read_file(search, ISPDB + search.domain, is_trusted=True)
    # Who receives may also be who sends; the MX could be anybody's lie, so a person decides.
    for base in dict.fromkeys(map(_base_domain, search.mx_hosts[:1])):
        if base != search.domain:
            yield from _read_file(search, ISPDB + base, is_trusted=False)


def _read_file(search: Search, url: str, *, is_trusted: bool) -> Iterator[Group]:
    what = url.partition("?")[0]
    if search.seams.fetch is None:
        search.note("autoconfig", what, say("not asked: there is no way to the web"))
        return
    patience_s = min(_FETCH_S, search.left_s)
    if patience_s <= 0:
        search.note("autoconfig", what, say("not asked: there was no time left"))
        return
    try:
        servers = parse_autoconfig(search.seams.fetch(url, patience_s), search.mailbox)
    except PillarboxError as exc:
        search.note("autoconfig", what, exc.sentence)
        return
    if not servers:
        search.note("autoconfig", what, say("it names no server that could be used"))
        return
    group = [
        _named(
            search,
            "autoconfig",
            server.host,
            server.port,
            server.tls,
            username=server.username,
            auth=server.auth,
            is_trusted=is_trusted,
        )
        for server in servers
    ]
    search.note("autoconfig", what, _hosts(group))
    yield tuple(group)


def _guess(search: Search) -> Iterator[Group]:
    """Knock where mail servers mostly are; only who proves its name counts."""
    hosts = [f"smtp.{search.domain}", f"mail.{search.domain}", *search.mx_hosts[:_MX_GUESSED]]
    for host in dict.fromkeys(hosts):
        if search.seams.probe is None:
            search.note("probe", host, say("not asked: no server is called"))
        else:
            yield tuple(_named(search, "probe", host, port, tls) for port, tls in _COMMON_WAYS)


def provider_group(provider: Provider, mailbox: Mailbox, wish: Wish, source: str) -> Group:
    """
    Return the ways to a provider, the best first, those without TLS left out.

    Where the host depends on a region that is not known, that is said by ``needs_region``.
    """
    username = wish.username or _username(provider, mailbox)
    rows = [row for row in provider.endpoints if row.tls in (IMPLICIT, STARTTLS)]
    patterns = [row for row in rows if REGION in row.host]
    group = []
    for row in rows:
        host = _host_of(row, patterns, wish.region)
        group.append(
            Candidate(
                host,
                row.port,
                row.tls,
                username=username,
                source=source,
                provider=provider,
                auth=provider.auth,
            )
        )
    if wish.region:
        group.sort(key=lambda each: not _is_in_region(each.host, wish.region))
    return tuple(group)


def _host_of(row: Endpoint, patterns: list[Endpoint], region: str) -> str:
    """Return an endpoint's host; the example of a pattern is the pattern."""
    pattern = next((each.host for each in patterns if each.is_host(row.host)), row.host)
    return pattern.replace(REGION, region) if region else pattern


def _is_in_region(host: str, region: str) -> bool:
    """Tell whether a host is called after a region, whole: ``-eu-central-1.``, ``.eu``."""
    return f".{region}." in f"{host}." or f"-{region}." in host


def _named(
    search: Search,
    source: str,
    host: str,
    port: int,
    tls: str,
    *,
    username: str | None = None,
    auth: tuple[str, ...] = (),
    is_trusted: bool = False,
) -> Candidate:
    """Return what a source names; a known provider's host and one of the domain are trusted."""
    provider = provider_of_host(host)
    is_own = host == search.domain or host.endswith("." + search.domain)
    name = _username(provider, search.mailbox) if username is None else username
    return Candidate(
        host,
        port,
        tls,
        username=search.wish.username or name,
        source=source,
        provider=provider,
        is_trusted=is_trusted or is_own or provider is not None,
        auth=auth or (provider.auth if provider else ()),
    )


def _username(provider: Provider | None, mailbox: Mailbox) -> str:
    """Return the login name by the provider's rule; empty: only the person knows it."""
    rule = provider.username_rule if provider is not None else "full-address"
    if rule in ("full-address", "sender-address-created-in-console"):
        return str(mailbox)
    if rule == "literal" and provider is not None:
        return provider.username
    return f"postmaster@{mailbox.domain}" if rule == "domain-user" else ""


def _base_domain(host: str) -> str:
    """Return the domain that somebody has registered, as far as a name alone tells."""
    labels = host.split(".")
    is_registry = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= _REGISTRY_MAX
    return ".".join(labels[-3 if is_registry else -2 :])


def _name(provider: Provider) -> Text:
    return bilingual(provider.name("en"), provider.name("zh"))


def _hosts(group: list[Candidate]) -> str:
    return ", ".join(map(str, group[:4]))


# In the order in which they are asked: what costs nothing first.
STEPS: tuple[Step, ...] = (_ask_wish, _ask_table, _ask_mx, _ask_srv, _ask_autoconfig, _guess)
