"""
The server's side of a dialog (see ``dialog``): it does what the steps say, on loopback.

The rule: it never waits without a limit, and whatever the client sends is kept, so that it can
be looked through for what must never be sent. TLS works between two buffers, because a hostile
server wants to say when which octet of a record goes out.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import select
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PASSWORD",
    "USER",
    "Certificates",
    "Part",
    "Server",
    "Session",
    "Step",
    "is_local",
    "unquote",
]

USER = "sender@example.test"
# The canary: looked for in everything that a dialog leaves behind.
PASSWORD = "Canary-4f9d!Kanarienvogel"

_SALT, _ROUNDS = b"salt", 4096

# Seconds that the server waits for anything: longer than any client is given.
_PATIENCE_S = 30.0

_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
_ESCAPED = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}


def unquote(text: str) -> bytes:
    """Return the octets of a text in which a backslash begins an escape, with or without quotes."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]

    def octet(found: re.Match[bytes]) -> bytes:
        name = found[1]
        return bytes([int(name[1:], 16)]) if len(name) > 1 else _ESCAPED.get(name, name)

    return _ESCAPE.sub(octet, text.encode())


def is_local(host: str) -> bool:
    """Return whether the client connects to a host without the proxy."""
    return host in ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Step:
    """One line of the conversation; ``verb`` is the method of ``Server`` that does it."""

    number: int
    line: str
    verb: str
    arguments: tuple[str | None, ...]


@dataclass(frozen=True)
class Part:
    """What the server plays: its name, its certificate (see ``dialog``), its conversation."""

    host: str
    certificate: str
    steps: tuple[Step, ...]


class Certificates:
    """One authority that the client trusts and one that it does not, made on the spot."""

    def __init__(self, folder: Path) -> None:
        self.trust_file = folder / "authority.pem"
        self._authorities = {"good": trustme.CA(), "stranger": trustme.CA()}
        self._authorities["good"].cert_pem.write_to_path(str(self.trust_file))
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    def context(self, kind: str, host: str) -> ssl.SSLContext:
        """Return what a server of that name needs."""
        if (kind, host) not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authorities[kind].issue_cert(host).configure_cert(context)
            self._contexts[kind, host] = context
        return self._contexts[kind, host]


class _HungUpError(Exception):
    """The client is gone."""


