"""Passwords from a keyring: what is asked, in which order, and what is said when it has none."""

import sys
import types

import keyring
import keyring.backend
import pytest

from pillarbox.config.keyring import find_in_keyring

BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}


class Memory(keyring.backend.KeyringBackend):
    """A keyring in memory, of the library's own kind."""

    priority = 1

    def __init__(self, entries):
        super().__init__()
        self.entries = entries

    def get_password(self, service, username):
        """Return an entry."""
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        """Take an entry."""
        self.entries[service, username] = password

    def delete_password(self, service, username):
        """Forget an entry."""
        del self.entries[service, username]


class Item:
    """An entry of a Secret Service."""

    def __init__(self, secret, *, is_locked=False):
        self._secret = secret
        self._is_locked = is_locked

    def is_locked(self):
        """Tell whether a person would have to be asked."""
        return self._is_locked

    def get_secret(self):
        """Return the secret."""
        return self._secret


@pytest.fixture
def desktop(monkeypatch):
    """Put a Secret Service and a keyring in place of the desktop's; return how to fill them."""
    asked = []

    def fill(items=(), entries=None):
        service = types.ModuleType("secretstorage")
        service.dbus_init = lambda: "bus"

        def search_items(bus, attributes):
            asked.append((bus, attributes))
            return iter(items)

        service.search_items = search_items
        monkeypatch.setitem(sys.modules, "secretstorage", service)
        keyring.set_keyring(Memory(entries or {}))
        return asked

    before = keyring.get_keyring()
    yield fill
    keyring.set_keyring(before)


def test_finds_what_msmtp_stored(desktop):
    """The attributes are those that msmtp's manual tells to store."""
    asked = desktop([Item(b"hidden")])
    assert find_in_keyring("h.example", "me", BUS) == ("hidden", "")
    assert asked == [("bus", {"host": "h.example", "service": "smtp", "user": "me"})]


def test_finds_what_keyring_set_stored(desktop):
    """``keyring set HOST USER`` works, too."""
    desktop(entries={("h.example", "me"): "hidden"})
    assert find_in_keyring("h.example", "me", BUS) == ("hidden", "")


def test_locked_item_is_not_opened(desktop):
    """Opening would ask a person; the other places are looked at instead."""
    desktop([Item(b"hidden", is_locked=True)])
    found, reason = find_in_keyring("h.example", "me", BUS)
    assert found is None
    assert reason == "no unlocked entry for me at h.example in the keyring"


def test_without_a_session_bus_nothing_is_loaded(monkeypatch):
    """On a server there is no keyring, and its library costs 0.3 s."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find_in_keyring("h", "me", {}) == (None, "no desktop session with a keyring")


def test_missing_extra_is_named(monkeypatch):
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    found, reason = find_in_keyring("h", "me", BUS)
    assert found is None
    assert reason == "the keyring needs an extra: pip install 'pillarbox[keyring]'"


def test_failing_bus_is_a_reason_and_no_secret(desktop, monkeypatch):
    """Whatever the desktop's libraries raise, the next source is asked."""
    desktop()

    def fail():
        message = "secret=hidden"
        raise RuntimeError(message)

    monkeypatch.setattr(sys.modules["secretstorage"], "dbus_init", fail)
    assert find_in_keyring("h", "me", BUS) == (None, "the keyring failed: RuntimeError")
