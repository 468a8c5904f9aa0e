"""
The grammar of an SPF record (RFC 7208 sections 4.5, 4.6, 5, 6 and 12).

``parse_record`` makes terms of a text, ``parse_term`` one of them; each term remembers where it
stands, so that a fault is shown at its place. Nothing here asks the DNS.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from pillarbox.dns.macro import MacroError, split_macros
from pillarbox.errors import DataError
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.text import Text

__all__ = [
    "MECHANISMS",
    "VERSION",
    "Network",
    "Record",
    "RecordError",
    "Term",
    "is_spf",
    "parse_record",
    "parse_term",
]

VERSION = "v=spf1"

Network = IPv4Network | IPv6Network

# What stands behind the name of a mechanism: nothing, a domain, a domain if wished, with or
# without prefix lengths, a network (RFC 7208 5).
_NOTHING, _DOMAIN, _MAYBE, _MAYBE_PREFIX, _IP4, _IP6 = range(6)
MECHANISMS = {
    "all": _NOTHING,
    "include": _DOMAIN,
    "a": _MAYBE_PREFIX,
    "mx": _MAYBE_PREFIX,
    "ptr": _MAYBE,
    "ip4": _IP4,
    "ip6": _IP6,
    "exists": _DOMAIN,
}

# The terms that cost one of the ten lookups (RFC 7208 4.6.4).
_LOOKING = ("include", "a", "mx", "ptr", "exists", "redirect")

_QUALIFIERS = "+-?~"
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.\-]*)=(.*)", re.DOTALL)
_PREFIXES = re.compile(r"(?:/(0|[1-9][0-9]{0,3}))?(?://(0|[1-9][0-9]{0,3}))?\Z")
# RFC 7208 7.1: the last label has a letter or a hyphen inside, so that it is no address.
_TOP_LABEL = re.compile(r"\.(?=[^.]*[A-Za-z\-])[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?\.?\Z")
_MACRO_END = re.compile(r"%\{[A-Za-z][0-9]*r?[.\-+,/_=]*\}\Z", re.IGNORECASE)

_IP4_BITS, _IP6_BITS = 32, 128


class RecordError(DataError):
    """
    A record whose grammar is wrong.

    Attributes:
        record: The record, or the one term of it that was read.
        place: Where it goes wrong, in characters from its beginning.
        length: How many characters are meant; at least 1.

    """

    def __init__(self, problem: Text, record: str, place: int, length: int, advice: str) -> None:
        super().__init__(problem, advice=advice)
        self.record = record
        self.place = place
        self.length = max(1, length)


class Term(Value):
    """
    A mechanism or a modifier.

    Attributes:
        name: In lower case.
        qualifier: ``+``, ``-``, ``~`` or ``?``; empty for a modifier.
        value: The domain-spec, or the macro-string of a modifier; empty: none is there.
        network: The network of ``ip4`` and ``ip6``.
        prefix4: Prefix length for IPv4 addresses of ``a`` and ``mx``.
        prefix6: Prefix length for IPv6 addresses of them.
        text: The term as it was written.
        place: Where it stands in the record, in characters.

    """

    __slots__ = ("name", "network", "place", "prefix4", "prefix6", "qualifier", "text", "value")

    def __init__(
        self,
        name: str,
        *,
        qualifier: str,
        value: str,
        network: Network | None,
        prefix4: int,
        prefix6: int,
        text: str,
        place: int,
    ) -> None:
        self.name = name
        self.qualifier = qualifier
        self.value = value
        self.network = network
        self.prefix4 = prefix4
        self.prefix6 = prefix6
        self.text = text
        self.place = place

    @property
    def is_modifier(self) -> bool:
        """Tell whether it is a modifier, which matches nothing."""
        return not self.qualifier

    @property
    def is_looking(self) -> bool:
        """Tell whether it costs a lookup: ``include=x`` is a modifier of nobody's and does not."""
        return self.name in _LOOKING and (not self.is_modifier or self.name == "redirect")

    def key(self, domain: str = "") -> tuple[object, ...]:
        """
        Return what makes two terms the same, whatever their spelling.

        Args:
            domain: The record's: ``a`` means ``a:domain``; empty: unknown.

        """
        value = self.value.lower().removesuffix(".")
        if not self.is_modifier and self.name in ("a", "mx", "ptr"):
            value = value or domain.lower()
        return (
            self.name, self.qualifier, value, self.network, self.prefix4, self.prefix6
        )  # fmt: skip


