"""The SMTP listener: who is let in, what is taken, how it is written down, and what is refused."""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
import threading
from base64 import b64encode
from types import SimpleNamespace

import pytest

from door import HOSTNAME, STRANGER, Client
from pillarbox.errors import ConfigError, SpoolError
from pillarbox.intake import listener as module
from pillarbox.intake.listener import bind_address, is_inside, is_missing_here
from pillarbox.spool.directory import Directory
from smtp_door import LOGIN, PASSWORD, SmtpClient, SmtpDoor

MAIL = b"Subject: test\r\n\r\nhello\r\n.dot"
ROOT = os.geteuid() == 0


@pytest.fixture
def door():
    """Run a listener with a spool in memory; a fault that reached the driver fails the test."""
    with SmtpDoor() as running:
        yield running
    assert running.faults == []


@pytest.fixture(scope="module")
def secured():
    """Run a listener with a certificate and a user, at an address that others reach too."""
    with SmtpDoor(has_tls=True, has_users=True, is_open=True) as running:
        yield running
    assert running.faults == []


def plain(login=LOGIN, password=PASSWORD, authzid=""):
    """Return the AUTH command of a login."""
    return "AUTH PLAIN " + b64encode(f"{authzid}\0{login}\0{password}".encode()).decode()


# -- mail ------------------------------------------------------------------------------------------


def test_what_is_offered_is_what_the_engine_keeps(door):
    """Nothing of the submission socket's own, and no login or TLS where there is none."""
    with SmtpClient(door.port) as client:
        assert client.reply() == f"220 {HOSTNAME} ESMTP ready"
        lines = client.say("EHLO client.example.org").splitlines()
    assert [line[4:] for line in lines] == [
        HOSTNAME,
        "PIPELINING",
        "SIZE 26214400",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "DSN",
        "ENHANCEDSTATUSCODES",
    ]


def test_a_mail_is_kept_and_says_how_it_came(door):
    """The kernel's word for the user, RFC 3848's for the way."""
    with SmtpClient(door.port, is_stranger=True) as client:
        said = client.greet().hand_over(b"Subject: x\r\n\r\n..two\r\n\xff")
    entry, content = door.only()
    uid = STRANGER if ROOT else os.getuid()
    assert said == f"250 2.0.0 Queued as {entry.head.id}"
    assert content == b"Subject: x\r\n\r\n.two\r\n\xff\r\n"
    assert entry.head.origin.uid == uid
    assert entry.head.origin.door == "listener"
    assert entry.head.trace.startswith(
        f"Received: from client.example.org (uid {uid})\r\n"
        f"\tby {HOSTNAME} (pillarbox) with ESMTP id {entry.head.id};\r\n"
    )
    assert len(door.courier.entries) == 1


@pytest.mark.parametrize(("hello", "word"), [("HELO", "SMTP"), ("EHLO", "ESMTP")])
def test_the_way_is_named_by_the_hello(door, hello, word):
    """RFC 3848."""
    with SmtpClient(door.port) as client:
        client.reply()
        client.say(f"{hello} x")
        client.hand_over(MAIL)
    assert f"with {word} id " in door.only()[0].head.trace


def test_several_mails_of_a_connection_do_not_mix(door):
    """Pipelined, by DATA and by BDAT in turn."""
    with SmtpClient(door.port) as client:
        client.greet()
        for number in range(6):
            client.send(
                f"MAIL FROM:<s{number}@example.org>",
                *(f"RCPT TO:<r{number}x{each}@example.com>" for each in range(number + 1)),
            )
            text = b"Subject: %d\r\n\r\n" % number
            assert [client.reply()[:3] for _ in range(number + 2)] == ["250"] * (number + 2)
            if number % 2:
                assert client.say(b"BDAT %d LAST\r\n" % len(text) + text).startswith("250 ")
            else:
                assert client.say("DATA").startswith("354 ")
                assert client.say(text + b".\r\n").startswith("250 ")
    for entry in door.entries():
        claim = door.spool.claim(entry.head.id)
        number = int(claim.read(100).split()[1])
        claim.close()
        assert str(entry.head.envelope.reverse_path) == f"s{number}@example.org"
        assert len(entry.head.envelope.forward_paths) == number + 1
    assert len(door.entries()) == 6


