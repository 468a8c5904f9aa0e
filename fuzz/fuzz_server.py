"""
Feed the server session with what no mail client would say.

The property: nothing raises, whatever comes and however it is cut; no more than one line and one
feeding is kept; each command line has its reply (a content has one for itself); a mail is taken
only if its content ended in exactly CRLF, dot, CRLF or in its BDAT octets; after the end of a
transaction nothing of it is left; and the session is the same whether the bytes come whole or
one by one.

Allowed refusals: none as exceptions; every refusal is a reply.
"""

from __future__ import annotations

from pillarbox.smtp.content import Incoming
from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    ContentChunk,
    ContentEnded,
    Decision,
    ServerOptions,
    TlsRequested,
    TransactionEnded,
)

_KEYWORDS = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "STARTTLS",
    "ETRN",
    "AUTH PLAIN LOGIN",
)
_LIMIT = 1 << 12
_MAX_KEPT = 8192 + 1  # the longest line, and the octet that shows it to be longer
_MAX_CUT = 1 << 12  # octets that are worth feeding one by one

# Said when something stands in one feeding with what ends a group (EHLO, STARTTLS, DATA).
_OUT_OF_SYNC = b"554 5.5.0"

# A turn ends where the client would wait: at a NUL, which no honest session has.
SEEDS = [
    b"EHLO a\r\n\0MAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<d@e>\r\nDATA\r\n\0x\r\n..y\r\n.\r\nQUIT\r\n",
    b"EHLO a\r\n\0MAIL FROM:<>\r\nRCPT TO:<d@e.f>\r\nBDAT 3\r\nabcBDAT 2 LAST\r\n\r\nRSET\r\n",
    b"EHLO a\r\n\0AUTH PLAIN AGEAYg==\r\nAUTH LOGIN\r\n\0YQ==\r\n\0Yg==\r\nNOOP\r\n",
    b"EHLO a\r\n\0STARTTLS\r\n\0EHLO b\r\n\0VRFY x\r\nETRN y\r\nHELP\r\nQUIT\r\n",
    b"HELO a\r\n\0MAIL FROM:<a@b>\r\nRCPT TO:<c>\r\nDATA\r\n\0a\n.\nMAIL FROM:<x@y>\r\n.\r\n",
    b"EHLO a\r\n\0MAIL FROM:<a@b> ENVID=+0D+0A RET=FULL\r\nBDAT 5\r\nRSET\nDATA\r\n.\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:25\r\n\r\n",
    b"EHLO a\r\nMAIL FROM:<a@b>\r\n",
]


def check(data: bytes) -> None:
    """Hold the property for a session that gets these bytes."""
    turns = data.split(b"\0")
    said, taken = _converse(turns, is_cut=False)
    if len(data) <= _MAX_CUT and _OUT_OF_SYNC not in said:
        assert _converse(turns, is_cut=True) == (said, taken)


def _converse(turns: list[bytes], *, is_cut: bool) -> tuple[bytes, list[bytes]]:
    """Return what a session said, and the contents that it took."""
    options = ServerOptions(
        keywords=_KEYWORDS, max_size_bytes=_LIMIT, may_login_in_clear=True, max_recipients=3
    )
    server = Server(options)
    taken = [b""]
    _answer_all(server, taken, 0)
    said = server.take_output()
    for turn in turns:
        for piece in [turn[i : i + 1] for i in range(len(turn))] if is_cut else [turn]:
            if piece:
                server.receive_data(piece)
            _answer_all(server, taken, len(piece))
        said += server.take_output()
    server.receive_data(b"")
    _answer_all(server, taken, 0)
    assert server.has_ended
    assert all(line[:3].isdigit() for line in said.split(b"\r\n")[:-1])
    return said, taken


def _answer_all(server: Server, taken: list[bytes], fed: int) -> None:
    """Say yes to everything; the last of ``taken`` is the content that comes in."""
    while (event := server.next_event()) is not None:
        if isinstance(event, ContentChunk):
            assert 0 < len(event.data) <= fed + 5
            taken[-1] += event.data
        elif isinstance(event, ContentEnded):
            assert event.size_bytes == len(taken[-1]) <= _LIMIT
            taken.append(b"")
        elif isinstance(event, TransactionEnded):
            taken[-1] = b""
            assert_fresh(server)
        if isinstance(event, TlsRequested):
            server.accept()
            if not server.has_ended:
                server.tls_started()
        elif isinstance(event, Decision):
            for _ in range(server.answers_due):
                server.accept()
    kept = len(server._buffer._data) - server._buffer._position  # noqa: SLF001
    assert kept <= _MAX_KEPT + fed


def assert_fresh(server: Server) -> None:
    """Nothing of a transaction is left (attack L15)."""
    mail, fresh = server._mail, Incoming()  # noqa: SLF001
    for name in ("is_open", "is_smtputf8", "recipients", "size_bytes", "fault"):
        assert mail.is_open or getattr(mail, name) == getattr(fresh, name), name


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
