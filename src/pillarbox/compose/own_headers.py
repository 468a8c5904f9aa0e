"""
Header fields that the writer adds himself: refused where they would break the message's structure.

The rule: no value with a control character passes (attack: header injection), and no name that
something else in this room writes.
"""

from __future__ import annotations

from pillarbox.errors import UsageError
from pillarbox.mail.encoded_word import encode_unstructured
from pillarbox.mail.reply import printable
from pillarbox.text import say

__all__ = ["own_field", "parse_own_header"]

_FTEXT = frozenset(map(chr, range(33, 127))) - {":"}  # RFC 5322 3.6.8
_MAX_NAME = 64

# What is written by other means; a second one would contradict it.
_WRITTEN = frozenset(
    ("auto-submitted", "bcc", "cc", "date", "from", "message-id", "reply-to", "subject", "to")
)
# What only those on the way may add, and what describes the structure of the body.
_FOREIGN = frozenset(("mime-version", "received", "return-path", "dkim-signature", "sender"))
_FOREIGN_BEGINNINGS = ("content-", "resent-", "arc-", "authentication-results", "delivered-to")


def parse_own_header(text: str) -> tuple[str, str]:
    """
    Read ``Name: value``.

    Raises:
        UsageError: There is no colon in it.

    """
    name, colon, value = text.partition(":")
    if not colon:
        problem = say("{text} is not a header", text=printable(repr(text), 80))
        raise UsageError(problem, advice=say("write it as 'Name: value'"))
    return name.strip(), value.strip()


def own_field(name: str, value: str) -> bytes:
    """
    Return a whole header field.

    Raises:
        UsageError: The name or the value cannot be used.

    """
    shown = printable(name, 80)
    key = name.lower()
    if not name or len(name) > _MAX_NAME or not _FTEXT.issuperset(name):
        raise UsageError(say("{name} cannot be the name of a header", name=repr(shown)))
    if key in _WRITTEN:
        problem = say("the header {name} cannot be given this way", name=shown)
        raise UsageError(problem, advice=say("it has an option of its own, or is made by itself"))
    if key in _FOREIGN or key.startswith(_FOREIGN_BEGINNINGS):
        problem = say("the header {name} cannot be given this way", name=shown)
        raise UsageError(problem, advice=say("it belongs to the mail's structure or its way"))
    if any(char < " " or char == "\x7f" for char in value):
        raise UsageError(say("a control character stands in the header {name}", name=shown))
    return encode_unstructured(name, value)
