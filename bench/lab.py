"""
What every measurement needs: a server, distance, accounts, mails, and a meter.

A ``Lab`` owns a temporary directory and the processes that it started; both are gone when it is
closed. Everything listens on loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from authority import make_certificates

__all__ = ["PASSWORD", "RECIPIENT", "USER", "Lab", "Run", "Service"]

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"

USER, PASSWORD, RECIPIENT = "user@example.test", "secret", "rcpt@example.test"

_LINE = b"TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsuIE1hbnkgaGFuZHMgbWFrZSBsaWdodCB3b3JrLiAg\n"

# What would change the trust store or the account that a program uses.
_UNWANTED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "EMAIL", "SMTPSERVER", "HOME")


@dataclass(frozen=True)
class Run:
    """What one run of a command cost."""

    exit_code: int
    wall_ms: float
    cpu_ms: float
    peak_mb: float


class Service:
    """A process that prints ``ready PORT`` and counts (``sink``, ``proxy``)."""

    def __init__(self, command):
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        words = self._process.stdout.readline().split()
        if words[:1] != ["ready"]:
            self.close()
            raise SystemExit(f"{command[0]} {command[1]} did not start")
        self.port = int(words[1])

    def counts(self):
        """Return what was counted since this was last asked."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()


class Lab:
    """
    A place to measure in; a context manager.

    Args:
        python: The interpreter that is measured.
        sink: ``c``, ``python`` or ``auto``: the first where it can be built.
        asks_peers: Mail may be handed to this machine's own mail system.

    Attributes:
        folder: The temporary directory.
        sink_kind: ``C`` or ``Python``.

    """

    def __init__(self, python, sink="auto", *, asks_peers=False):
        self.python = python
        self.asks_peers = asks_peers
        self._services = []
        self._temporary = tempfile.TemporaryDirectory(prefix="pillarbox-bench-")
        self.folder = Path(self._temporary.name)
        make_certificates(self.folder)
        self._sink = None if sink == "python" else self._build_sink()
        if sink == "c" and self._sink is None:
            raise SystemExit(
                "sink.c cannot be built: a C compiler and OpenSSL's headers are needed"
            )
        self.sink_kind = "C" if self._sink else "Python"

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        """End every process and remove the directory."""
        while self._services:
            self._services.pop().close()
        self._temporary.cleanup()

    @property
    def authority(self):
        """The file of the authority that vouches for the sink."""
        return self.folder / "ca.pem"

    def _build_sink(self):
        compiler = shutil.which("cc")
        if compiler is None:
            return None
        target = self.folder / "sink"
        command = [compiler, "-O2", "-o", target, HERE / "sink.c", "-lssl", "-lcrypto", "-lpthread"]
        done = subprocess.run(command, capture_output=True, check=False)
        return target if done.returncode == 0 else None

    def sink(self, *options):
        """Start a server that takes every mail; see ``sink.py`` for its options."""
        command = [self._sink] if self._sink else [sys.executable, "-I", HERE / "sink.py"]
        return self._start([*command, "--certificate", self.folder / "server.pem", *options])

    def proxy(self, service, rtt_ms):
        """Put a distance before a service."""
        command = [sys.executable, "-I", HERE / "proxy.py", "--to", str(service.port)]
        return self._start([*command, "--rtt", str(rtt_ms)])

    def _start(self, command):
        service = Service(command)
        self._services.append(service)
        return service

    def client(self, name):
        """Return the path of a client in Python."""
        return HERE / "clients" / f"{name}.py"

    def account(self, port, trust):
        """Write an msmtprc for a server at that port; return its path."""
        place = self.folder / f"msmtprc-{port}-{Path(trust).name}"
        place.write_text(
            f"account default\nhost localhost\nport {port}\nfrom {USER}\n"
            f"tls on\ntls_starttls off\ntls_trust_file {trust}\n"
            f"auth plain\nuser {USER}\npassword {PASSWORD}\n"
        )
        place.chmod(0o600)
        return place

    def message(self, size_bytes=0):
        """
        Write a mail with LF line ends; return its path.

        Args:
            size_bytes: About how large, lines of base64; 0: a small one with UTF-8 in it.

        """
        place = self.folder / f"mail-{size_bytes}.eml"
        if place.exists():
            return place
        head = (
            f"From: {USER}\nTo: {RECIPIENT}\nSubject: =?utf-8?B?5L2g5aW9?=\n"
            f"Date: {formatdate()}\nMessage-ID: <bench.1@example.test>\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        )
        with place.open("wb") as file:
            if size_bytes:
                file.write(f"{head}Content-Transfer-Encoding: base64\n\n".encode())
                block = _LINE * 1000
                for _ in range(size_bytes // len(block)):
                    file.write(block)
                file.write(_LINE * (size_bytes % len(block) // len(_LINE)))
            else:
                text = "你好，世界。Grüße. This is a small mail, and one of its lines.\n" * 12
                file.write(f"{head}Content-Transfer-Encoding: 8bit\n\n{text}".encode())
        return place

    def environment(self, **more):
        """Return the environment of what is measured: ours without what would change it."""
        kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        return {**kept, "PYTHONPATH": str(SOURCE), "HOME": str(self.folder), **more}

    def meter(self, command, *, stdin=os.devnull, runs=1, **environment):
        """
        Run a command; return what each run cost.

        Args:
            command: A list of words.
            stdin: Its standard input: a path, or ``|PATH`` for a pipe.
            runs: How often.
            environment: Variables more.

        """
        meter = [self.python, "-I", "-S", str(HERE / "meter.py"), str(runs), str(stdin)]
        done = subprocess.run(
            [*meter, *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=self.environment(**environment),
        )
        lines = [line.split() for line in done.stdout.splitlines()]
        return [Run(int(a), float(b), float(c), int(d) / 1024) for a, b, c, d in lines]
