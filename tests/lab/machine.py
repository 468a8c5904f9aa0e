"""
A machine of the laboratory: a tree of files that a command is shut into, as into a container.

Nothing of the real machine is seen from within but its programs and libraries, read-only: not its
``/etc``, not its homes, not its mail program. The tree is an ordinary directory, so a test breaks
a file by writing it. What needs the kernel (a full disk, a home that is read-only) is mounted in a
namespace that lives as long as the one command.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ALICE", "SERVICE", "SRC", "Machine", "Outcome", "make_usr"]

SRC = Path(__file__).parent.parent.parent / "src"

ALICE = 1000  # an ordinary user and her group
SERVICE = 990  # the service's user and group

_PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
alice:x:1000:1000:Alice:/home/alice:/bin/bash
pillarbox:x:990:990:pillarbox:/var/spool/pillarbox:/usr/sbin/nologin
"""
_GROUP = (
    "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnogroup:x:65534:\nalice:x:1000:\npillarbox:x:990:\n"
)
_FILES = {
    "etc/login.defs": "",
    "etc/passwd": _PASSWD,
    "etc/group": _GROUP,
    "etc/hostname": "web1\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 web1.example.com web1\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/resolv.conf": "nameserver 127.0.0.10\n",
    "etc/debian_version": "12.11\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    "var/lib/dpkg/status": "",
}
_DIRECTORIES = {
    "dev": 0o755,
    "etc/ssl/certs": 0o755,
    "home/alice": 0o700,
    "host": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr/local/bin": 0o755,
    "usr/local/sbin": 0o755,
    "usr/local/lib": 0o755,
    "usr/local/share": 0o755,
    "usr/sbin": 0o755,
    "usr/share": 0o755,
    "var/cache/python": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/mail": 0o1777,
    "var/spool": 0o755,
    "var/tmp": 0o1777,
}
# Of the real machine's /usr, what a machine needs is linked to one by one, so that more can be put
# beside it: programs, and all libraries but what an installation of ours writes to.
_PROGRAMS = (
    *("bash", "cat", "chgrp", "chmod", "chown", "dash", "dd", "echo", "env", "false", "getent"),
    *("grep", "head", "id", "ln", "ls", "mkdir", "mv", "printf", "rm", "sed", "setpriv", "sh"),
    *("sleep", "stat", "tail", "touch", "tr", "true", "uname"),
)
_NO_LIBRARIES = ("sendmail", "systemd", "sysusers.d", "tmpfiles.d")
_TRUST = "etc/ssl/certs/ca-certificates.crt"
_LINKER = "etc/ld.so.cache"

_BYTE_CODE = "/var/cache/python"

_PATIENCE_S = 60
_OUTER = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def make_usr(folder):
    """Make the links to the real machine's programs and libraries; return the folder."""
    folder.chmod(0o755)
    _link(folder / "bin", "/usr/bin", lambda name: name in _PROGRAMS or name.startswith("python3"))
    _link(folder / "lib", "/usr/lib", lambda name: name not in _NO_LIBRARIES)
    for name in ("lib32", "lib64"):  # the linker is in one of them
        if Path("/usr", name).is_dir():
            _link(folder / name, f"/usr/{name}", bool)
    return folder


def _link(folder, place, is_wanted):
    folder.mkdir()
    for name in os.listdir(place):
        if is_wanted(name):
            (folder / name).symlink_to(f"/host{place}/{name}")


class Outcome:
    """What a command came to: ``exit_code``, ``out``, ``err``."""

    def __init__(self, exit_code, out, err):
        self.exit_code = exit_code
        self.out = out.decode()
        self.err = err.decode()

    def __repr__(self):
        return f"exit code {self.exit_code}\n{self.out}\n{self.err}"


