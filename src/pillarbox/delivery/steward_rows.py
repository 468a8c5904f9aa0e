"""
Entries, accounts and statuses as plain dicts: what JSON carries and a person's page shows.

The rule to keep: a key is never renamed and never changes its meaning, because scripts read them;
times are seconds since the epoch, and what nobody knows is null.
"""

from __future__ import annotations

from base64 import b64encode

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.mail.status import DELIVERED as IS_DELIVERED
from pillarbox.mail.status import RecipientStatus, Trouble
from pillarbox.spool.base import BOUNCED, DELIVERED, PENDING, QUEUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pillarbox.delivery.carrier import AccountState, Carrier
    from pillarbox.spool.base import Claim, Entry

    Row = dict[str, Any]

__all__ = [
    "STATUS_WORDS",
    "account_row",
    "content_rows",
    "entry_row",
    "head_row",
    "header_lines",
    "parse_status_row",
    "status_row",
]

# A byte of ``Progress.statuses`` -> the word for it (RFC 3464 has the same, but for the first).
STATUS_WORDS = {PENDING: "pending", DELIVERED: "delivered", BOUNCED: "bounced"}

_YEAR_S = 366 * 86400.0  # what is tried later than that waits for a person

# Octets of content in one row: with base64 and JSON around it, below 64 KiB.
_PIECE = 45 << 10


def entry_row(
    entry: Entry, state: str, *, epoch_s: float, carrier: Carrier, account_reason: str = ""
) -> Row:
    """
    Return what a listing says of an entry.

    Args:
        entry: The entry.
        state: Where it is.
        epoch_s: Now, in seconds since the epoch.
        carrier: Who delivers it.
        account_reason: Why its account is paused: it waits for that, whatever it waited for before.

    """
    head, progress = entry.head, entry.progress
    envelope = head.envelope
    reverse_path = envelope.reverse_path
    next_s = carrier.next_attempt_s(head.id) if state == QUEUE else None
    return {
        "id": head.id,
        "state": state,
        "is_active": carrier.is_busy(head.id),
        "accepted_s": head.accepted_s,
        "age_s": max(0.0, round(epoch_s - head.accepted_s, 3)),
        "from": None if reverse_path is None else str(reverse_path),
        "recipients": [
            {"address": str(path), "status": STATUS_WORDS.get(bytes((status,)), "pending")}
            for path, status in zip(envelope.forward_paths, progress.statuses, strict=True)
        ],
        "account": head.account,
        "size_bytes": entry.size_bytes,
        "attempts": progress.attempts,
        "last_attempt_s": progress.last_attempt_s or None,
        "next_attempt_s": None if next_s is None or next_s - epoch_s > _YEAR_S else next_s,
        "reason": account_reason or progress.reason,
        "is_in_doubt": progress.is_in_doubt,
        "uid": head.origin.uid,
    }


def head_row(entry: Entry) -> Row:
    """Return the rest of what is known of an entry: what a listing has no room for."""
    head = entry.head
    origin, envelope = head.origin, head.envelope
    return {
        "message_id": head.message_id,
        "priority": head.priority,
        "settings": dict(head.settings),
        "envid": envelope.envid,
        "notify": envelope.notify,
        "ret": envelope.ret,
        "origin": {"uid": origin.uid, "gid": origin.gid, "pid": origin.pid, "door": origin.door},
        "trace": head.trace,
        "observed_s": entry.progress.observed_s,
        "has_warned": entry.progress.has_warned,
    }


def header_lines(claim: Claim) -> list[str]:
    """
    Return the lines of a content's header section, what is no UTF-8 escaped. Blocks.

    Raises:
        DataError: It is longer than 1 MiB.
        SpoolError: It cannot be read.

    """
    section, _ = read_header_section(claim.read)
    return section.wire_form().decode("utf-8", "backslashreplace").splitlines()


def content_rows(claim: Claim) -> Iterator[Row]:
    """Yield a content in pieces of base64, as it was written. Blocks."""
    claim.rewind()
    while piece := claim.read(_PIECE):
        yield {"content": b64encode(piece).decode()}


def account_row(state: AccountState) -> Row:
    """Return how an account is doing."""
    return {
        "account": state.name,
        "is_paused": state.is_open,
        "kind": state.kind,
        "since_s": state.since_s or None,
        "next_try_s": state.next_try_s or None,
        "reason": state.reason,
        "waiting": state.waiting,
    }


# -- what became of a forward-path, for a process that did not see it ---------------------------


def status_row(status: RecipientStatus) -> Row:
    """Return a status as a dict; ``parse_status_row`` makes it a status again."""
    trouble = status.trouble
    return {
        "address": str(status.forward_path),
        "action": status.action,
        "is_in_doubt": status.is_in_doubt,
        "reply": _reply_row(status.reply),
        "trouble": trouble
        and {
            "scope": trouble.scope,
            "stage": trouble.stage,
            "problem": str(trouble.problem),
            "exit_code": trouble.exit_code,
            "advice": str(trouble.advice),
            "reply": _reply_row(trouble.reply),
        },
    }


def parse_status_row(row: Row) -> RecipientStatus:
    """Return the status that ``status_row`` was given."""
    trouble = row["trouble"]
    if trouble is not None:
        trouble = Trouble(**{**trouble, "reply": _parse_reply(trouble["reply"])})
    assert trouble is not None or row["action"] == IS_DELIVERED
    return RecipientStatus(
        parse_mailbox(row["address"]),
        row["action"],
        _parse_reply(row["reply"]),
        trouble,
        row["is_in_doubt"],
    )


def _reply_row(reply: Reply | None) -> Row | None:
    if reply is None:
        return None
    enhanced = reply.enhanced
    return {
        "code": reply.code,
        "lines": [line.decode("latin-1") for line in reply.lines],  # any octet has a character
        "enhanced": enhanced and [enhanced.klass, enhanced.subject, enhanced.detail],
    }


def _parse_reply(row: Row | None) -> Reply | None:
    if row is None:
        return None
    enhanced = EnhancedCode(*row["enhanced"]) if row["enhanced"] else None
    lines = tuple(line.encode("latin-1") for line in row["lines"])
    return Reply(row["code"], lines, enhanced)
