"""
Attacks on the SMTP listener, over real connections: what must not be taken is not taken.

``ATTACKS`` is the table: octets that are sent, and how many mails may come of it. Behind each, a
mail of somebody honest is taken at the same door.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from door import STRANGER
from pillarbox.intake.driver import Limits
from pillarbox.mail.wire import DotStuffing, LineEndings
from served import Service, accounts_for
from smtp_door import SmtpClient, SmtpDoor

MAIL = b"Subject: honest\r\n\r\nhello"
START = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\n"
SECOND = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nspoofed\r\n.\r\n"
HELLO = b"EHLO client.example.org\r\n"


@pytest.fixture(scope="module")
def door():
    """Run a listener; a fault that reached the driver fails the test."""
    with SmtpDoor() as running:
        yield running
    assert running.faults == []


def exchange(port, *pieces, waits_for_greeting=True):
    """Say pieces, each when the answer to the one before is there; return all that was said."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        try:
            if waits_for_greeting:
                said = sock.recv(4096)
            for piece in pieces[:-1]:
                sock.sendall(piece)
                said += sock.recv(65536)
            sock.sendall(pieces[-1])
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                said += data
        except ConnectionError:
            pass
    return said


# name -> what is said (a piece behind the answer to the one before), and how many mails may be
# taken: at most one, and never what is hidden in another.
_BARE = {
    "LF dot LF": b"\n.\n",
    "LF dot CRLF": b"\n.\r\n",
    "CRLF dot LF": b"\r\n.\n",
    "CR dot CR": b"\r.\r",
    "CR dot CRLF": b"\r.\r\n",
    "CRLF dot CR": b"\r\n.\r",
    "LF dot CR": b"\n.\r",
    "CR LF CR dot": b"\r\n\r.\r\n",
    "two CR": b"\r\r\n.\r\r\n",
    "LF LF dot": b"\n\n.\n\n",
}
_TOLD = {
    "NUL before the dot": b"\r\n\0.\r\n",
    "NUL behind the dot": b"\r\n.\0\r\n",
    "space behind the dot": b"\r\n. \r\n",
    "dot of another script": b"\r\n\xef\xbc\x8e\r\n",
    "line separator": b"\r\n\xe2\x80\xa8.\r\n",
    "next line": b"\r\n\xc2\x85.\r\n",
    "two dots": b"\r\n..\r\n",
}
_SMUGGLED = {
    **{
        f"N9 {name} in DATA": ((HELLO, START + b"DATA\r\n", b"x" + end + SECOND), 0)
        for name, end in _BARE.items()
    },
    **{
        f"N9 {name} in DATA": ((HELLO, START + b"DATA\r\n", b"x" + end + SECOND), 1)
        for name, end in _TOLD.items()
    },
    **{
        f"N9 {name} in BDAT": (
            (HELLO, START + b"BDAT %d LAST\r\n" % len(b"x" + end + SECOND) + b"x" + end + SECOND),
            0,
        )
        for name, end in list(_BARE.items())[:5]
    },
    "N9 a CR at the end of one chunk and a LF in the next": (
        (HELLO, START + b"BDAT 2\r\nx\rBDAT 3 LAST\r\nyz\n"),
        0,
    ),
    "N9 a content behind a DATA that was refused": (
        (HELLO, b"MAIL FROM:<a@example.org>\r\nRCPT TO:<not an address>\r\nDATA\r\n" + SECOND),
        0,
    ),
    "N9 a BDAT whose size is a lie": ((HELLO, START + b"BDAT 9999999 LAST\r\nx\r\n" + SECOND), 0),
    "N9 a BDAT without a size": ((HELLO, START + b"BDAT LAST\r\n" + SECOND), 0),
    "N9 a BDAT that was refused": ((HELLO, b"BDAT 90\r\n" + SECOND + b"x" * 90), 0),
    "N9 commands that end in LF": (
        (HELLO, (START + b"BDAT 1 LAST\r\nx").replace(b"\r\n", b"\n")),
        0,
    ),
    "N9 commands that end in CR": (
        (HELLO, (START + b"BDAT 1 LAST\r\nx").replace(b"\r\n", b"\r")),
        0,
    ),
    "N10 a line break in an address": (
        (HELLO, b"MAIL FROM:<a@example.org>\nRCPT TO:<b@example.com>\r\nDATA\r\n"),
        0,
    ),
    "N10 a NUL in an address": ((HELLO, START.replace(b"a@", b"a\0@") + b"BDAT 1 LAST\r\nx"), 0),
}
_FOREIGN = {
    f"L13 {name}": ((request,), 0)
    for name, request in {
        "GET": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + SECOND,
        "POST with a mail in it": (
            b"POST / HTTP/1.1\r\nHost: localhost:25\r\nContent-Length: 200\r\n\r\n" + HELLO + SECOND
        ),
        "PUT": b"PUT /x HTTP/1.0\r\n\r\n" + HELLO + SECOND,
        "CONNECT": b"CONNECT localhost:25 HTTP/1.1\r\n\r\n" + HELLO + SECOND,
        "HEAD": b"HEAD / HTTP/1.1\r\n\r\n" + HELLO + SECOND,
        "OPTIONS": b"OPTIONS * HTTP/1.1\r\n\r\n" + HELLO + SECOND,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HELLO + SECOND,
        "a form field that is a mail": b"a=b&" + HELLO + SECOND,
        "a TLS hello with a mail in its name": b"\x16\x03\x01\x02\x00\x01" + HELLO + SECOND,
        "SOCKS": b"\x04\x01\x00\x19\x7f\x00\x00\x01\x00" + HELLO + SECOND,
        "Redis": b"*1\r\n$4\r\nPING\r\n" + HELLO + SECOND,
        "FTP": b"USER x\r\nPASS y\r\n" * 6 + HELLO + SECOND,
        "JSON": b'{"jsonrpc": "2.0"}\r\n' + HELLO + SECOND,
        "gopher": b"/\r\n" * 30 + HELLO + SECOND,
    }.items()
}
_RUDE = {
    "L13 EHLO and all the rest in one": ((HELLO + START + b"BDAT 1 LAST\r\nx",), 0),
    "L13 HELO and all the rest in one": ((b"HELO x\r\n" + START + b"DATA\r\n",), 0),
    "L15 no hello": ((START + b"BDAT 1 LAST\r\nx",), 0),
    "L15 a hundred wrong commands": (
        (HELLO, b"NONSENSE\r\n" * 100 + START + b"BDAT 1 LAST\r\nx"),
        0,
    ),
    "L15 a thousand commands of no use": ((HELLO, b"NOOP\r\n" * 1000 + START), 0),
    "L15 a line of a megabyte": ((HELLO, b"MAIL FROM:<" + b"a" * (1 << 20) + b">\r\n"), 0),
    "L15 a line without an end": ((HELLO, b"x" * (1 << 20)), 0),
    "L15 two MAILs": ((HELLO, b"MAIL FROM:<a@example.org>\r\n" + START + b"BDAT 1 LAST\r\nx"), 1),
    "L15 RCPT before MAIL": ((HELLO, START[27:] + b"BDAT 1 LAST\r\nx"), 0),
    "L15 more recipients than may be": (
        (HELLO, START + b"RCPT TO:<c@example.com>\r\n" * 3000 + b"RSET\r\n"),
        0,
    ),
    "L15 a login where there is none": ((HELLO, b"AUTH PLAIN AGEAYg==\r\n" + START[:27]), 0),
    "N2 STARTTLS where there is none": ((HELLO, b"STARTTLS\r\n" + b"\x16\x03\x01"), 0),
    "L12 a mail that is too large, and says so": (
        (HELLO, b"MAIL FROM:<a@example.org> SIZE=999999999\r\n"),
        0,
    ),
    "L12 a chunk that is too large": ((HELLO, START + b"BDAT 99999999999999999999 LAST\r\nx"), 0),
    "L12 a header without an end": ((HELLO, START + b"BDAT 900000\r\n" + b"A: b\r\n" * 150_000), 0),
    "L8 a mail that loops": (
        (HELLO, START + b"DATA\r\n", b"Received: x\r\n" * 40 + b"\r\n.\r\n"),
        0,
    ),
    "L7 a command for a recipient": (
        (HELLO, b"MAIL FROM:<a@example.org>\r\nRCPT TO:<|id>\r\nRCPT TO:</etc/x>\r\n"),
        0,
    ),
    "L2 a recipient that is an option": (
        (HELLO, b"MAIL FROM:<-oQ/tmp@example.org>\r\nRCPT TO:<-X/tmp/x>\r\nRSET\r\n"),
        0,
    ),
    "L6 options of the submission socket": (
        (HELLO, b"MAIL FROM:<a@example.org> XACCOUNT=work\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"),
        0,
    ),
    "L6 another priority": ((HELLO, b"MAIL FROM:<a@x.example> MT-PRIORITY=9\r\nDATA\r\n"), 0),
    "the first half of a mail": ((HELLO, START + b"DATA\r\n", b"Subject: half\r\n\r\nthe oth"), 0),
    "the first half of a chunk": ((HELLO, START + b"BDAT 1000 LAST\r\nhalf"), 0),
}
ATTACKS = _SMUGGLED | _FOREIGN | _RUDE


