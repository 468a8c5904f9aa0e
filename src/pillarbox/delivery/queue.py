"""
What waits, in memory: a lane for each account, and in each lane what is due first.

Urgent mail goes before all other. Of the rest each user's goes in turn, his oldest first: ten
thousand mails of a broken script do not make the others wait for them (attack L11).

The spool is the truth, and this the index of it, made anew at every start: a few hundred octets a
mail, so that a hundred thousand are no burden. An item is in one of three places: ``later`` (its
time has not come), ``ready`` (it has), or out with a worker (``is_busy``).

Every method may be called by any thread; none blocks but for the lock, and none touches the disk.
"""

from __future__ import annotations

import threading
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pillarbox.spool.base import Entry

    # Its rank, when it was accepted, a number that no other has, when it was due, and itself.
    _Ready = tuple[int, float, int, float, "Item"]

__all__ = ["Item", "Lane", "Queue"]


class Item:
    """
    One entry of the queue, as far as it matters for when it is sent.

    Attributes:
        id: Its queue ID.
        lane: The account that it goes through now: its own, or that one's fallback.
        account: Its own account.
        uid: Who handed it over.
        size_bytes: Octets of its content.
        priority: From 4 on it is urgent, and goes before others.
        accepted_s: When it was accepted, in seconds since the epoch.
        due_s: When it may be tried, in elapsed seconds.
        watched_s: Since when, in elapsed seconds, its age is being watched.
        is_busy: A worker has it.
        judged_s: When its age was looked at last, in elapsed seconds.
        was_warned: Its sender was told that it takes long.

    """

    __slots__ = (
        "accepted_s",
        "account",
        "due_s",
        "id",
        "is_busy",
        "judged_s",
        "lane",
        "priority",
        "size_bytes",
        "uid",
        "was_warned",
        "watched_s",
    )

    def __init__(self, entry: Entry, *, due_s: float, watched_s: float) -> None:
        head = entry.head
        self.id = head.id
        self.account = self.lane = head.account
        self.uid = head.origin.uid
        self.size_bytes = entry.size_bytes
        self.priority = head.priority
        self.accepted_s = head.accepted_s
        self.due_s = due_s
        self.watched_s = watched_s
        self.is_busy = False
        self.judged_s = 0.0
        self.was_warned = entry.progress.has_warned


