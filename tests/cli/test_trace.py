"""``pillarbox trace``: a mail followed through a real service and server, and the page of it."""

from __future__ import annotations

import json
import os

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


def test_follows_a_mail_of_a_users_own_queue_without_a_daemon(tmp_path, relay):
    """Who has no service reads the history of his own spool, and is told the same."""
    (tmp_path / ".msmtprc").write_text(
        f"account default\nhost 127.0.0.1\nport {relay.port}\nfrom me@example.org\nqueue on\n"
    )
    (tmp_path / ".msmtprc").chmod(0o600)
    variables = {"HOME": str(tmp_path)}
    sent = run_program("msmtp", ["you@example.com"], MAIL, env=variables)
    assert (sent.exit_code, sent.err) == (0, "")
    assert len(relay.received) == 1
    (file,) = (tmp_path / ".local/state/pillarbox/spool/history").iterdir()
    name = json.loads(file.read_text().splitlines()[0])["id"]
    traced = run_program("pillarbox", ["trace", "--user", name], env=variables)
    assert traced.exit_code == 0
    assert "accepted from " in traced.out
    assert "delivered to you@example.com" in traced.out


# -- the page ----------------------------------------------------------------------------------


def page(*rows):
    """Return the lines of a page of these events, a second apart."""
    return list(
        trace_lines({"mail": "0a-1", "time": 1000.0 + at} | row for at, row in enumerate(rows))
    )


def test_every_event_of_the_history_has_a_sentence():
    """No row of the table is left to be shown as bare words."""
    kept = {name for name, kind in EVENTS.items() if kind.is_history}
    assert set(SENTENCES) == kept | {"now"}


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("evil", ["\x1b[2J\n", "\u202e", "{0}{x}", "x" * 9000, ""])
def test_whatever_stands_in_a_record_is_printable(name, evil):
    """Attack N11: nothing that a caller or server said moves the reader's terminal."""
    row = {"event": name} | dict.fromkeys(EVENTS[name].fields if name in EVENTS else (), evil)
    if name == "now":
        row |= {"state": "queue", "next_attempt_s": 5.0, "reason": evil}
    lines = page(row)
    assert len(lines) >= 2
    assert all(line.isprintable() and len(line) < 7000 for line in lines)


def test_an_event_with_no_more_than_its_name_is_shown():
    """A history of an older version may lack any field."""
    for name in SENTENCES:
        assert len(page({"event": name})) >= 2


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "+0 ms"), (0.25, "+250 ms"), (1.04, "+1.0 s"), (59.0, "+59.0 s"), (90.0, "+1.5 min"),
        (7200.0, "+2.0 h"), (86400 * 3, "+3.0 d"), (-5.0, "+0 ms"),
    ],
)  # fmt: skip
def test_says_how_long_after_the_one_before(seconds, shown):
    """A span has one unit, that a person reads at a glance; a clock that was set back has none."""
    rows = [{"event": "accepted"}, {"event": "filed", "time": 1000.0 + seconds}]
    assert page(*rows)[-1].split("  kept")[0].endswith(shown)


def test_an_unknown_event_is_shown_with_all_it_has():
    """A history of a later version is not silent."""
    assert page({"event": "sealed", "priority": 6, "seal": "wax"})[-1].endswith("sealed seal=wax")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"event": "accepted", "program": "cron", "pid": 4, "uid": 0}, "from cron, pid 4, uid 0"),
        ({"event": "delivered", "to": "a@b", "provider_id": "4XY"}, "the provider calls it 4XY"),
        ({"event": "delivered", "possible_duplicate": "yes"}, "may have arrived as well"),
        ({"event": "deferred", "next_s": 60}, "tried again in 60 seconds"),
        ({"event": "bounced", "to": "a@b", "reply": "550 no"}, "550 no"),
        ({"event": "notice", "id": "0n", "about": "0a-1", "to": "me"}, "me is told by mail 0n"),
        ({"event": "notice", "id": "0a-1", "about": "0b", "to": "me"}, "it tells of mail 0b"),
        ({"event": "edited", "by": 0, "new_id": "0c"}, "goes on as 0c"),
        ({"event": "held", "by": 1000}, "put on hold by uid 1000"),
        ({"event": "now", "state": "failed"}, "now: it has failed, and is kept"),
        ({"event": "now", "state": "queue", "is_active": True}, "now: it is on its way"),
    ],
)
def test_says_what_happened(row, words):
    """Each fact of a record is in the sentence."""
    assert any(words in line for line in page(row))


def test_wrong_use_is_said_in_a_line():
    """No traceback, exit code 64."""
    for words in ([], ["a", "b"], ["--nonsense"]):
        result = run_program("pillarbox", ["trace", *words])
        assert result.exit_code == 64
        assert "Traceback" not in result.err


def test_where_there_is_no_queue_nobody_knows_the_mail():
    """To print nothing and to end well would say that it was found."""
    result = run_program("pillarbox", ["trace", "abcd", "--user"])
    assert (result.exit_code, result.out) == (66, "")
    assert "nobody knows a mail abcd" in result.err
