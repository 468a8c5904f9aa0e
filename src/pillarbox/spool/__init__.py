"""
The spool: mails that were accepted and are not yet delivered, kept so that none is lost.

An engine like ``smtp`` and ``net``: it knows the nouns of ``mail`` and none of the other rooms.
What is to be sent when, and what a failure means, is decided in ``delivery``.
"""

__all__ = ["BACKENDS"]

# Where a spool can be kept, and the module and class that do it; all keep ``base.Spool``'s word.
BACKENDS = {
    "directory": ("pillarbox.spool.directory", "Directory"),
    "memory": ("pillarbox.spool.memory", "Memory"),
}
