"""
The service while it runs: what is started in which order, and how it ends.

1. ``Daemon.run`` - the spool is opened (who has it already is named, and we end), the queue read.
2. ``_listen`` - sockets: those that systemd has opened, else our own; then READY.
3. Signals: HUP reads the settings anew (``_reload``), USR1 has the queue tried now, TERM and INT
   end it; the kernel's word that the network is up is another USR1.
4. ``_watch`` - what has to work is looked at, and only then systemd hears that we are alive.
5. ``_close`` - nothing new is taken in, what is on its way is finished or given back, the spool is
   settled: within ``STOP_S``.

The rule to keep: the loop never waits for a disk, a user database or a provider; these are for
threads. A reload that fails changes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.delivery.assembly import hostname_of, limits_of, make_deliverer
from pillarbox.delivery.events import CRITICAL, ERROR, INFO, NOTICE, WARNING
from pillarbox.delivery.steward import Steward
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.intake.admission import Admission
from pillarbox.intake.control import ControlServer
from pillarbox.intake.driver import Listener
from pillarbox.intake.incoming import Desk
from pillarbox.intake.listener import Listeners, bind_address, is_missing_here
from pillarbox.intake.network import NetworkWatch
from pillarbox.intake.remote import RemoteCarrier, Shares
from pillarbox.intake.sockets import FOR_ALL, FOR_OWNER, make_socket
from pillarbox.intake.submission import (
    SubmissionHandler,
    limits_of_sessions,
    options_of_sessions,
)
from pillarbox.intake.users import Host
from pillarbox.spool.directory import Directory

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from ssl import SSLContext
    from typing import Any

    from pillarbox.config.settings import Service
    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.deliverer import Deliverer
    from pillarbox.delivery.events import Events
    from pillarbox.intake.logins import Users
    from pillarbox.intake.systemd import Notifier, Passed

__all__ = ["DELIVER", "LISTEN", "STOP_S", "SUBMIT", "Daemon"]

SUBMIT = "submit"
DELIVER = "deliver"
LISTEN = "listen"

STOP_S = 10.0  # for the end, all in all; systemd would wait 90
_SESSIONS_S = 3.0  # of these, for callers whose mail is being committed
_SPOOL_S = 1.0  # of these, for the last fsync
_THREADS = 32  # commits at a time: they share one fsync of the directory
_LOOK_S = 20.0  # for a look at what has to work
_SHARES_S = 60.0  # between two looks at whose the mail is, where another process delivers it

_QUIET_S = 10.0  # between two lines about what asyncio could not do

# What is fixed while the process lives.
_FIXED = ("roles", "spool", "submit_socket", "control_socket", "accounts_file", "hostname")


class Daemon:
    """
    One service.

    Args:
        service: Its settings.
        accounts: What it sends through; loaded.
        read_service: Reads the settings anew; raises ``ConfigError``.
        is_user: It is one user's own.
        notifier: Tells systemd.
        passed: The sockets that systemd listens on.
        events: The log.
        clock: The clocks.

    """

    def __init__(
        self,
        service: Service,
        accounts: Accounts,
        *,
        read_service: Callable[[], Service],
        is_user: bool,
        notifier: Notifier,
        passed: Passed,
        events: Events,
        clock: Clock,
    ) -> None:
        self._service = service
        self._accounts = accounts
        self._read_service = read_service
        self._is_user = is_user
        self._notifier = notifier
        self._passed = passed
        self._events = events
        self._clock = clock
        self._hostname = hostname_of(service)
        self._spool = Directory(service.spool, part=_part_of(service.roles))
        self._deliverer: Deliverer | None = None
        self._shares: Shares | None = None
        self._host: Host | None = None
        self._admission: Admission | None = None
        self._listener: Listener | None = None
        self._listeners: Listeners | None = None
        self._control: ControlServer | None = None
        self._network: NetworkWatch | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "intake")
        self._own_paths: list[str] = []
        self._look_under_way: asyncio.Future[str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._is_ill = False
        self._quiet_until_s = 0.0
        self._prepared: tuple[Service, SSLContext | None, Users | None] | None = None

    async def run(self) -> None:
        """
        Serve until somebody says that it is enough.

        Raises:
            SpoolError: The spool cannot be used, or another service has it.
            ConfigError: A socket cannot be made.

        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        loop.set_exception_handler(lambda _, context: self._on_loop_fault(context))
        for number, answer in self._signals().items():
            loop.add_signal_handler(number, answer)
        try:
            await asyncio.to_thread(self._open)
            await self._listen()
            self._events.event(
                NOTICE,
                "started",
                roles=",".join(self._service.roles),
                spool=self._service.spool,
                waiting=self._waiting,
            )
            self._notifier.ready(f"{self._waiting} mails waiting")
            self._start(self._watch())
            if self._shares is not None:
                self._start(self._count_shares(self._shares))
            await self._ends.wait()
        finally:
            self._notifier.stopping()
            await self._close()

    # -- the start -----------------------------------------------------------------------------

    def _open(self) -> None:
        for name in self._spool.open():
            self._events.event(ERROR, "corrupt", file=name, spool=self._service.spool)
        for warning in self._spool.warnings:
            self._events.event(WARNING, "spool", problem=warning)
        for note in self._accounts.notes:
            self._events.event(WARNING, "accounts", problem=note)
        if DELIVER in self._service.roles:
            self._deliverer = make_deliverer(
                self._spool,
                self._accounts,
                lambda: self._service,
                hostname=self._hostname,
                events=self._events,
                clock=self._clock,
            )
            self._deliverer.load()
            self._deliverer.start()
        else:
            self._shares = Shares(self._spool)
            self._shares.look()

    @property
    def _waiting(self) -> int:
        if self._deliverer is not None:
            return len(self._deliverer.queue)
        return len(self._shares) if self._shares is not None else 0

    async def _listen(self) -> None:
        service = self._service
        if SUBMIT in service.roles or LISTEN in service.roles:
            host, desk = self._open_desk()
            if SUBMIT in service.roles:
                await self._listen_for_mail(desk)
            if LISTEN in service.roles:
                await self._listen_for_smtp(host, desk)
        if self._deliverer is not None:
            steward = Steward(
                self._spool,
                self._deliverer,
                owner_uid=os.geteuid(),
                clock=self._clock,
                events=self._events,
                history=self._events.history,
            )
            self._control = ControlServer(steward, on_fault=self._on_fault)
            await self._control.start(self._socket("control", service.control_socket))
            self._network = NetworkWatch(asyncio.get_running_loop(), self._on_network)
            try:
                self._network.open()
            except OSError as exc:
                self._events.event(INFO, "no_network_watch", problem=exc.strerror)
        if unknown := self._passed.close_rest():
            self._events.event(WARNING, "unknown_sockets", count=unknown)

    def _open_desk(self) -> tuple[Host, Desk]:
        shares, deliverer = self._shares, self._deliverer
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

    async def _listen_for_mail(self, desk: Desk) -> None:
        self._listener = Listener(
            lambda session: SubmissionHandler(session, desk),
            options_of_sessions(self._service.limits, self._hostname),
            limits=limits_of_sessions(self._service.limits),
            on_fault=self._on_fault,
        )
        await self._listener.listen_on(self._socket("submit", self._service.submit_socket))

    async def _listen_for_smtp(self, host: Host, desk: Desk) -> None:
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

    def _socket(self, word: str, path: str) -> socket.socket:
        passed = self._passed.take(word, path)
        if passed is not None:
            return passed
        self._own_paths.append(path)
        return make_socket(path, FOR_OWNER if self._is_user else FOR_ALL)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- signals -------------------------------------------------------------------------------

    def _signals(self) -> dict[int, Callable[[], None]]:
        return {
            signal.SIGTERM: self._ends.set,
            signal.SIGINT: self._ends.set,
            signal.SIGHUP: lambda: self._start(self._reload()),
            signal.SIGUSR1: lambda: self._flush("signal"),
        }

    def _on_network(self) -> None:
        self._flush("network")

    def _flush(self, why: str) -> None:
        if self._deliverer is not None:
            self._events.event(INFO, "flush", why=why)
            deliverer = self._deliverer
            asyncio.get_running_loop().run_in_executor(None, deliverer.flush, "")

    async def _reload(self) -> None:
        async with self._reloading:
            self._notifier.reloading()
            try:
                service = await asyncio.to_thread(self._read_anew)
            except PillarboxError as exc:
                self._events.event(
                    ERROR, "reload_refused", problem=str(exc), advice=exc.advice or None
                )
            else:
                self._adopt(service)
                self._events.event(NOTICE, "reloaded")
            self._notifier.ready()

    def _read_anew(self) -> Service:
        """Read settings and accounts; whatever is wrong with either leaves both as they were."""
        service = self._read_service()
        if self._listeners is not None:
            self._prepared = self._listeners.prepare(service)
        if self._deliverer is not None:
            self._deliverer.reload()
        else:
            self._accounts.load()
        return service

    def _adopt(self, service: Service) -> None:
        fixed = {name: getattr(self._service, name) for name in _FIXED}
        changed = [name for name, value in fixed.items() if getattr(service, name) != value]
        if changed:
            self._events.event(WARNING, "needs_restart", settings=",".join(changed))
        self._service = service = dataclasses.replace(service, **fixed)
        self._events.adopt(service)
        if self._host is not None:
            self._host.service = service
        if self._admission is not None:
            self._admission.limits = service.limits
        if self._listener is not None:
            self._listener.options = options_of_sessions(service.limits, self._hostname)
            self._listener.limits = limits_of_sessions(service.limits)
        if self._listeners is not None and self._prepared is not None:
            self._listeners.adopt(service, *self._prepared[1:])
        if self._deliverer is not None:
            self._deliverer.limits = limits_of(service)

    # -- the watch -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Look at what has to work; tell systemd, or once the log, and let systemd draw its."""
        period_s = self._notifier.watchdog_s / 2 or _LOOK_S
        while True:
            problem = await self._look_within(min(period_s, _LOOK_S))
            if not problem:
                self._notifier.alive()
            elif not self._is_ill:
                self._events.event(CRITICAL, "ill", problem=problem)
            self._is_ill = bool(problem)
            await asyncio.sleep(period_s)

    async def _look_within(self, timeout_s: float) -> str:
        """Return what does not work; one look at a time, however long a disk keeps it."""
        if self._look_under_way is None:
            loop = asyncio.get_running_loop()
            self._look_under_way = loop.run_in_executor(None, self._look)
        done, _ = await asyncio.wait((self._look_under_way,), timeout=timeout_s)
        if not done:
            return "the spool does not answer"
        look, self._look_under_way = self._look_under_way, None
        return look.result()

    def _look(self) -> str:
        """Return what does not work; empty: everything does. Blocks."""
        try:
            self._spool.room()
        except PillarboxError as exc:
            return str(exc)
        return self._deliverer.stalled() if self._deliverer is not None else ""

    async def _count_shares(self, shares: Shares) -> None:
        while True:
            await asyncio.sleep(_SHARES_S)
            try:
                await asyncio.to_thread(shares.look)
            except PillarboxError as exc:
                self._events.event(ERROR, "spool", problem=str(exc))

    def _on_fault(self, exc: BaseException) -> None:
        if isinstance(exc, OSError):  # a socket that cannot be had, for want of descriptors
            self._on_loop_fault({"exception": exc, "message": "no connection"})
            return
        trace = exc.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = ""
        if trace is not None:
            module = trace.tb_frame.f_globals.get("__name__", "?")
            place = f"{module}:{trace.tb_lineno}"
        self._events.event(ERROR, "internal_error", kind=type(exc).__name__, place=place)

    def _on_loop_fault(self, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        if exc is None or self._ends.is_set():
            return  # asyncio takes up sockets again that were closed meanwhile
        now_s = self._clock.elapsed_s()
        # With too many files open, asyncio 3.11 says so a hundred times a second.
        if now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + _QUIET_S
            if isinstance(exc, OSError):
                problem = f"{context.get('message')}: {exc.strerror}"
                self._events.event(ERROR, "socket", problem=problem)
            else:
                self._on_fault(exc)

    # -- the end -------------------------------------------------------------------------------

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._network is not None:
            self._network.close()
        await self._within(_SESSIONS_S, self._close_doors())
        if self._deliverer is not None:
            await asyncio.to_thread(self._deliverer.stop, STOP_S - _SESSIONS_S - _SPOOL_S)
        await self._within(_SPOOL_S, asyncio.to_thread(self._spool.close))
        if self._is_user:
            # His programs may keep their mail by themselves while nobody is here. The callers of
            # a system's service wait for it; they must not find their own way round it.
            for path in self._own_paths:
                with suppress(OSError):
                    os.unlink(path)
        self._events.event(NOTICE, "stopped")
        # A thread that a disk holds must not hold the end: asyncio would wait for all of them.
        self._threads.shutdown(wait=False, cancel_futures=True)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    async def _close_doors(self) -> None:
        doors = (self._listener, self._listeners, self._control)
        await asyncio.gather(*(door.close() for door in doors if door is not None))

    async def _within(self, timeout_s: float, work: Coroutine[Any, Any, None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await work


def _part_of(roles: tuple[str, ...]) -> str:
    """Return what a process with these roles does with the spool: which locks it takes."""
    if DELIVER in roles:
        return "both" if SUBMIT in roles else "deliver"
    # Who only listens adds mails beside the one that takes them at the socket.
    return "submit" if SUBMIT in roles else "draft"
