"""
The checks of headers and envelope: each a function from a letter to the spots it found.

A check looks at what the reader and the filters will see, that is at decoded values; what is
shown of them has passed ``quoted``.
"""

from __future__ import annotations

import re

from pillarbox.lint.finding import Spot, quoted
from pillarbox.lint.letter import addresses_in, subject_of
from pillarbox.lint.lists import FREE_MAILERS, VAGUE_SUBJECTS
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.lint.letter import Letter

__all__ = [
    "capital_subject",
    "control_in_header",
    "forged_to",
    "free_reply_to",
    "local_from",
    "long_subject",
    "many_recipients",
    "missing_from",
    "missing_to",
    "money_subject",
    "precedence",
    "sender_in_message_id",
    "undisclosed_to",
    "unicode_address",
    "vague_subject",
]

# rspamd counts capitals from 9 characters on, SpamAssassin from more than one word on.
_CAPITALS_MIN = 10
_SUBJECT_MAX = 150  # characters; programs show about 70
_FORGED_SHOWN = 5
_LOCAL = ("localhost", "localhost.localdomain")

_CURRENCY = re.compile("[$\u00a2\u00a3\u00a4\u00a5\u20ac\u20bf\uff04\uffe5]|[!\uff01]{2}")

_ONE_WORD = re.compile(r"[A-Za-z]{1,12}|[\u4e00-\u9fff]{1,2}")


def capital_subject(letter: Letter) -> Iterator[Spot]:
    """Find a Subject that shouts: several words, long, and no small letter in it."""
    subject = subject_of(letter)
    letters = [char for char in subject if char.upper() != char.lower()]
    shouts = all(char == char.upper() for char in letters)
    if len(letters) >= _CAPITALS_MIN and len(subject.split()) > 1 and shouts:
        yield Spot("Subject", quoted(subject))


def money_subject(letter: Letter) -> Iterator[Spot]:
    """Find signs of currency and rows of exclamation marks in the Subject."""
    subject = subject_of(letter)
    if _CURRENCY.search(subject):
        yield Spot("Subject", quoted(subject))


def vague_subject(letter: Letter) -> Iterator[Spot]:
    """Find a Subject that says nothing: a test, a greeting, one word."""
    subject = subject_of(letter)
    bare = subject.strip(" \t.!?,;:。！？~-_[]()'\"").lower()
    if bare in VAGUE_SUBJECTS or _ONE_WORD.fullmatch(bare):
        yield Spot("Subject", quoted(subject))


def long_subject(letter: Letter) -> Iterator[Spot]:
    """Find a Subject that no program shows whole."""
    length = len(subject_of(letter))
    if length > _SUBJECT_MAX:
        yield Spot("Subject", say("{count} characters", count=length))


def precedence(letter: Letter) -> Iterator[Spot]:
    """Find a mail that calls itself mass mail."""
    value = letter.headers.first("Precedence") or ""
    if value.strip().lower() in ("bulk", "junk"):
        yield Spot("Precedence", quoted(value))


def control_in_header(letter: Letter) -> Iterator[Spot]:
    """Find NUL and bare CR in the header section as it came (attack: header injection)."""
    head = letter.raw_head.replace(b"\r\n", b"\n")
    for line in head.split(b"\n"):
        # A CR in front of the line's end only is a line end of its own kind: CR CR LF.
        if b"\0" in line or b"\r" in line.rstrip(b"\r"):
            name = re.match(rb"[!-9;-~]+(?=[ \t]*:)", line)
            yield Spot(quoted(name[0]) if name else "", quoted(line))


def sender_in_message_id(letter: Letter) -> Iterator[Spot]:
    """Find the address of From inside the Message-ID, as msmtp writes it."""
    value = letter.headers.first("Message-ID") or ""
    for mailbox in addresses_in(letter.headers, "From"):
        if mailbox.domain and str(mailbox).lower() in value.lower():
            yield Spot("Message-ID", quoted(value))
            return


def missing_from(letter: Letter) -> Iterator[Spot]:
    """Find a mail of nobody."""
    if "From" not in letter.headers:
        yield Spot("From")


def local_from(letter: Letter) -> Iterator[Spot]:
    """Find a From that is valid on this computer only."""
    for mailbox in addresses_in(letter.headers, "From"):
        name = mailbox.domain.lower()
        if "." not in name or name in _LOCAL or name.endswith(".local"):
            yield Spot("From", quoted(str(mailbox)))


def missing_to(letter: Letter) -> Iterator[Spot]:
    """Find a mail that names no recipient at all."""
    if "To" not in letter.headers and "Cc" not in letter.headers:
        yield Spot("To")


def undisclosed_to(letter: Letter) -> Iterator[Spot]:
    """Find a To without an address: an empty group such as ``undisclosed-recipients:;``."""
    value = letter.headers.first("To")
    if value is not None and not addresses_in(letter.headers, "To", "Cc") and ":" in value:
        yield Spot("To", quoted(value))


def forged_to(letter: Letter) -> Iterator[Spot]:
    """Find recipients of the envelope whom neither To nor Cc names."""
    named = {str(mailbox).lower() for mailbox in addresses_in(letter.headers, "To", "Cc")}
    if not named:
        return  # that is another rule
    hidden = [str(mailbox) for mailbox in letter.recipients if str(mailbox).lower() not in named]
    for address in hidden[:_FORGED_SHOWN]:
        yield Spot("To", quoted(address))
    if len(hidden) > _FORGED_SHOWN:
        yield Spot("To", say("and {count} more", count=len(hidden) - _FORGED_SHOWN))


def free_reply_to(letter: Letter) -> Iterator[Spot]:
    """Find answers that go to a free mailer although the mail comes from elsewhere."""
    own = {mailbox.domain.lower() for mailbox in addresses_in(letter.headers, "From")}
    for mailbox in addresses_in(letter.headers, "Reply-To"):
        domain = mailbox.domain.lower()
        if own and domain in FREE_MAILERS and domain not in own:
            yield Spot("Reply-To", quoted(str(mailbox)))
            return


def unicode_address(letter: Letter) -> Iterator[Spot]:
    """Find addresses that only a server with SMTPUTF8 takes."""
    for mailbox in (letter.sender, *letter.recipients):
        if mailbox is not None and mailbox.needs_smtputf8:
            yield Spot("envelope", quoted(str(mailbox)))


def many_recipients(letter: Letter) -> Iterator[Spot]:
    """Find more recipients than the server takes at once."""
    count = len(letter.recipients)
    limit = letter.max_recipients
    if count > limit:
        yield Spot("envelope", say("{count} recipients of {limit}", count=count, limit=limit))