class Record(Value):
    """
    A record that can be understood.

    Attributes:
        text: As published, its strings joined.
        terms: Mechanisms and modifiers in their order.

    """

    __slots__ = ("terms", "text")

    def __init__(self, text: str, terms: tuple[Term, ...]) -> None:
        self.text = text
        self.terms = terms

    @property
    def mechanisms(self) -> tuple[Term, ...]:
        """Return the terms that may match, in their order."""
        return tuple(term for term in self.terms if not term.is_modifier)

    def modifier(self, name: str) -> Term | None:
        """Return a modifier, which is there at most once, or None."""
        for term in self.terms:
            if term.is_modifier and term.name == name:
                return term
        return None


def is_spf(octets: bytes) -> bool:
    """Tell whether a TXT record is an SPF record: the version, alone or before a space (4.5)."""
    head = octets[: len(VERSION) + 1].lower()
    return head.rstrip(b" ") == VERSION.encode() and octets[len(VERSION) : len(VERSION) + 1] in (
        b"",
        b" ",
    )


def parse_record(text: str) -> Record:
    """
    Read a record.

    Args:
        text: The record; what is not ASCII is a fault, and marked.

    Raises:
        RecordError: It is not SPF, or its grammar is wrong anywhere: then nothing of it counts
            (RFC 7208 4.6).

    """
    if not is_spf(text.encode("utf-8", "surrogateescape")):
        raise RecordError(
            say("an SPF record begins with 'v=spf1' and a space"),
            text,
            0,
            len(VERSION),
            say("write v=spf1 include:... -all"),
        )
    terms: list[Term] = []
    seen = set()
    for place, word in _words(text):
        term = _term(word, text, place)
        if term.is_modifier and term.name in ("redirect", "exp"):
            if term.name in seen:
                raise RecordError(
                    say("'{name}=' is there twice", name=term.name),
                    text,
                    place,
                    len(word),
                    say("keep one of them"),
                )
            seen.add(term.name)
        terms.append(term)
    return Record(text, tuple(terms))


