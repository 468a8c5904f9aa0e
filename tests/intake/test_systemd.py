"""What systemd is told, and the sockets that it passes, against sockets of our own."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys

import pytest

from pillarbox.intake.systemd import Notifier, Passed, take_sockets


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """Yield the address of a NOTIFY_SOCKET and a function that returns what came."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if request.param == "path":
            sock.bind(str(tmp_path / "notify"))
            address = str(tmp_path / "notify")
        else:
            sock.bind("")  # the kernel chooses a name
            address = "@" + sock.getsockname()[1:].decode()
        sock.settimeout(5)
        yield address, lambda: sock.recv(4096).decode()


def test_each_state_is_one_datagram(systemd):
    """As sd_notify(3) has them."""
    address, received = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("3 mails waiting")
    assert received() == "READY=1\nSTATUS=3 mails waiting"
    notifier.ready()
    assert received() == "READY=1"
    notifier.alive()
    assert received() == "WATCHDOG=1"
    notifier.status("busy")
    assert received() == "STATUS=busy"
    notifier.stopping()
    assert received() == "STOPPING=1"


def test_reloading_says_when(systemd):
    """Type=notify-reload needs the monotonic time, to know which READY belongs to it."""
    address, received = systemd
    Notifier({"NOTIFY_SOCKET": address}).reloading()
    first, second = received().split("\n")
    assert first == "RELOADING=1"
    assert second.startswith("MONOTONIC_USEC=")
    assert second.partition("=")[2].isdigit()


def test_a_status_is_one_line(systemd):
    """Attack: a text of somebody else's must not say READY or MAINPID in our name."""
    address, received = systemd
    Notifier({"NOTIFY_SOCKET": address}).status("x\nMAINPID=1\nREADY=1")
    assert received() == "STATUS=x MAINPID=1 READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nonexistent/notify", "@nobody-is-here"])
def test_nobody_who_listens_is_no_trouble(address):
    """Outside systemd nothing happens."""
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    notifier.ready("x")
    notifier.stopping()


def test_what_was_for_us_is_taken_out_of_the_environment():
    """Attack: a passwordeval must not speak in the service's name."""
    environment = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": str(os.getpid()),
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "0",
        "LISTEN_FDNAMES": "x",
        "PATH": "/bin",
    }
    Notifier(environment)
    take_sockets(environment)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_the_one_of_this_process(environment, expected):
    """Another one's time is not ours."""
    assert Notifier(dict(environment)).watchdog_s == expected


_CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pillarbox.intake.systemd import take_sockets
environment = {
    "LISTEN_PID": sys.argv[2] or str(os.getpid()),
    "LISTEN_FDS": sys.argv[3],
    "LISTEN_FDNAMES": sys.argv[4],
}
passed = take_sockets(environment)
for word, path in (("submit", sys.argv[5]), ("control", "/no"), ("submit", "/no")):
    sock = passed.take(word, path)
    print(sock and sock.getsockname(), sock and sock.get_inheritable())
print(passed.close_rest())
"""


def passed_to_a_child(descriptors, *, pid="", count="", names="", path="/no"):
    """Return what a fresh process finds that gets these as 3, 4, 5."""

    def place():
        # Out of the way of subprocess's own pipes first.
        kept = [fcntl.fcntl(number, fcntl.F_DUPFD, 200) for number in descriptors]
        for at, number in enumerate(kept):
            os.dup2(number, 3 + at)

    source = os.environ["PYTHONPATH"]
    arguments = [sys.executable, "-S", "-c", _CHILD, source, pid, count, names, path]
    done = subprocess.run(
        arguments,
        preexec_fn=place,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.fixture
def sockets(tmp_path):
    """Yield two listening sockets, one connected to nothing and a file, with the names of two."""
    with (
        socket.socket(socket.AF_UNIX) as one,
        socket.socket(socket.AF_UNIX) as two,
        socket.socket(socket.AF_UNIX) as deaf,
        open(tmp_path / "file", "w") as file,
    ):
        paths = [str(tmp_path / "one"), str(tmp_path / "two")]
        for sock, path in zip((one, two), paths, strict=True):
            sock.bind(path)
            sock.listen()
        yield [one.fileno(), two.fileno(), deaf.fileno(), file.fileno()], paths


def test_sockets_are_known_by_their_names(sockets):
    """FileDescriptorName= says which is which, and none is left to a child."""
    descriptors, (one, two) = sockets
    out = passed_to_a_child(descriptors[:2], count="2", names="pillarbox-control:submit.socket")
    assert out == [f"{two} False", f"{one} False", "None None", "0"]


def test_a_path_counts_for_more_than_a_name(sockets):
    """The one at the place where callers look is it, whatever it is called."""
    descriptors, (one, two) = sockets
    out = passed_to_a_child(descriptors[:2], count="2", names="control:submit", path=one)
    assert out == [f"{one} False", "None None", f"{two} False", "0"]


def test_what_does_not_listen_is_no_socket_for_us(sockets):
    """A file, or a socket that nobody could connect to, is closed."""
    descriptors, (one, _) = sockets
    given = [descriptors[3], descriptors[2], descriptors[0]]
    out = passed_to_a_child(given, count="3", names="submit:submit:submit")
    assert out == [f"{one} False", "None None", "None None", "0"]


def test_what_nobody_takes_is_closed(sockets):
    """And counted, for the log."""
    out = passed_to_a_child(sockets[0][:2], count="2", names="a:b")
    assert out == ["None None", "None None", "None None", "2"]


@pytest.mark.parametrize(("pid", "count"), [("1", "2"), ("", ""), ("", "x"), ("", "65")])
def test_what_is_not_for_us_is_left_alone(sockets, pid, count):
    """Another process's sockets, and nonsense."""
    out = passed_to_a_child(sockets[0][:2], pid=pid, count=count, names="submit:control")
    assert out == ["None None"] * 3 + ["0"]


def test_nothing_passed_is_nothing():
    """Without systemd."""
    assert Passed([]).take("submit", "/x") is None
