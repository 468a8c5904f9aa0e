"""
The machine as a caller of sendmail sees it: a home with an msmtprc, our programs, a relay host.

``run`` starts a program that can be told where sendmail is. ``run_inside`` is for those with
``/usr/sbin/sendmail`` built in: a mount namespace of its own shows it ours there, with empty
spools, and the machine is left as it was. ``record`` puts a shell script before our programs
that keeps what the caller wrote, octet by octet.
"""

import os
import select
import shlex
import subprocess
import sys
from functools import cache

import pytest

from programs import BIN, ENVIRONMENT

__all__ = ["Stage"]

_PATIENCE_S = 30

# Shown in the namespace: the folder of the stage, and where.
_BINDINGS = (
    ("run", "/run"),
    ("bin", "/usr/sbin"),
    ("spool", "/var/spool"),
    ("dev", "/dev"),
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
# What a daemon would read of the machine's own: not its jobs.
_HIDDEN = ("/etc/crontab", "/etc/cron.d")


class Stage:
    """
    A home, programs and configuration for one test.

    Args:
        folder: An empty folder.
        peer: The relay host, a ``Peer``.

    """

    def __init__(self, folder, peer):
        self.folder = folder
        self.peer = peer
        for name in ("bin", "home", "spool/cron/crontabs", "run", "dev", "empty"):
            (folder / name).mkdir(parents=True)
        for script in BIN.iterdir():
            text = script.read_text().replace("#!python", f"#!{sys.executable}", 1)
            (folder / "bin" / script.name).write_text(text)
            (folder / "bin" / script.name).chmod(0o755)
        self.home = folder / "home"
        self.sendmail = str(folder / "bin/sendmail")
        self.environment = ENVIRONMENT | {
            "HOME": str(self.home),
            "PATH": f"{folder / 'bin'}:{ENVIRONMENT['PATH']}",
        }
        self.configure("from me@example.org")

    def configure(self, *lines):
        """
        Write the msmtprc: the relay host, aliases, and these lines.

        What a caller writes is compared with what arrives, so nothing is repaired; what becomes
        of such mail otherwise is shown in ``tests/corpus``.
        """
        (self.home / "aliases").write_text("root: admin@example.net\nops: root, b@example.net\n")
        path = self.home / ".msmtprc"
        path.write_text(
            "account default\nhost 127.0.0.1\n"
            f"port {self.peer.port}\naliases {self.home / 'aliases'}\nrepair off\n"
            + "".join(f"{line}\n" for line in lines)
        )
        path.chmod(0o600)

    def record(self, name="sendmail"):
        """Keep in ``arguments`` and ``written`` what the caller says to one of our programs."""
        program = self.folder / "bin" / name
        program.rename(self.folder / name)
        program.write_text(
            "#!/bin/sh\n"
            f"cd {shlex.quote(str(self.folder))}\n"
            "printf '%s\\n' \"$@\" >arguments\n"
            f'tee written | exec ./{name} "$@"\n'
        )
        program.chmod(0o755)

    @property
    def arguments(self):
        """The arguments that were recorded."""
        return (self.folder / "arguments").read_text().split("\n")[:-1]

    @property
    def written(self):
        """The standard input that was recorded."""
        return (self.folder / "written").read_bytes()

    def run(self, *command, stdin=b"", env=None):
        """Run a program to its end, and to that of all that it started."""
        lifeline, held_by_all = os.pipe()
        with os.fdopen(lifeline):
            try:
                done = subprocess.run(
                    [str(word) for word in command],
                    input=stdin,
                    capture_output=True,
                    check=False,
                    cwd=self.home,
                    env=self.environment | (env or {}),
                    pass_fds=[held_by_all],
                    start_new_session=True,
                    timeout=_PATIENCE_S,
                )
            finally:
                os.close(held_by_all)
            ended, _, _ = select.select([lifeline], [], [], _PATIENCE_S)
            assert ended, f"{command[0]} left something running"
        return done

    def run_inside(self, *command, stdin=b"", env=None):
        """Run a program that finds ours at /usr/sbin/sendmail."""
        return self.run(*self._enter(command), stdin=stdin, env=env)

    def start_inside(self, *command, env=None):
        """Start a program that finds ours at /usr/sbin/sendmail."""
        return subprocess.Popen(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.home,
            env=self.environment | (env or {}),
            start_new_session=True,
        )

    def _enter(self, command):
        reason = _why_no_namespace()
        if reason:
            pytest.skip(f"no mount namespace to show our sendmail in: {reason}")
        lines = [f"cd {shlex.quote(str(self.folder))}"]
        for device in _DEVICES:
            (self.folder / "dev" / device).touch()
            lines.append(f"mount --bind /dev/{device} dev/{device}")
        # --rbind, for the devices that are bound below it.
        lines += [f"mount --rbind {source} {target}" for source, target in _BINDINGS]
        for path in _HIDDEN:
            if os.path.isdir(path):
                lines.append(f"mount --bind empty {path}")
            elif os.path.exists(path):
                lines.append(f"mount --bind /dev/null {path}")
        lines += ["cd home", 'exec "$@"']
        words = [str(word) for word in command]
        return [*_UNSHARE, "sh", "-e", "-c", "\n".join(lines), "stage", *words]


_UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@cache
def _why_no_namespace():
    """Return why the kernel refuses one; empty: it does not."""
    try:
        tried = subprocess.run(
            [*_UNSHARE, "mount", "--bind", "/usr/bin", "/usr/sbin"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return "unshare (Debian's package util-linux) is not installed"
    return "" if tried.returncode == 0 else tried.stderr.decode().strip()
