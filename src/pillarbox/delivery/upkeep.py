"""
What a queue needs from time to time, whoever sends: looking at the spool, at ages, at files.

1. ``Upkeep.scan`` - what other processes put into the spool, what could not be written down, how
   old the mail is, and whose day's notices are due.
2. ``Upkeep.look_at_files`` - accounts that were configured anew, which may be what mends one.
3. ``Upkeep.note_ages`` - the age of each entry is written down, as no calendar is to be trusted.
"""

from __future__ import annotations

from pillarbox.delivery import policy, schedule
from pillarbox.delivery.events import ERROR, NOTICE, WARNING
from pillarbox.delivery.recorder import Session, expired
from pillarbox.errors import EX_TEMPFAIL, EntryNotFoundError, PillarboxError, SpoolError
from pillarbox.mail.status import Trouble, deferred
from pillarbox.spool.base import FAILED, Progress
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.delivery.health import Health
    from pillarbox.delivery.job import Job
    from pillarbox.delivery.queue import Item
    from pillarbox.delivery.traffic import Traffic

__all__ = ["AGES_S", "Upkeep"]

AGES_S = 3600.0  # how often it is written down that mail has grown older
_MAX_GAP_S = 86400.0
# Between two looks into an entry that is old by the calendar, and not by the other clock: with a
# wrong calendar that is the whole queue.
_JUDGED_S = 600.0
_WORTH_NOTING_S = 60.0  # less of an age than this need not outlive a restart


