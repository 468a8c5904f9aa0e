"""The writing: killed at any system call, it leaves what was there or what was wished."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import pillarbox
from crash.nursery import build_shim, compiler_path, fast_folder

COUNT, KILL, FAIL = 0, 1, 2

OLD_RC = b"# mine\naccount default\nhost old\nuser u\npassword old-secret\nlogfile /x\n"
OLD_ALIASES = b"postmaster: root\n"
SECRETS = (b"old-secret", b"new-secret")

# What `pillarbox setup` does behind the login, in a child for each tree: killed, or with a call
# that fails, at the point that is told. One start of the interpreter for all of them.
SCRIPT = """
import ctypes, json, os, sys
from pillarbox.errors import PillarboxError
from pillarbox.mail.address import parse_mailbox
from pillarbox.secret import Secret
from pillarbox.setup.candidate import Candidate
from pillarbox.setup.order import Order
from pillarbox.setup.placing import look
from pillarbox.setup.questions import Answers, Questions
from pillarbox.setup.report import Report
from pillarbox.setup.way import Way
from pillarbox.setup.writing import Draft, plan_aliases, write
shim = ctypes.CDLL(None)
me = parse_mailbox("no-reply@example.com")
def set_up(root, store):
    order = Order(is_system=True, environment={}, root=root)
    questions = Questions(Answers({}, {}), None, environment={}, show=str, read_stdin=bytes)
    place = look(order.account_path())
    way = Way(me, str(me), Candidate("smtp.example.com", 465, "implicit"), trust_file="system")
    aliases = plan_aliases(order, questions, place, me)
    draft = Draft(order, place, way, store, None, aliases)
    secret = Secret("new-secret")
    if draft.is_change(secret):
        write(draft, secret, questions, Report())
for line in sys.stdin:
    tree, store, point, action, error, log = json.loads(line)
    pid = os.fork()
    if not pid:
        said = os.open(log, os.O_WRONLY | os.O_CREAT)
        shim.shim_arm(tree.encode(), ctypes.c_long(point), action, error, said, -1, 0)
        try:
            set_up(tree, store)
        except PillarboxError as exc:
            os._exit(exc.exit_code)
        except BaseException as exc:
            os.write(2, repr(exc).encode())
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

pytestmark = pytest.mark.skipif(compiler_path() is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """Start the process whose children are killed."""
    shim = build_shim(tmp_path_factory.mktemp("shim"))
    env = {"PYTHONPATH": str(Path(pillarbox.__file__).parents[1]), "PATH": os.defpath}
    with subprocess.Popen(
        [sys.executable, "-S", "-c", SCRIPT],
        env=env | {"LD_PRELOAD": str(shim)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def folder():
    """Return a directory in memory, if there is such a place: nothing here cuts the power."""
    with tempfile.TemporaryDirectory(prefix="setup-", dir=fast_folder()) as path:
        yield Path(path)


@pytest.fixture(params=["file", "credential"])
def store(request):
    """Return where the password goes."""
    return request.param


def make_tree(folder):
    """Make a system with an account and aliases of its own."""
    etc = folder / "etc"
    etc.mkdir(parents=True)
    for name, content, mode in (("msmtprc", OLD_RC, 0o600), ("aliases", OLD_ALIASES, 0o644)):
        (etc / name).write_bytes(content)
        (etc / name).chmod(mode)
    return folder


def write(warm, folder, store, point=0, action=COUNT, error=0):
    """Set an account up in a tree; return how it ended, and its calls on the tree."""
    log = folder.with_name(f"{folder.name}.log")
    warm.stdin.write(json.dumps([str(folder), store, point, action, error, str(log)]) + "\n")
    warm.stdin.flush()
    ended = int(warm.stdout.readline())
    return ended, [line[5:] for line in log.read_text().splitlines() if line.startswith("call ")]


def contents(folder):
    """Return what each file of a tree says."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def story(folder, warm, store):
    """Return the calls of a writing that nothing happens to, and what it writes."""
    tree = make_tree(folder / "whole")
    ended, calls = write(warm, tree, store)
    assert ended == 0
    return calls, contents(tree)


def names_of(final, store):
    """Return the files that a whole writing leaves, without backups."""
    names = {"msmtprc", "aliases"} | ({"pillarbox.password"} if store == "credential" else set())
    assert names == {name for name in final if not name.endswith("~")}
    return names


def writing_of(calls):
    """Yield the calls, with their numbers from 1, from the first one that makes something."""
    first = next(at for at, call in enumerate(calls) if call.startswith(("create", "mkdir")))
    assert len(calls) - first > 10
    yield from list(enumerate(calls, 1))[first:]


def require_sound(folder, final):
    """Require that each file is as before or as wished, and no secret is open to others."""
    found = contents(folder)
    assert found["msmtprc"] in (OLD_RC, final["msmtprc"])
    assert found["aliases"] in (OLD_ALIASES, final["aliases"])
    for path in folder.rglob("*"):
        is_secret = path.is_file() and any(secret in path.read_bytes() for secret in SECRETS)
        assert not is_secret or not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        if path.name.endswith("~"):
            assert path.read_bytes() in (OLD_RC, OLD_ALIASES)
    if found["msmtprc"] == final["msmtprc"]:  # it needs the other files: they came before it
        for name in final:
            if not name.endswith("~"):
                assert found[name] == final[name]


def test_what_is_written_is_on_the_disk_before_it_has_its_name(story):
    """Each file: made, written, synced, renamed, and the directory synced."""
    calls, _ = story
    kinds = [call.split()[0] for call in calls]
    renames = [at for at, kind in enumerate(kinds) if kind.startswith("rename")]
    assert renames
    for at in renames:
        assert "fsync" in kinds[:at]
        assert kinds[at + 1 :].index("fsync") < 5
    assert kinds.count("fsync") >= 2 * len(renames)


def test_killed_at_any_call_it_leaves_old_or_new(folder, warm, store, story):
    """And the next run completes it, and sweeps away what the killed one left."""
    calls, final = story
    for point, call in writing_of(calls):
        tree = make_tree(folder / f"killed-{point}")
        assert write(warm, tree, store, point, KILL)[0] == -9, f"{point} {call}"
        require_sound(tree, final)
        assert write(warm, tree, store)[0] == 0
        found = contents(tree)
        for name in names_of(final, store):
            assert found[name] == final[name], f"{point} {call}"
        assert not [name for name in found if ".pillarbox-" in name], f"{point} {call}"


def test_with_a_full_disk_at_any_call_it_says_so_and_leaves_old_or_new(folder, warm, store, story):
    """No traceback, and nothing is left over."""
    calls, final = story
    for point, call in writing_of(calls):
        tree = make_tree(folder / f"full-{point}")
        ended, _ = write(warm, tree, store, point, FAIL, errno.ENOSPC)
        require_sound(tree, final)
        assert ended in (0, 74), call
        if not call.startswith("unlink"):
            assert not [name for name in contents(tree) if ".pillarbox-" in name], call
