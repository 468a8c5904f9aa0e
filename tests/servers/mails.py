"""
Mails whose octets are easily damaged on the way, and what must arrive of each.

Written in the form of a Unix mailbox file: a line ends in LF. What arrives is compared behind
the trace fields that every server puts in front, octet for octet.
"""

import random
import re

__all__ = ["HEADER", "MAILS", "SOME_MAILS", "behind_trace", "large_mail"]

# With all that msmtp would add, so that nothing is added.
HEADER = (
    b"From: Alice <alice@example.test>\n"
    b"To: Bob <bob@example.test>\n"
    b"Date: Mon, 02 Mar 2026 10:00:00 +0000\n"
    b"Message-ID: <test.1@example.test>\n"
)

_CRLF = HEADER.replace(b"\n", b"\r\n")
_EIGHT_BIT = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")

# (name, what is given to msmtp, what arrives)
_SAME = None
_ROWS = [
    ("plain", HEADER + b"Subject: x\n\nHello.\n", _SAME),
    ("dots", HEADER + b"\n.\n..\n.x\n...\n .\n.\n", _SAME),
    ("first and only line a dot", HEADER + b"\n.\n", _SAME),
    ("dot without line end", HEADER + b"\n.", HEADER + b"\n.\n"),
    ("looks like the end of DATA", HEADER + b"\n.\r\nQUIT\r\n", HEADER + b"\n.\nQUIT\n"),
    ("line of 998", HEADER + b"\n" + b"x" * 998 + b"\n", _SAME),
    ("empty lines", HEADER + b"\n\n\n\nx\n\n\n\n", _SAME),
    ("spaces at line ends", HEADER + b"\na \n\t\n  \nb\t \n", _SAME),
    ("From at line start", HEADER + b"\nFrom here on\n>From there\n\nFrom x\n", _SAME),
    ("CRLF", _CRLF + b"\r\na\r\n\r\nb\r\n", HEADER + b"\na\n\nb\n"),
    ("CRLF and LF mixed", _CRLF + b"\na\r\nb\nc\r\n", HEADER + b"\na\nb\nc\n"),
    ("no final line end", HEADER + b"\nlast words", HEADER + b"\nlast words\n"),
    ("no body", HEADER + b"\n", _SAME),
    ("no empty line", HEADER, HEADER + b"\n"),
    ("8-bit body", HEADER + b"\n" + _EIGHT_BIT + b"\n", _SAME),
    ("not UTF-8", HEADER + b"\nGr\xfc\xdfe \xa4 \xff\xfe\n", _SAME),
    ("UTF-8 body", HEADER + "\nПривет, 世界 👋\n".encode(), _SAME),
    ("UTF-8 header", HEADER + "Subject: 这是一封测试发送的邮件\n\nx\n".encode(), _SAME),
    ("NUL", HEADER + b"\na\0b\n\0\n", HEADER + b"\nab\n\n"),
    ("bare CR", HEADER + b"\na\rb\n.\r.\n", HEADER + b"\na b\n. .\n"),
    ("folded header", HEADER + b"Subject: a\n b\n\tc\nX-Empty:\n\nx\n", _SAME),
    (
        "many short lines",
        HEADER + b"\n" + b"".join(b"%d\n" % number for number in range(20_000)),
        _SAME,
    ),
]
MAILS = {name: (given, given if arrives is None else arrives) for name, given, arrives in _ROWS}

# Enough of them for a server that is not the first to be tried.
SOME_MAILS = {
    name: MAILS[name]
    for name in (
        "dots",
        "dot without line end",
        "looks like the end of DATA",
        "empty lines",
        "CRLF and LF mixed",
        "no final line end",
        "no body",
        "no empty line",
        "8-bit body",
        "UTF-8 header",
        "many short lines",
    )
}

_TRACE = re.compile(
    rb"\A(?:(?:Return-Path|X-Original-To|Delivered-To|Received|Envelope-to|Delivery-date"
    rb"|X-Cyrus-Session-Id|X-Sieve):[^\n]*\n(?:[ \t][^\n]*\n)*)+",
    re.IGNORECASE,
)


def behind_trace(mail):
    """Return a mail as it stands in a mailbox without what the server put in front of it."""
    return _TRACE.sub(b"", mail)


def large_mail(size_bytes, seed=7):
    """Return a mail of about that many octets: lines of all lengths, dots, every 8-bit octet."""
    chance = random.Random(seed)
    block = bytearray()
    while len(block) < 1 << 16:
        line = bytes(chance.choices(_EIGHT_BIT, k=chance.randrange(200)))
        block += chance.choice((b"", b".", b"..")) + line + b"\n"
    count = max(1, (size_bytes - len(HEADER)) // len(block))
    return HEADER + b"\n" + bytes(block) * count
