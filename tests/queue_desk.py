"""
A queue for the tests of who answers questions about it: entries of several users, in every state.

``Desk`` serves one over a control socket, in a thread, as the daemon does; nothing is delivered
unless a test says so.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.steward import Steward
from pillarbox.intake.control import ControlLimits, ControlServer
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import FAILED, QUEUE, Head, Origin, Progress
from pillarbox.spool.entry import make_entry_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from pillarbox.spool.base import Entry, Spool

__all__ = [
    "ANN",
    "BEN",
    "CONTENT",
    "NOW_S",
    "OWNER",
    "Desk",
    "FixedClock",
    "HandCarrier",
    "fill",
    "put",
]

OWNER, ANN, BEN = 2000, 2001, 2002
NOW_S = 1_795_531_271.0
CONTENT = b"From: ann@example.org\nSubject: the disk is full\nBcc: x@example.org\n\nsecret body\n"


class FixedClock(Clock):
    """It is always the same time."""

    def epoch_s(self) -> float:
        """Return it."""
        return NOW_S


class HandCarrier(Carrier):
    """Who delivers, as a test says; it remembers what it was told."""

    is_running = True

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.taken: set[str] = set()
        self.states: list[AccountState] = []
        self.told: list[tuple[Any, ...]] = []

    def is_busy(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        return entry_id in self.busy

    def take(self, entry_id: str) -> bool:
        """See ``Carrier``."""
        if entry_id in self.busy or entry_id in self.taken:
            return False
        self.taken.add(entry_id)
        return True

    def let_go(self, entry_id: str) -> None:
        """See ``Carrier``."""
        self.taken.discard(entry_id)

    def put_back(self, entry: Entry) -> None:
        """See ``Carrier``."""
        assert entry.head.id not in self.taken, "it would not be let in"
        self.told.append(("put_back", entry.head.id, entry.progress.statuses))

    def added(self, entry_id: str) -> None:
        """See ``Carrier``."""
        self.told.append(("added", entry_id))

    def next_attempt_s(self, _: str) -> float | None:
        """See ``Carrier``."""
        return NOW_S + 90

    def retry(self, ids: Sequence[str]) -> None:
        """See ``Carrier``."""
        self.told.append(("retry", *ids))

    def accounts(self) -> list[AccountState]:
        """See ``Carrier``."""
        return self.states

    def flush(self, account: str) -> None:
        """See ``Carrier``."""
        self.told.append(("flush", account))

    def resume(self, account: str) -> bool:
        """See ``Carrier``."""
        self.told.append(("resume", account))
        return any(state.name == account and state.is_open for state in self.states)


def put(
    spool: Spool,
    *to: str,
    uid: int = ANN,
    age_s: float = 60.0,
    state: str = QUEUE,
    progress: Progress | None = None,
    content: bytes = CONTENT,
    sender: str | None = "ann@example.org",
    account: str = "work",
    entry_id: str = "",
) -> str:
    """Put an entry into a spool, in a state; return its id."""
    paths = tuple(map(parse_mailbox, to or ("you@example.net",)))
    accepted_s = NOW_S - age_s
    head = Head(
        entry_id or make_entry_id(accepted_s, os.urandom(16)),
        accepted_s,
        Envelope(parse_mailbox(sender) if sender else None, paths),
        account=account,
        message_id="<it@example.org>",
        origin=Origin(uid, 100, 4242, door="socket"),
    )
    draft = spool.begin(head)
    draft.write(content)
    draft.commit()
    if progress is not None:
        claim = spool.claim(head.id)
        claim.record(progress, is_durable=True)
        claim.close()
    if state != QUEUE:
        spool.move(head.id, QUEUE, state)
    return head.id


def fill(spool: Spool, count: int) -> list[str]:
    """Put many entries in, of three users, the oldest first; every tenth has failed."""
    ids = []
    for number in range(count):
        failed = number % 10 == 9
        ids.append(
            put(
                spool,
                f"r{number}@example.net",
                uid=(OWNER, ANN, BEN)[number % 3],
                age_s=float(count - number),
                state=FAILED if failed else QUEUE,
                progress=Progress(b"F", attempts=3, reason="550 no") if failed else None,
            )
        )
    return ids


class Desk:
    """
    A steward behind a control socket, to be used in a ``with``.

    Args:
        folder: Where the socket is.
        spool: It is open.
        carrier: Who delivers.
        limits: How much is given to callers.

    Attributes:
        path: The socket.
        faults: Exceptions that should not have happened.

    """

    def __init__(
        self,
        folder: Path,
        spool: Spool,
        carrier: Carrier,
        limits: ControlLimits | None = None,
        clock: Clock | None = None,
        owner_uid: int = OWNER,
    ) -> None:
        self.path = str(folder / "control.sock")
        self.faults: list[BaseException] = []
        steward = Steward(spool, carrier, owner_uid=owner_uid, clock=clock or FixedClock())
        self.server = ControlServer(steward, limits=limits, on_fault=self.faults.append)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        os.chmod(self.path, 0o666)  # noqa: S103 (as that of the system's daemon)
        listener.listen(100)
        self._thread.start()
        self.run(self.server.start(listener))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(_turns())  # whom the kernel has let in is a session then
        self.run(self.server.close())
        self.run(_turns())  # and transports close behind the sessions
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        assert not self.faults, self.faults

    def run(self, work: Any) -> Any:
        """Run something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
