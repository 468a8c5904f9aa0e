"""
What goes out: from an account, an envelope and a message to the mails that are sent.

Usually that is one mail, its message repaired as the account and its provider need it. With
``repair off`` only the headers are completed, as msmtp does; with ``own_copies on`` a recipient
whom the message does not name gets a mail of his own that does.

The message is repaired behind the greeting: what the server offers decides how it is encoded.
"""

from __future__ import annotations

from os import uname

from pillarbox.delivery.attempt import Mail
from pillarbox.mail.address import is_local
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.headers import HeaderField
from pillarbox.mail.originate import (
    HeaderWishes,
    add_missing_headers,
    blind_copy_field,
    format_date,
    make_message_id,
)
from pillarbox.mail.repair import Change, RepairFacts, repair
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pillarbox.config.account import Account
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderSection
    from pillarbox.mail.message import Message
    from pillarbox.smtp.client import Client

__all__ = ["Stamp", "message_id_domain", "outgoing_mails", "repaired", "with_allowed_sender"]


class Stamp(Value):
    """
    What a mail is marked with, the same in all copies and at each try.

    Attributes:
        epoch_s: The moment for its Date, in seconds since the epoch.
        message_id: The Message-ID that it gets if it has none.
        trace: The Received field that goes before it, with its line end; empty: none.

    """

    __slots__ = ("epoch_s", "message_id", "trace")

    def __init__(self, epoch_s: float, message_id: str, trace: bytes = b"") -> None:
        self.epoch_s = epoch_s
        self.message_id = message_id
        self.trace = trace

    def put_on(self, message: Message) -> Message:
        """Return the message behind its Received field."""
        if not self.trace:
            return message
        field = HeaderField(b"Received", self.trace)
        return message.with_headers(message.headers.preceded_by((field,)))


def outgoing_mails(
    account: Account,
    envelope: Envelope,
    message: Message,
    client: Client | None,
    changes: list[Change],
    stamp: Stamp | None = None,
) -> Iterator[Mail]:
    """
    Yield the mails to send; together they have the recipients of the envelope, each once.

    Args:
        account: A finished account.
        envelope: Who gets it.
        message: As it came, or as ``rescue`` left it; it is used up.
        client: The session that they go over; None: unknown.
        changes: Gets what is repaired, some of it only when the content is read.
        stamp: What it is marked with; None: a new one.

    Raises:
        DataError, MissingExtraError: As ``originate.add_missing_headers``.

    """
    stamp = stamp or _stamp(account, envelope.reverse_path)
    if not account.repair:
        headers = _completed(account, envelope, message.headers, stamp)
        yield Mail(envelope, stamp.put_on(message.with_headers(headers)).content())
        return
    takes_8bit = client is not None and "8BITMIME" in client.capabilities
    for copy in _copies(account, envelope, message, changes):
        facts = _facts(account, copy.envelope, stamp, client, takes_8bit=takes_8bit)
        # What is wrong with one copy is wrong with all: it is told once.
        whole = repair(copy.message, facts, changes if copy.is_first else [])
        if copy.blind is not None:
            whole = whole.with_headers(whole.headers.preceded_by((copy.blind,)))
        yield Mail(copy.envelope, stamp.put_on(whole).content())


def repaired(
    account: Account, envelope: Envelope, message: Message, changes: list[Change]
) -> Message:
    """
    Return the message as it would go out to a server that takes 7-bit text only.

    Args and exceptions are those of ``outgoing_mails``.
    """
    stamp = _stamp(account, envelope.reverse_path)
    if not account.repair:
        return message.with_headers(_completed(account, envelope, message.headers, stamp))
    return repair(message, _facts(account, envelope, stamp, None, takes_8bit=False), changes)


def _facts(
    account: Account,
    envelope: Envelope,
    stamp: Stamp,
    client: Client | None,
    *,
    takes_8bit: bool,
) -> RepairFacts:
    def demands_sender() -> bool:
        from pillarbox.config.hints import demands_login_as_sender

        return demands_login_as_sender(account.host, _greeting(client))

    return RepairFacts(
        sender=envelope.reverse_path,
        recipients=envelope.forward_paths,
        wishes=_wishes(account),
        epoch_s=stamp.epoch_s,
        message_id=stamp.message_id,
        host=uname().nodename,
        takes_8bit=takes_8bit,
        demands_sender=demands_sender,
    )


def _wishes(account: Account) -> HeaderWishes:
    return HeaderWishes(
        set_from=account.set_from_header,
        set_to=account.set_to_header,
        set_date=account.set_date_header == "auto",
        set_message_id=account.set_msgid_header == "auto",
        remove_bcc=account.remove_bcc_headers,
        full_name=account.from_full_name or "",
    )


def _completed(
    account: Account, envelope: Envelope, headers: HeaderSection, stamp: Stamp
) -> HeaderSection:
    return add_missing_headers(
        headers,
        _wishes(account),
        sender=envelope.reverse_path,
        recipients=envelope.forward_paths,
        date=format_date(stamp.epoch_s),
        message_id=stamp.message_id,
    )


def _stamp(account: Account, sender: Mailbox | None) -> Stamp:
    """Return what a mail is marked with that is sent now."""
    from os import urandom
    from time import time

    now = time()
    domain = message_id_domain(account, sender)
    return Stamp(now, make_message_id(domain, epoch_s=now, random=urandom(10)))


