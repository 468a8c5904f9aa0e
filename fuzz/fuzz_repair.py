"""
Feed repair with messages that nobody would send.

The property: the same message leaves, with the same changes, however its octets come; a second
repair changes nothing; what leaves is lines in CRLF form, a header section of well-formed fields,
each named in the input or one of those that repair may add, no Bcc, no control character; and
every change says in printable words what was done, by a rule that there is.

Allowed refusals:
    DataError: the header section is longer than 1 MiB.
"""

from __future__ import annotations

import re

from pillarbox.errors import DataError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.message import read_message
from pillarbox.mail.originate import HeaderWishes
from pillarbox.mail.repair import Change, RepairFacts, repair
from pillarbox.mail.rules import RULE_BY_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# What repair may add; every other field must have been in the input.
_MAY_ADD = frozenset(
    b"from date message-id to subject reply-to x-original-from x-original-date auto-submitted"
    b" mime-version content-type content-transfer-encoding".split()
)
_FIELD = re.compile(
    rb"[!-9;-~]+:[\t -~\x80-\xff]*\r\n(?:[\t ]+[!-~\x80-\xff][\t -~\x80-\xff]*\r\n)*"
)
# echo's option in front of a line, and the line ends that it did not make.
_ECHO = re.compile(rb"(?m)^(?:-[neE]+ +)+")

_GOOD = (
    b"From: Tim <tim@example.org>\nTo: Ann <ann@example.com>\nSubject: hello\n"
    b"Date: Tue, 24 Nov 2026 11:00:00 +0000\nMessage-ID: <1.2@example.org>\n"
)
_MIME = b"MIME-Version: 1.0\nContent-Type: "
_QP = b"Content-Transfer-Encoding: quoted-printable\n"
_B64 = b"Content-Transfer-Encoding: base64\n"

# The first octet chooses the facts.
SEEDS = [
    b"\x00" + _GOOD + b"\nbody\n",
    "\x01Subject: 测试\n\n正文\n".encode(),
    "\x02Subject: 测试\nFrom: 张三 <root>\nTo: 李四 <a@b.example>\n\n正文\n".encode("gbk"),
    b"\x03-e Subject: x\\n\\nbody\n",
    b"\x01Subject: x\\nTo: a@b.example\\n\\nbody\\nend\n",
    b"\x00Error: disk full\nhost: web01\n\ntext\n",
    b"\x01From: =?utf-8?Q?a=0D=0ABcc:_e?= <root@web01>\nDate: 2026-11-24\nMessage-ID: x\n\n\n",
    b"\x04From: a@b.c, d@e.f\nSubject: a\nSubject: b\nTo: root\nTo: x@y.z\nBcc: b@c.d\n\n1%\r2%\n",
    b"\x02" + _GOOD + b"\n\x1b[31mred\x1b[0m a\x08b\x07\0\r\r\n\x0cend",
    b"\x03" + _GOOD + _MIME + b"text/plain; charset=utf-8\n" + _QP + b"\nh=C3=A9 =\n=3D\n",
    b"\x00" + _GOOD + _MIME + b'text/html; charset="gbk"\n\n<p>\xb2\xe2 &amp; <b>x</b></p>\n',
    b"\x01" + _GOOD + _MIME + b"text/plain\n" + _B64 + b"\naGVsbG8gd29ybGQ=\n",
    b"\x02" + _GOOD + _MIME + b"multipart/alternative; boundary=x\n\n--x\n\na\n--x\n"
    b"Content-Type: text/html\n\n<p>other words</p>\n--x--\nepilogue\n",
    b"\x03" + _GOOD + _MIME + b'multipart/mixed; boundary="x y"\n\npre\n--x y\n\n\xe6\xb5\x8b\n'
    b"--x y\nContent-Type: message/rfc822\n\nSubject: \xe6\n\n\xe6\n--x y\n"
    b"Content-Type: image/png; name=\xe6\xb5\x8b\n\n\x89PNG\r\n\0\n--x y--\n",
    b"\x00" + _GOOD + _MIME + b"multipart/signed; boundary=x\n\n--x\n\n\xe6\n--x\n\n--x--\n",
    b"\x01DKIM-Signature: h=From:Subject\n" + _GOOD + "\n测".encode(),
]


def check(data: bytes) -> None:
    """Hold the property for a message, read whole, in sevens and octet by octet."""
    flags, octets = (data[0] if data else 0), data[1:]
    try:
        once, changes = _sent(octets, flags, len(octets) + 1)
    except DataError:
        return
    assert _sent(octets, flags, 7) == (once, changes)
    assert _sent(octets, flags, 1) == (once, changes)
    twice, again = _sent(once, flags, len(once) + 1)
    # An account that sets To has it set anew, in front, each time: msmtp does so. And a NUL that is
    # dropped on the wire may leave a delimiter or an empty part that nobody saw before.
    if not (flags & 8 or (b"\0" in octets and b"multipart" in octets)):
        assert twice == once
        assert {change.rule for change in again} <= {"SIGNED", "MIME-LATE"}, again
    for change in changes:
        assert change.rule in RULE_BY_ID
        assert f"{change}".isprintable(), change
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", once)
    _check_fields(octets, once)


def _check_fields(octets: bytes, once: bytes) -> None:
    head = b"" if once.startswith(b"\r\n") else once.partition(b"\r\n\r\n")[0] + b"\r\n"
    fields = _FIELD.findall(head)
    assert b"".join(fields) == head
    typed = re.sub(rb"[\x01-\x08\x0b-\x1f\x7f]", b" ", octets.replace(b"\0", b""))
    typed += b"\n" + typed.replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    typed_names = {
        line.partition(b":")[0].strip(b" \t").lower() for line in _ECHO.sub(b"", typed).split(b"\n")
    }
    for field in fields:
        name = field.partition(b":")[0].lower()
        assert name in _MAY_ADD or name in typed_names, field
        assert name not in (b"bcc", b"resent-bcc")
        assert not re.search(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", field)


def _sent(octets: bytes, flags: int, size: int) -> tuple[bytes, list[Change]]:
    changes: list[Change] = []
    content = repair(read_message(_reader(octets, size)), _facts(flags), changes).content()
    return b"".join(chunk for chunk, _ in content.chunks()), changes


def _facts(flags: int) -> RepairFacts:
    people = tuple(map(parse_mailbox, ("ann@example.com", "bob@example.net")))
    return RepairFacts(
        sender=None if flags & 7 == 7 else parse_mailbox("tim@example.org"),
        recipients=people[: 1 + (flags >> 1 & 1)],
        wishes=HeaderWishes(set_to="undisclosed_recipients" if flags & 8 else "off"),
        epoch_s=1_795_518_000.0,
        message_id="<new.1@example.org>",
        host="web01",
        takes_8bit=bool(flags & 1),
        demands_sender=lambda: bool(flags & 4),
    )


def _reader(data: bytes, size: int) -> Callable[[int], bytes]:
    pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
    return lambda _: next(pieces, b"")


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
