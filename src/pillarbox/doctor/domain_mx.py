"""The domain's MX."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pillarbox.doctor.finding import Finding
    from pillarbox.doctor.patient import Patient

__all__ = ["CODES", "check_mx"]

CODES: tuple[str, ...] = ()


def check_mx(_patient: Patient) -> Iterator[Finding]:
    """Look at it."""
    yield from ()
