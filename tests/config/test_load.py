"""Which files are read, who may read them, and which account is chosen."""

import contextlib
import os
import tempfile
import time

import pytest

from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.errors import ConfigError, InputOutputError

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")


@contextlib.contextmanager
def as_user(uid):
    """Be another user for a while, without root's power over files."""
    groups, egid, euid = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(euid)
        os.setegid(egid)
        os.setgroups(groups)


class Machine:
    """A folder that plays a machine: /etc/msmtprc, a home, and who we are."""

    def __init__(self, root):
        self.root = root
        self.system_file = f"{root}/msmtprc"
        self.home = f"{root}/home"
        os.makedirs(f"{self.home}/.config/msmtp")
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"]}

    def write(self, path, text, mode=0o600, uid=None):
        """Write a file below the root and return its path."""
        path = f"{self.root}/{path}"
        with open(path, "w") as file:
            file.write(text)
        if uid is not None:
            os.chown(path, uid, uid)
        os.chmod(path, mode)
        return path

    def wishes(self, settings=None, **keywords):
        """Return wishes in this machine's environment."""
        env = self.env | keywords.pop("env", {})
        return Wishes(settings or {}, env=env, **keywords)

    def load(self, **keywords):
        """Load the files."""
        return load_files(self.wishes(**keywords), system_file=self.system_file)

    def choose(self, settings=None, **keywords):
        """Load the files and choose the account: name, origin, reason."""
        wishes = self.wishes(settings, **keywords)
        account, reason = choose_account(load_files(wishes, system_file=self.system_file), wishes)
        return account.name, account.origin, reason


@pytest.fixture
def machine():
    """Return a machine that everybody may look into."""
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)  # noqa: S103 (other users of the test read files below it)
        yield Machine(root)


# ---- which files


def test_reads_both_files(machine):
    """The user's accounts come first; an account of the system with the same name is gone."""
    machine.write("msmtprc", "account a\nhost s\nport 1\naccount b\nhost s\n")
    machine.write("home/.msmtprc", "account c\nhost u\naccount a\nhost u\n")
    files = machine.load()
    found = [(account.name, account.host, account.port) for account in files.accounts()]
    assert found == [("c", "u", None), ("a", "u", None), ("b", "s", None)]
    assert [file.path for file in files.both()] == [
        machine.system_file,
        f"{machine.home}/.msmtprc",
    ]
    assert files.notes == ()


USUAL_PLACES = [
    (["home/.msmtprc", "home/.config/msmtp/config"], {}, "home/.msmtprc"),
    (["home/.config/msmtp/config"], {}, "home/.config/msmtp/config"),
    (["home/msmtp/config", "home/.config/msmtp/config"], {"XDG": "home"}, "home/msmtp/config"),
    (["home/.msmtprc", "home/msmtp/config"], {"XDG": "home"}, "home/.msmtprc"),
]


@pytest.mark.parametrize(("paths", "env", "expected"), USUAL_PLACES)
def test_finds_the_users_file(machine, paths, env, expected):
    """~/.msmtprc, else $XDG_CONFIG_HOME/msmtp/config, else ~/.config/msmtp/config."""
    os.mkdir(f"{machine.home}/msmtp")
    for path in paths:
        machine.write(path, f"host {path}")
    env = {"XDG_CONFIG_HOME": f"{machine.root}/{env['XDG']}"} if env else {}
    assert machine.load(env=env).user.accounts[0].host == expected


def test_named_file_replaces_the_users_only(machine):
    """-C is read in place of ~/.msmtprc; the system's file is still read."""
    machine.write("msmtprc", "account s\n")
    machine.write("home/.msmtprc", "account u\n")
    path = machine.write("named", "account n\n")
    names = [account.name for account in machine.load(user_file=path).accounts()]
    assert names == ["n", "s"]


def test_host_option_reads_no_file(machine):
    """With --host not even a broken file is looked at."""
    machine.write("msmtprc", "nonsense\n")
    files = machine.load(host_given=True)
    assert (files.system, files.user, files.accounts()) == (None, None, [])


def test_missing_files_are_silent_and_remembered(machine):
    """A file that is not there is no error, and known not to be there."""
    files = machine.load()
    assert [file.reason for file in files.both()] == ["No such file or directory"] * 2
    assert not any(file.is_denied for file in files.both())


