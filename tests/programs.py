"""
The programs as their callers know them: a name, arguments, standard input; an exit code, texts.

``run_program`` starts a fresh interpreter, as a shell would. ``call_program`` does the same in a
child of a warm process, which costs a tenth: everything is real but the start. For tables.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BIN", "ENVIRONMENT", "Result", "call_program", "run_program", "start_program"]

BIN = Path(__file__).parent.parent / "bin"
SRC = Path(__file__).parent.parent / "src"

# Nobody's home, and nothing of the environment that the tests were started in.
ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": str(SRC),
    "TZ": "UTC",
}
_PATIENCE_S = 30

_START = "import sys; sys.argv[0] = sys.argv.pop(1); from pillarbox.cli.main import run; run({!r})"


@dataclass(frozen=True)
class Result:
    """What a call came to."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard error, without what every one of them begins with."""
        return [line.partition(": ")[2] for line in self.err.splitlines()]


def run_program(
    name: str,
    arguments: list[str] | tuple[str, ...] = (),
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    *,
    called: str = "",
    cwd: str | os.PathLike[str] | None = None,
) -> Result:
    """
    Run a program in an interpreter of its own.

    Args:
        name: The personality.
        arguments: Its arguments.
        stdin: What it reads.
        env: Variables on top of ``ENVIRONMENT``.
        called: The name that it was called by, if that is another one.
        cwd: Its working directory.

    """
    code = _START.format(name)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, called or name, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=ENVIRONMENT | (env or {}),
        start_new_session=True,  # without a terminal to ask for a password
        timeout=_PATIENCE_S,
    )
    return Result(done.returncode, _text(done.stdout), _text(done.stderr))


def start_program(
    name: str, *arguments: str, env: dict[str, str] | None = None, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start a program in an interpreter of its own, with streams as ``Popen`` has them."""
    return subprocess.Popen(
        [sys.executable, "-S", "-c", _START.format(name), name, *arguments],
        env=ENVIRONMENT | (env or {}),
        start_new_session=True,
        stderr=subprocess.PIPE,
        **streams,
    )


def call_program(
    name: str,
    arguments: list[str] | tuple[str, ...] = (),
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    *,
    called: str = "",
    cwd: str | os.PathLike[str] = "/",
) -> Result:
    """Run a program in a child of the warm process; see ``run_program``."""
    global _nursery  # noqa: PLW0603 (one process for all tests of a worker)
    if _nursery is None:
        _nursery = _Nursery()
        atexit.register(_nursery.close)
    return _nursery.call(name, called or name, list(arguments), stdin, env or {}, str(cwd))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


_NURSERY = """
import json, os, sys, time
from importlib import import_module
from pillarbox.cli import main
for module in (*main.PERSONALITIES.values(), "tomllib", "pillarbox.config.hints",
               "pillarbox.delivery.report", "pillarbox.mail.aliases", "pillarbox.smtp.auth"):
    import_module(module)
for line in sys.stdin:
    call = json.loads(line)
    pid = os.fork()
    if not pid:
        for number, (path, flags) in enumerate(call["streams"]):
            os.dup2(os.open(path, flags), number)
        os.closerange(3, 64)
        os.environ.clear()
        os.environ.update(call["env"])
        time.tzset()
        os.chdir(call["cwd"])
        sys.argv = [call["called"], *call["arguments"]]
        main.run(call["name"])
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class _Nursery:
    """The warm process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="programs-")
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _NURSERY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
            start_new_session=True,
            text=True,
        )

    def call(
        self,
        name: str,
        called: str,
        arguments: list[str],
        stdin: bytes,
        env: dict[str, str],
        cwd: str,
    ) -> Result:
        """Run one program to its end."""
        folder = Path(self._folder.name)
        paths = [folder / stream for stream in ("stdin", "stdout", "stderr")]
        for path, content in zip(paths, (stdin, b"", b""), strict=True):
            path.write_bytes(content)
        flags = (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND)
        call = {
            "name": name,
            "called": called,
            "arguments": arguments,
            "cwd": cwd,
            "env": ENVIRONMENT | env,
            "streams": [(str(path), flag) for path, flag in zip(paths, flags, strict=True)],
        }
        stdin_of_it, stdout_of_it = self._process.stdin, self._process.stdout
        assert stdin_of_it is not None
        assert stdout_of_it is not None
        stdin_of_it.write(json.dumps(call) + "\n")
        stdin_of_it.flush()
        ready, _, _ = select.select([stdout_of_it], [], [], _PATIENCE_S)
        assert ready, f"{called} {arguments} did not end"
        code = int(stdout_of_it.readline())
        return Result(code, _text(paths[1].read_bytes()), _text(paths[2].read_bytes()))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


_nursery: _Nursery | None = None
