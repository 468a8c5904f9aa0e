"""
``pillarbox doctor --bundle FILE``: gather what goes into a support bundle, and say what it is.

What cannot be read is said in its place: a bundle is written on machines on which something does
not work.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from pillarbox.cli.config_show import settings_of
from pillarbox.cli.doctor_page import Page, account_name, document
from pillarbox.cli.queue_access import QueueAccess, find_queue
from pillarbox.config.service import load_service
from pillarbox.doctor.bundle import Member, open_bundle, pack, versions
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.domain_subject import rows_of
from pillarbox.doctor.masking import Mask, known_secrets
from pillarbox.errors import InputOutputError, PillarboxError, UsageError
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import Any, BinaryIO

    from pillarbox.doctor.examination import Examination
    from pillarbox.doctor.patient import Patient

__all__ = ["STDOUT", "begun", "fill"]

STDOUT = "-"

_EVENTS = 200  # of the history, the newest
_COMMAND = "(a command)"
_HIDDEN_COMMANDS = frozenset(("passwordeval",))


@contextmanager
def begun(path: str) -> Iterator[BinaryIO]:
    """
    Give where the bundle goes, before anything is examined for it; take it away if that fails.

    Raises:
        UsageError: It would go to a terminal.
        InputOutputError: The file is there already, or cannot be made or written.

    """
    if path == STDOUT:
        if sys.stdout.isatty():
            advice = say("name a file: --bundle FILE.tar.gz")
            raise UsageError(say("a bundle is no text for a terminal"), advice=advice)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    file = open_bundle(path)
    try:
        with file:
            yield file
    except BaseException as exc:
        os.unlink(path)
        if isinstance(exc, OSError) and not isinstance(exc, BrokenPipeError):
            problem = say("cannot write {path}: {reason}", path=path, reason=exc.strerror)
            raise InputOutputError(problem) from exc
        raise


def fill(
    file: BinaryIO,
    path: str,
    examination: Examination,
    patient: Patient,
    *,
    language: str,
    seconds: float,
) -> list[str]:
    """
    Write the bundle; return what is said of it, a line each.

    Args:
        file: See ``begun``.
        path: How it was named.
        examination: What was found.
        patient: Of whom.
        language: Of the texts in it.
        seconds: How long the examination took.

    Raises:
        OSError: It cannot be written.

    """
    members = tuple(_members(examination, patient, language, seconds))
    pack(members, _mask_for(patient), file, time.time())
    page = Page(language)
    place = say("standard output") if path == STDOUT else path
    return [
        page.said(say("A support bundle went to {path}. In it:", path=place)),
        *(f"   {member.name:16}{page.said(member.title)}" for member in members),
        page.said(
            say("Passwords and recipients are masked; look into it before you give it to anybody.")
        ),
        page.said(say("Nothing was sent anywhere.")),
    ]


def _mask_for(patient: Patient) -> Mask:
    account = patient.account
    users = [account.user] if account is not None and account.user else []
    own = [*users]
    if account is not None and account.from_:
        own.append(account.from_)
    if patient.sender is not None:
        own += [str(patient.sender), f"postmaster@{patient.sender.domain}"]
    return Mask(known_secrets(patient), users, own)


def _members(
    examination: Examination, patient: Patient, language: str, seconds: float
) -> Iterator[Member]:
    """Yield what goes into the bundle."""
    page = Page(language)
    lines = [page.check_line(result, CHECKS) for result in examination.results]
    lines += page.outcome_lines(examination)
    lines.append(page.summary(examination, account_name(patient), seconds))
    text = "".join(f"{line}\n" for line in lines)
    yield Member("doctor.txt", say("what was found, as you have seen it"), text)
    row = document(examination, patient, language, seconds)
    yield Member("doctor.json", say("the same for programs"), _json(row))
    for name, title, gather in (
        ("account.json", say("the settings of the account"), _account),
        ("service.json", say("the settings of the service"), _service),
        ("queue.json", say("how the queue is"), _queue),
        ("history.jsonl", say("what became of the last mails, without their recipients"), _history),
        ("dialogue.txt", say("the talk with the server up to the login"), _dialogue),
    ):
        yield Member(name, title, _gathered(gather, patient))
    records = _gathered(_records, patient)
    yield Member("dns.json", say("the domain's records"), records, has_people=False)
    yield Member("versions.txt", say("versions of what it runs on"), versions(), has_people=False)


def _gathered(gather: Callable[[Patient], str], patient: Patient) -> str:
    """Return a text, or why there is none; in English, like everything that programs may read."""
    try:
        return gather(patient)
    except (PillarboxError, OSError) as exc:
        return f"not readable: {exc}\n"


def _json(row: object) -> str:
    return json.dumps(row, ensure_ascii=False, indent=2, default=str) + "\n"


def _account(patient: Patient) -> str:
    if patient.account is None:
        return "there is no account\n"
    rows = settings_of(patient.account, is_all=True)
    for name in _HIDDEN_COMMANDS:
        if rows[name]["value"] is not None:
            rows[name]["value"] = _COMMAND
    files = patient.files.both() if patient.files is not None else []
    return _json(
        {
            "files": [{"path": file.path, "not read": file.reason} for file in files],
            "account": patient.account.name,
            "settings": rows,
        }
    )


def _service(patient: Patient) -> str:
    found = {}
    for is_user in (False, True):
        service = load_service(None, is_user=is_user, environment=patient.env)
        found["user" if is_user else "system"] = _settings(service)
    return _json(found)


def _settings(value: object) -> object:
    """Return settings as JSON has them; a command is not shown, for a secret may be in it."""
    if not hasattr(value, "__dataclass_fields__"):
        return value
    rows = {}
    for field in fields(value):  # type: ignore[arg-type]  # it has fields
        found = getattr(value, field.name)
        rows[field.name] = _COMMAND if found and field.name == "command" else _settings(found)
    return rows


def _queues(patient: Patient) -> Iterator[tuple[str, AbstractContextManager[QueueAccess]]]:
    for is_user in (False, True):
        place = find_queue(patient.env, is_user=is_user)
        yield ("user" if is_user else "system"), QueueAccess(place, patient.env)


def _queue(patient: Patient) -> str:
    found: dict[str, object] = {}
    for name, access in _queues(patient):
        try:
            with access as queue:
                found[name] = list(queue.ask("status")) if queue.is_there else "there is none"
        except (PillarboxError, OSError) as exc:
            found[name] = f"not readable: {exc}"
    return _json(found)


def _history(patient: Patient) -> str:
    lines = []
    for name, access in _queues(patient):
        try:
            with access as queue:
                if queue.is_there:
                    rows = queue.ask("history", limit=_EVENTS)
                    lines += [
                        json.dumps({"queue": name} | row) for row in rows if not _is_well(row)
                    ]
        except (PillarboxError, OSError) as exc:
            lines.append(json.dumps({"queue": name, "problem": str(exc)}))
    return "".join(f"{line}\n" for line in lines)


def _is_well(row: dict[str, Any]) -> bool:
    """Tell whether a row only says that the answer is over."""
    return bool(row.get("end")) and not row.get("problem")


def _dialogue(patient: Patient) -> str:
    return "".join(f"{line}\n" for line in patient.dialogue) or "there was none\n"


def _records(patient: Patient) -> str:
    if patient.is_offline:
        return "not asked: --offline\n"
    if patient.sender is None:
        return "there is no sender\n"
    rows = rows_of(patient)
    if not rows:
        return "its provider's own domain\n"
    return _json(
        [
            {
                "host": row.host,
                "kind": row.kind,
                "state": row.state,
                "present": row.present,
                "wished": row.wished,
                "notes": row.notes,
            }
            for row in rows
        ]
    )
