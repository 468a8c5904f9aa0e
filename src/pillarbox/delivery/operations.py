"""
What may be asked of a queue: one row of ``OPERATIONS`` each, and the function that does it.

A function gets what its caller sees (``View``) and what he wishes, checked; it yields a dict for
each thing that it has to tell, and returns the exit code. Where several entries are meant, one
that fails says so in its own row, and the others go on.

The rules to keep: nothing is told as done before it is durable; who delivers is asked before an
entry is taken away (``Carrier.take``), so that a mail is never removed while it is on its way.
"""

from __future__ import annotations

from collections import Counter

from pillarbox.delivery.queue_view import OWN_STATES
from pillarbox.delivery.requests import (
    ACCOUNT,
    ANY_ACCOUNT,
    FLAG,
    ID,
    IDS,
    SOME_STATES,
    LaterError,
    NotPermittedError,
)
from pillarbox.delivery.steward_rows import (
    account_row,
    content_rows,
    head_row,
    header_lines,
    status_row,
)
from pillarbox.errors import EX_OK, EX_TEMPFAIL, EntryNotFoundError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import BOUNCED, CORRUPT, FAILED, HOLD, PENDING, QUEUE, STATES, Progress
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from typing import Any

    from pillarbox.delivery.carrier import AccountState
    from pillarbox.delivery.queue_view import Found, View
    from pillarbox.delivery.requests import Needs
    from pillarbox.spool.base import Entry

    Row = dict[str, Any]
    # Yields rows; or a future, and is sent its result. Returns the exit code.
    Answer = Generator[Any, Any, int]

__all__ = ["OPERATIONS", "Operation"]

# Entries that one fsync is made for; what was asked before is told as soon as it is true.
_BATCH = 100


class Operation(Value):
    """
    One thing that may be asked.

    Attributes:
        run: Called with what the caller sees, and what he wishes; yields rows.
        needs: name -> how it is checked, and the default; see ``requests.understand``.
        is_owners: Only root and the spool's owner may.

    """

    __slots__ = ("is_owners", "needs", "run")

    def __init__(
        self,
        run: Callable[[View, dict[str, Any]], Answer],
        needs: Needs,
        *,
        is_owners: bool = False,
    ) -> None:
        self.run = run
        self.needs = needs
        self.is_owners = is_owners


def _list(view: View, wishes: dict[str, Any]) -> Answer:
    account = wishes["account"]
    for state in wishes["states"]:
        if state == CORRUPT:
            yield from _corrupt_rows(view)
            continue
        for entry in view.entries(state):
            if account in ("", entry.head.account):
                yield view.row(entry, state)
    return EX_OK


def _corrupt_rows(view: View) -> Iterator[Row]:
    if view.may_all:
        for name in sorted(view.spool.names(CORRUPT)):
            yield {"id": name, "state": CORRUPT}


def _show(view: View, wishes: dict[str, Any]) -> Answer:
    if wishes["content"] and not view.may_all:
        raise NotPermittedError
    found = view.find(wishes["id"])
    if found.entry is None:
        yield {"id": found.id, "state": found.state}
        return EX_OK
    claim = view.spool.claim(found.id, found.state)
    try:
        row = view.row(claim.entry, found.state) | head_row(claim.entry)
        yield row | {"headers": header_lines(claim)}
        if wishes["content"]:
            yield from content_rows(claim)
    finally:
        claim.close()
    return EX_OK


def _retry(view: View, wishes: dict[str, Any]) -> Answer:
    paused = {state.name: state for state in view.carrier.accounts() if state.is_open}
    code = EX_OK
    for batch in _batches(view.each(wishes["ids"])):
        due = []
        rows = []
        for found in batch:
            row = _one(_make_due, view, found, paused)
            if row["done"]:
                due.append(found.id)
            code = code or row.pop("code")
            rows.append(row)
        view.carrier.retry(due)
        yield from rows
    return code


def _make_due(view: View, found: Found, paused: Mapping[str, AccountState]) -> str:
    """Have an entry ready to be tried now; return what else there is to say."""
    entry = found.entry
    if entry is None:
        raise EntryNotFoundError(say("it cannot be understood, so it cannot be sent"))
    if found.state == HOLD:
        raise LaterError(say("it is on hold"))
    if found.state == FAILED:
        _revive(view, entry)
    state = paused.get(entry.head.account)
    if state is not None:
        raise LaterError(_paused_text(state))
    if view.carrier.is_busy(found.id):
        return say("it is being delivered right now")
    return ""


def _revive(view: View, entry: Entry) -> None:
    """Have an entry that was given up wait again: its age and its attempts begin anew."""
    entry_id, progress = entry.head.id, entry.progress
    if BOUNCED in progress.statuses:
        claim = view.spool.claim(entry_id, FAILED)
        try:
            again = Progress(
                progress.statuses.replace(BOUNCED, PENDING),
                is_in_doubt=progress.is_in_doubt,
                reason=progress.reason,
            )
            claim.record(again, is_durable=True)
        finally:
            claim.close()
    # Recorded first: what moves and still says "failed" would be removed and never sent.
    view.spool.move(entry_id, FAILED, QUEUE)
    view.carrier.put_back(view.spool.read(entry_id))


