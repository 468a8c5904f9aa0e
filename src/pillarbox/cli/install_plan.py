"""
What belongs to an installation: every file with its place, its content and its mode.

Nothing here looks at the system that is installed to; ``install_steps`` compares the plan with it.
The rule to keep: no file has a set-id bit, and no directory can be written by others than its
owner (attack P2).
"""

from __future__ import annotations

import os
import sys

import pillarbox
from pillarbox.cli.main import PERSONALITIES
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "EXECUTABLE",
    "PLAIN",
    "SETTINGS_FILE",
    "SPOOL",
    "UNITS",
    "USER",
    "Item",
    "library_items",
    "other_items",
    "program_paths",
    "sources",
]

USER = "pillarbox"
SPOOL = "/var/spool/pillarbox"
SETTINGS_FILE = "/etc/pillarbox/pillarbox.toml"

EXECUTABLE = 0o755
PLAIN = 0o644

# Where each program is, below the prefix: the places that other programs and people know.
_PLACES = {"sendmail": "sbin", "msmtpd": "sbin"}
_ELSEWHERE = "bin"
_OLD_SENDMAIL = "lib/sendmail"  # where programs of the last century look (FHS 3.0, 4.7.2)

# Those that hand a mail over; for them nothing else is loaded before that.
_FAST = ("msmtp", "sendmail")

# -I: no environment, no user's packages. -B: root writes no byte code beside ours. -S: nothing is
# looked for; with it the start takes half as long.
_FIRST = "#!{python} -IBS\nimport sys\n\nsys.path.insert(0, {library!r})\n"
_HAND_OVER = """
from pillarbox.handoff import start

fault = start()  # ends the process where it has handed the mail over
"""
_EXTRAS = "sys.path.append({path!r})  # extras\n"
_RUN = """
from pillarbox.cli.main import run

run({name!r}{fault})
"""

# The files of ``units/``, and the directory of each below the prefix.
UNITS = {
    "pillarbox.service": "lib/systemd/system",
    "pillarbox-submit.service": "lib/systemd/system",
    "pillarbox-submit.socket": "lib/systemd/system",
    "pillarbox-listen.service": "lib/systemd/system",
    "pillarbox-listen.socket": "lib/systemd/system",
    "pillarbox-doctor.service": "lib/systemd/system",
    "pillarbox-doctor.timer": "lib/systemd/system",
    "pillarbox.sysusers": "lib/sysusers.d",
    "pillarbox.tmpfiles": "lib/tmpfiles.d",
}
_RENAMED = {"pillarbox.sysusers": "pillarbox.conf", "pillarbox.tmpfiles": "pillarbox.conf"}
_UNIT_PROGRAM = "/usr/bin/pillarbox"  # as it stands in the files

_DATA = (".py", ".toml", ".typed", ".service", ".socket", ".timer", ".sysusers", ".tmpfiles")
_CACHE = "__pycache__"

_MANUAL = "share/man"
_SECTIONS = ("man1", "man5", "man8")
_COMPLETIONS = {
    "bash": "share/bash-completion/completions",
    "fish": "share/fish/vendor_completions.d",
    "zsh": "share/zsh/site-functions",
}

_SETTINGS = """\
# Settings of pillarbox. Every one has a good default, and none is needed: pillarbox.toml(5).
# The accounts that mail goes through are in /etc/msmtprc.

# [limits]
# max_message = "25M"

# [alerts]
# command = ["/usr/local/bin/tell-me"]
"""


class Item(Value):
    """
    One file, or one symbolic link.

    Attributes:
        path: Where it will be found.
        content: What is in it; empty for a link.
        target: What a link names; empty for a file.
        mode: Its permissions.
        is_settings: It is its owner's to change: one that is there is left alone.

    """

    __slots__ = ("content", "is_settings", "mode", "path", "target")

    def __init__(
        self,
        path: str,
        content: bytes = b"",
        *,
        target: str = "",
        mode: int = PLAIN,
        is_settings: bool = False,
    ) -> None:
        self.path = path
        self.content = content
        self.target = target
        self.mode = mode
        self.is_settings = is_settings


