"""
The whole daemon, killed again and again, with callers who do not stop and a provider in a bad mood.

Callers hand mail over by the socket and by ``sendmail``. The provider hangs up anywhere, is too
busy, defers. Now and then, after so many mails, the daemon is killed and started again. At last
each mail that anybody was told is accepted has arrived; twice only where the provider had hung up
on it or the daemon was killed, and then with one Message-ID.

    python tests/crash/soak.py [--kills N | --seconds N] [--seed N]
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from peer import Puppet
from programs import call_program
from served import Service, accounts_for, folder_for_all

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Soak"]

_CALLERS = 3  # by the socket; one more runs sendmail
_BETWEEN_KILLS = (15, 50)  # mails that came in or went out
_NUDGE_S = 1.0  # the daemon is told to try again when for so long nothing arrived
_PATIENCE_S = 60.0  # without anything that arrives, all hope is given up

# In so many of a hundred replies the provider says something else.
_FAULTS = {
    "": (6, ["421 4.3.2 too busy", ""]),
    "EHLO": (3, [""]),
    "MAIL": (3, ["451 4.3.0 try later", "421 4.3.2 bye", ""]),
    "RCPT": (3, ["450 4.2.0 greylisted", ""]),
    "DATA": (3, ["451 4.3.0 not now", ""]),
    ".": (6, ["451 4.3.0 not this time", ""]),
}

# A daemon that is killed may have had so many mails on the way whose end nobody wrote down: one
# for each of its connections.
_ON_THE_WAY = 2


class Provider(Puppet):
    """
    A provider that serves many at a time and fails by chance.

    Attributes:
        taken: The Message-IDs of each mail that it has, by its token.
        doubts: How often it took a mail and did not say so.
        is_good: It does not fail any more.

    """

    def __init__(self, random: Random, tell: Callable[[], None]) -> None:
        super().__init__()
        self._random = random
        self._tell = tell
        self._lock = threading.Lock()
        self.taken: dict[str, list[str]] = {}
        self.notices = 0
        self.doubts = 0
        self.is_good = False

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
            self._converse_alone(stream)

    def _converse_alone(self, stream: Any) -> None:
        if not self._answer(stream, "", self._fate("")):
            return
        for raw in stream:
            line = raw.decode().rstrip("\r\n")
            said = self._answer(stream, line, self._fate(line))
            if not said or line == "QUIT":
                return
            if line == "DATA" and said.startswith("3") and not self._take(stream):
                return

    def _fate(self, line: str) -> str | None:
        """Return what is said out of turn; None: what should be said."""
        chance, replies = _FAULTS.get(line[:4], (0, [""])) if line != "." else _FAULTS["."]
        with self._lock:
            is_bad = not self.is_good and self._random.randrange(100) < chance
            return self._random.choice(replies) if is_bad else None

    def _answer(self, stream: Any, line: str, fate: str | None) -> str:
        if fate is None:
            return self._say(stream, line)
        if fate:
            stream.write(fate.encode() + b"\r\n")
            stream.flush()
        return "" if fate.startswith("421") else fate

    def _take(self, stream: Any) -> bool:
        content = b""
        for line in stream:
            if line == b".\r\n":
                break
            content += line
        else:
            return False  # the daemon was killed: nothing came
        fate = self._fate(".")
        if not fate:
            self._keep(content, is_in_doubt=fate is not None)
        return bool(self._answer(stream, ".", fate))

    def _keep(self, content: bytes, *, is_in_doubt: bool) -> None:
        head = content.partition(b"\r\n\r\n")[0].decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
        with self._lock:
            self.doubts += is_in_doubt
            if "X-Token" in fields:
                self.taken.setdefault(fields["X-Token"], []).append(fields["Message-ID"])
            else:
                self.notices += 1
        self._tell()


class Soak:
    """
    One run; call ``run``, then look at ``broken``.

    Args:
        seed: For what the provider does, and when the daemon is killed.

    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._changed = threading.Condition()
        self._events = 0  # mails that came in or went out
        self._is_over = False
        self._is_up = threading.Event()
        self.accepted: set[str] = set()
        self.refused = 0
        self.kills = 0
        self.failed: list[str] = []
        self.provider = Provider(Random(seed + 1), self._count)

    def run(self, *, kills: int = 0, seconds: float = 0.0) -> None:
        """
        Kill the daemon so often, or for so long; then let all of it drain.

        Args:
            kills: How often.
            seconds: For how long.

        """
        end_s = time.monotonic() + seconds
        self.folder = folder_for_all()
        try:
            with self.provider:
                callers = [
                    threading.Thread(target=self._call, args=(number,), daemon=True)
                    for number in range(_CALLERS + 1)
                ]
                for caller in callers:
                    caller.start()
                while self.kills < kills or time.monotonic() < end_s:
                    self._live_and_die()
                self._drain(callers)
        finally:
            shutil.rmtree(self.folder)

    def _service(self) -> Service:
        settings = "[limits]\nper_user_rate_per_minute = 1000000\n"
        return Service(accounts_for(self.provider.port, timeout="20"), settings, folder=self.folder)

    def _live_and_die(self) -> None:
        with self._service() as service:
            self._is_up.set()
            with self._changed:
                end = self._events + self._random.randint(*_BETWEEN_KILLS)
                while self._events < end:
                    self._nudge(service)
            self._is_up.clear()
            service.process.kill()
            self.kills += 1

    def _nudge(self, service: Service) -> None:
        """Wait for something to happen; if nothing does, have all tried that was put off."""
        if not self._changed.wait(_NUDGE_S):
            service.signal(signal.SIGUSR1)

    def _drain(self, callers: list[threading.Thread]) -> None:
        self._is_over = True
        with self._service() as service:
            self._is_up.set()
            for caller in callers:
                caller.join(_PATIENCE_S)
            self.provider.is_good = True
            service.signal(signal.SIGUSR1)
            limit_s, before = time.monotonic() + _PATIENCE_S, -1
            queue = service.spool / "queue"
            with self._changed:
                while (left := len(list(queue.iterdir()))) and time.monotonic() < limit_s:
                    if left != before:
                        limit_s, before = time.monotonic() + _PATIENCE_S, left
                    self._nudge(service)
            self.failed = [path.name for path in (service.spool / "failed").iterdir()]
            self.left = [path.name for path in queue.iterdir()]

    def _count(self) -> None:
        with self._changed:
            self._events += 1
            self._changed.notify_all()

    def _call(self, number: int) -> None:
        """Hand over one mail after the other."""
        random = Random(number)
        for count in range(1_000_000):
            self._is_up.wait()
            if self._is_over:
                return
            token = f"soak-{number}-{count}"
            body = "line\n" * random.choice((1, 40))
            content = f"Subject: soak\nX-Token: {token}\n\n{body}"
            hand_over = self._by_sendmail if number == _CALLERS else self._by_socket
            if hand_over(content.encode()):
                self.accepted.add(token)
                self._count()
            else:
                self.refused += 1

    def _by_socket(self, content: bytes) -> bool:
        from door import Client

        path = str(self.folder / "run" / "submit.sock")
        try:
            with Client(path) as client:
                (said,) = client.hand_over(content)
        except (OSError, AssertionError):
            return False
        return said.startswith("250")

    def _by_sendmail(self, content: bytes) -> bool:
        path = str(self.folder / "run" / "submit.sock")
        environment = {"PILLARBOX_SOCKET": path}
        return not call_program("sendmail", ["you@example.com"], content, environment).exit_code

    @property
    def twice(self) -> int:
        """How many mails more arrived than were different."""
        return sum(len(ids) - 1 for ids in self.provider.taken.values())

    @property
    def broken(self) -> list[str]:
        """What was wrong."""
        taken = self.provider.taken
        found = [f"{token} was accepted and is lost" for token in self.accepted - taken.keys()]
        found += [f"{name} failed" for name in self.failed]
        found += [f"{name} is still in the queue" for name in self.left]
        found += [
            f"{token} came with several Message-IDs: {ids}"
            for token, ids in taken.items()
            if len(set(ids)) > 1
        ]
        if self.twice > self.provider.doubts + _ON_THE_WAY * self.kills:
            found.append(f"{self.twice} came twice")
        return found

    def summary(self) -> str:
        """Return what happened, in a line."""
        times = Counter(len(ids) for ids in self.provider.taken.values())
        return (
            f"{self.kills} kills, {len(self.accepted)} accepted, {self.refused} refused, "
            f"{times.total()} arrived, {self.twice} of them more than once "
            f"({self.provider.doubts} in doubt), {self.provider.notices} notices, "
            f"{self.provider.connections} connections: {len(self.broken)} promises broken"
        )


def main() -> int:
    """Run, and print what happened; 1: a promise was broken."""
    parser = argparse.ArgumentParser(description="Kill the daemon under load.")
    parser.add_argument("--kills", type=int, default=0, help="how often")
    parser.add_argument("--seconds", type=float, default=0.0, help="for how long (60)")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    soak = Soak(arguments.seed)
    seconds = arguments.seconds or (0.0 if arguments.kills else 60.0)
    soak.run(kills=arguments.kills, seconds=seconds)
    print(f"seed {arguments.seed}: {soak.summary()}")
    for line in soak.broken[:20]:
        print(f"    {line}")
    return 1 if soak.broken else 0


if __name__ == "__main__":
    sys.exit(main())
