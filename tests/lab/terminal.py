"""A person at a terminal of a machine: what is shown is waited for, then something is typed."""

import os
import pty
import select

__all__ = ["Terminal"]

_PATIENCE_S = 60


class Terminal:
    """
    A command of a machine at a terminal, used in a ``with``.

    Args:
        machine: Where.
        command: What was typed to start it.

    Attributes:
        screen: All that was shown.

    """

    def __init__(self, machine, *command):
        self.screen = b""
        self._seen = 0
        self._ours, theirs = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        self._process = machine.start(*command, has_terminal=True, **streams)
        os.close(theirs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def wait_for(self, words):
        """Wait until words are shown that were not there before."""
        wanted = words.encode()
        while (found := self.screen.find(wanted, self._seen)) < 0:
            assert self._read(), f"it ended before {words!r} came:\n{self.shown}"
        self._seen = found + len(wanted)

    def type(self, line):
        """Type a line."""
        os.write(self._ours, line.encode() + b"\n")

    def end(self):
        """Wait for the end; return the exit code."""
        while self._read():
            pass
        return self._process.wait(_PATIENCE_S)

    @property
    def shown(self):
        """All that was shown, as text."""
        return self.screen.decode()

    def _read(self):
        ready, _, _ = select.select([self._ours], [], [], _PATIENCE_S)
        assert ready, f"nothing more came:\n{self.shown}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: the other side has gone
            return False
        self.screen += data
        return bool(data)
