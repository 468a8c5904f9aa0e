"""
``pillarbox serve`` as a process of its own, with a systemd of ours that it tells how it is doing.

``Service`` is used in a ``with``: it waits for READY, and at the end for a clean exit.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from door import Client
from programs import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PATIENCE_S", "Service", "accounts_for", "folder_for_all"]

PATIENCE_S = 30.0

_START = (
    "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; run('pillarbox')"
)


def accounts_for(port: int, **settings: str) -> str:
    """Return a configuration whose one account sends to a port of this computer."""
    lines = {"host": "127.0.0.1", "port": str(port), "from": "me@example.org"} | settings
    return "account default\n" + "".join(f"{name} {value}\n" for name, value in lines.items())


def folder_for_all() -> Path:
    """Return a new folder that everybody may search; those of tests are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="served-"))
    folder.chmod(0o755)
    return folder


_GRACE_S = 2.0


class Service:
    """
    A service.

    Args:
        accounts: What it sends through; the file is there and readable by its user only.
        settings: Its settings, without those of places, as TOML.
        arguments: Of ``pillarbox serve``, besides ``--config``.
        env: Variables on top of ``programs.ENVIRONMENT``.
        prefix: A command that starts it, as ``setpriv`` does.
        uid: Whose its files are, if it is started as somebody else.
        folder: Where everything is; None: a new one.
        watchdog_s: Within what time systemd wants to hear of it; 0: not at all.
        is_ready: Wait for READY.

    Attributes:
        lines: Its log.
        told: What systemd was told.

    """

    def __init__(
        self,
        accounts: str,
        settings: str = "",
        *arguments: str,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
        uid: int = -1,
        folder: Path | None = None,
        watchdog_s: float = 0.0,
        is_ready: bool = True,
    ) -> None:
        self.owns_folder = folder is None
        self.folder = folder or folder_for_all()
        self.spool = self.folder / "spool"
        self.submit = str(self.folder / "run" / "submit.sock")
        self.control = str(self.folder / "run" / "control.sock")
        self.accounts_file = self.folder / "msmtprc"
        self.config = self.folder / "pillarbox.toml"
        self.lines: list[str] = []
        self.told: list[str] = []
        self._changed = threading.Condition()
        self._waits = is_ready
        self.write(self.accounts_file, accounts, 0o600, uid)
        self.write_settings(settings)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind("")
        self._env = ENVIRONMENT | {"NOTIFY_SOCKET": "@" + self._notify.getsockname()[1:].decode()}
        if watchdog_s:
            self._env["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        self._env |= env or {}
        if uid >= 0:
            os.chown(self.folder, uid, uid)
        self.command = [*prefix, sys.executable, "-S", "-c", _START, "serve"]
        self.command += ["--config", str(self.config), *arguments]
        self.popen: dict[str, Any] = {}

    def write(self, path: Path, text: str, mode: int = 0o644, uid: int = -1) -> None:
        """Put a file in place at once, as an administrator should."""
        part = path.with_suffix(".new")
        part.write_text(text, encoding="utf-8")
        part.chmod(mode)
        if uid >= 0:
            os.chown(part, uid, uid)
        part.rename(path)

    def write_settings(self, settings: str) -> None:
        """Write the settings, with where everything is in front of them."""
        places = {
            "spool": str(self.spool),
            "submit_socket": self.submit,
            "control_socket": self.control,
            "accounts_file": str(self.accounts_file),
        }
        top = "".join(f"{name} = {json.dumps(path)}\n" for name, path in places.items())
        self.write(self.config, top + settings)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
            **self.popen,
        )
        self._threads = [
            threading.Thread(target=read, daemon=True) for read in (self._read_log, self._hear)
        ]
        for thread in self._threads:
            thread.start()
        if self._waits:
            try:
                self.wait_until_told("READY=1")
            except AssertionError:
                self._end()
                raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._end()
        if kind is None:
            assert not [line for line in self.lines if "internal_error" in line], self.lines
            assert not [line for line in self.lines if "Traceback" in line], self.lines

    def _end(self) -> None:
        try:
            self.exit_code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
        self._notify.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._notify.close()
        if self.owns_folder:
            shutil.rmtree(self.folder)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self.lines.append("(end)")
            self._changed.notify_all()

    def _hear(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._notify.recv(4096):
                with self._changed:
                    self.told.append(data.decode())
                    self._changed.notify_all()

    def wait_for(self, what: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
        """Return what is asked for as soon as it is true; asked with each line that comes."""
        with self._changed:
            self._changed.wait_for(lambda: what() or "(end)" in self.lines, timeout_s)
            # Its last word to systemd may be read behind the end of its log.
            found = self._changed.wait_for(what, _GRACE_S)
        assert found, f"it did not come: {self.lines} {self.told}"
        return found

    def wait_until_told(self, text: str, count: int = 1) -> None:
        """Wait until systemd was told something so often."""
        self.wait_for(lambda: sum(text in told for told in self.told) >= count)

    def wait_for_line(self, *words: str, count: int = 1) -> str:
        """Return the latest line of the log with these words, when there are so many."""

        def find() -> str:
            lines = [line for line in self.lines if all(word in line for word in words)]
            return lines[-1] if len(lines) >= count else ""

        found: str = self.wait_for(find)
        return found

    def client(self, *, is_stranger: bool = False) -> Client:
        """Return a connection to its submission socket."""
        return Client(self.submit, is_stranger=is_stranger)

    def hand_over(self, content: bytes, *recipients: str, **keywords: Any) -> list[str]:
        """Hand a mail over, and return what was answered."""
        with self.client() as client:
            return client.hand_over(content, *recipients, **keywords)

    def open_files(self) -> int:
        """Return how many descriptors the process has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory_kb(self) -> int:
        """Return its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0])
