"""The spool in a directory: the contract, what it costs, its parts, and attacks on it."""

import os
import socket
import subprocess
import sys

import pytest

from pillarbox.errors import (
    CorruptEntryError,
    EntryNotFoundError,
    LocalProtocolError,
    SpoolError,
)
from pillarbox.mail.address import Mailbox
from pillarbox.spool import BACKENDS
from pillarbox.spool.base import CORRUPT, FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import PARTS, Directory
from pillarbox.spool.folders import TMP
from spool.contract import SpoolContract, content_of, ids, put
from spool.faults import FaultyDisk
from spool.letters import make_head

SHM = "/dev" + "/shm"
ONE = (Mailbox("you", "example.com"),)


class TestDirectory(SpoolContract):
    """The contract."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.path = str(tmp_path / "state" / "spool")
        self.opened = []
        yield
        for spool in self.opened:
            spool.close()

    def make(self):
        """Return a new spool."""
        return Directory(self.path)

    def reopened(self, spool):
        """Return a spool on the same directory when the first has ended."""
        spool.close()
        again = Directory(self.path)
        self.opened.append(again)
        again.open()
        return again

    def damage(self, spool, entry_id):
        """Change one octet of the content."""
        spoil(f"{spool.path}/queue/{entry_id}", -84)


def spoil(path, place):
    """Change one octet of a file; counted from its end if negative."""
    fd = os.open(path, os.O_RDWR)
    if place < 0:
        place += os.fstat(fd).st_size
    octet = os.pread(fd, 1, place)
    os.pwrite(fd, bytes([octet[0] ^ 1]), place)
    os.close(fd)


def content_at(spool, entry_id):
    """Return the content of an entry, and close it."""
    claim = spool.claim(entry_id)
    content = content_of(claim)
    claim.close()
    return content


@pytest.fixture
def disk():
    """Return a disk that records."""
    return FaultyDisk()


@pytest.fixture
def spool(tmp_path, disk):
    """Return an open spool."""
    spool = Directory(str(tmp_path / "spool"), disk=disk)
    spool.open()
    disk.calls.clear()
    yield spool
    spool.close()
    assert disk.open_fds == set()


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_in_the_table_is_there(name):
    """The table's modules and classes exist."""
    module, kind = BACKENDS[name]
    assert hasattr(__import__(module, fromlist=[kind]), kind)


# What it costs.


def test_submits_in_the_order_of_the_protocol_with_few_calls(spool, disk):
    """S2 to S8: made, locked, written at once, fsynced, closed, renamed, directory fsynced."""
    put(spool, b"x" * 5000)
    assert disk.names_of_calls() == [
        *("open", "flock", "stat"),  # S2
        "write",  # S3 and S4
        "fsync",  # S5
        *("dup", "close"),  # S6
        "rename",  # S7
        "close",
        "fsync",  # S8
    ]


def test_fsyncs_the_file_and_then_the_directory(spool, disk):
    """S5 is of the file that was written, S8 of the directory that it was renamed into."""
    put(spool)
    written = next(call[1] for call in disk.calls if call[0] == "write")
    fsyncs = [call[1] for call in disk.calls if call[0] == "fsync"]
    assert fsyncs == [written, spool._folders.fd(QUEUE)]


def test_delivers_with_few_calls(spool, disk):
    """A small mail costs ten calls of the system, and one fdatasync."""
    head = put(spool, b"x" * 5000, forward_paths=ONE)
    disk.calls.clear()
    claim = spool.claim(head.id)
    claim.record(Progress(b"P", attempts=1), is_durable=False)
    claim.record(Progress(b"P", attempts=1, is_in_doubt=True), is_durable=False)
    assert len(content_of(claim)) == 5000
    claim.record(Progress(b"D", attempts=1), is_durable=True)
    claim.close()
    spool.remove(head.id)
    assert disk.names_of_calls() == [
        *("open", "stat", "pread"),
        *("pwrite", "pwrite"),
        *("pwrite", "fdatasync"),
        "close",
        "unlink",
    ]


