"""
Writing down what became of an entry, in the order in which nothing is lost.

1. The failure notice for whom it could not be delivered is put into the spool, durably.
2. The statuses are rewritten in place, durably as soon as anybody's is final.
3. An entry that nobody waits for any more is removed, or filed among the failed.

A crash between 1 and 2 makes two notices, one between 2 and 3 an entry that is removed at the next
start; never is a mail lost, or sent again to whom it was delivered. That it failed in step 2 is the
one failure that stops the queue: what cannot be written down would be sent again.
"""

from __future__ import annotations

import os

from pillarbox.delivery.events import ERROR, INFO, NOTICE, WARNING
from pillarbox.delivery.provider_ids import provider_id
from pillarbox.delivery.report import log_lines, mask, telling_starts, write_log
from pillarbox.delivery.submit import Outcome
from pillarbox.errors import EX_TEMPFAIL, EntryNotFoundError, PillarboxError, SpoolError
from pillarbox.mail.reply import printable
from pillarbox.mail.status import BOUNCED as IS_BOUNCED
from pillarbox.mail.status import DEFERRED as IS_DEFERRED
from pillarbox.mail.status import DELIVERED as IS_DELIVERED
from pillarbox.mail.status import Trouble
from pillarbox.mail.status import bounced as bounce
from pillarbox.spool.base import BOUNCED, DELIVERED, FAILED, QUEUE, Entry, Progress
from pillarbox.spool.entry import make_entry_id
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pillarbox.config.account import Account
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events
    from pillarbox.delivery.job import Job
    from pillarbox.delivery.notices import Notice, Notices, Told
    from pillarbox.delivery.policy import Judgement
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.secret import Secret
    from pillarbox.spool.base import Spool

__all__ = ["Recorder", "Session", "Unrecorded", "expired", "shown_reason"]

_MAX_REASON = 160  # characters of the reason that stands in the spool
_START_OF_CONTENT = 1 << 16  # octets that a notice's copy of the header section is taken from


class Session(Value):
    """
    What is to be known of the connection over which a mail went.

    Attributes:
        account: The account.
        greeting: What the server said first; empty: nothing.
        secret: What texts from it are cleaned of.

    """

    __slots__ = ("_starts", "account", "greeting", "secret")

    def __init__(self, account: Account, greeting: str = "", secret: Secret | None = None) -> None:
        self.account = account
        self.greeting = greeting
        self.secret = secret
        self._starts = telling_starts(secret)

    def masked(self, text: str) -> str:
        """Return a text from the server with the secret starred out."""
        data = text.encode("utf-8", "surrogatepass")
        for start in self._starts:
            if start in data:
                return _masked(text, self.secret)
        return data.decode("utf-8", "replace")


class Unrecorded(Exception):  # noqa: N818 (a signal between two modules, no fault by itself)
    """
    What became of a mail could not be written down.

    Attributes:
        cause: Why not.
        again: Tries once more; raises ``SpoolError`` when it fails again.

    """

    def __init__(self, cause: SpoolError, again: Callable[[], bool]) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.again = again


