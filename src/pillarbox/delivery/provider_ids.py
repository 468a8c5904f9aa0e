"""
The queue ID that a provider gives a mail, read from its reply to the content.

With it the provider's support finds the mail. What is read is for people only: nothing is decided
by it. The rule to keep: no ID is better than a wrong one.
"""

from __future__ import annotations

import re

__all__ = ["provider_id"]

# What stands for an ID in a reply: no blanks, and something in it that words have not.
_ID = r"([A-Za-z0-9][\w.+/=@-]{5,120})"

# One row a kind of server, the particular ones first. The reply is one line, without its codes.
_PATTERNS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # Outlook and Exchange say their own number behind the mail's Message-ID.
        r"\[InternalId=(\d+)",
        # Gmail, behind the time.
        rf"(?i:\bok)\s+\d{{9,11}}\s+{_ID}\s+-\s+gsmtp",
        # Amazon SES, right behind its Ok.
        r"(?i:^ok) ([0-9a-f]{16}-[0-9a-f-]{20,60})",
        # Postfix, NetEase, Tencent, Yandex and many more: queued as.
        r"(?i:\bqueued\s+(?:mail\s+for\s+delivery\s+)?as:?)\s+<?([A-Za-z0-9][\w.,+/=@-]{3,120})",
        # Exim.
        r"(?i:\bok\s+id=)([A-Za-z0-9]{6,12}-[A-Za-z0-9]{6,16}-[A-Za-z0-9]{2,4})",
        # OpenSMTPD and Sendmail say it first.
        r"^([A-Za-z0-9]{8,20})\s+Message accepted for delivery",
        # qmail's is a number behind a word of its own.
        r"(?i:^ok)\s+\d{9,11}\s+(qp\s+\d+)",
        # Dovecot's LMTP names its session.
        r"^<[^>]*>\s+([A-Za-z0-9+/]{12,40})\s+Saved",
    )
)

# What stands where an ID would and is none: Aliyun says "queued as freedom" to every mail.
_NO_IDS = frozenset(("freedom", "noid", "none", "unknown", "null"))

# The codes in front: "250 2.0.0 ", also in each line of a reply of several.
_CODES = re.compile(r"^\d{3}[ -](?:\d\.\d{1,3}\.\d{1,3}\s+)?", re.ASCII)


def provider_id(reply: str) -> str:
    """
    Return the provider's queue ID from a positive reply to a content; empty: it says none.

    Args:
        reply: The reply as a person would read it, with or without its codes.

    """
    text = _CODES.sub("", reply, count=1)
    for pattern in _PATTERNS:
        found = pattern.search(text)
        if found is not None:
            name = found[1].rstrip(".,;>")
            return "" if name.lower() in _NO_IDS else name
    return ""
