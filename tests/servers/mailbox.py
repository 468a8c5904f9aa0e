"""What arrived: reading maildirs, which every server here can deliver into."""

from servers.process import eventually

__all__ = ["NAMES", "Maildirs"]

# The mailboxes that every server here knows: more than there are tests.
NAMES = tuple(f"box{number:03}" for number in range(1, 400))


class Maildirs:
    """
    A directory of maildirs named after their local-parts, a fresh one for each asking.

    Args:
        directory: Where they are.

    """

    def __init__(self, directory):
        self.directory = directory
        self._names = iter(NAMES)

    def fresh(self):
        """Return an address that has got no mail yet."""
        return f"{next(self._names)}@example.test"

    def mails(self, address, count=1, limit_s=15.0):
        """Wait until that many mails are there and return them, oldest first."""
        new = self.directory / address.partition("@")[0] / "new"

        def find():
            paths = sorted(new.iterdir()) if new.is_dir() else []
            return paths if len(paths) >= count else None

        return [path.read_bytes() for path in eventually(find, f"a mail in {new}", limit_s)]

    def mail(self, address):
        """Wait for the one mail and return it."""
        (found,) = self.mails(address)
        return found

    def is_empty(self, address):
        """Return whether nothing is there, now."""
        new = self.directory / address.partition("@")[0] / "new"
        return not new.is_dir() or not any(new.iterdir())
