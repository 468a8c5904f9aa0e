"""
The last resort: a command of the administrator, for what no mail can tell.

An account that cannot send cannot carry its own alarm. What goes wrong here goes to the log; this
runs ``[alerts] command`` beside it. ``Alarm`` runs it once; ``Bell`` sees that it runs one at a
time, for anybody can send mails whose failure nobody can be told of.

The rule to keep: no shell, no word of a mail or a server among the arguments or in the environment
(attack: a Subject that is an option), nothing of ours inherited, and an end to it in any case.
"""

from __future__ import annotations

import os
import threading
from signal import SIGKILL
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING

from pillarbox.mail.reply import printable
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["TIMEOUT_S", "Alarm", "Bell"]

TIMEOUT_S = 30.0

# No more than a pipe holds: a command that does not read cannot hold us up.
_MAX_LINE = 1000
_MAX_LINES = 30
_MAX_WAITING = 29  # alarms, a line each; the last line counts the others

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


class Bell:
    """
    Tell alarms, one command at a time; those that come meanwhile are told together.

    Args:
        tell: Tells one, and returns what went wrong: ``Alarm.tell`` without the level. Blocks.
        on_failure: Told what went wrong.

    """

    def __init__(
        self, tell: Callable[[str, str], str], *, on_failure: Callable[[str], None]
    ) -> None:
        self._tell = tell
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, str]] = []
        self._more = 0  # that are not in it
        self._is_ringing = False

    def ring(self, subject: str, text: str) -> None:
        """Have an alarm told. Does not block, and never raises."""
        with self._lock:
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.append((subject, text))
            else:
                self._more += 1
            if self._is_ringing:
                return
            self._is_ringing = True
        try:
            threading.Thread(target=self._ring, name="pillarbox alarm", daemon=True).start()
        except RuntimeError:  # no thread is to be had; the next alarm tells of this one, too
            self._is_ringing = False

    def _ring(self) -> None:
        while True:
            with self._lock:
                waiting, more = self._waiting, self._more
                self._waiting, self._more = [], 0
                self._is_ringing = bool(waiting)
            if not waiting:
                return
            subject, text = waiting[0]
            if waiting[1:]:
                subject = f"{len(waiting) + more} alarms"
                lines = [" ".join(f"{one}: {why}".split()) for one, why in waiting]
                text = "\n".join(lines) + (f"\nand {more} more: see the log" if more else "")
            try:
                problem = self._tell(subject, text)
            except Exception as exc:  # noqa: BLE001 (else it would never ring again)
                problem = type(exc).__name__
            if problem:
                self._on_failure(problem)
