"""
A Debian that may be broken: this one, in a mount namespace, with all that is written kept apart.

``ThrowAway`` lays an empty overlay over the root of this machine; what runs in it is root there,
with its packages and its programs, and nothing of that is left. Its network is this machine's,
so a provider of the tests is on its loopback, unless a program is run without one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PATIENCE_S", "ThrowAway", "Watched"]

PATIENCE_S = 20
PYTHON = "/usr/bin/python3"  # which the installed programs start with
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
TREE = Path(__file__).parent.parent

# $1: a folder for the overlay. A tmpfs, as an overlay cannot be written to another. The source
# tree is bound, as it may be another file system. What this machine has of ours is taken away.
_ENTER = """
mount -t tmpfs -o mode=755 throwaway "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t tmpfs -o mode=1777 throwaway tmp
mount -t tmpfs -o mode=755 throwaway run
mkdir -p ".$2"
mount --rbind "$2" ".$2"
mount --rbind /dev dev
mount --bind /proc proc
rm -rf var/spool/pillarbox var/lib/pillarbox etc/pillarbox etc/msmtprc
echo ready
exec sleep infinity
"""


class ThrowAway:
    """
    A system for one test; use it in a ``with``.

    Args:
        folder: An empty folder.

    Attributes:
        top: Where its files are seen from here.

    """

    def __init__(self, folder: Path) -> None:
        reason = _why_not()
        if reason:
            pytest.skip(reason)
        self._folder = folder
        command = ["unshare", "--mount", "sh", "-e", "-c", _ENTER, "sh", str(folder), str(TREE)]
        self._keeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            _, said = self._keeper.communicate()
            pytest.skip(f"no overlay over / here: {said.decode().strip()}")
        self.top = Path(f"/proc/{self._keeper.pid}/root{folder}/root")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._keeper.kill()
        self._keeper.communicate()

    def command(self, *words: str, user: str = "root", has_network: bool = True) -> list[str]:
        """Return the command that runs a program in it."""
        enter = ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt"]
        enter += [] if has_network else ["unshare", "--net"]
        enter += ["chroot", f"{self._folder}/root"]
        if user != "root":
            lines = (self.top / "etc/passwd").read_text().splitlines()
            (gid,) = [line.split(":")[3] for line in lines if line.startswith(f"{user}:")]
            enter += ["setpriv", f"--reuid={user}", f"--regid={gid}", "--init-groups"]
        return [*enter, *words]

    def run(
        self,
        *words: str,
        user: str = "root",
        has_network: bool = True,
        stdin: str = "",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in it to its end."""
        return subprocess.run(
            self.command(*words, user=user, has_network=has_network),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env=ENVIRONMENT | (env or {}),
            cwd="/",
        )

    def ours(self, *words: str) -> str:
        """Run ``pillarbox`` of the source tree as root, which must work; return what it says."""
        env = {"PYTHONPATH": str(TREE / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = self.run(PYTHON, "-m", "pillarbox", *words, env=env)
        assert done.returncode == 0, done
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's, and make the directories before it."""
        place = self.top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def tree(self, *folders: str) -> dict[str, tuple[object, ...]]:
        """Return what is there, by path: mode, owner, group, and content or target."""
        found: dict[str, tuple[object, ...]] = {}
        for folder in folders:
            top = self.top / folder.lstrip("/")
            for path in (top, *sorted(top.rglob("*"))):
                if path.is_symlink() or path.exists():
                    status = path.lstat()
                    seen = (status.st_mode, status.st_uid, status.st_gid, _content(path))
                    found[str(path.relative_to(self.top))] = seen
        return found


class Watched:
    """
    A program that tells systemd that it is ready, and what it does on standard error.

    Args:
        command: What to start.
        env: More variables.

    """

    def __init__(self, command: Sequence[str], env: dict[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind("")
            systemd.settimeout(PATIENCE_S)
            name = "@" + systemd.getsockname()[1:].decode()
            self.process = subprocess.Popen(
                command,
                env=ENVIRONMENT | {"NOTIFY_SOCKET": name} | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
                text=True,
            )
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            try:
                while "READY=1" not in systemd.recv(4096).decode():
                    pass
            except TimeoutError:
                self.stop()
                raise AssertionError(self.lines) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """End it; return its exit code."""
        self.process.terminate()
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join()
        return code

    def wait_for(self, *words: str, count: int = 1) -> str:
        """Return the latest line of its log with these words, as soon as there are so many."""

        def found() -> list[str]:
            return [line for line in self.lines if all(word in line for word in words)]

        def has_all() -> bool:
            return len(found()) >= count

        with self._changed:
            self._changed.wait_for(lambda: has_all() or "(end)" in self.lines, PATIENCE_S)
        assert has_all(), self.lines
        return found()[-1]

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self._note(line.rstrip("\n"))
        self._note("(end)")

    def _note(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()


def _content(path: Path) -> str:
    if path.is_symlink():
        return os.readlink(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@cache
def _why_not() -> str:
    """Return why there can be no such system here; empty: there can."""
    if os.geteuid() != 0:
        return "a throw-away root needs root"
    tools = ("unshare", "nsenter", "chroot", "setpriv")
    missing = [name for name in tools if shutil.which(name) is None]
    if missing:
        return f"a throw-away root needs {', '.join(missing)}"
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    is_there = os.access(PYTHON, os.X_OK)
    if not is_there or subprocess.run([PYTHON, "-c", asked], check=False).returncode:
        return f"{PYTHON} is not there, or older than 3.11"
    return ""
