"""
The doors of a service: what takes mail, and what answers people, each at its socket.

``Doors.open`` opens those that the roles ask for: the submission socket (``submit``), the SMTP
listener (``listen``) and, where mail is delivered, the control socket. A socket that systemd
listens on already is used; the others are made. The rule to keep: what a reload brings is prepared
as a whole (``prepare``, which may fail) before any of it counts (``adopt``, which may not).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.delivery.events import INFO, WARNING
from pillarbox.delivery.steward import Steward
from pillarbox.errors import ConfigError
from pillarbox.intake.admission import Admission
from pillarbox.intake.control import ControlServer
from pillarbox.intake.driver import Listener
from pillarbox.intake.incoming import Desk
from pillarbox.intake.listener import Listeners, bind_address, is_missing_here
from pillarbox.intake.remote import RemoteCarrier
from pillarbox.intake.sockets import FOR_ALL, FOR_OWNER, make_socket
from pillarbox.intake.submission import (
    SubmissionHandler,
    limits_of_sessions,
    options_of_sessions,
)
from pillarbox.intake.users import Host

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from ssl import SSLContext

    from pillarbox.config.settings import Service
    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.deliverer import Deliverer
    from pillarbox.delivery.events import Events
    from pillarbox.intake.logins import Users
    from pillarbox.intake.remote import Shares
    from pillarbox.intake.systemd import Passed
    from pillarbox.spool.base import Spool

__all__ = ["DELIVER", "LISTEN", "SUBMIT", "Doors"]

# Roles of a process.
SUBMIT = "submit"
DELIVER = "deliver"
LISTEN = "listen"


class Doors:
    """
    All that is open to callers.

    Args:
        service: The settings.
        accounts: What mail may go through.
        spool: Where it is put.
        is_user: The service is one user's own: its sockets are for nobody else.
        hostname: Our name.
        clock: The clocks.
        events: The log.
        passed: The sockets that systemd listens on.
        on_fault: Told of every exception that was let through.

    """

    def __init__(
        self,
        service: Service,
        accounts: Accounts,
        spool: Spool,
        *,
        is_user: bool,
        hostname: str,
        clock: Clock,
        events: Events,
        passed: Passed,
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._service = service
        self._accounts = accounts
        self._spool = spool
        self._is_user = is_user
        self._hostname = hostname
        self._clock = clock
        self._events = events
        self._passed = passed
        self._on_fault = on_fault
        self._host: Host | None = None
        self._admission: Admission | None = None
        self._listener: Listener | None = None
        self._listeners: Listeners | None = None
        self._control: ControlServer | None = None
        self._own_paths: list[str] = []
        self._prepared: tuple[Service, SSLContext | None, Users | None] | None = None

    async def open(self, deliverer: Deliverer | None, shares: Shares | None) -> None:
        """
        Open what the roles ask for.

        Args:
            deliverer: Who brings the mail away; None: another process does.
            shares: Whose the mail is, where there is no deliverer to be asked.

        Raises:
            ConfigError: A socket cannot be made, or a file that is needed cannot be used.
            SpoolError: Somebody answers at a socket already.

        """
        roles = self._service.roles
        if SUBMIT in roles or LISTEN in roles:
            host, desk = self._open_desk(deliverer, shares)
            if SUBMIT in roles:
                await self._open_submission(desk)
            if LISTEN in roles:
                await self._open_listeners(host, desk)
        if deliverer is not None:
            await self._open_control(deliverer)
        if unknown := self._passed.close_rest():
            self._events.event(WARNING, "unknown_sockets", count=unknown)

    def prepare(self, service: Service) -> None:
        """Read what other settings name. Blocks; raises ``ConfigError`` and changes nothing."""
        if self._listeners is not None:
            self._prepared = self._listeners.prepare(service)

    def adopt(self, service: Service) -> None:
        """Use other settings, which were prepared, for the sessions to come."""
        self._service = service
        if self._host is not None:
            self._host.service = service
        if self._admission is not None:
            self._admission.limits = service.limits
        if self._listener is not None:
            self._listener.options = options_of_sessions(service.limits, self._hostname)
            self._listener.limits = limits_of_sessions(service.limits)
        if self._listeners is not None and self._prepared is not None:
            self._listeners.adopt(service, *self._prepared[1:])

    async def close(self) -> None:
        """Let nobody in any more, and end all sessions."""
        doors = (self._listener, self._listeners, self._control)
        await asyncio.gather(*(door.close() for door in doors if door is not None))

    def remove_sockets(self) -> None:
        """Remove the sockets that were made here, so that nobody waits at them."""
        for path in self._own_paths:
            with suppress(OSError):
                os.unlink(path)

    # -- one by one ----------------------------------------------------------------------------

    def _open_desk(self, deliverer: Deliverer | None, shares: Shares | None) -> tuple[Host, Desk]:
        counted = deliverer.queue if deliverer is not None else shares
        assert counted is not None  # a service without one has the other
        self._host = Host(
            self._service,
            self._spool,
            self._clock,
            self._hostname,
            share_of=counted.share_of,
            count=counted.__len__,
        )
        self._admission = Admission(
            self._service.limits,
            self._host,
            note=lambda uid, reason: self._events.event(WARNING, "over", uid=uid, reason=reason),
            owner_uid=os.geteuid() if self._is_user else -1,
        )
        desk = Desk(
            self._spool,
            self._accounts,
            self._admission,
            deliverer or RemoteCarrier(self._service.control_socket, self._events),
            clock=self._clock,
            hostname=self._hostname,
            events=self._events,
            on_kept=None if shares is None else shares.count_in,
        )
        return self._host, desk

    async def _open_submission(self, desk: Desk) -> None:
        self._listener = Listener(
            lambda session: SubmissionHandler(session, desk),
            options_of_sessions(self._service.limits, self._hostname),
            limits=limits_of_sessions(self._service.limits),
            on_fault=self._on_fault,
        )
        await self._listener.listen_on(self._socket("submit", self._service.submit_socket))

    async def _open_listeners(self, host: Host, desk: Desk) -> None:
        listen = self._service.listen
        self._listeners = listeners = await asyncio.to_thread(
            Listeners,
            self._service,
            desk,
            host,
            hostname=self._hostname,
            clock=self._clock.elapsed_s,
            on_fault=self._on_fault,
        )
        if listen.socket:
            await listeners.listen_on(self._socket("smtp", listen.socket))
        passed = self._passed.take_all("listen")
        for sock in passed:
            await listeners.listen_on(sock)
        for address in () if passed else listen.addresses:
            try:
                sock = bind_address(address)
            except ConfigError as exc:
                if is_missing_here(address):
                    self._events.event(INFO, "no_listening", address=address, problem=str(exc))
                    continue
                raise
            await listeners.listen_on(sock)

    async def _open_control(self, deliverer: Deliverer) -> None:
        steward = Steward(
            self._spool,
            deliverer,
            owner_uid=os.geteuid(),
            clock=self._clock,
            events=self._events,
            history=self._events.history,
        )
        self._control = ControlServer(steward, on_fault=self._on_fault)
        await self._control.start(self._socket("control", self._service.control_socket))

    def _socket(self, word: str, path: str) -> socket.socket:
        passed = self._passed.take(word, path)
        if passed is not None:
            return passed
        self._own_paths.append(path)
        return make_socket(path, FOR_OWNER if self._is_user else FOR_ALL)
