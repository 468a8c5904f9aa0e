"""The units as they are installed, read by systemd itself."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from pillarbox.cli.install_plan import UNITS
from programs import call_program

NAMES = sorted(name for name in UNITS if name.endswith((".service", ".socket", ".timer")))
# Programs of the system that its units name; a root with nothing but ours has none of them.
PROGRAMS = ("/bin/kill",)

pytestmark = [
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: systemd-analyze --root"),
]


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """Return the directory of the units, in a root with nothing else in it."""
    top = tmp_path_factory.mktemp("system")
    for name in ("usr/bin", "usr/lib/systemd/system", "etc", "var/spool", "var/lib"):
        (top / name).mkdir(parents=True)
    (top / "etc/passwd").write_text("pillarbox:x:990:990::/:/bin/false\n")
    assert call_program("pillarbox", ["install", "--root", str(top), "--yes"]).exit_code == 0
    return top / "usr/lib/systemd/system"


def verify(folder, *names):
    """Return what systemd says about units of a root, without what a minimal root has not."""
    top = folder.parent.parent.parent.parent
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={top}", *names],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    missing = [f"Command {name} is not executable: No such file" for name in PROGRAMS]
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if not any(words in line for words in missing)]


@pytest.mark.parametrize("name", NAMES)
def test_systemd_has_nothing_to_say_about_a_unit(units, name):
    """Every directive is known to it, and every program that we bring is in its place."""
    assert verify(units, name) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("UMask=0077", "UMask=ninety", "Failed to parse"),
        ("NoNewPrivileges=yes", "NoNewPrivilege=yes", "'NoNewPrivilege'"),
        ("/usr/bin/pillarbox", "/usr/bin/pilarbox", "/usr/bin/pilarbox is not executable"),
    ],
)
def test_systemd_would_say_so_if_something_were_wrong(units, tmp_path, old, new, words):
    """The measure of the test above can fail: a wrong value, key, and program are told."""
    top = tmp_path / "system"
    shutil.copytree(units.parent.parent.parent.parent, top, symlinks=True)
    unit = top / "usr/lib/systemd/system/pillarbox.service"
    unit.write_text(unit.read_text().replace(old, new))
    said = verify(unit.parent, unit.name)
    assert any(words in line for line in said), said
