"""
What an SPF record may say and should not, and the record that says it right.

Everything here is grammatical, so that no receiver calls it an error: it lets everybody through,
refuses nobody, is never read, or does not mean what its owner thinks. ``mended`` makes the one
record to publish in its place.
"""

from __future__ import annotations

from pillarbox.dns.record import (
    MECHANISMS,
    VERSION,
    RecordError,
    is_spf,
    parse_record,
    parse_term,
)
from pillarbox.dns.spf_merge import merge
from pillarbox.dns.tags import texts_of
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.record import Term
    from pillarbox.dns.spf_walk import Step

__all__ = ["LENGTH_MAX", "Weakness", "find_misspelt", "meant", "mended", "weaknesses"]

# RFC 7208 3.4: with the name and all other TXT records it should fit in 512 octets.
LENGTH_MAX = 450

_AROUND = " \t\"'\\"  # what people copy along with a record

# A network that is half of all addresses, or more.
_HUGE = 1


class Weakness(Value):
    """
    One of them.

    Attributes:
        kind: ``plus-all``, ``neutral``, ``unread``, ``colon`` or ``ptr``.
        problem: What it is, as a text.
        term: The term that is meant; empty: one that is missing.

    """

    __slots__ = ("kind", "problem", "term")

    def __init__(self, kind: str, problem: str, term: str = "") -> None:
        self.kind = kind
        self.problem = problem
        self.term = term


def weaknesses(steps: Sequence[Step]) -> tuple[Weakness, ...]:
    """
    Return what is not wise in the steps of a record, the worst first.

    Args:
        steps: Those of ``walk``; what included records permit to everybody counts too.

    """
    return tuple(_found(steps))


def _found(steps: Sequence[Step]) -> Iterator[Weakness]:
    own = [step.term for step in steps if not step.depth]
    alls = [number for number, term in enumerate(own) if term.name == "all"]
    for step in steps:
        if _is_for_everybody(step.term):
            yield _everybody(step)
            break
    if alls and any(not term.is_modifier for term in own[alls[0] + 1 :]):
        behind = next(term for term in own[alls[0] + 1 :] if not term.is_modifier)
        problem = say("what stands behind 'all' is never read: put 'all' at the end")
        yield Weakness("unread", problem, behind.text)
    for term in own:
        if term.name == "ptr" and not term.is_modifier:
            problem = say("ptr is slow and not to be used any more (RFC 7208 5.5)")
            yield Weakness("ptr", problem, term.text)
        if term.is_modifier and term.name in MECHANISMS:
            problem = say("receivers do not read {term}: a colon belongs behind '{name}'",
                          term=term.text, name=term.name)  # fmt: skip
            yield Weakness("colon", problem, term.text)
    if not alls and not any(term.name == "redirect" for term in own):
        problem = say("no record ends in 'all', so nobody is refused: add -all")
        yield Weakness("neutral", problem)
    elif alls and own[alls[0]].qualifier == "?":
        problem = say("?all says nothing of everybody else, so nobody is refused: replace it by"
                      " -all")  # fmt: skip
        yield Weakness("neutral", problem, own[alls[0]].text)


def _is_for_everybody(term: Term) -> bool:
    if term.qualifier != "+":
        return False
    return term.name == "all" or (term.network is not None and term.network.prefixlen <= _HUGE)


def _everybody(step: Step) -> Weakness:
    term = step.term
    if step.depth:
        problem = say("{term} in the record of {domain} lets the whole world send as this domain",
                      term=term.text, domain=step.domain)  # fmt: skip
    elif term.name == "all":
        problem = say("+all lets the whole world send as this domain: replace it by -all")
    else:
        problem = say("{term} lets the whole world send as this domain: remove it", term=term.text)
    return Weakness("plus-all", problem, term.text)


def mended(text: str, additions: Sequence[Term] = (), *, domain: str = "") -> str:
    """
    Return the record without what is not wise, and with what is added; one that ends in ``all``.

    Args:
        text: The record.
        additions: Mechanisms that permit.
        domain: Whose it is.

    Raises:
        RecordError: The record cannot be understood.

    """
    record = parse_record(text)
    words = [word for term in record.terms if (word := _right(term))]
    if not record.modifier("redirect") and not any(t.name == "all" for t in record.mechanisms):
        words.append("-all")
    return merge([" ".join(["v=spf1", *words])], additions, domain=domain).text


def find_misspelt(domain: str, ask: Ask) -> tuple[str, ...]:
    """Return the texts of a domain that were meant to be SPF records, and are none. Blocks."""
    return tuple(
        text
        for text in texts_of(domain, ask)
        if VERSION in text.lower().replace(" ", "") and not is_spf(text.encode("latin-1"))
    )


def meant(text: str, additions: Sequence[Term] = (), *, domain: str = "") -> str:
    """Return the record that a text was meant to be, mended; empty: nobody can tell."""
    words = text.strip(_AROUND)
    words = words[: len(VERSION)] + " " + words[len(VERSION) :]
    try:
        return mended(words, additions, domain=domain)
    except RecordError:
        return ""


def _right(term: Term) -> str:
    """Return what a term is to be; empty: nothing."""
    if term.name == "all" and term.qualifier in ("+", "?"):
        return "-all"
    if _is_for_everybody(term) or (term.name == "ptr" and not term.is_modifier):
        return ""
    if term.is_modifier and term.name in MECHANISMS:
        meant = f"{term.name}:{term.value}"
        try:
            parse_term(meant)
        except RecordError:
            return ""
        return meant
    return term.text
