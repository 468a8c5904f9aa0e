"""The spool in memory."""

from spool.contract import SpoolContract, put
from pillarbox.spool.base import QUEUE, Progress
from pillarbox.spool.memory import Memory


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
