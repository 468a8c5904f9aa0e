"""The table of states, and a walk over every session that it allows."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise

import pytest

from pillarbox.secret import Secret
from pillarbox.smtp import states
from pillarbox.smtp.auth import Credentials
from pillarbox.smtp.client import Client
from pillarbox.smtp.session import SessionOptions, SessionReady, SessionRefused, TlsRequested
from pillarbox.smtp.states import CLIENT

PASSWORD = "correct horse battery staple"

# What a server may say at any moment: every class of reply, and offers of every kind.
REPLIES = [
    b"220 ok\r\n",
    b"235 ok\r\n",
    b"250 ok\r\n",
    b"250-x\r\n250 STARTTLS\r\n",
    b"250-x\r\n250 AUTH PLAIN LOGIN\r\n",
    b"250-x\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n",
    b"250-x\r\n250 AUTH SCRAM-SHA-256\r\n",
    b"334 \r\n",
    b"334 cj1mb28=\r\n",
    b"354 ok\r\n",
    b"421 bye\r\n",
    b"454 later\r\n",
    b"502 no\r\n",
    b"535 no\r\n",
    b"nonsense\r\n",
    b"",
]
OVER = {states.REFUSED, states.CLOSED, states.BROKEN}


def test_every_edge_leads_to_a_state():
    """The table is closed: each state has a row, each row names states and classes of replies."""
    for state, row in CLIENT.items():
        for digit, following in row.items():
            assert digit in (2, 3, 4, 5)
            assert set(following) <= set(CLIENT), state
    names = {name for name in states.__all__ if name not in ("CLIENT", "PATIENCE_S")}
    assert {getattr(states, name) for name in names} == set(CLIENT)


def test_login_is_entered_from_hello_only():
    """There is one edge to AUTH, behind an EHLO that was answered."""
    entries = {
        state for state, row in CLIENT.items() for to in row.values() if states.AUTHENTICATE in to
    }
    assert entries == {states.HELLO, states.AUTHENTICATE}


def test_no_refusal_leads_on():
    """After 4yz or 5yz there is only HELO behind EHLO, and the end."""
    for row in CLIENT.values():
        for digit in (4, 5):
            assert set(row.get(digit, ())) <= {states.REFUSED, states.FALLBACK}


def test_every_state_in_which_we_wait_can_end():
    """A server may refuse at each step by the table, and not only by breaking the protocol."""
    for state, row in CLIENT.items():
        if row:
            assert states.REFUSED in row[4], state
            assert states.REFUSED in row[5], state


def test_patience_covers_every_stage():
    """RFC 5321 4.5.3.2's minima are kept."""
    minima = {"greeting": 300, "MAIL": 300, "RCPT": 300, "DATA": 120, "content": 600}
    for stage, seconds in minima.items():
        assert states.PATIENCE_S[stage] >= seconds
    assert min(states.PATIENCE_S.values()) >= 120


# -- the model check (N3) ----------------------------------------------------------------------


class Walk:
    """A session along one path of replies, and what it said on the way."""

    def __init__(self, **options):
        who = Credentials("tim@example.org", Secret(PASSWORD), "mail.example.org", 587)
        nonce = "fyko+d2lbbFgONRv9qkxdawL".__str__
        self.client = Client(SessionOptions(credentials=who, nonce=nonce, **options))
        self.is_secured = options.get("is_secured", False)
        self.clear = b""  # what was said before TLS
        self.states = [self.client.state]
        self.is_ready = False
        self.refusals = 0

    def hear(self, reply):
        """Take a reply, do what a driver does, and note the state."""
        self.client.receive_data(reply)
        self.states.append(self.client.state)
        while (event := self.client.next_event()) is not None:
            if isinstance(event, TlsRequested):
                assert self.client.take_output() == b""
                self.client.tls_started({})
                self.is_secured = True
                self.states.append(self.client.state)
            elif isinstance(event, SessionReady):
                self.is_ready = True
            elif isinstance(event, SessionRefused):
                self.refusals += 1
        output = self.client.take_output()
        assert output.count(b"\r\n") <= 1, "nothing goes behind EHLO, STARTTLS or AUTH"
        if not self.is_secured:
            self.clear += output

    @property
    def place(self):
        """What the session's future depends on."""
        client = self.client
        name = client.mechanism.name if client.mechanism is not None else ""
        offered = tuple(client.capabilities.keywords.items())
        return client.state, offered, name, client._challenges, self.is_secured


def walk_all(**options):
    """Yield a walk along each path that comes to a place where none was before, and one step on."""
    paths, places = [()], set()
    while paths:
        path = paths.pop()
        for reply in REPLIES:
            walk = Walk(**options)
            walk.client.take_output()
            for step in (*path, reply):
                walk.hear(step)
            yield walk
            is_new = walk.place not in places
            places.add(walk.place)
            if is_new and walk.client.state not in OVER and not walk.is_ready:
                paths.append((*path, reply))


def spellings(secret):
    """Return the parts of base64 that show a secret, whatever stands before it."""
    found = [secret.encode()]
    for shift in range(3):
        text = b64encode(b"x" * shift + secret.encode())
        found.append(text[4 if shift else 0 : len(text) // 4 * 4 - 4])
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"starttls": True},
        {"starttls": True, "mechanism": "login"},
        {"starttls": True, "is_lmtp": True},
        {"starttls": True, "may_send_secret_in_clear": True, "mechanism": "plain"},
        {},
        {"mechanism": "plain"},
        {"is_secured": True},
    ],
    ids=str,
)
def test_credential_before_tls_on_no_path(options):
    """On every path of replies (N3): no password before TLS, no AUTH where TLS is required."""
    count = ready = 0
    for walk in walk_all(**options):
        count += 1
        ready += walk.is_ready
        for spelling in spellings(PASSWORD):
            assert spelling not in walk.clear
        if options.get("starttls"):
            assert b"AUTH" not in walk.clear
            assert not walk.is_ready or walk.is_secured
        if not walk.is_secured:
            assert b"PLAIN" not in walk.clear
            assert b"LOGIN" not in walk.clear
        assert walk.refusals == (walk.client.state in OVER)
    assert count >= 3 * len(REPLIES)
    assert ready or options in ({}, {"mechanism": "plain"})


def test_secret_does_leave_where_it_may():
    """The search above can find a password: behind TLS it is there."""
    walk = Walk(is_secured=True)
    said = b""
    for reply in (b"220 x\r\n", b"250-x\r\n250 AUTH PLAIN\r\n"):
        walk.client.receive_data(reply)
        said += walk.client.take_output()
    assert any(spelling in said for spelling in spellings(PASSWORD))


def test_sessions_follow_the_table():
    """Every step of every walk is an edge of the table, or an end."""
    edges = {(state, to) for state, row in CLIENT.items() for tos in row.values() for to in tos}
    edges.add((states.HANDSHAKE, states.HELLO))  # by tls_started
    seen = set()
    for walk in walk_all(starttls=True):
        for before, after in pairwise(walk.states):
            assert before == after or after in OVER or (before, after) in edges
            seen.add(after)
    assert seen == set(CLIENT) - {states.QUITTING, states.CONNECTED}
