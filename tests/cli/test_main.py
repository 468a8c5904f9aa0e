"""Where every command starts: names, streams, and what a person sees when something fails."""

import os
import shutil
import subprocess
import sys

import pytest

from peer import Peer, Puppet
from pillarbox import __version__
from pillarbox.cli import main
from pillarbox.errors import ConfigError, UsageError
from pillarbox.handoff.call import PROGRAMS
from programs import BIN, ENVIRONMENT, call_program, run_program

MAIL = b"Subject: test\n\nHello.\n"
TO_NOBODY = ["--host=127.0.0.1", "--port=1", "-f", "a@example.org", "to@example.org"]


@pytest.fixture
def installed(tmp_path):
    """Return a folder with the scripts of bin/ as an installation would put them there."""
    for script in BIN.iterdir():
        text = script.read_text()
        assert text.startswith("#!python\n"), "the installer replaces exactly this line"
        copy = tmp_path / script.name
        copy.write_text(text.replace("#!python", f"#!{sys.executable}", 1))
        copy.chmod(0o755)
    return tmp_path


def _start(program, *arguments, stdin=b"", **options):
    done = subprocess.run(
        [program, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
        start_new_session=True,
        timeout=30,
        **options,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_there_is_a_script_for_every_personality():
    """Each name that main knows is installed, and nothing else is."""
    assert {script.name for script in BIN.iterdir()} == set(main.PERSONALITIES)
    for script in BIN.iterdir():
        asks_first = ", fault" if script.name in PROGRAMS else ""
        assert script.read_text().endswith(f'\nrun("{script.name}"{asks_first})\n')
        assert os.access(script, os.X_OK)


# A call that tells the personalities apart: the exit code, and the first words of the output.
TELLING = {
    "msmtp": (["--version"], 0, "msmtp version"),
    "sendmail": (["--version"], 64, "sendmail: sendmail has no long options"),
    "mailq": (["--version"], 0, "Mail queue is empty"),
    "newaliases": (["--version"], 0, ""),
    "pillarbox": (["--version"], 0, f"pillarbox {__version__}"),
}


@pytest.mark.parametrize("name", TELLING)
def test_installed_script_is_its_personality(installed, name):
    """A script does what its name says, straight and through a link of the same name."""
    arguments, code, words = TELLING[name]
    (installed / "elsewhere").mkdir()
    link = installed / "elsewhere" / name
    link.symlink_to(installed / name)
    for program in (installed / name, link):
        found, out, err = _start(program, *arguments)
        assert (found, (out or err).startswith(words)) == (code, True)


@pytest.mark.parametrize("name", TELLING)
def test_link_to_another_script_has_the_powers_of_its_own_name(tmp_path, installed, name):
    """
    Attack: option injection through ``sendmail``, a link to ``msmtp`` as msmtp-mta makes it.

    The name that was called decides, not the file behind it.
    """
    arguments, code, words = TELLING[name]
    (tmp_path / "sbin").mkdir()
    link = tmp_path / "sbin" / name
    link.symlink_to(installed / ("msmtp" if name != "msmtp" else "sendmail"))
    found, out, err = _start(link, *arguments)
    assert (found, (out or err).startswith(words)) == (code, True)


def test_link_of_an_unknown_name_is_what_it_leads_to(tmp_path, installed):
    """A name that nobody knows keeps the personality of the script, and speaks by its own."""
    link = tmp_path / "mymail"
    link.symlink_to(installed / "msmtp")
    assert _start(link, "--nosuch") == (64, "", "mymail: unrecognized option '--nosuch'\n")


def test_module_is_the_command():
    """``python -m pillarbox`` is ``pillarbox``."""
    done = _start(sys.executable, "-S", "-m", "pillarbox", "--version")
    assert done == (0, f"pillarbox {__version__}\n", "")


def test_script_needs_no_path_in_its_name(installed):
    """The name is found with and without folders in front of it."""
    shutil.copy(installed / "mailq", installed / "sendmail")
    assert _start("./sendmail", "--version", cwd=installed)[0] == 64


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ([], 64, "usage: pillarbox COMMAND", ""),
        (["--help"], 0, "usage: pillarbox COMMAND", ""),
        (["-h"], 0, "usage: pillarbox COMMAND", ""),
        (["help"], 0, "usage: pillarbox COMMAND", ""),
        (["--version"], 0, f"pillarbox {__version__}\n", ""),
        (["tryy"], 64, "", "pillarbox: no command 'tryy'; did you mean 'try'?\n"),
        (["provider2"], 64, "", "pillarbox: no command 'provider2'; did you mean 'provider'?\n"),
        (["xyzzy"], 64, "", "pillarbox: no command 'xyzzy'\n"),
        (["--nosuch"], 64, "", "pillarbox: no command '--nosuch'"),
        (["\x1b[2J"], 64, "", "pillarbox: no command '\\x1b[2J'\n"),
        (["x" * 1000], 64, "", "pillarbox: no command 'xxxx"),
    ],
)
def test_pillarbox_command_line(words, code, out, err):
    """The command helps, and guesses what was meant."""
    result = call_program("pillarbox", words)
    assert result.exit_code == code
    assert (result.out.startswith(out), result.err.startswith(err)) == (True, True)
    assert (bool(result.out), bool(result.err)) == (bool(out), bool(err))
    assert all(len(line) < 200 for line in result.err.splitlines())


