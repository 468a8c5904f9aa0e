"""
Find the configuration files, and choose the account.

1. ``load_files`` opens the system's file and the user's file,
2. ``choose_account`` picks one account for what the caller wishes, and then
3. ``finish.finish_account`` makes it ready for one mail.

What is decided about a file is decided on the open file (``fstat``), never on its name. The
user's own file may be a symbolic link: people keep such files in a repository of theirs.
"""

from __future__ import annotations

import os

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.config.files import read_file
from pillarbox.config.match import matches_sender
from pillarbox.config.parse import parse
from pillarbox.config.patterns import Surroundings
from pillarbox.errors import ConfigError, InputOutputError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from pillarbox.config.parse import ParsedFile
    from pillarbox.text import Text

__all__ = [
    "SYSTEM_FILE",
    "ConfigFile",
    "Files",
    "Wishes",
    "choose_account",
    "judge_permissions",
    "load_files",
]

SYSTEM_FILE = "/etc/msmtprc"

_FILE_MAX = 1 << 20  # bytes: thousands of accounts; a device or a mistaken file ends here
_OTHERS_WRITE = 0o022
_ALL_WRITE = 0o002
_OTHERS_READ = 0o004
_BEYOND_OWNER = 0o7777 & ~0o600


class Wishes(Value):
    """
    What the caller asks for, apart from any file.

    Attributes:
        settings: Values from the command line by the name of the field; ``from`` among them
            is what ``-f`` said.
        account_name: The account of ``-a``; None when there is none.
        host_given: ``--host`` was used: no file is read at all.
        user_file: The path of ``-C``; None for the usual places.
        sender: The sender that was read from the mail for ``--read-envelope-from``; None when
            that is not asked for.
        env: The environment.
        uid: The real user id.
        euid: The effective user id.

    """

    __slots__ = (
        "account_name",
        "env",
        "euid",
        "host_given",
        "sender",
        "settings",
        "uid",
        "user_file",
    )

    def __init__(
        self,
        settings: Mapping[str, object],
        *,
        env: Mapping[str, str],
        account_name: str | None = None,
        host_given: bool = False,
        user_file: str | None = None,
        sender: str | None = None,
        uid: int | None = None,
        euid: int | None = None,
    ) -> None:
        self.settings = settings
        self.env = env
        self.account_name = account_name
        self.host_given = host_given
        self.user_file = user_file
        self.sender = sender
        self.uid = os.getuid() if uid is None else uid
        self.euid = os.geteuid() if euid is None else euid

    @property
    def known_sender(self) -> str | None:
        """The sender by which an account is chosen: of ``-f``, else of the mail."""
        given = self.settings.get("from")
        return given if isinstance(given, str) else self.sender

    def __repr__(self) -> str:
        return f"Wishes(account_name={self.account_name!r}, sender={self.known_sender!r})"


class ConfigFile(Value):
    """
    One configuration file.

    Attributes:
        path: Where it is, or would be.
        accounts: What it holds; empty when it was not loaded.
        reason: Why it was not loaded, in the words of the system; empty when it was.
        is_denied: It is there, and we may not read it.

    """

    __slots__ = ("accounts", "is_denied", "path", "reason")

    def __init__(
        self,
        path: str,
        accounts: tuple[Account, ...] = (),
        *,
        reason: str = "",
        is_denied: bool = False,
    ) -> None:
        self.path = path
        self.accounts = accounts
        self.reason = reason
        self.is_denied = is_denied


class Files(Value):
    """
    The configuration files of one call.

    Attributes:
        system: The system's file; None when ``--host`` forbade to look.
        user: The user's file; None likewise.
        notes: What a person should know about them and that is no error, one sentence each.

    """

    __slots__ = ("notes", "system", "user")

    def __init__(
        self, system: ConfigFile | None, user: ConfigFile | None, notes: tuple[str, ...] = ()
    ) -> None:
        self.system = system
        self.user = user
        self.notes = notes

    def both(self) -> list[ConfigFile]:
        """Return the files that were looked for, the system's first."""
        return [file for file in (self.system, self.user) if file is not None]

    def accounts(self) -> list[Account]:
        """Return the user's accounts, then those of the system whose names he has not."""
        own = self.user.accounts if self.user else ()
        names = {account.name for account in own}
        system = self.system.accounts if self.system else ()
        return [*own, *(account for account in system if account.name not in names)]


