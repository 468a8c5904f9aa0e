"""
The record of an installation: what was put where, and what had been there before.

It is written before anything is changed and says how far things have come, so that whatever
interrupts an installation, the next ``install`` or ``uninstall`` knows what to do. The rule to
keep: what was there before is written once, and never taken from a look at our own files.
"""

from __future__ import annotations

import json

from pillarbox.cli.install_plan import Item
from pillarbox.errors import ConfigError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pillarbox.cli.install_files import Root, Sight

__all__ = ["DONE", "FOLDER", "PATH", "UNDER_WAY", "Entry", "Record"]

FOLDER = "/var/lib/pillarbox"
PATH = f"{FOLDER}/install.json"
DONE = "installed"
UNDER_WAY = "under way"

_FORMAT = 1
_MODE = 0o644


class Entry:
    """
    One path.

    Attributes:
        path: Where.
        now: What we put there, as ``Root.look`` sees it.
        before: What was there; None: nothing, or it is kept by a diversion.
        copy: Where a copy of that is; empty: there is none.
        diverted: Where dpkg puts the file of packages instead; empty: there is no diversion of
            ours.
        is_settings: It is its owner's to change.

    """

    def __init__(
        self,
        path: str,
        now: Sight,
        *,
        before: Sight | None = None,
        copy: str = "",
        diverted: str = "",
        is_settings: bool = False,
    ) -> None:
        self.path = path
        self.now = now
        self.before = before
        self.copy = copy
        self.diverted = diverted
        self.is_settings = is_settings


class Record:
    """
    What is known of an installation.

    Attributes:
        state: ``DONE``, or ``UNDER_WAY`` while something is changed.
        prefix: Below what its files are.
        entries: By path.
        folders: The directories that were made, in the order in which they can be removed.
        has_made_user: The user of the service is ours.

    """

    def __init__(self, prefix: str) -> None:
        self.state = UNDER_WAY
        self.prefix = prefix
        self.entries: dict[str, Entry] = {}
        self.folders: list[str] = []
        self.has_made_user = False

    @classmethod
    def read(cls, root: Root) -> Record | None:
        """
        Return the record of a system; None: pillarbox was not installed there by ``install``.

        Raises:
            ConfigError: It cannot be understood.

        """
        content = root.read(PATH)
        if content is None:
            return None
        try:
            facts = json.loads(content)
            if facts["format"] != _FORMAT:
                raise ConfigError(
                    say("was written by another version of pillarbox"),
                    path=PATH,
                    advice=say("use that version's uninstall"),
                )
            record = cls(facts["prefix"])
            record.state = facts["state"]
            record.folders = facts["folders"]
            record.has_made_user = facts["has_made_user"]
            for fields in facts["entries"]:
                entry = Entry(**fields)
                record.entries[entry.path] = entry
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(
                say("is damaged"), path=PATH, advice=say("restore it from a backup")
            ) from exc
        return record

    def write(self, root: Root) -> None:
        """Keep it, safe from a power cut."""
        facts: dict[str, Any] = {
            "format": _FORMAT,
            "state": self.state,
            "prefix": self.prefix,
            "folders": self.folders,
            "has_made_user": self.has_made_user,
            "entries": [vars(entry) for _, entry in sorted(self.entries.items())],
        }
        content = json.dumps(facts, indent=1).encode() + b"\n"
        root.put(Item(PATH, content, mode=_MODE))