def test_a_record_is_one_write_in_the_first_page(spool, disk):
    """It begins behind the prefix and ends in front of octet 4096, and the file does not grow."""
    paths = tuple(Mailbox(f"user{number}", "example.com") for number in range(1000))
    head = put(spool, forward_paths=paths)
    size = os.stat(f"{spool.path}/queue/{head.id}").st_size
    claim = spool.claim(head.id)
    disk.calls.clear()
    claim.record(Progress(b"D" * 1000, reason="x" * 500), is_durable=True)
    claim.close()
    (call,) = [call for call in disk.calls if call[0] == "pwrite"]
    assert call[3] + call[2] <= 4096
    assert os.stat(f"{spool.path}/queue/{head.id}").st_size == size


def test_reads_a_head_with_few_calls(spool, disk):
    """A look at a mail is four calls, five when its end is far away; one listing lists all."""
    heads = [put(spool, b"x" * size) for size in (10, 100_000)]
    for head, calls in zip(heads, (4, 5), strict=True):
        disk.calls.clear()
        spool.read(head.id)
        assert len(disk.calls) == calls
    disk.calls.clear()
    assert len(list(spool.scan())) == 2
    assert disk.names_of_calls().count("names") == 1
    assert len(disk.calls) == 1 + 1 + 4 + 5 + 1


def test_settles_with_one_fsync_for_all_that_was_removed(spool, disk):
    """A hundred removals are one fsync, none is none, and a failed one is due again."""
    for head in [put(spool) for _ in range(20)]:
        spool.remove(head.id)
    disk.calls.clear()
    spool.settle()
    spool.settle()
    assert disk.calls == [("fsync", spool._folders.fd(QUEUE))]
    spool.remove(put(spool).id)
    disk.kind, disk.number, disk.at = "fsync", 0, 1
    with pytest.raises(SpoolError):
        spool.settle()
    disk.calls.clear()
    spool.settle()
    assert disk.names_of_calls() == ["fsync"]


def test_streams_a_large_mail_in_little_memory(tmp_path):
    """A mail of 64 MB goes in and out of a process that may not have 100 MB."""
    program = """
import resource, sys
sys.path[:0] = ["src", "tests"]
from pillarbox.spool.directory import Directory
from spool.letters import make_head
spool = Directory(sys.argv[1])
spool.open()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
head = make_head()
draft = spool.begin(head)
for number in range(1024):
    draft.write(bytes([number % 251]) * 65536)
draft.commit()
claim = spool.claim(head.id)
size = 0
while piece := claim.read(65536):
    size += len(piece)
spool.close()
assert size == claim.entry.size_bytes == 1 << 26
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "spool")],
        capture_output=True,
        check=True,
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    )
    assert int(done.stdout) < 8192


# Its parts.


def test_a_second_daemon_is_told_who_has_the_spool(spool):
    """Two on one spool would send everything twice: the second ends, and names the first."""
    for part in ("both", "submit", "deliver"):
        second = Directory(spool.path, part=part)
        with pytest.raises(SpoolError) as caught:
            second.open()
        assert f"in use by process {os.getpid()}" in str(caught.value)
        assert caught.value.exit_code == 75


def test_one_process_submits_and_one_delivers(tmp_path):
    """Roles apart: each lock is there once, and mail goes from one to the other."""
    path = str(tmp_path / "spool")
    submit, deliver = Directory(path, part="submit"), Directory(path, part="deliver")
    submit.open()
    deliver.open()
    for part in ("submit", "deliver", "both"):
        with pytest.raises(SpoolError):
            Directory(path, part=part).open()
    head = put(submit, b"abc")
    claim = deliver.claim(head.id)
    assert content_of(claim) == b"abc"
    claim.record(Progress(b"DDD"), is_durable=True)
    claim.close()
    deliver.remove(head.id)
    assert submit.names() == []
    submit.close()
    third = Directory(path, part="submit")
    third.open()
    third.close()
    deliver.close()


@pytest.mark.parametrize("part", ["submit", "draft"])
def test_a_part_that_does_not_deliver_changes_no_entry(tmp_path, part):
    """Who only submits may look, and leaves everything as it is, also what is damaged."""
    owner = Directory(str(tmp_path / "spool"), part="deliver")
    owner.open()
    good, bad = put(owner, b"good"), put(owner, b"bad")
    spoil(f"{owner.path}/queue/{bad.id}", 110)
    spoil(f"{owner.path}/queue/{bad.id}", -84)
    spool = Directory(owner.path, part=part)
    spool.open()
    claim = spool.claim(good.id)
    assert content_of(claim) == b"good"
    for act in (
        lambda: claim.record(Progress(b"DDD"), is_durable=True),
        lambda: spool.update(good.id, Progress(b"DDD")),
        lambda: spool.move(good.id, QUEUE, HOLD),
        lambda: spool.remove(good.id),
    ):
        with pytest.raises(LocalProtocolError):
            act()
    with pytest.raises(CorruptEntryError):
        spool.claim(bad.id)
    assert ids(spool) == sorted([good.id, bad.id])
    assert owner.read(good.id).progress == Progress(b"PPP")
    claim.close()
    spool.close()
    owner.close()


def test_many_processes_add_to_their_users_spool_at_a_time(tmp_path):
    """Drafts take no lock that shuts out another, and lose nothing to who tidies up meanwhile."""
    path = str(tmp_path / "spool")
    program = """