def test_follows_symbolic_link_of_user(machine):
    """A dotfile manager's link is followed."""
    machine.write("real", "host h")
    os.symlink("../real", f"{machine.home}/.msmtprc")
    assert machine.load().user.accounts[0].host == "h"


def test_reads_named_pipe_of_process_substitution(machine):
    """``-C <(command)`` names a pipe, which is read to its end."""
    reading, writing = os.pipe()
    os.write(writing, b"host h\npassword p\n")
    os.close(writing)
    try:
        files = machine.load(user_file=f"/dev/fd/{reading}", euid=os.geteuid())
    finally:
        os.close(reading)
    assert files.user.accounts[0].host == "h"


def test_syntax_error_of_either_file_is_fatal(machine):
    """A wrong line in the system's file stops a user who has an own file, too."""
    machine.write("home/.msmtprc", "host h")
    machine.write("msmtprc", "account default\nhots x\n")
    with pytest.raises(ConfigError, match="line 2: unknown command hots") as caught:
        machine.load()
    assert caught.value.path == machine.system_file


UNREADABLE = [
    ("named", "No such file or directory"),
    ("named/x", "No such file or directory"),
    ("home", "input error: Is a directory"),
    ("loop", "input error: Too many levels of symbolic links"),
    ("x" * 300, "input error: File name too long"),
    ("a\0b", "input error: no file can have this name"),
    ("zero", "larger than 1048576 bytes"),
]


@pytest.mark.parametrize(("path", "reason"), UNREADABLE)
def test_named_file_that_cannot_be_read(machine, path, reason):
    """-C of a file that cannot be opened or read ends with 74 and the system's reason."""
    os.symlink("loop", f"{machine.root}/loop")
    os.symlink("/dev/zero", f"{machine.root}/zero")
    with pytest.raises(InputOutputError) as caught:
        machine.load(user_file=f"{machine.root}/{path}")
    assert reason in str(caught.value)
    assert caught.value.exit_code == 74
    assert path in str(caught.value)


@pytest.mark.parametrize("name", ["msmtprc", "home/.msmtprc"])
def test_directory_in_a_usual_place(machine, name):
    """A directory where a file should be is an error, not a missing file."""
    os.mkdir(f"{machine.root}/{name}")
    with pytest.raises(InputOutputError, match="Is a directory"):
        machine.load()


# ---- permissions

MODES = [0o600, 0o400, 0o700, 0o640, 0o604, 0o644, 0o660, 0o666]
TOO_MUCH = "contains secrets and therefore must have no more than user read/write permissions"
NOT_YOURS = "contains secrets and therefore must be owned by you"


@needs_root
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("owner", [1000, 1001, 0])
@pytest.mark.parametrize("euid", [1000, 0])
@pytest.mark.parametrize("is_named", [False, True])
def test_secret_of_user_is_private(machine, mode, owner, euid, is_named):
    """A user's file with a password must be his and closed to others; root is not checked."""
    path = machine.write("home/.msmtprc", "host h\npassword canary", mode, owner)
    named = path if is_named else None
    expected = None
    if euid != 0:
        expected = NOT_YOURS if owner != euid else TOO_MUCH if mode not in (0o600, 0o400) else None
    if expected is None:
        assert machine.load(euid=euid, user_file=named).user.accounts
        return
    with pytest.raises(ConfigError) as caught:
        machine.load(euid=euid, user_file=named)
    assert str(caught.value) == f"{path}: {expected}"
    assert f"chmod 600 {path}" in caught.value.advice
    assert "canary" not in f"{caught.value!r}"


@needs_root
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("owner", [1000, 0])
def test_file_without_secret_may_be_open(machine, mode, owner):
    """Without a literal password nothing is checked, passwordeval or not."""
    machine.write("home/.msmtprc", "host h\npasswordeval echo x", mode, owner)
    assert machine.load(euid=1000).user.accounts


@pytest.mark.parametrize("mode", [0o1600, 0o2600, 0o4600])
def test_bits_beyond_permissions_are_refused(machine, mode):
    """No bit outside 0600 means none."""
    uid = os.getuid() or 1000
    machine.write("home/.msmtprc", "password x", mode, None if os.getuid() else uid)
    with pytest.raises(ConfigError, match="user read/write"):
        machine.load(euid=uid)


