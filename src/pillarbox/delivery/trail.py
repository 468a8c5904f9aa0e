"""
Following a mail: all that its history and the queue know of it, in the order in which it happened.

A person has a queue ID or its beginning, a Message-ID, the process that sent it (``pid:4242``), or
what the provider calls it; each leads to the queue ID, and that to everything else. The rule to
keep: who may not see a mail in the queue does not see it here.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice

from pillarbox.errors import EntryNotFoundError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pillarbox.delivery.history import History
    from pillarbox.delivery.queue_view import View

    Row = dict[str, Any]

__all__ = ["NOW", "WORD", "trail"]

NOW = "now"  # the event of the row that says where a mail is

_MOST = 20  # mails that are shown of one process or Message-ID
_LONGEST = 998  # characters: no Message-ID is longer (RFC 5322 2.1.1)
_SHORTEST = 4  # of an abbreviation
_ACCOUNT_EVENTS = ("account_failed", "account_paused", "account_recovered", "account_resumed")


def _word(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST:
        raise ValueError
    return value.strip()


WORD: Callable[[object], str] = _word


def trail(view: View, word: str) -> Iterator[Row]:
    """
    Yield what happened to the mails that a word means, each in order, the newest mail first.

    Each row is a record of the history with ``mail``, the queue ID; where the mail is still in the
    queue, the last one has the event ``now``, its ``state`` and when it is tried next.

    Raises:
        EntryNotFoundError: Nobody knows such a mail.

    """
    ids = list(islice(_ids_of(view, word), _MOST))
    if not ids:
        raise EntryNotFoundError(
            say("nobody knows a mail {word}", word=printable(word, 100)),
            advice=say("write a queue ID, a Message-ID, pid:N, or the provider's queue ID"),
        )
    for entry_id in ids:
        for row in _steps(view, entry_id):
            yield {"mail": entry_id, **row}


def _ids_of(view: View, word: str) -> Iterator[str]:
    """Yield the queue IDs that a word means and that the caller may see, each once."""
    seen = set()
    own: set[str] | None = None
    for entry_id, is_allowed in _candidates(view, word):
        if entry_id not in seen:
            seen.add(entry_id)
            if not is_allowed and own is None:
                # Once: as many mails of others as the history has may begin with what he wrote.
                own = _own_ids(view)
            if is_allowed or (own is not None and entry_id in own):
                yield entry_id


def _candidates(view: View, word: str) -> Iterator[tuple[str, bool]]:
    """Yield queue IDs, and whether it is known already that the caller may see them."""
    history = view.history
    kind, _, number = word.partition(":")
    if kind == "pid":
        if history is not None and number.isascii() and number.isdigit() and len(number) < 20:
            for row in history.find(pid=int(number), events=("accepted",)):
                yield row["id"], view.may_all
        return
    if "@" not in word:
        with suppress(PillarboxError):  # it has left, or it never was one
            yield view.find(word).id, True
    if history is not None:
        for row in _named(history, word):
            yield row["id"], view.may_all


def _named(history: History, word: str) -> Iterator[Row]:
    """Yield records of mails that have a name of this kind."""
    if "@" in word:
        yield from history.find(message_id="<" + word.strip("<>") + ">")
        return
    yield from history.find(id=word)
    yield from history.find(provider_id=word)
    if len(word) >= _SHORTEST:
        for row in history.find(events=("accepted", "notice")):
            entry_id = row.get("id")
            if isinstance(entry_id, str) and (
                entry_id.startswith(word) or entry_id.partition("-")[2].startswith(word)
            ):
                yield row


def _own_ids(view: View) -> set[str]:
    """Return the queue IDs of all mails that the history says the caller handed over."""
    if view.history is None or view.uid < 0:
        return set()
    return {str(row.get("id")) for row in view.history.find(uid=view.uid, events=("accepted",))}


def _steps(view: View, entry_id: str) -> Iterator[Row]:
    rows: list[Row] = []
    if view.history is not None:
        rows += view.history.find(id=entry_id)
        rows += view.history.find(about=entry_id, events=("notice",))
    now = _now(view, entry_id)
    if rows and view.may_all:
        rows += _of_accounts(view, rows, is_over=now is None)
    rows.sort(key=lambda row: float(row["time"]))
    yield from rows
    if now is not None:
        yield now


def _of_accounts(view: View, rows: list[Row], *, is_over: bool) -> list[Row]:
    """Return what happened to the mail's accounts while it was on its way."""
    history = view.history
    assert history is not None  # rows came from it
    names = {row[key] for row in rows for key in ("account", "via") if row.get(key)}
    times = [float(row["time"]) for row in rows]
    end = max(times) if is_over else None
    return [
        row
        for row in history.find(events=_ACCOUNT_EVENTS, since_s=min(times), until_s=end)
        if row.get("account") in names
    ]


def _now(view: View, entry_id: str) -> Row | None:
    try:
        found = view.find(entry_id)
    except PillarboxError:
        return None
    row = view.row(found)
    return {
        "time": view.clock.epoch_s(),
        "event": NOW,
        "state": found.state,
        "next_attempt_s": row.get("next_attempt_s"),
        "is_active": bool(row.get("is_active")),
        "reason": row.get("reason", ""),
    }
