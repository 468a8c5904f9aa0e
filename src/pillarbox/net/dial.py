"""
Connect: from a host and a port, or the path of a socket, to a ``Stream``.

The rule: one absolute deadline over everything, looking the name up included, whatever number of
addresses there is. A second address is tried when the first fails; none of them lowers what TLS
demands afterwards, so an address from a false DNS answer gains nothing.

The steps of ``dial``: ``_look_up`` the addresses, ``_choose`` those to try, ``_connect`` to each
in turn, ``proxy.connect_through`` when there is a proxy.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import socket
import stat
import time

from pillarbox.errors import ConfigError, DeadlineError, HostNotFoundError, NetworkError
from pillarbox.mail.reply import printable
from pillarbox.net.names import ascii_host, is_address
from pillarbox.net.stream import Stream, wait_ready
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pillarbox.text import Text

    # What socket.getaddrinfo returns: family, type, protocol, canonical name, socket address.
    _Candidate = tuple[int, int, int, str, tuple[Any, ...]]
    _Resolver = Callable[..., Sequence[_Candidate]]

__all__ = ["Endpoint", "dial", "resolve"]

_ADDRESSES_TRIED = 4  # docs/threats.md N13: a DNS answer with 200 of them must not keep us busy
_UNIX_PATH_LIMIT = 107  # bytes: sun_path has 108, with the NUL at its end (unix(7))
_PORT_LIMIT = 65535
_DEFAULT_SOCKS_PORT = 1080
_OUTBOUND_MAIL_PORT = 25


class Endpoint(Value):
    """
    Where a server is, and the way there.

    Attributes:
        host: Its name or address; an IPv6 address with or without brackets. What the
            certificate must name, so it can be of use with a socket path, too.
        port: 1 to 65535; not used with a socket path.
        socket_path: The path of a Unix socket; empty: TCP.
        source_ip: The local address to connect from; empty: the system chooses.
        proxy_host: A SOCKS5 proxy, which looks the host's name up itself; empty: none.
        proxy_port: Its port.

    """

    __slots__ = ("host", "port", "proxy_host", "proxy_port", "socket_path", "source_ip")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        socket_path: str = "",
        source_ip: str = "",
        proxy_host: str = "",
        proxy_port: int = _DEFAULT_SOCKS_PORT,
    ) -> None:
        self.host = host
        self.port = port
        self.socket_path = socket_path
        self.source_ip = source_ip
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port

    def __str__(self) -> str:
        # A Text, which str() hands on as it is: so a message's field can be localized.
        if self.socket_path:
            return self.socket_path
        return say("{host}, port {port}", host=printable(self.host), port=self.port)


def dial(
    endpoint: Endpoint, timeout_s: float, *, resolver: _Resolver = socket.getaddrinfo
) -> Stream:
    """
    Connect to an endpoint.

    Args:
        endpoint: Where to.
        timeout_s: Seconds for everything together. Several addresses share it: each may take
            its part of what is left, so that a silent one leaves time for the next.
        resolver: Looks names up; takes and returns what ``socket.getaddrinfo`` does.

    Returns:
        A connected stream, for the caller to close.

    Raises:
        HostNotFoundError: The name does not exist.
        DeadlineError: Time was up before an address answered.
        NetworkError: No connection was made.
        ConfigError: The endpoint cannot be: a port, a source address, a path, a name.
        MissingExtraError: The name is not ASCII and the package for that is not installed.

    """
    deadline = time.monotonic() + timeout_s
    if endpoint.socket_path:
        return _dial_unix(endpoint.socket_path, deadline)
    if not endpoint.proxy_host:
        return _dial_tcp(endpoint, endpoint.source_ip, deadline, resolver)
    name = ascii_host(endpoint.host)  # wrong names are told before anybody is asked
    _check_port(endpoint.port)
    proxy = Endpoint(endpoint.proxy_host, endpoint.proxy_port)
    stream = _dial_tcp(proxy, endpoint.source_ip, deadline, resolver)
    from pillarbox.net.proxy import connect_through  # rare

    try:
        connect_through(stream, name.decode("ascii"), endpoint.port, deadline)
    except BaseException:
        stream.close()
        raise
    stream.hand_over(str(endpoint))
    return stream


# -- TCP ------------------------------------------------------------------------------------


def _dial_tcp(endpoint: Endpoint, source_ip: str, deadline: float, resolver: _Resolver) -> Stream:
    _check_port(endpoint.port)
    source = _source(source_ip) if source_ip else None
    candidates = _choose(endpoint, _look_up(endpoint, deadline, resolver), source)
    failures: dict[str, str] = {}
    is_late = True  # until an address fails in another way
    for place, candidate in enumerate(candidates):
        share = (deadline - time.monotonic()) / (len(candidates) - place)
        address = str(candidate[4][0])
        try:
            sock = _connect(candidate, source, time.monotonic() + share)
        except OSError as error:
            is_late = is_late and error.errno == errno.ETIMEDOUT
            failures[address] = os.strerror(error.errno or 0)
        else:
            return Stream(sock, str(endpoint), address)
    raise _cannot_connect(endpoint, failures, is_late=is_late)


def _cannot_connect(endpoint: Endpoint, failures: dict[str, str], *, is_late: bool) -> NetworkError:
    reasons = set(failures.values())
    reason = "; ".join(f"{reason} ({address})" for address, reason in failures.items())
    if len(reasons) == 1:
        reason = reasons.pop()
    advice = say("check host and port, and that a firewall lets the connection through")
    if endpoint.port == _OUTBOUND_MAIL_PORT:
        advice = say("many networks block port 25; use 465 (tls_starttls off) or 587")
    kind = DeadlineError if is_late else NetworkError
    msg = say("cannot connect to {peer}: {problem}", peer=str(endpoint), problem=reason)
    return kind(msg, peer=str(endpoint), advice=advice)


def _connect(candidate: _Candidate, source: _Candidate | None, deadline: float) -> socket.socket:
    """Return a socket connected to one address; ``OSError`` with ``ETIMEDOUT`` when late."""
    family, kind, protocol, _, address = candidate
    sock = socket.socket(family, kind, protocol)
    try:
        # Small packets are our whole dialogue: msmtp, without this, waits 40 ms twice a mail.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(0)
        if source is not None:
            _bind(sock, source)
        _finish_connecting(sock, address, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def _finish_connecting(sock: socket.socket, address: Any, deadline: float) -> None:
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        is_ready = wait_ready(sock, select.POLLOUT, deadline)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if is_ready else errno.ETIMEDOUT
    if code:
        raise OSError(code, os.strerror(code))


def _bind(sock: socket.socket, source: _Candidate) -> None:
    address = source[4]
    try:
        sock.bind(address)
    except OSError as error:
        msg = say(
            "source_ip {address}: cannot connect from this address: {reason}",
            address=address[0],
            reason=error.strerror,
        )
        advice = say("source_ip must be an address of this machine")
        raise ConfigError(msg, advice=advice) from error


def _source(source_ip: str) -> _Candidate:
    try:
        found = _numeric(ascii_host(source_ip), 0)
    except OSError as error:
        msg = say("source_ip {address} is no IPv4 or IPv6 address", address=printable(source_ip))
        advice = say("write an address of this machine, not a name")
        raise ConfigError(msg, advice=advice) from error
    return found[0]


def _check_port(port: int) -> None:
    if not 0 < port <= _PORT_LIMIT:
        msg = say("port {port} is not between 1 and {limit}", port=port, limit=_PORT_LIMIT)
        raise ConfigError(msg)


# -- names ----------------------------------------------------------------------------------


def _choose(
    endpoint: Endpoint, found: Sequence[_Candidate], source: _Candidate | None
) -> list[_Candidate]:
    """
    Return the addresses to try, at most four, in the resolver's order.

    The last place is kept for the other family where there is one: where all of IPv6 is broken,
    four IPv6 addresses must not hide the IPv4 one that works.
    """
    unique = list({candidate[4]: candidate for candidate in found}.values())
    if source is not None:
        unique = [candidate for candidate in unique if candidate[0] == source[0]]
        if not unique:
            problem = say("it has no address of the family of source_ip")
            msg = say("cannot connect to {peer}: {problem}", peer=str(endpoint), problem=problem)
            raise NetworkError(msg, peer=str(endpoint), advice=say("leave source_ip out"))
    chosen = unique[:_ADDRESSES_TRIED]
    others = [candidate for candidate in unique if candidate[0] != chosen[0][0]]
    if others and all(candidate[0] == chosen[0][0] for candidate in chosen):
        chosen[-1] = others[0]
    return chosen


def _look_up(endpoint: Endpoint, deadline: float, resolver: _Resolver) -> Sequence[_Candidate]:
    """Return every address of the endpoint's host; at least one."""
    name = ascii_host(endpoint.host)
    try:
        if is_address(name):
            return _numeric(name, endpoint.port)
        found = resolve(name, endpoint.port, deadline, resolver)
    except socket.gaierror as error:
        raise _not_located(endpoint, error) from error
    except TimeoutError as error:
        msg = _cannot_locate(endpoint, say("the resolver did not answer in time"))
        raise DeadlineError(msg, peer=str(endpoint), advice=_ADVICE_RESOLVER) from error
    # 0.0.0.0 and :: are how a blocking resolver says no; the system would take them for itself,
    # and a mail server of this machine would get the mail.
    # Not checked: the addresses are refused here, nothing listens on them.
    usable = [candidate for candidate in found if candidate[4][0] not in {"0.0.0.0", "::"}]  # noqa: S104
    if not usable:
        msg = _cannot_locate(endpoint, say("the resolver gave no usable address"))
        raise NetworkError(msg, peer=str(endpoint), advice=_ADVICE_RESOLVER)
    return usable


