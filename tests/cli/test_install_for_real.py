"""``pillarbox install`` in a Debian: beside another's sendmail, for cron, for users, and back."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from callers.packages import require
from peer import Peer
from throwaway import ThrowAway, Watched

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg")

# What an installation may touch. /etc as a whole has the copies that useradd and userdel make.
TOUCHED = (
    "/usr/sbin",
    "/usr/bin",
    "/usr/lib/sendmail",
    "/usr/lib/pillarbox",
    "/usr/lib/systemd",
    "/usr/share/man",
    "/usr/share/bash-completion",
    "/usr/share/zsh",
    "/usr/share/fish",
    "/etc/pillarbox",
    "/etc/systemd",
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/var/spool",
    "/var/lib/pillarbox",
    "/run",
)
DIVERSIONS = "/var/lib/dpkg/diversions"
OTHERS = "#!/bin/sh\necho the other MTA\n"
SECRET = "hunter2-hunter2"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a package of another mail server, with sendmail and its links."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("DEBIAN", "usr/sbin", "usr/bin", "usr/lib"):
        (folder / "mta" / name).mkdir(parents=True)
    control = "Package: another-mta\nVersion: 1\nArchitecture: all\nMaintainer: a@example.org\n"
    (folder / "mta/DEBIAN/control").write_text(f"{control}Description: sends mail\n")
    (folder / "mta/usr/sbin/sendmail").write_text(OTHERS)
    (folder / "mta/usr/sbin/sendmail").chmod(0o755)
    (folder / "mta/usr/bin/mailq").symlink_to("../sbin/sendmail")
    (folder / "mta/usr/lib/sendmail").symlink_to("../sbin/sendmail")
    command = ["dpkg-deb", "--root-owner-group", "-b", str(folder / "mta"), str(folder / "a.deb")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "a.deb"


@pytest.fixture(scope="module")
def provider():
    """Return a relay host on loopback."""
    with Peer() as server:
        yield server


@pytest.fixture
def peer(provider):
    """Return it with nothing received."""
    provider.received.clear()
    return provider


@pytest.fixture
def debian(tmp_path):
    """Return a system that nothing of ours is in."""
    with ThrowAway(tmp_path) as system:
        if system.run("id", "pillarbox").returncode == 0:
            system.run("userdel", "pillarbox")
        yield system


def put_package(system, package):
    """Have dpkg install, or install again, the other mail server."""
    shutil.copy(package, system.top / "root/another.deb")
    done = system.run("dpkg", "--install", "--force-conflicts,overwrite", "/root/another.deb")
    assert done.returncode == 0, done


def configure(system, port):
    """Write the account, which the service may read and nobody else."""
    lines = ["account default", "host 127.0.0.1", f"port {port}", "from me@example.org"]
    lines += ["user me", f"password {SECRET}", "auth off", ""]
    system.write("/etc/msmtprc", "\n".join(lines), 0o640)
    assert system.run("chgrp", "pillarbox", "/etc/msmtprc").returncode == 0


def serve(system, *arguments):
    """Start the installed service as its user."""
    return Watched(system.command("/usr/bin/pillarbox", "serve", *arguments, user="pillarbox"))


def test_another_mail_server_is_diverted_and_given_back(debian, package):
    """Its package can be installed again meanwhile; the tree comes back to the octet."""
    put_package(debian, package)
    before, diversions = debian.tree(*TOUCHED), debian.tree(DIVERSIONS)
    debian.ours("install", "--yes", "--no-units")
    sendmail = debian.top / "usr/sbin/sendmail"
    assert sendmail.read_text().startswith("#!/usr/bin/python3 -IBS\n")
    assert (debian.top / "usr/sbin/sendmail.distrib").read_text() == OTHERS
    assert "/usr/sbin/sendmail\n" in (debian.top / DIVERSIONS.lstrip("/")).read_text()
    ours = debian.tree("/usr/sbin", "/usr/bin", "/usr/lib/sendmail")
    put_package(debian, package)
    assert debian.tree("/usr/sbin", "/usr/bin", "/usr/lib/sendmail") == ours
    done = debian.run("/usr/bin/pillarbox", "uninstall", "--yes")
    assert done.returncode == 0, done
    assert debian.tree(*TOUCHED) == before
    assert debian.tree(DIVERSIONS) == diversions
    assert debian.run("/usr/sbin/sendmail").stdout == "the other MTA\n"


def test_output_of_a_cron_job_goes_through_the_service_to_the_provider(debian, package, peer):
    """Cron knows nothing of us: it starts /usr/sbin/sendmail, and was another's."""
    cron = require("cron") / "usr/sbin/cron"
    put_package(debian, package)
    debian.ours("install", "--yes", "--no-units")
    configure(debian, peer.port)
    debian.run("rm", "-rf", "/etc/crontab", "/etc/cron.d", "/var/spool/cron")
    job = 'MAILTO=ops@example.net\n@reboot printf "a job\\n.\\nsaid so\\n"\n'
    debian.write("/var/spool/cron/crontabs/root", job, 0o600)
    shutil.copy(cron, debian.top / "usr/sbin/cron")
    with serve(debian) as service:
        daemon = subprocess.Popen(
            debian.command("/usr/sbin/cron", "-f"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            taken = service.wait_for("event=accepted")
            service.wait_for("event=delivered")
        finally:
            daemon.terminate()
            daemon.wait()
    assert " uid=0 " in taken
    mail = peer.last()
    assert mail.recipients == ["ops@example.net"]
    assert mail.sender == "me@example.org"
    assert mail.body == b"a job\r\n.\r\nsaid so\r\n"
    assert mail.value("Subject").startswith("Cron <root@")


def test_who_takes_mail_cannot_read_the_password_and_anybody_can_send(debian, peer):
    """Attack L10: roles apart, as in the units; the submitter's view has no accounts in it."""
    debian.ours("install", "--yes", "--no-units")
    configure(debian, peer.port)
    debian.write("/run/closed", "", 0o000)
    cover = 'mount --bind /run/closed /etc/msmtprc; exec setpriv --reuid=pillarbox "$@"'
    rights = ("--regid=pillarbox", "--clear-groups", "--")
    submitter = ("unshare", "--mount", "sh", "-e", "-c", cover, "sh", *rights)
    tried = debian.run(*submitter, "cat", "/etc/msmtprc")
    assert "Permission denied" in tried.stderr
    tried = debian.run("cat", "/etc/msmtprc", user="nobody")
    assert "Permission denied" in tried.stderr
    taking = debian.command(*submitter, "/usr/bin/pillarbox", "serve", "--roles", "submit")
    with serve(debian, "--roles", "deliver") as deliverer, Watched(taking) as service:
        mail = "Subject: hello\n\nfrom nobody\n"
        done = debian.run("sendmail", "-i", "ops@example.net", user="nobody", stdin=mail)
        assert (done.returncode, done.stderr) == (0, "")
        uid = debian.run("id", "-u", "nobody").stdout.strip()
        assert f" uid={uid} " in service.wait_for("event=accepted")
        deliverer.wait_for("event=delivered")
        kept = debian.run("grep", "-r", SECRET, "/var/spool/pillarbox", "/run/pillarbox")
    assert kept.returncode == 1, kept
    mail = peer.last()
    assert mail.recipients == ["ops@example.net"]
    assert mail.body == b"from nobody\r\n"
