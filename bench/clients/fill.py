"""Write a mail many times into a spool; arguments: spool, count, mail, account."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import Head, Origin
from pillarbox.spool.directory import Directory
from pillarbox.spool.disk import Disk
from pillarbox.spool.entry import make_entry_id


class LyingDisk(Disk):
    """A disk that only says that it has written."""

    def fsync(self, fd):
        """Do nothing."""

    def fdatasync(self, fd):
        """Do nothing."""


def main(path, count, mail, account):
    """Fill the spool."""
    content = Path(mail).read_bytes()
    envelope = Envelope(parse_mailbox("user@example.test"), (parse_mailbox("rcpt@example.test"),))
    origin = Origin(os.getuid(), os.getgid(), os.getpid(), door="socket")
    spool = Directory(path, disk=LyingDisk())
    spool.open()
    for number in range(count):
        now_s = time.time()
        entry_id = make_entry_id(now_s, os.urandom(16))
        head = Head(
            entry_id,
            now_s,
            envelope,
            account=account,
            message_id=f"<bench.{number}@example.test>",
            origin=origin,
            trace="Received: by bench.example.test; Mon, 5 Jan 2026 10:00:00 +0000",
        )
        draft = spool.begin(head)
        draft.write(content)
        draft.commit()
    spool.close()


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4])
