"""
``msmtp``: the personality that scripts and people know, with msmtp's options.

The options that set something are derived from ``config.account.FIELDS``; only those that
choose what to do, or are accepted for sendmail's sake, stand here.
"""

from __future__ import annotations

import os

from pillarbox.cli.getopt import OPTIONAL, REQUIRED, Option, parse_options
from pillarbox.cli.sending import WISH_OPTIONS, SendRequest, send_mail, wish_of
from pillarbox.config.account import ALIASES, FIELDS, parse_setting
from pillarbox.config.values import reason_of
from pillarbox.errors import UsageError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["OPTIONS", "main"]

# Options that are no keyword of the configuration file.
_OWN_OPTIONS = (
    Option("version", long="version"),
    Option("help", long="help"),
    Option("pretend", long="pretend", short="P"),
    Option("debug", short="v"),
    Option("debug", long="debug", short="d", argument=OPTIONAL),
    Option("serverinfo", long="serverinfo", short="S"),
    Option("rmqs", long="rmqs", argument=REQUIRED),
    Option("configure", long="configure", argument=REQUIRED),
    Option("file", long="file", short="C", argument=REQUIRED),
    Option("account", long="account", short="a", argument=REQUIRED),
    Option("read-recipients", long="read-recipients", short="t"),
    Option("read-envelope-from", long="read-envelope-from"),
    Option("raw", long="raw"),
    *WISH_OPTIONS,
    Option("mode", short="b", argument=REQUIRED),
    # Else it would be short for --passwordeval, and run as a command.
    Option("no-password", long="password", argument=OPTIONAL),
    *(Option("ignored", short=letter) for letter in "Gimn"),
    *(Option("ignored", short=letter, argument=REQUIRED) for letter in "ABhLOo"),
)


def _setting_options() -> Iterator[Option]:
    for field in FIELDS:
        argument = REQUIRED if field.argument == "required" else OPTIONAL
        if field.option or field.short:
            yield Option(field.name, long=field.option or "", short=field.short, argument=argument)
    for alias in ALIASES:
        if alias.option:
            yield Option(alias.name, long=alias.option, argument=alias.argument)


OPTIONS = (*_OWN_OPTIONS, *_setting_options())

_KEYWORDS = frozenset(row.name for row in (*FIELDS, *ALIASES))


def main(arguments: Sequence[str]) -> int:
    """Run msmtp's command line; see ``cli.main.run`` for what becomes of an exception."""
    found, operands = parse_options(arguments, OPTIONS, is_posix="POSIXLY_CORRECT" in os.environ)
    keys = {key for key, _ in found}
    if "version" in keys:
        return _print_version()
    if "help" in keys:
        return _print_help()
    if "configure" in keys:
        from pillarbox.cli.configure import print_configuration

        return print_configuration(dict(found)["configure"] or "")
    request = _request(found, operands)
    if "serverinfo" in keys or "rmqs" in keys:
        return _ask(request, dict(found))
    return send_mail(request)


def _ask(request: SendRequest, chosen: dict[str, str | None]) -> int:
    """Run a mode that sends no mail."""
    from pillarbox.cli.asking import show_server, start_remote_queue

    if request.recipients:
        raise UsageError(say("too many arguments: nothing is sent with --serverinfo or --rmqs"))
    if "rmqs" not in chosen:
        return show_server(request)
    if "serverinfo" in chosen:
        raise UsageError(say("cannot use both --serverinfo and --rmqs"))
    return start_remote_queue(request, chosen["rmqs"] or "")


