"""
Where every command starts: which of them was called, and what becomes of its failure.

Whatever happens inside, a person sees a sentence and a caller a sysexits code; never a traceback.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from pillarbox.errors import (
    EX_IOERR,
    EX_SOFTWARE,
    EX_USAGE,
    InputOutputError,
    PillarboxError,
    UsageError,
)
from pillarbox.mail.reply import printable
from pillarbox.text import language_of, localize, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn, TextIO

__all__ = [
    "COMMANDS",
    "MODES",
    "PERSONALITIES",
    "complain",
    "load",
    "main",
    "run",
    "spoken",
    "tell",
]

# name -> module whose ``main(argv)`` is the command; the text for --help.
COMMANDS = {
    "setup": ("pillarbox.cli.setup", "make the configuration from an address and a password"),
    "send": ("pillarbox.cli.send", "write a mail, with Markdown and attachments, and send it"),
    "try": ("pillarbox.cli.try_", "show a mail going through, on a provider inside this computer"),
    "lint": ("pillarbox.cli.lint", "say what is wrong with a mail before it is sent"),
    "trace": ("pillarbox.cli.trace", "show what became of a mail, from its sender to the provider"),
    "queue": ("pillarbox.cli.queue", "see and steer what waits to be sent"),
    "provider": ("pillarbox.intake.provider", "run that provider alone, for tests"),
    "catch": ("pillarbox.intake.catch", "take every mail of a program, show it, and send nothing"),
    "providers": ("pillarbox.cli.providers", "show what is known of mail providers"),
    "explain": ("pillarbox.cli.explain", "say what a server's answer means, and what to do"),
    "config": ("pillarbox.cli.config", "show and check the accounts, or import them"),
    "doctor": ("pillarbox.cli.doctor", "find out why mail does not arrive, and what to do"),
    "spf": ("pillarbox.cli.spf", "check, explain or merge a domain's SPF records"),
    "dns": ("pillarbox.cli.dns", "show the DNS records that a domain needs to send"),
    "install": ("pillarbox.cli.install", "put programs and services in place; shows first"),
    "uninstall": ("pillarbox.cli.uninstall", "undo that, to the octet"),
    "serve": ("pillarbox.intake.serve", "take mail from programs, keep it safe, and deliver it"),
}

# The name that the program was called by -> module whose ``main(argv)`` is the personality.
PERSONALITIES = {
    "msmtp": "pillarbox.cli.msmtp",
    "sendmail": "pillarbox.cli.sendmail",
    "mailq": "pillarbox.cli.mailq",
    "newaliases": "pillarbox.cli.newaliases",
    "msmtpd": "pillarbox.intake.msmtpd",
    "msmtpq": "pillarbox.cli.msmtpq",
    "msmtp-queue": "pillarbox.cli.msmtp_queue",
    "pillarbox": "pillarbox.cli.main",
}

# A mode of a personality that is another door; the rooms of one floor do not import each other.
MODES = {"sendmail -bs": "pillarbox.intake.stdio"}

_NO_ROOM = 28  # ENOSPC; the module errno is not loaded for a number
_SIGINT_EXIT = 130  # what a shell reports for a program that Ctrl-C ended


def run(name: str, fault: BaseException | None = None) -> NoReturn:
    """
    Run the command that the process was started as, and end the process.

    The name that it was called by decides, so that a link ``sendmail`` to ``msmtp`` has
    sendmail's options and no other (attack: option injection).

    Args:
        name: The row of ``PERSONALITIES`` for a name that is not in it.
        fault: What the command has failed with already (``handoff.start``); None: it is to run.

    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        _open_missing_streams()
    _escape_on(sys.stdout)
    called = sys.argv[0].rpartition("/")[2]
    program = printable(called or name)
    try:
        code = _code_of(PERSONALITIES.get(called) or PERSONALITIES[name], fault)
    except PillarboxError as exc:
        complain(program, exc)
        code = exc.exit_code
    except KeyboardInterrupt:
        code = _SIGINT_EXIT
    except BrokenPipeError:
        code = EX_SOFTWARE  # nobody listens to what we print
    except OSError as exc:
        if exc.errno != _NO_ROOM or exc.filename is not None:
            code = _tell_bug(program, exc)
        else:  # of files that we write, each is named: this was standard output
            problem = say("cannot write standard output: {reason}", reason=exc.strerror)
            complain(program, InputOutputError(problem))
            code = EX_IOERR
    except Exception as exc:  # noqa: BLE001 (a person must not see a traceback)
        code = _tell_bug(program, exc)
    _leave(code)


