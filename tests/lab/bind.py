"""
BIND, authoritative for the whole of the laboratory's DNS from the root down.

It listens on port 53 of several addresses, and each is another view of the world: which one a
machine gets stands in its ``/etc/resolv.conf``.
"""

import contextlib
import re
import socket
import subprocess

from lab.zones import DNS, VIEWS, format_zone
from servers.packages import library_path, require
from servers.process import Server

__all__ = ["Bind"]

_OPTIONS = """\
options {{
    directory "{directory}";
    pid-file none;
    session-keyfile none;
    {lock}
    listen-on port 53 {{ {addresses} }};
    listen-on-v6 {{ none; }};
    recursion no;
    allow-query {{ any; }};
    minimal-responses yes;
    dnssec-validation no;
    check-names master ignore;
    empty-zones-enable no;
    max-cache-size 8M;
    tcp-clients 20;
}};
controls {{ }};
"""
# Before 9.20 it insists on a file that two of it cannot share; since then it knows no such thing.
_LOCK, _LOCK_ENDS = "lock-file none;", (9, 20)
_VIEW = """\
view "{name}" {{
    match-destinations {{ {address}; }};
    zone "." {{ type master; file "{directory}/{name}.zone"; }};
{broken}}};
"""
# A zone that cannot be loaded: the server knows that it should know, and says SERVFAIL.
_BROKEN = '    zone "{name}" {{ type master; file "{directory}/missing.zone"; }};\n'


class _Server(Server):
    @staticmethod
    def _listens(port, _socket_path):
        with contextlib.suppress(OSError), socket.create_connection((DNS, port)):
            return True
        return False


class Bind:
    """A running BIND."""

    def __init__(self):
        root = require("bind")
        server = self._server = _Server("bind")
        directory = server.directory
        addresses = " ".join(f"{view.address};" for view in VIEWS)
        program, libraries = root / "usr/sbin/named", {"LD_LIBRARY_PATH": library_path(root)}
        lock = _LOCK if _version(program, libraries) < _LOCK_ENDS else ""
        text = _OPTIONS.format(directory=directory, addresses=addresses, lock=lock)
        for view in VIEWS:
            server.write(f"{view.name}.zone", format_zone(view.records))
            broken = "".join(_BROKEN.format(name=each, directory=directory) for each in view.broken)
            text += _VIEW.format(
                name=view.name, address=view.address, directory=directory, broken=broken
            )
        path = server.write("named.conf", text)
        # One thread: it serves one client, and starts in a third of the time.
        server.start([program, "-g", "-n", "1", "-c", path], libraries, port=53)

    def stop(self):
        """End it."""
        self._server.stop()


def _version(program, environment):
    """Return the version, as far as it means something: ``(9, 18)``."""
    told = subprocess.run([program, "-v"], env=environment, capture_output=True, check=True)
    major, minor = re.search(rb"BIND (\d+)\.(\d+)", told.stdout).groups()
    return int(major), int(minor)
