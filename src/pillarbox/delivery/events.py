"""
What the queue did, one record an event, for every place where the administrator wants it.

As text a record is a line ``event=delivered id=... to=...``: words are escaped so that whatever a
caller or a server wrote, a record is one line and no value ends early (attack L9: log forging). As
JSON it is one object on one line. The rule to keep: a log that fails never stops the mail.
"""

from __future__ import annotations

import os
import re
import threading
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted

from pillarbox.delivery.event_table import EVENTS
from pillarbox.mail.reply import printable
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pillarbox.config.settings import Service
    from pillarbox.delivery.history import History

__all__ = [
    "CRITICAL",
    "ERROR",
    "FORMATS",
    "INFO",
    "LEVELS",
    "NOTICE",
    "WARNING",
    "Event",
    "Events",
    "Target",
    "as_json",
    "as_words",
    "stamp",
]

# Priorities of syslog(3).
CRITICAL = 2
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6

LEVELS = {"critical": CRITICAL, "error": ERROR, "warning": WARNING, "notice": NOTICE, "info": INFO}

_MAX_VALUE = 500  # characters kept of one value in a line for people
_MAX_JSON_VALUE = 16_384  # and of one in a line for programs: some hundred recipients
_is_plain = re.compile(r"[a-zA-Z0-9_.,:;@/<>+=*\[\]()%-]+", re.ASCII).fullmatch
_STANDARD_ERROR = 2


class Event(Value):
    """
    One thing that happened.

    Attributes:
        epoch_s: When, in seconds since the epoch.
        priority: That of syslog(3).
        name: A row of ``EVENTS``.
        fields: What there is to know; nothing empty.

    """

    __slots__ = ("epoch_s", "fields", "name", "priority")

    def __init__(
        self, epoch_s: float, priority: int, name: str, fields: Mapping[str, object]
    ) -> None:
        self.epoch_s = epoch_s
        self.priority = priority
        self.name = name
        self.fields = fields


def as_words(event: Event) -> str:
    """Return ``event=name key=value ...``, one line of printable characters."""
    words = [f"event={event.name}"]
    for key, value in event.fields.items():
        text = str(value)
        is_bare = len(text) <= _MAX_VALUE and _is_plain(text)
        words.append(f"{key}={text if is_bare else _in_quotes(text)}")
    return " ".join(words)


def _in_quotes(text: str) -> str:
    text = printable(text, _MAX_VALUE)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_json(event: Event) -> str:
    """Return one JSON object on one line of ASCII; numbers stay numbers."""
    # Three times as fast as a JSONEncoder, and a mail has a few of them.
    parts = [f'{{"time":{event.epoch_s:.3f},"event":"{event.name}","priority":{event.priority}']
    for key, value in event.fields.items():
        is_number = type(value) is int
        text = str(value) if is_number else _quoted(str(value)[:_MAX_JSON_VALUE])
        parts.append(f'"{key}":{text}')
    return ",".join(parts) + "}"


FORMATS = {"words": as_words, "json": as_json}


def stamp(epoch_s: float) -> str:
    """Return a moment as a log line begins with it, in UTC."""
    return _stamp(int(epoch_s))


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


class Target:
    """A place where events go; ``send`` may raise ``OSError``, and may be called by any thread."""

    def send(self, event: Event) -> None:
        """Write one event."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what is open. Never raises."""


class Lines(Target):
    """Lines for a function, or for standard error; under journald each with its priority."""

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        form: Callable[[Event], str] = as_words,
    ) -> None:
        self._write = write
        self._form = form
        self._is_journal = "JOURNAL_STREAM" in (os.environ if environment is None else environment)
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Write one line at once, so that lines of several threads do not mix."""
        line = self._form(event)
        if self._is_journal:
            line = f"<{event.priority}>{line}"
        elif self._form is as_words:
            line = f"{stamp(event.epoch_s)} {line}"
        if self._write is None:
            os.write(_STANDARD_ERROR, f"{line}\n".encode())
        else:
            with self._lock:
                self._write(line)


class Events:
    """
    Where events go.

    Args:
        write: Gets each line, without line end; None: standard error. Not with ``targets``.
        environment: ``JOURNAL_STREAM`` in it says that standard error is journald's.
        targets: The places.
        level: Nothing of a lower priority (a higher number) goes to them.
        history: Gets each event that a mail or an account is followed by, whatever the level.

    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        targets: Sequence[Target] | None = None,
        level: int = INFO,
        history: History | None = None,
    ) -> None:
        self._targets = (
            (Lines(write, environment=environment),) if targets is None else tuple(targets)
        )
        self._level = level
        self.history = history
        self._follow: Callable[[Service], None] | None = None

    def event(self, priority: int, name: str, **fields: object) -> None:
        """
        Tell of something that happened. Never raises, whatever the places do.

        Args:
            priority: That of syslog(3).
            name: What happened: a row of ``EVENTS``.
            fields: What there is to know; None and empty texts are left out.

        """
        event = Event(
            time.time(),
            priority,
            name,
            {
                key.rstrip("_"): value
                for key, value in fields.items()
                if value is not None and value != ""
            },
        )
        if priority <= self._level:
            for target in self._targets:
                try:
                    target.send(event)
                except (OSError, ValueError):
                    continue  # a log that is gone must not stop the mail
        if self.history is not None and (name not in EVENTS or EVENTS[name].is_history):
            self.history.add(event)

    def follow(self, how: Callable[[Service], None]) -> None:
        """Have ``adopt`` do this with settings that were read anew."""
        self._follow = how

    def adopt(self, service: Service) -> None:
        """Go where these settings say from now on, if that was settings' business before."""
        if self._follow is not None:
            self._follow(service)

    def use(self, targets: Sequence[Target], *, level: int) -> None:
        """Send what comes from now on to other places; close those from before."""
        before, self._targets, self._level = self._targets, tuple(targets), level
        for target in before:
            target.close()
