"""The directories: made durably, refused when others could meddle with them."""

import errno
import os

import pytest

from pillarbox.errors import SpoolError, SpoolFullError
from pillarbox.spool.directory import Directory
from pillarbox.spool.disk import Disk
from pillarbox.spool.folders import Folders
from spool.contract import put
from spool.faults import FaultyDisk

NAMES = {"tmp", "queue", "hold", "failed", "corrupt", "accounts"}


@pytest.fixture
def path(tmp_path):
    """Return where a spool may be."""
    return str(tmp_path / "a" / "b" / "spool")


@pytest.fixture
def made(path):
    """Return the path of a spool that is there."""
    spool = Directory(path)
    spool.open()
    spool.close()
    return path


def refusal(path, **keywords):
    """Return the error that opening ends in."""
    spool = Directory(path, **keywords)
    with pytest.raises(SpoolError) as caught:
        spool.open()
    return caught.value


def test_makes_its_directories_for_itself_only(made):
    """All are there, and nobody else can enter one."""
    assert set(os.listdir(made)) >= NAMES
    for name in ("", *NAMES):
        assert os.stat(f"{made}/{name}").st_mode & 0o777 == 0o700
    assert os.stat(f"{made}/..").st_mode & 0o777 == 0o700


def test_fsyncs_what_it_made_up_to_the_mount_point(path):
    """After the first start no directory can be lost, nor one above it."""
    disk = FaultyDisk()
    spool = Directory(path, disk=disk)
    spool.open()
    opened = {}
    synced = set()
    for name, *args in disk.calls:
        if name == "fsync":
            synced.add(args[0])
        elif name == "open":
            opened[args[0]] = True
    parents = os.path.dirname(path)
    while True:
        assert parents in opened
        if os.path.ismount(parents):
            break
        parents = os.path.dirname(parents)
    assert disk.names_of_calls().count("fsync") >= len(NAMES) + 1 + 3
    spool.close()


def test_does_not_fsync_its_directories_at_each_start(made):
    """Who only adds a mail to a spool that is there waits for his mail's fsyncs only."""
    disk = FaultyDisk()
    spool = Directory(made, part="draft", disk=disk)
    spool.open()
    assert disk.names_of_calls(changing_only=True).count("fsync") == 0
    put(spool)
    assert disk.names_of_calls(changing_only=True).count("fsync") == 2
    spool.close()


def test_a_start_that_broke_off_is_done_again(path):
    """Until all directories are durable, each start fsyncs them."""
    vouched = []
    for at in range(1, 100):
        disk = FaultyDisk(at=at, kind="fsync")
        spool = Directory(path, disk=disk)
        try:
            spool.open()
        except SpoolError:
            assert disk.open_fds == set()
            vouched.append(os.path.exists(f"{path}/format"))
            continue
        spool.close()
        break
    # The last is the fsync of what vouches for the others.
    assert vouched == [False] * (len(vouched) - 1) + [True]
    assert len(vouched) > len(NAMES) + 3


@pytest.mark.parametrize(
    "text", [b"", b"\0" * 18, b"pillarbox-spoo", b"pillarbox-spool 2", b"\xff\n"]
)
def test_what_a_power_cut_left_of_the_voucher_is_made_anew(made, text):
    """A torn first start is a first start, and no spool of another version."""
    with open(f"{made}/format", "wb") as file:
        file.write(text)
    disk = FaultyDisk()
    spool = Directory(made, disk=disk)
    spool.open()
    assert disk.names_of_calls().count("fsync") > len(NAMES)
    spool.close()
    with open(f"{made}/format", "rb") as file:
        assert file.read() == b"pillarbox-spool 1\n"


def test_a_spool_of_another_version_is_left_alone(made):
    """What a later version made is not touched, nor are its mails taken for damaged."""
    with open(f"{made}/format", "w") as file:
        file.write("pillarbox-spool 2\n")
    assert "another version" in str(refusal(made))


@pytest.mark.parametrize("name", ["", "tmp", "queue", "accounts"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o702, 0o733])
def test_a_directory_that_others_can_write_is_refused(made, name, mode):
    """World- and group-writable directories are an open door; the error says how to close it."""
    os.chmod(f"{made}/{name}", mode)
    error = refusal(made)
    assert "can be written by others" in str(error)
    assert error.advice.startswith(f"run: chmod 0700 {made}")


@pytest.mark.parametrize("part", ["draft", "submit", "deliver"])
def test_a_spool_below_a_world_writable_directory_is_refused(tmp_path, part):
    """Where anybody may rename the spool away, no mail is safe; a sticky directory is."""
    os.mkdir(tmp_path / "open")
    os.chmod(tmp_path / "open", 0o777)  # noqa: S103 (the fault that is looked for)
    error = refusal(str(tmp_path / "open" / "spool"), part=part)
    assert error.advice == f"run: chmod o-w {tmp_path}/open"
    os.chmod(tmp_path / "open", 0o1777)  # noqa: S103 (as /tmp has it)
    spool = Directory(str(tmp_path / "open" / "spool"), part=part)
    spool.open()
    spool.close()


class OtherUser(Disk):
    """A disk that is asked by somebody else."""

    def euid(self):
        """Be the next user."""
        return os.geteuid() + 1


