"""
``--serverinfo``: what a server says of itself, in msmtp's words and order.

Scripts read this, so it is the same in every language. What msmtp does not show of the
extensions is not shown here either, but for CHUNKING and 8BITMIME, which pillarbox uses.
"""

from __future__ import annotations

from pillarbox.mail.reply import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.config.account import Account
    from pillarbox.delivery.attempt import Connection
    from pillarbox.smtp.capabilities import Capabilities

__all__ = ["server_lines"]

_EXPLAINED = (
    ("PIPELINING", "Support for command grouping for faster transmission"),
    ("CHUNKING", "Support for sending a mail in counted chunks"),
    ("8BITMIME", "Support for mails with 8-bit characters"),
    ("SMTPUTF8", "Support for internationalized mail addresses"),
    ("ETRN", "Support for RMQS (Remote Message Queue Starting)"),
    ("DSN", "Support for Delivery Status Notifications"),
)

# The order in which msmtp names mechanisms; others are not named.
_MECHANISMS = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "GSSAPI",
    "EXTERNAL",
    "OAUTHBEARER",
    "CRAM-MD5",
    "DIGEST-MD5",
    "LOGIN",
    "NTLM",
    "XOAUTH2",
)

_KIB = 1024


def server_lines(connection: Connection, account: Account) -> Iterator[str]:
    """
    Yield what is known of the server at the other end of an open connection.

    Args:
        connection: Open, and not logged in.
        account: Whose server it is.

    """
    client, stream = connection.client, connection.stream
    if client is None or stream is None or client.greeting is None:
        return
    yield f"{account.protocol.upper()} server at {_place(connection, account)}:"
    yield f"    {printable(client.greeting.lines[0])}"
    if stream.is_secured:
        yield "TLS session parameters:"
        yield f"    {stream.tls_description()}"
        yield "TLS certificate information:"
        yield from _certificate_lines(stream.certificate_facts(), stream.peer_certificate())
    yield from _capability_lines(client.capabilities, account)


def _place(connection: Connection, account: Account) -> str:
    """Return host, what the network calls it, and port."""
    if account.socket is not None:
        return f"{account.socket}, port {account.port or 25}"
    address = connection.stream.address if connection.stream is not None else ""
    name = _name_of(address) if address else ""
    known = f"{name} [{address}]" if name else f"[{address}]" if address else ""
    return (
        f"{account.host} ({known}), port {account.port}"
        if known
        else (f"{account.host}, port {account.port}")
    )


def _name_of(address: str) -> str:
    """Ask the resolver for the name of an address; blocks. Empty when it has none."""
    from socket import NI_NAMEREQD, getnameinfo

    try:
        return getnameinfo((address, 0), NI_NAMEREQD)[0]
    except OSError:
        return ""


def _certificate_lines(facts: dict[str, object], certificate: bytes) -> Iterator[str]:
    from hashlib import sha1, sha256

    for label, key in (("Subject", "subject"), ("Issuer", "issuer")):
        yield f"    {label}:"
        yield f"        {_distinguished_name(facts.get(key, ()))}"
    yield "    Validity:"
    yield f"        Activation time: {_local_date(facts.get('notBefore'))}"
    yield f"        Expiration time: {_local_date(facts.get('notAfter'))}"
    yield "    Fingerprints:"
    yield f"        SHA256: {sha256(certificate).digest().hex(':').upper()}"
    weak = sha1(certificate, usedforsecurity=False).digest().hex(":").upper()
    yield f"        SHA1 (deprecated): {weak}"


_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "emailAddress": "EMAIL",
}


def _distinguished_name(name: object) -> str:
    """Return a name in the order in which the certificate has it, as msmtp does."""
    if not isinstance(name, tuple):
        return ""
    parts = [f"{_SHORT.get(key, key)}={printable(value)}" for rdn in name for key, value in rdn]
    return ",".join(parts)


def _local_date(text: object) -> str:
    from ssl import cert_time_to_seconds
    from time import localtime, strftime

    try:
        return strftime("%c", localtime(cert_time_to_seconds(str(text))))
    except (ValueError, OverflowError):
        return "(unknown)"


def _capability_lines(offered: Capabilities, account: Account) -> Iterator[str]:
    if not offered.keywords:
        yield "No special capabilities."
        return
    yield "Capabilities:"
    if "SIZE" in offered:
        limit = offered.max_size_bytes
        yield f"    SIZE{'' if limit is None else f' {limit}'}:"
        yield f"        Maximum message size is {_size(limit)}"
    for keyword, text in _EXPLAINED:
        if keyword in offered:
            yield f"    {keyword}:"
            yield f"        {text}"
    if "STARTTLS" in offered or (account.tls and account.tls_starttls):
        yield "    STARTTLS:"
        yield "        Support for TLS encryption via the STARTTLS command"
    if "AUTH" in offered:
        yield "    AUTH:"
        yield "        Supported authentication methods:"
        known = [name for name in _MECHANISMS if name in offered.mechanisms]
        yield "        " + "".join(f"{name} " for name in known)
    if "STARTTLS" in offered and not account.tls:
        yield "This server might advertise more or other capabilities when TLS is active."


def _size(limit: int | None) -> str:
    if limit is None:
        return "unlimited"
    if limit < _KIB:
        return f"{limit} bytes"
    if limit < _KIB * _KIB:
        return f"{limit} bytes = {limit / _KIB:.2f} KiB"
    return f"{limit} bytes = {limit / _KIB / _KIB:.2f} MiB"
