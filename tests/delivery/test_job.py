"""One entry on its way: what leaves, what is written down before it does, and who still waits."""

from __future__ import annotations

import pytest

from pillarbox.delivery.attempt import MailEnded
from pillarbox.delivery.job import Job, with_settings
from pillarbox.delivery.queue import Item
from pillarbox.errors import SpoolError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import Trouble, bounced, deferred, delivered
from pillarbox.spool.base import Claim, Entry, Head, Origin, Progress
from queue_world import account

CONTENT = b"Subject: alert\nFrom: cron@example.org\n\nx\n"
TO = tuple(map(parse_mailbox, ("a@example.net", "b@example.net", "c@example.net")))
GOOD = Reply(250, (b"taken",))
LOST = Trouble(scope="site", stage="content", problem="lost", exit_code=75)


class Held(Claim):
    """An entry that is being sent, in memory; it remembers what was recorded."""

    def __init__(self, head, content, progress) -> None:
        self.entry = Entry(head, progress, len(content))
        self.content = content
        self.place = 0
        self.records: list[tuple[Progress, bool]] = []
        self.fails = False

    def read(self, size: int) -> bytes:
        """Return up to so many octets more."""
        start = self.place
        self.place = min(len(self.content), start + size)
        return self.content[start : self.place]

    def rewind(self) -> None:
        """Begin again."""
        self.place = 0

    def record(self, progress: Progress, *, is_durable: bool) -> None:
        """Remember what is true now."""
        if self.fails:
            raise SpoolError("no room")
        self.records.append((progress, is_durable))

    def close(self) -> None:
        """Do nothing."""


def job(*, statuses=b"PPP", content=CONTENT, watched_s=7.0, trace="", settings=None, **before):
    """Return a job for an entry."""
    head = Head(
        "0" * 11 + "-" + "a" * 25,
        1.8e9,
        Envelope(parse_mailbox("me@example.org"), TO, ret="HDRS", envid="e", notify="NEVER"),
        account="a",
        message_id="<id@example.org>",
        origin=Origin(0),
        settings=settings,
        trace=trace,
    )
    claim = Held(head, content, Progress(statuses, **before))
    item = Item(claim.entry, due_s=0.0, watched_s=0.0)
    return Job(item, claim, now_s=1.9e9, watched_s=watched_s)


def sent(work, folder, **settings):
    """Return the mails of a job with their contents, read as a connection would."""
    return [
        (mail, b"".join(chunk for chunk, _ in mail.content.chunks()))
        for mail in work.mails(account(folder, **settings), None)
    ]


def ended(work, mail, *made):
    """Have a mail end with these statuses."""
    work.ended(MailEnded(mail, tuple(made)))


def test_only_those_who_wait_are_sent_to(tmp_path):
    """Recipients who have it, or never will, are no part of the next attempt."""
    work = job(statuses=b"DPF")
    assert work.places == [1]
    ((mail, _),) = sent(work, tmp_path)
    envelope = mail.envelope
    assert envelope.forward_paths == (TO[1],)
    assert (envelope.ret, envelope.envid, envelope.notify) == ("HDRS", "e", "NEVER")


def test_content_leaves_with_its_trace_and_the_same_message_id_each_time(tmp_path):
    """What was made when the mail came is the same at each try, so that duplicates are known."""
    work = job(trace="Received: from x\r\n\tby y")
    ((_, content),) = sent(work, tmp_path)
    assert content.startswith(b"Received: from x\r\n\tby y\r\n")
    assert b"Message-ID: <id@example.org>\r\n" in content
    assert b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n" in content
    work.claim.rewind()
    again = Job(work.item, work.claim, now_s=2e9, watched_s=0.0)
    assert sent(again, tmp_path)[0][1] == content


