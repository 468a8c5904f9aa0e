"""
``mailq``: what waits to be sent.

There is no queue yet: ``msmtp`` and ``sendmail`` send at once and report failure by their exit
code, so nothing ever waits and the truthful answer is the one that scripts know.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(_: Sequence[str]) -> int:
    """Print the listing; arguments are accepted and have no effect."""
    print("Mail queue is empty")
    return 0
