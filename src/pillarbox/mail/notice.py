"""
The shape of every notice: who tells whom, the header section, and the text in several languages.

``digest`` and ``broken`` are plain letters; the reports of RFC 3464 are ``mail.dsn``'s, which
builds on the same parts.

The rule to keep: what came from a server or stood in a mail is printable ASCII, or UTF-8 inside a
transfer encoding, before it is in here; so repair finds nothing to do in a notice.
"""

from __future__ import annotations

from pillarbox.mail.encoded_word import decode_words, encode_unstructured, format_mailbox_field
from pillarbox.mail.originate import format_date
from pillarbox.mail.reply import printable
from pillarbox.text import localize, say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pillarbox.mail.address import Mailbox

__all__ = [
    "SHOWN",
    "Frame",
    "Row",
    "broken",
    "digest",
    "facts_of",
    "greeting",
    "head_of",
    "in_languages",
    "readable",
    "shown",
    "text_part",
]

SHOWN = 1000  # characters of one sentence that a person reads

_MAX_MESSAGE_ID = 250


class Frame(Value):
    """
    Who tells whom, when and where, in which words.

    Attributes:
        sender: The address in From: the account's own, for providers demand that.
        recipients: Who is told.
        hostname: The computer that tells.
        epoch_s: Now, in seconds since the epoch.
        message_id: The notice's own: ``<...@...>``.
        languages: The languages of the text, ``en`` or ``zh``, each once; the Subject is in the
            first.

    """

    __slots__ = ("epoch_s", "hostname", "languages", "message_id", "recipients", "sender")

    def __init__(
        self,
        sender: Mailbox,
        recipients: tuple[Mailbox, ...],
        *,
        hostname: str,
        epoch_s: float,
        message_id: str,
        languages: tuple[str, ...] = ("en", "zh"),
    ) -> None:
        self.sender = sender
        self.recipients = recipients
        self.hostname = hostname
        self.epoch_s = epoch_s
        self.message_id = message_id
        self.languages = languages


class Row(Value):
    """
    One mail in a digest.

    Attributes:
        queue_id: Its queue ID.
        accepted_s: When it was accepted, in seconds since the epoch.
        subject: Its Subject, decoded.
        recipients: Whom it did not reach, as text.
        problems: What happened, by language.

    """

    __slots__ = ("accepted_s", "problems", "queue_id", "recipients", "subject")

    def __init__(
        self,
        queue_id: str,
        accepted_s: float,
        subject: str,
        recipients: str,
        problems: Mapping[str, str],
    ) -> None:
        self.queue_id = queue_id
        self.accepted_s = accepted_s
        self.subject = subject
        self.recipients = recipients
        self.problems = dict(problems)


def digest(frame: Frame, rows: Sequence[Row], count: int) -> bytes:
    """
    Return the letter about the mails whose notices were put off.

    Args:
        frame: Who tells whom.
        rows: The mails, as far as they were kept.
        count: How many there were in all.

    """
    subject = say(
        "{host}: more mail was not delivered ({count})",
        host=shown(frame.hostname),
        count=count,
    )

    def text(language: str) -> list[str]:
        lines = [
            localize(greeting(frame), language),
            "",
            localize(say("So many mails failed that these were not told one by one."), language),
        ]
        for row in rows:
            lines += [
                "",
                shown(row.recipients),
                *facts_of(row.subject, row.accepted_s, row.queue_id, language),
                f"  {shown(row.problems.get(language, ''))}",
            ]
        if count > len(rows):
            more = say("and {count} more", count=count - len(rows))
            lines += ["", localize(more, language)]
        return lines

    return _letter(frame, subject, text)


