"""What became of a mail, for a program: a value for each recipient, and no exception unasked."""

from __future__ import annotations

from dataclasses import dataclass

from pillarbox.errors import PillarboxError
from pillarbox.mail.status import DELIVERED
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.delivery.submit import Outcome

__all__ = ["NotDeliveredError", "RecipientResult", "SendResult", "result_of"]


@dataclass(frozen=True, slots=True)
class RecipientResult:
    """
    What became of the mail for one recipient.

    Attributes:
        address: Who.
        action: ``delivered`` (the provider has taken it), ``deferred`` (worth trying again) or
            ``bounced`` (never worth it).
        reply: What the server said, its secret starred out; empty: nothing.
        reason: Why, and what to do; empty where it was delivered.

    """

    address: str
    action: str
    reply: str
    reason: str


@dataclass(frozen=True, slots=True)
class SendResult:
    """
    What became of one mail.

    Attributes:
        recipients: One for each, in order.
        changes: What was repaired, a sentence each.
        message_id: Its Message-ID; empty where the mail came ready made.
        exit_code: What ``sendmail`` would have ended with (sysexits).

    """

    recipients: tuple[RecipientResult, ...]
    changes: tuple[str, ...]
    message_id: str
    exit_code: int

    @property
    def is_delivered(self) -> bool:
        """Whether the provider has taken it for everybody."""
        return all(recipient.action == DELIVERED for recipient in self.recipients)

    def raise_for_failure(self) -> None:
        """
        Raise unless it was delivered to everybody.

        Raises:
            NotDeliveredError: With this result in it.

        """
        if not self.is_delivered:
            raise NotDeliveredError(self)


class NotDeliveredError(PillarboxError):
    """
    A mail was not delivered to everybody, and the caller wanted that as an exception.

    Args:
        result: What became of it.

    """

    def __init__(self, result: SendResult) -> None:
        failed = [found for found in result.recipients if found.action != DELIVERED]
        problem = say(
            "not delivered to {addresses}: {reason}",
            addresses=", ".join(found.address for found in failed),
            reason=failed[0].reason,
        )
        super().__init__(problem)
        self.result = result
        self.exit_code = result.exit_code


def result_of(outcome: Outcome, message_id: str = "") -> SendResult:
    """Return an outcome as a program sees it: in English, and with no secret in it."""
    from pillarbox.delivery.report import mask, trouble_lines
    from pillarbox.mail.reply import Reply

    found = []
    for status in outcome.statuses:
        reply, reason = "", ""
        if status.reply is not None:
            lines = tuple(mask(line, outcome.secret) for line in status.reply.lines)
            reply = str(Reply(status.reply.code, lines, status.reply.enhanced))
        if status.trouble is not None:
            reason = "; ".join(trouble_lines(status.trouble, outcome.secret))
        found.append(RecipientResult(str(status.forward_path), status.action, reply, reason))
    changes = tuple(str(change) for change in outcome.changes)
    return SendResult(tuple(found), changes, message_id, outcome.exit_code)