def _tell_bug(program: str, exc: Exception) -> int:
    """Say where we have failed, without a traceback; return the exit code."""
    what = say(
        "internal error at {place}: {kind}; this is a bug of pillarbox, and the mail may not"
        " have been sent",
        place=_innermost_place(exc),
        kind=type(exc).__name__,
    )
    tell(program, spoken(what))
    return EX_SOFTWARE


def _code_of(personality: str, fault: BaseException | None) -> int:
    if fault is not None:
        raise fault
    code: int = load(personality).main(sys.argv[1:])
    return code


def load(name: str) -> ModuleType:
    """
    Import a module, and what it needs, for good.

    The garbage collector stays out of it: twenty times it would go through things that live as
    long as the process, which takes 1.3 ms. ``importlib`` takes 0.3 ms to import by itself.
    """
    import gc

    gc.disable()
    __import__(name)
    gc.freeze()
    gc.enable()
    return sys.modules[name]


def complain(program: str, exc: PillarboxError) -> None:
    """Say on standard error what failed and what to do."""
    tell(program, printable(spoken(exc.sentence), 2000))
    if exc.advice:
        advice = printable(spoken(exc.advice), 2000)
        tell(program, spoken(say("advice: {advice}", advice=advice)))


def spoken(text: str) -> str:
    """Return a text in the language of the person; behind this it is a plain string."""
    return localize(text, language_of(os.environ))


def tell(program: str, line: str) -> None:
    """Say a line, which is safe to show, on standard error if anybody listens there."""
    try:
        print(f"{program}: {line}", file=sys.stderr)
    except OSError:
        return  # the exit code says the rest


def _open_missing_streams() -> None:
    """
    Put something in the place of standard streams that were closed when we were started.

    Else the next thing that is opened, the connection perhaps, would be taken for one of them.
    None can be read from: a mail from nowhere is an error and not an empty mail.
    """
    while (descriptor := os.open(os.devnull, os.O_WRONLY)) < 3:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 (its name says what is true)
    os.close(descriptor)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # Not checked: it stays open as long as the process, like the stream that it stands for.
            stream = open(descriptor, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _escape_on(stream: TextIO) -> None:
    """
    Have a stream show what its encoding lacks as escapes, as standard error does anyway.

    Else ``--debug`` would break off a mail at a letter that the terminal does not know.
    """
    if stream.errors == "strict" or stream.encoding != "utf-8":
        assert isinstance(stream, TextIOWrapper)  # the interpreter's own, or ours
        stream.reconfigure(errors="backslashreplace")


def main(arguments: Sequence[str]) -> int:
    """Run ``pillarbox SUBCOMMAND ...``."""
    from importlib import import_module

    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _print_help()
        return 0 if arguments else EX_USAGE
    if arguments[0] == "--version":
        from pillarbox import __version__

        print(f"pillarbox {__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        from difflib import get_close_matches

        close = get_close_matches(name, COMMANDS, 1)
        problem = say("no command '{name}'", name=printable(name, 40))
        if close:
            problem = say("{problem}; did you mean '{name}'?", problem=problem, name=close[0])
        advice = say("'pillarbox --help' lists them")
        complain("pillarbox", UsageError(problem, advice=advice))
        return EX_USAGE
    code: int = import_module(COMMANDS[name][0]).main(list(arguments[1:]))
    return code


def _print_help() -> None:
    print("usage: pillarbox COMMAND [ARGUMENT ...]\n")
    print("Sends a server's mail through the account that you already have.\n")
    print("commands:")
    for name, (_, text) in COMMANDS.items():
        print(f"  {name:10} {text}")
    print("\nprograms: msmtp, sendmail, mailq, newaliases (installed beside this one)")


def _innermost_place(exc: Exception) -> str:
    """Return module and line of the fault: enough for a report, and no data of anybody's."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{module}:{trace.tb_lineno}"


def _leave(code: int) -> NoReturn:
    """End the process without taking the interpreter down piece by piece, which costs 0.8 ms."""
    from os import _exit

    try:
        sys.stdout.flush()
    except OSError:
        code = code or EX_SOFTWARE  # what was asked for has not arrived
    try:
        sys.stderr.flush()
    except OSError:
        _exit(code)  # what became of the mail is not changed by who hears of it
    _exit(code)
