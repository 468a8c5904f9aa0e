"""How a fix says that a line should stand in an account: where one is, changed; else added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.config.finish import COMMAND_LINE
from pillarbox.text import say

if TYPE_CHECKING:
    from pillarbox.config.account import Account
    from pillarbox.text import Text

__all__ = ["write_line", "write_sender"]


def write_line(account: Account, keyword: str, value: str) -> Text:
    """Return what to do so that a keyword has a value."""
    line = f"{keyword} {value}"
    source, number = account.place(keyword)
    if number:
        return say("write {line} ({place})", line=line, place=f"{source}:{number}")
    if source == COMMAND_LINE:
        return say("give {line} in place of what stands on the command line", line=line)
    return say("add the line {line} to account {name}", line=line, name=account.name or "default")


def write_sender(account: Account, sender: str) -> Text:
    """Return what to do so that an address is the sender."""
    if account.auto_from:
        return say(
            "write auto_from off and from {sender} ({place})",
            sender=sender,
            place=account.where("auto_from"),
        )
    source, number = account.place("from")
    if number and not account.own_sender:
        # It was taken from the user's line.
        line = f"from {sender}"
        return say("add the line {line} to account {name}", line=line, name=account.name)
    if not number and source == COMMAND_LINE and account.own_sender.lower() == sender.lower():
        return say("give no other sender: the account's own is {sender}", sender=sender)
    return write_line(account, "from", sender)