class Recorder:
    """
    Writes down what became of entries, and tells whom it concerns.

    Args:
        spool: Where they are.
        notices: Makes the mails that tell of failures.
        events: Gets a line for each.
        clock: The time.
        add: Gets each new entry, a notice, for the queue.
        alarm: Told of what no mail can tell: subject and text.

    """

    def __init__(
        self,
        spool: Spool,
        notices: Notices,
        events: Events,
        clock: Clock,
        *,
        add: Callable[[Entry], None],
        alarm: Callable[[str, str], None],
    ) -> None:
        self._spool = spool
        self._notices = notices
        self._events = events
        self._clock = clock
        self._add = add
        self._alarm = alarm

    def begin(
        self,
        job: Job,
        judgement: Judgement,
        session: Session,
        *,
        tells_sender: bool,
        is_expired: bool = False,
    ) -> Progress:
        """
        Write down what an attempt came to, so that it survives our own end; see ``complete``.

        Args:
            job: The entry.
            judgement: What its statuses mean.
            session: How it went.
            tells_sender: Who handed it over is told of failures by a notice; else he waits for
                the answer, and gets it.
            is_expired: It is given up because of its age.

        Returns:
            What was written.

        Raises:
            SpoolError: A notice could not be written: nothing is recorded, and it is to be
                tried later.
            Unrecorded: The statuses could not be written.

        """
        statuses = bytearray(job.progress.statuses)
        if is_expired:
            age_s = max(0, round(self._clock.epoch_s() - job.head.accepted_s))
            self._events.event(WARNING, "expired", id=job.head.id, age_s=age_s)
        failed = []
        for place, status in zip(job.places, judgement.statuses, strict=True):
            if status.action == IS_DELIVERED:
                statuses[place : place + 1] = DELIVERED
            elif status.action == IS_BOUNCED:
                statuses[place : place + 1] = BOUNCED
                failed.append(status)
        if failed and tells_sender:
            told = self._notices.bounce_for(
                job.head,
                failed,
                _start_of(job),
                session.account,
                now_s=self._clock.epoch_s(),
                greeting=session.greeting,
                secret=session.secret,
                is_expired=is_expired,
            )
            self.tell(told, job.head.id)
        progress = self._progress(job, bytes(statuses), judgement, session.secret)
        try:
            job.claim.record(progress, is_durable=False)
        except SpoolError as exc:
            raise Unrecorded(exc, lambda: self._write_again(job, progress)) from exc
        return progress

    def complete(self, job: Job, progress: Progress) -> bool:
        """
        Have it survive a power cut as well, and let the entry leave if nobody waits any more.

        Blocks and fsyncs; the claim is closed.

        Returns:
            Whether the entry is out of the queue.

        Raises:
            Unrecorded: It could not be written.

        """
        try:
            return self._write(job, progress)
        except SpoolError as exc:
            raise Unrecorded(exc, lambda: self._write_again(job, progress)) from exc

    def _write_again(self, job: Job, progress: Progress) -> bool:
        """Write through a new descriptor: of one that failed, Linux says yes the next time."""
        job.claim.close()
        try:
            job.claim = self._spool.claim(job.head.id)
        except EntryNotFoundError:
            return True  # somebody has deleted it
        return self._write(job, progress)

    def _write(self, job: Job, progress: Progress) -> bool:
        if progress.statuses != job.progress.statuses:
            job.claim.record(progress, is_durable=True)
        job.claim.close()
        if not progress.is_final:
            return False
        if BOUNCED in progress.statuses:
            self._spool.move(job.head.id, QUEUE, FAILED)
        else:
            self._spool.remove(job.head.id, QUEUE)
        return True

    def warn(
        self,
        job: Job,
        statuses: Sequence[RecipientStatus],
        session: Session,
        *,
        retry_until_s: float,
    ) -> None:
        """
        Tell a sender that his mail takes long, once. The claim stays open.

        Raises:
            SpoolError: It could not be written down.

        """
        told = self._notices.delay_for(
            job.head,
            statuses,
            _start_of(job),
            session.account,
            now_s=self._clock.epoch_s(),
            retry_until_s=retry_until_s,
            greeting=session.greeting,
            secret=session.secret,
        )
        self.tell(told, job.head.id)
        before = job.progress
        job.progress = Progress(
            before.statuses,
            attempts=before.attempts,
            last_attempt_s=before.last_attempt_s,
            observed_s=before.observed_s + job.watched_s,
            is_in_doubt=before.is_in_doubt,
            has_warned=True,
            reason=before.reason,
        )
        job.claim.record(job.progress, is_durable=False)

    def put(self, notice: Notice, about: str = "") -> None:
        """
        Put a notice into the queue, about an entry if it is about one. Blocks and fsyncs.

        Raises:
            SpoolError: It is not there.

        """
        now = self._clock.epoch_s()
        head = notice.head(make_entry_id(now, os.urandom(16)), now_s=now)
        draft = self._spool.begin(head)
        try:
            draft.write(notice.content)
            draft.commit()
        except SpoolError:
            draft.discard()
            raise
        self._notices.settled(notice)
        recipients = head.envelope.forward_paths
        self._events.event(
            NOTICE,
            "notice",
            id=head.id,
            about=about,
            to=",".join(map(str, recipients)),
            account=head.account,
        )
        progress = Progress(b"P" * len(recipients))
        self._add(Entry(head, progress, len(notice.content)))

    def tell(self, told: Told, entry_id: str = "") -> None:
        """Put a notice into the queue, or say why there is none; see ``put``."""
        if told.notice is not None:
            self.put(told.notice, entry_id)
        elif told.reason:
            self._events.event(
                ERROR if told.needs_alarm else NOTICE,
                "no_notice",
                id=entry_id,
                reason=told.reason,
            )
        if told.needs_alarm:
            what = f"mail {entry_id} failed" if entry_id else "mail is not being sent"
            self._alarm(what, str(told.reason))

    def _progress(
        self, job: Job, statuses: bytes, judgement: Judgement, secret: Secret | None
    ) -> Progress:
        before = job.progress
        # It was counted already when its content began to leave.
        is_new = judgement.is_counted and not job.has_begun
        trouble = judgement.trouble
        return Progress(
            statuses,
            attempts=before.attempts + is_new,
            last_attempt_s=self._clock.epoch_s() if is_new else before.last_attempt_s,
            observed_s=before.observed_s + job.watched_s,
            is_in_doubt=judgement.is_in_doubt,
            has_warned=before.has_warned,
            reason=shown_reason(trouble, secret) if trouble is not None else "",
        )

    def log(
        self, job: Job, judgement: Judgement, session: Session, *, next_try_s: float | None
    ) -> None:
        """
        Write the lines of an attempt.

        Args:
            job: The entry.
            judgement: What became of it.
            session: How it went.
            next_try_s: In how many seconds it is tried again; None: never.

        """
        head = job.head
        event = self._events.event
        account = session.account
        if account.name != head.account:
            event(NOTICE, "rerouted", id=head.id, account=head.account, via=account.name)
        if job.changes:
            rules = ",".join(dict.fromkeys(change.rule for change in job.changes))
            event(INFO, "repaired", id=head.id, rules=rules)
        now = self._clock.epoch_s()
        has_failed = BOUNCED in job.progress.statuses
        for action, level in ((IS_DELIVERED, INFO), (IS_DEFERRED, NOTICE), (IS_BOUNCED, WARNING)):
            for statuses in _alike(judgement.statuses, action):
                first = statuses[0]
                has_failed = has_failed or action == IS_BOUNCED
                reply = session.masked(str(first.reply or ""))
                event(
                    level,
                    action,
                    id=head.id,
                    account=account.name,
                    host=account.host,
                    from_=str(job.envelope.reverse_path or "<>"),
                    to=",".join([str(status.forward_path) for status in statuses]),
                    attempts=job.progress.attempts + (not job.has_begun),
                    age_s=max(0, round(now - head.accepted_s)),
                    next_s=round(next_try_s)
                    if action == IS_DEFERRED and next_try_s is not None
                    else None,
                    possible_duplicate="yes"
                    if (action == IS_DELIVERED and job.was_in_doubt) or first.is_in_doubt
                    else None,
                    provider_id=provider_id(reply) if action == IS_DELIVERED else None,
                    message_id=job.message_id,
                    reply=reply,
                    reason=session.masked(first.trouble.problem)
                    if first.trouble is not None
                    else None,
                )
        if next_try_s is None and has_failed:
            event(NOTICE, "filed", id=head.id, state=FAILED)
        self._write_log(job, judgement, session)

    def _write_log(self, job: Job, judgement: Judgement, session: Session) -> None:
        """Write msmtp's own line where the account asks for it."""
        account = session.account
        if not account.logfile and not account.syslog:
            return
        statuses = tuple(judgement.statuses)
        outcome = Outcome(
            job.envelope,
            statuses,
            hints=(None,) * len(statuses),
            warnings=tuple(job.warnings),
            size_bytes=job.claim.entry.size_bytes,
            changes=tuple(job.changes),
            secret=session.secret,
        )
        try:
            write_log(account, log_lines(outcome, account), is_success=outcome.exit_code == 0)
        except PillarboxError as exc:
            self._events.event(WARNING, "log_failed", id=job.head.id, reason=str(exc))


