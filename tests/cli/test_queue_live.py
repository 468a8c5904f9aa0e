"""Every command of ``pillarbox queue`` on the real daemon, with 1,000 mails in all states."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter

import pytest

from peer import Puppet
from pillarbox.cli.queue import ACTIONS
from pillarbox.delivery.clock import Clock
from pillarbox.delivery.health import Memory as Remembered
from pillarbox.delivery.still import StillCarrier
from pillarbox.spool.base import FAILED, HOLD, QUEUE, Progress
from pillarbox.spool.directory import Directory
from programs import ENVIRONMENT
from queue_desk import ANN, BEN, OWNER, put
from served import Service, accounts_for, folder_for_all

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

ROOT = 0
MAILS = 1000


def fill(folder):
    """Put 1,000 mails of three users into a spool, in every state; their account is paused."""
    spool = Directory(str(folder / "spool"))
    spool.open()
    for number in range(MAILS):
        state = {7: HOLD, 8: FAILED, 9: FAILED}.get(number % 10, QUEUE)
        put(
            spool,
            f"r{number}@example.net",
            uid=(OWNER, ANN, BEN)[number % 3],
            age_s=MAILS - number + 1000,
            state=state,
            progress=Progress(b"F", attempts=20, reason="550 no") if state == FAILED else None,
            account="default",
        )
    (folder / "spool" / "corrupt" / "torn").write_text("?")
    carrier = StillCarrier(spool, Remembered(spool.accounts_path), Clock())
    carrier.pause("default")
    spool.close()
    for path in folder.rglob("*"):
        os.chown(path, OWNER, OWNER)


@pytest.fixture(name="live", scope="module")
def _live():
    """Return a daemon, run by a user of its own, and the server that it sends to."""
    folder = folder_for_all()
    fill(folder)
    prefix = ["setpriv", "--reuid", str(OWNER), "--regid", str(OWNER), "--clear-groups", "--"]
    with Puppet() as puppet:
        accounts = accounts_for(puppet.port)
        with Service(accounts, prefix=prefix, uid=OWNER, folder=folder) as service:
            service.puppet = puppet
            yield service
    shutil.rmtree(folder)


def run(live, uid, *words):
    """Run a subcommand as a user; return the exit code, standard output and standard error."""
    code = "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; run('')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "queue", *words], user=uid, group=uid, extra_groups=[],
        env=ENVIRONMENT | {"PILLARBOX_CONTROL": live.control}, cwd="/", capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def rows(live, uid, *words, code=0):
    """Run a subcommand that answers in JSON; return the objects."""
    ended, out, err = run(live, uid, *words, "--json")
    assert ended == code, err
    return [json.loads(line) for line in out.splitlines()]


def counts(live, uid):
    """Return how many mails a user has in each state."""
    return Counter(row["state"] for row in rows(live, uid, "list", "--state", "all"))


@pytest.mark.users
def test_every_command_on_a_thousand_mails(live):
    """By root, by the service's user, by others; nothing is lost on the way."""
    seen = set()

    def asked(uid, *words, code=0):
        seen.add(words[0])
        return rows(live, uid, *words, code=code)

    everything = {QUEUE: 700, HOLD: 100, FAILED: 200, "corrupt": 1}
    assert counts(live, ROOT) == counts(live, OWNER) == everything
    assert sum(counts(live, ANN).values()) == 333
    assert counts(live, 65534) == {}

    # Looking: each kind of page, for each kind of user.
    for uid, count in ((ROOT, 800), (OWNER, 800), (ANN, 267)):
        assert len(asked(uid, "list")) == count
        (status, *accounts) = asked(uid, "status")
        assert (status["is_delivering"], accounts[0]["kind"]) == (True, "paused")
        (stats,) = asked(uid, "stats")
        assert sum(stats["states"][state] for state in (QUEUE, HOLD)) == count
        assert run(live, uid, "list")[0] == run(live, uid, "stats", "--prometheus")[0] == 0
        assert asked(uid, "history") == []
    (row,) = asked(ANN, "list", "--to", "r1@*")
    assert asked(ANN, "show", row["id"])[0]["headers"]
    assert run(live, BEN, "show", row["id"])[0] == 66

    # Changing: what is chosen, no more.
    assert len(asked(ANN, "delete", "--to", "r1@*", "--yes")) == 1
    assert len(asked(ROOT, "hold", "--older", "1900s", "--yes")) > 50
    held = counts(live, ROOT)[HOLD]
    assert held > 150
    assert len(asked(OWNER, "release", "--state", "hold")) == held
    assert counts(live, ROOT) == {QUEUE: 799, FAILED: 200, "corrupt": 1}
    retried = asked(ROOT, "retry", "--state", "failed", code=75)  # its account is paused
    assert len(retried) == 200
    assert counts(live, ROOT) == {QUEUE: 999, "corrupt": 1}
    (row,) = asked(ROOT, "list", "--to", "r2@*")
    (edited,) = asked(ROOT, "edit", row["id"], "--to", "new@example.net", "--yes")
    assert asked(ROOT, "show", edited["new_id"])[0]["uid"] == row["uid"] == BEN
    assert asked(ROOT, "delete", "--state", "corrupt", "--yes")[0]["done"] is True
    assert live.puppet.connections == 0

    # Accounts: on, and everything goes, each once.
    assert asked(OWNER, "flush", code=75)[0]["is_paused"] is True
    assert asked(ROOT, "resume", "default")[0]["done"] is True
    live.wait_for(lambda: len(live.puppet.contents) >= 999)
    assert asked(ROOT, "pause", "default")[0]["done"] is True
    limit = time.monotonic() + 20
    while counts(live, ROOT) and time.monotonic() < limit:
        pass
    assert counts(live, ROOT) == {}
    receivers = [line for line in live.puppet.commands if line.startswith("RCPT")]
    assert len(set(receivers)) == len(receivers) == 999
    past = Counter(row["state"] for row in asked(ROOT, "history", "--limit", "5000"))
    assert past == {"delivered": 999, "deleted": 2}
    assert run(live, ROOT, "import", "/nonexistent")[0] == 66
    assert seen | {"import"} == set(ACTIONS)
