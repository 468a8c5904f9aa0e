"""
Read the text of an msmtprc file into accounts.

The grammar is msmtp's, line by line: a keyword, blanks, and an argument that reaches to the end
of the line. This module opens no file and runs no command; ``eval`` goes through a function that
it is handed. Every fault is a ``ConfigError`` with the path and the line.

1. ``parse`` splits the text into lines,
2. ``_Reader.read_line`` one line into keyword and argument, and
3. ``_Reader._open_account``, ``_open_defaults``, ``_evaluate`` or ``_set`` does what it says.

The rule to keep: an error shows a keyword or an argument only when it cannot be a secret.
"""

from __future__ import annotations

from pillarbox.config.account import ALIASES, FIELD_BY_NAME, Account, parse_setting
from pillarbox.config.values import NEEDED, NOT_TAKEN, reason_of
from pillarbox.errors import ConfigError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["STRUCTURE", "ParsedFile", "parse"]

# The keywords that are no setting, for whoever prints a list of all keywords.
STRUCTURE = (
    ("account", "Begin an account: NAME, or NAME : PARENT, PARENT to take over their settings."),
    ("defaults", "Begin settings that all accounts below have until they say otherwise."),
    ("eval", "Run a shell command; its first line of output stands in place of this line."),
)

_LINE_MAX = 499  # bytes without the newline: msmtp's buffer. A longer line is a lost newline.
_BLANKS = " \t"
_BOM = b"\xef\xbb\xbf"  # what some editors put in front of UTF-8
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz_")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_SHOWN = 80  # characters of a wrong argument that are worth repeating


class ParsedFile(Value):
    """
    What one file says.

    Attributes:
        path: The path that was handed in.
        accounts: In the order of the file; every name is there once.
        contains_secret: A password stands in the file itself (one that ``eval`` printed is
            not in the file).

    """

    __slots__ = ("accounts", "contains_secret", "path")

    def __init__(self, path: str, accounts: tuple[Account, ...], *, contains_secret: bool) -> None:
        self.path = path
        self.accounts = accounts
        self.contains_secret = contains_secret


def parse(
    text: bytes,
    path: str,
    *,
    run_eval: Callable[[str, int], str],
    on_fault: Callable[[ConfigError], None] | None = None,
) -> ParsedFile:
    """
    Read a file.

    Args:
        text: The bytes of the file.
        path: Its name, for messages and for ``Account.where``.
        run_eval: Takes the command of an ``eval`` line and the number of that line, and
            returns the first line of its output without line ending; it raises what it likes.
        on_fault: Takes every fault of a line, and reading goes on behind it, for whoever
            wishes to know them all; None: the first fault is raised.

    Raises:
        ConfigError: The text breaks the grammar; it has the line.

    """
    reader = _Reader(path, run_eval)
    nul = text.find(b"\0")
    if nul >= 0:
        reader.line = text.count(b"\n", 0, nul) + 1
        reader.fail(say("a NUL byte"), say("save the file as plain text in UTF-8"))
    for raw in text.removeprefix(_BOM).split(b"\n"):
        reader.line += 1
        try:
            reader.read_raw(raw)
        except ConfigError as error:
            if on_fault is None:
                raise
            on_fault(error)
            reader.go_on(raw)
    return ParsedFile(path, tuple(reader.accounts.values()), contains_secret=reader.contains_secret)


