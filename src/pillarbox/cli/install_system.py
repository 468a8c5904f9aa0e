"""
The programs of a system that an installation needs: python, dpkg-divert, sysusers, systemctl.

Each is one function that runs one program, with a list and without a shell, in the installed
system or with its root as an argument. What a system lacks is left out where it can be.
"""

from __future__ import annotations

import marshal
import os
import shutil
import subprocess
import sys
from contextlib import suppress

import pillarbox
from pillarbox.cli.install_plan import USER
from pillarbox.errors import ConfigError, InputOutputError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.cli.install_files import Root

__all__ = [
    "DISTRIB",
    "Python",
    "ask_python",
    "diversions",
    "divert",
    "has_dpkg",
    "has_systemd",
    "ids_of_user",
    "make_user",
    "remove_user",
    "stop_diverting",
    "systemctl",
]

DISTRIB = ".distrib"  # what dpkg-divert(1) calls the other file, and administrators look for

_OLDEST = (3, 11)  # as in pyproject.toml
_PATIENCE_S = 300
_OTHERS_WRITE = 0o022
_DIVERSIONS = "/var/lib/dpkg/diversions"

# Run by the interpreter of the programs: its byte code, and where its packages are. The byte code
# is of the kind that is never compared with its source (PEP 552): its octets do not depend on when
# it was made, and nothing is looked at when a program starts.
_COMPILE = """
import importlib.util as util, marshal, site, sys
library, files = marshal.loads(sys.stdin.buffer.read())
made = {}
for name, source in files.items():
    code = compile(source, f"{library}/pillarbox/{name}", "exec", dont_inherit=True)
    head = util.MAGIC_NUMBER + (1).to_bytes(4, "little") + util.source_hash(source)
    made[util.cache_from_source(name, optimization="")] = head + marshal.dumps(code)
found = (sys.version_info[:2], site.getsitepackages(), made)
sys.stdout.buffer.write(marshal.dumps(found, 2))
"""


class Python:
    """
    What the interpreter of the installed programs is like.

    Attributes:
        packages: Directories in which it finds what the extras need.
        compiled: Byte code by path, below the package.

    """

    def __init__(self, packages: Sequence[str], compiled: dict[str, bytes]) -> None:
        self.packages = packages
        self.compiled = compiled


