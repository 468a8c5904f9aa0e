"""
The seam between the interview and whoever answers it: a text, a secret, a yes or no.

Every answer has a name and a row in ``ANSWERS``; it is looked for on the command line, then in
the environment (``PILLARBOX_SETUP_NAME``), then in the answer file, and only what is found in
none of them is asked of a person (``terminal.Terminal``) - or, where there is none, is a
``UsageError`` that names the option and the variable. To add an answer, add its row there and
its option in ``cli/setup``.

The rule to keep: a password is never taken from a command line, which every user can read.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Protocol, TypeVar

from pillarbox.config.files import read_file
from pillarbox.errors import ConfigError, MissingInputError, PillarboxError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.secret import Secret
from pillarbox.text import language_of, localize, say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ANSWERS", "Answer", "Answers", "Person", "Questions", "read_answer_file"]

_T = TypeVar("_T")

_PREFIX = "PILLARBOX_SETUP_"
_FILE_MAX = 1 << 16  # bytes: an answer file has twenty lines
_OTHERS_READ = 0o004
_NUMBER_MAX = 10**60  # a password of digits alone; Python refuses to write out one of thousands
_STDIN = "-"
_YES = frozenset(("yes", "y", "true", "on", "1", "是"))
_NO = frozenset(("no", "n", "false", "off", "0", "否"))
_SHOWN = 2000  # characters of a line
_TRIES = 3  # of a person whose answer cannot be understood, before we take him for none


class Answer(Value):
    """
    Something that can be answered.

    Attributes:
        name: In the answer file, and in capitals in the environment.
        option: On the command line; empty: it is not given there.
        is_yes_or_no: It is one of these two.

    """

    __slots__ = ("is_yes_or_no", "name", "option")

    def __init__(self, name: str, option: str, *, is_yes_or_no: bool = False) -> None:
        self.name = name
        self.option = option
        self.is_yes_or_no = is_yes_or_no


ANSWERS = {
    row.name: row
    for row in (
        Answer("address", "ADDRESS"),
        Answer("provider", "--provider"),
        Answer("region", "--region"),
        Answer("host", "--host"),
        Answer("port", "--port"),
        Answer("tls", "--tls"),
        Answer("trust_file", "--trust-file"),
        Answer("user_name", "--user-name"),
        Answer("password", ""),
        Answer("password_file", "--password-file"),
        Answer("store", "--store"),
        Answer("account", "--account"),
        Answer("to", "--to"),
        Answer("confirm", "--no-confirm", is_yes_or_no=True),
        Answer("test_mail", "--no-test-mail", is_yes_or_no=True),
        Answer("alias", "--alias", is_yes_or_no=True),
    )
}


class Person(Protocol):
    """Somebody who can be asked."""

    def ask(self, prompt: str) -> str:
        """Return a line; raises ``KeyboardInterrupt`` where he ends it."""

    def ask_secret(self, prompt: str) -> str:
        """Return a line that nobody sees."""

    def tell(self, text: str, style: str = "") -> None:
        """Show a text."""


class Answers:
    """
    What was answered beforehand.

    Args:
        options: Name -> what the command line says; None: nothing.
        environment: Its variables.
        file: Name -> what the answer file says.

    """

    def __init__(
        self,
        options: Mapping[str, str | None],
        environment: Mapping[str, str],
        file: Mapping[str, str] | None = None,
    ) -> None:
        self._options = options
        self._environment = environment
        self._file = file or {}

    def get(self, name: str) -> str | None:
        """Return an answer; None: nobody gave it."""
        for found in (
            self._options.get(name),
            self._environment.get(_PREFIX + name.upper()),
            self._file.get(name),
        ):
            if found is not None:
                return found
        return None

    def is_yes(self, name: str, *, default: bool) -> bool:
        """
        Return an answer that is yes or no.

        Raises:
            UsageError: It is neither.

        """
        found = self.get(name)
        if found is None or not found.strip():
            return default
        decided = _yes_or_no(found)
        if decided is None:
            problem = say("{name} is yes or no, not {text}", name=name, text=printable(found, 40))
            raise UsageError(problem)
        return decided

    def secret(self, read_stdin: Callable[[], bytes]) -> Secret | None:
        """
        Return the password; None: nobody gave it.

        Raises:
            MissingInputError: The file of it cannot be read, or has none.

        """
        path = self._options.get("password_file")
        if path is None and (given := self.get("password")) is not None:
            if not given:
                raise MissingInputError(say("the password is empty"))
            return Secret(given)
        path = self.get("password_file")
        return None if path is None else _secret_in(path, read_stdin)


class Questions:
    """
    Ask for what was not answered beforehand.

    Args:
        answers: What was.
        person: Whom to ask; None: nobody.
        environment: For the language.
        show: Takes a line for somebody who is told things but not asked.
        read_stdin: Reads standard input to its end, for a password.

    """

    def __init__(
        self,
        answers: Answers,
        person: Person | None,
        *,
        environment: Mapping[str, str],
        show: Callable[[str], None],
        read_stdin: Callable[[], bytes],
    ) -> None:
        self.answers = answers
        self.language = language_of(environment)
        self._person = person
        self._show = show
        self._read_stdin = read_stdin
        self._given: Secret | None = None

    @property
    def has_person(self) -> bool:
        """Whether anybody can be asked."""
        return self._person is not None

    def tell(self, text: str, style: str = "") -> None:
        """
        Show a text in the language of the person.

        Args:
            text: One line or several; what a terminal would obey is shown as an escape.
            style: ``title``, ``step``, ``good``, ``bad``, ``added``, ``removed`` or nothing.

        """
        lines = localize(text, self.language).split("\n")
        shown = "\n".join(printable(line, _SHOWN) for line in lines)
        if self._person is not None:
            self._person.tell(shown, style)
        else:
            self._show(shown)

    def text(self, name: str, prompt: str, read: Callable[[str], _T]) -> _T:
        """
        Return an answer, read.

        Args:
            name: A row of ``ANSWERS``.
            prompt: What a person is asked, without a colon.
            read: Makes a value of it; raises ``PillarboxError`` with the reason why not.

        Raises:
            UsageError: Nobody has answered, and nobody can be asked.
            PillarboxError: The answer, given beforehand, cannot be read.

        """
        given = self.answers.get(name)
        if given is not None:
            return read(given)
        if self._person is None:
            raise _missing(name)
        return self.ask(prompt, read)

    def ask(self, prompt: str, read: Callable[[str], _T]) -> _T:
        """Return what the person says, read; asks again where it cannot be."""
        person = self._person
        assert person is not None  # the caller has looked
        words = localize(say("{question}: ", question=prompt), self.language)
        for left in reversed(range(_TRIES)):
            try:
                return read(person.ask(words).strip())
            except PillarboxError as error:
                if not left:
                    raise
                self.tell(printable(localize(error.sentence, self.language), 500), "bad")
                if error.advice:
                    self.tell(printable(localize(error.advice, self.language), 500))
        raise AssertionError  # the last try has returned or raised

    def given_secret(self) -> Secret | None:
        """
        Return the password that was given beforehand; None: nobody did.

        Raises:
            MissingInputError: The file of it cannot be read, or has none.

        """
        if self._given is None:
            self._given = self.answers.secret(self._read_stdin)  # once: standard input has an end
        return self._given

    def require_secret(self) -> None:
        """
        Raise where no password was given, and nobody can be asked.

        Raises:
            UsageError: It is so.

        """
        names = ("password", "password_file")
        if self._person is None and all(self.answers.get(name) is None for name in names):
            raise _missing("password")

    def ask_secret(self, prompt: str) -> Secret | None:
        """Return a password that the person types unseen; None: he typed none."""
        assert self._person is not None  # the caller has looked
        words = localize(say("{question}: ", question=prompt), self.language)
        typed = self._person.ask_secret(words)
        return Secret(typed) if typed else None

    def is_agreed(self, name: str, prompt: str, *, default: bool) -> bool:
        """
        Ask the person for a yes or a no.

        Raises:
            UsageError: Nobody can be asked.

        """
        if self._person is None:
            raise _missing(name)
        question = say("{question} [y/N]", question=prompt)
        if default:
            question = say("{question} [Y/n]", question=prompt)

        def read(text: str) -> bool:
            decided = _yes_or_no(text) if text else default
            if decided is None:
                raise UsageError(say("answer yes or no"))
            return decided

        return self.ask(question, read)


def _yes_or_no(text: str) -> bool | None:
    word = text.strip().lower()
    return True if word in _YES else False if word in _NO else None


def _missing(name: str) -> UsageError:
    """Return the one line that says what is to be given."""
    row = ANSWERS[name]
    variable = _PREFIX + name.upper()
    if name == "password":
        return UsageError(
            say("there is no terminal to ask for the password"),
            advice=say("use --password-file FILE, or the variable {variable}", variable=variable),
        )
    return UsageError(
        say("there is no terminal to ask for {name}", name=name),
        advice=say(
            "use {option}, or the variable {variable}", option=row.option, variable=variable
        ),
    )


def _secret_in(path: str, read_stdin: Callable[[], bytes]) -> Secret:
    """Return the first line of a file; of standard input where it is called ``-``."""
    shown = say("standard input") if path == _STDIN else printable(path, 200)
    try:
        content = read_stdin() if path == _STDIN else read_file(path, _FILE_MAX)[0]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or say("no file can have this name")
        problem = say("cannot read {path}: {reason}", path=shown, reason=reason)
        raise MissingInputError(problem) from error
    line = content.partition(b"\n")[0].rstrip(b"\r")
    if not line:
        raise MissingInputError(say("the first line of {path} is empty", path=shown))
    return Secret(line.decode("utf-8", "surrogateescape"))


def read_answer_file(path: str) -> tuple[dict[str, str], str]:
    """
    Read an answer file: TOML, a name of ``ANSWERS`` a line.

    Returns:
        The answers, and what a person should know of the file; empty: nothing.

    Raises:
        MissingInputError: It cannot be read.
        ConfigError: It is no TOML, or has names or values that mean nothing.

    """
    try:
        content, status = read_file(path, _FILE_MAX)
        table = tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        shown = printable(path, 200)
        problem = say("cannot read {path}: {reason}", path=shown, reason=error.strerror)
        raise MissingInputError(problem) from error
    except RecursionError as error:
        raise ConfigError(say("is no TOML: {reason}", reason="[[["), path=path) from error
    except ValueError as error:  # TOML, or UTF-8; neither text repeats a value
        problem = say("is no TOML: {reason}", reason=str(error))
        raise ConfigError(problem, path=path) from error
    answers = {name: _plain(name, value, path) for name, value in table.items()}
    if "password" in answers and status.st_mode & _OTHERS_READ:
        note = say("{path} has a password and every user can read it: chmod 600", path=path)
        return answers, note
    return answers, ""


def _plain(name: str, value: object, path: str) -> str:
    if name not in ANSWERS:
        from difflib import get_close_matches

        close = get_close_matches(name, ANSWERS, 1)
        advice = say("did you mean {keyword}?", keyword=close[0]) if close else ""
        shown = printable(name, 60)
        raise ConfigError(say("no answer is called {name}", name=shown), path=path, advice=advice)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or (isinstance(value, int) and abs(value) < _NUMBER_MAX):
        return str(value)
    raise ConfigError(say("{name} must be one word or number", name=name), path=path)
