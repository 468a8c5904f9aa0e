"""
The SMTP listener: for programs that know no other way than a server at localhost.

It is the submission socket in another language: the same gate, desk and spool, and 250 only when
the mail is durable. What differs, in order:

1. ``SmtpHandler._find_origin`` - over TCP inside this computer the kernel's table says who it is
   (``peer_uid``); whom it does not name is sent away (attack L14).
2. ``login_attempted`` - where there is a file of users. Behind a login the mail is that user's.
3. ``Listeners`` - one ``driver.Listener`` for each kind of address: inside this computer, a Unix
   socket, and other addresses, at which nothing is taken without TLS and a login.

The rule to keep: the line ends of SMTP are CRLF here and nothing else, whatever a client would
like (attack N9), and who speaks before his turn is no mail client (attack L13).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING

from pillarbox.errors import ConfigError
from pillarbox.intake.driver import Limits, Listener
from pillarbox.intake.logins import is_login_name, read_users
from pillarbox.intake.peer_uid import peer_uid
from pillarbox.intake.submission import SubmissionHandler, limits_of_sessions
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.spool.base import Origin
from pillarbox.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.config.settings import Service
    from pillarbox.intake.driver import Session
    from pillarbox.intake.incoming import Desk
    from pillarbox.intake.logins import Users
    from pillarbox.intake.users import Host
    from pillarbox.smtp.server_session import AuthAttempt

__all__ = ["Listeners", "SmtpHandler", "bind_address", "is_inside", "is_missing_here"]

_KEYWORDS = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
)
_LOGIN = "AUTH PLAIN LOGIN"
_BACKLOG = 1024
_SESSION_S = 3600.0  # unlike a pipe, a connection over TCP may be anybody's
_LINGER_S = 1.0
_WAIT_AFTER_FAILURE_S = 1.0  # before a login is looked at, while the last failure is young
_YOUNG_S = 60.0
_WRONG = Reply(535, (b"5.7.8 Authentication failed",), EnhancedCode(5, 7, 8))


class Logins:
    """
    Who may log in, and how patient we are.

    Args:
        users: Those of the file; None: nobody may.
        clock: Gives seconds that only grow.

    """

    def __init__(self, users: Users | None, clock: Callable[[], float]) -> None:
        self.users = users
        self._clock = clock
        self._failed_s = -_YOUNG_S
        # One at a time: guesses must not have all processors.
        self._one = asyncio.Lock()

    async def is_right(self, attempt: AuthAttempt) -> bool:
        """Return whether somebody is who he says, soon if nobody failed lately."""
        users = self.users
        if users is None or attempt.authzid not in ("", attempt.authcid):
            return False
        if users.is_known(attempt.authcid, attempt.secret):
            return True  # whoever else guesses, his programs go on
        async with self._one:
            if self._clock() - self._failed_s < _YOUNG_S:
                await asyncio.sleep(_WAIT_AFTER_FAILURE_S)
            is_right = is_login_name(attempt.authcid) and await asyncio.to_thread(
                users.check, attempt.authcid, attempt.secret
            )
            if not is_right:
                self._failed_s = self._clock()
            return is_right


class SmtpHandler(SubmissionHandler):
    """
    One session of the listener.

    Args:
        session: The session.
        desk: What it shares with the others, and with the submission socket.
        host: Knows the ids of those whom the kernel does not.
        logins: Who may log in.
        is_inside: It is an address inside this computer.

    """

    door = "listener"

    def __init__(
        self, session: Session, desk: Desk, host: Host, logins: Logins, *, is_inside: bool
    ) -> None:
        super().__init__(session, desk)
        self._host = host
        self._logins = logins
        self._is_inside = is_inside

    async def login_attempted(self, attempt: AuthAttempt) -> Reply | None:
        """Let somebody in who proves who he is."""
        return None if await self._logins.is_right(attempt) else _WRONG

    async def _find_origin(self) -> Origin | None:
        if self.session.caller is not None:
            return await super()._find_origin()
        sock = self.session.socket
        if sock is None:
            return None
        if not self._is_inside:
            # Nothing is taken from him before he has logged in; his connections are counted.
            return Origin(self._host.id_of(f"at {sock.getpeername()[0]}"), door=self.door)
        uid = await asyncio.to_thread(peer_uid, sock)
        return None if uid is None else Origin(uid, door=self.door)

    def _identity(self) -> Origin:
        login = self.session.server.login
        return Origin(self._host.id_of(login), door=self.door) if login else self._origin

    def _protocol(self) -> str:
        """Return the way in the words of RFC 3848."""
        server = self.session.server
        if not server.is_extended:
            return "SMTP"
        return f"ESMTP{'S' if self.session.tls_version else ''}{'A' if server.login else ''}"


class Listeners:
    """
    All that listens for SMTP.

    Args:
        service: The settings.
        desk: Where mail is handed over.
        host: Knows the ids of those whom the kernel does not.
        hostname: Our name.
        clock: Gives seconds that only grow.
        on_fault: Told of every exception that a handler let through.

    Raises:
        ConfigError: The certificate or the users cannot be used, or are missing where an address
            is one that others reach.

    """

    def __init__(
        self,
        service: Service,
        desk: Desk,
        host: Host,
        *,
        hostname: str,
        clock: Callable[[], float],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._hostname = hostname
        self._logins = Logins(None, clock)
        self._places: dict[str, Listener] = {}
        for place in _PLACES:
            is_inside = place != _OUTSIDE

            def make(session: Session, *, is_inside: bool = is_inside) -> SmtpHandler:
                return SmtpHandler(session, desk, host, self._logins, is_inside=is_inside)

            self._places[place] = Listener(make, ServerOptions(), on_fault=on_fault)
        self.adopt(*self.prepare(service))

    def prepare(self, service: Service) -> tuple[Service, ssl.SSLContext | None, Users | None]:
        """Read what the settings name, for ``adopt``. Blocks; raises as the class does."""
        listen = service.listen
        tls = _make_context(listen.tls_certificate, listen.tls_key)
        users = read_users(listen.users) if listen.users else None
        outside = [text for text in listen.addresses if not is_inside(text)]
        if outside and (tls is None or users is None):
            problem = say(
                "{address} is reached by others: mail is taken there with TLS and a login only",
                address=outside[0],
            )
            advice = say("set tls_certificate and users in [listen], or choose 127.0.0.1 and [::1]")
            raise ConfigError(problem, path=service.path, advice=advice)
        if listen.requires_login and users is None:
            problem = say("requires_login is set, and there are no users")
            raise ConfigError(problem, path=service.path, advice=say("set users in [listen]"))
        return service, tls, users

    def adopt(self, service: Service, tls: ssl.SSLContext | None, users: Users | None) -> None:
        """Use other settings for the sessions to come."""
        self._logins.users = users
        self._tls = tls
        for place, listener in self._places.items():
            keywords = list(_KEYWORDS)
            if tls is not None and place != _UNIX:
                keywords.append("STARTTLS")
            if users is not None:
                keywords.append(_LOGIN)
            listener.tls = tls
            listener.options = ServerOptions(
                hostname=self._hostname,
                keywords=tuple(keywords),
                is_secured=place == _UNIX,
                requires_tls=place == _OUTSIDE,
                requires_auth=place == _OUTSIDE or service.listen.requires_login,
                may_login_in_clear=place == _INSIDE,
                max_size_bytes=service.limits.max_message_bytes,
                max_recipients=service.limits.max_recipients,
            )
            usual = limits_of_sessions(service.limits)
            listener.limits = Limits(
                max_connections=usual.max_connections,
                command_s=usual.command_s,
                session_s=_SESSION_S,
                linger_s=_LINGER_S,
            )

    async def listen_on(self, sock: socket.socket) -> None:
        """Listen on a socket that is bound."""
        place = _UNIX
        if sock.family != socket.AF_UNIX:
            place = _INSIDE if _is_loopback(sock.getsockname()[0]) else _OUTSIDE
            if place == _OUTSIDE and (self._tls is None or self._logins.users is None):
                problem = say(
                    "{address} is reached by others: mail is taken there with TLS and a login only",
                    address=sock.getsockname()[0],
                )
                raise ConfigError(problem)
        await self._places[place].listen_on(sock)

    async def close(self) -> None:
        """Listen no more, and end all sessions."""
        await asyncio.gather(*(listener.close() for listener in self._places.values()))


_INSIDE, _UNIX, _OUTSIDE = "inside", "unix", "outside"
_PLACES = (_INSIDE, _UNIX, _OUTSIDE)


def is_inside(text: str) -> bool:
    """Return whether an address with its port is one that only this computer reaches."""
    return _is_loopback(text.rpartition(":")[0].strip("[]"))


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_missing_here(text: str) -> bool:
    """Return whether this computer has no such addresses at all: IPv6 is switched off on some."""
    if not text.startswith("[::1]:"):
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return True
    return False


def bind_address(text: str) -> socket.socket:
    """
    Return a socket that listens at an address with its port.

    Raises:
        ConfigError: It cannot be had.

    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    except OSError as exc:
        raise _no_listening(text, exc) from exc
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, int(port)))
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise _no_listening(text, exc) from exc
    return sock


def _no_listening(text: str, exc: OSError) -> ConfigError:
    problem = say("cannot listen at {path}: {reason}", path=text, reason=exc.strerror)
    advice = say(
        "choose another port in [listen] addresses; below 1024 systemd can open it for the service"
    )
    return ConfigError(problem, advice=advice)


def _make_context(certificate: str, key: str) -> ssl.SSLContext | None:
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a password would ask a person, who is not there.
        context.load_cert_chain(certificate, key or None, password="")
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        reason = exc.strerror if isinstance(exc, OSError) else None
        problem = say(
            "the certificate {path} cannot be used: {reason}",
            path=certificate,
            reason=reason or type(exc).__name__,
        )
        advice = say("tls_certificate and tls_key in [listen] are PEM files that belong together")
        raise ConfigError(problem, advice=advice) from exc
    return context
