"""Each planted mistake is noticed by the harness, or by the test that is there for it."""

from __future__ import annotations

import pytest

from crash.faults import FAULTS, noticed, plant


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault, tmp_path):
    """With the fault in a copy of the package, who should notice it does."""
    is_noticed, said = noticed(fault, plant(fault, tmp_path))
    assert is_noticed, said[-3000:]
