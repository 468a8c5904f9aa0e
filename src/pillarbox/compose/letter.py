"""
What somebody wants to say, before it is a message: the one value that every door fills in.

The rule: nothing here is checked. ``compose.address_fields``, ``own_headers``, ``attachment`` and
``bodies`` are the gates; what is between them is text as a person or a program gave it.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.compose.attachment import Attachment

__all__ = ["Letter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """
    A mail that is to be written.

    Attributes:
        to: Contents of a To field, each with one or more addresses; names allowed.
        cc: The same for Cc.
        bcc: Who gets it without being named.
        from_: The content of From; None: the account's address.
        reply_to: Contents of Reply-To.
        subject: Any text; control characters become blanks.
        text: The plain text; None: made of the HTML, else empty.
        html: The HTML; None: made of the Markdown, else there is none.
        markdown: CommonMark with tables; None: there is none.
        attachments: Files beside the text.
        inline: Files that the HTML shows, as ``cid:NAME``.
        headers: Further fields, name and value.
        priority: ``high``, ``normal`` or ``low``.
        is_automatic: Say in Auto-Submitted that a program wrote it (RFC 3834), so that no
            vacation notice answers.

    """

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    from_: str | None = None
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    markdown: str | None = None
    attachments: tuple[Attachment, ...] = ()
    inline: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    priority: str = "normal"
    is_automatic: bool = False