def ask_python(root: Root, python: str, library: str, files: dict[str, bytes]) -> Python:
    """
    Have the interpreter of the installed system compile the package.

    Args:
        root: The system.
        python: Its path there.
        library: Where the package will be.
        files: Sources by path; what is no Python is left out.

    Raises:
        ConfigError: It is not there, or too old.

    """
    command = [python]
    if not root.is_here:
        is_there = os.access(root.at(python), os.X_OK) and os.geteuid() == 0
        command = ["chroot", root.path, python] if is_there else [sys.executable]
    given = marshal.dumps((library, {n: f for n, f in files.items() if n.endswith(".py")}), 2)
    try:
        done = subprocess.run(
            [*command, "-IBS", "-c", _COMPILE],
            input=given,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except OSError as exc:
        raise _unusable(python, exc.strerror) from exc
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        raise _unusable(python, printable(lines[-1] if lines else str(done.returncode)))
    version, packages, compiled = marshal.loads(done.stdout)  # noqa: S302 (of our own script)
    if version < _OLDEST:
        raise _unusable(python, "it is Python {}.{}".format(*version))
    return Python([path for path in packages if _is_trusted(root, path)], compiled)


def _unusable(python: str, reason: str | None) -> ConfigError:
    problem = say("{path} cannot be used: {reason}", path=python, reason=reason)
    oldest = ".".join(map(str, _OLDEST))
    advice = say("name a Python from {version} on with --python", version=oldest)
    return ConfigError(problem, advice=advice)


def _is_trusted(root: Root, path: str) -> bool:
    """Tell whether only root decides what is in a directory."""
    try:
        status = os.stat(root.at(path))
    except OSError:
        return False
    return status.st_uid == 0 and not status.st_mode & _OTHERS_WRITE


# -- other packages --------------------------------------------------------------------------------


def has_dpkg(root: Root) -> bool:
    """Tell whether dpkg looks after a system, so that its files can be diverted."""
    is_there = os.path.isfile(root.at("/var/lib/dpkg/status"))
    return is_there and shutil.which("dpkg-divert") is not None


def diversions(root: Root) -> dict[str, tuple[str, str]]:
    """Return the diversions: path -> (other path, package; ``:`` for the administrator)."""
    lines = (root.read(_DIVERSIONS) or b"").decode(errors="surrogateescape").splitlines()
    return {lines[i]: (lines[i + 1], lines[i + 2]) for i in range(0, len(lines) - 2, 3)}


def divert(root: Root, path: str) -> None:
    """
    Have packages put their file elsewhere. No file is moved.

    Raises:
        InputOutputError: dpkg refuses.

    """
    name = path + DISTRIB
    wishes = ("--quiet", "--local", "--no-rename", "--divert", name)
    _run("dpkg-divert", *_of(root), *wishes, "--add", path)


def stop_diverting(root: Root, path: str) -> None:
    """
    Give a path back to the packages. No file is moved.

    Raises:
        InputOutputError: dpkg refuses.

    """
    _run("dpkg-divert", *_of(root), "--quiet", "--local", "--no-rename", "--remove", path)


def _of(root: Root) -> list[str]:
    return [] if root.is_here else [f"--root={root.path}"]


# -- the user --------------------------------------------------------------------------------------


def ids_of_user(root: Root) -> tuple[int, int] | None:
    """Return user id and group id of the service's user; None: there is no such user."""
    for line in (root.read("/etc/passwd") or b"").decode(errors="replace").splitlines():
        fields = line.split(":")
        if fields[0] == USER and len(fields) > 3:
            return int(fields[2]), int(fields[3])
    if root.is_here:
        with suppress(KeyError):
            import pwd

            entry = pwd.getpwnam(USER)  # of a directory service
            return entry.pw_uid, entry.pw_gid
    return None


def make_user(root: Root, home: str) -> None:
    """
    Make the user of the service, who can do nothing but own its spool.

    Raises:
        InputOutputError: Neither systemd-sysusers nor useradd can.

    """
    if shutil.which("systemd-sysusers"):
        # Not by the name of our file: with --no-units, or another prefix, it is not found.
        _run("systemd-sysusers", *_of(root), "--inline", _line_of_user())
        return
    where = [] if root.is_here else ["--root", root.path]
    wishes = ("--system", "--user-group", "--home-dir", home, "--shell", "/usr/sbin/nologin")
    _run("useradd", *where, *wishes, USER)


def _line_of_user() -> str:
    """Return the line of sysusers.d(5) that the units bring."""
    top = os.path.dirname(os.path.abspath(pillarbox.__file__))
    with open(f"{top}/units/{USER}.sysusers", encoding="ascii") as file:
        return next(line.strip() for line in file if line.startswith("u "))


def remove_user(root: Root) -> None:
    """Take the user of the service out again."""
    where = [] if root.is_here else ["--root", root.path]
    _run("userdel", *where, USER)


# -- services --------------------------------------------------------------------------------------


def has_systemd(root: Root) -> bool:
    """Tell whether a system has systemd, running or not."""
    return os.path.isdir(root.at("/usr/lib/systemd/system/."))


def systemctl(root: Root, *arguments: str) -> bool:
    """Have systemd do something, if it runs; return whether it did."""
    if not root.is_here or not os.path.isdir("/run/systemd/system"):
        return False
    _run("systemctl", "--quiet", *arguments)
    return True


def _run(program: str, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else say("it does not end")
        problem = say("cannot run {program}: {reason}", program=program, reason=reason)
        raise InputOutputError(problem) from exc
    if done.returncode:
        said = printable(done.stderr.decode(errors="replace").strip(), 1000)
        raise InputOutputError(say("{program} failed: {reason}", program=program, reason=said))
