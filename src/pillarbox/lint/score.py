"""
What a filter on this computer says of a message, and what it is told of the message's way.

A filter judges mail that arrived; this one has not left. ``arrived`` puts one synthetic delivery
in front of it, from a big provider's host, so that only the message itself is judged.
"""

from __future__ import annotations

from pillarbox.errors import EX_UNAVAILABLE, PillarboxError
from pillarbox.mail.originate import format_date
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CLIENT_ADDRESS", "CLIENT_NAME", "FilterError", "Hit", "Score", "arrived"]

# Not from the blocks for documentation: filters count those as forged (RCVD_ILLEGAL_IP).
CLIENT_ADDRESS = "115.124.30.1"
CLIENT_NAME = "out30-1.freemail.mail.aliyun.com"


class FilterError(PillarboxError):
    """The filter is not there, or did not answer."""

    exit_code = EX_UNAVAILABLE


class Hit(Value):
    """One rule of a filter that a message met: its name, its points, and what it means."""

    __slots__ = ("description", "name", "points")

    def __init__(self, name: str, points: float, description: str) -> None:
        self.name = name
        self.points = points
        self.description = description


class Score(Value):
    """
    What a filter says.

    Attributes:
        program: ``spamassassin`` or ``rspamd``.
        points: The sum.
        limit: From how many points on it is spam; None: the filter does not say.
        hits: The rules that it met, the dearest first.

    """

    __slots__ = ("hits", "limit", "points", "program")

    def __init__(
        self, program: str, points: float, limit: float | None, hits: tuple[Hit, ...]
    ) -> None:
        self.program = program
        self.points = points
        self.limit = limit
        self.hits = tuple(sorted(hits, key=lambda hit: -hit.points))

    def as_dict(self) -> dict[str, Any]:
        """Return what ``--json`` shows; the keys are for good."""
        return {
            "points": self.points,
            "limit": self.limit,
            "hits": [
                {"name": hit.name, "points": hit.points, "description": hit.description}
                for hit in self.hits
            ],
        }


def arrived(octets: bytes, recipient: str, epoch_s: float) -> bytes:
    """
    Return a message as if it had come over one hop.

    Args:
        octets: The message.
        recipient: An address that is parsed already, or an empty text.
        epoch_s: When it arrived.

    """
    to = f" for <{recipient}>" if recipient.isascii() and recipient else ""
    trace = (
        f"Received: from {CLIENT_NAME} ({CLIENT_NAME} [{CLIENT_ADDRESS}])\r\n"
        f"\tby mx.example.net with ESMTPS id 4bQk2J1xW2z9s\r\n"
        f"\t{to.lstrip()}; {format_date(epoch_s)}\r\n"
    )
    return trace.encode("ascii") + octets
