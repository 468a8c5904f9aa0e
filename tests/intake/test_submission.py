"""The submission socket: what becomes of a mail, of its caller, and of a spool that fails."""

from __future__ import annotations

import os
import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from door import ACCOUNTS, HOSTNAME, STRANGER, Client, Door
from pillarbox.errors import (
    EX_CONFIG,
    EX_DATAERR,
    EX_NOHOST,
    EX_NOPERM,
    EX_NOUSER,
    EX_PROTOCOL,
    EX_UNAVAILABLE,
    EX_USAGE,
    SpoolError,
    SpoolFullError,
)
from pillarbox.handoff.faults import exit_code_of
from pillarbox.intake import submission
from pillarbox.intake.answers import REFUSALS
from pillarbox.intake.driver import Limits
from pillarbox.intake.remote import Result
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import Trouble, bounced, deferred, delivered
from pillarbox.spool.base import Room
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory

MAIL = b"Subject: test\n\nhello\n"
BIG = b"Subject: big\n\n" + bytes(range(256)) * 2000  # more than is kept in memory


@pytest.fixture
def door():
    """Run a socket with a spool in memory; a fault that reached the driver fails the test."""
    with Door() as running:
        yield running
    assert running.faults == []


def hand_over(running, *arguments, **keywords):
    """Hand one mail over, and return what was answered."""
    with Client(running.path) as client:
        return client.hand_over(*arguments, **keywords)


# -- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        MAIL,
        MAIL.replace(b"\n", b"\r\n"),
        b"Subject: no final newline\n\nhello",
        b"nul \0 cr \r lf \n dot\n.\n..\r\n.\r\n",
        b"\xff\xfe" * 500,
        BIG,
        b"x" * ((1 << 16) + 1),
        b"Subject: a line of a megabyte\n\n" + b"x" * (1 << 20),
    ],
    ids=lambda content: f"{len(content)} octets",
)
def test_the_content_is_kept_octet_for_octet(tmp_path, content):
    """What is put right is put right when it is sent, and from what the caller wrote."""
    with Door(Directory(str(tmp_path / "spool"))) as running:
        (answer,) = hand_over(running, content)
        entry, kept = running.only()
    assert kept == content
    assert entry.size_bytes == len(content)
    assert answer == f"250 2.0.0 Queued as {entry.head.id}"


def test_chunks_are_put_together(door):
    """A caller writes as it comes to him."""
    with Client(door.path) as client:
        client.begin("you@example.com")
        for piece in (b"Subject: ", b"", b"x\n\n", b"y" * 100_000, b"z" * 300_000):
            client.send(b"BDAT %d\r\n" % len(piece) + piece)
            assert client.reply().startswith("250 2.0.0 Octets")
        client.send("BDAT 0 LAST")
        assert client.reply().startswith("250 2.0.0 Queued as ")
    assert door.only()[1] == b"Subject: x\n\n" + b"y" * 100_000 + b"z" * 300_000


def test_a_whole_script_in_one_write_is_answered(door):
    """The hand-off writes everything and then reads: no round trip is waited for."""
    with Client(door.path) as client:
        client.send(
            "LHLO caller",
            "MAIL FROM:<me@example.org> SIZE=21",
            "RCPT TO:<you@example.com>",
            "BDAT 21 LAST",
            MAIL,
            "QUIT",
        )
        codes = [reply[:3] for reply in client.replies(6)]
    assert codes == ["220", "250", "250", "250", "250", "221"]
    assert door.only()[1] == MAIL


def test_a_client_of_the_standard_library_is_served(door):
    """smtplib.LMTP knows nothing of us, and several mails go over one connection."""
    with smtplib.LMTP(door.path, None) as client:
        for number in range(3):
            assert client.sendmail("me@example.org", ["a@example.com"], b"%d" % number) == {}
    assert len(door.entries()) == 3
    assert [entry.head.id for entry in door.courier.entries] == sorted(
        entry.head.id for entry in door.entries()
    )


