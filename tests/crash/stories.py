"""
What is done to a spool while it is made to fail: submission, delivery, recovery.

A story takes a spool that is not open yet, and ``say``, which it tells each thing to before and
behind (the lines are explained in ``ledger.py``). It goes on behind a failure as the daemon would.
Loaded by a child without ``site``, at each system call: it imports little.
"""

from __future__ import annotations

from pillarbox.errors import SpoolError
from pillarbox.mail.address import Mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import (
    BOUNCED,
    FAILED,
    HOLD,
    PENDING,
    QUEUE,
    STATES,
    Head,
    Progress,
)
from pillarbox.spool.entry import make_entry_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.spool.base import Claim, Spool

    Say = Callable[[str], None]

__all__ = ["MAILS", "NOTICE", "RECIPIENTS", "STORIES", "hand_in", "look", "submit"]

_NOW_S = 1_800_000_000.0


def _mail(number: int, recipients: int, size_bytes: int) -> tuple[Head, bytes]:
    """Make a mail; its content is nowhere the same for a while."""
    forward_paths = tuple(Mailbox(f"to{i}", f"mail{number}.example") for i in range(recipients))
    name = make_entry_id(_NOW_S + number, bytes([number]) * 16)
    head = Head(name, _NOW_S + number, Envelope(Mailbox("me", "example.org"), forward_paths))
    pattern = b"".join(b"%d:%d\r\n" % (number, line) for line in range(size_bytes // 7 + 1))
    return head, b"Subject: mail\r\n\r\n" + pattern[:size_bytes]


# The number of recipients decides what becomes of a mail, see _END.
MAILS = [_mail(1, 1, 40), _mail(2, 3, 1500), _mail(3, 2, 600), _mail(4, 1, 200)]
NOTICE = _mail(9, 1, 300)
RECIPIENTS = {head.id: len(head.envelope.forward_paths) for head, _ in (*MAILS, NOTICE)}
_KNOWN = {head.id: (head, content) for head, content in (*MAILS, NOTICE)}

# What the provider says to each: the first is delivered, the second in part and then the rest, the
# third is refused for one recipient and makes a notice, the fourth is put on hold and taken back.
_END = {MAILS[0][0].id: [b"D"], MAILS[1][0].id: [b"PDP", b"DDD"], MAILS[2][0].id: [b"DF"]}
_HELD = MAILS[3][0].id


def submit(spool: Spool, say: Say) -> None:
    """Hand in every mail; in pieces where one is large."""
    spool.open()
    for head, content in MAILS:
        hand_in(spool, head, content, say)
    spool.close()


def hand_in(spool: Spool, head: Head, content: bytes, say: Say) -> bool:
    """Hand one mail in; return whether it was accepted."""
    say(f"begin {head.id}")
    draft = None
    try:
        draft = spool.begin(head)
        for start in range(0, len(content), 600):
            draft.write(content[start : start + 600])
        draft.commit()
    except SpoolError:
        say(f"refuse {head.id}")
        if draft is not None:
            draft.discard()
        return False
    say(f"ack {head.id}")
    return True


def deliver(spool: Spool, say: Say) -> None:
    """Send what is there, twice over, with every ending that a mail can have."""
    spool.open()
    for _ in range(2):
        for entry in sorted(spool.scan(), key=lambda entry: entry.head.id):
            try:
                _deliver_one(spool, entry.head.id, say)
            except SpoolError:
                continue  # suspended, until somebody has repaired the disk
        say("settling")
        try:
            spool.settle()
        except SpoolError:
            continue
        say("settled")
    spool.close()


def _deliver_one(spool: Spool, name: str, say: Say) -> None:
    if name == _HELD:
        _move(spool, name, QUEUE, HOLD, say)
        _move(spool, name, HOLD, QUEUE, say)
        return
    claim = spool.claim(name)
    try:
        progress = _attempt(spool, name, claim, say)
    finally:
        claim.close()
    if BOUNCED in progress.statuses:
        _move(spool, name, QUEUE, FAILED, say)
    elif progress.is_final:
        say(f"removing {name}")
        spool.remove(name)
        say(f"removed {name}")


def _attempt(spool: Spool, name: str, claim: Claim, say: Say) -> Progress:
    """Send one mail and write down what became of it (steps D1 to D6, and D8)."""
    progress = claim.entry.progress
    if progress.is_final:
        return progress  # a crash came between its record and its removal
    attempts = progress.attempts + 1
    replies = _END.get(name, [b"D"])
    said = replies[min(progress.attempts, len(replies) - 1)]
    _record(claim, name, progress.statuses, say, attempts=attempts, is_durable=False)
    while claim.read(1 << 16):
        pass
    statuses = bytes(
        reply if old == PENDING[0] else old
        for old, reply in zip(progress.statuses, said, strict=True)
    )
    new = bytes(
        reply if old == PENDING[0] else PENDING[0]
        for old, reply in zip(progress.statuses, said, strict=True)
    )
    _record(claim, name, progress.statuses, say, attempts=attempts, doubt=True, is_durable=False)
    say(f"sent {name} {new.decode()}")
    if BOUNCED in statuses and not hand_in(spool, *NOTICE, say):
        statuses = statuses.replace(BOUNCED, PENDING)  # the notice comes first
    _record(claim, name, statuses, say, attempts=attempts, is_durable=True)
    return Progress(statuses, attempts=attempts)


def _record(
    claim: Claim,
    name: str,
    statuses: bytes,
    say: Say,
    *,
    attempts: int,
    is_durable: bool,
    doubt: bool = False,
) -> None:
    say(f"recording {name} {statuses.decode()}")
    progress = Progress(
        statuses, attempts=attempts, last_attempt_s=_NOW_S + 60 * attempts, is_in_doubt=doubt
    )
    claim.record(progress, is_durable=is_durable)
    say(f"recorded {name} {statuses.decode()} {'durable' if is_durable else 'soft'}")


def _move(spool: Spool, name: str, source: str, target: str, say: Say) -> None:
    say(f"moving {name} {source} {target}")
    spool.move(name, source, target)
    say(f"moved {name} {source} {target}")


def recover(spool: Spool, _say: Say) -> None:
    """Start, look at everything, stop."""
    spool.open()
    look(spool)
    spool.close()


def look(spool: Spool) -> dict[str, list[tuple[str, bytes, bool]]]:
    """Return what an open spool holds, as ``ledger.Found``; claim every mail to see its content."""
    found: dict[str, list[tuple[str, bytes, bool]]] = {}
    for state in STATES[:3]:
        for entry in list(spool.scan(state)):
            head, content = _KNOWN[entry.head.id]
            claim = spool.claim(head.id, state)
            is_whole = claim.entry.head == head and claim.read(1 << 20) == content
            claim.close()
            found.setdefault(head.id, []).append((state, claim.entry.progress.statuses, is_whole))
    return found


# Each with the stories that come before it.
STORIES = {
    "submit": ((), submit),
    "deliver": ((submit,), deliver),
    "recover": ((submit, deliver), recover),
}
