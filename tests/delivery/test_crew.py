"""The threads that do what blocks."""

from __future__ import annotations

import threading

from pillarbox.delivery.crew import Crew

_PATIENCE_S = 20


def test_does_everything_before_wait_returns():
    """All that was given is done, and ``wait`` knows when."""
    crew, done = Crew(3, "test"), []
    for number in range(500):
        crew.do(lambda number=number: done.append(number))
    crew.wait()
    assert sorted(done) == list(range(500))


def test_does_several_things_at_a_time():
    """As many pieces as there are threads run at once: each here waits for the others."""
    crew = Crew(3, "test")
    barrier = threading.Barrier(3, timeout=_PATIENCE_S)
    met = []
    for _ in range(3):
        crew.do(lambda: met.append(barrier.wait()))
    crew.wait()
    assert sorted(met) == [0, 1, 2]


def test_makes_a_caller_wait_who_brings_too_much():
    """What is not done yet is bounded, and with it what a crash could repeat."""
    crew, gate = Crew(1, "test"), threading.Event()
    given = threading.Semaphore(0)

    def bring():
        for _ in range(100):
            crew.do(lambda: gate.wait(_PATIENCE_S))
            given.release()

    bringer = threading.Thread(target=bring, daemon=True)
    bringer.start()
    for _ in range(64):
        assert given.acquire(timeout=_PATIENCE_S)
    assert not given.acquire(timeout=0.05)
    gate.set()
    bringer.join(_PATIENCE_S)
    crew.wait()
    assert not bringer.is_alive()
