"""
Every system call is made to fail in turn, or is the last of its process.

Whatever fails, and with whatever error: only ``SpoolError`` comes out, what was acknowledged is
there whole behind a restart, what was recorded durably is known, no descriptor leaks, and
nothing is left in ``tmp`` but what its own removal failed for or a dead process left.
"""

import errno
import os

import pytest

from pillarbox.errors import SpoolError
from pillarbox.spool.base import FAILED, HOLD, QUEUE, STATES, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.folders import TMP
from spool.contract import content_of
from spool.faults import Death, FaultyDisk, QuickDisk
from spool.letters import make_head

ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE]
CONTENTS = [b"Subject: a\n\nsmall\n", bytes(range(256)) * 700]


class Ledger:
    """What was promised."""

    def __init__(self):
        self.acknowledged = {}  # head.id: content
        self.offered = {}  # head.id: content
        self.recorded = {}  # head.id: statuses that are durable
        self.removed = set()  # removal was asked for
        self.settled = set()  # removal is for good


def submit(spool, ledger):
    """Put mails in, in pieces."""
    for content in CONTENTS:
        head = make_head()
        ledger.offered[head.id] = content
        draft = spool.begin(head)
        try:
            for start in range(0, len(content), 50_000):
                draft.write(content[start : start + 50_000])
            draft.commit()
        finally:
            draft.discard()
        ledger.acknowledged[head.id] = content


def deliver(spool, ledger):
    """Send what is there: one for good, one in part."""
    for number, name in enumerate(sorted(spool.names())):
        claim = spool.claim(name)
        try:
            statuses = claim.entry.progress.statuses
            claim.record(Progress(statuses, attempts=1), is_durable=False)
            assert content_of(claim) == ledger.offered[name]
            claim.record(Progress(statuses, attempts=1, is_in_doubt=True), is_durable=False)
            statuses = b"DDD" if number == 0 else b"DPF"
            claim.record(Progress(statuses, attempts=1), is_durable=True)
            ledger.recorded[name] = statuses
        finally:
            claim.close()
        if number == 0:
            ledger.removed.add(name)
            spool.remove(name)
            spool.settle()
            ledger.settled.add(name)


def move(spool, ledger):
    """Hold one, take it back, file it as failed."""
    del ledger
    name = min(spool.names())
    for source, target in ((QUEUE, HOLD), (HOLD, QUEUE), (QUEUE, FAILED)):
        spool.move(name, source, target)


def look(spool, ledger):
    """Read, list, update and ask for room."""
    for entry in spool.scan():
        assert spool.read(entry.head.id).head == entry.head
        spool.update(entry.head.id, entry.progress)
    spool.room()
    del ledger


STORIES = [submit, deliver, move, look]


def prepared(path):
    """Make a spool with two mails, and garbage, and a move that broke off."""
    ledger = Ledger()
    spool = Directory(path, disk=QuickDisk())
    spool.open()
    submit(spool, ledger)
    name = max(spool.names())
    spool.close()
    os.link(f"{path}/queue/{name}", f"{path}/hold/{name}")
    with open(f"{path}/{TMP}/garbage", "w") as file:
        file.write("x")
    return ledger


def check(path, ledger):
    """Restart without faults, and hold what is found against what was promised."""
    spool = Directory(path, disk=QuickDisk())
    spool.open()
    assert os.listdir(f"{path}/{TMP}") == []
    assert os.listdir(f"{path}/corrupt") == []
    found = {}
    for state in STATES:
        for entry in spool.scan(state):
            claim = spool.claim(entry.head.id, state)
            assert entry.head.id not in found
            found[entry.head.id] = entry.progress.statuses
            assert content_of(claim) == ledger.offered[entry.head.id]
            claim.close()
    assert set(ledger.acknowledged) - ledger.removed <= set(found)
    assert not set(found) & ledger.settled
    for name, statuses in ledger.recorded.items():
        assert found.get(name, statuses) == statuses
    spool.close()


def run(path, disk, story, ledger):
    """Open the spool and play a story on a faulty disk."""
    spool = Directory(path, disk=disk)
    try:
        spool.open()
        story(spool, ledger)
    except SpoolError as exc:
        if not disk.failed or exc.exit_code != 75:
            raise
    finally:
        if not (disk.is_death and disk.failed):
            spool.close()


