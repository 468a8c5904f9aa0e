"""A power cut at any instant loses nothing that was accepted and resends nothing recorded."""

from __future__ import annotations

import os

import pytest

from crash.explore import KINDS, explore

# A fifth of all, spread evenly; with PILLARBOX_ALL_POINTS, or `explore.py --states N`, the whole.
_PART = 1 if os.environ.get("PILLARBOX_ALL_POINTS") else 5

# How many states of each kind the whole has at least.
_STATES = {
    "submit": 5_000,
    "deliver": 17_000,
    "together": 2_000,
    "submit-killed": 10_000,
    "deliver-killed": 13_000,
    "submit-failing": 22_000,
    "deliver-failing": 38_000,
}


@pytest.mark.sliced(1)  # itself takes a part of the states
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_keeps_every_promise_in_every_state(kind):
    """100,000 states in all, of which this is a part: see ``explore.py`` for what one is."""
    explorer = explore(kind, 100_000 // _PART)
    assert list(dict.fromkeys(explorer.broken))[:10] == []
    assert explorer.states >= _STATES[kind] // _PART
    assert sum(_STATES.values()) >= 100_000
