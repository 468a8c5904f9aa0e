"""The container's recipe, step by step, in a throw-away root and without a network."""

from __future__ import annotations

import json
import re
import shutil
import smtplib
import socket
from pathlib import Path

import pytest

from peer import Peer
from throwaway import ThrowAway, Watched

TREE = Path(__file__).parent.parent
RECIPE = TREE / "container/Containerfile"
# What the installation reads of the tree; the rest of it would only take time.
COPIED = ("src", "man", "completions", "pyproject.toml")


def steps():
    """Return the instructions of the recipe, each with its arguments, in order."""
    lines = [line for line in RECIPE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]


@pytest.fixture
def image(tmp_path):
    """Return a system that the steps were done in, up to the entry point."""
    with ThrowAway(tmp_path) as system:
        if system.run("id", "pillarbox").returncode == 0:
            system.run("userdel", "pillarbox")
        # The packages of the base are there, and there is no network to bring others.
        system.write("/usr/local/sbin/apt-get", "#!/bin/sh\nexit 0\n", 0o755)
        env = {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"}
        for name, arguments in steps():
            if name == "COPY":
                _copy(system, arguments)
            elif name == "RUN":
                done = system.run("sh", "-c", arguments, has_network=False, env=env)
                assert done.returncode == 0, done
        yield system


def _copy(system, arguments):
    source, target = arguments.split()
    assert source == "."
    for name in COPIED:
        place = system.top / target.lstrip("/") / name
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(TREE / name, place)


def test_container_takes_a_mail_and_tells_how_it_is(image):
    """It delivers as its user; the health command says 0, and 1 when the service is stopped."""
    given = dict(steps())
    check = json.loads(given["HEALTHCHECK"].partition(" CMD ")[2])
    with Peer() as peer:
        accounts = f"account default\nhost 127.0.0.1\nport {peer.port}\nfrom me@example.org\n"
        image.write("/etc/msmtprc", accounts)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = f'[listen]\naddresses = ["127.0.0.1:{port}"]\n'  # not 2525: it may be taken
        image.write("/etc/pillarbox/pillarbox.toml", settings)
        entry = image.command(*json.loads(given["ENTRYPOINT"]), user=given["USER"])
        with Watched(entry) as service:
            healthy = image.run(*check, user=given["USER"])
            assert healthy.returncode == 0, healthy
            mail = "Subject: hello\n\nin a box\n"
            done = image.run("sendmail", "ops@example.net", user="nobody", stdin=mail)
            assert (done.returncode, done.stderr) == (0, "")
            service.wait_for("event=delivered")
            assert peer.last().body == b"in a box\r\n"
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.sendmail("me@example.org", ["ops@example.net"], mail)
            service.wait_for("event=delivered", count=2)
            assert peer.last().recipients == ["ops@example.net"]
            assert service.stop() == 0
    assert image.run(*check, user=given["USER"]).returncode == 1


def test_container_keeps_nothing_but_the_installation(image):
    """The source tree is gone, and no file of ours has rights of its own."""
    assert not (image.top / "tmp/pillarbox").exists()
    assert image.run("id", "-u", "pillarbox").stdout == "990\n"
    found = image.run("find", "/usr/lib/pillarbox", "-perm", "/6022")
    assert (found.returncode, found.stdout) == (0, "")
