"""``pillarbox install`` and ``uninstall``: what is put below a directory, and the way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from pillarbox.cli.install_plan import UNITS
from programs import call_program

PACKAGE = Path(__file__).parent.parent.parent / "src" / "pillarbox"
RECORD = "var/lib/pillarbox/install.json"
SENDMAIL = "usr/sbin/sendmail"


@pytest.fixture
def system(tmp_path):
    """Return the top of a system with systemd, another's sendmail, and no dpkg."""
    top = tmp_path / "system"
    for name in ("usr/sbin", "usr/bin", "usr/lib/systemd/system", "etc", "var/spool", "var/lib"):
        (top / name).mkdir(parents=True)
    (top / "etc/passwd").write_text("pillarbox:x:990:990::/:/bin/false\n")
    (top / SENDMAIL).write_text("another's\n")
    (top / SENDMAIL).chmod(0o711)
    (top / "usr/bin/mailq").symlink_to("../sbin/exim4")
    return top


def run(command, system, *arguments):
    """Run a command on a system."""
    return call_program("pillarbox", [command, "--root", str(system), *arguments])


def tree(top):
    """Return everything below a directory."""
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        content = b""
        if path.is_symlink():
            content = os.readlink(path).encode()
        elif path.is_file():
            content = path.read_bytes()
        owner = (status.st_uid, status.st_gid)
        found[str(path.relative_to(top))] = (status.st_mode, owner, hashlib.sha256(content))
    return {name: (mode, owner, digest.digest()) for name, (mode, owner, digest) in found.items()}


def test_what_was_installed_is_undone_to_the_octet(system):
    """Another's sendmail comes back, with its mode, and nothing of ours is left."""
    before = tree(system)
    assert run("install", system, "--yes").exit_code == 0
    assert (system / SENDMAIL).read_text().startswith("#!/usr/bin/python3 -IBS\n")
    assert run("uninstall", system, "--yes").exit_code == 0
    assert tree(system) == before


def test_no_program_has_rights_that_its_caller_has_not(system):
    """Attack P2: no set-id bit, and nothing that others can write."""
    assert run("install", system, "--yes").exit_code == 0
    for path in system.rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISLNK(mode) or not mode & 0o6022, path
    assert stat.S_IMODE((system / "var/spool/pillarbox").stat().st_mode) == 0o700


def test_nothing_is_done_without_a_yes(system):
    """Neither by --dry-run nor where nobody can be asked."""
    before = tree(system)
    shown = run("install", system, "--dry-run")
    assert shown.exit_code == 0
    assert "put /usr/sbin/sendmail, and keep a copy of what is there" in shown.out
    assert run("install", system).exit_code == 64
    assert tree(system) == before


def test_the_second_time_there_is_nothing_to_do(system):
    """It says so and changes nothing."""
    run("install", system, "--yes")
    before = tree(system)
    assert "everything is in its place" in run("install", system, "--yes").out
    assert tree(system) == before


def test_what_is_missing_or_changed_is_mended(system):
    """The changed file is kept beside, and told."""
    run("install", system, "--yes")
    good = (system / SENDMAIL).read_bytes()
    (system / SENDMAIL).write_text("changed\n")
    (system / "usr/bin/msmtp").unlink()
    said = run("install", system, "--yes")
    assert "/usr/sbin/sendmail.pillarbox-changed" in said.out
    assert (system / SENDMAIL).read_bytes() == good
    assert (system / "usr/bin/msmtp").exists()


def test_what_somebody_changed_is_kept(system):
    """His settings stay, and are named."""
    run("install", system, "--yes")
    settings = system / "etc/pillarbox/pillarbox.toml"
    settings.write_text("# mine\n")
    assert run("install", system, "--yes").exit_code == 0
    said = run("uninstall", system, "--yes")
    assert settings.read_text() == "# mine\n"
    assert "/etc/pillarbox/pillarbox.toml" in said.out


def test_mail_that_waits_is_never_taken_away(system):
    """The spool stays when there is an entry in it."""
    run("install", system, "--yes")
    entry = system / "var/spool/pillarbox/queue/entry"
    entry.parent.mkdir()
    entry.write_text("a mail\n")
    assert "/var/spool/pillarbox" in run("uninstall", system, "--yes").out
    assert entry.read_text() == "a mail\n"


