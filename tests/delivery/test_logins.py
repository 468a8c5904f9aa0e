"""The memory of logins: what is kept, where, and that a weaker one is refused."""

import pytest

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.delivery.logins import recall_login, remember_login
from pillarbox.delivery.route import Route
from pillarbox.secret import Secret
from pillarbox.smtp import states
from pillarbox.smtp.client import Client
from pillarbox.smtp.mechanism import Credentials
from pillarbox.smtp.session import SessionOptions, SessionRefused


def route(host="h.example", user="me"):
    """Return the way of an account."""
    account = Account("default", "")
    for name, value in (("host", host), ("port", 465), ("user", user)):
        account.set(FIELD_BY_NAME[name], value, "test")
    return Route(account, Secret("x"))


@pytest.fixture
def environment(tmp_path):
    """Return an environment whose state is kept in a folder of the test."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


REMEMBERED = [
    (["SCRAM-SHA-256"], "SCRAM-SHA-256"),
    (["SCRAM-SHA-256-PLUS"], "SCRAM-SHA-256"),
    (["SCRAM-SHA-1", "SCRAM-SHA-256"], "SCRAM-SHA-256"),
    (["SCRAM-SHA-256", "SCRAM-SHA-1"], "SCRAM-SHA-256"),
    (["SCRAM-SHA-256", "PLAIN"], "SCRAM-SHA-256"),
    (["PLAIN"], ""),
    (["LOGIN", "XOAUTH2", "GSSAPI"], ""),
]


@pytest.mark.parametrize(("used", "kept"), REMEMBERED)
def test_the_strongest_is_kept(environment, used, kept):
    """Only what is stronger than showing the password is worth a memory."""
    for name in used:
        remember_login(route(), name, environment)
    assert recall_login(route(), environment) == kept


def test_each_server_and_user_has_its_own(environment):
    """Another host or login knows nothing of it, whatever blanks and lines are in its name."""
    remember_login(route(), "SCRAM-SHA-256", environment)
    remember_login(route(user="a b\nSCRAM-SHA-1 h.example 465 me"), "SCRAM-SHA-1", environment)
    assert recall_login(route(), environment) == "SCRAM-SHA-256"
    assert recall_login(route(user="you"), environment) == ""
    assert recall_login(route(host="i.example"), environment) == ""


def test_nobody_else_can_read_it(environment, tmp_path):
    """Folder and file are the user's alone."""
    remember_login(route(), "SCRAM-SHA-256", environment)
    folder = tmp_path / "state" / "pillarbox"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "logins").stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in folder.iterdir()] == ["logins"]


@pytest.mark.parametrize(
    "bad", [{}, {"HOME": ""}, {"HOME": "/nonexistent"}, {"XDG_STATE_HOME": "relative"}]
)
def test_without_a_place_nothing_is_kept(bad):
    """No home, no memory, and no failure."""
    remember_login(route(), "SCRAM-SHA-256", bad)
    assert recall_login(route(), bad) == ""


def test_a_place_that_cannot_be_written_fails_no_mail(tmp_path):
    """What stands in the way of the folder is a file."""
    (tmp_path / "state").write_text("")
    environment = {"XDG_STATE_HOME": str(tmp_path / "state")}
    remember_login(route(), "SCRAM-SHA-256", environment)
    assert recall_login(route(), environment) == ""


def test_garbage_in_the_file_is_no_login(environment, tmp_path):
    """Whatever stands there, a mail can be sent."""
    folder = tmp_path / "state" / "pillarbox"
    folder.mkdir(parents=True)
    (folder / "logins").write_bytes(b"\xff\x00\n\nSCRAM-SHA-256\n")
    assert recall_login(route(), environment) == ""


def converse(known, offered, *, mechanism=""):
    """Return a client that has heard EHLO, and what it says then."""
    options = SessionOptions(
        is_secured=True,
        credentials=Credentials("me", Secret("canary"), "h.example", 465),
        mechanism=mechanism,
        known_login=known,
        nonce=lambda: "abcdefghijklmnop",
    )
    client = Client(options)
    client.receive_data(b"220 h\r\n")
    client.take_output()
    client.receive_data(b"250-h\r\n250 AUTH " + offered + b"\r\n")
    return client, client.take_output()


def test_downgrade_to_a_login_that_shows_the_password_is_refused():
    """N5: a server that hides SCRAM gets no password from us, but an advice for the person."""
    client, said = converse("SCRAM-SHA-256", b"PLAIN LOGIN")
    event = client.next_event()
    assert client.state == states.REFUSED
    assert said == b""
    assert isinstance(event, SessionRefused)
    assert event.trouble.scope == "account"
    assert "SCRAM-SHA-256 until now" in event.trouble.problem
    assert event.trouble.advice.endswith("set auth plain")


@pytest.mark.parametrize(
    ("known", "offered", "mechanism"),
    [
        ("SCRAM-SHA-256", b"PLAIN SCRAM-SHA-256", ""),
        ("SCRAM-SHA-1", b"SCRAM-SHA-256", ""),
        ("", b"PLAIN", ""),
        ("SCRAM-SHA-256", b"PLAIN", "plain"),  # the configuration says so
    ],
)
def test_the_same_a_better_or_a_named_login_is_used(known, offered, mechanism):
    """No false alarm."""
    _, said = converse(known, offered, mechanism=mechanism)
    assert said.startswith(b"AUTH ")
