"""
Delivering a queue: who is sent when, over which connection, and what follows from it.

1. ``Deliverer.load`` - the spool's entries become the queue.
2. The dispatcher, one thread, starts a worker where mail is due and the account may be used; at
   intervals it looks whether the spool, the clock or a configuration file have something new.
3. A worker, one thread a connection, takes what is due (``_next_item``), opens its connection
   (``_open``), sends over it as many mails as there are (``_send``), and keeps it for a while.
4. ``_conclude`` - ``policy.judge`` says what the answers mean, ``Recorder`` writes it down.

``flush_once`` does the same in the calling thread, for a queue without a daemon.

The rule to keep: an item that was taken is given back, forgotten, or kept as unrecorded; and an
account's failure is the account's, so that its mail waits and is never bounced for it.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future
from contextlib import suppress

from pillarbox.delivery import policy, schedule
from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.events import CRITICAL, ERROR, NOTICE, WARNING
from pillarbox.delivery.health import Health, Memory
from pillarbox.delivery.job import Job
from pillarbox.delivery.queue import Item, Queue
from pillarbox.delivery.recorder import Recorder, Session, Unrecorded, expired, shown_reason
from pillarbox.delivery.submit import connect_for, hints_for
from pillarbox.errors import (
    EX_TEMPFAIL,
    CorruptEntryError,
    EntryNotFoundError,
    PillarboxError,
    SpoolError,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.status import DEFERRED, Trouble, deferred
from pillarbox.spool.base import FAILED, QUEUE, Progress
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.attempt import Connection, Mail
    from pillarbox.delivery.events import Events
    from pillarbox.delivery.notices import Notices
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.spool.base import Entry, Spool

__all__ = ["Deliverer", "Limits", "Result"]

_URGENT = 4  # from this priority on a mail may use an account's reserve
_WATCH_FILES_S = 5.0  # while an account is broken, its files are looked at so often
_AGES_S = 3600.0  # how often it is written down that mail has grown older
_WORTH_NOTING_S = 60.0  # less of an age than this need not outlive a restart
_STOP_S = 2.0  # what writing it down may take when we stop
_LATER_S = 60.0  # until what the spool did not take is tried again


class Limits(Value):
    """
    How a queue is delivered; seconds where a name ends in ``_s``.

    Attributes:
        connections: At a time, to one account's relay host.
        mails: Over one connection.
        idle_s: How long a connection is kept without mail.
        lifetime_s: How long one is used at all.
        queue_lifetime_s: How long a mail is tried.
        warning_after_s: When its sender is told that it takes long.
        failed_kept_s: How long what failed is kept.
        scan_interval_s: How often the spool is looked at.

    """

    __slots__ = (
        "connections",
        "failed_kept_s",
        "idle_s",
        "lifetime_s",
        "mails",
        "queue_lifetime_s",
        "scan_interval_s",
        "warning_after_s",
    )

    def __init__(
        self,
        *,
        connections: int = 2,
        mails: int = 100,
        idle_s: float = 60.0,
        lifetime_s: float = 300.0,
        queue_lifetime_s: float = 5 * 86400.0,
        warning_after_s: float = 4 * 3600.0,
        failed_kept_s: float = 30 * 86400.0,
        scan_interval_s: float = 60.0,
    ) -> None:
        self.connections = connections
        self.mails = mails
        self.idle_s = idle_s
        self.lifetime_s = lifetime_s
        self.queue_lifetime_s = queue_lifetime_s
        self.warning_after_s = warning_after_s
        self.failed_kept_s = failed_kept_s
        self.scan_interval_s = scan_interval_s


class Result(Value):
    """
    What the first attempt at an entry came to, for who waits for it.

    Attributes:
        id: The queue ID.
        statuses: One for each forward-path, in order.
        is_kept: It stays in the queue, and is tried again.

    """

    __slots__ = ("id", "is_kept", "statuses")

    def __init__(
        self,
        id: str,  # noqa: A002 (the field's word)
        statuses: tuple[RecipientStatus, ...],
        *,
        is_kept: bool,
    ) -> None:
        self.id = id
        self.statuses = statuses
        self.is_kept = is_kept


class _Open(Value):
    """A connection that mail can go over, and since when; seconds are elapsed ones."""

    __slots__ = ("connection", "mails", "opened_s", "session", "used")

    def __init__(self, connection: Connection, session: Session, opened_s: float) -> None:
        self.connection = connection
        self.session = session
        self.opened_s = opened_s
        self.mails = 0
        self.used = False


class Deliverer(Carrier):
    """
    Delivers the entries of a spool; see the module's docstring.

    Args:
        spool: Where they are; open.
        accounts: What they go through; loaded.
        events: Gets a line for whatever happens.
        notices: Makes the mails that tell of failures.
        limits: How it is done.
        clock: The time.
        memory: Where is kept how the accounts are doing.
        alarm: Told of what no mail can tell: subject and text. Must not block.
        chance: Gives numbers from 0 to 1, for delays that are not the same everywhere.

    """

    is_running = True

    def __init__(
        self,
        spool: Spool,
        accounts: Accounts,
        events: Events,
        notices: Notices,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        memory: Memory | None = None,
        alarm: Callable[[str, str], None] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.queue = Queue()
        self.clock = clock or Clock()
        self._spool = spool
        self._accounts = accounts
        self._events = events
        self._notices = notices
        self._limits = limits or Limits()
        self._memory = memory or Memory()
        self._alarm = alarm or (lambda _subject, _text: None)
        self._chance = chance
        self._recorder = Recorder(
            spool, notices, events, self.clock, add=self.accepted, alarm=self._alarm
        )
        self._healths: dict[str, Health] = {}
        self._healths_lock = threading.Lock()
        self._waiters: dict[str, list[Future[Result]]] = {}
        self._unrecorded: list[tuple[Item, Unrecorded]] = []
        self._refused_s: dict[str, float] = {}  # since when a sender is refused, by queue ID
        self._suspended = ""  # why nothing is sent; empty: all is well
        self._is_stopping = False
        self._threads: list[threading.Thread] = []
        self._next_scan_s = 0.0
        self._next_ages_s = 0.0
        self._next_look_s = 0.0

    # -- the daemon's side ---------------------------------------------------------------------

    def load(self) -> int:
        """Take in what the spool has; return how many entries. Blocks."""
        found = 0
        for entry in self._spool.scan():
            found += self._take_in(entry)
        now = self.clock.elapsed_s()
        self._next_scan_s = now + self._limits.scan_interval_s
        self._next_ages_s = now + _AGES_S
        return found

    def start(self) -> None:
        """Begin to deliver, in threads of our own."""
        self._start_thread(self._dispatch, "dispatcher")

    def stop(self, timeout_s: float = 10.0) -> bool:
        """
        Stop: what is on its way is brought to its end, and nothing new begun. Blocks.

        Returns:
            Whether all came to an end in time. What did not is left as after a crash: it is
            sent again, perhaps twice, and never lost.

        """
        from time import monotonic

        with self.queue.changed:
            self._is_stopping = True
            self.queue.changed.notify_all()
        limit = monotonic() + timeout_s
        for thread in list(self._threads):
            thread.join(max(0.0, limit - monotonic()))
        has_ended = not any(thread.is_alive() for thread in self._threads)
        self._note_ages(_STOP_S)
        for health in self._all_healths():
            health.save()
        return has_ended

    @property
    def is_alive(self) -> bool:
        """Whether the dispatcher still does its work, for a watchdog."""
        return bool(self._threads) and self._threads[0].is_alive()

    def accepted(self, entry: Entry) -> None:
        """Deliver a new entry: it was just committed. Does not block."""
        self._take_in(entry)

    def reload(self) -> None:
        """
        Read the accounts' files again, and try at once what waited for that. Blocks.

        Raises:
            ConfigError, InputOutputError: They are broken; the accounts stay as they were.

        """
        self._accounts.load()
        for health in self._all_healths():
            try:
                account = self._accounts.named(health.account.name)
            except PillarboxError:
                continue  # it is gone; its mail says so when it is due
            was_open = health.breaker.is_open
            health.renew(account)
            if was_open and not health.breaker.is_open:
                self._events.event(NOTICE, "account_resumed", account=account.name)
        self.queue.set_due(self.clock.elapsed_s())

    def flush_once(self, *, ids: Sequence[str] | None = None) -> int:
        """
        Deliver what can be delivered now, in this thread. Blocks.

        Args:
            ids: Only these; None: everything.

        Returns:
            How many entries are left.

        """
        now = self.clock.elapsed_s()
        if ids is None:
            self.queue.set_due(now)
        else:
            self.queue.set_due(now + 86400.0)
            self.queue.set_due(now, ids=ids)
        served: set[str] = set()
        # What an account cannot take may go into the lane of its fallback.
        while lanes := [name for name in self.queue.lanes() if name not in served]:
            for name in lanes:
                served.add(name)
                self._serve(name, lingers=False)
        self._retry_records()
        self._spool.settle()
        for health in self._all_healths():
            health.save()
        return len(self.queue)

    # -- the steward's side --------------------------------------------------------------------

    def is_busy(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        item = self.queue.get(entry_id)
        return item is not None and item.is_busy

    def take(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        if entry_id not in self.queue:
            return True
        item = self.queue.take_one(entry_id)
        if item is None:
            return False
        self.queue.forget(item)
        return True

    def put_back(self, entry: Entry) -> None:
        """See ``Carrier``."""
        self._take_in(entry)

    def added(self, entry_id: str) -> None:
        """See ``Carrier``."""
        if entry_id not in self.queue:
            try:
                self._take_in(self._spool.read(entry_id))
            except SpoolError:
                return  # the next scan finds it, if it is there

    def next_attempt_s(self, entry_id: str) -> float | None:
        """See ``Carrier``."""
        item = self.queue.get(entry_id)
        if item is None:
            return None
        wait = max(0.0, item.due_s - self.clock.elapsed_s())
        health = self._healths.get(item.lane)
        if health is not None:
            wait = max(wait, health.wait_s(is_urgent=item.priority >= _URGENT))
        return self.clock.epoch_s() + wait

    def retry(self, ids: Sequence[str]) -> None:
        """See ``Carrier``."""
        self.queue.set_due(self.clock.elapsed_s(), ids=ids)

    def ids_of(self, uid: int) -> list[str] | None:
        """See ``Carrier``."""
        return self.queue.ids_of(uid)

    def accounts(self) -> list[AccountState]:
        """See ``Carrier``."""
        now, elapsed = self.clock.epoch_s(), self.clock.elapsed_s()
        waiting = {name: len(self.queue.items(name)) for name in self.queue.lanes()}
        states = []
        for health in self._all_healths():
            name = health.account.name
            with health.lock:
                breaker = health.breaker
                if breaker.is_open or waiting.get(name):
                    wait = breaker.wait_s(elapsed)
                    states.append(
                        AccountState(
                            name,
                            is_open=breaker.is_open,
                            kind=breaker.kind,
                            since_s=breaker.since_s,
                            next_try_s=now + wait if wait else 0.0,
                            reason=breaker.reason or self._suspended,
                            waiting=waiting.pop(name, 0),
                        )
                    )
        states += [AccountState(name, waiting=number) for name, number in waiting.items()]
        return sorted(states, key=lambda state: state.name)

    def flush(self, account: str = "") -> None:
        """See ``Carrier``."""
        for health in self._all_healths():
            if account in ("", health.account.name):
                with health.lock:
                    # A network that is back heals what failed without it; a login it does not.
                    if health.breaker.kind and not health.breaker.is_broken:
                        health.breaker.resume()
        self.queue.set_due(self.clock.elapsed_s(), lane=account)

    def resume(self, account: str) -> bool:
        """See ``Carrier``."""
        self._lift_suspension()
        health = self._healths.get(account)
        was_open = False
        if health is not None:
            with health.lock:
                was_open = health.breaker.is_open
                health.breaker.resume()
            health.save()
        self.queue.set_due(self.clock.elapsed_s(), lane=account)
        return was_open

    def wait_for(self, entry_id: str) -> Future[Any]:
        """See ``Carrier``; call it before ``accepted``."""
        future: Future[Result] = Future()
        with self.queue.changed:
            self._waiters.setdefault(entry_id, []).append(future)
        return future

    # -- the queue -----------------------------------------------------------------------------

    def _take_in(self, entry: Entry) -> bool:
        now = self.clock.elapsed_s()
        progress = entry.progress
        if progress.is_final:
            self._clear_away(entry)
            return False
        due = now + self._remaining_s(progress)
        item = Item(entry, due_s=due, watched_s=now)
        item.lane = self._lane_for(item.account)
        health = self._health(item.lane)
        if health is not None and health.trouble is not None and health.wait_s() > 0:
            self._answer_waiters(entry.head.id, entry, health.trouble)
        return self.queue.add(item)

    def _remaining_s(self, progress: Progress) -> float:
        """Return how long an entry still has to wait that was tried before we were started."""
        if not progress.attempts:
            return 0.0
        wait = schedule.mail_delay_s(
            "doubt" if progress.is_in_doubt else "mail", progress.attempts, chance=self._chance()
        )
        since = self.clock.epoch_s() - progress.last_attempt_s
        return min(wait, max(0.0, wait - since)) if since >= 0 else wait

    def _clear_away(self, entry: Entry) -> None:
        """Remove an entry that nobody waits for: we ended before that could be done."""
        try:
            if b"F" in entry.progress.statuses:
                self._spool.move(entry.head.id, QUEUE, FAILED)
            else:
                self._spool.remove(entry.head.id)
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", id=entry.head.id, reason=str(exc))

    def _lane_for(self, name: str) -> str:
        """Return the account that mail of an account goes through now: it, or a fallback."""
        seen = {name}
        current = name
        while True:
            health = self._health(current)
            if health is None:
                return name
            with health.lock:
                # When its next try has come, mail is what tries it.
                is_usable = not health.breaker.is_broken or health.breaker.may_try(
                    self.clock.elapsed_s()
                )
            if is_usable:
                return current
            following = health.account.fallback
            if not following or following in seen:
                return name
            seen.add(following)
            current = following

    def _health(self, name: str) -> Health | None:
        """Return how an account is doing; None: there is no such account any more."""
        with self._healths_lock:
            health = self._healths.get(name)
            if health is None:
                try:
                    account = self._accounts.named(name)
                except PillarboxError:
                    return None
                health = self._healths[name] = Health(account, self._memory, self.clock)
            return health

    def _all_healths(self) -> list[Health]:
        with self._healths_lock:
            return list(self._healths.values())

    # -- the dispatcher ------------------------------------------------------------------------

    def _start_thread(self, target: Callable[..., None], name: str, *args: str) -> None:
        thread = threading.Thread(
            target=self._guarded, args=(target, *args), name=f"pillarbox {name}", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _guarded(self, target: Callable[..., None], *args: str) -> None:
        """Run a thread; a fault of ours ends in one line and not in a traceback."""
        try:
            target(*args)
        except Exception as exc:  # noqa: BLE001 (the last resort of a thread)
            place = ""
            trace = exc.__traceback__
            while trace is not None:
                place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
                trace = trace.tb_next
            self._events.event(CRITICAL, "fault", kind=type(exc).__name__, place=place)

    def _dispatch(self) -> None:
        """Start workers where there is something to do, until we are stopped."""
        while not self._is_stopping:
            now = self.clock.elapsed_s()
            if now >= self._next_scan_s:
                self._next_scan_s = now + self._limits.scan_interval_s
                self._scan()
            if now >= self._next_look_s:
                self._next_look_s = now + _WATCH_FILES_S
                self._look_at_files()
            with self.queue.changed:
                if self._is_stopping:
                    return
                wait = self._start_workers()
                wait = min(wait, max(0.0, self._next_scan_s - self.clock.elapsed_s()))
                self.queue.changed.wait(min(wait, _WATCH_FILES_S))

    def _start_workers(self) -> float:
        """Start what is to be started; return in how many seconds there may be more."""
        soonest = self._limits.scan_interval_s
        if self._suspended:
            return soonest
        now = self.clock.elapsed_s()
        for name in self.queue.lanes():
            health = self._health(name)
            if health is None:
                self._park(name)
                continue
            due = self.queue.due_s(name)
            if due is None or health.idle:
                continue
            wait = max(due - now, health.wait_s(is_urgent=self._has_urgent(name)))
            if wait > 0:
                soonest = min(soonest, wait)
            elif health.workers < health.max_workers(self._limits.connections):
                health.workers += 1
                self._start_thread(self._work, f"worker {name}", name)
        return soonest

    def _has_urgent(self, _: str) -> bool:
        # The reserve is looked at again for the very item that is taken.
        return True

    def _park(self, name: str) -> None:
        """Have mail wait whose account is gone from the configuration."""
        due = self.queue.due_s(name)
        now = self.clock.elapsed_s()
        if due is None or due > now:
            return
        reason = say("account {name} is not in the configuration any more", name=name)
        waiting = len(self.queue.items(name))
        self._events.event(ERROR, "account_missing", account=name, waiting=waiting, reason=reason)
        self.queue.set_due(now + 30 * _LATER_S, lane=name)

    # -- looking around ------------------------------------------------------------------------

    def _scan(self) -> None:
        """Look whether the spool has something that we do not know of, and what has grown old."""
        try:
            self._spool.settle()
            self._find_new()
            self._retry_records()
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", reason=str(exc))
        now = self.clock.elapsed_s()
        if now >= self._next_ages_s:
            self._next_ages_s = now + _AGES_S
            self._sweep_failed()
            self._start_thread(self._note_ages, "ages")
        self._look_at_ages()
        self._put_digests()
        for health in self._all_healths():
            if health.budget.has_limits:
                health.save()

    def _find_new(self) -> None:
        names = set(self._spool.names())
        for name in names.difference(self.queue.ids()):
            self.added(name)
        for name in set(self.queue.ids()) - names:
            # Somebody has removed the file.
            try:
                self._spool.read(name)
            except EntryNotFoundError:
                item = self.queue.take_one(name)
                if item is not None:
                    self.queue.forget(item)
            except SpoolError:
                continue

    def _look_at_files(self) -> None:
        """Read the accounts again when a file has changed, which may be what mends one."""
        if not self._accounts.has_changed():
            return
        try:
            self.reload()
        except PillarboxError as exc:
            self._events.event(ERROR, "reload_refused", reason=str(exc))
        else:
            self._events.event(NOTICE, "reloaded", accounts=len(self._accounts.names()))

    def _note_ages(self, limit_s: float = _AGES_S) -> None:
        """
        Write down how long the age of each entry was watched, as no calendar is to be trusted.

        Args:
            limit_s: After so many seconds the rest is left: it will only seem younger.

        """
        limit = self.clock.elapsed_s() + limit_s
        for item in self.queue.items():
            now = self.clock.elapsed_s()
            if now > limit:
                return
            if item.is_busy or now - item.watched_s < _WORTH_NOTING_S:
                continue
            taken = self.queue.take_one(item.id)
            if taken is None:
                continue
            try:
                before = self._spool.read(item.id).progress
                self._spool.update(item.id, _older(before, now - item.watched_s))
                item.watched_s = now
            except SpoolError as exc:
                self._events.event(WARNING, "spool_failed", id=item.id, reason=str(exc))
            finally:
                self.queue.give_back(item, item.due_s)

    def _look_at_ages(self) -> None:
        """Warn of mail that takes long, and give up what took too long."""
        limits = self._limits
        now = self.clock.epoch_s()
        for item in self.queue.items():
            age = now - item.accepted_s
            is_due = age >= limits.queue_lifetime_s or (
                age >= limits.warning_after_s and not item.was_warned
            )
            if is_due and not item.is_busy and self.queue.take_one(item.id) is not None:
                self._judge_age(item)

    def _judge_age(self, item: Item) -> None:
        job = self._claim(item)
        if job is None:
            return
        health = self._health(item.lane)
        due = item.due_s
        if health is None:
            # Without its account there is nobody to speak for it.
            job.claim.close()
            self.queue.give_back(item, due)
            return
        limits = self._limits
        with health.lock:
            failures, is_broken = health.breaker.failures, health.breaker.is_broken
        age = schedule.age_of(
            job.head,
            job.progress,
            now_s=self.clock.epoch_s(),
            watched_s=job.watched_s,
            account_failures=failures,
        )
        session = Session(health.account)
        try:
            if schedule.is_expired(
                age,
                lifetime_s=limits.queue_lifetime_s,
                is_broken=is_broken,
                has_warned=job.progress.has_warned,
            ):
                statuses = expired(job, limits.queue_lifetime_s)
                judgement = policy.judge(statuses, (None,) * len(statuses))
                self._finish(job, judgement, session, is_expired=True)
                return
            if schedule.is_warning_due(
                age, after_s=limits.warning_after_s, has_warned=job.progress.has_warned
            ):
                trouble = health.trouble or _no_news(job)
                waiting = [deferred(path, trouble) for path in job.envelope.forward_paths]
                until = job.head.accepted_s + limits.queue_lifetime_s
                self._recorder.warn(job, waiting, session, retry_until_s=until)
                item.was_warned = True
                item.watched_s = self.clock.elapsed_s()
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
        job.claim.close()
        self.queue.give_back(item, due)

    def _put_digests(self) -> None:
        try:
            for notice in self._notices.due(self._accounts.named, now_s=self.clock.epoch_s()):
                self._recorder.put(notice)
        except PillarboxError as exc:
            self._events.event(ERROR, "notice_failed", reason=str(exc))

    def _sweep_failed(self) -> None:
        """Remove what failed long ago, by its queue ID, which begins with the time."""
        oldest = self.clock.epoch_s() - self._limits.failed_kept_s
        for name in self._spool.names(FAILED):
            try:
                if self._spool.read(name, FAILED).head.accepted_s < oldest:
                    self._spool.remove(name, FAILED)
            except SpoolError:
                continue

    # -- a worker ------------------------------------------------------------------------------

    def _work(self, name: str) -> None:
        health = self._health(name)
        try:
            self._serve(name, lingers=True)
        finally:
            with self.queue.changed:
                if health is not None:
                    health.workers -= 1
                self.queue.changed.notify_all()

    def _serve(self, name: str, *, lingers: bool) -> None:
        """Send what is due of an account; wait for more, if it ``lingers``, as long as is usual."""
        health = self._health(name)
        way: _Open | None = None
        try:
            while health is not None and not self._is_stopping and not self._suspended:
                item = self._next_item(name, health, way, lingers=lingers)
                if item is None:
                    return
                if way is not None and not self._is_usable(way):
                    way.connection.close()
                    way = None
                if way is None:
                    way = self._open(name, health, item)
                    if way is None:
                        return
                way = self._send(name, health, way, item)
        finally:
            if way is not None:
                way.connection.close()

    def _next_item(
        self, name: str, health: Health, way: _Open | None, *, lingers: bool
    ) -> Item | None:
        """Return the next item that is due and may be sent; None: there is no use in waiting."""
        limit = self.clock.elapsed_s() + self._limits.idle_s
        while not self._is_stopping and not self._suspended:
            if health.wait_s(is_urgent=True) > 0:
                return None
            item = self._take(name, health)
            if item is not None:
                return item
            if not lingers or way is None:
                return None
            with self.queue.changed:
                now = self.clock.elapsed_s()
                due = self.queue.due_s(name)
                left = min(limit, due if due is not None else limit) - now
                if limit <= now:
                    return None
                if left > 0 and not self._is_stopping:
                    health.idle += 1
                    self.queue.changed.wait(left)
                    health.idle -= 1
                elif due is not None and due <= now:
                    return None  # only the reserve is left, and this is not urgent
        return None

    def _take(self, name: str, health: Health) -> Item | None:
        """Take the next item, as far as the account's budget allows."""
        now = self.clock.elapsed_s()
        item = self.queue.take(name, now)
        if item is None:
            return None
        with health.lock:
            wait = health.budget.wait_s(now, is_urgent=item.priority >= _URGENT)
            if not wait:
                health.budget.take(now)
                return item
        self.queue.give_back(item, now + wait)
        return None

    def _is_usable(self, way: _Open) -> bool:
        """Tell whether a connection that was kept can be used for one more mail."""
        stream = way.connection.stream
        if stream is None or way.connection.trouble is not None:
            return False
        age = self.clock.elapsed_s() - way.opened_s
        if way.mails >= self._limits.mails or age >= self._limits.lifetime_s:
            return False
        return not stream.has_input()  # it would be a farewell

    def _open(self, name: str, health: Health, item: Item) -> _Open | None:
        """Connect and log in; None: it failed, the item waits and the account was told."""
        account = health.account
        with health.lock:
            health.breaker.trying(self.clock.elapsed_s())
            is_proven = health.breaker.is_proven
        if not is_proven:
            health.save()  # before the login is made: a crash must not make us forget it
        connection = None
        try:
            connection = connect_for(
                account, environment=self._accounts.environment, is_attended=False
            )
            trouble = connection.open()
            kind = "" if trouble is None else self._kind_of(trouble, connection)
        except PillarboxError as exc:
            kind = policy.error_event(exc)
            trouble = Trouble(
                scope="account",
                stage="connect",
                problem=exc.problem,
                exit_code=exc.exit_code,
                advice=exc.advice,
            )
        if trouble is None and connection is not None:
            client = connection.client
            greeting = str(client.greeting) if client is not None and client.greeting else ""
            with health.lock:
                was_failing = health.breaker.succeeded(self.clock.elapsed_s())
                health.trouble = None
            if was_failing:
                health.save()
                self._events.event(NOTICE, "account_recovered", account=name)
            session = Session(account, greeting, connection.route.secret)
            return _Open(connection, session, self.clock.elapsed_s())
        if connection is not None:
            connection.close()
        assert trouble is not None
        self.queue.give_back(item, self.clock.elapsed_s())
        secret = connection.route.secret if connection is not None else None
        self._account_failed(
            name, health, kind or "site", trouble, Session(account, "", secret), is_opening=True
        )
        return None

    def _kind_of(self, trouble: Trouble, connection: Connection) -> str:
        hint = hints_for([deferred(_NOBODY, trouble)], connection)[0]
        return policy.account_event(trouble, hint)

    def _account_failed(
        self,
        name: str,
        health: Health,
        kind: str,
        trouble: Trouble,
        session: Session,
        *,
        is_opening: bool = False,
    ) -> None:
        """Have an account wait, and tell whom it concerns, once."""
        reason = shown_reason(trouble, session.secret)
        with health.lock:
            has_opened = health.breaker.failed(
                kind,
                reason,
                now_s=self.clock.epoch_s(),
                elapsed_s=self.clock.elapsed_s(),
                chance=self._chance(),
                is_login_made=policy.is_login_made(trouble),
                is_session=not is_opening,
            )
            health.trouble = trouble
            wait = health.breaker.wait_s(self.clock.elapsed_s())
            is_broken = health.breaker.is_broken
            needs_notice = health.breaker.needs_notice
        health.save()
        waiting = self.queue.items(name)
        level = CRITICAL if has_opened and is_broken else WARNING
        self._events.event(
            level,
            "account_failed" if not has_opened else "account_paused",
            account=name,
            kind=kind,
            waiting=len(waiting),
            next_s=round(wait),
            reason=reason,
            advice=trouble.advice,
        )
        for item in waiting:
            self._answer_waiters(item.id, None, trouble)
        if is_broken:
            moved = self.queue.reroute(name, lambda item: self._lane_for(item.account))
            if moved:
                self._events.event(NOTICE, "rerouted", account=name, count=moved)
        if needs_notice:
            self._tell_of_account(health, trouble, session, len(waiting))

    def _tell_of_account(
        self, health: Health, trouble: Trouble, session: Session, waiting: int
    ) -> None:
        fallback = None
        name = health.account.fallback
        if name:
            other = self._health(name)
            fallback = other.account if other is not None and not other.breaker.is_broken else None
        try:
            told = self._notices.broken_for(
                health.account,
                trouble.problem,
                waiting=waiting,
                now_s=self.clock.epoch_s(),
                fallback=fallback,
                advice=trouble.advice,
                secret=session.secret,
            )
            self._recorder.tell(told)
        except PillarboxError as exc:
            self._events.event(ERROR, "notice_failed", account=health.account.name, reason=str(exc))
            return
        with health.lock:
            health.breaker.told()
        health.save()

    def _send(self, name: str, health: Health, way: _Open, first: Item) -> _Open | None:
        """Send items over a connection as long as there are some; None: it is of no more use."""
        connection = way.connection
        jobs: dict[int, Job] = {}
        pending: list[Job] = []
        was_used = way.used
        delivered = 0

        def conclude(job: Job) -> None:
            nonlocal delivered
            pending.remove(job)
            delivered += self._conclude(
                job, name, health, way, was_used=was_used, has_delivered=bool(delivered)
            )

        def mails() -> Iterator[Mail]:
            item: Item | None = first
            while item is not None:
                job = self._claim(item)
                if job is not None:
                    pending.append(job)
                    way.mails += 1
                    for mail in job.mails(health.account, connection.client):
                        jobs[id(mail)] = job
                        yield mail
                    if job.is_complete and job in pending:
                        conclude(job)
                item = None
                if self._may_go_on(health, way):
                    item = self._take(name, health)

        for ended in connection.deliver(mails()):
            job = jobs.pop(id(ended.mail))
            job.ended(ended)
            if job.is_complete:
                conclude(job)
        way.used = True
        for job in pending:
            job.abandon()
            conclude(job)
        if connection.trouble is None:
            return way
        connection.close()
        return None

    def _may_go_on(self, health: Health, way: _Open) -> bool:
        if self._is_stopping or self._suspended or way.connection.trouble is not None:
            return False
        age = self.clock.elapsed_s() - way.opened_s
        if way.mails >= self._limits.mails or age >= self._limits.lifetime_s:
            return False
        return health.wait_s(is_urgent=True) == 0

    def _claim(self, item: Item) -> Job | None:
        """Open an entry; None: it is not to be sent, and was dealt with."""
        try:
            claim = self._spool.claim(item.id)
        except EntryNotFoundError:
            self.queue.forget(item)  # somebody has deleted it
            return None
        except CorruptEntryError as exc:
            self.queue.forget(item)
            self._events.event(CRITICAL, "corrupt", id=item.id, reason=str(exc))
            self._alarm(f"mail {item.id} is damaged", str(exc))
            return None
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
            self.queue.give_back(item, self.clock.elapsed_s() + _LATER_S)
            return None
        if claim.entry.progress.is_final:
            claim.close()
            self.queue.forget(item)
            self._clear_away(claim.entry)
            return None
        watched = self.clock.elapsed_s() - item.watched_s
        return Job(item, claim, now_s=self.clock.epoch_s(), watched_s=watched)

    # -- what became of it ---------------------------------------------------------------------

    def _conclude(
        self,
        job: Job,
        name: str,
        health: Health,
        way: _Open,
        *,
        was_used: bool,
        has_delivered: bool,
    ) -> bool:
        """Judge an attempt and write it down; return whether somebody got the mail."""
        trouble = way.connection.trouble
        statuses = job.statuses(trouble)
        hints = hints_for(statuses, way.connection)
        judgement = policy.judge(
            statuses,
            hints,
            refused_before_s=self._refused_before_s(job.item.id),
            has_delivered=has_delivered or was_used,
        )
        if was_used and not has_delivered and _is_stale(statuses, trouble):
            # The server had ended the connection while it was kept: nobody's failure.
            self._forget_attempt(job)
            self.queue.give_back(job.item, self.clock.elapsed_s())
            return False
        is_good = any(status.reply is not None and not status.trouble for status in statuses)
        if is_good:
            with health.lock:
                health.breaker.mail_accepted()
        if judgement.is_refused:
            self._refused_s.setdefault(job.item.id, self.clock.elapsed_s())
        self._tell_account(judgement, job, name, health, way)
        self._finish(job, judgement, way.session)
        return is_good

    def _forget_attempt(self, job: Job) -> None:
        """Have an entry be as it was before an attempt that was none."""
        with suppress(SpoolError):
            if job.has_begun:
                job.claim.record(job.claim.entry.progress, is_durable=False)
        job.claim.close()

    def _tell_account(
        self, judgement: policy.Judgement, job: Job, name: str, health: Health, way: _Open
    ) -> None:
        """Have the account hear what concerns it, once for each connection."""
        event, trouble = judgement.event, judgement.trouble
        if not event or trouble is None:
            return
        if event == "sender":
            sender = str(job.envelope.reverse_path or "")
            with health.lock:
                is_open = health.breaker.sender_refused(
                    sender,
                    trouble.problem,
                    now_s=self.clock.epoch_s(),
                    elapsed_s=self.clock.elapsed_s(),
                    chance=self._chance(),
                )
            if is_open:
                self._account_failed(name, health, "sender", trouble, way.session)
        elif health.wait_s() == 0:
            self._account_failed(name, health, event, trouble, way.session)

    def _finish(
        self,
        job: Job,
        judgement: policy.Judgement,
        session: Session,
        *,
        is_expired: bool = False,
    ) -> None:
        """Write down what became of an entry, and have it wait, or leave."""
        item = job.item
        waiters = self._waiters_of(item.id)
        is_gone = False
        delay = schedule.mail_delay_s(
            judgement.wait, job.progress.attempts + (not job.has_begun), chance=self._chance()
        )
        try:
            is_gone = self._recorder.record(
                job, judgement, session, tells_sender=not waiters, is_expired=is_expired
            )
        except Unrecorded as exc:
            self._suspend(item, exc)
            self._answer(waiters, job, judgement.statuses, is_kept=False)
            return
        except SpoolError as exc:
            # A notice did not fit in: nothing was decided, and nothing is lost.
            job.claim.close()
            self._events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
            self.queue.give_back(item, self.clock.elapsed_s() + _LATER_S)
            self._answer(waiters, job, judgement.statuses, is_kept=True)
            return
        self._recorder.log(job, judgement, session, next_try_s=None if is_gone else delay)
        now = self.clock.elapsed_s()
        item.watched_s = now
        if is_gone:
            self._refused_s.pop(item.id, None)
            self.queue.forget(item)
        else:
            self.queue.give_back(item, now + delay)
        self._answer(waiters, job, judgement.statuses, is_kept=not is_gone)

    def _refused_before_s(self, entry_id: str) -> float | None:
        since = self._refused_s.get(entry_id)
        return None if since is None else self.clock.elapsed_s() - since

    def _suspend(self, item: Item, exc: Unrecorded) -> None:
        """Send nothing more: what cannot be written down would be sent again and again."""
        with self.queue.changed:
            self._unrecorded.append((item, exc))
            self._suspended = say(
                "nothing is sent, because what became of a mail cannot be written down: {reason}",
                reason=str(exc.cause),
            )
        self._events.event(CRITICAL, "suspended", id=item.id, reason=self._suspended)
        self._alarm("the mail queue is suspended", self._suspended)

    def _retry_records(self) -> None:
        """Write down what could not be written down; when all is, go on."""
        with self.queue.changed:
            waiting, self._unrecorded = self._unrecorded, []
        for item, exc in waiting:
            try:
                is_gone = exc.again()
            except SpoolError:
                with self.queue.changed:
                    self._unrecorded.append((item, exc))
                continue
            if is_gone:
                self.queue.forget(item)
            else:
                self.queue.give_back(item, self.clock.elapsed_s() + _LATER_S)
        if self._suspended and not self._unrecorded:
            self._suspended = ""
            self._events.event(NOTICE, "resumed")

    def _lift_suspension(self) -> None:
        if self._suspended:
            self._retry_records()

    # -- who waits -----------------------------------------------------------------------------

    def _waiters_of(self, entry_id: str) -> list[Future[Result]]:
        with self.queue.changed:
            return [each for each in self._waiters.pop(entry_id, ()) if not each.cancelled()]

    def _answer(
        self,
        waiters: Sequence[Future[Result]],
        job: Job,
        statuses: Sequence[RecipientStatus],
        *,
        is_kept: bool,
    ) -> None:
        for waiter in waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(Result(job.head.id, tuple(statuses), is_kept=is_kept))

    def _answer_waiters(self, entry_id: str, entry: Entry | None, trouble: Trouble) -> None:
        """Tell who waits for an entry that its account cannot be used now."""
        waiters = self._waiters_of(entry_id)
        if not waiters:
            return
        try:
            entry = entry or self._spool.read(entry_id)
        except SpoolError:
            return
        statuses = tuple(deferred(path, trouble) for path in entry.head.envelope.forward_paths)
        for waiter in waiters:
            if waiter.set_running_or_notify_cancel():
                waiter.set_result(Result(entry_id, statuses, is_kept=True))


# For the explanation of a failure that is nobody's in particular.
_NOBODY = parse_mailbox("postmaster")


def _older(progress: Progress, seconds: float) -> Progress:
    return Progress(
        progress.statuses,
        attempts=progress.attempts,
        last_attempt_s=progress.last_attempt_s,
        observed_s=progress.observed_s + seconds,
        is_in_doubt=progress.is_in_doubt,
        has_warned=progress.has_warned,
        reason=progress.reason,
    )


def _no_news(job: Job) -> Trouble:
    problem = job.progress.reason or say("no attempt was answered")
    return Trouble(scope="message", stage="idle", problem=problem, exit_code=EX_TEMPFAIL)


def _is_stale(statuses: Sequence[RecipientStatus], trouble: Trouble | None) -> bool:
    """Tell whether a kept connection was gone before anything could be said over it."""
    if trouble is None or (trouble.reply is not None and trouble.reply.code != 421):
        return False
    return all(status.action == DEFERRED and not status.is_in_doubt for status in statuses)
