"""
Where a service has its files unless its settings say otherwise.

There are two kinds of service: the system's, and one that a user has for himself alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pillarbox.config.load import SYSTEM_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Places", "find_places"]


@dataclass(frozen=True, slots=True)
class Places:
    """
    Where a service has its files unless its settings say otherwise.

    Attributes:
        settings: The file of the settings.
        accounts_file: The msmtprc; empty for a user's own service: where msmtp looks.

    """

    settings: str
    spool: str
    submit_socket: str
    control_socket: str
    accounts_file: str


def find_places(environment: Mapping[str, str], *, is_user: bool) -> Places:
    """
    Return where the system's service, or the calling user's own, has its files.

    A user's directories are those of the XDG base directory specification. Cron has no
    ``XDG_RUNTIME_DIR``: ``/run/user/UID`` is looked at then, which is what systemd sets it to,
    and where there is none either the sockets are beside the spool.
    """
    if not is_user:
        run = "/run/pillarbox"
        spool = "/var/spool/pillarbox"
        return Places(
            "/etc/pillarbox/pillarbox.toml",
            spool,
            f"{run}/submit.sock",
            f"{run}/control.sock",
            SYSTEM_FILE,
        )
    home = environment.get("HOME") or os.path.expanduser("~")
    state = _xdg(environment, "XDG_STATE_HOME") or f"{home}/.local/state"
    config = _xdg(environment, "XDG_CONFIG_HOME") or f"{home}/.config"
    run = _xdg(environment, "XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    if not os.path.isdir(run):
        run = state
    return Places(
        f"{config}/pillarbox/pillarbox.toml",
        f"{state}/pillarbox/spool",
        f"{run}/pillarbox/submit.sock",
        f"{run}/pillarbox/control.sock",
        "",
    )


def _xdg(environment: Mapping[str, str], name: str) -> str:
    """Return a directory of the environment; a relative one is ignored, as XDG demands."""
    path = environment.get(name, "")
    return path if path.startswith("/") else ""
