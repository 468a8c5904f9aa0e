"""
One SPF record out of several, and with what is to be added.

The rule to keep: whatever an input permitted, the one record permits. So what permits comes
first and exceptions (``-ip4:...`` before ``all``) after it; exceptions of a second record are
left out, for they could take away what the first permitted. Nothing is written anywhere.
"""

from __future__ import annotations

from pillarbox.dns.record import VERSION, parse_record
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.dns.record import Record, Term

__all__ = ["Merged", "merge", "split_strings"]

_STRING_MAX = 255  # octets of one string of a TXT record, RFC 1035 3.3
_STRICTEST_FIRST = "-~?"


class Merged(Value):
    """
    The one record.

    Attributes:
        text: What is to be published.
        notes: What a person should know of it, as texts.

    """

    __slots__ = ("notes", "text")

    def __init__(self, text: str, notes: tuple[str, ...]) -> None:
        self.text = text
        self.notes = notes


def merge(records: Sequence[str], additions: Sequence[Term] = (), *, domain: str = "") -> Merged:
    """
    Return the one record for several and what is added.

    Of several ``all`` the strictest stays: what one of the records refused was refused already,
    and everybody whom a record names is named by the new one. Only an ``all`` that permits
    stays in any case, for it permitted everything; a note says how wrong it is.

    Whom a record includes comes first, the provider mostly, for a receiver then ends there.

    Args:
        records: As published; none: a new one is made.
        additions: Mechanisms that permit.
        domain: The records'; ``a`` and ``a:domain`` are then the same.

    Raises:
        RecordError: One of them cannot be understood.

    """
    read = sorted(map(parse_record, records), key=_has_no_include)
    notes: list[str] = []
    permitting: list[Term] = []
    excepting: list[Term] = []
    for record in read:
        terms = _before_all(record, notes)
        first = next((i for i, t in enumerate(terms) if t.qualifier != "+"), len(terms))
        permitting += terms[:first]
        rest = terms[first:]
        others = [other for other in read if other is not record]
        if rest and (excepting or any(map(_permits_at_its_end, others))):
            notes.append(say("exceptions of a second record are left out: they would overrule"))
            permitting += [term for term in rest if term.qualifier == "+"]
        else:
            excepting = rest or excepting
    end, more = _end(read, notes)
    names = [*permitting, *more, *additions, *excepting]
    words = _once(names, domain)
    text = " ".join([VERSION, *words, *end, *_others(read, notes)])
    return Merged(text, tuple(notes))


def split_strings(text: str) -> tuple[str, ...]:
    """Return a record as the strings of a zone file, each of at most 255 octets."""
    return tuple(text[i : i + _STRING_MAX] for i in range(0, len(text), _STRING_MAX)) or ("",)


def _has_no_include(record: Record) -> bool:
    return not any(term.name == "include" for term in record.mechanisms)


def _all_of(record: Record) -> str:
    """Return the qualifier of the ``all`` that counts, the first; empty: there is none."""
    return next((term.qualifier for term in record.mechanisms if term.name == "all"), "")


def _permits_at_its_end(record: Record) -> bool:
    """Tell whether whom no mechanism names may be permitted: by ``+all``, or by a redirect."""
    qualifier = _all_of(record)
    return qualifier == "+" or (not qualifier and record.modifier("redirect") is not None)


def _before_all(record: Record, notes: list[str]) -> list[Term]:
    """
    Return the mechanisms that are to stand before ``all``.

    What stands behind it was never read (RFC 7208 5.1); its owner wished to permit with it, so
    that is moved forward, which is told, and an exception, which would begin to count, is not.
    """
    kept, is_behind = [], False
    for term in record.mechanisms:
        if term.name == "all":
            is_behind = True
        elif not is_behind or term.qualifier == "+":
            kept.append(term)
            if is_behind:
                notes.append(say("{term} stood behind 'all', where nobody reads: it permits now",
                                 term=term.text))  # fmt: skip
    return kept


def _once(terms: Sequence[Term], domain: str) -> list[str]:
    seen, words = set(), []
    for term in terms:
        if term.key(domain) not in seen:
            seen.add(term.key(domain))
            words.append(term.text if not term.is_modifier else f"include:{term.value}")
    return words


def _end(read: Sequence[Record], notes: list[str]) -> tuple[list[str], list[Term]]:
    """Return how the record ends, and the redirects that become includes."""
    alls = [qualifier for record in read if (qualifier := _all_of(record))]
    # "redirect" counts only where there is no "all" (RFC 7208 6.1).
    redirects = [
        term for record in read if (term := record.modifier("redirect")) and not _all_of(record)
    ]
    if redirects and not alls and len({term.key() for term in redirects}) == 1:
        return [redirects[0].text], []
    if redirects:
        notes.append(say("redirect= became include:, which the other record's 'all' follows"))
    if "+" in alls:
        notes.append(say("+all lets the whole world send as this domain: replace it by -all"))
        return ["+all"], redirects
    if alls:
        return [f"{min(alls, key=_STRICTEST_FIRST.index)}all"], redirects
    if read and not redirects:
        notes.append(say("no record ends in 'all', so nobody is refused: add -all"))
        return [], redirects
    return ["~all" if redirects else "-all"], redirects


def _others(read: Sequence[Record], notes: list[str]) -> list[str]:
    """Return the modifiers that stay: one ``exp``, and what is unknown once each."""
    words: list[str] = []
    for record in read:
        for term in record.terms:
            if not term.is_modifier or term.name == "redirect" or term.text in words:
                continue
            if term.name == "exp" and any(w.lower().startswith("exp=") for w in words):
                notes.append(say("'{name}=' is there twice", name="exp"))
                continue
            words.append(term.text)
    return words
