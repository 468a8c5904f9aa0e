"""What an operation of the steward is; ``operations`` has the table of them."""

from __future__ import annotations

from pillarbox.errors import EX_OK, PillarboxError
from pillarbox.spool.base import HOLD, QUEUE
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from typing import Any

    from pillarbox.delivery.queue_view import Found, View
    from pillarbox.delivery.requests import Needs

    Row = dict[str, Any]
    # Yields rows; or a future, and is sent its result. Returns the exit code.
    Answer = Generator[Any, Any, int]

__all__ = ["WAITING", "Operation", "batches", "one_row"]

# Where a mail waits that was not given up.
WAITING = (QUEUE, HOLD)

# Entries that one fsync is made for; what was asked before is told as soon as it is true.
_BATCH = 100


class Operation(Value):
    """
    One thing that may be asked.

    Attributes:
        run: Called with what the caller sees, and what he wishes; yields rows.
        needs: name -> how it is checked, and the default; see ``requests.understand``.
        is_owners: Only root and the spool's owner may.
        states: Where the mails are that it means, unless they are named or a filter says it.

    """

    __slots__ = ("is_owners", "needs", "run", "states")

    def __init__(
        self,
        run: Callable[[View, dict[str, Any]], Answer],
        needs: Needs,
        *,
        is_owners: bool = False,
        states: tuple[str, ...] = WAITING,
    ) -> None:
        self.run = run
        self.needs = needs
        self.is_owners = is_owners
        self.states = states


def one_row(work: Callable[..., str], view: View, found: Found, *facts: object) -> Row:
    """
    Return what became of one entry of several: a failure is that one's alone.

    Args:
        work: Does it, and returns what there is to say of it; raises ``PillarboxError``.
        view: What the caller sees.
        found: The entry, or the problem with it.
        facts: What else ``work`` needs.

    Returns:
        A row, and in it the exit code, which is to be taken out.

    """
    row: Row = {"id": found.id, "done": True, "note": "", "code": EX_OK}
    try:
        if found.problem is not None:
            raise found.problem
        row["note"] = work(view, found, *facts)
    except PillarboxError as exc:
        row |= {"done": False, "note": exc.sentence, "code": exc.exit_code}
    return row


def batches(found: Iterable[Found]) -> Iterator[list[Found]]:
    """Yield entries in batches, each of which is done, made durable and told together."""
    batch = []
    for one in found:
        batch.append(one)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
