"""
What the dispatcher, the workers and the upkeep of a queue share: its state, and its few changes.

The rule to keep: an item that was taken from the queue is given back, forgotten, or kept as
unrecorded; and an account's failure is the account's, so that its mail waits and is never bounced
for it.
"""

from __future__ import annotations

import random
import threading

from pillarbox.delivery import policy, schedule
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.crew import Crew
from pillarbox.delivery.events import CRITICAL, ERROR, NOTICE, WARNING
from pillarbox.delivery.health import Health, Memory
from pillarbox.delivery.job import Job
from pillarbox.delivery.queue import Item, Queue
from pillarbox.delivery.recorder import Recorder, Session, Unrecorded, shown_reason
from pillarbox.delivery.waiters import Waiters, keep
from pillarbox.errors import (
    EX_TEMPFAIL,
    CorruptEntryError,
    EntryNotFoundError,
    PillarboxError,
    SpoolError,
)
from pillarbox.mail.status import Trouble, deferred
from pillarbox.spool.base import BOUNCED, FAILED, QUEUE
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.events import Events
    from pillarbox.delivery.notices import Notices
    from pillarbox.delivery.waiters import Result
    from pillarbox.spool.base import Entry, Progress, Spool

__all__ = ["FAULT_S", "LATER_S", "URGENT", "Limits", "Traffic"]

URGENT = 4  # from this priority on a mail may use an account's reserve
_RECORDERS = 8  # threads that wait for the disk: a flush takes long, and many take not longer
LATER_S = 60.0  # until what the spool did not take is tried again
FAULT_S = 1800.0  # until what met a fault of ours is tried again


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


