"""What is slow as a whole is sliced by the plain command, and never left out by mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parent / "test_dialogs.py"


def collected(*words, whole=False):
    """Return the names of the dialogs that a command would run."""
    env = {name: value for name, value in os.environ.items() if name != "PILLARBOX_ALL_POINTS"}
    env |= {"PILLARBOX_ALL_POINTS": "1"} if whole else {}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *words], env=env, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "::test_dialog[" in line]


def test_the_plain_command_takes_each_third():
    """The same at each run; other tests of the file stay."""
    every = collected(FILE, "-p", "no:randomly", whole=True)
    part = collected(FILE, "-p", "no:randomly")
    assert sorted(part) == sorted(every)[::3]
    assert sorted(collected(FILE, "-p", "randomly")) == sorted(part)


@pytest.mark.parametrize("form", ["node", "keyword"])
def test_who_is_named_is_run(form):
    """Nobody has to know of slices to run the one case that fails."""
    name = collected(FILE, whole=True)[1].partition("::")[2]
    words = [f"{FILE}::{name}"] if form == "node" else [FILE, "-k", name.partition("[")[2][:-1]]
    assert [case.partition("::")[2] for case in collected(*words)] == [name]