def load_files(
    wishes: Wishes, *, system_file: str = SYSTEM_FILE, has_user_file: bool = True
) -> Files:
    """
    Read the system's file and the user's file, as far as they are there.

    A file that is missing or may not be read is remembered, not an error, unless ``-C`` named
    it. Runs the commands of ``eval`` lines, and waits for them.

    Args:
        wishes: What the caller asks for.
        system_file: The system's file.
        has_user_file: Look for a user's file as well; a service of the system has none.

    Raises:
        ConfigError: A file breaks the grammar, or holds a secret that others can read, or the
            system's file holds a command and can be written by others.
        InputOutputError: A file cannot be read at all (it is a directory, the disk fails, it is
            larger than a mebibyte), ``-C`` named one that cannot be opened, or ``eval`` failed.

    """
    if wishes.host_given:
        return Files(None, None)
    loader = _Loader(wishes)
    system = loader.load(system_file, is_system=True)
    user = loader.load_user_file() if has_user_file else None
    return Files(system, user, tuple(loader.notes))


def judge_permissions(
    parsed: ParsedFile, status: os.stat_result, wishes: Wishes, *, is_system: bool
) -> tuple[str, ...]:
    """
    Return what a person should know of a file's owner and mode, one sentence each.

    Raises:
        ConfigError: With this owner or mode it is refused.

    """
    loader = _Loader(wishes)
    loader.judge(parsed, status, is_system=is_system)
    return tuple(loader.notes)


class _Loader:
    """Load files for one caller, collecting notes."""

    def __init__(self, wishes: Wishes) -> None:
        self.notes: list[str] = []
        self._wishes = wishes

    def load_user_file(self) -> ConfigFile:
        """Load what ``-C`` names, else the first of the two usual files that is there."""
        wishes = self._wishes
        if wishes.user_file is not None:
            file = self.load(wishes.user_file)
            if file.reason:
                raise InputOutputError(
                    say("{path}: {problem}", path=file.path, problem=file.reason),
                    advice=say("-C needs a file that you can read"),
                )
            return file
        home = Surroundings(wishes.env, wishes.uid).home_directory()
        file = self.load(f"{home}/.msmtprc")
        if not file.reason or (file.is_denied and os.path.lexists(file.path)):
            return file
        config_home = wishes.env.get("XDG_CONFIG_HOME") or f"{home}/.config"
        other = self.load(f"{config_home}/msmtp/config")
        if other.reason and (file.is_denied or not other.is_denied):
            return file
        return other

    def load(self, path: str, *, is_system: bool = False) -> ConfigFile:
        """Load one file if it can be opened."""
        try:
            text, status = read_file(path, _FILE_MAX)
        except (FileNotFoundError, NotADirectoryError) as error:
            return ConfigFile(path, reason=str(error.strerror))
        except PermissionError as error:
            return ConfigFile(path, reason=str(error.strerror), is_denied=True)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if len(text) > _FILE_MAX:
            raise InputOutputError(
                say(
                    "{path}: larger than {limit} bytes, so no configuration",
                    path=path,
                    limit=_FILE_MAX,
                )
            )
        return self._understand(path, text, status, is_system=is_system)

    def _understand(
        self, path: str, text: bytes, status: os.stat_result, *, is_system: bool
    ) -> ConfigFile:
        def run_eval(command: str, line: int) -> str:
            if is_system:
                self._require_trusted(path, status, line, "eval")
            return _run_eval(command, path, line, self._wishes.env)

        parsed = parse(text, path, run_eval=run_eval)
        self.judge(parsed, status, is_system=is_system)
        return ConfigFile(path, parsed.accounts)

    def judge(self, parsed: ParsedFile, status: os.stat_result, *, is_system: bool) -> None:
        """Refuse a file, or make notes, by who may read and change it."""
        path = parsed.path
        for account in parsed.accounts:
            if is_system and account.passwordeval is not None:
                _, line = account.place("passwordeval")
                self._require_trusted(path, status, line, "passwordeval")
        if parsed.contains_secret:
            if not is_system and self._wishes.euid != 0:
                self._require_private(path, status)
            elif status.st_mode & _OTHERS_READ:
                mode = status.st_mode & 0o7777
                self.notes.append(
                    say(
                        "{path} contains a password and every user can read it (mode {mode})",
                        path=path,
                        mode=f"{mode:04o}",
                    )
                )
        if not is_system and parsed.accounts and status.st_mode & _ALL_WRITE:
            self.notes.append(
                say("{path} can be changed by every user, and may name commands", path=path)
            )

    def _require_private(self, path: str, status: os.stat_result) -> None:
        """Refuse a user's file whose password others can read, with msmtp's sentences."""
        if status.st_uid != self._wishes.euid:
            problem = say("contains secrets and therefore must be owned by you")
        elif status.st_mode & _BEYOND_OWNER:
            problem = say(
                "contains secrets and therefore must have no more than user read/write permissions"
            )
        else:
            return
        advice = say("chmod 600 {path}, or use passwordeval in place of password", path=path)
        raise ConfigError(problem, path=path, advice=advice)

    def _require_trusted(self, path: str, status: os.stat_result, line: int, keyword: str) -> None:
        """Refuse to run a command from the system's file that others could have written."""
        if status.st_uid in (0, self._wishes.euid) and not status.st_mode & _OTHERS_WRITE:
            return
        raise ConfigError(
            say(
                "{keyword} is refused because others than root can change this file",
                keyword=keyword,
            ),
            path=path,
            line=line,
            advice=say("chown root {path}; chmod go-w {path}", path=path),
        )


