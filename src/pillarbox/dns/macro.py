"""
The macros of RFC 7208 section 7: their grammar, and what becomes of them for one mail.

``split_macros`` reads, ``expand`` fills in; nothing here asks the DNS. The one macro that needs
it, ``%{p}``, is handed in as a function.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Macro", "MacroError", "depends_on_mail", "expand", "split_macros"]

_MACRO = re.compile(r"%\{([slodiphvcrt])([0-9]*)(r?)([.\-+,/_=]*)\}", re.IGNORECASE)
_LITERALS = {"%%": "%", "%_": " ", "%-": "%20"}
_ONLY_IN_EXPLANATIONS = "crt"
_NAME_MAX = 253  # RFC 7208 7.3: a longer one loses labels on its left


class MacroError(ValueError):
    """
    A macro that cannot be understood.

    Attributes:
        place: Where, in characters from the beginning of the text.

    """

    def __init__(self, place: int) -> None:
        super().__init__(f"bad macro at {place}")
        self.place = place


class Macro(Value):
    """
    A macro.

    Attributes:
        letter: Which, in lower case.
        count: How many parts on the right are kept; 0: all.
        is_reversed: Whether the parts are turned round.
        delimiters: What divides the parts.
        is_escaped: Whether it is escaped as in a URL: the letter was upper case.

    """

    __slots__ = ("count", "delimiters", "is_escaped", "is_reversed", "letter")

    def __init__(
        self, letter: str, count: int, *, is_reversed: bool, delimiters: str, is_escaped: bool
    ) -> None:
        self.letter = letter
        self.count = count
        self.is_reversed = is_reversed
        self.delimiters = delimiters
        self.is_escaped = is_escaped


def split_macros(text: str, *, is_explanation: bool = False) -> Iterator[str | Macro]:
    """
    Yield the literal pieces and the macros of a macro-string (RFC 7208 7.1).

    Args:
        text: ASCII.
        is_explanation: It is the text that ``exp=`` names: the letters c, r and t are allowed,
            and spaces.

    Raises:
        MacroError: There is a percent sign that begins nothing, or an octet that may not be here.

    """
    at = 0
    lowest = " " if is_explanation else "!"
    while at < len(text):
        if text[at] != "%":
            if not lowest <= text[at] <= "~":
                raise MacroError(at)
            end = at + 1
            while end < len(text) and text[end] != "%" and lowest <= text[end] <= "~":
                end += 1
            yield text[at:end]
            at = end
        elif text[at : at + 2] in _LITERALS:
            yield _LITERALS[text[at : at + 2]]
            at += 2
        else:
            found = _MACRO.match(text, at)
            if found is None:
                raise MacroError(at)
            letter, digits, reverse, delimiters = found.groups()
            is_forbidden = letter.lower() in _ONLY_IN_EXPLANATIONS and not is_explanation
            # "%{d0}" keeps nothing: 7.1 says that the number must not be zero.
            if is_forbidden or (digits and not digits.strip("0")):
                raise MacroError(at)
            yield Macro(
                letter.lower(),
                min(int(digits[-9:]) if digits else 0, 999),
                is_reversed=bool(reverse),
                delimiters=delimiters or ".",
                is_escaped=letter.isupper(),
            )
            at = found.end()


def depends_on_mail(text: str) -> bool:
    """Tell whether the name that a domain-spec means is another for every mail."""
    return any(isinstance(part, Macro) and part.letter != "d" for part in split_macros(text))


def expand(
    text: str,
    values: Mapping[str, str],
    validated_name: Callable[[], str],
    *,
    is_explanation: bool = False,
) -> str:
    """
    Return a macro-string with everything filled in (RFC 7208 7.3).

    Args:
        text: Whose grammar is right.
        values: What each letter but ``p`` stands for.
        validated_name: What ``p`` stands for; asks the DNS.
        is_explanation: As in ``split_macros``; a name would be shortened to 253 octets.

    Raises:
        MacroError: The grammar is wrong.

    """
    made = []
    for part in split_macros(text, is_explanation=is_explanation):
        if isinstance(part, str):
            made.append(part)
            continue
        value = validated_name() if part.letter == "p" else values[part.letter]
        made.append(_transformed(value, part))
    name = "".join(made)
    return name if is_explanation else _shortened(name)


def _transformed(value: str, macro: Macro) -> str:
    parts = re.split(f"[{re.escape(macro.delimiters)}]", value)
    if macro.is_reversed:
        parts.reverse()
    value = ".".join(parts[-macro.count :] if macro.count else parts)
    return quote(value, safe="") if macro.is_escaped else value


def _shortened(name: str) -> str:
    name = name.removesuffix(".")
    while len(name) > _NAME_MAX and "." in name:
        name = name.partition(".")[2]
    return name