def test_twenty_callers_at_once_do_not_mix(door):
    """Each content is with its own recipient."""

    def send(number):
        content = b"%d\n" % number * (20_000 if number % 3 == 0 else 1)
        return hand_over(door, content, f"user{number}@example.com")

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(send, range(60)))
    assert all(answer[0].startswith("250 ") for answer in answers)
    for entry in door.entries():
        (path,) = entry.head.envelope.forward_paths
        claim = door.spool.claim(entry.head.id)
        assert path.local_part == "user" + claim.read(1 << 20).split()[0].decode()
        claim.close()


def test_one_mail_is_one_entry_and_an_answer_for_each_recipient(door):
    """RFC 2033."""
    answers = hand_over(door, MAIL, "a@example.com", "b@example.com", "c@example.com")
    entry, _ = door.only()
    assert answers == [f"250 2.0.0 Queued as {entry.head.id}"] * 3
    paths = [str(path) for path in entry.head.envelope.forward_paths]
    assert paths == ["a@example.com", "b@example.com", "c@example.com"]


# -- what is noted ---------------------------------------------------------------------------------


def test_the_kernel_says_who_it_was(door):
    """Attack L6: the head and Received name the caller, whatever he calls himself."""
    with Client(door.path, is_stranger=True) as client:
        client.hand_over(MAIL)
        head = door.only()[0].head
    uid = STRANGER if os.geteuid() == 0 else os.getuid()
    assert (head.origin.uid, head.origin.pid, head.origin.door) == (uid, os.getpid(), "socket")
    first = f"Received: from caller (uid {uid})\r\n\tby {HOSTNAME} (pillarbox) with LMTP\r\n\t"
    assert head.trace.replace(" id ", "\r\n\tid ", 1).startswith(first)
    assert head.id in head.trace
    assert f"event=accepted id={head.id} uid={uid} " in "\n".join(door.lines)


@pytest.mark.parametrize(
    ("wishes", "sender", "find", "expected"),
    [
        ("", "a@example.org", lambda head: str(head.envelope.reverse_path), "a@example.org"),
        ("", "", lambda head: head.envelope.reverse_path, None),
        ("XOWN", "", lambda head: str(head.envelope.reverse_path), "me@example.org"),
        ("XOWN", "b@x.example", lambda head: str(head.envelope.reverse_path), "me@example.org"),
        ("XACCOUNT=work", "w@x.example", lambda head: head.account, "work"),
        ("", "a@example.org", lambda head: head.account, "default"),
        ("XNAME=J+C3+BC+20X", "", lambda head: head.settings, {"from_full_name": "Jü X"}),
        ("XRAW", "", lambda head: head.settings, {"repair": "off"}),
        ("", "", lambda head: head.settings, {}),
        ("MT-PRIORITY=-3", "", lambda head: head.priority, -3),
        ("MT-PRIORITY=6", "", lambda head: head.priority, 6),
        ("RET=HDRS ENVID=x+2By", "", lambda head: head.envelope.ret, "HDRS"),
        ("RET=HDRS ENVID=x+2By", "", lambda head: head.envelope.envid, "x+y"),
    ],
)
def test_each_wish_reaches_the_head(door, wishes, sender, find, expected):
    """What MAIL says is what the entry says."""
    hand_over(door, MAIL, sender=sender, wishes=wishes)
    assert find(door.only()[0].head) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("NOTIFY=NEVER", "NOTIFY=NEVER", "NEVER"),
        ("NOTIFY=DELAY,FAILURE", "NOTIFY=DELAY,FAILURE", "DELAY,FAILURE"),
        ("NOTIFY=NEVER", "NOTIFY=DELAY", ""),
        ("NOTIFY=NEVER", "", ""),
    ],
)
def test_notify_is_the_one_that_all_recipients_have(door, first, second, expected):
    """An envelope has one; where they differ it has none."""
    with Client(door.path) as client:
        client.begin("c@example.com")
        client.send("RSET", "MAIL FROM:<me@example.org>")
        client.send(f"RCPT TO:<a@example.com> {first}".rstrip())
        client.send(f"RCPT TO:<b@example.com> {second}".rstrip(), b"BDAT 21 LAST\r\n" + MAIL)
        assert {reply[:3] for reply in client.replies(6)} == {"250"}
    assert door.only()[0].head.envelope.notify == expected


