"""
A queue in numbers, and the mails that are not in it any more.

What waits is counted in the spool; what was delivered or given up is read from the history.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby, islice

from pillarbox.delivery.filters import parse_filters
from pillarbox.errors import UsageError
from pillarbox.mail.reply import printable
from pillarbox.spool.base import CORRUPT, FAILED, HOLD, PENDING, QUEUE
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pillarbox.delivery.queue_view import View

    Row = dict[str, Any]

__all__ = ["AGES_S", "count_mails", "past_mails"]

# The age of a mail that waits: up to so many seconds; the last: older than all of them.
AGES_S = {"1m": 60, "10m": 600, "1h": 3600, "6h": 21600, "1d": 86400, "older": 1 << 62}

_HOUR_S, _DAY_S = 3600, 86400
_HOURS = 24  # are told one by one
_USERS_S = 7 * 86400.0  # how far a user sees back who is not the owner
_LIFETIME_S = 6 * 86400.0  # a mail that ended then may have been accepted so much earlier

# An event of the history -> what became of the mail's recipients by it.
_OUTCOMES = {"delivered": "delivered", "bounced": "failed", "deleted": "deleted"}


def count_mails(view: View) -> Row:
    """Return a queue in numbers, as far as the caller sees it. Reads the whole spool."""
    now_s = view.clock.epoch_s()
    states: Counter[str] = Counter({QUEUE: 0, HOLD: 0, FAILED: 0})
    ages: Counter[str] = Counter(dict.fromkeys(AGES_S, 0))
    accounts: dict[str, Row] = {
        state.name: _account_numbers(is_paused=state.is_open)
        for state in view.carrier.accounts()
        if view.may_all
    }
    size_bytes, oldest_s, recipients = 0, 0.0, 0
    for state in (QUEUE, HOLD, FAILED):
        for found in view.entries(state):
            entry = found.entry
            states[state] += 1
            if entry is None or state == FAILED:
                continue
            age_s = max(0.0, now_s - entry.head.accepted_s)
            ages[next(name for name, limit_s in AGES_S.items() if age_s <= limit_s)] += 1
            size_bytes += entry.size_bytes
            oldest_s = max(oldest_s, age_s)
            recipients += entry.progress.statuses.count(PENDING)
            numbers = accounts.setdefault(entry.head.account, _account_numbers(is_paused=False))
            numbers["waiting"] += 1
            numbers["size_bytes"] += entry.size_bytes
            numbers["oldest_s"] = max(numbers["oldest_s"], round(age_s, 3))
    if view.may_all:
        states[CORRUPT] = len(view.spool.names(CORRUPT))
    return {
        "is_delivering": view.carrier.is_running,
        "states": dict(states),
        "size_bytes": size_bytes,
        "recipients": recipients,
        "oldest_s": round(oldest_s, 3),
        "ages": dict(ages),
        "accounts": accounts,
    } | _lately(view, now_s)


def _account_numbers(*, is_paused: bool) -> Row:
    return {"is_paused": is_paused, "waiting": 0, "size_bytes": 0, "oldest_s": 0.0}


def _lately(view: View, now_s: float) -> Row:
    """Return how many recipients were served, given up or struck out in each of 24 hours."""
    hours = [Counter(dict.fromkeys(_OUTCOMES.values(), 0)) for _ in range(_HOURS)]
    for record in _records(view, now_s - _HOURS * _HOUR_S):
        ago = min(_HOURS - 1, max(0, int((now_s - record["time"]) // _HOUR_S)))
        hours[ago][_OUTCOMES[record["event"]]] += len(_recipients(record)) or 1
    day: Counter[str] = Counter()
    for hour in hours:
        day.update(hour)
    return {
        "last_hour": dict(hours[0]),
        "last_day": dict(day),
        "hours": [dict(hour) for hour in hours],  # the last one first
    }


def past_mails(view: View, where: Mapping[str, str], limit: int) -> Iterator[Row]:
    """
    Yield what became of mails, the newest first; to who may not see all, of the last week.

    Args:
        view: What the caller sees.
        where: Filters; an age is that of what happened.
        limit: How many at most.

    """
    tests = parse_filters({name: text for name, text in where.items() if name != "state"})
    states = _outcomes_of(where.get("state", "all"))
    rows = (_past_row(record, view.clock.epoch_s()) for record in _newest_first(view))
    meant = (row for row in rows if row["state"] in states and all(test(row) for test in tests))
    yield from islice(meant, limit)


def _outcomes_of(text: str) -> list[str]:
    known = [*_OUTCOMES.values()]
    words = known if text == "all" else text.split(",")
    if not set(words) <= set(known):
        raise UsageError(
            say("--{name} {text} is wrong", name="state", text=repr(printable(text, 80))),
            advice=say("write {words}, with commas, or all", words=", ".join(known)),
        )
    return words


def _newest_first(view: View) -> Iterator[Row]:
    # The files come newest first; within one, what happened first comes first.
    for _, records in groupby(_records(view), lambda record: int(record["time"]) // _DAY_S):
        yield from reversed(list(records))


def _records(view: View, since_s: float | None = None) -> Iterator[Row]:
    """Yield the records of the mails that are the caller's to know of."""
    if view.history is None:
        return
    own = None
    if not view.may_all:
        # Whose a mail was, its acceptance says; a stranger does not have weeks read for him.
        since_s = max(since_s or 0.0, view.clock.epoch_s() - _USERS_S)
        accepted = view.history.find(
            uid=view.uid, events=("accepted",), since_s=since_s - _LIFETIME_S
        )
        own = {record.get("id") for record in accepted}
        if not own:
            return
    for record in view.history.find(events=tuple(_OUTCOMES), since_s=since_s):
        if own is None or record.get("id") in own:
            yield record


def _recipients(record: Row) -> list[str]:
    return [address for address in str(record.get("to", "")).split(",") if address]


def _past_row(record: Row, now_s: float) -> Row:
    """Return a record under the names that a listing has, so that the same filters hold."""
    outcome = _OUTCOMES[record["event"]]
    sender = record.get("from", "")
    return {
        "id": record.get("id", ""),
        "state": outcome,
        "time_s": record["time"],
        "age_s": max(0.0, now_s - record["time"]),
        "from": None if sender == "<>" else sender,
        "recipients": [{"address": address, "status": outcome} for address in _recipients(record)],
        "account": record.get("account", ""),
        "attempts": record.get("attempts", 0),
        "took_s": record.get("age_s"),
        "reason": record.get("reply") or record.get("reason", ""),
        "provider_id": record.get("provider_id", ""),
        "message_id": record.get("message_id", ""),
        "is_in_doubt": record.get("possible_duplicate") == "yes",
        "by": record.get("by"),
    }
