"""The directory against the memory: whatever is done to both, and whenever they end."""

import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pillarbox.errors import EntryNotFoundError, PillarboxError, SpoolError
from pillarbox.spool.base import CORRUPT, FAILED, HOLD, QUEUE, STATES, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.entry import make_entry_id
from pillarbox.spool.folders import TMP
from pillarbox.spool.memory import Memory
from spool.contract import content_of
from spool.faults import QuickDisk
from spool.letters import make_head

PROGRESS = st.builds(
    Progress,
    st.sampled_from([b"PPP", b"DPP", b"DPF", b"DDD", b"FFF"]),
    attempts=st.integers(0, 20),
    observed_s=st.floats(0, 1e6),
    is_in_doubt=st.booleans(),
    reason=st.text(max_size=300),
)
STATE = st.sampled_from([QUEUE, HOLD, FAILED])


class Spools(RuleBasedStateMachine):
    """A directory and a memory that get the same orders."""

    entries = Bundle("entries")
    drafts = Bundle("drafts")
    claims = Bundle("claims")

    def __init__(self):
        super().__init__()
        self.place = tempfile.mkdtemp()
        self.number = 0
        self.generation = 0
        self.memory = Memory()
        self.directory = Directory(f"{self.place}/spool", disk=QuickDisk())
        self.memory.open()
        self.directory.open()
        self.open_claims = []
        self.open_drafts = []

    def teardown(self):
        """Close what is open."""
        self._end()
        self.directory.close()
        shutil.rmtree(self.place)

    def _end(self):
        for claim in self.open_claims:
            claim.close()
        self.open_claims.clear()
        for draft in self.open_drafts:
            if draft._fd >= 0:
                draft._close()  # as the end of a process does: its file stays in tmp
        self.open_drafts.clear()
        self.generation += 1

    def both(self, act):
        """Have both do something; return the results, or that both refused alike."""
        results = []
        for spool in (self.directory, self.memory):
            try:
                results.append(act(spool))
            except PillarboxError as exc:
                results.append(type(exc))
        first, second = results
        if isinstance(first, type) or isinstance(second, type):
            assert first is second
            return None
        return first, second

    @rule(target=drafts)
    def begin(self):
        """Begin an entry in both."""
        self.number += 1
        head = make_head(id=make_entry_id(self.number, self.number.to_bytes(16, "big")))
        parts = self.both(lambda spool: spool.begin(head))
        self.open_drafts.append(parts[0])
        return self.generation, head.id, parts

    @rule(draft=drafts, content=st.binary(), times=st.sampled_from([0, 1, 3, 9000]))
    def write(self, draft, content, times):
        """Write to both drafts."""
        generation, _, parts = draft
        if generation == self.generation:
            first, second = parts
            self.both(
                lambda spool: (first if spool is self.directory else second).write(content * times)
            )

    @rule(target=entries, draft=drafts)
    def commit(self, draft):
        """Commit both drafts."""
        generation, name, parts = draft
        if generation == self.generation:
            first, second = parts
            self.both(lambda spool: (first if spool is self.directory else second).commit())
        return name

    @rule(draft=drafts)
    def discard(self, draft):
        """Discard both drafts."""
        generation, _, parts = draft
        if generation == self.generation:
            for part in parts:
                part.discard()

    @rule(target=claims, name=entries, state=STATE)
    def claim(self, name, state):
        """Claim an entry, and read it whole."""
        parts = self.both(lambda spool: spool.claim(name, state))
        if parts is not None:
            first, second = parts
            self.open_claims += parts
            assert first.entry == second.entry
            assert content_of(first, 5000) == content_of(second, 70_000)
        return self.generation, parts

    @rule(claim=claims, progress=PROGRESS)
    def record(self, claim, progress):
        """Record on both claims."""
        generation, parts = claim
        if generation == self.generation and parts is not None:
            for part in parts:
                part.record(progress, is_durable=True)

    @rule(claim=consumes(claims))
    def close_claim(self, claim):
        """Close both claims."""
        for part in claim[1] or ():
            part.close()

    @rule(name=entries, state=STATE, progress=PROGRESS)
    def update(self, name, state, progress):
        """Update without a claim."""
        self.both(lambda spool: spool.update(name, progress, state))

    @rule(name=entries, source=STATE, goal=STATE)
    def move(self, name, source, goal):
        """Move between two states."""
        if source != goal:
            self.both(lambda spool: spool.move(name, source, goal))

    @rule(name=entries, state=STATE)
    def remove(self, name, state):
        """Remove from a state."""
        self.both(lambda spool: spool.remove(name, state))

    @rule()
    def settle(self):
        """Settle both."""
        self.both(lambda spool: spool.settle())

    @rule(name=entries)
    def damage(self, name):
        """Damage an entry, and have a person remove it."""
        try:
            self.memory.damage(name)
        except EntryNotFoundError:
            return
        path = f"{self.place}/spool/queue/{name}"
        with open(path, "r+b") as file:
            file.seek(-3, 2)
            file.write(b"!")
        self.both(lambda spool: spool.claim(name))
        assert name in self.directory.names(CORRUPT)
        self.both(lambda spool: spool.remove(name, CORRUPT))

    @rule()
    def restart(self):
        """End the process without a word, and begin another."""
        self._end()
        self.directory._give_up()
        self.directory = Directory(f"{self.place}/spool", disk=QuickDisk())
        self.memory = self.memory.crashed(is_power_cut=False)
        self.directory.open()
        self.memory.open()
        assert os.listdir(f"{self.place}/spool/{TMP}") == []

    @invariant()
    def hold_the_same(self):
        """Each state has the same entries in both."""
        for state in STATES:
            found = [
                sorted(spool.scan(state), key=lambda entry: entry.head.id)
                for spool in (self.directory, self.memory)
            ]
            assert found[0] == found[1]
            assert sorted(self.directory.names(state)) == sorted(self.memory.names(state))


TestSpools = Spools.TestCase
TestSpools.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("is_power_cut", [True, False])
def test_the_model_forgets_at_a_power_cut_what_was_not_durable(is_power_cut):
    """What ``Memory.crashed`` gives is what a restart may find at worst."""
    spool = Memory()
    spool.open()
    heads = [make_head() for _ in range(3)]
    for head in heads:
        spool.begin(head).commit()
    claim = spool.claim(heads[0].id)
    claim.record(Progress(b"DPP"), is_durable=True)
    claim.record(Progress(b"DDP"), is_durable=False)
    spool.begin(make_head()).write(b"never committed")
    spool.remove(heads[1].id)
    spool.settle()
    spool.remove(heads[2].id)
    again = spool.crashed(is_power_cut=is_power_cut)
    with pytest.raises(SpoolError):
        again.names()
    again.open()
    expected = {heads[0].id: b"DPP", heads[2].id: b"PPP"} if is_power_cut else {heads[0].id: b"DDP"}
    assert {entry.head.id: entry.progress.statuses for entry in again.scan()} == expected
    assert spool.read(heads[0].id).progress.statuses == b"DDP"
