"""
A server process of the tests: its directory, its ports, its log, its beginning and its end.

A ``Server`` is started once for many tests. Its ports are reserved from the moment they are
chosen, so no other server and no connection of the machine can take them; it is ready when it
accepts a connection; it is stopped, with all its children, by ``stop`` or by the end of the
tests, whichever comes first.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers import keeper

__all__ = ["HAS_IPV6", "RUNNING", "Log", "Ports", "Server", "eventually", "wait_for_all"]

RUNNING = []  # every server that is started and not stopped
_MADE = []  # every server that is made and not stopped
_ENDING = []  # the keepers of those that are stopped

_READY_S = 20.0
_PAUSE_S = 0.005
_SETTLE_S = 3.0


def eventually(find, what, limit_s=15.0):
    """
    Return the first true value that ``find()`` gives; fail when none came in time.

    Args:
        find: Looks without blocking.
        what: What is awaited, for the failure: a text or a function that makes it.
        limit_s: Seconds.

    """
    deadline = time.monotonic() + limit_s
    while not (found := find()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what() if callable(what) else what}")
        time.sleep(_PAUSE_S)
    return found


def wait_for_all():
    """Stop what is not stopped, and wait until nothing is left of any server."""
    while _MADE:
        _MADE[-1].stop()
    while _ENDING:
        _ENDING.pop().wait(timeout=60)


def _has_ipv6():
    """Return whether ::1 can be used; a container often has none."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


HAS_IPV6 = _has_ipv6()


class Ports:
    """
    Free ports of loopback, the same number for IPv4 and, where there is one, IPv6.

    Each stays bound, though not listening, until ``close``: so nobody else is given it, and a
    server that sets SO_REUSEADDR, as all here do, can listen on it all the same.
    """

    def __init__(self):
        self._held = contextlib.ExitStack()

    def reserve(self):
        """Return a port that is free on 127.0.0.1 and ::1."""
        if not HAS_IPV6:
            return self._held.enter_context(
                self._bound(socket.AF_INET, "127.0.0.1", 0)
            ).getsockname()[1]
        for _ in range(50):
            with contextlib.ExitStack() as held:
                four = held.enter_context(self._bound(socket.AF_INET, "127.0.0.1", 0))
                port = four.getsockname()[1]
                try:
                    held.enter_context(self._bound(socket.AF_INET6, "::1", port))
                except OSError:
                    continue  # it is taken there
                self._held.push(held.pop_all())
                return port
        msg = "no port is free on both 127.0.0.1 and ::1"
        raise AssertionError(msg)

    @staticmethod
    def _bound(family, address, port):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            sock.close()
            raise
        return sock

    def close(self):
        """Give the ports up."""
        self._held.close()


class Log:
    """A log file that a server writes, read from where a test began."""

    def __init__(self, path):
        self.path = path
        self._start = 0

    def mark(self):
        """Forget what is in the log so far."""
        self._start = self.path.stat().st_size if self.path.exists() else 0

    def text(self):
        """Return what was written since the mark."""
        if not self.path.exists():
            return ""
        return self.path.read_bytes()[self._start :].decode("utf-8", "replace")

    def wait_for(self, pattern, limit_s=10.0):
        """Return the match of a regular expression, as soon as it is in the log."""
        compiled = re.compile(pattern, re.MULTILINE)
        return eventually(
            lambda: compiled.search(self.text()),
            lambda: f"{pattern!r} in the log:\n{self.text()}",
            limit_s,
        )


class Server:
    """
    One server with a directory of its own, which everybody may enter.

    Attributes:
        directory: Configuration, spool, mailboxes; removed when the server is stopped.
        output: What the server printed.
        logs: That and every other log there is, for a failure to show.
        session_log: The log in which sessions are counted, or None.
        session_ends: What it has for the beginning and for the end of one: two expressions.

    """

    def __init__(self, name):
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix=f"pillarbox-{name}-"))
        self.directory.chmod(0o755)
        self.output = Log(self.directory / "output")
        self.logs = [self.output]
        self.session_log = None
        self.session_ends = ("", "")
        self.ports = Ports()
        self._keeper = None
        _MADE.append(self)

    def start(self, command, environment, *, port=None, socket_path=None):
        """
        Start the server and wait until it listens.

        Args:
            command: Program and arguments; it must stay in the foreground.
            environment: All that its environment has.
            port: Where it listens, or
            socket_path: the unix socket where it does.

        """
        settings = [f"{name}={value}" for name, value in environment.items()]
        with self.output.path.open("wb") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, keeper.__file__, str(self.directory)]
                + ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *settings]
                + [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_S
        while not self._listens(port, socket_path):
            text = self.describe()
            if keeper.ENDED in text or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"{self.name} did not start:\n{text}")
            time.sleep(_PAUSE_S)
        if self.session_log is not None:
            self.session_log.wait_for(self.session_ends[1])  # that was only a look
        RUNNING.append(self)

    def forget(self):
        """Forget what was logged, once every session that began has ended, or soon after."""
        with contextlib.suppress(AssertionError):
            eventually(self._is_idle, "the end of the sessions", _SETTLE_S)
        for log in self.logs:
            log.mark()

    def describe(self):
        """Return what the server printed and logged, for a failure."""
        return "\n".join(f"{log.path.name}:\n{log.text()}" for log in self.logs)

    def stop(self):
        """Have the server ended with all its children, and its directory removed; not waiting."""
        if self in RUNNING:
            RUNNING.remove(self)
        if self in _MADE:
            _MADE.remove(self)
        self.ports.close()
        if self._keeper is None:
            shutil.rmtree(self.directory)
            return
        self._keeper.stdin.close()
        _ENDING.append(self._keeper)

    def write(self, name, text, mode=0o644):
        """Write a file into the directory and return its path."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def make_directory(self, name, owner=None, mode=0o755):
        """
        Make a directory below the server's own and return its path.

        Args:
            name: Its name.
            owner: User and group by number, when it is not ours.
            mode: Its permissions.

        """
        path = self.directory / name
        path.mkdir(parents=True)
        path.chmod(mode)
        if owner is not None:
            os.chown(path, *owner)
        return path

    def _is_idle(self):
        if self.session_log is None:
            return True
        text = self.session_log.text()
        begin, end = (len(re.findall(pattern, text)) for pattern in self.session_ends)
        return begin <= end

    @staticmethod
    def _listens(port, socket_path):
        family = socket.AF_INET if port else socket.AF_UNIX
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            try:
                sock.connect(("127.0.0.1", port) if port else str(socket_path))
            except OSError:
                return False
        return True
