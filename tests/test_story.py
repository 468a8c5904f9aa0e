"""The README's story: exactly its commands, typed one after the other into a shell."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from programs import BIN, SRC

pytest.importorskip("trustme")  # the provider's certificate

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "## Pull the plug", "README.zh.md": "## 拔掉网线"}
PORT = "2465"  # the README's; here a free one, as tests run side by side
PATIENCE_S = 20
BASH = Path("/bin/bash")


def blocks(page):
    """Return the commands of each indented block of the story; comments show what it prints."""
    text = (ROOT / page).read_text()
    section = text.partition(f"\n{PAGES[page]}\n")[2].partition("\n## ")[0]
    found = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    return [re.sub(r"(?m)^    (#.*\n)?", "", block) for block in found]


class Shell:
    """A bash that is typed into."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [BASH],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(SRC), "LC_ALL": "C.UTF-8"},
        )

    def type(self, commands):
        """Type commands; return what they print and the exit code of the last."""
        self._process.stdin.write(f'{commands.rstrip()}\necho "== $?"\n')
        self._process.stdin.flush()
        lines = []
        while not (line := self._process.stdout.readline()).startswith("== "):
            assert line, "the shell has ended"
            lines.append(line)
        return "".join(lines), int(line[3:])

    def until(self, command, words):
        """Type a command again and again until it prints some words; return what it prints."""
        start = time.monotonic()
        while words not in (printed := self.type(command)[0]):
            if time.monotonic() - start > PATIENCE_S:
                pytest.fail(f"{printed}\n{self.type('cat ~/serve.log')[0]}")
            time.sleep(0.05)
        return printed

    def close(self):
        """End the shell and what it started."""
        self.type("kill $(jobs -p); wait")
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@pytest.fixture
def shell(tmp_path):
    """Type in a folder that looks like a checkout after ``make try``."""
    place = tmp_path / ".venv" / "bin"
    place.mkdir(parents=True)
    for program in BIN.iterdir():
        script = place / program.name
        script.write_text(program.read_text().replace("#!python", f"#!{sys.executable}", 1))
        script.chmod(0o755)
    shell = Shell(tmp_path)
    yield shell
    shell.close()


@pytest.fixture
def port():
    """Find a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return str(sock.getsockname()[1])


@pytest.mark.skipif(not BASH.exists(), reason="the README's commands are bash's")
def test_mail_outlives_the_network(shell, port):
    """The plug is pulled, a mail waits and is seen; the network is back, and it goes."""
    start, pull, back, end = (block.replace(PORT, port) for block in blocks("README.md"))
    assert shell.type(start) == ("", 0)
    shell.until("cat ~/provider.log", "listening:")
    shell.until("cat ~/serve.log", "event=started")

    kill, send, look = pull.splitlines()
    assert shell.type(kill)[1] == 0
    shell.until(f"(: < /dev/tcp/localhost/{port}) 2>&1", "refused")
    assert shell.type(send) == ("", 0)
    assert "me@test.com\n" in shell.type(look)[0]
    waiting = shell.until(look, "refused")
    assert re.search(
        r"^\s+\(cannot connect to localhost, port \d+: Connection ref", waiting, re.MULTILINE
    )
    assert waiting.endswith("-- 1 Kbytes in 1 Request.\n")

    provider, flush, look, read = back.splitlines()
    assert shell.type(provider) == ("", 0)
    shell.until(f"(: < /dev/tcp/localhost/{port}) 2>/dev/null && echo open", "open")
    assert shell.type(flush)[1] == 0
    assert shell.until(look, "empty") == "Mail queue is empty\n"
    arrived = shell.until(read, "web01: /var 100%")
    assert "mail from <no-reply@example.com> to me@test.com:" in arrived
    assert "Subject: disk full" in arrived
    log = shell.type("cat ~/serve.log")[0]
    assert log.count("event=delivered") == 1
    assert "event=internal_error" not in log

    assert shell.type(end)[1] == 0
    shell.until("cat ~/serve.log", "event=stopped")


def test_the_story_is_the_same_in_chinese():
    """Whoever reads Chinese types the same."""
    assert blocks("README.zh.md") == blocks("README.md")
    assert len(blocks("README.md")) == 4


def test_nothing_is_touched_outside_the_folder():
    """The story makes a home of its own before it writes anything."""
    first = blocks("README.md")[0].splitlines()[0]
    assert first.startswith("export HOME=$(mktemp -d)")
    assert os.environ.get("HOME") not in blocks("README.md")[0]
