"""
``pillarbox trace``: one mail on one screen, from the program that sent it to the provider.

What the history and the queue know of it comes from the queue's daemon, or from the spool itself
(``queue_access``); here it becomes lines: one row of ``SENTENCES`` for each event. What stands in
them came from callers and servers: everything passes ``printable``.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from pillarbox.cli.arguments import Parser
from pillarbox.cli.main import complain, spoken
from pillarbox.cli.queue_access import QueueAccess, find_queue
from pillarbox.errors import EX_TEMPFAIL, PillarboxError, SpoolError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    Row = dict[str, Any]

__all__ = ["SENTENCES", "main", "trace_lines"]

_LONGEST = 2000  # characters of one thing that is shown
_INDENT = " " * 22


def main(argv: list[str]) -> int:
    """
    Run ``pillarbox trace``.

    Returns:
        0: it was found; 66: nobody knows such a mail.

    Raises:
        UsageError: The arguments are wrong.
        NetworkError: The daemon does not answer.
        SpoolError: Neither a daemon nor the spool itself can be asked.

    """
    wishes = _parse_arguments(argv)
    place = find_queue(os.environ, is_user=wishes.user, spool=wishes.spool, settings=wishes.config)
    with QueueAccess(place, os.environ) as queue:
        answer = queue.ask("trace", word=wishes.word)
        return _print_json(answer) if wishes.json else _print(answer)


def _parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(
        prog="pillarbox trace",
        description=spoken(
            say("Show what became of a mail, from the program that sent it to the provider.")
        ),
        epilog=spoken(
            say(
                "Exit code: 0 found, 64 wrong usage, 66 nobody knows such a mail, 75 not now, 77"
                " not allowed, 78 wrong settings."
            )
        ),
        allow_abbrev=False,
    )
    parser.add_argument(
        "word",
        metavar="MAIL",
        help=spoken(
            say(
                "its queue ID or the beginning of it, its Message-ID, the process that sent it"
                " (pid:N), or the ID that the provider gave it"
            )
        ),
    )
    parser.add_argument(
        "--json", action="store_true", help=spoken(say("print one JSON object a line for scripts"))
    )
    parser.add_argument(
        "--user", action="store_true", help=spoken(say("your own queue, not the system's"))
    )
    parser.add_argument(
        "--spool",
        default="",
        metavar="DIR",
        help=spoken(say("the queue in this directory, without its daemon")),
    )
    parser.add_argument(
        "--config",
        default="",
        metavar="FILE",
        help=spoken(say("settings in place of the usual ones")),
    )
    return parser.parse_args(argv)


def _print_json(answer: Iterable[Row]) -> int:
    for row in answer:
        if row.get("end"):
            return _ended(row)
        print(json.dumps(row))
    raise SpoolError(say("the answer has no end"))


def _print(answer: Iterable[Row]) -> int:
    rows: list[Row] = []
    for row in answer:
        if row.get("end"):
            for line in trace_lines(rows):
                print(line)
            return _ended(row)
        rows.append(row)
    raise SpoolError(say("the answer has no end"))


class _AnsweredError(PillarboxError):
    """What the queue answered."""


def _ended(row: Row) -> int:
    code = row["code"] if isinstance(row["code"], int) else EX_TEMPFAIL
    if row["problem"]:
        complain("pillarbox trace", _AnsweredError(row["problem"], advice=row["advice"]))
    return code


# -- the page -----------------------------------------------------------------------------------


def trace_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a page: each mail under its queue ID, each event with its time."""
    mail, before_s = None, None
    for row in rows:
        if row["mail"] != mail:
            if mail is not None:
                yield ""
            mail, before_s = row["mail"], None
            day = _moment(row["time"]).strftime("%Y-%m-%d")
            yield spoken(say("mail {id}, {day}", id=printable(mail), day=day))
        time_s = float(row["time"])
        first, *others = _sentences(row)
        yield f"{_moment(time_s):%H:%M:%S} {_difference(time_s, before_s):>9}  {first}"
        for line in others:
            yield _INDENT + line
        before_s = time_s


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone()


def _difference(time_s: float, before_s: float | None) -> str:
    """Return how long after the line before something happened."""
    if before_s is None:
        return ""
    seconds = max(0.0, time_s - before_s)
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"+{seconds / unit_s:.1f} {unit}"
    return f"+{seconds:.1f} s"


def _sentences(row: Row) -> list[str]:
    """Return what an event says, in one line or a few."""
    shown = {key: _shown(value) for key, value in row.items()}
    sentence = SENTENCES.get(row["event"], _other)
    return [spoken(text) for text in sentence(shown) if text]


def _shown(value: object) -> str:
    return "" if value is None else printable(str(value), _LONGEST)


