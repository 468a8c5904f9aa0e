"""
One mail from standard input on its way: what ``msmtp`` and ``sendmail`` have in common.

1. ``_way`` - directly, to the system's service, or as the account says (``handoff.way``).
2. ``Source`` - the header section, rescued from what a shell did to it, where recipients or the
   sender are in it or the mail is sent from here; the body stays in the pipe.
3. ``direct``, or ``queueing``: each of them loaded only when it is the way.
"""

from __future__ import annotations

import os
import sys

from pillarbox.cli.getopt import Option
from pillarbox.cli.main import load
from pillarbox.errors import DataError, PillarboxError, UsageError
from pillarbox.handoff import (
    ACCOUNT,
    DIRECT,
    SYSTEM,
    WISHES,
    drain_input,
    has_input,
    has_own_configuration,
    read_input,
    socket_of,
    way,
)
from pillarbox.handoff.call import NOBODY
from pillarbox.mail.address import parse_address_list
from pillarbox.mail.message import read_message
from pillarbox.mail.originate import recipient_fields
from pillarbox.mail.reply import printable
from pillarbox.mail.rescue import rescue
from pillarbox.text import say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderSection
    from pillarbox.mail.message import Message
    from pillarbox.mail.repair import Change

__all__ = [
    "WISH_OPTIONS",
    "SendRequest",
    "Source",
    "program_name",
    "reverse_path",
    "send_mail",
    "wish_of",
]

# How a caller chooses the way of his mail. ``queue`` is a keyword as well, so the keys have dashes.
WISH_OPTIONS = tuple(Option(f"--{wish}", long=wish) for wish in WISHES)

# What the service does for a caller; every other setting says how this process is to send.
_PASSED_ON = frozenset(("from", "from_full_name", "dsn_notify", "dsn_return"))


class SendRequest(Value):
    """
    What a command line asks for.

    Attributes:
        settings: Values of fields by name.
        recipients: The operands, each the content of a To field.
        account_name: ``-a``, or None.
        user_file: ``-C``, or None.
        host_given: ``--host`` was used.
        reads_recipients: Take recipients from the header as well (``-t``).
        reads_sender: Take the sender from the header (``--read-envelope-from``).
        envid: The envelope identifier for reports (RFC 3461); empty: none.
        is_pretending: Say what would be done, and do nothing (``--pretend``).
        is_debugging: Show account and dialogue (``--debug``).
        wish: ``direct``, ``queue`` or ``wait``: the option of that name; empty: none was given.

    """

    __slots__ = (
        "account_name",
        "envid",
        "host_given",
        "is_debugging",
        "is_pretending",
        "reads_recipients",
        "reads_sender",
        "recipients",
        "settings",
        "user_file",
        "wish",
    )

    def __init__(
        self,
        settings: Mapping[str, object],
        recipients: Sequence[str],
        *,
        account_name: str | None = None,
        user_file: str | None = None,
        host_given: bool = False,
        reads_recipients: bool = False,
        reads_sender: bool = False,
        envid: str = "",
        is_pretending: bool = False,
        is_debugging: bool = False,
        wish: str = "",
    ) -> None:
        self.settings = settings
        self.recipients = recipients
        self.account_name = account_name
        self.user_file = user_file
        self.host_given = host_given
        self.reads_recipients = reads_recipients
        self.reads_sender = reads_sender
        self.envid = envid
        self.is_pretending = is_pretending
        self.is_debugging = is_debugging
        self.wish = wish

    @property
    def changes_sending(self) -> bool:
        """Whether it says how to send, which only this process can do then."""
        others = self.settings.keys() - _PASSED_ON
        if self.is_raw:
            others = others - {"repair"}
        return bool(
            others
            or self.host_given
            or self.user_file is not None
            or self.reads_sender
            or self.is_pretending
            or self.is_debugging
        )

    @property
    def is_raw(self) -> bool:
        """Whether nothing is to be repaired."""
        return self.settings.get("repair") is False


def wish_of(keys: Container[str]) -> str:
    """
    Return which of ``WISHES`` is among the options of a command line; empty: none.

    Raises:
        UsageError: More than one is.

    """
    found = [wish for wish in WISHES if f"--{wish}" in keys]
    if len(found) > 1:
        raise UsageError(say("cannot use both --{one} and --{other}", one=found[0], other=found[1]))
    return found[0] if found else ""


def program_name() -> str:
    """Return the name that the program was called by, for its messages."""
    return printable(sys.argv[0].rpartition("/")[2] or "pillarbox")


