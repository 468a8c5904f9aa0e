"""
Who is told that a mail was not delivered, or is late, and when nobody is.

1. ``_silence`` - whether this mail may have a notice at all.
2. ``notice_readers`` - who reads it.
3. ``NoticeRecord`` - whether he has had his number for today: then it is a row of a digest.
4. ``notice_fates`` and ``mail.dsn`` - the message; it goes the way that the mail went.

The rule to keep: a notice never makes a notice. It has the null reverse-path (RFC 5321 4.5.5), or
where a provider takes none, the login; and the door of its origin says what it is.

RFC 3834 is about programs that answer mail which comes in. Mail that goes out from a server is
mostly ``Auto-Submitted: auto-generated``, and its failures are the ones that matter: it has
notices as any other. What is itself an answer (``auto-replied``) has none. ``Precedence`` says
nothing of failures. Of the wishes of RFC 3461 NOTIFY counts; RET does not: a notice never has more
than the header section.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

from pillarbox.config.hints import demands_login_as_sender
from pillarbox.delivery.notice_fates import Source, fates_of
from pillarbox.delivery.notice_readers import Readers, read_address, sender_of
from pillarbox.delivery.notice_record import NoticeRecord, PutOff
from pillarbox.delivery.outgoing import message_id_domain
from pillarbox.errors import ConfigError, PillarboxError
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.dsn import Original, bounce, delay, subject_of
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.headers import read_header_section
from pillarbox.mail.notice import Frame, Row, broken, digest
from pillarbox.mail.originate import make_message_id
from pillarbox.spool.base import Head, Origin
from pillarbox.text import say
from pillarbox.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pillarbox.config.account import Account
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.dsn import Fate
    from pillarbox.mail.status import RecipientStatus
    from pillarbox.secret import Secret
    from pillarbox.text import Text

__all__ = ["DOOR", "Notice", "Notices", "Told"]

DOOR = "notice"  # Origin.door of every notice
_PRIORITY = 4  # RFC 6710; from here on a mail may use an account's last reserve


class Notice(Value):
    """
    A mail to be put into the spool.

    Attributes:
        account: The name of the account that it goes through.
        envelope: Its envelope.
        content: The whole message, in CRLF form.
        message_id: The Message-ID in it.
        put_off: The digest that it is; None: it is none.

    """

    __slots__ = ("account", "content", "envelope", "message_id", "put_off")

    def __init__(
        self,
        account: str,
        envelope: Envelope,
        content: bytes,
        message_id: str,
        put_off: PutOff | None = None,
    ) -> None:
        self.account = account
        self.envelope = envelope
        self.content = content
        self.message_id = message_id
        self.put_off = put_off

    def head(self, entry_id: str, *, now_s: float) -> Head:
        """Return the head of its entry."""
        return Head(
            entry_id,
            now_s,
            self.envelope,
            account=self.account,
            message_id=self.message_id,
            # Nobody's: the one whose mail failed may not delete what his administrator is told.
            origin=Origin(door=DOOR),
            priority=_PRIORITY,
        )


class Told(Value):
    """
    What came of the wish to tell somebody.

    Attributes:
        notice: What is to be put into the spool; None: nothing.
        reason: Who is told, or why nobody is, in one line.
        needs_alarm: Nobody will learn of it by mail, and somebody should.

    """

    __slots__ = ("needs_alarm", "notice", "reason")

    def __init__(self, notice: Notice | None, reason: Text, *, needs_alarm: bool = False) -> None:
        self.notice = notice
        self.reason = reason
        self.needs_alarm = needs_alarm


class Notices:
    """
    Make notices, and count them. Its methods may be called by several threads at a time.

    Args:
        hostname: The name of this computer.
        record_path: The file of ``NoticeRecord``; empty: in memory only.
        per_day: How many notices one reader gets in a day, before a digest.
        languages: Those of the texts.
        aliases: The aliases file; empty: that of the account.
        random: Gives random octets.

    """

    def __init__(
        self,
        hostname: str,
        *,
        record_path: str = "",
        per_day: int = 20,
        languages: tuple[str, ...] = ("en", "zh"),
        aliases: str = "",
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._hostname = hostname
        self._languages = languages
        self._random = random
        self._readers = Readers(hostname, aliases)
        self._record = NoticeRecord(record_path, per_day)

    def bounce_for(
        self,
        head: Head,
        statuses: Sequence[RecipientStatus],
        headers: bytes,
        account: Account,
        *,
        now_s: float,
        greeting: str = "",
        secret: Secret | None = None,
        is_expired: bool = False,
        last_attempt_s: float = 0.0,
    ) -> Told:
        """
        Tell somebody that recipients are given up.

        Put the notice into the spool before the recipients are recorded as given up. What was put
        off to a digest is durable when this returns.

        Args:
            head: The mail's.
            statuses: Those of the recipients that are given up now.
            headers: The start of its content, as its caller wrote it.
            account: The account that it was to go through.
            now_s: Now, in seconds since the epoch.
            greeting: That of the server; empty: none was reached.
            secret: What must not be shown.
            is_expired: They are given up because it took too long.
            last_attempt_s: When the last attempt was, in seconds since the epoch; 0: unknown.

        Raises:
            SpoolError: It could not be put off: do not give the recipients up yet.

        """
        silence = _silence(head, headers, "FAILURE")
        if silence is not None:
            return silence
        failed = {str(status.forward_path).lower() for status in statuses}
        readers = self._readers.find(head, account, failed, greeting)
        if not readers:
            return _nobody()
        source = Source(account, greeting, secret, self._languages)
        fates = fates_of(statuses, source, last_attempt_s=last_attempt_s, is_expired=is_expired)
        key = _key_of(readers)
        is_named = self._readers.are_named(readers, account)
        if not self._record.take(key, now_s=now_s, is_named=is_named):
            return self._put_off(key, head, headers, account, fates, now_s, is_named=is_named)
        frame = self._frame(account, readers, greeting, now_s)
        content = bounce(frame, _original(head, headers), fates)
        return _told(_notice(account, frame, content, greeting))

    def delay_for(
        self,
        head: Head,
        statuses: Sequence[RecipientStatus],
        headers: bytes,
        account: Account,
        *,
        now_s: float,
        retry_until_s: float,
        greeting: str = "",
        secret: Secret | None = None,
        last_attempt_s: float = 0.0,
    ) -> Told:
        """
        Tell somebody that a mail is late. Args are those of ``bounce_for``.

        What cannot be told now is not told later, and is no alarm: nothing has failed yet.
        """
        silence = _silence(head, headers, "DELAY")
        if silence is not None:
            return Told(None, silence.reason)
        waiting = {str(status.forward_path).lower() for status in statuses}
        readers = self._readers.find(head, account, waiting, greeting)
        if not readers:
            return Told(None, _nobody().reason)
        key = _key_of(readers)
        is_named = self._readers.are_named(readers, account)
        if not self._record.take(key, now_s=now_s, is_named=is_named):
            reason = say("{address} has had the notices of a day", address=key.replace("\n", ", "))
            return Told(None, reason)
        source = Source(account, greeting, secret, self._languages)
        fates = fates_of(statuses, source, last_attempt_s=last_attempt_s)
        frame = self._frame(account, readers, greeting, now_s)
        content = delay(frame, _original(head, headers), fates, retry_until_s=retry_until_s)
        return _told(_notice(account, frame, content, greeting))

    def broken_for(
        self,
        account: Account,
        problem: str,
        *,
        waiting: int,
        now_s: float,
        fallback: Account | None,
        advice: str = "",
        secret: Secret | None = None,
    ) -> Told:
        """
        Tell somebody that an account can send nothing, through another one.

        Args:
            account: The account that is broken.
            problem: What is wrong, in one sentence.
            waiting: How many mails wait for it.
            now_s: Now, in seconds since the epoch.
            fallback: The account that can; None: there is none, and only an alarm is left.
            advice: What to do; empty: nobody knows.
            secret: What must not be shown.

        """
        if fallback is None:
            reason = say("account {name} has no fallback", name=account.name)
            return Told(None, reason, needs_alarm=True)
        readers = self._readers.administrators(account) or self._readers.administrators(fallback)
        own = sender_of(account)
        if not readers and own is not None:
            readers = (own,)
        if not readers:
            return _nobody()
        frame = self._frame(fallback, readers, "", now_s)
        source = Source(account, "", secret, self._languages)
        content = broken(
            frame,
            account.name,
            source.said(problem),
            waiting=waiting,
            advice=source.said(advice) if advice else None,
        )
        return _told(_notice(fallback, frame, content, ""))

    def due(self, find: Callable[[str], Account], *, now_s: float) -> list[Notice]:
        """
        Return the digests whose day is over; the same again until they are ``settled``.

        Args:
            find: Gives the finished account of a name; raises ``ConfigError``.
            now_s: Now, in seconds since the epoch.

        """
        notices = []
        for put_off in self._record.due(now_s=now_s):
            try:
                account = find(put_off.account)
            except ConfigError:
                continue  # it was taken out of the configuration; perhaps it comes back
            readers = tuple(parse_mailbox(address) for address in put_off.key.split("\n"))
            frame = self._frame(account, readers, "", now_s)
            content = digest(frame, put_off.rows, put_off.count)
            notices.append(_notice(account, frame, content, "", put_off))
        return notices

    def settled(self, notice: Notice) -> None:
        """Take note that a notice is in the spool, for good."""
        if notice.put_off is not None:
            self._record.forget(notice.put_off)

    def _put_off(
        self,
        key: str,
        head: Head,
        headers: bytes,
        account: Account,
        fates: Sequence[Fate],
        now_s: float,
        *,
        is_named: bool,
    ) -> Told:
        addresses = [str(fate.forward_path) for fate in fates]
        recipients = ", ".join(addresses[:3]) + (f" (+{len(fates) - 3})" if fates[3:] else "")
        problems = dict(fates[0].problems)
        if fates[0].reply is not None:
            for language, problem in problems.items():
                problems[language] = f"{problem} ({fates[0].reply})"
        row = Row(head.id, head.accepted_s, subject_of(headers), recipients, problems)
        if not self._record.put_off(key, account.name, row, now_s=now_s, is_named=is_named):
            reason = say("too many people were told of failures today")
            return Told(None, reason, needs_alarm=True)
        reason = say(
            "{address} has had the notices of a day: it is told in a digest",
            address=key.replace("\n", ", "),
        )
        return Told(None, reason)

    def _frame(
        self, account: Account, readers: tuple[Mailbox, ...], greeting: str, now_s: float
    ) -> Frame:
        sender = sender_of(account, greeting) or readers[0]
        domain = message_id_domain(account, sender)
        return Frame(
            sender,
            readers,
            hostname=self._hostname,
            epoch_s=now_s,
            message_id=make_message_id(domain, epoch_s=now_s, random=self._random(10)),
            languages=self._languages,
        )


def _silence(head: Head, headers: bytes, event: str) -> Told | None:
    """Return why nobody is to be told of a mail, or None."""
    if head.origin.door == DOOR:
        return Told(None, say("it is a notice itself"), needs_alarm=True)
    if head.envelope.reverse_path is None:
        return Told(None, say("its sender is the null reverse-path"), needs_alarm=True)
    if head.envelope.notify and event not in head.envelope.notify.upper().split(","):
        reason = say("its sender wants no notice (NOTIFY={notify})", notify=head.envelope.notify)
        return Told(None, reason)
    if _is_answer(headers):
        return Told(None, say("it is an automatic answer"))
    return None


def _is_answer(headers: bytes) -> bool:
    try:
        section, _ = read_header_section(BytesIO(headers).read)
    except PillarboxError:  # a header section that long is no answer
        return False
    value = (section.first("Auto-Submitted") or "").partition(";")[0].strip().lower()
    return value not in ("", "no", "auto-generated")


def _nobody() -> Told:
    reason = say("nobody can be told: set bounce_to in the account")
    return Told(None, reason, needs_alarm=True)


def _told(notice: Notice) -> Told:
    address = ", ".join(map(str, notice.envelope.forward_paths))
    return Told(notice, say("{address} is told", address=address))


def _notice(
    account: Account,
    frame: Frame,
    content: bytes,
    greeting: str,
    put_off: PutOff | None = None,
) -> Notice:
    reverse_path = None
    if account.auth != "off" and demands_login_as_sender(account.host, greeting):
        reverse_path = read_address(account.user or "")
    envelope = Envelope(reverse_path, frame.recipients)
    return Notice(account.name, envelope, content, frame.message_id, put_off)


def _original(head: Head, headers: bytes) -> Original:
    return Original(head.id, head.accepted_s, headers, envid=head.envelope.envid)


def _key_of(readers: Sequence[Mailbox]) -> str:
    return "\n".join(map(str, readers))  # in no mailbox is a line end
