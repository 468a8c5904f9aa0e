"""
A server's certificate, for a person: its names, its issuer, its dates.

The rule to keep: whatever it says is untrusted, and passes ``printable``.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.mail.reply import Reply

__all__ = ["Certificate", "date_in", "day"]

_DAY_S = 86400
_NAMES_SHOWN = 8
_SHOWN = 100  # characters of one name

# RFC 5322 3.3, as Exim and Sendmail have it in their greeting.
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), *)?\d{1,2} "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UTC?)"
)


class Certificate(Value):
    """
    What ``ssl`` knows of a certificate.

    Attributes:
        names: Its subject alternative names that are DNS names, in lower case.
        issuer: Who issued it: common name or organization; empty: not known.
        is_self_signed: It names itself as its issuer.
        since: When it begins to be valid, in seconds since 1970; 0: not known.
        until: When it ends to be; 0: not known.
        fingerprint: Its SHA-256 fingerprint, as ``tls_fingerprint`` takes it; empty: not known.

    """

    __slots__ = ("fingerprint", "is_self_signed", "issuer", "names", "since", "until")

    def __init__(self, facts: Mapping[str, Any], der: bytes) -> None:
        names = facts.get("subjectAltName", ())
        self.names = tuple(str(name).lower() for kind, name in names if kind == "DNS")
        self.issuer = _called(facts.get("issuer", ()))
        self.is_self_signed = bool(facts) and facts.get("issuer") == facts.get("subject")
        self.since = _seconds(facts.get("notBefore"))
        self.until = _seconds(facts.get("notAfter"))
        self.fingerprint = hashlib.sha256(der).digest().hex(":").upper() if der else ""

    def is_valid_at(self, seconds: float) -> bool:
        """Tell whether its own dates hold at a time."""
        return bool(self.until) and self.since <= seconds <= self.until

    def days_left(self, now: float) -> int:
        """Return how many whole days it is still valid."""
        return int((self.until - now) // _DAY_S)

    def is_nearly_over(self, now: float, days: int) -> bool:
        """
        Tell whether it ends within so many days.

        Of one that is made for a short time, such as Let's Encrypt's of six days, a third may be
        left: it is renewed when half of it is over.
        """
        return self.until - now < min(days * _DAY_S, (self.until - self.since) / 3)

    def lines(self, now: float) -> tuple[str, ...]:
        """Return what it says, a line each; none where nothing is known."""
        if not self.until:
            return ()
        shown = ", ".join(printable(name, _SHOWN) for name in self.names[:_NAMES_SHOWN]) or "-"
        more = len(self.names) - _NAMES_SHOWN
        if more > 0:
            shown = say("{names} and {count} more", names=shown, count=more)
        return (
            say("names: {names}", names=shown),
            say("issuer: {issuer}", issuer=printable(self.issuer, _SHOWN) or "-"),
            say(
                "valid from {since} to {until} (days left: {days})",
                since=day(self.since),
                until=day(self.until),
                days=self.days_left(now),
            ),
        )


def day(seconds: float) -> str:
    """Return a time as people read it, in UTC; one that no calendar has is its seconds."""
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):  # a file's date may be any number
        return f"{seconds:.0f} s"


def date_in(reply: Reply | None) -> float | None:
    """Return the date that a greeting has in it, in seconds since 1970; None: it has none."""
    found = _DATE.search(str(reply)) if reply is not None else None
    if found is None:
        return None
    try:
        return parsedate_to_datetime(found[0]).timestamp()
    except (ValueError, OverflowError):
        return None


def _called(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    parts = {key: value for rdn in name for key, value in rdn}
    return parts.get("commonName") or parts.get("organizationName") or ""


def _seconds(text: object) -> float:
    try:
        return ssl.cert_time_to_seconds(str(text))
    except (ValueError, OverflowError):
        return 0