def message_id_domain(account: Account, sender: Mailbox | None) -> str:
    """Return what stands behind the @ of a Message-ID: our own name, else the sender's domain."""
    if account.domain and account.domain != "localhost":
        return account.domain
    if sender is not None and sender.domain:
        return sender.domain_ascii
    # An address, or a name that is not ASCII, cannot stand in a Message-ID as it is.
    host = account.host
    is_name = host.isascii() and ":" not in host and not host.replace(".", "").isdigit()
    return host if host and is_name else "localhost"


def with_allowed_sender(
    account: Account, envelope: Envelope, client: Client | None, changes: list[Change]
) -> Envelope:
    """
    Return the envelope with a sender that the provider takes, and that can be answered.

    Where a provider is known to take only the login, that is the login. In the place of one that
    is valid on this computer only, such as ``root`` from a program that says ``-f``, stands the
    account's own. Args are those of ``outgoing_mails``.
    """
    sender = envelope.reverse_path
    if sender is None or not account.repair:
        return envelope
    login = account.user if account.auth != "off" and "@" in (account.user or "") else ""
    wanted = ""
    if is_local(sender):
        wanted = account.own_sender or login or ""
    elif login and str(sender).lower() != login.lower():
        from pillarbox.config.hints import demands_login_as_sender

        if demands_login_as_sender(account.host, _greeting(client)):
            wanted = login
    new = _read_sender(wanted) if wanted else None
    if new is None:
        return envelope
    what = say("the envelope sender {old} became {new}", old=str(sender), new=str(new))
    changes.append(Change("ENV-SENDER", "", what))
    return _for(envelope, envelope.forward_paths, new)


def _read_sender(text: str) -> Mailbox | None:
    """Return an address that strangers can send to; None: it is none, but a pattern perhaps."""
    from pillarbox.errors import DataError
    from pillarbox.mail.address import parse_mailbox

    if any(char in text for char in "*?[%"):
        return None
    try:
        found = parse_mailbox(text)
    except DataError:
        return None
    return None if is_local(found) else found


def _greeting(client: Client | None) -> str:
    return str(client.greeting) if client is not None and client.greeting else ""


class _Copy(Value):
    """A message for some of the recipients, and the Bcc that names the one it is for, or None."""

    __slots__ = ("blind", "envelope", "is_first", "message")

    def __init__(
        self,
        envelope: Envelope,
        message: Message,
        blind: HeaderField | None = None,
        *,
        is_first: bool = True,
    ) -> None:
        self.envelope = envelope
        self.message = message
        self.blind = blind
        self.is_first = is_first


def _copies(
    account: Account, envelope: Envelope, message: Message, changes: list[Change]
) -> Iterator[_Copy]:
    """Yield a copy for all whom the message names, and then one for each whom it does not."""
    unnamed: list[Mailbox] = []
    paths = envelope.forward_paths
    if account.own_copies and len(paths) > 1:
        named = _named(message.headers)
        unnamed = [path for path in paths if str(path).lower() not in named]
    if not unnamed:
        yield _Copy(envelope, message)
        return
    what = say("{count} recipients get a copy of their own", count=len(unnamed))
    changes.append(Change("HDR-TO-FORGED", "To", what))
    start, rest = message.look_ahead()
    again = _again(rest)
    together = tuple(path for path in paths if path not in unnamed)
    headers = message.headers
    if together:
        yield _Copy(
            _for(envelope, together),
            message.replaced(headers, start, again(), keeps_size=True),
        )
    # Whom the mail was written to stays to be seen; a name of this computer tells nobody anything.
    is_to_others = bool(together) or any("." in name.partition("@")[2] for name in named)
    if not is_to_others:
        headers = headers.without(("To", "Cc"))
    for number, path in enumerate(unnamed):
        yield _Copy(
            _for(envelope, (path,)),
            message.replaced(headers, start, again(), keeps_size=True),
            # RFC 5322 3.6.3: a blind copy may name the one that it is for.
            blind_copy_field(path) if is_to_others else None,
            is_first=number == 0 and not together,
        )


def _named(headers: HeaderSection) -> set[str]:
    """Return the addresses in To and Cc, in lower case."""
    from pillarbox.errors import DataError
    from pillarbox.mail.address import parse_address_list

    named: set[str] = set()
    for field in headers.fields:
        if field.key in (b"to", b"cc"):
            try:
                named.update(str(found).lower() for found in parse_address_list(field.value))
            except DataError:
                continue  # it names nobody that a filter could find
    return named


def _again(
    rest: Callable[[int], bytes] | None,
) -> Callable[[], Callable[[int], bytes] | None]:
    """Return what gives a new reader of the rest of a body at each call; blocks to keep it."""
    if rest is None:
        return lambda: None
    from os import dup
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        while chunk := rest(1 << 16):
            file.write(chunk)
        file.flush()
        kept = _Kept(dup(file.fileno()))

    def reader() -> Callable[[int], bytes]:
        place = 0

        def read(size: int) -> bytes:
            nonlocal place
            chunk = kept.read_at(place, size)
            place += len(chunk)
            return chunk

        return read

    return reader


class _Kept:
    """A file without a name, which lives as long as a reader of it: nothing can be left over."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        from os import close

        close(self._descriptor)

    def read_at(self, place: int, size: int) -> bytes:
        from os import pread

        return pread(self._descriptor, size, place)


def _for(envelope: Envelope, paths: tuple[Mailbox, ...], sender: Mailbox | None = None) -> Envelope:
    return Envelope(
        sender or envelope.reverse_path,
        paths,
        ret=envelope.ret,
        envid=envelope.envid,
        notify=envelope.notify,
    )
