"""
Ask a SOCKS5 proxy for a connection (RFC 1928), without a login, as msmtp does.

The rule: never read a byte more than the proxy's answer has. What follows belongs to the server
behind it, whose greeting may come in the same segment.

The steps: greeting, chosen method, request, answer; ``connect_through`` is all four.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

from pillarbox.errors import NetworkError
from pillarbox.mail.reply import printable
from pillarbox.net.names import ascii_host, is_address
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.net.stream import Stream

__all__ = ["connect_through"]

_VERSION = 5
_NO_LOGIN = b"\x05\x01\x00"  # version 5, one method, "no authentication required"
_CONNECT = b"\x05\x01\x00"  # version 5, CONNECT, reserved
_IPV4, _NAME, _IPV6 = 1, 3, 4
_PORT_SIZE = 2
_ADDRESS_SIZE = {_IPV4: 4, _IPV6: 16}

_REFUSALS = {  # RFC 1928 6
    1: say("it failed without saying why"),
    2: say("its rules do not allow this connection"),
    3: say("it cannot reach the network of the server"),
    4: say("it cannot find or reach the server"),
    5: say("the server refused the connection"),
    6: say("the connection took too long"),
    7: say("it does not make connections"),
    8: say("it does not know this kind of address"),
}


def connect_through(stream: Stream, host: str, port: int, deadline: float) -> None:
    """
    Make the proxy at the other end of a stream connect it to a server.

    A name is sent as it is, so the proxy looks it up: nothing about it reaches the local
    resolver. Afterwards the stream speaks to the server.

    Raises:
        NetworkError: The proxy refused, or is none.
        DeadlineError: It did not answer until the deadline.

    """
    stream.write(_NO_LOGIN, deadline)
    version, method = _read(stream, 2, deadline)
    if version != _VERSION:
        raise _failure(stream, say("it does not speak SOCKS5"), _ADVICE)
    if method != 0:
        raise _failure(stream, say("it demands a login, which is not supported"), _ADVICE)
    stream.write(_CONNECT + _destination(host) + port.to_bytes(_PORT_SIZE, "big"), deadline)
    version, refusal, _, kind = _read(stream, 4, deadline)
    if version != _VERSION:
        raise _failure(stream, say("it does not speak SOCKS5"), _ADVICE)
    if refusal != 0:
        unknown = say("it answered with the unknown code {code}", code=refusal)
        server = say("{host}, port {port}", host=printable(host), port=port)
        reason = _REFUSALS.get(refusal, unknown)
        raise _failure(stream, say("{peer}: {problem}", peer=server, problem=reason))
    # Where the proxy connected from: of no use, but it must be read to its end.
    size = _read(stream, 1, deadline)[0] if kind == _NAME else _ADDRESS_SIZE.get(kind, -1)
    if size < 0:
        problem = say("it answered with an address of the unknown kind {kind}", kind=kind)
        raise _failure(stream, problem, _ADVICE)
    _read(stream, size + _PORT_SIZE, deadline)


_ADVICE = say("check proxy_host and proxy_port")


def _destination(host: str) -> bytes:
    name = ascii_host(host)
    if not is_address(name):
        return bytes([_NAME, len(name)]) + name
    text = name.partition(b"%")[0].decode("ascii")
    if ":" in text:
        return bytes([_IPV6]) + inet_pton(AF_INET6, text)
    return bytes([_IPV4]) + inet_pton(AF_INET, text)


def _read(stream: Stream, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(deadline, size - len(data))
        if not more:
            raise _failure(stream, say("it closed the connection"), _ADVICE)
        data += more
    return data


def _failure(stream: Stream, problem: str, advice: str = "") -> NetworkError:
    msg = say(
        "cannot connect through the proxy {peer}: {problem}", peer=stream.peer, problem=problem
    )
    return NetworkError(msg, peer=stream.peer, advice=advice)
