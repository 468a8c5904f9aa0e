"""What became of every mail: kept a day a file, found again, and never in the mail's way."""

from __future__ import annotations

import json
import os
import threading
import timeit

import pytest

from pillarbox.delivery.events import INFO, Event, Events
from pillarbox.delivery.history import History

DAY_S = 86400
NOON_S = 1_795_521_600.0  # 2026-11-24, 12:00 UTC
TODAY = "2026-11-24.jsonl"


@pytest.fixture
def directory(tmp_path):
    """Return where the files are."""
    return tmp_path / "spool" / "history"


@pytest.fixture
def history(directory):
    """Return a history, whose spool is there."""
    directory.parent.mkdir()
    history = History(str(directory))
    yield history
    history.close()


def add(history, name="accepted", epoch_s=NOON_S, **fields):
    """Add an event."""
    history.add(Event(epoch_s, INFO, name, fields))


def ids(found):
    """Return the queue IDs of records."""
    return [row["id"] for row in found]


def test_keeps_a_record_as_a_line_of_json(history, directory):
    """A person or a script reads the files without us; nobody else can."""
    add(history, id="a", uid=1000, to="ä@b", reply="250 ok\n")
    assert (directory / TODAY).read_text() == (
        '{"time":1795521600.000,"event":"accepted","priority":6,"id":"a","uid":1000,'
        '"to":"\\u00e4@b","reply":"250 ok\\n"}\n'
    )
    assert (directory / TODAY).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_begins_a_file_each_day(history, directory):
    """A day is one file, by UTC, whichever way the clock goes."""
    for number, day in enumerate((0, 0, 1, 0, -1)):
        add(history, epoch_s=NOON_S + day * DAY_S, id=str(number))
    assert sorted(os.listdir(directory)) == ["2026-11-23.jsonl", TODAY, "2026-11-25.jsonl"]
    assert ids(history.find()) == ["2", "0", "1", "3", "4"]


def test_removes_what_is_too_old(directory):
    """When a day begins, the files go that are older than is wished; others stay."""
    directory.mkdir(parents=True)
    for name in (
        "2026-10-01.jsonl",
        "2026-10-25.jsonl",
        "2026-11-23.jsonl",
        "notes.txt",
        "x.jsonl",
    ):
        (directory / name).write_text("")
    history = History(str(directory), 30 * DAY_S, epoch_s=lambda: NOON_S)
    add(history, id="a")
    assert sorted(os.listdir(directory)) == sorted(
        ["2026-10-25.jsonl", "2026-11-23.jsonl", TODAY, "notes.txt", "x.jsonl"]
    )
    history.close()


def test_removes_nothing_where_nobody_said_how_long(history, directory):
    """A command that works on the spool leaves the age to the service."""
    directory.mkdir()
    (directory / "1999-01-01.jsonl").write_text("")
    add(history, id="a")
    history.tidy()
    assert len(os.listdir(directory)) == 2


def test_a_clock_of_1970_removes_nothing(directory):
    """A machine without a clock of its own does not throw away what it had."""
    directory.mkdir(parents=True)
    (directory / TODAY).write_text("")
    history = History(str(directory), DAY_S, epoch_s=lambda: 100.0)
    add(history, epoch_s=100.0, id="a")
    assert sorted(os.listdir(directory)) == ["1970-01-01.jsonl", TODAY]
    history.close()


ROWS = [
    {"id": "a", "uid": 1, "pid": 10, "account": "x", "message_id": "<m@h>"},
    {"id": "ab", "uid": 12, "pid": 1, "account": "y", "provider_id": "4XY"},
    {"id": "b", "uid": 1, "pid": 10, "account": 'q"\\ä', "about": "a"},
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["a", "ab", "b"]),
        ({"id": "a"}, ["a"]),
        ({"id": "ab"}, ["ab"]),
        ({"uid": 1}, ["a", "b"]),
        ({"uid": 12}, ["ab"]),
        ({"uid": 2}, []),
        ({"uid": 0}, []),
        ({"pid": 10}, ["a", "b"]),
        ({"pid": 10, "id": "b"}, ["b"]),
        ({"account": 'q"\\ä'}, ["b"]),
        ({"message_id": "<m@h>"}, ["a"]),
        ({"provider_id": "4XY"}, ["ab"]),
        ({"about": "a"}, ["b"]),
        ({"events": ("accepted",)}, ["a", "ab", "b"]),
        ({"events": ("delivered",)}, []),
        ({"since_s": NOON_S + 1}, ["ab", "b"]),
        ({"until_s": NOON_S + 1}, ["a", "ab"]),
        ({"since_s": NOON_S + 1, "until_s": NOON_S + 1}, ["ab"]),
        ({"since_s": NOON_S + DAY_S}, []),
        ({"until_s": NOON_S - DAY_S}, []),
    ],
)
def test_finds_what_has_all_that_is_asked_for(history, wanted, found):
    """Each thing that is asked for has to be so, exactly."""
    for number, fields in enumerate(ROWS):
        add(history, epoch_s=NOON_S + number, **fields)
    assert ids(history.find(**wanted)) == found


