"""
An SMTP server that takes every mail and keeps none, in a process of its own.

    sink.py --certificate FILE [--no-chunking] [--no-quit-reply]

It prints ``ready PORT``, then, for each line on its standard input, what it has counted since the
line before, as JSON. It ends with its standard input.

The rule: it must be faster than what is measured against it, so it does not check what a client
says; the rows called ``floor`` show how fast it is. ``sink.c`` is the same in C, and preferred
where there is a compiler.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import ssl
import sys
import threading
import time

_SIZE = 1 << 16  # octets read at once; TLS gives 16 KiB at most

_EHLO = (b"sink.example.test", b"PIPELINING", b"SIZE 2147483648", b"8BITMIME", b"SMTPUTF8",
         b"ENHANCEDSTATUSCODES", b"AUTH PLAIN LOGIN", b"CHUNKING")  # fmt: skip

_REPLIES = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
}


class Counts:
    """What came since the last report."""

    def __init__(self):
        self._lock = threading.Lock()
        self.report()

    def report(self):
        """Return the counts and begin anew."""
        with self._lock:
            found = {name: count for name, count in vars(self).items() if name[0] != "_"}
            self.connections = self.mails = self.octets = self.commands = 0
            self.began = self.ended = 0.0  # the first MAIL, the end of the last content
            return found

    def add(self, name, count=1):
        """Count something."""
        with self._lock:
            setattr(self, name, getattr(self, name) + count)

    def add_mail(self):
        """Count a content that is there whole; return how many it is since the last report."""
        with self._lock:
            self.mails += 1
            self.ended = time.monotonic()
            return self.mails


class Wire:
    """A connection, read by lines and by octets; replies wait until more must be read."""

    def __init__(self, sock):
        self._sock = sock
        self._data = b""
        self._start = 0  # of what is not yet used
        self._replies = []
        self._space = memoryview(bytearray(_SIZE))

    def say(self, reply):
        """Reply with the rest of the group."""
        self._replies.append(reply)

    def line(self):
        """Return the next line with its end."""
        while (end := self._data.find(b"\n", self._start) + 1) == 0:
            rest = self._data[self._start :]
            self._data = rest + self._receive()
            self._start = 0
        line = self._data[self._start : end]
        self._start = end
        return line

    def skip(self, octets):
        """Drop that many octets."""
        missing = octets - (len(self._data) - self._start)
        self._start += octets
        if missing > 0:
            self._data, self._start = b"", 0
            self.flush()
        while missing > 0:
            got = self._sock.recv_into(self._space, min(missing, _SIZE))
            if not got:
                raise EOFError
            missing -= got

    def skip_content(self):
        """Drop a content up to the line with one dot; return its octets."""
        octets, tail = -2, b"\r\n"  # the end of DATA's own line, as a content may be empty
        data = self._data[self._start :]
        while True:
            data = tail + data
            end = data.find(b"\r\n.\r\n")
            if end >= 0:
                self._data, self._start = data, end + 5
                return octets + end + 2
            tail = data[-4:]
            octets += len(data) - len(tail)
            data = self._receive()

    def _receive(self):
        self.flush()
        data = self._sock.recv(_SIZE)
        if not data:
            raise EOFError
        return data

    def flush(self):
        """Send the replies."""
        if self._replies:
            self._sock.sendall(b"".join(self._replies))
            self._replies.clear()


def talk(wire, options, counts):
    """Hold one session."""
    extensions = _EHLO[:-1] if options.no_chunking else _EHLO
    hello = b"".join(b"250-%b\r\n" % word for word in extensions[:-1])
    hello += b"250 %b\r\n" % extensions[-1]
    wire.say(b"220 sink.example.test ESMTP\r\n")
    while True:
        line = wire.line()
        counts.add("commands")
        verb = line[:4].upper()
        if verb in _REPLIES:
            if verb == b"MAIL" and not counts.began:
                counts.began = time.monotonic()
            wire.say(_REPLIES[verb])
        elif verb == b"BDAT":
            _take_chunk(wire, line, counts)
        elif verb == b"DATA":
            wire.say(b"354 go ahead\r\n")
            counts.add("octets", wire.skip_content())
            _count_mail(wire, counts)
        elif verb == b"EHLO":
            wire.say(hello)
        elif verb == b"AUTH":
            _log_in(wire, line)
        elif verb == b"QUIT":
            if not options.no_quit_reply:
                wire.say(b"221 2.0.0 Bye\r\n")
                wire.flush()
                return
        else:
            wire.say(b"500 5.5.1 what?\r\n")


def _take_chunk(wire, line, counts):
    octets = int(line.split()[1])
    wire.skip(octets)
    counts.add("octets", octets)
    if line.upper().rstrip().endswith(b"LAST"):
        _count_mail(wire, counts)
    else:
        wire.say(b"250 2.0.0 go on\r\n")


def _count_mail(wire, counts):
    wire.say(b"250 2.0.0 Ok: %d\r\n" % counts.add_mail())


def _log_in(wire, line):
    """Believe every login."""
    words = line.upper().split()
    challenges = {b"LOGIN": [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]}
    asked = challenges.get(words[1], [b"334 \r\n"])[len(words) - 2 :]
    for challenge in asked:
        wire.say(challenge)
        wire.line()
    wire.say(b"235 2.7.0 welcome\r\n")


def serve(sock, context, options, counts):
    """Serve one connection in this thread."""
    with contextlib.suppress(EOFError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(sock, server_side=True) as secured:
            counts.add("connections")
            talk(Wire(secured), options, counts)


def main():
    """Run until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--no-chunking", action="store_true")
    parser.add_argument("--no-quit-reply", action="store_true")
    options = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    counts = Counts()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            sock, _ = listener.accept()
            arguments = (sock, context, options, counts)
            threading.Thread(target=serve, args=arguments, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(f"ready {listener.getsockname()[1]}", flush=True)
    for _ in sys.stdin:
        print(json.dumps(counts.report()), flush=True)


if __name__ == "__main__":
    main()
