"""Where the log goes: each place gets it in its own form, and none holds up the mail."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest

from pillarbox.config.settings import Log
from pillarbox.delivery.events import CRITICAL, FORMATS, INFO, NOTICE, WARNING, Event, Events
from pillarbox.delivery.log_targets import TARGETS, File, Journal, Syslog, adopt

EVENT = Event(1_795_531_271.25, WARNING, "deferred", {"id": "x1", "reason": 'a "b"', "n": 5})
WORDS = 'event=deferred id=x1 reason="a \\"b\\"" n=5'
STAMP = "2026-11-24T14:41:11Z"


class Daemon:
    """A log daemon's socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(10)

    def get(self):
        """Return the next datagram."""
        return self.socket.recv(1 << 20)

    def get_all(self):
        """Return all that is there, by a descriptor if that is how it came."""
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
        for fd in fds:
            os.lseek(fd, 0, os.SEEK_SET)
            with os.fdopen(fd, "rb") as file:
                data += file.read()
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def log(*targets, form="words", file="", level="info"):
    """Return settings."""
    return Log(targets, form, str(file), level)


def test_a_file_gets_a_line_with_its_time(tmp_path):
    """It is made with a mode with which its group may read it, and is added to."""
    mask = os.umask(0o077)
    try:
        target = File(str(tmp_path / "log"), FORMATS["words"])
    finally:
        os.umask(mask)
    target.send(EVENT)
    target.close()
    again = File(str(tmp_path / "log"), FORMATS["words"])
    again.send(EVENT)
    again.close()
    assert (tmp_path / "log").read_text() == f"{STAMP} {WORDS}\n" * 2
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640


def test_a_line_of_json_has_its_time_inside(tmp_path):
    """A program reads each line as it is."""
    target = File(str(tmp_path / "log"), FORMATS["json"])
    target.send(EVENT)
    target.close()
    assert json.loads((tmp_path / "log").read_text()) == {
        "time": 1795531271.25,
        "event": "deferred",
        "priority": 4,
        "id": "x1",
        "reason": 'a "b"',
        "n": 5,
    }


def test_json_is_one_line_of_ascii_whatever_is_said():
    """Attack L9: log forging, by a field that has line ends, controls or half a character."""
    for evil in ("a\nb", "\u2028", "\x1b[2J", "\udc80", '"}\n{"event":"x"'):
        line = FORMATS["json"](Event(0.0, INFO, "refused", {"problem": evil}))
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["problem"] == evil


def test_a_symlink_planted_for_a_log_file_is_not_followed(tmp_path):
    """No other file is written to in its place."""
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        File(str(tmp_path / "log"), FORMATS["words"])
    assert (tmp_path / "victim").read_text() == "precious"


def test_threads_do_not_mix_their_lines(tmp_path):
    """Each line is one write."""
    target = File(str(tmp_path / "log"), FORMATS["words"])

    def work():
        for _ in range(200):
            target.send(EVENT)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.close()
    assert (tmp_path / "log").read_text() == f"{STAMP} {WORDS}\n" * 1000


@pytest.mark.parametrize(
    ("priority", "number"), [(CRITICAL, 18), (WARNING, 20), (NOTICE, 21), (INFO, 22)]
)
def test_syslog_gets_facility_mail_and_the_priority(tmp_path, priority, number):
    """A line as every syslog daemon takes it."""
    with Daemon(tmp_path / "log") as daemon:
        target = Syslog(FORMATS["words"], str(tmp_path / "log"))
        target.send(Event(0.0, priority, "stopped", {}))
        expected = f"<{number}>pillarbox[{os.getpid()}]: event=stopped"
        assert daemon.get().decode() == expected
        target.close()


@pytest.mark.parametrize("kind", [Syslog, Journal])
def test_a_daemon_that_was_started_anew_is_found_again(tmp_path, kind):
    """The first event behind its restart is not lost."""
    path = tmp_path / "log"
    target = kind(FORMATS["words"], str(path))
    with pytest.raises(OSError, match="No such file"):
        target.send(EVENT)
    for _ in range(2):
        with Daemon(path) as daemon:
            target.send(EVENT)
            assert b"event=deferred" in daemon.get()
        path.unlink()
    target.close()


@pytest.mark.parametrize("kind", [Syslog, Journal])
def test_a_daemon_that_does_not_read_holds_nobody_up(tmp_path, kind):
    """What it does not take at once is dropped."""
    with Daemon(tmp_path / "log"):
        target = kind(FORMATS["words"], str(tmp_path / "log"))
        events = Events(targets=[target])
        for _ in range(2000):
            events.event(INFO, "stopped")
        target.close()


