"""
The submission socket: a program of this host hands a mail over, and an entry of the spool it is.

What a mail passes, in order, for each session (the wire is LMTP with ``XPILLARBOX``):

1. ``SubmissionHandler.session_started``, ``mail_requested`` - who is it (the kernel says), may he
   now, and under this sender? ``admission`` decides.
2. ``recipient_requested`` - noted; aliases are looked up later, with the account.
3. ``content_received`` - a small content stays in memory; of a larger one a draft is begun, and
   written in a thread.
4. ``content_ended`` - head, draft, commit, in a thread. Only when ``Draft.commit`` has returned is
   anything acknowledged; then whoever delivers is told, and with ``XWAIT`` waited for.
5. ``transaction_ended`` - whatever is there and was not committed is discarded.

The rule to keep: no end of a session, whoever makes it, leaves a draft behind or takes back what
was acknowledged. A mail whose caller went away before he heard of it is kept all the same.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pillarbox.delivery.acceptance import Submission
from pillarbox.errors import (
    PillarboxError,
)
from pillarbox.intake.admission import refusal
from pillarbox.intake.answers import good, kept, reply_of, worst_of
from pillarbox.intake.driver import Handler, Limits
from pillarbox.intake.incoming import IncomingMail
from pillarbox.mail.reply import Reply
from pillarbox.smtp.server_session import ServerOptions
from pillarbox.spool.base import PENDING, Entry, Origin, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from typing import Any

    from pillarbox.config.settings import Limits as ServiceLimits
    from pillarbox.intake.driver import Session
    from pillarbox.intake.incoming import Desk
    from pillarbox.smtp.server_session import (
        ContentEnded,
        MailRequested,
        RecipientRequested,
        SessionStarted,
    )
    from pillarbox.spool.base import Head

__all__ = [
    "KEYWORDS",
    "SubmissionHandler",
    "limits_of_sessions",
    "options_of_sessions",
]

KEYWORDS = (
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "CHUNKING",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "MT-PRIORITY",
    "XPILLARBOX",
)

_IN_MEMORY = 1 << 16  # octets of a content before a draft is begun: nearly all mail is smaller
_PIECE = 1 << 18  # octets that are written at a time then
_WAIT_S = 900.0  # with XWAIT: longer than the one reply that may take 600 s (RFC 5321 4.5.3.2.6)
_SESSION_S = 86400.0  # a program may write into its pipe for hours; idle_s ends who says nothing
_LINGER_S = 1.0
_ROOT_CONNECTIONS = 20  # beyond the limit for all others


def options_of_sessions(limits: ServiceLimits, hostname: str) -> ServerOptions:
    """Return what each session offers."""
    return ServerOptions(
        hostname=hostname,
        keywords=KEYWORDS,
        is_lmtp=True,
        is_secured=True,
        max_size_bytes=limits.max_message_bytes,
        max_recipients=limits.max_recipients,
        takes_bare_newlines=True,  # kept as it was written; put right when it is sent
        takes_scripts=True,
    )


def limits_of_sessions(limits: ServiceLimits) -> Limits:
    """Return how much the driver gives; what each user gets of it is ``admission``'s."""
    return Limits(
        # Those who are only being refused need a place as well, and must not take root's.
        max_connections=2 * limits.max_connections + _ROOT_CONNECTIONS,
        command_s=float(limits.idle_s),
        session_s=_SESSION_S,
        linger_s=_LINGER_S,
        takes_early_talkers=True,
    )


