"""
Whom mail to root goes to: the line ``root: ADDRESS`` in the file of aliases(5).

Cron and most programs write to root, and root has no address in the world. A line that is there
is an administrator's decision and stays; of a file that we cannot read rightly nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.mail.address import Mailbox
from pillarbox.mail.aliases import expand_aliases

if TYPE_CHECKING:
    from pillarbox.setup.placing import Place

__all__ = ["ALIASES_FILE", "MODE", "find_root", "with_root"]

ALIASES_FILE = "/etc/aliases"
MODE = 0o644  # every program that sends mail reads it; there is nothing secret in it

_ROOT = "root"


def find_root(place: Place) -> tuple[str, ...]:
    """
    Return whom mail to root goes to; empty: nobody is named.

    Raises:
        ConfigError: The file cannot be understood.

    """
    if place.status is None:
        return ()
    found = expand_aliases([Mailbox(_ROOT, "")], place.target)
    names = tuple(map(str, found))
    return () if names == (_ROOT,) else names


def with_root(content: bytes, address: Mailbox, *, replaces: str = "") -> bytes:
    """
    Return the file of aliases with root's line.

    Args:
        content: As it is.
        address: Whom mail to root is to go to.
        replaces: The address whose line, which we wrote, goes; empty: there is none.

    """
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    if replaces:
        lines = content.splitlines(keepends=True)
        content = b"".join(line for line in lines if line.rstrip(b"\r\n") != _line(replaces))
    if content and not content.endswith(b"\n"):
        content += newline
    return content + _line(str(address)) + newline


def _line(address: str) -> bytes:
    return f"{_ROOT}: {address}".encode()
