"""
One connection: the seam between the protocol engine, which does no I/O, and the network.

The rule: everything that can wait takes an absolute deadline (``time.monotonic()`` seconds), and
waits in ``wait_ready`` and nowhere else. A time-out for each call would not do: a server that
sends one byte, or one byte of a TLS record, every second would hold us for ever.

For the same reason OpenSSL never sees the socket. It works between two buffers, is given 64 KiB
at most, and then the clock is looked at. Given the socket it would go on for as long as bytes
come: a flood of messages that mean nothing, which anybody in between can send before it is known
who he is, held a handshake of 0.3 seconds for more than one.

The steps of a connection, each by the function of that name: ``dial.dial`` makes the stream,
``start_tls`` secures it (at once on port 465, after STARTTLS elsewhere), ``read`` and ``write``
use it, ``close`` ends it. A stream belongs to one thread.
"""

from __future__ import annotations

import select
import time
from errno import ECONNABORTED, ECONNRESET, ENOTCONN, EPIPE, ETIMEDOUT

from pillarbox.errors import (
    DeadlineError,
    LocalProtocolError,
    NetworkError,
    PillarboxError,
    TlsError,
)
from pillarbox.mail.reply import printable
from pillarbox.text import Text, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from ssl import MemoryBIO, SSLContext, SSLObject
    from typing import Any

    from pillarbox.net.tls import TlsPolicy

__all__ = ["READ_LIMIT", "Stream", "wait_ready"]

READ_LIMIT = 65536  # bytes from one read(): all that a reply may have (docs/threats.md N6)

_PIECE = 65536  # bytes encrypted at a time: four records; more is not faster, only bigger
_POLL_LIMIT_S = 3600.0  # poll() takes an int of milliseconds; a longer wait is made of several
_TLS_RECORDS = b"\x14\x15\x16\x17"  # the first byte of every TLS record (RFC 8446 5.1)

# How often what the network has is taken without a deadline: once is enough, unless what came
# first was TLS talking to itself. More than this is a flood.
_LOOKS = 4


