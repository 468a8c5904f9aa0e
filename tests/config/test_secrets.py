"""Where the password of an account comes from."""

import os
import subprocess
import sys
import termios
import threading

import pytest

from pillarbox.config.account import FIELD_BY_NAME, Account
from pillarbox.config.secrets import SOURCES, ask_on_terminal, find_secret
from pillarbox.errors import ConfigError, CredentialError
from pillarbox.secret import Secret

CANARY = "canary-2b7e"
NETRC = "machine smtp.x.org login me password from-netrc\n"


class Home:
    """A home, a credentials folder and a system's netrc, to be filled by a test."""

    def __init__(self, root):
        self.root = root
        self.netrc = root / ".netrc"
        self.system_netrc = root / "system-netrc"
        self.credentials = root / "credentials"
        self.credentials.mkdir()
        self.env = {"HOME": str(root), "PATH": os.environ["PATH"]}
        self.prompts = []
        self.notes = []

    def account(self, **settings):
        """Return an account with some settings from the file "rc"."""
        account = Account(settings.pop("name", "work"), "rc")
        for line, (name, value) in enumerate(({"host": "smtp.x.org"} | settings).items(), 1):
            account.set(FIELD_BY_NAME[name], value, "rc", line)
        return account

    def use_credentials(self, **contents):
        """Let a service manager hand over credentials; ``__`` in a name is a dot."""
        self.env["CREDENTIALS_DIRECTORY"] = str(self.credentials)
        for name, content in contents.items():
            (self.credentials / name.replace("__", ".")).write_text(content)

    def find(self, account, answer=None):
        """Look for the secret; ``answer`` is what a person says."""

        def ask(prompt):
            self.prompts.append(prompt)
            return answer

        return find_secret(
            account,
            env=self.env,
            ask=ask,
            notes=self.notes,
            system_netrc=str(self.system_netrc),
        ).reveal()


@pytest.fixture
def home(tmp_path):
    """Return an empty home."""
    return Home(tmp_path)


def fill(home, first):
    """Fill all sources from ``first`` on; return settings for the account."""
    names = [source.name for source in SOURCES]
    wanted = names[names.index(first) :]
    settings = {"user": "me"}
    if "password" in wanted:
        settings["password"] = Secret("from-password")
    if "passwordeval" in wanted:
        settings["passwordeval"] = "echo from-passwordeval"
    if "credential" in wanted:
        home.use_credentials(pillarbox__work="from-credential\n")
    if "netrc" in wanted:
        home.netrc.write_text(NETRC)
        home.netrc.chmod(0o600)
    return settings


# The keyring has a desktop's bus between: see test_keyring.
@pytest.mark.parametrize("source", [row.name for row in SOURCES if row.name != "keyring"])
def test_first_source_that_has_it_wins(home, source):
    """The order is that of the table, which is msmtp's with systemd's credential put in."""
    settings = fill(home, source)
    assert home.find(home.account(**settings), "from-terminal") == f"from-{source}"
    assert bool(home.prompts) == (source == "terminal")
    assert home.notes == []


def test_order_of_sources():
    """The visible table, as documented."""
    names = [source.name for source in SOURCES]
    assert names == ["password", "passwordeval", "credential", "keyring", "netrc", "terminal"]


OUTPUTS = [
    ("echo a", "a"),
    ("printf 'a\\r\\nb\\n'", "a"),
    ("printf ' a '", " a "),
    ("echo a; exit 1", "a"),
    ('echo "$HOME_OF_TEST"', "h"),
]


@pytest.mark.parametrize(("command", "password"), OUTPUTS)
def test_passwordeval_gives_first_line(home, command, password):
    """One line without its line ending, whatever the exit status; the environment is ours."""
    home.env["HOME_OF_TEST"] = "h"
    assert home.find(home.account(passwordeval=command)) == password


FAILURES = [
    ("true", "nothing (exit status 0)"),
    ("exit 2", "nothing (exit status 2)"),
    ("kill -15 $$", "nothing (killed by signal 15)"),
    ("echo; echo x", "an empty line (exit status 0)"),
    ("printf 'a\\0b'", "a NUL byte, so no password"),
    (f"printf '\\0{CANARY}'", "a NUL byte, so no password"),
    ("head -c 70000 /dev/zero | tr '\\0' x", "nothing (a first line of more than 65536 bytes)"),
]


