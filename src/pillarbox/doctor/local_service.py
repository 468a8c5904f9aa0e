"""
The service: whether it takes mail and brings it away, and how the queue is.

1. Where nobody wants a service there is nothing to tell: no unit is enabled, no socket is there,
   and no account says ``queue on``. Units that are installed and not enabled are a note.
2. The submission socket has to answer: who calls ``sendmail`` waits there, and gets exit code 75.
3. The control socket has to answer: it is the deliverer's, and without it mail is taken and stays.
4. Then the deliverer is asked: accounts that it has paused, and mail that waits for too long. What
   it says is shown as a warning, because the checks behind this one find the reason, if it is
   still there.

It needs no account: a user who may read none is told whether the service works for him. The
system's service is looked at for whom it sends, and for root.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.config.load import SYSTEM_FILE
from pillarbox.config.places import find_places
from pillarbox.config.service import load_service, parse_service
from pillarbox.doctor.finding import FAULT, NOTE, WARNING, Finding
from pillarbox.doctor.installed import (
    CONTROL_VARIABLE,
    SOCKET_VARIABLE,
    USER,
    has_units,
    inside,
    is_enabled,
    is_of_own,
    sends_directly,
)
from pillarbox.doctor.spool_place import check_spool, ids_of, may_read
from pillarbox.errors import ConfigError, NetworkError
from pillarbox.mail.reply import printable
from pillarbox.net.control import ControlClient
from pillarbox.text import language_of, say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pillarbox.config.settings import Service
    from pillarbox.doctor.patient import Patient

    Row = dict[str, Any]

__all__ = ["CODES", "check_service"]

CODES: tuple[str, ...] = (
    "service.settings",
    "service.off",
    "service.down",
    "service.dead",
    "service.deliver",
    "service.accounts",
    "service.paused",
    "service.stuck",
    "service.failed",
    "service.corrupt",
    "service.spool",
    "service.filesystem",
    "service.readonly",
)

# A mail that is this old has been tried about a dozen times; greylisting is over within an hour.
_STUCK_S = 4 * 3600
_ANSWER_S = 10.0
_GREETING_BYTES = 512
_SHOWN = 300  # characters of a reason

_START = "sudo systemctl enable --now pillarbox-submit.socket pillarbox.service"
_RESTART = "sudo systemctl restart pillarbox-submit.socket pillarbox.service"
_RESTART_DELIVERER = "sudo systemctl restart pillarbox.service"


def check_service(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the service, and with the user's own queue."""
    if not is_of_own(patient) or patient.is_root():
        yield from _system(patient)
    account = patient.account
    if account is not None and account.queue and sends_directly(patient):
        yield from _own(patient)


# -- the system's ----------------------------------------------------------------------------------


def _system(patient: Patient) -> Iterator[Finding]:
    try:
        service = _settings(patient)
    except ConfigError as error:
        yield Finding(
            "service.settings",
            FAULT,
            error.sentence,
            meaning=say("the service does not start with them"),
            fix=error.advice or say("correct it, or remove the line"),
        )
        return
    submit = patient.env.get(SOCKET_VARIABLE) or patient.at(inside(patient, service.submit_socket))
    control = patient.env.get(CONTROL_VARIABLE) or patient.at(
        inside(patient, service.control_socket)
    )
    is_named = bool(patient.env.get(SOCKET_VARIABLE))
    has_submit, has_control = os.path.lexists(submit), os.path.lexists(control)
    if not (has_submit or has_control or is_named):
        yield from _absent(patient)
        if not is_enabled(patient):
            return
    yield from check_spool(patient, service.spool, owner=USER if has_units(patient) else "")
    if has_units(patient):
        yield from _accounts(patient, service.accounts_file)
    if has_submit or is_named:
        reason = _deafness(submit)
        if reason:
            yield _dead(submit, reason, is_named=is_named)
            return
    if has_submit or has_control:
        yield from _deliverer(patient, control)


