"""
What a setup is to do, beside the answers; and where it writes.

The system's account is for all users and for the service; a user's is his own. ``--root`` means
the system whose top is another directory: an image that is being made.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pillarbox.config.load import SYSTEM_FILE
from pillarbox.config.patterns import Surroundings
from pillarbox.errors import InputOutputError, UsageError
from pillarbox.setup.placing import Rights, look
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.setup.placing import Place

__all__ = ["CREDENTIAL_FILE", "SERVICE_USER", "Order"]

CREDENTIAL_FILE = "/etc/credstore/pillarbox.password"  # LoadCredential= of pillarbox.service
SERVICE_USER = "pillarbox"

_PRIVATE = 0o600
_FOR_THE_SERVICE = 0o640
_BEYOND_GROUP = 0o137  # what a file with a password must not grant; a group may read it


class Order(Value):
    """
    What is to be done, and where.

    Attributes:
        is_system: The account is for the whole system; else for the user who asks.
        root: The top of the system, without a slash at the end; empty: this one.
        is_dry: Everything but the writing, and the test mail.
        environment: Of who asks.
        uid: His effective user id.

    """

    __slots__ = ("environment", "is_dry", "is_system", "root", "uid")

    def __init__(
        self,
        *,
        is_system: bool,
        environment: Mapping[str, str],
        root: str = "",
        is_dry: bool = False,
    ) -> None:
        self.is_system = is_system
        self.environment = environment
        self.root = root.rstrip("/")
        self.is_dry = is_dry
        self.uid = os.geteuid()
        if self.root and not is_system:
            raise UsageError(say("--root is for the system's file: leave --user out"))

    @property
    def is_rooted(self) -> bool:
        """Whether it writes as root."""
        return self.uid == 0

    def at(self, path: str) -> str:
        """Return where an absolute path of the system is."""
        return self.root + path

    def look(self, path: str) -> Place:
        """
        Return what is at a path, which is not outside of the system that is meant.

        Attack: a link in an image, ``etc/msmtprc -> /etc/msmtprc``, would have this machine's
        own file written.

        Raises:
            InputOutputError: It is outside, or cannot be read.

        """
        top = os.path.realpath(self.root) if self.root else ""
        if top and os.path.commonpath((top, os.path.realpath(path))) != top:
            raise InputOutputError(say("{path} leads out of {root}", path=path, root=self.root))
        return look(path)

    def account_path(self) -> str:
        """Return the msmtprc: the system's, or whichever the user's programs read."""
        if self.is_system:
            return self.at(SYSTEM_FILE)
        home = Surroundings(self.environment, os.getuid()).home_directory()
        usual = f"{home}/.msmtprc"
        other_home = self.environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
        other = f"{other_home}/msmtp/config"
        return other if os.path.exists(other) and not os.path.lexists(usual) else usual

    def rights(self, status: os.stat_result | None) -> Rights:
        """
        Return whose the msmtprc is to be.

        Of the system's: root alone, or with the service's user, who reads it by his group. A
        file that root has closed to all but a group of his choice stays so.

        Args:
            status: Of the file that is there; None: there is none.

        """
        if not self.is_system:
            return Rights(-1, -1, _PRIVATE)
        uid = 0 if self.is_rooted else -1
        group = self._service_group()
        if group is not None:
            return Rights(uid, group if self.is_rooted else -1, _FOR_THE_SERVICE)
        if status is not None and not status.st_mode & _BEYOND_GROUP:
            return Rights(uid, status.st_gid if self.is_rooted else -1, status.st_mode & 0o777)
        return Rights(uid, 0 if self.is_rooted else -1, _PRIVATE)

    def root_rights(self, mode: int) -> Rights:
        """Return the rights of a file that is root's."""
        return Rights(0, 0, mode) if self.is_rooted else Rights(-1, -1, mode)

    def _service_group(self) -> int | None:
        """Return the group of the service's user; None: there is no such user."""
        for line in self._read("/etc/passwd").splitlines():
            fields = line.split(":")
            if fields[0] == SERVICE_USER and len(fields) > 3 and fields[3].isdecimal():
                return int(fields[3])
        if not self.root:
            import pwd

            with suppress(KeyError):
                return pwd.getpwnam(SERVICE_USER).pw_gid  # of a directory service
        return None

    def _read(self, path: str) -> str:
        try:
            with open(self.at(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""