def test_every_way_in_is_the_same_door(door):
    """IPv4, IPv6 and a Unix socket."""
    with SmtpClient(door.port) as client:
        assert client.greet().hand_over(MAIL).startswith("250 ")
    if hasattr(door, "port6"):
        with SmtpClient(door.port6, "::1", is_stranger=True) as client:
            assert client.greet().hand_over(MAIL).startswith("250 ")
    with Client(door.path) as client:
        assert client.reply().startswith("220 ")
        client.send("EHLO x")
        assert client.reply().startswith("250-")
        client.send("MAIL FROM:<>", "RCPT TO:<a@example.com>", "BDAT 1 LAST", b"x")
        assert client.replies(3)[2].startswith("250 2.0.0 Queued as ")
    assert len(door.entries()) == 2 + hasattr(door, "port6")


def test_250_is_said_only_when_the_mail_is_durable(door, monkeypatch):
    """And a spool that fails is a temporary refusal."""
    begin, go_on, reached = door.spool.begin, threading.Event(), threading.Event()

    def slow(head):
        draft = begin(head)
        commit = draft.commit

        def commit_later():
            reached.set()
            assert go_on.wait(20)
            commit()

        return SimpleNamespace(write=draft.write, commit=commit_later, discard=draft.discard)

    monkeypatch.setattr(door.spool, "begin", slow)
    with SmtpClient(door.port) as client:
        client.greet()
        assert client.say("MAIL FROM:<>").startswith("250 ")
        assert client.say("RCPT TO:<a@example.com>").startswith("250 ")
        client.send(b"BDAT 1 LAST\r\nx")
        assert reached.wait(20)
        client.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        go_on.set()
        client.sock.settimeout(20)
        assert client.sock.recv(100).startswith(b"250 2.0.0 Queued as ")

    def failing(_):
        raise SpoolError("the disk is gone")

    monkeypatch.setattr(door.spool, "begin", failing)
    with SmtpClient(door.port) as client:
        assert client.greet().hand_over(MAIL) == "451 4.3.0 the disk is gone"


@pytest.mark.parametrize("cut", [0, 10, 40, 80, 110, 125, 140, 70_000, 150_000, -3])
@pytest.mark.parametrize("how", ["DATA", "BDAT"])
def test_a_client_that_is_killed_in_its_mail_leaves_nothing(tmp_path, cut, how):
    """Attack: msmtpd delivers the torso."""
    start = b"MAIL FROM:<me@example.org>\r\nRCPT TO:<you@example.com>\r\n"
    content = b"Subject: half\r\n\r\n" + b"x" * 200_000
    if how == "DATA":
        script = (
            start + b"DATA\r\n" + content.replace(b"x" * 80, b"x" * 78 + b"\r\n") + b"\r\n.\r\n"
        )
    else:
        script = start + b"BDAT %d LAST\r\n" % len(content) + content
    with SmtpDoor(Directory(str(tmp_path / "spool"))) as running:
        with SmtpClient(running.port) as client:
            client.greet()
            client.send(script[:cut])
        running.close()
        assert running.entries() == []
        assert os.listdir(tmp_path / "spool" / "tmp") == []
    assert running.faults == []


# -- who it is -------------------------------------------------------------------------------------


@pytest.mark.skipif(not ROOT, reason="only root can be somebody else")
def test_the_gate_is_the_one_of_the_submission_socket():
    """Attacks L6, L11, L14: quotas and senders of the user that the kernel names."""
    settings = {
        "limits": {"per_user_burst": 1, "max_connections_per_user": 2},
        "senders": {str(STRANGER): ["joe@example.org"]},
    }
    with (
        SmtpDoor(settings=settings) as running,
        SmtpClient(running.port, is_stranger=True) as one,
        SmtpClient(running.port, is_stranger=True) as two,
    ):
        said = one.greet().hand_over(MAIL, sender="ann@example.org")
        assert said.startswith("550 5.7.1 ")
        assert one.hand_over(MAIL, sender="joe@example.org").startswith("250 ")
        assert two.greet().hand_over(MAIL, sender="joe@example.org").startswith("452 4.7.1 ")
        with SmtpClient(running.port, is_stranger=True) as three:
            assert three.reply().startswith("421 4.7.0 ")
        with SmtpClient(running.port) as root:
            assert root.greet().hand_over(MAIL, sender="any@example.org").startswith("250 ")
    assert running.faults == []


def test_whom_the_kernel_does_not_name_is_sent_away(door, monkeypatch):
    """Attack L14: nobody's mail is nobody's quota."""
    monkeypatch.setattr(module, "peer_uid", lambda _: None)
    with SmtpClient(door.port) as client:
        assert client.reply() == "421 4.7.0 The kernel does not say who you are"
        assert client.reply() == ""
        # His place is free at once, though he has not hung up.
        inside = door.listener._places["inside"]
        door.call(_ends_of(inside), timeout_s=inside.limits.linger_s / 2)
    assert door.entries() == []


