"""
Reading options as GNU ``getopt_long`` does, from a table.

Options may follow operands unless POSIXLY_CORRECT is set, long names may be cut short while
they stay unique, short ones may be glued. ``argparse`` cannot do this, and costs 9 ms.
"""

from __future__ import annotations

from pillarbox.errors import UsageError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NONE", "OPTIONAL", "REQUIRED", "Option", "parse_options"]

NONE = "none"
OPTIONAL = "optional"
REQUIRED = "required"


class Option(Value):
    """
    One option.

    Attributes:
        key: What the caller knows it by.
        long: The long name without its dashes; empty: none.
        short: The letter; empty: none.
        argument: ``NONE``, ``REQUIRED``, or ``OPTIONAL`` (only glued: ``-dx``, ``--debug=x``).

    """

    __slots__ = ("argument", "key", "long", "short")

    def __init__(self, key: str, *, long: str = "", short: str = "", argument: str = NONE) -> None:
        self.key = key
        self.long = long
        self.short = short
        self.argument = argument


def parse_options(
    arguments: Sequence[str], options: Iterable[Option], *, is_posix: bool = False
) -> tuple[list[tuple[str, str | None]], list[str]]:
    """
    Take a command line apart.

    Args:
        arguments: The command line without the program's name.
        options: The table.
        is_posix: Stop at the first operand (POSIXLY_CORRECT).

    Returns:
        The options in order, each with its argument or None; and the operands.

    Raises:
        UsageError: An option is unknown, ambiguous, or has or lacks an argument.

    """
    long = {option.long: option for option in options if option.long}
    short = {option.short: option for option in options if option.short}
    found: list[tuple[str, str | None]] = []
    operands: list[str] = []
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "--":
            operands += reversed(waiting)
            break
        if word.startswith("--"):
            found.append(_take_long(word, long, waiting))
        elif word.startswith("-") and word != "-":
            _take_short(word, short, waiting, found)
        elif is_posix:
            operands += [word, *reversed(waiting)]
            break
        else:
            operands.append(word)
    return found, operands


def _take_long(word: str, table: dict[str, Option], waiting: list[str]) -> tuple[str, str | None]:
    name, equals, value = word[2:].partition("=")
    option = table.get(name)
    if option is None:
        matches = [long for long in table if long.startswith(name)]
        if not matches:
            raise UsageError(say("unrecognized option '--{name}'", name=name))
        if len(matches) > 1:
            possible = " ".join(f"'--{match}'" for match in matches)
            problem = say(
                "option '--{name}' is ambiguous; possibilities: {names}", name=name, names=possible
            )
            raise UsageError(problem)
        option = table[matches[0]]
    if equals and option.argument == NONE:
        raise UsageError(say("option '--{name}' doesn't allow an argument", name=option.long))
    if equals:
        return option.key, value
    if option.argument == REQUIRED:
        if not waiting:
            raise UsageError(say("option '--{name}' requires an argument", name=option.long))
        return option.key, waiting.pop()
    return option.key, None


def _take_short(
    word: str,
    table: dict[str, Option],
    waiting: list[str],
    found: list[tuple[str, str | None]],
) -> None:
    position = 1
    while position < len(word):
        letter = word[position]
        position += 1
        option = table.get(letter)
        if option is None:
            raise UsageError(say("invalid option -- '{letter}'", letter=letter))
        if option.argument == NONE:
            found.append((option.key, None))
            continue
        rest = word[position:]
        if rest or option.argument == OPTIONAL:
            found.append((option.key, rest or None))
        elif waiting:
            found.append((option.key, waiting.pop()))
        else:
            raise UsageError(say("option requires an argument -- '{letter}'", letter=letter))
        return
