"""
What the doctor remembers of refused logins from one call to the next.

One file, ``$XDG_STATE_HOME/pillarbox/refused-logins``, which nobody else can read; it is there
while there is something to remember. Who logs in holds a lock on its folder, from before he writes
down that he tries until he has written down what came of it: so there is one at a time, and a try
without an end is one that was killed. The rule to keep: no secret is in it, and what tells one
password from another is salted, slow to make and short, so that it cannot be turned back into one.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from contextlib import suppress
from hashlib import pbkdf2_hmac
from typing import TYPE_CHECKING

from pillarbox.config.files import read_file
from pillarbox.doctor.finding import Finding
from pillarbox.text import bilingual, localize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Refusals", "Turn", "load_refusals", "mark_of", "save_refusals", "state_path"]

_MAX_FILE = 1 << 18  # bytes: some hundred accounts; a longer file is not ours
_DAY_S = 24 * 3600.0
# 50 ms: nobody notices it once, and a million guesses take a day.
_ROUNDS = 100_000
# Octets: a new password is taken for the old one once in four thousand million times, and
# countless passwords have the same mark.
_MARK_BYTES = 4
# Seconds that one waits for his turn: as long as a login takes at a server that is slow at it. Who
# is stopped (Ctrl-Z) meanwhile must not stop everybody.
_TURN_S = 40.0
_POLL_S = 0.05
_TEXTS = ("problem", "meaning", "fix")


class Refusals:
    """
    The refused logins of one account.

    Attributes:
        salt: For ``mark_of``.
        times: When each was refused, in seconds since the epoch, with its mark; the last last.
        finding: What the last of them came to; None: there is none.

    """

    __slots__ = ("finding", "salt", "times")

    def __init__(self) -> None:
        self.salt = secrets.token_bytes(16)
        self.times: list[tuple[float, str]] = []
        self.finding: Finding | None = None

    def forget_old(self, now_s: float) -> None:
        """Forget what is a day old, and what a clock that was wrong has dated in the future."""
        self.times = [row for row in self.times if 0 <= now_s - row[0] < _DAY_S]

    def times_of(self, mark: str) -> list[float]:
        """Return when a login was refused; the last last."""
        return [time_s for time_s, each in self.times if each == mark]


def mark_of(texts: list[str], salt: bytes) -> str:
    """Return what tells a login from another one, and gives nothing of it away."""
    data = "\0".join(texts).encode("utf-8", "surrogatepass")
    return pbkdf2_hmac("sha256", data, salt, _ROUNDS)[:_MARK_BYTES].hex()


def state_path(environment: Mapping[str, str]) -> str:
    """Return where the file is; empty: nowhere, as for a service without a home."""
    state = environment.get("XDG_STATE_HOME", "")
    if not state:
        home = environment.get("HOME", "")
        if not os.path.isdir(home):
            return ""
        state = f"{home}/.local/state"
    return f"{state}/pillarbox/refused-logins" if state.startswith("/") else ""


class Turn:
    """
    The turn to log in: nobody else does it meanwhile, or changes what is remembered.

    It is taken with ``take`` and given back with ``end``, or by the end of the process.

    Args:
        path: Where the memory is; empty: nowhere, and it is always one's turn.

    """

    def __init__(self, path: str) -> None:
        self._folder = os.path.dirname(path)
        self._descriptor = -1

    def take(self) -> bool:
        """Wait for it, ``_TURN_S`` at the most; return whether the folder is there at all."""
        if not self._folder:
            return False
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        end_s = time.monotonic() + _TURN_S
        while time.monotonic() < end_s:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL_S)
                continue
            except OSError:  # a file system without locks keeps files all the same
                break
            break
        return True

    def end(self) -> None:
        """Give it back, if one has it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def load_refusals(path: str) -> dict[str, Refusals]:
    """Return what is remembered, by account. A file that is not ours is as good as none."""
    try:
        content, _ = read_file(path, _MAX_FILE)
        rows = json.loads(content)["accounts"]
        return {str(name): _refusals_of(row) for name, row in rows.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def save_refusals(path: str, accounts: Mapping[str, Refusals]) -> bool:
    """
    Put a whole new file in the place of the old one; with nothing to remember there is none.

    Returns:
        Whether it is kept: not in a home that is full or read-only.

    """
    rows = {name: _row_of(each) for name, each in accounts.items() if each.times}
    beside = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        if not rows:
            with suppress(FileNotFoundError):
                os.unlink(path)
            return True
        with suppress(FileNotFoundError):
            os.unlink(beside)  # left by one who was killed, long ago: our number was his
        with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="ascii") as file:
            json.dump({"version": 1, "accounts": rows}, file)
        os.rename(beside, path)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        return False
    return True


def _row_of(refusals: Refusals) -> dict[str, Any]:
    finding = refusals.finding
    row: dict[str, Any] = {"salt": refusals.salt.hex(), "times": refusals.times}
    if finding is not None:
        row["code"], row["severity"] = finding.code, finding.severity
        for name in _TEXTS:
            row[name] = _both(getattr(finding, name))
        row["evidence"] = [_both(each) for each in finding.evidence]
    return row


def _both(text: str) -> list[str]:
    return [localize(text, "en"), localize(text, "zh")]


def _refusals_of(row: dict[str, Any]) -> Refusals:
    refusals = Refusals()
    refusals.salt = bytes.fromhex(row["salt"])
    refusals.times = [(float(time_s), str(mark)) for time_s, mark in row["times"]]
    if "code" in row:
        problem, meaning, fix = (_said(row[name]) for name in _TEXTS)
        refusals.finding = Finding(
            str(row["code"]),
            str(row["severity"]),
            problem,
            meaning=meaning,
            fix=fix,
            evidence=[_said(each) for each in row["evidence"]],
        )
    return refusals


def _said(both: list[str]) -> str:
    english, chinese = both
    return bilingual(str(english), str(chinese))
