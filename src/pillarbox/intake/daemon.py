"""
The service while it runs: what is started in which order, and how it ends.

1. ``Daemon.run`` - the spool is opened (who has it already is named, and we end), the queue read.
2. ``_listen`` - the ``doors`` are opened; then READY.
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
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.delivery.assembly import hostname_of, limits_of, make_deliverer
from pillarbox.delivery.events import CRITICAL, ERROR, INFO, NOTICE, WARNING
from pillarbox.errors import PillarboxError
from pillarbox.intake.doors import DELIVER, SUBMIT, Doors
from pillarbox.intake.faults import Faults
from pillarbox.intake.network import NetworkWatch
from pillarbox.intake.remote import Shares
from pillarbox.spool.base import CORRUPT
from pillarbox.spool.directory import Directory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from pillarbox.config.settings import Service
    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.deliverer import Deliverer
    from pillarbox.delivery.events import Events
    from pillarbox.intake.systemd import Notifier, Passed

__all__ = ["STOP_S", "Daemon"]

STOP_S = 10.0  # for the end, all in all; systemd would wait 90
_SESSIONS_S = 3.0  # of these, for callers whose mail is being committed
_SPOOL_S = 1.0  # of these, for the last fsync
_THREADS = 32  # commits at a time: they share one fsync of the directory
_LOOK_S = 20.0  # for a look at what has to work
_SHARES_S = 60.0  # between two looks at whose the mail is, where another process delivers it

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
        self._events = events
        self._clock = clock
        self._hostname = hostname_of(service)
        self._spool = Directory(service.spool, part=_part_of(service.roles))
        self._deliverer: Deliverer | None = None
        self._shares: Shares | None = None
        self._faults = Faults(events, clock)
        self._doors = Doors(
            service,
            accounts,
            self._spool,
            is_user=is_user,
            hostname=self._hostname,
            clock=clock,
            events=events,
            passed=passed,
            on_fault=self._faults.note,
        )
        self._network: NetworkWatch | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "intake")
        self._look_under_way: asyncio.Future[str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._is_ill = False
        self._has_started = False

    async def run(self) -> None:
        """
        Serve until somebody says that it is enough.

        Raises:
            SpoolError: The spool cannot be used, or another service has it.
            ConfigError: A socket cannot be made.

        """
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        loop.set_exception_handler(lambda _, context: self._faults.note_of_loop(context))
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
            self._has_started = True
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
        self._spool.open()
        damaged = set(self._spool.names(CORRUPT))
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
        for name in set(self._spool.names(CORRUPT)) - damaged:
            self._events.event(ERROR, "corrupt", file=name, spool=self._service.spool)
        for warning in self._spool.warnings:
            self._events.event(WARNING, "spool", problem=warning)

    @property
    def _waiting(self) -> int:
        if self._deliverer is not None:
            return len(self._deliverer.queue)
        return len(self._shares) if self._shares is not None else 0

    async def _listen(self) -> None:
        await self._doors.open(self._deliverer, self._shares)
        if self._deliverer is not None:
            self._network = NetworkWatch(asyncio.get_running_loop(), self._on_network)
            try:
                self._network.open()
            except OSError as exc:
                self._events.event(INFO, "no_network_watch", problem=exc.strerror)

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
                service = self._with_what_is_fixed(await asyncio.to_thread(self._read_anew))
                await asyncio.to_thread(self._events.adopt, service)
                self._adopt(service)
                self._events.event(NOTICE, "reloaded")
            except PillarboxError as exc:
                self._events.event(
                    ERROR, "reload_refused", problem=str(exc), advice=exc.advice or None
                )
            except Exception as exc:  # noqa: BLE001 (a fault of ours; the old settings stay)
                self._faults.note(exc)
            finally:
                self._notifier.ready()  # else systemd waits, and ends us when it has waited enough

    def _read_anew(self) -> Service:
        """Read settings and accounts; whatever is wrong with either leaves both as they were."""
        service = self._read_service()
        self._doors.prepare(service)
        if self._deliverer is not None:
            self._deliverer.reload()
        else:
            self._accounts.load()
        return service

    def _with_what_is_fixed(self, service: Service) -> Service:
        fixed = {name: getattr(self._service, name) for name in _FIXED}
        changed = [name for name, value in fixed.items() if getattr(service, name) != value]
        if changed:
            self._events.event(WARNING, "needs_restart", settings=",".join(changed))
        return dataclasses.replace(service, **fixed)

    def _adopt(self, service: Service) -> None:
        self._service = service
        self._doors.adopt(service)
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

    # -- the end -------------------------------------------------------------------------------

    async def _close(self) -> None:
        self._faults.is_quiet = True  # asyncio takes up sockets again that were closed meanwhile
        for task in list(self._tasks):
            task.cancel()
        if self._network is not None:
            self._network.close()
        await self._within(_SESSIONS_S, self._doors.close())
        if self._deliverer is not None:
            await asyncio.to_thread(self._deliverer.stop, STOP_S - _SESSIONS_S - _SPOOL_S)
        await self._within(_SPOOL_S, asyncio.to_thread(self._spool.close))
        if self._is_user:
            # His programs may keep their mail by themselves while nobody is here. The callers of
            # a system's service wait for it; they must not find their own way round it.
            self._doors.remove_sockets()
        if self._has_started:
            self._events.event(NOTICE, "stopped")
        # A thread that a disk holds must not hold the end: asyncio would wait for all of them.
        self._threads.shutdown(wait=False, cancel_futures=True)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

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
