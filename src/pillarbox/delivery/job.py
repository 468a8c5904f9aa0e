"""
One entry on its way: claimed from the spool, made into mails, and what became of each recipient.

1. ``Job.mails`` - what goes out, repaired for the server that it goes to. The content is read
   from the spool while it is sent.
2. ``Job.ended`` - what an attempt says of one of these mails.
3. ``Job.statuses`` - one for each recipient who waited, once ``is_complete``.

Before the end of a content leaves, the entry is marked as in doubt: should nobody hear the reply,
because the connection, this process or the machine ended, then it may have arrived (RFC 1047).
"""

from __future__ import annotations

from contextlib import suppress

from pillarbox.delivery.attempt import Mail
from pillarbox.delivery.journal import message_id_in
from pillarbox.delivery.outgoing import Stamp, outgoing_mails, with_allowed_sender
from pillarbox.errors import DataError, PillarboxError
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import Content, read_message
from pillarbox.mail.rescue import rescue
from pillarbox.mail.status import Trouble, bounced, deferred
from pillarbox.spool.base import PENDING, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.delivery.attempt import MailEnded
    from pillarbox.delivery.queue import Item
    from pillarbox.mail.repair import Change
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.smtp.client import Client
    from pillarbox.spool.base import Claim

__all__ = ["Job", "with_settings"]


class Job:
    """
    An entry that is being sent.

    Args:
        item: Its place in the queue.
        claim: The entry, open.
        now_s: Now, in seconds since the epoch.
        watched_s: How long its age was watched since that was written down last, in seconds.

    Attributes:
        envelope: Sender and those recipients who still wait.
        places: Their places among all recipients.
        changes: What was repaired.
        warnings: What was left out because the server does not offer it.
        message_id: That of what goes out, once it is made.
        is_given_out: Every mail of it was handed to the connection, or never will be.
        has_begun: Some of its content may have left.
        before: How far it was before this attempt.

    """

    def __init__(self, item: Item, claim: Claim, *, now_s: float, watched_s: float) -> None:
        self.item = item
        self.claim = claim
        self.head = head = claim.entry.head
        self.before = self.progress = before = claim.entry.progress
        self.watched_s = watched_s
        self.was_in_doubt = before.is_in_doubt
        self._now_s = now_s
        paths = head.envelope.forward_paths
        self.places = [
            place for place in range(len(paths)) if before.statuses[place : place + 1] == PENDING
        ]
        self.envelope = head.envelope
        if len(self.places) < len(paths):
            self.envelope = Envelope(
                head.envelope.reverse_path,
                tuple(paths[place] for place in self.places),
                ret=head.envelope.ret,
                envid=head.envelope.envid,
                notify=head.envelope.notify,
            )
        self.changes: list[Change] = []
        self.warnings: dict[str, None] = {}
        self.message_id = head.message_id
        self.is_given_out = False
        self.has_begun = False
        self._open = 0
        self._found: dict[str, RecipientStatus] = {}
        self._failure: Trouble | None = None
        self._is_failure_final = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing more will be heard of it."""
        return self.is_given_out and not self._open

    def mails(self, account: Account, client: Client | None) -> Iterator[Mail]:
        """
        Yield the mails of the entry; what is wrong with it becomes its statuses.

        Never raises for what an entry holds.
        """
        try:
            message = read_message(self.claim.read, remaining_bytes=self.claim.entry.size_bytes)
            account = with_settings(account, self.head.settings)
            if account.repair:
                message = rescue(message, self.changes)
            envelope = with_allowed_sender(account, self.envelope, client, self.changes)
            trace = self.head.trace.encode("ascii", "replace")
            stamp = Stamp(
                self.head.accepted_s, self.head.message_id, trace + b"\r\n" if trace else b""
            )
            for mail in outgoing_mails(account, envelope, message, client, self.changes, stamp):
                self._open += 1
                self.message_id = message_id_in(mail.content.first) or self.message_id
                yield Mail(mail.envelope, _Watched(mail.content, self))
        except PillarboxError as exc:
            self._failure = Trouble(
                scope="message",
                stage="content",
                problem=exc.problem,
                exit_code=exc.exit_code,
                advice=exc.advice,
            )
            # What is in the mail will be in it tomorrow; a disk may be mended.
            self._is_failure_final = isinstance(exc, DataError)
        self.is_given_out = True

    def ended(self, ended: MailEnded) -> None:
        """Take in what became of one of the mails."""
        self._open -= 1
        self.warnings.update(dict.fromkeys(ended.warnings))
        for status in ended.statuses:
            self._found[str(status.forward_path)] = status

    def abandon(self) -> None:
        """Expect nothing more: the connection is gone, and what it knew was told."""
        self.is_given_out = True
        self._open = 0

    def statuses(self, trouble: Trouble | None) -> list[RecipientStatus]:
        """
        Return a status for each who waited, in order.

        Args:
            trouble: Why the connection ended, for those of whom it said nothing.

        """
        trouble = self._failure or trouble
        statuses = []
        for path in self.envelope.forward_paths:
            status = self._found.get(str(path))
            if status is None:
                assert trouble is not None  # a connection that leaves a mail says why
                make = bounced if self._failure and self._is_failure_final else deferred
                status = make(path, trouble)
            statuses.append(status)
        return statuses

    def begin_content(self, *, is_whole: bool) -> None:
        """
        Write down that content leaves, before it does.

        Args:
            is_whole: With this, all of it has left: from now on the provider may have the mail.

        Raises:
            SpoolError: It cannot be written down; then nothing may leave.

        """
        is_first = not self.has_begun
        self.has_begun = True
        if not is_first and not is_whole:
            return
        before = self.progress
        self.progress = Progress(
            before.statuses,
            attempts=before.attempts + is_first,
            last_attempt_s=self._now_s,
            observed_s=before.observed_s,
            is_in_doubt=is_whole or before.is_in_doubt,
            has_warned=before.has_warned,
            reason=before.reason,
        )
        self.claim.record(self.progress, is_durable=False)


class _Watched(Content):
    """A content that says so before it leaves."""

    __slots__ = ("_job",)

    def __init__(self, content: Content, job: Job) -> None:
        super().__init__(
            content.first, content.rest, size_bytes=content.size_bytes, is_8bit=content.is_8bit
        )
        self._job = job

    def chunks(self) -> Iterator[tuple[bytes, bool]]:
        """Yield as ``Content.chunks`` does; blocks to write to the spool."""
        for chunk, is_last in super().chunks():
            self._job.begin_content(is_whole=is_last)
            yield chunk, is_last


def with_settings(account: Account, settings: dict[str, str]) -> Account:
    """Return the account with what the caller wished for this one mail."""
    if not settings:
        return account
    from pillarbox.config.account import FIELD_BY_NAME

    changed = account.copy()
    for name, value in settings.items():
        # They were checked when the mail came; another version of us may know other ones.
        with suppress(KeyError, ValueError):
            field = FIELD_BY_NAME[name]
            changed.set(field, field.parse(value), "")
    return changed
