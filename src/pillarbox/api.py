"""
Sending mail from Python: ``pillarbox.send`` and ``pillarbox.Message``.

A refusal by the server is in the result; exceptions are for what never came to an attempt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from pillarbox.compose.attachment import Attachment
from pillarbox.compose.letter import Letter
from pillarbox.compose.result import NotDeliveredError, RecipientResult, SendResult, result_of
from pillarbox.compose.sending import Choice, hand_over, make_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Attachment",
    "Message",
    "NotDeliveredError",
    "RecipientResult",
    "SendResult",
    "send",
]


@dataclass(frozen=True, kw_only=True)
class Message:
    """
    A mail that is to be written and sent.

    Attributes:
        to: One or several addresses, each as ``a@b`` or ``Name <a@b>``; text or a list of texts.
        subject: Any text.
        text: The plain text; made of the HTML where it is left out.
        html: The body as HTML.
        markdown: The body as Markdown, in place of HTML.
        cc: As ``to``.
        bcc: As ``to``; nobody sees them.
        from_: Who it is from; the account's address where it is left out.
        reply_to: As ``to``.
        attachments: Paths, or ``Attachment`` values.
        inline: The same, for pictures that the HTML names as ``cid:NAME``.
        headers: Further header fields.
        priority: ``high``, ``normal`` or ``low``.
        is_automatic: A program wrote it: no vacation notice shall answer.

    """

    to: str | Iterable[str] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    markdown: str | None = None
    cc: str | Iterable[str] = ()
    bcc: str | Iterable[str] = ()
    from_: str | None = None
    reply_to: str | Iterable[str] | None = None
    attachments: Iterable[str | os.PathLike[str] | Attachment] = ()
    inline: Iterable[str | os.PathLike[str] | Attachment] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    priority: str = "normal"
    is_automatic: bool = False

    def send(
        self, *, account: str | None = None, config: str | os.PathLike[str] | None = None
    ) -> SendResult:
        """
        Send it and wait for what becomes of it. Blocks.

        Args:
            account: The name of an account in the configuration; None: the default one.
            config: The configuration; None: that of msmtp, in the usual places.

        Raises:
            pillarbox.errors.PillarboxError: It never came to an attempt.

        """
        choice = Choice(os.environ, account, None if config is None else os.fspath(config))
        with make_ready(self._letter(), choice) as ready:
            outcome, _ = hand_over(ready.account, ready.envelope, ready.message(), choice)
            return result_of(outcome, ready.composed.message_id)

    def _letter(self) -> Letter:
        return Letter(
            to=_texts(self.to),
            cc=_texts(self.cc),
            bcc=_texts(self.bcc),
            from_=self.from_,
            reply_to=_texts(self.reply_to or ()),
            subject=self.subject,
            text=self.text,
            html=self.html,
            markdown=self.markdown,
            attachments=tuple(map(_attachment, self.attachments)),
            inline=tuple(map(_attachment, self.inline)),
            headers=tuple(self.headers.items()),
            priority=self.priority,
            is_automatic=self.is_automatic,
        )


def send(
    to: str | Iterable[str],
    subject: str,
    text: str | None = None,
    *,
    html: str | None = None,
    markdown: str | None = None,
    cc: str | Iterable[str] = (),
    bcc: str | Iterable[str] = (),
    from_: str | None = None,
    reply_to: str | Iterable[str] | None = None,
    attachments: Iterable[str | os.PathLike[str] | Attachment] = (),
    headers: Mapping[str, str] | None = None,
    account: str | None = None,
    config: str | os.PathLike[str] | None = None,
) -> SendResult:
    """
    Write a mail, send it, and return what became of it. Blocks.

    Args are those of ``Message`` and ``Message.send``.

    Raises:
        pillarbox.errors.PillarboxError: It never came to an attempt.

    """
    message = Message(
        to=to,
        subject=subject,
        text=text,
        html=html,
        markdown=markdown,
        cc=cc,
        bcc=bcc,
        from_=from_,
        reply_to=reply_to,
        attachments=attachments,
        headers=headers or {},
    )
    return message.send(account=account, config=config)


def _texts(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _attachment(given: str | os.PathLike[str] | Attachment) -> Attachment:
    return given if isinstance(given, Attachment) else Attachment(os.fspath(given))