class Stream:
    """
    A connected socket that reads, writes and never waits longer than it is told.

    Args:
        sock: A connected stream socket. The stream owns it from now on.
        peer: The other side in words, ``host, port N`` or the path of a socket.
        address: The address that was connected to, or empty when it says nothing about the
            server (a Unix socket, a proxy).

    """

    def __init__(self, sock: socket, peer: str, address: str = "") -> None:
        sock.settimeout(0)
        self.peer = peer
        self.address = address
        self._sock = sock
        self._tls: SSLObject | None = None  # also during the handshake
        self._incoming: MemoryBIO  # from the network, for OpenSSL; both only with _tls
        self._outgoing: MemoryBIO  # from OpenSSL, for the network
        self._is_secured = False
        self._ahead = b""  # read by has_input(), not yet by read()
        self._failure: PillarboxError | None = None  # met by has_input(), for read() to raise
        self._has_ended = False
        self._has_read = False
        self._has_failed_to_write = False
        self._is_closed = False

    # -- reading and writing ------------------------------------------------------------

    def read(self, deadline: float, limit: int = READ_LIMIT) -> bytes:
        """
        Return what the other side sent, as soon as there is something.

        Args:
            deadline: When to give up, in ``time.monotonic()`` seconds. When it has passed, not
                even what waits already is returned: who sends without end gains no time.
            limit: The most bytes to return.

        Returns:
            At least one byte, or ``b""`` at the end of the stream, now and ever after. A TLS
            connection that ends without a close alert ends the same way: SMTP tells by itself
            whether a reply is complete.

        Raises:
            DeadlineError: Nothing came until the deadline.
            NetworkError: The connection broke.
            TlsError: The other side broke the TLS connection, or refused us after the handshake.

        """
        self._check_open()
        while True:
            if time.monotonic() >= deadline:
                raise self._too_late("read")
            data = self._read_at_once(limit)
            if data is not None:
                self._has_read = True
                return data
            self._wait(select.POLLIN, deadline, "read")

    def write(self, data: bytes, deadline: float) -> None:
        """
        Write all of the data, or raise.

        After an exception it is not known how much was written, and nothing more can be. What
        the other side said before it closed can still be read, and often says why it did.

        Raises:
            DeadlineError: The other side did not take it all until the deadline.
            NetworkError: The other side closed the connection, or the network failed.
            TlsError: The TLS connection broke.

        """
        self._check_open()
        if self._has_failed_to_write:
            raise self._network_error("write", say("an earlier write failed"))
        self._has_failed_to_write = True  # until it is known to have succeeded
        view = memoryview(data)
        if self._tls is None:
            self._send(view, deadline, "write")
        else:
            for start in range(0, len(view), _PIECE):
                self._encrypt(self._tls, view[start : start + _PIECE])
                self._send(self._outgoing.read(), deadline, "write")
        self._has_failed_to_write = False

    def has_input(self) -> bool:
        """
        Return whether ``read`` would return at once. Never blocks.

        The end of the stream and a broken connection count: there is news. Under TLS only what
        was said counts, not what the protocol needs for itself (a session ticket makes the
        socket readable as well); so this really reads, and keeps what it read for ``read``.
        """
        self._check_open()
        if self._ahead or self._has_ended or self._failure is not None:
            return True
        try:
            data = self._read_at_once(READ_LIMIT)
        except (NetworkError, TlsError) as failure:
            self._failure = failure
            return True
        self._ahead = data or b""
        return data is not None

    def close(self) -> None:
        """
        End the connection. Never raises, never blocks, and may be called again.

        A TLS close alert is sent if it can be sent at once; the answer is not waited for. What
        is there unread is thrown away: left there, it would make the system break the connection
        off, and the server might never see what was written last.
        """
        if self._is_closed:
            return
        if self._is_secured and self._tls is not None and not self._has_failed_to_write:
            try:  # noqa: SIM105 (contextlib is not for the hot path)
                self._tls.unwrap()
            except (OSError, ValueError):
                pass  # always: the answering alert cannot be there yet
            self._send_at_once()
        try:
            for _ in range(_LOOKS):
                if not self._sock.recv(READ_LIMIT):
                    break
        except OSError:
            pass  # nothing there is the rule
        self._abandon()

    # -- TLS ----------------------------------------------------------------------------

    def start_tls(self, context: SSLContext, policy: TlsPolicy, host: str, deadline: float) -> None:
        """
        Secure the connection, and make sure of the server, before anything else is said.

        Whatever is raised, the stream is closed by then: nothing can be sent over it by mistake.

        Args:
            context: What ``tls.make_context`` made of the same policy.
            policy: What makes the server trusted.
            host: The name that the certificate must have, unless the policy overrides it.
            deadline: When the whole handshake must be over, in ``time.monotonic()`` seconds.

        Raises:
            CertificateError: The server is not the one that was asked for.
            TlsError: There is no secured connection; also when the other side had already sent
                something, which an attacker could have put there (docs/threats.md N2).
            DeadlineError: The handshake was not over in time.
            NetworkError: The network failed during the handshake.
            ConfigError: There is no name that the certificate could be checked against.

        """
        import ssl  # here, as plain text has no need of it

        from pillarbox.net.tls import check_fingerprint, server_name

        self._check_open()
        if self._tls is not None:
            msg = say("the connection to {peer} is under TLS already", peer=self.peer)
            raise LocalProtocolError(msg)
        try:
            self._refuse_early_words()
            name = server_name(policy, host) or None
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
            self._shake_hands(self._tls, deadline)
            check_fingerprint(policy, self.peer_certificate(), self.peer)
        except BaseException:
            self._abandon()
            raise
        self._is_secured = True

    def _refuse_early_words(self) -> None:
        """Raise when something is there before the handshake, whatever it is."""
        if self.has_input() and self._ahead:
            raise self._plain_text(self._ahead)

    def _shake_hands(self, secured: SSLObject, deadline: float) -> None:
        import ssl  # there already: a context was made

        is_first = True
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                self._send(self._outgoing.read(), deadline, "handshake")
            except OSError as error:
                self._send_at_once()  # the alert: the server's log should say why, too
                from pillarbox.net.explain import explain_handshake  # failures only

                raise explain_handshake(error, secured, self.peer) from error
            else:
                self._send(self._outgoing.read(), deadline, "handshake")
                return
            data = self._receive(deadline, "handshake")
            if is_first and data and data[:1] not in _TLS_RECORDS:
                raise self._plain_text(data)
            is_first = False
            self._take(data)

    def hand_over(self, peer: str) -> None:
        """Take another side for the peer, which a proxy has connected us to just now."""
        self.peer, self.address = peer, ""
        self._has_read = False

    def _plain_text(self, start: bytes) -> TlsError:
        said = printable(start[:100].split(b"\n", 1)[0].rstrip(b"\r"))
        msg = say(
            "TLS handshake failed: {peer} speaks plain text; it said: {text}",
            peer=self.peer,
            text=said,
        )
        if self._has_read:  # after STARTTLS
            advice = say(
                "somebody between here and the server may be tampering with the connection"
            )
        else:
            advice = say(
                "set tls_starttls on (port 587, or 25); with tls_starttls off the port is 465"
            )
        return TlsError(msg, peer=self.peer, advice=advice)

    @property
    def is_secured(self) -> bool:
        """Whether all that is read and written is under TLS, with a server that was checked."""
        return self._is_secured

    def tls_description(self) -> str:
        """Return protocol and cipher suite, or an empty string without TLS."""
        cipher = self._tls.cipher() if self._tls else None
        return f"{self._tls.version()} {cipher[0]}" if self._tls and cipher else ""

    def peer_certificate(self) -> bytes:
        """Return the server's certificate in DER, or ``b""`` without TLS."""
        return (self._tls.getpeercert(binary_form=True) if self._tls else None) or b""

    def certificate_facts(self) -> dict[str, Any]:
        """
        Return the facts of the server's certificate as ``ssl.getpeercert`` has them.

        They are known even when the certificate is not checked; empty without TLS.
        """
        if self._tls is None:
            return {}
        from pillarbox.net.explain import certificate_facts

        return certificate_facts(self._tls)[0]

    def channel_bindings(self) -> dict[str, bytes]:
        """
        Return the channel bindings that can be promised for this connection (RFC 5056).

        What Python gives, found by running 3.11, 3.12 and 3.13 with OpenSSL 3.0: all of them
        have ``tls-unique`` only. It is undefined under TLS 1.3, where Python still returns some
        bytes (a Finished message) that no server can be expected to agree with, so it is
        promised under TLS 1.2 only (RFC 9266 3). ``tls-exporter``, the one for TLS 1.3, is
        promised where a future ``ssl`` offers it. Hence a -PLUS mechanism is possible today
        under TLS 1.2, and under TLS 1.3 not.

        ``tls-unique`` is safe here although it was attacked (RFC 7627 1): the attack needs a
        resumed session, and sessions are never resumed.
        """
        if self._tls is None:
            return {}
        import ssl  # there already

        kind = {"TLSv1.2": "tls-unique", "TLSv1.3": "tls-exporter"}.get(self._tls.version() or "")
        if kind is None or kind not in ssl.CHANNEL_BINDING_TYPES:
            return {}
        data = self._tls.get_channel_binding(kind)
        return {kind: data} if data else {}

    # -- between OpenSSL and the buffers ------------------------------------------------

    def _read_at_once(self, limit: int) -> bytes | None:
        """Return what can be read without waiting; ``b""`` at the end, None when nothing can."""
        if self._ahead:
            data, self._ahead = self._ahead[:limit], self._ahead[limit:]
            return data
        if self._failure is not None:
            failure, self._failure, self._has_ended = self._failure, None, True
            raise failure
        if self._has_ended:
            return b""
        if self._tls is None:
            found = self._receive_at_once(limit)
        else:
            found = self._decrypt(self._tls, limit)
        self._has_ended = found == b""
        return found

    def _decrypt(self, secured: SSLObject, limit: int) -> bytes | None:
        for _ in range(_LOOKS):
            data = self._decrypt_buffer(secured, limit)
            if data is not None:
                return data
            more = self._receive_at_once(READ_LIMIT)
            if more is None:
                return None
            self._take(more)
        return self._decrypt_buffer(secured, limit)

    def _decrypt_buffer(self, secured: SSLObject, limit: int) -> bytes | None:
        """Return what the buffer holds; ``b""`` at the end of the stream, None when nothing."""
        incoming = self._incoming
        if not (incoming.pending or incoming.eof or secured.pending()):
            return None  # without the exception that says the same, 5 % of a small mail's CPU
        import ssl  # there already

        try:
            return secured.read(limit)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""
        except ssl.SSLError as error:
            raise self._tls_error(error, "read") from error

    def _encrypt(self, secured: SSLObject, rest: memoryview) -> None:
        import ssl  # there already

        try:
            while rest:
                rest = rest[secured.write(rest) :]  # all of it, with every OpenSSL so far
        except ssl.SSLError as error:
            raise self._tls_error(error, "write") from error

    def _take(self, data: bytes) -> None:
        """Give OpenSSL what came from the network."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    # -- the network --------------------------------------------------------------------

    def _receive_at_once(self, limit: int, doing: str = "read") -> bytes | None:
        try:
            return self._sock.recv(limit)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._os_error(error, doing) from error

    def _receive(self, deadline: float, doing: str) -> bytes:
        while True:
            self._wait(select.POLLIN, deadline, doing)
            data = self._receive_at_once(READ_LIMIT, doing)
            if data is not None:
                return data

    def _send(self, data: bytes | memoryview, deadline: float, doing: str) -> None:
        rest = memoryview(data)
        while rest:
            if time.monotonic() >= deadline:
                raise self._too_late(doing)
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline, doing)
            except OSError as error:
                raise self._os_error(error, doing) from error

    def _send_at_once(self) -> None:
        try:  # noqa: SIM105 (contextlib is not for the hot path)
            self._sock.send(self._outgoing.read())
        except OSError:
            pass  # it was only a courtesy

    def _wait(self, events: int, deadline: float, doing: str) -> None:
        if not wait_ready(self._sock, events, deadline):
            raise self._too_late(doing)

    def _abandon(self) -> None:
        """Close the socket without a word."""
        self._is_closed = True
        self._is_secured = False
        self._tls = None
        try:  # noqa: SIM105 (contextlib is not for the hot path)
            self._sock.close()
        except OSError:
            pass  # the descriptor is gone all the same (close(2))

    # -- failing ------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._is_closed:
            msg = say("the connection to {peer} is used after its end", peer=self.peer)
            raise LocalProtocolError(msg)

    def _too_late(self, doing: str) -> DeadlineError:
        msg = say(
            "{what}: {peer}: the operation timed out", what=_what_failed(doing), peer=self.peer
        )
        return DeadlineError(msg, peer=self.peer)

    def _network_error(self, doing: str, reason: str) -> NetworkError:
        msg = say(
            "{what}: {peer}: {problem}", what=_what_failed(doing), peer=self.peer, problem=reason
        )
        return NetworkError(msg, peer=self.peer)

    def _os_error(self, error: OSError, doing: str) -> NetworkError:
        reason = _meaning(error.errno or 0) or error.strerror or str(error)
        return self._network_error(doing, reason)

    def _tls_error(self, error: OSError, doing: str) -> TlsError:
        from pillarbox.net.explain import explain_tls  # failures only

        return explain_tls(error, self.peer, _what_failed(doing))


def wait_ready(sock: socket, events: int, deadline: float) -> bool:
    """
    Block until a socket is ready for one of the events (``select.POLLIN``, ``select.POLLOUT``).

    Returns:
        Whether it is; False when the deadline came first, or has passed already.

    """
    poll = select.poll()
    poll.register(sock, events)
    while (remaining := deadline - time.monotonic()) > 0:
        # One millisecond more: poll() cuts fractions off, and would be asked in a circle.
        if poll.poll(int(min(remaining, _POLL_LIMIT_S) * 1000) + 1):
            return True
    return False


def _what_failed(doing: str) -> Text:
    if doing == "handshake":
        return say("TLS handshake failed")
    return say("network write error") if doing == "write" else say("network read error")


def _meaning(code: int) -> Text | None:
    """Return what an errno means once a connection is there; the rest is left to strerror()."""
    if code == ECONNABORTED:
        return say("the connection was broken off")
    if code == ECONNRESET:
        return say("the other side broke the connection off")
    if code in {ENOTCONN, EPIPE}:
        return say("the other side has closed the connection")
    if code == ETIMEDOUT:
        return say("the other side does not answer any more")
    return None
