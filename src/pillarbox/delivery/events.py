"""
What the queue did, one line an event, for the journal or a file.

A line is ``event=delivered id=... to=...``: words are escaped so that whatever a caller or a
server wrote, a record is one line and no value ends early (attack L9: log forging). Under journald
each line begins with its priority, ``<4>``; elsewhere with the time.
"""

from __future__ import annotations

import os
import sys
import threading
from time import gmtime, strftime

from pillarbox.mail.reply import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CRITICAL", "ERROR", "INFO", "NOTICE", "WARNING", "Events"]

# Priorities of syslog(3).
CRITICAL = 2
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6

_MAX_VALUE = 500  # characters kept of one value
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:;@/<>+=*[]()%"
)


class Events:
    """
    Where events go.

    Args:
        write: Gets each line, without line end; None: standard error.
        environment: ``JOURNAL_STREAM`` in it says that standard error is journald's.

    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._write = write if write is not None else _write_to_stderr
        self._is_journal = "JOURNAL_STREAM" in (os.environ if environment is None else environment)
        self._lock = threading.Lock()

    def event(self, priority: int, name: str, **fields: object) -> None:
        """
        Write one line.

        Args:
            priority: That of syslog(3).
            name: What happened, one word.
            fields: What there is to know; None and empty texts are left out.

        """
        words = [f"event={name}"]
        for key, value in fields.items():
            if value is not None and value != "":
                words.append(f"{key.rstrip('_')}={_shown(value)}")
        start = f"<{priority}>" if self._is_journal else strftime("%Y-%m-%dT%H:%M:%SZ ", gmtime())
        with self._lock:
            self._write(start + " ".join(words))


def _shown(value: object) -> str:
    text = printable(str(value), _MAX_VALUE)
    if text and _PLAIN.issuperset(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_to_stderr(line: str) -> None:
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # a log that is gone must not stop the mail
