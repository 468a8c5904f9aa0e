"""
The queue as a person reads it: one entry in two or three lines, one in full, and how it all is.

What stands here came from callers, providers and daemons: everything passes ``printable``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pillarbox.cli.main import spoken
from pillarbox.cli.page import width_of
from pillarbox.delivery.queue_view import short_id
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Row = dict[str, Any]

__all__ = [
    "account_lines",
    "count_line",
    "entry_lines",
    "heading",
    "past_lines",
    "shown_lines",
    "size_text",
    "span_text",
    "state_text",
]

_SHOWN_RECIPIENTS = 3  # of a listing; "show" has them all
_INDENT = " " * 12

_STATES = {
    "queue": say("waits"),
    "hold": say("on hold"),
    "failed": say("failed"),
    "corrupt": say("damaged"),
}
_OUTCOMES = {
    "delivered": say("delivered"),
    "failed": say("failed"),
    "deleted": say("deleted"),
}
_STATUSES = {
    "pending": say("waits"),
    "delivered": say("delivered"),
    "bounced": say("failed"),
}


def heading() -> str:
    """Return the line above a listing."""
    names = (say("ID"), say("state"), say("age"), say("size"), say("tries"), say("next try"))
    return _columns([spoken(name) for name in names]) + "  " + spoken(say("from, to, reason"))


def entry_lines(row: Row, now_s: float) -> Iterator[str]:
    """Yield what a listing shows of an entry."""
    state = say("on its way") if row.get("is_active") else _STATES.get(row["state"], "?")
    if "from" not in row:
        yield f"{printable(row['id'])}  {spoken(state)}"
        return
    next_s = row["next_attempt_s"]
    columns = [
        short_id(printable(row["id"])),
        spoken(state),
        span_text(row["age_s"]),
        size_text(row["size_bytes"]),
        str(row["attempts"]),
        span_text(next_s - now_s) if next_s is not None else "-",
    ]
    yield _columns(columns) + "  " + _sender(row)
    yield _INDENT + "-> " + _recipients(row["recipients"])
    if row["reason"]:
        yield f"{_INDENT}({printable(row['reason'])})"
    if row["is_in_doubt"]:
        yield _INDENT + spoken(say("it may have arrived already; if so, it arrives twice"))


def shown_lines(row: Row, now_s: float) -> Iterator[str]:
    """Yield all that is known of one entry, but for its content."""
    rows: list[tuple[str, str]] = [(say("ID"), row["id"])]
    state = say("on its way") if row.get("is_active") else _STATES.get(row["state"], "?")
    rows.append((say("state"), state))
    if "from" in row:
        rows += _facts(row, now_s)
    width = max(width_of(spoken(name)) for name, _ in rows) + 2
    for name, value in rows:
        if value:
            title = spoken(name)
            yield title + " " * (width - width_of(title)) + printable(spoken(value), 4000)
    for each in row.get("recipients", ()):
        yield f"  {printable(each['address'])}  {spoken(_STATUSES.get(each['status'], '?'))}"
    if row.get("headers"):
        yield ""
        yield from (printable(line, 4000) for line in row["headers"])


def _facts(row: Row, now_s: float) -> Iterator[tuple[str, str]]:
    next_s, last_s, origin = row["next_attempt_s"], row["last_attempt_s"], row["origin"]
    yield say("accepted"), say("{time}, {age} ago", time=_time(row["accepted_s"]), age=_age(row))
    yield say("handed over by"), say("uid {uid}, pid {pid}", uid=origin["uid"], pid=origin["pid"])
    yield say("account"), row["account"]
    yield say("size"), say("{size} bytes", size=row["size_bytes"])
    yield say("Message-ID"), row["message_id"]
    yield say("tries"), str(row["attempts"])
    yield say("last try"), _time(last_s) if last_s is not None else ""
    yield (
        say("next try"),
        say("in {span}", span=span_text(next_s - now_s)) if next_s is not None else "",
    )
    yield say("reason"), row["reason"]
    if row["is_in_doubt"]:
        yield say("beware"), say("it may have arrived already; if so, it arrives twice")
    yield say("from"), _sender(row)
    yield say("to"), str(len(row["recipients"]))


def past_lines(row: Row) -> Iterator[str]:
    """Yield what became of a mail that is not in the queue any more."""
    outcome = spoken(_OUTCOMES.get(row["state"], "?"))
    gap = " " * max(1, 10 - width_of(outcome))
    yield f"{_time(row['time_s'])}  {short_id(printable(row['id']))}  {outcome}{gap}" + _sender(row)
    if row["recipients"]:
        names = [printable(each["address"]) for each in row["recipients"][:_SHOWN_RECIPIENTS]]
        if len(row["recipients"]) > len(names):
            more = say("{count} more", count=len(row["recipients"]) - len(names))
            names.append(spoken(more))
        yield _INDENT + "-> " + ", ".join(names)
    if row["reason"]:
        yield f"{_INDENT}({printable(row['reason'])})"


def state_text(state: str) -> str:
    """Return the word for a state."""
    return _STATES.get(state, state)


def account_lines(row: Row, now_s: float, *, may_steer: bool = True) -> Iterator[str]:
    """Yield how an account is doing, and to who may steer it how."""
    name, waiting = printable(row["account"]), row["waiting"]
    if not row["is_paused"]:
        yield spoken(say("account {name}: {count} waiting", name=name, count=waiting))
        if row["reason"]:
            yield f"  ({printable(row['reason'])})"
        return
    since = _time(row["since_s"]) if row["since_s"] else "?"
    yield spoken(
        say(
            "account {name}: {count} waiting; paused since {time}",
            name=name,
            count=waiting,
            time=since,
        )
    )
    yield f"  ({printable(row['reason'])})"
    if row["next_try_s"]:
        span = span_text(row["next_try_s"] - now_s)
        text = say("tried again in {span}", span=span)
        if may_steer:
            text = say(
                "tried again in {span}; at once with: pillarbox queue resume {name}",
                span=span,
                name=name,
            )
        yield "  " + spoken(text)


def count_line(counts: dict[str, int]) -> str:
    """Return how many there are of each kind."""
    parts = [
        f"{spoken(_STATES[state])}: {count}"
        for state, count in counts.items()
        if state in _STATES and (count or state == "queue")
    ]
    return ", ".join(parts)


def _columns(texts: list[str]) -> str:
    widths = (-10, -8, 6, 6, 5, 8)
    cells = []
    for text, width in zip(texts, widths, strict=True):
        gap = " " * (abs(width) - width_of(text))
        cells.append(text + gap if width < 0 else gap + text)
    return " ".join(cells)


def _sender(row: Row) -> str:
    return "<>" if row["from"] is None else printable(row["from"])


def _recipients(recipients: list[Row]) -> str:
    shown = []
    for each in recipients[:_SHOWN_RECIPIENTS]:
        address = printable(each["address"])
        if each["status"] != "pending":
            address += f" ({spoken(_STATUSES.get(each['status'], '?'))})"
        shown.append(address)
    more = len(recipients) - len(shown)
    if more > 0:
        shown.append(spoken(say("{count} more", count=more)))
    return ", ".join(shown)


def _age(row: Row) -> str:
    return span_text(row["age_s"])


def span_text(seconds: float) -> str:
    """Return a time span in one unit, as it is read at a glance."""
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)}{unit}"
    return f"{max(0, int(seconds))}s"


def size_text(size_bytes: int) -> str:
    """Return a size in three characters and a unit; a thousand and twenty-four are one k."""
    size = float(size_bytes)
    for unit in ("", "k", "M"):
        if size < 1000:
            return f"{size:.0f}{unit}" if not unit or size >= 10 else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}G"


def _time(epoch_s: float) -> str:
    """Return a time as the place where we are has it."""
    moment = datetime.fromtimestamp(epoch_s, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")
