"""
Run a command that the configuration names, and take the first line that it prints.

This is the one place of the package that uses a shell. The rules:

* its standard input is empty: it cannot eat the mail that waits on ours,
* its standard error is ours, for gpg and its kind to complain to,
* its environment is ours: such helpers need HOME, GNUPGHOME, the session bus ... (it gets
  nothing that the user who runs us could not give it himself),
* it is killed when its time is over, and nothing behind 64 KiB is read,
* neither the command nor what it printed is put in a message: both may hold the password.
"""

from __future__ import annotations

import os

from pillarbox.errors import InputOutputError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTPUT_MAX", "TIMEOUT_S", "CommandOutput", "run_command"]

TIMEOUT_S = 120  # gpg's pinentry asks a person
OUTPUT_MAX = 65536  # bytes: an OAuth token has 1 to 4 KiB
_SHELL = "/bin/sh"
_TICK_MS = 50  # how late we see that a command ended whose output some child of it keeps open


class CommandOutput(Value):
    """
    What a command printed, and how it ended.

    Attributes:
        line: The first line without its line ending; None when nothing was printed.
        ending: ``exit status N``, ``killed by signal N``, or why we stopped it.
        has_more: More lines stood behind it.

    """

    __slots__ = ("ending", "has_more", "line")

    def __init__(self, line: bytes | None, ending: str, *, has_more: bool = False) -> None:
        self.line = line
        self.ending = ending
        self.has_more = has_more

    def __repr__(self) -> str:
        return f"CommandOutput(line={'None' if self.line is None else '*'}, ending={self.ending!r})"


def run_command(
    command: str, env: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> CommandOutput:
    """
    Run a command by the shell, and wait for it.

    Args:
        command: For ``/bin/sh -c``.
        env: Its environment.
        timeout_s: Seconds until it is killed. A line that was complete by then still counts.

    Raises:
        InputOutputError: It could not be started.

    """
    try:
        child, output = _start(command, env)
    except OSError as error:
        msg = say("cannot run {path}: {reason}", path=_SHELL, reason=error.strerror)
        raise InputOutputError(msg) from error
    try:
        return _watch(child, output, timeout_s)
    finally:
        os.close(output)
        child.end()


class _Child:
    """A process of ours, which is waited for once."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ending: str = ""

    def has_ended(self) -> bool:
        """Look without waiting whether it ended; ``ending`` then says how."""
        if not self.ending:
            self._wait(os.WNOHANG)
        return bool(self.ending)

    def end(self) -> None:
        """Kill it if it still runs. Its own children are not ours to find."""
        if not self.has_ended():
            os.kill(self.pid, 9)
            self._wait(0)

    def _wait(self, flags: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, flags)
        except ChildProcessError:  # we were started with SIGCHLD ignored: the kernel forgets
            self.ending = say("an unknown exit status")
            return
        if pid:
            code = os.waitstatus_to_exitcode(status)
            if code >= 0:
                self.ending = say("exit status {code}", code=code)
            else:
                self.ending = say("killed by signal {number}", number=-code)


def _start(command: str, env: Mapping[str, str]) -> tuple[_Child, int]:
    """Start the command; return it and the reading end of its output."""
    from signal import SIGPIPE, SIGXFSZ

    reading, writing = os.pipe()
    try:
        pid = os.posix_spawn(
            _SHELL,
            [_SHELL, "-c", command],
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
            ],
            setsigdef=[SIGPIPE, SIGXFSZ],  # Python ignores both, and that would be inherited
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return _Child(pid), reading


def _watch(child: _Child, output: int, timeout_s: float) -> CommandOutput:
    """
    Read until the output ends, and then wait for the command.

    A command may leave a child behind that keeps the output open (gpg starts its agent like
    that), so the end of the command is the end of the output too.
    """
    from select import POLLIN, poll
    from time import monotonic, sleep

    deadline = monotonic() + timeout_s
    waiter = poll()
    waiter.register(output, POLLIN)
    printed = b""
    is_open = True
    pause_s = 0.001
    while True:
        has_ended = child.has_ended()  # asked before the last look at the pipe, not after it
        if is_open and waiter.poll(0 if has_ended else _TICK_MS):
            piece = os.read(output, OUTPUT_MAX)
            is_open = bool(piece)
            printed = (printed + piece)[: OUTPUT_MAX + 1]
            if len(printed) > OUTPUT_MAX and b"\n" not in printed:
                ending = say("a first line of more than {limit} bytes", limit=OUTPUT_MAX)
                return CommandOutput(None, ending)
        elif has_ended:
            has_more = bool(printed.partition(b"\n")[2].strip())
            return CommandOutput(_first_line(printed), child.ending, has_more=has_more)
        elif not is_open:
            sleep(pause_s)
            pause_s = min(pause_s * 2, _TICK_MS / 1000)
        if monotonic() >= deadline:
            line = _first_line(printed) if b"\n" in printed else None
            return CommandOutput(line, say("no end after {time} seconds", time=f"{timeout_s:g}"))


def _first_line(printed: bytes) -> bytes | None:
    if not printed:
        return None
    return printed.partition(b"\n")[0].rstrip(b"\r")