def test_open_system_file_with_password_is_noted(machine):
    """A password in /etc/msmtprc that all can read works, as in msmtp, and is told."""
    euid = os.getuid() or 1000
    machine.write("msmtprc", "host h\npassword canary", 0o644)
    (note,) = machine.load(euid=euid).notes
    assert note == (
        f"{machine.system_file} contains a password and every user can read it (mode 0644)"
    )
    machine.write("msmtprc", "host h\npassword canary", 0o640)
    assert machine.load(euid=euid).notes == ()
    machine.write("msmtprc", "host h\npasswordeval echo x", 0o644)
    assert machine.load(euid=euid).notes == ()


def test_open_file_of_root_is_noted(machine):
    """Root's own file is not refused, but a password open to all is told."""
    machine.write("home/.msmtprc", "host h\npassword canary", 0o644)
    assert "every user can read it" in machine.load(euid=0).notes[0]


def test_file_that_everybody_can_change_is_noted(machine):
    """Who can change a user's file can run commands as that user."""
    machine.write("home/.msmtprc", "host h", 0o666)
    assert "can be changed by every user" in machine.load().notes[0]


@needs_root
def test_denied_system_file_is_named_as_the_reason(machine):
    """The famous riddle: /etc/msmtprc of mode 600, and a user who has no other file."""
    machine.write("msmtprc", "host h\npassword x", 0o600)
    with as_user(NOBODY), pytest.raises(ConfigError) as caught:
        machine.choose()
    assert str(caught.value) == (
        "account default not found: no configuration file available "
        f"({machine.system_file}: permission denied to user id {NOBODY})"
    )
    assert "by a group" in caught.value.advice
    assert "~/.msmtprc" in caught.value.advice


@needs_root
def test_denied_system_file_does_not_matter_otherwise(machine):
    """Who has an own account does not care about the system's file."""
    machine.write("msmtprc", "host h", 0o600)
    machine.write("home/.msmtprc", "host u\npassword x", 0o600, NOBODY)
    with as_user(NOBODY):
        assert machine.choose()[1] == f"{machine.home}/.msmtprc"
        with pytest.raises(ConfigError, match=r"msmtprc \(.*: permission denied to user id"):
            machine.choose(account_name="other")


@needs_root
def test_denied_own_file_stops_the_search(machine):
    """A ~/.msmtprc that exists and may not be read is not replaced by another file."""
    machine.write("home/.msmtprc", "host u", 0o600)
    machine.write("home/.config/msmtp/config", "host c", 0o644)
    with as_user(NOBODY), pytest.raises(ConfigError, match="msmtprc: permission denied"):
        machine.choose()


@needs_root
def test_denied_second_file_is_named(machine):
    """Of two usual places the one that is denied is the reason, not the one that is empty."""
    machine.write("home/.config/msmtp/config", "host c", 0o600)
    with as_user(NOBODY), pytest.raises(ConfigError, match=r"msmtp/config: permission denied"):
        machine.choose()


@needs_root
def test_home_of_somebody_else(machine):
    """With a HOME that may not be entered, XDG_CONFIG_HOME still counts; else HOME is named."""
    os.mkdir(f"{machine.root}/msmtp")
    machine.write("msmtp/config", "host c", 0o644)
    os.chmod(machine.home, 0o700)
    with as_user(NOBODY):
        assert machine.choose(env={"XDG_CONFIG_HOME": machine.root})[0] == "default"
        with pytest.raises(ConfigError, match=r"home/\.msmtprc: permission denied"):
            machine.choose()


@needs_root
def test_named_file_denied(machine):
    """-C of a file that may not be read is error 74."""
    path = machine.write("named", "host h")
    with as_user(NOBODY), pytest.raises(InputOutputError, match="named: Permission denied"):
        machine.load(user_file=path)


# ---- commands in files


def test_eval_runs_in_the_users_file(machine):
    """The output of the command is the line; it gets the environment of the caller."""
    machine.write("home/.msmtprc", 'eval echo "host $HOST_OF_TEST"', 0o664)
    account = machine.load(env={"HOST_OF_TEST": "h"}).user.accounts[0]
    assert account.host == "h"


