"""
A file from the web: HTTPS with a valid certificate, one deadline over everything, 64 KiB at most.

The stream below is the one that mail goes over, so what makes a server trusted is decided in
``net.tls`` only, and looking the name up counts against the deadline too. No cookie, no password
and no referrer is ever sent, and no proxy is asked. The rule to keep: plain HTTP is not used, not
even because a server sends us on to it (docs/decisions/0014-autoconfig-by-https-only.md).
"""

from __future__ import annotations

import io
import re
import socket
import time
from http.client import HTTPException, HTTPResponse
from urllib.parse import urljoin, urlsplit

from pillarbox.errors import NetworkError
from pillarbox.mail.reply import printable
from pillarbox.net.dial import Endpoint, dial
from pillarbox.net.tls import TlsPolicy, make_context
from pillarbox.setup.candidate import is_host_name
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pillarbox.net.stream import Stream

    # Takes an address on the web and seconds, and returns what is there; raises PillarboxError.
    Fetch = Callable[[str, float], bytes]

__all__ = ["Fetcher", "NotThereError"]

_PORT = 443
_REDIRECTS = 3
_CONTENT_MAX = 1 << 16  # octets; the largest file of the ISPDB has 9 KiB
_HEAD_MAX = 1 << 14  # octets of status line and header fields, of all answers together
_URL_MAX = 2000  # characters

_MOVED = frozenset((301, 302, 303, 307, 308))
_NOT_THERE = frozenset((400, 401, 403, 404, 410))

# What may stand in a request line: RFC 3986 2 without the fragment, and nothing that ends it.
_TARGET = re.compile(r"/[!$%&'()*+,./0-9:;=?@A-Z_a-z~\[\]-]*\Z")


class NotThereError(NetworkError):
    """The server answers, and has no such file."""


class _Place(Value):
    """Where a file is: a host's name, and what to ask it for."""

    __slots__ = ("host", "target")

    def __init__(self, host: str, target: str) -> None:
        self.host = host
        self.target = target


class Fetcher:
    """
    Get files; an object is a ``Fetch``.

    Args:
        trust_file: Whom to trust, as in ``tls_trust_file``.
        resolver: Looks names up; takes and returns what ``socket.getaddrinfo`` does.

    """

    def __init__(
        self, trust_file: str = "system", *, resolver: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self._policy = TlsPolicy(trust_file=trust_file)
        self._resolver = resolver

    def __call__(self, url: str, patience_s: float) -> bytes:
        """
        Return what is at an address. Blocks for no longer than it is told.

        Raises:
            NotThereError: The server has no such file.
            NetworkError, TlsError: No answer came, or none that can be used.
            MissingInputError: This machine trusts nobody.

        """
        deadline = time.monotonic() + patience_s
        left = [_CONTENT_MAX + _HEAD_MAX]
        for _ in range(1 + _REDIRECTS):
            place = _place_of(url)
            status, onward, content = self._get(place, deadline, left)
            if status in _MOVED:
                url = _onward(place, onward)
                continue
            if status in _NOT_THERE:
                raise NotThereError(say("there is no such file ({status})", status=status))
            if status != 200:
                raise NetworkError(say("the web server answers {status}", status=status))
            if len(content) > _CONTENT_MAX:
                raise NetworkError(say("the file is larger than {limit} bytes", limit=_CONTENT_MAX))
            return content
        raise NetworkError(say("it leads in a circle: more than {limit} hops", limit=_REDIRECTS))

    def _get(self, place: _Place, deadline: float, left: list[int]) -> tuple[int, str, bytes]:
        """Return the status, where it is now, and the content of one answer."""
        context = make_context(self._policy)
        endpoint = Endpoint(place.host, _PORT)
        stream = dial(endpoint, deadline - time.monotonic(), resolver=self._resolver)
        try:
            stream.start_tls(context, self._policy, place.host, deadline)
            stream.write(_request(place), deadline)
            response = HTTPResponse(_Socket(stream, deadline, left))  # type: ignore[arg-type]
            response.begin()
            content = response.read(_CONTENT_MAX + 1) if response.status == 200 else b""
        except (HTTPException, ValueError) as exc:
            raise NetworkError(say("the web server does not speak HTTP")) from exc
        finally:
            stream.close()
        if response.status == 200 and response.length and len(content) <= _CONTENT_MAX:
            raise NetworkError(say("the web server broke off in the middle of the file"))
        return response.status, response.getheader("Location", ""), content


def _request(place: _Place) -> bytes:
    lines = (
        f"GET {place.target} HTTP/1.1",
        f"Host: {place.host}",
        "User-Agent: pillarbox",
        "Accept: text/xml, application/xml",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _onward(place: _Place, location: str) -> str:
    """Return where a server sends us, which may be told as a part of an address only."""
    try:
        return urljoin(f"https://{place.host}{place.target}", location)
    except ValueError:
        return location  # is nowhere


def _place_of(url: str) -> _Place:
    """
    Return the place of an address; ours, or what a server sent.

    Raises:
        NetworkError: It is nowhere that we go: not HTTPS, another port than 443, no host name.

    """
    try:
        parts = urlsplit(url) if len(url) <= _URL_MAX else None
        is_plain_place = (
            parts is not None and parts.port in (None, _PORT) and "@" not in parts.netloc
        )
    except ValueError:
        is_plain_place = False
    if not is_plain_place or parts is None or parts.scheme != "https":
        raise _nowhere(url)
    host = (parts.hostname or "").lower()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not is_host_name(host) or not _TARGET.match(target):
        raise _nowhere(url)
    return _Place(host, target)


def _nowhere(url: str) -> NetworkError:
    shown = printable(url, 80)
    return NetworkError(say("it leads to {url}, where pillarbox does not go", url=shown))


class _Socket:
    """What ``HTTPResponse`` needs of a socket, over a stream and under a deadline."""

    def __init__(self, stream: Stream, deadline: float, left: list[int]) -> None:
        self._wire = _Wire(stream, deadline, left)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what is read from."""
        return io.BufferedReader(self._wire)


class _Wire(io.RawIOBase):
    """The answer's octets, of all hops together no more than ``left`` says."""

    def __init__(self, stream: Stream, deadline: float, left: list[int]) -> None:
        self._stream = stream
        self._deadline = deadline
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(self._deadline, min(len(buffer), self._left[0] + 1))
        self._left[0] -= len(data)
        if self._left[0] < 0:
            raise NetworkError(say("the file is larger than {limit} bytes", limit=_CONTENT_MAX))
        buffer[: len(data)] = data
        return len(data)
