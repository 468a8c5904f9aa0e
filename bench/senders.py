"""
The programs that are compared, each as the command line that sends one mail.

Every one makes a TLS connection, checks the certificate, and logs in with PLAIN. To add a
program, add a row to ``SENDERS``.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import HERE, PASSWORD, RECIPIENT, USER

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Sender", "Target", "find_senders"]


@dataclass(frozen=True)
class Target:
    """Where a mail goes: a port of localhost, the trust store to use, and the mail's file."""

    port: int
    trust: str
    mail: Path


@dataclass(frozen=True)
class Sender:
    """
    A program that sends mail.

    Attributes:
        name: Its row in the tables.
        command: From lab and target to the words of a command.
        is_python: Whether it runs in the measured interpreter.
        knows: Which kinds of trust store it can be given: ``file``, ``directory``, ``system``.
        reads_stdin: Whether the mail comes on standard input, or from its file.

    """

    name: str
    command: Callable[[Any, Target], list[object]]
    is_python: bool = False
    knows: tuple[str, ...] = ("file",)
    reads_stdin: bool = True


# msmtp is called by its name, so that a program of ours earlier in PATH is not taken for it.
_MSMTP_PLACES = "/usr/bin:/usr/local/bin:/bin"


def _bare(lab, target):
    return [lab.python, "-I", "-S", lab.client("pillarbox_cold"), *_msmtp(lab, target)]


def _as_installed(lab, target):
    return [lab.python, HERE.parent / "bin" / "msmtp", *_msmtp(lab, target)]


def _msmtp(lab, target):
    """Return msmtp's arguments, which are ours too."""
    return ["-C", lab.account(target.port, target.trust), RECIPIENT]


def _curl(_, target):
    trust = "--capath" if Path(target.trust).is_dir() else "--cacert"
    return [
        "curl", "-q", "-s", "--url", f"smtps://localhost:{target.port}/client.example.test",
        trust, target.trust, "--user", f"{USER}:{PASSWORD}", "--login-options", "AUTH=PLAIN",
        "--sasl-ir", "--mail-from", USER, "--mail-rcpt", RECIPIENT, "--crlf",
        "--upload-file", target.mail,
    ]  # fmt: skip


def _smtplib(lab, target):
    script = lab.client("smtplib_cold")
    return [lab.python, "-I", "-S", script, str(target.port), target.trust]


_EVERY_STORE = ("file", "directory", "system")

SENDERS = (
    Sender("pillarbox", _as_installed, is_python=True, knows=_EVERY_STORE),
    Sender("pillarbox -I -S", _bare, is_python=True, knows=_EVERY_STORE),
    Sender(
        "msmtp",
        lambda lab, target: [shutil.which("msmtp", path=_MSMTP_PLACES), *_msmtp(lab, target)],
    ),
    Sender("curl", _curl, knows=("file", "directory"), reads_stdin=False),
    Sender("smtplib -I -S", _smtplib, is_python=True, knows=_EVERY_STORE),
)


def find_senders():
    """Return the senders that are installed here, ours first."""
    found = list(SENDERS[:2])
    installed = Path(sys.executable).with_name("msmtp")  # of a virtual environment
    if installed.exists() and sys.prefix != sys.base_prefix:
        found.append(
            Sender(
                "pillarbox (venv)",
                lambda lab, target: [installed, *_msmtp(lab, target)],
                knows=_EVERY_STORE,
            )
        )
    if shutil.which("msmtp", path=_MSMTP_PLACES):
        found.append(SENDERS[2])
    if shutil.which("curl"):
        found.append(SENDERS[3])
    found.append(SENDERS[4])
    return found