EVAL_FAILURES = [("true", "exit status 0"), ("exit 3", "exit status 3")]


@pytest.mark.parametrize(("command", "ending"), EVAL_FAILURES)
def test_eval_without_output_is_input_error(machine, command, ending):
    """No output at all is error 74, with file, line and ending, but not the command."""
    path = machine.write("home/.msmtprc", f"\neval : canary; {command}")
    with pytest.raises(InputOutputError) as caught:
        machine.load()
    assert str(caught.value) == (
        f"{path}: line 2: cannot read output of eval: it printed nothing ({ending})"
    )
    assert "canary" not in caught.value.advice


def test_eval_with_empty_line_is_nothing(machine):
    """An empty line of output leaves nothing in place of the line."""
    machine.write("home/.msmtprc", "host h\neval echo\n")
    assert machine.load().user.accounts[0].host == "h"


RUNNABLE = [(0, 0o644), (0, 0o600), (1000, 0o644)]
NOT_RUNNABLE = [(0, 0o664), (0, 0o646), (0, 0o666), (1001, 0o644), (NOBODY, 0o600)]


@needs_root
@pytest.mark.parametrize("keyword", ["eval", "passwordeval"])
@pytest.mark.parametrize(("owner", "mode"), RUNNABLE + NOT_RUNNABLE)
def test_command_planted_in_system_file_is_not_run(machine, keyword, owner, mode):
    """A command in the system's file counts only if none but root and we can write there."""
    trace = f"{machine.root}/trace"
    path = machine.write("msmtprc", f"\n{keyword} touch {trace}; echo host h", mode, owner)
    if (owner, mode) in RUNNABLE:
        machine.load(euid=1000)
        assert os.path.exists(trace) == (keyword == "eval")
        return
    with pytest.raises(ConfigError) as caught:
        machine.load(euid=1000)
    assert not os.path.exists(trace)
    assert (caught.value.path, caught.value.line) == (path, 2)
    assert f"{keyword} is refused because others" in str(caught.value)


# ---- which account

ACCOUNTS = """
account first
from first@x.org
account sub
from sub@x.org
account wild
from w*@x.org
account expanded
from %U@x.org
account null
from ""
account default
"""

# settings, other wishes, account, reason
CHOICES = [
    ({}, {}, "default", "falling back to default account"),
    ({}, {"account_name": "sub"}, "sub", "using account specified on command line"),
    ({"from": "first@x.org"}, {"account_name": "sub"}, "sub", "using account specified on"),
    ({"from": "FIRST@X.org"}, {}, "first", "account chosen by envelope from address FIRST@X.org"),
    ({}, {"sender": "first@x.org"}, "first", "account chosen by envelope from address first@x"),
    ({"from": "sub@x.org"}, {"sender": "first@x.org"}, "sub", "account chosen by envelope from"),
    ({"from": "sub+detail@x.org"}, {}, "sub", "account chosen by envelope from address sub+detail"),
    ({"from": "who@x.org"}, {}, "wild", "account chosen by envelope from address who@x.org: wild"),
    ({"from": "who+tag@x.org"}, {}, "wild", "account chosen by envelope from address who+tag@x"),
    ({"from": "me@x.org"}, {}, "default", "falling back to default account"),
    ({"from": ""}, {}, "null", "account chosen by envelope from address : null"),
]


@pytest.mark.parametrize(("settings", "keywords", "name", "reason"), CHOICES)
def test_chooses_account(machine, settings, keywords, name, reason):
    """By name, else by sender in the order of the files, else the default."""
    path = machine.write("home/.msmtprc", ACCOUNTS)
    chosen = machine.choose(settings, env={"USER": "me"}, **keywords)
    assert chosen[:2] == (name, path)
    assert chosen[2].startswith(reason)


def test_first_match_in_merged_order_wins(machine):
    """The user's accounts are tried before the system's, each in the order of its file."""
    machine.write("msmtprc", "account s\nfrom me@x.org\n")
    machine.write("home/.msmtprc", "account u\nfrom *@x.org\naccount v\nfrom me@x.org\n")
    assert machine.choose({"from": "me@x.org"})[0] == "u"


