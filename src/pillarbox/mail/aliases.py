"""
Aliases of local recipients: the file of aliases(5), and its expansion into addresses.

Names lead to addresses and never to programs or files: a pipe or a path on the right-hand side
is refused with a text. Expansion always ends, and soon: a name is looked up once however many
names lead to it, and depth and number are limited.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from pillarbox.errors import ConfigError, DataError
from pillarbox.mail.address import parse_address_list
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from pillarbox.mail.address import Mailbox

__all__ = ["expand_aliases"]

_MAX_DEPTH = 16  # msmtp's
_MAX_RECIPIENTS = 1000  # of one expansion: docs/threats.md L7
_MAX_FILE = 1 << 20
_INCLUDE = ":include:"
_DEFAULT = "default"

Aliases = dict[str, tuple[list[str], int]]  # lower-case name -> (items, line)


def expand_aliases(recipients: Iterable[Mailbox], path: str) -> list[Mailbox]:
    """
    Return the recipients with every local name replaced by what the file says, in order.

    A name that the file does not have goes to its ``default`` entry, and stays as it is when
    there is none; so does a name that leads to itself (``root: root, admin@example.org``), and
    one behind a backslash. Names compare without case. A mailbox that comes up twice is kept
    once.

    Args:
        recipients: Mailboxes; those with a domain pass through.
        path: The aliases file.

    Raises:
        ConfigError: The file cannot be read, is malformed, or leads in circles or too far.

    """
    expansion = _Expansion(_read_aliases(path), path)
    for recipient in recipients:
        expansion.expand(recipient)
    return list(expansion.found)


class _Expansion:
    """
    The recipients found so far, and what was done for them.

    Attributes:
        found: The mailboxes in order; the values mean nothing.

    """

    def __init__(self, aliases: Aliases, path: str) -> None:
        self.found: dict[Mailbox, None] = {}
        self._aliases = aliases
        self._path = path
        self._done: set[str] = set()  # names whose mailboxes are in ``found``
        self._limit = 0

    def expand(self, recipient: Mailbox) -> None:
        """Add what one recipient of the mail stands for."""
        self._limit = len(self.found) + _MAX_RECIPIENTS
        self._follow(recipient, ())

    def _follow(self, mailbox: Mailbox, trail: tuple[str, ...]) -> None:
        """Add what a mailbox stands for; ``trail`` holds the entries that led to it."""
        entry = None if mailbox.domain else self._entry(mailbox.local_part, trail)
        if entry is None:
            self._add(mailbox)
            return
        name, items, line = entry
        if name in self._done:
            return
        if name in trail:
            circle = " -> ".join((*trail[trail.index(name) :], name))
            self._fail(say("aliases lead in a circle: {circle}", circle=circle), line)
        if len(trail) >= _MAX_DEPTH:
            self._fail(say("aliases are nested deeper than {limit}", limit=_MAX_DEPTH), line)
        for item in items:
            for target, is_final in _read_item(item, self._path, line):
                if is_final:
                    self._add(target)
                else:
                    self._follow(target, (*trail, name))
        self._done.add(name)

    def _entry(self, local_part: str, trail: tuple[str, ...]) -> tuple[str, list[str], int] | None:
        """Return the name, items and line of the entry that a name leads to, if any."""
        name = local_part.strip('"').lower()
        if name not in self._aliases:
            # What "default" names and the file does not have is no case for "default" again.
            name = _DEFAULT if _DEFAULT in self._aliases and _DEFAULT not in trail else ""
        if not name or trail[-1:] == (name,):
            return None
        items, line = self._aliases[name]
        return name, items, line

    def _add(self, mailbox: Mailbox) -> None:
        self.found[mailbox] = None
        if len(self.found) > self._limit:
            problem = say("an alias leads to over {limit} recipients", limit=_MAX_RECIPIENTS)
            self._fail(problem, 0)

    def _fail(self, problem: str, line: int) -> NoReturn:
        raise ConfigError(problem, path=self._path, line=line)


def _read_item(item: str, path: str, line: int) -> list[tuple[Mailbox, bool]]:
    """Return the mailboxes of an item, each with whether it is to be followed no further."""
    bare = item.strip('" ')
    if bare.lower().startswith(_INCLUDE):
        return _read_include(bare[len(_INCLUDE) :].strip(), path, line)
    if item.startswith("\\"):
        return [(mailbox, True) for mailbox in _read_addresses(item[1:], path, line)]
    return [(mailbox, False) for mailbox in _read_addresses(item, path, line)]


def _read_addresses(item: str, path: str, line: int) -> list[Mailbox]:
    bare = item.strip('" ')
    if bare.startswith(("|", "/", ":")):
        _refuse_target(bare, path, line)
    try:
        return parse_address_list(item)
    except DataError as exc:
        raise ConfigError(exc.problem, path=path, line=line) from exc


def _refuse_target(target: str, path: str, line: int) -> NoReturn:
    what = say("an instruction")
    if target[0] != ":":
        what = say("a program") if target[0] == "|" else say("a file")
    problem = say(
        "{what} as the target of an alias is not supported: {target}", what=what, target=target
    )
    advice = say("name an address in its place")
    raise ConfigError(problem, path=path, line=line, advice=advice)


def _read_include(included: str, path: str, line: int) -> list[tuple[Mailbox, bool]]:
    """Read a list of addresses from a file that nobody else can have written."""
    if not included.startswith("/"):
        msg = say("the included file must be named by its whole path, not {path}", path=included)
        raise ConfigError(msg, path=path, line=line)
    text = _read(included, path=path, line=line, must_be_safe=True)
    found = []
    for number, content in enumerate(text.split("\n"), 1):
        for item in _split(_without_comment(content)):
            if item.strip('" ').lower().startswith(_INCLUDE):
                msg = say("an included file includes another")
                raise ConfigError(msg, path=included, line=number)
            found += _read_item(item, included, number)
    return found


def _read_aliases(path: str) -> Aliases:
    aliases: Aliases = {}
    for line, text in _logical_lines(_read(path)):
        name, colon, rest = _partition_name(text)
        if not colon or not name:
            msg = say("an alias needs the form 'name: address, ...'")
            raise ConfigError(msg, path=path, line=line)
        key = name.strip('"').lower()
        if "@" in key:
            msg = say("only a local name can be an alias, not {name}", name=name)
            raise ConfigError(msg, path=path, line=line)
        if key in aliases:
            first = aliases[key][1]
            msg = say("alias {name} was defined on line {number}", name=name, number=first)
            raise ConfigError(msg, path=path, line=line)
        items = _split(rest)
        if not items:
            msg = say("alias {name} leads to nobody", name=name)
            raise ConfigError(msg, path=path, line=line)
        aliases[key] = (items, line)
    return aliases


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return the entries with the number of their first line, continuation lines joined."""
    entries: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):  # and at nothing else that ends a line
        content = _without_comment(line).rstrip()
        if not content:
            continue
        if line[:1] in (" ", "\t") and entries:
            first, before = entries[-1]
            entries[-1] = (first, f"{before} {content.strip()}")
        else:
            entries.append((number, content.strip()))
    return entries


