"""
Command lines as the server reads them: one line in, values out, or what is wrong with it.

The counterpart of ``commands``, and the one gate for what a client says: behind it, an address
is a ``Mailbox`` and a parameter has been checked. Nothing here raises; a fault is a value.
"""

from __future__ import annotations

from pillarbox.errors import DataError
from pillarbox.mail.address import parse_mailbox
from pillarbox.smtp.server_session import (
    MailParameters,
    MailRequested,
    RecipientParameters,
    RecipientRequested,
)
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from pillarbox.mail.address import Mailbox

__all__ = [
    "Fault",
    "decode_utf8_xtext",
    "decode_xtext",
    "has_control_character",
    "parse_bdat",
    "parse_hello",
    "parse_mail",
    "parse_rcpt",
    "split_command",
]

_CONTROL = bytes(range(0x20)) + b"\x7f"
_KEYWORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_HEX = frozenset("0123456789ABCDEF")
_HELLO = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]")
_NOTIFY = frozenset(("SUCCESS", "FAILURE", "DELAY"))

_MAX_DIGITS = 20  # RFC 1870 3; 2**64 has as many
_MAX_ENVID = 100  # RFC 3461 4.4
_MAX_ORCPT = 500  # RFC 3461 4.2
_MAX_HELLO = 255  # RFC 5321 4.5.3.1.2
_MAX_WISH = 300  # characters of a name, decoded: what a line of MAIL has room for


class Fault(Value):
    """
    What is wrong with something that the client said.

    Attributes:
        row: The row of ``server_states.REPLIES`` that says so.
        detail: What is said in place of that row's text; empty: nothing.

    """

    __slots__ = ("detail", "row")

    def __init__(self, row: str, detail: str = "") -> None:
        self.row = row
        self.detail = detail


def has_control_character(line: bytes) -> bool:
    """Return whether an octet below space, or DEL, is in it."""
    return len(line.translate(None, _CONTROL)) != len(line)


def split_command(line: bytes) -> tuple[bytes, bytes]:
    """Return the verb in upper case and what follows it, without the spaces between and behind."""
    verb, _, argument = line.partition(b" ")
    return verb.upper(), argument.strip(b" ")


def parse_hello(argument: bytes) -> str | Fault:
    """
    Return the name that EHLO, HELO or LHLO gives.

    Lenient in form, as RFC 5321 4.1.4 wants it, but the name is safe to show and to log.
    """
    text = argument.decode("ascii", "replace")
    if not text or len(text) > _MAX_HELLO or not _HELLO.issuperset(text):
        return Fault("hello_syntax")
    return text


def parse_mail(argument: bytes, offered: Container[str]) -> MailRequested | Fault:
    """Return what MAIL asks (RFC 5321 4.1.1.2)."""
    split = _split(argument, b"FROM:", "mail_syntax")
    if isinstance(split, Fault):
        return split
    path, given = split
    parameters = _mail_parameters(given, offered)
    if isinstance(parameters, Fault):
        return parameters
    if not path:
        return MailRequested(None, parameters)
    mailbox = _mailbox(path, "sender_syntax", is_smtputf8=parameters.is_smtputf8)
    return mailbox if isinstance(mailbox, Fault) else MailRequested(mailbox, parameters)


def parse_rcpt(
    argument: bytes, offered: Container[str], *, is_smtputf8: bool
) -> RecipientRequested | Fault:
    """Return what RCPT asks (RFC 5321 4.1.1.3)."""
    split = _split(argument, b"TO:", "rcpt_syntax")
    if isinstance(split, Fault):
        return split
    path, given = split
    parameters = _recipient_parameters(given, offered)
    if isinstance(parameters, Fault):
        return parameters
    mailbox = _mailbox(path, "recipient_syntax", is_smtputf8=is_smtputf8)
    return mailbox if isinstance(mailbox, Fault) else RecipientRequested(mailbox, parameters)


def parse_bdat(argument: bytes) -> tuple[int, bool] | Fault:
    """Return how many octets follow a BDAT, and whether they are the last (RFC 3030 2)."""
    words = argument.split()
    is_last = len(words) == 2 and words[1].upper() == b"LAST"
    if not words or len(words) != 1 + is_last or not _is_number(words[0]):
        return Fault("bdat_syntax")
    return int(words[0]), is_last


def decode_xtext(text: str) -> str | None:
    """
    Return what xtext (RFC 3461 4) stands for, or None when it is none.

    Anything but printable ASCII is refused: a line break in an ENVID would become a header
    field of the report that quotes it.
    """
    first, *escaped = text.split("+")
    decoded = first
    for part in escaped:
        if not _HEX.issuperset(part[:2]) or len(part) < 2:
            return None
        decoded += chr(int(part[:2], 16)) + part[2:]
    return decoded if decoded.isascii() and decoded.isprintable() else None


def decode_utf8_xtext(text: str) -> str | None:
    """
    Return what xtext over the octets of UTF-8 stands for, or None when it is none.

    Only what a person can see is let through, and the space: it becomes part of a header field.
    """
    first, *escaped = text.encode("utf-8", "surrogateescape").split(b"+")
    decoded = bytearray(first)
    for part in escaped:
        if len(part) < 2 or not _HEX.issuperset(part[:2].decode("latin-1")):
            return None
        decoded += bytes((int(part[:2], 16),)) + part[2:]
    try:
        shown = decoded.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return shown if shown.isprintable() else None


# -- the parts of MAIL and RCPT --------------------------------------------------------------------


