"""
Passwords in a desktop's keyring (extra ``keyring``), as msmtp and its users store them.

msmtp looks for a Secret Service item with the attributes ``host``, ``service`` (``smtp``) and
``user``; what Python's own ``keyring set HOST USER`` stores is found too. A locked keyring is
not opened by us: that would ask a person, who may not be there.
"""

from __future__ import annotations

from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_in_keyring"]


def find_in_keyring(host: str, user: str, env: Mapping[str, str]) -> tuple[str | None, str]:
    """
    Return the password of a user at a host, or None and the reason. May block on the bus.

    Args:
        host: The relay host, as configured.
        user: The login name.
        env: The environment; without a session bus there is no keyring to ask.

    """
    if not env.get("DBUS_SESSION_BUS_ADDRESS"):
        return None, say("no desktop session with a keyring")
    try:
        import keyring
        import secretstorage
    except ImportError:
        return None, say("the keyring needs an extra: pip install 'pillarbox[keyring]'")
    wanted = {"host": host, "service": "smtp", "user": user}
    try:
        for item in secretstorage.search_items(secretstorage.dbus_init(), wanted):
            if not item.is_locked():
                return bytes(item.get_secret()).decode("utf-8", "surrogateescape"), ""
        found = keyring.get_password(host, user)
    except Exception as exc:  # noqa: BLE001 (any backend, any bus: a reason to look elsewhere)
        return None, say("the keyring failed: {kind}", kind=type(exc).__name__)
    if found is None:
        reason = say("no unlocked entry for {user} at {host} in the keyring", user=user, host=host)
        return None, reason
    return found, ""