def parse_term(text: str) -> Term:
    """
    Read one term, such as ``a:mail.example.com``.

    Raises:
        RecordError: Its grammar is wrong.

    """
    return _term(text, text, 0)


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield each term and its place; only spaces divide them (RFC 7208 12)."""
    for found in re.finditer("[^ ]+", text[len(VERSION) :]):
        yield found.start() + len(VERSION), found.group()


class _Fault(Exception):  # noqa: N818 (it does not leave this file)
    """What is wrong in a term: the text, where in the term, how long, what to do."""

    def __init__(self, problem: Text, place: int, length: int, advice: str = "") -> None:
        super().__init__(problem)
        self.problem, self.place, self.length, self.advice = problem, place, length, advice


def _term(word: str, record: str, place: int) -> Term:
    try:
        _check_characters(word)
        modifier = _MODIFIER.match(word)
        return _modifier(word, modifier, place) if modifier else _mechanism(word, place)
    except _Fault as fault:
        raise RecordError(
            fault.problem, record, place + fault.place, fault.length, fault.advice
        ) from None


def _check_characters(word: str) -> None:
    for at, char in enumerate(word):
        if not "!" <= char <= "~":
            raise _Fault(
                say("{char} may not be in an SPF record", char=printable(repr(char), 20)),
                at,
                1,
                say("write plain ASCII: no full-width signs, no curly quotes, no tabs"),
            )


def _modifier(word: str, found: re.Match[str], place: int) -> Term:
    name, value = found.group(1).lower(), found.group(2)
    if name in ("redirect", "exp"):
        _check_domain(value, found.start(2))
    else:
        _check_macros(value, found.start(2))
    return _made(name, word, place, value=value)


def _mechanism(word: str, place: int) -> Term:
    qualifier = word[0] if word[0] in _QUALIFIERS else ""
    start = len(qualifier)
    named = re.match("[A-Za-z0-9]*", word[start:])
    assert named is not None
    name = named.group().lower()
    rest_at = start + len(name)
    rest = word[rest_at:]
    form = MECHANISMS.get(name)
    if form is None or (rest and rest[0] not in ":/"):
        raise _unknown(word, start, name)
    qualifier = qualifier or "+"
    if form == _NOTHING:
        if rest:
            raise _Fault(say("nothing may stand behind 'all'"), rest_at, len(rest))
        return _made(name, word, place, qualifier=qualifier)
    if form in (_IP4, _IP6):
        network = _network(rest, rest_at, form)
        return _made(name, word, place, network=network, qualifier=qualifier)
    value, prefix4, prefix6 = _domain_and_prefixes(rest, rest_at, form)
    return _made(
        name, word, place, value=value, prefix4=prefix4, prefix6=prefix6, qualifier=qualifier
    )


def _made(
    name: str,
    text: str,
    place: int,
    *,
    qualifier: str = "",
    value: str = "",
    network: Network | None = None,
    prefix4: int = _IP4_BITS,
    prefix6: int = _IP6_BITS,
) -> Term:
    return Term(
        name,
        qualifier=qualifier,
        value=value,
        network=network,
        prefix4=prefix4,
        prefix6=prefix6,
        text=text,
        place=place,
    )


def _unknown(word: str, start: int, name: str) -> _Fault:
    from difflib import get_close_matches

    shown = printable(word[start:], 60)
    glued = re.search("[+~?-]all$", word[start:], re.IGNORECASE)
    if glued and glued.start():
        advice = say("put a space before {word}", word=glued.group())
    elif re.fullmatch(r"[0-9.]+(/[0-9]+)?", word[start:]):
        advice = say("write {term}", term=f"ip4:{shown}")
    else:
        close = get_close_matches(name, [*MECHANISMS, "redirect", "exp"], 1, 0.5)
        advice = (
            say("did you mean '{name}'?", name=close[0])
            if close
            else say(
                "a term is one of {names}", names=", ".join([*MECHANISMS, "redirect=", "exp="])
            )
        )
    return _Fault(say("'{word}' is no term of SPF", word=shown), start, len(word) - start, advice)


def _network(rest: str, at: int, form: int) -> Network:
    label, example = ("IPv4", "ip4:192.0.2.1") if form == _IP4 else ("IPv6", "ip6:2001:db8::1")
    bits = _IP4_BITS if form == _IP4 else _IP6_BITS
    address, slash, prefix = rest[1:].partition("/")
    if not rest.startswith(":") or not address:
        raise _Fault(
            say("an {kind} address is missing", kind=label), at, len(rest),
            say("write {term}", term=example),
        )  # fmt: skip
    if slash and not (re.fullmatch("0|[1-9][0-9]{0,2}", prefix) and int(prefix) <= bits):
        raise _Fault(
            say("the prefix length must be 0 to {bits}", bits=bits),
            at + 1 + len(address),
            len(prefix) + 1,
        )
    try:
        network = ip_network(f"{address}/{prefix}" if slash else address, strict=False)
    except ValueError:
        network = None
    is_right = network is not None and network.version == (4 if form == _IP4 else 6)
    if network is None or not is_right or "%" in address:
        other = "ip6" if form == _IP4 else "ip4"
        advice = (
            say("write {term}", term=f"{other}:{printable(rest[1:], 60)}")
            if network is not None and not is_right
            else say("write {term}", term=example)
        )
        problem = say(
            "'{address}' is no {kind} address", address=printable(address, 60), kind=label
        )
        raise _Fault(problem, at + 1, len(address), advice)
    return network


def _domain_and_prefixes(rest: str, at: int, form: int) -> tuple[str, int, int]:
    prefix4, prefix6 = _IP4_BITS, _IP6_BITS
    value = rest
    if form == _MAYBE_PREFIX:
        found = _PREFIXES.search(rest)
        assert found is not None  # it matches nothing at the end
        value = rest[: found.start()]
        for group, bits in ((1, _IP4_BITS), (2, _IP6_BITS)):
            if found.group(group) and int(found.group(group)) > bits:
                raise _Fault(
                    say("the prefix length must be 0 to {bits}", bits=bits),
                    at + found.start(group),
                    len(found.group(group)),
                )
        prefix4 = int(found.group(1) or _IP4_BITS)
        prefix6 = int(found.group(2) or _IP6_BITS)
    if value.startswith(":"):
        _check_domain(value[1:], at + 1)
        return value[1:], prefix4, prefix6
    if value or form == _DOMAIN:
        raise _Fault(
            say("a domain is missing") if not value else say("this cannot stand here"),
            at,
            len(value),
            say("write {term}", term="include:spf.example.com, a:mail.example.com/24"),
        )
    return "", prefix4, prefix6


def _check_domain(value: str, at: int) -> None:
    """Check a domain-spec: a macro-string that ends in a label or in a macro (RFC 7208 7.1)."""
    if not value:
        raise _Fault(say("a domain is missing"), at, 1)
    _check_macros(value, at)
    if _MACRO_END.search(value) or value.endswith(("%%", "%_", "%-")):
        # "domain-end = ( "." toplabel [ "." ] ) / macro-expand"
        return
    if not _TOP_LABEL.search(value):
        advice = (
            say("write {term}", term=f"ip4:{printable(value, 60)}")
            if re.fullmatch(r"[0-9.]+", value)
            else say("a domain has a dot, and ends in a name such as com")
        )
        raise _Fault(
            say("'{domain}' is no domain", domain=printable(value, 60)), at, len(value), advice
        )


def _check_macros(value: str, at: int) -> None:
    try:
        for _ in split_macros(value):
            pass
    except MacroError as exc:
        raise _Fault(
            say("this is no macro of SPF"),
            at + exc.place,
            min(4, len(value) - exc.place),
            say("a percent sign is written %%"),
        ) from None
