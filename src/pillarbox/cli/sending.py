"""
One mail from standard input to the relay host: what ``msmtp`` and ``sendmail`` have in common.

1. Read the header section, rescued from what a shell did to it; the body stays in the pipe.
2. Recipients and sender, from the command line and, where asked for, from the header.
3. Configuration, account, aliases: the ``Envelope``.
4. ``delivery.submit.send_now``.
5. Tell the person and the log what became of it.
"""

from __future__ import annotations

import os
import sys

from pillarbox.cli.main import spoken, tell
from pillarbox.config.finish import finish_account, require_sender
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.delivery.submit import send_now
from pillarbox.errors import EX_OK, DataError, InputOutputError, PillarboxError, UsageError
from pillarbox.mail.address import parse_address_list
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.message import read_message
from pillarbox.mail.originate import recipient_fields
from pillarbox.mail.reply import printable
from pillarbox.mail.rescue import rescue
from pillarbox.text import language_of, say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.address import Mailbox
    from pillarbox.mail.headers import HeaderSection
    from pillarbox.mail.repair import Change

__all__ = ["Prepared", "SendRequest", "prepare", "program_name", "send_mail", "show_account"]

_DAEMON = "mailer-daemon"  # sendmail's way to say the null reverse-path


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


def program_name() -> str:
    """Return the name that the program was called by, for its messages."""
    return printable(sys.argv[0].rpartition("/")[2] or "pillarbox")


class Prepared(Value):
    """
    An account that is ready to send, and how it was found.

    Attributes:
        account: The finished account.
        story: What ``--pretend`` says about the choice, a line each.

    """

    __slots__ = ("account", "story")

    def __init__(self, account: Account, story: tuple[str, ...]) -> None:
        self.account = account
        self.story = story


def send_mail(request: SendRequest) -> int:
    """
    Send the mail on standard input, or pretend to. Blocks.

    Returns:
        The exit code of the attempt.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    try:
        code = _send(request)
    except PillarboxError:
        _drain_input()
        raise
    if code:
        _drain_input()
    return code


def _send(request: SendRequest) -> int:
    changes: list[Change] = []
    original = read_message(_read_input, remaining_bytes=_remaining_input())
    message = original if request.settings.get("repair") is False else rescue(original, changes)
    header_sender = _header_sender(message.headers)
    if request.reads_sender and header_sender is None:
        msg = say("the mail has no From header with an address in it")
        raise UsageError(msg, advice=say("give the sender with -f, or add a From header"))
    recipients = _recipients(request, message.headers)
    if not recipients and not request.is_pretending:
        raise UsageError(
            say("no recipients found"),
            advice=say("name them on the command line, or use -t and a To, Cc or Bcc header"),
        )
    prepared = prepare(request, header_sender)
    account = prepared.account
    if not account.repair and message is not original:
        message = original
        recipients = _recipients(request, message.headers)
        changes.clear()
    if request.is_pretending or request.is_debugging:
        show_account(request, prepared, is_sending=True)
    expanded = _expanded(recipients, account)
    if request.is_pretending:
        return EX_OK
    envelope = Envelope(
        _reverse_path(require_sender(account)),
        expanded,
        ret=account.dsn_return or "",
        envid=request.envid,
        notify=account.dsn_notify or "",
    )
    show = print if request.is_debugging else None
    outcome = send_now(
        account, envelope, message, environment=os.environ, show=show, changes=changes
    )
    if request.is_debugging:
        for change in outcome.changes:
            print(f"repaired: {change}")
    return _tell(outcome, account)


def prepare(request: SendRequest, header_sender: str | None = None) -> Prepared:
    """
    Choose the account and make it ready. May run commands of the configuration.

    Args:
        request: What the command line asks for.
        header_sender: The address in the mail's From header; None: there is none.

    Raises:
        ConfigError, InputOutputError: The configuration cannot be used.

    """
    wishes = Wishes(
        request.settings,
        env=os.environ,
        account_name=request.account_name,
        host_given=request.host_given,
        user_file=request.user_file,
        sender=header_sender if request.reads_sender else None,
    )
    files = load_files(wishes)
    is_shown = request.is_pretending or request.is_debugging
    if is_shown:
        from pillarbox.cli.pretend import file_lines

        if request.reads_sender:
            print(f"envelope from address extracted from mail: {header_sender}")
        for line in file_lines(files):  # at once: they explain why no account is found
            print(line)
    chosen, reason = choose_account(files, wishes)
    account = finish_account(chosen, wishes, header_sender)
    story: tuple[str, ...] = ()
    if is_shown:
        from pillarbox.cli.pretend import choice_lines

        story = tuple(choice_lines(account, reason, is_named=request.account_name is not None))
    return Prepared(account, story)


def show_account(request: SendRequest, prepared: Prepared, *, is_sending: bool) -> None:
    """Print the account as ``--pretend`` does."""
    from pillarbox.cli.pretend import account_lines

    for line in prepared.story:
        print(line)
    for line in account_lines(prepared.account, is_sending=is_sending):
        print(line)
    if is_sending:
        more = " and the mail" if request.reads_recipients else ""
        print(f"reading recipients from the command line{more}")


def _read_input(size: int) -> bytes:
    while True:
        try:
            return os.read(0, size)
        except BlockingIOError:
            # Whoever has the other end made it non-blocking for both of us.
            from select import select

            select((0,), (), ())
        except OSError as exc:
            problem = say("cannot read the mail: {reason}", reason=exc.strerror)
            raise InputOutputError(problem) from exc


def _drain_input() -> None:
    """Read what the caller still writes: killed by SIGPIPE, it would not see our exit code."""
    from stat import S_ISFIFO, S_ISSOCK

    try:
        mode = os.fstat(0).st_mode
        while (S_ISFIFO(mode) or S_ISSOCK(mode)) and _read_input(1 << 16):
            pass
    except (OSError, InputOutputError):
        return


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


def _recipients(request: SendRequest, headers: HeaderSection) -> list[Mailbox]:
    found: list[Mailbox] = []
    for operand in request.recipients:
        found += parse_address_list(operand)
    if request.reads_recipients:
        for value in recipient_fields(headers):
            found += parse_address_list(value)
    return found


def _reverse_path(sender: str) -> Mailbox | None:
    if not sender or sender.lower() == _DAEMON:
        return None
    found = parse_address_list(sender)
    if len(found) != 1:
        msg = say("the envelope sender must be one address, not {text}", text=repr(sender))
        raise DataError(msg)
    return found[0]


def _expanded(recipients: list[Mailbox], account: Account) -> tuple[Mailbox, ...]:
    if account.aliases is None or all(recipient.domain for recipient in recipients):
        return tuple(recipients)
    from pillarbox.mail.aliases import expand_aliases

    return tuple(expand_aliases(recipients, account.aliases))


def _tell(outcome: Outcome, account: Account) -> int:
    """Print what went wrong, write the log, and return the exit code."""
    program = program_name()
    if outcome.warnings or outcome.exit_code or account.logfile or account.syslog:
        from pillarbox.delivery.report import failure_lines, log_lines, write_log

        for warning in outcome.warnings:
            tell(program, spoken(say("warning: {warning}", warning=warning)))
        if outcome.exit_code:
            for line in failure_lines(outcome, account, language_of(os.environ)):
                tell(program, line)
        try:
            write_log(account, log_lines(outcome, account), is_success=outcome.exit_code == 0)
        except PillarboxError as exc:
            # The mail's fate is what the exit code tells, whatever became of the log.
            tell(program, spoken(exc.problem))
            tell(program, spoken(exc.advice))
    return outcome.exit_code
