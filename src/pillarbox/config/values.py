"""
Read the argument of one keyword: text in, value out.

Every reader here has the same shape: it takes the text as written (outer quotes and blanks
already gone), returns a value, and raises ``ValueError`` with a reason that completes the
sentence "invalid argument X: ...". A reason never repeats the text: it may be a secret.

Bytes of a file that are not UTF-8 arrive as surrogates (PEP 383) and are kept, so that a path
or a password reaches the system as it was written.
"""

from __future__ import annotations

from pillarbox.secret import Secret
from pillarbox.text import Text, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AUTH_METHODS",
    "NEEDED",
    "NOT_TAKEN",
    "one_of",
    "parse_auth",
    "parse_dsn_notify",
    "parse_dsn_return",
    "parse_fingerprint",
    "parse_limit",
    "parse_on_off",
    "parse_optional_port",
    "parse_optional_positive",
    "parse_optional_text",
    "parse_path",
    "parse_port",
    "parse_remote_address",
    "parse_required_text",
    "parse_secret",
    "parse_sender",
    "parse_shell_command",
    "parse_socket_path",
    "parse_syslog",
    "parse_text",
    "parse_timeout",
    "reason_of",
]

# The names that ``auth`` takes besides on and off, as msmtp spells them.
AUTH_METHODS = (
    "scram-sha-256-plus",
    "scram-sha-1-plus",
    "scram-sha-256",
    "scram-sha-1",
    "plain",
    "gssapi",
    "external",
    "oauthbearer",
    "cram-md5",
    "digest-md5",
    "login",
    "ntlm",
    "xoauth2",
)

_FACILITIES = ("LOG_USER", "LOG_MAIL", *(f"LOG_LOCAL{number}" for number in range(8)))
_CONDITIONS = ("failure", "delay", "success")  # of DSN, RFC 3461 4.1
_INT_MAX = 2**31 - 1  # msmtp reads into an int; nothing here is sensibly larger
_SOCKET_PATH_MAX = 107  # bytes: sun_path is 108 with its NUL
# MD5, SHA-1, SHA-256. The first two are weak against forged twins of a certificate that the
# attacker made himself, not against imitating one that was pinned: still accepted.
_FINGERPRINT_BYTES = (16, 20, 32)
# The reasons that say only that there is no argument, or that there is one.
NEEDED = say("an argument is needed")
NOT_TAKEN = say("it takes no argument")


def reason_of(error: ValueError) -> str:
    """Return why a reader refused; a ``Text``, which ``str(error)`` would not be."""
    reason = error.args[0] if error.args else ""
    return reason if isinstance(reason, Text) else str(error)