def test_local_names_become_what_the_aliases_say(tmp_path):
    """They are the daemon's: a caller needs no right to read them."""
    (tmp_path / "aliases").write_text("root: admin@example.com, night@example.com\n")
    with Door(accounts=f"{ACCOUNTS}aliases {tmp_path}/aliases\n") as running:
        (answer,) = hand_over(running, MAIL, "root", wishes="XACCOUNT=work")
        paths = running.only()[0].head.envelope.forward_paths
    assert answer.startswith("250 2.0.0 Queued")
    assert list(map(str, paths)) == ["admin@example.com", "night@example.com"]


# -- who goes away ---------------------------------------------------------------------------------

_SCRIPT = (
    b"LHLO caller\r\nMAIL FROM:<me@example.org>\r\nRCPT TO:<you@example.com>\r\n"
    b"BDAT 200000\r\n" + b"x" * 200_000 + b"BDAT 100000 LAST\r\n" + b"y" * 100_000
)
_CUTS = (0, 3, 13, 60, 90, 110, 66_000, 150_000, 200_083, 200_095, 200_110, 290_000, -1)


@pytest.mark.parametrize("cut", _CUTS)
def test_a_caller_who_is_killed_in_the_middle_leaves_nothing(tmp_path, cut):
    """Nothing of his in the queue, and nothing in tmp either."""
    with Door(Directory(str(tmp_path / "spool"))) as running:
        with Client(running.path) as client:
            client.send(_SCRIPT[:cut])
        running.close()
        assert running.entries() == []
        assert os.listdir(tmp_path / "spool" / "tmp") == []
    assert running.faults == []


@pytest.mark.parametrize("command", ["RSET", "LHLO again", "QUIT", "NONSENSE", "BDAT x"])
def test_a_mail_that_is_broken_off_leaves_nothing(tmp_path, command):
    """However the transaction ends."""
    with Door(Directory(str(tmp_path / "spool"))) as running:
        with Client(running.path) as client:
            client.begin("you@example.com")
            client.send(b"BDAT 200000\r\n" + b"x" * 200_000)
            assert client.reply().startswith("250 ")
            client.send(command)
            assert client.reply()
        running.close()
        assert running.entries() == []
        assert os.listdir(tmp_path / "spool" / "tmp") == []


def test_a_caller_who_does_not_wait_for_the_answer_has_his_mail_kept(door):
    """At least once: what was handed over whole is not dropped because he has gone."""
    committed = threading.Event()
    door.courier.put_back = lambda _: committed.set()
    with Client(door.path) as client:
        client.send(_SCRIPT)
    assert committed.wait(20)
    assert len(door.entries()) == 1


# -- the spool -------------------------------------------------------------------------------------


class Faulty(Memory):
    """A spool that waits or fails where it is told to."""

    def __init__(self, where="", error=None):
        super().__init__()
        self.where = where
        self.error = error
        self.reached = threading.Event()
        self.go_on = threading.Event()
        if error is not None:
            self.go_on.set()
        self.discarded = 0

    def pass_by(self, where):
        """Wait, or fail, if this is the place."""
        if where == self.where:
            self.reached.set()
            assert self.go_on.wait(20)
            if self.error is not None:
                raise self.error

    def begin(self, head):
        """Begin a draft that fails likewise."""
        self.pass_by("begin")
        return _FaultyDraft(self, super().begin(head))

    def room(self):
        """Fail likewise, or tell the truth."""
        self.pass_by("room")
        return super().room()


class _FaultyDraft:
    def __init__(self, spool, draft):
        self.spool = spool
        self.draft = draft

    def write(self, data):
        self.spool.pass_by("write")
        self.draft.write(data)

    def commit(self):
        self.spool.pass_by("commit")
        self.draft.commit()
        self.spool.pass_by("committed")

    def discard(self):
        self.spool.discarded += 1
        self.draft.discard()


