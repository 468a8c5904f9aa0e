"""
Which ports of a host can be reached, and what they say first: all of them asked at once.

A port that a network blocks is silent for as long as anybody waits, so a list of them asked one
behind the other takes minutes; here one deadline is over everything, the names included. The rule
to keep: nothing is ever sent. Who listens there may be nobody that we meant, and what he says
before he is asked is enough to know him by.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time

from pillarbox.net.dial import resolve
from pillarbox.net.names import ascii_host, is_address
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    Resolver = Callable[..., Sequence[tuple[int, int, int, str, tuple[Any, ...]]]]

__all__ = [
    "FORBIDDEN",
    "OPEN",
    "REFUSED",
    "SUBMISSION_PORTS",
    "TIMEOUT",
    "UNREACHABLE",
    "PortAnswer",
    "best_answers",
    "look_up",
    "try_addresses",
    "try_ports",
]

# Submission with TLS first (RFC 8314), submission with STARTTLS (RFC 6409), relaying (RFC 5321).
SUBMISSION_PORTS = (465, 587, 25)

OPEN = "open"
REFUSED = "refused"  # the host, or a firewall in its name, says no at once
TIMEOUT = "timeout"  # nobody says anything: mostly a firewall that drops
UNREACHABLE = "unreachable"  # there is no way to the address
FORBIDDEN = "forbidden"  # this machine itself does not allow it
# The best first: what is said of a host that has several addresses.
_ORDER = (OPEN, REFUSED, FORBIDDEN, TIMEOUT, UNREACHABLE)

_STATES = {
    0: OPEN,
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: REFUSED,
    errno.ETIMEDOUT: TIMEOUT,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
}

_ADDRESSES_TRIED = 4  # as in net.dial
# Seconds in which a server that speaks first has spoken; a round trip and its own looking up.
_HEARING_S = 1.0
_HEARD = 1024  # octets: a greeting of several lines


class PortAnswer(Value):
    """
    What became of one port.

    Attributes:
        port: The port.
        state: ``OPEN``, ``REFUSED``, ``TIMEOUT``, ``UNREACHABLE`` or ``FORBIDDEN``.
        reason: What the system says of it, such as ``Connection refused``; empty: it is open.
        first_octets: What came before anything was asked; empty: nothing did, as behind a port
            that waits for TLS, or asks for a request.
        address: The address that answered so; of several the one that did best.
        is_closed: It was open, and the other side closed it at once.

    """

    __slots__ = ("address", "first_octets", "is_closed", "port", "reason", "state")

    def __init__(
        self,
        port: int,
        state: str,
        reason: str = "",
        first_octets: bytes = b"",
        *,
        address: str = "",
        is_closed: bool = False,
    ) -> None:
        self.port = port
        self.state = state
        self.reason = reason
        self.first_octets = first_octets
        self.address = address
        self.is_closed = is_closed

    @property
    def is_open(self) -> bool:
        """Whether a connection was made."""
        return self.state == OPEN


def try_ports(
    host: str,
    ports: Sequence[int] = SUBMISSION_PORTS,
    *,
    patience_s: float,
    resolver: Resolver = socket.getaddrinfo,
) -> tuple[PortAnswer, ...]:
    """
    Connect to ports of a host, all at once. Blocks for no longer than it is told.

    Args:
        host: A name or an address; up to four of its addresses are tried.
        ports: Which.
        patience_s: Seconds for everything together.
        resolver: Looks names up; takes and returns what ``socket.getaddrinfo`` does.

    Returns:
        One for each port, in order: that of the address that did best.

    Raises:
        socket.gaierror: The name has no address.
        TimeoutError: The resolver took too long.
        ConfigError, MissingExtraError: No host can have this name, or not without an extra.

    """
    deadline = time.monotonic() + patience_s
    addresses = look_up(host, patience_s, resolver=resolver)
    found = try_addresses(addresses, ports, patience_s=deadline - time.monotonic())
    return best_answers(found)


def best_answers(answers: Iterable[PortAnswer]) -> tuple[PortAnswer, ...]:
    """Return one answer for each port, in order: that of the address that did best."""
    best: dict[int, PortAnswer] = {}
    for answer in answers:
        known = best.setdefault(answer.port, answer)
        if _ORDER.index(answer.state) < _ORDER.index(known.state):
            best[answer.port] = answer
    return tuple(best.values())


def look_up(
    host: str, patience_s: float, *, resolver: Resolver = socket.getaddrinfo
) -> tuple[str, ...]:
    """
    Return the addresses of a host, in the resolver's order, each once.

    Raises:
        socket.gaierror: The name has no address.
        TimeoutError: The resolver took too long.
        ConfigError, MissingExtraError: No host can have this name, or not without an extra.

    """
    name = ascii_host(host)
    if is_address(name):
        return (name.decode("ascii"),)
    found = resolve(name, 0, time.monotonic() + patience_s, resolver)
    return tuple(dict.fromkeys(str(candidate[4][0]) for candidate in found))


def try_addresses(
    addresses: Iterable[str],
    ports: Iterable[int],
    *,
    patience_s: float,
    hearing_s: float = _HEARING_S,
) -> tuple[PortAnswer, ...]:
    """
    Connect to every port of every address at once, and hear what is said there first.

    Args:
        addresses: IPv4 and IPv6 addresses; the first four are tried.
        ports: Which.
        patience_s: Seconds for everything together.
        hearing_s: Seconds in which an open port may say something; 0: nobody listens.

    Returns:
        One for each address and port.

    """
    deadline = time.monotonic() + patience_s
    calls = [
        _Call(address, port, hearing_s)
        for address in tuple(addresses)[:_ADDRESSES_TRIED]
        for port in ports
    ]
    try:
        _run(calls, deadline)
        return tuple(call.answer() for call in calls)
    finally:
        for call in calls:
            call.close()


class _Call:
    """One connection on its way: connecting, then listening, then over."""

    def __init__(self, address: str, port: int, hearing_s: float) -> None:
        self.address = address
        self.port = port
        self.is_over = False
        self.events = select.POLLOUT
        self.until = float("inf")  # monotonic seconds: the end of the listening
        self.sock: socket.socket | None = None
        self._hearing_s = hearing_s
        self._code = errno.ETIMEDOUT  # unless something else comes
        self._heard = b""
        self._is_closed = False
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            self.sock = socket.socket(family, kind, protocol)
            self.sock.settimeout(0)
            code = self.sock.connect_ex(place)
        except OSError as error:  # no such address, or a machine without IPv6
            code = (
                errno.EADDRNOTAVAIL
                if isinstance(error, socket.gaierror)
                else error.errno or errno.EINVAL
            )
        if code != errno.EINPROGRESS:
            self._connected(code)

    def go_on(self) -> None:
        """Take what the system has for it."""
        assert self.sock is not None
        if self.events == select.POLLOUT:
            self._connected(self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            return
        try:
            data = self.sock.recv(_HEARD - len(self._heard))
        except OSError:
            data = b""
        self._heard += data
        self._is_closed = not data
        self.is_over = not data or b"\n" in self._heard or len(self._heard) >= _HEARD

    def _connected(self, code: int) -> None:
        self._code = code
        self.is_over = code != 0 or self._hearing_s <= 0
        self.events = select.POLLIN
        self.until = time.monotonic() + self._hearing_s

    def answer(self) -> PortAnswer:
        """Return what became of it, as far as it is known now."""
        state = _STATES.get(self._code, UNREACHABLE)
        return PortAnswer(
            self.port,
            state,
            os.strerror(self._code) if self._code else "",
            self._heard,
            address=self.address,
            is_closed=self._is_closed,
        )

    def close(self) -> None:
        """Hang up."""
        if self.sock is not None:
            self.sock.close()


def _run(calls: Sequence[_Call], deadline: float) -> None:
    """Go on with all calls until each is over, or time is up."""
    while True:
        now = time.monotonic()
        waiting = {
            call.sock.fileno(): call
            for call in calls
            if call.sock is not None and not call.is_over and now < call.until
        }
        if not waiting or now >= deadline:
            return
        poll = select.poll()
        for number, call in waiting.items():
            poll.register(number, call.events)
        end = min(deadline, *(call.until for call in waiting.values()))
        # One millisecond more: poll() cuts fractions off, and would be asked in a circle.
        for number, _ in poll.poll(int((end - now) * 1000) + 1):
            waiting[number].go_on()
