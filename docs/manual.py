"""
The manual pages, from the tables of the code and the pages of this folder.

``PAGES`` says for each page what it is and where its parts come from; ``docs/generate.py`` writes
them to ``man/``. Nothing is said here that a table or a page says already.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commandlines import (
    CommandLine,
    Flag,
    capital,
    command_lines,
    msmtp_line,
    msmtpd_line,
    sendmail_line,
)
from roff import escape, from_markdown, inline, tagged

from pillarbox.config.account import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

__all__ = ["PAGES", "render"]

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """
    One manual page.

    Attributes:
        name: What it is about.
        section: 1, 5 or 8.
        text: The line behind its name.
        synopsis: How it is called, a line each; none: it is a file.
        description: Markdown.
        line: Returns its ``CommandLine``; None: it has none.
        parts: Pages of this folder and the heading of the part that is taken from each; an empty
            heading takes all.
        files: Path and what it is.
        see: Other pages.

    """

    name: str
    section: int
    text: str
    synopsis: tuple[str, ...] = ()
    description: str = ""
    line: Callable[[], CommandLine | None] | None = None
    parts: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    see: tuple[str, ...] = ()
    has_exit_codes: bool = False


def _command(name: str) -> Callable[[], CommandLine]:
    return lambda: next(line for line in command_lines() if line.name == name)


_ACCOUNTS = (
    ("/etc/msmtprc", "accounts of the system"),
    ("~/.msmtprc, $XDG_CONFIG_HOME/msmtp/config", "accounts of the user"),
)
_PLACES = (
    ("/etc/pillarbox/pillarbox.toml", "settings of the system's service"),
    ("~/.config/pillarbox/pillarbox.toml", "settings of a user's own"),
    ("/var/spool/pillarbox, ~/.local/state/pillarbox/spool", "mail that waits"),
    ("/run/pillarbox/submit.sock", "where mail is handed over"),
    ("/run/pillarbox/control.sock", "where the queue is asked"),
)

PAGES = (
    Page(
        "pillarbox",
        1,
        "send a server's mail through the account that you already have",
        ("pillarbox COMMAND [ARGUMENT ...]",),
        "`pillarbox` brings what a server has to say (a cron job's error, a failed unit, an alert) "
        "to a person's mailbox, through a mail account that exists already.\n"
        "Programs hand their mail to it as to `sendmail` or `msmtp`; this command is for people.",
        lambda: None,
        files=(*_ACCOUNTS, *_PLACES),
        see=(
            "pillarbox-queue(1)",
            "msmtp(1)",
            "sendmail(8)",
            "mailq(1)",
            "pillarbox-serve(8)",
            "msmtprc(5)",
            "pillarbox.toml(5)",
        ),
        has_exit_codes=True,
    ),
    Page(
        "pillarbox-queue",
        1,
        "see and steer what waits to be sent",
        ("pillarbox queue ACTION [OPTION ...] [ARGUMENT ...]",),
        "Root and the user of the service see and do everything; anybody else his own mails.\n"
        "A mail is named by its ID, as `mailq` shows it. With a service running it is asked; "
        "without one the spool itself is looked into.",
        _command("pillarbox queue"),
        (
            ("operating.md", "What each state means"),
            ("operating.md", "What to do when ..."),
            ("queue.md", "How a mail travels"),
            ("queue.md", "What each failure does"),
            ("queue.md", "Who is told"),
        ),
        files=_PLACES,
        see=("mailq(1)", "pillarbox-serve(8)", "pillarbox(1)"),
    ),
    Page(
        "msmtp",
        1,
        "send a mail through an SMTP or LMTP server",
        (
            "msmtp [OPTION ...] [--] RECIPIENT ... < mail",
            "msmtp [OPTION ...] -t [--] [RECIPIENT ...] < mail",
        ),
        "`msmtp` reads a mail from standard input and sends it through an account of `msmtprc`(5), "
        "as the program of that name does; this one is part of pillarbox.\n"
        "The sender and the recipients are those of the command line, not those of the header, "
        "unless `-t` or `--read-envelope-from` is given.",
        msmtp_line,
        (("queue.md", "Which way a call goes"),),
        files=_ACCOUNTS,
        see=("msmtprc(5)", "pillarbox(1)", "pillarbox-serve(8)", "sendmail(8)"),
        has_exit_codes=True,
    ),
    Page(
        "sendmail",
        8,
        "send a mail, as programs expect it",
        (
            "sendmail [OPTION ...] [--] RECIPIENT ... < mail",
            "sendmail [OPTION ...] -t < mail",
            "sendmail -bs | -bp | -bi | -q",
        ),
        "`sendmail` is what programs call that know nothing of mail accounts.\n"
        "It has no option that runs a command, writes a file or chooses the server, so that a text "
        "behind `-f` that a stranger wrote does no harm.",
        sendmail_line,
        (("queue.md", "Which way a call goes"),),
        files=(*_ACCOUNTS, *_PLACES[3:4]),
        see=("msmtp(1)", "mailq(1)", "newaliases(1)", "pillarbox-serve(8)"),
        has_exit_codes=True,
    ),
    Page(
        "mailq",
        1,
        "list the mail that waits",
        ("mailq",),
        "`mailq` lists what waits to be sent as Postfix does, for scripts; `sendmail -bp` is the "
        "same.\n"
        "Shown are the system's queue, of which an ordinary user sees his own mails, and the "
        "user's own queue. An ID with `*` behind it is being delivered, one with `!` is on hold.",
        see=("pillarbox-queue(1)", "sendmail(8)"),
    ),
    Page(
        "newaliases",
        1,
        "do nothing, successfully",
        ("newaliases",),
        "There is no database of aliases to rebuild: the file is read whenever it is needed.",
        see=("sendmail(8)", "msmtprc(5)"),
    ),
    Page(
        "msmtpd",
        1,
        "take mail by SMTP and pipe it into a command",
        ("msmtpd [OPTION ...]",),
        "`msmtpd` has the options of msmtp's server of that name. The command is run without a "
        "shell; without `--command` the mail is handed to the service where there is one.\n"
        "`pillarbox serve` with the role `listen` does more, and `pillarbox catch` shows mail "
        "instead of sending it.",
        msmtpd_line,
        see=("pillarbox-serve(8)", "msmtp(1)", "pillarbox(1)"),
    ),
    Page(
        "msmtpq",
        1,
        "queue a mail, then try to send it",
        ("msmtpq [OPTION ...] [--] RECIPIENT ... < mail",),
        "`msmtpq` takes the options of `msmtp`(1), keeps the mail in the user's queue, and tries "
        "to send what waits. Its exit code is 0 when the mail is kept, whatever becomes of it.\n"
        "The variables of the script of that name have no meaning here: the mail itself is what "
        "tries the connection. `pillarbox queue import` takes over the queue of that script.",
        see=("msmtp-queue(1)", "msmtp(1)", "pillarbox-queue(1)"),
    ),
    Page(
        "msmtp-queue",
        1,
        "look after the queue, as msmtp's users know it",
        ("msmtp-queue [-d | -r | -R ID ... | -p ID ... | -a | -h]",),
        "The user's own queue is meant where he has one, else the system's. `pillarbox queue` can "
        "do more.\n\n"
        "| option | what it does |\n| --- | --- |\n"
        "| `-d`, or none | Lists what waits. |\n"
        "| `-r` | Sends what waits. |\n"
        "| `-R ID ...` | Sends these. |\n"
        "| `-p ID ...` | Deletes these. |\n"
        "| `-a` | Deletes all. |\n"
        "| `-h` | Prints this list. |",
        see=("msmtpq(1)", "pillarbox-queue(1)"),
    ),
    Page(
        "pillarbox-serve",
        8,
        "take mail from programs, keep it safe, and deliver it",
        ("pillarbox serve [--user] [OPTION ...]",),
        "Once `sendmail` has ended with 0, the mail is delivered to the provider at least once, or "
        "its failure is reported, across any crash, kill or power cut.",
        _command("pillarbox serve"),
        (
            ("queue.md", "For the whole system"),
            ("queue.md", "Mail by SMTP"),
            ("queue.md", "For yourself alone"),
            ("queue.md", "What each failure does"),
            ("queue.md", "Who is told"),
            ("queue.md", "Limits for the users of a machine"),
            ("queue.md", "What is written where"),
        ),
        files=(*_ACCOUNTS, *_PLACES),
        see=("pillarbox.toml(5)", "pillarbox-queue(1)", "sendmail(8)", "systemd.service(5)"),
    ),
    Page(
        "pillarbox.toml",
        5,
        "settings of the mail service",
        parts=(("reference/service.md", ""),),
        files=_PLACES[:2],
        see=("pillarbox-serve(8)", "msmtprc(5)"),
    ),
    Page(
        "msmtprc",
        5,
        "accounts that mail is sent through",
        parts=(("reference/configuration.md", ""),),
        files=_ACCOUNTS,
        see=("msmtp(1)", "pillarbox(1)", "pillarbox.toml(5)"),
    ),
)


def render(page: Page, exit_codes: Iterable[tuple[str, ...]]) -> str:
    """
    Return a manual page.

    Args:
        page: A row of ``PAGES``.
        exit_codes: Rows of code, name and meaning.

    """
    head = f'.TH {escape(page.name.upper())} {page.section} "" pillarbox "pillarbox\'s manual"'
    lines = [
        '.\\" Generated by docs/generate.py: change the table in the code, not this page.',
        head,
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{escape(page.name)} \\- {escape(page.text)}",
    ]
    if page.synopsis:
        lines.append(".SH SYNOPSIS")
        for number, call in enumerate(page.synopsis):
            lines += [".br"] if number else []
            lines.append(_synopsis(call))
    lines.append(".SH DESCRIPTION")
    lines += from_markdown(page.description) if page.description else []
    lines += _of_line(page)
    for name, heading in page.parts:
        lines += _of_markdown(name, heading)
    if page.name == "msmtprc":
        lines += _keywords()
    if page.has_exit_codes:
        lines += [".SH EXIT STATUS"]
        for code, name, meaning in exit_codes:
            lines += tagged(escape(code), f"{inline(name)}: {inline(meaning)}.")
    if page.files:
        lines.append(".SH FILES")
        for path, text in page.files:
            lines += tagged(f"\\fI{escape(path)}\\fR", f"{inline(text)}.")
    if page.see:
        lines.append(".SH SEE ALSO")
        lines.append(", ".join(f"\\fB{escape(n[:-3])}\\fR({n[-2]})" for n in page.see))
    return "\n".join(lines) + "\n"


def _synopsis(call: str) -> str:
    """Return a call: in bold what is written as it stands, in italics what stands for it."""
    words = []
    for word in call.split(" "):
        bare = word.strip("[]|.")
        font = "R" if not bare or bare in ("<", "mail") else "I" if bare.isupper() else "B"
        words.append(f"\\f{font}{escape(word)}\\fR" if font != "R" else escape(word))
    return " ".join(words)


def _of_line(page: Page) -> list[str]:
    if page.line is None:
        return []
    if page.name == "pillarbox":
        return _commands()
    line = page.line()
    lines = []
    if line.subcommands:
        lines.append(".SH ACTIONS")
        common, filters = _shared(line)
        for each in line.subcommands:
            lines += [f".SS {escape(each.name.rpartition(' ')[2])}", _sentence(each.text)]
            lines += _flags(each, (*common, *filters))
            if filters and filters[0] in each.flags:
                lines += [".PP", "Takes the filters, see below."]
        if filters:
            lines += [".SH FILTERS", *_flags(CommandLine("", "", filters))]
        lines += [".SH OPTIONS OF EVERY ACTION", *_flags(CommandLine("", "", common))]
    else:
        lines += [".SH OPTIONS", *_flags(line)]
    if line.epilog:
        lines += [".SH EXIT STATUS", inline(line.epilog)]
    return lines


def _commands() -> list[str]:
    """Return what the commands are, unless they have a page of their own."""
    lines = [".SH COMMANDS"]
    for line in command_lines():
        lines += [f".SS {escape(line.name)}", _sentence(line.text)]
        other = line.name.replace(" ", "-")
        if any(each.name == other for each in PAGES):
            lines.append(f"See \\fB{escape(other)}\\fR({_section_of(other)}).")
            continue
        lines += _flags(line)
        for each in line.subcommands:
            lines += [f".SS {escape(each.name)}", _sentence(each.text), *_flags(each)]
    return lines


def _section_of(name: str) -> int:
    return next(page.section for page in PAGES if page.name == name)


def _shared(line: CommandLine) -> tuple[tuple[Flag, ...], tuple[Flag, ...]]:
    """Return the options that every subcommand has, and the many that some have together."""
    holders: dict[frozenset[str], list[Flag]] = {}
    for flag in dict.fromkeys(flag for each in line.subcommands for flag in each.flags):
        if flag.names:
            names = frozenset(each.name for each in line.subcommands if flag in each.flags)
            holders.setdefault(names, []).append(flag)
    everybody = frozenset(each.name for each in line.subcommands)
    common = holders.pop(everybody, [])
    many = [flags for names, flags in holders.items() if len(names) > 2 and len(flags) > 4]
    return tuple(common), tuple(many[0] if many else ())


def _sentence(text: str) -> str:
    return f"{escape(capital(text)).rstrip('.')}."


def _flags(line: CommandLine, left_out: Container[Flag] = ()) -> list[str]:
    """Return the options and operands; of a subcommand without ``--help``, which all have."""
    lines = []
    for flag in line.flags:
        if flag in left_out or ("--help" in flag.names and line.name != "msmtp"):
            continue
        argument = f"\\fI{escape(flag.argument)}\\fR" if flag.argument else ""
        if not flag.names:
            lines += tagged(f"[{argument}]" if flag.is_optional else argument, _sentence(flag.help))
            continue
        names = ", ".join(f"\\fB{escape(name)}\\fR" for name in flag.names)
        glue = "=" if flag.names[-1].startswith("--") else " "
        shown = f"{glue}{argument}" if argument else ""
        if argument and flag.is_optional:
            shown = f"[{shown}]"
        lines += tagged(names + shown, _sentence(flag.help))
    return lines


def _of_markdown(name: str, heading: str) -> list[str]:
    text = (HERE / name).read_text(encoding="utf-8")
    if heading:
        found = re.search(rf"(?ms)^## {re.escape(heading)}$.*?(?=^## |\Z)", text)
        text = found[0]
    return from_markdown(text)


def _keywords() -> list[str]:
    lines = [".SH KEYWORDS"]
    for field in FIELDS:
        argument = "[on|off]" if field.argument == "optional" else "ARG"
        default = "" if field.default in (None, "") else f"Default: {_shown(field.default)}."
        since = "" if field.since.endswith("or older") else f"Since {field.since}."
        said = " ".join(filter(None, (field.help, default, since)))
        lines += tagged(f"\\fB{escape(field.name)}\\fR \\fI{escape(argument)}\\fR", escape(said))
    return lines


def _shown(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