class _Reader:
    """The state while one file is read: where we are, and what the next setting is for."""

    def __init__(self, path: str, run_eval: Callable[[str, int], str]) -> None:
        self.path = path
        self.line = 0
        self.accounts: dict[str, Account] = {}
        self.contains_secret = False
        self._run_eval = run_eval
        self._defaults = Account("", path)
        self._current: Account | None = None
        self._is_implicit = False  # the account default was opened by no account line
        self._is_after_password = False

    def read_raw(self, raw: bytes) -> None:
        """Do what one line of the file says."""
        if len(raw) > _LINE_MAX:
            advice = say("shorten it; is a line break missing?")
            self.fail(say("line longer than 500 characters"), advice)
        self.read_line(raw.removesuffix(b"\r").decode("utf-8", "surrogateescape"))

    def go_on(self, raw: bytes) -> None:
        """
        Get ready for the line behind a faulty one.

        What follows a faulty account line belongs to an account that nobody will see, and not
        to the one above.
        """
        if raw.lstrip().startswith(b"account"):
            self._current = Account("", self.path, base=self._defaults)

    def read_line(self, line: str, *, is_evaluated: bool = False) -> None:
        """Do what one line says, which has no line ending."""
        line = line.strip(_BLANKS)
        if not line or line[0] == "#":
            return
        keyword, _, argument = line.partition(" ")
        if "\t" in keyword:
            keyword, _, argument = line.partition("\t")
        argument = argument.strip(_BLANKS)
        if len(argument) > 1 and argument[0] == argument[-1] == '"':
            argument = argument[1:-1]
        if keyword == "account":
            self._open_account(argument)
        elif keyword == "defaults":
            self._open_defaults(argument)
        elif keyword == "eval" and not is_evaluated:
            self._evaluate(argument)
        else:
            self._set(keyword, argument, is_evaluated=is_evaluated)

    def _open_account(self, argument: str) -> None:
        name, colon, parents = argument.partition(":")
        name = name.rstrip(_BLANKS)
        if not name:
            self.fail(say("missing account name"), say("write account NAME"))
        if "," in name:
            self.fail(say("an account name must not contain colons or commas"))
        account = Account(name, self.path, base=self._defaults)
        if colon:
            for parent in parents.split(","):
                account.inherit(self._parent(parent.strip(_BLANKS)))
        if name in self.accounts:
            self._fail_duplicate(name)
        self._current = self.accounts[name] = account

    def _parent(self, name: str) -> Account:
        parent = self.accounts.get(name)
        if parent is None:
            if not name:
                advice = say("write account NAME : PARENT, PARENT")
                self.fail(say("missing account name"), advice)
            self.fail(
                say("account {name} not (yet) defined", name=_shown(name)),
                say("an account takes over settings only from accounts above it in the same file"),
            )
        return parent

    def _open_defaults(self, argument: str) -> None:
        if argument:
            problem = say("command {keyword} does not take an argument", keyword="defaults")
            self.fail(problem, say("write defaults alone"))
        self._current = self._defaults

    def _evaluate(self, command: str) -> None:
        if not command:
            problem = say("command {keyword} needs an argument", keyword="eval")
            self.fail(problem, say("write eval COMMAND"))
        line = self._run_eval(command, self.line)
        if "\0" in line:
            self.fail(say("a NUL byte in the output of eval"), say("the command must print text"))
        self.read_line(line, is_evaluated=True)

    def _set(self, keyword: str, argument: str, *, is_evaluated: bool) -> None:
        try:
            # A keyword that may stand alone means the same with nothing behind it.
            setting = parse_setting(keyword, argument or None)
        except KeyError:
            self._fail_unknown(keyword, is_evaluated=is_evaluated)
        except ValueError as error:
            self._fail_argument(keyword, argument, error)
        self._is_after_password = keyword == "password"
        if self._current is None:
            self._current = self.accounts["default"] = Account(
                "default", self.path, base=self._defaults
            )
            self._is_implicit = True
        if setting is not None:
            field, value = setting
            self._current.set(field, value, self.path, self.line)
            if field.name == "password" and value is not None and not is_evaluated:
                self.contains_secret = True

    def fail(self, problem: str, advice: str = "") -> NoReturn:
        """Raise the error for the line that is being read."""
        raise ConfigError(problem, path=self.path, line=self.line, advice=advice)

    def _fail_duplicate(self, name: str) -> NoReturn:
        advice = say("give each account a name of its own")
        if self._is_implicit and name == "default":
            advice = say(
                "the settings above the first account line are an account called default already: "
                "put a line defaults or account NAME above them"
            )
        self.fail(say("account {name} was already defined", name=_shown(name)), advice)

    def _fail_argument(self, keyword: str, argument: str, error: ValueError) -> NoReturn:
        reason = reason_of(error)
        if not argument:
            problem = say("command {keyword} needs an argument", keyword=keyword)
        elif reason == NOT_TAKEN:
            problem = say("command {keyword} does not take an argument", keyword=keyword)
        else:
            problem = say(
                "invalid argument {argument} for command {keyword}",
                argument=_shown(argument),
                keyword=keyword,
            )
        advice = "" if reason in (NEEDED, NOT_TAKEN) else reason
        raise ConfigError(problem, path=self.path, line=self.line, advice=advice) from error

    def _fail_unknown(self, keyword: str, *, is_evaluated: bool) -> NoReturn:
        if is_evaluated:  # of a command that prints the password alone: a likely mistake
            self.fail(
                say("unknown command in the output of eval"),
                say("it is not shown because it may be a password; that would need passwordeval"),
            )
        similar = _similar(keyword)
        shown = "" if self._is_after_password else _shown_keyword(keyword, is_similar=bool(similar))
        if not shown:
            advice = say("it is not shown because it may be a password")
            self.fail(say("unknown command"), advice)
        meant = say("did you mean {keyword}?", keyword=similar) if similar else ""
        self.fail(say("unknown command {keyword}", keyword=shown), meant)


def _similar(keyword: str) -> str:
    """Return the known keyword that was probably meant; empty when none is close."""
    from difflib import get_close_matches

    known = [*(word for word, _ in STRUCTURE), *FIELD_BY_NAME, *(alias.name for alias in ALIASES)]
    meant = keyword[:_SHOWN].lower().replace("-", "_")
    return next(iter(get_close_matches(meant, known, n=1)), "")


def _shown_keyword(keyword: str, *, is_similar: bool) -> str:
    """
    Return an unknown keyword as far as it cannot be a secret; empty when it can.

    ``password=x`` and a password on a line of its own are mistakes that people make, and what
    we say ends in logs and cron mails.
    """
    if keyword.lower().startswith("password"):
        return "password" + ("..." if len(keyword) > len("password") else "")
    if _WORD.issuperset(keyword):
        return _shown(keyword)
    if not is_similar:
        return ""
    end = next((i for i, char in enumerate(keyword) if char not in _PLAIN), len(keyword))
    return _shown(keyword[:end] + ("..." if end < len(keyword) else ""))


def _shown(text: str) -> str:
    from pillarbox.mail.reply import printable

    return printable(text, _SHOWN)
