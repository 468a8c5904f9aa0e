"""
The talk with the mail service: LMTP (RFC 2033), with the content by BDAT (RFC 3030).

``commands`` says the envelope in the service's words (``XPILLARBOX`` and its parameters), and
``Talk`` carries it and the content over, in memory proportional to one piece.
"""

import _socket
import posix
from time import monotonic, sleep

from pillarbox.handoff.call import WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pillarbox.errors import PillarboxError
    from pillarbox.handoff.call import Call

__all__ = ["PAUSE_S", "PIECE_BYTES", "Talk", "commands", "connect"]

# One piece of the content: that much is read before connecting (nearly every mail is smaller),
# so that a slow pipe holds no connection; and one write to the socket takes it.
PIECE_BYTES = 65536

PAUSE_S = 0.05  # between two tries to connect

_LINE_BYTES = 4096  # RFC 5321 4.5.3.1.5 allows a reply 512
_REPLY_S = 300.0  # a disk may be slow
_WAIT_S = 1800.0  # --wait: what RFC 5321 4.5.3.2 allows a provider, added up

# After so long without input an empty piece is sent: cron's pipe says nothing while a job works.
_NOTHING_S = 60.0

_CONTROLS = bytes(range(0x20)) + b"\x7f"


def commands(call: "Call", size_bytes: int) -> "list[bytes]":
    """
    Return LHLO, MAIL, and a RCPT for each recipient.

    Args:
        call: What is asked for.
        size_bytes: How long the content is; 0: nobody knows.

    Raises:
        DataError: Something in them would be a command of its own (attack: injection).

    """
    sender = call.sender or ""
    name = posix.uname().nodename
    words = [f"MAIL FROM:<{sender}> BODY=8BITMIME"]
    if size_bytes:
        words.append(f"SIZE={size_bytes}")
    if not (sender.isascii() and all(map(str.isascii, call.recipients))):
        words.append("SMTPUTF8")
    if call.sender is None:
        words.append("XOWN")
    if call.is_raw:
        words.append("XRAW")
    if call.wish == WAIT:
        words.append("XWAIT")
    for keyword, value in (
        ("XACCOUNT", _xtext(call.account)),
        ("XNAME", _xtext(call.full_name)),
        ("RET", call.ret),
        ("ENVID", _xtext(call.envid)),
    ):
        if value:
            words.append(f"{keyword}={value}")
    notify = f" NOTIFY={call.notify}" if call.notify else ""
    texts = [f"LHLO {name if name.isascii() else 'localhost'}", " ".join(words)]
    texts += [f"RCPT TO:<{recipient}>{notify}" for recipient in call.recipients]
    lines = [_line(text) for text in texts]
    for address in (sender, *call.recipients):
        if "<" in address or ">" in address:
            raise _no_address(address)
    return lines


def _line(command: str) -> bytes:
    line = command.encode("utf-8", "surrogateescape")
    if len(line) != len(line.translate(None, _CONTROLS)):
        raise _no_address(command)
    return line + b"\r\n"


def _no_address(text: str) -> "PillarboxError":
    from pillarbox.handoff.faults import no_address

    return no_address(text)


def _xtext(text: str) -> str:
    """Return a text as xtext of UTF-8 (RFC 3461 4)."""
    if text.isalnum() and text.isascii():
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(
        chr(octet) if 0x21 <= octet <= 0x7E and octet not in b"+=" else f"+{octet:02X}"
        for octet in octets
    )


def connect(path: str, until_s: float) -> "_socket.socket":
    """
    Return a connection to the service; try again while it may be starting or busy.

    Raises:
        NetworkError: There is none.

    """
    while True:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.settimeout(0)
        try:
            connection.connect(path)
        except OSError as exc:
            connection.close()
            # Not there, not listening, too many callers waiting: that may pass.
            may_pass = isinstance(exc, (ConnectionRefusedError, FileNotFoundError, BlockingIOError))
            if not may_pass or monotonic() > until_s:
                from pillarbox.handoff.faults import unreachable

                raise unreachable(path, exc) from exc
            sleep(PAUSE_S)
        else:
            return connection


