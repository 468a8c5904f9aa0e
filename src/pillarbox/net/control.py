"""
The control socket from the asking side: one JSON object a line, there and back.

Blocking, with a deadline for each line. What comes back is from a program that may be broken or
not the one that was meant: a line that is too long, no JSON or no object ends the conversation
with a ``NetworkError``, and nothing of it is believed to be printable.
"""

from __future__ import annotations

import json
import socket

from pillarbox.errors import DeadlineError, NetworkError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Any, NoReturn, Self

__all__ = ["LINE_MAX", "ControlClient"]

# Octets of one line of an answer: an entry of 1,500 recipients with 254 characters each, six
# octets a character at worst, fits in.
LINE_MAX = 4 << 20

_CONNECT_S = 5.0  # a daemon that has its hands full accepts late
_ANSWER_S = 60.0  # for each line: a listing reads the spool meanwhile


class ControlClient:
    """
    One connection to a control socket; close it, or use it in a ``with``.

    Args:
        path: The socket.
        timeout_s: How long to wait for a line of an answer; None: for ever.

    Raises:
        NetworkError: Nobody listens there.

    """

    def __init__(self, path: str, *, timeout_s: float | None = _ANSWER_S) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_CONNECT_S)
            self._socket.connect(path)
            self._socket.settimeout(timeout_s)
        except (OSError, ValueError) as exc:
            self._socket.close()
            reason = getattr(exc, "strerror", None) or str(exc)
            problem = say("cannot reach the daemon at {path}: {reason}", path=path, reason=reason)
            raise NetworkError(problem, peer=path) from exc
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, request: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """
        Yield the rows of an answer, the last of which has ``end``. Blocks.

        Take them all before the next question.

        Raises:
            NetworkError: The daemon ended before its answer did, or it does not speak like one.
            DeadlineError: It took too long.

        """
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except TimeoutError as exc:
            self._lost(exc)
        except OSError:
            pass  # it has hung up, and perhaps said why
        while True:
            row = self._row()
            yield row
            if row.get("end"):
                return

    def _row(self) -> dict[str, Any]:
        try:
            line = self._stream.readline(LINE_MAX)
        except OSError as exc:
            self._lost(exc)
        if not line.endswith(b"\n"):
            self._lost(None)
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            self._lost(exc)
        if not isinstance(row, dict):
            self._lost(None)
        return row

    def _lost(self, cause: Exception | None) -> NoReturn:
        if isinstance(cause, TimeoutError):
            problem = say("the daemon at {path} takes too long to answer", path=self.path)
            raise DeadlineError(problem, peer=self.path) from cause
        problem = say("the daemon at {path} did not answer to the end", path=self.path)
        advice = say("see its log; what was asked for may have been done in part")
        raise NetworkError(problem, peer=self.path, advice=advice) from cause

    def close(self) -> None:
        """End the conversation."""
        self._stream.close()
        self._socket.close()
