"""
The client session against a model server with a will of its own.

The model keeps the truth: which content came with which recipients accepted, and what was said
to it. Whatever is offered, answered, cut into segments, delayed or cut off, every transaction
ends once with a status for each forward-path, and the statuses agree with the truth.
"""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.status import BOUNCED, DELIVERED
from pillarbox.mail.wire import LineEndings
from pillarbox.smtp.client import Client
from pillarbox.smtp.rehearsal import Rehearsal
from pillarbox.smtp.session import (
    CommandEnded,
    SessionOptions,
    SessionReady,
    SessionRefused,
    TransactionEnded,
)
from pillarbox.smtp.transaction import Transaction

ME = parse_mailbox("me@example.org")
LINE = re.compile(
    rb"[EL]HLO localhost|HELO localhost|RCPT TO:<\w+@example\.org>|DATA|RSET|BDAT \d+(?: LAST)?"
    rb"|MAIL FROM:<me@example\.org>(?: SIZE=\d+)?(?: BODY=8BITMIME)?"
)

# What the server does instead of what it should. Mostly it does what it should.
MOODS = [*["ok"] * 20, "lines", "later", "never", "sequence", "bye", "close", "wrong", "garbage"]
REFUSALS = {"later": b"450", "never": b"550", "sequence": b"503"}


class ModelServer:
    """A server that reads what it is sent, answers as its moods have it, and remembers."""

    def __init__(self, *, offers, is_lmtp, moods):
        self.offers = offers
        self.is_lmtp = is_lmtp
        self.moods = list(moods)
        self.said = b""
        self.is_closed = False
        self.truth = []  # (content, recipient, code): what was said to a whole content
        self.refused = set()  # recipients of whom, or of whose sender, 5yz was said
        self.input = b""
        self.reset()
        self.say(b"220", b"hello")

    def reset(self):
        """Forget the transaction."""
        self.has_sender = False
        self.recipients = []
        self.content = b""
        self.is_data = False
        self.is_spoiled = False  # a chunk of it was refused

    def say(self, code, text=b"x"):
        """Say a reply of one line."""
        self.said += code + b" " + text + b"\r\n"

    def receive(self, data):
        """Take what the client wrote."""
        self.input += data
        while not self.is_closed and self.take():
            pass

    def take(self):
        """Take one command or content; return whether there was a whole one."""
        if self.is_data:
            end = (b"\r\n" + self.input).find(b"\r\n.\r\n")
            if end < 0:
                return False
            self.content = re.sub(rb"(?m)^\.", b"", self.input[:end])
            self.input = self.input[end + 3 :]
            self.end_content()
            return True
        line, found, rest = self.input.partition(b"\r\n")
        if not found:
            return False
        assert LINE.fullmatch(line), line
        verb, *words = line.split()
        if verb == b"BDAT":
            size = int(words[0])
            if len(rest) < size:
                return False
            self.input = rest[size:]
            self.content += rest[:size]
            self.take_chunk(is_last=words[-1] == b"LAST")
        else:
            self.input = rest
            self.obey(verb.decode(), line)
        return True

    def obey(self, verb, line):
        """Carry out a command, if the mood is right."""
        if verb in ("EHLO", "LHLO"):
            for offer in self.offers:
                self.said += b"250-" + offer.encode() + b"\r\n"
            self.say(b"250")
        elif verb == "MAIL":
            assert not self.has_sender
            self.has_sender = self.answer(b"250")
        elif verb == "RCPT":
            self.consider(line[9:-1].decode())
        elif verb == "DATA":
            if self.recipients:
                self.is_data = self.answer(b"354")
            else:
                # Some servers let a client go on although nobody wants its mail.
                self.is_data = bool(self.moods) and self.moods.pop(0) == "lines"
                self.say(b"354" if self.is_data else b"503")
        else:
            self.reset()
            self.answer(b"250", never_refuses=True)

    def consider(self, recipient):
        """Take a recipient or do not."""
        mood = self.moods[0] if self.moods else "ok"
        if not self.has_sender:
            self.say(b"503")
        elif self.answer(b"250"):
            self.recipients.append(recipient)
        elif mood == "never":
            self.refused.add(recipient)

    def take_chunk(self, *, is_last):
        """Answer a chunk."""
        if not self.recipients or self.is_spoiled:
            self.say(b"503")
            if is_last:
                self.reset()
        elif is_last:
            self.end_content()
        else:
            self.is_spoiled = not self.answer(b"250")

    def end_content(self):
        """Answer a whole content, for each recipient in LMTP."""
        content, recipients = self.content, self.recipients
        self.reset()
        if not recipients:
            self.say(b"554")
            return
        for group in [[each] for each in recipients] if self.is_lmtp else [recipients]:
            if self.is_closed:
                return
            mood = self.moods[0] if self.moods else "ok"
            if self.answer(b"250"):
                self.truth += [(content, each) for each in group]
            elif mood == "never":
                self.refused.update(group)

    def answer(self, code, *, never_refuses=False):
        """Answer as the mood has it; return whether the command was carried out."""
        mood = self.moods.pop(0) if self.moods else "ok"
        if never_refuses and mood in REFUSALS:
            mood = "ok"
        if mood == "lines":
            self.said += code + b"-one\r\n"
        if mood in ("ok", "lines"):
            self.say(code)
            return True
        if mood in REFUSALS:
            self.say(REFUSALS[mood])
        elif mood == "wrong":
            self.say(b"250" if code == b"354" else b"354")
        elif mood == "garbage":
            self.said += b"2500 ok\r\n"
        else:
            if mood == "bye":
                self.say(b"421")
            self.is_closed = True
        return False