def program_paths(prefix: str) -> dict[str, str]:
    """Return the path of each program by its name, and of the older place of sendmail."""
    paths = {name: f"{prefix}/{_PLACES.get(name, _ELSEWHERE)}/{name}" for name in PERSONALITIES}
    return paths | {_OLD_SENDMAIL: f"{prefix}/{_OLD_SENDMAIL}"}


def sources() -> dict[str, bytes]:
    """Return the files of the package by their path below ``pillarbox/``."""
    top = os.path.dirname(os.path.abspath(pillarbox.__file__))
    found = {}
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name != _CACHE)
        for name in sorted(names):
            if name.endswith(_DATA):
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, top)] = file.read()
    return found


def library_items(library: str, files: dict[str, bytes], compiled: dict[str, bytes]) -> list[Item]:
    """
    Return the package, with its byte code.

    Args:
        library: The directory that programs put into their path.
        files: See ``sources``.
        compiled: The byte code by its path, likewise.

    """
    return [Item(f"{library}/pillarbox/{name}", files[name]) for name in sorted(files)] + [
        Item(f"{library}/pillarbox/{name}", compiled[name]) for name in sorted(compiled)
    ]


def other_items(
    prefix: str, files: dict[str, bytes], *, python: str, packages: Sequence[str], has_systemd: bool
) -> list[Item]:
    """
    Return everything but the package.

    Args:
        prefix: As ``/usr``.
        files: See ``sources``.
        python: The interpreter of the programs.
        packages: Directories in which it finds what the extras need.
        has_systemd: Units are wanted.

    """
    library = f"{prefix}/lib/pillarbox"
    items = []
    for name, path in program_paths(prefix).items():
        if name == _OLD_SENDMAIL:
            items.append(Item(path, target="../sbin/sendmail", mode=0))
        else:
            text = _program(name, python, library, packages)
            items.append(Item(path, text.encode(), mode=EXECUTABLE))
    if has_systemd:
        for name, folder in UNITS.items():
            program = f"{prefix}/bin/pillarbox".encode()
            content = files[f"units/{name}"].replace(_UNIT_PROGRAM.encode(), program)
            items.append(Item(f"{prefix}/{folder}/{_RENAMED.get(name, name)}", content))
    items += _shared(prefix)
    items.append(Item(SETTINGS_FILE, _SETTINGS.encode(), is_settings=True))
    return items


def _program(name: str, python: str, library: str, packages: Sequence[str]) -> str:
    is_fast = name in _FAST
    text = _FIRST.format(python=python, library=library)
    text += _HAND_OVER if is_fast else ""
    text += "\n" * bool(packages and is_fast)
    text += "".join(_EXTRAS.format(path=path) for path in packages)
    return text + _RUN.format(name=name, fault=", fault" * is_fast)


def _shared(prefix: str) -> Iterator[Item]:
    """Yield manual pages and completions, as far as they came with the package."""
    tree = _source_tree()
    manual = f"{tree}/man" if tree else f"{sys.prefix}/{_MANUAL}"
    for section in _SECTIONS:
        for path in _files(f"{manual}/{section}"):
            if _is_ours(os.path.basename(path).rpartition(".")[0]):
                place = f"{prefix}/{_MANUAL}/{section}/{os.path.basename(path)}"
                yield Item(place, _content(path))
    for shell, folder in _COMPLETIONS.items():
        for path in _files(f"{tree}/completions/{shell}" if tree else f"{sys.prefix}/{folder}"):
            if _is_ours(os.path.basename(path).removeprefix("_").removesuffix(".fish")):
                yield Item(f"{prefix}/{folder}/{os.path.basename(path)}", _content(path))


def _is_ours(name: str) -> bool:
    return name.startswith("pillarbox") or name in PERSONALITIES or name == "msmtprc"


def _source_tree() -> str:
    """Return the top of the source tree that we run from; empty: we were installed."""
    top = os.path.normpath(f"{os.path.abspath(pillarbox.__file__)}/../../..")
    return top if os.path.isfile(f"{top}/pyproject.toml") else ""


def _files(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    paths = (f"{folder}/{name}" for name in sorted(os.listdir(folder)))
    return [path for path in paths if os.path.isfile(path)]


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
