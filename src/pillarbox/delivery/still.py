"""
The carrier of a queue that nobody delivers just now, for who only looks.

It knows what the last one wrote down: which accounts are paused, and why.
"""

from __future__ import annotations

from collections import Counter

from pillarbox.delivery.breaker import Breaker
from pillarbox.delivery.carrier import AccountState, Carrier
from pillarbox.delivery.health import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.delivery.clock import Clock
    from pillarbox.spool.base import Spool

__all__ = ["StillCarrier"]


class StillCarrier(Carrier):
    """
    Look at a queue that lies still.

    Args:
        spool: Where it is; open.
        memory: What was written down of its accounts.
        clock: The clocks.

    """

    def __init__(self, spool: Spool, memory: Memory, clock: Clock) -> None:
        self._spool = spool
        self._memory = memory
        self._clock = clock
        self._waiting: Counter[str] | None = None

    def accounts(self) -> list[AccountState]:
        """Return how the accounts were doing that mail waited for when this was asked first."""
        if self._waiting is None:
            self._waiting = Counter(entry.head.account for entry in self._spool.scan())
        return [self._state(name, count) for name, count in sorted(self._waiting.items())]

    def _state(self, name: str, count: int) -> AccountState:
        record = self._memory.load(name).get("breaker")
        if not isinstance(record, dict):
            return AccountState(name, waiting=count)
        elapsed_s = self._clock.elapsed_s()
        # With its own fingerprint: whether the settings are others now, who delivers will see.
        mark = str(record.get("fingerprint", ""))
        breaker = Breaker(record, elapsed_s=elapsed_s, fingerprint=mark)
        wait_s = breaker.wait_s(elapsed_s)
        return AccountState(
            name,
            is_open=breaker.is_open,
            kind=breaker.kind,
            since_s=breaker.since_s,
            next_try_s=self._clock.epoch_s() + wait_s if wait_s else 0.0,
            reason=breaker.reason,
            waiting=count,
        )
