"""
The last resort: a command of the administrator, for what no mail can tell.

An account that cannot send cannot carry its own alarm. What goes wrong here goes to the log; this
runs ``[alerts] command`` beside it.

The rule to keep: no shell, no word of a mail or a server among the arguments or in the environment
(attack: a Subject that is an option), nothing of ours inherited, and an end to it in any case.
"""

from __future__ import annotations

import os
from signal import SIGKILL
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING

from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TIMEOUT_S", "Alarm"]

TIMEOUT_S = 30.0

# No more than a pipe holds: a command that does not read cannot hold us up.
_MAX_LINE = 1000
_MAX_LINES = 30

_ENVIRONMENT = {
    "HOME": "/",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


class Alarm:
    """
    Run the administrator's command.

    Args:
        command: The program and its arguments; empty: there is none.
        hostname: The name of this computer.
        timeout_s: Seconds until it is killed, with all that it started.

    """

    def __init__(
        self, command: Sequence[str], *, hostname: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._command = list(command)
        self._hostname = hostname
        self._timeout_s = timeout_s

    def tell(self, level: str, subject: str, text: str = "") -> str:
        """
        Hand a text to the command on its standard input. Blocks until it ends.

        The first line is ``LEVEL HOST: SUBJECT``; the text stands below it.

        Args:
            level: As in the log: ``crit`` or ``error``.
            subject: What happened, in one line.
            text: More of it.

        Returns:
            What went wrong, in one sentence; empty: nothing did, or there is no command.

        """
        if not self._command:
            return ""
        lines = [f"{level} {self._hostname}: {subject}", *text.split("\n")[:_MAX_LINES]]
        octets = "".join(f"{printable(line, _MAX_LINE)}\n" for line in lines).encode()
        try:
            process = Popen(
                self._command,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)
            return say("cannot run {path}: {reason}", path=self._command[0], reason=reason)
        try:
            process.communicate(octets, timeout=self._timeout_s)
        except TimeoutExpired:
            os.killpg(process.pid, SIGKILL)
            process.communicate()
            return say(
                "{path} had not ended after {time} seconds",
                path=self._command[0],
                time=f"{self._timeout_s:g}",
            )
        if process.returncode:
            code = process.returncode
            return say("{path} ended with {code}", path=self._command[0], code=code)
        return ""
