"""One login, and what a person is told of it."""

from __future__ import annotations

import socket

import pytest

from peer import Puppet
from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes
from pillarbox.mail.address import parse_mailbox
from pillarbox.secret import Secret
from pillarbox.setup import trial as trial_module
from pillarbox.setup.trial import try_login

ME = parse_mailbox("me@example.com")
YOU = parse_mailbox("you@example.org")
SECRET = "s3cret-word"


def tried(replies, language="en", **more):
    """Log in at a server that answers so; return what came of it, and the commands it heard."""
    with Puppet(replies) as puppet:
        account = Account("default", "")
        settings = {"host": "127.0.0.1", "port": puppet.port, "auth": "plain", "user": str(ME),
                    "password": Secret(SECRET)} | more  # fmt: skip
        for name, value in settings.items():
            account.set(FIELD_BY_NAME[name], value, "a test")
        finished = finish_account(account, Wishes({}, env={}))
        trial = try_login(finished, ME, YOU, environment={}, language=language)
    return trial, [line.partition(" ")[0] for line in puppet.commands]


def test_nothing_is_sent():
    """Sender and recipient are rehearsed, and then forgotten."""
    trial, commands = tried({})
    assert (trial.exit_code, trial.lines, trial.recipient_refusal) == (0, (), "")
    assert commands == ["EHLO", "AUTH", "MAIL", "RCPT", "RSET", "QUIT"]


@pytest.mark.parametrize(("reply", "is_refused", "word"), [
    ("535 5.7.8 wrong", True, "535 5.7.8 wrong"),
    ("526 Authentication failure[0]", True, "526"),
    ("526 Authentication failure[1]", False, "526"),
    ("535 5.7.8 too many failed logins", False, "too many"),
    ("535 account is locked", False, "locked"),
    ("421 closing", False, "421"),
    ("", False, ""),
])  # fmt: skip
def test_another_password_is_asked_for_only_where_it_may_help(reply, is_refused, word):
    """Not where the account is locked, nor where the server has gone away."""
    trial, commands = tried({"AUTH": reply})
    assert trial.is_login_refused is is_refused
    assert trial.exit_code not in (0, 70)
    assert word in "\n".join(trial.lines)
    assert "MAIL" not in commands


@pytest.mark.parametrize(("reply", "code"), [
    ("440 mail from account doesn't conform with authentication", 69),
    ("553 5.7.1 not yours", 69),
    ("451 4.3.0 try later", 75),
])  # fmt: skip
def test_a_sender_that_is_not_taken_ends_it(reply, code):
    """The login is right: another password would not help."""
    trial, _ = tried({"MAIL": reply})
    assert trial.exit_code == code
    assert trial.lines[0] == (
        "the login is right, but the server takes no mail from me@example.com"
    )
    assert reply in "\n".join(trial.lines)
    assert not trial.is_login_refused
    assert not trial.is_way_barred


def test_a_recipient_that_is_not_taken_is_told_and_does_not_end_it():
    """The account is good; the test mail will have to go elsewhere."""
    trial, _ = tried({"RCPT": "550 5.1.1 nobody\x1b[2J here"})
    assert trial.exit_code == 0
    assert trial.recipient_refusal == "550 5.1.1 nobody\\x1b[2J here"


def test_a_server_that_says_no_at_the_door_is_not_left_for_another():
    """It has spoken: another port of its says the same."""
    trial, _ = tried({"": "554 5.7.1 go away"})
    assert not trial.is_way_barred
    assert trial.exit_code != 0


def test_the_secret_that_a_server_repeats_is_starred_out():
    """Attack: a server that quotes the command puts the password on the screen."""
    for stage in ("AUTH", "MAIL", "RCPT"):
        trial, _ = tried({stage: f"550 you said {SECRET}"})
        told = "\n".join((*trial.lines, trial.recipient_refusal))
        assert "you said *" in told
        assert SECRET not in told


def test_the_explanation_comes_first_and_in_the_language():
    """What the number means, and then the number."""
    replies = {"": "220 smtp.aliyun-inc.com AliMail", "AUTH": "526 Authentication failure[0]"}
    english, _ = tried(replies)
    assert "Wrong user name or password" in english.lines[0]
    assert english.lines[1].startswith("what to do: ")
    chinese, _ = tried(replies, "zh")
    assert "账号或密码错误" in chinese.lines[0]


def test_a_server_that_says_nothing_is_left_after_a_while(monkeypatch):
    """Behind a firewall that swallows everything there may be another port."""
    monkeypatch.setattr(trial_module, "_PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        trial, _ = tried({}, port=silent.getsockname()[1])
    assert trial.exit_code == 75
    assert trial.is_way_barred
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(trial_module, "_PATIENCE_S", 1000)
        trial, _ = tried({}, port=silent.getsockname()[1], timeout=0.2)
    assert trial.is_way_barred
