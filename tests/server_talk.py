"""
A session of the server engine for tests, and a handler that accepts what it is not told to refuse.

A dialog is text: ``C:`` is a line of the client (those in a row are sent as one group), ``C!`` raw
octets without a line end, ``S:`` the beginning of each reply line that must come.
"""

from __future__ import annotations

import base64

from hypothesis import strategies as st

from pillarbox.smtp.server import Server
from pillarbox.smtp.server_session import (
    ContentChunk,
    ContentEnded,
    Decision,
    ServerOptions,
    TlsRequested,
    TransactionEnded,
)

ALL = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "STARTTLS",
    "AUTH PLAIN LOGIN XOAUTH2",
    "AUTH=PLAIN LOGIN XOAUTH2",
    "ETRN",
)


def options(**changes):
    """Return options that offer everything, so that a dialog names what it is about."""
    return ServerOptions(**{"keywords": ALL, "is_secured": True} | changes)


class Talk:
    """One session whose handler accepts everything but what ``refusals`` names."""

    def __init__(self, opts=None, refusals=None):
        self.server = Server(opts or options())
        self.refusals = refusals or {}
        self.events = []
        self.content = b""
        self.mails = []
        self.output = b""
        self._settle()
        self.greeting = self.take()

    def feed(self, data, *, is_cut=False):
        """Feed octets, and return what is said to them."""
        for piece in [data[i : i + 1] for i in range(len(data))] if is_cut else [data]:
            self.server.receive_data(piece)
            self._settle()
        return self.take()

    def take(self):
        """Return what was said since the last time."""
        said, self.output = self.output, b""
        return said

    def _settle(self):
        while (event := self.server.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, ContentChunk):
                self.content += event.data
            elif isinstance(event, TransactionEnded):
                self.content = b""
            elif isinstance(event, Decision):
                self._decide(event)
        self.output += self.server.take_output()

    def _decide(self, event):
        if isinstance(event, ContentEnded):
            self.mails.append(self.content)
        refusal = self.refusals.get(type(event))
        if callable(refusal):
            refusal = refusal(event)
        for _ in range(self.server.answers_due):
            if refusal:
                self.server.refuse(*refusal)
            else:
                self.server.accept()
        if isinstance(event, TlsRequested) and not refusal:
            self.output += self.server.take_output()
            self.server.tls_started()


def parse(script):
    """Return the turns of a dialog: what is fed, and how each line of the answer begins."""
    turns = []
    for raw in filter(str.strip, script.splitlines()):
        kind, _, text = raw.strip().partition(" ")
        if kind == "S:":
            turns[-1][1].append(text.encode())
            continue
        if not turns or turns[-1][1]:
            turns.append((b"", []))
        data = text.encode() + b"\r\n"
        if kind == "C!":
            data = text.encode().decode("unicode_escape").encode("latin-1")
        turns[-1] = (turns[-1][0] + data, turns[-1][1])
    return turns


def hold(talk, script, *, is_cut=False, tail=b""):
    """Hold a dialog and compare every line."""
    turns = parse(script)
    for number, (data, expected) in enumerate(turns):
        is_last = number == len(turns) - 1
        said = talk.feed(data + (tail if is_last else b""), is_cut=is_cut)
        lines = said.split(b"\r\n")
        assert lines.pop() == b""
        for line, beginning in zip(lines, expected, strict=True):
            assert line.startswith(beginning), (line, beginning)


def plain(secret="p"):  # noqa: S107 (a test's)
    """Return the response of PLAIN for the user u."""
    return base64.b64encode(f"\0u\0{secret}".encode()).decode()


def ready(opts=None, refusals=None):
    """Return a session behind its EHLO."""
    talk = Talk(opts, refusals)
    talk.feed(b"EHLO client.example\r\n")
    return talk


def opened(opts=None, refusals=None):
    """Return a session with a sender and a recipient."""
    talk = ready(opts, refusals)
    talk.feed(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n")
    return talk


def few_octets(alphabet, size):
    """Return octets of which nearly all matter: a strategy for readers."""
    table = bytes(alphabet[i % len(alphabet)] for i in range(256))
    return st.binary(max_size=size).map(lambda raw: raw.translate(table))


HELLO = """
    C: EHLO client.example
    S: 250-localhost
    S: 250-PIPELINING
    S: 250-SIZE 0
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-CHUNKING
    S: 250-DSN
    S: 250-ENHANCEDSTATUSCODES
    S: 250-AUTH PLAIN LOGIN XOAUTH2
    S: 250-AUTH=PLAIN LOGIN XOAUTH2
    S: 250 ETRN
"""