class _Channel:
    """The connection, with or without TLS."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(_PATIENCE_S)
        self._sock = sock
        self._tls: ssl.SSLObject | None = None
        self.received = bytearray()
        self.received_open = bytearray()  # the part of it that came without TLS
        self.sent = bytearray()
        self.transcript: list[str] = []
        self._taken = 0  # how much of what was received the steps have had
        self._searched = 0  # how far ``until`` has looked

    def say(self, data: bytes, pause_s: float = 0.0) -> None:
        """Say something in one piece, or octet by octet with a pause behind each."""
        pieces = [bytes([octet]) for octet in data] if pause_s else [data]
        self._note("S", data)
        for piece in pieces:
            self.sent += piece
            self._send(self._encrypted(piece) if self._tls else piece, pause_s)

    def trickle(self, data: bytes, pause_s: float) -> None:
        """Say something in one TLS record, whose octets come one by one."""
        self._note("S", data)
        self.sent += data
        for octet in self._encrypted(data):
            self._send(bytes([octet]), pause_s)

    def line(self) -> bytes:
        """Return the next line without its end; whatever is left when there is no end to it."""
        while True:
            end = self.received.find(b"\n", self._taken)
            if end >= 0:
                return self.take(end + 1 - self._taken).rstrip(b"\r\n")
            if not self._receive():
                if self._taken == len(self.received):
                    raise _HungUpError
                return self.take(len(self.received) - self._taken)

    def until(self, end: bytes) -> bytes:
        """Return everything up to and with ``end``."""
        self._searched = max(self._searched, self._taken)
        while (place := self.received.find(end, self._searched)) < 0:
            self._searched = max(self._taken, len(self.received) - len(end))
            if not self._receive():
                raise _HungUpError
        return self.take(place + len(end) - self._taken)

    def octets(self, size: int) -> bytes:
        """Return that many octets."""
        while len(self.received) < self._taken + size:
            if not self._receive():
                raise _HungUpError
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Return the next octets of those that are there."""
        self._taken += size
        data = bytes(self.received[self._taken - size : self._taken])
        self._note("C", data)
        return data

    def _note(self, who: str, data: bytes) -> None:
        if data:
            self.transcript.append(f"{who}: {data[:160]!r}{'...' if len(data) > 160 else ''}")

    def start_tls(self, context: ssl.SSLContext, pause_s: float) -> None:
        """Negotiate TLS; what the client has sent in the open before is not its first message."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send_all(self._outgoing.read(), pause_s)
                data = self._sock.recv(65536)
                if not data:
                    raise _HungUpError from None
                self._incoming.write(data)
            except ssl.SSLError as exc:  # the client has refused us, or does not speak TLS
                raise _HungUpError from exc
        self._send_all(self._outgoing.read(), pause_s)
        self._tls = secured

    def hear_rest(self) -> bytes:
        """Listen until the client goes, and return what the steps have not taken."""
        try:
            while self._receive():
                pass
        except OSError:
            pass  # the client broke the connection off
        return self.take(len(self.received) - self._taken)

    def end_tls(self) -> None:
        """Say that nothing more comes; without it the end looks like an attacker's cut."""
        assert self._tls is not None
        with contextlib.suppress(ssl.SSLError):  # always: the answer cannot be there yet
            self._tls.unwrap()
        self._send(self._outgoing.read())

    def close(self) -> None:
        """End our half."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _receive(self) -> bool:
        """Take what comes, and tell whether anything did."""
        if self._tls is None:
            data = self._sock.recv(1 << 20)
            self.received_open += data
            self.received += data
            return bool(data)
        while True:
            try:
                data = self._tls.read(1 << 20)
            except ssl.SSLWantReadError:
                more = self._sock.recv(1 << 20)
                if not more:
                    return False
                self._incoming.write(more)
            except ssl.SSLError:
                return False
            else:
                self.received += data
                return bool(data)

    def _encrypted(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._tls.write(data)
        return self._outgoing.read()

    def _send_all(self, data: bytes, pause_s: float) -> None:
        pieces = [bytes([octet]) for octet in data] if pause_s else [data]
        for piece in pieces:
            self._send(piece, pause_s)

    def _send(self, data: bytes, pause_s: float = 0.0) -> None:
        try:
            self._sock.sendall(data)
        except OSError as exc:
            raise _HungUpError from exc
        # The pause ends at once when the client goes.
        if pause_s and _has_gone(self._sock, pause_s):
            raise _HungUpError


def _has_gone(sock: socket.socket, timeout_s: float) -> bool:
    """Wait for a time, or until the client has closed its side, and return whether it has."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP | select.POLLHUP)
    return bool(poll.poll(timeout_s * 1000))


