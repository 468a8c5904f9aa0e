"""The lines of the queue's log."""

from __future__ import annotations

import pytest

from pillarbox.delivery.events import CRITICAL, INFO, Events


def lines_of(environment, priority, name, **fields):
    """Return what is written of one event."""
    lines = []
    Events(lines.append, environment=environment).event(priority, name, **fields)
    return lines


def test_begins_with_the_priority_under_journald():
    """Journald reads the priority off the front of the line."""
    journal = {"JOURNAL_STREAM": "8:1"}
    assert lines_of(journal, CRITICAL, "suspended", id="x") == ["<2>event=suspended id=x"]


def test_begins_with_the_time_elsewhere():
    """A log file has the moment in front of each line, in UTC."""
    (line,) = lines_of({}, INFO, "delivered")
    time, event = line.split(" ")
    assert event == "event=delivered"
    assert len(time) == 20
    assert time.endswith("Z")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "v=plain"),
        (7, "v=7"),
        ("two words", 'v="two words"'),
        ('a "quoted" one', r'v="a \"quoted\" one"'),
        ("back\\slash", 'v="back\\\\slash"'),
        ("", None),
        (None, None),
    ],
)
def test_escapes_values(value, shown):
    """A value with blanks or quotes is quoted, and an empty one left out."""
    (line,) = lines_of({"JOURNAL_STREAM": "1"}, INFO, "e", v=value)
    assert line == ("<6>event=e" if shown is None else f"<6>event=e {shown}")


@pytest.mark.parametrize(
    "hostile", ["a\nevent=forged", "a\r\n<0>x", "a\x00\x1b[31m", "\u2028x", "x" * 9999]
)
def test_log_forging(hostile):
    """Attack L9: whatever a caller or a server says, a record is one short line."""
    (line,) = lines_of({}, INFO, "refused", reason=hostile, from_=hostile)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert len(line) < 1200
    assert line.count("event=refused") == 1


def test_writes_to_standard_error_at_once(capfd):
    """Without a place of its own the log is standard error."""
    Events(environment={"JOURNAL_STREAM": "1"}).event(INFO, "one")
    assert capfd.readouterr().err == "<6>event=one\n"
