"""
What can be done to mails: tried now, put on hold, released, deleted, edited.

Where several are meant, one that fails says so in its own row, and the others go on. The rules to
keep: nothing is told as done before it is durable; who delivers is asked before an entry is taken
away (``Carrier.take``), so that a mail never goes while it is on its way; and whatever happens in
the middle, a mail is there once or, behind ``edit``, twice, and never not at all.
"""

from __future__ import annotations

import os
from contextlib import suppress

from pillarbox.delivery.carrier import UNREACHABLE
from pillarbox.delivery.operation import batches, one_row
from pillarbox.delivery.requests import LaterError
from pillarbox.errors import (
    EX_OK,
    CorruptEntryError,
    EntryNotFoundError,
    PillarboxError,
    UsageError,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import printable
from pillarbox.spool.base import BOUNCED, FAILED, HOLD, PENDING, QUEUE, Head, Progress
from pillarbox.spool.entry import make_entry_id
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from pillarbox.delivery.carrier import AccountState
    from pillarbox.delivery.operation import Answer
    from pillarbox.delivery.queue_view import Found, View
    from pillarbox.mail.address import Mailbox
    from pillarbox.spool.base import Entry

__all__ = ["delete", "edit", "hold", "paused_text", "release", "retry"]

_RANDOM_OCTETS = 16
_PIECE = 1 << 18  # octets of a content that are copied at a time


def delete(view: View, wishes: dict[str, Any]) -> Answer:
    """Take mails out for good; nobody is told."""
    return _each(view, wishes, _remove, "deleted")


def hold(view: View, wishes: dict[str, Any]) -> Answer:
    """Have mails wait until they are released."""
    return _each(view, wishes, _put_on_hold, "held")


def release(view: View, wishes: dict[str, Any]) -> Answer:
    """Let mails go on that were on hold."""
    return _each(view, wishes, _let_go, "released")


def _each(view: View, wishes: dict[str, Any], work: Callable[..., str], event: str) -> Answer:
    code = EX_OK
    for batch in batches(_meant(view, wishes)):
        rows = [one_row(work, view, found) for found in batch]
        view.spool.settle()
        for found, row in zip(batch, rows, strict=True):
            ended = row.pop("code")
            code = code or ended
            if row["done"]:
                view.tell(event, **_facts(found))
            yield row
    return code


def _facts(found: Found) -> dict[str, str]:
    """Return what the log says of an entry."""
    if found.entry is None:
        return {"id": found.id}
    head = found.entry.head
    return {
        "id": head.id,
        "account": head.account,
        "from_": str(head.envelope.reverse_path or "<>"),
        "to": ",".join(map(str, head.envelope.forward_paths)),
    }


def _meant(view: View, wishes: dict[str, Any]) -> Iterator[Found]:
    """Return the mails that a request means; to name none does not mean all."""
    if not wishes["ids"] and not wishes["where"]:
        raise UsageError(say("name the mails, or write all"))
    return view.select(wishes["ids"], wishes["where"], wishes["states"])


# -- retry -----------------------------------------------------------------------------------------


def retry(view: View, wishes: dict[str, Any]) -> Answer:
    """Have mails tried now, those that were given up too."""
    paused = _paused_accounts(view)
    code = EX_OK
    for batch in batches(_meant(view, wishes)):
        due = []
        rows = []
        for found in batch:
            row = one_row(_make_due, view, found, paused)
            if row["done"]:
                due.append(found.id)
                view.tell("retried", **_facts(found))
            ended = row.pop("code")
            code = code or ended
            rows.append(row)
        view.carrier.retry(due)
        yield from rows
    return code


def _paused_accounts(view: View) -> dict[str, AccountState]:
    """Return the accounts at whose door it is no use to knock now."""
    paused = {}
    for state in view.carrier.accounts():
        if state.kind in UNREACHABLE and view.may_all:
            # The person may know that the network is back, and a look costs no login.
            view.carrier.flush(state.name)
        elif state.is_open:
            paused[state.name] = state
    return paused


def _make_due(view: View, found: Found, paused: Mapping[str, AccountState]) -> str:
    """Have an entry ready to be tried now; return what else there is to say."""
    entry = _whole(found)
    if found.state == HOLD:
        raise LaterError(say("it is on hold"), advice=say("release it"))
    if found.state == FAILED:
        _taken(view, found, lambda: _revive(view, entry))
        view.carrier.put_back(view.spool.read(found.id))
    state = paused.get(view.carrier.account_of(entry))
    if state is not None:
        raise LaterError(paused_text(view, state))
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


def paused_text(view: View, state: AccountState) -> str:
    """Return why an account's mail waits, and to who may do it what ends that."""
    if not view.may_all:
        return say(
            "account {account} is paused: {reason}; the mail goes out when it works again",
            account=state.name,
            reason=printable(state.reason),
        )
    return say(
        "account {account} is paused: {reason};"
        " 'pillarbox queue resume {account}' tries it at once",
        account=state.name,
        reason=printable(state.reason),
    )


# -- delete, hold, release ------------------------------------------------------------------------


def _remove(view: View, found: Found) -> str:
    _taken(view, found, lambda: view.spool.remove(found.id, found.state))
    return ""


def _put_on_hold(view: View, found: Found) -> str:
    _whole(found)
    if found.state == HOLD:
        return say("it is on hold")
    if found.state != QUEUE:
        raise UsageError(say("it does not wait any more"))
    _taken(view, found, lambda: view.spool.move(found.id, QUEUE, HOLD))
    return ""


def _let_go(view: View, found: Found) -> str:
    _whole(found)
    if found.state != HOLD:
        raise UsageError(say("it is not on hold"))
    _taken(view, found, lambda: view.spool.move(found.id, HOLD, QUEUE))
    view.carrier.put_back(view.spool.read(found.id))
    return ""


def _taken(view: View, found: Found, work: Callable[[], None]) -> None:
    """Do something to an entry that nobody delivers meanwhile; if it fails, it is delivered."""
    if not view.carrier.take(found.id):
        raise LaterError(say("it is being delivered right now"))
    try:
        work()
    except EntryNotFoundError:
        raise
    except PillarboxError:
        view.carrier.let_go(found.id)
        if found.state == QUEUE and found.entry is not None:
            view.carrier.put_back(found.entry)
        raise
    finally:
        view.carrier.let_go(found.id)


def _whole(found: Found) -> Entry:
    if found.entry is None:
        raise CorruptEntryError(say("it cannot be understood, so it cannot be sent"))
    return found.entry


# -- edit ----------------------------------------------------------------------------------------


def edit(view: View, wishes: dict[str, Any]) -> Answer:
    """
    Put another mail in the place of one: durably first, and then the old one goes.

    Killed in between, both are there, with the same Message-ID; never neither of them.
    """
    found = view.find(wishes["id"])
    entry = _whole(found)
    if found.state == FAILED:
        raise UsageError(say("it does not wait any more"), advice=say("retry it first"))
    head = _changed(view, entry, wishes)
    is_there = False

    def replace() -> None:
        nonlocal is_there
        view.carrier.take(head.id)  # nobody sends the new one while there are two
        _write(view, found, head, wishes["content"])
        is_there = True
        try:
            view.spool.remove(found.id, found.state)
        except EntryNotFoundError:
            pass  # gone already, so the new one stays
        except PillarboxError:
            with suppress(PillarboxError):
                view.spool.remove(head.id, found.state)
                is_there = False
            raise
        view.spool.settle()

    try:
        _taken(view, found, replace)
    finally:
        view.carrier.let_go(head.id)
        if is_there and found.state == QUEUE:
            view.carrier.put_back(view.spool.read(head.id))
    view.tell("edited", id=found.id, new_id=head.id)
    yield {"id": found.id, "done": True, "note": "", "new_id": head.id}
    return EX_OK


def _changed(view: View, entry: Entry, wishes: dict[str, Any]) -> Head:
    """Return the head of the mail that takes the place of another."""
    old = entry.head
    envelope, statuses = old.envelope, entry.progress.statuses
    paths = tuple(map(_mailbox, wishes["to"])) or tuple(
        path
        for place, path in enumerate(envelope.forward_paths)
        if statuses[place : place + 1] == PENDING
    )
    sender = envelope.reverse_path
    if wishes["from"]:
        sender = None if wishes["from"] == "<>" else _mailbox(wishes["from"])
    account = wishes["account"] or old.account
    if not view.carrier.has_account(account):
        raise UsageError(say("there is no account {name}", name=printable(account)))
    return Head(
        # It was accepted when it was accepted: its age goes on.
        make_entry_id(old.accepted_s, os.urandom(_RANDOM_OCTETS)),
        old.accepted_s,
        Envelope(
            sender,
            tuple(dict.fromkeys(paths)),
            ret=envelope.ret,
            envid=envelope.envid,
            notify=envelope.notify,
        ),
        account=account,
        message_id=old.message_id,
        origin=old.origin,
        priority=old.priority,
        settings=old.settings,
        trace=old.trace,
    )


def _mailbox(text: str) -> Mailbox:
    mailbox = parse_mailbox(text)
    if not mailbox.domain:
        # Aliases are looked up when a mail is accepted, and not again.
        raise UsageError(say("{address} has no domain", address=printable(text)))
    return mailbox


def _write(view: View, found: Found, head: Head, content: bytes) -> None:
    """Have the new mail in the spool, where the old one is."""
    claim = None if content else view.spool.claim(found.id, found.state)
    draft = view.spool.begin(head)
    try:
        if claim is None:
            draft.write(content)
        else:
            while piece := claim.read(_PIECE):
                draft.write(piece)
        draft.commit()
    finally:
        draft.discard()  # does nothing to what is committed
        if claim is not None:
            claim.close()
    if found.state == HOLD:
        view.spool.move(head.id, QUEUE, HOLD)
