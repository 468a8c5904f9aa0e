"""
A submission socket for tests: everything is real but who delivers, and what a test replaces.

``Door`` runs in a thread of its own; ``Client`` is a program that hands mail over, as root's when
the tests are root's, or as somebody else's with ``as_stranger``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLongError
from typing import TYPE_CHECKING, Any, Self

from pillarbox.config.places import find_places
from pillarbox.config.service import parse_service
from pillarbox.delivery.acceptance import Accounts
from pillarbox.delivery.carrier import Carrier
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.events import Events
from pillarbox.intake.admission import Admission
from pillarbox.intake.driver import Listener
from pillarbox.intake.incoming import Desk
from pillarbox.intake.sockets import FOR_ALL, make_socket
from pillarbox.intake.submission import (
    SubmissionHandler,
    limits_of_sessions,
    options_of_sessions,
)
from pillarbox.intake.users import Host
from pillarbox.spool.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ACCOUNTS", "HOSTNAME", "STRANGER", "Client", "Courier", "Door", "as_stranger"]

HOSTNAME = "host.example.org"
STRANGER = 4711  # a user id that nobody has

ACCOUNTS = """\
account default
host mail.example.org
from me@example.org
allow_from_override on

account work
host mail.example.com
from work@example.com
"""


class Courier(Carrier):
    """A carrier that notes what it gets; each wait is answered with ``answer``, if there is one."""

    def __init__(self, settle: Callable[[], None] | None = None) -> None:
        self._settle = settle
        self._entries: list[Any] = []
        self.waits: dict[str, Future[Any]] = {}
        self.answer: Any = None  # entry -> result

    def put_back(self, entry: Any) -> None:
        """Note an entry, and answer who waits for it."""
        self._entries.append(entry)
        future = self.waits.get(entry.head.id)
        if future is not None and self.answer is not None:
            future.set_result(self.answer(entry))

    @property
    def entries(self) -> list[Any]:
        """Return what it got so far; it is told behind the reply to the caller."""
        if self._settle is not None:
            self._settle()
        return self._entries

    def wait_for(self, entry_id: str) -> Future[Any]:
        """Note who waits."""
        self.waits[entry_id] = Future()
        return self.waits[entry_id]


class Door:
    """
    A submission socket, to be used in a ``with``.

    Args:
        spool: Where mail is put; None: in memory.
        settings: The sections of a TOML file.
        accounts: A configuration file.

    Attributes:
        lines: The log.
        faults: What came through to the driver: none, where all is well.

    """

    def __init__(
        self, spool: Any = None, settings: dict[str, Any] | None = None, accounts: str = ACCOUNTS
    ) -> None:
        # Where everybody can get at it: the folders of tests are closed to others.
        self.folder = tempfile.mkdtemp(prefix="door-")
        os.chmod(self.folder, 0o755)  # noqa: S103 (that is the point)
        self.path = f"{self.folder}/submit.sock"
        self.spool = Memory() if spool is None else spool
        self.courier = Courier(self._settle)
        self.lines: list[str] = []
        self.faults: list[BaseException] = []
        self.shares: dict[int, tuple[int, int]] = {}
        self.configure(settings or {})
        file = f"{self.folder}/msmtprc"
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(accounts)
        os.chmod(file, 0o600)
        self.accounts = Accounts({"HOME": self.folder}, system_file=file)
        self.accounts.load()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.spool.open()
        self._thread.start()
        try:
            self.call(self._listen())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._end()

    def _end(self) -> None:
        self.turn()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self.spool.close()
        shutil.rmtree(self.folder)

    def configure(self, settings: dict[str, Any]) -> None:
        """Take settings, before it is opened."""
        places = find_places({"HOME": self.folder}, is_user=True)
        self.service = parse_service(settings, places)

    def call(self, work: Any, timeout_s: float = 20.0) -> Any:
        """Run something in the loop of the socket."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def close(self) -> None:
        """End all sessions, as a service does that is stopped."""
        self.call(self.listener.close())

    def turn(self) -> None:
        """Let the loop turn, for the last transports to close."""
        self.call(_turns())

    def _settle(self) -> None:
        """Let the loop do what it has begun, unless it has ended."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self.turn()

    def wait_for_the_ends(self) -> None:
        """Wait until all sessions have ended."""
        self.call(_gather(self.listener._sessions))
        self.turn()

    def begin_to_close(self) -> Future[None]:
        """End all sessions, without waiting for it."""
        return asyncio.run_coroutine_threadsafe(self.listener.close(), self._loop)

    def still_closing(self, closing: Future[None]) -> bool:
        """Return whether sessions have not ended when they have had their chance to."""
        with contextlib.suppress(WaitedTooLongError):
            closing.result(0.05)
        return not closing.done()

    def entries(self) -> list[Any]:
        """Return what is in the spool."""
        return list(self.spool.scan())

    def only(self) -> tuple[Any, bytes]:
        """Return the one entry, and its content."""
        (entry,) = self.entries()
        claim = self.spool.claim(entry.head.id)
        content = b""
        while piece := claim.read(1 << 16):
            content += piece
        claim.close()
        return claim.entry, content

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        limits = self.service.limits
        self.clock = Clock()
        self.host = host = Host(
            self.service,
            self.spool,
            self.clock,
            HOSTNAME,
            share_of=lambda uid: self.shares.get(uid, (0, 0)),
            count=lambda: 0,
        )
        events = Events(self.lines.append, environment={"JOURNAL_STREAM": "1"})
        admission = Admission(
            limits, host, note=lambda uid, why: events.event(4, "over", uid=uid, reason=why)
        )
        self.desk = Desk(
            self.spool,
            self.accounts,
            admission,
            self.courier,
            clock=self.clock,
            hostname=HOSTNAME,
            events=events,
        )
        await self._open()

    async def _open(self) -> None:
        limits = self.service.limits
        self.listener = Listener(
            lambda session: SubmissionHandler(session, self.desk),
            options_of_sessions(limits, HOSTNAME),
            limits=limits_of_sessions(limits),
            on_fault=self.faults.append,
        )
        await self.listener.listen_on(make_socket(self.path, FOR_ALL))


async def _gather(tasks: Any) -> None:
    await asyncio.gather(*tasks)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@contextlib.contextmanager
def as_stranger(uid: int = STRANGER) -> Any:
    """Be somebody else while a connection is made: that is when the kernel takes note."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


