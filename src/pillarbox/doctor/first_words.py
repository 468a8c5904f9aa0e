"""
What is at the other end of a connection: by what it says first, or answers to a TLS hello.

The rule to keep: nothing that matters is said. A hello of TLS, whose certificate nobody checks,
and a ``QUIT`` are all that may be sent, for nobody knows yet who listens.
"""

from __future__ import annotations

import re
import ssl
from time import monotonic
from typing import TYPE_CHECKING

from pillarbox.doctor.handshake import open_context
from pillarbox.errors import DeadlineError, NetworkError, RemoteProtocolError
from pillarbox.net.names import certificate_host
from pillarbox.smtp.reply import ReplyReader
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.mail.reply import Reply
    from pillarbox.net.stream import Stream

__all__ = ["END", "PLAIN", "SILENCE", "TLS", "FirstWords", "hear"]

# It said something; it began a handshake; it hung up; it says nothing.
PLAIN, TLS, END, SILENCE = "plain", "tls", "end", "silence"

_TLS_RECORDS = b"\x15\x16"  # an alert or a handshake (RFC 8446 5.1)
_ENOUGH = 4096  # octets: a greeting of many lines
# Of the patience, how much there is before the last word, and how long a greeting that comes in
# pieces may take.
_UNASKED = 0.7
_PIECES_S = 0.5
# For a server that waits for a line (HTTP does) and says what it is when the line is wrong. To one
# of SMTP it is a farewell.
_LAST_WORD = b"\r\nQUIT\r\n\r\n"

# By how they begin (RFC 9112, RFC 4253, RFC 9051, RFC 1939, RFC 3977, RFC 959).
_SERVICES = (
    ("HTTP", re.compile(rb"HTTP/|\s*<(!doctype|html|head)\b", re.IGNORECASE)),
    ("SSH", re.compile(rb"SSH-")),
    ("IMAP", re.compile(rb"\* (OK|BYE|PREAUTH)\b", re.IGNORECASE)),
    ("POP3", re.compile(rb"(\+OK|-ERR)\b")),
    ("NNTP", re.compile(rb"20[01][ -]")),
    ("FTP", re.compile(rb"220[ -](?!.*SMTP)[^\n]*FTP", re.IGNORECASE)),
    ("SMTP", re.compile(rb"[2-5]\d\d([ \r\n-]|$)")),
)


class FirstWords(Value):
    """
    What came first.

    Attributes:
        kind: ``PLAIN``, ``TLS``, ``END`` or ``SILENCE``.
        octets: What was said, under TLS behind the handshake; empty: nothing.
        is_tls: It speaks TLS, also where an end or silence came behind the handshake.

    """

    __slots__ = ("is_tls", "kind", "octets")

    def __init__(self, kind: str, octets: bytes = b"", *, is_tls: bool = False) -> None:
        self.kind = kind
        self.octets = octets
        self.is_tls = is_tls or kind == TLS

    @property
    def service(self) -> str:
        """Who speaks so: ``SMTP``, ``HTTP``, ``IMAP`` ...; empty: nobody that we know."""
        return next((name for name, form in _SERVICES if form.match(self.octets)), "")

    @property
    def greeting(self) -> Reply | None:
        """The greeting of SMTP (RFC 5321 3.1); None: it is none, or not whole."""
        if self.service != "SMTP":
            return None
        reader = ReplyReader()
        try:
            reader.feed(self.octets)
            return reader.next_reply()
        except RemoteProtocolError:
            return None


