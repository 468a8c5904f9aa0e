"""The file of the service's settings."""

import os
from dataclasses import asdict

import pytest

from pillarbox.config import service
from pillarbox.config.places import find_places
from pillarbox.config.service import load_service, parse_service
from pillarbox.errors import ConfigError

WHOLE = """\
roles = ["deliver"]
spool = "/srv/mail"
submit_socket = "/run/s"
control_socket = "/run/c"
accounts_file = "/etc/accounts"
aliases = "/etc/aliases"
hostname = "web01.example.com"

[limits]
max_message = "1M"
max_recipients = 2
per_user_rate_per_minute = 3
per_user_burst = 4
per_user_share_count = 5
per_user_share = "6K"
max_queue_count = 7
min_free_percent = 8
min_free_inodes_percent = 9
max_connections = 10
max_connections_per_user = 11
idle = "12s"

[listen]
addresses = ["0.0.0.0:25", "[::]:25"]
socket = "/run/smtp"
tls_certificate = "/etc/cert.pem"
tls_key = "/etc/key.pem"
users = "/etc/users"
requires_login = true

[delivery]
connections_per_account = 13
mails_per_connection = 14
connection_idle = "15s"
connection_lifetime = "16m"
queue_lifetime = "17d"
warning_after = "18h"
failed_kept = "19w"
scan_interval = 20
history_kept = 22

[notices]
per_day = 21
languages = ["zh"]

[alerts]
command = ["/bin/logger", "-p", "crit"]

[log]
targets = ["file", "journal"]
format = "json"
file = "/var/log/pillarbox.log"
level = "warning"

[senders]
root = ["*"]
0 = ["*@example.com"]
"@root" = ["ops@example.com"]
"*" = []
"""

VALUES = {
    "roles": ("deliver",),
    "spool": "/srv/mail",
    "submit_socket": "/run/s",
    "control_socket": "/run/c",
    "accounts_file": "/etc/accounts",
    "aliases": "/etc/aliases",
    "hostname": "web01.example.com",
    "limits": {
        "max_message_bytes": 1048576,
        "max_recipients": 2,
        "per_user_rate_per_minute": 3,
        "per_user_burst": 4,
        "per_user_share_count": 5,
        "per_user_share_bytes": 6144,
        "max_queue_count": 7,
        "min_free_percent": 8,
        "min_free_inodes_percent": 9,
        "max_connections": 10,
        "max_connections_per_user": 11,
        "idle_s": 12,
    },
    "listen": {
        "addresses": ("0.0.0.0:25", "[::]:25"),
        "socket": "/run/smtp",
        "tls_certificate": "/etc/cert.pem",
        "tls_key": "/etc/key.pem",
        "users": "/etc/users",
        "requires_login": True,
    },
    "delivery": {
        "connections_per_account": 13,
        "mails_per_connection": 14,
        "connection_idle_s": 15,
        "connection_lifetime_s": 960,
        "queue_lifetime_s": 1468800,
        "warning_after_s": 64800,
        "failed_kept_s": 11491200,
        "scan_interval_s": 20,
        "history_kept_s": 22,
    },
    "notices": {"per_day": 21, "languages": ("zh",)},
    "alerts": {"command": ("/bin/logger", "-p", "crit")},
    "log": {
        "targets": ("file", "journal"),
        "format": "json",
        "file": "/var/log/pillarbox.log",
        "level": "warning",
    },
    "senders": {
        "root": ("*",),
        "0": ("*@example.com",),
        "@root": ("ops@example.com",),
        "*": (),
    },
}


@pytest.fixture
def environment(tmp_path):
    """Name directories of a user's own."""
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a file of the given text."""
    path = tmp_path / "s.toml"

    def load_text(text, *, mode=0o644, is_user=True):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return load_service(str(path), is_user=is_user, environment={"HOME": "/h"})

    return load_text


def test_every_setting_is_read(load, tmp_path):
    """A file that sets everything leaves nothing at its default."""
    assert asdict(load(WHOLE)) == {**VALUES, "path": str(tmp_path / "s.toml")}


@pytest.mark.parametrize("is_user", [True, False])
def test_no_file_is_needed(environment, is_user, monkeypatch):
    """Without a file everything has its default, and its place."""
    places = find_places(environment, is_user=is_user)
    loaded = load_service(None, is_user=is_user, environment=environment)
    assert loaded == parse_service({}, places)
    assert loaded.path == ""
    for name in ("spool", "submit_socket", "control_socket", "accounts_file"):
        assert getattr(loaded, name) == getattr(places, name)
    assert loaded.limits.max_message_bytes == 25 * 1024 * 1024
    assert loaded.delivery.queue_lifetime_s == 5 * 86400
    assert loaded.senders == {}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_service(None, is_user=is_user) == loaded


def test_the_usual_file_is_read(environment, tmp_path):
    """A user's file is found where XDG has it."""
    path = tmp_path / ".config/pillarbox/pillarbox.toml"
    path.parent.mkdir(parents=True)
    path.write_text("limits.max_recipients = 5\n")
    loaded = load_service(None, is_user=True, environment=environment)
    assert loaded.limits.max_recipients == 5
    assert loaded.path == str(path)


