"""
Repair: a message that would land in spam becomes one that does not; a good one stays as it is.

A function from a message and the facts of its account to a message and the list of changes, in
memory proportional to a chunk. It reads no file, clock or randomness that it was not handed, and
does the same thing to the same mail every time; to a repaired one it does nothing.

1. ``rescue.rescue`` - what is header and what is body, before anybody reads the header.
2. ``header_repairs.HEADER_REPAIRS`` - a table: duplicates, From, To, Date, Message-ID, Subject.
3. ``body.repair_body`` - control characters, charset, transfer encoding, and their headers.

A message with nothing wrong leaves byte for byte as it came, line endings apart. What is signed
or encrypted is never touched.
"""

from __future__ import annotations

from pillarbox.mail.body import repair_body
from pillarbox.mail.header_repairs import HEADER_REPAIRS
from pillarbox.mail.headers import HeaderSection
from pillarbox.mail.rescue import rescue
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderField
    from pillarbox.mail.message import Message
    from pillarbox.mail.originate import HeaderWishes

__all__ = ["Change", "Draft", "RepairFacts", "repair"]


class Change(Value):
    """
    One thing that was put right, or was seen and left alone with a reason.

    Attributes:
        rule: The id of its row in ``mail.rules.RULES``.
        place: Where: the name of a header field, ``body``, or ``part 1.2`` of one; empty: all.
        what: What was done, as half a sentence that is safe to show.

    """

    __slots__ = ("place", "rule", "what")

    def __init__(self, rule: str, place: str, what: str) -> None:
        self.rule = rule
        self.place = place
        self.what = what

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """The change as one line, which can be said in another language."""
        if not self.place:
            return say("{rule}: {what}", rule=self.rule, what=self.what)
        return say("{rule} {place}: {what}", rule=self.rule, place=self.place, what=self.what)


class RepairFacts(Value):
    """
    What repair has to know besides the message.

    Attributes:
        sender: The account's address: for From; None for the null reverse-path.
        recipients: Who gets it, as the envelope has them; empty: unknown.
        wishes: What the account wants of the headers, in msmtp's words.
        epoch_s: Now, seconds since the epoch.
        message_id: The value for a Message-ID that is added.
        host: The name of this computer.
        takes_8bit: Whether the server offers 8BITMIME.
        demands_sender: Tells whether the provider takes no From but the account's. Asked only
            when From is another routable address; may read a file.

    """

    __slots__ = (
        "demands_sender",
        "epoch_s",
        "host",
        "message_id",
        "recipients",
        "sender",
        "takes_8bit",
        "wishes",
    )

    def __init__(
        self,
        *,
        sender: Mailbox | None,
        recipients: tuple[Mailbox, ...],
        wishes: HeaderWishes,
        epoch_s: float,
        message_id: str,
        host: str,
        takes_8bit: bool,
        demands_sender: Callable[[], bool],
    ) -> None:
        self.sender = sender
        self.recipients = recipients
        self.wishes = wishes
        self.epoch_s = epoch_s
        self.message_id = message_id
        self.host = host
        self.takes_8bit = takes_8bit
        self.demands_sender = demands_sender


class Draft:
    """
    A header section under repair; what the rows of ``HEADER_REPAIRS`` work on.

    Attributes:
        headers: The section as far as it has come.
        body_start: The first octets of the body, as they came; for a Subject.
        facts: What is known besides.
        changes: What was done so far.
        untouchable: Lower-case names of the fields that a signature covers: they must stay.
        is_machine: Whether a program wrote it.
        had_bcc: Whether it had blind recipients.
        adds_to: Whether a To with the recipients is to be added.

    """

    __slots__ = (
        "adds_to",
        "body_start",
        "changes",
        "facts",
        "had_bcc",
        "headers",
        "is_machine",
        "untouchable",
    )

    def __init__(
        self, headers: HeaderSection, body_start: bytes, facts: RepairFacts, changes: list[Change]
    ) -> None:
        self.headers = headers
        self.body_start = body_start
        self.facts = facts
        self.changes = changes
        self.untouchable: frozenset[bytes] = frozenset()
        self.is_machine = False
        self.had_bcc = False
        self.adds_to = False

    def first(self, key: bytes) -> HeaderField | None:
        """Return the first field of that name, in lower case, or None."""
        return self.headers.firsts.get(key)

    def put(self, old: HeaderField, new: HeaderField) -> None:
        """Put a field in the place of another."""
        fields = tuple(new if field is old else field for field in self.headers.fields)
        self.headers = HeaderSection(fields)

    def add(self, field: HeaderField) -> None:
        """Put a field in front of all others."""
        self.headers = self.headers.preceded_by((field,))

    def change(self, rule: str, place: str, what: str) -> None:
        """Note that something was done."""
        self.changes.append(Change(rule, place, what))


def repair(message: Message, facts: RepairFacts, changes: list[Change]) -> Message:
    """
    Return the message as it should be sent. May block to read its start, once.

    Args:
        message: As it came; it is used up.
        facts: What is known besides.
        changes: Gets what is done: to the headers at once, to the body as it is read.

    Raises:
        DataError, MissingExtraError: As ``originate.add_missing_headers``.

    """
    message = rescue(message, changes)
    start, rest = message.look_ahead()
    draft = Draft(message.headers, start, facts, changes)
    for step in HEADER_REPAIRS:
        step(draft)
    if draft.untouchable:
        _tell_of_signed(message.headers, draft)
    headers, start, rest, keeps_size = repair_body(draft, start, rest)
    return message.replaced(headers, start, rest, keeps_size=keeps_size)


def _tell_of_signed(headers: HeaderSection, draft: Draft) -> None:
    """Say which fields would have been changed, were they not signed: by trying it."""
    trial = Draft(headers, draft.body_start, draft.facts, [])
    for step in HEADER_REPAIRS:
        step(trial)
        trial.untouchable = frozenset()  # the first step has filled it
    wanted = dict.fromkeys(change.place for change in trial.changes)
    left = [place for place in wanted if place.lower().encode() in draft.untouchable]
    if left:
        what = say("left as it is, because it is signed or encrypted")
        draft.change("SIGNED", ", ".join(left), what)