class Session:
    """
    One connection, and how the conversation went on it.

    Attributes:
        accepted: When the client connected, in monotonic seconds.
        fault: In which step the client did not do what the dialog says; empty: in none.
        rest: What the client said after the conversation.

    """

    def __init__(self, sock: socket.socket, certificates: Certificates, part: Part) -> None:
        self.accepted = time.monotonic()
        self.fault = ""
        self.rest = b""
        self._sock = sock
        self._part = part
        self._certificates = certificates
        self._is_over = threading.Event()  # the client has ended
        self._channel = _Channel(sock)
        self._content_end: int | None = None  # how much we had said when a content was whole
        self._chunks = b""  # the content that came with BDAT
        self._nonce = self._signature = ""
        self._first_bare = self._server_first = b""
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end; to be called when the client has ended."""
        self._is_over.set()
        self._thread.join()

    @property
    def received(self) -> bytes:
        """Everything that the client said."""
        return bytes(self._channel.received)

    @property
    def received_open(self) -> bytes:
        """What of it anybody on the way could read."""
        return bytes(self._channel.received_open)

    @property
    def transcript(self) -> list[str]:
        """Who said what, a line each."""
        return self._channel.transcript

    @property
    def has_accepted(self) -> bool:
        """Whether a whole content came, and the first reply behind it was positive."""
        if self._content_end is None:
            return False
        said = bytes(self._channel.sent[self._content_end :])
        replies = re.findall(rb"^(\d)\d\d(?: .*)?\r?\n", said, re.MULTILINE)
        return replies[:1] == [b"2"]

    # -- playing ---------------------------------------------------------------------------

    def _play(self) -> None:
        with self._sock:
            if not is_local(self._part.host):
                _play_proxy(self._sock, self._part.host)
            for step in self._part.steps:
                try:
                    getattr(self, f"_{step.verb}")(self._channel, *step.arguments)
                except _HungUpError:
                    if step.verb in _MUST_BE_HEARD:
                        self._blame(step, "the client hung up")
                    return
                except (ValueError, AssertionError) as exc:
                    self._blame(step, str(exc))
                    break
                except OSError as exc:
                    if step.verb in _MUST_BE_HEARD:
                        self._blame(step, f"{type(exc).__name__}: {exc}")
                    return
                if step.verb in ("reset", "deaf"):
                    return
            self.rest = self._channel.hear_rest()

    def _blame(self, step: Step, what: str) -> None:
        self.fault = f"line {step.number} ({step.line}): {what}"

    # -- the verbs -------------------------------------------------------------------------

    def _say(self, channel: _Channel, text: str) -> None:
        channel.say(self._filled(text.encode()) + b"\r\n")

    def _raw(self, channel: _Channel, text: str) -> None:
        channel.say(self._filled(unquote(text)))

    def _repeat(self, channel: _Channel, count: str, text: str) -> None:
        data, rest = unquote(text), int(count)
        while rest:
            block = min(rest, max(1, 65536 // len(data)))
            channel.say(data * block)
            rest -= block

    def _drip(self, channel: _Channel, pause_s: str, count: str, text: str) -> None:
        channel.say(unquote(text) * int(count), float(pause_s))

    def _trickle(self, channel: _Channel, pause_s: str, text: str) -> None:
        channel.trickle(unquote(text), float(pause_s))

    def _challenge(self, channel: _Channel, text: str) -> None:
        challenge = self._filled(unquote(text))
        if challenge.startswith(b"r="):
            self._server_first = challenge
        channel.say(b"334 " + base64.b64encode(challenge) + b"\r\n")

    def _hear(self, channel: _Channel, pattern: str) -> None:
        line = channel.line()
        _match(line, pattern)
        if line.upper().startswith(b"AUTH SCRAM"):
            self._note_client_first(base64.b64decode(line.split(b" ")[2]))

    def _hear_or_end(self, channel: _Channel, pattern: str) -> None:
        _match(channel.line(), pattern)

    def _response(self, channel: _Channel, pattern: str) -> None:
        response = base64.b64decode(channel.line(), validate=True)
        _match(response, pattern)
        if response.startswith(b"c="):
            self._note_client_final(response)

    def _content(self, channel: _Channel, text: str | None) -> None:
        # A content that is empty has no line before its dot.
        content = channel.until(b".\r\n") if text == "" else channel.until(b"\r\n.\r\n")
        self._content_end = len(channel.sent)
        _check_content(content[:-3], unquote(text or ""))

    def _chunk(self, channel: _Channel, last: str | None, text: str | None) -> None:
        if self._take_chunk(channel) != bool(last):
            raise ValueError("it is the last chunk, or not the last, against what is expected")
        if last:
            _check_lines(self._chunks, unquote(text or ""))

    def _all_chunks(self, channel: _Channel, text: str | None) -> None:
        while not self._take_chunk(channel):
            channel.say(b"250 taken\r\n")
        _check_lines(self._chunks, unquote(text or ""))

    def _take_chunk(self, channel: _Channel) -> bool:
        """Take one BDAT, and tell whether it was the last."""
        line = channel.line()
        _match(line, "BDAT *")
        is_last = line.endswith(b" LAST")
        self._chunks += channel.octets(int(line.split(b" ")[1]))
        if is_last:
            self._content_end = len(channel.sent)
        return is_last

    def _some(self, channel: _Channel, count: str) -> None:
        channel.octets(int(count))

    def _record(self, channel: _Channel) -> None:
        # Its size differs from one OpenSSL to the next.
        channel.octets(int.from_bytes(channel.octets(5)[3:], "big"))

    def _tls(self, channel: _Channel, pause_s: str | None) -> None:
        context = self._certificates.context(self._part.certificate, self._part.host)
        channel.start_tls(context, float(pause_s or 0))

    def _wait(self, _: _Channel, seconds: str) -> None:
        if self._is_over.wait(float(seconds)):
            raise _HungUpError

    def _goodbye(self, channel: _Channel) -> None:
        channel.end_tls()

    def _close(self, channel: _Channel) -> None:
        channel.close()

    def _reset(self, channel: _Channel) -> None:
        channel.reset()

    def _silence(self, _: _Channel) -> None:
        """Do nothing: the server listens at the end of every conversation."""

    def _deaf(self, _: _Channel) -> None:
        self._is_over.wait(_PATIENCE_S)

    # -- SCRAM -----------------------------------------------------------------------------

    def _filled(self, data: bytes) -> bytes:
        values = {
            b"{nonce}": self._nonce.encode(),
            b"{signature}": self._signature.encode(),
            b"{password}": PASSWORD.encode(),
            b"{password:base64}": base64.b64encode(PASSWORD.encode()),
        }
        for name, value in values.items():
            data = data.replace(name, value)
        return data

    def _note_client_first(self, message: bytes) -> None:
        self._first_bare = message.split(b",", 2)[2]
        self._nonce = self._first_bare.rpartition(b"r=")[2].decode()

    def _note_client_final(self, message: bytes) -> None:
        """Work out the signature that proves the server (RFC 5802 3)."""
        without_proof = message.rpartition(b",p=")[0]
        signed = b",".join((self._first_bare, self._server_first, without_proof))
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), _SALT, _ROUNDS)
        key = hmac.digest(salted, b"Server Key", "sha256")
        self._signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class Server:
    """
    A hostile server on loopback; it plays the same part in every connection.

    Attributes:
        port: Where it listens on 127.0.0.1.
        sessions: One for each connection, in their order.

    """

    def __init__(self, part: Part, certificates: Certificates) -> None:
        self.sessions: list[Session] = []
        self._part = part
        self._certificates = certificates
        self._listener = socket.create_server(("127.0.0.1", 0))
        # A small window: what the client has sent and we have not read waits on its side.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.port: int = self._listener.getsockname()[1]
        self._client_end, self._ended = socket.socketpair()  # readable: the client has ended
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the end of every session; to be called when the client has ended."""
        self._client_end.close()
        self._thread.join()
        self._ended.close()
        self._listener.close()
        for session in self.sessions:
            session.finish()

    def _accept(self) -> None:
        # Who connected before the client ended is let in behind its end, too.
        while self._listener in select.select([self._listener, self._ended], [], [])[0]:
            sock = self._listener.accept()[0]
            self.sessions.append(Session(sock, self._certificates, self._part))


