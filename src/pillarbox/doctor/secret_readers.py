"""
Who can read the file of a password: nobody else should, and the service has to.

Only files that are named are looked at: those of a plain ``passwordeval cat FILE``, a netrc, a
credential. What a command does in the end is not known, and never tried out as somebody else.
The file of the configuration itself is looked at by ``local_config`` and ``local_service``.
"""

from __future__ import annotations

import os
import shlex
import stat
from typing import TYPE_CHECKING

from pillarbox.config.patterns import Surroundings
from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.doctor.installed import USER, has_units, submit_socket
from pillarbox.doctor.spool_place import ids_of, may_read
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.config.secrets import Search
    from pillarbox.doctor.patient import Patient

__all__ = ["CREDENTIAL_FILE", "check_readers"]

# Where the service gets a password from that nobody else can read.
CREDENTIAL_FILE = "/etc/credstore/pillarbox.password"

_OTHERS_READ = 0o004
_GROUP_OR_OTHERS = 0o077

# What ProtectHome of the units hides from the service (systemd.exec(5)).
_HOMES = ("/home/", "/root/", "/run/user/")


def check_readers(
    patient: Patient, account: Account, source: str, search: Search
) -> Iterator[Finding]:
    """
    Yield who reads the file of a password and should not, or should and does not.

    Args:
        patient: Whom.
        account: Whose password it is.
        source: The name of the row of ``config.secrets.SOURCES`` that gave it.
        search: What it looked at.

    """
    bits = _OTHERS_READ
    paths = []
    if source == "passwordeval":
        paths = _named_files(account.passwordeval or "")
    elif source == "credential":
        folder = search.env.get("CREDENTIALS_DIRECTORY", "")
        paths = [f"{folder}/pillarbox.{account.name}", f"{folder}/pillarbox.password"]
    elif source == "netrc":
        bits = _GROUP_OR_OTHERS  # as the other programs that read it demand
        home = Surroundings(patient.env, patient.wishes.uid).home_directory()
        paths = [f"{home}/.netrc", search.system_netrc]
    there = [(path, status) for path in paths if (status := _status(path)) is not None]
    for path, status in there[:1]:
        if status.st_mode & bits:
            yield _open(path, status, bits)
        elif source in ("passwordeval", "netrc") and _is_for_service(patient, account):
            yield from _closed(patient, path, status, source)


def _named_files(command: str) -> list[str]:
    """Return the files that a command names by their whole path, which are no programs."""
    try:
        words = shlex.split(command, comments=False)
    except ValueError:
        return []
    words = [word.lstrip("<") for word in words[1:]]
    return [word for word in words if word.startswith("/") and not os.access(word, os.X_OK)]


def _status(path: str) -> os.stat_result | None:
    """Return what is known of a file; None: it is none, or not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _open(path: str, status: os.stat_result, bits: int) -> Finding:
    fix = f"chmod 600 {path}"
    if bits == _OTHERS_READ:  # the group may be the service's
        fix = f"chmod o= {path}"
    return Finding(
        "secret.readable",
        WARNING,
        say("others can read {path}, where the password is", path=path),
        meaning=say("every user and every program of this computer can send in its name"),
        fix=fix,
        evidence=[_mode_line(path, status)],
    )


def _is_for_service(patient: Patient, account: Account) -> bool:
    """Tell whether the service uses this account, as somebody else than who asks."""
    is_system = account.origin == patient.system_file
    return is_system and patient.is_root() and has_units(patient) and bool(submit_socket(patient))


def _closed(patient: Patient, path: str, status: os.stat_result, source: str) -> Iterator[Finding]:
    """Yield that root can read a password, and the service cannot."""
    ids = ids_of(patient, USER)
    is_hidden = path.removeprefix(patient.root).startswith(_HOMES)
    if ids is None or (may_read(status, ids) and not is_hidden):
        return
    fix = f"sudo chgrp {USER} {path} && sudo chmod 640 {path}"
    if is_hidden and source == "netrc":
        fix = say("put the password into {path} (mode 600)", path=CREDENTIAL_FILE)
    elif is_hidden:
        fix = say(
            "put the password into {path} (mode 600), and take the line passwordeval out",
            path=CREDENTIAL_FILE,
        )
    yield Finding(
        "secret.closed",
        FAULT,
        say("you can read {path}, where the password is, and the service cannot", path=path),
        meaning=say("mail is handed to the service, which cannot log in"),
        fix=fix,
        evidence=[_mode_line(path, status)],
    )


def _mode_line(path: str, status: os.stat_result) -> str:
    return say("{path} has mode {mode}", path=path, mode=f"{status.st_mode & 0o7777:04o}")
