"""
Who answers to the names ``sendmail`` and ``msmtp``, and whether AppArmor lets him.

The rule of severity: a computer where ``pillarbox install`` was (its record is there) is meant to
send by pillarbox, so that another program's sendmail, or none, is a warning there: cron and PHP
call it, and their mail goes another way. Where it was not, pillarbox may run out of a directory of
its own for one program, and who owns sendmail is a note. AppArmor is in the way only where a
profile for ``/usr/bin/msmtp`` is in force and that path is ours: ours is a script, and the profile
lets the program start no interpreter, so that every call of it fails.

Everything is read below the patient's root, and a link is followed below it too.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.installed import has_record
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "OWNERS", "check_programs"]

CODES: tuple[str, ...] = (
    "programs.sendmail",
    "programs.none",
    "programs.path",
    "programs.apparmor",
)

SENDMAIL = "/usr/sbin/sendmail"
_SENDMAILS = (SENDMAIL, "/usr/lib/sendmail")  # the second: where old programs look (FHS 3.0)
_MSMTP = "/usr/bin/msmtp"
_INSTALL = "sudo pillarbox install"

# A part of the name of the file behind the link, or of the package, and whose program it is. The
# order counts: "sendmail" is a part of many names.
OWNERS = (
    ("msmtp", "msmtp"),
    ("postfix", "Postfix"),
    ("exim", "Exim"),
    ("smtpctl", "OpenSMTPD"),
    ("opensmtpd", "OpenSMTPD"),
    ("nullmailer", "nullmailer"),
    ("ssmtp", "sSMTP"),
    ("esmtp", "esmtp"),
    ("dma", "dma"),
    ("courier", "Courier"),
    ("citadel", "Citadel"),
    ("masqmail", "masqmail"),
    ("lsb-invalid-mta", "lsb-invalid-mta"),
    ("busybox", "BusyBox"),
    ("mini_sendmail", "mini_sendmail"),
    ("sendmail", "Sendmail"),
)

_LINKS_MAX = 16  # more is a circle
_HEAD_BYTES = 4096  # our scripts are shorter; of another program, enough to see that it is not ours

_PACKAGES = "/var/lib/dpkg/info"
_LIST_MAX = 8 << 20  # bytes of one package's list

_KERNEL_PROFILES = "/sys/kernel/security/apparmor/profiles"
_KERNEL_SWITCH = "/sys/module/apparmor/parameters/enabled"
_PROFILE = "/etc/apparmor.d/usr.bin.msmtp"
_PROFILE_OFF = "/etc/apparmor.d/disable/usr.bin.msmtp"
_PROFILE_ADDITION = "/etc/apparmor.d/local/usr.bin.msmtp"
_PROFILE_NAMES = ("msmtp", _MSMTP)


def check_programs(patient: Patient) -> Iterator[Finding]:
    """Yield who is in the way of the programs that call sendmail or msmtp."""
    is_installed = has_record(patient)
    yield from _sendmail(patient, is_installed=is_installed)
    if is_installed:
        yield from _first_of_path(patient)
    yield from _apparmor(patient)


# -- sendmail --------------------------------------------------------------------------------------


def _sendmail(patient: Patient, *, is_installed: bool) -> Iterator[Finding]:
    there = [path for path in _SENDMAILS if _leads_somewhere(patient, path)]
    if not there:
        yield _no_sendmail(patient, is_installed=is_installed)
        return
    for path in there:
        if _is_ours(patient, path):
            continue
        chain = _chain(patient, path)
        package = _package_of(patient, chain)
        owner = _owner(chain[-1], package)
        evidence = [" -> ".join(chain)]
        if package:
            evidence.append(say("package {name}", name=package))
        yield Finding(
            "programs.sendmail",
            WARNING if is_installed else NOTE,
            say("{path} is not pillarbox but {name}", path=path, name=owner)
            if owner
            else say("{path} is not pillarbox but another program", path=path),
            meaning=say(
                "cron, PHP and whatever else calls sendmail send by that program, which knows "
                "nothing of this account"
            ),
            fix=_INSTALL if is_installed else say("sudo pillarbox install, if they are to use it"),
            evidence=evidence,
        )
        return


def _leads_somewhere(patient: Patient, path: str) -> bool:
    """Tell whether there is a program at a path: a link to nothing is none."""
    end = _chain(patient, path)[-1]
    return patient.has(end) and not os.path.islink(patient.at(end))


def _no_sendmail(patient: Patient, *, is_installed: bool) -> Finding:
    return Finding(
        "programs.none",
        WARNING if is_installed else NOTE,
        say("there is no {path}", path=SENDMAIL),
        meaning=say("cron, PHP and whatever else calls sendmail cannot send"),
        fix=_INSTALL if is_installed else say("sudo pillarbox install, if they are to use it"),
        evidence=[
            say("{path} is not there", path=" -> ".join(_chain(patient, path)))
            for path in _SENDMAILS
        ],
    )


def _first_of_path(patient: Patient) -> Iterator[Finding]:
    """Yield each program that another of its name hides from whoever asks."""
    for name in ("sendmail", "msmtp"):
        found = _along_path(patient, name)
        ours = next((path for path in found if _is_ours(patient, path)), "")
        if ours and found[0] != ours:
            yield Finding(
                "programs.path",
                WARNING,
                say("{name} is {path} for you, and not pillarbox", name=name, path=found[0]),
                meaning=say("it comes before {path} in PATH", path=ours),
                fix=say(
                    "remove {path}, or put {folder} before it in PATH",
                    path=found[0],
                    folder=os.path.dirname(ours),
                ),
                evidence=[" -> ".join(_chain(patient, found[0]))],
            )


def _along_path(patient: Patient, name: str) -> list[str]:
    folders = patient.env.get("PATH", "").split(":")
    paths = (f"{folder}/{name}" for folder in folders if folder.startswith("/"))
    return list(dict.fromkeys(path for path in paths if patient.has(path)))


def _is_ours(patient: Patient, path: str) -> bool:
    """Tell whether a path leads to a script that starts pillarbox."""
    head = _head(patient, _chain(patient, path)[-1])
    return head.startswith(b"#!") and b"pillarbox" in head


def _head(patient: Patient, path: str) -> bytes:
    with suppress(OSError), open(patient.at(path), "rb") as file:
        return file.read(_HEAD_BYTES)
    return b""


def _chain(patient: Patient, path: str) -> list[str]:
    """Return a path and what it links to, step by step, all below the root."""
    chain = [path]
    with suppress(OSError):
        while len(chain) <= _LINKS_MAX:
            target = os.readlink(patient.at(chain[-1]))
            chain.append(os.path.normpath(os.path.join(os.path.dirname(chain[-1]), target)))
    return chain


def _owner(path: str, package: str) -> str:
    """Return whose program is at a path; empty: it is none that we know."""
    name = os.path.basename(path)
    for text in (name, package) if name != "sendmail" else (package,):
        for part, owner in OWNERS if text else ():
            if re.search(rf"(?<![a-z]){part}", text):  # "dma" is in "sendmail"
                return owner
    return ""


def _package_of(patient: Patient, chain: list[str]) -> str:
    """Return the package of Debian that brought one of the paths; empty: none, or no dpkg."""
    folder = patient.at(_PACKAGES)
    wanted = [f"\n{path}\n".encode() for path in chain if "/alternatives/" not in path]
    names = []
    with suppress(OSError):
        names = sorted(os.listdir(folder))
    for name in names:
        if name.endswith(".list"):
            with suppress(OSError), open(f"{folder}/{name}", "rb") as file:
                content = b"\n" + file.read(_LIST_MAX)
                if any(line in content for line in wanted):
                    return name.removesuffix(".list").partition(":")[0]
    return ""


# -- AppArmor --------------------------------------------------------------------------------------


def _apparmor(patient: Patient) -> Iterator[Finding]:
    if not _is_ours(patient, _MSMTP):
        return
    seen = _profile_in_force(patient)
    if not seen or _lets_python(patient):
        return
    if patient.has("/usr/sbin/aa-disable"):
        fix = f"sudo aa-disable {_PROFILE}"
    else:
        folder = os.path.dirname(_PROFILE_OFF)
        fix = f"sudo ln -s {_PROFILE} {folder}/ && sudo apparmor_parser -R {_PROFILE}"
    yield Finding(
        "programs.apparmor",
        FAULT,
        say("AppArmor keeps {path} from starting", path=_MSMTP),
        meaning=say(
            "the profile that the package msmtp has left was made for another program: it "
            "forbids Python, and every call fails with Permission denied"
        ),
        fix=fix,
        evidence=[seen],
    )


def _profile_in_force(patient: Patient) -> str:
    """Return where it was seen that the profile of msmtp is enforced; empty: it is not."""
    loaded = patient.read(_KERNEL_PROFILES)
    if loaded is not None:
        for line in loaded.splitlines():
            name, _, mode = line.rpartition(" ")
            if name in _PROFILE_NAMES and mode == "(enforce)":
                return f"{_KERNEL_PROFILES}: {name} (enforce)"
        return ""
    # The list is root's to read; for others, what would be loaded at boot.
    text = patient.read(_PROFILE)
    is_on = (patient.read(_KERNEL_SWITCH) or "").strip() == "Y"
    if text is None or not is_on or patient.has(_PROFILE_OFF) or "complain" in _flags(text):
        return ""
    return say(
        "{path} is there, and not in {folder}", path=_PROFILE, folder=os.path.dirname(_PROFILE_OFF)
    )


def _flags(profile: str) -> str:
    """Return what stands in the flags of the profile's first line."""
    for line in profile.splitlines():
        if _MSMTP in line and line.rstrip().endswith("{"):
            return line.partition("flags=(")[2].partition(")")[0]
    return ""


def _lets_python(patient: Patient) -> bool:
    """Tell whether the administrator's own lines let it start an interpreter."""
    lines = (patient.read(_PROFILE_ADDITION) or "").splitlines()
    return any("python" in line and not line.lstrip().startswith("#") for line in lines)
