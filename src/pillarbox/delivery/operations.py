"""
What may be asked of a queue: one row of ``OPERATIONS`` each, and the function that does it.

A function gets what its caller sees (``View``) and what he wishes, checked; it yields a dict for
each thing that it has to tell, and returns the exit code. Here are those that look and those that
steer accounts; what is done to mails is in ``entry_operations``, what is counted in ``stats``.
"""

from __future__ import annotations

from collections import Counter

from pillarbox.delivery.entry_operations import delete, edit, hold, paused_text, release, retry
from pillarbox.delivery.operation import Operation
from pillarbox.delivery.requests import (
    ACCOUNT,
    ADDRESS,
    ADDRESSES,
    ANY_ACCOUNT,
    COUNT,
    FLAG,
    ID,
    IDS,
    OCTETS,
    WHERE,
    NotPermittedError,
)
from pillarbox.delivery.stats import count_mails, past_mails
from pillarbox.delivery.steward_rows import (
    account_row,
    content_rows,
    head_row,
    header_lines,
    status_row,
)
from pillarbox.delivery.trail import WORD, trail
from pillarbox.errors import EX_OK, EX_TEMPFAIL, EntryNotFoundError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import FAILED, HOLD, QUEUE, STATES
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.delivery.operation import Answer
    from pillarbox.delivery.queue_view import View
    from pillarbox.delivery.requests import Needs

__all__ = ["OPERATIONS"]


def _list(view: View, wishes: dict[str, Any]) -> Answer:
    code = EX_OK
    for found in view.select(wishes["ids"], wishes["where"], wishes["states"]):
        if found.problem is not None:
            problem = found.problem
            yield {"id": found.id, "problem": problem.sentence, "advice": problem.advice}
            code = code or problem.exit_code
        else:
            yield view.row(found)
    return code


def _show(view: View, wishes: dict[str, Any]) -> Answer:
    if wishes["content"] and not view.may_all:
        raise NotPermittedError
    found = view.find(wishes["id"])
    if found.entry is None:
        yield view.row(found)
        return EX_OK
    claim = view.spool.claim(found.id, found.state)
    try:
        row = view.row(found) | head_row(claim.entry)
        yield row | {"headers": header_lines(claim)}
        if wishes["content"]:
            yield from content_rows(claim)
    finally:
        claim.close()
    return EX_OK


def _trace(view: View, wishes: dict[str, Any]) -> Answer:
    yield from trail(view, wishes["word"])
    return EX_OK


def _status(view: View, _: dict[str, Any]) -> Answer:
    waiting = None
    if view.may_all:
        counts = {state: len(view.spool.names(state)) for state in STATES}
    else:
        own = {state: [*view.entries(state)] for state in (QUEUE, HOLD, FAILED)}
        counts = {state: len(entries) for state, entries in own.items()}
        # How much others have in an account is not his to know.
        waiting = Counter(each.entry.head.account for each in own[QUEUE] if each.entry is not None)
    yield {
        "is_delivering": view.carrier.is_running,
        "counts": counts,
        "may_steer": view.may_all,
    }
    for state in view.carrier.accounts():
        if waiting is None:
            yield account_row(state)
        elif waiting[state.name]:
            yield account_row(state) | {"waiting": waiting[state.name]}
    return EX_OK


def _stats(view: View, _: dict[str, Any]) -> Answer:
    yield count_mails(view)
    return EX_OK


def _history(view: View, wishes: dict[str, Any]) -> Answer:
    yield from past_mails(view, wishes["where"], wishes["limit"])
    return EX_OK


# -- accounts --------------------------------------------------------------------------------------


def _flush(view: View, wishes: dict[str, Any]) -> Answer:
    wished = wishes["account"]
    view.carrier.flush(wished)
    # Asked afterwards: a network that is back heals what had failed without it.
    states = [state for state in view.carrier.accounts() if wished in ("", state.name)]
    if wished and not states:
        raise EntryNotFoundError(say("nothing waits for account {name}", name=printable(wished)))
    for state in states:
        note = paused_text(view, state) if state.is_open else ""
        yield account_row(state) | {"done": not state.is_open, "note": note}
    return EX_TEMPFAIL if any(state.is_open for state in states) else EX_OK


def _known(view: View, name: str) -> str:
    if not view.carrier.has_account(name):
        raise UsageError(say("there is no account {name}", name=printable(name)))
    return name


def _pause(view: View, wishes: dict[str, Any]) -> Answer:
    name = _known(view, wishes["account"])
    is_new = view.carrier.pause(name)
    if is_new:
        view.tell("account_paused", account=name, kind="person")
    note = "" if is_new else say("account {name} was paused before", name=printable(name))
    yield {"account": name, "done": is_new, "note": note}
    return EX_OK


def _resume(view: View, wishes: dict[str, Any]) -> Answer:
    name = _known(view, wishes["account"])
    was_paused = view.carrier.resume(name)
    if was_paused:
        view.tell("account_resumed", account=name)
    note = "" if was_paused else say("account {name} was not paused", name=printable(name))
    yield {"account": name, "done": was_paused, "note": note}
    return EX_OK


# -- between two processes -----------------------------------------------------------------------


def _wake(view: View, wishes: dict[str, Any]) -> Answer:
    view.carrier.added(wishes["id"])
    return EX_OK
    yield  # it has nothing to tell, and is a generator like the others


def _wait(view: View, wishes: dict[str, Any]) -> Answer:
    result = yield view.carrier.wait_for(wishes["id"])
    for status in result.statuses:
        yield status_row(status)
    return EX_OK


_MAILS: Needs = {"ids": (IDS, ""), "where": (WHERE, {})}
_ONE_ACCOUNT: Needs = {"account": (ACCOUNT, None)}

# What may be asked -> who does it, what he needs, and who may ask. The next one is one more row.
OPERATIONS = {
    "list": Operation(_list, _MAILS),
    "show": Operation(_show, {"id": (ID, None), "content": (FLAG, False)}),
    "history": Operation(_history, {"where": (WHERE, {}), "limit": (COUNT, 100)}),
    "trace": Operation(_trace, {"word": (WORD, None)}),
    "status": Operation(_status, {}),
    "stats": Operation(_stats, {}),
    "retry": Operation(retry, _MAILS, states=(QUEUE,)),
    "delete": Operation(delete, _MAILS),
    "hold": Operation(hold, _MAILS, is_owners=True, states=(QUEUE,)),
    "release": Operation(release, _MAILS, is_owners=True, states=(HOLD,)),
    "edit": Operation(
        edit,
        {
            "id": (ID, None),
            "to": (ADDRESSES, []),
            "from": (ADDRESS, ""),
            "account": (ANY_ACCOUNT, ""),
            "content": (OCTETS, ""),
        },
        is_owners=True,
    ),
    "flush": Operation(_flush, {"account": (ANY_ACCOUNT, "")}, is_owners=True),
    "pause": Operation(_pause, _ONE_ACCOUNT, is_owners=True),
    "resume": Operation(_resume, _ONE_ACCOUNT, is_owners=True),
    # Between the processes of one daemon whose roles run apart.
    "wake": Operation(_wake, {"id": (ID, None)}, is_owners=True),
    "wait": Operation(_wait, {"id": (ID, None)}, is_owners=True),
}