def _delete(view: View, wishes: dict[str, Any]) -> Answer:
    code = EX_OK
    for batch in _batches(view.each(wishes["ids"])):
        rows = [_one(_remove, view, found) for found in batch]
        view.spool.settle()
        for row in rows:
            code = code or row.pop("code")
            yield row
    return code


def _remove(view: View, found: Found) -> str:
    is_queued = found.state == QUEUE
    if is_queued and not view.carrier.take(found.id):
        raise LaterError(say("it is being delivered right now"))
    try:
        view.spool.remove(found.id, found.state)
    except EntryNotFoundError:
        raise
    except PillarboxError:
        if is_queued and found.entry is not None:
            view.carrier.put_back(found.entry)
        raise
    return ""


def _one(work: Callable[..., str], view: View, found: Found, *facts: object) -> Row:
    """Return what became of one entry of several: a failure is that one's alone."""
    row: Row = {"id": found.id, "done": True, "note": "", "code": EX_OK}
    try:
        if found.problem is not None:
            raise found.problem
        row["note"] = work(view, found, *facts)
    except PillarboxError as exc:
        row |= {"done": False, "note": exc.sentence, "code": exc.exit_code}
    return row


def _batches(found: Iterator[Found]) -> Iterator[list[Found]]:
    batch = []
    for one in found:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _flush(view: View, wishes: dict[str, Any]) -> Answer:
    wished = wishes["account"]
    view.carrier.flush(wished)
    # Asked afterwards: a network that is back heals what had failed without it.
    states = [state for state in view.carrier.accounts() if wished in ("", state.name)]
    if wished and not states:
        raise EntryNotFoundError(say("nothing waits for account {name}", name=printable(wished)))
    for state in states:
        note = _paused_text(state) if state.is_open else ""
        yield account_row(state) | {"done": not state.is_open, "note": note}
    return EX_TEMPFAIL if any(state.is_open for state in states) else EX_OK


def _paused_text(state: AccountState) -> str:
    return say(
        "account {account} is paused: {reason};"
        " 'pillarbox queue resume {account}' tries it at once",
        account=state.name,
        reason=printable(state.reason),
    )


def _resume(view: View, wishes: dict[str, Any]) -> Answer:
    name = wishes["account"]
    was_paused = view.carrier.resume(name)
    note = "" if was_paused else say("account {name} was not paused", name=printable(name))
    yield {"account": name, "done": was_paused, "note": note}
    return EX_OK


def _status(view: View, _: dict[str, Any]) -> Answer:
    waiting = None
    if view.may_all:
        counts = {state: len(view.spool.names(state)) for state in STATES}
    else:
        own = {state: [each.head.account for each in view.entries(state)] for state in OWN_STATES}
        counts = {state: len(accounts) for state, accounts in own.items()}
        waiting = Counter(own[QUEUE])  # how much others have in an account is not his to know
    yield {"is_delivering": view.carrier.is_running, "counts": counts}
    for state in view.carrier.accounts():
        if waiting is None:
            yield account_row(state)
        elif waiting[state.name]:
            yield account_row(state) | {"waiting": waiting[state.name]}
    return EX_OK


def _wake(view: View, wishes: dict[str, Any]) -> Answer:
    view.carrier.added(wishes["id"])
    return EX_OK
    yield  # it has nothing to tell, and is a generator like the others


def _wait(view: View, wishes: dict[str, Any]) -> Answer:
    result = yield view.carrier.wait_for(wishes["id"])
    for status in result.statuses:
        yield status_row(status)
    return EX_OK


_MANY: Needs = {"ids": (IDS, None)}
_FILTERS: Needs = {"states": (SOME_STATES, [QUEUE, HOLD]), "account": (ANY_ACCOUNT, "")}

# What may be asked -> who does it, what he needs, and who may ask. The next one is one more row.
OPERATIONS = {
    "list": Operation(_list, _FILTERS),
    "show": Operation(_show, {"id": (ID, None), "content": (FLAG, False)}),
    "retry": Operation(_retry, _MANY),
    "delete": Operation(_delete, _MANY),
    "flush": Operation(_flush, {"account": (ANY_ACCOUNT, "")}, is_owners=True),
    "resume": Operation(_resume, {"account": (ACCOUNT, None)}, is_owners=True),
    "status": Operation(_status, {}),
    # Between the processes of one daemon whose roles run apart.
    "wake": Operation(_wake, {"id": (ID, None)}, is_owners=True),
    "wait": Operation(_wait, {"id": (ID, None)}, is_owners=True),
}
