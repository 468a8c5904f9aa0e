"""
Delivering a queue: the threads that do it, and what may be asked of them meanwhile.

1. ``Deliverer.load`` - the spool's entries become the queue.
2. ``Deliverer.start`` - the dispatcher, one thread, starts a ``Worker`` where mail is due and its
   account may be used, a thread for each connection; at intervals it does the ``Upkeep``.
3. ``Deliverer.accepted`` - a new entry; whoever is idle takes it at once.
4. ``Deliverer.stop``.

``flush_once`` does the same in the calling thread, for a queue without a daemon.
"""

from __future__ import annotations

import threading
from time import monotonic

from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.events import ERROR, WARNING
from pillarbox.delivery.still import state_of
from pillarbox.delivery.traffic import LATER_S, URGENT, Limits, Traffic
from pillarbox.delivery.upkeep import AGES_S, Upkeep
from pillarbox.delivery.worker import Worker
from pillarbox.errors import EX_TEMPFAIL
from pillarbox.mail.status import Trouble
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.health import Health
    from pillarbox.delivery.queue import Queue
    from pillarbox.delivery.waiters import Result
    from pillarbox.spool.base import Entry

__all__ = ["Deliverer", "Limits"]

_LOOK_S = 5.0  # how often the accounts' files are looked at, which is a stat(2) each
_STOP_S = 2.0  # what writing ages down may take when we stop
_OVERDUE_S = 300.0  # a scan that is late by so much will not come any more
_A_DAY_S = 86400.0