def test_a_spool_that_another_user_owns_is_refused(made):
    """Nobody, not even root, delivers from a directory that somebody else controls."""
    error = refusal(made, disk=OtherUser())
    assert f"belongs to uid {os.geteuid()}" in str(error)
    assert error.advice


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away: root only")
@pytest.mark.parametrize("name", ["", "queue"])
def test_a_directory_that_was_given_away_is_refused(made, name):
    """The owner is looked at, of the spool and of each directory in it."""
    os.chown(f"{made}/{name}", 65534, 65534)
    assert "belongs to uid 65534" in str(refusal(made))


@pytest.mark.parametrize("name", ["", "queue", "tmp"])
def test_a_symlink_planted_for_a_directory_is_refused(made, tmp_path, name):
    """A link in the place of the spool, or of one of its directories, is not followed."""
    path = f"{made}/{name}".rstrip("/")
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    assert refusal(made)


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path):
    """What is no directory is said to be none, with no traceback."""
    (tmp_path / "spool").touch()
    assert "Not a directory" in str(refusal(str(tmp_path / "spool")))
    assert "Not a directory" in str(refusal(str(tmp_path / "spool" / "below")))


def test_a_dangling_symlink_in_the_way_is_refused(tmp_path):
    """Nothing is made through a link that leads nowhere."""
    (tmp_path / "state").symlink_to(tmp_path / "gone")
    assert refusal(str(tmp_path / "state" / "spool"))
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_directory_fsync_is_told_of(path, code):
    """Mail is taken all the same, and the administrator is told what it is worth."""

    class NoDirectorySync(Disk):
        def fsync(self, fd):
            if os.path.isdir(f"/proc/self/fd/{fd}"):
                raise OSError(code, os.strerror(code))
            super().fsync(fd)

    spool = Directory(path, disk=NoDirectorySync())
    spool.open()
    put(spool)
    put(spool)
    assert sum("cannot fsync a directory" in text for text in spool.warnings) == 1
    assert len(spool.names()) == 2
    spool.close()


def test_two_processes_may_make_the_same_spool(path):
    """Who finds that another made a directory an instant before goes on with it."""

    class Overtaken(Disk):
        def mkdir(self, name, *, dir_fd=None):
            super().mkdir(name, dir_fd=dir_fd)
            super().mkdir(name, dir_fd=dir_fd)

    spool = Directory(path, disk=Overtaken())
    spool.open()
    put(spool)
    spool.close()


def test_a_parent_that_may_not_be_read_is_passed_by(path):
    """Who may go through a directory and not read it leaves its fsync to who made it."""

    class Closed(Disk):
        def open(self, name, flags, *, dir_fd=None):
            if name == os.path.dirname(os.path.dirname(path)):
                raise PermissionError(errno.EACCES, "Permission denied")
            return super().open(name, flags, dir_fd=dir_fd)

    spool = Directory(path, disk=Closed())
    spool.open()
    spool.close()


MOUNT = "36 35 {device} / /somewhere rw,noatime shared:1 - {kind} source rw\n"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tmpfs", "forgets everything"),
        ("overlay", "forgets everything"),
        ("nfs4", "another computer"),
        ("fuse.sshfs", "another computer"),
        ("9p", "another computer"),
        ("ext4", ""),
        ("xfs", ""),
        ("btrfs", ""),
    ],
)
def test_a_file_system_that_cannot_keep_a_promise_is_told_of(path, kind, words):
    """A tmpfs and its kin keep nothing over a restart; of remote ones nobody knows."""

    class Mounted(Disk):
        def mounts(self):
            device = os.stat(path).st_dev
            number = f"{os.major(device)}:{os.minor(device)}"
            other = MOUNT.format(device="1:9999", kind="tmpfs")
            return other + "odd\n\n" + MOUNT.format(device=number, kind=kind)

    spool = Directory(path, disk=Mounted())
    spool.open()
    assert [words in text and kind in text for text in spool.warnings] == ([True] if words else [])
    spool.close()


def test_a_directory_on_another_file_system_is_refused(path):
    """A rename from one file system to another would fail when it is too late."""

    class Elsewhere(Disk):
        count = 0

        def stat(self, fd):
            found = super().stat(fd)
            self.count += 1
            return os.stat_result((*found[:2], found.st_dev + self.count // 3, *found[3:]))

    assert "another file system" in str(refusal(path, disk=Elsewhere()))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, SpoolFullError),
        (errno.EDQUOT, SpoolFullError),
        (errno.EIO, SpoolError),
        (errno.EMFILE, SpoolError),
        (errno.EROFS, SpoolError),
    ],
)
def test_errors_say_where_and_what_next(code, kind):
    """The path, the system's word for it, and what to do, with the exit code of a retry."""
    error = Folders("/the/spool", Disk()).failure(OSError(code, os.strerror(code)))
    assert type(error) is kind
    assert "/the/spool" in str(error)
    assert os.strerror(code) in str(error)
    assert error.advice
    assert error.exit_code == 75


def test_keeps_the_latest_warnings_only():
    """A spool that has much to warn of does not fill the memory."""
    from pillarbox.text import say

    folders = Folders("/x", Disk())
    for number in range(250):
        folders.warn(say("{number}", number=number))
        folders.warn(say("{number}", number=number))
    assert folders.warnings == [str(number) for number in range(150, 250)]
