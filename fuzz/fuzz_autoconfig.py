"""
Feed the reader of autoconfig files with XML from strangers.

The property: what comes out are servers whose host is the name of a host in the DNS, whose port
is one that mail is handed in at, whose TLS is on, and whose login name can stand in a
configuration; it takes a time that grows with the file and no faster; and a document type is
never parsed.

Allowed refusals:
    AutoconfigError: it is not UTF-8, no XML, not about mail, has a document type, is nested too
        deeply, or names too many servers.
"""

from __future__ import annotations

import re
from time import process_time

from pillarbox.mail.address import parse_mailbox
from pillarbox.setup.autoconfig import AutoconfigError, parse_autoconfig

# Not made with the reader's own: letters, digits, hyphen and underscore, and a name at the end.
_HOST = re.compile(r"[0-9a-z_.-]{1,253}(?<![-.0-9_])\Z")
_SECOND_BYTES = 200_000  # of a file that may take a second: measured, it is ten times as many
_ME = parse_mailbox("me@example.com")
_MAIL_PORTS = (25, 80, 443, 465, 587, 994)

_SERVER = (
    b'<outgoingServer type="smtp"><hostname>smtp.%EMAILDOMAIN%</hostname><port>465</port>'
    b"<socketType>SSL</socketType><username>%EMAILADDRESS%</username>"
    b"<authentication>password-cleartext</authentication></outgoingServer>"
)

SEEDS = [
    b"<clientConfig><emailProvider>" + _SERVER + b"</emailProvider></clientConfig>",
    b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>\n<clientConfig version='1.1'>"
    b"<emailProvider id='x'>" + _SERVER * 2 + b"<!-- y --></emailProvider></clientConfig>",
    b"<clientConfig><emailProvider>"
    + _SERVER.replace(b"SSL", b"STARTTLS").replace(b"465", b"587")
    + b"</emailProvider></clientConfig>",
    b"<!DOCTYPE clientConfig [<!ENTITY a 'b'>]><clientConfig>&a;</clientConfig>",
    b"<clientConfig><emailProvider>"
    + _SERVER.replace(b"%EMAILADDRESS%", b"<![CDATA[%EMAILLOCALPART%&#10;]]>")
    + b"</emailProvider></clientConfig>",
    b"<a>" * 20 + b"</a>" * 20,
]


def check(data: bytes) -> None:
    """Hold the property for a file."""
    start = process_time()
    try:
        servers = parse_autoconfig(data, _ME)
    except AutoconfigError as refusal:
        _check_refusal(refusal)
        return
    finally:
        assert process_time() - start < 1 + len(data) / _SECOND_BYTES
    assert b"<!DOCTYPE" not in data
    for server in servers:
        assert _HOST.match(server.host), server.host
        assert "." in server.host
        assert ".." not in server.host
        assert server.port in _MAIL_PORTS or 1024 <= server.port <= 65535
        assert server.tls in ("implicit", "starttls")
        assert server.username.isprintable()
        assert not set(server.username) & set(" \"'\\%")
        assert all(name.isascii() and name.isupper() for name in server.auth)


def _check_refusal(refusal: AutoconfigError) -> None:
    assert str(refusal).isprintable()


if __name__ == "__main__":
    from harness import run

    run(check, SEEDS)
