"""
A deliverer as the settings want it: the one place where the parts of a queue are put together.

The daemon, ``pillarbox queue flush`` and a user's own queue differ in who calls it, not in what
it makes.
"""

from __future__ import annotations

import os

from pillarbox.delivery.acceptance import Accounts
from pillarbox.delivery.alarm import Alarm, Bell
from pillarbox.delivery.deliverer import Deliverer
from pillarbox.delivery.events import ERROR
from pillarbox.delivery.health import Memory
from pillarbox.delivery.notices import Notices
from pillarbox.delivery.told_accounts import TellingAccounts, ToldAccounts
from pillarbox.delivery.traffic import Limits, Traffic
from pillarbox.smtp.parse import parse_hello
from pillarbox.spool.folders import ACCOUNTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pillarbox.config.settings import Service
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events
    from pillarbox.spool.directory import Directory

__all__ = ["hostname_of", "limits_of", "make_accounts", "make_deliverer"]


def make_accounts(service: Service, environment: Mapping[str, str], *, is_user: bool) -> Accounts:
    """
    Return the accounts of a service, loaded. Blocks; may run commands of the configuration.

    Args:
        service: Its settings.
        environment: What the files' patterns and the search for secrets look up.
        is_user: It is one user's own.

    Raises:
        ConfigError, InputOutputError: Their files cannot be used.

    """
    if is_user:
        accounts = Accounts(
            dict(environment),
            user_file=service.accounts_file or None,
            is_user=True,
            aliases=service.aliases,
        )
    elif "deliver" in service.roles:
        accounts = TellingAccounts(
            dict(environment), system_file=service.accounts_file, aliases=service.aliases
        )
    else:
        accounts = ToldAccounts(
            dict(environment),
            folder=f"{service.spool}/{ACCOUNTS}",
            system_file=service.accounts_file,
            aliases=service.aliases,
        )
    accounts.load()
    return accounts


def hostname_of(service: Service) -> str:
    """Return our name for Received fields and greetings."""
    name = service.hostname or os.uname().nodename
    return name if isinstance(parse_hello(name.encode()), str) else "localhost"


def make_deliverer(
    spool: Directory,
    accounts: Accounts,
    service: Callable[[], Service],
    *,
    hostname: str,
    events: Events,
    clock: Clock | None = None,
) -> Deliverer:
    """
    Return a deliverer that is still to be loaded.

    Args:
        spool: Where the mail is; open.
        accounts: What it goes through; loaded.
        service: Gives the settings, as they are at that moment.
        hostname: Our own name, for notices.
        events: Gets a line for whatever happens.
        clock: The time.

    """
    settings = service()
    if isinstance(accounts, TellingAccounts):
        accounts.tell(spool.accounts_path)
    notices = Notices(
        hostname,
        record_path=f"{spool.accounts_path}/notices.json",
        per_day=settings.notices.per_day,
        languages=settings.notices.languages,
        aliases=settings.aliases,
    )

    bell = Bell(
        lambda subject, text: Alarm(service().alerts.command, hostname=hostname).tell(
            "crit", subject, text
        ),
        on_failure=lambda problem: events.event(ERROR, "alarm_failed", problem=problem),
    )
    return Deliverer(
        Traffic(
            spool,
            accounts,
            events,
            notices,
            limits=limits_of(settings),
            clock=clock,
            memory=Memory(spool.accounts_path),
            alarm=bell.ring,
        )
    )


def limits_of(service: Service) -> Limits:
    """Return how a queue is delivered by these settings."""
    delivery = service.delivery
    return Limits(
        connections=delivery.connections_per_account,
        mails=delivery.mails_per_connection,
        idle_s=delivery.connection_idle_s,
        lifetime_s=delivery.connection_lifetime_s,
        queue_lifetime_s=delivery.queue_lifetime_s,
        warning_after_s=delivery.warning_after_s,
        failed_kept_s=delivery.failed_kept_s,
        scan_interval_s=delivery.scan_interval_s,
    )
