"""
The records that a domain needs to send through a mail provider: what is there, what should be.

Four rows: MX, SPF, DKIM, DMARC. What only the provider's console knows (a DKIM key) has no
wished value. Nothing is written anywhere.
"""

from __future__ import annotations

from pillarbox.dns.record import RecordError, parse_term
from pillarbox.dns.spf import find_records
from pillarbox.dns.spf_merge import merge, split_strings
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
        kind: ``MX`` or ``TXT``.
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
        selectors: Where the provider keeps DKIM keys; none: unknown.
        additions: What else may send.
        reports_to: The mailbox for DMARC reports; empty: postmaster.

    """
    return (
        _mx(domain, ask, mx_suffixes),
        _spf(domain, ask, spf_include, additions),
        *(_dkim(domain, ask, selector) for selector in selectors),
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
    # The provider stands first where nothing is there yet.
    wished = (*((parse_term(f"include:{include}"),) if include else ()), *additions)
    if not present and not wished:
        return Row("@", "TXT", present=(), wished=(), state=MISSING, notes=(missing,))
    try:
        merged = merge(present, wished, domain=domain)
    except RecordError as exc:
        return Row("@", "TXT", present=present, wished=(), state=WRONG, notes=(exc.problem,))
    if present == (merged.text,):
        return Row("@", "TXT", present=present, wished=present, state=FINE, notes=merged.notes)
    note, state = missing, MISSING
    if len(present) > 1:
        note, state = say("{domain} has more than one SPF record", domain=domain), WRONG
    elif present:
        note, state = say("replace the SPF record, do not add a second"), WRONG
    notes = (note, *merged.notes)
    return Row("@", "TXT", present=present, wished=(merged.text,), state=state, notes=notes)


def _dkim(domain: str, ask: Ask, selector: str) -> Row:
    host = f"{selector}._domainkey"
    present = _texts(f"{host}.{domain}", ask)
    if any("p=" in text.replace(" ", "") for text in present):
        return Row(host, "TXT", present=present, wished=present, state=FINE)
    note = say("the provider's console has the DKIM key: copy it from there")
    return Row(host, "TXT", present=present, wished=(), state=OPEN, notes=(note,))


def _dmarc(domain: str, ask: Ask, mailbox: str) -> Row:
    found = _texts(f"_dmarc.{domain}", ask)
    present = tuple(text for text in found if text.lower().startswith("v=dmarc1"))
    if len(present) == 1:
        return Row("_dmarc", "TXT", present=present, wished=present, state=FINE)
    wished = (_DMARC.format(mailbox=mailbox),)
    if not present:
        return Row("_dmarc", "TXT", present=(), wished=wished, state=MISSING)
    note = say("there may be one DMARC record only: keep one")
    return Row("_dmarc", "TXT", present=present, wished=present[:1], state=WRONG, notes=(note,))


def _texts(name: str, ask: Ask) -> tuple[str, ...]:
    return tuple(text.decode("latin-1") for text in ask(name, "TXT") if isinstance(text, bytes))


def _quoted(text: str) -> str:
    """Return a value as the strings of a zone file (RFC 1035 5.1)."""
    return " ".join(
        '"' + "".join(_escaped(char) for char in part) + '"' for part in split_strings(text)
    )


def _escaped_mx(value: str) -> str:
    """Return preference and host; any octet may stand in a label, a blank or ``;`` too."""
    preference, _, host = value.partition(" ")
    return (
        preference
        + " "
        + "".join(f"\\{ord(char):03d}" if char in " ;()@$" else _escaped(char) for char in host)
    )


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{ord(char):03d}"
