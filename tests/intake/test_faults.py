"""Faults that nobody expected: one line each, of our code only, and never a flood."""

from __future__ import annotations

import errno

import pytest

from pillarbox.delivery.events import Events
from pillarbox.intake.faults import Faults


class Clock:
    """A clock that a test turns."""

    now_s = 100.0

    def elapsed_s(self):
        """Return what a test says."""
        return self.now_s


@pytest.fixture
def log():
    """Return lines, and the faults that write them."""
    lines = []
    faults = Faults(Events(lines.append, environment={"JOURNAL_STREAM": "x"}), Clock())
    return lines, faults


def raised(exc):
    """Return an exception that has been raised."""
    try:
        raise exc
    except type(exc) as caught:
        return caught


def test_a_fault_is_its_kind_and_its_place(log):
    """Attack L9: what somebody sent, which is in the text of an exception, is not in the log."""
    lines, faults = log
    faults.note(raised(ValueError("their secret\nevent=delivered")))
    (line,) = lines
    assert "event=internal_error kind=ValueError place=" in line
    assert "raised" not in line
    assert "secret" not in line
    assert ":2" in line or ":3" in line  # a line of this file


def test_sockets_that_cannot_be_had_are_a_line_in_ten_seconds(log):
    """Attack P3: a hundred times a second asyncio says so."""
    lines, faults = log
    full = OSError(errno.EMFILE, "Too many open files")
    for _ in range(100):
        faults.note_of_loop({"exception": full, "message": "accept"})
        faults.note(full)
    assert len(lines) == 1
    assert 'event=socket problem="accept: Too many open files"' in lines[0]
    faults._clock.now_s += 11.0
    faults.note(full)
    assert len(lines) == 2


def test_the_end_is_quiet(log):
    """What breaks while sockets are being closed is nobody's fault."""
    lines, faults = log
    faults.is_quiet = True
    faults.note_of_loop({"exception": ValueError("x"), "message": "m"})
    faults.note(OSError(errno.EMFILE, "Too many open files"))
    assert lines == []


def test_what_is_no_exception_is_nothing(log):
    """Asyncio has other things to tell."""
    lines, faults = log
    faults.note_of_loop({"message": "hello"})
    assert lines == []
    faults.note_of_loop({"message": "hello", "exception": raised(KeyError("x"))})
    assert "kind=KeyError" in lines[0]
