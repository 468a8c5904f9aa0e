"""What the tests share that kill a process or have its calls fail."""

import tempfile
from pathlib import Path

import pytest

from crash.nursery import Nursery, fast_folder


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    """Return the warm process."""
    with Nursery(tmp_path_factory.mktemp("nursery")) as warm:
        yield warm


@pytest.fixture
def folder():
    """Return a directory in memory, if there is such a place: nothing here cuts the power."""
    with tempfile.TemporaryDirectory(prefix="crash-", dir=fast_folder()) as path:
        yield Path(path)
