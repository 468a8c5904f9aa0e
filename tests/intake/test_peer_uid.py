"""Whose process is at the other end of a TCP connection inside this computer (attack L14)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

import pytest

from door import STRANGER, as_stranger
from pillarbox.intake import peer_uid as module
from pillarbox.intake.peer_uid import peer_uid

UID = STRANGER if os.geteuid() == 0 else os.getuid()
V4, V6 = socket.AF_INET, socket.AF_INET6

WAYS = [
    (V4, "127.0.0.1", V4, "127.0.0.1"),
    (V4, "127.0.0.1", V4, "127.5.6.7"),  # the client binds another loopback address
    (V6, "::1", V6, "::1"),
    (V4, "127.0.0.1", V6, "::ffff:127.0.0.1"),
    (V6, "::", V4, "127.0.0.1"),
    (V6, "::", V6, "::1"),
]


@pytest.fixture(params=["asked", "read"])
def how(request, monkeypatch):
    """Ask the kernel for the one socket, or read the table of all."""
    broken = "_look_up" if request.param == "asked" else "_ask"
    monkeypatch.setattr(module, broken, lambda *_: None)


@contextlib.contextmanager
def connection(server_family=V4, bound="127.0.0.1", family=V4, source="127.0.0.1"):
    """Yield a stranger's end of a connection, and ours."""
    with socket.socket(server_family) as server:
        server.bind((bound, 0))
        server.listen()
        port = server.getsockname()[1]
        with as_stranger():
            client = socket.socket(family)
        target = "127.0.0.1" if source.startswith("127.") else source
        if source.startswith("127."):
            client.bind((source, 0))
        with client:
            client.connect((target, port))
            ours, _ = server.accept()
            with ours:
                yield client, ours


@pytest.mark.usefixtures("how")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way[3]} to {way[1]}")
def test_the_kernel_names_the_user(way):
    """In every spelling of an address inside this computer."""
    with connection(*way) as (_, ours):
        assert peer_uid(ours) == UID


@pytest.mark.usefixtures("how")
def test_who_has_ended_his_output_is_still_himself():
    """A client may say all that it has and then only listen."""
    with connection() as (client, ours):
        client.shutdown(socket.SHUT_WR)
        assert peer_uid(ours) == UID


@pytest.mark.usefixtures("how")
@pytest.mark.parametrize("resets", [False, True])
def test_who_has_gone_is_nobody_and_not_root(resets):
    """Attack: the kernel shows what is left of a closed socket with user id 0."""
    with connection() as (client, ours):
        if resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert peer_uid(ours) is None


def test_both_ways_are_tried():
    """One name space allows the one, another the other; here both are to be had."""
    with connection() as (_, ours):
        theirs, mine = ours.getpeername(), ours.getsockname()
        family, there, here = next(module._spellings(theirs, mine))
        asked = module._ask(family, there, here)
        assert asked is not None
        assert asked == module._look_up(family, there, here)


def test_nobody_at_all_is_none():
    """A socket without an other end, and an address that is in no table."""
    with socket.socket() as sock:
        assert peer_uid(sock) is None
    there = (socket.inet_aton("192.0.2.1"), 9)
    assert module._ask(V4, there, there) is None
    assert module._look_up(V4, there, there) is None


@pytest.mark.parametrize("answer", [b"", bytes(20), bytes(200)])
def test_nonsense_of_the_kernel_is_no_answer(monkeypatch, answer):
    """Short, an error, or of another kind."""

    class Kernel:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def settimeout(self, _):
            pass

        def sendto(self, *_):
            pass

        def recvfrom(self, _):
            return answer, (0, 0)

    end = (socket.inet_aton("127.0.0.1"), 9)
    monkeypatch.setattr(module.socket, "socket", lambda *_: Kernel())
    assert module._ask(V4, end, end) is None


def test_ten_thousand_other_sockets_do_not_make_it_slow():
    """Attack: a table of all sockets that grows with each connection of a flood."""
    with contextlib.ExitStack() as stack, connection() as (_, ours):
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        for _ in range(150):
            stack.enter_context(socket.create_connection(server.getsockname()))
        begin = time.thread_time()
        for _ in range(100):
            assert peer_uid(ours) == UID
        assert time.thread_time() - begin < 0.5
