"""The seam: it does what it says, and its loops end."""

import errno
import os
import re
from pathlib import Path

import pytest

from pillarbox import spool
from pillarbox.spool.disk import Disk, pread_all, pwrite_all, write_all
from spool.faults import FaultyDisk

DATA = bytes(range(256)) * 5


@pytest.mark.parametrize("most", [1, 7, 255, 1279, 1280, 5000])
def test_short_calls_are_gone_on_with(tmp_path, most):
    """However little a call writes or reads, all of it is."""
    disk = FaultyDisk(most=most)
    fd = disk.open(str(tmp_path / "f"), os.O_RDWR | os.O_CREAT)
    write_all(disk, fd, DATA)
    assert (tmp_path / "f").read_bytes() == DATA
    pwrite_all(disk, fd, DATA[::-1], 100)
    assert (tmp_path / "f").read_bytes() == DATA[:100] + DATA[::-1]
    assert pread_all(disk, fd, 1280, 100) == DATA[::-1]
    os.lseek(fd, 100, os.SEEK_SET)
    assert disk.read(fd, 1280) == DATA[::-1]
    assert pread_all(disk, fd, 2000, 1370) == DATA[::-1][1270:]
    disk.close(fd)


class LazyDisk(Disk):
    """A disk that writes less and less."""

    def write(self, fd, data):
        """Write one octet less than before, and at last none."""
        del fd
        return min(1, len(data) - 3)

    def pwrite(self, fd, data, offset):
        """Write as ``write`` does."""
        del offset
        return self.write(fd, data)


@pytest.mark.parametrize("write", [write_all, lambda *args: pwrite_all(*args, 0)])
def test_a_call_that_writes_nothing_does_not_go_on_for_ever(write):
    """What POSIX has no reason for is an error, not a loop without end."""
    with pytest.raises(OSError, match="Input/output") as caught:
        write(LazyDisk(), -1, b"xxxx")
    assert caught.value.errno == errno.EIO


def test_the_loops_stop_at_an_error(tmp_path):
    """An error in the middle comes through."""
    disk = FaultyDisk(at=3, error=errno.ENOSPC, kind="write", most=10)
    fd = disk.open(str(tmp_path / "f"), os.O_RDWR | os.O_CREAT)
    with pytest.raises(OSError, match="No space"):
        write_all(disk, fd, DATA)
    assert (tmp_path / "f").stat().st_size == 20
    disk.close(fd)


def test_files_and_directories_are_private(tmp_path):
    """What is made can be read by nobody else, whatever the mask says."""
    disk = Disk()
    mask = os.umask(0)
    try:
        disk.mkdir(str(tmp_path / "d"))
        os.close(disk.open(str(tmp_path / "f"), os.O_WRONLY | os.O_CREAT))
    finally:
        os.umask(mask)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_a_planted_symlink_is_never_followed(tmp_path):
    """A link at the end of a name is an error, and the descriptor is not inherited."""
    disk = Disk()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT):
        with pytest.raises(OSError, match="symbolic") as caught:
            disk.open(str(tmp_path / "link"), flags)
        assert caught.value.errno == errno.ELOOP
    assert os.stat(str(tmp_path / "link")).st_size == 1
    assert disk.stat_name(str(tmp_path / "link")).st_size != 1
    fd = disk.open(str(tmp_path / "secret"), os.O_RDONLY)
    assert not os.get_inheritable(fd)
    disk.close(fd)


def test_lists_a_directory_again_and_again(tmp_path):
    """Two listings of one descriptor do not share a position."""
    disk = Disk()
    for number in range(300):
        (tmp_path / str(number)).touch()
    fd = disk.open(str(tmp_path), os.O_RDONLY | os.O_DIRECTORY)
    first, second = disk.names(fd), disk.names(fd)
    mixed = [name for pair in zip(first, second, strict=True) for name in pair]
    assert len(mixed) == 600
    assert len(set(mixed)) == 300
    disk.close(fd)


def test_a_listing_that_is_given_up_leaves_nothing_open(tmp_path):
    """A caller that stops in the middle leaks no descriptor."""
    disk = FaultyDisk()
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    fd = disk.open(str(tmp_path), os.O_RDONLY | os.O_DIRECTORY)
    listing = disk.names(fd)
    next(listing)
    assert len(disk.open_fds) == 2
    listing.close()
    assert disk.open_fds == {fd}
    disk.close(fd)


def test_tells_what_is_mounted(monkeypatch):
    """The kernel's table, or nothing where there is none."""
    assert " - " in Disk().mounts()
    monkeypatch.setattr("pillarbox.spool.disk._MOUNTS", "/nonexistent")
    assert Disk().mounts() == ""


def test_nothing_else_in_the_room_calls_the_system():
    """Each call of the spool goes through the seam, where tests can see it and stop it."""
    allowed = {"getpid", "major", "minor", "strerror", "path", "fsencode", "stat_result"}
    for path in Path(spool.__file__ or "").parent.glob("*.py"):
        if path.name != "disk.py":
            found = set(re.findall(r"\bos\.([a-z]\w*)", path.read_text()))
            assert found <= allowed, path.name
            others = r"(?<!def )(?<![.\w])open\(|import (io|shutil|tempfile|fcntl)"
            assert not re.search(others, path.read_text()), path.name