class Client:
    """One connection to a submission socket, to be used in a ``with``."""

    def __init__(self, path: str, *, is_stranger: bool = False) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        try:
            with as_stranger() if is_stranger else contextlib.nullcontext():
                self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.lines = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.sock.close()

    def send(self, *lines: str | bytes) -> None:
        """Send command lines, or octets as they are."""
        for line in lines:
            self.sock.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")

    def reply(self) -> str:
        """Return the next reply, its lines joined; empty: the connection has ended."""
        text = ""
        while line := self.lines.readline().decode():
            text += line.rstrip("\r\n")
            if line[3:4] != "-":
                break
            text += "\n"
        return text

    def replies(self, count: int) -> list[str]:
        """Return so many replies."""
        return [self.reply() for _ in range(count)]

    def greet(self) -> Client:
        """Say hello."""
        self.send("LHLO caller")
        assert [reply[:3] for reply in self.replies(2)] == ["220", "250"]
        return self

    def begin(
        self, *recipients: str, sender: str = "me@example.org", wishes: str = ""
    ) -> list[str]:
        """Say hello, MAIL and RCPT; return what the latter two were answered."""
        self.greet()
        self.send(f"MAIL FROM:<{sender}> {wishes}".rstrip())
        self.send(*(f"RCPT TO:<{recipient}>" for recipient in recipients))
        return self.replies(1 + len(recipients))

    def hand_over(
        self,
        content: bytes,
        *recipients: str,
        sender: str = "me@example.org",
        wishes: str = "",
    ) -> list[str]:
        """Hand a whole mail over; return what its content was answered, for each recipient."""
        recipients = recipients or ("you@example.com",)
        said = self.begin(*recipients, sender=sender, wishes=wishes)
        assert {reply[:3] for reply in said} == {"250"}, said
        self.send(b"BDAT %d LAST\r\n" % len(content) + content)
        return self.replies(len(recipients))
