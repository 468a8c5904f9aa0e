"""Heads of entries, with everything in them or what a test says."""

import os

from pillarbox.mail.address import Mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.spool.base import Head, Origin
from pillarbox.spool.entry import make_entry_id

PATHS = (
    Mailbox("someone", "example.com"),
    Mailbox('"a@b c"', "xn--fiq228c.example"),
    Mailbox("用户", "例子.中国"),
)

NOW_S = 1_795_531_271.306_892_9


def make_head(forward_paths=PATHS, reverse_path=PATHS[0], **changes):
    """Return a head that uses every field."""
    values = {
        "id": make_entry_id(NOW_S, os.urandom(16)),
        "accepted_s": NOW_S,
        "account": "work",
        "message_id": "<0hognofoxgj@host.example>",
        "origin": Origin(1000, 1001, 4242, door="socket"),
        "priority": -3,
        "settings": {"full_name": "Ann % Ünal\n", "dsn": "x  y "},
        "trace": "Received: from host (uid 1000) by host;\n\tTue, 24 Nov 2026 14:30:00 +0000",
    }
    values |= changes
    envelope = Envelope(
        reverse_path, forward_paths, ret="HDRS", envid="a b%25", notify="FAILURE,DELAY"
    )
    return Head(values.pop("id"), values.pop("accepted_s"), envelope, **values)
