"""
What a spam filter would hold against a mail's form, found in the mail that really arrived.

One row a rule, in the order of what a person should mend first. The points were measured with
SpamAssassin 4.0.1 and rspamd 3.4, one fault at a time in an otherwise good message; they tell
what weighs how much, and promise no delivery.
"""

from __future__ import annotations

from io import BytesIO

from pillarbox.mail.headers import read_header_section
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.headers import HeaderSection

__all__ = ["Arrived", "Remark", "remarks_on"]


class Arrived(Value):
    """
    A mail that arrived.

    Attributes:
        headers: Its header section.
        body: The octets behind it.
        reverse_path: The envelope's sender, empty for the null reverse-path.

    """

    __slots__ = ("body", "headers", "reverse_path")

    def __init__(self, headers: HeaderSection, body: bytes, reverse_path: str) -> None:
        self.headers = headers
        self.body = body
        self.reverse_path = reverse_path

    @classmethod
    def from_content(cls, content: bytes, reverse_path: str) -> Arrived:
        """Return the content taken apart."""
        stream = BytesIO(content)
        headers, start = read_header_section(stream.read)
        return cls(headers, start + stream.read(), reverse_path)

    def has_raw(self, name: str) -> bool:
        """Whether a field of that name has octets above 127."""
        return any(
            field.key == name.lower().encode() and not field.raw.isascii()
            for field in self.headers.fields
        )


class Remark(Value):
    """
    One fault of a mail's form.

    Attributes:
        key: The row of ``try_texts`` that describes it.
        spamassassin: Points that SpamAssassin gives.
        rspamd: Points that rspamd gives.

    """

    __slots__ = ("key", "rspamd", "spamassassin")

    def __init__(self, key: str, spamassassin: float, rspamd: float) -> None:
        self.key = key
        self.spamassassin = spamassassin
        self.rspamd = rspamd


def _has_sender_in_id(mail: Arrived) -> bool:
    message_id = mail.headers.first("Message-ID") or ""
    return bool(mail.reverse_path) and mail.reverse_path in message_id


def _lacks_charset(mail: Arrived) -> bool:
    is_declared = "MIME-Version" in mail.headers and "Content-Type" in mail.headers
    return not mail.body.isascii() and not is_declared


_RULES: tuple[tuple[Remark, Callable[[Arrived], bool]], ...] = (
    (Remark("from_missing", 1.0, 2.3), lambda mail: "From" not in mail.headers),
    (
        Remark("to_missing", 0.9, 2.0),
        lambda mail: "To" not in mail.headers and "Cc" not in mail.headers,
    ),
    (Remark("mime_missing", 1.0, 2.0), _lacks_charset),
    (Remark("subject_missing", 0.0, 2.0), lambda mail: "Subject" not in mail.headers),
    (Remark("subject_raw", 0.0, 1.0), lambda mail: mail.has_raw("Subject")),
    (Remark("from_raw", 0.0, 1.0), lambda mail: mail.has_raw("From")),
    (Remark("date_missing", 2.7, 1.0), lambda mail: "Date" not in mail.headers),
    (Remark("id_missing", 0.6, 2.5), lambda mail: "Message-ID" not in mail.headers),
    (Remark("id_sender", 0.0, 1.0), _has_sender_in_id),
    (Remark("body_empty", 2.2, 0.0), lambda mail: not mail.body.strip()),
)


def remarks_on(mail: Arrived) -> list[Remark]:
    """Return what is to be said about a mail's form, the heaviest kinds first."""
    return [remark for remark, applies in _RULES if applies(mail)]
