"""``msmtp-queue``: the queue's keeper under the name that msmtp's users know; see ``msmtpq``."""

from __future__ import annotations

from pillarbox.cli.msmtpq import manage as main

__all__ = ["main"]