def _request(found: list[tuple[str, str | None]], operands: list[str]) -> SendRequest:
    settings: dict[str, object] = {}
    chosen: dict[str, str] = {}
    for key, value in found:
        if key in _KEYWORDS:
            _take_setting(settings, key, value)
        elif key == "mode" and value != "m":
            raise UsageError(say("unsupported operation mode b{mode}", mode=value))
        elif key == "no-password":
            raise UsageError(
                say("there is no --password: every user of this machine could read it"),
                advice=say("use --passwordeval, or the keyword password in a file of mode 600"),
            )
        elif key == "raw":
            settings["repair"] = False
        elif key != "ignored":
            chosen[key] = value or ""
    host_given = "host" in settings
    if host_given and "account" in chosen:
        raise UsageError(say("cannot use both --host and --account"))
    if "from" in settings and "read-envelope-from" in chosen:
        raise UsageError(say("cannot use both --from and --read-envelope-from"))
    return SendRequest(
        settings,
        operands,
        account_name=chosen.get("account"),
        user_file=chosen.get("file"),
        host_given=host_given,
        reads_recipients="read-recipients" in chosen,
        reads_sender="read-envelope-from" in chosen,
        is_pretending="pretend" in chosen,
        is_debugging="debug" in chosen,
        wish=wish_of(chosen),
    )


def _take_setting(settings: dict[str, object], key: str, value: str | None) -> None:
    try:
        taken = parse_setting(key, value)
    except ValueError as exc:
        problem = say(
            "invalid argument {argument} for {option}: {reason}",
            argument=repr(value or ""),
            option=_spelling(key),
            reason=reason_of(exc),
        )
        raise UsageError(problem) from exc
    if taken is not None:
        settings[taken[0].name] = taken[1]


def _spelling(key: str) -> str:
    for option in OPTIONS:
        if option.key == key:
            return f"--{option.long}" if option.long else f"-{option.short}"
    return key


def _print_version() -> int:
    from pillarbox import __version__
    from pillarbox.smtp.auth import MECHANISMS

    print(f"msmtp version {__version__} (pillarbox)")
    print("Supported authentication methods:")
    print(" ".join(name.lower() for name in MECHANISMS))
    print("System configuration file name: /etc/msmtprc")
    print("User configuration file name: ~/.msmtprc")
    return 0


def _print_help() -> int:
    print("usage: msmtp [OPTION ...] [--] RECIPIENT ... < mail")
    print("       msmtp [OPTION ...] -t [--] [RECIPIENT ...] < mail\n")
    print("Send a mail through an SMTP or LMTP server, as ~/.msmtprc and /etc/msmtprc say.\n")
    for option in _OWN_OPTIONS:
        if option.key in _HELP:
            _print_option(option, _HELP[option.key])
    texts = {field.name: field.help for field in FIELDS}
    for option in _setting_options():
        if option.key in texts:
            _print_option(option, texts[option.key])
    return 0


_HELP = {
    "version": "Print the version.",
    "help": "Print this.",
    "file": "Use this file in place of the user's configuration file.",
    "account": "Use this account.",
    "read-recipients": "Take recipients from To, Cc and Bcc as well.",
    "read-envelope-from": "Take the envelope sender from the From header.",
    "pretend": "Print the account and what would be done, and do nothing.",
    "debug": "Print the account and the dialogue with the server, without the login.",
    "serverinfo": "Print what the server says of itself; send nothing, do not log in.",
    "rmqs": "Ask the server to send what it holds for a host, @domain or #queue (ETRN).",
    "configure": "Print an account for this address, from the SRV records of its domain.",
    "raw": "Send the mail as it is, headers that are missing apart (--repair=off).",
    "--direct": "Send now, from this process, whatever the configuration says of a queue.",
    "--queue": "Leave the mail to the mail service, or keep it in your own queue.",
    "--wait": "Leave the mail to the mail service, and wait for the provider's answer.",
    "mode": "m: send a mail (the default); for programs that speak sendmail.",
}


def _print_option(option: Option, text: str) -> None:
    names = f"-{option.short}" if option.short else "  "
    if option.long:
        names += ("," if option.short else " ") + f" --{option.long}"
    if option.argument == REQUIRED:
        names += "=ARG" if option.long else " ARG"
    elif option.argument == OPTIONAL:
        names += "[=ARG]" if option.long else "[ARG]"
    print(f"  {names:32} {text}")
