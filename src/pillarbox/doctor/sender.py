"""Whether this sender is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.finding import Finding
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_sender"]

CODES: tuple[str, ...] = ()


def check_sender(_patient: Patient) -> Iterator[Finding]:
    """Look at it."""
    yield from ()
