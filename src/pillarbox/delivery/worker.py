"""
One connection to an account's relay host, and the mail that goes over it.

1. ``Worker._next_item`` - what is due, as far as the account's breaker and budget allow.
2. ``Worker._open`` - connect and log in; a failure is the account's.
3. ``Worker._send`` - as many mails as there are, pipelined.
4. ``Worker._conclude`` - what the answers mean, for the mail and for the account.

A connection is kept for a while, so that the next mail finds it warm.
"""

from __future__ import annotations

from contextlib import suppress
from os import geteuid

from pillarbox.delivery import policy
from pillarbox.delivery.events import NOTICE
from pillarbox.delivery.recorder import Session
from pillarbox.delivery.submit import connect_for, hints_for
from pillarbox.delivery.traffic import FAULT_S, URGENT
from pillarbox.errors import PillarboxError, SpoolError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.status import DEFERRED, Trouble, deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.delivery.attempt import Connection, Mail
    from pillarbox.delivery.health import Health
    from pillarbox.delivery.job import Job
    from pillarbox.delivery.queue import Item
    from pillarbox.delivery.traffic import Traffic
    from pillarbox.mail.status import RecipientStatus

__all__ = ["Worker"]

_CLOSING = 421

# For the explanation of a failure that is no recipient's.
_NOBODY = parse_mailbox("postmaster")


class _Way:
    """A connection that is open, what it was used for, and since when (elapsed seconds)."""

    def __init__(self, connection: Connection, session: Session, opened_s: float) -> None:
        self.connection = connection
        self.session = session
        self.opened_s = opened_s
        self.mails = 0
        self.has_delivered = False
        self.is_fresh = True  # nothing was sent over it before this round
        self.jobs: dict[int, Job] = {}  # which job a mail is of, by the mail's identity
        self.open_jobs: list[Job] = []


