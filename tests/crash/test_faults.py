"""Each planted mistake is noticed by the harness, or by the test that is there for it."""

from __future__ import annotations

import os

import pytest

from crash.faults import FAULTS, noticed, plant

# The others take a minute more, and are planted with PILLARBOX_ALL_POINTS.
_ALWAYS = {
    "a-mail-is-not-fsynced",
    "the-queue-is-not-fsynced",
    "yes-is-said-before-the-queue-is-fsynced",
    "a-failed-fsync-is-tried-again",
    "a-mail-is-renamed-before-it-is-fsynced",
    "the-end-of-a-file-is-not-verified",
    "a-mail-is-removed-before-it-is-marked",
    "a-login-that-is-refused-fails-the-mail",
    "the-calendar-alone-gives-a-mail-up",
    "every-mail-has-a-login-of-its-own",
}
_CHOSEN = [
    fault for fault in FAULTS if str(fault) in _ALWAYS or "PILLARBOX_ALL_POINTS" in os.environ
]


def test_the_faults_that_are_always_planted_are_there():
    """No name above has lost its row."""
    assert {str(fault) for fault in FAULTS} >= _ALWAYS


@pytest.mark.parametrize("fault", _CHOSEN, ids=str)
def test_a_planted_fault_is_noticed(fault, tmp_path):
    """With the fault in a copy of the package, who should notice it does."""
    is_noticed, said = noticed(fault, plant(fault, tmp_path))
    assert is_noticed, said[-3000:]