def send_mail(request: SendRequest) -> int:
    """
    Bring the mail on standard input on its way, or pretend to. Blocks.

    Returns:
        The exit code of the attempt.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    try:
        code = _send(request)
    except PillarboxError:
        drain_input()
        raise
    if code:
        drain_input()
    return code


def _send(request: SendRequest) -> int:
    socket = socket_of(os.environb)
    chosen = _way(request, socket)
    source = Source(request, is_given_again=chosen != DIRECT)
    if chosen == SYSTEM:
        from pillarbox.cli.queueing import hand_over_as_it_is

        _require_recipients(request, source)
        hand_over_as_it_is(request, source, socket)
        return 0
    header_sender = _header_sender(source.message.headers)
    if request.reads_sender and header_sender is None:
        msg = say("the mail has no From header with an address in it")
        raise UsageError(msg, advice=say("give the sender with -f, or add a From header"))
    _require_recipients(request, source)
    direct = load("pillarbox.cli.direct")
    prepared = direct.prepare(request, header_sender)
    if chosen == ACCOUNT and (prepared.account.queue or request.wish):
        from pillarbox.cli.queueing import queue_as_own

        return queue_as_own(request, source, socket)
    source.forget_octets()
    code: int = direct.send_directly(request, source, prepared)
    return code


def _way(request: SendRequest, socket: str) -> str:
    """
    Return the way of this call.

    Raises:
        UsageError: It wishes for the queue, and says how to send without it.

    """
    if request.wish and request.is_pretending:
        return DIRECT
    if request.wish not in ("", DIRECT) and request.changes_sending:
        raise UsageError(
            say("--{wish} leaves it to the mail service how to send", wish=request.wish),
            advice=say("leave out the options that say how, or use --direct"),
        )
    return way(
        request.wish,
        changes_sending=request.changes_sending,
        has_own_configuration=has_own_configuration(os.environb),
        has_system_socket=bool(socket),
    )


def _require_recipients(request: SendRequest, source: Source) -> None:
    if not source.recipients and not request.is_pretending:
        raise UsageError(
            say("no recipients found"),
            advice=say("name them on the command line, or use -t and a To, Cc or Bcc header"),
        )


class Source:
    """
    The mail on standard input; it is read when something of it is asked for.

    Args:
        request: What the command line asks for.
        is_given_again: Keep what is read, for ``read_again``.

    Attributes:
        changes: What was rescued.

    """

    def __init__(self, request: SendRequest, *, is_given_again: bool) -> None:
        self.changes: list[Change] = []
        self._request = request
        self._octets: list[bytes] | None = [] if is_given_again else None
        self._original: Message | None = None
        self._message: Message | None = None
        self._recipients: list[Mailbox] | None = None

    @property
    def message(self) -> Message:
        """The mail, its header section rescued unless nothing is to be repaired."""
        if self._message is None:
            original = read_message(self._read, remaining_bytes=_remaining_input())
            self._original = original
            is_raw = self._request.is_raw
            self._message = original if is_raw else rescue(original, self.changes)
        return self._message

    @property
    def recipients(self) -> list[Mailbox]:
        """Who is named on the command line and, where asked for, in the header."""
        if self._recipients is None:
            found: list[Mailbox] = []
            for operand in self._request.recipients:
                found += parse_address_list(operand)
            if self._request.reads_recipients:
                for value in recipient_fields(self.message.headers):
                    found += parse_address_list(value)
            self._recipients = found
        return self._recipients

    def take_as_it_is(self) -> None:
        """Take back what was rescued: the account does not want it."""
        if self._message is not self._original:
            self._message = self._original
            self._recipients = None
            self.changes.clear()

    def read_again(self, size: int) -> bytes:
        """Read the mail as it came, from its first octet on; ``b""`` is its end."""
        if not self._octets:
            self.forget_octets()
            return read_input(size)
        first = self._octets.pop(0)
        if len(first) > size:
            self._octets.insert(0, first[size:])
        return first[:size]

    def has_input(self, timeout_s: float) -> bool:
        """Wait up to so long until ``read_again`` would not block; return whether it is so."""
        return bool(self._octets) or has_input(timeout_s)

    def forget_octets(self) -> None:
        """Keep nothing more of what is read."""
        self._octets = None

    def _read(self, size: int) -> bytes:
        data = read_input(size)
        if self._octets is not None:
            self._octets.append(data)
        return data


def _remaining_input() -> int | None:
    """Return how much a file on standard input has left; None for a pipe or a terminal."""
    from stat import S_ISREG

    try:
        status = os.fstat(0)
        left = status.st_size - os.lseek(0, 0, os.SEEK_CUR) if S_ISREG(status.st_mode) else 0
    except OSError:
        return None
    return left if left > 0 else None  # the files in /proc say that they have nothing


def _header_sender(headers: HeaderSection) -> str | None:
    """Return the address of the first From, or of a Resent-From that comes before it."""
    for field in headers.fields:
        if field.key in (b"from", b"resent-from"):
            try:
                found = parse_address_list(field.value)
            except DataError:
                return None
            return str(found[0]) if found else None
    return None


def reverse_path(sender: str) -> Mailbox | None:
    """
    Return the reverse-path that a sender stands for; None: the null reverse-path.

    Raises:
        DataError: It is no address, or more than one.

    """
    if not sender or sender.lower() == NOBODY:
        return None
    found = parse_address_list(sender)
    if len(found) != 1:
        msg = say("the envelope sender must be one address, not {text}", text=repr(sender))
        raise DataError(msg)
    return found[0]
