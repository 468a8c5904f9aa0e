"""
Feed a client session with what a hostile server may say, at any moment.

The property: nothing raises; the session is refused once at most; every transaction ends exactly
once, with a status for each forward-path; ``delivered`` comes with a positive reply that was read
behind the whole content; what is sent is well-formed lines and contents, nothing behind EHLO,
STARTTLS and AUTH, and nothing at all once the protocol was broken; no login leaves before TLS
where STARTTLS is asked for, and no password ever in clear.

Allowed refusals: none as exceptions; every failure is a status or a ``SessionRefused``.
"""

from __future__ import annotations

import re

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.status import DELIVERED
from pillarbox.secret import Secret
from pillarbox.smtp.auth import Credentials
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import SessionOptions, SessionRefused, TlsRequested, TransactionEnded
from pillarbox.smtp.transaction import Transaction

_TO = tuple(map(parse_mailbox, ("a@example.org", "b@example.org", "c@example.org")))
_CHUNKS = (b"Subject: x\r\n\r\n.dot\r\n", b".\r\nend\r\n")
_STUFFED = (b"Subject: x\r\n\r\n..dot\r\n", b"..\r\nend\r\n")
_LINE = re.compile(
    rb"(?:[EL]HLO|HELO) localhost|STARTTLS|AUTH [A-Z0-9-]+(?: [A-Za-z0-9+/=]+)?|[A-Za-z0-9+/=]*"
    rb"|MAIL FROM:<a@example\.org>[ A-Z0-9=]*|RCPT TO:<[abc]@example\.org>|DATA|RSET|QUIT"
)
_LAST_OF_GROUP = (b"EHLO", b"LHLO", b"HELO", b"STARTTLS", b"AUTH")
_MAILS = 3

# The first octet chooses the options; a turn ends at a NUL, where the server stops to listen.
_EHLO = b"220 x\r\n\x00250-x\r\n250-PIPELINING\r\n250-SIZE 999\r\n250 "
_STARTTLS = b"220 x\r\n\x00250-x\r\n250 STARTTLS\r\n"
_AUTH = b"220 x\r\n\x00250-x\r\n250 AUTH "
_RCPTS = b"\x00250 a\r\n250 b\r\n550 c\r\n250 d\r\n"
SEEDS = [
    b"\x00" + _EHLO + b"DSN\r\n" + _RCPTS + b"354 e\r\n\x00250 f\r\n250 g\r\n",
    b"\x00" + _EHLO + b"CHUNKING\r\n" + _RCPTS + b"250 e\r\n250 f\r\n250 g\r\n",
    b"\x01" + _STARTTLS + b"\x00220 go\r\n\x00250-x\r\n250 AUTH PLAIN\r\n\x00235 y\r\n\x00250\r\n",
    b"\x02" + _EHLO + b"8BITMIME\r\n" + _RCPTS + b"354 e\r\n\x00250 f\r\n450 g\r\n",
    b"\x04" + _AUTH + b"SCRAM-SHA-256 LOGIN\r\n\x00334 cj0=\r\n\x00334 dj0=\r\n\x00235 z\r\n",
    b"\x0c" + _AUTH + b"LOGIN\r\n\x00334 x\r\n\x00334 y\r\n\x00526 hunter2-hunter2\r\n",
    b"\x00220 x\r\n\x00502 x\r\n" + 5 * b"\x00250 a\r\n" + b"\x00354 e\r\n\x00421 f\r\n",
]


def check(data: bytes) -> None:
    """Hold the property for a session with a server that says this."""
    flags = data[0] if data else 0
    starttls, is_lmtp, is_login, is_secured = (bool(flags >> bit & 1) for bit in range(4))
    who = Credentials("tim", Secret("hunter2-hunter2"), "mail.example.org", 587)
    client = Client(
        SessionOptions(
            is_lmtp=is_lmtp,
            starttls=starttls and not is_secured,
            is_secured=is_secured,
            credentials=who if is_login or starttls else None,
            nonce=lambda: "fyko+d2lbbFgONRv9qkxdawL",
        )
    )
    session = _Session(client, is_secured=is_secured)
    for turn in data[1:].split(b"\0"):
        for piece in turn.partition(b"\x7f"):  # a DEL cuts the turn in two segments
            if piece:
                client.receive_data(piece)
        session.go_on()
    client.receive_data(b"")
    session.go_on()
    assert session.refusals == 1
    assert not session.begun


class _Session:
    """The driver of the session, and the judge of what it says."""

    def __init__(self, client: Client, *, is_secured: bool) -> None:
        self.client = client
        self.is_secured = is_secured
        self.begun: list[Transaction] = []
        self.refusals = 0
        self.mails = 0

    def go_on(self) -> None:
        """Do what a driver does when the server has spoken."""
        client = self.client
        self._take_events()
        while client.can_begin and self.mails < _MAILS:
            self.mails += 1
            transaction = Transaction(Envelope(_TO[0], _TO), size_bytes=26, is_8bit=True)
            self.begun.append(transaction)
            client.begin(transaction)
            self._fill()
        self._fill()
        self._take_events()
        assert not client.is_idle or not self.begun
        self._check_output(client.take_output())

    def _take_events(self) -> None:
        while (event := self.client.next_event()) is not None:
            if isinstance(event, TransactionEnded):
                self.begun.remove(event.transaction)
                _check_statuses(event.transaction)
            elif isinstance(event, SessionRefused):
                self.refusals += 1
                assert event.trouble.problem.isprintable()
                if self.client._sent_secrets:  # noqa: SLF001 (before, no server can know it)
                    assert "hunter2-hunter2" not in f"{event.trouble!r}"
            elif isinstance(event, TlsRequested):
                self.client.tls_started({})
                self.is_secured = True

    def _fill(self) -> None:
        while self.client.wants_content:
            is_last = self.client._filling.tag is not None  # noqa: SLF001
            self.client._filling.tag = "second chunk"  # noqa: SLF001
            self.client.send_content(_CHUNKS[is_last], is_last=is_last)

    def _check_output(self, output: bytes) -> None:
        while output:
            line, end, output = output.partition(b"\r\n")
            assert end, line
            if line == b".":
                continue
            if line.startswith(b"BDAT "):
                size = int(line.split()[1])
                assert output[:size] == _CHUNKS[line.endswith(b" LAST")]
                output = output[size:]
            elif any((line + end + output).startswith(content) for content in _STUFFED):
                content = next(c for c in _STUFFED if (line + end + output).startswith(c))
                output = (line + end + output)[len(content) :]
            else:
                assert _LINE.fullmatch(line), line
                assert not (line.startswith(_LAST_OF_GROUP) and output), line
                if line.startswith((b"AUTH PLAIN", b"AUTH LOGIN")):
                    assert self.is_secured


def _check_statuses(transaction: Transaction) -> None:
    assert [status.forward_path for status in transaction.statuses] == list(_TO)
    for status in transaction.statuses:
        if status.action == DELIVERED:
            assert status.reply is not None
            assert status.reply.is_positive
            assert transaction.is_complete
        else:
            assert status.trouble is not None
        assert transaction.is_complete or not status.is_in_doubt


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
