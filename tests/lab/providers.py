"""
Who stands at the other end of the laboratory's names: the embedded provider, and odd ones.

Each is a thread that listens where it is told to in the network that it is started in, and is
used in a ``with``.
"""

import contextlib
import select
import socket
import struct
import threading
import time

from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions

__all__ = ["Actor", "Forwarder", "FullPort", "OurProvider", "Speaker", "TimeServer"]

_PATIENCE_S = 20


class OurProvider(EmbeddedProvider):
    """
    The embedded provider at a real address, with a certificate of the laboratory.

    Args:
        address: Where it listens.
        context: The TLS context; None: it has no TLS.
        options: As for the embedded provider.

    Attributes:
        events: All that happened, as its JSON lines tell.

    """

    def __init__(self, address, context, **options):
        self.events = []
        super().__init__(ProviderOptions(**options), watch=self.events.append)
        self.host = address
        self._given = context

    def _make_context(self):
        return self._given


class _Listener:
    """A listening socket with a thread for each connection; all of it is gone at the end."""

    def __init__(self, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sock = socket.create_server((address, port), family=family)
        self._connections = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        _shut(self._sock)
        self._threads[0].join(_PATIENCE_S)  # from now on there are no more of them
        self._sock.close()
        for connection in self._connections:
            _shut(connection)
        for thread in self._threads[1:]:
            thread.join(_PATIENCE_S)

    def _accept(self):
        while True:
            try:
                connection, _ = self._sock.accept()
            except OSError:
                return
            connection.settimeout(_PATIENCE_S)
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve_one, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve_one(self, connection):
        with connection, contextlib.suppress(OSError, ValueError):
            self.serve(connection)


def _shut(sock):
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class Speaker(_Listener):
    """
    A server that says something of another protocol, or nothing.

    Args:
        address: Where it listens.
        port: The same.
        first: What it says before it was asked; empty: nothing.
        answer: What it says when something came; empty: it waits on.
        hangs_up: It closes behind the first.

    """

    def __init__(self, address, port, first=b"", answer=b"", *, hangs_up=False):
        super().__init__(address, port)
        self._first, self._answer, self._hangs_up = first, answer, hangs_up

    def serve(self, connection):
        """Serve one client."""
        if self._first:
            connection.sendall(self._first)
        if self._hangs_up:
            return
        while connection.recv(4096):
            if self._answer:
                connection.sendall(self._answer)
                return


_REPLIES = {
    "": "220 mail ESMTP",
    "EHLO": "250-mail\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 sender is fine",
    "RCPT": "250 2.1.5 recipient is fine",
    "DATA": "354 go on",
    "RSET": "250 2.0.0 forgotten",
    "NOOP": "250 2.0.0 fine",
    "QUIT": "221 2.0.0 bye",
}


class Actor(_Listener):
    """
    A server that answers as some provider does, by a table.

    Args:
        address: Where it listens.
        port: The same.
        context: Its TLS context; None: it has no TLS.
        replies: By the beginning of a command, the longest first; ``""`` is the greeting. An
            empty reply hangs up; None is no answer.
        is_implicit: TLS begins with the connection, else with STARTTLS.

    Attributes:
        commands: What it was told.

    """

    def __init__(self, address, port, context, replies=None, *, is_implicit=True):
        super().__init__(address, port)
        self._context, self._is_implicit = context, is_implicit
        self._replies = _REPLIES | dict(replies or {})
        self.commands = []

    def serve(self, connection):
        """Serve one client."""
        if self._context is None or not self._is_implicit:
            self._converse(connection)
            return
        with self._secure(connection) as secured:
            self._converse(secured)

    def _secure(self, connection):
        # Not detached from the socket that is there, which is how the end reaches it.
        secured = self._context.wrap_socket(connection.dup(), server_side=True)
        secured.settimeout(_PATIENCE_S)
        return secured

    def _converse(self, connection):
        if self._say(connection, ""):
            self._go_on(connection)

    def _go_on(self, connection):
        pending = b""
        while data := connection.recv(4096):
            pending += data
            while b"\r\n" in pending:
                line, _, pending = pending.partition(b"\r\n")
                text = line.decode("latin-1")
                self.commands.append(text)
                if not self._say(connection, text) or text.startswith("QUIT"):
                    return
                if text == "STARTTLS":
                    with self._secure(connection) as secured:
                        self._go_on(secured)
                    return

    def _say(self, connection, line):
        known = [key for key in self._replies if line.startswith(key) and bool(key) == bool(line)]
        reply = self._replies[max(known, key=len)] if known else "500 5.5.1 what?"
        if reply:
            connection.sendall(reply.encode() + b"\r\n")
        return reply is None or reply


class Forwarder(_Listener):
    """A port that is another one: what comes in is handed on, and the answer back."""

    def __init__(self, address, port, target):
        super().__init__(address, port)
        self._target = target

    def serve(self, connection):
        """Hand on until one side has ended."""
        with socket.create_connection(self._target) as other:
            ends = {connection: other, other: connection}
            while True:
                for sock in select.select(list(ends), [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    ends[sock].sendall(data)


class FullPort:
    """A port that takes no more: what is sent to it gets lost, as behind a firewall that drops."""

    def __init__(self, address, port):
        self._address = address, port
        self._socks = []

    def __enter__(self):
        listener = socket.create_server(self._address, backlog=0)
        self._socks.append(listener)
        for _ in range(3):
            sock = socket.socket()
            sock.setblocking(False)  # noqa: FBT003 (that is its one argument)
            sock.connect_ex(self._address)
            self._socks.append(sock)
        return self

    def __exit__(self, *_):
        while self._socks:
            self._socks.pop().close()


# Seconds between the beginning of 1900 and of 1970 (RFC 5905 6).
_NTP_EPOCH_S = 2_208_988_800


class TimeServer:
    """A time server whose clock goes as it is told, in seconds ahead of the right one."""

    def __init__(self, address, ahead_s=0.0):
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 123))
        self._ahead_s = ahead_s
        self._ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ours.close()
        self._thread.join(_PATIENCE_S)
        self._theirs.close()
        self._sock.close()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._sock, self._theirs], [], [])
            if self._theirs in ready:
                return
            data, client = self._sock.recvfrom(512)
            if len(data) >= 48:
                self._sock.sendto(self._answer(data), client)

    def _answer(self, request):
        seconds = time.time() + _NTP_EPOCH_S + self._ahead_s
        now = struct.pack("!II", int(seconds), int(seconds % 1 * 2**32))
        version = request[0] & 0b00111000
        head = struct.pack("!BBbb", version | 4, 2, 6, -20) + bytes(4) + bytes(4) + b"LOCL"
        return head + now + request[40:48] + now + now
