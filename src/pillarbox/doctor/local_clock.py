"""The clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.finding import Finding
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_clock"]

CODES: tuple[str, ...] = ()


def check_clock(_patient: Patient) -> Iterator[Finding]:
    """Look at it."""
    yield from ()
