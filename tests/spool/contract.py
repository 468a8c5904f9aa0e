"""What every spool must do: one class, inherited by the tests of each backend."""

import threading

import pytest

from pillarbox.errors import (
    CorruptEntryError,
    EntryNotFoundError,
    LocalProtocolError,
    SpoolError,
)
from pillarbox.spool.base import (
    CORRUPT,
    FAILED,
    HOLD,
    QUEUE,
    STATES,
    Progress,
    Spool,
)
from spool.letters import make_head

CONTENTS = [
    b"",
    b"\n",
    b"Subject: hi\n\nhello\n",
    b"no line end",
    b"\0\r\n\r\r\n\xff\xfe\0",
    b"\nend 000000000000 0000\n",
    b"x" * 65_535,
    b"y" * 300_000 + b"\n.\n",
]

PROGRESSES = [
    Progress(b"PPP"),
    Progress(b"DPF", attempts=1, last_attempt_s=1_795_000_000.125),
    Progress(b"DDD", attempts=7, observed_s=36_000.5, is_in_doubt=True),
    Progress(b"FFF", has_warned=True, reason="554 5.7.1 no, and never"),
    Progress(b"PDP", attempts=9_999_999_999, reason="不行：连接被拒绝"),
]


def put(spool, content=b"Subject: hi\n\nhello\n", **changes):
    """Commit an entry and return its head."""
    head = make_head(**changes)
    draft = spool.begin(head)
    draft.write(content)
    draft.commit()
    return head


def content_of(claim, size=1 << 16):
    """Return all that is left to read of a claim."""
    pieces = []
    while piece := claim.read(size):
        pieces.append(piece)
    return b"".join(pieces)


def ids(spool, state=QUEUE):
    """Return the queue IDs of a state in order."""
    return sorted(spool.names(state))


