"""
Feed the reply reader with what no honest server says.

The property: the same replies, or the same refusal, come out however the bytes were cut; a code
is one of 200 to 559; what a person is shown is one printable line; and what is held back is
bounded by one line and the replies not yet asked for.

Allowed refusals:
    RemoteProtocolError: a line is no reply, is too long, changes its code, or never ends. What
        it quotes is at most 80 octets.
"""

from __future__ import annotations

from pillarbox.errors import RemoteProtocolError
from pillarbox.mail.reply import Reply
from pillarbox.smtp.reply import ReplyReader

_LONGEST = 12288 + 1  # a challenge (RFC 4954 4), and its CR
_CUT = 2048  # octets that are worth feeding one by one

SEEDS = [
    b"220 mail.example.org ESMTP\r\n",
    b"250-mail.example.org\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 PIPELINING\r\n",
    b"334 VXNlcm5hbWU6\r\n235 2.7.0 ok\r\n",
    b"550 5.1.1 no such user\r\n550-5.1.1 a\r\n550 5.1.1 b\r\n",
    b"250\r\n250 ok\n421 4.3.2 bye\r\n250 ok\r\n250 ok\r\n",
    b"526 Authentication failure[0]\r\n\r\n2200 x\r\n250-a\r\n251 b\r\n",
    "554 \u90ae\u4ef6\u88ab\u62d2\x1b[2J\u202e\u2028\r\n".encode(),
    b"334 " + b"A" * 12300 + b"\r\n",
]


def check(data: bytes) -> None:
    """Hold the property for a stream of replies, read whole, in sevens and byte by byte."""
    whole = _read([data])
    assert _read([data[i : i + 7] for i in range(0, len(data), 7)]) == whole
    if len(data) <= _CUT:
        assert _read([data[i : i + 1] for i in range(len(data))]) == whole


def _read(pieces: list[bytes]) -> tuple[list[Reply], str]:
    reader = ReplyReader()
    replies = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (reply := reader.next_reply()) is not None:
                _check_reply(reply)
                replies.append(reply)
            assert len(reader._tail) <= _LONGEST  # noqa: SLF001
    except RemoteProtocolError as refusal:
        _check_refusal(refusal)
        return replies, "refused"
    return replies, ""


def _check_refusal(refusal: RemoteProtocolError) -> None:
    assert len(refusal.received) <= 80


def _check_reply(reply: Reply) -> None:
    assert 200 <= reply.code < 560
    assert reply.code // 10 % 10 <= 5
    assert 1 <= len(reply.lines) <= 100
    assert not any(b"\n" in line for line in reply.lines)
    assert str(reply).isprintable()
    if reply.enhanced is not None:
        assert reply.enhanced.klass == reply.code // 100
        assert reply.lines[0].startswith(str(reply.enhanced.klass).encode())


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
