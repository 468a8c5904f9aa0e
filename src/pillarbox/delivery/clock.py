"""
The two clocks by which a queue lives: the calendar, and one that nobody can set.

Mail has an age by the calendar, but a calendar can be wrong by years (no battery, a bad NTP
server). What is to wait is timed by the other clock, and an age is believed only when both agree.
"""

from __future__ import annotations

import time

__all__ = ["Clock"]


class Clock:
    """The clocks of the machine; a test derives its own from it."""

    def epoch_s(self) -> float:
        """Return the calendar's time, in seconds since the epoch: it may jump, both ways."""
        return time.time()

    def elapsed_s(self) -> float:
        """Return seconds since the machine was started, asleep or awake: they only grow."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
