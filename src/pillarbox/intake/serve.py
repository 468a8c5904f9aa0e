"""
``pillarbox serve``: run the service, in the foreground, for systemd or for a person.

Here is what comes before it: the command line, the settings, and what makes the process a safe
place for a password. What the service does is ``daemon``'s.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.config.secrets import ask_on_terminal
from pillarbox.config.service import load_service
from pillarbox.delivery.assembly import make_accounts
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.journal import make_events
from pillarbox.errors import EX_OK, CredentialError, UsageError
from pillarbox.intake.daemon import Daemon
from pillarbox.intake.doors import DELIVER, LISTEN, SUBMIT
from pillarbox.intake.logins import hash_password, is_login_name
from pillarbox.intake.systemd import Notifier, take_sockets
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from pillarbox.config.settings import Service

__all__ = ["main"]

_UMASK = 0o077
_PR_SET_DUMPABLE = 4  # linux/prctl.h
_FIRST_DESCRIPTOR = 3
_MAX_DESCRIPTORS = 65536
_ROLES = (SUBMIT, DELIVER, LISTEN)


def main(argv: Sequence[str]) -> int:
    """
    Run ``pillarbox serve`` until a signal ends it.

    Raises:
        UsageError: The arguments are wrong.
        ConfigError, InputOutputError: The settings or the accounts are.
        SpoolError: The spool cannot be used, or another service has it.

    """
    arguments = _parse_arguments(argv)
    if arguments.hash_password:
        return _hash_password(arguments.hash_password)
    passed_count = os.environ.get("LISTEN_FDS", "")
    is_for_us = os.environ.get("LISTEN_PID") == str(os.getpid()) and passed_count.isdigit()
    _harden(_FIRST_DESCRIPTOR + (int(passed_count) if is_for_us else 0))
    notifier = Notifier(os.environ)
    passed = take_sockets(os.environ)

    def read_service() -> Service:
        return _read_service(arguments)

    service = read_service()
    accounts = make_accounts(service, os.environ, is_user=arguments.user)

    async def serve() -> None:
        daemon = Daemon(
            service,
            accounts,
            read_service=read_service,
            is_user=arguments.user,
            notifier=notifier,
            passed=passed,
            events=make_events(service, os.environ),
            clock=Clock(),
        )
        await daemon.run()

    asyncio.run(serve())
    return EX_OK


def _read_service(arguments: Any) -> Service:
    service = load_service(arguments.config, is_user=arguments.user)
    given = {}
    if arguments.roles:
        given["roles"] = arguments.roles
    if arguments.spool:
        given["spool"] = arguments.spool
    return dataclasses.replace(service, **given)


def _parse_arguments(argv: Sequence[str]) -> Any:
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message, advice=say("'pillarbox serve --help' lists the options"))

    parser = Parser(
        prog="pillarbox serve",
        description="Take mail from the programs of this computer, keep it safe, and bring it to"
        " the mail provider. Runs in the foreground until it gets a SIGTERM; SIGHUP reads the"
        " settings anew, SIGUSR1 has everything tried now.",
        allow_abbrev=False,
    )
    parser.add_argument("--user", action="store_true", help="serve one user: you")
    parser.add_argument("--config", metavar="FILE", help="settings in place of the usual ones")
    parser.add_argument(
        "--roles", type=_roles, metavar="LIST", help="some of submit,deliver,listen"
    )
    parser.add_argument(
        "--spool", type=os.path.abspath, metavar="DIR", help="where the mail that waits is kept"
    )
    parser.add_argument(
        "--hash-password",
        type=_login_name,
        metavar="NAME",
        help="print the line of a user for [listen] users; the password is read from the terminal"
        " or the first line of standard input",
    )
    parser.add_argument("--foreground", action="store_true", help="no effect: it always does")
    return parser.parse_args(list(argv))


def _roles(text: str) -> tuple[str, ...]:
    roles = tuple(role for role in _ROLES if role in text.split(","))
    if not roles or len(roles) != len(set(text.split(","))):
        import argparse

        raise argparse.ArgumentTypeError(f"choose of {', '.join(_ROLES)}")
    return roles


def _login_name(text: str) -> str:
    if not is_login_name(text):
        import argparse

        raise argparse.ArgumentTypeError("use up to 64 letters, digits and . _ @ + -")
    return text


def _hash_password(name: str) -> int:
    """Print the line of a user."""
    if sys.stdin.isatty():
        password = ask_on_terminal(f"password for {name}: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CredentialError(say("no password was given"))
    print(hash_password(name, password))
    return EX_OK


def _harden(first_closed: int) -> None:
    """
    Make the process a safe place for secrets.

    Nobody reads its memory or environment (attacks L10, P6), no file of it is for others, and
    nothing that somebody left open is kept open.
    """
    os.umask(_UMASK)
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= first_closed:
                with suppress(OSError):
                    os.close(int(name))
    with suppress(OSError, ValueError):
        # The usual soft limit is for select(2); callers and connections may need more.
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, _MAX_DESCRIPTORS), limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # MemoryError: an old libffi, where memory may not be made executable.
    with suppress(OSError, AttributeError, ImportError, MemoryError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