def test_every_command_and_personality_has_its_place():
    """Rows of the tables name modules of this package, and commands have a text for --help."""
    for module in main.PERSONALITIES.values():
        assert module.startswith(("pillarbox.cli.", "pillarbox.intake."))
    for module, text in main.COMMANDS.values():
        assert module.startswith("pillarbox.")
        assert text


# -- failures ---------------------------------------------------------------------------------


def _planted(statement, *, place="pillarbox.cli.direct.send_now"):
    """Return a program in which a function fails, called like msmtp."""
    module, _, function = place.rpartition(".")
    return (
        f"import sys; sys.argv[0] = '/usr/bin/msmtp'; import {module} as module\n"
        f"def fail(*_, **__): {statement}\n"
        f"module.{function} = fail\n"
        "from pillarbox.cli.main import run; run('msmtp')"
    )


@pytest.mark.parametrize(
    ("statement", "code", "line"),
    [
        (
            "return 1 // 0",
            70,
            (
                "internal error at __main__:2: ZeroDivisionError; this is a bug of pillarbox, "
                "and the mail may not have been sent"
            ),
        ),
        ("return {}['hunter2']", 70, "internal error at __main__:2: KeyError; this is"),
        ("raise RuntimeError('hunter2\\nx')", 70, "internal error at __main__:2: RuntimeError;"),
        ("raise RecursionError", 70, "internal error at __main__:2: RecursionError;"),
        ("raise MemoryError", 70, "internal error at __main__:2: MemoryError;"),
        ("assert False, 'hunter2'", 70, "internal error at __main__:2: AssertionError;"),
        ("b'\\xff'.decode()", 70, "internal error at __main__:2: UnicodeDecodeError;"),
    ],
)
def test_internal_error_is_one_line(statement, code, line):
    """A bug ends in 70 and one line that says where, without a traceback and without data."""
    found, out, err = _start(
        sys.executable, "-S", "-c", _planted(statement), *TO_NOBODY, stdin=MAIL
    )
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"msmtp: {line}")
    assert "Traceback" not in err
    assert "hunter2" not in err


def test_bug_behind_the_mail_does_not_say_it_was_not_sent():
    """A bug in telling of a mail that went must not make its sender send it again unasked."""
    code = _planted("1 // 0", place="pillarbox.delivery.report.log_lines")
    with Peer() as peer:
        arguments = ["--host=127.0.0.1", f"--port={peer.port}", "-f", "a@example.org", "-X-", "b@c"]
        found, _, err = _start(sys.executable, "-S", "-c", code, *arguments, stdin=MAIL)
        assert peer.last().recipients == ["b@c"]
    assert found == 70
    assert "was not sent" not in err


def test_keyboard_interrupt_is_silent():
    """Ctrl-C ends the program as the shell expects it, without a word."""
    code = _planted("raise KeyboardInterrupt")
    found = _start(sys.executable, "-S", "-c", code, *TO_NOBODY, stdin=MAIL)
    assert found == (130, "", "")


def test_expected_failure_is_told_with_its_advice():
    """A failure on purpose is a line that says what, and one that says what to do."""
    code = _planted(
        "from pillarbox.errors import ConfigError; "
        "raise ConfigError('bad\\x1b thing\\nx', path='/etc/x', line=3, advice='mend\\rit')"
    )
    found, out, err = _start(sys.executable, "-S", "-c", code, *TO_NOBODY, stdin=MAIL)
    assert (found, out) == (78, "")
    assert err == ("msmtp: /etc/x: line 3: bad\\x1b thing\\x0ax\nmsmtp: advice: mend\\x0dit\n")


