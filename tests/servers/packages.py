"""
Where the unpacked mail servers are, and why a test that needs one is skipped.

``install.sh`` beside this file puts them there; nothing here installs anything.
"""

import os
from pathlib import Path

import pytest

__all__ = ["is_root", "library_path", "require"]

_NAME = "pillarbox-servers"


def require(name, *, needs_root=False):
    """
    Return the directory that a server is unpacked into, or skip the test with the reason.

    Args:
        name: The server, as in install.sh.
        needs_root: Whether it runs as root only.

    """
    if needs_root and not is_root():
        pytest.skip(f"{name} must be started as root")
    for root in _roots():
        if (root / name / ".packages").exists():
            return root / name
    pytest.skip(f"{name} is not unpacked here: run tests/servers/install.sh first")


def is_root():
    """Return whether the tests run as root."""
    return os.geteuid() == 0


def library_path(root):
    """Return what LD_LIBRARY_PATH must be for the programs below an unpacked root."""
    # Deeper down there are plugins only.
    patterns = ("usr/lib/lib*.so*", "usr/lib/*/lib*.so*", "lib/*/lib*.so*")
    directories = {path.parent for pattern in patterns for path in root.glob(pattern)}
    return ":".join(sorted(str(directory) for directory in directories))


def _roots():
    chosen = os.environ.get("PILLARBOX_SERVERS")
    if chosen:
        return [Path(chosen)]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return [Path("/var/cache") / _NAME, cache / _NAME]
