"""
What became of one forward-path: delivered, deferred or bounced.

A refusal by the server is a result and not an exception, and whether it is for ever is part of
the value. Statuses are made by ``delivered``, ``deferred`` and ``bounced`` and nowhere else.
"""

from __future__ import annotations

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.reply import Reply

__all__ = [
    "BOUNCED",
    "DEFERRED",
    "DELIVERED",
    "RecipientStatus",
    "Trouble",
    "bounced",
    "deferred",
    "delivered",
]

DELIVERED = "delivered"
DEFERRED = "deferred"
BOUNCED = "bounced"


class Trouble(Value):
    """
    Why something was not delivered.

    Attributes:
        scope: What is concerned: ``site`` (host, network, TLS), ``account`` (login, sender
            rule), ``message`` (everybody's copy of this mail) or ``recipient``.
        stage: Where it happened: ``connect``, ``tls``, ``greeting``, ``EHLO``, ``STARTTLS``,
            ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, ``BDAT``, ``content``, ``RSET``, ``ETRN``,
            or ``idle`` when nothing was under way.
        problem: What failed, in one sentence without a full stop.
        exit_code: The sysexits code that tells a caller the same.
        reply: What the server said, or None when it said nothing.
        advice: What to do next; empty when nobody knows.

    """

    __slots__ = ("advice", "exit_code", "problem", "reply", "scope", "stage")

    def __init__(
        self,
        *,
        scope: str,
        stage: str,
        problem: str,
        exit_code: int,
        reply: Reply | None = None,
        advice: str = "",
    ) -> None:
        self.scope = scope
        self.stage = stage
        self.problem = problem
        self.exit_code = exit_code
        self.reply = reply
        self.advice = advice


class RecipientStatus(Value):
    """
    The status of one forward-path after an attempt.

    Attributes:
        forward_path: Whose status this is.
        action: ``DELIVERED`` (the next hop has taken responsibility, RFC 5321 4.2.5),
            ``DEFERRED`` (worth trying again) or ``BOUNCED`` (never worth it).
        reply: The reply that decided, or None.
        trouble: Why, unless delivered.
        is_in_doubt: The content was sent whole but its reply never came: the server may have
            taken the mail (RFC 1047). Sending it again may make a duplicate.

    """

    __slots__ = ("action", "forward_path", "is_in_doubt", "reply", "trouble")

    def __init__(
        self,
        forward_path: Mailbox,
        action: str,
        reply: Reply | None,
        trouble: Trouble | None,
        is_in_doubt: bool,  # noqa: FBT001 (private constructor: the three functions name it)
    ) -> None:
        self.forward_path = forward_path
        self.action = action
        self.reply = reply
        self.trouble = trouble
        self.is_in_doubt = is_in_doubt


def delivered(forward_path: Mailbox, reply: Reply) -> RecipientStatus:
    """Return the status of a forward-path whose mail the next hop accepted with ``reply``."""
    # Not checked: the constructor is private to these three functions, as its own note says.
    return RecipientStatus(forward_path, DELIVERED, reply, None, False)  # noqa: FBT003


def deferred(
    forward_path: Mailbox, trouble: Trouble, *, is_in_doubt: bool = False
) -> RecipientStatus:
    """Return the status of a forward-path that is worth trying again."""
    return RecipientStatus(forward_path, DEFERRED, trouble.reply, trouble, is_in_doubt)


def bounced(forward_path: Mailbox, trouble: Trouble) -> RecipientStatus:
    """Return the status of a forward-path that is given up."""
    return RecipientStatus(forward_path, BOUNCED, trouble.reply, trouble, False)  # noqa: FBT003
