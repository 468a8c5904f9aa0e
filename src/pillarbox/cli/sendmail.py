"""
``sendmail``: what programs call that know nothing of msmtp.

It has sendmail's options and no other. An application that passes a user's text behind ``-f``
must not hand him msmtp's power to run commands, write files or choose the server (attack:
option injection), so those that would are read and ignored, and long options are refused but
for the three that choose between sending and the queue, which have no argument.
"""

from __future__ import annotations

import os

from pillarbox.cli.getopt import OPTIONAL, REQUIRED, Option, parse_options
from pillarbox.cli.main import MODES, load
from pillarbox.cli.sending import WISH_OPTIONS, SendRequest, send_mail, wish_of
from pillarbox.config.account import FIELD_BY_NAME
from pillarbox.config.values import reason_of
from pillarbox.errors import EX_UNAVAILABLE, PillarboxError, UsageError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OPTIONS", "main"]

# In sendmail's order of the alphabet; "ignored" has no meaning here, or a dangerous one.
OPTIONS = (
    Option("ignored", short="A", argument=REQUIRED),  # which of its configurations
    Option("ignored", short="B", argument=REQUIRED),  # body type: found out by looking
    Option("mode", short="b", argument=REQUIRED),
    Option("ignored", short="C", argument=REQUIRED),  # a configuration file
    Option("ignored", short="c"),
    Option("ignored", short="D", argument=REQUIRED),  # a file for debug output
    Option("ignored", short="d", argument=OPTIONAL),
    Option("ignored", short="E", argument=REQUIRED),
    Option("ignored", short="e", argument=REQUIRED),  # how to tell of errors: by exit code
    Option("full_name", short="F", argument=REQUIRED),
    Option("from", short="f", argument=REQUIRED),
    Option("from", short="r", argument=REQUIRED),
    Option("ignored", short="G"),
    Option("ignored", short="h", argument=REQUIRED),
    Option("rebuild", short="I"),
    Option("ignored", short="i"),  # a line with one dot never ends the mail
    Option("ignored", short="L", argument=REQUIRED),
    Option("ignored", short="M", argument=REQUIRED),
    Option("ignored", short="m"),
    Option("notify", short="N", argument=REQUIRED),
    Option("ignored", short="n"),
    Option("ignored", short="O", argument=REQUIRED),  # any option, QueueDirectory among them
    Option("ignored", short="o", argument=REQUIRED),
    Option("ignored", short="p", argument=REQUIRED),
    Option("ignored", short="Q", argument=REQUIRED),
    Option("flush", short="q", argument=OPTIONAL),
    Option("ret", short="R", argument=REQUIRED),
    Option("ignored", short="s"),
    Option("ignored", short="T"),
    Option("read_recipients", short="t"),
    Option("ignored", short="U"),
    Option("envid", short="V", argument=REQUIRED),
    Option("ignored", short="v"),
    Option("ignored", short="X", argument=REQUIRED),  # a file for the whole dialogue
    Option("ignored", short="x"),
    *WISH_OPTIONS,
)

# Long options, in full or not at all: what is short for one of them may be another's tomorrow.
_LONG = frozenset(f"--{option.long}" for option in WISH_OPTIONS)


def main(arguments: Sequence[str]) -> int:
    """Run sendmail's command line; see ``cli.main.run`` for what becomes of an exception."""
    for argument in arguments:
        if argument == "--":
            break
        if argument.startswith("--") and argument not in _LONG:
            raise UsageError(
                say("sendmail has no long options but --direct, --queue and --wait"),
                advice=say("msmtp's options are understood under the name msmtp only"),
            )
    found, operands = parse_options(arguments, OPTIONS, is_posix="POSIXLY_CORRECT" in os.environ)
    chosen = {key: value or "" for key, value in found}
    mode = "i" if "rebuild" in chosen else chosen.get("mode", "m")
    if mode == "p":
        from pillarbox.cli import mailq

        return mailq.main(())
    if mode == "i":
        from pillarbox.cli import newaliases

        return newaliases.main(())
    if mode == "s":
        senders = [chosen["from"]] if "from" in chosen else []
        code: int = load(MODES["sendmail -bs"]).main(senders)
        return code
    if mode != "m":
        raise _UnsupportedModeError(say("operation mode -b{mode} is not supported", mode=mode))
    if "flush" in chosen and not operands and "read_recipients" not in chosen:
        from pillarbox.cli import mailq

        return mailq.flush()
    return send_mail(
        SendRequest(
            _settings(chosen),
            operands,
            reads_recipients="read_recipients" in chosen,
            envid=chosen.get("envid", ""),
            wish=wish_of(chosen),
        )
    )


class _UnsupportedModeError(PillarboxError):
    exit_code = EX_UNAVAILABLE


def _settings(chosen: dict[str, str]) -> dict[str, object]:
    """Return the few settings that a caller of sendmail may make."""
    settings: dict[str, object] = {}
    rows = (
        ("-f", "from", "from", str),
        ("-F", "full_name", "from_full_name", str),
        ("-N", "notify", "dsn_notify", str.lower),
        ("-R", "ret", "dsn_return", str.lower),
    )
    for option, key, name, convert in rows:
        if key in chosen:
            try:
                settings[name] = FIELD_BY_NAME[name].parse(convert(chosen[key]))
            except ValueError as exc:
                problem = say(
                    "invalid argument {argument} for {option}: {reason}",
                    argument=repr(chosen[key]),
                    option=option,
                    reason=reason_of(exc),
                )
                raise UsageError(problem) from exc
    return settings
