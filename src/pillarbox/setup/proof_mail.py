"""
A test mail with a word in it that only who has received it knows.

The word is what proves that mail arrives: that the provider took it proves only that it was
handed in. It is a word that nobody guesses or mistypes, and no secret.
"""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import TYPE_CHECKING

from pillarbox.delivery.submit import send_now
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.text import localize, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.address import Mailbox

__all__ = ["is_token", "make_token", "send_test_mail"]

# Without those that look alike: 0 and O, 1 and I and L.
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_LENGTH = 6


def make_token() -> str:
    """Return a word to be typed back."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def is_token(text: str, token: str) -> bool:
    """Tell whether a person has typed the word back, in whatever case and spacing."""
    return "".join(text.split()).upper() == token


def send_test_mail(
    account: Account,
    sender: Mailbox,
    recipient: Mailbox,
    token: str,
    *,
    environment: Mapping[str, str],
    language: str,
    hostname: str,
) -> Outcome:
    """
    Send it, as any mail of the account is sent. Blocks.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    subject = say("pillarbox test mail {token} from {host}", token=token, host=hostname)
    text = say(
        "This mail shows that the server {host} can send.\n\n"
        "Type this word back where pillarbox setup asks for it:\n\n    {token}\n\n"
        "If you did not set up a server, somebody mistyped an address; there is nothing to do.",
        token=token,
        host=hostname,
    )
    lines = [
        f"From: {sender}",
        f"To: {recipient}",
        f"Subject: {localize(subject, language)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        localize(text, language),
        "",
    ]
    message = read_message(BytesIO("\n".join(lines).encode()).read)
    return send_now(account, Envelope(sender, (recipient,)), message, environment=environment)