class Upkeep:
    """The chores of a queue; each is done by one thread at a time."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._queue = traffic.queue
        self._spool = traffic.spool
        self._events = traffic.events
        self._clock = traffic.clock

    def scan(self) -> None:
        """Look whether something is new, or has grown old. Blocks and fsyncs."""
        traffic = self._traffic
        try:
            self._spool.settle()
            self._find_new()
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", reason=str(exc))
        traffic.retry_records()
        self._look_at_ages()
        self._put_digests()
        for health in traffic.healths():
            if health.budget.has_limits:
                health.save()

    def added(self, entry_id: str) -> None:
        """Take in an entry that another process has put into the spool, if it is there."""
        if entry_id not in self._queue:
            try:
                entry = self._spool.read(entry_id)
            except SpoolError:
                return  # the next scan finds it
            self._traffic.take_in(entry)

    def _find_new(self) -> None:
        names = set(self._spool.names())
        known = set(self._queue.ids())
        for name in names - known:
            self.added(name)
        for name in known - names:
            self._look_for(name)

    def _look_for(self, name: str) -> None:
        """Forget an entry whose file somebody has removed."""
        try:
            self._spool.read(name)
        except EntryNotFoundError:
            item = self._queue.take_one(name)
            if item is not None:
                self._queue.forget(item)
        except SpoolError:
            return  # what is there and cannot be read is told when it is claimed

    def look_at_files(self) -> None:
        """Read the accounts again when one of their files has changed."""
        if not self._traffic.accounts.has_changed():
            return
        try:
            self.reload()
        except PillarboxError as exc:
            self._events.event(ERROR, "reload_refused", reason=str(exc))
        else:
            count = len(self._traffic.accounts.names())
            self._events.event(NOTICE, "reloaded", accounts=count)

    def reload(self) -> None:
        """
        Read the accounts again, and try at once what waited for that. Blocks.

        Raises:
            ConfigError, InputOutputError: They are broken; the accounts stay as they were.

        """
        accounts = self._traffic.accounts
        accounts.load()
        for health in self._traffic.healths():
            name = health.account.name
            if name in accounts.names():
                was_open = health.breaker.is_open
                health.renew(accounts.named(name))
                if was_open and not health.breaker.is_open:
                    self._events.event(NOTICE, "account_resumed", account=name)
        self._queue.set_due(self._clock.elapsed_s())

    # -- ages ----------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """
        Have mail be as old as it is, where no process watched it since the last look.

        Between two processes there is only the calendar. It is believed for a day at a time, so
        that no jump of it gives up a mail (attack P9).
        """
        now_s, memory = self._clock.epoch_s(), self._traffic.memory
        gap_s = memory.gap_s(now_s, _MAX_GAP_S)
        if 0 < gap_s < _WORTH_NOTING_S:
            return  # the next one counts it
        memory.has_looked(now_s)
        for item in self._queue.items():
            item.watched_s -= min(gap_s, max(0.0, now_s - item.accepted_s))

    def tend(self) -> None:
        """Do what a queue without a service needs of who looks at it. Blocks and fsyncs."""
        self._look_at_ages()
        self._put_digests()
        self.sweep_failed()

    def note_ages(self, limit_s: float = AGES_S) -> None:
        """
        Write down how long the age of each entry was watched. Blocks.

        Args:
            limit_s: After so many seconds the rest is left: it will only seem younger.

        """
        limit = self._clock.elapsed_s() + limit_s
        for item in self._queue.items():
            now = self._clock.elapsed_s()
            if now > limit:
                return
            is_young = now - item.watched_s < _WORTH_NOTING_S
            if is_young or self._queue.take_one(item.id) is None:
                continue
            try:
                before = self._spool.read(item.id).progress
                self._spool.update(item.id, _older(before, now - item.watched_s))
                item.watched_s = now
            except SpoolError as exc:
                self._events.event(WARNING, "spool_failed", id=item.id, reason=str(exc))
            finally:
                self._queue.give_back(item, item.due_s)

    def sweep_failed(self) -> None:
        """Remove what failed long ago. Blocks."""
        oldest = self._clock.epoch_s() - self._traffic.limits.failed_kept_s
        for name in self._spool.names(FAILED):
            try:
                if self._spool.read(name, FAILED).head.accepted_s < oldest:
                    self._spool.remove(name, FAILED)
            except SpoolError:
                continue  # it stays, for people to look at

    def _look_at_ages(self) -> None:
        """Warn of mail that takes long, and give up what took too long."""
        limits, now = self._traffic.limits, self._clock.epoch_s()
        for item in self._queue.items():
            age_s = now - item.accepted_s
            is_old = age_s >= limits.queue_lifetime_s
            is_late = age_s >= limits.warning_after_s and not item.was_warned
            elapsed_s = self._clock.elapsed_s()
            is_new = not item.judged_s or elapsed_s - item.judged_s >= _JUDGED_S
            if (is_old or is_late) and is_new and self._queue.take_one(item.id) is not None:
                item.judged_s = elapsed_s
                due_s = item.due_s
                health = self._traffic.health(item.lane)
                # Without its account there is nobody to speak for it.
                job = self._traffic.claim(item) if health is not None else None
                if health is None:
                    self._queue.give_back(item, due_s)
                elif job is not None:
                    self._judge_age(job, health, due_s)

    def _judge_age(self, job: Job, health: Health, due_s: float) -> None:
        limits, item = self._traffic.limits, job.item
        with health.lock:
            failures, is_broken = health.breaker.failures, health.breaker.is_broken
        age = schedule.age_of(
            job.head,
            job.progress,
            now_s=self._clock.epoch_s(),
            watched_s=job.watched_s,
            account_failures=failures,
        )
        has_warned = job.progress.has_warned
        session = Session(health.account)
        if schedule.is_expired(
            age, lifetime_s=limits.queue_lifetime_s, is_broken=is_broken, has_warned=has_warned
        ):
            statuses = expired(job, limits.queue_lifetime_s)
            judgement = policy.give_up(statuses)
            self._traffic.finish(job, judgement, session, is_expired=True)
            return
        if schedule.is_warning_due(age, after_s=limits.warning_after_s, has_warned=has_warned):
            self._warn(job, item, health, session)
        job.claim.close()
        self._queue.give_back(item, due_s)

    def _warn(self, job: Job, item: Item, health: Health, session: Session) -> None:
        trouble = health.trouble or _no_news(job)
        waiting = [deferred(path, trouble) for path in job.envelope.forward_paths]
        until = job.head.accepted_s + self._traffic.limits.queue_lifetime_s
        try:
            self._traffic.recorder.warn(job, waiting, session, retry_until_s=until)
        except SpoolError as exc:
            self._events.event(ERROR, "spool_failed", id=item.id, reason=str(exc))
            return
        item.was_warned = True
        item.watched_s = self._clock.elapsed_s()

    def _put_digests(self) -> None:
        traffic = self._traffic
        try:
            for notice in traffic.notices.due(traffic.accounts.named, now_s=self._clock.epoch_s()):
                traffic.recorder.put(notice)
        except PillarboxError as exc:
            self._events.event(ERROR, "notice_failed", reason=str(exc))


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