def _settings(patient: Patient) -> Service:
    """Return the settings; those that this user may not read are the usual ones to him."""
    places = find_places(patient.env, is_user=False)
    path = patient.at(places.settings)
    if not os.access(path, os.R_OK):
        return parse_service({}, places)
    return load_service(path, is_user=False, environment=patient.env)


def _absent(patient: Patient) -> Iterator[Finding]:
    if is_enabled(patient):
        yield Finding(
            "service.down",
            FAULT,
            say("the service is to run, and does not"),
            meaning=say("users who may not read the account cannot send, and nothing is queued"),
            fix=_START,
            evidence=[say("the units are enabled, and their sockets are not there")],
        )
    elif has_units(patient):
        yield Finding(
            "service.off",
            NOTE,
            say("the service is installed and not started"),
            meaning=say("mail is sent by the program that was called, and not queued"),
            fix=_START,
        )


def _deafness(path: str) -> str:
    """Return why nobody answers at a submission socket; empty: somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(path)
            greeting = probe.recv(_GREETING_BYTES)
            with suppress(BrokenPipeError):
                probe.sendall(b"QUIT\r\n")
        except TimeoutError:
            return say("no answer within {time} seconds", time=f"{_ANSWER_S:g}")
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)
    if not greeting.startswith(b"220"):
        return printable(greeting.rstrip(), _SHOWN) or say("it hung up")
    return ""


def _dead(path: str, reason: str, *, is_named: bool) -> Finding:
    fix = _RESTART
    if is_named:
        fix = say("{variable} names it: start it, or unset that", variable=SOCKET_VARIABLE)
    return Finding(
        "service.dead",
        FAULT,
        say("nobody takes mail at {path}", path=path),
        meaning=say("programs that send get exit code 75 after ten seconds"),
        fix=fix,
        evidence=[f"{path}: {reason}"],
    )


def _accounts(patient: Patient, path: str) -> Iterator[Finding]:
    """Yield that the deliverer may not read the accounts."""
    ids = ids_of(patient, USER)
    try:
        status = os.stat(patient.at(inside(patient, path or SYSTEM_FILE)))
    except OSError:
        return
    if ids is None:
        return
    if not may_read(status, ids):
        yield Finding(
            "service.accounts",
            FAULT,
            say("the service may not read {path}", path=path),
            meaning=say("it takes mail and can send none of it"),
            fix=f"sudo chgrp {USER} {path} && sudo chmod 640 {path}",
            evidence=[
                say(
                    "{path} has mode {mode}, owner {uid}, group {gid}",
                    path=path,
                    mode=f"{status.st_mode & 0o7777:04o}",
                    uid=status.st_uid,
                    gid=status.st_gid,
                )
            ],
        )


# -- the deliverer ---------------------------------------------------------------------------------


def _deliverer(
    patient: Patient, control: str, restart: str = _RESTART_DELIVERER
) -> Iterator[Finding]:
    """Ask the one who brings mail away."""
    try:
        with ControlClient(control, timeout_s=max(_ANSWER_S, patient.patience_s)) as client:
            language = language_of(patient.env)
            rows = list(client.ask({"command": "status", "language": language}))
            waiting = list(client.ask({"command": "list", "language": language}))
    except NetworkError as error:
        yield _no_deliverer(error.sentence, restart)
        return
    queue = next((row for row in rows if "counts" in row), None)
    if queue is None or not queue.get("is_delivering"):
        yield _no_deliverer(say("no daemon delivers this queue"), restart)
        return
    paused = [row for row in rows if row.get("is_paused")]
    for row in paused:
        yield _paused(row)
    if not paused:
        yield from _stuck(waiting)
    yield from _aside(queue["counts"])


def _no_deliverer(seen: str, restart: str) -> Finding:
    return Finding(
        "service.deliver",
        FAULT,
        say("mail is taken, and nobody brings it to the provider"),
        meaning=say("it waits in the queue and is not lost"),
        fix=restart,
        evidence=[seen],
    )


def _paused(row: Row) -> Finding:
    name, kind = printable(str(row.get("account"))), str(row.get("kind") or "")
    reason = printable(str(row.get("reason") or kind), _SHOWN)
    resume = f"sudo pillarbox queue resume {name}"
    meaning = say("mails that wait for it: {count}", count=row.get("waiting") or 0)
    fix: str = resume
    if kind not in ("", "paused"):
        fix = say("mend that first; then: {command}", command=resume)
        problem = say("the service has paused account {name}", name=name)
    else:
        problem = say("a person has paused account {name}", name=name)
    evidence = [reason] if reason else []
    return Finding("service.paused", WARNING, problem, meaning=meaning, fix=fix, evidence=evidence)


def _stuck(rows: list[Row]) -> Iterator[Finding]:
    """Yield the mail that waits the longest, if that is too long."""
    waiting = [row for row in rows if row.get("state") == "queue" and "age_s" in row]
    oldest = max(waiting, key=lambda row: row["age_s"], default=None)
    if oldest is None or oldest["age_s"] < _STUCK_S:
        return
    name = printable(str(oldest["id"]))
    yield Finding(
        "service.stuck",
        WARNING,
        say("a mail has waited for {count} hours", count=int(oldest["age_s"] // 3600)),
        meaning=say(
            "mails that wait: {count}; after five days they are given up", count=len(waiting)
        ),
        fix=say("pillarbox queue show {name} tells all of it", name=name),
        evidence=[printable(str(oldest.get("reason") or ""), _SHOWN)] * bool(oldest.get("reason")),
    )


def _aside(counts: Row) -> Iterator[Finding]:
    if counts.get("corrupt"):
        yield Finding(
            "service.corrupt",
            WARNING,
            say("damaged mails in the spool: {count}", count=counts["corrupt"]),
            meaning=say("they are kept and not sent; the disk, or a person, has changed them"),
            fix=say("sudo pillarbox queue list shows them; copy what can be read, and delete them"),
        )
    if counts.get("failed"):
        yield Finding(
            "service.failed",
            NOTE,
            say("mails given up in the last weeks: {count}", count=counts["failed"]),
            fix=say("pillarbox queue list tells which, and why"),
        )


# -- the user's own --------------------------------------------------------------------------------


def _own(patient: Patient) -> Iterator[Finding]:
    """Yield what is wrong with the user's own queue, and with his own service if he has one."""
    try:
        service = load_service(None, is_user=True, environment=patient.env)
    except ConfigError as error:
        yield Finding(
            "service.settings",
            FAULT,
            error.sentence,
            meaning=say("nothing can be kept in the queue"),
            fix=error.advice or say("correct it, or remove the line"),
        )
        return
    yield from check_spool(patient, service.spool)
    if _is_answered(service.control_socket):
        yield from _deliverer(patient, service.control_socket, "pillarbox serve --user")
        return
    yield from _left(service.spool)


def _is_answered(path: str) -> bool:
    """Tell whether a service of the user's own is there; what a killed one left is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        try:
            probe.connect(path)
        except (OSError, ValueError):
            return False
    return True


def _left(spool: str) -> Iterator[Finding]:
    """Yield that mail waits for somebody to send it."""
    try:
        with os.scandir(f"{spool}/queue") as entries:
            times = [entry.stat().st_mtime for entry in entries if entry.is_file()]
    except OSError:
        return
    age_s = time.time() - min(times, default=time.time())
    if age_s >= _STUCK_S:
        yield Finding(
            "service.stuck",
            WARNING,
            say("a mail has waited for {count} hours", count=int(age_s // 3600)),
            meaning=say("nobody sends what waits in {path} until the next mail", path=spool),
            fix=say("pillarbox queue flush --user, from cron every few minutes"),
            evidence=[say("mails that wait: {count}", count=len(times))],
        )
