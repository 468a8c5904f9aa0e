"""A queue put together from its settings: each part gets what it is meant to have."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from peer import Puppet
from pillarbox.config.places import find_places
from pillarbox.config.service import parse_service
from pillarbox.delivery.acceptance import Submission, make_head
from pillarbox.delivery.assembly import hostname_of, limits_of, make_accounts, make_deliverer
from pillarbox.delivery.events import Events
from pillarbox.errors import ConfigError
from pillarbox.mail.address import parse_mailbox
from pillarbox.spool.base import FAILED
from pillarbox.spool.directory import Directory
from queue_world import HandClock


def service(folder, tables=None, *, is_user=False):
    """Return the settings that these tables mean."""
    environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    return parse_service(tables or {}, find_places(environment, is_user=is_user))


def write_accounts(path, port):
    """Write a file of accounts."""
    path.write_text(f"account default\nhost 127.0.0.1\nport {port}\nauth off\ntls off\n")
    path.chmod(0o600)


def test_each_limit_comes_from_its_setting(tmp_path):
    """No two of them are mixed up."""
    settings = {
        "connections_per_account": 3,
        "mails_per_connection": 4,
        "connection_idle": "5s",
        "connection_lifetime": "6s",
        "queue_lifetime": "7d",
        "warning_after": "8h",
        "failed_kept": "9d",
        "scan_interval": "11s",
    }
    limits = limits_of(service(tmp_path, {"delivery": settings}))
    assert (limits.connections, limits.mails) == (3, 4)
    assert (limits.idle_s, limits.lifetime_s, limits.scan_interval_s) == (5, 6, 11)
    assert (limits.queue_lifetime_s, limits.warning_after_s) == (7 * 86400, 8 * 3600)
    assert limits.failed_kept_s == 9 * 86400


HOSTNAMES = [
    ("mail.example.org", "mail.example.org"),
    ("", os.uname().nodename),
    ("[192.0.2.1]", "[192.0.2.1]"),
]


@pytest.mark.parametrize(("given", "name"), HOSTNAMES)
def test_hostname(given, name, tmp_path):
    """What is set counts, else the machine's own name."""
    tables = {"hostname": given} if given else {}
    assert hostname_of(service(tmp_path, tables)) == name


def test_machine_with_a_name_that_no_server_takes_is_localhost(tmp_path, monkeypatch):
    """A name with an underscore would be refused in EHLO and break the Received field."""
    name = type("Name", (), {"nodename": "my host\r\nX: y"})
    monkeypatch.setattr(os, "uname", name)
    assert hostname_of(service(tmp_path)) == "localhost"


def test_accounts_of_the_system_are_those_of_its_file(tmp_path):
    """A user's own file is none of the system's business (attack P5)."""
    (tmp_path / ".msmtprc").write_text("account evil\nhost evil.example\n")
    (tmp_path / ".msmtprc").chmod(0o600)
    path = tmp_path / "accounts"
    write_accounts(path, 25)
    settings = service(tmp_path, {"accounts_file": str(path)})
    found = make_accounts(settings, {"HOME": str(tmp_path)}, is_user=False)
    assert found.names() == ["default"]


def test_accounts_of_a_user_are_his_own(tmp_path):
    """A queue of one user sends as his msmtp does."""
    write_accounts(tmp_path / ".msmtprc", 25)
    settings = service(tmp_path, is_user=True)
    found = make_accounts(settings, {"HOME": str(tmp_path)}, is_user=True)
    assert "default" in found.names()
    other = tmp_path / "other"
    other.write_text("account mine\nhost mine.example\n")
    other.chmod(0o600)
    settings = service(tmp_path, {"accounts_file": str(other)}, is_user=True)
    assert "mine" in make_accounts(settings, {"HOME": str(tmp_path)}, is_user=True).names()


def test_broken_accounts_are_told_at_once(tmp_path):
    """A daemon does not start with a file that it cannot use."""
    path = tmp_path / "accounts"
    path.write_text("nonsense\n")
    path.chmod(0o600)
    with pytest.raises(ConfigError):
        make_accounts(service(tmp_path, {"accounts_file": str(path)}), {}, is_user=False)


