"""The kernel's word that the network is up: its messages, and the real thing where we may."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import struct
import subprocess
import sys

import pytest

from pillarbox.intake import network
from pillarbox.intake.network import NetworkWatch, is_network_up


def message(kind, body):
    """Return one netlink message, padded as the kernel pads it."""
    data = struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body
    return data + bytes(-len(data) % 4)


def address(*, scope=0, flags=0x80, family=socket.AF_INET):
    """Return what the kernel says of a new address."""
    return message(20, struct.pack("=BBBBI", family, 24, flags, scope, 2) + b"attributes.")


def route(*, prefix=0, table=254, kind=1):
    """Return what the kernel says of a new route."""
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, table, 3, 0, kind, 0)
    return message(24, body)


LINK = message(16, bytes(16))


@pytest.mark.parametrize(
    ("data", "is_up"),
    [
        (address(), True),
        (address(family=socket.AF_INET6), True),
        (address(scope=254), False),  # 127.0.0.1
        (address(scope=253), False),  # fe80::1
        (address(flags=0x40), False),  # nobody has agreed to it yet
        (route(), True),
        (route(prefix=24), False),
        (route(table=255), False),  # local
        (route(kind=7), False),  # unreachable
        (LINK, False),
        (LINK + address(), True),
        (address(scope=254) + route(), True),
        (message(21, bytes(8)), False),  # an address is gone
        (message(25, route()[16:28]), False),  # a route is gone
        (b"", False),
        (b"\x10", False),
        (message(20, b"short"), False),
        (message(24, b"short"), False),
        (struct.pack("=IHHII", 0, 20, 0, 0, 0), False),
        (struct.pack("=IHHII", 10**9, 20, 0, 0, 0) + bytes(64), False),
        (struct.pack("=IHHII", 15, 20, 0, 0, 0) + address(), False),
    ],
)
def test_what_the_kernel_says(data, is_up):
    """A global address or a default route is a way out; nothing else is, and nonsense is none."""
    assert is_network_up(data) is is_up


def test_every_cut_of_a_message_ends():
    """However little arrives, it is read to its end and no further."""
    data = LINK + address(scope=254) + route(prefix=8)
    assert not any(is_network_up(data[:end]) for end in range(len(data) + 1))


class Loop:
    """As much of a loop as the watch needs, with a clock that a test turns."""

    def __init__(self):
        self.now_s = 100.0
        self.readers = {}
        self.calls = []

    def time(self):
        """As a loop has it."""
        return self.now_s

    def add_reader(self, sock, callback):
        """As a loop has it."""
        self.readers[sock] = callback

    def remove_reader(self, sock):
        """As a loop has it."""
        del self.readers[sock]

    def call_at(self, when, callback):
        """As a loop has it."""
        timer = asyncio.TimerHandle(when, callback, (), self)
        self.calls.append(timer)
        return timer

    def get_debug(self):
        """As a loop has it."""
        return False

    def _timer_handle_cancelled(self, handle):
        pass

    def turn(self, seconds):
        """Let time go by, and call what is due."""
        self.now_s += seconds
        due = [timer for timer in self.calls if timer.when() <= self.now_s]
        self.calls = [timer for timer in self.calls if timer not in due]
        for timer in due:
            if not timer.cancelled():
                timer._run()


class Kernel:
    """A socket that says what it is told to."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.is_closed = False

    def recvfrom(self, _):
        """Give the next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self):
        """Note that it was closed."""
        self.is_closed = True


def watching(*answers):
    """Return a watch, its loop and what it has told."""
    loop, told = Loop(), []
    watch = NetworkWatch(loop, lambda: told.append(loop.now_s))
    watch._socket = Kernel(*answers)
    loop.readers[watch._socket] = watch._read
    for _ in answers:
        watch._read()
    return watch, loop, told


KERNEL, USER = (0, 0), (4711, 0)


@pytest.mark.parametrize(
    ("answer", "is_told"),
    [
        ((address(), KERNEL), True),
        ((address(), USER), False),  # attack: a neighbour on the bus plays the kernel
        ((LINK, KERNEL), False),
        (BlockingIOError(), False),
        (OSError(errno.ENOBUFS, "overrun"), True),
    ],
)
def test_only_the_kernel_is_believed(answer, is_told):
    """And when it said more than we could read, the network may be up."""
    _, loop, told = watching(answer)
    loop.turn(1.0)
    assert bool(told) is is_told


def test_a_flapping_line_is_one_signal_in_ten_seconds():
    """The provider is not knocked at with each of a hundred messages."""
    watch, loop, told = watching(*[(address(), KERNEL)] * 3)
    for _ in range(100):
        loop.turn(0.2)
        watch._socket.answers = [(route(), KERNEL)]
        watch._read()
    assert len(told) == 2
    assert told[1] - told[0] >= 10.0


def test_a_closed_watch_says_nothing():
    """Not even what it had noticed before."""
    watch, loop, told = watching((address(), KERNEL))
    sock = watch._socket
    watch.close()
    loop.turn(100.0)
    assert told == []
    assert sock.is_closed
    assert loop.readers == {}
    watch.close()


def test_a_kernel_without_netlink_is_the_callers_log_line(monkeypatch):
    """What fails is told to the caller, and nothing is left open."""
    monkeypatch.setattr(network.socket, "NETLINK_ROUTE", 31)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="not supported"):
        NetworkWatch(Loop(), lambda: None).open()
    assert len(os.listdir("/proc/self/fd")) == before


_REAL = """
import asyncio, subprocess, sys
sys.path.insert(0, sys.argv[1])
from pillarbox.intake.network import NetworkWatch
async def main():
    up = asyncio.Event()
    watch = NetworkWatch(asyncio.get_running_loop(), up.set)
    watch.open()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    await asyncio.wait_for(up.wait(), 10)
    watch.close()
    print("up")
asyncio.run(main())
"""


def test_a_new_address_is_noticed():
    """In a network of its own, a process hears of the address that it gets."""
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-S", "-c", _REAL]
    if shutil.which("ip") is None or subprocess.run([*command[:4], "true"], check=False).returncode:
        pytest.skip("no network name space, or no ip(8), is to be had here")
    done = subprocess.run(
        [*command, os.environ["PYTHONPATH"]], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("up\n", "")
