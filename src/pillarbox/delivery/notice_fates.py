"""
What a notice says of each recipient: the reply and the sentence that led to it, and what to do.

The rule to keep: a server may have echoed the secret; it is starred out here, in whatever language
the sentence is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.hints import find_hint
from pillarbox.delivery.report import mask
from pillarbox.mail.dsn import Fate
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.mail.status import BOUNCED
from pillarbox.text import localize
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.config.account import Account
    from pillarbox.mail.status import RecipientStatus, Trouble
    from pillarbox.secret import Secret

__all__ = ["Source", "fates_of"]

# What stands for a reply without an enhanced code, or for no reply: by stage, then by scope
# (RFC 3463 3.2 to 3.8, RFC 4954 6 for a login, RFC 3207 for TLS).
_DETAILS = {
    "tls": (7, 10),
    "STARTTLS": (7, 10),
    "AUTH": (7, 8),
    "site": (4, 1),
    "account": (7, 0),
    "recipient": (1, 0),
}
_EXPIRED = EnhancedCode(5, 4, 7)


class Source(Value):
    """
    Where statuses come from, and how they are told.

    Attributes:
        account: The account that was used.
        greeting: That of its server; empty: none was reached.
        secret: What must not be shown.
        languages: Those of the texts.

    """

    __slots__ = ("account", "greeting", "languages", "secret")

    def __init__(
        self, account: Account, greeting: str, secret: Secret | None, languages: tuple[str, ...]
    ) -> None:
        self.account = account
        self.greeting = greeting
        self.secret = secret
        self.languages = languages

    def said(self, text: str) -> dict[str, str]:
        """Return a sentence in each language, without the secret."""
        return {
            language: _masked(localize(text, language), self.secret) for language in self.languages
        }


def fates_of(
    statuses: Sequence[RecipientStatus],
    source: Source,
    *,
    last_attempt_s: float,
    is_expired: bool = False,
) -> list[Fate]:
    """
    Return what is told of each recipient, in order.

    Args:
        statuses: None of them is delivered.
        source: Where they come from.
        last_attempt_s: When the last attempt was, in seconds since the epoch; 0: unknown.
        is_expired: They are given up because it took too long.

    """
    # A thousand recipients have often one trouble.
    known: dict[Trouble, tuple[Reply | None, dict[str, str], dict[str, str]]] = {}
    fates = []
    for status in statuses:
        trouble = status.trouble
        assert trouble is not None  # nobody tells of what was delivered
        if trouble not in known:
            reply = _without_secret(trouble.reply, source.secret)
            known[trouble] = (reply, source.said(trouble.problem), _advice(trouble, source))
        reply, problems, advice = known[trouble]
        klass = 5 if status.action == BOUNCED else 4
        fates.append(
            Fate(
                status.forward_path,
                _EXPIRED if is_expired else _code_of(trouble, klass),
                problems,
                reply=reply,
                advice=advice,
                remote=source.account.host if reply is not None else "",
                last_attempt_s=last_attempt_s,
            )
        )
    return fates


def _advice(trouble: Trouble, source: Source) -> dict[str, str]:
    """Return what to do, by language; what is known of the provider's words goes before ours."""
    text = str(trouble.reply) if trouble.reply is not None else trouble.problem
    advice = source.said(trouble.advice) if trouble.advice else {}
    for language in source.languages:
        hint = find_hint(
            text,
            host=source.account.host,
            greeting=source.greeting,
            stage=trouble.stage,
            language=language,
        )
        if hint is not None and (hint.provider or language not in advice):
            advice[language] = hint.fix
    return advice


def _code_of(trouble: Trouble, klass: int) -> EnhancedCode:
    """Return the server's code, or one that stands for what happened; of the class it came to."""
    code = trouble.reply.enhanced if trouble.reply is not None else None
    if code is not None:
        return EnhancedCode(klass, code.subject, code.detail)
    subject, detail = _DETAILS.get(trouble.stage) or _DETAILS.get(trouble.scope, (0, 0))
    return EnhancedCode(klass, subject, detail)


def _masked(text: str, secret: Secret | None) -> str:
    octets = mask(text.encode("utf-8", "surrogateescape"), secret)
    return octets.decode("utf-8", "surrogateescape")


def _without_secret(reply: Reply | None, secret: Secret | None) -> Reply | None:
    if reply is None:
        return None
    return Reply(reply.code, tuple(mask(line, secret) for line in reply.lines), reply.enhanced)
