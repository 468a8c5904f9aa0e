"""``pillarbox trace``: a mail followed through a real service and server, and the page of it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from peer import Peer
from pillarbox.cli.trace import SENTENCES, trace_lines
from pillarbox.delivery.event_table import EVENTS
from programs import run_program
from served import Service

# Nothing of what a mail should have but its text: there is something to repair.
MAIL = b"From: me@example.org\nTo: you@example.com\nSubject: test\n\nhello\n"

# The first account wants TLS, which the server does not have, so that the second has to help out.
ACCOUNTS = """
account spare
host 127.0.0.1
port {port}
from spare@example.org

account main
host 127.0.0.1
port {port}
tls on
from me@example.org
fallback spare

account default : main
"""


@pytest.fixture
def relay():
    """Run the provider's stand-in."""
    with Peer() as running:
        yield running


def ask(service, *words, **environment):
    """Run ``pillarbox trace`` on a service's queue."""
    variables = {"PILLARBOX_CONTROL": service.control} | environment
    return run_program("pillarbox", ["trace", *words], env=variables)


def test_follows_a_mail_that_was_rerouted_repaired_and_retried(relay):
    """One screen tells it all, from the program that sent it to what the provider calls it."""
    relay.handler.refused["you@example.com"] = "450 4.2.0 mailbox busy"
    with Service(ACCOUNTS.format(port=relay.port)) as service:
        (answer,) = service.hand_over(MAIL)
        name = answer.split()[-1]
        service.wait_for_line("event=deferred", "reply=")
        relay.handler.refused.clear()
        variables = {"PILLARBOX_CONTROL": service.control}
        run_program("pillarbox", ["queue", "flush"], env=variables)
        service.wait_for_line("event=delivered", name)
        page = ask(service, name)
        assert page.exit_code == 0
        found = [json.loads(line) for line in ask(service, name, "--json").out.splitlines()]
        pid = found[0]["pid"]
        for word in (f"pid:{pid}", found[0]["message_id"], name[:20], name.partition("-")[2][:8]):
            assert ask(service, word).out == page.out
        nobody = ask(service, "pid:1")
        assert nobody.exit_code == 66
        assert "nobody knows a mail pid:1" in nobody.err
        chinese = ask(service, name, LC_ALL="zh_CN.UTF-8")
        assert "投递" in chinese.out
    events = [row["event"] for row in found]
    assert events[0] == "accepted"
    assert events.count("rerouted") == 2
    assert [event for event in events if event in ("deferred", "delivered")] == [
        "deferred",
        "delivered",
    ]
    assert "repaired" in events
    assert "account_paused" in events
    assert found[-1]["account"] == "spare"
    assert found[-1]["attempts"] == 2
    assert pid == os.getpid()
    for words in (
        f"mail {name}",
        f"pid {pid}, uid {os.getuid()}",
        "goes through spare",
        "account main",
        "450 4.2.0 mailbox busy",
        "repaired: ",
        "delivered to you@example.com",
    ):
        assert words in page.out
