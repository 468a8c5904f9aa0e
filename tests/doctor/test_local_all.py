"""The local checks together, in the order of blame, on machines that are well."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machine_tree import ACCOUNT, tree
from pillarbox.config.load import Wishes
from pillarbox.doctor import resolver
from pillarbox.doctor.checks import CHECKS
from pillarbox.doctor.examination import examine
from pillarbox.doctor.patient import Patient

LOCAL = ("config", "secret", "programs", "machine", "service", "resolver")
LOCAL_CHECKS = tuple(check for check in CHECKS if check.name in LOCAL)


@contextmanager
def nameserver():
    """Answer each question with itself, as a nameserver would that knows nothing; give its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))

        def serve():
            while True:
                question, asker = channel.recvfrom(512)
                if not question:
                    return
                channel.sendto(question[:2] + b"\x81\x80" + question[4:], asker)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield channel.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", channel.getsockname())
            thread.join()


def test_order_of_blame_is_kept():
    """What others need stands before them."""
    assert tuple(check.name for check in LOCAL_CHECKS) == LOCAL


@pytest.mark.parametrize("is_installed", [True, False])
def test_healthy_machine_has_no_finding_at_all(monkeypatch, is_installed):
    """Installed for all, or out of a virtual environment beside another sendmail."""
    with tree() as machine, nameserver() as port:
        monkeypatch.setattr(resolver, "_PORT", port)
        machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        machine.configure(ACCOUNT, 0o600)
        machine.install()
        if not is_installed:
            machine.at("/var/lib/pillarbox/install.json").unlink()
        patient = machine.patient()
        result = examine(patient, LOCAL_CHECKS)
        found = [finding for each in result.results for finding in each.findings]
    assert found == []
    assert not any(each.because for each in result.results)
    assert patient.account is not None
    assert patient.secret is not None


def test_examination_of_this_very_machine_ends_without_a_bug(tmp_path):
    """Whatever it is like: a container, a laptop, a runner of tests."""
    path = tmp_path / "msmtprc"
    path.write_text("account default\nhost 127.0.0.1\nport 9\nfrom me@example.com\n")
    path.chmod(0o600)
    env = dict(os.environ) | {"HOME": str(tmp_path)}
    patient = Patient(Wishes({}, env=env, user_file=str(path)), patience_s=1.0)
    result = examine(patient, LOCAL_CHECKS)
    found = [finding.code for each in result.results for finding in each.findings]
    assert not [code for code in found if code.endswith((".bug", ".failed"))]
    assert patient.account is not None


# Files that others write, or that a failing disk does.
STRANGE = [
    "/etc/msmtprc",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/group",
    "/etc/pillarbox/pillarbox.toml",
    "/etc/apparmor.d/usr.bin.msmtp",
    "/sys/kernel/security/apparmor/profiles",
    "/sys/module/apparmor/parameters/enabled",
    "/proc/mounts",
    "/proc/sys/kernel/hostname",
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/sbin/sendmail",
    "/var/lib/dpkg/info/x.list",
]

# Words that mean something in one of them, among whatever else there may be.
WORDS = (
    "pillarbox:x:1:1:", "hosts:", "files", "account", "default", "host", "from", "msmtp",
    "(enforce)", "/", "/var", "ro", "\\999", "tmpfs", "rw,volatile", "0", "\n", "\t", ":", "[",
    "#", "%M", "\0", "\u202e", "\ud800", "/usr/sbin/sendmail", "ID=debian", "\u00b2",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=30).map(" ".join)


@given(path=st.sampled_from(STRANGE), text=TEXTS, is_installed=st.booleans())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_a_file_is_no_bug_of_ours(path, text, is_installed):
    """Attack: files of others, which may be broken or made to break who reads them."""
    with tree() as machine:
        machine.configure("account default\nhost 127.0.0.1\nport 25\nfrom me@example.com\n")
        if is_installed:
            machine.install()
            machine.install_units()
        place = machine.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        result = examine(machine.patient(patience_s=0.01), LOCAL_CHECKS)
    found = [finding for each in result.results for finding in each.findings]
    bugs = [(finding.code, finding.evidence) for finding in found if finding.code.endswith(".bug")]
    assert bugs == []
