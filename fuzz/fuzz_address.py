"""
Feed the address parser with lists that no person would write.

The property: what comes out can stand in a command (no control character; a space, ``<`` or
``>`` only inside a quoted local-part; within RFC 5321's lengths), reads back as itself, and
makes exactly one line of each command; nothing that was between two commas is merged; and the
time grows with the text and no faster.

Allowed refusals:
    DataError: an item is no mailbox, something is not closed, a comma is missing, a control
        character stands in the text, or a domain has no A-labels.
    MissingExtraError: a domain is not ASCII, and the package idna is not installed.
"""

from __future__ import annotations

import re

from pillarbox.errors import DataError, MissingExtraError
from pillarbox.mail.address import Mailbox, parse_address_list
from pillarbox.mail.envelope import Envelope
from pillarbox.smtp import commands
from pillarbox.smtp.capabilities import Capabilities

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_OFFERS = [Capabilities({}), Capabilities({"SMTPUTF8": "", "DSN": "", "SIZE": "", "8BITMIME": ""})]

SEEDS = [
    b"a@example.org, Joe Q. User <joe@example.org>, root",
    b'"a, b" <c@d>, "a \\"b" @ c . d, <@r1,@r2:x@[IPv6:2001:db8::1]>',
    b"Team: a@b, c@d;, undisclosed-recipients:; (comment (nested \\)) here)",
    "J\u00f6rg <j\u00f6rg@b\u00fccher.example>, \u7528\u6237@\u4f8b\u5b50.\u5e7f\u544a".encode(),
    b"a@b\r\nRCPT TO:<c@d>, <a b@c>, a@b c@d, x@[1.2.3.4, y@z",
]


def check(data: bytes) -> None:
    """Hold the property for a text from a header or the command line."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse_address_list(text)
    except DataError as refusal:
        _check_refusal(refusal)
        return
    assert len(found) <= 1 + text.count(",") + text.count(";")
    assert not re.search(r"[\0-\x08\x0a-\x1f\x7f]", text)
    for mailbox in found:
        _check_mailbox(mailbox)
    joined = ", ".join(map(str, found))
    assert parse_address_list(joined) == found


def _check_refusal(refusal: DataError) -> None:
    assert str(refusal).isprintable()


def _check_mailbox(mailbox: Mailbox) -> None:
    text = str(mailbox)
    assert text.isprintable()
    assert not set(_QUOTED.sub("", text)) & set(' <>()",;\\')
    assert len(text.encode()) <= 254
    assert len(mailbox.local_part.encode()) <= 64
    assert parse_address_list(text) == [mailbox]
    envelope = Envelope(mailbox, (mailbox,), ret="HDRS", envid=text if text.isascii() else "")
    for offered in _OFFERS:
        try:
            lines = [
                commands.mail(envelope, offered, size_bytes=1, is_8bit=True),
                commands.rcpt(mailbox, envelope, offered),
            ]
        except (DataError, MissingExtraError):
            assert not text.isascii()
            continue
        for line in lines:
            assert line.endswith(b"\r\n")
            assert not re.search(rb"[\0-\x1f\x7f]", line[:-2])
            assert line.isascii() or "SMTPUTF8" in offered


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
