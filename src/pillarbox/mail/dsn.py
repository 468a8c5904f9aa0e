"""
Delivery status notifications (RFC 3464): that a mail was given up, or that it is late.

A report has three parts (RFC 6522): a text for people in their languages, the facts for programs,
and the header section of the mail that it is about; never the body: that is nobody's business,
and may be large. The envelope, with its null reverse-path, is made elsewhere.

The rule to keep: what came from a server or stood in a mail is printable ASCII, or UTF-8 inside a
transfer encoding, before it is in here; so repair finds nothing to do in a report.
"""

from __future__ import annotations

from pillarbox.mail.headers import HeaderSection, read_header_section
from pillarbox.mail.notice import (
    SHOWN,
    facts_of,
    greeting,
    head_of,
    in_languages,
    readable,
    shown,
    text_part,
)
from pillarbox.mail.originate import format_date
from pillarbox.mail.reply import printable
from pillarbox.text import localize, say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderField
    from pillarbox.mail.notice import Frame
    from pillarbox.mail.reply import EnhancedCode, Reply

__all__ = ["HEADERS_BYTES", "Fate", "Original", "bounce", "delay", "subject_of"]

HEADERS_BYTES = 64 << 10  # of the original's header section that go along; Postfix: 50,000 in all

# RFC 3464 2.3.3: the two that a queue of ours comes to by itself.
_FAILED = "failed"
_DELAYED = "delayed"

# Octets of a line that is made here: RFC 5322 2.1.1, and where no blank lets a line be folded.
_LINE = 78
_WORD = 800
# What a person reads of an address in a Subject, and of how many recipients; programs get all.
_SHOWN_ADDRESS = 60
_SHOWN_RECIPIENTS = 50

# RFC 6533 3, QCHAR: what stands for itself in an address that is not ASCII.
_QCHAR = frozenset(chr(point) for point in range(0x21, 0x7F)) - frozenset("+=\\")


class Original(Value):
    """
    The mail that a report is about.

    Attributes:
        queue_id: Its queue ID.
        accepted_s: When it was accepted, in seconds since the epoch.
        headers: The start of its content, as its caller wrote it; what is behind the header
            section, or behind ``HEADERS_BYTES``, is not looked at.
        envid: The identifier that its caller gave it (RFC 3461 4.4); empty: none.

    """

    __slots__ = ("accepted_s", "envid", "headers", "queue_id")

    def __init__(
        self, queue_id: str, accepted_s: float, headers: bytes, *, envid: str = ""
    ) -> None:
        self.queue_id = queue_id
        self.accepted_s = accepted_s
        self.headers = headers
        self.envid = envid


class Fate(Value):
    """
    What became of one recipient.

    Attributes:
        forward_path: Whose fate this is.
        code: What happened, by RFC 3463.
        problems: What happened, in one sentence, by language, without any secret.
        reply: What the server said, without any secret; None: nothing.
        advice: What to do about it, by language; empty: nobody knows.
        remote: The name of the server; empty: none was reached.
        last_attempt_s: When it was tried last, in seconds since the epoch; 0: never.

    """

    __slots__ = (
        "advice",
        "code",
        "forward_path",
        "last_attempt_s",
        "problems",
        "remote",
        "reply",
    )

    def __init__(
        self,
        forward_path: Mailbox,
        code: EnhancedCode,
        problems: Mapping[str, str],
        *,
        reply: Reply | None = None,
        advice: Mapping[str, str] | None = None,
        remote: str = "",
        last_attempt_s: float = 0.0,
    ) -> None:
        self.forward_path = forward_path
        self.code = code
        self.problems = dict(problems)
        self.reply = reply
        self.advice = dict(advice or {})
        self.remote = remote
        self.last_attempt_s = last_attempt_s


def bounce(frame: Frame, original: Original, fates: Sequence[Fate]) -> bytes:
    """Return the report that some recipients will not get a mail (RFC 3464)."""
    host = shown(frame.hostname)
    if len(fates) == 1:
        address = printable(str(fates[0].forward_path), _SHOWN_ADDRESS)
        subject = say("{host}: mail to {address} was not delivered", host=host, address=address)
    else:
        count = len(fates)
        subject = say(
            "{host}: mail to {count} recipients was not delivered", host=host, count=count
        )
    opening = say("This mail could not be delivered, and nothing more is tried.")
    return _report(frame, original, fates, _FAILED, subject, opening)


def delay(
    frame: Frame, original: Original, fates: Sequence[Fate], *, retry_until_s: float
) -> bytes:
    """
    Return the report that a mail is late (RFC 3464).

    Args:
        frame: Who tells whom.
        original: The mail.
        fates: The recipients who still wait for it.
        retry_until_s: Until when it is tried, in seconds since the epoch.

    """
    host = shown(frame.hostname)
    if len(fates) == 1:
        address = printable(str(fates[0].forward_path), _SHOWN_ADDRESS)
        subject = say("{host}: mail to {address} is late", host=host, address=address)
    else:
        subject = say("{host}: mail to {count} recipients is late", host=host, count=len(fates))
    opening = say(
        "This mail could not be delivered yet. It is tried again until {date}; you need not send "
        "it again.",
        date=format_date(retry_until_s),
    )
    return _report(frame, original, fates, _DELAYED, subject, opening, retry_until_s)


def subject_of(headers: bytes) -> str:
    """Return the Subject at the start of a content, decoded and safe to show; empty: none."""
    return _subject_in(_section_of(headers))


# -- the parts of a report -------------------------------------------------------------------------