@pytest.mark.parametrize("content", [MAIL, BIG], ids=["small", "big"])
@pytest.mark.parametrize("where", ["begin", "write", "commit", "room"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SpoolError("the disk is on fire"), "451 4.3.0 the disk is on fire"),
        (SpoolFullError("there is no room"), "452 4.3.1 there is no room"),
    ],
)
def test_a_spool_that_fails_is_no_yes(where, error, expected, content):
    """Each step that fails is a temporary refusal, and the session goes on."""
    with Door(Faulty(where, error)) as running:
        with Client(running.path) as client:
            assert client.hand_over(content, "a@x.example", "b@x.example") == [expected] * 2
            running.spool.where = ""
            client.send("MAIL FROM:<me@example.org>", "RCPT TO:<c@x.example>")
            client.send(b"BDAT %d LAST\r\n" % len(content) + content)
            assert client.replies(3)[2].startswith("250 2.0.0 Queued")
        assert len(running.entries()) == 1
        assert running.spool.discarded == (where in ("write", "commit"))
        assert len(running.courier.entries) == 1
    assert running.faults == []
    assert any("event=refused" in line for line in running.lines)


def test_nothing_is_acknowledged_before_the_commit_has_returned():
    """Attack: a yes before step S8 is a lost mail after a power cut."""
    with Door(Faulty("committed")) as running, Client(running.path) as client:
        client.begin("you@example.com")
        client.send(b"BDAT 21 LAST\r\n" + MAIL)
        assert running.spool.reached.wait(20)
        client.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        assert running.courier.entries == []
        running.spool.go_on.set()
        client.sock.settimeout(20)
        assert client.sock.recv(100).startswith(b"250 2.0.0 Queued as ")


@pytest.mark.parametrize("where", ["write", "commit", "committed"])
def test_a_service_that_is_stopped_acknowledges_what_it_commits(where):
    """The caller hears of it, and then that we close: he need not send it twice."""
    with Door(Faulty(where)) as running, Client(running.path) as client:
        client.begin("you@example.com")
        client.send(b"BDAT 21 LAST\r\n" + MAIL)
        assert running.spool.reached.wait(20)
        closing = running.begin_to_close()
        assert running.still_closing(closing)
        running.spool.go_on.set()
        closing.result(20)
        assert client.reply().startswith("250 2.0.0 Queued as ")
        assert client.reply().startswith("421 4.3.2 Shutting down")
        assert len(running.entries()) == 1
    assert running.faults == []


def test_a_service_that_is_stopped_drops_what_is_not_whole(tmp_path):
    """And leaves no draft."""
    with Door(Directory(str(tmp_path / "spool"))) as running, Client(running.path) as client:
        client.begin("you@example.com")
        client.send(b"BDAT 200000\r\n" + b"x" * 200_000)
        assert client.reply().startswith("250 ")
        running.close()
        assert client.reply().startswith("421 4.3.2 Shutting down")
        assert running.entries() == []
        assert os.listdir(tmp_path / "spool" / "tmp") == []


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"wishes": "XACCOUNT=nobody"}, "554 5.3.5 "),
        ({"recipients": ("nosuchuser",), "wishes": "XACCOUNT=aliased"}, "55"),
        ({"content": b"Received: x\n" * 31 + MAIL}, "554 5.4.6 More than 30 Received"),
        ({"content": b"rEceived : x\r\n" * 31 + MAIL}, "250 "),
        ({"content": b"Received: x\r\n y\r\n" * 30 + b"\r\nReceived: x\r\n" * 20}, "250 "),
    ],
)
def test_what_is_wrong_with_a_mail_is_said_once_it_is_known(tmp_path, keywords, expected):
    """The caller hears of it, and not a postmaster at night (attack L8: a mail that loops)."""
    (tmp_path / "aliases").write_text("nosuchuser: |/bin/sh\n")
    accounts = f"{ACCOUNTS}\naccount aliased : work\naliases {tmp_path}/aliases\n"
    with Door(accounts=accounts) as running:
        content = keywords.pop("content", MAIL)
        recipients = keywords.pop("recipients", ("you@example.com",))
        (answer,) = hand_over(running, content, *recipients, **keywords)
        assert answer.startswith(expected)
        assert len(running.entries()) == expected.startswith("250")
    assert running.faults == []


def test_a_mail_that_is_too_large_is_refused_for_ever():
    """Before it comes where its size is said, and behind it where not."""
    with Door(settings={"limits": {"max_message": 1000}}) as running:
        with Client(running.path) as client:
            client.greet()
            client.send("MAIL FROM:<me@example.org> SIZE=1001")
            assert client.reply().startswith("552 5.3.4 ")
        assert hand_over(running, b"x" * 1001)[0].startswith("552 5.3.4 ")
        assert hand_over(running, b"x" * 1000)[0].startswith("250 ")
        assert len(running.entries()) == 1


