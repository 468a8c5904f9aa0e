"""
Where a spool is: whose directory, and whether its file system can keep a promise.

A spool says "accepted" when a mail is on the disk. A file system in memory forgets it at the next
start, one of another computer keeps it as well as that one does, one of DOS has no rights and may
be broken by a power cut. The kinds are those of which ``spool.folders`` warns in the log, and some
that it has never met because the service starts on none of them.

Everything is read below the patient's root; the file systems from its ``/proc/mounts``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pillarbox.doctor.finding import FAULT, WARNING, Finding
from pillarbox.doctor.installed import inside
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.patient import Patient

__all__ = ["check_spool", "ids_of", "may_read", "mount_of"]

_MOUNTS = "/proc/mounts"
_SETTINGS = "pillarbox.toml"

_FORGETFUL = ("tmpfs", "ramfs", "overlay", "aufs", "squashfs")
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse", "virtiofs", "ceph", "glusterfs", "afs")
_PRIMITIVE = ("vfat", "msdos", "exfat", "ntfs", "hfs")
# Options by which a file system says "written" before it is.
_HASTY = ("volatile", "nobarrier", "barrier=0", "fsync=off", "nosync")

_OTHERS_WRITE = 0o022
_OTHERS_READ, _GROUP_READ, _OWNER_READ = 0o004, 0o040, 0o400


def check_spool(patient: Patient, path: str, *, owner: str = "") -> Iterator[Finding]:
    """
    Yield what is wrong with the place of a spool.

    Args:
        patient: Whose machine it is.
        path: The spool, as the settings have it; it need not be there yet.
        owner: The name of the user whose it has to be; empty: whoever has it.

    """
    path = inside(patient, path)
    yield from _file_system(patient, path)
    place = patient.at(path)
    try:
        status = os.stat(place)
    except OSError:
        return  # it is made by whoever needs it first, or hidden from this user
    ids = ids_of(patient, owner) if owner else None
    if ids is not None and status.st_uid != ids[0]:
        yield _spool(
            say("the spool {path} does not belong to {name}", path=path, name=owner),
            f"sudo chown -R {owner}: {path}",
            say("{path} belongs to user id {uid}", path=path, uid=status.st_uid),
        )
    elif status.st_mode & _OTHERS_WRITE:
        yield _spool(
            say("{path} can be written by others", path=path),
            f"sudo chmod 700 {path}",
            say("{path} has mode {mode}", path=path, mode=f"{status.st_mode & 0o7777:04o}"),
        )


def _spool(problem: str, fix: str, seen: str) -> Finding:
    meaning = say("the service refuses such a spool, and takes no mail")
    return Finding("service.spool", FAULT, problem, meaning=meaning, fix=fix, evidence=[seen])


def _file_system(patient: Patient, path: str) -> Iterator[Finding]:
    real = inside(patient, os.path.realpath(patient.at(path)))
    found = mount_of(patient.read(_MOUNTS) or "", real)
    if found is None:
        return
    point, kind, options = found
    evidence = [say("{path} is on {kind}, mounted at {point}", path=path, kind=kind, point=point)]
    if "ro" in options:
        yield Finding(
            "service.readonly",
            FAULT,
            say("the file system of the spool {path} is read-only", path=path),
            meaning=say("no mail can be kept; a file system becomes read-only when its disk fails"),
            fix=say(
                "sudo dmesg | tail tells why; then: sudo mount -o remount,rw {point}", point=point
            ),
            evidence=evidence,
        )
        return
    meaning = _weakness(kind, options)
    if meaning:
        yield Finding(
            "service.filesystem",
            WARNING,
            say("the spool {path} is where no mail is safe: {kind}", path=path, kind=kind),
            meaning=meaning,
            fix=say(
                "put it on a local disk: set spool in {path} to a directory there", path=_SETTINGS
            ),
            evidence=evidence,
        )


def _weakness(kind: str, options: list[str]) -> str:
    hasty = next((option for option in options if option in _HASTY), "")
    if hasty:
        return say("it is mounted with {option}: a power cut loses accepted mail", option=hasty)
    if kind in _FORGETFUL:
        return say(
            "EVERY mail that waits is lost when this computer or container ends, although its "
            "sender was told that it is accepted"
        )
    if kind.startswith(_REMOTE):
        return say("whether mail survives a power cut is up to another computer or program")
    if kind.startswith(_PRIMITIVE):
        return say("it has no owners and no modes, and a power cut may break it")
    return ""


def mount_of(mounts: str, path: str) -> tuple[str, str, list[str]] | None:
    """
    Return the mount point, the kind and the options of a path's file system.

    Args:
        mounts: What ``/proc/mounts`` says (proc(5), fstab(5)).
        path: Absolute; links in it are not followed.

    Returns:
        None: nothing is mounted there. Of several at one point the last counts, as it hides those
        before it.

    """
    found = None
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 4:
            continue
        point = _unescaped(words[1])
        is_above = point in ("/", path) or path.startswith(f"{point}/")
        if is_above and (found is None or len(point) >= len(found[0])):
            found = point, words[2], words[3].split(",")
    return found


def _unescaped(word: str) -> str:
    """Return a word with its octal escapes undone: a blank is written ``040``, a backslash 134."""
    return re.sub(r"\\([0-3][0-7]{2})", lambda found: chr(int(found[1], 8)), word)


def ids_of(patient: Patient, name: str) -> tuple[int, frozenset[int]] | None:
    """Return the id of a user and of all his groups, by the files of ``/etc``; None: no such."""
    for line in (patient.read("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if (
            fields[0] == name
            and len(fields) > 3
            and fields[2].isdecimal()
            and fields[3].isdecimal()
        ):
            break
    else:
        return None
    groups = {int(fields[3])}
    for line in (patient.read("/etc/group") or "").splitlines():
        words = line.split(":")
        if len(words) > 3 and words[2].isdecimal() and name in words[3].split(","):
            groups.add(int(words[2]))
    return int(fields[2]), frozenset(groups)


def may_read(status: os.stat_result, ids: tuple[int, frozenset[int]]) -> bool:
    """Tell whether a user may read a file, by its mode: ``ids`` are those of ``ids_of``."""
    uid, groups = ids
    bit = _OTHERS_READ
    if status.st_uid == uid:
        bit = _OWNER_READ
    elif status.st_gid in groups:
        bit = _GROUP_READ
    return bool(status.st_mode & bit)
