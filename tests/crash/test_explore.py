"""A power cut at any instant loses nothing that was accepted and resends nothing recorded."""

from __future__ import annotations

import pytest

from crash.explore import KINDS, explore

# How many states each kind has to offer at least; `explore.py --states N` looks at more.
_STATES = {
    "submit": 8_000,
    "deliver": 32_000,
    "submit-killed": 10_000,
    "deliver-killed": 12_000,
    "submit-failing": 18_000,
    "deliver-failing": 20_000,
}


@pytest.mark.parametrize("kind", KINDS)
def test_keeps_every_promise_in_every_state(kind):
    """100,000 states in all: see ``explore.py`` for what one is."""
    explorer = explore(kind, _STATES[kind])
    assert list(dict.fromkeys(explorer.broken))[:10] == []
    assert explorer.states >= _STATES[kind]
    assert sum(_STATES.values()) >= 100_000
