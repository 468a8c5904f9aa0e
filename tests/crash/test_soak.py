"""The whole daemon under load, killed again and again: a slice of ``make soak``."""

from __future__ import annotations

from crash.soak import Soak

_SEED = 7


def test_the_daemon_killed_again_and_again_loses_nothing():
    """Six kills while callers hand over, and a provider that fails in one of twenty replies."""
    soak = Soak(_SEED)
    soak.run(kills=6)
    assert not soak.broken, f"seed {_SEED}: {soak.summary()}: {soak.broken[:10]}"
    assert soak.kills == 6
    assert len(soak.accepted) >= 60
