"""
``pillarbox queue stats``: the queue in numbers, for a person, a script, or Prometheus.

The names of the metrics are for ever; they are gauges, as a queue forgets nothing but what it
delivered. Prometheus' text format 0.0.4, for a node exporter's textfile or a cron job.
"""

from __future__ import annotations

from pillarbox.cli.main import spoken
from pillarbox.cli.queue_page import size_text, span_text, state_text
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Row = dict[str, Any]

__all__ = ["METRICS", "prometheus_lines", "stats_lines"]

# A metric -> what it counts.
METRICS = {
    "pillarbox_queue_mails": "Mails in the spool, by state.",
    "pillarbox_queue_recipients": "Recipients who wait.",
    "pillarbox_queue_bytes": "Octets of the mails that wait.",
    "pillarbox_queue_oldest_seconds": "Age of the oldest mail that waits.",
    "pillarbox_queue_age_mails": "Mails that wait, by age up to.",
    "pillarbox_queue_delivering": "Whether somebody delivers the queue.",
    "pillarbox_account_mails": "Mails that wait for an account.",
    "pillarbox_account_paused": "Whether an account is paused.",
    "pillarbox_recipients_last_hour": "Recipients in the last hour, by what became of them.",
    "pillarbox_recipients_last_day": "Recipients in the last 24 hours, by what became of them.",
}


def prometheus_lines(row: Row) -> Iterator[str]:
    """Yield the numbers as Prometheus reads them."""
    values = dict(_values(row))
    for name, text in METRICS.items():
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} gauge"
        for label, number in values[name].items():
            yield f"{name}{label} {number}"


def _values(row: Row) -> Iterator[tuple[str, dict[str, float]]]:
    accounts = row["accounts"].items()
    yield "pillarbox_queue_mails", _labelled("state", row["states"])
    yield "pillarbox_queue_recipients", {"": row["recipients"]}
    yield "pillarbox_queue_bytes", {"": row["size_bytes"]}
    yield "pillarbox_queue_oldest_seconds", {"": row["oldest_s"]}
    yield "pillarbox_queue_age_mails", _labelled("up_to", row["ages"])
    yield "pillarbox_queue_delivering", {"": int(row["is_delivering"])}
    yield (
        "pillarbox_account_mails",
        _labelled("account", {name: each["waiting"] for name, each in accounts}),
    )
    yield (
        "pillarbox_account_paused",
        _labelled("account", {name: int(each["is_paused"]) for name, each in accounts}),
    )
    yield "pillarbox_recipients_last_hour", _labelled("outcome", row["last_hour"])
    yield "pillarbox_recipients_last_day", _labelled("outcome", row["last_day"])


def _labelled(label: str, numbers: dict[str, float]) -> dict[str, float]:
    return {f'{{{label}="{_escaped(name)}"}}': number for name, number in numbers.items()}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def stats_lines(row: Row) -> Iterator[str]:
    """Yield the numbers for a person."""
    for state, count in row["states"].items():
        yield _line(state_text(state), str(count))
    yield _line(say("size"), size_text(row["size_bytes"]))
    yield _line(say("recipients who wait"), str(row["recipients"]))
    yield _line(say("oldest"), span_text(row["oldest_s"]) if row["oldest_s"] else "-")
    for name, count in row["ages"].items():
        if count:
            title = say("older") if name == "older" else say("up to {age}", age=name)
            yield _line(title, str(count))
    for name, key in ((say("last hour"), "last_hour"), (say("last day"), "last_day")):
        numbers = row[key]
        text = say(
            "{delivered} delivered, {failed} failed",
            delivered=numbers["delivered"],
            failed=numbers["failed"],
        )
        yield _line(name, spoken(text))
    for name, numbers in row["accounts"].items():
        text = say("{count} waiting", count=numbers["waiting"])
        if numbers["is_paused"]:
            text = say("{count} waiting, paused", count=numbers["waiting"])
        yield _line(say("account {name}", name=printable(name)), spoken(text))


def _line(title: str, value: str) -> str:
    from pillarbox.cli.page import width_of

    name = spoken(title)
    return f"{name}{' ' * max(1, 24 - width_of(name))}{value}"