import sys
sys.path[:0] = ["src", "tests"]
from pillarbox.spool.directory import Directory
from spool.contract import put
for _ in range(15):
    spool = Directory(sys.argv[1], part="draft")
    spool.open()
    print(put(spool, b"abc").id)
    spool.close()
"""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    processes = [
        subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, cwd=root)
        for _ in range(4)
    ]
    while any(process.poll() is None for process in processes):
        spool = Directory(path)
        spool.open()
        spool.close()
    acknowledged = []
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        acknowledged += out.decode().split()
    spool = Directory(path)
    spool.open()
    assert len(acknowledged) == 60
    assert ids(spool) == sorted(acknowledged)
    assert os.listdir(f"{path}/{TMP}") == []
    spool.close()


def test_every_part_is_known():
    """A part that there is none of is a bug of the caller."""
    assert set(PARTS) == {"both", "submit", "deliver", "draft"}
    with pytest.raises(KeyError):
        Directory("/x", part="sideways")


def test_is_opened_once(spool):
    """A second opening would lose the descriptors of the first."""
    with pytest.raises(LocalProtocolError):
        spool.open()
    assert spool.names() == []


def test_says_where_accounts_are_remembered(spool):
    """The directory for the deliverer's own notes is there."""
    assert os.path.isdir(spool.accounts_path)


# Attacks, and what is damaged.


def planted(kind, path, tmp_path):
    """Plant something where an entry should be."""
    if kind == "symlink":
        (tmp_path / "secret").write_bytes(b"secret")
        os.symlink(tmp_path / "secret", path)
    elif kind == "dangling symlink":
        os.symlink(tmp_path / "nothing", path)
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(os.path.dirname(path))
        server.bind(os.path.basename(path))
        os.chdir(here)
        server.close()
    elif kind == "empty file":
        open(path, "w").close()
    elif kind == "other file":
        with open(path, "wb") as file:
            file.write(b"root:x:0:0::/root:/bin/sh\n" * 1000)
    elif kind == "device" and os.geteuid() == 0:
        os.mknod(path, 0o020600, os.makedev(1, 5))
    else:
        pytest.skip("only root makes devices")


