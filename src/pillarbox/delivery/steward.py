"""
Who answers what people ask of a queue.

Values in, plain dicts out, which JSON can carry: a person's command asks the same whether a
daemon answers over its control socket or the command works on the spool by itself. A request is
a dict with a ``command``, the name of a row of ``operations.OPERATIONS``, and what that row needs:

1. ``Steward.answer`` - finds the row, checks what came with it and whether the caller may.
2. The row's function - yields one dict for each thing that it has to tell.
3. The last dict has ``end``, ``code`` (sysexits), ``problem`` and ``advice``.

The rule to keep: root and the spool's owner may do all; everybody else sees and touches the entries
that he handed over himself, and for him the others do not exist.
"""

from __future__ import annotations

from pillarbox.delivery.carrier import Carrier
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.operations import OPERATIONS
from pillarbox.delivery.queue_view import View
from pillarbox.delivery.requests import NotPermittedError, understand
from pillarbox.errors import EX_OK, PillarboxError, UsageError
from pillarbox.text import localize, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from pillarbox.delivery.events import Events
    from pillarbox.delivery.history import History
    from pillarbox.spool.base import Spool

    Row = dict[str, Any]

__all__ = ["Steward", "end_row"]

_ROOT = 0


class Steward:
    """
    Answer what people ask of one spool. Every method may be called by several threads.

    Args:
        spool: It is open.
        carrier: Who delivers it; None: nobody does, and who asks has the lock that says so.
        owner_uid: The user that the spool belongs to.
        clock: The clocks.
        events: Told of what people do; None: nobody is.
        history: What became of earlier mail; None: nobody knows.

    """

    def __init__(
        self,
        spool: Spool,
        carrier: Carrier | None = None,
        *,
        owner_uid: int,
        clock: Clock | None = None,
        events: Events | None = None,
        history: History | None = None,
    ) -> None:
        self.spool = spool
        self.carrier = carrier if carrier is not None else Carrier()
        self.clock = clock if clock is not None else Clock()
        self._owner_uid = owner_uid
        self._events = events
        self._history = history

    def may_all(self, uid: int) -> bool:
        """Return whether a user may see and do all."""
        return uid in (_ROOT, self._owner_uid)

    def answer(self, uid: int, request: Mapping[str, object]) -> Generator[Any, Any, None]:
        """
        Carry out what a user asks for. Blocks, and may fsync.

        Yields:
            The rows of the answer, the last of which has ``end``. For ``wait`` a ``Future``
            among them: it is to be waited for, and its result sent back into the generator.

        Nothing that a caller sends raises anything.

        """
        language = request.get("language")
        speaks = "zh" if language == "zh" else "en"
        try:
            answer = self._begin(uid, request)
            result = None
            while True:
                try:
                    row = answer.send(result)
                except StopIteration as stop:
                    yield end_row(code=stop.value)
                    return
                result = yield _spoken(row, speaks)
        except PillarboxError as exc:
            yield _spoken(end_row(exc), speaks)

    def _begin(self, uid: int, request: Mapping[str, object]) -> Generator[Any, Any, int]:
        name = request.get("command")
        operation = OPERATIONS.get(name) if isinstance(name, str) else None
        if operation is None:
            raise UsageError(say("the request names no command of the queue"))
        wishes = understand(request, operation.needs)
        may_all = self.may_all(uid)
        if operation.is_owners and not may_all:
            raise NotPermittedError
        view = View(
            self.spool,
            self.carrier,
            self.clock,
            uid=uid,
            may_all=may_all,
            events=self._events,
            history=self._history,
        )
        return operation.run(view, wishes | {"states": operation.states})


def end_row(exc: PillarboxError | None = None, code: int = EX_OK) -> Row:
    """Return the last row of an answer."""
    if exc is None:
        return {"end": True, "code": code, "problem": "", "advice": ""}
    return {"end": True, "code": exc.exit_code, "problem": exc.sentence, "advice": exc.advice}


def _spoken(row: Any, language: str) -> Any:
    """Return a row with its texts in a language; they would not remember that they are texts."""
    if not isinstance(row, dict):
        return row
    return {
        key: localize(value, language) if isinstance(value, str) else value
        for key, value in row.items()
    }
