"""
What time it is, by the time servers that this machine's own configuration names.

An SNTP client of one question (RFC 5905 14), which sets nothing. The rule to keep: nobody is asked
whom the administrator has not named, in timesyncd, chrony, ntpd or ntpsec; what a distribution has
compiled in is not among them.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Opinion", "TimeServer", "ask_time", "configured_servers", "offset_of"]

_PORT = 123
_PATIENCE_S = 2.0
_ASKED = 4  # servers; a pool has four names

_SIZE = 48  # octets of a packet without extensions (RFC 5905 7.3)
_CLIENT = 0x23  # leap indicator 0, version 4, mode 3
_SERVER_MODE = 4
_UNSYNCHRONIZED = 3  # leap indicator: it does not know the time itself
_STRATUM_MAX = 15
_SINCE_1900 = 2208988800  # seconds from 1900, where NTP begins, to 1970
_ERA = 1 << 32  # seconds: in 2036 NTP begins anew (RFC 5905 6)

_NOT_BEFORE_S = 1577836800  # 2020-01-01: this program did not exist before

_TIMESYNCD = ("/usr/lib/systemd", "/run/systemd", "/etc/systemd")
_CHRONY = ("/etc/chrony/chrony.conf", "/etc/chrony.conf")
_CHRONY_FOLDERS = (
    ("/etc/chrony/conf.d", ".conf"),
    ("/etc/chrony/sources.d", ".sources"),
    ("/etc/chrony.d", ".conf"),
)
_NTP = ("/etc/ntp.conf", "/etc/ntpsec/ntp.conf")
_NTP_FOLDERS = (("/etc/ntpsec/ntp.d", ".conf"),)
_LARGEST = 1 << 16  # octets of a configuration file


class TimeServer(Value):
    """
    A time server that the configuration names.

    Attributes:
        host: A name or an address.
        port: UDP.
        path: The file that names it.

    """

    __slots__ = ("host", "path", "port")

    def __init__(self, host: str, port: int, path: str) -> None:
        self.host = host
        self.port = port
        self.path = path

    def __str__(self) -> str:
        return self.host if self.port == _PORT else f"{self.host}:{self.port}"


class Opinion(Value):
    """
    What a server says of our clock.

    Attributes:
        server: Who.
        offset_s: Seconds that our clock is ahead of its; negative: behind.

    """

    __slots__ = ("offset_s", "server")

    def __init__(self, server: TimeServer, offset_s: float) -> None:
        self.server = server
        self.offset_s = offset_s


# -- who may be asked -------------------------------------------------------------------------


def configured_servers(root: str) -> tuple[TimeServer, ...]:
    """Return the servers that the configuration below a root names, each once, in order."""
    found: dict[tuple[str, int], TimeServer] = {}
    for server in (*_of_timesyncd(root), *_of_chrony_and_ntp(root)):
        found.setdefault((server.host, server.port), server)
    return tuple(found.values())


def _of_timesyncd(root: str) -> Iterator[TimeServer]:
    """Yield those of timesyncd.conf(5), where NTP= goes before FallbackNTP=."""
    named: dict[str, list[TimeServer]] = {"ntp": [], "fallbackntp": []}
    for folder in _TIMESYNCD:
        main = f"{root}{folder}/timesyncd.conf"
        for path in (main, *_folder(f"{main}.d", ".conf")):
            for line in _lines(path):
                key, is_set, value = line.partition("=")
                rows = named.get(key.strip().lower())
                if not is_set or rows is None:
                    continue
                if not value.strip():
                    rows.clear()  # an empty value takes back what came before it
                rows += [TimeServer(host, _PORT, path) for host in value.split()]
    yield from named["ntp"] or named["fallbackntp"]


def _of_chrony_and_ntp(root: str) -> Iterator[TimeServer]:
    paths = [root + path for path in (*_CHRONY, *_NTP)]
    for folder, tail in (*_CHRONY_FOLDERS, *_NTP_FOLDERS):
        paths += _folder(root + folder, tail)
    for path in paths:
        for line in _lines(path):
            words = line.split()
            if words[0].lower() in ("server", "pool", "peer") and len(words) > 1:
                server = _server(words[1:], path)
                if server is not None:
                    yield server


def _server(words: Sequence[str], path: str) -> TimeServer | None:
    """Return the server of ``server NAME [port N] [option ...]``; None: it is a clock card."""
    names = [word for word in words if word not in ("-4", "-6")]
    if not names or names[0].startswith("127.127."):  # a reference clock of ntpd
        return None
    port = _PORT
    for key, value in pairwise(names[1:]):
        if key.lower() == "port" and value.isdecimal() and 0 < int(value) < 1 << 16:
            port = int(value)
    return TimeServer(names[0], port, path)


def _folder(path: str, tail: str) -> list[str]:
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    return [os.path.join(path, name) for name in names if name.endswith(tail)]


def _lines(path: str) -> list[str]:
    """Return the lines of a file that say something; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and line[0] not in "!;%"]


