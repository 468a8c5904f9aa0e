"""
What a sender adds to a message before it leaves: From, To, Date, Message-ID; and Bcc's removal.

The order of what is added, and when, is msmtp's. Values are built here from parsed parts, never
copied from a caller's bytes, so no newline can become a header.
"""

from __future__ import annotations

from pillarbox.mail.encoded_word import format_mailbox_field
from pillarbox.mail.headers import HeaderField
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderSection

__all__ = [
    "HeaderWishes",
    "add_missing_headers",
    "blind_copy_field",
    "format_date",
    "make_message_id",
    "recipient_fields",
]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_MAX_LINE = 78  # RFC 5322 2.1.1


class HeaderWishes(Value):
    """
    Which header fields the account wants set, in msmtp's words.

    Attributes:
        set_from: ``auto`` (when missing), ``on`` (always, replacing) or ``off``.
        set_to: ``off``, ``on`` (name the recipients) or ``undisclosed_recipients``.
        set_date: Whether a missing Date is added.
        set_message_id: Whether a missing Message-ID is added.
        remove_bcc: Whether Bcc and Resent-Bcc are removed.
        full_name: The display name for an added From; empty: none.

    """

    __slots__ = ("full_name", "remove_bcc", "set_date", "set_from", "set_message_id", "set_to")

    def __init__(
        self,
        *,
        set_from: str = "auto",
        set_to: str = "off",
        set_date: bool = True,
        set_message_id: bool = True,
        remove_bcc: bool = True,
        full_name: str = "",
    ) -> None:
        self.set_from = set_from
        self.set_to = set_to
        self.set_date = set_date
        self.set_message_id = set_message_id
        self.remove_bcc = remove_bcc
        self.full_name = full_name


def add_missing_headers(
    headers: HeaderSection,
    wishes: HeaderWishes,
    *,
    sender: Mailbox | None,
    recipients: tuple[Mailbox, ...],
    date: str,
    message_id: str,
) -> HeaderSection:
    """
    Return the header section that is sent.

    Args:
        headers: The section as it came.
        wishes: What the account wants.
        sender: The mailbox for an added From; None: none is added.
        recipients: The mailboxes for an added To.
        date: The value of an added Date.
        message_id: The value of an added Message-ID.

    Raises:
        DataError, MissingExtraError: As ``Mailbox.domain_ascii`` for an added mailbox.

    """
    removed: list[str] = []
    if wishes.remove_bcc:
        removed += ["Bcc", "Resent-Bcc"]
    if wishes.set_from == "on" and sender is not None:
        removed.append("From")
    if wishes.set_to != "off":
        removed += ["To", "Cc", "Bcc"]
    kept = headers.without(removed) if removed else headers

    added = []
    if sender is not None and wishes.set_from != "off" and "From" not in kept:
        value = format_mailbox_field(wishes.full_name, _in_header(sender))
        if len(value) > _MAX_LINE - len("From: "):
            value = value.replace("?= ", "?=\r\n ")  # RFC 2047 2: a line for each encoded word
        added.append(_field("From", value))
    if wishes.set_to == "on":
        added.append(_list_field("To", [_in_header(mailbox) for mailbox in recipients]))
    elif wishes.set_to == "undisclosed_recipients":
        added.append(_field("To", "undisclosed-recipients:;"))
    if wishes.set_date and "Date" not in kept:
        added.append(_field("Date", date))
    if wishes.set_message_id and "Message-ID" not in kept:
        added.append(_field("Message-ID", message_id))
    return kept.preceded_by(added) if added else kept


def blind_copy_field(recipient: Mailbox) -> HeaderField:
    """
    Return the Bcc field of the one copy that only this recipient gets (RFC 5322 3.6.3).

    Raises:
        DataError, MissingExtraError: As ``Mailbox.domain_ascii``.

    """
    return _field("Bcc", _in_header(recipient))


def format_date(epoch_s: float) -> str:
    """Return a moment as RFC 5322 3.3 has it: local time, English names, numeric zone."""
    from time import localtime

    now = localtime(epoch_s)
    minutes = now.tm_gmtoff // 60
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02} {_MONTHS[now.tm_mon - 1]} {now.tm_year}"
        f" {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} {sign}{hours:02}{minutes:02}"
    )


def make_message_id(domain: str, *, epoch_s: float, random: bytes) -> str:
    """
    Return a Message-ID: time and randomness at the sender's domain.

    The sender's local-part is not in it: filters count that (measured: 1 point in rspamd).

    Args:
        domain: What stands behind the @; must not be empty.
        epoch_s: The moment, seconds since the epoch.
        random: At least 8 random octets.

    """
    return f"<{int(epoch_s * 1000):x}.{random.hex()}@{domain}>"


def recipient_fields(headers: HeaderSection) -> list[str]:
    """
    Return the values of the fields that name recipients, in order (msmtp ``-t``).

    These are To, Cc and Bcc; or, when the mail was resent, Resent-To, Resent-Cc and Resent-Bcc
    of the first, the latest, block of Resent fields (RFC 5322 3.6.6).
    """
    if not any(field.key.startswith(b"resent-") for field in headers.fields):
        return [field.value for field in headers.fields if field.key in (b"to", b"cc", b"bcc")]
    values = []
    is_in_block = False
    for field in headers.fields:
        if field.key.startswith(b"resent-"):
            is_in_block = True
            if field.key in (b"resent-to", b"resent-cc", b"resent-bcc"):
                values.append(field.value)
        elif is_in_block:
            break
    return values


def _in_header(mailbox: Mailbox) -> str:
    # Octets above 127 only where SMTPUTF8 has to be asked for anyway (RFC 6532).
    return mailbox.wire_form(smtputf8=mailbox.needs_smtputf8).decode()


def _field(name: str, value: str) -> HeaderField:
    raw = f"{name}: {value}\r\n".encode("utf-8", "surrogateescape")
    return HeaderField(name.encode(), raw)


def _list_field(name: str, items: list[str]) -> HeaderField:
    lines = [f"{name}:"]
    for index, item in enumerate(items):
        piece = f" {item}," if index < len(items) - 1 else f" {item}"
        if len(lines[-1]) + len(piece) > _MAX_LINE and index:
            lines.append("")
        lines[-1] += piece
    return HeaderField(name.encode(), ("\r\n".join(lines) + "\r\n").encode())
