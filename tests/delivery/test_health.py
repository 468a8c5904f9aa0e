"""How an account is doing, across restarts, changes of its settings and threads."""

from __future__ import annotations

import json
import os
import threading

import pytest

from pillarbox.delivery.health import Health, Memory
from queue_world import DAY_S, HOUR_S, HandClock, account


def fail(health, clock, kind="login"):
    """Have a login fail."""
    health.breaker.trying(clock.elapsed_s())
    health.breaker.failed(kind, "no", now_s=clock.epoch_s(), elapsed_s=clock.elapsed_s())
    health.save()


@pytest.mark.parametrize(
    "name", ["default", "my account", "a/../../b", "..", "中文", "a%b", "A" * 60, ""]
)
def test_memory_keeps_each_account_in_a_file_of_its_folder(name, tmp_path):
    """Whatever an account is called, its file lies in the folder, and is found again."""
    folder = tmp_path / "accounts"
    folder.mkdir()
    memory = Memory(str(folder))
    assert memory.load(name) == {}
    memory.save(name, {"name": name})
    assert memory.load(name) == {"name": name}
    (only,) = os.listdir(folder)
    assert only.startswith("account-")
    assert only.endswith(".json")
    assert os.listdir(tmp_path) == ["accounts"]


def test_memory_tells_names_apart(tmp_path):
    """No two names share a file."""
    memory = Memory(str(tmp_path))
    names = ["a b", "a%20b", "a_b", "A b", "a  b", "ä", "%C3%A4"]
    for name in names:
        memory.save(name, {"name": name})
    assert [memory.load(name)["name"] for name in names] == names


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "\x00\xff", '{"a": }'])
def test_damaged_memory_is_no_memory(text, tmp_path):
    """A file that a crash or a person has spoilt stops nothing."""
    (tmp_path / "account-a.json").write_text(text, encoding="latin-1")
    memory = Memory(str(tmp_path))
    assert memory.load("a") == {}
    memory.save("a", {"x": 1})
    assert memory.load("a") == {"x": 1}


def test_memory_that_cannot_be_written_keeps_what_was_there(tmp_path):
    """A folder that is gone, or no folder at all, is no reason to stop."""
    Memory("").save("a", {})
    assert Memory("").load("a") == {}
    Memory(str(tmp_path / "gone")).save("a", {})
    memory = Memory(str(tmp_path))
    memory.save("a", {"x": 1})
    (tmp_path / "account-a.json.part").mkdir()  # in the way of every new record
    memory.save("a", {"x": 2})
    assert memory.load("a") == {"x": 1}


def test_record_has_no_secret(tmp_path):
    """What is kept of an account says nothing of its password (attack L10)."""
    health = Health(account(tmp_path, password="canary-4711"), Memory(str(tmp_path)), HandClock())
    fail(health, health._clock)
    text = (tmp_path / "account-a.json").read_text()
    assert json.loads(text)["breaker"]["kind"] == "login"
    assert "canary" not in text


def test_account_waits_on_after_a_restart(tmp_path):
    """A daemon that is started again does not log in again."""
    clock, memory = HandClock(), Memory(str(tmp_path))
    health = Health(account(tmp_path, max_per_hour=10), memory, clock)
    fail(health, clock)
    health.budget.take(clock.elapsed_s(), 9)
    health.save()
    clock.now_s += 60
    again = Health(account(tmp_path, max_per_hour=10), memory, clock)
    assert not again.may_try()
    assert (again.breaker.kind, again.breaker.failures) == ("login", 1)
    assert again.budget.wait_s(clock.elapsed_s()) > HOUR_S / 2


CHANGES = [
    ({"password": "y"}, True),
    ({"user": "you"}, True),
    ({"host": "other.example"}, True),
    ({"port": 465}, True),
    ({"auth": "login"}, True),
    ({"passwordeval": '"echo x"'}, True),
    ({"tls_fingerprint": "AB:" * 31 + "AB"}, True),
    ({"max_per_hour": 5}, False),
    ({"from": "other@example.org"}, False),
    ({}, False),
]


@pytest.mark.parametrize(("changes", "is_tried"), CHANGES, ids=str)
@pytest.mark.parametrize("is_restart", [False, True])
def test_other_credentials_have_it_tried_at_once(changes, is_tried, is_restart, tmp_path):
    """Whoever mends the password need not wait; whoever touches the file gets no free login."""
    clock, memory = HandClock(), Memory(str(tmp_path))
    health = Health(account(tmp_path), memory, clock)
    fail(health, clock)
    if is_restart:
        health = Health(account(tmp_path, **changes), memory, clock)
    else:
        health.renew(account(tmp_path, **changes))
    assert health.may_try() is is_tried


def test_new_credential_of_the_unit_has_it_tried_at_once(tmp_path, monkeypatch):
    """A password that systemd hands over is known by the time of its file."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    credential = tmp_path / "pillarbox.a"
    credential.write_text("x")
    clock, memory = HandClock(), Memory(str(tmp_path))
    health = Health(account(tmp_path), memory, clock)
    fail(health, clock)
    assert not Health(account(tmp_path), memory, clock).may_try()
    os.utime(credential, ns=(1, 1))
    assert Health(account(tmp_path), memory, clock).may_try()


def test_reloads_during_logins_cost_nothing(tmp_path):
    """A file that is touched again and again while logins are under way closes no account."""
    clock = HandClock()
    health = Health(account(tmp_path), Memory(str(tmp_path)), clock)
    for _ in range(20):
        health.breaker.trying(clock.elapsed_s())
        health.renew(account(tmp_path))
        health.breaker.succeeded(clock.elapsed_s())
        clock.now_s += 1
    assert health.may_try()
    assert health.breaker.is_proven


def test_new_limits_count_what_was_sent(tmp_path):
    """A limit that is changed knows of the mails that went before, as far as they were counted."""
    clock = HandClock()
    health = Health(account(tmp_path, max_per_day=10), Memory(str(tmp_path)), clock)
    health.budget.take(clock.elapsed_s(), 9)
    assert health.wait_s() > 0
    health.renew(account(tmp_path, max_per_day=20))
    assert health.wait_s() == 0
    health.renew(account(tmp_path, max_per_day=10))
    assert health.wait_s() > DAY_S / 2
    assert health.wait_s(is_urgent=True) == 0


def test_new_account_has_one_connection_until_it_is_proven(tmp_path):
    """One login finds out whether there may be more."""
    clock = HandClock()
    health = Health(account(tmp_path), Memory(""), clock)
    assert health.max_workers(4) == 1
    health.breaker.trying(clock.elapsed_s())
    health.breaker.succeeded(clock.elapsed_s())
    assert health.max_workers(4) == 4


def test_threads_that_save_at_once_leave_a_whole_record(tmp_path):
    """Connections that fail at the same time must not spoil what is remembered of their logins."""
    clock, memory = HandClock(), Memory(str(tmp_path))
    health = Health(account(tmp_path), memory, clock)
    fail(health, clock)

    def save() -> None:
        for _ in range(50):
            health.save()

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert memory.load("a")["breaker"]["kind"] == "login"
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path).count("account-a.json.part") == 0
