"""The start: the locks, the garbage, the moves that broke off."""

import errno
import fcntl
import os

import pytest

from pillarbox.errors import SpoolError
from pillarbox.spool.base import FAILED, HOLD, QUEUE, STATES
from pillarbox.spool.directory import Directory
from pillarbox.spool.folders import TMP
from spool.contract import content_of, ids, put
from spool.faults import FaultyDisk
from spool.letters import make_head


@pytest.fixture
def path(tmp_path):
    """Return the path of a spool that is there."""
    spool = Directory(str(tmp_path / "spool"))
    spool.open()
    spool.close()
    return spool.path


def opened(path, **keywords):
    """Return an open spool."""
    spool = Directory(path, **keywords)
    spool.open()
    return spool


def test_a_lock_ends_with_its_process(path):
    """Neither a lock file that is left behind, nor the number in it, shuts anybody out."""
    for text in ("         1\n", "nonsense", ""):
        for part in ("submit", "deliver"):
            with open(f"{path}/{part}.lock", "w") as file:
                file.write(text)
        spool = opened(path)
        with open(f"{path}/deliver.lock") as file:
            assert file.read().startswith(f"{os.getpid():10}\n")
        spool.close()


def test_a_full_disk_does_not_stop_a_start(path):
    """The number in the lock file is for people; what waits can still be sent."""
    spool = opened(path, disk=FaultyDisk(at=1, error=errno.ENOSPC, kind="pwrite"))
    spool.close()


@pytest.mark.parametrize("part", ["submit", "deliver"])
def test_a_symlink_planted_for_a_lock_is_refused(path, tmp_path, part):
    """No file elsewhere is locked or written to in its place."""
    (tmp_path / "victim").write_text("precious")
    os.unlink(f"{path}/{part}.lock")
    os.symlink(tmp_path / "victim", f"{path}/{part}.lock")
    with pytest.raises(SpoolError):
        opened(path)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_lock_that_cannot_be_read_is_still_a_lock(path):
    """Whatever stands in the lock file, the second is refused and nothing leaks."""
    first = opened(path)
    with open(f"{path}/submit.lock", "wb") as file:
        file.write(b"\xff\xfe")
    disk = FaultyDisk()
    with pytest.raises(SpoolError):
        opened(path, disk=disk)
    assert disk.open_fds == set()
    first.close()


@pytest.mark.parametrize("part", ["both", "submit", "deliver"])
def test_deletes_what_nobody_is_writing_any_more(path, part):
    """Garbage of any size and name goes."""
    for name, size in (("a", 0), ("b", 100_000), ("odd name", 3)):
        with open(f"{path}/{TMP}/{name}", "wb") as file:
            file.write(b"x" * size)
    spool = opened(path, part=part)
    assert os.listdir(f"{path}/{TMP}") == []
    assert spool.warnings == []
    spool.close()


def test_leaves_what_another_process_is_writing(path):
    """A file that is locked is somebody's mail, and not garbage."""
    writer = opened(path, part="draft")
    draft = writer.begin(make_head())
    draft.write(b"x" * 100_000)
    spool = opened(path)
    assert len(os.listdir(f"{path}/{TMP}")) == 1
    draft.commit()
    assert len(spool.names()) == 1
    assert os.listdir(f"{path}/{TMP}") == []
    spool.close()
    writer.close()