KINDS = ["symlink", "dangling symlink", "FIFO", "directory", "socket", "device"]
KINDS += ["empty file", "other file"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["claim", "scan"])
def test_something_planted_in_the_queue_is_put_aside(spool, tmp_path, kind, way):
    """A link, FIFO, device or other file is never read as a mail, waited for, or followed."""
    good = put(spool)
    name = make_head().id
    planted(kind, f"{spool.path}/queue/{name}", tmp_path)
    if way == "claim":
        with pytest.raises(CorruptEntryError):
            spool.claim(name)
    else:
        assert [entry.head.id for entry in spool.scan()] == [good.id]
    assert ids(spool) == [good.id]
    assert ids(spool, CORRUPT) == [name]
    assert os.path.lexists(f"{spool.path}/corrupt/{name}")
    assert [name in text and "corrupt" in text for text in spool.warnings] == [True]
    if kind == "symlink":
        assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_hard_link_to_an_entry_is_put_aside(spool, tmp_path):
    """A file that somebody else may write to by another name is not sent."""
    head = put(spool)
    os.link(f"{spool.path}/queue/{head.id}", tmp_path / "other")
    with pytest.raises(CorruptEntryError):
        spool.claim(head.id)
    assert ids(spool, CORRUPT) == [head.id]


def test_a_copy_of_an_entry_under_another_name_is_not_sent(spool):
    """Who restores a file beside itself does not have its mail sent twice."""
    head = put(spool)
    with open(f"{spool.path}/queue/{head.id}", "rb") as file:
        data = file.read()
    with open(f"{spool.path}/queue/{head.id}x", "wb") as file:
        file.write(data)
    assert [entry.head for entry in spool.scan()] == [head]
    assert ids(spool, CORRUPT) == [f"{head.id}x"]


@pytest.mark.parametrize("name", ["README", ".hidden", "a b", "\udcff\n\u202e", "x" * 200, "-rf"])
def test_odd_names_in_the_queue_are_put_aside(spool, name):
    """What has no queue ID for its name is no entry; people find it in ``corrupt``."""
    with open(f"{spool.path}/queue/{name}", "w") as file:
        file.write("x")
    assert spool.names() == []
    assert list(spool.scan()) == []
    assert spool.names(CORRUPT) == [name]
    assert all(text.isprintable() for text in spool.warnings)
    spool.remove(name, CORRUPT)
    assert spool.names(CORRUPT) == []


def test_nothing_in_corrupt_is_ever_overwritten(spool):
    """A second damaged file of the same name gets another one."""
    for number in range(3):
        with open(f"{spool.path}/queue/abc", "w") as file:
            file.write(str(number))
        assert list(spool.scan()) == []
    assert sorted(spool.names(CORRUPT)) == ["abc", "abc.1", "abc.2"]
    for number, name in enumerate(sorted(spool.names(CORRUPT))):
        with open(f"{spool.path}/corrupt/{name}") as file:
            assert file.read() == str(number)


@pytest.mark.parametrize("kind", ["rename", "fsync"])
def test_what_is_damaged_and_cannot_be_moved_is_told_of(spool, disk, kind):
    """A read-only disk changes nothing: the entry is not sent, and the others are read."""
    good, bad = put(spool), put(spool)
    spoil(f"{spool.path}/queue/{bad.id}", 50)
    disk.kind, disk.number, disk.at = kind, 0, 1
    with pytest.raises(CorruptEntryError):
        spool.claim(bad.id)
    assert ["cannot be moved away" in text for text in spool.warnings] == [True]
    assert [entry.head for entry in spool.scan()] == [good]


def test_an_entry_that_goes_while_it_is_looked_at_is_not_there(spool, disk):
    """What another thread removed meanwhile, damaged or not, is an entry that there is none of."""
    names = [put(spool).id for _ in range(3)]
    listing = spool.scan()
    next(listing)
    for name in names:
        spool.remove(name)
    assert list(listing) == []
    with open(f"{spool.path}/queue/odd name", "w") as file:
        file.write("x")
    disk.kind, disk.number, disk.at, disk.error = "rename", 0, 1, 2
    assert list(spool.scan()) == []
    assert spool.warnings == []


def test_looks_into_corrupt_without_moving_anything(spool):
    """Scanning what was put aside yields what can be read of it, again and again."""
    head = put(spool)
    spoil(f"{spool.path}/queue/{head.id}", -84)
    with pytest.raises(CorruptEntryError):
        spool.claim(head.id)
    open(f"{spool.path}/corrupt/odd name", "w").close()
    for _ in range(2):
        assert [entry.head for entry in spool.scan(CORRUPT)] == [head]
        assert ids(spool, CORRUPT) == sorted([head.id, "odd name"])