class SubmissionHandler(Handler):
    """
    One session of the submission socket.

    Args:
        session: The session.
        desk: What it shares with the others.

    """

    door = "socket"  # what an entry says of how it came

    def __init__(self, session: Session, desk: Desk) -> None:
        super().__init__(session)
        self._desk = desk
        self._origin = Origin(door=self.door)
        self._entered: int | None = None  # whose connection it is counted as
        self._request: MailRequested | None = None
        self._recipients: list[RecipientRequested] = []
        self._mail: IncomingMail | None = None
        self._pieces: list[bytes] = []
        self._held_bytes = 0

    # -- what the driver asks ------------------------------------------------------------------

    async def session_started(self, _: SessionStarted) -> Reply | None:
        """Let a caller in, if there is room for him."""
        origin = await self._find_origin()
        if origin is None:
            return refusal(421, "4.7.0", "The kernel does not say who you are")
        self._origin = origin
        answer = self._desk.admission.enter(origin.uid)
        if answer is None:
            self._entered = origin.uid
        return answer

    async def mail_requested(self, event: MailRequested) -> Reply | None:
        """Ask the gate whether this mail may come, and from this sender."""
        admission, uid = self._desk.admission, self._identity().uid
        if "XOWN" not in event.parameters.wishes and admission.is_sender_judged(uid):
            # Users are looked up, which is somebody else's server on some hosts.
            answer = await asyncio.to_thread(admission.judge_sender, uid, event.reverse_path)
            if answer is not None:
                return answer
        answer = admission.judge_mail(uid, event.parameters.size_bytes or 0)
        if answer is None:
            self._request = event
        return answer

    async def recipient_requested(self, event: RecipientRequested) -> Reply | None:
        """Note a recipient."""
        self._recipients.append(event)
        return None

    async def content_received(self, chunk: bytes) -> None:
        """Keep a piece, and write when it has become much."""
        mail = self._mail or self._begin()
        if mail.refusal is not None:
            return
        self._pieces.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > (_PIECE if mail.size_bytes else _IN_MEMORY):
            await self._in_thread(mail.write, self._take_pieces())

    async def content_ended(self, _: ContentEnded) -> Reply | tuple[Reply | None, ...] | None:
        """Commit, tell who delivers, and wait for him where that is asked for."""
        mail = self._mail or self._begin()
        waits = self._request is not None and "XWAIT" in self._request.parameters.wishes
        wait = self._desk.carrier.wait_for if waits else None
        future = await self._in_thread(mail.finish, self._take_pieces(), wait)
        head = mail.head
        if not mail.is_kept or head is None:
            return mail.refusal or refusal(451, "4.3.0", "Local error, try again later")
        if self._desk.on_kept is not None:
            self._desk.on_kept(head.origin.uid, mail.size_bytes)
        progress = Progress(PENDING * len(head.envelope.forward_paths))
        entry = Entry(head, progress, mail.size_bytes)
        if future is None:
            # Behind the reply: a caller need not share the interpreter with who delivers.
            asyncio.get_running_loop().call_soon(self._desk.carrier.put_back, entry)
            return good(f"Queued as {head.id}")
        self._desk.carrier.put_back(entry)
        return await self._wait(future, head)

    async def transaction_ended(self) -> None:
        """Forget the mail; what is not committed is discarded."""
        mail, self._mail = self._mail, None
        self._request = None
        self._recipients = []
        self._take_pieces()
        if mail is not None and mail.has_leftovers:
            await self._in_thread(mail.discard)

    async def session_ended(self, _: str) -> None:
        """Give the connection back."""
        entered, self._entered = self._entered, None
        if entered is not None:
            self._desk.admission.leave(entered)

    # -- what another door does otherwise ------------------------------------------------------

    async def _find_origin(self) -> Origin | None:
        """Return who it is; None: nobody knows."""
        caller = self.session.caller
        if caller is None:
            return None
        return Origin(caller.uid, caller.gid, caller.pid, door=self.door)

    def _identity(self) -> Origin:
        """Return whose the next mail is."""
        return self._origin

    def _protocol(self) -> str:
        """Return what the Received field calls the way; empty: as the door is called."""
        return ""

    # -- the steps -----------------------------------------------------------------------------

    def _begin(self) -> IncomingMail:
        request = self._request
        assert request is not None  # no content without MAIL
        origin = self._identity()
        given = request.parameters
        settings = {}
        if "XNAME" in given.wishes:
            settings["from_full_name"] = given.wishes["XNAME"]
        if "XRAW" in given.wishes:
            settings["repair"] = "off"
        submission = Submission(
            tuple(event.forward_path for event in self._recipients),
            sender=request.reverse_path,
            is_own_sender="XOWN" in given.wishes,
            account=given.wishes.get("XACCOUNT", ""),
            settings=settings,
            ret=given.ret,
            envid=given.envid,
            notify=_common_notify(self._recipients),
            priority=self._desk.admission.priority(origin.uid, given.priority),
            origin=origin,
            hello_name=self.session.server.hello_name,
            protocol=self._protocol(),
            login=self.session.server.login,
        )
        self._mail = IncomingMail(self._desk, submission, said_bytes=given.size_bytes or 0)
        return self._mail

    def _take_pieces(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        return data

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """
        Have a thread do something with the mail, and see it through.

        When the session is to end meanwhile, it ends behind this, so that what a thread has
        committed is acknowledged too.
        """
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        is_cancelled = False
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError:
                is_cancelled = True
            except Exception:  # noqa: BLE001, S110 (result() raises it again)
                pass
        if is_cancelled:
            _cancel_later()
        return future.result()

    async def _wait(self, future: Future[Any], head: Head) -> tuple[Reply | None, ...]:
        """Return what became of the mail, for each recipient that was named."""
        why = "no answer yet"
        try:
            async with asyncio.timeout(_WAIT_S):
                result = await asyncio.wrap_future(future)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            why = "the service is being stopped"
            _cancel_later()
        except PillarboxError as exc:
            why = str(exc)
        else:
            statuses = {status.forward_path: status for status in result.statuses}
            worst = worst_of(statuses.values())
            return tuple(
                reply_of(statuses.get(event.forward_path, worst), head.id)
                for event in self._recipients
            )
        return (kept(why, head.id),) * len(self._recipients)


def _cancel_later() -> None:
    """Have the task that was cancelled, and went on, end at its next step that waits."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
        task.cancel()


def _common_notify(recipients: Iterable[RecipientRequested]) -> str:
    """Return the NOTIFY that all recipients have; else empty, as an envelope has one."""
    wishes = {event.parameters.notify for event in recipients}
    return wishes.pop() if len(wishes) == 1 else ""