def test_there_are_sixty():
    """The number that was promised."""
    assert len(ATTACKS) >= 60


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(door, name):
    """Nothing is taken that should not be; what is, is one mail for every kind of server."""
    pieces, allowed = ATTACKS[name]
    known = set(door.spool.names())
    said = exchange(door.port, *pieces)
    taken = [entry for entry in door.entries() if entry.head.id not in known]
    assert len(taken) == allowed, said
    for entry in taken:
        paths = [str(path) for path in entry.head.envelope.forward_paths]
        assert paths == ["b@example.com"]
        claim = door.spool.claim(entry.head.id)
        content = claim.read(1 << 20)
        claim.close()
        endings, stuffing = LineEndings(), DotStuffing()
        wire = stuffing.feed(endings.feed(content) + endings.finish()) + b".\r\n"
        assert b"\r\n.\r\n" not in wire[:-5]
        for line_end in (b"\r\n", b"\n", b"\r"):
            assert wire.count(line_end + b"." + line_end) <= 1
    with SmtpClient(door.port) as honest:
        assert honest.greet().hand_over(MAIL).startswith("250 2.0.0 Queued as ")


@pytest.mark.parametrize("first", [HELLO, b"QUIT\r\n", SECOND, b"GET / HTTP/1.1\r\n\r\n", b"\x16"])
def test_who_speaks_before_he_is_greeted_is_no_mail_client(first):
    """Attack L13: a browser does not wait."""
    with SmtpDoor() as running:
        # So that what he says is there for certain when it is looked at.
        running.listener._places["inside"].limits = Limits(greeting_delay_s=20.0, linger_s=1.0)
        said = exchange(running.port, first, waits_for_greeting=False)
        assert said.startswith(b"554 5.5.0 Something was said before the greeting\r\n")
        assert running.entries() == []
    assert running.faults == []


