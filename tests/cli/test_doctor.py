"""``pillarbox doctor`` as it is called: at a provider, on a pipe, on a terminal, by monitoring."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from tempfile import TemporaryDirectory

import pytest

from pillarbox.doctor.checks import CHECKS
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.secret import Secret
from programs import ENVIRONMENT, call_program, run_program, start_program

PASSWORD = "Kanarienvogel-17"
USER = "me@qq.com"  # a provider's own domain: nobody is asked of it
REFUSED = "gone@example.org"

# What only a server can tell; the rest depends on the machine that the tests run on.
AT_THE_SERVER = ("names", "connect", "tls", "login", "sender", "extensions")


@pytest.fixture(scope="module")
def events():
    """Return what the provider was told, cleared by each test that counts."""
    return []


@pytest.fixture(scope="module")
def provider(events):
    """Return a provider with one account."""
    options = ProviderOptions(
        user=USER, password=Secret(PASSWORD), refused=(REFUSED,), max_wrong_logins=10_000
    )
    with EmbeddedProvider(options, watch=events.append) as running:
        yield running


@pytest.fixture
def account(provider, tmp_path):
    """Return a function that writes a configuration file and gives its path."""

    def write(password=PASSWORD, port=provider.port, user=USER, more=""):
        path = tmp_path / "rc"
        path.write_text(
            f"account work\nhost localhost\nport {port}\ntls on\ntls_starttls off\n"
            f"tls_trust_file {provider.ca_file}\nauth on\nuser {user}\npassword {password}\n"
            f"from {user}\n{more}\naccount default : work\n"
        )
        path.chmod(0o600)
        return str(path)

    return write


def doctor(*arguments, lang="C.UTF-8", home=""):
    """
    Call it; whatever it finds, there is no traceback and no secret.

    Without a home of the test's it gets a new one, in which nothing is remembered.
    """
    with TemporaryDirectory() as new:
        env = {"LC_ALL": lang, "HOME": home or new}
        result = call_program("pillarbox", ["doctor", *arguments], b"", env)
    for said in (result.out, result.err):
        assert "Traceback" not in said
        assert "internal error" not in said
        assert PASSWORD not in said
    return result


def found(*arguments, **settings):
    """Return what it says to programs."""
    return json.loads(doctor("--json", *arguments, **settings).out)


def states(row):
    """Return the state of each check."""
    return {result["check"]: result["state"] for result in row["results"]}


# -- what it finds ---------------------------------------------------------------------------------


def test_a_healthy_account_is_looked_at_and_nothing_is_sent(account, provider):
    """Every check at the server passes, up to the rehearsal of a mail."""
    row = found("-C", account())
    assert {states(row)[name] for name in AT_THE_SERVER} <= {"ok", "note"}
    assert row["exit_code"] < 2
    assert (row["host"], row["port"], row["sender"]) == ("localhost", provider.port, USER)
    assert provider.mails == []


def test_a_wrong_password_is_the_root_cause(account, events):
    """The provider's own explanation, one login only, and what needs it is not looked at."""
    events.clear()
    row = found("-C", account(password="wrong-canary"))
    assert row["root_cause"]["code"] == "login.refused"
    assert (row["state"], row["exit_code"]) == ("critical", 2)
    assert row["root_cause"]["evidence"] == ["526 Authentication failure[0]"]
    assert states(row)["sender"] == "skipped"
    because = {result["check"]: result["because"] for result in row["results"]}
    assert because["sender"] == because["extensions"] == "login"
    assert [event["event"] for event in events if event["event"] == "login"] == ["login"]


def test_monitoring_does_not_lock_the_account(account, events, tmp_path):
    """Attack on availability: it asks every five minutes, with a password that has become wrong."""
    events.clear()
    path = account(password="wrong-canary")
    for _ in range(5):
        result = doctor("-C", path, "--summary", home=str(tmp_path))
        assert result.exit_code == 2
        assert "login.refused: " in result.out
    assert len([event for event in events if event["event"] == "login"]) == 1


