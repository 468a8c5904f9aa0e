"""
``newaliases``: rebuild the alias database.

There is none to rebuild: the aliases file is read whenever a recipient needs it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(_: Sequence[str]) -> int:
    """Do nothing, successfully; package scripts call it after editing the aliases."""
    return 0