def _report(
    frame: Frame,
    original: Original,
    fates: Sequence[Fate],
    action: str,
    subject: str,
    opening: str,
    retry_until_s: float = 0.0,
) -> bytes:
    section = _section_of(original.headers)
    subject_text = _subject_in(section)

    def text(language: str) -> list[str]:
        lines = [
            localize(greeting(frame), language),
            "",
            localize(opening, language),
            "",
            *facts_of(subject_text, original.accepted_s, original.queue_id, language),
        ]
        for fate in fates[:_SHOWN_RECIPIENTS]:
            lines += ["", *_told(fate, language)]
        if len(fates) > _SHOWN_RECIPIENTS:
            more = say("and {count} more", count=len(fates) - _SHOWN_RECIPIENTS)
            lines += ["", localize(more, language)]
        last = say("The header of the mail is attached; its text is not.")
        return [*lines, "", localize(last, language)]

    status = _status_fields(frame, original, fates, action, retry_until_s)
    headers = b"".join([_in_ascii(field).raw for field in section.fields])
    parts = (
        text_part(in_languages(frame, text)),
        b"Content-Type: message/delivery-status\r\n\r\n" + status,
        b"Content-Type: text/rfc822-headers; charset=us-ascii\r\n\r\n" + headers,
    )
    boundary = _boundary(parts)
    head = head_of(frame, subject, section.first("Message-ID") or "")
    head += (
        b"Content-Type: multipart/report; report-type=delivery-status;\r\n"
        b' boundary="' + boundary + b'"\r\n\r\n'
    )
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return head + body + b"--" + boundary + b"--\r\n"


def _status_fields(
    frame: Frame,
    original: Original,
    fates: Sequence[Fate],
    action: str,
    retry_until_s: float,
) -> bytes:
    """Return the facts for programs: a block for the mail, and one for each recipient."""
    fields = [_status_field("Reporting-MTA", f"dns; {frame.hostname}")]
    if original.envid:
        fields.append(_status_field("Original-Envelope-Id", original.envid))
    fields.append(_status_field("X-Pillarbox-Queue-ID", original.queue_id))
    fields.append(_status_field("Arrival-Date", format_date(original.accepted_s)))
    for fate in fates:
        fields += [
            b"\r\n",
            _status_field("Final-Recipient", _final_recipient(fate.forward_path)),
            _status_field("Action", action),
            _status_field("Status", str(fate.code)),
        ]
        if fate.remote:
            fields.append(_status_field("Remote-MTA", f"dns; {fate.remote}"))
        if fate.reply is not None:
            said = " ".join(fate.reply.text_lines())
            fields.append(_status_field("Diagnostic-Code", f"smtp; {said}"))
        if fate.last_attempt_s:
            fields.append(_status_field("Last-Attempt-Date", format_date(fate.last_attempt_s)))
        if retry_until_s:
            fields.append(_status_field("Will-Retry-Until", format_date(retry_until_s)))
    return b"".join(fields)


def _status_field(name: str, value: str) -> bytes:
    """Return a field in printable ASCII, folded at its blanks."""
    text = printable(value, SHOWN).encode("ascii", "backslashreplace").decode("ascii")
    lines = [f"{name}:"]
    for word in text.split():
        piece = word if len(word) <= _WORD else word[:_WORD] + "..."
        if len(lines[-1]) + 1 + len(piece) > _LINE and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {piece}"
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _final_recipient(mailbox: Mailbox) -> str:
    """Return the type and the address (RFC 3464 2.3.2; RFC 6533 3 where it is not ASCII)."""
    address = str(mailbox)
    if address.isascii():
        return f"rfc822; {address}"
    kept = (char if char in _QCHAR else f"\\x{{{ord(char):02X}}}" for char in address)
    return "utf-8; " + "".join(kept)


def _section_of(octets: bytes) -> HeaderSection:
    """Return the header section of the original, without blind recipients."""
    from io import BytesIO

    section, rest = read_header_section(BytesIO(octets[:HEADERS_BYTES]).read)
    if len(octets) >= HEADERS_BYTES and not rest:
        section = HeaderSection(section.fields[:-1])  # it may have gone on behind the cut
    return section.without(("Bcc", "Resent-Bcc"))


def _subject_in(section: HeaderSection) -> str:
    for field in section.fields:
        if field.key == b"subject":
            return readable(_in_ascii(field).value)
    return ""


def _in_ascii(field: HeaderField) -> HeaderField:
    """Return a field in lines of ASCII, whatever was in it."""
    from pillarbox.mail.header_repairs import encoded_field
    from pillarbox.mail.headers import HeaderField
    from pillarbox.mail.wire import MAX_LINE

    field = encoded_field(field)
    lines = field.raw[:-2].split(b"\r\n")
    if field.raw.isascii() and all(len(line) <= MAX_LINE for line in lines):
        return field
    lines = [bytes(octet if octet < 0x80 else 0x3F for octet in line[:MAX_LINE]) for line in lines]
    return HeaderField(field.name, b"\r\n".join(lines) + b"\r\n")


# -- the text for people ---------------------------------------------------------------------------


def _told(fate: Fate, language: str) -> list[str]:
    """Return what happened to one recipient, a line each."""
    lines = [shown(fate.problems[language])]
    if fate.reply is not None:
        said = fate.reply.text_lines()
        where = say("server message: {line}", line=" / ".join(said))
        if fate.remote:
            where = say("{host} said: {line}", host=shown(fate.remote), line=" / ".join(said))
        lines.append(shown(localize(where, language)))
    if fate.advice.get(language):
        what = say("what to do: {fix}", fix=shown(fate.advice[language]))
        lines.append(localize(what, language))
    return [shown(str(fate.forward_path)), *(f"  {line}" for line in lines)]


def _boundary(parts: Sequence[bytes]) -> bytes:
    """Return the same for the same parts; nobody can write a part that has its own digest in it."""
    from hashlib import sha256

    return f"=_{sha256(b''.join(parts)).hexdigest()[:32]}".encode()
