"""
A TCP proxy that is far away: it delays both directions and counts who spoke when.

    proxy.py --to PORT --rtt MILLISECONDS

It prints ``ready PORT``, then, for each line on its standard input, what it has counted since the
line before, as JSON. It ends with its standard input.

Counted is what the client sees, in its order, so that the counts are exact:

- ``turns``: how often the client began to speak, after it had heard something or at the start;
- ``round_trips``: how often it then got an answer while it was still there, plus one for TCP's
  own handshake. An answer to QUIT that a client does not wait for is none.

Delay is all that it models: no loss, no bandwidth, no slow start. The handshake is delayed by
keeping back what the client says first, as its ``connect`` returns at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import sys
import threading
import time
from queue import SimpleQueue

_SIZE = 1 << 16


class Counts:
    """What happened since the last report."""

    def __init__(self):
        self._lock = threading.Lock()
        self.report()

    def report(self):
        """Return the counts and begin anew."""
        with self._lock:
            found = {name: count for name, count in vars(self).items() if name[0] != "_"}
            self.connections = self.turns = self.round_trips = 0
            return found

    def add(self, name):
        """Count one."""
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)


class Connection:
    """
    One client, and the two directions of its connection.

    Four threads have a hand on its two sockets, so none of them closes one; both close when the
    last thread is gone.
    """

    def __init__(self, client, port, rtt_s, counts):
        self._client = client
        self._port = port
        self._delay_s = rtt_s / 2
        self._established = time.monotonic() + rtt_s
        self._counts = counts
        self._up = SimpleQueue()
        self._down = SimpleQueue()
        self._speaker = ""  # who was heard last at the client's end
        self._is_left = False  # the client has closed its side
        counts.add("connections")
        counts.add("round_trips")  # TCP's own
        _start(self._read_up)
        _start(self._write_up)

    def _read_up(self):
        while data := _receive(self._client):
            if self._speaker != "client":
                self._speaker = "client"
                self._counts.add("turns")
            sent = max(time.monotonic(), self._established)
            self._up.put((sent + self._delay_s, data))
        self._is_left = True
        self._up.put((time.monotonic() + self._delay_s, b""))

    def _write_up(self):
        _wait_until(self._established + self._delay_s)
        server = socket.create_connection(("127.0.0.1", self._port))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _start(self._read_down, server)
        _start(self._write_down)
        _deliver(self._up, server)

    def _read_down(self, server):
        while data := _receive(server):
            self._down.put((time.monotonic() + self._delay_s, data))
        self._down.put((time.monotonic() + self._delay_s, b""))

    def _write_down(self):
        _deliver(self._down, self._client, self._hear)

    def _hear(self):
        if self._speaker != "server" and not self._is_left:
            self._counts.add("round_trips")
        self._speaker = "server"


def _start(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


def _wait_until(due):
    if (left := due - time.monotonic()) > 0:
        time.sleep(left)


def _receive(sock):
    try:
        return sock.recv(_SIZE)
    except OSError:
        return b""  # broken off: the end, too


def _deliver(queue, target, note=None):
    """Pass everything on when it is due, and the end at last."""
    with contextlib.suppress(OSError):
        while True:
            due, data = queue.get()
            _wait_until(due)
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            if note is not None:
                note()
            target.sendall(data)


def main():
    """Run until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--rtt", type=float, required=True)
    options = parser.parse_args()
    counts = Counts()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(client, options.to, options.rtt / 1e3, counts)

    _start(accept)
    print(f"ready {listener.getsockname()[1]}", flush=True)
    for _ in sys.stdin:
        print(json.dumps(counts.report()), flush=True)


if __name__ == "__main__":
    main()