class Deliverer(Carrier):
    """
    Delivers the entries of a spool; see the module's docstring.

    Args:
        traffic: What it delivers, and through what; its spool is open, its accounts loaded.

    """

    is_running = True

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._upkeep = Upkeep(self._traffic)
        self._clock = self._traffic.clock
        self._dispatcher: threading.Thread | None = None
        self._threads: list[threading.Thread] = []
        self._next_scan_s = self._next_ages_s = self._next_look_s = 0.0

    @property
    def queue(self) -> Queue:
        """What waits."""
        return self._traffic.queue

    @property
    def clock(self) -> Clock:
        """The clocks that it lives by."""
        return self._clock

    @property
    def limits(self) -> Limits:
        """How it is delivered; what is set counts from the next mail on."""
        return self._traffic.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._traffic.limits = limits

    # -- the daemon's side ---------------------------------------------------------------------

    def load(self) -> int:
        """Take in what the spool has; return how many entries. Blocks."""
        found = sum(map(self._traffic.take_in, self._traffic.spool.scan()))
        now = self._clock.elapsed_s()
        self._next_scan_s = now + self.limits.scan_interval_s
        self._next_ages_s = now + AGES_S
        for state in self.accounts():
            if state.is_open:
                self._traffic.events.event(
                    WARNING,
                    "account_paused",
                    account=state.name,
                    kind=state.kind,
                    waiting=state.waiting,
                    next_s=max(0, round(state.next_try_s - self._clock.epoch_s())),
                    reason=state.reason,
                )
        return found

    def start(self) -> None:
        """Begin to deliver, in threads of our own."""
        self._dispatcher = self._start_thread(self._dispatch, "dispatcher")

    def stop(self, timeout_s: float = 10.0) -> bool:
        """
        Stop: what is on its way is brought to its end, and nothing new begun. Blocks.

        Returns:
            Whether all came to an end in time. What did not is left as after a crash: it is
            sent again, perhaps twice, and never lost.

        """
        with self.queue.changed:
            self._traffic.is_stopping = True
            self.queue.changed.notify_all()
        limit = monotonic() + timeout_s
        threads = [*self._threads]
        for thread in threads:
            thread.join(max(0.0, limit - monotonic()))
        has_ended = not any(thread.is_alive() for thread in threads)
        if has_ended:
            self._traffic.settle()
        self._upkeep.note_ages(_STOP_S)
        for health in self._traffic.healths():
            health.save()
        return has_ended

    def stalled(self) -> str:
        """Return why nothing is delivered any more, for a watchdog; empty: all is well."""
        if self._dispatcher is None:
            return ""
        if not self._dispatcher.is_alive():
            return "the dispatcher has ended"
        if self._clock.elapsed_s() > self._next_scan_s + _OVERDUE_S:
            return "the spool was not looked at for minutes"
        return ""

    def accepted(self, entry: Entry) -> None:
        """Deliver a new entry: it was just committed. Does not block."""
        self._traffic.take_in(entry)

    def reload(self) -> None:
        """
        Read the accounts' files again, and try at once what waited for that. Blocks.

        Raises:
            ConfigError, InputOutputError: They are broken; the accounts stay as they were.

        """
        self._upkeep.reload()

    def flush_once(self, *, ids: Sequence[str] | None = None, hurries: bool = True) -> int:
        """
        Deliver what can be delivered now, in this thread. Blocks.

        Args:
            ids: Only these; None: everything.
            hurries: Try what its own delay keeps waiting as well, what may have arrived already
                too: a person asks for it.

        Returns:
            How many entries are left.

        """
        now = self._clock.elapsed_s()
        if hurries or ids is not None:
            self.queue.set_due(now if ids is None else now + _A_DAY_S)
        if ids is not None:
            self.queue.set_due(now, ids=ids)
        else:
            self._upkeep.catch_up()
        self._send_once()
        if ids is None:
            self._upkeep.tend()
            self._send_once()  # the notices that it made
            self._upkeep.note_ages(_STOP_S)
        self._traffic.settle()
        for health in self._traffic.healths():
            health.save()
        return len(self.queue)

    def _send_once(self) -> None:
        """Send what is due, in this thread."""
        served: set[str] = set()
        # What an account cannot take may go into the lane of its fallback.
        while lanes := [name for name in self.queue.lanes() if name not in served]:
            for name in lanes:
                served.add(name)
                health = self._traffic.health(name)
                if health is not None:
                    Worker(self._traffic, health, lingers=False).serve()
                else:
                    self._park(name)

    # -- the steward's side, as Carrier says ---------------------------------------------------

    def is_busy(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        item = self.queue.get(entry_id)
        return item is not None and item.is_busy

    def take(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        is_taken = self.queue.reserve(entry_id)
        if is_taken:
            # Whoever waits for its first attempt would wait for ever.
            problem = say("somebody has held, changed or deleted it in the queue")
            trouble = Trouble(scope="message", stage="idle", problem=problem, exit_code=EX_TEMPFAIL)
            self._traffic.answer_waiters(entry_id, trouble)
        return is_taken

    def let_go(self, entry_id: str) -> None:
        """See ``Carrier``."""
        self.queue.unreserve(entry_id)

    def put_back(self, entry: Entry) -> None:
        """See ``Carrier``."""
        self._traffic.take_in(entry)

    def added(self, entry_id: str) -> None:
        """See ``Carrier``."""
        self._upkeep.added(entry_id)

    def next_attempt_s(self, entry_id: str) -> float | None:
        """See ``Carrier``."""
        item = self.queue.get(entry_id)
        if item is None:
            return None
        wait = max(0.0, item.due_s - self._clock.elapsed_s())
        health = self._traffic.known_health(item.lane)
        if health is not None:
            wait = max(wait, health.wait_s())
        return self._clock.epoch_s() + wait

    def retry(self, ids: Sequence[str]) -> None:
        """See ``Carrier``."""
        self.queue.set_due(self._clock.elapsed_s(), ids=ids)

    def ids_of(self, uid: int) -> list[str] | None:
        """See ``Carrier``."""
        return self.queue.ids_of(uid)

    def accounts(self) -> list[AccountState]:
        """See ``Carrier``."""
        waiting = {name: len(self.queue.items(name)) for name in self.queue.lanes()}
        states = []
        for health in self._traffic.healths():
            number = waiting.pop(health.account.name, 0)
            if number or health.breaker.is_open:
                states.append(self._state_of(health, number))
        states += [AccountState(name, waiting=number) for name, number in waiting.items()]
        return sorted(states, key=lambda state: state.name)

    def _state_of(self, health: Health, waiting: int) -> AccountState:
        with health.lock:
            return state_of(
                health.account.name,
                health.breaker,
                self._clock,
                waiting=waiting,
                suspended=self._traffic.suspended,
            )

    def flush(self, account: str = "") -> None:
        """See ``Carrier``."""
        for health in self._traffic.healths():
            if account in ("", health.account.name):
                with health.lock:
                    # A network that is back heals what failed without it; a login it does not.
                    health.breaker.hurry()
        self.queue.set_due(self._clock.elapsed_s(), lane=account)

    def account_of(self, entry: Entry) -> str:
        """See ``Carrier``."""
        item = self.queue.get(entry.head.id)
        return entry.head.account if item is None else item.lane

    def has_account(self, account: str) -> bool:
        """See ``Carrier``."""
        return self._traffic.health(account) is not None

    def pause(self, account: str) -> bool:
        """See ``Carrier``."""
        health = self._traffic.health(account)
        if health is None:
            return False
        with health.lock:
            is_new = health.breaker.pause(self._clock.epoch_s())
        health.save()
        return is_new

    def resume(self, account: str) -> bool:
        """See ``Carrier``."""
        self._traffic.retry_records()
        health = self._traffic.health(account)
        was_open = False
        if health is not None:
            with health.lock:
                was_open = health.breaker.is_open
                health.breaker.resume()
            health.save()
        self.queue.set_due(self._clock.elapsed_s(), lane=account)
        return was_open

    def wait_for(self, entry_id: str) -> Future[Result]:
        """See ``Carrier``; call it before ``accepted``, and cancel it if that is never called."""
        return self._traffic.waiters.add(entry_id)

    # -- threads -------------------------------------------------------------------------------

    def _start_thread(
        self, target: Callable[..., None], name: str, *args: Health
    ) -> threading.Thread:
        thread = threading.Thread(
            target=self._traffic.guard, args=(target, *args), name=f"pillarbox {name}", daemon=True
        )
        thread.start()
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        return thread

    def _dispatch(self) -> None:
        """Start workers where there is something to do, until we are stopped."""
        while not self._traffic.is_stopping:
            # A round that fails is told, and the mail goes on with the next: who has no
            # watchdog would never hear that none came.
            if not self._traffic.guard(self._go_round):
                with self.queue.changed:
                    if not self._traffic.is_stopping:
                        self.queue.changed.wait(_LOOK_S)

    def _go_round(self) -> None:
        self._do_chores()
        with self.queue.changed:
            if not self._traffic.is_stopping:
                self.queue.changed.wait(min(self._start_workers(), _LOOK_S))

    def _do_chores(self) -> None:
        now = self._clock.elapsed_s()
        if now >= self._next_scan_s:
            self._upkeep.scan()
            self._next_scan_s = now + self.limits.scan_interval_s
        if now >= self._next_look_s:
            self._next_look_s = now + _LOOK_S
            self._upkeep.look_at_files()
        if now >= self._next_ages_s:
            self._next_ages_s = now + AGES_S
            self._upkeep.sweep_failed()
            self._start_thread(self._upkeep.note_ages, "ages")

    def _start_workers(self) -> float:
        """Start what is to be started; return in how many seconds there may be more."""
        soonest = self.limits.scan_interval_s
        if self._traffic.suspended:
            return soonest
        now = self._clock.elapsed_s()
        for name in self.queue.lanes():
            health = self._traffic.health(name)
            due = self.queue.due_s(name)
            if health is None:
                self._park(name)
            elif due is not None and not health.idle:
                first = self.queue.first(name, now)
                is_urgent = first is not None and first.priority >= URGENT
                wait = max(due - now, health.wait_s(is_urgent=is_urgent))
                if wait > 0:
                    soonest = min(soonest, wait)
                elif health.workers < health.max_workers(self.limits.connections):
                    self._start_thread(self._work, f"worker {name}", health)
                    health.workers += 1
        return soonest

    def _work(self, health: Health) -> None:
        try:
            Worker(self._traffic, health, lingers=True).serve()
        finally:
            with self.queue.changed:
                health.workers -= 1
                self.queue.changed.notify_all()

    def _park(self, name: str) -> None:
        """Have mail wait whose account is gone from the configuration."""
        now, due = self._clock.elapsed_s(), self.queue.due_s(name)
        if due is None or due > now:
            return
        reason = say("account {name} is not in the configuration any more", name=name)
        waiting = len(self.queue.items(name))
        events = self._traffic.events
        events.event(ERROR, "account_missing", account=name, waiting=waiting, reason=reason)
        self.queue.set_due(now + 30 * LATER_S, lane=name)
