"""
Feed the reader of EHLO replies with extensions that nobody offers.

The property: whatever the lines hold, capabilities come out; a keyword is one word of letters,
digits and hyphens in upper case; the size limit is a positive number or unknown; order does not
decide whether a keyword is there, and a line more takes no keyword away.

Allowed refusals: none. What is no keyword is passed over.
"""

from __future__ import annotations

from pillarbox.mail.reply import Reply
from pillarbox.smtp.capabilities import parse_capabilities

SEEDS = [
    b"mail.example.org\r\nPIPELINING\r\nSIZE 73400320\r\nAUTH LOGIN PLAIN\r\nAUTH=LOGIN\r\nDSN",
    b"x\nSTARTTLS\nstarttls\nAUTH=PLAIN LOGIN\nAUTH PLAIN\nCHUNKING\nSMTPUTF8\nDSN",
    b"x\nSIZE\nSIZE 0\nSIZE 99999999999999999999999\nSIZE -1\nSIZE 1e3",
    b"x\n\n \n-\nX-Y.Z\nauth\nAUTH=\nENHANCEDSTATUSCODES \t\n",
    "x\nSIZE \u0661\u0662\nAUTH \u017fCRAM\n\u212a\nPIPELINING\u00a0x".encode(),
]


def check(data: bytes) -> None:
    """Hold the property for a reply with these lines."""
    lines = tuple(data.split(b"\n")[:100])
    found = parse_capabilities(Reply(250, lines))
    for keyword in found.keywords:
        assert keyword == keyword.upper()
        assert keyword.isascii()
        assert keyword.strip("-").replace("-", "a").isalnum()
        assert keyword in found
    assert found.max_size_bytes is None or found.max_size_bytes > 0
    assert all(" " not in name and name == name.upper() for name in found.mechanisms)
    assert found.has_pipelining == ("PIPELINING" in found)
    assert found.has_chunking == ("CHUNKING" in found)
    turned = parse_capabilities(Reply(250, (lines[0], *lines[:0:-1])))
    assert turned.keywords.keys() == found.keywords.keys()
    assert turned.mechanisms == found.mechanisms
    more = parse_capabilities(Reply(250, (*lines, b"XMORE")))
    assert more.keywords.keys() == found.keywords.keys() | {"XMORE"}


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
