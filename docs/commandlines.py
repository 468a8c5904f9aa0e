"""
What may be said to each program, taken from where the programs themselves read it.

Commands for people are read by argparse: they are asked for their parser by being called with
nobody to parse. ``msmtp`` and ``sendmail`` have tables of ``cli.getopt``. Manual pages and
completions are made of what stands here, so neither can forget an option.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pillarbox.cli import getopt, main, msmtp, sendmail
from pillarbox.config import values
from pillarbox.config.account import ALIASES, FIELDS
from pillarbox.intake.msmtpd_options import HELP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pillarbox.cli.getopt import Option

__all__ = [
    "CommandLine",
    "Flag",
    "capital",
    "command_lines",
    "msmtp_line",
    "msmtpd_line",
    "parser_of",
    "sendmail_line",
]

IGNORED = "Accepted and ignored."


@dataclass(frozen=True)
class Flag:
    """
    An option, or an operand.

    Attributes:
        names: With their dashes; none: it is an operand.
        argument: What stands for its argument; empty: it has none.
        is_optional: The argument may be left out.
        help: One line.
        choices: What the argument may be; none: anything.
        takes: ``file``, ``directory`` or nothing: what kind of thing the argument is.

    """

    names: tuple[str, ...]
    argument: str
    help: str
    is_optional: bool = False
    choices: tuple[str, ...] = ()
    takes: str = ""


@dataclass(frozen=True)
class CommandLine:
    """
    What a program, or a subcommand of one, understands.

    Attributes:
        name: As it is called: ``pillarbox queue list``.
        text: What it does.
        flags: Its options and operands.
        subcommands: Each with its own.
        epilog: What is said behind all that.

    """

    name: str
    text: str
    flags: tuple[Flag, ...] = ()
    subcommands: tuple[CommandLine, ...] = ()
    epilog: str = ""


class _Captured(Exception):  # noqa: N818 (it is no error)
    """The parser that a command would have parsed with."""


def parser_of(module: str) -> argparse.ArgumentParser:
    """Return the parser of a command, which is called and stopped when it would parse."""
    known, mixed = "parse_known_args", "parse_known_intermixed_args"
    saved = getattr(argparse.ArgumentParser, known), getattr(argparse.ArgumentParser, mixed)

    def capture(parser: argparse.ArgumentParser, *arguments: Any, **keywords: Any) -> Any:
        if not parser.add_help:  # it looks for one option before the others
            return saved[0](parser, *arguments, **keywords)
        raise _Captured(parser)

    language = {name: os.environ.pop(name, None) for name in ("LC_ALL", "LC_MESSAGES", "LANG")}
    setattr(argparse.ArgumentParser, known, capture)
    setattr(argparse.ArgumentParser, mixed, capture)
    try:
        import_module(module).main([])
    except _Captured as captured:
        return captured.args[0]
    finally:
        setattr(argparse.ArgumentParser, known, saved[0])
        setattr(argparse.ArgumentParser, mixed, saved[1])
        os.environ.update({name: value for name, value in language.items() if value})
    raise AssertionError(module)  # it has no parser


def command_lines() -> tuple[CommandLine, ...]:
    """Return every ``pillarbox`` command."""
    return tuple(
        _of_parser(parser_of(module), f"pillarbox {name}", text)
        for name, (module, text) in main.COMMANDS.items()
    )


def _of_parser(parser: argparse.ArgumentParser, name: str, text: str) -> CommandLine:
    subcommands = ()
    flags = []
    for action in parser._actions:  # noqa: SLF001 (there is no other way to ask)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            texts = {each.dest: each.help for each in action._choices_actions}  # noqa: SLF001
            subcommands = tuple(
                _of_parser(each, f"{name} {word}", texts[word])
                for word, each in action.choices.items()
            )
        elif action.help != argparse.SUPPRESS:
            flags.append(_of_action(action))
    return CommandLine(name, text, tuple(flags), subcommands, parser.epilog or "")


def capital(text: str) -> str:
    """Return a sentence with a capital, unless it begins with values that may be written."""
    return text if text.split(" ", maxsplit=1)[0].endswith(",") else text[:1].upper() + text[1:]


_DIRECTORIES = ("DIR",)
_FILES = ("FILE", "PATH")


def _of_action(action: argparse.Action) -> Flag:
    takes_none = action.nargs == 0
    shown = action.metavar or ("ARG" if action.option_strings else action.dest.upper())
    argument = "" if takes_none else shown
    if action.choices and not action.metavar:
        argument = "|".join(map(str, action.choices))
    kind = "directory" if argument in _DIRECTORIES else ""
    is_file = argument in _FILES or "file" in action.dest
    text = (action.help or "").replace("%%", "%")
    if text == "show this help message and exit":
        text = "print this list"
    return Flag(
        tuple(action.option_strings),
        argument,
        capital(text),
        is_optional=action.nargs in ("?", "*"),
        choices=tuple(map(str, action.choices or ())),
        takes=kind or ("file" if is_file else ""),
    )


def msmtp_line() -> CommandLine:
    """Return what ``msmtp`` understands."""
    texts = {**msmtp._HELP, **{row.name: row.help for row in (*FIELDS, *ALIASES)}}  # noqa: SLF001
    flags = _of_options(msmtp.OPTIONS, texts)
    return CommandLine("msmtp", "send a mail as msmtp does", tuple(map(_with_kind, flags)))


def _with_kind(flag: Flag) -> Flag:
    """Return an option of msmtp with what its keyword says of its argument."""
    for field in FIELDS:
        if field.option and f"--{field.option}" in flag.names:
            is_file = field.is_path or field.parse is values.parse_socket_path
            choices = ("on", "off") if field.parse is values.parse_on_off else ()
            return replace(flag, takes="file" if is_file else "", choices=choices)
    return replace(flag, takes="file") if "--file" in flag.names else flag


def msmtpd_line() -> CommandLine:
    """Return what ``msmtpd`` understands, from what it prints for ``--help``."""
    flags: list[Flag] = []
    for line in HELP.splitlines():
        found = re.match(r"  (--[a-z]+)(?:=(\S+))?(?: +(.*))?$", line)
        if found:
            flags.append(Flag((found[1],), found[2] or "", capital(found[3] or "")))
        elif line.startswith("   ") and flags:
            text = f"{flags[-1].help} {line.strip()}".strip()
            flags[-1] = replace(flags[-1], help=text[:1].upper() + text[1:])
    return CommandLine("msmtpd", "take mail by SMTP and pipe it into a command", tuple(flags))


# sendmail's letters, by what they are called in its table.
SENDMAIL = {
    "mode": "What to do: m sends a mail (the default), s speaks SMTP on standard input and output, "
    "p prints the queue as mailq does, i rebuilds the aliases as newaliases does.",
    "full_name": "Name of the sender for a From header that is added.",
    "from": "The envelope sender.",
    "rebuild": "The same as -bi.",
    "notify": "Ask for notices: never, or some of failure,delay,success (RFC 3461).",
    "flush": "Have what waits in the queue tried now.",
    "ret": "What a notice of failure gives back: hdrs or full (RFC 3461).",
    "read_recipients": "Take recipients from To, Cc and Bcc as well.",
    "envid": "An identifier for notices (RFC 3461).",
}


def sendmail_line() -> CommandLine:
    """Return what ``sendmail`` understands."""
    texts = {**msmtp._HELP, **SENDMAIL}  # noqa: SLF001
    return CommandLine(
        "sendmail", "send a mail as sendmail does", _of_options(sendmail.OPTIONS, texts)
    )


def _of_options(options: Iterable[Option], texts: Mapping[str, str]) -> tuple[Flag, ...]:
    """Merge the spellings of each key into one flag, those that are ignored into the last."""
    merged = {}
    for option in options:
        merged.setdefault(option.key, []).append(option)
    ignored = merged.pop("ignored", [])
    rows = [*merged.items(), *([("ignored", ignored)] if ignored else [])]
    return tuple(_of_spellings(each, texts.get(key, "")) for key, each in rows)


def _of_spellings(options: list[Option], text: str) -> Flag:
    names = [f"-{option.short}" for option in options if option.short]
    names += [f"--{option.long}" for option in options if option.long]
    arguments = {option.argument for option in options}
    if options[0].key == "ignored":
        return Flag(tuple(names), "", IGNORED)
    if options[0].key == "no-password":
        text = "Refused: anybody could read the password in the list of processes."
    return Flag(
        tuple(names),
        "" if arguments == {getopt.NONE} else "ARG",
        text,
        is_optional=getopt.REQUIRED not in arguments,
    )