class Worker:
    """
    Serves one account.

    Args:
        traffic: What it shares with the others.
        health: The account.
        lingers: Wait for more when nothing is due.

    """

    def __init__(self, traffic: Traffic, health: Health, *, lingers: bool) -> None:
        self._traffic = traffic
        self._queue = traffic.queue
        self._clock = traffic.clock
        self._limits = traffic.limits
        self._health = health
        self._name = health.account.name
        self._lingers = lingers
        self._way: _Way | None = None
        self._out: dict[str, Item] = {}  # taken, and not come to an end
        self._taken_s = 0.0  # when the last of them was, and was counted (elapsed seconds)

    def serve(self) -> None:
        """Send what is due, until there is no use in waiting for more. Blocks."""
        try:
            while (item := self._next_item()) is not None:
                if self._way is not None and not self._is_usable(self._way):
                    self._close()
                way = self._way or self._open(item)
                if way is None:
                    return
                self._way = way
                self._send(way, item)
        except Exception:
            # A fault of ours: what we had waits for a while, and the rest is another worker's.
            self._put_off()
            raise
        finally:
            self._close()

    def _put_off(self) -> None:
        later_s = self._clock.elapsed_s() + FAULT_S
        for job in self._way.open_jobs if self._way is not None else ():
            job.claim.close()
        for item in self._out.values():
            self._queue.give_back(item, later_s)

    @property
    def _may_go_on(self) -> bool:
        return not self._traffic.is_stopping and not self._traffic.suspended

    def _close(self) -> None:
        way, self._way = self._way, None
        if way is not None:
            way.connection.close()

    # -- what is due ---------------------------------------------------------------------------

    def _next_item(self) -> Item | None:
        """Return the next item that may be sent, perhaps after a while; None: give up."""
        limit = self._clock.elapsed_s() + self._limits.idle_s
        while self._may_go_on:
            item = self._take()
            if item is not None:
                return item
            if self._way is None or not self._lingers or not self._wait(limit):
                return None
        return None

    def _wait(self, limit_s: float) -> bool:
        """Wait until something may be due; False: it is not worth it."""
        queue = self._queue
        with queue.changed:
            now = self._clock.elapsed_s()
            due = queue.due_s(self._name)
            if now >= limit_s:
                return False
            if due is not None and due <= now:
                # It came this very moment, or the account may not be used for it.
                return self._health.wait_s(is_urgent=self._is_urgent(now)) == 0
            if self._may_go_on:
                self._health.idle += 1
                queue.changed.wait(min(limit_s, limit_s if due is None else due) - now)
                self._health.idle -= 1
        return True

    def _take(self) -> Item | None:
        """Take the next item, as far as the account's breaker and budget allow."""
        now, health = self._clock.elapsed_s(), self._health
        if health.wait_s(is_urgent=self._is_urgent(now)):
            return None
        item = self._queue.take(self._name, now)
        if item is not None:
            with health.lock:
                health.budget.take(now)
            self._taken_s = now
            self._out[item.id] = item
        return item

    def _is_urgent(self, now_s: float) -> bool:
        """Tell whether the next item may use the reserve of the account's budget, if it has one."""
        if not self._health.budget.has_limits:
            return False
        item = self._queue.first(self._name, now_s)
        return item is not None and item.priority >= URGENT

    # -- the connection ------------------------------------------------------------------------

    def _has_room(self, way: _Way) -> bool:
        age = self._clock.elapsed_s() - way.opened_s
        return way.mails < self._limits.mails and age < self._limits.lifetime_s

    def _is_usable(self, way: _Way) -> bool:
        """Tell whether a connection that was kept can be used for one more mail."""
        stream = way.connection.stream
        if stream is None or way.connection.trouble is not None or not self._has_room(way):
            return False
        return not stream.has_input()  # it would be a farewell

    def _open(self, item: Item) -> _Way | None:
        """Connect and log in; None: it failed, the item waits, and the account was told."""
        health = self._health
        with health.lock:
            health.breaker.trying(self._clock.elapsed_s())
            is_proven = health.breaker.is_proven
        if not is_proven:
            health.save()  # before the login is made: a crash must not make us forget it
        connection = None
        try:
            environment = self._traffic.accounts.environment
            connection = connect_for(health.account, environment=environment, is_attended=False)
            trouble = connection.open()
            kind = "" if trouble is None else _kind_of(trouble, connection)
        except PillarboxError as exc:
            kind = policy.error_event(exc)
            trouble = _as_trouble(exc)
        if connection is not None and trouble is None:
            return self._opened(connection, is_proven=is_proven)
        assert trouble is not None
        secret = connection.route.secret if connection is not None else None
        if connection is not None:
            connection.close()
        with health.lock:
            health.budget.give_back(self._taken_s)  # no mail was sent
        del self._out[item.id]
        self._queue.give_back(item, self._clock.elapsed_s())
        session = Session(health.account, "", secret)
        self._traffic.account_failed(health, kind or "site", trouble, session, is_opening=True)
        return None

    def _opened(self, connection: Connection, *, is_proven: bool) -> _Way:
        health, client = self._health, connection.client
        with health.lock:
            was_failing = health.breaker.succeeded(self._clock.elapsed_s())
            health.trouble = None
        if was_failing or not is_proven:
            # What was written down before said that a login was under way: after a crash it
            # would count as one that failed, and eight of them end the day.
            health.save()
        if was_failing:
            self._traffic.events.event(NOTICE, "account_recovered", account=self._name)
        greeting = str(client.greeting) if client is not None and client.greeting else ""
        session = Session(health.account, greeting, connection.route.secret)
        return _Way(connection, session, self._clock.elapsed_s())

    # -- mails ---------------------------------------------------------------------------------

    def _send(self, way: _Way, first: Item) -> None:
        """Send items over a connection, as long as there are some and it takes them."""
        for ended in way.connection.deliver(self._mails(way, first)):
            job = way.jobs.pop(id(ended.mail))
            job.ended(ended)
            if job.is_complete:
                self._conclude(way, job)
        for job in tuple(way.open_jobs):
            job.abandon()
            self._conclude(way, job)
        way.jobs.clear()
        way.is_fresh = False
        if way.connection.trouble is not None:
            self._close()

    def _mails(self, way: _Way, first: Item) -> Iterator[Mail]:
        """Yield the mails of an item and of those that are due behind it."""
        item: Item | None = first
        while item is not None:
            job = self._traffic.claim(item)
            if job is None:
                del self._out[item.id]
            else:
                way.open_jobs.append(job)
                way.mails += 1
                for mail in job.mails(self._health.account, way.connection.client):
                    way.jobs[id(mail)] = job
                    yield mail
                if job.is_complete and job in way.open_jobs:
                    self._conclude(way, job)
            item = self._take() if self._may_go_on and self._has_room(way) else None

    def _conclude(self, way: _Way, job: Job) -> None:
        """Judge an attempt, have the account hear of it, and write it down."""
        way.open_jobs.remove(job)
        trouble = way.connection.trouble
        statuses = job.statuses(trouble)
        if not way.is_fresh and _is_stale(statuses, trouble):
            # The server had ended the connection while it was kept: nobody's failure.
            del self._out[job.item.id]
            self._forget_attempt(job)
            return
        judgement = policy.judge(
            statuses,
            hints_for(statuses, way.connection),
            refused_before_s=self._traffic.refused_before_s(job.item.id),
            has_delivered=way.has_delivered,
            kind=self._health.breaker.kind,
        )
        way.has_delivered = way.has_delivered or any(each.trouble is None for each in statuses)
        self._tell_account(way, job, judgement)
        del self._out[job.item.id]
        self._traffic.finish(job, judgement, way.session)

    def _forget_attempt(self, job: Job) -> None:
        """Have an entry be as it was before an attempt that was none, and be tried at once."""
        with suppress(SpoolError):
            if job.has_begun:
                job.claim.record(job.before, is_durable=False)
        job.claim.close()
        self._queue.give_back(job.item, self._clock.elapsed_s())

    def _tell_account(self, way: _Way, job: Job, judgement: policy.Judgement) -> None:
        """Have the account hear what concerns it, once for each connection."""
        event, trouble, health = judgement.event, judgement.trouble, self._health
        if not event or trouble is None:
            with health.lock:
                has_healed = health.breaker.mail_accepted()
            if has_healed:
                health.save()
            return
        if event == "sender":
            with health.lock:
                is_open = health.breaker.sender_refused(
                    str(job.envelope.reverse_path or ""),
                    trouble.problem,
                    now_s=self._clock.epoch_s(),
                    elapsed_s=self._clock.elapsed_s(),
                    chance=self._traffic.chance(),
                    stranger=_stranger(job.head.origin.uid),
                )
            health.save()
            if not is_open:
                return
        elif not health.may_try():
            return  # it was told already
        self._traffic.account_failed(health, event, trouble, way.session)


def _stranger(uid: int) -> int | None:
    """Return a user who does not run this machine or this queue; None: he does, or is unknown."""
    return None if uid in (-1, 0, geteuid()) else uid


def _kind_of(trouble: Trouble, connection: Connection) -> str:
    hint = hints_for([deferred(_NOBODY, trouble)], connection)[0]
    return policy.account_event(trouble, hint)


def _as_trouble(exc: PillarboxError) -> Trouble:
    return Trouble(
        scope="account",
        stage="connect",
        problem=exc.problem,
        exit_code=exc.exit_code,
        advice=exc.advice,
    )


def _is_stale(statuses: Sequence[RecipientStatus], trouble: Trouble | None) -> bool:
    """Tell whether a kept connection was gone before anything could be said over it."""
    if trouble is None or (trouble.reply is not None and trouble.reply.code != _CLOSING):
        return False
    return all(status.action == DEFERRED and not status.is_in_doubt for status in statuses)