def _unreadable(path: str, error: OSError | ValueError) -> InputOutputError:
    # A ValueError is about a name with a NUL, in words of the version of Python.
    reason = error.strerror if isinstance(error, OSError) else say("no file can have this name")
    return InputOutputError(
        say("{path}: input error: {reason}", path=path, reason=reason),
        advice=say("a configuration file is a plain text file"),
    )


def _run_eval(command: str, path: str, line: int, env: Mapping[str, str]) -> str:
    from pillarbox.config.command import run_command

    output = run_command(command, env)
    if output.line is None:
        raise InputOutputError(
            say(
                "{path}: line {line}: cannot read output of eval: it printed nothing ({ending})",
                path=path,
                line=line,
                ending=output.ending,
            ),
            advice=say("run the command by hand; it must print one line for the configuration"),
        )
    return output.line.decode("utf-8", "surrogateescape")


def choose_account(files: Files, wishes: Wishes) -> tuple[Account, str]:
    """
    Pick the account, by the first of these that applies.

    1. ``--host``: an account of built-in values, from no file,
    2. ``-a``: the account of that name,
    3. a known sender: the first account whose ``from`` takes it,
    4. the account ``default``,
    5. the variables SMTPSERVER and EMAIL.

    Returns:
        The account, not yet finished, and why it was chosen (in the words of msmtp's
        ``--pretend``; empty for ``--host``).

    Raises:
        ConfigError: There is no such account.

    """
    if wishes.host_given:
        return Account("", ""), ""
    accounts = files.accounts()
    by_name = {account.name: account for account in accounts}
    if wishes.account_name is not None:
        if wishes.account_name not in by_name:
            _fail_not_found(wishes.account_name, files, wishes)
        return by_name[wishes.account_name], "using account specified on command line"
    sender = wishes.known_sender
    if sender is not None:
        for account in accounts:
            if account.from_ is not None and matches_sender(account.from_, sender):
                reason = f"account chosen by envelope from address {sender}: {account.name}"
                return account, reason
    if "default" in by_name:
        return by_name["default"], "falling back to default account"
    from_environment = _environment_account(wishes)
    if from_environment is None:
        _fail_not_found("default", files, wishes)
    return from_environment, "using environment variables EMAIL and SMTPSERVER"


def _environment_account(wishes: Wishes) -> Account | None:
    host = wishes.env.get("SMTPSERVER")
    email = wishes.env.get("EMAIL")
    if not host or (email is None and wishes.known_sender is None):
        return None
    account = Account("", "")
    account.set(FIELD_BY_NAME["host"], host, say("environment variable SMTPSERVER"))
    if email is not None:
        account.set(FIELD_BY_NAME["from"], email, say("environment variable EMAIL"))
    return account


def _fail_not_found(name: str, files: Files, wishes: Wishes) -> NoReturn:
    from pillarbox.mail.reply import printable

    shown = printable(name)
    loaded = [file.path for file in files.both() if not file.reason]
    denied = [file.path for file in files.both() if file.is_denied]
    if len(loaded) > 1:
        place = say("{path} and {other}", path=loaded[0], other=loaded[1])
        problem = say("account {name} not found in {place}", name=shown, place=place)
    elif loaded:
        problem = say("account {name} not found in {place}", name=shown, place=loaded[0])
    else:
        problem = say("account {name} not found: no configuration file available", name=shown)
    if denied:
        problem = say(
            "{problem} ({path}: permission denied to user id {uid})",
            problem=problem,
            path=denied[0],
            uid=wishes.euid,
        )
        advice = say(
            "let this user read {path} by a group (chgrp, chmod 640), or make a file ~/.msmtprc "
            "of mode 600",
            path=denied[0],
        )
    elif loaded:
        advice = _advise_name([printable(account.name) for account in files.accounts()], name)
    else:
        places = [file.path for file in files.both()]  # --host alone looks for none
        advice = say("write a configuration into {path}", path=places[0])
        if len(places) > 1:
            advice = say("{advice} or {other}", advice=advice, other=places[1])
    raise ConfigError(problem, advice=advice)


def _advise_name(names: list[str], wanted: str) -> Text:
    """Say which accounts there are, and how one of them becomes the default."""
    if not names:
        return say("the file names no account")
    advice = say("there is: {names}", names=", ".join(names))
    if wanted == "default":
        advice = say("{advice}; write a line account default : NAME", advice=advice)
    return advice