def test_name_of_the_program_cannot_write_on_the_terminal():
    """Attack: control characters in argv[0] are shown as escapes."""
    result = run_program("msmtp", ["--nosuch"], called="/x/ms\x1b]0;x\x07\nmtp")
    assert result.err == "ms\\x1b]0;x\\x07\\x0amtp: unrecognized option '--nosuch'\n"


def test_complain_writes_to_standard_error(capsys):
    """``complain`` names the program; without advice there is no second line."""
    main.complain("prog", UsageError("wrong"))
    main.complain("prog", ConfigError("wrong", advice="mend it"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "prog: wrong\nprog: wrong\nprog: advice: mend it\n"


# -- streams ----------------------------------------------------------------------------------

_MSMTP = "import sys; sys.argv[0] = 'msmtp'; from pillarbox.cli.main import run; run('msmtp')"


def _shell(redirection, *arguments, stdin=MAIL):
    """Run msmtp behind redirections of the shell."""
    script = f'exec "$@" {redirection}'
    program = ["/bin/sh", "-c", script, "sh", sys.executable, "-S", "-c", _MSMTP]
    return _start(*program, *arguments, stdin=stdin)


@pytest.mark.parametrize(
    "redirection",
    ["1>&-", "2>&-", "1>&- 2>&-", "2>/dev/full", "1>/dev/full", "1>/dev/full 2>/dev/full"],
)
def test_streams_that_nobody_holds_do_not_change_the_mail(redirection):
    """Attack: a closed standard stream must not become the connection, nor a fault of ours."""
    with Peer() as peer:
        arguments = ["--host=127.0.0.1", f"--port={peer.port}", "-f", "a@example.org", "b@c.d"]
        assert _shell(redirection, *arguments) == (0, "", "")
        received = peer.last()
    assert received.body == b"Hello.\r\n"
    assert received.recipients == ["b@c.d"]


@pytest.mark.parametrize("redirection", ["2>&-", "1>&- 2>&-", "2>/dev/full"])
def test_exit_code_survives_when_nobody_hears_the_reason(redirection):
    """A failure has its own exit code also when standard error is closed or full."""
    with Puppet({"RCPT": "450 later"}) as puppet:
        arguments = ["--host=127.0.0.1", f"--port={puppet.port}", "-f", "a@example.org", "b@c.d"]
        assert _shell(redirection, *arguments) == (75, "", "")


@pytest.mark.parametrize("redirection", ["0<&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_input_is_no_empty_mail(redirection):
    """Nothing is sent when there is no mail to read."""
    with Puppet() as puppet:
        arguments = ["--host=127.0.0.1", f"--port={puppet.port}", "-f", "a@example.org", "b@c.d"]
        code, _, err = _shell(redirection, *arguments)
        assert code == 74
        assert puppet.connections == 0
    assert err in ("", "msmtp: cannot read the mail: Bad file descriptor\n")


def test_log_to_a_closed_standard_output_is_lost_and_nothing_else():
    """``logfile -`` with nobody there is no reason to call the mail a failure."""
    with Peer() as peer:
        arguments = ["--host=127.0.0.1", f"--port={peer.port}", "-f", "a@b.c", "-X", "-", "b@c.d"]
        assert _shell("1>&-", *arguments) == (0, "", "")
        assert peer.last().body == b"Hello.\r\n"
        code, _, err = _shell("1>/dev/full", *arguments)
        assert peer.last().body == b"Hello.\r\n"
    assert code == 0
    assert err.startswith("msmtp: cannot log to -: No space left on device\nmsmtp: log info was: ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pillarbox", "--help"),
        ("pillarbox", "providers"),
        ("msmtp", "--help"),
        ("mailq", ""),
    ],
)
def test_output_that_does_not_arrive_is_a_failure(name, words):
    """What was asked for and could not be written is not a success."""
    code = f"from pillarbox.cli.main import run; run({name!r})"
    script = f'exec "$@" {words} >/dev/full'
    program = ["/bin/sh", "-c", script, "sh", sys.executable, "-S", "-c", code]
    code, _, err = _start(*program)
    assert code != 0
    assert "Traceback" not in err
    assert "bug" not in err