def expired(job: Job, lifetime_s: float) -> list[RecipientStatus]:
    """Return the statuses of an entry that is given up because of its age."""
    problem = say(
        "it could not be delivered within {days} days; last: {reason}",
        days=round(lifetime_s / 86400, 1),
        reason=job.progress.reason or say("no attempt was answered"),
    )
    trouble = Trouble(scope="message", stage="idle", problem=problem, exit_code=EX_TEMPFAIL)
    return [bounce(path, trouble) for path in job.envelope.forward_paths]


def _start_of(job: Job) -> bytes:
    job.claim.rewind()
    start = b""
    while len(start) < _START_OF_CONTENT:
        chunk = job.claim.read(_START_OF_CONTENT - len(start))
        if not chunk:
            break
        start += chunk
    return start


def _alike(statuses: Sequence[RecipientStatus], action: str) -> list[list[RecipientStatus]]:
    """Return the statuses of an action, those of one cause together."""
    found = [status for status in statuses if status.action == action]
    if len(found) < 2:
        return [found] if found else []
    groups: dict[object, list[RecipientStatus]] = {}
    for status in found:
        cause = status.trouble if status.trouble is not None else str(status.reply)
        groups.setdefault(cause, []).append(status)
    return list(groups.values())


def shown_reason(trouble: Trouble, secret: Secret | None) -> str:
    """Return why, in one line for the spool: what the server said goes before what we think."""
    text = str(trouble.reply) if trouble.reply is not None else trouble.problem
    return printable(_masked(text, secret), _MAX_REASON)


def _masked(text: str, secret: Secret | None) -> str:
    return mask(text.encode("utf-8", "surrogatepass"), secret).decode("utf-8", "replace")
