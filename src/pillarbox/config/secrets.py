"""
Find the password, or the token, of an account.

``SOURCES`` is the order in which we look; the first that has it wins. To add a source, write a
function that returns the secret or the reason why it has none, and give it a row.

A systemd credential is a file in ``$CREDENTIALS_DIRECTORY`` named ``pillarbox.ACCOUNT`` or
``pillarbox.password`` (``LoadCredential=pillarbox.password:/path`` in a unit); its first line
counts.

The rule to keep: no message and no note repeats what a source contained, nor the command of
``passwordeval``, which may contain it.
"""

from __future__ import annotations

import os

from pillarbox.config.files import read_file
from pillarbox.config.patterns import Surroundings
from pillarbox.errors import ConfigError, CredentialError
from pillarbox.secret import Secret
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

    from pillarbox.config.account import Account

__all__ = ["SOURCES", "SYSTEM_NETRC", "Search", "Source", "ask_on_terminal", "find_secret"]

SYSTEM_NETRC = "/etc/netrc"
TERMINAL = "/dev/tty"

_CREDENTIAL_MAX = 65536  # bytes, as of passwordeval
_NETRC_MAX = 1 << 20  # bytes: some people keep hundreds of hosts in it
_ANSWER_MAX = 4096  # bytes: the line of a terminal is not longer
_BEYOND_OWNER = 0o077


class Search:
    """
    What the sources need to look; no value, because its ``repr`` would show the environment.

    Attributes:
        account: Whose secret it is.
        env: The environment.
        ask: Asks a person; None when there is no person.
        notes: Gets what a person should know, one sentence each.
        system_netrc: The netrc file of the system.

    """

    __slots__ = ("account", "ask", "env", "notes", "system_netrc")

    def __init__(
        self,
        account: Account,
        env: Mapping[str, str],
        ask: Callable[[str], str | None] | None,
        notes: list[str],
        system_netrc: str,
    ) -> None:
        self.account = account
        self.env = env
        self.ask = ask
        self.notes = notes
        self.system_netrc = system_netrc

    @property
    def login(self) -> str:
        """Whose password it is, for a person: ``USER at HOST``."""
        account = self.account
        place = account.host or account.socket or say("an unnamed host")
        return say("{user} at {place}", user=account.user, place=place) if account.user else place


class Source(Value):
    """
    A place where a secret may be.

    Attributes:
        name: One word for it.
        find: Returns the secret, or why there is none.

    """

    __slots__ = ("find", "name")

    def __init__(self, name: str, find: Callable[[Search], Secret | str]) -> None:
        self.name = name
        self.find = find


def ask_on_terminal(prompt: str, path: str = TERMINAL) -> str | None:
    """
    Ask a person on the terminal, without echo; wait for the answer.

    Returns:
        The answer; None when there is no terminal or no answer.

    """
    import termios

    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None
    try:
        shown = termios.tcgetattr(fd)
        hidden = [*shown]
        hidden[3] &= ~termios.ECHO
        termios.tcsetattr(fd, termios.TCSAFLUSH, hidden)
        try:
            os.write(fd, prompt.encode("utf-8", "backslashreplace"))
            answer = os.read(fd, _ANSWER_MAX)
            os.write(fd, b"\n")
        finally:
            termios.tcsetattr(fd, termios.TCSAFLUSH, shown)
    except (OSError, termios.error):
        return None
    finally:
        os.close(fd)
    return _first_line(answer)


def find_secret(
    account: Account,
    *,
    env: Mapping[str, str],
    ask: Callable[[str], str | None] | None = ask_on_terminal,
    notes: list[str] | None = None,
    system_netrc: str = SYSTEM_NETRC,
) -> Secret:
    """
    Return the secret of an account. May run a command, and may wait for a person.

    Args:
        account: A finished account.
        env: The environment: ``HOME`` and ``CREDENTIALS_DIRECTORY`` are looked up there, and
            ``passwordeval`` gets it.
        ask: Takes a prompt and returns the answer, or None when nobody can be asked; None in
            its place when nobody is to be asked.
        notes: Gets what a person should know about the places, one sentence each.
        system_netrc: The netrc file of the system.

    Raises:
        ConfigError: ``passwordeval`` gave no password.
        CredentialError: No source has it.

    """
    search = Search(account, env, ask, [] if notes is None else notes, system_netrc)
    reasons = ""
    for source in SOURCES:
        found = source.find(search)
        if isinstance(found, Secret):
            return found
        reasons = say("{reasons}; {reason}", reasons=reasons, reason=found) if reasons else found
    msg = say("no password for {login} found: {reasons}", login=search.login, reasons=reasons)
    raise CredentialError(msg, advice=_advise_source(account.name))


