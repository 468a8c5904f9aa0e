"""
A network of the tests' own: loopback and nothing else, so that every address and port is free.

Real names, port 53, 465 and 587 can be had in it, and packets can be dropped. It is a namespace
of the kernel: whoever is started, or listens, while ``inside`` is in force is in it for good.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

import pytest

from servers.packages import is_root, library_path, require

__all__ = ["Network"]

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, linux/sched.h
_GET_FLAGS, _SET_FLAGS, _IS_UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
_SET_ADDRESS = 0x8916  # SIOCSIFADDR
_OWN = "/proc/thread-self/ns/net"
_TABLE = "inet pillarbox"


class Network:
    """
    A network with loopback, which is up; gone when it is closed and nobody is in it.

    Args:
        addresses: Addresses of 127.0.0.0/8 that the interface shall have by name: all of them
            can be used, but BIND listens on those only.

    """

    def __init__(self, addresses=()):
        if not is_root():
            pytest.skip("a network of one's own must be made as root")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._home = os.open(_OWN, os.O_RDONLY)
        if self._libc.unshare(_NEW_NETWORK):
            os.close(self._home)
            pytest.skip(f"no network of one's own here: {os.strerror(ctypes.get_errno())}")
        try:
            self._inner = os.open(_OWN, os.O_RDONLY)
            _raise_loopback(addresses)
        finally:
            self._enter(self._home)
        self._is_filtering = False

    def close(self):
        """Let go of it."""
        os.close(self._inner)
        os.close(self._home)

    @contextlib.contextmanager
    def inside(self):
        """Be in it: this thread, and what it starts and opens meanwhile."""
        self._enter(self._inner)
        try:
            yield
        finally:
            self._enter(self._home)

    def run(self, *command, **options):
        """Run a command in it; return what it printed. A failure is an error."""
        with self.inside():
            return subprocess.run(command, check=True, capture_output=True, **options).stdout

    def filter(self, *rules, hook="input"):
        """
        Put rules of nftables before what comes in, such as ``tcp dport 465 drop``.

        Args:
            rules: The rules, in their order.
            hook: ``input`` as a firewall on the way, ``output`` as one on the machine itself.

        """
        lines = "\n".join(rules)
        chain = f"chain lab {{ type filter hook {hook} priority 0\n{lines}\n}}"
        self._nft(f"table {_TABLE} {{\n{chain}\n}}\n")
        self._is_filtering = True

    def unfilter(self):
        """Let everything through again."""
        if self._is_filtering:
            self._nft(f"delete table {_TABLE}\n")
            self._is_filtering = False

    def _nft(self, text):
        root = require("nftables")
        with self.inside():
            done = subprocess.run(
                [root / "usr/sbin/nft", "-f", "-"],
                input=text.encode(),
                capture_output=True,
                env={"LD_LIBRARY_PATH": library_path(root)},
                check=False,
            )
        if done.returncode:
            pytest.skip(f"this kernel filters no packets: {done.stderr.decode()}")

    def _enter(self, descriptor):
        if self._libc.setns(descriptor, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


def _raise_loopback(addresses):
    with socket.socket() as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(sock, _GET_FLAGS, request))
        fcntl.ioctl(sock, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _IS_UP))
        for number, address in enumerate(addresses, 1):
            name, octets = f"lo:{number}".encode(), socket.inet_aton(address)
            request = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, octets)
            fcntl.ioctl(sock, _SET_ADDRESS, request)