def leftovers(path):
    """Return what is in ``tmp`` but the garbage that was there before."""
    return set(os.listdir(f"{path}/{TMP}")) - {"garbage"}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_any_call_may_fail(tmp_path, story, error):
    """No failing call loses what was accepted, or makes a false promise."""
    for at in range(1, 1000):
        path = str(tmp_path / str(at))
        ledger = prepared(path)
        disk = FaultyDisk(at, error)
        run(path, disk, story, ledger)
        assert disk.open_fds == set(), disk.failed
        if disk.failed and disk.failed[0] != "unlink":
            assert leftovers(path) == set(), disk.failed
        check(path, ledger)
        if not disk.failed:
            break
    assert at > 20


@pytest.mark.parametrize("story", STORIES)
def test_any_call_may_be_the_last(tmp_path, story):
    """A process that is killed in front of any call loses nothing that was accepted."""
    for at in range(1, 1000):
        path = str(tmp_path / str(at))
        ledger = prepared(path)
        disk = FaultyDisk(at, is_death=True)
        try:
            run(path, disk, story, ledger)
        except Death:
            disk.bury()
        check(path, ledger)
        if not disk.failed:
            break
    assert at > 20


@pytest.mark.parametrize("kind", ["fsync", "fdatasync"])
def test_a_failed_fsync_of_a_file_is_never_tried_again(tmp_path, kind):
    """Linux says yes the second time, and the data are gone: fsyncgate."""
    path = str(tmp_path / "spool")
    ledger = prepared(path)
    disk = FaultyDisk(error=errno.EIO)
    spool = Directory(path, disk=disk)
    spool.open()
    disk.at, disk.kind, disk.number = 1, kind, 0
    if kind == "fsync":
        with pytest.raises(SpoolError):
            submit(spool, ledger)
        assert leftovers(path) == set()
    else:
        claim = spool.claim(min(spool.names()))
        disk.calls.clear()
        for _ in range(3):
            for is_durable in (True, False):
                with pytest.raises(SpoolError):
                    claim.record(Progress(b"DDD"), is_durable=is_durable)
        assert disk.names_of_calls() == ["pwrite", "fdatasync"]
        assert claim.entry.progress == Progress(b"PPP")
        claim.close()
    assert [call for call in disk.calls if call == disk.failed] == [disk.failed]
    spool.close()


def test_a_directory_fsync_that_fails_leaves_the_mail_and_says_no(tmp_path):
    """S8: the mail may get sent, so that the caller's next try is a duplicate and never a loss."""
    path = str(tmp_path / "spool")
    disk = FaultyDisk(error=errno.EIO)
    spool = Directory(path, disk=disk)
    spool.open()
    head = make_head()
    draft = spool.begin(head)
    disk.at, disk.kind, disk.number = 2, "fsync", 0
    with pytest.raises(SpoolError):
        draft.commit()
    draft.discard()
    assert spool.names() == [head.id]
    spool.close()
    assert disk.open_fds == set()


def test_a_full_disk_still_records(tmp_path):
    """What was delivered is written down without a new block: only calls that take room fail."""
    path = str(tmp_path / "spool")
    ledger = prepared(path)

    class Full(FaultyDisk):
        def write(self, fd, data):
            """Have no room."""
            del fd, data
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def mkdir(self, name, *, dir_fd=None):
            """Have no room."""
            del name, dir_fd
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spool = Directory(path, disk=Full())
    spool.open()
    deliver(spool, ledger)
    with pytest.raises(SpoolError):
        submit(spool, ledger)
    assert leftovers(path) == set()
    spool.close()
    check(path, ledger)


@pytest.mark.parametrize("most", [1000, 4096, 65_537])
def test_short_reads_and_writes_change_nothing(tmp_path, most):
    """However little each call does, mails come through whole."""
    path = str(tmp_path / "spool")
    ledger = prepared(path)
    for story in STORIES:
        run(path, FaultyDisk(most=most), story, ledger)
        check(path, ledger)