def _advise_source(name: str) -> str:
    if not name:
        return say("add a line passwordeval COMMAND to the settings, or an entry to ~/.netrc")
    return say(
        "add a line passwordeval COMMAND to the settings of account {name}, or an entry to "
        "~/.netrc",
        name=name,
    )


def _from_password(search: Search) -> Secret | str:
    return search.account.password or say("no keyword password")


def _from_passwordeval(search: Search) -> Secret | str:
    command = search.account.passwordeval
    if command is None:
        return say("no passwordeval")
    from pillarbox.config.command import run_command

    output = run_command(command, search.env)
    if not output.line:
        problem = say("its command printed an empty line ({ending})", ending=output.ending)
        if output.line is None:
            problem = say("its command printed nothing ({ending})", ending=output.ending)
        _fail_passwordeval(search.account, problem)
    if b"\0" in output.line:
        _fail_passwordeval(search.account, say("its command printed a NUL byte, so no password"))
    if output.has_more:
        search.notes.append(say("its command printed more than one line: the first is taken"))
    return Secret(output.line.decode("utf-8", "surrogateescape"))


def _fail_passwordeval(account: Account, problem: str) -> NoReturn:
    source, line = account.place("passwordeval")
    raise ConfigError(
        say("cannot read output of passwordeval: {problem}", problem=problem),
        path=source if line else "",
        line=line,
        advice=say("run the command by hand as the same user; it must print the password"),
    )


def _from_credential(search: Search) -> Secret | str:
    folder = search.env.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return say("no CREDENTIALS_DIRECTORY")
    names = ["pillarbox.password"]
    if search.account.name and "/" not in search.account.name:
        names.insert(0, f"pillarbox.{search.account.name}")
    for name in names:
        path = f"{folder}/{name}"
        try:
            content, _ = read_file(path, _CREDENTIAL_MAX)
        except FileNotFoundError:
            continue
        except OSError as error:
            search.notes.append(
                say("cannot read credential {path}: {reason}", path=path, reason=error.strerror)
            )
            continue
        line = _first_line(content)
        if line is not None:
            return Secret(line)
        search.notes.append(say("the first line of credential {path} is empty", path=path))
    if len(names) > 1:
        return say("no credential {name} or {other}", name=names[0], other=names[1])
    return say("no credential {name}", name=names[0])


def _from_keyring(search: Search) -> Secret | str:
    account = search.account
    if not account.user or not account.host:
        return say("no user and host to look for in the keyring")
    from pillarbox.config.keyring import find_in_keyring

    found, reason = find_in_keyring(account.host, account.user, search.env)
    return reason if found is None else Secret(found)


def _from_netrc(search: Search) -> Secret | str:
    account = search.account
    if not account.user or not account.host:
        return say("no user and host to look for in netrc")
    home = Surroundings(search.env, os.getuid()).home_directory()
    paths = (f"{home}/.netrc", search.system_netrc)
    for path in paths:
        try:
            content, status = read_file(path, _NETRC_MAX)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            note = say("cannot read {path}: {reason}", path=path, reason=error.strerror)
            search.notes.append(note)
            continue
        from pillarbox.config.netrc import find_password

        password = find_password(content[:_NETRC_MAX], account.host, account.user)
        if password is not None:
            if status.st_mode & _BEYOND_OWNER:
                note = say(
                    "{path} is open to others (mode {mode}): chmod 600 {path}",
                    path=path,
                    mode=f"{status.st_mode & 0o7777:04o}",
                )
                search.notes.append(note)
            return Secret(password)
    return say("no entry in {path} or {other}", path=paths[0], other=paths[1])


def _from_terminal(search: Search) -> Secret | str:
    if search.ask is None:
        return say("nobody to ask")
    answer = search.ask(say("password for {login}: ", login=search.login))
    return Secret(answer) if answer else say("no answer from a terminal")


def _first_line(content: bytes) -> str | None:
    """Return the first line as text; None when it is empty."""
    line = content.partition(b"\n")[0].rstrip(b"\r")
    return line.decode("utf-8", "surrogateescape") or None


SOURCES = (
    Source("password", _from_password),
    Source("passwordeval", _from_passwordeval),
    Source("credential", _from_credential),
    Source("keyring", _from_keyring),
    Source("netrc", _from_netrc),
    Source("terminal", _from_terminal),
)
