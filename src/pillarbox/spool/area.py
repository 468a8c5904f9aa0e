"""
The mutable area of an entry's file: what became of the mail so far, in place.

It is the same line twice, each with a checksum, of fixed place and width. What a power cut in
the middle of a write may leave are octets of the old and of the new area, mixed; a damaged disk
may leave anything. ``parse_progress`` takes the copy that is whole, and where none is, what
every single status says for itself.

The rule to keep: whatever the area holds, the mail is not lost (what cannot be understood is
pending), and who has it does not get it again (a final status wins).
"""

from __future__ import annotations

from binascii import crc32
from functools import lru_cache

from pillarbox.errors import LocalProtocolError
from pillarbox.spool.base import BOUNCED, DELIVERED, PENDING, Progress
from pillarbox.text import say

__all__ = [
    "MAX_RECIPIENTS",
    "area_bytes",
    "check_statuses",
    "first_area",
    "first_progress",
    "format_progress",
    "parse_progress",
]

# The area of 1,500 statuses ends in front of octet 4096: a page of every file system, and the
# sector of most disks. Nobody accepts more than about a thousand recipients in one mail.
MAX_RECIPIENTS = 1500

_REASON_BYTES = 200
_NO_REASON = b" " * _REASON_BYTES
_CRC_AT = len("progress ")
_STATUSES_AT = _CRC_AT + 8 + 1
_COUNTERS_FORMAT = " attempts=%010d last=%014.3f observed=%014.3f doubt=%s warned=%s reason="
_COUNTERS_BYTES = len(_COUNTERS_FORMAT % (0, 0.0, 0.0, "-", "-"))
_REST_BYTES = _STATUSES_AT + _COUNTERS_BYTES + _REASON_BYTES + 1
_MAX_ATTEMPTS = 9_999_999_999
_MAX_SECONDS = 9_999_999_999.0  # until the year 2286

_FINAL = DELIVERED + BOUNCED
_STATUSES = PENDING + _FINAL


def area_bytes(recipients: int) -> int:
    """Return the width of the area."""
    return 2 * (recipients + _REST_BYTES)


def first_progress(recipients: int) -> Progress:
    """Return the progress of a mail that nobody tried to send."""
    return Progress(PENDING * recipients)


@lru_cache(maxsize=64)
def first_area(recipients: int) -> bytes:
    """Return its mutable area: that of most entries, and so the one to be fast with."""
    return format_progress(first_progress(recipients))


def check_statuses(progress: Progress, before: Progress) -> None:
    """
    Let pass what can be recorded for an entry.

    Raises:
        LocalProtocolError: It has more or fewer recipients, or a status that there is none of.

    """
    statuses = progress.statuses
    if len(statuses) != len(before.statuses) or statuses.strip(_STATUSES):
        raise LocalProtocolError(say("these are no statuses for this entry"))


def format_progress(progress: Progress) -> bytes:
    """
    Return the mutable area: the same line twice.

    Times are kept to the millisecond; what is too large, or no number, is made to fit.
    """
    counters = _COUNTERS_FORMAT % (
        max(0, min(progress.attempts, _MAX_ATTEMPTS)),
        _seconds(progress.last_attempt_s),
        _seconds(progress.observed_s),
        "Y" if progress.is_in_doubt else "-",
        "Y" if progress.has_warned else "-",
    )
    body = progress.statuses + counters.encode() + _format_reason(progress.reason) + b"\n"
    return (b"progress %08x " % crc32(body) + body) * 2


def _seconds(value: float) -> float:
    # A comparison with NaN is false: it becomes 0, as nothing is known then.
    return min(value, _MAX_SECONDS) if value > 0 else 0.0


def _format_reason(reason: str) -> bytes:
    if not reason:
        return _NO_REASON
    if not reason.isprintable():
        reason = "".join(char if char.isprintable() else " " for char in reason)
    data = reason.encode()
    if len(data) > _REASON_BYTES:
        data = data[:_REASON_BYTES].decode("utf-8", "ignore").encode()
    return data.ljust(_REASON_BYTES)


def parse_progress(area: bytes, recipients: int) -> Progress:
    """
    Read the mutable area, whatever a power cut made of it. Never raises.

    A whole copy is believed. Of two whole ones that differ, or none, each final status counts,
    and of the rest what the later copy says, if it can be read; zeros else.
    """
    if area == first_area(recipients):
        return first_progress(recipients)
    half = len(area) // 2
    first, second = area[:half], area[half:]
    if _is_whole(first) and (first == second or not _is_whole(second)):
        return _parse_copy(first, recipients)
    if _is_whole(second) and not _is_whole(first):
        return _parse_copy(second, recipients)
    copies = [_parse_copy(copy, recipients) for copy in (first, second) if _is_whole(copy)]
    latest = max(copies, key=_age, default=Progress(b"", is_in_doubt=True))
    statuses = bytes(
        map(_status, first[_STATUSES_AT:][:recipients], second[_STATUSES_AT:][:recipients])
    )
    return Progress(
        statuses,
        attempts=latest.attempts,
        last_attempt_s=latest.last_attempt_s,
        observed_s=latest.observed_s,
        is_in_doubt=latest.is_in_doubt,
        has_warned=latest.has_warned,
        reason=latest.reason,
    )


def _age(progress: Progress) -> tuple[int, float]:
    return progress.attempts, progress.last_attempt_s


def _is_whole(copy: bytes) -> bool:
    crc = b"progress %08x " % crc32(copy[_STATUSES_AT:])
    return copy.startswith(crc)


def _status(first: int, second: int) -> int:
    for status in (first, second):
        if status in _FINAL:
            return status
    return PENDING[0]


def _parse_copy(copy: bytes, recipients: int) -> Progress:
    statuses = copy[_STATUSES_AT : _STATUSES_AT + recipients]
    counters = copy[_STATUSES_AT + recipients :]
    return Progress(
        statuses,
        attempts=int(counters[10:20]),
        last_attempt_s=float(counters[26:40]),
        observed_s=float(counters[50:64]),
        is_in_doubt=counters[71:72] == b"Y",
        has_warned=counters[80:81] == b"Y",
        reason=counters[_COUNTERS_BYTES:].decode("utf-8", "replace").rstrip(),
    )
