"""
Leaving a mail to a queue: the system's service, the user's own, or the user's own spool.

A mail is handed over as it came: the service repairs it when it sends it. What is kept in the
user's spool is kept durably before anything else is tried, so that whatever happens behind that
changes nothing of the exit code: the mail is not lost.
"""

from __future__ import annotations

import os

from pillarbox.cli.main import spoken, tell
from pillarbox.cli.sending import program_name, reverse_path
from pillarbox.errors import (
    EX_OK,
    EntryNotFoundError,
    NetworkError,
    PillarboxError,
)
from pillarbox.handoff import WAIT, Call, hand_over
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pillarbox.cli.sending import SendRequest, Source
    from pillarbox.config.settings import Service
    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.mail.status import RecipientStatus, Trouble
    from pillarbox.spool.base import Head, Spool

__all__ = ["hand_over_as_it_is", "queue_as_own"]

_PIECE_BYTES = 1 << 18


def hand_over_as_it_is(request: SendRequest, source: Source, socket: str) -> None:
    """
    Give the mail to the service behind a socket. Blocks.

    Raises:
        PillarboxError: It did not take it.

    """
    sender = _setting(request, "from")
    path = reverse_path(sender) if sender is not None else None
    call = Call(
        [str(recipient) for recipient in source.recipients],
        sender=None if sender is None else str(path or ""),
        account=request.account_name or "",
        full_name=_setting(request, "from_full_name") or "",
        notify=(_setting(request, "dsn_notify") or "").upper(),
        ret=(_setting(request, "dsn_return") or "").upper(),
        envid=request.envid,
        is_raw=request.is_raw,
        wish=request.wish,
    )
    hand_over(call, socket, source.read_again, source.has_input)


def _setting(request: SendRequest, name: str) -> str | None:
    value = request.settings.get(name)
    return None if value is None else str(value)


def queue_as_own(request: SendRequest, source: Source, socket: str) -> int:
    """
    Leave the mail to the user's own queue. Blocks.

    Args:
        request: What the command line asks for.
        source: The mail.
        socket: The one that the environment names, or the system's, or empty.

    Returns:
        The exit code: the mail is kept, so it is 0.

    Raises:
        PillarboxError: It is not.

    """
    from pillarbox.config.service import load_service

    service = load_service(None, is_user=True, environment=os.environ)
    own = os.environ.get("PILLARBOX_SOCKET") and socket
    if not own and _is_answered(service.submit_socket):
        own = service.submit_socket
    if own:
        hand_over_as_it_is(request, source, own)
        return EX_OK
    if request.wish == WAIT:
        raise NetworkError(
            say(
                "--wait needs a mail service, and there is none at {path}",
                path=service.submit_socket,
            ),
            peer=service.submit_socket,
            advice=say("start 'pillarbox serve --user', or use --direct"),
        )
    accounts, head = _keep(request, source, service)
    if not request.wish:
        _try_at_once(service, accounts, head)
    return EX_OK


def _is_answered(path: str) -> bool:
    """
    Tell whether there is a service at the user's own socket.

    A socket on which nobody listens is what a killed one has left. The spool is the same with and
    without a service, so the mail is as safe there as it would be with him.
    """
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as exc:
            # Python's own error, which has no number, is about a path that is too long for a
            # socket: nobody can listen there. Of others it is for the hand-off to say why.
            return exc.errno is not None
    return True


def _keep(request: SendRequest, source: Source, service: Service) -> tuple[Accounts, Head]:
    """Put the mail into the user's spool; it is there, durably, when this returns."""
    from time import time

    from pillarbox.delivery.acceptance import Submission, make_head
    from pillarbox.delivery.assembly import hostname_of, make_accounts
    from pillarbox.delivery.journal import log_accepted, make_silent_events
    from pillarbox.spool.base import Origin
    from pillarbox.spool.directory import Directory

    sender = _setting(request, "from")
    settings = {"repair": "off"} if request.is_raw else {}
    full_name = _setting(request, "from_full_name")
    if full_name:
        settings["from_full_name"] = full_name
    submission = Submission(
        tuple(source.recipients),
        sender=reverse_path(sender) if sender is not None else None,
        is_own_sender=sender is None,
        account=request.account_name or "",
        settings=settings,
        ret=_setting(request, "dsn_return") or "",
        envid=request.envid,
        notify=_setting(request, "dsn_notify") or "",
        origin=Origin(os.getuid(), os.getgid(), os.getpid(), door="own"),
    )
    accounts = make_accounts(service, os.environ, is_user=True)
    head = make_head(submission, accounts, hostname=hostname_of(service), epoch_s=time())
    spool = Directory(service.spool, part="draft")
    spool.open()
    try:
        draft = spool.begin(head)
        try:
            size_bytes = 0
            while piece := source.read_again(_PIECE_BYTES):
                size_bytes += len(piece)
                draft.write(piece)
            draft.commit()
        finally:
            draft.discard()  # does nothing to what is committed
    finally:
        spool.close()
    log_accepted(make_silent_events(service), head, size_bytes)
    return accounts, head


def _try_at_once(service: Service, accounts: Accounts, head: Head) -> None:
    """
    Deliver what can be delivered now, and say so where the new mail could not.

    Never raises: the mail is kept, and whoever heard otherwise would send it once more.
    """
    try:
        _deliver(service, accounts, head)
    except PillarboxError as exc:  # somebody else is at it, as a rule
        _tell_kept(head, exc.sentence)
    except KeyboardInterrupt:
        _tell_kept(head, say("interrupted"))
    except Exception as exc:  # noqa: BLE001 (see above)
        _tell_kept(head, say("internal error: {kind}", kind=type(exc).__name__))


def _deliver(service: Service, accounts: Accounts, head: Head) -> None:
    from pillarbox.delivery.assembly import hostname_of, make_deliverer
    from pillarbox.delivery.journal import make_silent_events
    from pillarbox.spool.directory import Directory

    spool = Directory(service.spool, part="deliver")
    spool.open()
    try:
        deliverer = make_deliverer(
            spool,
            accounts,
            lambda: service,
            hostname=hostname_of(service),
            events=make_silent_events(service),
        )
        result = deliverer.wait_for(head.id)
        deliverer.load()
        deliverer.flush_once(hurries=False)
        _tell_result(spool, head, result.result(0).statuses if result.done() else ())
    finally:
        spool.close()


def _tell_result(spool: Spool, head: Head, statuses: Sequence[RecipientStatus]) -> None:
    """Say why the mail is not delivered, unless it is."""
    reason = next((_shown(status.trouble) for status in statuses if status.trouble), "")
    try:
        recorded = spool.read(head.id).progress.reason
    except EntryNotFoundError:
        if reason:
            text = say("not delivered, and the sender is told: {reason}", reason=reason)
            tell(program_name(), printable(spoken(text)))
        return
    _tell_kept(head, recorded or reason or say("it is not its turn yet"))


def _shown(trouble: Trouble) -> str:
    """Return why, in the server's words unless they could repeat a secret."""
    if trouble.reply is None or trouble.stage == "AUTH":
        return trouble.problem
    return str(trouble.reply)


def _tell_kept(head: Head, reason: str) -> None:
    text = say("kept in the queue as {id}: {reason}", id=head.id, reason=reason)
    tell(program_name(), printable(spoken(text)))