def parse_on_off(text: str) -> bool:
    """Return True for ``on`` and False for ``off``."""
    if text == "on":
        return True
    if text == "off":
        return False
    raise ValueError(_write("on", "off", text=text))


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader that takes exactly these words and gives them back."""

    def parse_word(text: str) -> str:
        if text in words:
            return text
        raise ValueError(_write(*words, text=text))

    return parse_word


def parse_text(text: str) -> str:
    """Return a text without control characters; it may be empty."""
    if not (text.isascii() and text.isprintable()) and any(map(_is_control, text)):
        raise ValueError(say("it contains a control character"))
    return text


def parse_optional_text(text: str) -> str | None:
    """Return a text without control characters, or None for an empty one (unset)."""
    return parse_text(text) or None


def parse_required_text(text: str) -> str:
    """Return a text without control characters that is not empty."""
    if not text:
        raise ValueError(NEEDED)
    return parse_text(text)


def parse_sender(text: str) -> str:
    """Return an address or a pattern for one; ``<>`` and an empty text are the null sender."""
    return "" if text == "<>" else parse_text(text)


def parse_port(text: str) -> int:
    """Return the number of a TCP port."""
    return _parse_integer(text, 65535)


def parse_optional_port(text: str) -> int | None:
    """Return the number of a TCP port, or None for an empty text (unset)."""
    return parse_port(text) if text else None


def parse_optional_positive(text: str) -> int | None:
    """Return a positive number, or None for an empty text (unset)."""
    return _parse_integer(text, _INT_MAX) if text else None


def parse_limit(text: str) -> int:
    """Return a number of mails; 0 for no limit."""
    if text == "0":
        return 0
    try:
        return _parse_integer(text, _INT_MAX)
    except ValueError as error:
        reason = say("{reason}, or 0 for no limit", reason=reason_of(error)) if text else NEEDED
        raise ValueError(reason) from error


def parse_timeout(text: str) -> int | None:
    """Return a number of seconds, or None for ``off``."""
    if text == "off":
        return None
    try:
        return _parse_integer(text, _INT_MAX)
    except ValueError as error:
        reason = say("{reason} (seconds), or off", reason=reason_of(error)) if text else NEEDED
        raise ValueError(reason) from error


def parse_remote_address(text: str) -> str | None:
    """Return one address with a domain, or None for an empty text (unset)."""
    if not text:
        return None
    from pillarbox.errors import DataError
    from pillarbox.mail.address import parse_mailbox

    try:
        mailbox = parse_mailbox(text)
    except DataError as error:
        raise ValueError(say("write one address, such as admin@example.com")) from error
    if not mailbox.domain:
        raise ValueError(say("write one address, such as admin@example.com"))
    return str(mailbox)


def parse_path(text: str) -> str | None:
    """Return the name of a file as written (``~`` included), or None for an empty text."""
    if "\0" in text:  # from nowhere but a program that calls us: files and argv cannot hold one
        raise ValueError(say("a file name cannot contain a NUL byte"))
    return text or None


def parse_socket_path(text: str) -> str | None:
    """Return the path of a Unix socket, or None for an empty text; ``~`` is not special."""
    if len(text.encode("utf-8", "surrogateescape")) > _SOCKET_PATH_MAX:
        reason = say("the path of a socket has at most {limit} bytes", limit=_SOCKET_PATH_MAX)
        raise ValueError(reason)
    return parse_path(text)


def parse_shell_command(text: str) -> str | None:
    """Return a command for /bin/sh, or None for an empty text (unset)."""
    return parse_path(text)


def parse_secret(text: str) -> Secret | None:
    """Return a password, or None for an empty text (unset)."""
    return Secret(text) if text else None


def parse_auth(text: str) -> str:
    """Return ``on`` (choose), ``off`` or the name of one of ``AUTH_METHODS``."""
    if text in ("on", "off") or text in AUTH_METHODS:
        return text
    reason = say("write on, off, or one of {names}", names=", ".join(AUTH_METHODS))
    if text.lower() in ("on", "off", *AUTH_METHODS):
        reason = say("{reason}; names are lower case", reason=reason)
    raise ValueError(reason)


def parse_fingerprint(text: str) -> str | None:
    """Return hex pairs in upper case joined by colons, or None for an empty text (unset)."""
    if not text:
        return None
    pairs = text.replace(" ", ":").split(":")
    if len(pairs) in _FINGERPRINT_BYTES and all(map(_is_hex_pair, pairs)):
        return ":".join(pairs).upper()
    raise ValueError(
        say(
            "write 32 (SHA-256), 20 (SHA-1) or 16 (MD5) pairs of hexadecimal digits, "
            "separated by colons or blanks"
        )
    )


def parse_dsn_notify(text: str) -> str | None:
    """Return ``NEVER`` or conditions for RCPT's NOTIFY (RFC 3461 4.1); None for ``off``."""
    if not text:
        raise ValueError(NEEDED)
    if text == "off":
        return None
    words = text.split(",")
    if text == "never" or (len(set(words)) == len(words) and set(words) <= set(_CONDITIONS)):
        return text.upper()
    raise ValueError(
        say("write off, never, or some of failure, delay and success, joined by commas, no blanks")
    )


def parse_dsn_return(text: str) -> str | None:
    """Return ``HDRS`` or ``FULL`` for MAIL's RET (RFC 3461 4.3); None for ``off``."""
    if text == "off":
        return None
    if text in ("headers", "hdrs"):  # msmtp has the second on its command line only
        return "HDRS"
    if text == "full":
        return "FULL"
    raise ValueError(_write("off", "headers", "full", text=text))


def parse_syslog(text: str) -> str | None:
    """Return the name of a syslog facility (``on`` is ``LOG_USER``); None for ``off``."""
    if text == "off":
        return None
    if text == "on":
        return "LOG_USER"
    if text in _FACILITIES:
        return text
    raise ValueError(_write("on", "off", *_FACILITIES, text=text))


def _parse_integer(text: str, highest: int) -> int:
    """Read a positive number as C does: ``0x24b`` and ``01113`` are 587 too."""
    digits = text.removeprefix("+")
    base = 10
    if digits[:2] in ("0x", "0X"):
        digits, base = digits[2:], 16
    elif digits[:1] == "0":
        base = 8
    # int() alone would also take "1_000", " 5", "-5" and the digits of other scripts.
    if digits.isascii() and digits.isalnum() and len(digits) <= len(bin(_INT_MAX)):
        try:
            number = int(digits, base)
        except ValueError:
            number = 0
        if 0 < number <= highest:
            return number
    raise ValueError(say("write a number from 1 to {highest}", highest=highest))


def _write(*words: str, text: str) -> str:
    if not text:
        return NEEDED
    reason = say("write {words} or {last}", words=", ".join(words[:-1]), last=words[-1])
    if text not in words and text.lower() in [word.lower() for word in words]:
        reason = say("{reason} (upper and lower case matter)", reason=reason)
    return reason


def _is_hex_pair(text: str) -> bool:
    return len(text) == 2 and not text.strip("0123456789abcdefABCDEF")


def _is_control(char: str) -> bool:
    return char < " " or char == "\x7f"
