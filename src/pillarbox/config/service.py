"""
Read the settings of the daemon: a TOML file that nobody needs.

1. ``find_places`` says where the file would be,
2. ``load_service`` reads it, and refuses it when somebody else could have written it, and
3. ``parse_service`` makes a ``Service`` of it, by the table ``settings.SETTINGS``.

A mistake is told with file and line, as far as the line can be found: TOML's parser gives values,
not places.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, NoReturn

from pillarbox.config import units
from pillarbox.config.files import read_file
from pillarbox.config.places import Places, find_places
from pillarbox.config.settings import SECTIONS, SENDERS, SETTINGS, Service, Setting, patterns_of
from pillarbox.config.values import reason_of
from pillarbox.errors import ConfigError
from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Service", "load_service", "parse_service", "patterns_of"]

_FILE_MAX = 1 << 20  # bytes, as for msmtprc: a device or a mistaken file ends here
_OTHERS_WRITE = 0o022
_ALL_WRITE = 0o002


def load_service(
    path: str | None, *, is_user: bool, environment: Mapping[str, str] | None = None
) -> Service:
    """
    Read the settings, or return the defaults when there is no file.

    Args:
        path: The file; None for the usual one, which need not be there.
        is_user: The service of one user, not of the system.
        environment: Names a user's directories; by default that of this process.

    Raises:
        ConfigError: The file cannot be read, is not TOML, says something unknown or wrong, or
            can be written by others than its owner.

    """
    places = find_places(os.environ if environment is None else environment, is_user=is_user)
    name = path or places.settings
    try:
        content, status = read_file(name, _FILE_MAX)
    except FileNotFoundError as error:
        if path is None:
            return parse_service({}, places)
        raise ConfigError(
            say("{path} is not there", path=path), advice=say("leave out --config")
        ) from error
    except OSError as error:
        raise ConfigError(
            say("cannot be read: {reason}", reason=error.strerror), path=name
        ) from error
    _check_owner(name, status, is_user=is_user)
    if len(content) > _FILE_MAX:
        raise ConfigError(say("is larger than a mebibyte"), path=name)
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(say("is not UTF-8"), path=name, line=line) from error
    except (ValueError, RecursionError) as error:  # int() refuses more than 4,300 digits
        _fail_grammar(error, name, content)
    return parse_service(document, places, path=name, text=text)


def parse_service(
    document: Mapping[str, object], places: Places, *, path: str = "", text: str = ""
) -> Service:
    """
    Return the settings that a document makes.

    Args:
        document: What TOML gave; an empty one gives the defaults.
        places: Where things are that it does not place.
        path: The file, for messages.
        text: What is in it, to find the line of a fault.

    Raises:
        ConfigError: It says something unknown or wrong.

    """
    return _Reader(document, places, path, text).read()


class _Reader:
    """Take one document apart."""

    def __init__(
        self, document: Mapping[str, object], places: Places, path: str, text: str
    ) -> None:
        self._document = document
        self._places = places
        self._path = path
        self._text = text

    def read(self) -> Service:
        """Return the settings."""
        sections = (*SECTIONS, SENDERS)
        top = {name: given for name, given in self._document.items() if name not in sections}
        values = self._values("", top)
        for section, kind in SECTIONS.items():
            values[section] = kind(**self._values(section, self._table(section)))
        values[SENDERS] = self._senders()
        return Service(**values, path=self._path)  # type: ignore[arg-type]

    def _table(self, section: str) -> Mapping[str, object]:
        table = self._document.get(section, {})
        if not isinstance(table, dict):
            self._fail(
                "", section, say("{name} is a section: write [{name}] above it", name=section)
            )
        return table

    def _values(self, section: str, table: Mapping[str, object]) -> dict[str, object]:
        rows = {row.name: row for row in SETTINGS if row.section == section}
        for name in table:
            if name not in rows:
                self._fail_unknown(section, name, rows)
        return {
            row.attribute: self._value(row, table[name]) if name in table else self._default(row)
            for name, row in rows.items()
        }

    def _value(self, row: Setting, given: object) -> object:
        try:
            return row.parse(given)
        except ValueError as error:
            self._fail_value(row.section, row.name, error)

    def _default(self, row: Setting) -> object:
        if isinstance(row.default, str) and row.default.startswith("{"):
            path: str = getattr(self._places, row.default[1:-1])
            return path
        return row.default

    def _senders(self) -> Mapping[str, tuple[str, ...]]:
        found = {}
        for who, patterns in self._table(SENDERS).items():
            try:
                units.check_who(who)
                found[who] = units.parse_patterns(patterns)
            except ValueError as error:
                self._fail_value(SENDERS, who, error)
        return found

    def _fail_value(self, section: str, name: str, error: ValueError) -> NoReturn:
        reason = reason_of(error)
        problem = say("invalid value for {name}: {reason}", name=printable(name), reason=reason)
        self._fail(section, name, problem)

    def _fail_unknown(self, section: str, name: str, rows: Mapping[str, Setting]) -> NoReturn:
        from difflib import get_close_matches

        shown = printable(name)
        problem = say("unknown setting {name}", name=shown)
        if section:
            problem = say("unknown setting {name} in [{section}]", name=shown, section=section)
        elsewhere = [row for row in SETTINGS if row.name == name]
        close = get_close_matches(name, [*rows, *(() if section else (*SECTIONS, SENDERS))], 1)
        if elsewhere and elsewhere[0].section:
            advice = say("it belongs below [{section}]", section=elsewhere[0].section)
        elif elsewhere:
            advice = say("it belongs above the first [section]")
        elif close:
            advice = say("did you mean {keyword}?", keyword=close[0])
        else:
            advice = say("write one of {names}", names=", ".join(rows))
        self._fail(section, name, problem, advice)

    def _fail(self, section: str, name: str, problem: str, advice: str = "") -> NoReturn:
        line = _line_of(self._text, section, name)
        raise ConfigError(problem, path=self._path, line=line, advice=advice)


def _check_owner(path: str, status: os.stat_result, *, is_user: bool) -> None:
    """Refuse a file that somebody else can change: it names programs that are run."""
    uid = os.geteuid()
    if status.st_uid not in (0, uid):
        raise ConfigError(
            say("belongs to user id {uid}", uid=status.st_uid),
            path=path,
            advice=say("give it to the user of the service: chown {uid} FILE", uid=uid),
        )
    # Many people have a group of their own and a umask of 002: their files are theirs all the same.
    if status.st_mode & (_ALL_WRITE if is_user and uid else _OTHERS_WRITE):
        raise ConfigError(say("can be written by others"), path=path, advice=say("chmod go-w FILE"))


def _fail_grammar(error: Exception, path: str, content: bytes) -> NoReturn:
    """Translate what the parser says; it names the place only in its text before Python 3.14."""
    message = str(error)
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    line = 0
    if place is not None:
        message = message[: place.start()]
        line = int(place[1]) if place[1] else content.count(b"\n") + 1
    raise ConfigError(
        say("is not valid TOML: {reason}", reason=message), path=path, line=line
    ) from error


def _line_of(text: str, section: str, name: str) -> int:
    """
    Return the line on which a setting or a section begins, for a message; 0: it is not found.

    Good enough for what people write: not for keys with dots or escapes in quotes.
    """
    wanted = f"{section}.{name}" if section else name
    here = ""
    for number, line in enumerate(text.split("\n"), 1):
        head = re.match(r"\s*\[+([^\[\]]+)\]", line)
        if head is not None:
            here = found = _bare(head[1])
        else:
            key = _bare(line.partition("=")[0])
            found = f"{here}.{key}" if here else key
        if found == wanted or found.startswith(f"{wanted}."):
            return number
    return 0


def _bare(key: str) -> str:
    return re.sub(r"[\s\"']", "", key)
