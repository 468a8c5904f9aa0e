"""
A support bundle: what somebody else needs to see, in one file that holds no secret.

It is written to this machine's disk and goes nowhere by itself. The rule to keep: every text goes
through ``Mask`` here, on its way into the file, whoever has made it and masked before.
"""

from __future__ import annotations

import io
import os
import platform
import ssl
import sys
import tarfile
import time
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pillarbox import __version__
from pillarbox.errors import InputOutputError
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from pillarbox.doctor.masking import Mask

__all__ = ["Member", "open_bundle", "pack", "versions"]

# Packages that change what pillarbox can do (its extras), where they are installed.
_PACKAGES = ("dnspython", "idna", "keyring", "pyspnego", "rich", "trustme")


class Member(Value):
    """
    One file of a bundle.

    Attributes:
        name: Its name.
        title: What is in it, for a person.
        text: What is in it.
        has_people: There are addresses of third parties in it, which are to be hidden.

    """

    __slots__ = ("has_people", "name", "text", "title")

    def __init__(self, name: str, title: str, text: str, *, has_people: bool = True) -> None:
        self.name = name
        self.title = title
        self.text = text
        self.has_people = has_people


def open_bundle(path: str) -> BinaryIO:
    """
    Return a new file that nobody else can read.

    Raises:
        InputOutputError: There is one of that name, or none can be written there.

    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.fdopen(os.open(path, flags, 0o600), "wb")
    except FileExistsError as exc:
        problem = say("{path} is there already, and is not overwritten", path=path)
        raise InputOutputError(problem, advice=say("name another file")) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise InputOutputError(
            say("cannot write {path}: {reason}", path=path, reason=reason)
        ) from exc


def pack(members: Sequence[Member], mask: Mask, file: BinaryIO, now_s: float) -> None:
    """
    Write the members, masked, as a tar file with gzip.

    Args:
        members: In their order.
        mask: What hides secrets and people.
        file: Open for writing; it is not closed.
        now_s: The time, in seconds since the epoch.

    Raises:
        OSError: It cannot be written.

    """
    folder = time.strftime("pillarbox-doctor-%Y%m%d-%H%M%S", time.gmtime(now_s))
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for member in members:
            text = mask.hide_people(member.text) if member.has_people else member.text
            data = mask.hide_secrets(text).encode("utf-8", "backslashreplace")
            info = tarfile.TarInfo(f"{folder}/{member.name}")
            info.size, info.mtime, info.mode = len(data), int(now_s), 0o600
            archive.addfile(info, io.BytesIO(data))


def versions() -> str:
    """Return what this runs on, a line each."""
    rows = {
        "pillarbox": __version__,
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "openssl": ssl.OPENSSL_VERSION,
        "system": _system_name(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "encoding": sys.getfilesystemencoding(),
    }
    for name in _PACKAGES:
        try:
            rows[name] = version(name)
        except PackageNotFoundError:
            rows[name] = "-"
    return "".join(f"{name}: {value}\n" for name, value in rows.items())


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return "-"