# text, line, what is said, what is advised
WRONG = [
    ('roles = ["submitt"]', 1, 'some of "submit", "deliver"', ""),
    ("spool = 5", 1, "invalid value for spool: write a text in quotes", ""),
    ("# first\n\nspol = 5", 3, "unknown setting spol", "did you mean spool?"),
    ("[limit]\nmax_message = 5", 1, "unknown setting limit", "did you mean limits?"),
    ("[limits]\nmax_mesage = 5", 2, "max_mesage in [limits]", "did you mean max_message?"),
    ("limits.max_mesage = 5", 1, "max_mesage in [limits]", "did you mean max_message?"),
    ("[limits]\nqqq = 5", 2, "qqq in [limits]", "write one of max_message, max_recipients, "),
    ("max_message = 5", 1, "unknown setting max_message", "it belongs below [limits]"),
    ("[limits]\nspool = '/x'", 2, "unknown setting spool", "it belongs above the first [section]"),
    ("[limits]\nper_day = 5", 2, "unknown setting per_day", "it belongs below [notices]"),
    ("limits = 5", 1, "limits is a section: write [limits] above it", ""),
    ("[[limits]]\nidle = 5", 1, "limits is a section", ""),
    ("[notices]\n\n[limits]\nidle = '5 days'", 4, "value for idle: write seconds, or a time", ""),
    ("[limits]\n'idle' = 0", 2, "value for idle", ""),
    ("[limits]\nmax_message = '25MB'", 2, 'such as "512K", "25M" or "2G"', ""),
    ("[senders]\nnobodyy = ['*']", 2, "value for nobodyy: there is no such user", ""),
    ('[senders]\n"@nogroup-" = ["*"]', 2, "there is no such group", ""),
    ("[senders]\nroot = 'a@b'", 2, "value for root: write a list", ""),
    ("[alerts]\ncommand = 'mail root'", 2, "value for command: write a list", ""),
    ("spool = /var", 1, "is not valid TOML", ""),
    ("spool = '/a'\nspool = '/b'", 2, "is not valid TOML", ""),
    ("a = 1\nb = [", 2, "is not valid TOML", ""),
    ("x = " + "9" * 5000, 0, "is not valid TOML", ""),
    ("x = " + "[" * 100000, 0, "is not valid TOML", ""),
    (b"# caf\xe9\nspool = '/a'", 1, "is not UTF-8", ""),
    (b"\n\xff", 2, "is not UTF-8", ""),
    ('"a\\u001b[2J" = 1', 0, "unknown setting a\\x1b[2J", "write one of roles, spool"),
    ('[senders]\n"\\u001b" = []', 0, "value for \\x1b: there is no such user", ""),
]


@pytest.mark.parametrize(("text", "line", "words", "advice"), WRONG)
def test_a_mistake_is_told_with_its_line(load, tmp_path, text, line, words, advice):
    """What cannot be understood is never passed over: file, line, what, and what to do."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    error = caught.value
    assert (error.path, error.line) == (str(tmp_path / "s.toml"), line)
    assert words in error.problem
    assert advice in error.advice
    assert bool(error.advice) == bool(advice)
    assert error.exit_code == 78


def test_a_named_file_must_be_there(tmp_path):
    """--config with a file that is missing is a mistake, not a wish for the defaults."""
    with pytest.raises(ConfigError, match="is not there") as caught:
        load_service(str(tmp_path / "none"), is_user=True)
    assert "leave out --config" in caught.value.advice


def test_what_is_no_file_is_told(tmp_path):
    """A directory in its place is an error of the configuration, with the system's reason."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory") as caught:
        load_service(str(tmp_path), is_user=True)
    assert caught.value.path == str(tmp_path)


def test_an_endless_file_is_refused(load):
    """A mistaken file does not fill the memory: not more than a mebibyte is looked at."""
    assert load("#" * (1 << 20)).limits.max_recipients == 1000
    with pytest.raises(ConfigError, match="larger than a mebibyte"):
        load("#" * (1 << 20) + "#")


# uid, is_user, who owns it, mode, words of the refusal (empty: it is taken)
OWNERS = [
    (0, False, 0, 0o644, ""),
    (0, False, 0, 0o600, ""),
    (0, False, 0, 0o664, "can be written by others"),
    (0, False, 0, 0o646, "can be written by others"),
    (0, False, 7, 0o600, "belongs to user id 7"),
    (0, True, 0, 0o664, "can be written by others"),
    (7, False, 0, 0o644, ""),
    (7, False, 7, 0o600, ""),
    (7, False, 0, 0o664, "can be written by others"),
    (7, False, 8, 0o600, "belongs to user id 8"),
    (7, True, 7, 0o664, ""),
    (7, True, 0, 0o644, ""),
    (7, True, 7, 0o666, "can be written by others"),
    (7, True, 8, 0o644, "belongs to user id 8"),
]


@pytest.mark.parametrize(("uid", "is_user", "owner", "mode", "words"), OWNERS)
def test_attack_settings_written_by_another_user(uid, is_user, owner, mode, words, monkeypatch):
    """Attack: who may write the file could name a program that the daemon runs (row P4)."""
    status = os.stat_result((mode | 0o100000, 1, 1, 1, owner, 0, 0, 0, 0, 0))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(service, "read_file", lambda *_: (b"", status))
    if not words:
        load_service("/s", is_user=is_user, environment={"HOME": "/h"})
        return
    with pytest.raises(ConfigError, match=words) as caught:
        load_service("/s", is_user=is_user, environment={"HOME": "/h"})
    assert caught.value.advice.startswith("give it to" if "belongs" in words else "chmod go-w")
