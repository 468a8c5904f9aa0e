"""
The service that mail is handed over to, as a process with a spool and sockets of its own.

A ``Daemon`` belongs to a lab, and is gone with its ``with`` block. Its spool is a folder that may
be filled before (``fill``) and is kept behind it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time

from lab import HERE

__all__ = ["Daemon", "fill"]

_START_S = 120  # 100,000 entries are looked at before it is ready
_STOP_S = 30
_QUIET_S = 20


def fill(lab, spool, count, account="default"):
    """Write mails into a spool that nobody uses, not synced: this is not what is measured."""
    command = [lab.python, "-I", lab.client("fill"), spool, str(count), lab.message(), account]
    subprocess.run(list(map(str, command)), check=True, env=lab.environment())


class Daemon:
    """
    A running service.

    Args:
        lab: Where it runs.
        name: Of its folder in the lab; two with one name have one spool, one after the other.
        port: Of the relay host at ``localhost``.
        trust: The authority that vouches for it.
        delivery: More settings of the section ``delivery``.

    Attributes:
        spool: Its directory.
        socket: Where mail is handed over.
        ready_s: How long it took to be ready.

    """

    def __init__(self, lab, name, port, trust, **delivery):
        self._lab = lab
        self._folder = lab.folder / name
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.spool = self._folder / "spool"
        self.socket = self._folder / "submit.sock"
        self.control = self._folder / "control.sock"
        self._settings = self._folder / "settings.toml"
        self._settings.write_text(self._text(lab.account(port, trust), delivery))
        self._process = None
        self._arrived = 0
        self.ready_s = 0.0

    def _text(self, accounts, delivery):
        top = {
            "spool": self.spool,
            "submit_socket": self.socket,
            "control_socket": self.control,
            "accounts_file": accounts,
        }
        limits = ("per_user_rate_per_minute", "per_user_burst", "per_user_share_count")
        lines = [f"{name} = {json.dumps(str(value))}" for name, value in top.items()]
        lines += ["[limits]", *(f"{name} = 10000000" for name in limits)]
        lines += ["[delivery]", *(f"{name} = {json.dumps(v)}" for name, v in delivery.items())]
        return "\n".join(lines) + "\n"

    def __enter__(self):
        self.socket.unlink(missing_ok=True)
        command = [self._lab.python, HERE.parent / "bin" / "pillarbox", "serve"]
        command += ["--config", self._settings]
        start = time.perf_counter()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._lab.environment(),
            )
        while not _answers(self.socket):
            if self._process.poll() is not None or time.perf_counter() - start > _START_S:
                raise SystemExit(f"the service did not start: {self.log()[-2000:]}")
            time.sleep(0.005)
        self.ready_s = time.perf_counter() - start
        return self

    def __exit__(self, *exc_info):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self):
        """The process."""
        return self._process.pid

    def log(self):
        """Return what it has said so far."""
        return (self._folder / "log").read_text(errors="replace")

    def queued(self):
        """Return how many mails wait."""
        return sum(1 for entry in os.scandir(self.spool / "queue") if entry.name[0] != ".")

    def wait_until_delivered(self, sink, expected):
        """Wait until the relay host has so many mails since this service was made."""
        if expected > self._arrived:
            self._arrived += self.watch(sink, expected - self._arrived)["mails"]
        return self._arrived

    def watch(self, sink, expected):
        """Wait for so many mails; return what the relay host counted, all together."""
        total = sink.counts()
        quiet_since = time.perf_counter()
        while total["mails"] < expected:
            time.sleep(0.05)
            counts = sink.counts()
            total = {
                **{name: total[name] + count for name, count in counts.items()},
                "began": total["began"] or counts["began"],
                "ended": counts["ended"] or total["ended"],
            }
            if counts["mails"]:
                quiet_since = time.perf_counter()
            elif time.perf_counter() - quiet_since > _QUIET_S:
                raise SystemExit(
                    f"{total['mails']} of {expected} mails arrived: {self.log()[-2000:]}"
                )
        return total

    def wait_until_empty(self):
        """Wait until what arrived is removed from the queue; return how many are left."""
        start = time.perf_counter()
        while (left := self.queued()) and time.perf_counter() - start < _QUIET_S:
            time.sleep(0.02)
        return left

    def memory_bytes(self):
        """Return how much memory is its own."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise SystemExit("the kernel does not tell RssAnon")

    def cpu_s(self):
        """Return the CPU time that it has used so far."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _answers(path):
    """Tell whether somebody greets at a socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
            return sock.recv(4) == b"220 "
        except OSError:
            return False