def test_finds_nothing_where_nothing_is(tmp_path):
    """A spool without a history has had no mail."""
    assert list(History(str(tmp_path / "none")).find()) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\n",
        b"{",
        b'{"time":1}\n',
        b'{"time":"x","event":"a"}\n',
        b'{"event":"a","time":1',
        b"[1]\n",
        b"\0" * 5000,
        b"\xff\xfe\n",
        b'"accepted"\n',
        b"[" * 100_000 + b"\n",
        b"x" * 700_000,
    ],
)
def test_passes_over_what_is_damaged(history, directory, damage):
    """A power cut, or whoever wrote into it, costs the lines that it hit and no others."""
    add(history, id="a")
    with open(directory / TODAY, "ab") as file:
        file.write(damage)
        if not damage.endswith(b"\n"):
            file.write(b"\n")
    add(history, id="b")
    assert ids(history.find(events=("accepted",))) == ["a", "b"]


def test_a_line_across_two_reads_is_whole(history):
    """However long the file, each record comes once."""
    for number in range(6000):
        add(history, id=f"mail{number}", reply="x" * 60)
    assert len(list(history.find())) == 6000
    assert ids(history.find(id="mail4711")) == ["mail4711"]


def test_half_a_line_does_not_spoil_the_next(history, directory):
    """What a power cut left of the last line costs that line only."""
    add(history, id="a")
    history.close()
    with open(directory / TODAY, "ab") as file:
        file.write(b'{"time":1795521600.0,"event":"acc')
    add(history, id="b")
    assert ids(history.find()) == ["a", "b"]


@pytest.mark.parametrize("kind", ["symlink", "directory", "FIFO"])
def test_something_planted_for_a_file_is_not_followed(history, directory, tmp_path, kind):
    """A link is neither written through nor read through, and a FIFO holds nobody up."""
    directory.mkdir()
    (tmp_path / "victim").write_text('{"time":1,"event":"accepted","id":"x"}\n')
    if kind == "symlink":
        (directory / TODAY).symlink_to(tmp_path / "victim")
    elif kind == "FIFO":
        os.mkfifo(directory / "2026-11-23.jsonl")
    else:
        (directory / TODAY).mkdir()
    if kind != "FIFO":
        add(history, id="a")
    assert list(history.find()) == []
    assert (tmp_path / "victim").read_text().count("\n") == 1


def test_what_cannot_be_written_stops_nothing(tmp_path):
    """Without its spool, or on a full disk, events go on; later ones are kept again."""
    history = History(str(tmp_path / "spool" / "history"))
    add(history, id="a")
    os.mkdir(tmp_path / "spool")
    add(history, id="b")
    assert ids(history.find()) == ["b"]
    history.close()
    add(history, id="c")
    assert ids(history.find()) == ["b", "c"]
    history.close()


def test_many_write_at_a_time_and_no_line_is_torn(directory):
    """Threads and processes of one spool share a file."""
    directory.mkdir(parents=True)
    histories = [History(str(directory)) for _ in range(2)]

    def work(number):
        for turn in range(200):
            add(histories[number % 2], id=f"{number}-{turn}", reply="x" * 300)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for line in (directory / TODAY).read_text().splitlines():
        json.loads(line)
    assert len(set(ids(histories[0].find()))) == 1200
    for history in histories:
        history.close()


def test_gets_what_a_mail_is_followed_by_whatever_the_level(history):
    """The log may be quiet; the history still knows, and only what is of a mail or account."""
    lines = []
    events = Events(lines.append, environment={}, level=2, history=history)
    events.event(INFO, "accepted", id="a")
    events.event(INFO, "started", spool="/x")
    assert lines == []
    assert [row["event"] for row in history.find()] == ["accepted"]


def test_costs_little(history):
    """An event is formatted and written in the time of a few system calls."""
    event = Event(NOON_S, INFO, "delivered", {"id": "a" * 37, "to": "you@example.com", "n": 7})
    best = min(timeit.repeat(lambda: history.add(event), number=500, repeat=5)) / 500
    assert best < 200e-6
