"""The administrator's command: what it gets, what it may not get, and that it ends."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from queue import Queue

import pytest

from pillarbox.delivery.alarm import Alarm, Bell

SHOW = (
    "import json, os, sys;"
    "got = [sys.stdin.read(), dict(os.environ), os.getcwd(), sys.argv[2:]];"
    "got += [os.getsid(0) == os.getpid(), sorted(map(int, os.listdir('/proc/self/fd')))];"
    "json.dump(got, open(sys.argv[1], 'w'))"
)


def told(tmp_path, *arguments, subject="the account work cannot send", text="line\nother"):
    """Run a command that writes down what it got; return that."""
    path = tmp_path / "seen"
    command = [sys.executable, "-I", "-S", "-c", SHOW, str(path), *arguments]
    assert Alarm(command, hostname="web01").tell("crit", subject, text) == ""
    return json.loads(path.read_text())


def test_the_text_comes_on_standard_input(tmp_path):
    """Level, computer and subject first, then the text."""
    got = told(tmp_path, "a b", "$HOME;")
    assert got[0] == "crit web01: the account work cannot send\nline\nother\n"
    assert got[3] == ["a b", "$HOME;"]  # no shell has seen them


def test_nothing_of_ours_is_inherited(tmp_path, monkeypatch):
    """The environment is fixed, the directory is the root, the descriptors are its own."""
    monkeypatch.setenv("CANARY", "secret")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - its signature
    try:
        _, environment, folder, _, leads_session, descriptors = told(tmp_path)
    finally:
        os.close(reading)
        os.close(writing)
    assert set(environment) - {"LC_CTYPE"} == {"HOME", "LANG", "PATH"}
    assert folder == "/"
    assert leads_session
    assert descriptors == [0, 1, 2, 3]  # the last is that of the listing


@pytest.mark.parametrize("evil", ["--exec=x", "a\r\nb", "\x1b[2J", "x" * 100_000])
def test_words_of_a_server_are_data_of_bounded_length(tmp_path, evil):
    """They are on standard input, printable, and fit into a pipe."""
    got = told(tmp_path, subject=evil, text="\n".join([evil] * 100))
    assert got[3] == []
    assert "\x1b" not in got[0]
    assert got[0].count("\n") <= 31 + 30
    assert len(got[0]) < 65536


@pytest.mark.parametrize(("command", "expected"), [
    ([], ""),
    (["/nonexistent/alarm"], "cannot run /nonexistent/alarm: No such file or directory"),
    (["/bin/sh", "-c", "exit 3"], "/bin/sh ended with 3"),
    (["/bin/true"], ""),
    (["/bin/a\0b"], "cannot run /bin/a\0b: embedded null byte"),
])  # fmt: skip
def test_what_went_wrong_is_said(command, expected):
    """A command that does not read does no harm; one that fails is told."""
    assert Alarm(command, hostname="web01").tell("error", "x", "y") == expected


def test_a_command_that_hangs_is_killed_with_its_children():
    """Nothing of it is left behind."""
    command = ["/bin/sh", "-c", "sleep 77 & sleep 77"]
    begun = time.monotonic()
    problem = Alarm(command, hostname="web01", timeout_s=0.2).tell("crit", "x")
    assert problem == "/bin/sh had not ended after 0.2 seconds"
    assert time.monotonic() - begun < 5


class Slow:
    """A command that ends when it is told to."""

    def __init__(self, answer=""):
        self.began, self.may_end = Queue(), Queue()
        self.answer = answer
        self.failures = Queue()
        self.bell = Bell(self.tell, on_failure=self.failures.put)

    def tell(self, subject, text):
        """Take its time."""
        self.began.put((subject, text))
        self.may_end.get(timeout=10)
        if self.answer == "raise":
            raise ZeroDivisionError
        return self.answer


def test_attack_a_flood_of_failures_is_one_command_at_a_time():
    """Any user can send mail of whose failure nobody can be told; each is an alarm."""
    slow = Slow()
    before = threading.active_count()
    slow.bell.ring("first", "why")
    assert slow.began.get(timeout=10) == ("first", "why")
    for number in range(1000):
        slow.bell.ring(f"mail {number} failed", "no\nsender")
    assert threading.active_count() <= before + 1
    slow.may_end.put(None)
    subject, text = slow.began.get(timeout=10)
    lines = text.split("\n")
    assert subject == "1000 alarms"
    assert (lines[0], lines[-1]) == ("mail 0 failed: no sender", "and 971 more: see the log")
    assert len(lines) == 30
    slow.may_end.put(None)


@pytest.mark.parametrize(
    ("answer", "said"), [("it broke", "it broke"), ("raise", "ZeroDivisionError")]
)
def test_an_alarm_that_failed_is_said_and_the_next_one_rings(answer, said):
    """Whatever became of the command."""
    slow = Slow(answer)
    for _ in range(2):
        slow.may_end.put(None)
        slow.bell.ring("a", "b")
        assert slow.began.get(timeout=10) == ("a", "b")
        assert slow.failures.get(timeout=10) == said
