"""
The least that a client in Python can do: ready-made octets over a TLS socket, replies counted.

Its speed is what server and interpreter allow; nothing that minds what the server says is faster.

    floor.py bulk PORT AUTHORITY MAIL COUNT     groups of content, MAIL, RCPT and DATA
    floor.py window PORT AUTHORITY MAIL COUNT   a window of 64 transactions with BDAT
    floor.py large PORT AUTHORITY               standard input as one content
"""

import os
import socket
import ssl
import sys

_WINDOW = 64
_PIECE = 1 << 18

_ENVELOPE = b"MAIL FROM:<user@example.test> BODY=8BITMIME\r\nRCPT TO:<rcpt@example.test>\r\n"


class Session:
    """A connection that knows how many lines it waits for."""

    def __init__(self, port, authority):
        context = ssl.create_default_context(cafile=authority)
        plain = socket.create_connection(("localhost", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._surplus = 0
        self.hear(1)
        self.say(b"EHLO client.example.test\r\n")
        while b"250 " not in self._socket.recv(65536):
            pass
        self.say(b"AUTH PLAIN AHVzZXJAZXhhbXBsZS50ZXN0AHNlY3JldA==\r\n", 1)

    def say(self, data, lines=0):
        """Send, and wait for so many lines."""
        self._socket.sendall(data)
        self.hear(lines)

    def hear(self, lines):
        """Wait for so many lines."""
        while self._surplus < lines:
            data = self._socket.recv(65536)
            if not data:
                raise SystemExit("the server closed the connection")
            self._surplus += data.count(b"\n")
        self._surplus -= lines


def send_groups(session, mail, count):
    """Send the end of each mail with the beginning of the next."""
    start, end = _ENVELOPE + b"DATA\r\n", mail + b".\r\n"
    session.say(start, 3)
    for _ in range(count - 1):
        session.say(end + start, 4)
    session.say(end, 1)


def send_window(session, mail, count):
    """Keep a window of transactions open."""
    one = _ENVELOPE + b"BDAT %d LAST\r\n" % len(mail) + mail
    half, sent, heard = _WINDOW // 2, 0, 0
    while heard < count:
        while sent < count and sent - heard <= half:
            size = min(half, count - sent)
            session.say(one * size)
            sent += size
        size = min(half, sent - heard)
        session.hear(3 * size)
        heard += size


def send_large(session):
    """Send standard input as it is."""
    session.say(_ENVELOPE + b"DATA\r\n", 3)
    while chunk := os.read(0, _PIECE):
        session.say(chunk)
    session.say(b"\r\n.\r\n", 1)


def main(what, port, authority, path="", count="0"):
    """Do one of the three."""
    session = Session(int(port), authority)
    if what == "large":
        send_large(session)
    else:
        with open(path, "rb") as file:
            mail = file.read().replace(b"\n", b"\r\n")
        (send_groups if what == "bulk" else send_window)(session, mail, int(count))
    session.say(b"QUIT\r\n")


main(*sys.argv[1:])
