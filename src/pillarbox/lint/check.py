"""
All rules over one message, without network, file or clock.

1. ``mail.repair`` runs over the message: each change that it makes was a fault (``_repaired``).
2. Each row of ``rules.CHECKS`` looks at the message as it was read, or, where repair has a rule
   of that name, at what repair made of it (``_seen``).

The message is held whole: a person waits for the answer, and no queue does.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice

from pillarbox.lint.finding import SEVERITIES, Finding
from pillarbox.lint.letter import Letter, addresses_in
from pillarbox.lint.rules import CHECKS
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.message import Message, read_message
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import Change, RepairFacts, repair
from pillarbox.mail.rescue import rescue
from pillarbox.mail.rules import RULE_BY_ID
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.address import Mailbox

__all__ = ["MAX_RECIPIENTS", "MAX_SIZE_BYTES", "LintFacts", "Linted", "lint", "read_letter"]

MAX_SIZE_BYTES = 25 << 20  # Gmail's limit; few providers take less
MAX_RECIPIENTS = 100  # RFC 5321 4.5.3.1.8 promises no more

_TOLD_MAX = 20  # findings of one rule; the next ones say nothing new

# What is noted about a message that is left as it is.
_LEFT = frozenset(("SIGNED", "MIME-LATE"))


class LintFacts(Value):
    """
    What lint has to know besides the message.

    Attributes:
        sender: The account's address; None: unknown.
        recipients: Who gets it; empty: those that the message names.
        wishes: What the account wants of the headers.
        epoch_s: Now, seconds since the epoch.
        message_id: The value for a Message-ID that is added.
        host: The name of this computer.
        demands_sender: As in ``RepairFacts``.
        max_size_bytes: What the server takes, in octets on the wire.
        max_recipients: How many recipients the server takes at once.

    """

    __slots__ = (
        "demands_sender",
        "epoch_s",
        "host",
        "max_recipients",
        "max_size_bytes",
        "message_id",
        "recipients",
        "sender",
        "wishes",
    )

    def __init__(
        self,
        *,
        sender: Mailbox | None,
        recipients: tuple[Mailbox, ...],
        epoch_s: float,
        message_id: str,
        host: str,
        wishes: HeaderWishes | None = None,
        demands_sender: Callable[[], bool] = bool,
        max_size_bytes: int = MAX_SIZE_BYTES,
        max_recipients: int = MAX_RECIPIENTS,
    ) -> None:
        self.sender = sender
        self.recipients = recipients
        self.epoch_s = epoch_s
        self.message_id = message_id
        self.host = host
        self.wishes = wishes or HeaderWishes()
        self.demands_sender = demands_sender
        self.max_size_bytes = max_size_bytes
        self.max_recipients = max_recipients


class Linted(Value):
    """
    What came of it.

    Attributes:
        findings: The worst first; else in the order of the rules.
        repaired: The message as it would go out, in CRLF form.

    """

    __slots__ = ("findings", "repaired")

    def __init__(self, findings: tuple[Finding, ...], repaired: bytes) -> None:
        self.findings = findings
        self.repaired = repaired


def lint(octets: bytes, facts: LintFacts) -> Linted:
    """
    Return what is wrong with a message.

    Args:
        octets: The message as it came, whole.
        facts: What is known besides.

    Raises:
        DataError, MissingExtraError: As ``repair``: such a mail cannot be sent.

    """
    recipients = facts.recipients or _named(octets)
    changes, repaired = _repair(octets, facts, recipients)
    letter = read_letter(octets, facts, size_bytes=len(repaired))
    after = read_letter(repaired, facts, size_bytes=len(repaired), recipients=recipients)
    findings = [*_repaired(changes, letter), *_seen(letter, after)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.rule.severity))
    return Linted(tuple(findings), repaired)


def read_letter(
    octets: bytes,
    facts: LintFacts,
    *,
    size_bytes: int,
    recipients: tuple[Mailbox, ...] | None = None,
) -> Letter:
    """
    Return the message as the checks read it.

    Args:
        octets: The message as it came, whole.
        facts: What is known besides.
        size_bytes: What goes over the wire, transfer encoding included.
        recipients: Who gets it; None: whom the facts say, else whom it names.

    """
    message = _read(octets)
    return Letter(
        _raw_head(octets),
        message.headers,
        _body_of(message),
        sender=facts.sender,
        recipients=recipients or facts.recipients or _named(octets),
        size_bytes=size_bytes,
        max_size_bytes=facts.max_size_bytes,
        max_recipients=facts.max_recipients,
    )


def _read(octets: bytes) -> Message:
    return rescue(read_message(BytesIO(octets).read), [])


def _named(octets: bytes) -> tuple[Mailbox, ...]:
    """Return the recipients that the message names, as ``-t`` would take them."""
    return tuple(addresses_in(_read(octets).headers, "To", "Cc", "Bcc"))


def _repair(
    octets: bytes, facts: LintFacts, recipients: tuple[Mailbox, ...]
) -> tuple[list[Change], bytes]:
    """Return what is put right, and the message after it."""
    changes: list[Change] = []
    known = RepairFacts(
        sender=facts.sender,
        recipients=recipients,
        wishes=facts.wishes,
        epoch_s=facts.epoch_s,
        message_id=facts.message_id,
        host=facts.host,
        takes_8bit=False,
        demands_sender=facts.demands_sender,
    )
    message = repair(read_message(BytesIO(octets).read), known, changes)
    content = message.content()
    # To the end: some of the changes are noted only when the body is read.
    return changes, b"".join(chunk for chunk, _ in content.chunks())


def _repaired(changes: list[Change], letter: Letter) -> list[Finding]:
    findings = []
    for change in changes:
        rule = RULE_BY_ID[change.rule]
        line = _line_of(letter.raw_head, change.place)
        is_repaired = change.rule not in _LEFT
        findings.append(Finding(rule, change.place, line, change.what, is_repaired=is_repaired))
    return findings


def _seen(letter: Letter, after: Letter) -> list[Finding]:
    """Return what the checks find in the message, before and after its repair."""
    findings = []
    for check in CHECKS:
        # A row of mail.rules is looked for behind the repair: that is what it left alone.
        is_left = check.rule.id in RULE_BY_ID
        is_repaired = check.rule.is_repaired and not is_left
        for spot in islice(check.find(after if is_left else letter), _TOLD_MAX):
            line = _line_of(letter.raw_head, spot.place)
            findings.append(
                Finding(check.rule, spot.place, line, spot.evidence, is_repaired=is_repaired)
            )
    return findings


def _raw_head(octets: bytes) -> bytes:
    """Return the octets of the header section, and of the empty line behind it."""
    stream = BytesIO(octets)
    _, start = read_header_section(stream.read)
    return octets[: stream.tell() - len(start)]


def _body_of(message: Message) -> bytes:
    start, read = message.look_ahead()
    chunks = [start]
    while read is not None and (chunk := read(1 << 16)):
        chunks.append(chunk)
    return b"".join(chunks)


def _line_of(head: bytes, place: str) -> int:
    """Return the line of the first field of that name, counted from 1; 0: there is none."""
    name = place.lower().encode("utf-8", "replace")
    for number, line in enumerate(head.split(b"\n"), 1):
        found, colon, _ = line.partition(b":")
        if colon and name and found.rstrip(b" \t").lower() == name:
            return number
    return 0
