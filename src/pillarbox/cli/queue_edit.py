"""
``pillarbox queue edit``: another mail in the place of one that waits.

Sender, recipients and account are given as options, a new content as a file; without any of them
the content is opened in the editor of the person.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode

from pillarbox.cli.main import spoken
from pillarbox.cli.queue_page import entry_lines, heading
from pillarbox.cli.queue_talk import cut_off, ended, print_json, print_lines, said_yes
from pillarbox.delivery.queue_view import short_id
from pillarbox.errors import EX_OK, MissingInputError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from pillarbox.cli.queue_access import QueueAccess

    Row = dict[str, Any]

__all__ = ["edit_mail"]

_CONTENT_MAX = 32 << 20  # octets: a third more goes over the control socket
_EDITOR = "vi"  # POSIX has it


def edit_mail(queue: QueueAccess, wishes: argparse.Namespace) -> int:
    """
    Change a mail.

    Raises:
        UsageError: Nobody can be asked, or the editor failed.
        MissingInputError: The file cannot be read.

    """
    has_changes = bool(wishes.to or wishes.sender or wishes.account or wishes.content)
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and not (wishes.yes and has_changes):
        raise UsageError(say("nobody can be asked"), advice=say("add --yes"))
    rows = list(queue.ask("show", id=wishes.id, content=not has_changes))
    if rows[-1]["code"] != EX_OK:
        return ended(rows[-1])
    row, *pieces = rows[:-1]
    content = _new_content(wishes.content, pieces, asks=not has_changes)
    if content is None:
        print(spoken(say("nothing is changed")))
        return EX_OK
    if not wishes.yes:
        print(heading())
        print_lines(entry_lines(_preview(row, wishes, content), time.time()))
        if not said_yes(say("Put the new mail in its place?")):
            return EX_OK
    answer = queue.ask(
        "edit",
        id=row["id"],
        to=wishes.to,
        account=wishes.account,
        content=b64encode(content).decode(),
        **{"from": wishes.sender},
    )
    if wishes.json:
        return print_json(answer)
    for done in answer:
        if done.get("end"):
            return ended(done)
        new = short_id(printable(done["new_id"]))
        text = say("is {new} now", new=new)
        print(f"{short_id(printable(done['id']))}  {spoken(text)}")
    return cut_off()


def _new_content(path: str, pieces: list[Row], *, asks: bool) -> bytes | None:
    """Return the new content; empty: it stays as it is; None: nothing is to be done."""
    if path:
        return _read(path)
    if not asks:
        return b""
    old = b"".join(b64decode(piece["content"]) for piece in pieces)
    new = _edited(old)
    return None if new == old else new


def _preview(row: Row, wishes: argparse.Namespace, content: bytes) -> Row:
    """Return the row of the mail as it would be."""
    changed = dict(row)
    if wishes.to:
        changed["recipients"] = [{"address": each, "status": "pending"} for each in wishes.to]
    else:
        changed["recipients"] = [each for each in row["recipients"] if each["status"] == "pending"]
    if wishes.sender:
        changed["from"] = None if wishes.sender == "<>" else wishes.sender
    if content:
        changed["size_bytes"] = len(content)
    return changed


def _read(path: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_CONTENT_MAX + 1)
        else:
            with open(path, "rb") as file:
                content = file.read(_CONTENT_MAX + 1)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise MissingInputError(
            say("cannot read {path}: {reason}", path=path, reason=reason)
        ) from exc
    if not content or len(content) > _CONTENT_MAX:
        raise MissingInputError(say("{path} is empty or too large for a mail", path=path))
    return content


def _edited(content: bytes) -> bytes:
    """Have a person edit a content; return what he saved."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    # In a directory that nobody else can enter, and gone when this is over.
    with tempfile.TemporaryDirectory(prefix="pillarbox-edit-") as folder:
        path = os.path.join(folder, "mail.eml")
        with open(path, "wb") as file:
            file.write(content)
        try:
            words = [*shlex.split(command), path]
            code = subprocess.run(words, check=False).returncode
        except (OSError, ValueError) as exc:
            problem = say("cannot run the editor {command}", command=repr(command))
            raise UsageError(problem, advice=say("set EDITOR to a program")) from exc
        if code:
            raise UsageError(say("the editor ended with code {code}", code=code))
        return _read(path)