@pytest.mark.parametrize("is_mended_first", [False, True])
def test_an_installation_that_was_killed_is_undone(system, is_mended_first):
    """With half of its files there, and one half written, by uninstall alone or after install."""
    before = tree(system)
    run("install", system, "--yes")
    record = json.loads((system / RECORD).read_text())
    record["state"] = "under way"
    (system / RECORD).write_text(json.dumps(record))
    for name in ("usr/bin/msmtp", "usr/bin/newaliases"):
        (system / name).unlink()
    (system / SENDMAIL).write_text("another's\n")  # ours had not come yet
    (system / SENDMAIL).chmod(0o711)
    (system / "usr/bin/msmtp.pillarbox-new").write_text("#!/us")
    if is_mended_first:
        assert run("install", system, "--yes").exit_code == 0
        assert (system / SENDMAIL).read_text().startswith("#!")
    assert run("uninstall", system, "--yes").exit_code == 0
    assert tree(system) == before


def test_a_link_does_not_lead_out_of_the_root(system, tmp_path):
    """A hostile or broken root does not have the installer write into this system."""
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(system / "usr/bin")
    (system / "usr/bin").symlink_to(outside)
    said = run("install", system, "--yes")
    assert said.exit_code == 74
    assert "leads out of" in said.err
    assert not list(outside.iterdir())


def test_where_nothing_was_installed_there_is_nothing_to_undo(system):
    """It is said in a sentence."""
    assert run("uninstall", system, "--yes").exit_code == 66


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(
    ("unit", "limit"),
    [
        ("pillarbox-submit", 0.6),
        ("pillarbox", 1.3),
        ("pillarbox-listen", 1.3),
        ("pillarbox-doctor", 1.3),
    ],
)
def test_units_expose_little(unit, limit):
    """By systemd's own measure; what raises it has to be argued for."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, str(PACKAGE / "units" / f"{unit}.service")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    (line,) = [line for line in done.stdout.splitlines() if "Overall exposure level" in line]
    assert float(line.split(": ")[1].split()[0]) <= limit


def test_who_takes_mail_sees_no_secret_and_who_its_callers_are():
    """The traps: PrivateUsers hides uids (attack L14), a missing line shows the password (P2)."""
    for name in UNITS:
        text = (PACKAGE / "units" / name).read_text()
        assert "PrivateUsers=yes" not in text
        if name in ("pillarbox-submit.service", "pillarbox-listen.service"):
            assert "InaccessiblePaths=-/etc/msmtprc -/etc/credstore " in text
            assert "LoadCredential" not in text


@pytest.mark.parametrize("option", ["--python", "--prefix"])
def test_path_that_is_not_absolute_is_wrong_use(system, option):
    """Behind ``#!`` nothing is looked for: every program would be there, and none would start."""
    before = tree(system)
    result = run("install", system, "--yes", f"{option}=python3")
    assert result.exit_code == 64
    assert "write an absolute path, as /usr" in result.err
    assert tree(system) == before


def test_the_weekly_doctor_may_do_no_more_than_the_service():
    """Each line of the service's hardening is in its unit as well; it runs as the same user."""
    doctor, service = (
        (PACKAGE / "units" / f"{name}.service").read_text()
        for name in ("pillarbox-doctor", "pillarbox")
    )
    hardening = service.partition("NoNewPrivileges")[2].partition("[Install]")[0].splitlines()
    lines = doctor.splitlines()
    for line in ["User=pillarbox", "LoadCredential=pillarbox.password", *hardening[1:]]:
        if line and not line.startswith(("#", "LimitNOFILE=")):
            assert line in lines, line
    assert "NoNewPrivileges=yes" in lines
    assert "SuccessExitStatus=1" in lines  # a warning is no failure
    timer = (PACKAGE / "units/pillarbox-doctor.timer").read_text().splitlines()
    assert {"OnCalendar=weekly", "Persistent=yes", "WantedBy=timers.target"} <= set(timer)
    assert any(line.startswith("RandomizedDelaySec=") for line in timer)
