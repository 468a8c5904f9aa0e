"""
A rehearsal: whether a server would take an envelope, asked without sending a mail.

MAIL, RCPT and RSET, and nothing else: what is known afterwards is what the server says to the
sender and to the recipient. What it would say only at DATA or to the content is not found out.
"""

from __future__ import annotations

from pillarbox.errors import RemoteProtocolError
from pillarbox.smtp import commands
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.envelope import Envelope
    from pillarbox.mail.reply import Reply
    from pillarbox.smtp.capabilities import Capabilities

__all__ = ["Rehearsal"]


class Rehearsal:
    """
    What a server says to an envelope of one recipient.

    Args:
        envelope: It has one forward-path.
        size_bytes: The size that the mail would have, for SIZE (RFC 1870); 0: none is said.

    Attributes:
        mail: The reply to MAIL; None: it was not reached.
        rcpt: The reply to RCPT; None: not reached, or MAIL was refused before it.
        rset: The reply to RSET; None: not reached.

    """

    __slots__ = ("envelope", "mail", "rcpt", "rset", "size_bytes")

    def __init__(self, envelope: Envelope, size_bytes: int = 0) -> None:
        self.envelope = envelope
        self.size_bytes = size_bytes
        self.mail: Reply | None = None
        self.rcpt: Reply | None = None
        self.rset: Reply | None = None

    @property
    def is_mail_refused(self) -> bool:
        """Whether the server does not take the sender."""
        return self.mail is not None and not self.mail.is_positive

    @property
    def is_taken(self) -> bool:
        """Whether the server takes the sender and the recipient."""
        return self.rcpt is not None and self.rcpt.is_positive

    def lines(self, offered: Capabilities) -> tuple[bytes, bytes]:
        """
        Return MAIL and RCPT.

        Raises:
            DataError, MissingExtraError: An address cannot stand in a command to this server.

        """
        envelope = self.envelope
        size_bytes = self.size_bytes or None
        mail = commands.mail(envelope, offered, size_bytes=size_bytes, is_8bit=False)
        return mail, commands.rcpt(envelope.forward_paths[0], envelope, offered)

    def on_mail(self, reply: Reply) -> None:
        """Take the reply to MAIL."""
        self.mail = _final(reply, "MAIL")

    def on_rcpt(self, reply: Reply, _: object) -> None:
        """Take the reply to RCPT; behind a refused MAIL it says nothing of the recipient."""
        _final(reply, "RCPT")
        if not self.is_mail_refused:
            self.rcpt = reply


def _final(reply: Reply, stage: str) -> Reply:
    if reply.is_intermediate:
        problem = say("the server answered {stage} with {code}", stage=stage, code=reply.code)
        raise RemoteProtocolError(problem, received=reply.lines[0][:80])
    return reply
