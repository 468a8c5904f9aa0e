"""
One mail on its way into the spool: the part of the submission socket that blocks.

1. ``IncomingMail.write`` - the first piece makes the head and begins a draft; the others follow.
2. ``IncomingMail.finish`` - the last piece, and the commit: from then on the mail is kept.
3. ``IncomingMail.discard`` - in any case: what is not kept is gone.

A refusal is a value here and no exception: the rest of the content has to be swallowed anyway.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pillarbox.delivery.acceptance import make_head
from pillarbox.delivery.events import ERROR, WARNING
from pillarbox.delivery.journal import log_accepted
from pillarbox.errors import PillarboxError, SpoolError
from pillarbox.intake.admission import refusal
from pillarbox.intake.answers import refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

    from pillarbox.delivery.acceptance import Accounts, Submission
    from pillarbox.delivery.carrier import Carrier
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events
    from pillarbox.intake.admission import Admission
    from pillarbox.mail.reply import Reply
    from pillarbox.spool.base import Draft, Head, Spool

__all__ = ["Desk", "IncomingMail"]

_ROOM_EVERY = 1 << 22  # octets of a content after which the room is looked at again
_MAX_HOPS = 30  # Received fields; more is a loop (RFC 5321 6.3 wants at least 100 for a relay)


class Desk:
    """
    What the sessions of the socket share.

    Args:
        spool: Where mail is put.
        accounts: What it may go through.
        admission: The gate.
        carrier: Who brings it away.
        clock: For the time of acceptance.
        hostname: Our name, for Received.
        events: Told of each mail and each refusal.
        on_kept: Called with the user and the size of each mail that was kept; None: nobody counts.

    """

    def __init__(
        self,
        spool: Spool,
        accounts: Accounts,
        admission: Admission,
        carrier: Carrier,
        *,
        clock: Clock,
        hostname: str,
        events: Events,
        on_kept: Callable[[int, int], None] | None = None,
    ) -> None:
        self.spool = spool
        self.accounts = accounts
        self.admission = admission
        self.carrier = carrier
        self.clock = clock
        self.hostname = hostname
        self.events = events
        self.on_kept = on_kept


class IncomingMail:
    """
    One mail on its way in; its methods block, and are called by one thread at a time.

    Attributes:
        refusal: Why it is not taken, once that is known; nothing more of it is kept then.
        size_bytes: Octets of it so far.
        head: What its entry says; None: it has none yet.
        is_kept: It was committed.

    """

    def __init__(self, desk: Desk, submission: Submission, *, said_bytes: int) -> None:
        self.refusal: Reply | None = None
        self.size_bytes = 0
        self.head: Head | None = None
        self._desk = desk
        self._submission = submission
        self._said_bytes = said_bytes
        self._seen_bytes = 0  # when the room was looked at
        self._draft: Draft | None = None
        self.is_kept = False
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Write a piece; what goes wrong is in ``refusal``."""
        with self._lock:
            try:
                self._write(data)
            except PillarboxError as exc:
                self._give_up(exc)

    def finish(self, data: bytes, wait: Callable[[str], Future[Any]] | None) -> Future[Any] | None:
        """
        Write the last piece and commit; then the mail is kept, unless ``refusal`` says why not.

        Args:
            data: The last piece.
            wait: Asked for the result before the mail can have one; None: nobody waits.

        """
        with self._lock:
            future = None
            try:
                self._write(data)
                if self._draft is None or self.head is None:
                    return None
                if wait is not None:
                    future = wait(self.head.id)
                self._draft.commit()
            except PillarboxError as exc:
                self._give_up(exc)
                if future is not None:
                    future.cancel()
                return None
            self.is_kept = True
        log_accepted(self._desk.events, self.head, self.size_bytes)
        return future

    @property
    def has_leftovers(self) -> bool:
        """Whether ``discard`` has something to do. Between calls of the others only."""
        return self._draft is not None and not self.is_kept

    def discard(self) -> None:
        """Leave nothing behind, unless it is kept."""
        with self._lock:
            draft, self._draft = self._draft, None
            if draft is not None and not self.is_kept:
                draft.discard()

    def _write(self, data: bytes) -> None:
        if self.refusal is not None:
            return
        self.size_bytes += len(data)
        if self._draft is None:
            self._begin(data)
        elif self.size_bytes - self._seen_bytes >= _ROOM_EVERY:
            self._look_for_room(self.size_bytes)
        if self._draft is not None and data:
            self._draft.write(data)

    def _begin(self, data: bytes) -> None:
        desk, submission = self._desk, self._submission
        if _hops(data) > _MAX_HOPS:
            self.refusal = refusal(554, "5.4.6", f"More than {_MAX_HOPS} Received fields: a loop")
            return
        self._look_for_room(max(self._said_bytes, self.size_bytes))
        if self.refusal is not None:
            return
        self.head = make_head(
            submission, desk.accounts, hostname=desk.hostname, epoch_s=desk.clock.epoch_s()
        )
        if submission.account:
            # Naming an account is no way to get its sender, where senders are given out.
            sender = self.head.envelope.reverse_path
            self.refusal = desk.admission.judge_sender(submission.origin.uid, sender)
            if self.refusal is not None:
                return
        self._draft = desk.spool.begin(self.head)

    def _look_for_room(self, size_bytes: int) -> None:
        self._seen_bytes = self.size_bytes
        uid = self._submission.origin.uid
        self.refusal = self._desk.admission.judge_room(uid, size_bytes)
        if self.refusal is not None:
            self._drop()

    def _give_up(self, exc: PillarboxError) -> None:
        self.refusal = refusal_of(exc)
        self._drop()
        priority = ERROR if isinstance(exc, SpoolError) else WARNING
        uid = self._submission.origin.uid
        self._desk.events.event(priority, "refused", uid=uid, problem=str(exc))

    def _drop(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.discard()


def _hops(start: bytes) -> int:
    """Return how many Received fields are in the first piece of a content."""
    section = b"\n" + start.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return section.lower().count(b"\nreceived:")