def test_host_option_uses_no_account(machine):
    """With --host the account is made of built-in values."""
    machine.write("home/.msmtprc", ACCOUNTS)
    assert machine.choose({"from": "first@x.org"}, host_given=True) == ("", "", "")


ENVIRONMENTS = [
    ({"SMTPSERVER": "mx"}, {"from": "a@b"}, {}, None),
    ({"SMTPSERVER": "mx"}, {}, {"sender": "a@b"}, None),
    ({"SMTPSERVER": "mx", "EMAIL": "me@x"}, {}, {}, "me@x"),
    ({"SMTPSERVER": "mx", "EMAIL": "me@x"}, {"from": "a@b"}, {}, "me@x"),
]


@pytest.mark.parametrize(("env", "settings", "keywords", "sender"), ENVIRONMENTS)
def test_uses_the_environment_last(machine, env, settings, keywords, sender):
    """Without a default account SMTPSERVER and a known sender or EMAIL are enough."""
    machine.write("home/.msmtprc", "account other\n")
    wishes = machine.wishes(settings, env=env, **keywords)
    account, reason = choose_account(load_files(wishes, system_file=machine.system_file), wishes)
    assert reason == "using environment variables EMAIL and SMTPSERVER"
    assert (account.host, account.from_, account.origin) == ("mx", sender, "")
    assert account.where("host") == "environment variable SMTPSERVER"


@pytest.mark.parametrize("env", [{"EMAIL": "me@x"}, {"SMTPSERVER": "mx"}, {"SMTPSERVER": ""}])
def test_half_an_environment_is_not_enough(machine, env):
    """A server without a sender, or a sender without a server, is no account."""
    with pytest.raises(ConfigError, match=r"^account default not found: no configuration file"):
        machine.choose(env=env)


def test_default_account_beats_the_environment(machine):
    """The variables count only when there is no default account."""
    machine.write("home/.msmtprc", "host h\n")
    env = {"SMTPSERVER": "mx", "EMAIL": "me@x"}
    assert machine.choose(env=env)[2] == "falling back to default account"


def test_named_account_is_not_replaced_by_the_environment(machine):
    """-a of an account that is not there is an error whatever the variables say."""
    with pytest.raises(ConfigError, match="account a not found"):
        machine.choose(account_name="a", env={"SMTPSERVER": "mx", "EMAIL": "me@x"})


def test_not_found_names_the_files(machine):
    """The text is msmtp's, with the files that were read; the advice lists what is there."""
    with pytest.raises(ConfigError) as caught:
        machine.choose(account_name="z")
    assert str(caught.value) == "account z not found: no configuration file available"
    assert machine.system_file in caught.value.advice
    user = machine.write("home/.msmtprc", "account a\naccount b\n")
    with pytest.raises(ConfigError) as caught:
        machine.choose(account_name="z")
    assert str(caught.value) == f"account z not found in {user}"
    assert caught.value.advice == "there is: a, b"
    machine.write("msmtprc", "account c\n")
    with pytest.raises(ConfigError) as caught:
        machine.choose()
    assert str(caught.value) == f"account default not found in {machine.system_file} and {user}"
    assert caught.value.advice == "there is: a, b, c; write a line account default : NAME"
    assert caught.value.exit_code == 78


def test_not_found_shows_no_control_characters(machine):
    """The name from the command line is escaped before it is shown."""
    with pytest.raises(ConfigError) as caught:
        machine.choose(account_name="a\x1b[2J")
    assert "\x1b" not in str(caught.value)


def test_empty_file_is_loaded(machine):
    """A file without accounts counts as read."""
    with pytest.raises(ConfigError, match="account default not found in /dev/null") as caught:
        machine.choose(user_file="/dev/null")
    assert "names no account" in caught.value.advice


def test_environment_leaks_not_by_representation(machine):
    """``repr`` of the wishes does not show the environment, which may hold tokens."""
    assert "canary" not in repr(machine.wishes(env={"TOKEN": "canary"}, account_name="a"))


def test_loads_fast(machine):
    """Finding, reading and choosing costs well under a millisecond."""
    machine.write("home/.msmtprc", ACCOUNTS)
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        machine.choose()
        best = min(best, time.perf_counter() - start)
    assert best < 0.002
