"""What is handed out of the queue, to whom, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pillarbox.delivery.queue import Item, Queue
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import Entry, Head, Origin, Progress


def item(name, *, account="a", due=0.0, accepted=0.0, priority=0, uid=0, size=10):
    """Return an item of the queue."""
    envelope = Envelope(None, (parse_mailbox("x@example.org"),))
    head = Head(name, accepted, envelope, account=account, priority=priority, origin=Origin(uid))
    return Item(Entry(head, Progress(b"P"), size), due_s=due, watched_s=0.0)


def queue_of(*items):
    """Return a queue of these."""
    queue = Queue()
    for each in items:
        assert queue.add(each)
    return queue


def taken(queue, now=100.0, lane="a"):
    """Take everything that is due, and return the ids in their order."""
    found = []
    while (each := queue.take(lane, now)) is not None:
        found.append(each.id)
    return found


def test_hands_out_the_oldest_first():
    """Of what is due the first accepted goes first, whenever it became due."""
    queue = queue_of(item("new", accepted=3, due=1), item("old", accepted=1, due=9))
    assert taken(queue) == ["old", "new"]


def test_hands_out_urgent_mail_before_older_mail():
    """A priority of 4 and more goes first; lower ones make no difference."""
    queue = queue_of(
        item("old", accepted=1),
        item("mild", accepted=2, priority=3),
        item("urgent", accepted=3, priority=4),
    )
    assert taken(queue) == ["urgent", "old", "mild"]


def test_attack_a_flood_of_one_user_does_not_hold_up_the_others():
    """Each user's mail goes in turn, his oldest first, however much another has waiting."""
    flood = [item(f"flood{n}", accepted=n, uid=1) for n in range(5)]
    queue = queue_of(
        *flood,
        item("alert", accepted=9, uid=0),
        item("his1", accepted=7, uid=2),
        item("his0", accepted=6, uid=2),
    )
    assert taken(queue) == [
        "flood0", "alert", "his0", "flood1", "his1", "flood2", "flood3", "flood4",
    ]  # fmt: skip


def test_attack_who_comes_again_and_again_gets_no_turn_of_another():
    """One mail at a time is no way to the front: who waits longer has his turn."""
    queue = queue_of(*(item(f"waits{n}", accepted=n, uid=1) for n in range(3)))
    found = []
    for number in range(3):
        queue.add(item(f"again{number}", accepted=9, uid=2))
        for _ in range(2):
            one = queue.take("a", 100.0)
            found.append(one.id)
            queue.forget(one)
    assert found == ["waits0", "again0", "waits1", "again1", "waits2", "again2"]


def test_a_user_whose_mail_went_away_is_no_hole_in_the_order():
    """What was deleted or put off while its turn came is passed by."""
    queue = queue_of(item("one", uid=1), item("two", uid=2), item("three", uid=3))
    assert queue.due_s("a") == 0.0
    queue.first("a", 100.0)
    queue.forget(queue.take_one("one"))
    queue.set_due(200.0, ids=["two"])
    assert taken(queue) == ["three"]
    assert taken(queue, now=200.0) == ["two"]


def test_hands_out_nothing_before_its_time():
    """What is due later stays, and the queue says when that is."""
    queue = queue_of(item("later", due=50.0))
    assert taken(queue, now=49.9) == []
    assert queue.due_s("a") == 50.0
    assert taken(queue, now=50.0) == ["later"]
    assert queue.due_s("a") is None


def test_hands_out_each_item_once():
    """What a worker has is nobody else's, until it is given back."""
    queue = queue_of(item("one"))
    one = queue.take("a", 0.0)
    assert taken(queue) == []
    assert queue.take_one("one") is None
    queue.give_back(one, 7.0)
    assert taken(queue, now=6.9) == []
    assert taken(queue, now=7.0) == ["one"]


def test_knows_an_item_only_once():
    """The same entry cannot come in twice: it would be sent twice."""
    queue = queue_of(item("one"))
    assert not queue.add(item("one"))
    assert taken(queue) == ["one"]


