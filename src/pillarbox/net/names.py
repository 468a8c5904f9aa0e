"""
The three forms of a host's name: as written, as the resolver wants it, as a certificate has it.

The rule: a name leaves this room in ASCII only, and as ``bytes``. Given a ``str``, Python's
``socket`` and ``ssl`` run it through the ``idna`` codec, which follows IDNA2003 (``ß`` becomes
``ss``: another host) and costs some milliseconds even when the name is ASCII already.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from pillarbox.errors import ConfigError, MissingExtraError
from pillarbox.mail.reply import printable
from pillarbox.text import say

__all__ = ["ascii_host", "certificate_host", "is_address"]

_LONGEST = 253  # characters of a name in the DNS, written with dots (RFC 1035 3.1)
_LONGEST_LABEL = 63  # RFC 1035 2.3.4; Python's ssl fails on a longer one, and on an empty one


def ascii_host(host: str) -> bytes:
    """
    Return a host's name as A-labels, or its address without brackets.

    Args:
        host: A name, in ASCII or not (then IDNA2008 makes A-labels of it), or an address; an
            IPv6 address may stand in brackets.

    Raises:
        ConfigError: No host can have this name.
        MissingExtraError: The name is not ASCII and the package ``idna`` is not installed.

    """
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1]
    # A NUL would cut the name short in C: "good.example\0.evil" would be "good.example".
    is_name = host[:1] not in {"", "."} and len(host) <= _LONGEST
    if not is_name or any(char <= " " or char == "\x7f" for char in host):
        raise _no_name(host)
    return host.encode("ascii") if host.isascii() else _a_labels(host)


def _no_name(host: str) -> ConfigError:
    problem = say("'{host}' cannot be the name of a host", host=printable(host))
    return ConfigError(problem, advice=say("check the spelling of the host"))


def _a_labels(host: str) -> bytes:
    try:
        import idna  # 54 ms, and rare
    except ImportError as error:
        feature = say("the host name {host}, which is not ASCII,", host=printable(host))
        raise MissingExtraError(feature, "idn") from error
    try:
        # UTS 46 only maps what a person may type (capital letters, full-width dots); being
        # non-transitional it leaves to IDNA2008 what a name is.
        return idna.encode(host, uts46=True)
    except idna.IDNAError as error:
        msg = say(
            "'{host}' cannot be the name of a host: {reason}",
            host=printable(host),
            reason=printable(str(error)),
        )
        raise ConfigError(msg, advice=say("check the spelling of the host")) from error


def certificate_host(host: str) -> bytes:
    """
    Return the name that a certificate must have, also for the server name indication.

    The trailing dot of an absolute name is for the resolver only (RFC 6066 3), the zone of a
    link-local address for this machine only.

    Raises:
        ConfigError, MissingExtraError: As of ``ascii_host``; and no certificate can have it.

    """
    name = ascii_host(host)
    if is_address(name):
        return name.partition(b"%")[0]
    name = name[:-1] if name[-1:] == b"." else name
    if not all(0 < len(label) <= _LONGEST_LABEL for label in name.split(b".")):
        raise _no_name(host)
    return name


def is_address(name: bytes) -> bool:
    """Return whether a name is an IPv4 or IPv6 address (a zone may follow): nothing to look up."""
    text = name.partition(b"%")[0].decode("ascii")
    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
