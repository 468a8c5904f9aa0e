"""Which way a call goes: the one rule, as a table, and what it looks at."""

import os
import sys

import pytest

from pillarbox import handoff
from pillarbox.config.load import Wishes, load_files
from pillarbox.handoff import ACCOUNT, DIRECT, SYSTEM, has_own_configuration, socket_of, way

# wish, options that say how to send, own configuration, the system's socket -> way
WAYS = [
    ("", False, False, False, ACCOUNT),  # of the system's account: direct, or queue on
    ("", False, False, True, SYSTEM),
    ("", False, True, False, ACCOUNT),
    ("", False, True, True, ACCOUNT),
    ("", True, False, False, DIRECT),
    ("", True, False, True, DIRECT),
    ("", True, True, False, DIRECT),
    ("", True, True, True, DIRECT),
    *(("direct", *others, DIRECT) for others in ((False,) * 3, (True,) * 3, (False, True, True))),
    ("direct", False, False, True, DIRECT),
    ("queue", False, False, False, ACCOUNT),
    ("queue", False, False, True, SYSTEM),
    ("queue", False, True, False, ACCOUNT),
    ("queue", False, True, True, ACCOUNT),
    ("wait", False, False, False, ACCOUNT),
    ("wait", False, False, True, SYSTEM),
    ("wait", False, True, True, ACCOUNT),
]


@pytest.mark.parametrize(("wish", "changes", "own", "socket", "expected"), WAYS)
def test_the_way_of_a_call(wish, changes, own, socket, expected):
    """An option decides; else options that say how; else whose configuration it is."""
    assert expected == way(
        wish, changes_sending=changes, has_own_configuration=own, has_system_socket=socket
    )


# Files below a home directory, and variables -> does the user have a configuration of his own?
OWN = [
    ([], {}, False),
    ([".msmtprc"], {}, True),
    ([".config/msmtp/config"], {}, True),
    (["x/msmtp/config"], {"XDG_CONFIG_HOME": "x"}, True),
    ([".config/msmtp/config"], {"XDG_CONFIG_HOME": "x"}, False),
    ([".config/msmtp/config"], {"XDG_CONFIG_HOME": ""}, True),
    ([".msmtprc/inside"], {}, True),  # for ``config.load`` to complain of
    ([".config"], {}, False),
]


@pytest.mark.parametrize(("files", "variables", "expected"), OWN)
def test_a_configuration_of_his_own_is_where_msmtp_looks(tmp_path, files, variables, expected):
    """The same two places as ``config.load``, and nothing is read."""
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0)
    env = {"HOME": str(tmp_path)}
    env |= {name: value and str(tmp_path / value) for name, value in variables.items()}
    assert (
        has_own_configuration({os.fsencode(k): os.fsencode(v) for k, v in env.items()}) is expected
    )
    if expected and "inside" not in files[0]:
        places = [file.path for file in load_files(Wishes({}, env=env)).both()]
        assert str(tmp_path / files[0]) in places


def test_without_home_the_user_database_knows_it(monkeypatch, tmp_path):
    """As ``config.load`` has it; a user without a name has no home."""
    (tmp_path / ".msmtprc").touch()

    class User:
        pw_dir = str(tmp_path)

    import pwd

    monkeypatch.setattr(pwd, "getpwuid", lambda _: User)
    assert has_own_configuration({})

    def unknown(_):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not has_own_configuration({b"XDG_CONFIG_HOME": os.fsencode(tmp_path)})


def test_a_configuration_that_cannot_be_looked_at_is_his_all_the_same(tmp_path, monkeypatch):
    """A link to what is forbidden: the whole road says so, and the mail goes no other way."""
    (tmp_path / ".msmtprc").symlink_to("/elsewhere")

    def denied(_):
        raise PermissionError

    monkeypatch.setattr(handoff.posix, "stat", denied)
    assert has_own_configuration({b"HOME": os.fsencode(tmp_path)})
    assert not has_own_configuration({b"HOME": os.fsencode(tmp_path / "other")})


def test_the_socket_is_the_one_that_is_there_or_the_one_that_is_named(tmp_path, monkeypatch):
    """A name in the environment counts whether there is something or not."""
    usual = tmp_path / "submit.sock"
    monkeypatch.setattr(handoff, "SYSTEM_SOCKET", str(usual))
    assert socket_of({}) == ""
    usual.touch()
    assert socket_of({}) == str(usual)
    assert socket_of({b"PILLARBOX_SOCKET": b""}) == str(usual)
    assert socket_of({b"PILLARBOX_SOCKET": b"/no\xff"}) == "/no\udcff"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_path_that_cannot_be_is_not_there(name):
    """Nor does it stop the command."""
    assert not has_own_configuration({b"HOME": name.encode()})


@pytest.fixture
def handed(monkeypatch, tmp_path):
    """Return what ``start`` hands over, in an environment where it does."""
    calls = []
    monkeypatch.setattr(handoff, "hand_over", lambda call, path, *_: calls.append((call, path)))
    monkeypatch.setattr(handoff, "drain_input", lambda: None)
    monkeypatch.setattr(handoff.posix, "_exit", lambda _: None)
    environment = {b"HOME": os.fsencode(tmp_path), b"PILLARBOX_SOCKET": b"/socket"}
    monkeypatch.setattr(handoff.posix, "environ", environment)
    monkeypatch.setattr(sys, "argv", ["/usr/sbin/sendmail", "me@x.example"])
    return calls


def test_a_plain_call_is_handed_over_at_once(handed):
    """The quick road, from argv to the socket."""
    assert handoff.start() is None
    ((call, path),) = handed
    assert (call.recipients, path) == (["me@x.example"], "/socket")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_a_closed_stream_takes_the_whole_road(handed, monkeypatch, name):
    """What the quick road opens would be taken for it."""
    monkeypatch.setattr(sys, name, None)
    assert handoff.start() is None
    assert handed == []


def test_posix_order_takes_the_whole_road(handed, monkeypatch):
    """POSIXLY_CORRECT reads another command line in the same words."""
    monkeypatch.setitem(handoff.posix.environ, b"POSIXLY_CORRECT", b"")
    assert handoff.start() is None
    assert handed == []


@pytest.mark.parametrize("name", ["mailq", "newaliases", "pillarbox", "sendmail.real", ""])
def test_another_name_takes_the_whole_road(handed, monkeypatch, name):
    """Only what is called sendmail or msmtp has their options."""
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}", "me@x.example"])
    assert handoff.start() is None
    assert handed == []


def test_a_failure_is_given_back_and_never_raised(handed, monkeypatch):
    """``cli.main.run`` says what it was; a bug of ours too is said there."""
    fault = ZeroDivisionError()

    def fails(*_):
        raise fault

    monkeypatch.setattr(handoff, "hand_over", fails)
    assert handoff.start() is fault
    assert handed == []