@pytest.mark.parametrize(("command", "what"), FAILURES)
def test_failing_passwordeval_is_a_configuration_error(home, command, what):
    """It is told with keyword, file, line and ending; never with the command or its output."""
    home.netrc.write_text(NETRC)
    with pytest.raises(ConfigError) as caught:
        home.find(home.account(user="me", passwordeval=f": {CANARY}; {command}"), "x")
    error = caught.value
    assert str(error) == (
        f"rc: line 3: cannot read output of passwordeval: its command printed {what}"
    )
    assert CANARY not in f"{error!r} {error.advice}"
    assert error.advice
    assert not home.prompts


def test_helper_that_reads_standard_input_cannot_eat_the_mail(tmp_path):
    """A passwordeval that reads its input leaves the mail on ours untouched."""
    code = (
        "import os, sys\n"
        "from pillarbox.config.account import FIELD_BY_NAME, Account\n"
        "from pillarbox.config.secrets import find_secret\n"
        "account = Account('a', 'rc')\n"
        "account.set(FIELD_BY_NAME['passwordeval'], 'cat; echo word', 'rc', 1)\n"
        "print(find_secret(account, env=os.environ).reveal(), len(sys.stdin.read()))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        input="x" * 200_000,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout == "word 200000\n"


CREDENTIALS = [
    ({"pillarbox__work": "a\n", "pillarbox__password": "b"}, "work", "a"),
    ({"pillarbox__password": "b\r\nc"}, "work", "b"),
    ({"pillarbox__other": "a", "pillarbox__password": "b"}, "work", "b"),
    ({"pillarbox__password": "b"}, "", "b"),
    ({"pillarbox__password": "b"}, "../../etc/passwd", "b"),
    ({"pillarbox__work": "\nx", "pillarbox__password": "b"}, "work", "b"),
]


@pytest.mark.parametrize(("contents", "name", "password"), CREDENTIALS)
def test_systemd_credential(home, contents, name, password):
    """The account's own credential, else the common one; its first line counts."""
    home.use_credentials(**contents)
    assert home.find(home.account(name=name)) == password


def test_account_name_cannot_leave_the_credentials_folder(home):
    """A name with a slash is not looked up as a file."""
    home.use_credentials()
    (home.root / "pillarbox.x").write_text("outside")
    (home.credentials / "pillarbox.").mkdir()
    with pytest.raises(CredentialError):
        home.find(home.account(name="/../../pillarbox.x"))


def test_unreadable_credential_is_noted(home):
    """A credential that is there and cannot be read is told, and the search goes on."""
    home.use_credentials(pillarbox__password="b")
    (home.credentials / "pillarbox.work").mkdir()
    assert home.find(home.account()) == "b"
    (note,) = home.notes
    assert note.endswith("credentials/pillarbox.work: Is a directory")


def test_netrc_of_the_system_is_second(home):
    """The user's file is asked before the system's, and one without the entry is no end."""
    home.system_netrc.write_text(NETRC.replace("from-netrc", "from-system"))
    home.system_netrc.chmod(0o600)
    account = home.account(user="me")
    assert home.find(account) == "from-system"
    home.netrc.write_text("machine other login me password x")
    assert home.find(account) == "from-system"
    home.netrc.write_text(NETRC)
    home.netrc.chmod(0o600)
    assert home.find(account) == "from-netrc"
    assert home.notes == []


def test_more_lines_of_a_command_are_noted(home):
    """The first is taken; which one was meant is for a person to say."""
    account = home.account(passwordeval="printf 'one\\ntwo\\n'")
    secret = find_secret(account, env=home.env, ask=None, notes=home.notes)
    assert secret.reveal() == "one"
    assert home.notes == ["its command printed more than one line: the first is taken"]


def test_open_netrc_is_noted(home):
    """A netrc that others can read is used, as msmtp does, and told."""
    home.netrc.write_text(NETRC)
    home.netrc.chmod(0o644)
    assert home.find(home.account(user="me")) == "from-netrc"
    assert home.notes == [f"{home.netrc} is open to others (mode 0644): chmod 600 {home.netrc}"]


def test_unreadable_netrc_is_noted(home):
    """A netrc that cannot be read is told, and the search goes on."""
    home.netrc.mkdir()
    assert home.find(home.account(user="me"), "typed") == "typed"
    assert home.notes == [f"cannot read {home.netrc}: Is a directory"]


PROMPTS = [
    ({"user": "me"}, "password for me at smtp.x.org: "),
    ({}, "password for smtp.x.org: "),
    ({"user": "me", "host": "", "socket": "/s"}, "password for me at /s: "),
]


@pytest.mark.parametrize(("settings", "prompt"), PROMPTS)
def test_asks_a_person_last(home, settings, prompt):
    """The prompt is msmtp's."""
    assert home.find(home.account(**settings), "typed") == "typed"
    assert home.prompts == [prompt]


def test_tells_where_it_looked(home):
    """Nothing found is error 69, which lists the places and says what to do."""
    home.use_credentials()
    home.netrc.write_text("machine other login me password x")
    with pytest.raises(CredentialError) as caught:
        home.find(home.account(user="me"))
    assert caught.value.exit_code == 69
    assert str(caught.value) == (
        "no password for me at smtp.x.org found: no keyword password; no passwordeval; "
        "no credential pillarbox.work or pillarbox.password; "
        "no desktop session with a keyring; "
        f"no entry in {home.netrc} or {home.system_netrc}; no answer from a terminal"
    )
    assert caught.value.advice == (
        "add a line passwordeval COMMAND to the settings of account work, or an entry to ~/.netrc"
    )


def test_nobody_is_asked_where_nobody_is(home):
    """A daemon hands in no way to ask."""
    with pytest.raises(
        CredentialError, match="no CREDENTIALS_DIRECTORY; no user and host"
    ) as caught:
        find_secret(home.account(name=""), env=home.env, ask=None)
    assert "nobody to ask" in str(caught.value)
    assert "of account" not in caught.value.advice


def talk(answer):
    """Ask on a terminal of our own; return what was said, what was seen, and the echo after."""
    master, slave = os.openpty()
    try:
        seen = b""
        result = []
        asking = threading.Thread(
            target=lambda: result.append(ask_on_terminal("password: ", os.ttyname(slave)))
        )
        asking.start()
        while b"password: " not in seen:
            seen += os.read(master, 1000)
        is_echoing = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
        os.write(master, answer)
        asking.join(10)
        seen += os.read(master, 1000)
        return result[0], seen, is_echoing, bool(termios.tcgetattr(slave)[3] & termios.ECHO)
    finally:
        os.close(master)
        os.close(slave)


ANSWERS = [(b"secret\n", "secret"), (b"two words\r\n", "two words"), (b"\n", None), (b"\x04", None)]


@pytest.mark.parametrize(("typed", "answer"), ANSWERS)
def test_terminal_does_not_echo(typed, answer):
    """What is typed is not shown, and the terminal is afterwards as it was."""
    said, seen, was_echoing, is_echoing = talk(typed)
    assert said == answer
    assert seen == b"password: \r\n"
    assert not was_echoing
    assert is_echoing


@pytest.mark.parametrize("path", ["/nonexistent", os.devnull])
def test_without_terminal_nobody_answers(path):
    """No terminal, or what is none, gives no answer and no error."""
    assert ask_on_terminal("password: ", path) is None


def test_secret_leaks_through_no_message(home):
    """Whatever source has it, the secret is in no note, error or representation."""
    home.use_credentials(pillarbox__work=f"\n{CANARY}")
    home.netrc.write_text(f"machine h login me password {CANARY}\n")
    with pytest.raises(CredentialError) as caught:
        home.find(home.account(user="me"))
    assert CANARY not in f"{caught.value} {caught.value.advice} {home.notes}"
    found = find_secret(home.account(password=Secret(CANARY)), env=home.env)
    assert CANARY not in f"{found!r} {found}"