def _accepted(row: Row) -> list[str]:
    program = row.get("program") or "?"
    return [
        say(
            "accepted from {program}, pid {pid}, uid {uid}",
            program=program,
            pid=row.get("pid", "?"),
            uid=row.get("uid", "?"),
        ),
        say("from {sender} to {to}", sender=row.get("from", "<>"), to=row.get("to", "?")),
        say(
            "{size} bytes, account {account}, Message-ID {id}",
            size=row.get("size", "?"),
            account=row.get("account", "?"),
            id=row.get("message_id", "?"),
        ),
    ]


def _repaired(row: Row) -> list[str]:
    return [say("repaired: {rules}", rules=row.get("rules", ""))]


def _rerouted(row: Row) -> list[str]:
    return [
        say(
            "goes through {via}, as account {account} is broken",
            via=row.get("via", "?"),
            account=row.get("account", "?"),
        )
    ]


def _delivered(row: Row) -> list[str]:
    name = row.get("provider_id", "")
    return [
        say("delivered to {to}", to=row.get("to", "?")),
        _by(row),
        say("the provider calls it {id}", id=name) if name else "",
        row.get("reply", ""),
        *_doubt(row),
    ]


def _deferred(row: Row) -> list[str]:
    next_s = row.get("next_s", "")
    return [
        say("not yet delivered to {to}", to=row.get("to", "?")),
        _by(row),
        row.get("reply") or row.get("reason", ""),
        say("tried again in {time} seconds", time=next_s) if next_s else "",
        *_doubt(row),
    ]


def _bounced(row: Row) -> list[str]:
    return [
        say("given up for {to}", to=row.get("to", "?")),
        _by(row),
        row.get("reply") or row.get("reason", ""),
    ]


def _by(row: Row) -> str:
    return say(
        "through account {account} at {host}, attempt {number}",
        account=row.get("account", "?"),
        host=row.get("host", "?"),
        number=row.get("attempts", "?"),
    )


def _doubt(row: Row) -> list[str]:
    is_doubtful = row.get("possible_duplicate") == "yes"
    return [say("an earlier try may have arrived as well")] if is_doubtful else []


def _notice(row: Row) -> list[str]:
    if row.get("about") == row["mail"]:
        return [say("{to} is told by mail {id}", to=row.get("to", "?"), id=row.get("id", "?"))]
    return [
        say("a notice for {to}", to=row.get("to", "?")),
        say("it tells of mail {id}", id=row["about"]) if row.get("about") else "",
    ]


def _no_notice(row: Row) -> list[str]:
    return [say("nobody is told by mail: {reason}", reason=row.get("reason", ""))]


def _by_person(text: str) -> Callable[[Row], list[str]]:
    return lambda row: [
        say("{what} by uid {uid}", what=text, uid=row.get("by", "?")),
        say("goes on as {id}", id=row["new_id"]) if row.get("new_id") else "",
    ]


def _account_waits(row: Row) -> list[str]:
    return [
        say(
            "account {account} has to wait: {reason}",
            account=row.get("account", "?"),
            reason=row.get("reason") or row.get("kind", ""),
        )
    ]


def _account_works(row: Row) -> list[str]:
    return [say("account {account} is tried again", account=row.get("account", "?"))]


def _now(row: Row) -> list[str]:
    state = _STATES.get(row.get("state", ""), row.get("state", ""))
    if row.get("is_active") == "True":
        state = say("it is on its way")
    lines = [say("now: {state}", state=state), row.get("reason", "")]
    next_s = row.get("next_attempt_s", "")
    if next_s and row.get("state") == "queue":
        lines.append(say("next try at {time}", time=f"{_moment(float(next_s)):%Y-%m-%d %H:%M:%S}"))
    return lines


_STATES = {
    "queue": say("it waits"),
    "hold": say("it is on hold"),
    "failed": say("it has failed, and is kept"),
    "corrupt": say("it is damaged, and is kept"),
}


def _other(row: Row) -> list[str]:
    said = [f"{key}={row[key]}" for key in row if key not in ("mail", "time", "event", "priority")]
    return [" ".join([row["event"], *said])]


# An event of the history -> what a person reads of it.
SENTENCES: dict[str, Callable[[Row], list[str]]] = {
    "accepted": _accepted,
    "repaired": _repaired,
    "rerouted": _rerouted,
    "delivered": _delivered,
    "deferred": _deferred,
    "bounced": _bounced,
    "expired": lambda _: [say("it is too old: given up")],
    "filed": lambda _: [say("kept among the failed mails")],
    "notice": _notice,
    "no_notice": _no_notice,
    "corrupt": lambda row: [say("damaged: {reason}", reason=row.get("reason", ""))],
    "held": _by_person(say("put on hold")),
    "released": _by_person(say("released")),
    "retried": _by_person(say("tried at once")),
    "deleted": _by_person(say("deleted")),
    "edited": _by_person(say("edited")),
    "account_failed": _account_waits,
    "account_paused": _account_waits,
    "account_recovered": _account_works,
    "account_resumed": _account_works,
    "now": _now,
}