def _without_comment(line: str) -> str:
    is_quoted = False
    for position, char in enumerate(line):
        if char == '"':
            is_quoted = not is_quoted
        elif char == "#" and not is_quoted:
            return line[:position]
    return line


def _partition_name(text: str) -> tuple[str, str, str]:
    if text.startswith('"'):
        end = text.find('"', 1)
        name, rest = text[: end + 1], text[end + 1 :].lstrip()
        return (name, rest[:1], rest[1:]) if rest.startswith(":") else ("", "", "")
    name, colon, rest = text.partition(":")
    return name.rstrip(), colon, rest


def _split(text: str) -> list[str]:
    """Split at commas outside quotation marks."""
    items = [""]
    is_quoted = False
    for char in text:
        if char == '"':
            is_quoted = not is_quoted
        if char == "," and not is_quoted:
            items.append("")
        else:
            items[-1] += char
    return [item.strip() for item in items if item.strip()]


def _read(target: str, *, path: str = "", line: int = 0, must_be_safe: bool = False) -> str:
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or say("the name is not valid")
        problem = say("cannot read {path}: {reason}", path=target, reason=reason)
        raise ConfigError(problem, path=path or target, line=line) from exc
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            problem = say("{path} is not a file", path=target)
            raise ConfigError(problem, path=path or target, line=line)
        is_ours = status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022
        if must_be_safe and not is_ours:
            raise ConfigError(
                say("{path} can be written by others", path=target),
                path=path or target,
                line=line,
                advice=say("chmod go-w {path}, owned by root or by you", path=target),
            )
        data = b""
        while len(data) <= _MAX_FILE and (chunk := os.read(descriptor, 65536)):
            data += chunk
    finally:
        os.close(descriptor)
    if len(data) > _MAX_FILE:
        problem = say("{path} is larger than {limit} octets", path=target, limit=_MAX_FILE)
        raise ConfigError(problem, path=path or target)
    return data.decode("utf-8", "surrogateescape")
