"""The spool in memory."""

from pillarbox.spool.memory import Memory
from spool.contract import SpoolContract


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