def test_deliverer_works_on_the_spool_with_the_settings(tmp_path):
    """A mail goes out, a failure is told by notice, and an alarm runs the command."""
    told = tmp_path / "told"
    script = tmp_path / "alarm"
    script.write_text(f"#!/bin/sh\ncat > {told}.part; mv {told}.part {told}\n")
    script.chmod(0o700)
    tables = {
        "accounts_file": str(tmp_path / "accounts"),
        "alerts": {"command": [str(script)]},
        "notices": {"per_day": 1, "languages": ["zh"]},
    }
    lines: list[str] = []
    with ExitStack() as stack:
        puppet = stack.enter_context(Puppet({"RCPT TO:<bad": "550 5.1.1 no"}))
        write_accounts(tmp_path / "accounts", puppet.port)
        settings = service(tmp_path, tables)
        accounts = make_accounts(settings, {}, is_user=False)
        spool = Directory(str(tmp_path / "spool"))
        spool.open()
        stack.callback(spool.close)
        deliverer = make_deliverer(
            spool,
            accounts,
            lambda: settings,
            hostname="host.example.org",
            events=Events(lines.append, environment={}),
            clock=HandClock(),
        )
        for name in ("good", "bad", "bad2"):
            put(spool, accounts, f"{name}@example.net")
        assert deliverer.load() == 3
        deliverer.flush_once()
        assert len(spool.names(FAILED)) == 2
        notices = [each for each in puppet.contents if b"multipart/report" in each]
        assert len(notices) == 1  # the second waits for the digest of the day
        assert "b" in notices[0].decode("utf-8", "replace")
        assert os.path.exists(f"{spool.accounts_path}/notices.json")
        assert os.path.exists(f"{spool.accounts_path}/account-default.json")
        deliverer._traffic.alarm("a subject", "a text")
        for thread in [each for each in threads() if each.name == "pillarbox alarm"]:
            thread.join(20)
        assert "a text" in told.read_text()


def threads():
    """Return the threads of this process."""
    import threading

    return threading.enumerate()


def put(spool, accounts, to):
    """Put a mail into a spool."""
    from pillarbox.delivery.acceptance import Submission, make_head
    from pillarbox.mail.address import parse_mailbox

    submission = Submission((parse_mailbox(to),), sender=parse_mailbox("me@example.org"))
    head = make_head(submission, accounts, hostname="host.example.org", epoch_s=1.8e9)
    draft = spool.begin(head)
    draft.write(b"Subject: x\n\ny\n")
    draft.commit()


def test_notices_go_where_the_aliases_of_the_settings_lead(tmp_path):
    """They go before those of the account, for notices as for mail."""
    with ExitStack() as stack:
        puppet = stack.enter_context(Puppet({"RCPT TO:<bad": "550 5.1.1 no"}))
        write_accounts(tmp_path / "accounts", puppet.port)
        (tmp_path / "aliases").write_text("root: admin@example.net\n")
        tables = {
            "accounts_file": str(tmp_path / "accounts"),
            "aliases": str(tmp_path / "aliases"),
        }
        settings = service(tmp_path, tables)
        accounts = make_accounts(settings, {}, is_user=False)
        spool = Directory(str(tmp_path / "spool"))
        spool.open()
        stack.callback(spool.close)
        deliverer = make_deliverer(
            spool,
            accounts,
            lambda: settings,
            hostname="host.example.org",
            events=Events(lambda _: None),
            clock=HandClock(),
        )
        submission = Submission((parse_mailbox("bad@example.net"),), sender=parse_mailbox("root"))
        head = make_head(submission, accounts, hostname="host.example.org", epoch_s=1.8e9)
        draft = spool.begin(head)
        draft.write(b"Subject: x\n\nx\n")
        draft.commit()
        deliverer.load()
        deliverer.flush_once()
    assert any("admin@example.net" in line for line in puppet.commands)