def test_doubt_is_written_down_before_the_content_is_whole(tmp_path):
    """The attempt is counted when content begins to leave, and doubted before its end does."""
    work = job(attempts=3, observed_s=50.0, reason="before", content=CONTENT + b"y" * 300_000)
    (mail,) = work.mails(account(tmp_path), None)
    seen = []
    for _, is_last in mail.content.chunks():
        seen.append((is_last, [record for record, _ in work.claim.records]))
    assert len(seen) > 2
    for is_last, records in seen:
        assert records[0].attempts == 4
        assert records[-1].is_in_doubt is is_last
    assert all(not is_durable for _, is_durable in work.claim.records)
    assert len(work.claim.records) == 2  # and not one for each piece
    last = work.claim.records[-1][0]
    assert (last.last_attempt_s, last.statuses, last.reason) == (1.9e9, b"PPP", "before")
    assert last.observed_s == 50.0


def test_small_mail_costs_one_record(tmp_path):
    """Counted and doubted at once: what leaves in one piece is written down in one."""
    work = job()
    sent(work, tmp_path)
    ((record, _),) = work.claim.records
    assert (record.attempts, record.is_in_doubt) == (1, True)


def test_nothing_leaves_that_cannot_be_written_down(tmp_path):
    """With no room for the doubt, the content stays."""
    work = job()
    work.claim.fails = True
    (mail,) = work.mails(account(tmp_path), None)
    with pytest.raises(SpoolError):
        next(iter(mail.content.chunks()))


def test_each_recipient_has_his_own_status(tmp_path):
    """In the order of those who waited, whoever answered first."""
    work = job(statuses=b"PDP")
    ((mail, _),) = sent(work, tmp_path)
    assert not work.is_complete
    no = bounced(TO[2], Trouble(scope="recipient", stage="RCPT", problem="no", exit_code=67))
    ended(work, mail, no, delivered(TO[0], GOOD))
    assert work.is_complete
    assert work.statuses(None) == [delivered(TO[0], GOOD), no]


def test_lost_connection_stands_for_those_it_said_nothing_of():
    """Who was not heard of has the connection's trouble, and waits."""
    work = job()
    work.abandon()
    assert work.is_complete
    assert work.statuses(LOST) == [deferred(path, LOST) for path in TO]


def test_mail_that_cannot_be_read_waits(tmp_path):
    """A disk that fails while the mail is read is no fault of the mail."""
    work = job()

    def fail(_: int) -> bytes:
        raise SpoolError("cannot be read")

    work.claim.read = fail
    assert sent(work, tmp_path) == []
    assert work.is_complete
    statuses = work.statuses(None)
    assert [status.action for status in statuses] == ["deferred"] * 3
    assert statuses[0].trouble.problem == "cannot be read"


def test_mail_that_can_never_be_sent_fails(tmp_path, monkeypatch):
    """What is wrong with the mail itself is wrong tomorrow, too."""
    from pillarbox.delivery import job as module
    from pillarbox.errors import DataError

    def refuse(*_: object) -> object:
        raise DataError("no form for that")

    monkeypatch.setattr(module, "with_allowed_sender", refuse)
    work = job()
    assert sent(work, tmp_path) == []
    assert [status.action for status in work.statuses(None)] == ["bounced"] * 3


SETTINGS = [
    ({"from_full_name": "Cron Job"}, "from_full_name", "Cron Job"),
    ({"repair": "off"}, "repair", False),
    ({"repair": "nonsense"}, "repair", True),
    ({"of_another_version": "x"}, "repair", True),
    ({}, "repair", True),
]


@pytest.mark.parametrize(("settings", "name", "value"), SETTINGS)
def test_wish_for_one_mail_counts_for_that_mail(settings, name, value, tmp_path):
    """The account itself stays as it is, and what cannot be understood stops no mail."""
    own = account(tmp_path)
    before = getattr(own, name)
    assert getattr(with_settings(own, settings), name) == value
    assert getattr(own, name) == before


def test_mail_without_repair_leaves_as_it_came(tmp_path):
    """``repair off`` for one mail: only line ends are made what SMTP wants."""
    raw = b"subject: x\nno header this\n\ny\n"
    work = job(content=raw, settings={"repair": "off"})
    ((_, content),) = sent(work, tmp_path)
    assert b"subject: x\r\n" in content
    assert work.changes == []
