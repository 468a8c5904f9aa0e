"""
What a filter says of a mail, and the delivery that every mail here is shown behind.

The rule: both programs' mails stand behind the same trace and in the same envelope, so that what
differs is what the programs made of the same input.
"""

from dataclasses import dataclass
from email.utils import format_datetime, localtime

__all__ = ["RECIPIENT", "SENDER", "Score", "behind_trace"]

SENDER = "no-reply@example.com"
RECIPIENT = "me@test.com"

# As a mailbox provider's servers leave it: submitted from a server, handed to the recipient's.
RELAY_NAME = "out30-1.freemail.mail.aliyun.com"
RELAY_ADDRESS = "115.124.30.1"
_TRACE = (
    "Received: from {name} ({name} [{address}])\r\n"
    "\tby mx.test.com (Postfix) with ESMTPS id 4TestA1234z\r\n"
    "\tfor <{recipient}>; {date}\r\n"
    "Received: from web01 (web01.example.com [47.96.1.2])\r\n"
    "\tby smtp.aliyun-inc.com (Postfix) with ESMTPSA id 4TestB1234z\r\n"
    "\tfor <{recipient}>; {date}\r\n"
)


@dataclass(frozen=True)
class Score:
    """
    The points that a filter gives, the fewer the better.

    Attributes:
        points: Their sum.
        rules: What they are given for, with the points of each, the most first.

    """

    points: float
    rules: tuple[tuple[str, float], ...] = ()

    def __str__(self):
        told = [f"{name} {points:g}" for name, points in self.rules if abs(points) >= 0.05]
        return f"{self.points:.1f}" + (f" ({', '.join(told)})" if told else "")


def ranked(rules):
    """Return rules with their points, the most first."""
    return tuple(sorted(rules, key=lambda rule: (-abs(rule[1]), rule[0])))


def behind_trace(content):
    """Return a mail as it lies in the recipient's mailbox provider when the filter looks at it."""
    trace = _TRACE.format(
        name=RELAY_NAME,
        address=RELAY_ADDRESS,
        recipient=RECIPIENT,
        date=format_datetime(localtime()),
    )
    return f"Return-Path: <{SENDER}>\r\n{trace}".encode() + content
