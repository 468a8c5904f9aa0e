"""
What the steward of a queue asks of who delivers it, and what it gets when nobody does.

``Carrier`` is the seam: the running deliverer has the same methods. As it stands here it is the
carrier of a queue that lies still: nothing is on its way, and everything may be taken away.
"""

from __future__ import annotations

from pillarbox.errors import SpoolError
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import Any, NoReturn

    from pillarbox.spool.base import Entry

__all__ = ["UNREACHABLE", "AccountState", "Carrier"]

# Kinds of what opens a breaker that may be over once there is a network again.
UNREACHABLE = frozenset(("site", "busy"))


class AccountState(Value):
    """
    How one account is doing.

    Attributes:
        name: The account.
        is_open: Its breaker is open: nothing is sent through it until ``next_try_s``.
        kind: What opened it, a word of the policy (``login``, ``tls`` ...), or ``paused``: a
            person did; empty: nothing did.
        since_s: When it opened, in seconds since the epoch; 0: it is closed.
        next_try_s: When it is tried again, in seconds since the epoch; 0: as soon as there is mail.
        reason: What happened, in one sentence; empty: nothing did.
        waiting: How many mails wait for it.

    """

    __slots__ = ("is_open", "kind", "name", "next_try_s", "reason", "since_s", "waiting")

    def __init__(
        self,
        name: str,
        *,
        is_open: bool = False,
        kind: str = "",
        since_s: float = 0.0,
        next_try_s: float = 0.0,
        reason: str = "",
        waiting: int = 0,
    ) -> None:
        self.name = name
        self.is_open = is_open
        self.kind = kind
        self.since_s = since_s
        self.next_try_s = next_try_s
        self.reason = reason
        self.waiting = waiting


class Carrier:
    """
    Who delivers a queue; this one does not. Every method may be called by several threads.

    Attributes:
        is_running: Whether somebody delivers.

    """

    is_running = False

    def is_busy(self, _: str) -> bool:
        """Return whether the entry of that id is being delivered right now."""
        return False

    def take(self, _: str) -> bool:
        """
        Have an entry not delivered until ``let_go``, so that it can be removed or moved.

        Returns:
            False: it is on its way, or somebody else has taken it.

        """
        return True

    def let_go(self, _: str) -> None:
        """Have an entry that was taken delivered again, if it should be found or put back."""

    def put_back(self, _: Entry) -> None:
        """Have an entry of the queue delivered, one that was let go or that is new to it."""

    def added(self, _: str) -> None:
        """Hear of an entry that another process has put into the queue."""

    def next_attempt_s(self, _: str) -> float | None:
        """Return when an entry is tried next, in seconds since the epoch; None: nobody knows."""
        return None

    def retry(self, _: Sequence[str]) -> None:
        """Have entries tried now, as far as their accounts are not paused."""

    def ids_of(self, _: int) -> list[str] | None:
        """Return the ids of the entries of a user in the queue; None: the spool has to be read."""
        return None

    def accounts(self) -> list[AccountState]:
        """Return the accounts that have mail waiting or something to tell, in order of name."""
        return []

    def flush(self, _: str) -> None:
        """
        Have all entries of an account tried now; empty: of every account.

        Raises:
            SpoolError: Nobody delivers.

        """
        _nobody_delivers()

    def account_of(self, entry: Entry) -> str:
        """Return the account that an entry goes through now: its own, or that one's fallback."""
        return entry.head.account

    def has_account(self, _: str) -> bool:
        """Return whether there is an account of that name; where nobody knows, there is."""
        return True

    def pause(self, _: str) -> bool:
        """
        Have nothing sent through an account until ``resume``; False: a person had said so before.

        Raises:
            SpoolError: Nobody delivers.

        """
        _nobody_delivers()

    def resume(self, _: str) -> bool:
        """
        Close an account's breaker and try it at once; False: it was closed.

        Raises:
            SpoolError: Nobody delivers.

        """
        _nobody_delivers()

    def wait_for(self, _: str) -> Future[Any]:
        """
        Return what will be set as soon as it is clear what an entry's first attempt came to.

        It has ``statuses``: a ``RecipientStatus`` for each forward-path, in order.

        Raises:
            SpoolError: Nobody delivers.

        """
        _nobody_delivers()


def _nobody_delivers() -> NoReturn:
    problem = say("no daemon delivers this queue")
    raise SpoolError(problem, advice=say("'pillarbox queue flush' sends what waits"))
