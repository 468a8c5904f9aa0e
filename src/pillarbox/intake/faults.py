"""
What happens to a fault that nobody expected: one line of the log, and the service goes on.

The rule to keep: what is written says where in our code it was and of which kind, and nothing of
what anybody sent; and it cannot be made to fill the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.delivery.events import ERROR

if TYPE_CHECKING:
    from typing import Any

    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events

__all__ = ["Faults"]

_QUIET_S = 10.0  # between two lines about sockets that could not be had


class Faults:
    """
    Where faults go.

    Args:
        events: The log.
        clock: For the time between two lines.

    Attributes:
        is_quiet: Nothing is said any more: the end is near.

    """

    def __init__(self, events: Events, clock: Clock) -> None:
        self.is_quiet = False
        self._events = events
        self._clock = clock
        self._quiet_until_s = 0.0

    def note(self, exc: BaseException) -> None:
        """Write down an exception that nobody has caught."""
        if isinstance(exc, OSError):  # for want of descriptors, or of memory
            self._note_of_socket(exc, "no connection")
            return
        trace = exc.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = ""
        if trace is not None:
            module = trace.tb_frame.f_globals.get("__name__", "?")
            place = f"{module}:{trace.tb_lineno}"
        self._events.event(ERROR, "internal_error", kind=type(exc).__name__, place=place)

    def note_of_loop(self, context: dict[str, Any]) -> None:
        """Write down what asyncio's loop could not do (``loop.set_exception_handler``)."""
        exc = context.get("exception")
        if exc is None or self.is_quiet:
            return
        if isinstance(exc, OSError):
            self._note_of_socket(exc, str(context.get("message")))
        else:
            self.note(exc)

    def _note_of_socket(self, exc: OSError, what: str) -> None:
        # With too many files open, asyncio 3.11 says so a hundred times a second.
        now_s = self._clock.elapsed_s()
        if now_s >= self._quiet_until_s and not self.is_quiet:
            self._quiet_until_s = now_s + _QUIET_S
            self._events.event(ERROR, "socket", problem=f"{what}: {exc.strerror}")