class Machine:
    """
    A machine, new and without any mail settings.

    Args:
        top: An empty directory: what the machine has for ``/``.
        network: Where its commands are run.
        authority: PEM of the authority that it trusts.
        usr: What ``make_usr`` made, for all machines.
        store: A folder that is kept from one machine to the next: for byte code.

    Attributes:
        hostname: What the kernel says that it is called.
        environment: What the commands get; the locale decides on the language.

    """

    def __init__(self, top, network, authority, usr, store):
        self.top = top
        self.network = network
        self.hostname = "web1"
        self.environment = {
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": str(SRC),
            "PYTHONPYCACHEPREFIX": _BYTE_CODE,
            "TZ": "UTC",
        }
        self._mounts = []
        self._user = 0
        self._usr = usr
        self._store = store
        top.chmod(0o755)
        for name, mode in _DIRECTORIES.items():
            (top / name).mkdir(parents=True, exist_ok=True)
            (top / name).chmod(mode)
        for name, text in _FILES.items():
            self.write(name, text)
        self.write(_TRUST, authority.decode())
        os.chown(top / "home/alice", ALICE, ALICE)
        (top / "sbin").symlink_to("usr/sbin")
        (top / "usr/sbin/useradd").symlink_to("/host/usr/sbin/useradd")
        for name in os.listdir(usr):
            (top / name).symlink_to(f"usr/{name}")
        if Path("/", _LINKER).exists():
            shutil.copy(Path("/", _LINKER), top / _LINKER)

    # -- its files ---------------------------------------------------------------------------

    def path(self, name):
        """Return where a file of the machine is on the real one."""
        return self.top / str(name).lstrip("/")

    def write(self, name, text, mode=0o644, owner=0, group=None):
        """Write a file, with the directories it needs; return its path."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        os.chown(path, owner, owner if group is None else group)
        return path

    def read(self, name):
        """Return the text of a file."""
        return self.path(name).read_text()

    def remove(self, name):
        """Remove a file."""
        self.path(name).unlink()

    def make_folder(self, name, mode=0o755, owner=0):
        """Make a folder, if it is not there."""
        path = self.path(name)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        os.chown(path, owner, owner)

    def pack(self, names):
        """Return an archive of files."""
        return self._tar("--create", *(name.lstrip("/") for name in names))

    def unpack(self, archive):
        """Put the files of an archive in place."""
        self._tar("--extract", archive=archive)

    def _tar(self, *arguments, archive=b""):
        command = ["tar", f"--directory={self.top}", "--file=-", *arguments]
        return subprocess.run(command, input=archive, check=True, capture_output=True).stdout

    def forget_user(self, number):
        """Take a user and her group out."""
        for name in ("/etc/passwd", "/etc/group"):
            lines = self.read(name).splitlines(keepends=True)
            self.write(name, "".join(line for line in lines if f":{number}:" not in line))

    def own_usr(self):
        """Let it have programs and libraries that can be written to."""
        if self._usr is not None:
            shutil.copytree(self._usr, self.top / "usr", symlinks=True, dirs_exist_ok=True)
            self._usr = None

    def mount(self, command):
        """Have a command run before each of the others; ``$TOP`` in it is the tree."""
        self._mounts.append(command)

    def become(self, number):
        """Let the commands be an ordinary user's from now on."""
        self._user = number
        self.environment["HOME"] = "/home/alice"

    # -- its commands ------------------------------------------------------------------------

    def run(self, *command, stdin=b"", environment=None):
        """Run a command in the machine; return its ``Outcome``."""
        with self.network.inside():
            done = subprocess.run(
                self._shut_in(command, environment, self._user),
                input=stdin,
                capture_output=True,
                check=False,
                timeout=_PATIENCE_S,
                env=_OUTER,
            )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *command, user=0, environment=None, has_terminal=False, **options):
        """
        Start a command in the machine; return the ``Popen``.

        Args:
            command: Program and arguments.
            user: Whose it is, by number.
            environment: Variables besides the usual.
            has_terminal: Standard input is a terminal, and shall be the one of the command.
            options: Of ``Popen``.

        """
        session = ["setsid", "--ctty", "--wait"] if has_terminal else []
        with self.network.inside():
            return subprocess.Popen(
                session + self._shut_in(command, environment, user), env=_OUTER, **options
            )

    def pillarbox(self, *arguments, **options):
        """Run ``python -m pillarbox``."""
        return self.run(sys.executable, "-m", "pillarbox", *arguments, **options)

    def description(self):
        """Return what a ``Nursery`` has to know of it."""
        return {
            "top": str(self.top),
            "script": self._script(),
            "user": self._user,
            "environment": self.environment,
        }

    def _shut_in(self, command, environment, user):
        settings = {**self.environment, **(environment or {})}
        inner = ["env", "-i", *(f"{name}={value}" for name, value in settings.items())]
        return [
            *("unshare", "--mount", "--uts", "--propagation", "private"),
            *("sh", "-ec", self._script(), "sh", str(self.top)),
            *(
                "chroot",
                str(self.top),
                *_user_change(user),
                *inner,
                *(str(word) for word in command),
            ),
        ]

    def _script(self):
        """Return what has the machine's root made and a command run, as lines of shell."""
        return "\n".join(
            [
                "TOP=$1; shift",
                f"echo {self.hostname} >/proc/sys/kernel/hostname",
                'mount --bind "$TOP" "$TOP"',  # so that the machine has a root in /proc/mounts
                f"mount --all --fstab '{self._write_fstab()}'",
                *self._mounts,
                'exec "$@"',
            ]
        )

    def _write_fstab(self):
        """Write down all that every machine has mounted, for one call of mount."""
        shared = {"/usr": "/host/usr"} | {path: path for path in _ours()}
        if self._usr is not None:
            shared |= {str(path): f"/usr/{path.name}" for path in self._usr.iterdir()}
        rows = [("/dev", "/dev", "none rbind"), ("/proc", "/proc", "none rbind")]
        rows += [("tmpfs", "/dev/shm", "tmpfs mode=1777")]  # noqa: S108 (where it is)
        rows += [(str(self._store), _BYTE_CODE, "none bind")]
        rows += [(source, place, "none bind,ro") for source, place in shared.items()]
        for _, place, _ in rows:
            if not place.startswith("/dev/"):
                self.path(place).mkdir(parents=True, exist_ok=True)
        table = self.top.with_name(f"{self.top.name}.fstab")
        with table.open("w") as file:
            for source, place, way in rows:
                paths = (path.replace(" ", r"\040") for path in (source, f"{self.top}{place}"))
                print(*paths, way, file=file)
        return table


def _user_change(number):
    if not number:
        return []
    return ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]


def _ours():
    """Return the directories that hold this interpreter and this checkout."""
    wanted = {str(SRC), sys.prefix, sys.base_prefix}
    return sorted(path for path in wanted if not path.startswith("/usr"))
