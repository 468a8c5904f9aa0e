"""
Delivering a queue that has no daemon, in the foreground: ``pillarbox queue flush`` and ``resume``.

The same deliverer as the daemon's, once through what waits. Root becomes the spool's owner for
good first: what an account of it runs to find a password must not run as root.
"""

from __future__ import annotations

import os

from pillarbox.cli.main import spoken
from pillarbox.cli.queue_page import account_lines
from pillarbox.config.service import load_service
from pillarbox.delivery.assembly import hostname_of, make_accounts, make_deliverer
from pillarbox.delivery.journal import make_silent_events
from pillarbox.delivery.steward_rows import account_row
from pillarbox.errors import EX_OK, EX_TEMPFAIL, EntryNotFoundError, UsageError
from pillarbox.mail.reply import printable
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillarbox.cli.queue_access import QueueAccess
    from pillarbox.delivery.deliverer import Deliverer

__all__ = ["flush_spool"]


def flush_spool(
    queue: QueueAccess,
    account: str = "",
    *,
    ids: list[str] | None = None,
    resumes: bool = False,
    is_quiet: bool = False,
) -> int:
    """
    Deliver now what waits in a queue without a daemon, and tell what is left. Blocks.

    Args:
        queue: The queue, open for changes.
        account: Only what goes through it; empty: everything.
        ids: Only these; None: everything.
        resumes: Even if the account is paused.
        is_quiet: Print nothing.

    Returns:
        0: nothing is left; 75: mail is left.

    Raises:
        ConfigError, InputOutputError: The settings or the accounts are wrong.
        UsageError: There is no such account to resume.
        EntryNotFoundError: Nothing waits for the account.

    """
    queue.become_owner()
    deliverer = _make_deliverer(queue)
    before = deliverer.load()
    if resumes:
        if not deliverer.has_account(account):
            raise UsageError(say("there is no account {name}", name=printable(account)))
        deliverer.resume(account)
    elif account and account not in {state.name for state in deliverer.accounts()}:
        raise EntryNotFoundError(say("nothing waits for account {name}", name=printable(account)))
    if account:
        ids = [item.id for item in deliverer.queue.items(account)]
    left = deliverer.flush_once(ids=ids)
    if ids is not None:
        left = sum(entry_id in deliverer.queue for entry_id in ids)
        before = len(ids)
    if before and not is_quiet:
        print(
            spoken(say("{sent} mails are dealt with, {left} wait", sent=before - left, left=left))
        )
    now_s = deliverer.clock.epoch_s()
    for state in [] if is_quiet else deliverer.accounts():
        for line in account_lines(account_row(state), now_s):
            print(line)
    return EX_TEMPFAIL if left else EX_OK


def _make_deliverer(queue: QueueAccess) -> Deliverer:
    place = queue.place
    service = load_service(place.settings or None, is_user=place.is_user)
    accounts = make_accounts(service, os.environ, is_user=place.is_user)
    # What happens is told at the end, and the notices tell the senders.
    events = make_silent_events(service)
    hostname = hostname_of(service)
    return make_deliverer(
        queue.directory, accounts, lambda: service, hostname=hostname, events=events
    )
