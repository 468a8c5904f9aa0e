"""
A machine in a folder, for the doctor's local checks: healthy as it is made, broken by tests.

Everything is below one root: configuration, programs, trust store, resolver. Nothing of the real
machine is looked at but its clock and its sockets.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import certificates
from pillarbox.config.load import Wishes
from pillarbox.doctor.patient import Patient
from served import folder_for_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pillarbox.doctor.finding import Finding

__all__ = ["ACCOUNT", "SCRIPT", "SECRET", "Tree", "as_nobody", "tree"]

SECRET = "Kanarienvogel-16"

# Who he is does not matter, as long as he is not the one whose files these are.
NOBODY = 65534

ACCOUNT = f"""\
account default
tls on
tls_starttls off
host smtp.example.com
port 465
auth on
user no-reply@example.com
password {SECRET}
from no-reply@example.com
"""

# As ``pillarbox install`` writes one.
SCRIPT = '#!/usr/bin/python3 -IBS\nimport sys\n\nsys.path.insert(0, "/usr/lib/pillarbox")\n'

_FILES = {
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n",
    "/etc/os-release": "ID=debian\n",
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\npillarbox:x:998:997::/nonexistent:/bin/false\n",
    "/etc/group": "root:x:0:\npillarbox:x:997:\nmailers:x:500:other,pillarbox\n",
    "/proc/sys/kernel/hostname": "www.example.com\n",
    "/proc/mounts": "/dev/sda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n",
}


class Tree:
    """
    A machine.

    Attributes:
        root: Its top.
        home: The home of who asks.

    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home" / "me"
        self.home.mkdir(parents=True)
        self.at("/tmp").mkdir()  # noqa: S108 (below the root)
        for path, text in _FILES.items():
            self.write(path, text)
        bundle = certificates.pem(certificates.authority("root"))
        self.write("/etc/ssl/certs/ca-certificates.crt", bundle.decode())

    def at(self, path: str) -> Path:
        """Return where a path of the machine is."""
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Put a file there."""
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)
        return place

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link there, whose target is relative."""
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def configure(self, text: str = ACCOUNT, mode: int = 0o600) -> Path:
        """Write the configuration of the system."""
        return self.write("/etc/msmtprc", text, mode)

    def configure_user(self, text: str = ACCOUNT, mode: int = 0o600) -> Path:
        """Write the configuration of who asks."""
        path = self.home / ".msmtprc"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def install(self) -> None:
        """Put there what ``pillarbox install`` does."""
        self.write("/var/lib/pillarbox/install.json", "{}")
        for path in ("/usr/sbin/sendmail", "/usr/bin/msmtp"):
            self.write(path, SCRIPT, 0o755)
        self.link("/usr/lib/sendmail", "../sbin/sendmail")

    def install_units(self, *, is_enabled: bool = True) -> None:
        """Put the service there, to be started at boot or not."""
        folder = "/usr/lib/systemd/system"
        wanted = "/etc/systemd/system/multi-user.target.wants/pillarbox.service"
        self.write(f"{folder}/pillarbox.service", "[Service]\n")
        if is_enabled:
            self.link(wanted, "../../../../usr/lib/systemd/system/pillarbox.service")

    def patient(
        self,
        *,
        env: dict[str, str] | None = None,
        settings: dict[str, object] | None = None,
        account: str | None = None,
        user_file: str | None = None,
        uid: int = 0,
        **options: object,
    ) -> Patient:
        """Return who asks; root unless another ``uid`` is given."""
        given = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "USER": "me"} | (env or {})
        wishes = Wishes(
            settings or {},
            env=given,
            account_name=account,
            user_file=user_file,
            uid=uid,
            euid=uid,
        )
        return Patient(wishes, root=str(self.root), **options)  # type: ignore[arg-type]

    def find(
        self, patient: Patient, *checks: Callable[[Patient], Iterable[Finding]]
    ) -> list[Finding]:
        """Return what the last check finds; none may tell a secret, or be without a fix."""
        found: list[Finding] = []
        for check in checks:
            found = list(check(patient))
            for finding in found:
                texts = (finding.problem, finding.meaning, finding.fix, *finding.evidence)
                assert not any(SECRET in text for text in texts), texts
                assert finding.fix or finding.severity == "note", finding.code
        return found


@contextmanager
def tree() -> Iterator[Tree]:
    """Give a machine that everybody may look into, and take it away."""
    root = folder_for_all()
    try:
        yield Tree(root)
    finally:
        shutil.rmtree(root)


@contextmanager
def as_nobody() -> Iterator[int]:
    """Be a user meanwhile who owns nothing and may read only what everybody may, if we are root."""
    if os.geteuid():
        yield os.geteuid()  # closed files are closed to their owner too: tests use mode 0
        return
    os.seteuid(NOBODY)
    try:
        yield NOBODY
    finally:
        os.seteuid(0)
