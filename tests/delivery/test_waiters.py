"""Callers who wait for what becomes of their mail."""

from __future__ import annotations

from pillarbox.delivery.waiters import Waiters, keep


def test_answers_all_who_wait_for_an_entry_once():
    """Each promise for an entry is kept, and another's is not touched."""
    waiters = Waiters()
    first, second, other = waiters.add("one"), waiters.add("one"), waiters.add("two")
    keep(waiters.take("one"), "one", (), is_kept=True)
    assert first.result(0).id == second.result(0).id == "one"
    assert first.result(0).is_kept
    assert not other.done()
    assert waiters.take("one") == []


def test_forgets_who_does_not_listen_any_more():
    """A promise that was cancelled is nobody's: nothing of it is left."""
    waiters = Waiters()
    gone, there = waiters.add("one"), waiters.add("one")
    alone = waiters.add("two")
    assert gone.cancel()
    assert alone.cancel()
    assert waiters.take("one") == [there]
    assert waiters.take("two") == []


def test_cannot_be_cancelled_once_an_answer_is_on_its_way():
    """Who took a promise will keep it; nobody can turn it into an error meanwhile."""
    waiters = Waiters()
    promise = waiters.add("one")
    taken = waiters.take("one")
    assert not promise.cancel()
    keep(taken, "one", (), is_kept=False)
    assert not promise.result(0).is_kept