class ClientAgainstModel(RuleBasedStateMachine):
    """A driver that does its steps in any order."""

    @initialize(
        offers=st.sets(st.sampled_from(["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 1000"])),
        is_lmtp=st.booleans(),
        moods=st.lists(st.sampled_from(MOODS), max_size=40),
    )
    def connect(self, offers, is_lmtp, moods):
        """Open the session."""
        self.server = ModelServer(offers=sorted(offers), is_lmtp=is_lmtp, moods=moods)
        self.client = Client(SessionOptions(is_lmtp=is_lmtp))
        self.begun = {}  # transaction -> its chunks
        self.chunks = []  # of the transaction that is being filled, still to be sent
        self.ended = []
        self.rehearsals = []
        self.rehearsed = 0
        self.refusals = 0
        self.count = 0
        self.read(100)
        self.write()
        self.read(1000)

    def take_events(self):
        """Take note of what happened."""
        while (event := self.client.next_event()) is not None:
            if isinstance(event, TransactionEnded):
                self.ended.append(event.transaction)
            elif isinstance(event, SessionRefused):
                self.refusals += 1
            elif isinstance(event, CommandEnded):
                assert self.rehearsals[-1].rset is event.reply
                self.rehearsed += 1
            else:
                assert isinstance(event, SessionReady)

    @precondition(lambda self: self.client.can_begin and self.count < 6)
    @rule(paths=st.integers(1, 4), chunks=st.integers(1, 3), is_large=st.booleans())
    def begin(self, paths, chunks, is_large):
        """Begin a transaction with a content that there is only once."""
        self.count += 1
        names = [f"r{self.count}x{number}" for number in range(paths)]
        envelope = Envelope(ME, tuple(parse_mailbox(f"{name}@example.org") for name in names))
        transaction = Transaction(
            envelope, size_bytes=2000 if is_large else 100, is_8bit=bool(chunks % 2)
        )
        endings = LineEndings()
        texts = [b".mail %d\n..part %d\n.\nend" % (self.count, part) for part in range(chunks)]
        self.chunks = [*map(endings.feed, texts)]
        self.chunks[-1] += endings.finish()
        self.begun[transaction] = b"".join(self.chunks)
        self.client.begin(transaction)
        self.take_events()

    @precondition(lambda self: self.client.can_begin and self.client.is_idle and self.count < 6)
    @rule()
    def rehearse(self):
        """Ask for a recipient without a mail; the server must find no transaction left of it."""
        self.count += 1
        envelope = Envelope(ME, (parse_mailbox(f"rehearsed{self.count}@example.org"),))
        self.rehearsals.append(Rehearsal(envelope, 100))
        self.client.rehearse(self.rehearsals[-1])
        self.take_events()

    @precondition(lambda self: self.client.wants_content)
    @rule()
    def give_content(self):
        """Send a chunk."""
        chunk = self.chunks.pop(0)
        self.client.send_content(chunk, is_last=not self.chunks)
        self.take_events()

    @rule()
    def write(self):
        """Read if something came early, as the driver does, then write what is to be written."""
        if self.client.expects_silence and self.server.said:
            self.read(len(self.server.said))
        self.server.receive(self.client.take_output())

    @precondition(lambda self: self.server.said)
    @rule(size=st.integers(1, 8) | st.integers(8, 300))
    def read(self, size):
        """Hear a segment of what the server said."""
        data, self.server.said = self.server.said[:size], self.server.said[size:]
        self.client.receive_data(data)
        self.take_events()

    @rule()
    def go_on(self):
        """Do what a driver does in one round."""
        while self.client.wants_content:
            self.give_content()
        self.write()
        if self.server.said:
            self.read(len(self.server.said))

    @precondition(lambda self: self.server.is_closed and not self.server.said)
    @rule()
    def hear_the_end(self):
        """Hear that the server closed the connection."""
        self.client.receive_data(b"")
        self.take_events()

    @precondition(lambda self: self.count > 2)
    @rule(kind=st.sampled_from([b"250 unasked\r\n", b"2", b"421 bye\r\n"]))
    def be_attacked(self, kind):
        """Hear what the server did not say: it must fool nobody."""
        if self.client.expects_silence and not self.server.said:
            self.client.receive_data(kind)
            self.take_events()

    @invariant()
    def ends_once_and_truly(self):
        """Each transaction ends once; each status agrees with what the server knows."""
        assert len(set(map(id, self.ended))) == len(self.ended)
        assert self.refusals <= 1
        answered = sum(one.rset is not None for one in self.rehearsals)
        assert self.rehearsed == answered or (self.refusals and self.rehearsed == answered - 1)
        assert not any(path.startswith("rehearsed") for _, path in self.server.truth)
        for transaction in self.ended:
            statuses = transaction.statuses
            assert [status.forward_path for status in statuses] == list(
                transaction.envelope.forward_paths
            )
            for status in statuses:
                self.check(status, self.begun[transaction])

    def check(self, status, content):
        """Compare one status with the truth."""
        path = str(status.forward_path)
        was_taken = (content, path) in self.server.truth
        if status.action == DELIVERED:
            assert was_taken
            assert status.reply.is_positive
        else:
            assert not was_taken or status.is_in_doubt
            assert status.trouble is not None
        if status.action == BOUNCED and status.reply is not None:
            assert status.reply.is_permanent
            assert status.reply.code != 503
            assert path in self.server.refused or status.trouble.stage in ("MAIL", "DATA", "BDAT")

    def teardown(self):
        """Go on until nothing more happens, cut the connection, and count."""
        if not hasattr(self, "client"):
            return
        for _ in range(300):
            while self.client.wants_content and self.chunks:
                self.give_content()
            self.write()
            if not self.server.said:
                break
            self.read(len(self.server.said))
        self.client.receive_data(b"")
        self.take_events()
        self.ends_once_and_truly()
        assert self.refusals == 1
        assert set(map(id, self.ended)) == set(map(id, self.begun))


TestClientAgainstModel = ClientAgainstModel.TestCase
TestClientAgainstModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