def _cannot_locate(endpoint: Endpoint, problem: str) -> Text:
    host = printable(endpoint.host)
    return say("cannot locate host {host}: {problem}", host=host, problem=problem)


def _not_located(endpoint: Endpoint, error: socket.gaierror) -> NetworkError:
    does_not_exist = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)}
    kind = HostNotFoundError if does_not_exist else NetworkError
    msg = _cannot_locate(endpoint, str(error.strerror))
    advice = say("check the spelling of the host") if does_not_exist else _ADVICE_RESOLVER
    return kind(msg, peer=str(endpoint), advice=advice)


_ADVICE_RESOLVER = say("check the name servers of this machine (/etc/resolv.conf)")


def _numeric(address: bytes, port: int) -> Sequence[_Candidate]:
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def resolve(name: bytes, port: int, deadline: float, resolver: _Resolver) -> Sequence[_Candidate]:
    """
    Look a name up in a thread of its own: ``getaddrinfo`` knows no deadline.

    With three silent name servers it takes 30 seconds and more. A thread that is late is left
    behind; it ends when the resolver gives up, or with the process.

    Args:
        name: As ``names.ascii_host`` returns it.
        port: Of the endpoints that are returned.
        deadline: When to give up, in ``time.monotonic()`` seconds.
        resolver: Takes and returns what ``socket.getaddrinfo`` does.

    Raises:
        socket.gaierror: The name has no address.
        TimeoutError: The resolver took too long.

    """
    answers: list[Sequence[_Candidate]] = []
    failures: list[Exception] = []
    is_done = _thread.allocate_lock()
    is_done.acquire()

    def ask() -> None:
        try:
            answers.append(resolver(name, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 (whatever it is, the caller raises it)
            failures.append(error)
        finally:
            is_done.release()

    try:
        _thread.start_new_thread(ask, ())
    except RuntimeError:  # no thread is to be had (a limit of the system): then without deadline
        ask()
    remaining = min(deadline - time.monotonic(), _thread.TIMEOUT_MAX)
    if not is_done.acquire(timeout=max(remaining, 0)):
        raise TimeoutError
    if failures:
        raise failures[0]
    return answers[0]


# -- Unix sockets ---------------------------------------------------------------------------


def _dial_unix(path: str, deadline: float) -> Stream:
    if len(os.fsencode(path)) > _UNIX_PATH_LIMIT:
        problem = say("the path is longer than {limit} bytes", limit=_UNIX_PATH_LIMIT)
        msg = say("cannot connect to {peer}: {problem}", peer=path, problem=problem)
        raise ConfigError(msg, advice=say("a shorter path, or a link to it, is needed"))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        _finish_connecting_unix(sock, path, deadline)
    except OSError as error:
        sock.close()
        raise _cannot_connect_unix(path, error.errno or 0) from error
    except BaseException:
        sock.close()
        raise
    return Stream(sock, path)


def _finish_connecting_unix(sock: socket.socket, path: str, deadline: float) -> None:
    # A full backlog is EAGAIN here, and poll() cannot wait for it to have room.
    while (code := sock.connect_ex(path)) == errno.EAGAIN:
        if time.monotonic() >= deadline:
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        time.sleep(0.01)
    if code:
        raise OSError(code, os.strerror(code))


def _cannot_connect_unix(path: str, code: int) -> NetworkError:
    reason = os.strerror(code)
    advice = say("check that the service behind it runs")
    if code == errno.ENOENT:
        reason = say("there is no such socket")
    elif code == errno.ECONNREFUSED:
        reason = say("nobody listens on it") if _is_socket(path) else say("it is not a socket")
    elif code in {errno.EACCES, errno.EPERM}:
        reason = say("permission denied")
        advice = say(
            "the user who sends needs write permission on it, and search on its directories"
        )
    kind = DeadlineError if code == errno.ETIMEDOUT else NetworkError
    msg = say("cannot connect to {peer}: {problem}", peer=path, problem=reason)
    return kind(msg, peer=path, advice=advice)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
