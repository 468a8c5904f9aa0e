"""
What of pillarbox is installed on the machine, as several checks ask it.

Everything is looked for below the patient's root, by the names that ``pillarbox install`` and
packages use; nothing is asked of systemd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillarbox.handoff import SYSTEM, SYSTEM_SOCKET, has_own_configuration, way

if TYPE_CHECKING:
    from pillarbox.doctor.patient import Patient

__all__ = [
    "CONTROL_VARIABLE",
    "RECORD",
    "SOCKET_VARIABLE",
    "UNIT_FOLDERS",
    "USER",
    "has_record",
    "has_units",
    "inside",
    "is_enabled",
    "is_of_own",
    "sends_directly",
    "submit_socket",
]

# What ``pillarbox install`` writes down.
RECORD = "/var/lib/pillarbox/install.json"

# They name other sockets than the system's (docs/queue.md).
SOCKET_VARIABLE = "PILLARBOX_SOCKET"
CONTROL_VARIABLE = "PILLARBOX_CONTROL"

# Whose the spool is, and who reads the accounts.
USER = "pillarbox"

# Where systemd looks for units that are not made at run time, the administrator's first.
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)

# The links that "systemctl enable" makes.
_WANTED = (
    "multi-user.target.wants/pillarbox.service",
    "sockets.target.wants/pillarbox-submit.socket",
)


def inside(patient: Patient, path: str) -> str:
    """Return a path of the settings as the machine knows it, even if the root is written there."""
    if patient.root and path.startswith(f"{patient.root}/"):
        return path.removeprefix(patient.root)
    return path


def has_record(patient: Patient) -> bool:
    """Tell whether ``pillarbox install`` was here."""
    return patient.has(RECORD)


def has_units(patient: Patient) -> bool:
    """Tell whether the service is installed, running or not."""
    return any(patient.has(f"{folder}/pillarbox.service") for folder in UNIT_FOLDERS)


def submit_socket(patient: Patient) -> str:
    """Return the socket by which the service takes mail of this user; empty: there is none."""
    named = patient.env.get(SOCKET_VARIABLE)
    if named:
        return named
    return patient.at(SYSTEM_SOCKET) if patient.has(SYSTEM_SOCKET) else ""


def is_enabled(patient: Patient) -> bool:
    """Tell whether systemd is to start the service at boot, or its socket."""
    return any(patient.has(f"{folder}/{link}") for folder in UNIT_FOLDERS for link in _WANTED)


def is_of_own(patient: Patient) -> bool:
    """Tell whether what is examined is a configuration of the user's own."""
    wishes = patient.wishes
    if wishes.host_given or wishes.user_file is not None:
        return True
    names = ("HOME", "XDG_CONFIG_HOME")
    env = {
        name.encode(): patient.env[name].encode("utf-8", "surrogateescape")
        for name in names
        if name in patient.env
    }
    return has_own_configuration(env)


def sends_directly(patient: Patient) -> bool:
    """Tell whether a plain call of this user goes another way than to the system's service."""
    chosen = way(
        "",
        changes_sending=False,
        has_own_configuration=is_of_own(patient),
        has_system_socket=bool(submit_socket(patient)),
    )
    return chosen != SYSTEM
