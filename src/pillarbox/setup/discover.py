"""
From a mail address to the servers that take its mail, the best first.

1. ``sources.STEPS`` - who may know is asked one after the other: the person's own words, the
   table of providers, the MX, SRV (RFC 6186, RFC 8314), autoconfig files, and last a guess.
2. ``_prove`` - what a source names is called, without a secret (``probe``).
3. ``_is_settled`` - the first that is trusted and answers ends the search. A provider that is
   known ends it too: where its servers do not answer, no other source knows better ones.

The rule to keep: no secret is known here, and everything has an end (``search.SEARCH_S``). What
is not trusted never stands before what is, whoever answers.
"""

from __future__ import annotations

from pillarbox.dns.answers import nameservers_of
from pillarbox.errors import MissingExtraError, NetworkError, PillarboxError
from pillarbox.setup.candidate import (
    IMPLICIT,
    SOURCES,
    STARTTLS,
    Candidate,
    Discovery,
    Tried,
    Wish,
    is_host_name,
)
from pillarbox.setup.fetch import Fetcher
from pillarbox.setup.probe import Prober
from pillarbox.setup.search import Seams, Search
from pillarbox.setup.sources import STEPS
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.dns.answers import Ask
    from pillarbox.mail.address import Mailbox
    from pillarbox.setup.probe import Probed

__all__ = [
    "IMPLICIT",
    "SOURCES",
    "STARTTLS",
    "Candidate",
    "Discovery",
    "Seams",
    "Tried",
    "Wish",
    "discover",
    "seams_for",
]

_PROBED_MAX = 6  # ways of one source that are called; a hostile file names thousands

_NO_WISH = Wish()


def seams_for(environment: Mapping[str, str], *, trust_file: str = "system") -> Seams:
    """
    Return whom this machine can ask.

    Args:
        environment: Where ``PILLARBOX_DNS`` may stand.
        trust_file: Who is trusted to prove a name, as in ``tls_trust_file``.

    Raises:
        UsageError: ``PILLARBOX_DNS`` is wrong.

    """
    ask: Ask | None = None
    no_ask = ""
    try:
        ask = nameservers_of(environment)
    except (MissingExtraError, NetworkError) as exc:
        no_ask = exc.sentence
    return Seams(ask=ask, fetch=Fetcher(trust_file), probe=Prober(trust_file), no_ask=no_ask)


def discover(
    mailbox: Mailbox,
    seams: Seams,
    wish: Wish = _NO_WISH,
    *,
    show: Callable[[Tried], None] | None = None,
) -> Discovery:
    """
    Return what can be found out about where an address's mail is handed in.

    Blocks for half a minute at most, and mostly for a second or two.

    Args:
        mailbox: The address.
        seams: Whom to ask.
        wish: What is known already; it is taken as it is.
        show: Told of each thing that was tried, as soon as it was.

    Raises:
        MissingExtraError, DataError: The domain is not ASCII, and there is no way to make it so,
            or it is no domain.

    """
    search = Search(mailbox, mailbox.domain_ascii.lower().rstrip("."), seams, wish, show)
    found: list[Candidate] = []
    for step in STEPS:
        if not is_host_name(search.domain) and not (wish.host or wish.provider):
            search.note("table", str(mailbox), say("it has no domain that could be looked up"))
            break
        for group in step(search):
            found += _prove(search, group)
            if _is_settled(search, found):
                return _discovery(search, found)
    return _discovery(search, found)


def _is_settled(search: Search, found: list[Candidate]) -> bool:
    if search.provider is not None or search.wish.host:
        return True
    is_enough = search.seams.probe is None
    return any(each.is_trusted and (each.is_proven or is_enough) for each in found)


def _discovery(search: Search, found: list[Candidate]) -> Discovery:
    """Return the result, each way once: the one that is trusted, and that answers, first."""
    found.sort(key=lambda each: (not each.is_trusted, not each.is_proven))
    unique: dict[tuple[str, int, str], Candidate] = {}
    for each in found:
        unique.setdefault((each.host, each.port, each.tls), each)
    best = next(iter(unique.values()), None)
    provider = search.provider or (best.provider if best is not None else None)
    return Discovery(tuple(unique.values()), provider, tuple(search.tried))


def _prove(search: Search, group: tuple[Candidate, ...]) -> list[Candidate]:
    """Call the servers of a group until one answers; of a guess, what answers is all there is."""
    if search.seams.probe is None:
        return list(group)
    results: dict[tuple[str, int, str], Probed] = {}
    called = [each for each in group if not each.needs_region][:_PROBED_MAX]
    for host in dict.fromkeys(each.host for each in called):
        ways = [(each.port, each.tls) for each in called if each.host == host]
        for probed in _call(search, group[0].source, host, ways):
            results[host, probed.port, probed.tls] = probed
        if any(probed.is_proven for probed in results.values()):
            break
    proved = []
    for each in group:
        answer = results.get((each.host, each.port, each.tls))
        if answer is not None and answer.is_proven:
            proved.append(each.but(is_proven=True, auth=answer.auth))
        elif each.source != "probe":
            proved.append(each)
    return proved


def _call(
    search: Search, source: str, host: str, ways: list[tuple[int, str]]
) -> tuple[Probed, ...]:
    """Call one host, and tell what came of it."""
    assert search.seams.probe is not None
    what = ", ".join(f"{host}:{port}" for port, _ in ways)
    if search.left_s <= 0:
        search.note(source, what, say("not asked: there was no time left"))
        return ()
    try:
        found = search.seams.probe(host, ways, search.left_s)
    except PillarboxError as exc:
        search.note(source, what, exc.sentence)
        return ()
    # A port that is shut is shut in both ways, and told once.
    lines = {
        (f"{host}:{probed.port}", say("it answers") if probed.is_proven else probed.problem): None
        for probed in found
    }
    for place, result in lines:
        search.note(source, place, result)
    return found