async def _ends_of(listener):
    await asyncio.gather(*listener._sessions)


def test_who_closes_before_he_is_looked_at_does_not_pass_for_root(door, monkeypatch):
    """Attack L14: the kernel shows a closed socket with user id 0."""
    real, uids, looked = module.peer_uid, [], threading.Event()
    go_on = threading.Event()

    def late(sock):
        assert go_on.wait(20)
        uids.append(real(sock))
        looked.set()
        return uids[-1]

    monkeypatch.setattr(module, "peer_uid", late)
    with SmtpClient(door.port, is_stranger=True):
        pass
    go_on.set()
    assert looked.wait(20)
    assert uids == [None]


# -- logins ----------------------------------------------------------------------------------------


def test_a_login_is_whose_the_mail_is(secured):
    """In the open inside this computer, and under TLS; it is in Received and in the log."""
    for index, is_secured in enumerate((False, True)):
        with SmtpClient(secured.port) as client:
            client.greet()
            if is_secured:
                client.start_tls(secured.context)
            assert client.say(plain()).startswith("235 ")
            assert client.hand_over(MAIL).startswith("250 ")
        entry = secured.courier.entries[-1]
        word = "ESMTPSA" if is_secured else "ESMTPA"
        assert f"(user {LOGIN})\r\n" in entry.head.trace
        assert f"with {word} id " in entry.head.trace
        assert entry.head.origin.uid == secured.host.id_of(LOGIN) < -1, index


def test_starttls_and_login_are_offered_where_they_can_be_had(secured):
    """Each place by its own rules."""
    with SmtpClient(secured.port) as client:
        client.reply()
        inside = client.say("EHLO x")
    with SmtpClient(secured.open_port) as client:
        client.reply()
        outside = client.say("EHLO x")
        client.start_tls(secured.context)
        under_tls = client.say("EHLO x")
    with Client(secured.path) as client:
        client.reply()
        client.send("EHLO x")
        unix = client.reply()
    offers = [
        ("STARTTLS" in said, "AUTH PLAIN LOGIN" in said)
        for said in (inside, outside, under_tls, unix)
    ]
    assert offers == [(True, True), (True, False), (False, True), (False, True)]


def test_others_have_to_have_tls_and_a_login(secured):
    """An address that others reach is no open relay, and takes no password in the open."""
    count = len(secured.courier.entries)
    with SmtpClient(secured.open_port) as client:
        client.greet()
        assert client.say("MAIL FROM:<a@example.org>").startswith("530 5.7.0 STARTTLS")
        assert client.say(plain()).startswith("530 5.7.0 ")
        client.start_tls(secured.context)
        assert client.say("MAIL FROM:<a@example.org>").startswith("530 5.7.0 Auth")
        assert client.say(plain()).startswith("235 ")
        assert client.hand_over(MAIL).startswith("250 ")
    head = secured.courier.entries[-1].head
    assert len(secured.courier.entries) == count + 1
    assert "with ESMTPSA id " in head.trace
    assert "(uid" not in head.trace


@pytest.mark.parametrize(
    "command",
    [
        plain(password="wrong"),
        plain(password=""),
        plain(login="nobody"),
        plain(login=""),
        plain(authzid="root"),
        plain(login="app\r\nX-Evil: 1"),
        plain(password=f"{PASSWORD}\0"),
    ],
)
def test_a_wrong_login_is_refused(secured, command, monkeypatch):
    """Whatever is wrong, the words are the same, and no mail is taken by it."""
    monkeypatch.setattr(module, "_WAIT_AFTER_FAILURE_S", 0.0)
    with SmtpClient(secured.port) as client:
        said = client.greet().say(command)
        assert said.startswith(("535 5.7.8 Authentication failed", "501 5.5.2 "))
        client.say("RSET")
        assert secured.host.id_of("app") != client


def test_guesses_are_slowed_down_and_who_was_right_is_not(secured, monkeypatch):
    """Attack: a thousand passwords a second. Whoever was let in lately goes on at once."""
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    with SmtpClient(secured.port) as client:
        assert client.greet().say(plain()).startswith("235 ")
    waits.clear()
    with SmtpClient(secured.port) as client:
        client.greet()
        replies = [client.say(plain(password=f"guess {number}"))[:3] for number in range(3)]
        assert replies == ["535", "535", "535"]
        assert client.reply().startswith("421 4.7.0 Too many failed logins")
    assert waits.count(module._WAIT_AFTER_FAILURE_S) >= 2
    waits.clear()
    with SmtpClient(secured.port) as client:
        assert client.greet().say(plain()).startswith("235 ")
    assert module._WAIT_AFTER_FAILURE_S not in waits


