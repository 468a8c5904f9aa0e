"""The half that takes mail, where another process delivers it: what it tells, asks and counts."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from pillarbox.delivery.events import Events
from pillarbox.delivery.steward_rows import status_row
from pillarbox.errors import NetworkError, SpoolError
from pillarbox.intake import remote
from pillarbox.intake.remote import RemoteCarrier, Result, Shares
from pillarbox.mail.address import Mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import delivered
from pillarbox.spool.base import Entry, Head, Origin, Progress
from pillarbox.spool.entry import make_entry_id
from pillarbox.spool.memory import Memory

PATH = Mailbox("you", "example.com")
IDS = [make_entry_id(1000.0 + number, bytes(16)) for number in range(20)]


def entry(entry_id, uid=0, size=10):
    """Return an entry."""
    head = Head(entry_id, 1000.0, Envelope(None, (PATH,)), origin=Origin(uid))
    return Entry(head, Progress(b"P"), size)


class Deliverer:
    """A control socket that notes what it is asked, and answers with rows."""

    def __init__(self, path, rows=()):
        self.rows = list(rows)
        self.asked = []
        self.changed = threading.Condition()
        self.answers = threading.Event()
        self.answers.set()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answers.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._socket.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                with self.changed:
                    self.asked.append(json.loads(line))
                    self.changed.notify_all()
                self.answers.wait(20)
                for row in self.rows or [{"end": True, "code": 0, "problem": "", "advice": ""}]:
                    connection.sendall(json.dumps(row).encode() + b"\n")

    def wait_for(self, count):
        """Return what was asked, when it was so much."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, 20)
            return list(self.asked)


@pytest.fixture
def path(tmp_path):
    """Return where the control socket of the other process is."""
    return str(tmp_path / "c")


END = {"end": True, "code": 0, "problem": "", "advice": ""}


def test_each_mail_is_told_of(path):
    """In order, over as few connections as it takes."""
    with Deliverer(path) as other:
        carrier = RemoteCarrier(path, Events(lambda _: None))
        for each in IDS:
            carrier.put_back(entry(each))
        asked = other.wait_for(len(IDS))
    assert asked == [{"command": "wake", "id": each} for each in IDS]


def test_nobody_who_listens_is_one_line_until_somebody_does(path):
    """The mail is safe, and found by the other's next look."""
    lines, noted = [], threading.Event()

    def write(line):
        lines.append(line)
        noted.set()

    carrier = RemoteCarrier(path, Events(write))
    carrier.put_back(entry(IDS[0]))
    assert noted.wait(20)
    carrier.put_back(entry(IDS[1]))
    while not carrier._wakes.empty():
        pass
    with Deliverer(path) as other:
        carrier.put_back(entry(IDS[2]))
        other.wait_for(1)
    assert len(lines) == 1
    assert "event=deliverer_missing" in lines[0]


def test_what_cannot_be_told_does_not_fill_the_memory(path, monkeypatch):
    """Whatever the other does, the caller is not held and the list has an end."""
    monkeypatch.setattr(remote, "_MAX_WAKES", 3)
    with Deliverer(path) as other:
        other.answers.clear()
        carrier = RemoteCarrier(path, Events(lambda _: None))
        for each in IDS:
            carrier.put_back(entry(each))
        assert carrier._wakes.qsize() <= 3


def test_who_waits_gets_the_statuses_of_the_other_process(path):
    """As they were there."""
    status = delivered(PATH, Reply(250, (b"taken",)))
    with Deliverer(path, [status_row(status), END]) as other:
        future = RemoteCarrier(path, Events(lambda _: None)).wait_for(IDS[0])
        assert future.result(20) == Result((status,))
        assert other.asked == [{"command": "wait", "id": IDS[0]}]


def test_a_refusal_of_the_other_process_is_an_error(path):
    """With his words."""
    row = END | {"code": 75, "problem": "nobody knows yet"}
    with Deliverer(path, [row]):
        future = RemoteCarrier(path, Events(lambda _: None)).wait_for(IDS[0])
        with pytest.raises(SpoolError, match="nobody knows yet"):
            future.result(20)


def test_nobody_to_be_asked_is_an_error(path):
    """Which the caller hears as: it is kept."""
    future = RemoteCarrier(path, Events(lambda _: None)).wait_for(IDS[0])
    with pytest.raises(NetworkError):
        future.result(20)


@pytest.mark.parametrize("rows", [[END], [END | {"problem": "x"}]])
def test_a_wait_that_was_called_off_harms_nobody(path, rows):
    """The answer comes, and nobody is there any more."""
    with Deliverer(path, rows) as other:
        other.answers.clear()
        carrier = RemoteCarrier(path, Events(lambda _: None))
        begin = time.monotonic()
        future = carrier.wait_for(IDS[0])
        assert time.monotonic() - begin < remote._START_S  # it does not wait for the answer
        other.wait_for(1)
        assert future.cancel()
        other.answers.set()
        other.rows = [END]
        assert carrier.wait_for(IDS[1]).result(20) == Result(())


def test_shares_are_counted_from_the_spool_and_from_what_comes():
    """And what another process has delivered is found at the next look."""
    spool = Memory()
    spool.open()
    for number, uid in enumerate((5, 5, 6)):
        draft = spool.begin(entry(IDS[number], uid).head)
        draft.write(b"x" * 100)
        draft.commit()
    shares = Shares(spool)
    assert (shares.share_of(5), len(shares)) == ((0, 0), 0)
    shares.look()
    assert (shares.share_of(5), shares.share_of(6), len(shares)) == ((2, 200), (1, 100), 3)
    shares.count_in(6, 50)
    shares.count_in(7, 1)
    assert (shares.share_of(6), shares.share_of(7), len(shares)) == ((2, 150), (1, 1), 5)
    spool.remove(IDS[0])
    shares.look()
    assert (shares.share_of(5), shares.share_of(7), len(shares)) == ((1, 100), (0, 0), 2)