# Verbs that need the client to be there still.
_MUST_BE_HEARD = frozenset(("hear", "response", "content", "chunk", "all_chunks", "some", "record"))


def _match(line: bytes, pattern: str) -> None:
    text = line.decode("utf-8", "backslashreplace")
    pattern = pattern.replace("{password}", PASSWORD).replace("{user}", USER)
    if not re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL):
        raise ValueError(f"the client said {text[:200]!r}")


def _check_content(content: bytes, wanted: bytes) -> None:
    """Make sure that no server can see more than one mail in a content (SMTP smuggling, N9)."""
    if any(line[:1] == b"." and line[:2] != b".." for line in content.split(b"\r\n")):
        raise ValueError("SMUGGLING: a dot at the start of a line is not doubled")
    _check_lines(content, wanted)


def _check_lines(content: bytes, wanted: bytes) -> None:
    """Make sure that every server sees the same lines in a content, and ``wanted`` in it."""
    rest = content.replace(b"\r\n", b"")
    if b"\r" in rest or b"\n" in rest or b"\0" in rest:
        raise ValueError("SMUGGLING: the content has a bare CR or LF, or a NUL")
    if wanted not in content:
        raise ValueError(f"the content is {content[-300:]!r}")


def _play_proxy(sock: socket.socket, host: str) -> None:
    """Let the client through, as a SOCKS5 proxy without a login does (RFC 1928)."""
    sock.settimeout(_PATIENCE_S)
    file = sock.makefile("rb")
    _, count = file.read(2)
    file.read(count)
    sock.sendall(b"\x05\x00")
    _, _, _, kind, size = file.read(5)
    name = file.read(size)
    file.read(2)
    assert (kind, name) == (3, host.encode()), "the client asks the proxy for another server"
    sock.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
