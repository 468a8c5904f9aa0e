"""
What a server said, for a finding: explained, and safe to show as evidence.

The rule to keep: what a server wrote becomes evidence only by ``evidence_of`` and a sentence that
may quote it only by ``told``, which star the secret out; and an explanation is the provider's
own where there is one, and what it means anywhere only where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.hints import Hint, find_hint
from pillarbox.delivery.report import mask
from pillarbox.mail.reply import Reply, printable
from pillarbox.text import bilingual, say

if TYPE_CHECKING:
    from pillarbox.delivery.attempt import Connection
    from pillarbox.mail.status import Trouble
    from pillarbox.secret import Secret

__all__ = ["evidence_of", "explain", "explain_reply", "explain_trouble", "told"]

_LINES = 6  # of a reply; Google's have five
_SHOWN = 300  # characters of a sentence


def explain(text: str, *, host: str, greeting: str = "", stage: str = "") -> Hint | None:
    """
    Return what a text means, in both languages, or None.

    The provider's name stands before the cause where it is his. Args are those of
    ``hints.find_hint``.
    """
    english = find_hint(text, host=host, greeting=greeting, stage=stage, language="en")
    chinese = find_hint(text, host=host, greeting=greeting, stage=stage, language="zh")
    if english is None or chinese is None:
        return None
    cause: str = bilingual(english.cause, chinese.cause)
    provider: str = ""
    if english.provider:
        provider = bilingual(english.provider, chinese.provider)
        cause = say("{provider}: {cause}", provider=provider, cause=cause)
    return Hint(provider, english.retry, cause, bilingual(english.fix, chinese.fix))


def explain_reply(reply: Reply, stage: str, connection: Connection) -> Hint | None:
    """Return what a reply that came over a connection means, or None."""
    return _explain(str(reply), stage, connection)


def explain_trouble(trouble: Trouble, connection: Connection) -> Hint | None:
    """Return what is known of a trouble's reply, or else of its text, or None."""
    text = str(trouble.reply) if trouble.reply is not None else trouble.problem
    return _explain(text, trouble.stage, connection)


def _explain(text: str, stage: str, connection: Connection) -> Hint | None:
    client = connection.client
    greeting = str(client.greeting) if client is not None and client.greeting else ""
    host = connection.route.endpoint.host
    return explain(text, host=host, greeting=greeting, stage=stage)


def evidence_of(reply: Reply | None, secret: Secret | None) -> tuple[str, ...]:
    """Return the lines of a reply, safe to show; none for None."""
    if reply is None:
        return ()
    lines = tuple(mask(line, secret) for line in reply.lines[-_LINES:])
    return tuple(Reply(reply.code, lines).text_lines())


def told(sentence: str, secret: Secret | None) -> str:
    """Return a sentence of ours that may quote a server, safe to show."""
    plain = mask(sentence.encode("utf-8", "surrogatepass"), secret)
    shown = printable(plain, _SHOWN)
    # As it is, where nothing had to be hidden: a text then stays one that can be translated.
    return sentence if shown == sentence else shown
