"""
What a caller of the submission socket is answered: replies for refusals, and for a provider's word.

The rule to keep: the enhanced code carries the exit code. ``REFUSALS`` says which it is for each
of ours, ``handoff.faults`` has the way back, and a test holds one against the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.errors import (
    EX_CONFIG,
    EX_DATAERR,
    EX_NOHOST,
    EX_NOINPUT,
    EX_NOPERM,
    EX_NOUSER,
    EX_PROTOCOL,
    EX_SOFTWARE,
    EX_UNAVAILABLE,
    EX_USAGE,
    SpoolFullError,
)
from pillarbox.intake.admission import refusal
from pillarbox.mail.reply import EnhancedCode, Reply, printable
from pillarbox.mail.status import DEFERRED, DELIVERED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pillarbox.errors import PillarboxError
    from pillarbox.mail.status import RecipientStatus

__all__ = ["REFUSALS", "good", "kept", "refusal_of", "reply_of", "worst_of"]

_MAX_TEXT = 480  # octets of a reply's text: its line has 512 with code, space and CRLF

# A failure's exit code -> what the reply says; handoff.faults has the way back.
REFUSALS = {
    EX_USAGE: (554, "5.5.4"),
    EX_DATAERR: (554, "5.6.0"),
    EX_NOINPUT: (554, "5.3.5"),
    EX_NOUSER: (550, "5.1.1"),
    EX_NOHOST: (550, "5.1.2"),
    EX_UNAVAILABLE: (554, "5.3.0"),
    EX_SOFTWARE: (554, "5.3.0"),
    EX_PROTOCOL: (554, "5.5.0"),
    EX_NOPERM: (550, "5.7.1"),
    EX_CONFIG: (554, "5.3.5"),
}
_TEMPORARY = (451, "4.3.0")


def good(text: str) -> Reply:
    """Return the reply that says yes."""
    return Reply(250, (_text(f"2.0.0 {text}"),), EnhancedCode(2, 0, 0))


def refusal_of(exc: PillarboxError) -> Reply:
    """Return the reply to a mail that was not kept because of an error of ours or of its own."""
    if isinstance(exc, SpoolFullError):
        return refusal(452, "4.3.1", _shown(str(exc)))
    code, enhanced = REFUSALS.get(exc.exit_code, _TEMPORARY)
    text = f"{exc}: {exc.advice}" if exc.advice else str(exc)
    return refusal(code, enhanced, _shown(text))


def worst_of(statuses: Iterable[RecipientStatus]) -> RecipientStatus | None:
    """Return the status that matters most to somebody whose address became others."""
    rank = {DELIVERED: 0, DEFERRED: 2}
    return max(statuses, key=lambda status: rank.get(status.action, 1), default=None)


def reply_of(status: RecipientStatus | None, entry_id: str) -> Reply:
    """Return the reply for one recipient to a caller who waited; None: nothing is known of him."""
    if status is None:
        return kept("no answer yet", entry_id)
    said = " / ".join(printable(line) for line in status.reply.lines) if status.reply else ""
    if status.action == DELIVERED:
        answer = f"{status.reply.code} {said}" if status.reply is not None else "Delivered"
        return good(f"{_shown(answer)}, {entry_id}")
    trouble = status.trouble
    problem = trouble.problem if trouble is not None else "not delivered"
    why = f"{problem}: {status.reply.code} {said}" if status.reply is not None else problem
    if status.action == DEFERRED:
        return kept(why, entry_id)
    exit_code = trouble.exit_code if trouble is not None else EX_UNAVAILABLE
    code, enhanced = REFUSALS.get(exit_code, REFUSALS[EX_UNAVAILABLE])
    return refusal(code, enhanced, f"{_shown(why)}, {entry_id}")


def kept(why: str, entry_id: str) -> Reply:
    """Return the reply to a caller who waited in vain: the mail is ours all the same."""
    code, enhanced = _TEMPORARY
    rest = f"kept in the queue as {entry_id}, tried again; do not send it again"
    return refusal(code, enhanced, f"{_shown(why)}; {rest}")


def _shown(text: str) -> str:
    return printable(text, _MAX_TEXT // 2)


def _text(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")[:_MAX_TEXT]
