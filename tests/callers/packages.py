"""
Where the calling programs are, and why a test that needs one is skipped.

``install.sh`` beside this file puts them there; nothing here installs anything.
"""

import os
import shutil
from pathlib import Path

import pytest

__all__ = ["require", "require_tool"]

_NAME = "pillarbox-callers"


def require(name):
    """Return the directory that a program is unpacked into, or skip the test with the reason."""
    for root in _roots():
        if (root / name / ".packages").exists():
            return root / name
    pytest.skip(f"{name} is not unpacked here: run tests/callers/install.sh first")


def require_tool(name, package=""):
    """Return the path of an installed program, or skip the test with the reason."""
    path = shutil.which(name, path="/usr/bin:/bin:/usr/lib/git-core")
    if path is None:
        pytest.skip(f"{name} (Debian's package {package or name}) is not installed")
    return path


def _roots():
    chosen = os.environ.get("PILLARBOX_CALLERS")
    if chosen:
        return [Path(chosen)]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return [Path("/var/cache") / _NAME, cache / _NAME]