def test_a_login_has_the_senders_of_its_name():
    """[senders] speaks of logins as of users."""
    running = SmtpDoor(settings={"senders": {"*": ["joe@example.org"]}}, has_users=True)
    with running, SmtpClient(running.port) as client:
        assert client.greet().say(plain()).startswith("235 ")
        assert client.hand_over(MAIL, sender="ann@example.org").startswith("550 5.7.1 ")
        assert client.hand_over(MAIL, sender="joe@example.org").startswith("250 ")


def test_a_login_may_be_demanded_of_everybody():
    """requires_login."""
    settings = {"listen": {"requires_login": True}}
    with SmtpDoor(settings=settings, has_users=True) as running, SmtpClient(running.port) as client:
        assert client.greet().hand_over(MAIL).startswith("530 5.7.0 ")
        assert client.say(plain()).startswith("235 ")
        assert client.hand_over(MAIL).startswith("250 ")


def test_a_client_of_the_standard_library_gets_through(secured):
    """Smtplib with STARTTLS and a login."""
    with smtplib.SMTP("127.0.0.1", secured.port) as client:
        client.starttls(context=secured.context)
        client.login(LOGIN, PASSWORD)
        assert client.sendmail("me@example.org", ["a@example.com", "b@example.com"], MAIL) == {}
    assert len(secured.courier.entries[-1].head.envelope.forward_paths) == 2


def test_what_was_said_before_tls_is_forgotten(secured):
    """Attack N2: a login, a hello or a mail from before STARTTLS counts for nothing behind it."""
    with SmtpClient(secured.port) as client:
        client.greet()
        assert client.say(plain()).startswith("235 ")
        client.start_tls(secured.context)
        assert client.hand_over(MAIL).startswith("250 ")
    assert "(user" not in secured.courier.entries[-1].head.trace


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ({"addresses": ["0.0.0.0:2525"]}, "reached by others"),
        ({"addresses": ["127.0.0.1:2525", "[2001:db8::1]:25"]}, "reached by others"),
        ({"requires_login": True}, "there are no users"),
        ({"tls_certificate": "/nonexistent.pem"}, "/nonexistent.pem cannot be used"),
        ({"tls_certificate": "/etc/passwd"}, "/etc/passwd cannot be used"),
        ({"users": "/nonexistent"}, "cannot be read"),
        ({"users": "/etc/passwd"}, "open to others"),
    ],
)
def test_settings_that_would_be_dangerous_are_refused(listen, words):
    """At the start, with what to do."""
    with pytest.raises(ConfigError, match=words), SmtpDoor(settings={"listen": listen}):
        pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:25", True),
        ("127.9.9.9:25", True),
        ("[::1]:25", True),
        ("[::ffff:127.0.0.1]:25", True),
        ("0.0.0.0:25", False),
        ("[::]:25", False),
        ("10.0.0.1:25", False),
        ("[fe80::1]:25", False),
        ("[::ffff:10.0.0.1]:25", False),
    ],
)
def test_what_is_inside_this_computer(text, expected):
    """Nothing else needs no login."""
    assert is_inside(text) is expected


def test_a_port_that_is_taken_is_named():
    """With what to do."""
    with bind_address("127.0.0.1:0") as first:
        text = f"127.0.0.1:{first.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"cannot listen at {text}") as caught:
            bind_address(text)
    assert "choose another port" in caught.value.advice


def test_a_computer_without_ipv6_is_known(monkeypatch):
    """There, and only for the one address that says so, its absence is no fault."""
    assert not is_missing_here("127.0.0.1:25")
    assert not is_missing_here("[2001:db8::1]:25")
    monkeypatch.setattr(socket.socket, "bind", _no_bind)
    assert is_missing_here("[::1]:25")


def _no_bind(*_):
    raise OSError(99, "Cannot assign requested address")


def test_a_passed_socket_that_others_reach_is_refused_without_logins(door):
    """Systemd may have bound it; that makes it no safer."""
    sock = bind_address("0.0.0.0:0")
    with sock, pytest.raises(ConfigError, match="reached by others"):
        door.call(door.listener.listen_on(sock))
