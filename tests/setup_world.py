"""A home, a system and a provider for the tests of ``pillarbox setup``."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager

from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from programs import call_program

__all__ = ["IS_ROOT", "ME", "SECRET", "World", "make_world", "mode_of", "tree"]

ME = "no-reply@example.com"
SECRET = "s3cret-word"
IS_ROOT = os.geteuid() == 0


class World:
    """A home, a system and a provider, and the command that sets them up."""

    def __init__(self, folder, provider, events):
        self.provider = provider
        self.events = events
        self.home = folder / "home"
        self.home.mkdir()
        self.root = folder / "system"
        (self.root / "etc").mkdir(parents=True)
        self.password = folder / "password"
        self.password.write_text(SECRET + "\n")
        self.env = {"HOME": str(self.home)}

    @property
    def server(self):
        """The options that name the provider inside."""
        return {
            "--host": "127.0.0.1",
            "--port": str(self.provider.port),
            "--tls": "implicit",
            "--trust-file": self.provider.ca_file,
            "--password-file": str(self.password),
        }

    def run(self, *arguments, env=None, stdin=b"", **changes):
        """Run it; a change of an option to None leaves it out."""
        options = self.server | {f"--{key.replace('_', '-')}": to for key, to in changes.items()}
        words = [word for key, to in options.items() if to is not None for word in (key, to)]
        return call_program(
            "pillarbox", ["setup", *arguments, *words], stdin, self.env | (env or {})
        )

    def user(self, *arguments, **changes):
        """Set a user's account up."""
        return self.run(ME, "--user", *arguments, **changes)

    def system(self, *arguments, **changes):
        """Set the system's account up."""
        return self.run(ME, "--root", str(self.root), *arguments, **changes)

    @property
    def rc(self):
        """The user's msmtprc."""
        return self.home / ".msmtprc"

    @property
    def logins(self):
        """The logins that the provider saw."""
        return [event for event in self.events if event["event"] == "login"]


@contextmanager
def make_world(folder):
    """Yield a new home in a folder, and a provider with one account."""
    events = []
    options = ProviderOptions(password=SECRET)
    with EmbeddedProvider(options, watch=events.append) as provider:
        yield World(folder, provider, events)


def mode_of(path):
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder):
    """Return everything below a directory."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
    }
