"""
OpenSMTPD, which knows its directories by heart: it runs as root in a root directory of its own.

That directory has its programs, the libraries that they need, and users; nothing is mounted.
"""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from servers.dovecot import PASSWORD, USER
from servers.mailbox import NAMES, Maildirs
from servers.packages import library_path, require
from servers.process import HAS_IPV6, Server

__all__ = ["OpenSmtpd"]

_PASSWD = """\
root:x:0:0::/:/bin/sh
opensmtpd:x:901:901::/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:902:902::/var/lib/opensmtpd/empty:/bin/false
boxes:x:903:903::/boxes:/bin/sh
"""
_GROUP = "root:x:0:\nopensmtpd:x:901:\nopensmtpq:x:902:\nboxes:x:903:\n"
_BOXES = 903, 903

_CONFIGURATION = """
pki mail cert "/etc/server.pem"
pki mail key "/etc/server.key"
table boxes file:/etc/boxes
table logins file:/etc/logins
table owners file:/etc/owners
smtp max-message-size {limit}
listen on 127.0.0.1 port {ports[open]} hostname mail.example.test
{ipv6}
listen on 127.0.0.1 port {ports[starttls]} tls-require pki mail auth <logins> \
senders <owners> hostname mail.example.test
listen on 127.0.0.1 port {ports[tls]} smtps pki mail auth <logins> \
senders <owners> hostname mail.example.test
action boxes maildir "/boxes/%{{rcpt.user}}" virtual <boxes>
match from any for domain example.test action boxes
"""
_LIMIT = 40_000_000


class OpenSmtpd:
    """
    A running OpenSMTPD.

    Attributes:
        ports: ``open`` needs no login; ``starttls`` and ``tls`` want one, as PLAIN or LOGIN,
            and a sender that belongs to it.
        has_tls: Whether the last two work: 6.8, as Debian 12 has it, does not work with OpenSSL
            3 (OpenSMTPD issue 1171, 2022) and ends every handshake with an alert.
        limit: The octets that a mail may have.
        boxes: The maildirs of the recipients.
        log: What it logs.

    """

    def __init__(self, certificates):
        root = require("opensmtpd", needs_root=True)
        server = self._server = Server("opensmtpd")
        self.ports = {name: server.ports.reserve() for name in ("open", "starttls", "tls")}
        self.limit = _LIMIT
        for name in ("etc", "run", "var/lib/opensmtpd/empty"):
            server.make_directory(name)
        server.make_directory("tmp", mode=0o1777)
        # Where mail waits; smtpd makes what is below it.
        server.make_directory("var/spool/smtpd", mode=0o711)
        (server.directory / "var/run").symlink_to("/run")
        self.boxes = Maildirs(server.make_directory("boxes", _BOXES))
        self._copy_programs(root)
        self._write_tables(certificates)
        self.log = server.session_log = server.output
        server.session_ends = ("smtp connected", "smtp disconnected")
        server.start(
            ["chroot", server.directory, "/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"],
            {"LD_LIBRARY_PATH": "/usr/lib"},
            port=self.ports["open"],
        )
        self.has_tls = int(self.log.wait_for(r"OpenSMTPD (\d+)\.")[1]) >= 7

    def stop(self):
        """End it."""
        self._server.stop()

    def _copy_programs(self, root):
        directory = self._server.directory
        programs = [Path("/bin/sh"), *(root / "usr/libexec/opensmtpd").iterdir()]
        programs += [root / "usr/sbin/smtpd", root / "usr/sbin/smtpctl"]
        libraries = set()
        for program in programs:
            inside = program.relative_to(root) if root in program.parents else Path("bin/sh")
            (directory / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(program, directory / inside)
            libraries |= _libraries_of(program, root)
        for library in libraries:
            # The loader is looked for where programs say, the rest where LD_LIBRARY_PATH does.
            is_loader = "/ld-" in library or "/ld6" in library
            place = library.lstrip("/") if is_loader else f"usr/lib/{Path(library).name}"
            there = directory / place
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, there)
        (directory / "dev").mkdir()
        for name in ("null", "urandom"):
            number = os.stat(f"/dev/{name}").st_rdev
            os.mknod(directory / "dev" / name, stat.S_IFCHR | 0o666, number)
            (directory / "dev" / name).chmod(0o666)

    def _write_tables(self, certificates):
        server = self._server
        server.write("etc/passwd", _PASSWD)
        server.write("etc/group", _GROUP)
        server.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        server.write("etc/server.pem", certificates.server.read_text())
        server.write("etc/server.key", certificates.server.read_text(), mode=0o600)
        server.write("etc/mailname", "mail.example.test\n")
        server.write("etc/boxes", "".join(f"{name}@example.test: boxes\n" for name in NAMES))
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=PASSWORD,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        server.write("etc/logins", f"{USER} {hashed}\n")
        server.write("etc/owners", f"{USER} {USER}\n")
        ipv6 = f"listen on ::1 port {self.ports['open']} hostname mail.example.test"
        text = _CONFIGURATION.format(ports=self.ports, limit=_LIMIT, ipv6=ipv6 if HAS_IPV6 else "")
        server.write("etc/smtpd.conf", text)


def _libraries_of(program, root):
    """Return the paths of the libraries and the loader of a program."""
    told = subprocess.run(
        ["ldd", program],
        capture_output=True,
        text=True,
        check=True,
        env={"LD_LIBRARY_PATH": library_path(root), "PATH": "/usr/bin:/bin"},
    ).stdout
    assert "not found" not in told, told
    return set(re.findall(r"(/\S+) \(0x", told))