def test_more_recipients_than_may_be_are_refused_one_by_one():
    """The limit is the service's."""
    with Door(settings={"limits": {"max_recipients": 2}}) as running, Client(running.path) as c:
        said = c.begin("a@x.example", "b@x.example", "c@x.example")
    assert [reply[:9] for reply in said] == ["250 2.1.0", "250 2.1.5", "250 2.1.5", "452 4.5.3"]


class Filling(Memory):
    """A disk with so much room, of which a draft that is written takes nothing."""

    free = 0

    def room(self):
        """Tell what a test says."""
        return Room(self.free, 1 << 40, 1, 0)


def test_a_stream_without_a_size_is_stopped_when_the_disk_gets_full():
    """Attack P7: the room is looked at again while the content comes."""
    with Door(Filling()) as running, Client(running.path) as client:
        running.spool.free = 6 << 20 if os.geteuid() == 0 else 1 << 39
        said = client.hand_over(b"x" * (9 << 20), "a@x.example")
        if os.geteuid() == 0:
            assert said == ["452 4.3.1 The disk is too full, try again later"]
            assert running.entries() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_gate_is_asked_for_each_mail_and_each_connection():
    """Attack L11: rate, share and connections are counted for the uid that the kernel names."""
    limits = {"per_user_burst": 2, "max_connections_per_user": 2}
    with Door(settings={"limits": limits, "senders": {"*": ["me@example.org"]}}) as running:
        with (
            Client(running.path, is_stranger=True) as one,
            Client(running.path, is_stranger=True) as two,
        ):
            assert one.begin("a@x.example", sender="root@example.org")[0].startswith("550 5.7.1 ")
            assert two.begin("a@x.example")[0].startswith("250 ")
            for expected in ("250 ", "452 4.7.1 "):
                one.send("RSET", "MAIL FROM:<me@example.org>")
                assert one.replies(2)[1].startswith(expected)
            with Client(running.path, is_stranger=True) as three:
                assert three.reply().startswith("421 4.7.0 Too many connections")
                assert three.reply() == ""
            with Client(running.path) as root:
                assert root.hand_over(MAIL, sender="any@example.org")[0].startswith("250 ")
        running.shares[STRANGER] = (10**6, 0)
        with Client(running.path, is_stranger=True) as four:
            assert "mails waiting" in four.begin("a@x.example")[0]
        reasons = [line.partition("reason=")[2] for line in running.lines if "=over" in line]
    assert reasons == ["sender", "rate", "connections", "share_count"]
    assert running.faults == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("wishes", "sender", "expected"),
    [
        ("XOWN", "", "250 2.0.0 "),
        ("XACCOUNT=work XOWN", "", "550 5.7.1 "),
        ("XACCOUNT=work", "me@example.org", "250 2.0.0 "),
        ("XACCOUNT=strict", "me@example.org", "550 5.7.1 "),
        ("XACCOUNT=work", "", "250 2.0.0 "),
        ("XACCOUNT=default", "me@example.org", "250 2.0.0 "),
    ],
)
def test_naming_an_account_is_no_way_to_its_sender(wishes, sender, expected):
    """Attack L6: who may send as one address does not get another by the account's name."""
    settings = {"senders": {str(STRANGER): ["me@example.org"]}}
    accounts = f"{ACCOUNTS}\naccount strict : work\nallow_from_override off\n"
    running = Door(settings=settings, accounts=accounts)
    with running, Client(running.path, is_stranger=True) as client:
        (said,) = client.hand_over(MAIL, sender=sender, wishes=wishes)
        assert said.startswith(expected)
        assert len(running.entries()) == expected.startswith("250")
    assert running.faults == []


def test_a_caller_who_does_not_read_is_let_go(door):
    """Attack L15: what he does not take would keep his connection for ever."""
    before = len(os.listdir("/proc/self/fd"))
    door.listener.limits = Limits(session_s=0.3, linger_s=0.05, takes_early_talkers=True)
    with Client(door.path) as client:
        client.begin("a@x.example")
        client.sock.settimeout(0.2)
        with pytest.raises((TimeoutError, ConnectionError)):
            client.sock.sendall(b"RCPT TO:<a@x.example>\r\n" * 1_000_000)
        door.wait_for_the_ends()
        assert len(os.listdir("/proc/self/fd")) == before + 1  # the client's own


