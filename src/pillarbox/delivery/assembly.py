"""
A deliverer as the settings want it: the one place where the parts of a queue are put together.

The daemon, ``pillarbox queue flush`` and a user's own queue differ in who calls it, not in what
it makes.
"""

from __future__ import annotations

import threading

from pillarbox.delivery.alarm import Alarm
from pillarbox.delivery.deliverer import Deliverer, Limits
from pillarbox.delivery.events import ERROR
from pillarbox.delivery.health import Memory
from pillarbox.delivery.notices import Notices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.config.settings import Service
    from pillarbox.delivery.acceptance import Accounts
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.events import Events
    from pillarbox.spool.directory import Directory

__all__ = ["limits_of", "make_deliverer"]


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
    notices = Notices(
        hostname,
        record_path=f"{spool.accounts_path}/notices.json",
        per_day=settings.notices.per_day,
        languages=settings.notices.languages,
        aliases=settings.aliases,
    )

    def alarm(subject: str, text: str) -> None:
        """Have the administrator's command told, in a thread of its own."""
        teller = Alarm(service().alerts.command, hostname=hostname)

        def tell() -> None:
            if problem := teller.tell("crit", subject, text):
                events.event(ERROR, "alarm_failed", problem=problem)

        threading.Thread(target=tell, name="pillarbox alarm", daemon=True).start()

    return Deliverer(
        spool,
        accounts,
        events,
        notices,
        limits=limits_of(settings),
        clock=clock,
        memory=Memory(spool.accounts_path),
        alarm=alarm,
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