class Talk:
    """
    One connection to the service.

    Replies are read as they come, also while a write has no room: a service that waits for its
    replies to be read reads nothing itself.
    """

    def __init__(self, connection: "_socket.socket", path: str, call: "Call") -> None:
        self._connection = connection
        self._path = path
        self._call = call
        self._replies: list[tuple[int, bytes]] = []  # code, and text unless it is a yes
        self._line = self._text = b""  # of a reply that is not whole yet
        self._chunks = 0  # pieces written before the last
        self._fault = ""  # why the talk is over, see ``faults.broken_off``; empty: it goes on
        self._is_sent = False  # the last piece was written

    @property
    def is_fine(self) -> bool:
        """Whether nothing has been refused or broken so far."""
        return not self._fault and all(map(_is_yes, self._replies))

    @property
    def is_turned_away(self) -> bool:
        """Whether the service took no command at all: too busy, or about to stop."""
        if self._replies:
            return self._replies[0][0] == 421
        return not self._line and self._fault not in ("", "silent", "foreign")

    def write(self, data: bytes) -> None:
        """Write everything, unless the connection breaks."""
        left = memoryview(data)
        while left and not self._fault:
            try:
                left = left[self._connection.send(left) :]
            except BlockingIOError:
                self._wait_for_room()
            except OSError as exc:
                while not self._fault and self._receive():
                    pass  # why it does not want more is perhaps said already
                self._end(exc.strerror or str(exc))

    def write_last(self, content: bytes, head: "Iterable[bytes]" = ()) -> None:
        """Write the last piece of the content, and the commands that go before it."""
        self._is_sent = True
        end = b"BDAT %d LAST\r\n" % len(content)
        self.write(b"".join((*head, end, content, b"QUIT\r\n")))

    def write_content(
        self,
        piece: bytes,
        read: "Callable[[int], bytes]",
        has_input: "Callable[[float], bool]",
        *,
        is_whole: bool,
    ) -> None:
        """Write the content in pieces, until it ends or something is refused."""
        while not is_whole and self.is_fine:
            self._write_piece(piece)
            while self.is_fine and not has_input(_NOTHING_S):
                self._write_piece(b"")  # the service gives up who says nothing for minutes
            piece = read(PIECE_BYTES)
            is_whole = not piece
        if self.is_fine:
            self.write_last(piece)

    def _write_piece(self, piece: bytes) -> None:
        self.write(b"BDAT %d\r\n%b" % (len(piece), piece))
        self._chunks += 1
        self._receive()

    def read_end(self) -> None:
        """Read the replies to the content, if it was written to its end."""
        if self._is_sent:
            patience_s = _WAIT_S if self._call.wish == WAIT else _REPLY_S
            self.read_replies(self._before_end + len(self._call.recipients), patience_s)

    @property
    def _before_end(self) -> int:
        """How many replies come before those to the content: also to the greeting and LHLO."""
        return 3 + len(self._call.recipients) + self._chunks

    def read_replies(self, count: int, patience_s: float = _REPLY_S) -> None:
        """Read until there are so many replies, or no more come."""
        until_s = monotonic() + patience_s
        while len(self._replies) < count and not self._fault:
            left_s = until_s - monotonic()
            if left_s <= 0:
                self._end("silent")
                return
            self._connection.settimeout(left_s)
            self._receive()
        self._connection.settimeout(0)

    def _receive(self) -> bool:
        """Take what the service has said, or with a timeout says now; return if that is more."""
        try:
            data = self._connection.recv(PIECE_BYTES)
        except (BlockingIOError, TimeoutError):
            return False
        except OSError as exc:
            self._end(exc.strerror or str(exc))
            return False
        if not data:
            self._end("closed")
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take(line.rstrip(b"\r"))
        if len(self._line) > _LINE_BYTES:
            self._end("foreign")
        return bool(data)

    def _take(self, line: bytes) -> None:
        if len(line) < 3 or not line[:3].isdigit():
            self._end("foreign")
            return
        code = int(line[:3])
        if line[3:4] == b"-":
            if len(self._text) < _LINE_BYTES:
                self._text += line[4:] + b" "
            return
        # What is said behind a yes is not needed, and a long content has many of them.
        text = b"" if 200 <= code < 300 else self._text + line[4:]
        self._replies.append((code, text))
        self._text = b""

    def _end(self, reason: str) -> None:
        self._fault = self._fault or reason

    def _wait_for_room(self) -> None:
        from select import POLLIN, POLLOUT, poll

        waiting = poll()
        waiting.register(self._connection, POLLIN | POLLOUT)
        ready = waiting.poll(_REPLY_S * 1000)
        if not ready:
            self._end("silent")
        elif ready[0][1] & POLLIN:
            self._receive()

    def close(self) -> None:
        """Close the connection; a mail whose end was not written is dropped by the service."""
        self._connection.close()

    def judge(self) -> None:
        """
        Return when the service has the mail for every recipient.

        Raises:
            PillarboxError: It has not; its text is the service's own where it gave a reason.

        """
        recipients, before_end = self._call.recipients, self._before_end
        noes = [
            (index, *reply)
            for index, reply in enumerate(self._replies[:before_end])
            if not _is_yes(reply)
        ]
        # 221 is the answer to QUIT, from a service that forgot the ones before.
        finals = [reply for reply in self._replies[before_end:] if reply[0] != 221]
        if not noes and len(finals) >= len(recipients):
            noes = [(3 + index, *reply) for index, reply in enumerate(finals) if not _is_yes(reply)]
            if not noes:
                return
        from pillarbox.handoff import faults

        if not noes:
            raise faults.broken_off(self._path, self._fault, is_in_doubt=self._is_sent)
        named = range(3, 3 + len(recipients))
        if noes[0][0] not in named:  # it is about everybody, and what followed is its consequence
            raise faults.refused([("", *noes[0][1:])])
        raise faults.refused(
            [(recipients[index - 3], code, text) for index, code, text in noes if index in named],
            is_everybody=len(noes) == len(recipients),
        )


def _is_yes(reply: "tuple[int, bytes]") -> bool:
    return 200 <= reply[0] < 300
