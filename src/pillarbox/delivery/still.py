"""
The carrier of a queue that nobody delivers just now, for who only looks.

It knows what the last one wrote down: which accounts are paused, and why.
"""

from __future__ import annotations

from collections import Counter

from pillarbox.delivery.breaker import Breaker
from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.health import Memory
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pillarbox.delivery.clock import Clock
    from pillarbox.spool.base import Spool

__all__ = ["StillCarrier", "state_of"]


class StillCarrier(Carrier):
    """
    Look at a queue that lies still.

    Args:
        spool: Where it is; open.
        memory: What was written down of its accounts.
        clock: The clocks.
        knows: Says whether the configuration has an account; asked only where no mail waits for it.

    """

    def __init__(
        self,
        spool: Spool,
        memory: Memory,
        clock: Clock,
        *,
        knows: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._knows = knows
        self._spool = spool
        self._memory = memory
        self._clock = clock
        self._waiting: Counter[str] | None = None

    def accounts(self) -> list[AccountState]:
        """Return how the accounts were doing that mail waited for when this was asked first."""
        return [self._state(name, count) for name, count in sorted(self._counted().items())]

    def _counted(self) -> Counter[str]:
        if self._waiting is None:
            self._waiting = Counter(entry.head.account for entry in self._spool.scan())
        return self._waiting

    def has_account(self, name: str) -> bool:
        """
        See ``Carrier``.

        Raises:
            PillarboxError: The configuration cannot be asked.

        """
        return name in self._counted() or self._knows(name)

    def pause(self, name: str) -> bool:
        """See ``Carrier``; who asks has the lock of those who deliver."""
        record = self._memory.load(name)
        breaker = self._breaker(record)
        is_new = breaker.pause(self._clock.epoch_s())
        if is_new:
            self._memory.save(name, record | {"breaker": breaker.record(self._clock.elapsed_s())})
        return is_new

    def flush(self, _: str) -> None:
        """Do nothing: who delivers next tries what could not be reached."""

    def _state(self, name: str, count: int) -> AccountState:
        breaker = self._breaker(self._memory.load(name))
        return state_of(name, breaker, self._clock, waiting=count)

    def _breaker(self, record: dict[str, Any]) -> Breaker:
        found = record.get("breaker")
        known = found if isinstance(found, dict) else {}
        # With its own fingerprint: whether the settings are others now, who delivers will see.
        return Breaker(
            known,
            elapsed_s=self._clock.elapsed_s(),
            fingerprint=str(known.get("fingerprint", "")),
        )


def state_of(
    name: str, breaker: Breaker, clock: Clock, *, waiting: int, suspended: str = ""
) -> AccountState:
    """
    Return how an account is doing.

    Args:
        name: The account.
        breaker: Its breaker.
        clock: The clocks.
        waiting: How many mails wait for it.
        suspended: Why nothing at all is sent; empty: all is well.

    """
    if breaker.is_paused:
        return AccountState(
            name,
            is_open=True,
            kind="paused",
            since_s=breaker.paused_s,
            reason=say("somebody has paused it"),
            waiting=waiting,
        )
    wait_s = breaker.wait_s(clock.elapsed_s())
    return AccountState(
        name,
        is_open=breaker.is_open,
        kind=breaker.kind,
        since_s=breaker.since_s if breaker.is_open else 0.0,
        next_try_s=clock.epoch_s() + wait_s if wait_s else 0.0,
        reason=breaker.reason or suspended,
        waiting=waiting,
    )