def _split(argument: bytes, keyword: bytes, row: str) -> tuple[str, dict[str, str]] | Fault:
    """Return the path of MAIL or RCPT, without its brackets, and the parameters as given."""
    if argument[: len(keyword)].upper() != keyword:
        return Fault(row)
    try:
        # Spaces before the path are no RFC's, but many a client's; nothing depends on them.
        text = argument[len(keyword) :].decode("utf-8").lstrip(" ")
    except UnicodeDecodeError:
        return Fault(row, "This is not UTF-8")
    end = _end_of_path(text)
    if not end:
        return Fault(row)
    parameters: dict[str, str] = {}
    for word in text[end:].split():
        key, equals, value = word.partition("=")
        key = key.upper()
        if not key or not _KEYWORD.issuperset(key) or key in parameters:
            return Fault("bad_parameter")
        if bool(equals) != bool(value) or "=" in value:
            return Fault("bad_parameter", f"Bad parameter {key}")
        parameters[key] = value
    return text[1 : end - 1], parameters


def _end_of_path(text: str) -> int:
    """Return where the path ends, behind its ``>``; 0 when there is none."""
    if not text.startswith("<"):
        return 0
    is_quoted = is_escaped = False
    for position, char in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif is_quoted and char == "\\":
            is_escaped = True
        elif char == '"':
            is_quoted = not is_quoted
        elif char == ">" and not is_quoted:
            is_end = text[position + 1 : position + 2] in ("", " ")
            return position + 1 if is_end else 0
    return 0


def _mailbox(path: str, row: str, *, is_smtputf8: bool) -> Mailbox | Fault:
    if not path.isascii() and not is_smtputf8:
        return Fault("needs_smtputf8")
    if path.startswith("@") and ":" in path:  # a source route, to be ignored (5321 appendix C)
        path = path.partition(":")[2]
    try:
        return parse_mailbox(path)
    except DataError as exc:
        return Fault(row, exc.problem)


def _mail_parameters(  # noqa: C901 (one list, a parameter a row)
    given: dict[str, str], offered: Container[str]
) -> MailParameters | Fault:
    size_bytes, body, is_smtputf8, ret, envid, auth = None, "", False, "", "", ""
    priority, wishes = 0, dict[str, str]()
    for key, value in given.items():
        if _MAIL_EXTENSIONS.get(key) not in offered:
            return Fault("unknown_parameter", f"Unknown parameter {key}")
        fine = False
        if key == "SIZE" and _is_number(value.encode()):
            fine, size_bytes = True, int(value)
        elif key == "BODY":
            body = value.upper()
            fine = body in ("7BIT", "8BITMIME")
        elif key == "SMTPUTF8":
            fine = is_smtputf8 = not value
        elif key == "RET":
            ret = value.upper()
            fine = ret in ("FULL", "HDRS")
        elif key == "ENVID":
            envid = decode_xtext(value) or ""
            fine = bool(envid) and len(value) <= _MAX_ENVID
        elif key == "AUTH":
            auth = decode_xtext(value) or ""
            fine = bool(auth)
        elif key == "MT-PRIORITY":
            fine = value in _PRIORITIES
            priority = int(value) if fine else 0
        elif _MAIL_EXTENSIONS[key] == "XPILLARBOX":
            wish = _wish(key, value)
            fine = wish is not None
            wishes[key] = wish or ""
        if not fine:
            return Fault("bad_parameter", f"Bad parameter {key}")
    return MailParameters(
        size_bytes=size_bytes,
        body=body,
        is_smtputf8=is_smtputf8,
        ret=ret,
        envid=envid,
        auth=auth,
        priority=priority,
        wishes=wishes,
    )


def _wish(key: str, value: str) -> str | None:
    """Return the value of a parameter of ours, decoded; None: it is wrong."""
    if key not in _NAMES:
        return None if value else ""
    name = decode_utf8_xtext(value)
    return name if name and len(name) <= _MAX_WISH else None


_NAMES = frozenset(("XACCOUNT", "XNAME"))  # the others have no value

# RFC 6710 4.1: a digit, with a minus or without.
_PRIORITIES = frozenset(("-0", *(str(number) for number in range(-9, 10))))

# Which extension a parameter belongs to; RFC 1870, 6152, 6531, 3461, 4954, 6710, and our own.
_MAIL_EXTENSIONS = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "AUTH": "AUTH",
    "MT-PRIORITY": "MT-PRIORITY",
    "XACCOUNT": "XPILLARBOX",
    "XNAME": "XPILLARBOX",
    "XOWN": "XPILLARBOX",
    "XRAW": "XPILLARBOX",
    "XWAIT": "XPILLARBOX",
}


def _recipient_parameters(
    given: dict[str, str], offered: Container[str]
) -> RecipientParameters | Fault:
    notify, orcpt = "", ""
    for key, value in given.items():
        if "DSN" not in offered or key not in ("NOTIFY", "ORCPT"):
            return Fault("unknown_parameter", f"Unknown parameter {key}")
        if key == "NOTIFY":
            notify = value.upper()
            wishes = notify.split(",")
            fine = wishes == ["NEVER"] or (
                _NOTIFY.issuperset(wishes) and len(set(wishes)) == len(wishes)
            )
        else:
            kind, semicolon, address = value.partition(";")
            decoded = decode_xtext(address)
            fine = bool(semicolon and kind and decoded) and len(value) <= _MAX_ORCPT
            fine = fine and _KEYWORD.issuperset(kind.upper())
            orcpt = f"{kind};{decoded}"
        if not fine:
            return Fault("bad_parameter", f"Bad parameter {key}")
    return RecipientParameters(notify=notify, orcpt=orcpt)


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MAX_DIGITS