class Lane:
    """
    What goes through one account; only ``Queue`` touches it, under its lock.

    Attributes:
        name: The account's name.
        items: What is in it, by queue ID, with workers or not.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.items: dict[str, Item] = {}
        # Heaps; an item that was changed since has left the heap: its due time tells.
        self._later: list[tuple[float, int, Item]] = []
        self._urgent: list[_Ready] = []
        self._ready: dict[int, list[_Ready]] = {}  # by user; no heap of it is empty
        self._turns: list[tuple[int, int, int]] = []  # turn, number, user: one of each in _ready
        self._turn = 0  # the one that was last

    def put(self, item: Item, number: int) -> None:
        """Have an item wait for its time."""
        heappush(self._later, (item.due_s, number, item))

    def first(self, now_s: float, number: count[int]) -> Item | None:
        """Return the item that is to go first, if one is due; it stays."""
        while self._later and self._later[0][0] <= now_s:
            due_s, _, item = heappop(self._later)
            if self._is_current(item, due_s):
                self._make_ready(item, number)
        found = self._next_ready()
        return found[-1] if found is not None else None

    def take(self, now_s: float, number: count[int]) -> Item | None:
        """Return the item that is to go first, if one is due."""
        item = self.first(now_s, number)
        if item is None:
            return None
        if self._urgent:
            heappop(self._urgent)
            return item
        self._turn, _, uid = self._turns[0]
        ready = self._ready[uid]
        heappop(ready)
        if ready:
            heapreplace(self._turns, (self._turn + 1, next(number), uid))
        else:
            self._leave_turns()
        return item

    def _make_ready(self, item: Item, number: count[int]) -> None:
        ready = self._urgent
        if item.priority <= 3:
            uid = item.uid
            if uid not in self._ready:
                # From the next turn on, as if he had been there: neither before those who are
                # there, nor behind all that they have.
                self._ready[uid] = []
                heappush(self._turns, (self._turn + 1, next(number), uid))
            ready = self._ready[uid]
        heappush(ready, (-max(item.priority, 3), item.accepted_s, next(number), item.due_s, item))

    def due_s(self) -> float | None:
        """Return when the next item is due; in the past perhaps; None: there is none."""
        found = self._next_ready()
        if found is not None:
            return found[3]
        while self._later and not self._is_current(self._later[0][-1], self._later[0][0]):
            heappop(self._later)
        return self._later[0][0] if self._later else None

    def _next_ready(self) -> _Ready | None:
        """Return what is to go first of what is due, without what was changed since."""
        if self._has_current(self._urgent):
            return self._urgent[0]
        while self._turns:
            ready = self._ready[self._turns[0][2]]
            if self._has_current(ready):
                return ready[0]
            self._leave_turns()
        return None

    def _has_current(self, ready: list[_Ready]) -> bool:
        while ready and not self._is_current(ready[0][-1], ready[0][3]):
            heappop(ready)
        return bool(ready)

    def _leave_turns(self) -> None:
        """Forget the user whose turn it is: he has nothing more."""
        _, _, uid = heappop(self._turns)
        del self._ready[uid]

    def _is_current(self, item: Item, due_s: float) -> bool:
        is_here = self.items.get(item.id) is item and item.lane == self.name
        return is_here and not item.is_busy and item.due_s == due_s

    def rebuild(self, number: count[int]) -> None:
        """Sort everything anew, after many due times were changed at once."""
        self._urgent, self._ready, self._turns = [], {}, []
        self._later = [
            (item.due_s, next(number), item)
            for item in self.items.values()
            if not item.is_busy and item.lane == self.name
        ]
        heapify(self._later)


class Queue:
    """
    The index of a spool's ``queue`` directory.

    Attributes:
        changed: Notified whenever something may have become due; its lock guards everything.

    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        self._items: dict[str, Item] = {}
        self._lanes: dict[str, Lane] = {}
        self._shares: dict[int, list[int]] = {}
        self._reserved: set[str] = set()
        self._number = count()

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._items

    def add(self, item: Item) -> bool:
        """Take in an item; False: it is there already, or somebody has reserved its name."""
        with self._lock:
            if item.id in self._items or item.id in self._reserved:
                return False
            self._items[item.id] = item
            lane = self._lane(item.lane)
            lane.items[item.id] = item
            lane.put(item, next(self._number))
            share = self._shares.setdefault(item.uid, [0, 0])
            share[0] += 1
            share[1] += item.size_bytes
            self.changed.notify_all()
        return True

    def first(self, lane: str, now_s: float) -> Item | None:
        """Return the item of a lane that is to go first, if one is due; it stays where it is."""
        with self._lock:
            found = self._lanes.get(lane)
            return found.first(now_s, self._number) if found is not None else None

    def take(self, lane: str, now_s: float) -> Item | None:
        """Hand out the item of a lane that is to go first, if one is due; it is busy then."""
        with self._lock:
            found = self._lanes.get(lane)
            item = found.take(now_s, self._number) if found is not None else None
            if item is not None:
                item.is_busy = True
            return item

    def take_one(self, entry_id: str) -> Item | None:
        """Hand out one item, due or not; None: it is not there, or busy."""
        with self._lock:
            item = self._items.get(entry_id)
            if item is None or item.is_busy:
                return None
            item.is_busy = True
            return item

    def give_back(self, item: Item, due_s: float) -> None:
        """Take an item back, to be tried again at a time."""
        with self._lock:
            item.is_busy = False
            item.due_s = due_s
            self._lane(item.lane).put(item, next(self._number))
            self.changed.notify_all()

    def forget(self, item: Item) -> None:
        """Take an item out for good."""
        with self._lock:
            if self._items.pop(item.id, None) is None:
                return
            self._lane(item.lane).items.pop(item.id, None)
            share = self._shares[item.uid]
            share[0] -= 1
            share[1] -= item.size_bytes
            if not share[0]:
                del self._shares[item.uid]

    def reserve(self, entry_id: str) -> bool:
        """
        Take an item out, and let in none of its name until ``unreserve``, whoever finds it.

        Returns:
            False: a worker has it, or somebody has reserved it before.

        """
        with self._lock:
            item = self._items.get(entry_id)
            if entry_id in self._reserved or (item is not None and item.is_busy):
                return False
            if item is not None:
                self.forget(item)
            self._reserved.add(entry_id)
            return True

    def unreserve(self, entry_id: str) -> None:
        """Let the item in again, if it should come."""
        with self._lock:
            self._reserved.discard(entry_id)

    def due_s(self, lane: str) -> float | None:
        """Return when the next item of a lane is due, in elapsed seconds; None: there is none."""
        with self._lock:
            found = self._lanes.get(lane)
            return found.due_s() if found is not None else None

    def set_due(self, due_s: float, *, lane: str = "", ids: Iterable[str] | None = None) -> int:
        """Have items be due at a time: those of a lane, those named, or all; return how many."""
        with self._lock:
            if ids is not None:
                wanted = [self._items[each] for each in ids if each in self._items]
            else:
                wanted = [each for each in self._items.values() if lane in ("", each.lane)]
            free = [item for item in wanted if not item.is_busy]
            for item in free:
                item.due_s = due_s
            for name in {item.lane for item in free}:
                self._lanes[name].rebuild(self._number)
            self.changed.notify_all()
            return len(free)

    def reroute(self, source: str, choose: Callable[[Item], str]) -> int:
        """Have what waits in a lane go through the account that is chosen; return how many move."""
        with self._lock:
            lane = self._lanes.get(source)
            if lane is None:
                return 0
            moved = 0
            for item in list(lane.items.values()):
                target = source if item.is_busy else choose(item)
                if target != source:
                    del lane.items[item.id]
                    item.lane = target
                    other = self._lane(target)
                    other.items[item.id] = item
                    other.put(item, next(self._number))
                    moved += 1
            if moved:
                self.changed.notify_all()
            return moved

    def lanes(self) -> list[str]:
        """Return the names of the accounts that something waits for."""
        with self._lock:
            return [name for name, lane in self._lanes.items() if lane.items]

    def items(self, lane: str = "") -> list[Item]:
        """Return the items of a lane, or all; what they say may change meanwhile."""
        with self._lock:
            found = self._lanes.get(lane)
            if lane:
                return list(found.items.values()) if found is not None else []
            return list(self._items.values())

    def get(self, entry_id: str) -> Item | None:
        """Return an item."""
        return self._items.get(entry_id)

    def ids(self) -> list[str]:
        """Return the queue ID of everything."""
        with self._lock:
            return list(self._items)

    def ids_of(self, uid: int) -> list[str]:
        """Return the queue IDs of what a user handed over."""
        with self._lock:
            return [item.id for item in self._items.values() if item.uid == uid]

    def share_of(self, uid: int) -> tuple[int, int]:
        """Return how many mails of a user wait, and their octets."""
        count_bytes = self._shares.get(uid)
        return (count_bytes[0], count_bytes[1]) if count_bytes is not None else (0, 0)

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane
