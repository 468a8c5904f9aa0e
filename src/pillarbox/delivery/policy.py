"""
Every decision about a failure: for ever or for a while, and whom it concerns.

The engines say what happened; what follows from it is decided here and nowhere else.

- A login or a TLS failure never bounces a mail: it concerns the account, and the mail waits.
- A reply's class (4yz, 5yz) decides for the rest, unless the provider is known to mean
  something else by that text: Aliyun's 440 never heals, its 504 does tomorrow.
"""

from __future__ import annotations

from pillarbox.errors import EX_DATAERR, EX_NOPERM, EX_NOUSER, EX_OK, EX_TEMPFAIL
from pillarbox.mail.status import BOUNCED, DEFERRED, Trouble, bounced, deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pillarbox.config.hints import Hint
    from pillarbox.mail.status import RecipientStatus

__all__ = ["apply_hint", "exit_code_of"]

# Stages in which a refusal is about the mail or a recipient, so that it may be for ever.
_MAIL_STAGES = frozenset(("MAIL", "RCPT", "DATA", "BDAT", "content"))

# RFC 4954 6: login or encryption required, mechanism too weak, credentials invalid. Whatever
# command they answer, they speak of the account: another login lets the same mail through.
_LOGIN_CODES = frozenset((530, 534, 535, 538))


def apply_hint(status: RecipientStatus, hint: Hint | None) -> RecipientStatus:
    """
    Return the status in the light of what the server's reply is known to mean.

    Args:
        status: A status of an attempt.
        hint: What ``config.hints`` knows of its reply; None: nothing. Only a provider's own
            hint overrules the class of a reply; a generic one explains it.

    """
    trouble = status.trouble
    if trouble is None or trouble.reply is None or trouble.stage not in _MAIL_STAGES:
        return status
    if trouble.reply.code in _LOGIN_CODES:
        return deferred(status.forward_path, _changed(trouble, EX_NOPERM, scope="account"))
    if hint is None or not hint.provider:
        return status
    if hint.retry == "no" and status.action == DEFERRED:
        code = EX_NOUSER if trouble.scope == "recipient" else EX_DATAERR
        return bounced(status.forward_path, _changed(trouble, code))
    if hint.retry != "no" and status.action == BOUNCED:
        return deferred(status.forward_path, _changed(trouble, EX_TEMPFAIL))
    return status


def exit_code_of(statuses: Iterable[RecipientStatus]) -> int:
    """
    Return the one exit code for several recipients.

    Zero when all are delivered. Else "try again" wins over "never", because a caller that tries
    again loses nothing: first 75, then the code of the first that is deferred for another reason
    (a login, a certificate), and the first of all when none is.
    """
    codes: list[int] = []
    waiting: list[int] = []
    for status in statuses:
        if status.trouble is not None:
            codes.append(status.trouble.exit_code)
            if status.action == DEFERRED:
                waiting.append(status.trouble.exit_code)
    if EX_TEMPFAIL in codes:
        return EX_TEMPFAIL
    return next(iter(waiting or codes), EX_OK)


def _changed(trouble: Trouble, exit_code: int, *, scope: str = "") -> Trouble:
    return Trouble(
        scope=scope or trouble.scope,
        stage=trouble.stage,
        problem=trouble.problem,
        exit_code=exit_code,
        reply=trouble.reply,
        advice=trouble.advice,
    )
