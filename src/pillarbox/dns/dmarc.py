"""
The DMARC policy of a domain: where it stands, and what it asks of receivers.

RFC 9989, and RFC 7489 where receivers still go by it. Which domain speaks for another is found by
the tree walk of RFC 9989 4.10: up to the top, a label at a time. So no list of public suffixes is
carried along, which would be out of date on a machine that is seldom updated.
"""

from __future__ import annotations

import re

from pillarbox.dns.record import RecordError
from pillarbox.dns.tags import parse_tags, texts_of
from pillarbox.mail.reply import printable
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.dns.answers import Ask
    from pillarbox.dns.tags import Tag

__all__ = ["REQUESTS", "Policy", "Published", "find_policy", "is_dmarc", "meant", "read_policy"]

REQUESTS = ("none", "quarantine", "reject")

# RFC 9989 4.10: of a longer name the walk goes on at its last seven labels.
_LABELS_MAX = 8

_BEGIN = re.compile(r"[ \t\r\n]*v[ \t\r\n]*=[ \t\r\n]*DMARC1[ \t\r\n]*(?:;|\Z)")
_NEARLY = re.compile(r"dmarc|^[ \t]*p[ \t]*=", re.IGNORECASE)
# How a text begins that was meant to be a record: other letters, no semicolon, no version at all.
_MISSPELT = re.compile(r"(?:v[ \t]*=[ \t]*dmarc1?[ \t,;]*)?(?=[a-z]+[ \t]*=)", re.IGNORECASE)
_AROUND = " \t\"'\\"  # what people copy along with a record
_MAILTO = re.compile(r"mailto:[^@,!\s]+@([A-Za-z0-9._-]+)(?:![0-9]+[kmgt]?)?\Z", re.IGNORECASE)


class Policy(Value):
    """
    A policy that can be understood.

    Attributes:
        domain: Whose record it is.
        text: The record.
        p: What is asked for the domain: one of ``REQUESTS``.
        sp: What is asked for those below it.
        is_strict_dkim: The domain that signs must be the same, not only related.
        is_strict_spf: So must the domain of the envelope.
        is_testing: Less is asked than ``p`` says (RFC 9989 4.7).
        psd: ``y``: others register below it; ``n``: nobody does; ``u``: it does not say.
        report_domains: Where reports go.
        doubts: Tags that receivers do not read, as faults at their places.

    """

    __slots__ = (
        "domain",
        "doubts",
        "is_strict_dkim",
        "is_strict_spf",
        "is_testing",
        "p",
        "psd",
        "report_domains",
        "sp",
        "text",
    )

    def __init__(
        self, domain: str, text: str, tags: Sequence[Tag], doubts: Sequence[RecordError]
    ) -> None:
        read = {tag.name: tag.value for tag in tags}
        self.domain = domain
        self.text = text
        self.p = read.get("p", "none").lower()
        self.sp = read.get("sp", self.p).lower()
        self.is_strict_dkim = read.get("adkim", "r").lower() == "s"
        self.is_strict_spf = read.get("aspf", "r").lower() == "s"
        self.is_testing = read.get("t", "n").lower() == "y" or read.get("pct") == "0"
        self.psd = read.get("psd", "u").lower()
        self.report_domains = tuple(_report_domains(read.get("rua", "")))
        self.doubts = tuple(doubts)

    def request(self, domain: str) -> str:
        """Return what is asked for a domain, itself or one below it: one of ``REQUESTS``."""
        asked = self.p if domain == self.domain else self.sp
        return REQUESTS[max(0, REQUESTS.index(asked) - 1)] if self.is_testing else asked


class Published(Value):
    """
    What was found for a domain.

    Attributes:
        policy: What counts; None: nothing does.
        texts: The DMARC records at the domain itself.
        strange: Other texts there that were meant to be one.
        fault: Why the one at the domain cannot be understood; None: it can.

    """

    __slots__ = ("fault", "policy", "strange", "texts")

    def __init__(
        self,
        policy: Policy | None,
        texts: tuple[str, ...],
        strange: tuple[str, ...],
        fault: RecordError | None = None,
    ) -> None:
        self.policy = policy
        self.texts = texts
        self.strange = strange
        self.fault = fault


def is_dmarc(text: str) -> bool:
    """Tell whether a text is a DMARC record: it begins with its version (RFC 9989 4.7)."""
    return bool(_BEGIN.match(text))