@pytest.mark.parametrize(
    ("limits", "script"),
    [
        ({"command_s": 0.2}, b""),
        ({"command_s": 0.2}, HELLO + b""),
        ({"command_s": 0.2}, b"EH"),
        ({"session_s": 0.3}, b""),
    ],
)
def test_the_slow_are_sent_away(limits, script):
    """Attack L15: a descriptor is not kept by who says nothing, or too little."""
    with SmtpDoor() as running:
        running.listener._places["inside"].limits = Limits(linger_s=0.1, **limits)
        with SmtpClient(running.port) as client:
            assert client.reply().startswith("220 ")
            client.send(script)
            if script == HELLO:
                client.reply()
            assert client.reply().startswith("421 4.3.2 ")
            assert client.reply() == ""


def test_an_octet_now_and_then_buys_no_time():
    """Attack L15: the deadline is that of the whole command."""
    with SmtpDoor() as running:
        running.listener._places["inside"].limits = Limits(command_s=0.4, linger_s=0.1)
        with SmtpClient(running.port) as client:
            client.reply()
            client.sock.settimeout(0.05)
            begin = time.monotonic()
            said = b""
            while not said:
                try:
                    client.send(b"E")
                    said = client.sock.recv(100)
                except TimeoutError:
                    assert time.monotonic() - begin < 10
            assert said.startswith(b"421 4.3.2 Too slow")


