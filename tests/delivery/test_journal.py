"""The log and the history of a service, and what is told at every door."""

from __future__ import annotations

import dataclasses
import os

import pytest

from pillarbox.config.places import Places
from pillarbox.config.service import parse_service
from pillarbox.delivery.events import INFO, Events
from pillarbox.delivery.history import HISTORY, History
from pillarbox.delivery.journal import (
    log_accepted,
    make_events,
    make_silent_events,
    message_id_in,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import Head, Origin


@pytest.fixture
def service(tmp_path):
    """Return the settings of a service whose spool is there."""
    os.mkdir(tmp_path / "spool")
    places = Places("/s.toml", str(tmp_path / "spool"), "/submit", "/control", "/accounts")
    return parse_service({"log": {"targets": ["file"], "file": str(tmp_path / "log")}}, places)


def head(**changes):
    """Return the head of a mail."""
    values = {
        "account": "work",
        "message_id": "<m@h>",
        "origin": Origin(1000, 1001, os.getpid(), door="socket"),
    }
    paths = tuple(map(parse_mailbox, ("you@example.com", "root@example.com")))
    envelope = Envelope(parse_mailbox("me@example.org"), paths)
    return Head("0abc-1", 1000.0, envelope, **(values | changes))


def kept(service):
    """Return what is in the history."""
    return list(History(f"{service.spool}/{HISTORY}").find())


def test_a_mail_that_was_taken_is_told_of_with_its_caller(service, tmp_path):
    """Who brought it, by the kernel's word, and what it is: in the log and in the history."""
    events = make_events(service, {})
    log_accepted(events, head(), 1234)
    (row,) = kept(service)
    with open(f"/proc/{os.getpid()}/comm") as file:
        program = file.read().strip()
    assert {key: value for key, value in row.items() if key != "time"} == {
        "event": "accepted",
        "priority": 6,
        "id": "0abc-1",
        "uid": 1000,
        "gid": 1001,
        "pid": os.getpid(),
        "program": program,
        "door": "socket",
        "account": "work",
        "from": "me@example.org",
        "to": "you@example.com,root@example.com",
        "recipients": 2,
        "message_id": "<m@h>",
        "size": 1234,
    }
    line = (tmp_path / "log").read_text()
    assert "event=accepted id=0abc-1 uid=1000 gid=1001" in line


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"origin": Origin(door="notice")}, {"uid": -1, "pid": -1, "door": "notice"}),
        ({"origin": Origin(1, 1, 2**22 + 1, door="socket")}, {"pid": 2**22 + 1}),
        ({"priority": 5}, {"mail_priority": 5}),
        ({"message_id": ""}, {}),
    ],
)
def test_what_nobody_knows_is_left_out(service, changes, expected):
    """A caller that has ended has no name any more, and is told of all the same."""
    log_accepted(make_silent_events(service), head(**changes), 1)
    (row,) = kept(service)
    assert {key: row[key] for key in expected} == expected
    assert ("program" in row) == ("origin" not in changes)
    assert ("message_id" in row) == ("message_id" not in changes)


def test_a_process_that_calls_itself_something_odd_forges_nothing(service, tmp_path):
    """Attack L9: the name of a process is its own choice."""
    events = make_events(service, {})
    with open("/proc/self/comm", "r+b", buffering=0) as file:
        before = file.read().rstrip(b"\n")
        file.seek(0)
        file.write(b"x\nevent=\x1b[2J")
        try:
            log_accepted(events, head(), 1)
        finally:
            file.seek(0)
            file.write(before)
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.isprintable()
    assert line.count(" event=") == 1


def test_settings_that_are_read_anew_are_followed(service, tmp_path):
    """The log goes elsewhere, and the history is kept for another time."""
    events = make_events(service, {})
    events.event(INFO, "stopped")
    changed = dataclasses.replace(
        service,
        log=dataclasses.replace(service.log, file=str(tmp_path / "other")),
        delivery=dataclasses.replace(service.delivery, history_kept_s=86400),
    )
    events.adopt(changed)
    events.event(INFO, "stopped")
    assert (tmp_path / "log").read_text().count("stopped") == 1
    assert (tmp_path / "other").read_text().count("stopped") == 1
    assert events.history.kept_s == 86400


def test_events_that_are_not_the_settings_business_stay_as_they_are(service):
    """A test's, or a command's, go on where they went."""
    lines = []
    events = Events(lines.append, environment={})
    events.adopt(service)
    events.event(INFO, "stopped")
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"Message-ID: <a@b>\r\n\r\n", "<a@b>"),
        (b"From: x\r\nMESSAGE-id:\r\n <a@b>\r\nTo: y\r\n\r\nbody", "<a@b>"),
        (b"From: x\r\n\r\nMessage-ID: <in@body>\r\n", ""),
        (b"X-Message-ID: <a@b>\r\n\r\n", ""),
        (b"Subject: a\r\n Message-ID: <folded@x>\r\n\r\n", ""),
        (b"Message-ID: <a\x1b@b>\r\n\r\n", "<a\\x1b@b>"),
        (b"Message-ID: odd\r\n\r\n", ""),
        (b"", ""),
        (b"x" * 100_000, ""),
    ],
)
def test_finds_the_message_id_of_what_goes_out(start, found):
    """Only in the header section, only the field of that name, and nothing unprintable."""
    assert message_id_in(start) == found