def test_keeps_accounts_apart():
    """A lane hands out what goes through its account only."""
    queue = queue_of(item("mine"), item("other", account="b"))
    assert taken(queue) == ["mine"]
    assert queue.lanes() == ["a", "b"]
    assert taken(queue, lane="b") == ["other"]


def test_reroutes_what_waits_and_leaves_what_is_on_its_way():
    """Mail changes lanes as it is told to; an item that a worker has stays where it is."""
    queue = queue_of(item("busy"), item("free"), item("kept"))
    assert queue.take_one("busy") is not None
    assert queue.reroute("a", lambda each: "b" if each.id == "free" else "a") == 1
    assert taken(queue, lane="b") == ["free"]
    assert taken(queue) == ["kept"]


def test_changes_due_times_of_a_lane_of_some_and_of_all():
    """A changed time counts, and the old one is forgotten."""
    queue = queue_of(item("one", due=50), item("two", due=60), item("three", due=70, account="b"))
    assert queue.set_due(5.0, ids=["two", "nobody"]) == 1
    assert taken(queue, now=5.0) == ["two"]
    assert queue.set_due(90.0, lane="a") == 1
    assert taken(queue, now=89.0) == []
    assert queue.set_due(0.0) == 2
    assert taken(queue, now=0.0) == ["one"]
    assert taken(queue, now=0.0, lane="b") == ["three"]


def test_counts_what_each_user_has():
    """Number and octets of a user's mail follow what comes and goes."""
    queue = queue_of(item("one", uid=7, size=10), item("two", uid=7, size=5), item("three", uid=8))
    assert queue.share_of(7) == (2, 15)
    assert sorted(queue.ids_of(7)) == ["one", "two"]
    queue.forget(queue.take_one("one"))
    assert queue.share_of(7) == (1, 5)
    queue.forget(queue.take_one("two"))
    assert queue.share_of(7) == (0, 0)
    assert len(queue) == 1
    assert "one" not in queue


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "give", "forget", "due", "add", "reroute"]),
            st.integers(0, 9),
            st.integers(0, 20),
        ),
        max_size=60,
    )
)
def test_never_loses_and_never_doubles_an_item(steps):
    """Whatever is done with it, an item is out once, or waits once and comes out in the end."""
    queue = Queue()
    out, waiting, time = {}, set(), 0
    for step, number, seconds in steps:
        time += seconds
        name = f"m{number}"
        if step == "add" and name not in out and name not in waiting:
            queue.add(item(name, due=time, account="ab"[number % 2]))
            waiting.add(name)
        elif step == "take":
            for lane in "ab":
                found = queue.take(lane, time)
                if found is not None:
                    assert found.id in waiting
                    assert found.due_s <= time
                    waiting.remove(found.id)
                    out[found.id] = found
        elif step == "give" and name in out:
            queue.give_back(out.pop(name), time)
            waiting.add(name)
        elif step == "forget" and name in out:
            queue.forget(out.pop(name))
        elif step == "due":
            queue.set_due(time, lane="ab"[number % 2])
        elif step == "reroute":
            queue.reroute("a", lambda each, n=number: "b" if each.priority == n % 2 else "a")
    rest = taken(queue, 9999.0, "a") + taken(queue, 9999.0, "b")
    assert sorted(rest) == sorted(waiting)


def test_shows_what_goes_first_without_handing_it_out():
    """Whoever looks whether it may go leaves it where it is, and in its place."""
    queue = queue_of(item("old", accepted=1), item("urgent", accepted=2, priority=4, due=50.0))
    assert queue.first("a", 0.0).id == "old"
    assert queue.first("a", 60.0).id == "urgent"
    assert queue.first("a", 60.0).id == "urgent"
    assert not queue.get("urgent").is_busy
    assert taken(queue) == ["urgent", "old"]
    assert queue.first("a", 60.0) is None
    assert queue.first("nothing", 60.0) is None
