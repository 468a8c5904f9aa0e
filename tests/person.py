"""A person at a real terminal: a pseudo-terminal with the program on its other side."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

from programs import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

__all__ = ["Person"]

_PATIENCE_S = 30.0
# The terminal that standard input is becomes that of the session, as a login makes it.
_START = (
    "import fcntl, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGHUP, signal.SIG_{hang_up}); "  # whoever runs the tests may ignore it
    "sys.argv[0] = 'pillarbox'; "
    "from pillarbox.cli.main import run; run('pillarbox')"
)
CTRL_C, CTRL_D = b"\x03", b"\x04"


class Person:
    """
    Run ``pillarbox ARGUMENTS`` on a terminal of its own, to be used in a ``with``.

    Args:
        arguments: Of pillarbox.
        env: Variables on top of ``ENVIRONMENT``.
        is_plain: Without the packages beside the interpreter, so without rich.
        is_deaf: Started under nohup.

    Attributes:
        screen: All that was shown.

    """

    def __init__(
        self,
        arguments: Sequence[str],
        env: dict[str, str],
        *,
        is_plain: bool = False,
        is_deaf: bool = False,
    ) -> None:
        self.screen = b""
        self._seen = 0
        self.terminal, other_side = os.openpty()
        size = struct.pack("HHHH", 50, 200, 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)
        # No fork of ours: the tests have threads.
        start = _START.format(hang_up="IGN" if is_deaf else "DFL")
        self._process = subprocess.Popen(
            [sys.executable, *(["-S"] if is_plain else []), "-c", start, *arguments],
            env=ENVIRONMENT | {"TERM": "xterm-256color"} | env,
            stdin=other_side,
            stdout=other_side,
            stderr=other_side,
            start_new_session=True,
        )
        os.close(other_side)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self.terminal >= 0:
            os.close(self.terminal)

    def wait_for(self, text: str) -> str:
        """Return what is shown up to a text that was not shown before; blocks until it is."""
        wanted = text.encode()
        limit = time.monotonic() + _PATIENCE_S
        while (found := self.screen.find(wanted, self._seen)) < 0:
            left = limit - time.monotonic()
            assert left > 0, f"{text!r} never came:\n{self.shown}"
            assert self._read(left), f"it ended before {text!r} came:\n{self.shown}"
        shown = self.screen[self._seen : found]
        self._seen = found + len(wanted)
        return shown.decode("utf-8", "replace")

    def type(self, line: str | bytes) -> None:
        """Type a line and Enter; octets are typed as they are."""
        os.write(self.terminal, line if isinstance(line, bytes) else line.encode() + b"\n")

    def kill(self, number: int) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """Take the terminal away, as a lost connection does."""
        os.close(self.terminal)
        self.terminal = -1

    def end(self) -> int:
        """Return the exit code; minus the number of the signal that killed it."""
        limit = time.monotonic() + _PATIENCE_S
        while self.terminal >= 0 and self._read(max(limit - time.monotonic(), 0)):
            pass
        return self._process.wait(_PATIENCE_S)

    @property
    def shown(self) -> str:
        """All that was shown, as a text."""
        return self.screen.decode("utf-8", "replace")

    @property
    def has_echo(self) -> bool:
        """Whether what is typed is shown."""
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def _read(self, timeout_s: float) -> bool:
        """Read what is there; False: nobody is on the other side, or nothing came."""
        if not select.select([self.terminal], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # EIO: the other side has closed it
            return False
        self.screen += data
        return bool(data)
