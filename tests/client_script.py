"""
Scripts of client sessions: what the server says, what we say, what the driver learns.

In a script ``S`` is a line of the server (``S+`` without its line end), ``C`` a line of ours,
``E`` an event, ``>`` something that the driver does. Consecutive ``S`` lines come in one
segment; ``C`` lines are all that we say, and ``E`` all that happens, before the next step. Every
script is played with each segment whole and byte by byte.
"""

from __future__ import annotations

import pytest

from pillarbox.errors import EX_TEMPFAIL
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.status import Trouble
from pillarbox.smtp.client import Client
from pillarbox.smtp.rehearsal import Rehearsal
from pillarbox.smtp.session import (
    CommandEnded,
    SessionOptions,
    SessionReady,
    SessionRefused,
    TlsRequested,
    TransactionEnded,
)
from pillarbox.smtp.transaction import Transaction

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
HELLO = "S 220 x\nC EHLO localhost\n"
READY = HELLO + "S 250 x\nE ready\n"
PIPELINING = HELLO + "S 250-x\nS 250 PIPELINING\nE ready\n"
CHUNKING = HELLO + "S 250-x\nS 250-PIPELINING\nS 250 CHUNKING\nE ready\n"


def address(name):
    """Return a mailbox by the short name that scripts use; ``-`` is the null reverse-path."""
    return None if name == "-" else parse_mailbox(name if "@" in name else f"{name}@example.org")


class Player:
    """A session, and the script that it is played by."""

    def __init__(self, *, size=None, **options):
        self.client = Client(SessionOptions(nonce=lambda: NONCE, **options))
        self.size = size
        self.heard = b""
        self.said = b""  # everything that we said
        self.rehearsal = None  # the last one

    def play(self, script):
        """Play all steps; nothing may be said or happen that the script does not have."""
        steps = [line.strip() for line in script.splitlines() if line.strip()]
        mine, events = [], []
        for step in [*steps, "end"]:
            mark, _, text = step.partition(" ")
            if mark in ("S", "S+"):
                self.check(mine, events)
                self.heard += text.encode() + (b"" if mark == "S+" else b"\r\n")
                continue
            self.listen()
            if mark == "C":
                mine.append(text)
            elif mark == "E":
                events.append(text)
            elif mark == ">":
                if mine or events:
                    self.check(mine, events)
                self.act(*text.split(" ", 1))
            else:
                assert mark == "end", step
                self.check(mine, events)
        return self

    def listen(self):
        """Take what the server said, in one piece or in many."""
        data, self.heard = self.heard, b""
        size = self.size or len(data) or 1
        for start in range(0, len(data), size):
            self.client.receive_data(data[start : start + size])

    def check(self, mine, events):
        """Compare what was said and what happened with the script, and forget it."""
        if self.heard:
            return
        found = []
        while (event := self.client.next_event()) is not None:
            found.append(shown(event))
        output = self.client.take_output()
        self.said += output
        said = output.decode().split("\r\n")
        assert said == [*mine, ""], f"said {said}, expected {mine}"
        assert found == events, f"happened {found}, expected {events}"
        mine.clear()
        events.clear()

    def act(self, verb, text=""):
        """Do what the driver does."""
        client = self.client
        actions = {
            "begin": self.begin,
            "send": lambda line: self.send(line, is_last=False),
            "last": lambda line: self.send(line, is_last=True),
            "empty": lambda _: client.send_content(b"", is_last=True),
            "tls": lambda _: client.tls_started({}),
            "eof": lambda _: client.receive_data(b""),
            "lost": lambda _: client.connection_lost(LOST),
            "etrn": client.etrn,
            "rehearse": self.rehearse,
            "quit": lambda _: client.quit(),
        }
        if verb in actions:
            actions[verb](text)
            return
        facts = {
            "awaits": client.awaited == text,
            "state": client.state == text,
            "full": not client.can_begin,
            "wants-nothing": not client.wants_content,
        }
        assert facts[verb], f"{verb} {text}: {client.awaited} {client.state}"

    def begin(self, text):
        """Begin a transaction: the sender, the recipients, what is known, what is wished."""
        sender, *words = text.split()
        paths = tuple(address(word) for word in words if "=" not in word and word != "8bit")
        wishes = dict(word.split("=") for word in words if "=" in word)
        size = wishes.pop("size", None)
        envelope = Envelope(address(sender), paths, **wishes)
        size_bytes = int(size) if size else None
        assert self.client.can_begin
        self.client.begin(Transaction(envelope, size_bytes=size_bytes, is_8bit="8bit" in words))

    def rehearse(self, text):
        """Begin a rehearsal: the sender, the recipient, and the size if it is known."""
        sender, recipient, *size = text.split()
        envelope = Envelope(address(sender), (address(recipient),))
        self.rehearsal = Rehearsal(envelope, int(size[0]) if size else 0)
        self.client.rehearse(self.rehearsal)

    def send(self, line, *, is_last):
        """Send a line of content."""
        assert self.client.wants_content
        self.client.send_content(line.encode() + b"\r\n", is_last=is_last)


LOST = Trouble(scope="site", stage="content", problem="lost", exit_code=EX_TEMPFAIL)


def shown(event):
    """Return an event as scripts have it."""
    if isinstance(event, SessionReady):
        return "ready"
    if isinstance(event, TlsRequested):
        return "tls"
    if isinstance(event, CommandEnded):
        return f"answered {event.reply.code}"
    if isinstance(event, SessionRefused):
        trouble = event.trouble
        assert trouble.problem.isprintable()
        return f"refused {trouble.stage} {trouble.scope} {trouble.exit_code}"
    assert isinstance(event, TransactionEnded)
    statuses = event.transaction.statuses
    assert tuple(s.forward_path for s in statuses) == event.transaction.envelope.forward_paths
    marks = [
        f"{status.forward_path.local_part}={status.action}{'?' if status.is_in_doubt else ''}"
        for status in statuses
    ]
    return " ".join(["ended", *marks])


def scripts(*rows):
    """Return a decorator that plays a test with each script, whole and byte by byte."""
    return pytest.mark.parametrize(
        ("options", "script", "size"),
        [
            pytest.param(options, script, size, id=f"{name}{'' if size is None else '-bytewise'}")
            for name, options, script in rows
            for size in (None, 1)
        ],
    )


def play(options, script, size=None):
    """Play a script from the start."""
    return Player(size=size, **options).play(script)
