"""
Which of several ways to hand mail in answers, found out without telling a secret to anybody.

All ports are knocked at at once. Those that are open are talked to one after the other, the best
first, until one works: TLS with a certificate that is valid for the host's name, then EHLO, then
QUIT. The rule to keep: nobody logs in here. What answers may be anybody; it learns that somebody
called, and nothing else.
"""

from __future__ import annotations

import socket
import threading
import time

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.delivery.attempt import Connection
from pillarbox.delivery.probe_ports import look_up, try_addresses
from pillarbox.delivery.route import Route
from pillarbox.errors import HostNotFoundError, NetworkError, PillarboxError
from pillarbox.mail.reply import printable
from pillarbox.setup.candidate import IMPLICIT
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pillarbox.mail.status import Trouble

    # Takes a host, ports with their TLS, and seconds; raises PillarboxError for the host's name.
    Probe = Callable[[str, Sequence[tuple[int, str]], float], tuple["Probed", ...]]

__all__ = ["Probed", "Prober"]

_KNOCK_S = 3.0  # seconds; a server on the other side of the world answers in 0.4
_SESSION_S = 10.0  # seconds; ten round trips and a slow greeting
_STEP_S = 5  # seconds for each step of a session
_SHOWN = 160  # characters of what a server said


class Probed(Value):
    """
    What became of one way.

    Attributes:
        port: The port.
        tls: ``implicit`` or ``starttls``.
        is_proven: TLS is on, the certificate is valid, and the server says what it offers.
        auth: The mechanisms that it offers, sorted.
        problem: Why it is not proven; empty: it is.

    """

    __slots__ = ("auth", "is_proven", "port", "problem", "tls")

    def __init__(
        self,
        port: int,
        tls: str,
        *,
        is_proven: bool = False,
        auth: tuple[str, ...] = (),
        problem: str = "",
    ) -> None:
        self.port = port
        self.tls = tls
        self.is_proven = is_proven
        self.auth = auth
        self.problem = problem


class Prober:
    """
    Look at servers; an object is a ``Probe``.

    Args:
        trust_file: Whom to trust, as in ``tls_trust_file``.
        resolver: Looks names up; takes and returns what ``socket.getaddrinfo`` does.

    """

    def __init__(
        self, trust_file: str = "system", *, resolver: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self._trust_file = trust_file
        self._resolver = resolver

    def __call__(
        self, host: str, ways: Sequence[tuple[int, str]], patience_s: float
    ) -> tuple[Probed, ...]:
        """
        Return what became of each way, in order, until one works; what is behind it is not known.

        Blocks for no longer than it is told.

        Args:
            host: The name of a host, or an address.
            ways: Ports and their TLS, the best first.
            patience_s: Seconds for everything together.

        Raises:
            HostNotFoundError: The host does not exist.
            NetworkError: Its name cannot be looked up.

        """
        deadline = time.monotonic() + patience_s
        ports = list(dict.fromkeys(port for port, _ in ways))
        reached = self._knock(host, ports, min(patience_s, _KNOCK_S))
        found = []
        for port, tls in ways:
            address, reason = reached[port]
            if not address:
                found.append(Probed(port, tls, problem=reason))
            else:
                left_s = min(deadline - time.monotonic(), _SESSION_S)
                found.append(self._talk_for(left_s, host, address, port, tls))
            if found[-1].is_proven:
                break
        return tuple(found)

    def _knock(self, host: str, ports: list[int], patience_s: float) -> dict[int, tuple[str, str]]:
        """Return for each port an address where it is open, or none and why it is not."""
        start = time.monotonic()
        try:
            addresses = look_up(host, patience_s, resolver=self._resolver)
        except socket.gaierror as exc:
            raise _not_found(host, exc) from exc
        except TimeoutError as exc:
            raise NetworkError(say("the resolver did not answer in time")) from exc
        left_s = patience_s - (time.monotonic() - start)
        reached: dict[int, tuple[str, str]] = {}
        for answer in try_addresses(addresses, ports, patience_s=left_s, hearing_s=0):
            if answer.is_open and not reached.get(answer.port, ("", ""))[0]:
                reached[answer.port] = answer.address, ""
            else:
                reached.setdefault(answer.port, ("", _reason(answer.state, answer.reason)))
        return reached

    def _talk_for(self, seconds: float, host: str, address: str, port: int, tls: str) -> Probed:
        """
        Talk in a thread of its own, and not for longer than some seconds.

        Each step of a session has a deadline and all of them together have a far one; a thread
        that is late is left behind, and ends with the next step.
        """
        done: list[Probed] = []
        thread = threading.Thread(
            target=lambda: done.append(self._talk(host, address, port, tls)), daemon=True
        )
        if seconds > 0:
            thread.start()
            thread.join(seconds)
        return done[0] if done else Probed(port, tls, problem=say("there was no time left"))

    def _talk(self, host: str, address: str, port: int, tls: str) -> Probed:
        connection = Connection(Route(self._account(host, address, port, tls), None))
        try:
            trouble = connection.open()
            client = connection.client
        except PillarboxError as exc:  # this machine trusts nobody
            return Probed(port, tls, problem=exc.sentence)
        finally:
            connection.close()
        if trouble is not None:
            return Probed(port, tls, problem=_problem(trouble))
        assert client is not None  # without a trouble there is a session
        auth = tuple(sorted(printable(name, 40) for name in client.capabilities.mechanisms))
        return Probed(port, tls, is_proven=True, auth=auth)

    def _account(self, host: str, address: str, port: int, tls: str) -> Account:
        """Return an account without a login; the certificate must be the name's."""
        account = Account("setup", "")
        settings = {
            "host": address,
            "port": str(port),
            "tls": "on",
            "tls_starttls": "off" if tls == IMPLICIT else "on",
            "tls_host_override": host,
            "tls_trust_file": self._trust_file,
            "auth": "off",
            "timeout": str(_STEP_S),
        }
        for name, text in settings.items():
            field = FIELD_BY_NAME[name]
            account.set(field, field.parse(text), "setup")
        return account


def _not_found(host: str, error: socket.gaierror) -> NetworkError:
    if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
        return HostNotFoundError(say("there is no such host"))
    return NetworkError(
        say("cannot look up {domain}: {reason}", domain=printable(host), reason=error.strerror)
    )


def _problem(trouble: Trouble) -> str:
    """Return what failed, with what the server said; no secret is known that could be in it."""
    if trouble.reply is None:
        return trouble.problem
    reply = printable(" ".join(trouble.reply.text_lines()), _SHOWN)
    return say("{problem}: {reply}", problem=trouble.problem, reply=reply)


def _reason(state: str, reason: str) -> str:
    return reason or state