# -- asking -----------------------------------------------------------------------------------


def ask_time(servers: Sequence[TimeServer], patience_s: float = _PATIENCE_S) -> tuple[Opinion, ...]:
    """
    Ask the first four at once, and return what those say that answer in time. Never raises.

    Each in a thread of its own, which also looks the name up; one that is late is left behind.
    """
    opinions: list[Opinion] = []
    threads = [
        threading.Thread(target=_ask_one, args=(server, patience_s, opinions), daemon=True)
        for server in servers[:_ASKED]
    ]
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    return tuple(opinions)


def offset_of(opinions: Sequence[Opinion]) -> float | None:
    """Return the seconds that our clock is ahead, by the middle opinion; None: there is none."""
    return median(opinion.offset_s for opinion in opinions) if opinions else None


def _ask_one(server: TimeServer, patience_s: float, opinions: list[Opinion]) -> None:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            server.host, server.port, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.connect(place)
            offset_s = _exchange(sock, time.monotonic() + patience_s)
    except (OSError, UnicodeError):
        return
    if offset_s is not None:
        opinions.append(Opinion(server, offset_s))


def _exchange(sock: socket.socket, deadline: float) -> float | None:
    """Return the seconds that our clock is ahead, by one answer; None: nobody gave one."""
    # Random, as nobody needs our time; by it the answer is known.
    cookie = os.urandom(8)
    sent_s = time.time()
    sent_mono = time.monotonic()
    sock.send(struct.pack("!B39x", _CLIENT) + cookie)
    while (remaining := deadline - time.monotonic()) > 0:
        if not select.select([sock], [], [], remaining)[0]:
            return None
        packet = sock.recv(_SIZE)
        took_s = time.monotonic() - sent_mono
        server_s = _time_in(packet, cookie, sent_s)
        if server_s is not None:
            return sent_s + took_s / 2 - server_s
    return None


def _time_in(packet: bytes, cookie: bytes, near_s: float) -> float | None:
    """
    Return the middle of the server's two times, in seconds since 1970; None: it is no answer.

    Of the eras of NTP the one is taken that is nearest to our own clock, or, should that be before
    2020, to 2020.
    """
    if len(packet) < _SIZE or packet[24:32] != cookie:
        return None
    leap, mode, stratum = packet[0] >> 6, packet[0] & 7, packet[1]
    if mode != _SERVER_MODE or leap == _UNSYNCHRONIZED or not 0 < stratum <= _STRATUM_MAX:
        return None
    received: int
    transmitted: int
    received, transmitted = struct.unpack("!QQ", packet[32:48])
    if not transmitted:
        return None
    seconds = ((received or transmitted) + transmitted) / 2 / _ERA - _SINCE_1900
    near_s = max(near_s, _NOT_BEFORE_S)
    return seconds + round((near_s - seconds) / _ERA) * _ERA