class Traffic:
    """
    The state of a queue that is being delivered.

    Args:
        spool: Where its entries are; open.
        accounts: What they go through; loaded.
        events: Gets a line for whatever happens.
        notices: Makes the mails that tell of failures.
        limits: How it is done.
        clock: The time.
        memory: Where is kept how the accounts are doing.
        alarm: Told of what no mail can tell: subject and text. Must not block.
        chance: Gives numbers from 0 to 1, for delays that are not the same everywhere.

    Attributes:
        memory: Where is kept how the accounts are doing.
        queue: What waits.
        waiters: Who waits for it.
        suspended: Why nothing is sent; empty: all is well.
        is_stopping: Nothing new is begun.

    """

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
        self.spool = spool
        self.accounts = accounts
        self.events = events
        self.notices = notices
        self.limits = limits or Limits()
        self.clock = clock or Clock()
        self.alarm = alarm or _be_silent
        self.chance = chance
        self.queue = Queue()
        self.waiters = Waiters()
        self.suspended = ""
        self.is_stopping = False
        self.recorder = Recorder(
            spool, notices, events, self.clock, add=self._add, alarm=self.alarm
        )
        self._recorders = Crew(_RECORDERS, "recorder")
        self.memory = memory or Memory()
        self._lock = threading.Lock()
        self._healths: dict[str, Health] = {}
        self._unrecorded: list[tuple[Item, Unrecorded]] = []
        self._refused_s: dict[str, float] = {}  # since when a sender is refused, by queue ID

    # -- accounts ------------------------------------------------------------------------------

    def health(self, name: str) -> Health | None:
        """Return how an account is doing; None: there is no such account any more."""
        with self._lock:
            health = self._healths.get(name)
            if health is None:
                try:
                    account = self.accounts.named(name)
                except PillarboxError:
                    return None
                health = self._healths[name] = Health(account, self.memory, self.clock)
            return health

    def healths(self) -> list[Health]:
        """Return what is known of every account that was used."""
        with self._lock:
            return list(self._healths.values())

    def known_health(self, name: str) -> Health | None:
        """Return how an account is doing that was used; None: it was not."""
        return self._healths.get(name)

    def lane_for(self, name: str) -> str:
        """Return the account that mail of an account goes through now: it, or a fallback."""
        seen = {name}
        current = name
        while (health := self.health(current)) is not None:
            with health.lock:
                # When its next try has come, a mail is what tries it.
                now = self.clock.elapsed_s()
                if not health.breaker.is_broken or health.breaker.may_try(now):
                    return current
            following = health.account.fallback
            if not following or following in seen:
                return name
            seen.add(following)
            current = following
        return name

    def account_failed(
        self,
        health: Health,
        kind: str,
        trouble: Trouble,
        session: Session,
        *,
        is_opening: bool = False,
    ) -> None:
        """
        Have an account wait, and tell whom it concerns, once. Fsyncs.

        Args:
            health: The account.
            kind: One of ``policy.KINDS``.
            trouble: What happened.
            session: Over what.
            is_opening: No connection was had at all.

        """
        name = health.account.name
        reason = shown_reason(trouble, session.secret)
        with health.lock:
            breaker = health.breaker
            has_opened = breaker.failed(
                kind,
                reason,
                now_s=self.clock.epoch_s(),
                elapsed_s=self.clock.elapsed_s(),
                chance=self.chance(),
                is_login_made=policy.is_login_made(trouble),
                is_session=not is_opening,
            )
            wait = breaker.wait_s(self.clock.elapsed_s())
            is_broken, needs_notice = breaker.is_broken, breaker.needs_notice
            if needs_notice:
                breaker.told()  # here, as several connections may fail at once
            health.trouble = trouble
        health.save()
        waiting = self.queue.items(name)
        self.events.event(
            CRITICAL if has_opened and is_broken else WARNING,
            "account_paused" if has_opened else "account_failed",
            account=name,
            kind=kind,
            waiting=len(waiting),
            next_s=round(wait),
            reason=reason,
            advice=trouble.advice,
        )
        for item in waiting:
            self.answer_waiters(item.id, trouble)
        if is_broken:
            moved = self.queue.reroute(name, lambda item: self.lane_for(item.account))
            if moved:
                self.events.event(NOTICE, "rerouted", account=name, count=moved)
        if needs_notice:
            self._tell_of_account(health, trouble, session, len(waiting))

    def _tell_of_account(
        self, health: Health, trouble: Trouble, session: Session, waiting: int
    ) -> None:
        other = self.health(health.account.fallback) if health.account.fallback else None
        fallback = other.account if other is not None and not other.breaker.is_broken else None
        try:
            told = self.notices.broken_for(
                health.account,
                trouble.problem,
                waiting=waiting,
                now_s=self.clock.epoch_s(),
                fallback=fallback,
                advice=trouble.advice,
                secret=session.secret,
            )
            self.recorder.tell(told)
        except PillarboxError as exc:
            name = health.account.name
            self.events.event(ERROR, "notice_failed", account=name, reason=str(exc))

    # -- entries -------------------------------------------------------------------------------

    def take_in(self, entry: Entry) -> bool:
        """Have an entry of the spool delivered; False: it is known, or nobody waits for it."""
        now = self.clock.elapsed_s()
        progress = entry.progress
        if progress.is_final:
            self._clear_away(entry)
            return False
        item = Item(entry, due_s=now + self._remaining_s(progress), watched_s=now)
        item.lane = self.lane_for(item.account)
        health = self.health(item.lane)
        is_new = self.queue.add(item)
        why = self._why_it_waits(health, is_urgent=item.priority >= URGENT)
        if why is not None:
            self.answer_waiters(item.id, why)
        return is_new

    def _why_it_waits(self, health: Health | None, *, is_urgent: bool) -> Trouble | None:
        """Return why a new mail cannot be sent at once; None: it can."""
        if health is None:
            problem: str = say("its account is not in the configuration any more")
        elif self.suspended:
            problem = self.suspended
        elif not health.may_try():
            if health.trouble is not None:
                return health.trouble
            problem = health.breaker.reason or say("its account is paused")
        elif health.wait_s(is_urgent=is_urgent) > 0:
            problem = say("its account has sent as much as its limits allow for now")
        else:
            return None
        return Trouble(scope="account", stage="connect", problem=problem, exit_code=EX_TEMPFAIL)

    def _add(self, entry: Entry) -> None:
        self.take_in(entry)

    def _remaining_s(self, progress: Progress) -> float:
        """Return how long an entry still has to wait that was tried before we were started."""
        if not progress.attempts:
            return 0.0
        kind = "doubt" if progress.is_in_doubt else "mail"
        wait = schedule.mail_delay_s(kind, progress.attempts, chance=self.chance())
        since = self.clock.epoch_s() - progress.last_attempt_s
        return min(wait, max(0.0, wait - since)) if since >= 0 else wait

    def _clear_away(self, entry: Entry) -> None:
        """Remove an entry that nobody waits for: we ended before that could be done."""
        entry_id = entry.head.id
        try:
            # Perhaps it was not made durable before: a power cut could take both back, and the
            # mail would be sent again.
            claim = self.spool.claim(entry_id)
            try:
                claim.record(entry.progress, is_durable=True)
            finally:
                claim.close()
            if BOUNCED in entry.progress.statuses:
                self.spool.move(entry_id, QUEUE, FAILED)
            else:
                self.spool.remove(entry_id)
        except SpoolError as exc:
            self.events.event(ERROR, "spool_failed", id=entry_id, reason=str(exc))

    def claim(self, item: Item) -> Job | None:
        """Open the entry of an item; None: it is not to be sent, and was dealt with."""
        try:
            claim = self.spool.claim(item.id)
        except EntryNotFoundError:
            self.queue.forget(item)  # somebody has deleted it
            return None
        except CorruptEntryError as exc:
            self.queue.forget(item)
            self.events.event(CRITICAL, "corrupt", id=item.id, reason=str(exc))
            self.alarm(f"mail {item.id} is damaged", str(exc))
            return None
        except SpoolError as exc:
            self.events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
            self.queue.give_back(item, self.clock.elapsed_s() + LATER_S)
            return None
        if claim.entry.progress.is_final:
            claim.close()
            self.queue.forget(item)
            self._clear_away(claim.entry)
            return None
        watched = self.clock.elapsed_s() - item.watched_s
        return Job(item, claim, now_s=self.clock.epoch_s(), watched_s=watched)

    def refused_before_s(self, entry_id: str) -> float | None:
        """Return how long ago the sender of an entry was refused first; None: it was not."""
        since = self._refused_s.get(entry_id)
        return None if since is None else self.clock.elapsed_s() - since

    def finish(
        self,
        job: Job,
        judgement: policy.Judgement,
        session: Session,
        *,
        is_expired: bool = False,
    ) -> None:
        """
        Write down what became of an entry, and have it wait, or leave. Blocks.

        That all got it is made durable by other threads meanwhile, many at a time: a disk takes
        eight flushes at once in little more time than one. See ``settle``.
        """
        item = job.item
        if judgement.is_refused:
            self._refused_s.setdefault(item.id, self.clock.elapsed_s())
        promises = self.waiters.take(item.id)
        ending = _Ending(job, judgement, session, promises)
        try:
            progress = self.recorder.begin(
                job, judgement, session, tells_sender=not promises, is_expired=is_expired
            )
        except Unrecorded as exc:
            self._suspend(item, exc)
            ending.tell(is_kept=True)
        except SpoolError as exc:
            # A notice did not fit in: nothing was decided, and nothing is lost.
            job.claim.close()
            self.events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
            self.queue.give_back(item, self.clock.elapsed_s() + LATER_S)
            ending.tell(is_kept=True)
        else:
            if progress.is_final and BOUNCED not in progress.statuses:
                self._recorders.do(lambda: self.guard(self._complete, ending, progress))
            else:
                self._complete(ending, progress)

    def _complete(self, ending: _Ending, progress: Progress) -> None:
        job, judgement = ending.job, ending.judgement
        item = job.item
        try:
            is_gone = self.recorder.complete(job, progress)
        except Unrecorded as exc:
            self._suspend(item, exc)
            ending.tell(is_kept=True)
            return
        attempts = job.progress.attempts + (not job.has_begun)
        delay = schedule.mail_delay_s(judgement.wait, attempts, chance=self.chance())
        self.recorder.log(job, judgement, ending.session, next_try_s=None if is_gone else delay)
        item.watched_s = self.clock.elapsed_s()
        if is_gone:
            self._refused_s.pop(item.id, None)
            self.queue.forget(item)
        else:
            self.queue.give_back(item, item.watched_s + delay)
        ending.tell(is_kept=not is_gone)

    def guard(self, target: Callable[..., None], *args: object) -> bool:
        """
        Do something in a thread; a fault of ours ends in one line and not in a traceback.

        Returns:
            Whether it was done.

        """
        try:
            target(*args)
        except Exception as exc:  # noqa: BLE001 (the last resort of a thread)
            trace = exc.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            place = ""
            if trace is not None:
                place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
            self.events.event(CRITICAL, "fault", kind=type(exc).__name__, place=place)
            return False
        return True

    def settle(self) -> None:
        """Wait until all is written down, durably as far as it can be. Blocks and fsyncs."""
        self._recorders.wait()
        self.retry_records()
        self.spool.settle()

    # -- what cannot be written down -----------------------------------------------------------

    def _suspend(self, item: Item, exc: Unrecorded) -> None:
        """Send nothing more: what cannot be written down would be sent again and again."""
        with self._lock:
            self._unrecorded.append((item, exc))
            self.suspended = say(
                "nothing is sent, because what became of a mail cannot be written down: {reason}",
                reason=str(exc.cause),
            )
        self.events.event(CRITICAL, "suspended", id=item.id, reason=self.suspended)
        self.alarm("the mail queue is suspended", self.suspended)

    def retry_records(self) -> None:
        """Write down what could not be written down; when all is, go on. Blocks and fsyncs."""
        with self._lock:
            waiting, self._unrecorded = self._unrecorded, []
        for item, exc in waiting:
            try:
                is_gone = exc.again()
            except SpoolError:
                with self._lock:
                    self._unrecorded.append((item, exc))
                continue
            if is_gone:
                self.queue.forget(item)
            else:
                self.queue.give_back(item, self.clock.elapsed_s() + LATER_S)
        with self._lock:
            is_over = bool(self.suspended) and not self._unrecorded
            if is_over:
                self.suspended = ""
        if is_over:
            self.events.event(NOTICE, "resumed")

    def answer_waiters(self, entry_id: str, trouble: Trouble) -> None:
        """Tell who waits for an entry that its account cannot be used now."""
        promises = self.waiters.take(entry_id)
        if promises:
            try:
                paths = self.spool.read(entry_id).head.envelope.forward_paths
            except SpoolError:
                paths = ()
            statuses = [deferred(path, trouble) for path in paths]
            keep(promises, entry_id, statuses, is_kept=True)


class _Ending:
    """What is to be written down of an attempt, and who waits for it."""

    __slots__ = ("job", "judgement", "promises", "session")

    def __init__(
        self,
        job: Job,
        judgement: policy.Judgement,
        session: Session,
        promises: Sequence[Future[Result]],
    ) -> None:
        self.job = job
        self.judgement = judgement
        self.session = session
        self.promises = promises

    def tell(self, *, is_kept: bool) -> None:
        """Answer who waits."""
        keep(self.promises, self.job.head.id, self.judgement.statuses, is_kept=is_kept)


def _be_silent(_subject: str, _text: str) -> None:
    pass