def test_a_connection_is_given_back_however_it_ends(door):
    """Attack L15: else twenty killed callers would be the last ones."""
    for cut in _CUTS:
        with Client(door.path) as client:
            client.send(_SCRIPT[:cut])
    door.close()
    assert door.desk.admission._connections == {}


@pytest.mark.parametrize(
    ("exit_code", "row"),
    sorted(REFUSALS.items()),
)
def test_the_caller_exits_with_the_code_that_was_meant(exit_code, row):
    """The table here and that of the hand-off say the same."""
    code, enhanced = row
    said = exit_code_of(code, f"{enhanced} text".encode())
    if exit_code in (
        *(EX_CONFIG, EX_DATAERR, EX_NOHOST, EX_NOPERM, EX_NOUSER, EX_PROTOCOL),
        *(EX_UNAVAILABLE, EX_USAGE),
    ):
        assert said == exit_code
    else:
        assert said in (EX_CONFIG, EX_UNAVAILABLE)


# -- waiting ---------------------------------------------------------------------------------------


def trouble(problem, *, exit_code=75, reply=None):
    """Return why a recipient has no mail."""
    return Trouble(
        scope="recipient", stage="RCPT", problem=problem, exit_code=exit_code, reply=reply
    )


TAKEN = Reply(250, (b"taken as 4711",))
UNKNOWN = Reply(550, (b"5.1.1 no such user",))


def delivers(entry):
    """Return a result: everybody has it."""
    return Result(tuple(delivered(path, TAKEN) for path in entry.head.envelope.forward_paths))


def defers(entry):
    """Return a result: nobody has it yet."""
    why = trouble("the host is down")
    return Result(tuple(deferred(path, why) for path in entry.head.envelope.forward_paths))


def bounces(entry):
    """Return a result: nobody ever gets it."""
    why = trouble("the server refused the recipient", exit_code=67, reply=UNKNOWN)
    return Result(tuple(bounced(path, why) for path in entry.head.envelope.forward_paths))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (delivers, "250 2.0.0 250 taken as 4711, {id}"),
        (
            defers,
            (
                "451 4.3.0 the host is down; kept in the queue as {id}, tried again;"
                " do not send it again"
            ),
        ),
        (
            bounces,
            "550 5.1.1 the server refused the recipient: 550 5.1.1 no such user, {id}",
        ),
    ],
)
def test_who_waits_hears_what_the_provider_said(door, answer, expected):
    """With its class, so that the caller's exit code is the one of a direct call."""
    door.courier.answer = answer
    (said,) = hand_over(door, MAIL, wishes="XWAIT")
    assert said == expected.format(id=door.courier.entries[0].head.id)


def test_each_recipient_has_his_own_answer(door):
    """One is refused, one taken, one put off."""

    def answer(entry):
        one, two, three = entry.head.envelope.forward_paths
        return Result(
            (
                delivered(one, TAKEN),
                bounced(two, trouble("unknown", exit_code=67, reply=UNKNOWN)),
                deferred(three, trouble("greylisted")),
            )
        )

    door.courier.answer = answer
    said = hand_over(door, MAIL, "a@x.example", "b@x.example", "c@x.example", wishes="XWAIT")
    assert [reply[:9] for reply in said] == ["250 2.0.0", "550 5.1.1", "451 4.3.0"]


@pytest.mark.parametrize(
    ("fates", "expected"), [("dd", "250 2.0.0"), ("db", "550 5.1.1"), ("bk", "451 4.3.0")]
)
def test_a_local_name_is_answered_with_the_worst_of_its_addresses(tmp_path, fates, expected):
    """Who wrote to root is not told that all went well because one address did."""
    makers = {
        "d": lambda path: delivered(path, TAKEN),
        "b": lambda path: bounced(path, trouble("unknown", exit_code=67, reply=UNKNOWN)),
        "k": lambda path: deferred(path, trouble("down")),
    }
    (tmp_path / "aliases").write_text("root: a@x.example, b@x.example\n")
    with Door(accounts=f"{ACCOUNTS}aliases {tmp_path}/aliases\n") as running:
        running.courier.answer = lambda entry: Result(
            tuple(
                makers[fate](path)
                for fate, path in zip(fates, entry.head.envelope.forward_paths, strict=True)
            )
        )
        (said,) = hand_over(running, MAIL, "root", wishes="XACCOUNT=work XWAIT")
    assert said.startswith(expected)


