"""Asking rspamd: its answer is read, and its absence is one clear line."""

import json
import socket
from threading import Thread

import pytest

from pillarbox.errors import EX_UNAVAILABLE
from pillarbox.lint.rspamd import ask_rspamd, read_answer
from pillarbox.lint.score import FilterError, Hit, Score, arrived
from scores.rspamd import MISSING, Rspamd

ANSWER = {
    "score": 7.25,
    "required_score": 15,
    "symbols": {
        "R_OK": {"name": "R_OK", "score": -0.1, "description": "It is good"},
        "MISSING_TO": {"name": "MISSING_TO", "score": 2, "description": "To is \x1b[missing"},
        "LONG": {"name": "LONG", "score": 1.5, "options": ["a", 5]},
    },
}


def test_answer_is_read():
    """The dearest symbol comes first; what it says is safe to show."""
    assert read_answer(json.dumps(ANSWER).encode()) == Score(
        "rspamd", 7.25, 15.0,
        (
            Hit("MISSING_TO", 2.0, "To is \\x1b[missing"),
            Hit("LONG", 1.5, "[a, 5]"),
            Hit("R_OK", -0.1, "It is good"),
        ),
    )  # fmt: skip


def test_short_answer_is_read():
    """Neither symbols nor a limit need be there."""
    assert read_answer(b'{"score": 0}') == Score("rspamd", 0.0, None, ())


@pytest.mark.parametrize("answer", [
    b"", b"<html>", b"[]", b"null", b"{}", b'{"score": null}', b'{"score": "x"}',
    b'{"score": 1, "symbols": []}', b'{"score": 1, "symbols": {"A": 5}}', b"\xff",
    b"[" * 100000, b'{"score": 1, "required_score": {}}',
])  # fmt: skip
def test_answer_of_another_server_is_none(answer):
    """Whatever it is, it is no traceback."""
    if answer == b'{"score": 1, "symbols": []}':
        assert read_answer(answer) == Score("rspamd", 1.0, None, ())
    else:
        assert read_answer(answer) is None


def answer_once(reply):
    """Return ``host:port`` of a server that gives one reply, and its thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as peer:
            peer.settimeout(10)
            while not peer.recv(65536).endswith(b"END"):
                pass
            peer.sendall(reply)

    thread = Thread(target=serve)
    thread.start()
    return f"127.0.0.1:{listener.getsockname()[1]}", thread


@pytest.mark.parametrize("reply", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b'HTTP/1.1 404 No\r\nContent-Length: 12\r\n\r\n{"score": 1}',
    b"220 mail.example.com ESMTP\r\n",
    b"",
])  # fmt: skip
def test_another_server_is_told_apart(reply):
    """It is said that this is no rspamd, or that none answers."""
    endpoint, thread = answer_once(reply)
    with pytest.raises(FilterError, match="rspamd") as caught:
        ask_rspamd(b"END", endpoint=endpoint, sender="", recipients=())
    assert caught.value.exit_code == EX_UNAVAILABLE
    assert endpoint in str(caught.value)
    thread.join()


def test_nobody_there_is_said():
    """A closed port is one clear line and an advice."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(FilterError, match="no rspamd answers at") as caught:
        ask_rspamd(b"", endpoint=endpoint, sender="a@b.c", recipients=("d@e.f",))
    assert caught.value.advice


@pytest.mark.skipif(bool(MISSING), reason=MISSING or "it is there")
def test_real_server_judges_a_mail(good):
    """The good mail costs next to nothing, and a fault costs what it is known to."""
    server = Rspamd()
    try:
        endpoint = f"127.0.0.1:{server._port}"

        def ask(mail):
            mail = arrived(mail, "admin@example.net", 1795489200.0)
            to = ("admin@example.net",)
            return ask_rspamd(mail, endpoint=endpoint, sender="no-reply@example.com", recipients=to)

        assert ask(good).program == "rspamd"
        names = {hit.name for hit in ask(good.replace(b"Message-ID:", b"X-ID:")).hits}
        assert "MISSING_MID" in names
        assert "MISSING_MID" not in {hit.name for hit in ask(good).hits}
    finally:
        server.stop()