# -- state that outlives a mail --------------------------------------------------------------------

_COMMANDS = st.sampled_from(
    [
        b"EHLO other.example.org\r\n",
        b"HELO other.example.org\r\n",
        b"MAIL FROM:<evil@example.org>\r\n",
        b"MAIL FROM:<evil@example.org> BODY=8BITMIME RET=HDRS ENVID=x SMTPUTF8\r\n",
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<evil@\r\n",
        b"RCPT TO:<victim@example.com>\r\n",
        b"RCPT TO:<victim@example.com> NOTIFY=NEVER\r\n",
        b"RCPT TO:<vic tim>\r\n",
        b"BDAT 3\r\nx\r\n",
        b"BDAT 3 LAST\r\nx\r\n",
        b"BDAT 1\r\n\r",
        b"BDAT 1 LAST\r\n\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"VRFY x\r\n",
        b"NONSENSE\r\n",
    ]
)


@given(st.lists(_COMMANDS, max_size=8))
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_nothing_of_what_was_before_is_in_a_mail(door, commands):
    """Attack L15: behind whatever was said, a mail is the one that a fresh session makes."""
    with SmtpClient(door.port) as client:
        client.greet()
        for command in commands:
            client.send(command)
            client.reply()
        client.send(b"EHLO client.example.org\r\n")
        last = client.reply()
        if not last.startswith("250-"):
            assert not last or last[0] in "45"
            return  # too many faults: he was sent away
        known = set(door.spool.names())
        assert client.hand_over(MAIL).startswith("250 2.0.0 Queued as ")
        (entry,) = [entry for entry in door.entries() if entry.head.id not in known]
    head = entry.head
    envelope = head.envelope
    assert str(envelope.reverse_path) == "me@example.org"
    assert [str(path) for path in envelope.forward_paths] == ["you@example.com"]
    assert (envelope.ret, envelope.envid, envelope.notify) == ("", "", "")
    assert (head.account, head.priority, head.settings) == ("default", 0, {})
    assert head.trace.startswith("Received: from client.example.org (uid")
    claim = door.spool.claim(head.id)
    assert claim.read(1000) == MAIL + b"\r\n"
    claim.close()


# -- ten thousand connections ----------------------------------------------------------------------

_FLOOD = """
import random, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
held, refused = [], 0
for number in range(count):
    try:
        sock = socket.create_connection(("127.0.0.1", port), 10)
        sock.setblocking(False)
    except OSError:
        refused += 1
        continue
    kind = number % 4
    try:
        if kind == 0: sock.send(b"EHLO x\\r\\n")
        elif kind == 1: sock.send(random.randbytes(50))
        elif kind == 2: sock.send(b"EHLO x\\r\\nMAIL FROM:<a@b.example>\\r\\nRCPT")
    except OSError:
        pass
    if len(held) < 100: held.append(sock)
    else: held[number % 100].close(); held[number % 100] = sock
print(refused)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.users
def test_ten_thousand_connections_cost_nothing_that_stays():
    """Attack L15: caps for a user and for all; root's mail is taken meanwhile and behind it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = f'[listen]\naddresses = ["127.0.0.1:{port}"]\n[limits]\nmax_connections = 50\n'
    with Service(accounts_for(1), listen, "--roles", "submit,deliver,listen") as service:
        with SmtpClient(port) as client:
            assert client.greet().hand_over(MAIL).startswith("250 ")
        numbers = []
        for count in (1000, 10_000):
            command = ["setpriv", "--reuid", str(STRANGER), "--clear-groups", "--"]
            command += [sys.executable, "-S", "-c", _FLOOD, str(port), str(count)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
                served = 0
                while flood.poll() is None:
                    with SmtpClient(port) as client:
                        assert client.greet().hand_over(MAIL).startswith("250 ")
                    assert service.open_files() < 400
                    served += 1
                assert served > 1
            while service.open_files() > 40:
                with SmtpClient(port) as client:
                    client.reply()
            numbers.append(service.memory_kb())
        assert numbers[1] - numbers[0] < 5 << 10