def broken(
    frame: Frame,
    account: str,
    problems: Mapping[str, str],
    *,
    waiting: int,
    advice: Mapping[str, str] | None = None,
) -> bytes:
    """
    Return the letter that an account can send nothing.

    Args:
        frame: Who tells whom; the sender is another account's.
        account: The name of the account that is broken.
        problems: What is wrong, in one sentence, by language.
        waiting: How many mails wait for it.
        advice: What to do, by language.

    """
    name = shown(account)
    subject = say("{host}: the account {name} cannot send", host=shown(frame.hostname), name=name)

    def text(language: str) -> list[str]:
        told = [
            greeting(frame),
            "",
            say("The account {name} cannot send mail until somebody puts it right:", name=name),
            "",
            f"  {shown(problems[language])}",
        ]
        if advice and advice.get(language):
            what = say("what to do: {fix}", fix=shown(advice[language]))
            told.append(f"  {localize(what, language)}")
        told += [
            "",
            say("Mail that waits for it: {count}. None of it is lost.", count=waiting),
            say("When it is put right: pillarbox queue resume {name}", name=name),
        ]
        return [localize(line, language) for line in told]

    return _letter(frame, subject, text)


def greeting(frame: Frame) -> str:
    """Return the first sentence: who speaks."""
    return say("This is the mail program (pillarbox) of {host}.", host=shown(frame.hostname))


def facts_of(subject: str, accepted_s: float, queue_id: str, language: str) -> list[str]:
    """Return the lines by which somebody knows his mail again."""
    lines = [say("Subject: {text}", text=shown(subject))] if subject else []
    lines.append(say("handed over: {date}", date=format_date(accepted_s)))
    lines.append(say("queue ID: {id}", id=shown(queue_id)))
    return [f"  {localize(line, language)}" for line in lines]


def in_languages(frame: Frame, text: Callable[[str], list[str]]) -> str:
    """Return the text in each language, one below the other."""
    texts = ["\n".join(text(language)) for language in frame.languages]
    return "\n\n* * *\n\n".join(texts) + "\n"


def shown(text: str) -> str:
    """Return untrusted text as a line that is safe to show, of at most ``SHOWN`` characters."""
    return printable(text, SHOWN)


def readable(value: str) -> str:
    """Return the value of a header field as a person reads it, and safe to show."""
    return printable(" ".join(decode_words(value).split()), 200)


def _letter(frame: Frame, subject: str, text: Callable[[str], list[str]]) -> bytes:
    return head_of(frame, subject, "") + text_part(in_languages(frame, text)) + b"\r\n"


def head_of(frame: Frame, subject: str, about: str) -> bytes:
    """Return the header section up to where the content is described."""
    name = "Mail Delivery System"
    lines = [
        f"Date: {format_date(frame.epoch_s)}",
        f"From: {format_mailbox_field(name, _in_header(frame.sender))}",
        "To: " + ",\r\n ".join(map(_in_header, frame.recipients)),
        f"Message-ID: {frame.message_id}",
    ]
    if _is_message_id(about):
        # RFC 3834 3.1.5, so that a mail program shows it beside the mail.
        lines += [f"In-Reply-To: {about}", f"References: {about}"]
    # RFC 3834 5: an answer of a program; nobody's vacation notice answers that.
    lines += ["Auto-Submitted: auto-replied", "MIME-Version: 1.0"]
    said = encode_unstructured("Subject", localize(subject, frame.languages[0]))
    return said + "".join(f"{line}\r\n" for line in lines).encode()


def _in_header(mailbox: Mailbox) -> str:
    return mailbox.wire_form(smtputf8=mailbox.needs_smtputf8).decode()


def _is_message_id(value: str) -> bool:
    inner = value[1:-1]
    return (
        value.isascii()
        and value[:1] == "<"
        and value[-1:] == ">"
        and "@" in inner.strip("@")
        and len(value) <= _MAX_MESSAGE_ID
        and not any(char <= " " or char in "<>,;\x7f" for char in inner)
    )


def text_part(text: str) -> bytes:
    """Return the fields and the content of a text for people, without the last line end."""
    from pillarbox.mail.transfer import Base64, QuotedPrintable

    octets = text.encode("utf-8", "replace").replace(b"\n", b"\r\n")
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    if octets.isascii():
        return head + b"7bit\r\n\r\n" + octets.removesuffix(b"\r\n")
    readable_coder = QuotedPrintable()
    coded = readable_coder.feed(octets) + readable_coder.finish()
    if len(coded) <= len(octets) * 4 // 3:
        return head + b"quoted-printable\r\n\r\n" + coded.removesuffix(b"\r\n")
    coder = Base64(is_text=True)
    return head + b"base64\r\n\r\n" + coder.feed(octets) + coder.finish()
