"""
Sending at once, as msmtp does: this process talks to the relay host, and says what it answered.

1. ``prepare`` - configuration, account.
2. ``send_directly`` - aliases, the ``Envelope``, ``delivery.submit.send_now``.
3. ``_tell`` - the person and the log hear what became of it.
"""

from __future__ import annotations

import os

from pillarbox.cli.main import spoken, tell
from pillarbox.cli.sending import program_name, reverse_path
from pillarbox.config.finish import finish_account, require_sender
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.delivery.submit import send_now
from pillarbox.errors import EX_OK, PillarboxError
from pillarbox.mail.envelope import Envelope
from pillarbox.text import language_of, say
from pillarbox.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.cli.sending import SendRequest, Source
    from pillarbox.config.account import Account
    from pillarbox.delivery.submit import Outcome
    from pillarbox.mail.address import Mailbox

__all__ = ["Prepared", "prepare", "send_directly", "show_account"]


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


def send_directly(request: SendRequest, source: Source, prepared: Prepared) -> int:
    """
    Send a mail now, or say what would be done. Blocks.

    Returns:
        The exit code of the attempt.

    Raises:
        PillarboxError: It never came to an attempt.

    """
    account = prepared.account
    if not account.repair:
        source.take_as_it_is()
    recipients = source.recipients
    if request.is_pretending or request.is_debugging:
        show_account(request, prepared, is_sending=True)
    expanded = _expanded(recipients, account)
    if request.is_pretending:
        return EX_OK
    envelope = Envelope(
        reverse_path(require_sender(account)),
        expanded,
        ret=account.dsn_return or "",
        envid=request.envid,
        notify=account.dsn_notify or "",
    )
    show = print if request.is_debugging else None
    outcome = send_now(
        account,
        envelope,
        source.message,
        environment=os.environ,
        show=show,
        changes=source.changes,
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
