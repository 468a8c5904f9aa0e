"""
The control socket from the answering side: people's questions in, the steward's rows out.

One JSON object a line, one or more back, the last of which has ``end``, ``code`` (sysexits),
``problem`` and ``advice``. The socket is open to every local user; who he is, the kernel says, and
what he may, the steward. The rule to keep: whatever comes in ends in an object with ``end`` or in a
closed connection; never in a traceback, and never in more memory or threads than is written here.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from pillarbox.errors import EX_SOFTWARE, EX_TEMPFAIL, EX_USAGE
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from pillarbox.delivery.steward import Steward

__all__ = ["ControlLimits", "ControlServer"]

# Octets of rows that are made at a time, before any of them is sent.
_BATCH = 64 << 10
_ROWS = 200  # and their number: a listing gives way to others that often

_LINGER_S = 2.0  # for the last rows to be taken

# struct ucred: pid, uid, gid (unix(7)).
_UCRED = struct.Struct("=iII")
_NOBODY = 0xFFFFFFFF


class ControlLimits(Value):
    """
    How much a control socket gives to those who ask.

    Attributes:
        line_bytes: Of one request.
        owner_line_bytes: Of one of root or the spool's owner: it may hold the content of a mail.
        per_user: Connections of one user at once.
        strangers: Those of all users but root and the spool's owner: with user namespaces one
            person may be 65,536 users.
        per_owner: Those of root and the spool's owner, each: the daemon's other half waits there.
        idle_s: For the next request, and for each batch of an answer to be taken.
        wait_s: For the first attempt of an entry that somebody waits for.

    """

    __slots__ = (
        "idle_s",
        "line_bytes",
        "owner_line_bytes",
        "per_owner",
        "per_user",
        "strangers",
        "wait_s",
    )

    def __init__(
        self,
        *,
        line_bytes: int = 64 << 10,
        owner_line_bytes: int = 48 << 20,
        per_user: int = 20,
        strangers: int = 200,
        per_owner: int = 400,
        idle_s: float = 30.0,
        wait_s: float = 1200.0,
    ) -> None:
        self.line_bytes = line_bytes
        self.owner_line_bytes = owner_line_bytes
        self.per_user = per_user
        self.strangers = strangers
        self.per_owner = per_owner
        self.idle_s = idle_s
        self.wait_s = wait_s


class ControlServer:
    """
    Answer on a control socket.

    Args:
        steward: Who knows the answers.
        limits: How much of it there is.
        on_fault: Told of an exception that should not have happened.

    """

    def __init__(
        self,
        steward: Steward,
        *,
        limits: ControlLimits | None = None,
        on_fault: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._steward = steward
        self._limits = limits if limits is not None else ControlLimits()
        self._on_fault = on_fault
        self._server: asyncio.Server | None = None
        self._open: Counter[int] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        # Strangers have a thread of their own, so that root never waits behind their listings.
        self._owners = ThreadPoolExecutor(2, "control")
        self._others = ThreadPoolExecutor(1, "control-users")

    async def start(self, listener: socket.socket) -> None:
        """Answer on a unix socket that listens already; it is ours from now on."""
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=self._limits.line_bytes
        )

    async def close(self) -> None:
        """Stop: no new questions, and those that are open end here."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in (self._owners, self._others):
            # What a thread is doing now it does to its end; it is short.
            threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # asyncio runs this as one
        self._tasks.add(task)
        uid = _peer_uid(writer.get_extra_info("socket"))
        limits = self._limits
        self._open[uid] += 1
        try:
            is_owner = self._steward.may_all(uid)
            most = limits.per_owner if is_owner else limits.per_user
            if self._open[uid] > most or (not is_owner and self._strangers > limits.strangers):
                await self._say(writer, [_failure(EX_TEMPFAIL, _TOO_MANY)])
                return
            longest = limits.owner_line_bytes if is_owner else limits.line_bytes
            while line := await self._line(reader, writer, longest):
                await self._answer(uid, line, writer)
        except (OSError, asyncio.CancelledError, TimeoutError):
            pass  # he hung up, takes too long, or we are ending
        except Exception as exc:  # noqa: BLE001 (a fault of ours is not the daemon's end)
            self._on_fault(exc)
        finally:
            self._tasks.discard(task)
            self._open[uid] -= 1
            if not self._open[uid]:
                del self._open[uid]
            await _hang_up(writer)

    @property
    def _strangers(self) -> int:
        """How many connections users have who are neither root nor the spool's owner."""
        may_all = self._steward.may_all
        return sum(count for uid, count in self._open.items() if not may_all(uid))

    async def _line(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, longest: int
    ) -> bytes:
        """Return the next request; empty: there is none any more."""
        pieces: list[bytes] = []
        size = 0
        while size <= longest:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    pieces.append(await reader.readuntil(b"\n"))
                return b"".join(pieces)
            except asyncio.IncompleteReadError as exc:
                return b"".join((*pieces, exc.partial))
            except asyncio.LimitOverrunError as exc:
                # So much is there, and no end of the line in it.
                pieces.append(await reader.readexactly(exc.consumed))
                size += exc.consumed
        await self._say(writer, [_failure(EX_USAGE, _TOO_LONG)])
        return b""

    async def _answer(self, uid: int, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            await self._say(writer, [_failure(EX_USAGE, _NO_OBJECT)])
            return
        answer = self._steward.answer(uid, request)
        try:
            await self._pass_on(uid, answer, writer)
        except (OSError, asyncio.CancelledError, TimeoutError):
            raise
        except Exception as exc:  # noqa: BLE001 (a fault of ours is not for a caller to read)
            self._on_fault(exc)
            await self._say(writer, [_failure(EX_SOFTWARE, _FAULT)])
        finally:
            with suppress(ValueError):  # a thread is in it still; it ends with its batch
                answer.close()

    async def _pass_on(
        self, uid: int, answer: Generator[Any, Any, None], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        threads = self._owners if self._steward.may_all(uid) else self._others
        value = None
        while True:
            rows, future = await loop.run_in_executor(threads, _next_rows, answer, value)
            await self._say(writer, rows)
            if future is None and not rows:
                return
            value = None
            if future is not None:
                try:
                    async with asyncio.timeout(self._limits.wait_s):
                        value = await asyncio.wrap_future(future)
                except TimeoutError:
                    await self._say(writer, [_failure(EX_TEMPFAIL, _NO_RESULT)])
                    return

    async def _say(self, writer: asyncio.StreamWriter, rows: list[bytes]) -> None:
        """Send rows. Whoever does not take them in time is hung up on."""
        writer.write(b"".join(rows))
        async with asyncio.timeout(self._limits.idle_s):
            await writer.drain()


_TOO_MANY = say("you have too many connections to the daemon")
_TOO_LONG = say("the request is too long")
_NO_OBJECT = say("the request is no JSON object")
_FAULT = say("internal error of the daemon; its log says where")
_NO_RESULT = say("nobody knows yet what became of the mail; it is kept in the queue")


def _next_rows(
    answer: Generator[Any, Any, None], value: object
) -> tuple[list[bytes], Future[Any] | None]:
    """
    Return the next batch of rows, and what has to be waited for behind them. Blocks.

    Returns:
        Rows, ready to be sent, and a future or None; neither: that was all.

    """
    rows: list[bytes] = []
    size = 0
    while size < _BATCH and len(rows) < _ROWS:
        try:
            row = answer.send(value)
        except StopIteration:
            break
        value = None
        if isinstance(row, Future):
            return rows, row
        rows.append(json.dumps(row).encode() + b"\n")
        size += len(rows[-1])
    return rows, None


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_LINGER_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _failure(code: int, problem: str) -> bytes:
    row = {"end": True, "code": code, "problem": problem, "advice": ""}
    return json.dumps(row).encode() + b"\n"


def _peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end, as the kernel says; -1: it does not say."""
    ucred = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = _UCRED.unpack(ucred)
    return -1 if uid == _NOBODY else int(uid)