def find_policy(domain: str, ask: Ask) -> Published:
    """
    Return the policy for a domain, its own or that of one above it. Blocks.

    Args:
        domain: In ASCII and lower case.
        ask: Who answers questions to the DNS.

    Raises:
        LookupFailedError: The nameservers of one of the domains did not answer.

    """
    found = texts_of(f"_dmarc.{domain}", ask)
    texts = tuple(text for text in found if is_dmarc(text))
    strange = tuple(text for text in found if not is_dmarc(text) and _NEARLY.search(text))
    if len(texts) == 1:
        try:
            return Published(read_policy(texts[0], domain), texts, strange)
        except RecordError as exc:
            return Published(None, texts, strange, exc)
    if texts or strange:
        # Several count as none at all; one that is misspelt is to be corrected, not passed over.
        return Published(None, texts, strange)
    return Published(_from_above(domain, ask), (), ())


def _from_above(domain: str, ask: Ask) -> Policy | None:
    """Return the policy of the organization that a domain belongs to, or of who registered it."""
    above: list[Policy] = []
    for parent in _parents(domain):
        texts = [text for text in texts_of(f"_dmarc.{parent}", ask) if is_dmarc(text)]
        policy = _readable(texts, parent)
        if policy is None:
            continue
        if policy.psd == "n":
            return policy
        if policy.psd == "y":
            # One label below it begins an organization: what was found there counts, if any.
            mine = [one for one in above if one.domain.count(".") == parent.count(".") + 1]
            return mine[-1] if mine else policy
        above.append(policy)
    return above[-1] if above else None


def _parents(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    start = max(1, len(labels) - _LABELS_MAX + 1)
    for number in range(start, len(labels)):
        yield ".".join(labels[number:])


def _readable(texts: Sequence[str], domain: str) -> Policy | None:
    try:
        return read_policy(texts[0], domain) if len(texts) == 1 else None
    except RecordError:
        return None


def read_policy(text: str, domain: str) -> Policy:
    """
    Read a record.

    Args:
        text: It.
        domain: Whose it is.

    Raises:
        RecordError: Receivers cannot use it.

    """
    if not is_dmarc(text):
        raise RecordError(
            say("a DMARC record begins with 'v=DMARC1;'"),
            text, 0, len(text.partition(";")[0]), say("write v=DMARC1; p=none"),
        )  # fmt: skip
    tags = parse_tags(text)
    asked = next((tag for tag in tags if tag.name == "p"), None)
    reports = next((tag for tag in tags if tag.name == "rua"), None)
    if asked is None and reports is None:
        raise RecordError(
            say("'{name}=' is missing", name="p"), text, 0, 1, say("write v=DMARC1; p=none")
        )
    if asked is not None and asked.value.lower() not in REQUESTS:
        raise _fault(text, asked, say("write none, quarantine or reject"))
    doubts = [fault for tag in tags if (fault := _doubt(text, tag)) is not None]
    unread = {fault.place for fault in doubts}
    return Policy(domain, text, [tag for tag in tags if tag.place not in unread], doubts)


def meant(text: str, domain: str) -> str:
    """Return the record that a text was meant to be; empty: nobody can tell."""
    words = _MISSPELT.sub("v=DMARC1; ", text.strip(_AROUND), count=1)
    try:
        policy = read_policy(words, domain)
    except RecordError:
        return ""
    return "" if policy.doubts else words


def _doubt(text: str, tag: Tag) -> RecordError | None:
    """Return what is wrong with a tag whose default then counts; None: nothing."""
    value = tag.value.lower()
    words = {
        "sp": REQUESTS, "np": REQUESTS, "adkim": ("r", "s"), "aspf": ("r", "s"),
        "t": ("y", "n"), "psd": ("y", "n", "u"),
    }.get(tag.name)  # fmt: skip
    if words is not None and value not in words:
        return _fault(text, tag, say("write {words}", words=", ".join(words)))
    if tag.name == "pct" and not (value.isdecimal() and int(value) <= 100):
        return _fault(text, tag, say("write a number from 0 to 100"))
    if tag.name in ("rua", "ruf") and not all(
        _MAILTO.match(part.strip()) for part in tag.value.split(",")
    ):
        return _fault(text, tag, say("write mailto: and an address"))
    return None


def _report_domains(value: str) -> Iterator[str]:
    for part in value.split(","):
        found = _MAILTO.match(part.strip())
        if found is not None:
            yield found.group(1).lower().rstrip(".")


def _fault(text: str, tag: Tag, advice: str) -> RecordError:
    problem = say("'{value}' cannot stand in '{name}='",
                  value=printable(tag.value, 60), name=tag.name)  # fmt: skip
    return RecordError(problem, text, tag.place, len(tag.value), advice)