def test_a_wait_is_announced_before_the_mail_can_be_delivered(door):
    """Else the provider could be faster than the one who wants to hear of it."""
    order = []
    wait_for, put_back = door.courier.wait_for, door.courier.put_back

    def noted_wait(entry_id):
        order.append(("wait", len(door.entries())))
        return wait_for(entry_id)

    def noted_put(entry):
        order.append(("put", len(door.entries())))
        put_back(entry)

    door.courier.wait_for, door.courier.put_back = noted_wait, noted_put
    door.courier.answer = delivers
    hand_over(door, MAIL, wishes="XWAIT")
    assert order == [("wait", 0), ("put", 1)]


@pytest.mark.parametrize("failure", ["commit", "begin"])
def test_a_wait_for_what_was_not_kept_is_called_off(failure):
    """Nobody is left who waits for a mail that does not exist."""
    with Door(Faulty(failure, SpoolError("no"))) as running:
        (said,) = hand_over(running, MAIL, wishes="XWAIT")
        assert said.startswith("451 4.3.0 no")
        assert all(future.cancelled() for future in running.courier.waits.values())


def test_a_service_that_is_stopped_says_that_the_mail_is_kept(door):
    """Who waits must not send it again."""
    waits = threading.Event()
    door.courier.put_back = lambda _: waits.set()
    with Client(door.path) as client:
        client.begin("you@example.com", wishes="XWAIT")
        client.send(b"BDAT 21 LAST\r\n" + MAIL)
        assert waits.wait(20)
        door.close()
        said = client.reply()
    assert said.startswith("451 4.3.0 the service is being stopped; kept in the queue as ")


def test_a_provider_that_takes_too_long_leaves_the_mail_kept(door, monkeypatch):
    """The caller is not held for ever."""
    monkeypatch.setattr(submission, "_WAIT_S", 0.05)
    (said,) = hand_over(door, MAIL, wishes="XWAIT")
    assert said.startswith("451 4.3.0 no answer yet; kept in the queue as ")
    assert len(door.entries()) == 1


def test_a_failure_of_who_delivers_leaves_the_mail_kept(door):
    """It is in the spool, whoever delivers it one day."""

    def put_back(entry):
        door.courier.waits[entry.head.id].set_exception(SpoolError("nobody delivers"))

    door.courier.put_back = put_back
    (said,) = hand_over(door, MAIL, wishes="XWAIT")
    assert said.startswith("451 4.3.0 nobody delivers; kept in the queue as ")


def test_a_caller_who_waits_and_goes_away_has_his_mail_kept(door):
    """His Ctrl-C takes nothing back."""
    waits = threading.Event()
    door.courier.put_back = lambda _: waits.set()
    with Client(door.path) as client:
        client.begin("you@example.com", wishes="XWAIT")
        client.send(b"BDAT 21 LAST\r\n" + MAIL)
        assert waits.wait(20)
    assert len(door.entries()) == 1


def test_what_a_provider_says_stays_one_line_of_a_reply(door):
    """Attack: a long or foreign text of a server's must not become a second reply."""
    evil = Reply(550, (("\r\n250 fine\x1b[31m " + "界" * 2000).encode(),))
    door.courier.answer = lambda entry: Result(
        tuple(
            bounced(path, trouble("refused", exit_code=67, reply=evil))
            for path in entry.head.envelope.forward_paths
        )
    )
    with Client(door.path) as client:
        (said,) = client.hand_over(MAIL, wishes="XWAIT")
        assert said.startswith("550 5.1.1 refused: 550 \\x0d\\x0a250 fine\\x1b")
        assert len(said.encode()) <= 510
        client.send("NOOP")
        assert client.reply().startswith("250 2.0.0 Ok")
