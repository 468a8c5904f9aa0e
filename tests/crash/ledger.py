"""
What a spool has promised, line by line, and whether a spool behind a crash keeps it.

A story (``stories.py``) says a line before and behind each thing that it does to a spool. The
lines outlive it: they stand in a pipe, or in the record of a trace. ``Ledger.hear`` reads them;
``Ledger.broken`` compares them with what was found afterwards. The lines, each with a queue ID:

``begin``, ``ack`` or ``refuse``
    A mail is handed in; it was accepted; it was not.
``recording STATUSES``, ``recorded STATUSES HOW``
    What became of its recipients; HOW is ``durable`` or ``soft``.
``sent STATUSES``
    The provider has it, for the recipients with ``D``.
``moving FROM TO``, ``moved FROM TO``
    Its place changes.
``removing``, ``removed``; ``settling``, ``settled`` without ID
    It goes; what went is gone for good.

``failing CALL NAME``, ``shortening CALL NAME``
    A call was made to fail, or to do half of its work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Found", "Ledger"]

# What was found of a mail: where it is, its recipients' statuses, whether content and head are
# those that were handed in.
Found = tuple[str, bytes, bool]


# Behind a failure of one of these, nothing may be called done.
_MUST_TELL = (
    *("write", "pwrite", "pwrite64", "fsync", "fdatasync", "rename", "renameat"),
    *("link", "linkat", "unlink", "unlinkat"),
)
_BEGINNINGS = ("begin", "recording", "moving", "removing", "settling")
_ENDINGS = ("ack", "recorded", "moved", "removed", "settled")


class _Promise:
    """What must be true of one mail."""

    def __init__(self, recipients: int) -> None:
        self.is_accepted = False
        self.may_be_gone = True
        self.must_be_gone = False
        self.is_leaving = False
        self.places = {"queue"}
        self.statuses: list[set[int]] = [set(b"P") for _ in range(recipients)]
        self.is_told = [False] * recipients  # the provider has it for this one


class Ledger:
    """
    The promises made so far.

    Args:
        recipients: How many each mail has, by queue ID.
        has_power: The process died and the machine did not: what was written is there, synced
            or not.

    """

    def __init__(self, recipients: Mapping[str, int], *, has_power: bool) -> None:
        self._promises = {name: _Promise(number) for name, number in recipients.items()}
        self._has_power = has_power
        self._has_failed = False
        self._failed = ""  # the call that failed since the story began what it does now
        self.faults: list[str] = []  # what was wrong before any crash
        self.accepted: list[str] = []

    def hear(self, line: str) -> None:
        """Take one line of a story."""
        what, *words = line.split()
        if what in ("failing", "shortening"):
            if what == "failing" and words[0] in _MUST_TELL:
                self._failed = " ".join(words)
                self._has_failed = True
            return
        if what in _BEGINNINGS:
            self._failed = ""
        elif self._failed and what in _ENDINGS:
            self.faults.append(f"{self._failed} had failed, and the answer was: {line}")
        if what == "settling":
            return
        if what == "settled":
            for promise in self._promises.values():
                promise.must_be_gone |= promise.is_leaving
            return
        name, *words = words
        getattr(self, f"_{what}")(name, self._promises[name], *words)

    def _begin(self, _name: str, promise: _Promise) -> None:
        promise.must_be_gone = False

    def _refuse(self, _name: str, _promise: _Promise) -> None:
        pass  # it may be there all the same: its caller tries again

    def _ack(self, name: str, promise: _Promise) -> None:
        promise.is_accepted = True
        promise.may_be_gone = False
        self.accepted.append(name)

    def _sent(self, name: str, promise: _Promise, statuses: str) -> None:
        for number, status in enumerate(statuses.encode()):
            if status == ord("P"):
                continue
            promise.is_told[number] = True
            if ord("P") not in promise.statuses[number]:
                self.faults.append(f"{name} was sent again, and it was known that it need not be")

    def _recording(self, _name: str, promise: _Promise, statuses: str) -> None:
        for status, known in zip(statuses.encode(), promise.statuses, strict=True):
            known.add(status)

    def _recorded(self, _name: str, promise: _Promise, statuses: str, how: str) -> None:
        if how == "durable" or self._has_power:
            promise.statuses = [{status} for status in statuses.encode()]

    def _moving(self, _name: str, promise: _Promise, _source: str, target: str) -> None:
        promise.places = promise.places | {target}

    def _moved(self, _name: str, promise: _Promise, _source: str, target: str) -> None:
        promise.places = {target}

    def _removing(self, name: str, promise: _Promise) -> None:
        for known, is_told in zip(promise.statuses, promise.is_told, strict=True):
            # Where the disk failed while it was recorded, it may be sent twice, but it was sent.
            if ord("P") in known and not (is_told and self._has_failed):
                self.faults.append(f"{name} is removed, and somebody may still wait for it")
        promise.may_be_gone = True

    def _removed(self, _name: str, promise: _Promise) -> None:
        promise.is_leaving = True
        promise.must_be_gone |= self._has_power

    def broken(self, found: Mapping[str, list[Found]]) -> list[str]:
        """Return which promises a spool does not keep in which this was found."""
        return [*self.faults, *self._broken(found)]

    def _broken(self, found: Mapping[str, list[Found]]) -> Iterator[str]:
        for name, promise in self._promises.items():
            copies = found.get(name, ())
            if not copies and not promise.may_be_gone:
                yield f"{name} was accepted, and it is lost"
            if copies and promise.must_be_gone:
                yield f"{name} was removed for good, and it is back"
            yield from _differences(name, promise, copies)
        for name in found.keys() - self._promises.keys():
            yield f"{name} was never handed in"


def _differences(name: str, promise: _Promise, copies: Iterable[Found]) -> Iterator[str]:
    for place, statuses, is_whole in copies:
        if not is_whole:
            yield f"{name} in {place} is not what was handed in"
        if place not in promise.places:
            yield f"{name} is in {place}, and belongs in {sorted(promise.places)}"
        if len(statuses) != len(promise.statuses):
            yield f"{name} has other recipients"
        for number, (status, known) in enumerate(zip(statuses, promise.statuses, strict=False)):
            if status not in known:
                yield f"recipient {number} of {name} is {chr(status)}, not {bytes(sorted(known))}"
