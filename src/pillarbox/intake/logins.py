"""
Those who may log in to the SMTP listener: a file of names with salted hashes of their passwords.

A line is ``name:scrypt:COST:BLOCK:PARALLEL:SALT:HASH`` (RFC 7914), as ``hash_password`` makes it;
empty lines and those that begin with ``#`` are for people. The rule to keep: a wrong name takes as
long as a wrong password, and nothing here says which it was.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from pillarbox.errors import ConfigError
from pillarbox.text import say

if TYPE_CHECKING:
    from pillarbox.secret import Secret

__all__ = ["Users", "hash_password", "is_login_name", "read_users"]

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-")
_MAX_NAME = 64
_MAX_FILE = 1 << 20
_OTHERS = 0o027  # nobody else may read it, and its group may not write it

# 16 MiB and about 50 ms: what a guess costs who has got hold of the file (OWASP, 2024: 2^14 with
# p = 5 or more memory; a submission server is asked at every mail, and has a machine's passwords).
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1
_SALT_BYTES, _HASH_BYTES = 16, 32
_MAX_COST, _MAX_BLOCK = 1 << 17, 16

_KNOWN_MAX = 100  # passwords that were right lately, so that each mail need not cost 50 ms


def is_login_name(name: str) -> bool:
    """Return whether a name can be one: it stands in a Received field and in the log as it is."""
    return 0 < len(name) <= _MAX_NAME and _NAME.issuperset(name)


def hash_password(name: str, password: str, *, salt: bytes | None = None) -> str:
    """Return the line of the file for a user, without its end."""
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    hashed = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL)
    fields = (str(_COST), str(_BLOCK), str(_PARALLEL), *map(_text, (salt, hashed)))
    return ":".join((name, "scrypt", *fields))


class Users:
    """
    The users of one file.

    Args:
        lines: Name -> cost, block, parallel, salt and hash.

    """

    def __init__(self, lines: dict[str, tuple[int, int, int, bytes, bytes]]) -> None:
        self._lines = lines
        self._nobody = (_COST, _BLOCK, _PARALLEL, os.urandom(_SALT_BYTES), b"")
        self._key = os.urandom(32)  # what is remembered is of no use outside of this process
        self._known: dict[bytes, None] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._lines)

    def is_known(self, name: str, secret: Secret) -> bool:
        """Return whether a password was right lately."""
        return self._token(name, secret) in self._known

    def check(self, name: str, secret: Secret) -> bool:
        """Return whether a password is right. Takes 50 ms of a processor."""
        password = secret.reveal()
        cost, block, parallel, salt, expected = self._lines.get(name, self._nobody)
        is_right = hmac.compare_digest(_scrypt(password, salt, cost, block, parallel), expected)
        if is_right:
            with self._lock:
                if len(self._known) >= _KNOWN_MAX:
                    self._known.clear()
                self._known[self._token(name, secret)] = None
        return is_right

    def _token(self, name: str, secret: Secret) -> bytes:
        said = f"{name}\0{secret.reveal()}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, said, "sha256")


def read_users(path: str) -> Users:
    """
    Read the file.

    Raises:
        ConfigError: It cannot be read, others can, or a line of it is wrong.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_MAX_FILE + 1)
    except OSError as exc:
        problem = say("cannot be read: {reason}", reason=exc.strerror)
        raise ConfigError(problem, path=path) from exc
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & _OTHERS:
        problem = say("the file of users is open to others")
        raise ConfigError(problem, path=path, advice=say("chmod 600 FILE, and chown it"))
    if len(data) > _MAX_FILE:
        raise ConfigError(say("is larger than a mebibyte"), path=path)
    lines = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, *fields = line.strip().split(":")
            found = _parse(fields)
            if found is None or not is_login_name(name) or name in lines:
                problem = say("this is no user, or one who was there already")
                advice = say("make the line anew: pillarbox serve --hash-password NAME")
                raise ConfigError(problem, path=path, line=number, advice=advice)
            lines[name] = found
    return Users(lines)


def _parse(fields: list[str]) -> tuple[int, int, int, bytes, bytes] | None:
    if len(fields) != 6 or fields[0] != "scrypt":
        return None
    try:
        cost, block, parallel = (int(field) for field in fields[1:4])
        salt, hashed = (b64decode(field, validate=True) for field in fields[4:])
    except ValueError:
        return None
    is_power = cost > 1 and not cost & (cost - 1)
    is_small = cost <= _MAX_COST and 0 < block <= _MAX_BLOCK and parallel == 1
    is_whole = len(hashed) == _HASH_BYTES and len(salt) >= _SALT_BYTES
    return (cost, block, parallel, salt, hashed) if is_power and is_small and is_whole else None


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    octets = password.encode("utf-8", "surrogateescape")
    needed = 128 * block * (cost + parallel + 2)
    return hashlib.scrypt(
        octets, salt=salt, n=cost, r=block, p=parallel, maxmem=2 * needed, dklen=_HASH_BYTES
    )


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
