"""
Why no configuration gives an account: for the check of the configuration.

A user who may not read the system's file, on a computer whose service sends for him, is healthy:
``config.service`` ends the examination without a fault. Whoever sends by himself has to be able to
read it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pillarbox.config.patterns import Surroundings
from pillarbox.doctor.finding import FAULT, NOTE, Finding
from pillarbox.doctor.installed import has_units, submit_socket
from pillarbox.mail.reply import printable
from pillarbox.text import Text, say

if TYPE_CHECKING:
    from pillarbox.doctor.patient import Patient
    from pillarbox.errors import PillarboxError

__all__ = ["no_account"]


def no_account(patient: Patient, error: PillarboxError) -> Finding:
    """Return why there is no account, which for a submitter is as it should be."""
    files = patient.files
    both = files.both() if files is not None else []
    loaded = [file for file in both if not file.reason]
    denied = [file for file in both if file.is_denied]
    is_asked = patient.wishes.account_name is not None
    if denied and not loaded:
        if submit_socket(patient):
            return _service(denied[0].path)
        return _denied(patient, denied[0].path)
    if not loaded and not is_asked:
        return _missing(patient, [file.path for file in both])
    fix = error.advice or say("name one with -a")
    if isinstance(fix, Text) and "names" in fix.fields:
        fix = say("name one that is there: -a {names}", names=fix.fields["names"])
    return Finding(
        "config.account",
        FAULT,
        error.sentence,
        fix=fix,
        evidence=tuple(say("read: {path}", path=file.path) for file in loaded),
    )


def _service(path: str) -> Finding:
    return Finding(
        "config.service",
        NOTE,
        say("the service sends for this user, who may not read {path}", path=path),
        meaning=say(
            "that is as it should be: mail is handed to the service, which has the password; "
            "'pillarbox queue status' tells how it does"
        ),
        fix=say("sudo pillarbox doctor examines the rest"),
        is_end=True,
    )


def _denied(patient: Patient, path: str) -> Finding:
    name, uid = Surroundings(patient.env, patient.wishes.uid).user_name(), patient.wishes.euid
    if has_units(patient):
        fix = "sudo systemctl enable --now pillarbox-submit.socket pillarbox.service"
        meaning = say("the service would send for this user, but it does not run")
    else:
        fix = "sudo pillarbox install --start"
        meaning = say(
            "no mail of this user can be sent; the service would send it without showing the "
            "password"
        )
    return Finding(
        "config.denied",
        FAULT,
        say("{name} may not read {path}", name=printable(name), path=path),
        meaning=meaning,
        fix=fix,
        evidence=(_mode_line(path), say("user id {uid}", uid=uid)),
    )


def _mode_line(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return say(
        "{path} has mode {mode}, owner {uid}, group {gid}",
        path=path,
        mode=f"{status.st_mode & 0o7777:04o}",
        uid=status.st_uid,
        gid=status.st_gid,
    )


def _missing(patient: Patient, paths: list[str]) -> Finding:
    is_root = patient.is_root()
    return Finding(
        "config.missing",
        FAULT,
        say("there is no configuration yet"),
        meaning=say("no mail can be sent: nobody has said through which account"),
        fix="sudo pillarbox setup" if is_root else "pillarbox setup",
        evidence=tuple(say("{path} is not there", path=path) for path in paths),
    )
