"""
Django's mail through pillarbox: ``EMAIL_BACKEND = "pillarbox.django.EmailBackend"``.

From Django 6.1 on it is ``MAILERS = {"default": {"BACKEND": "pillarbox.django.EmailBackend"}}``.
``PILLARBOX_ACCOUNT`` and ``PILLARBOX_CONFIG`` in the settings name another account or
configuration than the usual one. Django writes the message; its account, its repair and its
delivery are those of every other mail of this computer.
"""

from __future__ import annotations

import os

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend

from pillarbox.compose.result import result_of
from pillarbox.compose.sending import Choice, forward
from pillarbox.errors import PillarboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["EmailBackend"]


class EmailBackend(BaseEmailBackend):  # type: ignore[misc] # Django has no types
    """
    A backend of ``django.core.mail``.

    Args:
        fail_silently: Raise nothing.
        account: The name of an account; None: that of the settings, else the default one.
        config: The configuration; None: that of the settings, else the usual places.

    """

    def __init__(
        self,
        *,
        fail_silently: bool = False,
        account: str | None = None,
        config: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._is_silent = fail_silently  # Django 6.1 does not want to hear of it any more
        name = account or getattr(settings, "PILLARBOX_ACCOUNT", None)
        path = config or getattr(settings, "PILLARBOX_CONFIG", None)
        self._choice = Choice(os.environ, name, None if path is None else os.fspath(path))

    def send_messages(self, email_messages: Iterable[Any]) -> int:
        """
        Send each message; one that fails does not keep the others from being sent. Blocks.

        Returns:
            How many were delivered to all their recipients.

        Raises:
            pillarbox.errors.PillarboxError: The first failure, unless ``fail_silently``.

        """
        sent = 0
        failure: PillarboxError | None = None
        for message in email_messages or ():
            if not message.recipients():
                continue  # as Django's own backend has it
            try:
                self._send(message)
                sent += 1
            except PillarboxError as exc:
                failure = failure or exc
        if failure is not None and not self._is_silent:
            raise failure
        return sent

    def _send(self, message: Any) -> None:
        octets = message.message().as_bytes()
        outcome = forward(octets, message.from_email, message.recipients(), self._choice)
        result_of(outcome).raise_for_failure()