def fields_of(data):
    """Read journald's protocol."""
    found = {}
    while data:
        line, _, data = data.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[:8], "little")
            value, data = data[8 : 8 + size], data[9 + size :]
        found[key.decode()] = value.decode()
    return found


def test_the_journal_gets_a_field_for_each_thing(tmp_path):
    """``journalctl PILLARBOX_ID=...`` finds a mail."""
    with Daemon(tmp_path / "socket") as daemon:
        target = Journal(FORMATS["words"], str(tmp_path / "socket"))
        target.send(EVENT)
        assert fields_of(daemon.get()) == {
            "MESSAGE": WORDS,
            "PRIORITY": "4",
            "SYSLOG_IDENTIFIER": "pillarbox",
            "PILLARBOX_EVENT": "deferred",
            "PILLARBOX_ID": "x1",
            "PILLARBOX_REASON": 'a "b"',
            "PILLARBOX_N": "5",
        }
        target.close()


@pytest.mark.parametrize("evil", ["a\nPRIORITY=0\nMESSAGE=forged", "\n", "\udc80\n", "x=\ny"])
def test_the_journal_cannot_be_given_forged_fields(tmp_path, evil):
    """Attack L9: a value with line ends has its length in front of it."""
    with Daemon(tmp_path / "socket") as daemon:
        target = Journal(FORMATS["words"], str(tmp_path / "socket"))
        target.send(Event(0.0, INFO, "refused", {"problem": evil}))
        found = fields_of(daemon.get())
        assert found["PRIORITY"] == "6"
        assert len(found) == 5
        expected = evil.encode("utf-8", "backslashreplace").decode()
        assert found["PILLARBOX_PROBLEM"] == expected
        target.close()


def test_the_journal_gets_what_is_too_large_for_a_datagram_in_memory(tmp_path):
    """A list of many thousand recipients is handed over as a sealed file."""
    recipients = ",".join(f"user{number}@example.com" for number in range(30_000))
    with Daemon(tmp_path / "socket") as daemon:
        target = Journal(FORMATS["words"], str(tmp_path / "socket"))
        target.send(Event(0.0, INFO, "delivered", {"to": recipients}))
        assert fields_of(daemon.get_all())["PILLARBOX_TO"] == recipients
        target.close()


def test_every_word_of_the_setting_has_a_target():
    """What the settings allow can be made."""
    from pillarbox.config.settings import SETTINGS

    rows = {row.name: row for row in SETTINGS if row.section == "log"}
    assert rows["targets"].parse(list(TARGETS)) == tuple(TARGETS)
    for form in FORMATS:
        assert rows["format"].parse(form) == form


def test_goes_to_several_places_and_changes_them(tmp_path, capfd):
    """Settings that are read anew count from then on, and a file that was moved is made anew."""
    before = len(os.listdir("/proc/self/fd"))
    events = Events(targets=())
    first, second = tmp_path / "first", tmp_path / "second"
    adopt(events, log("file", "stderr", file=first), {})
    events.event(INFO, "stopped")
    first.rename(tmp_path / "first.1")
    adopt(events, log("file", "stderr", file=first), {})
    events.event(INFO, "stopped")
    adopt(events, log("file", file=second, form="json", level="warning"), {})
    events.event(INFO, "stopped")
    events.event(WARNING, "spool")
    assert (tmp_path / "first.1").read_text().count("event=stopped") == 1
    assert first.read_text().count("event=stopped") == 1
    assert json.loads(second.read_text())["event"] == "spool"
    assert capfd.readouterr().err.count("event=stopped") == 2
    events.use((), level=INFO)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (log("file", file="/nonexistent/log"), "No such file"),
        (log("file"), "names no file"),
    ],
)
def test_a_place_that_cannot_be_had_is_told_of_elsewhere(capfd, settings, reason):
    """Where it was the only one, standard error has the log: nothing is silent."""
    events = Events(targets=())
    adopt(events, settings, {"JOURNAL_STREAM": "1"})
    events.event(INFO, "stopped")
    told, stopped = capfd.readouterr().err.splitlines()
    assert told.startswith("<4>event=log_failed target=file")
    assert reason in told
    assert stopped == "<6>event=stopped"


def test_a_target_that_fails_stops_neither_the_mail_nor_the_others(tmp_path):
    """The next target and the next event go on."""
    lines = []
    gone = File(str(tmp_path / "log"), FORMATS["words"])
    gone.close()

    class Other(type(gone)):
        def __init__(self):
            pass

        def send(self, event):
            lines.append(event.name)

    events = Events(targets=[gone, Syslog(FORMATS["words"], "/nonexistent"), Other()])
    events.event(INFO, "started")
    events.event(INFO, "stopped")
    assert lines == ["started", "stopped"]
