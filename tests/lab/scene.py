"""
One case of the laboratory: a machine, who it sends through, and what is broken in between.

A new scene is a server of the tutorial: an account of Aliyun's in ``/etc/msmtprc``, the provider
at its real name and port, and a domain whose records are right. A case breaks one thing in it.
"""

import contextlib
import fcntl
import json
import os
import shutil
import ssl
import sys
import tempfile

from lab.machine import SERVICE
from lab.providers import Actor, Forwarder, FullPort, OurProvider, Speaker, TimeServer
from lab.zones import ADDRESSES
from servers.packages import require
from servers.process import eventually

__all__ = ["PASSWORD", "Report", "Scene"]

PASSWORD = "AbCdEfGh12345678"  # sixteen characters, as the console gives them
MSMTPRC = "/etc/msmtprc"

_RECORD = "/var/lib/pillarbox/install.json"
_CONTROL, _SUBMIT = "/run/pillarbox/control.sock", "/run/pillarbox/submit.sock"
_SERVICE_FOLDERS = {"/run/pillarbox": 0o755, "/var/spool/pillarbox": 0o700}  # pillarbox.tmpfiles


class Report:
    """What the doctor said, as JSON."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.exit_code = outcome.exit_code
        try:
            self.facts = json.loads(outcome.out)
        except ValueError:
            raise AssertionError(f"no JSON: {outcome!r}") from None

    @property
    def cause(self):
        """The root cause, or None."""
        return self.facts["root_cause"]

    @property
    def code(self):
        """The code of the root cause; empty: there is none."""
        return self.cause["code"] if self.cause else ""

    def findings(self):
        """Return all findings."""
        return [each for result in self.facts["results"] for each in result["findings"]]

    def __repr__(self):
        head = f"exit code {self.exit_code}, {self.code}: {self.cause and self.cause['fix']}"
        return f"{head}\n{json.dumps(self.facts, indent=1, ensure_ascii=False)}"


class Scene:
    """
    A case in the making; used in a ``with``.

    Attributes:
        machine: The machine.
        neighbours: Real servers, by name, started when first asked for.
        store: A folder of all processes of the tests, for what is costly to make.
        settings: The keywords of the account, as they will be written; None leaves one out.
        file: Where they are written.
        mode: Its permissions.
        password: What the provider knows.
        provider: The embedded provider that was started last; None: there is none yet.
        providers: All of them.

    """

    def __init__(self, machine, network, authority, neighbours, store):
        self.machine = machine
        self.network = network
        self.authority = authority
        self.neighbours = neighbours
        self.store = store
        self.password = PASSWORD
        self.provider = None
        self.providers = []
        self.file, self.mode = MSMTPRC, 0o600
        self.owner, self.group = 0, 0
        self.sender = "no-reply@example.com"
        self.settings = {
            "tls": "on",
            "tls_trust_file": "/etc/ssl/certs/ca-certificates.crt",
            "tls_starttls": "off",
            "host": "smtp.qiye.aliyun.com",
            "port": "465",
            "auth": "on",
            "user": self.sender,
            "password": PASSWORD,
            "from": self.sender,
        }
        self.arguments = []
        self._stack = contextlib.ExitStack()
        self._is_provided = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()
        self.network.unfilter()

    # -- what can be said about it -------------------------------------------------------------

    def set(self, **settings):
        """Change keywords of the account; None takes one away."""
        self.settings |= settings

    def send_as(self, domain):
        """Let the account be that of another domain."""
        self.sender = f"no-reply@{domain}"
        self.set(user=self.sender, **{"from": self.sender})

    def through(self, host, port=465, *, starttls=False):
        """Let the account be at another host."""
        self.set(host=host, port=str(port), tls_starttls="on" if starttls else "off")

    def text(self):
        """Return what stands in the account's file."""
        rows = [f"{key} {value}" for key, value in self.settings.items() if value is not None]
        return "\n".join(["account default", *rows, ""])

    # -- who is there --------------------------------------------------------------------------

    def provide(
        self,
        certificate="good",
        *,
        address=None,
        port=465,
        tls="implicit",
        context=None,
        **options,
    ):
        """Start the embedded provider at the account's host, or elsewhere."""
        self._is_provided = True
        options = {"user": self.sender, "password": self.password, **options}
        if context is None and tls != "none":
            context = self.authority.context(certificate)
        provider = OurProvider(address or self.address, context, port=port, tls=tls, **options)
        self.provider = self._start(provider)
        self.providers.append(provider)
        return self.provider

    def act(
        self,
        replies=None,
        *,
        port=465,
        tls="implicit",
        certificate="good",
        wants_certificate=False,
    ):
        """Start a server that answers by a table."""
        self._is_provided = True
        context = None if tls == "none" else self.authority.context(certificate)
        if wants_certificate:
            context.load_verify_locations(cadata=self.authority.pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return self._start(
            lambda: Actor(self.address, port, context, replies, is_implicit=tls == "implicit")
        )

    def speak(self, first=b"", answer=b"", *, port=465, address=None, hangs_up=False):
        """Start a server of another protocol."""
        self._is_provided = True
        return self._start(
            lambda: Speaker(address or self.address, port, first, answer, hangs_up=hangs_up)
        )

    def forward(self, port, target):
        """Let a port of the account's host be one of another server's."""
        self._is_provided = True
        self._start(lambda: Forwarder(self.address, port, ("127.0.0.1", target)))

    def fill(self, *ports):
        """Let what is sent to ports of the account's host get lost."""
        self._is_provided = True
        for port in ports:
            self._start(FullPort(self.address, port))

    def tell_time(self, ahead_s=0.0, address="127.0.0.6"):
        """Start a time server."""
        self._start(lambda: TimeServer(address, ahead_s))

    def leave_alone(self):
        """Start nobody at the account's host."""
        self._is_provided = True

    @property
    def address(self):
        """Where the account's host is."""
        host = self.settings["host"]
        return ADDRESSES.get(host, "127.0.0.1" if host == "localhost" else host)

    def _start(self, server):
        with self.network.inside():
            if not hasattr(server, "__enter__"):
                server = server()
            return self._stack.enter_context(server)

    # -- the service -------------------------------------------------------------------------

    def install(self):
        """Install pillarbox on the machine, with its units; what comes of it is made once."""
        self.machine.own_usr()
        store = self.store / "installed.tar"
        with (self.store / "installed.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of the tests want the same
            if not store.exists():
                done = self.machine.pillarbox("install", "--yes", "--units")
                assert done.exit_code == 0, done
                store.write_bytes(self.machine.pack(_installed_paths(self.machine)))
        self.machine.unpack(store.read_bytes())

    def enable(self):
        """Have the service started at boot, as ``systemctl enable`` does."""
        wants = "/etc/systemd/system/multi-user.target.wants"
        self.machine.make_folder(wants)
        target = "/usr/lib/systemd/system/pillarbox.service"
        link = self.machine.path(f"{wants}/pillarbox.service")
        if not link.is_symlink():
            link.symlink_to(target)

    def serve(self, *options, environment=None):
        """Install the service and start it, as systemd would; return the process."""
        self.install()
        self.enable()
        self.machine.path(_CONTROL).unlink(missing_ok=True)
        for name, mode in _SERVICE_FOLDERS.items():
            self.machine.make_folder(name, mode, SERVICE)
        self.mode, self.group = 0o640, SERVICE  # as docs/queue.md tells
        self.write()
        command = [sys.executable, "-m", "pillarbox", "serve", *options]
        with self.machine.path("/var/log/pillarbox").open("ab") as log:
            daemon = self.machine.start(
                *command, user=SERVICE, environment=environment, stdout=log, stderr=log
            )
        self._stack.callback(_end, daemon)
        socket = self.machine.path(_SUBMIT if options else _CONTROL)
        eventually(lambda: socket.exists() or daemon.poll(), "the service")
        assert daemon.poll() is None, self.machine.read("/var/log/pillarbox")
        return daemon

    def shift_clock(self, by):
        """Return the variables that let a program see another time: ``+400d``, ``@2019-02-14``."""
        (library,) = require("faketime").glob("usr/lib/*/faketime/libfaketime.so.1")
        self.machine.write("/usr/local/lib/libfaketime.so.1", library.read_bytes())
        return {
            "LD_PRELOAD": "/usr/local/lib/libfaketime.so.1",
            "FAKETIME": by,
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",  # files are as old as they are
        }

    def make_memory(self):
        """Return a folder of the service's that is in memory only, of the real machine."""
        folder = tempfile.mkdtemp(prefix="pillarbox-lab-", dir="/dev/shm")
        os.chown(folder, SERVICE, SERVICE)
        self._stack.callback(shutil.rmtree, folder)
        return folder

    # -- what comes of it ----------------------------------------------------------------------

    def write(self):
        """Write the account's file, if it has one, and see that somebody is at its host."""
        if self.file:
            self.machine.write(self.file, self.text(), self.mode, self.owner, self.group)
        if not self._is_provided and self.settings.get("host") in ADDRESSES:
            self.provide()

    def examine(self, nursery=None):
        """
        Let the doctor look; return its ``Report``.

        Args:
            nursery: Where the command is started; None: as a shell would.

        """
        self.write()
        command = ["doctor", "--json", *self.arguments]
        if nursery is None or "LD_PRELOAD" in self.machine.environment:
            return Report(self.machine.pillarbox(*command))
        return Report(nursery.call(self.machine, *command))


def _installed_paths(machine):
    record = json.loads(machine.read(_RECORD))
    return [_RECORD, *(each["path"] for each in record["entries"])]


def _end(daemon):
    daemon.terminate()
    daemon.wait(20)
