"""
Every decision about a failure: for ever or for a while, and whom it concerns.

The engines say what happened; what follows from it is decided here and nowhere else.

- A login or a TLS failure never bounces a mail: it concerns the account, and the mail waits.
- A reply's class (4yz, 5yz) decides for the rest, unless the provider is known to mean
  something else by that text: Aliyun's 440 never heals, its 504 does tomorrow.
"""

from __future__ import annotations

from pillarbox.errors import EX_DATAERR, EX_NOUSER, EX_OK, EX_TEMPFAIL
from pillarbox.mail.status import BOUNCED, DEFERRED, Trouble, bounced, deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pillarbox.mail.status import RecipientStatus

__all__ = ["apply_retry_class", "exit_code_of"]

# Stages in which a refusal is about the mail or a recipient, so that it may be for ever.
_MAIL_STAGES = frozenset(("MAIL", "RCPT", "DATA", "BDAT", "content"))


def apply_retry_class(status: RecipientStatus, retry: str) -> RecipientStatus:
    """
    Return the status in the light of what the provider's reply is known to mean.

    Args:
        status: A status that is not delivered.
        retry: The retry class of the hint that matched its reply (``config.hints``).

    """
    trouble = status.trouble
    if trouble is None or trouble.reply is None or trouble.stage not in _MAIL_STAGES:
        return status
    if retry == "no" and status.action == DEFERRED:
        code = EX_NOUSER if trouble.scope == "recipient" else EX_DATAERR
        return bounced(status.forward_path, _with_exit_code(trouble, code))
    if retry != "no" and status.action == BOUNCED:
        return deferred(status.forward_path, _with_exit_code(trouble, EX_TEMPFAIL))
    return status


def exit_code_of(statuses: Iterable[RecipientStatus]) -> int:
    """
    Return the one exit code for several recipients.

    Zero when all are delivered. Else "try again" wins over "never", because a caller that tries
    again loses nothing; and the first of what is left names the failure.
    """
    codes = [status.trouble.exit_code for status in statuses if status.trouble is not None]
    if not codes:
        return EX_OK
    return EX_TEMPFAIL if EX_TEMPFAIL in codes else codes[0]


def _with_exit_code(trouble: Trouble, exit_code: int) -> Trouble:
    return Trouble(
        scope=trouble.scope,
        stage=trouble.stage,
        problem=trouble.problem,
        exit_code=exit_code,
        reply=trouble.reply,
        advice=trouble.advice,
    )
