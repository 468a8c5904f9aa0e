"""A power cut at any instant loses nothing that was accepted and resends nothing recorded."""

from __future__ import annotations

import pytest

from crash.explore import KINDS, explore

# How many states there are at least; `explore.py --states N` looks at more.
_STATES = {
    "submit": 5_000,
    "deliver": 17_000,
    "together": 2_000,
    "submit-killed": 10_000,
    "deliver-killed": 13_000,
    "submit-failing": 22_000,
    "deliver-failing": 38_000,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_keeps_every_promise_in_every_state(kind):
    """100,000 states in all: see ``explore.py`` for what one is."""
    explorer = explore(kind, 100_000)
    assert list(dict.fromkeys(explorer.broken))[:10] == []
    assert explorer.states >= _STATES[kind]
    assert sum(_STATES.values()) >= 100_000
