"""
The warm process that stories are told in with one system call spoiled, and what a start finds.

``Nursery.tell`` costs a few milliseconds: the library that spoils (``shim.c``) is preloaded once,
and each story has a child of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pillarbox
from crash.ledger import Ledger
from crash.stories import RECIPIENTS, look
from pillarbox.spool.directory import Directory

__all__ = [
    "COUNT",
    "CUT",
    "FAIL",
    "FAIL_ON",
    "KILL",
    "SHORT",
    "Nursery",
    "Snapshot",
    "Told",
    "after_kill",
    "build_shim",
]

# What the library does at the chosen call, as its enum has it.
COUNT, KILL, FAIL, FAIL_ON, SHORT, CUT = range(6)

_HERE = Path(__file__).parent
_TESTS = _HERE.parent


@dataclass(frozen=True)
class Told:
    """
    How a story went.

    Attributes:
        lines: What it said.
        ended: Its exit code; minus the number of the signal that ended it.

    """

    lines: list[str]
    ended: int

    @property
    def calls(self) -> list[str]:
        """The calls that were only counted."""
        return [line[5:] for line in self.lines if line.startswith("call ")]


class Snapshot:
    """
    A directory as it is now, to be made anew any number of times.

    Args:
        folder: The directory; a file with two names stays one.

    """

    def __init__(self, folder: Path) -> None:
        self._files: list[tuple[str, int, bytes | None]] = []
        for path in sorted(folder.rglob("*")):
            content = None if path.is_dir() else path.read_bytes()
            self._files.append((str(path.relative_to(folder)), path.lstat().st_ino, content))

    @property
    def shape(self) -> tuple[object, ...]:
        """How many names each directory has, and how many files there are for them."""
        places = sorted(name.rpartition("/")[0] for name, _, _ in self._files)
        return (*places, len({number for _, number, _ in self._files}))

    def restore(self, folder: Path) -> None:
        """Make it; what is there is replaced."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        made: dict[int, str] = {}
        for name, number, content in self._files:
            path = f"{folder}/{name}"
            if content is None:
                os.mkdir(path, 0o700)
            elif number in made:
                os.link(made[number], path)
            else:
                made[number] = path
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(content)


class Nursery:
    """
    The process; to be used in a ``with``.

    Args:
        folder: For the library; empty.

    """

    def __init__(self, folder: Path) -> None:
        library = build_shim(folder)
        path = [str(Path(pillarbox.__file__).parents[1]), str(_TESTS)]
        code = f"import sys; sys.path[:0] = {path!r}; from crash import driver"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"LD_PRELOAD": str(library), "LC_ALL": "C.UTF-8"},
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(
        self,
        story: str,
        spool: Path,
        point: int = 0,
        action: int = COUNT,
        error: int = 0,
        *,
        cut: Path | None = None,
        configuration: str = "",
    ) -> Told:
        """
        Tell a story in a child; see ``shim.c`` for what is done to it.

        Args:
            story: A name in ``STORIES``, or ``carry``.
            spool: The directory, which is watched.
            point: At which call, from 1.
            action: What happens there.
            error: The errno.
            cut: Where the file system is mounted whose power goes.
            configuration: The accounts' file, for ``carry``; its connections are watched too.

        """
        order: dict[str, Any] = {
            "story": story,
            "spool": str(spool),
            "root": str(spool),
            "point": point,
            "action": action,
            "error": error,
            "configuration": configuration,
            "cut": "" if cut is None else str(cut),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Told(answer["lines"], answer["ended"])


def build_shim(folder: Path) -> Path:
    """Return the library that spoils calls, made anew in a folder."""
    library = folder / "shim.so"
    compiler = compiler_path()
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, _HERE / "shim.c"]
    subprocess.run(command, check=True)
    return library


def fast_folder() -> str | None:
    """Return where files are made in memory, for what no disk is needed for; None: nowhere."""
    return next((path for path in ("/dev/shm",) if os.access(path, os.W_OK)), None)  # noqa: S108


def compiler_path() -> str | None:
    """Return a C compiler; None: there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def after_kill(spool: Path, *told: Told, has_power: bool = True) -> list[str]:
    """Start again behind stories that ended as they did, and return the promises broken."""
    ledger = Ledger(RECIPIENTS, has_power=has_power)
    for story in told:
        for line in story.lines:
            if not line.startswith("call "):
                ledger.hear(line)
    directory = Directory(str(spool))
    directory.open()
    found = look(directory)
    faults = [f"{name} was moved to corrupt" for name in directory.names("corrupt")]
    faults += [f"{name} stayed in tmp" for name in os.listdir(spool / "tmp")]
    directory.close()
    return faults + ledger.broken(found)