class SpoolContract:
    """The tests; a backend says how one of its spools is made, opened again and damaged."""

    def make(self) -> Spool:
        """Return a new spool, not yet open."""
        raise NotImplementedError

    def reopened(self, spool):
        """Return the spool as another process would find it behind the end of this one."""
        raise NotImplementedError

    def damage(self, spool, entry_id):
        """Damage the content of an entry in the queue."""
        raise NotImplementedError

    @pytest.fixture
    def spool(self):
        """Return an open spool."""
        self.claims = []
        spool = self._watched(self.make())
        spool.open()
        yield spool
        for claim in self.claims:
            claim.close()
        spool.close()

    def again(self, spool):
        """Return the spool behind a restart."""
        return self._watched(self.reopened(spool))

    def _watched(self, spool):
        """Have every claim closed at the end, so that no test has to."""
        claim = spool.claim

        def claim_and_note(*args):
            self.claims.append(claim(*args))
            return self.claims[-1]

        spool.claim = claim_and_note
        return spool

    def test_is_empty_at_first(self, spool):
        """A new spool has nothing in any state."""
        assert [list(spool.scan(state)) for state in STATES] == [[], [], [], []]
        assert [spool.names(state) for state in STATES] == [[], [], [], []]

    @pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
    def test_gives_back_what_was_written_octet_for_octet(self, spool, content):
        """The content, and its size, are those that were written."""
        head = put(spool, content)
        claim = spool.claim(head.id)
        assert claim.entry.size_bytes == len(content)
        assert content_of(claim) == content
        claim.close()

    def test_gives_back_what_was_written_in_pieces(self, spool):
        """Pieces of any size make one content."""
        head = make_head()
        draft = spool.begin(head)
        pieces = [b"a" * size for size in (0, 1, 70_000, 3, 0, 65_536)]
        for piece in pieces:
            draft.write(piece)
        draft.commit()
        assert content_of(spool.claim(head.id), 1000) == b"".join(pieces)

    def test_rewinds_to_the_first_octet(self, spool):
        """A second reading gives the same, wherever the first ended."""
        for content in (b"0123456789", b"0123456789" * 20_000):
            claim = spool.claim(put(spool, content).id)
            assert claim.read(4) == b"0123"
            claim.rewind()
            assert content_of(claim, 7000) == content
            assert claim.read(1) == b""
            claim.close()

    def test_reads_nothing_when_nothing_is_asked_for(self, spool):
        """A size of zero does not move on."""
        claim = spool.claim(put(spool, b"abc").id)
        assert claim.read(0) == b""
        assert claim.read(100) == b"abc"

    def test_knows_the_head_again(self, spool):
        """What is read is the head that was put in, in every way of reading."""
        head = put(spool)
        assert spool.read(head.id).head == head
        assert [entry.head for entry in spool.scan()] == [head]
        assert spool.claim(head.id).entry.head == head

    def test_begins_with_all_recipients_pending(self, spool):
        """Nobody has a new mail, and nobody tried."""
        head = put(spool)
        assert spool.read(head.id).progress == Progress(b"PPP")

    def test_shows_nothing_before_commit(self, spool):
        """An entry that is being written is not there."""
        head = make_head()
        draft = spool.begin(head)
        draft.write(b"x" * 200_000)
        assert spool.names() == []
        assert list(spool.scan()) == []
        with pytest.raises(EntryNotFoundError):
            spool.claim(head.id)
        draft.discard()

    def test_leaves_nothing_of_a_discarded_draft(self, spool):
        """A discarded entry never comes, however often it is discarded."""
        draft = spool.begin(make_head())
        draft.write(b"x" * 200_000)
        draft.discard()
        draft.discard()
        assert ids(self.again(spool)) == []

    def test_keeps_what_was_committed_when_its_draft_is_discarded(self, spool):
        """``discard`` behind ``commit`` does nothing: a caller may do it at every end."""
        head = make_head()
        draft = spool.begin(head)
        draft.commit()
        draft.discard()
        assert spool.names() == [head.id]

    @pytest.mark.parametrize("ending", ["commit", "discard"])
    def test_refuses_a_draft_that_is_finished(self, spool, ending):
        """A finished draft takes no more octets and no second commit."""
        draft = spool.begin(make_head())
        getattr(draft, ending)()
        with pytest.raises(LocalProtocolError):
            draft.write(b"x")
        with pytest.raises(LocalProtocolError):
            draft.commit()

    @pytest.mark.parametrize("progress", PROGRESSES)
    def test_remembers_what_was_recorded(self, spool, progress):
        """What was recorded is read back, here and after a restart."""
        head = put(spool)
        claim = spool.claim(head.id)
        claim.record(progress, is_durable=True)
        assert claim.entry.progress == progress
        claim.close()
        assert spool.read(head.id).progress == progress
        assert spool.claim(head.id).entry.progress == progress
        assert self.again(spool).read(head.id).progress == progress

    @pytest.mark.parametrize("progress", PROGRESSES)
    def test_remembers_what_was_updated(self, spool, progress):
        """An update without a claim is read back, and the content is still whole."""
        head = put(spool, b"abc")
        spool.update(head.id, progress)
        claim = spool.claim(head.id)
        assert (claim.entry.progress, content_of(claim)) == (progress, b"abc")

    def test_records_again_and_again(self, spool):
        """The last record counts, and the content stays readable in between."""
        head = put(spool, b"abc" * 100_000)
        claim = spool.claim(head.id)
        for attempt in range(1, 20):
            claim.record(Progress(b"PPD", attempts=attempt), is_durable=False)
            claim.rewind()
            assert content_of(claim) == b"abc" * 100_000
        assert spool.read(head.id).progress.attempts == 19

    @pytest.mark.parametrize("statuses", [b"", b"PP", b"PPPP", b"PxP", b"P P", b"ppp"])
    def test_refuses_statuses_that_cannot_be(self, spool, statuses):
        """Another number of recipients, or an unknown status, is a bug of the caller."""
        head = put(spool)
        claim = spool.claim(head.id)
        for record in (
            lambda progress: claim.record(progress, is_durable=True),
            lambda progress: spool.update(head.id, progress),
        ):
            with pytest.raises(LocalProtocolError):
                record(Progress(statuses))
        assert spool.read(head.id).progress == Progress(b"PPP")

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (Progress(b"PPP", attempts=-1), Progress(b"PPP")),
            (Progress(b"PPP", attempts=10**30), Progress(b"PPP", attempts=9_999_999_999)),
            (Progress(b"PPP", last_attempt_s=-5.0), Progress(b"PPP")),
            (Progress(b"PPP", observed_s=float("nan")), Progress(b"PPP")),
            (Progress(b"PPP", observed_s=1e300), Progress(b"PPP", observed_s=9_999_999_999.0)),
            (
                Progress(b"PPP", observed_s=float("inf")),
                Progress(b"PPP", observed_s=9_999_999_999.0),
            ),
            (Progress(b"PPP", observed_s=1.00049), Progress(b"PPP", observed_s=1.0)),
            (Progress(b"PPP", reason="a\nb\r\0\x85\u2028c"), Progress(b"PPP", reason="a b    c")),
            (Progress(b"PPP", reason="x" * 300), Progress(b"PPP", reason="x" * 200)),
            (Progress(b"PPP", reason="长" * 100), Progress(b"PPP", reason="长" * 66)),
            (Progress(b"PPP", reason="\udc80 \ud800"), Progress(b"PPP")),
        ],
    )
    def test_makes_odd_progress_fit(self, spool, given, kept):
        """What has no room in the record is cut, and never spoils the rest."""
        head = put(spool)
        claim = spool.claim(head.id)
        claim.record(given, is_durable=True)
        assert spool.read(head.id).progress == kept

    def test_two_entries_do_not_touch_each_other(self, spool):
        """Recording and removing one leaves the other as it is."""
        first, second = put(spool, b"1"), put(spool, b"2")
        claim = spool.claim(first.id)
        claim.record(Progress(b"DDD"), is_durable=True)
        claim.close()
        spool.remove(first.id)
        assert [(e.head, e.progress) for e in spool.scan()] == [(second, Progress(b"PPP"))]
        assert content_of(spool.claim(second.id)) == b"2"

    def test_removes_for_good(self, spool):
        """What was removed is gone, also after a restart."""
        head = put(spool)
        spool.remove(head.id)
        spool.settle()
        spool.settle()
        assert (spool.names(), list(spool.scan())) == ([], [])
        for act in (spool.read, spool.claim, spool.remove):
            with pytest.raises(EntryNotFoundError):
                act(head.id)
        with pytest.raises(EntryNotFoundError):
            spool.update(head.id, Progress(b"PPP"))
        assert ids(self.again(spool)) == []

    def test_a_claim_outlives_the_removal_of_its_entry(self, spool):
        """Who has an entry open can still read and record."""
        head = put(spool, b"abc" * 100_000)
        claim = spool.claim(head.id)
        spool.remove(head.id)
        claim.record(Progress(b"DDD"), is_durable=True)
        assert content_of(claim) == b"abc" * 100_000
        claim.close()
        claim.close()

    @pytest.mark.parametrize(
        ("source", "target"), [(QUEUE, HOLD), (QUEUE, FAILED), (HOLD, QUEUE), (FAILED, QUEUE)]
    )
    def test_moves_an_entry_with_all_that_it_has(self, spool, source, target):
        """A moved entry is in its new state only, with content and progress."""
        head = put(spool, b"abc")
        if source != QUEUE:
            spool.move(head.id, QUEUE, source)
        claim = spool.claim(head.id, source)
        claim.record(Progress(b"PDF", attempts=3), is_durable=True)
        claim.close()
        spool.move(head.id, source, target)
        again = self.again(spool)
        assert {state: ids(again, state) for state in STATES if ids(again, state)} == {
            target: [head.id]
        }
        claim = again.claim(head.id, target)
        assert claim.entry.progress == Progress(b"PDF", attempts=3)
        assert content_of(claim) == b"abc"

    def test_moves_nothing_that_is_not_there(self, spool):
        """A move of nothing says so."""
        with pytest.raises(EntryNotFoundError):
            spool.move(make_head().id, QUEUE, HOLD)

    def test_does_not_move_onto_another_entry(self, spool):
        """An entry of the same ID is not replaced."""
        head = put(spool, b"first")
        spool.move(head.id, QUEUE, HOLD)
        draft = spool.begin(head)
        draft.write(b"second")
        draft.commit()
        with pytest.raises(SpoolError):
            spool.move(head.id, QUEUE, HOLD)
        assert content_of(spool.claim(head.id, HOLD)) == b"first"
        assert content_of(spool.claim(head.id)) == b"second"

    def test_puts_a_damaged_entry_aside_when_it_is_claimed(self, spool):
        """A damaged content is never sent, never deleted, and stops nothing."""
        good, bad = put(spool, b"good"), put(spool, b"bad")
        self.damage(spool, bad.id)
        with pytest.raises(CorruptEntryError):
            spool.claim(bad.id)
        assert ids(spool, CORRUPT) == [bad.id]
        assert [entry.head.id for entry in spool.scan()] == [good.id]
        with pytest.raises(EntryNotFoundError):
            spool.claim(bad.id)
        assert ids(self.again(spool), CORRUPT) == [bad.id]

    def test_removes_a_damaged_entry_when_a_person_says_so(self, spool):
        """What was put aside can be removed by its name."""
        bad = put(spool)
        self.damage(spool, bad.id)
        with pytest.raises(CorruptEntryError):
            spool.claim(bad.id)
        spool.remove(bad.id, CORRUPT)
        assert spool.names(CORRUPT) == []

    def test_keeps_everything_over_a_restart(self, spool):
        """A restart finds what was committed, as it was recorded."""
        heads = [put(spool, b"%d" % number) for number in range(20)]
        claim = spool.claim(heads[3].id)
        claim.record(Progress(b"DPF", attempts=2), is_durable=True)
        claim.close()
        again = self.again(spool)
        entries = {entry.head.id: entry for entry in again.scan()}
        assert sorted(entries) == sorted(head.id for head in heads)
        assert [entries[head.id].head for head in heads] == heads
        assert entries[heads[3].id].progress == Progress(b"DPF", attempts=2)
        assert content_of(again.claim(heads[7].id)) == b"7"

    @pytest.mark.parametrize(
        "entry_id", ["", "-a", "A", "a/b", "../a", "..", ".", "a\0", "a\n", "ä", "x" * 65]
    )
    def test_refuses_to_begin_with_what_is_no_queue_id(self, spool, entry_id):
        """An ID that could be a path, or be taken for an option, never becomes a file."""
        with pytest.raises(LocalProtocolError):
            spool.begin(make_head(id=entry_id))

    @pytest.mark.parametrize(
        "entry_id", ["", "../queue/x", "..", ".", "a/b", "/etc/passwd", "a\0b", "\ud800", "x" * 999]
    )
    def test_path_traversal_by_a_queue_id_finds_nothing(self, spool, entry_id):
        """A name from outside that is no queue ID is one that there is no entry of."""
        put(spool)
        for state in STATES:
            for act in (spool.read, spool.claim, spool.remove):
                with pytest.raises(EntryNotFoundError):
                    act(entry_id, state)
            with pytest.raises(EntryNotFoundError):
                spool.update(entry_id, Progress(b"P"), state)
            with pytest.raises(EntryNotFoundError):
                spool.move(entry_id, state, HOLD)
        assert len(spool.names()) == 1

    def test_takes_a_thousand_recipients(self, spool):
        """A list of a thousand keeps a status for each."""
        from pillarbox.mail.address import Mailbox

        paths = tuple(Mailbox(f"user{number}", "example.com") for number in range(1000))
        head = put(spool, forward_paths=paths)
        statuses = b"PDF" * 333 + b"D"
        claim = spool.claim(head.id)
        claim.record(Progress(statuses, reason="长" * 70), is_durable=True)
        claim.close()
        entry = self.again(spool).read(head.id)
        assert (entry.head, entry.progress.statuses) == (head, statuses)

    def test_refuses_more_recipients_than_fit(self, spool):
        """What has no room in the mutable area is refused before anything is written."""
        from pillarbox.mail.address import Mailbox

        paths = tuple(Mailbox(f"u{number}", "example.com") for number in range(1501))
        with pytest.raises(SpoolError):
            spool.begin(make_head(forward_paths=paths))
        assert put(spool, forward_paths=paths[1:]).id in spool.names()

    def test_many_threads_at_once(self, spool):
        """Entries that eight threads put, send and remove at a time do not get in their way."""
        problems = []

        def work(number):
            try:
                for turn in range(6):
                    content = b"%d %d" % (number, turn)
                    head = put(spool, content)
                    claim = spool.claim(head.id)
                    assert content_of(claim) == content
                    claim.record(Progress(b"DDD", attempts=1), is_durable=True)
                    claim.close()
                    assert head.id in [entry.head.id for entry in spool.scan()]
                    if turn % 3 == 0:
                        spool.move(head.id, QUEUE, HOLD)
                    elif turn % 3 == 1:
                        spool.remove(head.id)
                        spool.settle()
            except Exception as exc:  # noqa: BLE001 (a thread has nobody else to tell)
                problems.append(exc)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert [len(spool.names(state)) for state in STATES] == [16, 16, 0, 0]

    def test_is_not_there_when_it_is_not_open(self, spool):
        """A closed spool refuses everything with a clear error."""
        head = put(spool)
        spool.close()
        for act in (
            spool.names,
            lambda: spool.begin(make_head()),
            lambda: list(spool.scan()),
            lambda: spool.claim(head.id),
            lambda: spool.remove(head.id),
        ):
            with pytest.raises(SpoolError):
                act()

    def test_tells_how_much_still_fits(self, spool):
        """The room is never negative, nor more than the whole."""
        room = spool.room()
        assert 0 <= room.free_bytes <= room.total_bytes
        assert 0 <= room.free_inodes <= room.total_inodes