@pytest.mark.parametrize("size", [20, 300_000])
def test_no_damaged_octet_of_a_file_is_ever_sent(spool, size):
    """Wherever a file is spoilt, its claim is the same mail or none."""
    head = put(spool, bytes(range(250)) * (size // 250) + b"x" * 20, forward_paths=ONE)
    path = f"{spool.path}/queue/{head.id}"
    with open(path, "rb") as file:
        data = file.read()
    whole = content_at(spool, head.id)
    places = range(len(data)) if len(data) < 3000 else range(0, len(data), 9973)
    for place in places:
        spoil(path, place)
        try:
            claim = spool.claim(head.id)
        except CorruptEntryError:
            spool.remove(head.id, CORRUPT)
        else:
            entry = claim.entry
            assert (entry.head, entry.progress) == (head, Progress(b"P"))
            assert content_of(claim) == whole
            claim.close()
        with open(path, "wb") as file:
            file.write(data)


@pytest.mark.parametrize("length", [0, 1, 50, 500, 900, 100_000, 300_000])
def test_a_file_that_was_cut_off_is_put_aside(spool, length):
    """What a file system left of a file is not sent, and found by the scan at the start."""
    head = put(spool, b"x" * 300_000)
    os.truncate(f"{spool.path}/queue/{head.id}", length)
    spool.close()
    spool.open()
    assert list(spool.scan()) == []
    assert ids(spool, CORRUPT) == [head.id]


def test_a_file_that_is_cut_off_while_it_is_sent_is_an_error(spool):
    """A claim never ends early as if the mail ended there."""
    head = put(spool, b"x" * 300_000)
    claim = spool.claim(head.id)
    claim.read(1000)
    os.truncate(f"{spool.path}/queue/{head.id}", 100_000)
    with pytest.raises(SpoolError):
        content_of(claim)
    claim.close()


def test_an_unreadable_block_stops_nothing(spool, disk):
    """An entry that the disk cannot read stays where it is, with a warning; others go on."""
    heads = [put(spool) for _ in range(3)]
    disk.kind, disk.number, disk.at = "pread", 0, 2
    assert len(list(spool.scan())) == 2
    assert "Input/output error" in spool.warnings[0]
    assert ids(spool) == sorted(head.id for head in heads)
    assert len(list(spool.scan())) == 3


def test_a_listing_that_fails_is_an_error(spool, disk):
    """No descriptor left is not the same as an empty queue."""
    import errno

    put(spool)
    disk.error, disk.kind, disk.number, disk.at = errno.EMFILE, "open", 0, 2
    with pytest.raises(SpoolError):
        list(spool.scan())


def test_an_entry_seen_in_the_middle_of_a_move_is_no_damage(spool):
    """A file with two names of ours is a move that broke off: it is ended, not put aside."""
    head = put(spool, b"abc")
    for target in (HOLD, FAILED):
        os.link(f"{spool.path}/queue/{head.id}", f"{spool.path}/{target}/{head.id}")
        assert content_at(spool, head.id) == b"abc"
        assert (ids(spool), ids(spool, target), ids(spool, CORRUPT)) == ([head.id], [], [])
        os.link(f"{spool.path}/queue/{head.id}", f"{spool.path}/{target}/{head.id}")
        with pytest.raises(EntryNotFoundError):
            spool.claim(head.id, target)
        assert content_at(spool, head.id) == b"abc"


@pytest.mark.skipif(not os.path.isdir(SHM), reason="no tmpfs at hand")
def test_is_not_silent_about_tmpfs():
    """A spool in memory works, and says that it is one."""
    import shutil
    import tempfile

    path = tempfile.mkdtemp(dir=SHM)
    try:
        spool = Directory(f"{path}/spool")
        spool.open()
        head = put(spool)
        assert any("tmpfs" in text for text in spool.warnings)
        assert spool.read(head.id).head == head
        spool.close()
    finally:
        shutil.rmtree(path)
