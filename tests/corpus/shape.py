"""
One shape of mail: the octets that a program pipes to ``msmtp`` or ``sendmail``, and the call.

The rule: a shape is what that program really writes, faults and all, with the names of people
and computers replaced; only dates are of now, as they are when such a mail is sent.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

__all__ = ["DATE", "NOW", "PERSON", "SENDER", "Shape"]

SENDER = "no-reply@example.com"  # the account's address
PERSON = "me@test.com"  # who gets every mail; also what ``root`` stands for

NOW = datetime.now(UTC).replace(microsecond=0)
DATE = format_datetime(NOW)


@dataclass(frozen=True)
class Shape:
    """
    A row of the corpus.

    Attributes:
        name: Unique, and what tests and tables call it.
        mail: What the program writes, text in UTF-8; ``{date}`` is the time of now.
        call: How it calls ``msmtp``, separated by blanks.
        keeps: A text that must be in the mail as sent, in its Subject, its From or its body.
        is_sealed: It is signed or encrypted: its body must arrive octet for octet.

    """

    name: str
    mail: str | bytes
    keeps: str
    call: str = PERSON
    is_sealed: bool = False

    @property
    def octets(self):
        """The mail as it is piped."""
        mail = self.mail.encode() if isinstance(self.mail, str) else self.mail
        return mail.replace(b"{date}", DATE.encode())

    @property
    def arguments(self):
        """The arguments of the call."""
        return self.call.split()