def test_where_nobody_listens_the_port_is_the_root_cause(account):
    """And not the login, which nobody could try."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        row = found("-C", account(port=nobody.getsockname()[1]))
    assert row["root_cause"]["code"].startswith("connect.")
    assert states(row)["login"] == "skipped"
    assert row["exit_code"] == 2


def test_a_recipient_is_asked_about(account):
    """--to: the server says what it would say to a mail, and none is sent."""
    row = found("-C", account(), "--to", REFUSED)
    assert states(row)["sender"] in ("warning", "fault")
    assert "sender.recipient" in row["codes"]


def test_a_sender_is_asked_about(account):
    """--from: of whom the provider takes nothing."""
    row = found("-C", account(), "--from", "other@qq.com")
    assert row["sender"] == "other@qq.com"
    assert "sender.not-login" in row["codes"]
    assert row["exit_code"] > 0


def test_offline_asks_nobody(account, events):
    """No connection is made; what needs the network is left out without being a fault."""
    events.clear()
    row = found("-C", account(), "--offline")
    assert events == []
    assert {states(row)[name] for name in AT_THE_SERVER} == {"skipped"}
    assert {r["because"] for r in row["results"] if r["check"] in AT_THE_SERVER} == {"wish"}
    assert row["exit_code"] < 2


def test_no_login_means_none(account, events):
    """The way to the server is looked at, the password is not tried."""
    events.clear()
    row = found("-C", account(password="wrong-canary"), "--no-login")
    assert [event for event in events if event["event"] == "login"] == []
    assert states(row)["tls"] in ("ok", "note")
    assert states(row)["login"] == "note"
    assert "login.unasked" in row["codes"]
    assert row["exit_code"] < 2


# -- how it says it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "root", "skipped", "fix"),
    [
        ("C.UTF-8", "Root cause: ", "not looked at, because of: the login", "do this: "),
        ("zh_CN.UTF-8", "根本原因：", "没有检查，原因在于：登录", "请这样做："),
    ],
    ids=["en", "zh"],
)
def test_a_page_begins_with_the_checks_and_ends_with_a_summary(lang, root, skipped, fix, account):
    """A line a check, the root cause with its fix, the rest, and the line for monitoring."""
    result = doctor("-C", account(password="wrong-canary"), lang=lang)
    lines = result.out.splitlines()
    assert result.exit_code == 2
    assert result.err == ""
    marks = [line[:4] for line in lines[: len(CHECKS)]]
    assert set(marks) <= {"ok  ", "!   ", "!!  ", "--  "}
    login = [row.name for row in CHECKS].index("login")
    assert marks[login : login + 2] == ["!!  ", "--  "]
    assert skipped in lines[login + 1]
    place = next(number for number, line in enumerate(lines) if line.startswith(root))
    assert place == len(CHECKS) + 1
    assert "[login.refused]" in lines[place] + lines[place + 1]
    assert any(line.strip().startswith(fix) for line in lines[place : place + 4])
    assert lines[-1].startswith("PILLARBOX CRITICAL - account default: ")
    assert "\x1b" not in result.out


def test_the_language_is_chosen_by_option(account):
    """--lang goes before the locale."""
    said = doctor("-C", account(), "--lang", "zh").out
    assert "配置文件" in said
    assert "配置文件" not in doctor("-C", account(), "--lang=en", lang="zh_CN.UTF-8").out


@pytest.mark.parametrize("lang", ["C.UTF-8", "zh_CN.UTF-8"])
@pytest.mark.parametrize(
    ("password", "state", "exit_code"), [("wrong-canary", "CRITICAL", 2), (PASSWORD, None, None)]
)
def test_the_summary_is_one_line(password, state, exit_code, lang, account):
    """Its state is English everywhere, for monitoring looks for it."""
    result = doctor("-C", account(password=password), "--summary", lang=lang)
    (line,) = result.out.splitlines()
    word = line.split()[1]
    assert {0: "OK", 1: "WARNING", 2: "CRITICAL"}[result.exit_code] == word
    assert (state or word, exit_code or result.exit_code) == (word, result.exit_code)
    assert line.startswith(f"PILLARBOX {word} - account default: ")
    assert line.count("|") == 1
    assert len(line) <= 200


def test_json_is_the_same_in_each_language_but_for_its_texts(account):
    """Codes, states and names are for programs."""
    english, chinese = (
        found("-C", account(password="wrong-canary"), lang=lang)
        for lang in ("C.UTF-8", "zh_CN.UTF-8")
    )
    assert english["version"] == chinese["version"] == 1
    assert states(english) == states(chinese)
    assert english["codes"] == chinese["codes"]
    assert (english["language"], chinese["language"]) == ("en", "zh")
    titles = [[result["title"] for result in row["results"]] for row in (english, chinese)]
    assert titles[0][0] == "the configuration files"
    assert titles[1][0] == "配置文件"


def test_a_terminal_gets_colours_unless_it_wants_none(account):
    """no-color.org: NO_COLOR, whatever its value; words are there either way."""
    path = account(password="wrong-canary")
    for env, is_colourful in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        main, side = pty.openpty()
        with start_program(
            "pillarbox", "doctor", "-C", path, env={"TERM": "xterm"} | env, stdout=side
        ):
            os.close(side)
            said = b""
            while True:
                try:
                    piece = os.read(main, 4096)
                except OSError:  # Linux says so when the other side is closed
                    break
                said += piece
        os.close(main)
        assert (b"\x1b[31m!!\x1b[0m  " in said) == is_colourful
        assert (b"\x1b" in said) == is_colourful
        assert b"Root cause: " in said


# -- what may go wrong with the call itself --------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--summary", "--json"],
        ["--watch", "9"],
        ["--watch", "soon"],
        ["--watch", "-1"],
        ["--watch", "--bundle", "x"],
        ["--watch", "--bundle", ""],
        ["--to", "nobody at all"],
        ["--lang", "fr"],
        ["--nonsense"],
        ["operand"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    """A sentence and 64, before anything is looked at."""
    result = doctor(*arguments)
    assert (result.exit_code, result.out) == (64, "")
    assert 1 <= len(result.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (None, 0),
        (b"", 0o600),
        (b"\xff\xfe\0\0binary", 0o600),
        (b"account x\nhots a\n", 0o600),
        (b"account x\nhost a\npassword open\n", 0o644),
        (b"host\n", 0o600),
        (b"x" * 2_000_000, 0o600),
    ],
    ids=["missing", "empty", "binary", "misspelt", "open to all", "no value", "too large"],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--summary"]], ids=str)
def test_an_unusable_configuration_is_a_finding(content, mode, form, tmp_path):
    """Not a failure of the doctor: it says what and where, and looks at the rest."""
    path = tmp_path / "rc"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    result = doctor("-C", str(path), *form)
    assert (result.exit_code, result.err) == (2, "")
    assert "config." in result.out


def test_a_directory_in_place_of_the_file_is_a_finding(tmp_path):
    """It cannot be read, and that is what is said."""
    assert found("-C", str(tmp_path))["root_cause"]["code"].startswith("config.")


def test_a_full_disk_is_told():
    """What was asked for has not arrived, and the exit code is no verdict on the mail."""
    with open("/dev/full", "wb") as full:
        process = start_program("pillarbox", "doctor", "--json", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 74
    assert b"Traceback" not in err


def test_a_reader_who_goes_away_is_no_failure_to_speak_of():
    """``pillarbox doctor | head -1`` ends without a word."""
    process = start_program("pillarbox", "doctor", stdout=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err
    assert b"internal error" not in err


def test_standard_output_may_be_closed():
    """The exit code says the rest."""
    start = "import sys; sys.argv[0] = 'pillarbox'; from pillarbox.cli.main import run; "
    words = [sys.executable, "-S", "-c", start + "run('pillarbox')", "doctor", "--offline"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" >&-', *words],
        capture_output=True,
        check=False,
        timeout=30,
        env=ENVIRONMENT,
    )
    assert done.stderr == b""
    assert done.returncode == 2


def test_ctrl_c_ends_it_at_once(account):
    """Also while a server keeps it waiting; the exit code is that of a shell."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = account(port=silent.getsockname()[1])
        process = start_program("pillarbox", "doctor", "-C", path, stdout=subprocess.PIPE)
        silent.settimeout(30)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        connection.close()
    assert process.returncode == 130
    assert b"Traceback" not in out + err


def test_help_is_in_the_language():
    """Every option is explained."""
    said = run_program("pillarbox", ["doctor", "--lang", "zh", "--help"]).out
    for option in ("--account", "--from", "--to", "--watch", "--bundle", "--summary", "--offline"):
        assert option in said
    assert "查明邮件为什么送不到" in said
