"""
``pillarbox explain TEXT``: what a server's answer means, and what to do.

What the provider means comes first, what the text means anywhere second, and what the numbers
say last, so that there is always an answer. The text may be the reply alone, or a line of a log
that holds it.
"""

from __future__ import annotations

import json
import os
import re

from pillarbox.cli.arguments import SpeakingParser, choose_language
from pillarbox.cli.main import spoken
from pillarbox.cli.page import Page
from pillarbox.cli.providers import one_provider, retry_text
from pillarbox.config.meanings import (
    class_text,
    code_text,
    enhanced_texts,
    group_text,
    subject_text,
)
from pillarbox.config.replies import REPLY_CODE, explain
from pillarbox.errors import EX_OK, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pillarbox.config.replies import Answer

__all__ = ["EX_NUMBERS_ONLY", "Numbers", "main", "make_parser", "numbers_of"]

# Nobody knows the text: only its numbers, or nothing of it, could be explained.
EX_NUMBERS_ONLY = 1

_SHOWN = 500  # characters of the text that are repeated
_MOST = 3  # providers who say the same and mean different things; who has more names one

_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![\w.])")

# The words of --stage -> those of ``mail.status.Trouble``.
_STAGES = {
    "connect": "connect",
    "tls": "tls",
    "greeting": "greeting",
    "ehlo": "EHLO",
    "starttls": "STARTTLS",
    "auth": "AUTH",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "DATA",
    "content": "content",
}


class Numbers(Value):
    """
    What the numbers of a reply say.

    Attributes:
        code: The three digits; 0: there are none.
        enhanced: ``class.subject.detail``; empty: there is none.

    """

    __slots__ = ("code", "enhanced")

    def __init__(self, code: int, enhanced: str) -> None:
        self.code = code
        self.enhanced = enhanced

    def texts(self, *, is_explained: bool) -> Iterator[tuple[str, str]]:
        """
        Yield each number and what it says, the plainest first.

        Args:
            is_explained: Somebody knows the text: what a code of nobody's might be about, by its
                second digit, would only confuse.

        """
        if self.code:
            yield f"{self.code // 100}yz", class_text(self.code)
            text = code_text(self.code) or ("" if is_explained else group_text(self.code))
            if text:
                yield str(self.code), text
        if self.enhanced:
            for text in enhanced_texts(self.enhanced):
                yield self.enhanced, text

    def advice(self) -> str:
        """Return what to do when nobody knows the text."""
        if not self.code and not self.enhanced:
            return say("give the server's reply from its code on, or what failed, word for word")
        first = str(self.code or self.enhanced)[0]
        if first in "23":
            return say("nothing: this is no failure")
        if first == "4":
            return say("let the queue try again; if it stays so for a day, ask the provider")
        subject = self.enhanced[2:3] if subject_text(self.enhanced or "0.0.0") else ""
        if subject in ("1", "2"):
            return say("check the recipient's address; if it is right, the recipient must act")
        if subject == "7" or self.code in (530, 534, 535, 538):
            return say("check login, password and From; the provider's console may forbid them")
        return say("read what the server wrote, mend that, and ask the provider if it is unclear")


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox explain``.

    Returns:
        0: somebody knows the text. ``EX_NUMBERS_ONLY``: only its numbers were explained.

    Raises:
        UsageError: The arguments are wrong.
        MissingInputError: There is no such provider.

    """
    choose_language(argv)
    wishes = make_parser().parse_args(argv)
    text = " ".join(wishes.text).strip()
    if not text:
        raise UsageError(
            say("there is no text to explain"),
            advice=say("such as: pillarbox explain '526 Authentication failure[0]'"),
        )
    provider = one_provider(wishes.provider) if wishes.provider else None
    answers = explain(text, provider, _STAGES[wishes.stage] if wishes.stage else "")
    numbers = numbers_of(text)
    if wishes.json:
        print(json.dumps(_row(text, answers, numbers), ensure_ascii=False, indent=2))
    else:
        _print(text, answers, numbers)
    return EX_OK if answers else EX_NUMBERS_ONLY


def make_parser() -> SpeakingParser:
    """Return the reader of the command line."""
    parser = SpeakingParser(
        prog="pillarbox explain",
        description=spoken(say("Say what a server's answer means, and what to do.")),
        epilog=spoken(say("exit code 0: the text is known; 1: only its numbers are")),
        allow_abbrev=False,
    )
    add = parser.add_argument
    text = say("a server's reply, such as '526 Authentication failure[0]', or a line of a log")
    add("text", nargs="+", metavar="TEXT", help=spoken(text))
    provider = say("the provider who said it: its name, or its host; any if left out")
    add("--provider", default="", metavar="NAME", help=spoken(provider))
    stage = say("in answer to what it was said")
    add("--stage", default="", choices=tuple(_STAGES), type=str.lower, help=spoken(stage))
    add("--json", action="store_true", help=spoken(say("print JSON for a program")))
    return parser


def numbers_of(text: str) -> Numbers:
    """Return the numbers of the first reply in a text."""
    code = REPLY_CODE.search(text)
    enhanced = _ENHANCED.search(text)
    return Numbers(int(code[1]) if code else 0, enhanced[1] if enhanced else "")


def _print(text: str, answers: list[Answer], numbers: Numbers) -> None:
    language = language_of(os.environ)
    page = Page({})
    print(printable(text, _SHOWN))
    of_providers = [answer for answer in answers if answer.providers]
    shown = [*of_providers[:_MOST], *(answer for answer in answers if not answer.providers)]
    for answer in shown:
        print()
        print(_title(answer, language))
        reply = answer.reply
        rows = [
            (say("why"), reply.cause(language)),
            (say("to do"), reply.fix(language)),
            (say("again?"), spoken(retry_text(reply.retry))),
        ]
        for title, value in rows:
            page.row(spoken(title), value)
    left = [each.id for answer in of_providers[_MOST:] for each in answer.providers]
    if left:
        more = say(
            "others mean something else by it; add --provider: {names}", names=", ".join(left)
        )
        print()
        print(spoken(more))
    print()
    print(spoken(say("By its numbers")) if answers else spoken(say("Nobody knows this text")))
    for number, meaning in numbers.texts(is_explained=bool(answers)):
        page.row(number, spoken(meaning))
    if not answers:
        page.row(spoken(say("to do")), spoken(numbers.advice()))


def _title(answer: Answer, language: str) -> str:
    if not answer.providers:
        return spoken(say("With many servers"))
    return ", ".join(each.name(language) for each in answer.providers)


def _row(text: str, answers: list[Answer], numbers: Numbers) -> dict[str, Any]:
    language = language_of(os.environ)
    return {
        "text": text,
        "answers": [
            {
                "providers": [each.id for each in answer.providers],
                "cause": answer.reply.cause(language),
                "fix": answer.reply.fix(language),
                "retry": answer.reply.retry,
                "confidence": answer.reply.confidence,
            }
            for answer in answers
        ],
        "numbers": [
            {"number": number, "meaning": spoken(meaning)}
            for number, meaning in numbers.texts(is_explained=bool(answers))
        ],
        "advice": "" if answers else spoken(numbers.advice()),
    }
