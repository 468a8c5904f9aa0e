"""The spool in memory."""

import pytest

from pillarbox.errors import LocalProtocolError
from pillarbox.spool.base import CORRUPT
from pillarbox.spool.memory import Memory
from spool.contract import SpoolContract, put


class TestMemory(SpoolContract):
    """The contract."""

    def make(self):
        """Return a new spool."""
        return Memory()

    def reopened(self, spool):
        """Return what a restart behind a kill finds."""
        again = spool.crashed(is_power_cut=False)
        again.open()
        return again

    def damage(self, spool, entry_id):
        """Have the entry be damaged."""
        spool.damage(entry_id)


def test_finds_what_is_damaged_behind_a_restart():
    """A model that is listed behind a restart puts aside what was damaged, as a directory does."""
    spool = Memory()
    spool.open()
    bad, good = put(spool), put(spool)
    spool.damage(bad.id)
    again = spool.crashed()
    again.open()
    assert [entry.head for entry in again.scan()] == [good]
    assert (again.names(), again.names(CORRUPT)) == ([good.id], [bad.id])


def test_leaves_out_of_a_listing_what_is_damaged():
    """A damaged entry is put aside on the way."""
    spool = Memory()
    spool.open()
    bad, good = put(spool), put(spool)
    spool.damage(bad.id)
    assert [entry.head for entry in spool.scan()] == [good]
    assert spool.names(CORRUPT) == [bad.id]


def test_is_opened_once():
    """A second opening is a bug of the caller, until it is closed."""
    spool = Memory()
    spool.open()
    with pytest.raises(LocalProtocolError):
        spool.open()
    spool.close()
    spool.open()
    assert list(spool.scan()) == []
