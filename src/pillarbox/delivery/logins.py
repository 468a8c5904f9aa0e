"""
The strongest login that each server has taken, so that a downgrade is noticed (docs/threats.md N5).

A server that took SCRAM proved each time that it knows the password without being told it. When
it suddenly asks for the password itself, somebody else may be asking. What the configuration
names (``auth plain``) always wins, and ends the matter.

One line a server in ``$XDG_STATE_HOME/pillarbox/logins``, which nobody else can read; where it
cannot be kept, nothing is remembered. Channel binding does not count: whether it can be had
depends on the version of TLS.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.delivery.route import Route

__all__ = ["recall_login", "remember_login"]

_MAX_FILE = 1 << 16  # a thousand servers; a longer file is not ours


def recall_login(route: Route, environment: Mapping[str, str]) -> str:
    """Return the mechanism to stay at or above; empty when none is remembered."""
    path = _path(environment)
    return _read(path).get(_key(route), "") if path else ""


def remember_login(route: Route, mechanism: str, environment: Mapping[str, str]) -> None:
    """Remember a mechanism that logged us in, if it is stronger than what is remembered."""
    from pillarbox.smtp.auth import strength

    path = _path(environment)
    name = mechanism.removesuffix("-PLUS")
    if not path or strength(name) <= strength("PLAIN"):
        return
    known = _read(path)
    key = _key(route)
    if strength(known.get(key, "")) >= strength(name):
        return
    known[key] = name
    try:
        _write(path, known)
    except OSError:
        return  # a full or read-only home must not fail a mail that has gone


def _path(environment: Mapping[str, str]) -> str:
    state = environment.get("XDG_STATE_HOME", "")
    if not state:
        home = environment.get("HOME", "")
        if not os.path.isdir(home):
            return ""  # as a service's /nonexistent, which nobody wants to be made
        state = f"{home}/.local/state"
    return f"{state}/pillarbox/logins" if state.startswith("/") else ""


def _key(route: Route) -> str:
    """Return what stands behind the mechanism: one word each, so that a line can be read back."""
    account = route.account
    words = (route.endpoint.socket_path or account.host, str(account.port or 0), account.user or "")
    return " ".join(word.replace(" ", "%20").replace("\n", "") for word in words)


def _read(path: str) -> dict[str, str]:
    try:
        with open(path, "rb", buffering=0) as file:
            text = (file.read(_MAX_FILE) or b"").decode("utf-8", "surrogateescape")
    except OSError:
        return {}
    known = {}
    for line in text.splitlines():
        name, _, key = line.partition(" ")
        known[key] = name
    return known


def _write(path: str, known: Mapping[str, str]) -> None:
    """Put a whole new file in the place of the old one."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    text = "".join(f"{name} {key}\n" for key, name in known.items())
    beside = f"{path}.{os.getpid()}"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, text.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)
    os.rename(beside, path)
