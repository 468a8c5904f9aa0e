"""
The queue as one caller sees it: root and the spool's owner all of it, others what is theirs.

Every operation of the steward looks through a ``View`` and at nothing else of the spool's
entries, so that who may see what is decided here alone.
"""

from __future__ import annotations

from pillarbox.delivery.events import NOTICE
from pillarbox.delivery.filters import parse_filters, states_of
from pillarbox.delivery.steward_rows import entry_row
from pillarbox.errors import EntryNotFoundError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import CORRUPT, FAILED, HOLD, QUEUE
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pillarbox.delivery.carrier import Carrier
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events
    from pillarbox.delivery.history import History
    from pillarbox.spool.base import Entry, Spool

__all__ = ["OWN_STATES", "Found", "View", "short_id"]

# Where a person's entries are; what is in CORRUPT belongs to nobody.
OWN_STATES = (QUEUE, HOLD, FAILED)

_SHORT = 10  # characters: one in a million queues of 100,000 mails has two that are the same
_SHORTEST = 4  # of an abbreviation: fewer are a slip
_MOST_TRIED = 200  # entries with an abbreviation that are opened to see whose they are


class Found(Value):
    """
    An entry that an operation works on.

    Attributes:
        id: Its id, or what the caller wrote.
        state: Where it is; empty: nowhere.
        entry: What it says; None: it cannot be understood, or it was not found.
        problem: Why it was not found, or None.

    """

    __slots__ = ("entry", "id", "problem", "state")

    def __init__(
        self,
        id: str,  # noqa: A002 (the field's word)
        state: str = "",
        entry: Entry | None = None,
        problem: PillarboxError | None = None,
    ) -> None:
        self.id = id
        self.state = state
        self.entry = entry
        self.problem = problem


class View:
    """
    What a caller sees of a queue, and who carries it.

    Args:
        spool: It is open.
        carrier: Who delivers.
        clock: The clocks.
        uid: The caller.
        may_all: He is root or the spool's owner.
        events: Told of what the caller does; None: nobody is.
        history: What became of earlier mail; None: nobody knows.

    """

    def __init__(
        self,
        spool: Spool,
        carrier: Carrier,
        clock: Clock,
        *,
        uid: int,
        may_all: bool,
        events: Events | None = None,
        history: History | None = None,
    ) -> None:
        self.spool = spool
        self.carrier = carrier
        self.uid = uid
        self.may_all = may_all
        self.clock = clock
        self.history = history
        self._events = events
        self._paused: dict[str, str] | None = None
        self._names: dict[str, list[str]] = {}  # as they were when first asked for

    def shows(self, entry: Entry) -> bool:
        """Return whether an entry exists for the caller; that of nobody (-1) is not nobody's."""
        return self.may_all or (self.uid >= 0 and entry.head.origin.uid == self.uid)

    def tell(self, name: str, **fields: object) -> None:
        """Write into the log that the caller has done something."""
        if self._events is not None:
            self._events.event(NOTICE, name, **fields, by=self.uid)

    def row(self, found: Found) -> dict[str, Any]:
        """Return what a listing says of an entry."""
        entry, state = found.entry, found.state
        if entry is None:
            return {"id": found.id, "state": state}
        return entry_row(
            entry,
            state,
            epoch_s=self.clock.epoch_s(),
            carrier=self.carrier,
            account_reason=self._account_reason(entry) if state == QUEUE else "",
        )

    def _account_reason(self, entry: Entry) -> str:
        if self._paused is None:
            states = self.carrier.accounts()
            self._paused = {each.name: each.reason for each in states if each.is_open}
        return self._paused.get(self.carrier.account_of(entry), "")

    def entries(self, state: str) -> Iterator[Found]:
        """Yield what the caller sees of a state, the oldest first, one at a time in memory."""
        names = None
        if state == QUEUE and not self.may_all:
            names = self.carrier.ids_of(self.uid)
        # An id begins with the time at which it was made.
        for name in sorted(self.spool.names(state) if names is None else names):
            if state == CORRUPT:
                if self.may_all:
                    yield Found(name, CORRUPT)
                continue
            entry = self._read(name, state)
            if entry is not None and self.shows(entry):
                yield Found(name, state, entry)

    def select(
        self, ids: str | list[str], where: Mapping[str, str], states: tuple[str, ...]
    ) -> Iterator[Found]:
        """
        Yield the entries that a request means, or the problem with an id of it.

        Args:
            ids: Those that are named, wherever they are; ``all`` or empty: every one of the states.
            where: Filters, all of which they have to pass.
            states: Where to look unless a filter says it.

        Raises:
            UsageError: A filter is wrong.

        """
        tests = parse_filters(where)
        states = states_of(where, states)
        found = self._named(ids) if isinstance(ids, list) else self._all(states)
        for one in found:
            if one.problem is None and tests:
                row = self.row(one)
                if not all(test(row) for test in tests):
                    continue
            yield one

    def _all(self, states: tuple[str, ...]) -> Iterator[Found]:
        for state in states:
            yield from self.entries(state)

    def _named(self, ids: list[str]) -> Iterator[Found]:
        for word in ids:
            try:
                yield self.find(word)
            except PillarboxError as exc:
                yield Found(word, problem=exc)

    def find(self, word: str) -> Found:
        """
        Return the entry that a person means by its id, or by an abbreviation that is unique.

        Raises:
            EntryNotFoundError: There is none, or there are several.

        """
        for state in OWN_STATES:
            entry = self._read(word, state)
            if entry is not None and self.shows(entry):
                return Found(word, state, entry)
        if self.may_all and word in self.spool.names(CORRUPT):
            return Found(word, CORRUPT)
        found = list(self._abbreviated(word))
        if not found:
            raise EntryNotFoundError(say("there is no mail {id}", id=printable(word, 64)))
        if len(found) > 1:
            problem = say("several mails begin with {id}", id=printable(word, 64))
            raise EntryNotFoundError(problem, advice=say("write more of it"))
        return found[0]

    def _read(self, name: str, state: str) -> Entry | None:
        try:
            return self.spool.read(name, state)
        except PillarboxError:
            return None  # it went away meanwhile, or the spool has put it aside

    def _abbreviated(self, word: str) -> Iterator[Found]:
        """Yield up to two entries that a word may mean."""
        if len(word) < _SHORTEST:
            return
        tried = found = 0
        for state in OWN_STATES:
            for name in self._names_once(state):
                if not (name.startswith(word) or name.partition("-")[2].startswith(word)):
                    continue
                tried += 1
                entry = self._read(name, state)
                if entry is not None and self.shows(entry):
                    found += 1
                    yield Found(name, state, entry)
                if found > 1 or tried > _MOST_TRIED:
                    return

    def _names_once(self, state: str) -> list[str]:
        """Return the names of a state, listed once a request: it may abbreviate a thousand IDs."""
        names = self._names.get(state)
        if names is None:
            names = self._names[state] = self.spool.names(state)
        return names


def short_id(entry_id: str) -> str:
    """Return the part of an id that a person reads and types: of what is random, the beginning."""
    return (entry_id.partition("-")[2] or entry_id)[:_SHORT]
