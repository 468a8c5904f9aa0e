"""
The command line of ``msmtpd``: what it says, the password it leads to, and where it has us log.

It is msmtpd's, with two differences: a command that needs a shell is refused, for none is run, and
what is wrong is said with what to do.
"""

from __future__ import annotations

import os
import shlex
import socket
from contextlib import suppress
from time import localtime, strftime
from typing import TYPE_CHECKING

from pillarbox.config.command import run_command
from pillarbox.config.keyring import find_in_keyring
from pillarbox.config.secrets import ask_on_terminal
from pillarbox.errors import UsageError
from pillarbox.mail.reply import printable
from pillarbox.secret import Secret
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["HELP", "Options", "find_password", "make_log", "parse_options"]

HELP = """\
Usage: msmtpd [option...]
Listens for SMTP on this computer and pipes each mail into a command.

  --version             print the version
  --help                print this
  --inetd               hold one session on standard input and output
  --interface=IP        listen at this address (127.0.0.1)
  --port=N              and this port (25)
  --log=none|syslog|FILE
                        where to log (none)
  --command=CMD         run this for each mail; %F is the sender, the recipients follow
                        (msmtp -f %F --)
  --auth=USER[,CMD]     demand a login; CMD prints the password, or the keyring has it, or you are
                        asked for it
"""

_OF_A_SHELL = frozenset("|&;<>()$`*?[]#~{}\n")


class Options(Value):
    """
    What the command line says.

    Attributes:
        is_inetd: Hold one session on the standard streams.
        interface: The address to listen at.
        port: The port.
        log: ``none``, ``syslog`` or a file.
        command: The words of the command, one of which has ``%F``; empty: our own msmtp.
        user: Who has to log in; empty: nobody has to.
        password_command: What prints his password; empty: none.

    """

    __slots__ = (
        "command",
        "interface",
        "is_inetd",
        "log",
        "password_command",
        "port",
        "user",
    )

    def __init__(
        self,
        *,
        is_inetd: bool = False,
        interface: str = "127.0.0.1",
        port: int = 25,
        log: str = "none",
        command: tuple[str, ...] = (),
        user: str = "",
        password_command: str = "",
    ) -> None:
        self.is_inetd = is_inetd
        self.interface = interface
        self.port = port
        self.log = log
        self.command = command
        self.user = user
        self.password_command = password_command


def parse_options(arguments: Sequence[str]) -> Options:
    """
    Read the command line.

    Raises:
        UsageError: It cannot be understood.

    """
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        full = [each for each in _NAMES if name.startswith("--") and each.startswith(name[2:])]
        if name[2:] in _NAMES:
            full = [name[2:]]
        if len(full) != 1 or (equals and full[0] == "inetd"):
            raise UsageError(say("msmtpd has no option {word}", word=printable(word, 60)))
        if not equals and full[0] != "inetd":
            if not rest:
                raise UsageError(say("{word} needs a value", word=printable(word, 60)))
            value = rest.pop(0)
        if not value and full[0] != "inetd":
            raise UsageError(say("{word} needs a value", word=f"--{full[0]}"))
        given[full[0]] = value
    user, _, password_command = given.get("auth", "").partition(",")
    return Options(
        is_inetd="inetd" in given,
        interface=_parse_interface(given.get("interface", "127.0.0.1")),
        port=_parse_port(given.get("port", "25")),
        log=given.get("log", "none"),
        command=_parse_command(given.get("command", "")),
        user=user,
        password_command=password_command,
    )


_NAMES = ("inetd", "interface", "port", "log", "command", "auth")


def _parse_interface(text: str) -> str:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return text
    raise UsageError(say("{text} is no IP address", text=printable(text, 60)))


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 1 << 16):
        raise UsageError(say("there is no port {text}", text=printable(text, 60)))
    return int(text)


def _parse_command(text: str) -> tuple[str, ...]:
    """Take a command apart as a shell would, and refuse what only a shell could do."""
    if not text:
        return ()
    advice = say("no shell is run: put it into a script, and name that")
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        problem = say("the command has a quote that is not closed")
        raise UsageError(problem, advice=advice) from exc
    if not words or not _OF_A_SHELL.isdisjoint("".join(words)):
        raise UsageError(say("the command needs a shell"), advice=advice)
    return words


def find_password(options: Options) -> Secret | None:
    """
    Return the password that is demanded; None: none is. May ask a person.

    Raises:
        UsageError: None is found.
        InputOutputError: The command cannot be run.

    """
    if not options.user:
        return None
    if options.password_command:
        output = run_command(options.password_command, os.environ)
        if output.line:
            return Secret(output.line.decode("utf-8", "surrogateescape"))
        problem = say("the command for the password printed none: {ending}", ending=output.ending)
        raise UsageError(problem)
    found, _ = find_in_keyring("localhost", options.user, os.environ)
    found = found or ask_on_terminal(f"password for {options.user}: ")
    if not found:
        advice = say("--auth=USER,COMMAND names a command that prints it")
        raise UsageError(say("no password was found for {user}", user=options.user), advice=advice)
    return Secret(found)


def make_log(target: str) -> Callable[[str, str], None]:
    """
    Return what logs a line: its level, ``info`` or ``error``, and its text.

    Raises:
        UsageError: The file cannot be written.

    """
    if target == "none":
        return lambda _level, _text: None
    if target == "syslog":
        import syslog

        syslog.openlog("msmtpd", syslog.LOG_PID, syslog.LOG_MAIL)
        levels = {"info": syslog.LOG_INFO, "error": syslog.LOG_ERR}
        return lambda level, text: syslog.syslog(levels[level], printable(text, 2000))
    try:
        file = open(target, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (as long as we live)
    except OSError as exc:
        problem = say("cannot write to {path}: {reason}", path=target, reason=exc.strerror)
        raise UsageError(problem) from exc

    def write(level: str, text: str) -> None:
        now = strftime("%Y-%m-%d %H:%M:%S", localtime())
        with suppress(OSError):  # a full disk is no reason to take no mail
            file.write(f"{now} msmtpd[{os.getpid()}] {level}: {printable(text, 2000)}\n")

    return write
