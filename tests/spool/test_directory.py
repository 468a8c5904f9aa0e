"""The spool in a directory."""

import os

import pytest

from spool.contract import SpoolContract, put
from pillarbox.spool.directory import Directory


class TestDirectory(SpoolContract):
    """The contract."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.path = str(tmp_path / "state" / "spool")
        self.opened = []
        yield
        for spool in self.opened:
            spool.close()

    def make(self):
        """Return a new spool."""
        return Directory(self.path)

    def reopened(self, spool):
        """Return a spool on the same directory when the first has ended."""
        spool.close()
        again = Directory(self.path)
        self.opened.append(again)
        again.open()
        return again

    def damage(self, spool, entry_id):
        """Change one octet of the content."""
        path = f"{spool.path}/queue/{entry_id}"
        fd = os.open(path, os.O_RDWR)
        os.pwrite(fd, b"!", os.fstat(fd).st_size - 84)
        os.close(fd)
