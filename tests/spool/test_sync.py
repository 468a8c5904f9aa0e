"""One fsync for all who need one, and never one that began too early."""

import errno
import os
import threading

import pytest

from pillarbox.spool.disk import Disk
from pillarbox.spool.sync import SharedSync


class SlowDisk(Disk):
    """A disk whose fsyncs end when the test says so."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.results = []
        self.may_end = threading.Semaphore(0)
        self.count = 0

    def fsync(self, fd):
        """Wait for the test."""
        del fd
        self.count += 1
        number = self.count
        self.begun.release()
        assert self.may_end.acquire(timeout=20)
        if number <= len(self.results) and self.results[number - 1]:
            raise self.results[number - 1]


class Callers:
    """Threads that each call ``sync``, and what came of it."""

    def __init__(self, disk):
        self.sync = SharedSync(disk, -1)
        self.threads = []
        self.outcomes = {}

    def call(self, name):
        """Have one more thread call; return when it waits or leads."""
        entered = threading.Event()

        def work():
            entered.set()
            try:
                self.sync.sync()
            except OSError as exc:
                self.outcomes[name] = exc.errno
            except BaseException as exc:  # noqa: BLE001 (a thread has nobody else to tell)
                self.outcomes[name] = type(exc)
            else:
                self.outcomes[name] = 0

        thread = threading.Thread(target=work)
        self.threads.append(thread)
        thread.start()
        assert entered.wait(20)

    def waiting(self, count):
        """Return when so many callers wait for the next fsync."""
        while len(self.sync._changed._waiters) < count:
            os.sched_yield()

    def join(self):
        """Wait for all."""
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def disk():
    """Return a slow disk."""
    return SlowDisk()


def test_a_lone_caller_gets_one_fsync(disk):
    """One call is one fsync."""
    disk.may_end.release(2)
    sync = SharedSync(disk, -1)
    sync.sync()
    sync.sync()
    assert disk.count == 2


def test_those_who_come_during_one_share_the_next(disk):
    """An fsync that has begun does not count for who comes then; one more serves them all."""
    callers = Callers(disk)
    callers.call("first")
    assert disk.begun.acquire(timeout=20)
    for name in "abcdefgh":
        callers.call(name)
    callers.waiting(8)
    assert callers.outcomes == {}
    disk.may_end.release()
    assert disk.begun.acquire(timeout=20)
    assert disk.count == 2
    assert not set(callers.outcomes) & set("abcdefgh")
    disk.may_end.release()
    callers.join()
    assert disk.count == 2
    assert callers.outcomes == dict.fromkeys(["first", *"abcdefgh"], 0)


@pytest.mark.parametrize(
    "results", [[OSError(errno.EIO, "x"), None], [None, OSError(errno.EIO, "x")]]
)
def test_a_failed_fsync_fails_for_all_who_waited_for_it_and_nobody_else(disk, results):
    """Each caller has the outcome of the fsync that counts for it."""
    disk.results = results
    callers = Callers(disk)
    callers.call("first")
    assert disk.begun.acquire(timeout=20)
    callers.call("a")
    callers.call("b")
    callers.waiting(2)
    disk.may_end.release(2)
    callers.join()
    codes = [result.errno if result else 0 for result in results]
    assert callers.outcomes == {"first": codes[0], "a": codes[1], "b": codes[1]}


def test_a_leader_that_is_interrupted_promises_nothing_to_the_others(disk):
    """A leader that ends by something else than an error leaves the others with a failure."""
    disk.results = [None, KeyboardInterrupt()]
    callers = Callers(disk)
    callers.call("first")
    assert disk.begun.acquire(timeout=20)
    callers.call("a")
    callers.call("b")
    callers.waiting(2)
    disk.may_end.release(2)
    callers.join()
    assert sorted(map(str, (callers.outcomes["a"], callers.outcomes["b"]))) == sorted(
        (str(errno.EINTR), str(KeyboardInterrupt))
    )
    disk.may_end.release()
    callers.sync.sync()
