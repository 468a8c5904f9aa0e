"""
The records that a domain needs to send through a mail provider: what is there, what should be.

Four rows: MX, SPF, DKIM, DMARC. What only the provider's console knows (a DKIM key) has no
wished value. Nothing is written anywhere.
"""

from __future__ import annotations

from pillarbox.dns.dkim import find_key
from pillarbox.dns.dmarc import find_policy
from pillarbox.dns.dmarc import meant as dmarc_meant
from pillarbox.dns.record import RecordError, parse_record, parse_term
from pillarbox.dns.spf import find_records
from pillarbox.dns.spf_coverage import lets_through, needless
from pillarbox.dns.spf_merge import merge, split_strings
from pillarbox.dns.spf_walk import walk
from pillarbox.dns.spf_weakness import find_misspelt, meant, mended, weaknesses
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.record import Term

__all__ = ["FINE", "MISSING", "OPEN", "WRONG", "Row", "sender_records"]

# How a row stands: as it should be, not there, other than it should be, for the console to say.
FINE, MISSING, WRONG, OPEN = "fine", "missing", "wrong", "open"

# Nothing is refused, and a report tells who sends as the domain: how everybody begins.
_DMARC = "v=DMARC1; p=none; rua=mailto:{mailbox}"


class Row(Value):
    """
    One set of records.

    Attributes:
        host: The part before the domain; ``@``: the domain itself.
        kind: ``MX``, ``TXT`` or ``CNAME``.
        present: The values that are there.
        wished: The values that should be there; empty: the provider's console tells.
        state: ``FINE``, ``MISSING``, ``WRONG`` or ``OPEN``.
        notes: What a person should know, as texts.

    """

    __slots__ = ("host", "kind", "notes", "present", "state", "wished")

    def __init__(
        self,
        host: str,
        kind: str,
        *,
        present: tuple[str, ...],
        wished: tuple[str, ...],
        state: str,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.host = host
        self.kind = kind
        self.present = present
        self.wished = wished
        self.state = state
        self.notes = notes

    def zone_lines(self, domain: str) -> tuple[str, ...]:
        """Return the lines of a zone file that make the wished records."""
        name = f"{domain}." if self.host == "@" else f"{self.host}.{domain}."
        if self.kind == "MX":
            return tuple(f"{name} 3600 IN MX {_escaped_mx(value)}." for value in self.wished)
        if self.kind == "CNAME":
            return tuple(f"{name} 3600 IN CNAME {_escaped_host(value)}." for value in self.wished)
        return tuple(f"{name} 3600 IN TXT {_quoted(value)}" for value in self.wished)


def sender_records(
    domain: str,
    ask: Ask,
    *,
    mx_suffixes: Sequence[str] = (),
    spf_include: str = "",
    selectors: Sequence[str] = (),
    additions: Sequence[Term] = (),
    reports_to: str = "",
) -> tuple[Row, ...]:
    """
    Return the rows of a domain. Blocks.

    Args:
        mx_suffixes: What the provider's MX end in; none: unknown.
        spf_include: What the provider wishes in the SPF record; empty: unknown.
        selectors: Where the provider keeps DKIM keys; none: unknown. One with a placeholder
            (``aliyun-<region>``) is left out: only the console knows it.
        additions: What else may send.
        reports_to: The mailbox for DMARC reports; empty: postmaster.

    """
    return (
        _mx(domain, ask, mx_suffixes),
        _spf(domain, ask, spf_include, additions),
        *(_dkim(domain, ask, selector) for selector in selectors if "<" not in selector),
        _dmarc(domain, ask, reports_to or f"postmaster@{domain}"),
    )


def _mx(domain: str, ask: Ask, suffixes: Sequence[str]) -> Row:
    rows = sorted(row for row in ask(domain, "MX") if isinstance(row, tuple))
    present = tuple(f"{preference} {host}" for preference, host in rows)
    hosts = [host for _, host in rows]
    strange = [host for host in hosts if not _ends_in(host, suffixes)]
    console = say("the provider's console names its MX")
    if not hosts:
        return Row("@", "MX", present=(), wished=(), state=MISSING, notes=(console,))
    if not suffixes:
        return Row("@", "MX", present=present, wished=present, state=OPEN, notes=(console,))
    if strange:
        note = say("{host} is not the provider's: remove it", host=strange[0])
        ours = tuple(text for text, host in zip(present, hosts, strict=True) if host not in strange)
        return Row("@", "MX", present=present, wished=ours, state=WRONG, notes=(note,))
    return Row("@", "MX", present=present, wished=present, state=FINE)


def _ends_in(host: str, suffixes: Sequence[str]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)


def _spf(domain: str, ask: Ask, include: str, additions: Sequence[Term]) -> Row:
    present = find_records(domain, ask)
    missing = say("{domain} has no SPF record", domain=domain)
    wished = tuple(additions)
    if include and not lets_through(domain, include, ask):
        # The provider stands first where nothing is there yet.
        wished = (parse_term(f"include:{include}"), *additions)
    misspelt = () if present else find_misspelt(domain, ask)
    if misspelt:
        return _misspelt(misspelt, wished, domain)
    if not present and not wished:
        return Row("@", "TXT", present=(), wished=(), state=MISSING, notes=(missing,))
    try:
        merged = merge(present, wished, domain=domain)
    except RecordError as exc:
        return Row("@", "TXT", present=present, wished=(), state=WRONG, notes=(exc.problem,))
    told = (*merged.notes, *needless(additions, present, domain, ask))
    if len(present) == 1 and _has(present[0], wished, domain):
        return _one_record(domain, ask, present, told)
    note, state = missing, MISSING
    if len(present) > 1:
        note, state = say("{domain} has more than one SPF record", domain=domain), WRONG
    elif present:
        note, state = say("replace the SPF record, do not add a second"), WRONG
    notes = (note, *told)
    return Row("@", "TXT", present=present, wished=(merged.text,), state=state, notes=notes)


def _misspelt(present: tuple[str, ...], wished: Sequence[Term], domain: str) -> Row:
    """Return the row of a text that was meant to be the record."""
    right = meant(present[0], wished, domain=domain)
    note = say("an SPF record begins with 'v=spf1' and a space")
    better = (right,) if right else ()
    return Row("@", "TXT", present=present, wished=better, state=WRONG, notes=(note,))


def _has(text: str, wished: Sequence[Term], domain: str) -> bool:
    """Tell whether a record names what is wished, and all that it names before ``all``."""
    terms = parse_record(text).mechanisms
    keys = {term.key(domain) for term in terms}
    is_read = all(term.name != "all" for term in terms[:-1])
    return is_read and all(term.key(domain) in keys for term in wished)


def _one_record(domain: str, ask: Ask, present: tuple[str, ...], notes: tuple[str, ...]) -> Row:
    """Return the row of a record that has all it needs: whether receivers can use it."""
    way = walk(parse_record(present[0]), domain, ask)
    if way.problems:
        told = (*notes, *way.problems)
        return Row("@", "TXT", present=present, wished=(), state=WRONG, notes=told)
    found = weaknesses(way.steps)
    told = tuple(dict.fromkeys((*notes, *(weakness.problem for weakness in found))))
    wished, state = present, FINE
    if any(weakness.kind in ("plus-all", "colon") for weakness in found):
        # What one of its includes permits is not in this record to be changed.
        better = mended(present[0], domain=domain)
        wished, state = (() if better == present[0] else (better,)), WRONG
    return Row("@", "TXT", present=present, wished=wished, state=state, notes=told)


def _dkim(domain: str, ask: Ask, selector: str) -> Row:
    host = f"{selector}._domainkey"
    found = find_key(selector, domain, ask)
    kind, present = ("CNAME", (found.alias,)) if found.alias else ("TXT", found.texts)
    if found.key is not None and found.key.is_good:
        return Row(host, kind, present=present, wished=present, state=FINE)
    note: str = say("the provider's console has the DKIM key: copy it from there")
    if found.alias and not found.texts:
        note = say("the record is there, and the provider does not sign yet")
        return Row(host, kind, present=present, wished=present, state=OPEN, notes=(note,))
    notes = (note,) if found.fault is None else (found.fault.problem, note)
    state = WRONG if found.texts else OPEN
    return Row(host, kind, present=present, wished=(), state=state, notes=notes)


def _dmarc(domain: str, ask: Ask, mailbox: str) -> Row:
    found = find_policy(domain, ask)
    wished = (_DMARC.format(mailbox=mailbox),)
    if found.policy is not None and not found.texts:
        note = say("the policy of {domain} counts for it", domain=found.policy.domain)
        return Row("_dmarc", "TXT", present=(), wished=(), state=FINE, notes=(note,))
    if found.policy is not None:
        doubts = tuple(doubt.problem for doubt in found.policy.doubts)
        if not doubts:
            return Row("_dmarc", "TXT", present=found.texts, wished=found.texts, state=FINE)
        return Row("_dmarc", "TXT", present=found.texts, wished=(), state=WRONG, notes=doubts)
    if found.fault is not None:
        notes = (found.fault.problem,)
        return Row("_dmarc", "TXT", present=found.texts, wished=wished, state=WRONG, notes=notes)
    if len(found.texts) > 1:
        note = say("there may be one DMARC record only: keep one")
        kept = found.texts[:1]
        return Row("_dmarc", "TXT", present=found.texts, wished=kept, state=WRONG, notes=(note,))
    if found.strange:
        note = say("receivers look for 'v=DMARC1;' at its beginning, written like that")
        right = dmarc_meant(found.strange[0], domain)
        better = (right,) if right else wished
        return Row(
            "_dmarc", "TXT", present=found.strange, wished=better, state=WRONG, notes=(note,)
        )
    return Row("_dmarc", "TXT", present=(), wished=wished, state=MISSING)


def _quoted(text: str) -> str:
    """Return a value as the strings of a zone file (RFC 1035 5.1)."""
    return " ".join(
        '"' + "".join(_escaped(char) for char in part) + '"' for part in split_strings(text)
    )


def _escaped_mx(value: str) -> str:
    """Return preference and host; any octet may stand in a label, a blank or ``;`` too."""
    preference, _, host = value.partition(" ")
    return f"{preference} {_escaped_host(host)}"


def _escaped_host(host: str) -> str:
    return "".join(f"\\{ord(char):03d}" if char in " ;()@$" else _escaped(char) for char in host)


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{ord(char):03d}"
