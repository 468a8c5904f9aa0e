"""Running the commands that a configuration names."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pillarbox.config.command import OUTPUT_MAX, CommandOutput, run_command
from pillarbox.errors import InputOutputError

ENV = {"PATH": os.environ["PATH"]}

ROWS = [
    ("echo a", b"a", "exit status 0"),
    ("printf a", b"a", "exit status 0"),
    ("printf 'a\\nb\\n'", b"a", "exit status 0"),
    ("printf 'a\\r\\nb'", b"a", "exit status 0"),
    ("printf ' a b '", b" a b ", "exit status 0"),
    ("printf 'a\\0b'", b"a\0b", "exit status 0"),
    ("printf '\\377'", b"\xff", "exit status 0"),
    ("echo", b"", "exit status 0"),
    ("true", None, "exit status 0"),
    ("exit 3", None, "exit status 3"),
    ("echo a; exit 3", b"a", "exit status 3"),
    ("kill -9 $$", None, "killed by signal 9"),
    ("echo a; kill -9 $$", b"a", "killed by signal 9"),
    ("exec >&-; sleep 0.02; exit 4", None, "exit status 4"),
    ("no-such-program-here 2>/dev/null", None, "exit status 127"),
]


@pytest.mark.parametrize(("command", "line", "ending"), ROWS)
def test_returns_first_line_and_ending(command, line, ending):
    """The first line counts, whatever the command's exit status says."""
    output = run_command(command, ENV)
    assert (output.line, output.ending) == (line, ending)


@pytest.mark.parametrize(
    ("printed", "has_more"), [("a", False), ("a\\n\\n", False), ("a\\nb", True)]
)
def test_tells_whether_more_than_the_first_line_was_printed(printed, has_more):
    """Blank lines behind the first are none."""
    assert run_command(f"printf '{printed}'", ENV).has_more == has_more


def test_gets_our_environment_and_no_other():
    """The command sees the variables that it is handed."""
    assert run_command('echo "$CANARY$HOME"', ENV | {"CANARY": "x"}).line == b"x"


def test_line_of_64_kib_is_the_longest():
    """A first line of 64 KiB is whole; a longer one is refused, not cut."""
    size = f"head -c {OUTPUT_MAX} /dev/zero | tr '\\0' x"
    assert run_command(size, ENV).line == b"x" * OUTPUT_MAX
    output = run_command(size + "; echo x", ENV)
    assert (output.line, output.ending) == (None, "a first line of more than 65536 bytes")


def test_endless_output_is_bounded():
    """A command that never stops printing is stopped, and costs no memory."""
    assert run_command("exec cat /dev/zero", ENV).line is None
    output = run_command("echo a; exec yes", ENV, timeout_s=0.3)
    assert output == CommandOutput(b"a", "no end after 0.3 seconds")


def test_hanging_command_is_killed():
    """A command that does not end is killed when its time is over."""
    start = time.monotonic()
    output = run_command("echo $$; exec sleep 60", ENV, timeout_s=0.2)
    assert output.ending == "no end after 0.2 seconds"
    assert time.monotonic() - start < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int(output.line), 0)


def test_unfinished_line_of_killed_command_does_not_count():
    """Half a password is no password."""
    assert run_command("printf half; exec sleep 60", ENV, timeout_s=0.2).line is None


def test_child_left_behind_does_not_hold_us():
    """A helper that starts an agent, which keeps the output open, is done when it ends."""
    start = time.monotonic()
    output = run_command("sleep 5 & echo $!", ENV)
    assert time.monotonic() - start < 4
    os.kill(int(output.line), signal.SIGKILL)
    assert output.ending == "exit status 0"


def run_python(code, text=""):
    """Run some code in a process of its own, and return what it prints."""
    code = "import os, signal, sys; from pillarbox.config.command import run_command;" + code
    return subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout


def test_helper_that_reads_standard_input_cannot_eat_the_mail():
    """The command finds its standard input empty, and ours is still whole behind it."""
    code = "print(run_command('cat; echo end', os.environ).line, sys.stdin.read())"
    assert run_python(code, "the mail") == "b'end' the mail\n"


def test_standard_error_is_ours(capfd):
    """What the command complains reaches the user."""
    run_command("echo complaint >&2", ENV)
    assert capfd.readouterr().err == "complaint\n"


def children():
    """Return the processes that this thread has started and not waited for."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(file.read().split())


def test_leaves_nothing_behind():
    """No file stays open and no process stays unwaited, whatever the ending."""
    before = sorted(os.listdir("/proc/self/fd")), children()
    for command in ("true", "exec >&-; sleep 0.01", "exec sleep 9", "sleep 0.1 & echo a"):
        run_command(command, ENV, timeout_s=0.1)
    assert (sorted(os.listdir("/proc/self/fd")), children()) == before


def test_works_when_children_are_ignored():
    """A parent that ignores SIGCHLD, so that endings are lost, does not break us."""
    code = (
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "out = run_command('echo a', os.environ); print(out.line, out.ending);"
        "print(run_command('exec sleep 60', os.environ, timeout_s=0.1).line)"
    )
    assert run_python(code) == "b'a' an unknown exit status\nNone\n"


def test_sigpipe_is_not_ignored_in_the_command():
    """The command has the usual signals: Python's own choice is not passed on."""
    output = run_command("grep SigIgn /proc/self/status", ENV)
    ignored = int(output.line.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


def test_failing_start_is_told(monkeypatch):
    """A machine that cannot start another process is an input error, not a traceback."""

    def fail(*_args, **_keywords):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = sorted(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "posix_spawn", fail)
    with pytest.raises(InputOutputError, match="cannot run /bin/sh: Resource temporarily"):
        run_command("true", ENV)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_password_leaks_not_by_representation():
    """The output is not shown by ``repr``."""
    assert repr(CommandOutput(b"canary", "exit status 0")) == (
        "CommandOutput(line=*, ending='exit status 0')"
    )
    assert "None" in repr(CommandOutput(None, "exit status 0"))
