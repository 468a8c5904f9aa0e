"""
A whole SPF record, term by term, whoever sends: what it costs, and who may send.

``walk`` goes into every ``include`` and ``redirect``; ``check_host`` stops where a term matches,
so it cannot tell what a record costs at worst. Bounded, whatever a domain publishes.
"""

from __future__ import annotations

from pillarbox.dns.answers import LookupFailedError
from pillarbox.dns.macro import depends_on_mail, expand
from pillarbox.dns.record import RecordError, parse_record
from pillarbox.dns.spf import LOOKUPS_MAX, VOIDS_MAX, find_records
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.dns.answers import Answer, Ask
    from pillarbox.dns.record import Record, Term

__all__ = ["Step", "Walk", "walk"]

_STEPS_MAX = 500  # a real record has some 30; a hostile one fans out without end
_QUESTIONS_MAX = 100


class Step(Value):
    """
    One term on the way.

    Attributes:
        depth: How many includes it lies in.
        domain: Whose record it is in.
        term: The term.
        lookups: How many lookups were counted up to here, itself too.
        found: What it permits or finds: addresses and networks.
        problem: What is wrong with it; empty: nothing.

    """

    __slots__ = ("depth", "domain", "found", "lookups", "problem", "term")

    def __init__(
        self,
        depth: int,
        domain: str,
        term: Term,
        *,
        lookups: int,
        found: tuple[str, ...],
        problem: str,
    ) -> None:
        self.depth = depth
        self.domain = domain
        self.term = term
        self.lookups = lookups
        self.found = found
        self.problem = problem


class Walk:
    """
    The steps, and what they add up to; made by ``walk``.

    Attributes:
        steps: In the order of reading.
        lookups: How many of the ten are needed at worst.
        voids: How many questions found nothing.
        failure: The first question that no nameserver answered; None: all were answered.

    """

    def __init__(self, ask: Ask) -> None:
        self.steps: list[Step] = []
        self.lookups = 0
        self.voids = 0
        self.failure: LookupFailedError | None = None
        self._ask = ask
        self._questions = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what makes the record an error for a receiver, the worst first."""
        found = [step.problem for step in self.steps if step.problem]
        if self.lookups > LOOKUPS_MAX:
            found.insert(0, say("more than ten DNS lookups are needed"))
        if self.voids > VOIDS_MAX:
            found.append(say("more than two DNS lookups find nothing"))
        return tuple(found)

    def enter(self, record: Record, domain: str, above: tuple[str, ...]) -> None:
        """Take the steps of a record, which lies in the records of the domains ``above``."""
        has_all = any(term.name == "all" for term in record.mechanisms)
        for term in record.terms:
            # "redirect" counts only where there is no "all" (RFC 7208 6.1).
            if len(self.steps) < _STEPS_MAX and not (term.name == "redirect" and has_all):
                self._take(term, domain, above)

    def _take(self, term: Term, domain: str, above: tuple[str, ...]) -> None:
        self.lookups += term.is_looking
        found: tuple[str, ...] = ()
        inner: Record | None = None
        problem = ""
        target = ""
        if term.network is not None:
            found = (str(term.network),)
        elif term.is_looking and not depends_on_mail(term.value):
            # Only "d" is in it, so that nobody has to be asked what "p" means.
            target = expand(term.value, {"d": domain}, str).lower() or domain
            try:
                found = self._found(term, target)
                if term.name in ("include", "redirect"):
                    inner, problem = _inner(target, above, self._ask)
            except LookupFailedError as exc:
                problem = exc.problem
                self.failure = self.failure or exc
        self.steps.append(
            Step(len(above) - 1, domain, term, lookups=self.lookups, found=found, problem=problem)
        )
        if inner is not None:
            self.enter(inner, target, (*above, target))

    def _found(self, term: Term, target: str) -> tuple[str, ...]:
        """Return the addresses that ``a`` or ``mx`` means."""
        hosts: list[str] = []
        if term.name == "a":
            hosts = [target]
        elif term.name == "mx":
            rows = self._answers(target, "MX")
            self.voids += not rows
            hosts = [str(row[1]) for row in rows if isinstance(row, tuple)]
        found: list[str] = []
        for host in hosts:
            addresses = self._addresses(host, term)
            # A receiver asks for one family only, so a host without the other is no void.
            self.voids += not addresses
            found += addresses
        return tuple(found)

    def _addresses(self, host: str, term: Term) -> list[str]:
        found: list[str] = []
        for kind, prefix, full in (("A", term.prefix4, 32), ("AAAA", term.prefix6, 128)):
            length = "" if prefix == full else f"/{prefix}"
            found += [f"{address!s}{length}" for address in self._answers(host, kind)]
        return found

    def _answers(self, name: str, kind: str) -> Answer:
        self._questions += 1
        return self._ask(name, kind) if self._questions <= _QUESTIONS_MAX else ()


def walk(record: Record, domain: str, ask: Ask) -> Walk:
    """Return the way through a record and all that it includes. Blocks."""
    way = Walk(ask)
    way.enter(record, domain, (domain,))
    return way


def _inner(target: str, above: tuple[str, ...], ask: Ask) -> tuple[Record | None, str]:
    if target in above:
        return None, say("{domain} includes itself", domain=target)
    if len(above) > LOOKUPS_MAX:
        return None, say("more than ten DNS lookups are needed")
    records = find_records(target, ask)
    if len(records) > 1:
        return None, say("{domain} has more than one SPF record", domain=target)
    if not records:
        return None, say("{domain} has no SPF record", domain=target)
    try:
        return parse_record(records[0]), ""
    except RecordError as exc:
        return None, exc.problem