def test_a_draft_stays_locked_until_it_is_in_the_queue(path):
    """Also between its close and its rename nobody may take it for garbage."""
    seen = []

    class Watcher(FaultyDisk):
        def rename(self, source, target, *, source_fd, target_fd):
            fd = os.open(source, os.O_RDONLY, dir_fd=source_fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                seen.append("locked")
            os.close(fd)
            super().rename(source, target, source_fd=source_fd, target_fd=target_fd)

    spool = opened(path, part="draft", disk=Watcher())
    put(spool)
    assert seen == ["locked"]
    spool.close()


@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_draft_that_was_tidied_away_at_its_birth_is_made_again(path, times):
    """Who is overtaken between creation and lock begins anew, and loses nothing."""

    class Overtaken(FaultyDisk):
        left = times

        def flock(self, fd, *, waits=False):
            if waits and self.left:
                self.left -= 1
                for name in os.listdir(f"{path}/{TMP}"):
                    os.unlink(f"{path}/{TMP}/{name}")
            super().flock(fd, waits=waits)

    disk = Overtaken()
    spool = opened(path, disk=disk)
    head = put(spool, b"abc")
    claim = spool.claim(head.id)
    assert content_of(claim) == b"abc"
    claim.close()
    disk.left = 1000
    with pytest.raises(SpoolError):
        put(spool)
    spool.close()


def test_a_symlink_planted_in_tmp_goes_and_its_target_stays(path, tmp_path):
    """Tidying deletes the link, never what it leads to."""
    (tmp_path / "victim").write_text("precious")
    os.symlink(tmp_path / "victim", f"{path}/{TMP}/a")
    os.symlink("nowhere", f"{path}/{TMP}/b")
    os.mkfifo(f"{path}/{TMP}/c")
    opened(path).close()
    assert os.listdir(f"{path}/{TMP}") == []
    assert (tmp_path / "victim").read_text() == "precious"


def test_what_its_writer_took_away_meanwhile_is_no_garbage(path):
    """A draft that is committed or discarded while another process tidies up is passed over."""
    with open(f"{path}/{TMP}/a", "w") as file:
        file.write("x")
    spool = opened(path, disk=FaultyDisk(at=1, error=errno.ENOENT, kind="unlink"))
    assert spool.warnings == []
    spool.close()


def test_what_cannot_be_tidied_away_is_told_of(path):
    """A directory in ``tmp`` stops nothing."""
    os.mkdir(f"{path}/{TMP}/sub")
    spool = opened(path)
    assert ["tmp/sub" in text for text in spool.warnings] == [True]
    put(spool)
    spool.close()


def test_a_planted_file_does_not_take_the_place_of_a_new_mail(path):
    """A name that is taken in ``tmp`` is never written into."""
    head = make_head()
    spool = opened(path)
    with open(f"{path}/{TMP}/{head.id}", "w") as file:
        file.write("x")
    with pytest.raises(SpoolError):
        spool.begin(head)
    with open(f"{path}/{TMP}/{head.id}") as file:
        assert file.read() == "x"
    spool.close()


MOVES = [(QUEUE, HOLD), (QUEUE, FAILED), (HOLD, QUEUE), (FAILED, QUEUE), (HOLD, FAILED)]


@pytest.mark.parametrize(("source", "target"), MOVES)
def test_a_move_that_broke_off_leaves_one_name(path, source, target):
    """What was linked and not unlinked is in one state again, and whole."""
    spool = opened(path)
    head = put(spool, b"abc")
    if source != QUEUE:
        spool.move(head.id, QUEUE, source)
    os.link(f"{path}/{source}/{head.id}", f"{path}/{target}/{head.id}")
    spool.close()
    again = opened(path)
    (state,) = (state for state in STATES if again.names(state))
    assert state == min(source, target, key=STATES.index)
    claim = again.claim(head.id, state)
    assert content_of(claim) == b"abc"
    claim.close()
    again.close()


@pytest.mark.parametrize(("source", "target"), MOVES)
def test_the_name_that_stays_is_durable_before_the_other_goes(path, source, target):
    """A power cut behind the repair of a move cannot leave the file without a name."""
    spool = opened(path)
    head = put(spool)
    if source != QUEUE:
        spool.move(head.id, QUEUE, source)
    os.link(f"{path}/{source}/{head.id}", f"{path}/{target}/{head.id}")
    spool.close()
    disk = FaultyDisk()
    again = opened(path, disk=disk)
    staying = again._folders.fd(min(source, target, key=STATES.index))
    calls = [call for call in disk.calls if call[0] in ("fsync", "unlink")]
    assert calls == [("fsync", staying), ("unlink", head.id)]
    again.close()


def test_two_different_files_of_one_name_are_both_kept(path):
    """Only a second name of the same file goes; a restored backup stays."""
    spool = opened(path)
    head = put(spool, b"first")
    spool.move(head.id, QUEUE, HOLD)
    draft = spool.begin(head)
    draft.write(b"second")
    draft.commit()
    spool.close()
    again = opened(path)
    assert (ids(again), ids(again, HOLD)) == ([head.id], [head.id])
    again.close()


def test_a_move_makes_the_new_name_durable_before_the_old_one_goes(path):
    """By the letter of POSIX a rename may lose both names; this order cannot."""
    disk = FaultyDisk()
    spool = opened(path, disk=disk)
    head = put(spool)
    disk.calls.clear()
    spool.move(head.id, QUEUE, FAILED)
    fd = spool._folders.fd
    assert [call[:2] for call in disk.calls] == [
        ("link", head.id),
        ("fsync", fd(FAILED)),
        ("unlink", head.id),
        ("fsync", fd(QUEUE)),
    ]
    spool.close()


def test_a_move_whose_new_name_is_not_durable_leaves_none_of_it(path):
    """A caller that was told no finds the entry in its old state, and only there."""
    disk = FaultyDisk()
    spool = opened(path, disk=disk)
    head = put(spool)
    disk.kind, disk.number, disk.at = "fsync", 0, 1
    with pytest.raises(SpoolError):
        spool.move(head.id, QUEUE, HOLD)
    assert (ids(spool), ids(spool, HOLD)) == ([head.id], [])
    spool.close()


@pytest.mark.parametrize("kind", ["fsync", "unlink"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_move_that_fails_loses_nothing_and_damages_nothing(path, kind, at):
    """Behind any failure of a move the entry can be read, moved again, and is there once."""
    disk = FaultyDisk()
    spool = opened(path, disk=disk)
    head = put(spool, b"abc")
    disk.kind, disk.number, disk.at = kind, 0, at
    try:
        spool.move(head.id, QUEUE, HOLD)
    except SpoolError:
        pass
    else:
        assert (kind, at) == ("unlink", 2)
    disk.at = 0
    entries = [entry for state in (QUEUE, HOLD) for entry in spool.scan(state)]
    assert [entry.head for entry in entries] == [head]
    (state,) = (state for state in STATES if spool.names(state))
    claim = spool.claim(head.id, state)
    assert content_of(claim) == b"abc"
    claim.close()
    spool.move(head.id, state, FAILED)
    assert [ids(spool, state) for state in STATES] == [[], [], [head.id], []]
    spool.close()