def hear(
    stream: Stream, patience_s: float, *, hello_to: str | None = None, is_last_try: bool = True
) -> FirstWords:
    """
    Listen to a connection, or begin a handshake and listen then. Blocks.

    Args:
        stream: As it was opened; it is for the caller to close, and of no use for a session.
        patience_s: Seconds for everything.
        hello_to: Begin TLS, and ask for this name; None: only listen.
        is_last_try: Where nothing is said, say ``QUIT`` in the end and listen once more.

    Raises:
        ConfigError: Nobody can have the name that is to be asked for.

    """
    deadline = monotonic() + patience_s
    unasked = monotonic() + patience_s * (_UNASKED if is_last_try else 1)
    try:
        if hello_to is not None:
            return _Handshake(stream, hello_to).words(unasked, deadline)
        return _plain(stream, unasked, deadline)
    except DeadlineError:
        return FirstWords(SILENCE)
    except NetworkError:
        return FirstWords(END)


def _plain(stream: Stream, unasked: float, deadline: float) -> FirstWords:
    data = _first(stream, unasked, deadline)
    if not data:
        return FirstWords(END)
    if data[0] in _TLS_RECORDS:
        return FirstWords(TLS)
    return FirstWords(PLAIN, _rest(stream.read, data, deadline))


def _first(stream: Stream, unasked: float, deadline: float) -> bytes:
    try:
        return stream.read(unasked)
    except DeadlineError:
        if unasked >= deadline:
            raise  # a write that is too late would spoil the stream for another try
        stream.write(_LAST_WORD, deadline)
        return stream.read(deadline)


def _rest(read: Callable[[float], bytes], data: bytes, deadline: float) -> bytes:
    """Return what was said with the rest of a line, or a greeting, that comes in pieces."""
    until = min(deadline, monotonic() + _PIECES_S)
    while not _is_whole(data) and len(data) < _ENOUGH:
        try:
            more = read(until)
        except (NetworkError, ssl.SSLError):
            break
        if not more:
            break
        data += more
    return data


def _is_whole(data: bytes) -> bool:
    """Tell whether the last line is there, which in a reply has no hyphen behind its code."""
    if not data.endswith(b"\n"):
        return False
    last = data.rstrip(b"\r\n").rpartition(b"\n")[2]
    return last[3:4] != b"-" or not last[:3].isdigit()


class _Handshake:
    """
    A handshake without checks, over a stream that does not know of it.

    ``Stream.start_tls`` would do the same, but tells only in words what came in place of TLS.
    """

    def __init__(self, stream: Stream, name: str) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._secured = open_context().wrap_bio(
            self._incoming,
            self._outgoing,
            server_hostname=certificate_host(name).decode("ascii") or None,
        )

    def words(self, unasked: float, deadline: float) -> FirstWords:
        """Say hello, and return what comes of it."""
        is_first = True
        while True:
            try:
                self._secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send(deadline)
            except ssl.SSLError:
                return FirstWords(TLS)  # it speaks TLS, and one of us refuses the other
            if is_first:
                data = _first(self._stream, unasked, deadline)
                if data and data[0] not in _TLS_RECORDS:
                    return FirstWords(PLAIN, _rest(self._stream.read, data, deadline))
            else:
                data = self._stream.read(deadline)
            if not data:
                return FirstWords(END if is_first else TLS)
            is_first = False
            self._incoming.write(data)
        self._send(deadline)
        try:
            data = self._first_words(unasked, deadline)
        except ssl.SSLError:
            return FirstWords(TLS)  # under TLS 1.3 it refuses our certificate only now
        except DeadlineError:
            return FirstWords(SILENCE, is_tls=True)
        if not data:
            return FirstWords(END, is_tls=True)
        return FirstWords(TLS, _rest(self._read, data, deadline))

    def _first_words(self, unasked: float, deadline: float) -> bytes:
        try:
            return self._read(unasked)
        except DeadlineError:
            if unasked >= deadline:
                raise
            self._secured.write(_LAST_WORD)
            self._send(deadline)
            return self._read(deadline)

    def _read(self, deadline: float) -> bytes:
        while True:
            try:
                return self._secured.read(_ENOUGH)
            except ssl.SSLWantReadError:
                data = self._stream.read(deadline)
                if not data:
                    return b""
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                return b""

    def _send(self, deadline: float) -> None:
        data = self._outgoing.read()
        if data:
            self._stream.write(data, deadline)
