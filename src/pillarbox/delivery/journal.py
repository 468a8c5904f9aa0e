"""
The log and the history of a service, put together as its settings want them.

``make_events`` makes them, and ``log_accepted`` is called at each door once a mail is durable.
"""

from __future__ import annotations

from pillarbox.delivery import log_targets
from pillarbox.delivery.events import INFO, Events
from pillarbox.delivery.history import HISTORY, History
from pillarbox.mail.reply import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillarbox.config.settings import Service
    from pillarbox.spool.base import Head

__all__ = ["log_accepted", "make_events", "make_silent_events", "message_id_in"]

_MAX_HEADER = 16_384  # octets of a content that a Message-ID is looked for in
_MAX_PROGRAM = 64


def make_events(service: Service, environment: Mapping[str, str]) -> Events:
    """
    Return where the events of a service go: its log, and the history of its spool.

    ``Events.adopt`` follows settings that were read anew; log files are opened anew then.
    """
    history = _history_of(service)
    events = Events(targets=(), history=history)

    def adopt(service: Service) -> None:
        log_targets.adopt(events, service.log, environment)
        history.kept_s = service.delivery.history_kept_s

    adopt(service)
    events.follow(adopt)
    return events


def make_silent_events(service: Service) -> Events:
    """Return events that are kept in the history only: a person is told what concerns him."""
    return Events(targets=(), history=_history_of(service))


def _history_of(service: Service) -> History:
    return History(f"{service.spool}/{HISTORY}", service.delivery.history_kept_s)


def log_accepted(events: Events, head: Head, size_bytes: int) -> None:
    """Tell of a mail that was taken, once it is durable: who brought it, and what it is."""
    origin, envelope = head.origin, head.envelope
    events.event(
        INFO,
        "accepted",
        id=head.id,
        uid=origin.uid,
        gid=origin.gid,
        pid=origin.pid,
        program=_program_of(origin.pid),
        door=origin.door,
        account=head.account,
        from_=str(envelope.reverse_path or "<>"),
        to=",".join(map(str, envelope.forward_paths)),
        recipients=len(envelope.forward_paths),
        message_id=head.message_id,
        size=size_bytes,
        mail_priority=head.priority or None,
    )


def _program_of(pid: int) -> str:
    """Return the name of a process; empty: it has ended. It may call itself what it likes."""
    if pid <= 0:
        return ""
    try:
        with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:
            return printable(file.read(_MAX_PROGRAM).rstrip(b"\n"))
    except OSError:
        return ""


def message_id_in(start: bytes) -> str:
    """Return the Message-ID of a content in wire form, from its first octets; empty: none."""
    section = start[:_MAX_HEADER].partition(b"\r\n\r\n")[0] + b"\r\n"
    place = (b"\r\n" + section).lower().find(b"\r\nmessage-id:")
    if place < 0:
        return ""
    value = section[place + len(b"message-id:") :].partition(b">")[0]
    name = value.partition(b"<")[2]
    return printable(b"<" + name + b">") if name else ""
