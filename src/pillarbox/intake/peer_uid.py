"""
Whose process is at the other end of a TCP connection inside this computer: the kernel knows.

A Unix socket says it by itself; for TCP the table of sockets has to be asked: by a question for
the one socket (sock_diag(7)), or where that cannot be had, by reading ``/proc/self/net/tcp``.

The rule to keep: only a socket that some process still has open says whose it is. One that was
closed, or waits for its end, is shown with user id 0 and inode 0 (attack: connect, send, close,
and pass for root); it counts as nobody's.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["peer_uid"]

_SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
_NETLINK_SOCK_DIAG = 4
_NLM_F_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
# inet_diag_req_v2: family, protocol, extensions, pad, states; then inet_diag_sockid.
_REQUEST = struct.Struct("=BBBxI")
_SOCKET_ID = struct.Struct("!HH16s16s")  # source and destination port, and their addresses
_SOCKET_ID_REST = struct.Struct("=III")  # interface, cookie
# inet_diag_msg: family, state, timer, retrans; the id; expires, two queues, uid, inode.
_ANSWER = struct.Struct("=BBBB48xIIIII")

_TIMEOUT_S = 2.0  # the kernel answers at once
_TABLES: dict[int, str] = {
    socket.AF_INET: "/proc/self/net/tcp",  # not /proc/net: ProcSubset=pid has none
    socket.AF_INET6: "/proc/self/net/tcp6",
}
_V4_MAPPED = b"\0" * 10 + b"\xff\xff"


def peer_uid(sock: socket.socket) -> int | None:
    """
    Return the user of the process at the other end; None: it is not in this computer, or has gone.

    May read a table of all sockets of this computer, and so take some milliseconds.
    """
    try:
        ours, theirs = sock.getsockname(), sock.getpeername()
    except OSError:
        return None
    for family, there, here in _spellings(theirs, ours):
        found = _ask(family, there, here)
        if found is None:
            found = _look_up(family, there, here)
        if found is not None:
            uid, inode = found
            return uid if inode else None
    return None


def _spellings(
    theirs: tuple[str, int], ours: tuple[str, int]
) -> Iterator[tuple[int, tuple[bytes, int], tuple[bytes, int]]]:
    """
    Yield how their socket may be known: family, its own end, the other end.

    A client with an IPv6 socket that talks to 127.0.0.1 is ``::ffff:127.0.0.1`` in its table.
    """
    there, here = _packed(theirs[0]), _packed(ours[0])
    if len(there) == 4 and len(here) == 4:
        yield socket.AF_INET, (there, theirs[1]), (here, ours[1])
        there, here = _V4_MAPPED + there, _V4_MAPPED + here
    if len(there) == 16 and len(here) == 16:
        yield socket.AF_INET6, (there, theirs[1]), (here, ours[1])


def _packed(address: str) -> bytes:
    """Return an address as octets; a v4-mapped one as the IPv4 address that it is."""
    address = address.partition("%")[0]
    if ":" not in address:
        return socket.inet_pton(socket.AF_INET, address)
    packed = socket.inet_pton(socket.AF_INET6, address)
    return packed[12:] if packed.startswith(_V4_MAPPED) else packed


# -- one question to the kernel --------------------------------------------------------------------


def _ask(family: int, there: tuple[bytes, int], here: tuple[bytes, int]) -> tuple[int, int] | None:
    """Return user and inode of a socket as the kernel says; None: it knows none, or cannot say."""
    identity = _SOCKET_ID.pack(
        there[1], here[1], there[0].ljust(16, b"\0"), here[0].ljust(16, b"\0")
    ) + _SOCKET_ID_REST.pack(0, _NO_COOKIE, _NO_COOKIE)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _ALL_STATES) + identity
    message = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    try:
        with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as asker:
            asker.settimeout(_TIMEOUT_S)
            asker.sendto(message + body, (0, 0))
            data, address = asker.recvfrom(1 << 13)
    except OSError:
        return None
    if address[0] != 0 or len(data) < _HEADER.size + _ANSWER.size:
        return None
    if _HEADER.unpack_from(data)[1] != _SOCK_DIAG_BY_FAMILY:
        return None  # an error: there is none of that kind
    *_, uid, inode = _ANSWER.unpack_from(data, _HEADER.size)
    return uid, inode


# -- the table of all ------------------------------------------------------------------------------


def _look_up(
    family: int, there: tuple[bytes, int], here: tuple[bytes, int]
) -> tuple[int, int] | None:
    """Return user and inode of a socket as the table has them; None: it is not in it."""
    ends = f" {_in_table(there)} {_in_table(here)} ".encode()
    with suppress(OSError), open(_TABLES[family], "rb") as table:
        for line in table:
            if ends in line:
                fields = line.split()
                return int(fields[7]), int(fields[9])
    return None


def _in_table(end: tuple[bytes, int]) -> str:
    """Return an address as the table has it: each 32 bits in the order of this machine."""
    packed, port = end
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
