"""
What a server's answer means: what its provider is known to mean, then what it means anywhere.

The text may be the reply alone, or a line of a log that holds it. Every place that explains a
text asks here or ``hints``, so that a person is told the same by all of them.
"""

from __future__ import annotations

import re

from pillarbox.config.providers import load_generic_replies, load_providers
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.providers import KnownReply, Provider

__all__ = ["REPLY_CODE", "Answer", "explain"]

# A reply inside a longer text: msmtp's log has smtpmsg='535 5.7.8 ...'.
REPLY_CODE = re.compile(r"(?<![\w.])([2-5][0-5][0-9])(?:[ -]|$)")


class Answer(Value):
    """
    One explanation.

    Attributes:
        providers: Who means it so; empty: it is so with many servers.
        reply: What was recognized.

    """

    __slots__ = ("providers", "reply")

    def __init__(self, providers: tuple[Provider, ...], reply: KnownReply) -> None:
        self.providers = providers
        self.reply = reply


def explain(text: str, provider: Provider | None = None, stage: str = "") -> list[Answer]:
    """
    Return what a text means, the likeliest first.

    Args:
        text: A reply, a failure, or a line that holds one.
        provider: Who said it; None: not known, so that what each would mean is returned.
        stage: As for ``hints.find_hint``; empty: not known.

    """
    texts = [text, *_replies_in(text)]
    found: dict[tuple[str, str], Answer] = {}
    for each in (provider,) if provider else load_providers():
        reply = _first(each.replies, texts, stage)
        if reply is not None:
            key = reply.cause("en"), reply.fix("en")
            others = found[key].providers if key in found else ()
            found[key] = Answer((*others, each), reply)
    answers = list(found.values())
    generic = _first(load_generic_replies(), texts, stage)
    if generic is not None:
        answers.append(Answer((), generic))
    return answers


def _first(replies: tuple[KnownReply, ...], texts: list[str], stage: str) -> KnownReply | None:
    """Return the first that explains one of the texts, the whole text before its parts."""
    for text in texts:
        for reply in replies:
            if reply.explains(text, stage):
                return reply
    return None


def _replies_in(text: str) -> Iterator[str]:
    """Yield a text from each reply code on that stands inside it."""
    for found in REPLY_CODE.finditer(text):
        if found.start():
            yield text[found.start() :]
