"""
How many mails an account may send in a minute, an hour and a day, with a reserve for urgent mail.

A window slides: it is cut into slices, and the mails of all the slices that it touches are counted,
so that no stretch of time of that length ever has more than the limit, at the cost of up to one
slice's share. Time is the elapsed clock, which nobody can set; after a restart a record is taken
to be as young as it can be (see ``breaker``), so that a limit holds across restarts, too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["SLICES", "Budget", "reserve_of"]

# Slices of a window. Of more, less is given away at a window's edge; each is a number in a record.
SLICES = 24
# What ordinary mail leaves of a limit: one in ten.
_RESERVE = 10

_NAMES = ("minute", "hour", "day")
_LENGTHS_S = (60.0, 3600.0, 86400.0)


class Budget:
    """
    The budget of one account.

    Args:
        per_minute, per_hour, per_day: Mails; 0: no limit.
        record: What ``record`` gave once; None or nonsense: nothing was sent.
        elapsed_s: The elapsed clock.

    """

    def __init__(
        self,
        per_minute: int = 0,
        per_hour: int = 0,
        per_day: int = 0,
        *,
        record: Mapping[str, Any] | None = None,
        elapsed_s: float = 0.0,
    ) -> None:
        self._windows = [
            _Window(name, length_s, limit)
            for name, length_s, limit in zip(
                _NAMES, _LENGTHS_S, (per_minute, per_hour, per_day), strict=True
            )
            if limit > 0
        ]
        if record is not None:
            for window in self._windows:
                window.restore(record, elapsed_s)

    @property
    def has_limits(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._windows)

    def wait_s(self, elapsed_s: float, *, is_urgent: bool = False) -> float:
        """
        Return how many seconds the next mail has to wait; 0: it may go now.

        Args:
            elapsed_s: The elapsed clock.
            is_urgent: It may use the reserve.

        """
        if not self._windows:
            return 0.0
        waits_s = [window.wait_s(elapsed_s, is_urgent=is_urgent) for window in self._windows]
        return max(waits_s, default=0.0)

    def take(self, elapsed_s: float, count: int = 1) -> None:
        """Count mails that are about to be sent; what fails all the same was sent, to a limit."""
        for window in self._windows:
            window.take(elapsed_s, count)

    def give_back(self, taken_s: float) -> None:
        """Take back one mail that was counted at a moment, and that no server was told of."""
        for window in self._windows:
            window.give_back(taken_s)

    def record(self, elapsed_s: float) -> dict[str, Any]:
        """Return what a restart must know, as JSON can say it."""
        found: dict[str, Any] = {"version": 1, "elapsed_s": elapsed_s}
        for window in self._windows:
            found[window.name] = window.record(elapsed_s)
        return found


def reserve_of(limit: int) -> int:
    """Return how many mails of a limit are kept for urgent mail; a limit of 1 has none to keep."""
    return max(1, limit // _RESERVE) if limit > 1 else 0


class _Window:
    """
    One window: how many mails were begun in each of its slices.

    Slices are numbered by the elapsed clock; a mail counts until its slice lies wholly before the
    window that ends now.
    """

    def __init__(self, name: str, length_s: float, limit: int) -> None:
        self.name = name
        self._slice_s = length_s / SLICES
        self._limit = limit
        self._counts: dict[int, int] = {}  # by the number of the slice, oldest first
        self._total = 0

    def wait_s(self, elapsed_s: float, *, is_urgent: bool) -> float:
        self._forget(elapsed_s)
        limit = self._limit if is_urgent else self._limit - reserve_of(self._limit)
        excess = self._total - limit
        if excess < 0:
            return 0.0
        for number, count in self._counts.items():
            excess -= count
            if excess < 0:
                return max((number + SLICES + 1) * self._slice_s - elapsed_s, 0.0)
        return 0.0

    def take(self, elapsed_s: float, count: int) -> None:
        self._forget(elapsed_s)
        number = int(elapsed_s // self._slice_s)
        self._counts[number] = self._counts.get(number, 0) + count
        self._total += count

    def give_back(self, taken_s: float) -> None:
        number = int(taken_s // self._slice_s)
        # It may be gone, or another after a reload: then the mail stays counted.
        if self._counts.get(number, 0) > 0:
            self._counts[number] -= 1
            self._total -= 1

    def record(self, elapsed_s: float) -> list[list[int]]:
        """Return pairs of how many slices ago, and how many mails."""
        self._forget(elapsed_s)
        current = int(elapsed_s // self._slice_s)
        return [[current - number, count] for number, count in self._counts.items()]

    def restore(self, record: Mapping[str, Any], elapsed_s: float) -> None:
        saved_s = _number(record.get("elapsed_s"))
        # A clock that has begun anew says only how long it has run.
        gone_s = elapsed_s - saved_s if elapsed_s >= saved_s else max(elapsed_s, 0.0)
        current = int(elapsed_s // self._slice_s)
        gone = int(gone_s // self._slice_s)
        pairs = record.get(self.name)
        for pair in pairs if isinstance(pairs, list) else []:
            if isinstance(pair, list) and len(pair) == 2:
                ago, count = int(_number(pair[0])), int(_number(pair[1]))
                # One less: neither reading says where in its slice it was taken.
                number = current - min(max(ago + gone - 1, 0), SLICES + 1)
                self._counts[number] = self._counts.get(number, 0) + count
        self._counts = dict(sorted(self._counts.items()))
        self._total = sum(self._counts.values())

    def _forget(self, elapsed_s: float) -> None:
        first = int(elapsed_s // self._slice_s) - SLICES
        for number in list(self._counts):
            if number >= first:
                break
            self._total -= self._counts.pop(number)


def _number(value: object) -> float:
    """Return a number of a record that is not negative; 0 for anything else."""
    is_number = type(value) in (int, float)
    return value if is_number and 0 <= value < 1 << 53 else 0.0  # type: ignore[operator,return-value]
