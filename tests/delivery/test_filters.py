"""The filters: which mails a command means, for every column."""

from __future__ import annotations

import os
import pwd

import pytest

from pillarbox.delivery.filters import FILTERS, parse_filters, states_of
from pillarbox.errors import UsageError

ROW = {
    "id": "0hognofoxgj-3789lzox5r0000000000000000",
    "state": "queue",
    "age_s": 3600.0,
    "from": "Ann@Example.org",
    "recipients": [{"address": "joe@example.net"}, {"address": "zoe@[192.0.2.1]"}],
    "account": "work",
    "size_bytes": 2048,
    "attempts": 3,
    "reason": "450 4.2.1 Mailbox busy",
    "is_in_doubt": False,
    "uid": os.getuid(),
}
NULL = ROW | {"from": None, "is_in_doubt": True, "state": "failed"}
DAMAGED = {"id": "what is this", "state": "corrupt"}


def holds(row, **where):
    """Return whether a row passes filters."""
    return all(test(row) for test in parse_filters(where))


@pytest.mark.parametrize(("name", "passes", "fails"), [
    ("id", ["0hogno", "3789", ROW["id"]], ["789", "0hognofoxgj-4", "X"]),
    ("from", ["ann", "example.ORG", "ann@*", "*@example.org", "a?n@*"],
     ["joe", "ann*x", "<>", "?nn@example"]),
    ("to", ["joe", "ZOE", "*@example.net", "zoe@[192*", "[192.0.2.1]"],
     ["ann", "net*", "*@[a-z]*"]),
    ("account", ["work", "w*", "w?rk"], ["wor", "homework", "W*x"]),
    ("uid", [str(os.getuid()), pwd.getpwuid(os.getuid()).pw_name], ["4242", "-1"]),
    ("state", ["queue", "hold,queue", "all"], ["failed", "hold,corrupt"]),
    ("older", ["3599", "59m", "10s"], ["3600", "1h", "2d"]),
    ("newer", ["3601", "2h", "1d", "1w"], ["3600", "1h", "10m"]),
    ("larger", ["2047", "1k", "1K"], ["2048", "2k", "1M"]),
    ("smaller", ["2049", "3k", "1M"], ["2048", "2k", "100"]),
    ("attempts", ["3", ">2", ">=3", "<4", "<=3", "=3", "> 2"], ["2", ">3", ">=4", "<3", "=4"]),
    ("reason", ["4.2.1", "mailbox BUSY", "450*"], ["550", "busy*"]),
    ("in-doubt", [], [""]),
])  # fmt: skip
def test_a_filter_leaves_over_what_it_says(name, passes, fails):
    """Words without regard to case, patterns over the whole, numbers as they compare."""
    assert [text for text in passes if not holds(ROW, **{name: text})] == []
    assert [text for text in fails if holds(ROW, **{name: text})] == []


def test_every_filter_is_tried():
    """The table above has all of them."""
    marks = test_a_filter_leaves_over_what_it_says.pytestmark
    assert {row[0] for row in marks[0].args[1]} == set(FILTERS)


@pytest.mark.parametrize("where", [{"from": "<>"}, {"in-doubt": ""}, {"state": "failed,corrupt"}])
def test_bounces_doubt_and_failure_are_found(where):
    """What the row above is not."""
    assert holds(NULL, **where)
    assert not holds(ROW, **where)


def test_all_of_them_have_to_hold():
    """Two filters are an and."""
    assert holds(ROW, **{"from": "ann", "to": "joe"})
    assert not holds(ROW, **{"from": "ann", "to": "ann"})


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - {"id", "state"}))
def test_what_is_damaged_passes_no_filter_that_it_says_nothing_of(name):
    """Nobody knows its sender, so no sender is its."""
    text = {"uid": "-1", "older": "1s", "newer": "1w", "larger": "1", "smaller": "1M",
            "attempts": ">=0", "in-doubt": ""}.get(name, "*")  # fmt: skip
    assert not holds(DAMAGED, **{name: text})


@pytest.mark.parametrize(("name", "text"), [
    ("strange", ""), ("id", ""), ("from", ""), ("to", ""), ("account", ""), ("reason", ""),
    ("uid", "no such user"), ("uid", "--5"), ("uid", ""), ("state", ""), ("state", "queue,"),
    ("state", "all,queue"), ("older", "soon"), ("older", "-1h"), ("older", "0"),
    ("newer", "9" * 5000), ("larger", "big"), ("larger", "0"), ("smaller", "1X"),
    ("attempts", ""), ("attempts", ">"), ("attempts", "many"), ("attempts", "-1"),
    ("attempts", "9" * 5000), ("attempts", "\u0663"),
])  # fmt: skip
def test_what_cannot_be_understood_is_told(name, text):
    """And what could be written there."""
    with pytest.raises(UsageError, match=name) as caught:
        parse_filters({name: text})
    assert name == "strange" or caught.value.advice


def test_attack_a_pattern_that_takes_for_ever():
    """As many stars as fit in are matched in no time."""
    row = ROW | {"reason": "a" * 500}
    assert not holds(row, reason="a*" * 159 + "b")


@pytest.mark.parametrize(("where", "states"), [
    ({}, ("hold",)), ({"state": "failed"}, ("failed",)), ({"from": "x"}, ("hold",)),
    ({"state": "corrupt,queue"}, ("queue", "corrupt")),
    ({"state": "all"}, ("queue", "hold", "failed", "corrupt")),
])  # fmt: skip
def test_a_filter_says_where_to_look(where, states):
    """Else it is looked where the command does."""
    assert states_of(where, ("hold",)) == states
