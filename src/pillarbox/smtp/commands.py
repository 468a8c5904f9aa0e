"""
Command lines: the one place that makes them (client) and takes them apart (server).

Whatever goes in, exactly one line comes out: an argument with a control character, or with an
octet above 127 where SMTPUTF8 was not agreed on, is refused here and nowhere else. Nor can a
parameter bring another one along.
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.envelope import Envelope
    from pillarbox.smtp.capabilities import Capabilities

__all__ = [
    "DATA",
    "QUIT",
    "RSET",
    "STARTTLS",
    "auth",
    "auth_response",
    "bdat",
    "etrn",
    "hello",
    "mail",
    "rcpt",
    "xtext",
]

DATA = b"DATA\r\n"
RSET = b"RSET\r\n"
QUIT = b"QUIT\r\n"
STARTTLS = b"STARTTLS\r\n"

# msmtp's limit; RFC 5321 asks for 512, and the paths and parameters of DSN for more.
_MAX_LINE = 8192
_MAX_RESPONSE = 12288  # RFC 4954 4

_ASCII = bytes(range(0x20, 0x7F))
_UTF8 = _ASCII + bytes(range(0x80, 0x100))


def _line(command: bytes, allowed: bytes = _ASCII, limit: int = _MAX_LINE) -> bytes:
    if command.translate(None, allowed):
        if command.translate(None, _UTF8):
            msg = say("a control character cannot stand in an SMTP command")
        else:
            msg = say("an address without an ASCII form cannot be said without SMTPUTF8")
        raise DataError(msg)
    if len(command) > limit:
        raise DataError(say("an SMTP command of {size} octets is too long", size=len(command)))
    return command + b"\r\n"


def _ascii(text: str, what: str) -> bytes:
    if not text.isascii():
        raise DataError(say("{what} must be ASCII", what=_named(what)))
    return text.encode("ascii")


def _named(what: str) -> str:
    """Return what a person calls an argument; made only when it is wrong."""
    if what == "EHLO":
        return say("the name for EHLO")
    if what == "AUTH":
        return say("the name of a mechanism")
    if what == "ETRN":
        return say("the argument of ETRN")
    return say("a DSN parameter") if what == "DSN" else what


def _word(text: str, what: str) -> bytes:
    if " " in text:
        raise DataError(say("{what} must be one word, not {text}", what=what, text=repr(text)))
    return _ascii(text, what)


def hello(verb: str, name: str) -> bytes:
    """Return ``EHLO``, ``HELO`` or ``LHLO`` with our name (RFC 5321 4.1.1.1, 2033 4.1)."""
    argument = _ascii(name, "EHLO")
    if b" " in argument or not argument:
        msg = say("the name for {verb} must be one word, not {name}", verb=verb, name=repr(name))
        raise DataError(msg, advice=say("set the keyword domain to a host name"))
    return _line(verb.encode() + b" " + argument)


def mail(
    envelope: Envelope, offered: Capabilities, *, size_bytes: int | None, is_8bit: bool
) -> bytes:
    """
    Return MAIL with the parameters that the server offers and the mail needs.

    These are SIZE (RFC 1870) when the size is known, BODY=8BITMIME (6152) for content with
    octets above 127, SMTPUTF8 (6531) only when an address has no ASCII form, RET and ENVID (3461).
    """
    smtputf8 = envelope.needs_smtputf8 and "SMTPUTF8" in offered
    path = envelope.reverse_path
    parts = [b"MAIL FROM:<" + (path.wire_form(smtputf8=smtputf8) if path else b"") + b">"]
    if size_bytes is not None and "SIZE" in offered:
        parts.append(b"SIZE=%d" % size_bytes)
    if is_8bit and "8BITMIME" in offered:
        parts.append(b"BODY=8BITMIME")
    if smtputf8:
        parts.append(b"SMTPUTF8")
    if "DSN" in offered:
        if envelope.ret:
            parts.append(b"RET=" + _word(envelope.ret, "RET"))
        if envelope.envid:
            parts.append(b"ENVID=" + xtext(envelope.envid))
    return _line(b" ".join(parts), _UTF8 if smtputf8 else _ASCII)


def rcpt(forward_path: Mailbox, envelope: Envelope, offered: Capabilities) -> bytes:
    """Return RCPT with NOTIFY and ORCPT (RFC 3461 4.1, 4.2) where the server offers DSN."""
    smtputf8 = envelope.needs_smtputf8 and "SMTPUTF8" in offered
    command = b"RCPT TO:<" + forward_path.wire_form(smtputf8=smtputf8) + b">"
    if envelope.notify and "DSN" in offered:
        command += b" NOTIFY=" + _word(envelope.notify, "NOTIFY")
        if not smtputf8:
            command += b" ORCPT=rfc822;" + _xtext(forward_path.wire_form(smtputf8=False))
    return _line(command, _UTF8 if smtputf8 else _ASCII)


def bdat(size_bytes: int, *, is_last: bool) -> bytes:
    """Return BDAT for a chunk of that many octets (RFC 3030 2)."""
    return b"BDAT %d LAST\r\n" % size_bytes if is_last else b"BDAT %d\r\n" % size_bytes


def auth(mechanism: str, initial_response: bytes | None) -> bytes:
    """Return AUTH (RFC 4954 4); an empty initial response is ``=``, None is none."""
    command = b"AUTH " + _ascii(mechanism, "AUTH")
    if initial_response is not None:
        command += b" " + (_base64(initial_response) or b"=")
    return _line(command)


def auth_response(response: bytes) -> bytes:
    """Return the line that answers a challenge."""
    return _line(_base64(response), limit=_MAX_RESPONSE)


def etrn(argument: str) -> bytes:
    """Return ETRN (RFC 1985)."""
    return _line(b"ETRN " + _ascii(argument, "ETRN"))


def xtext(text: str) -> bytes:
    """Return text as RFC 3461 4 spells it: ``+``, ``=`` and the unprintable as ``+XX``."""
    return _xtext(_ascii(text, "DSN"))


def _xtext(octets: bytes) -> bytes:
    return b"".join(
        b"%c" % octet if octet in _ASCII[1:] and octet not in b"+=" else b"+%02X" % octet
        for octet in octets
    )


def _base64(data: bytes) -> bytes:
    from binascii import b2a_base64

    return b2a_base64(data, newline=False)
