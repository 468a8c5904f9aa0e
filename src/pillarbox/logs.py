"""
Log records by mail: ``logging.handlers.SMTPHandler`` with an account, and without a flood.

One mail a record; of records that differ only in their values at most one in ``interval_s``, and
the next mail says how many were left out. Nothing is ever raised into the application.
"""

from __future__ import annotations

import logging
import os
from time import monotonic

from pillarbox.compose.letter import Letter
from pillarbox.compose.result import result_of
from pillarbox.compose.sending import Choice, hand_over, make_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MailHandler"]

_DEFAULT_SUBJECT = "%(levelname)s on %(host)s: %(message)s"
_MAX_SUBJECT = 150  # characters; the rest is in the text
_MAX_KINDS = 1000  # of records that are remembered: templates are few, unless a program makes them


class MailHandler(logging.Handler):
    """
    Mail each record.

    Args:
        to: One or several addresses.
        subject: A template in the words of ``logging.Formatter``, and ``%(host)s``.
        account: The name of an account in the configuration; None: the default one.
        config: The configuration; None: the usual places.
        from_: Who it is from; None: the account's address.
        interval_s: Seconds in which records of one logger and message template make one mail.
        level: The level from which on records are mailed.
        clock: Gives monotonic seconds.

    Emitting blocks until the server has answered: behind ``logging.handlers.QueueHandler`` the
    application does not wait for it.
    """

    def __init__(
        self,
        to: str | Iterable[str],
        *,
        subject: str = _DEFAULT_SUBJECT,
        account: str | None = None,
        config: str | os.PathLike[str] | None = None,
        from_: str | None = None,
        interval_s: float = 60.0,
        level: int | str = logging.ERROR,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(level)
        self._to = (to,) if isinstance(to, str) else tuple(to)
        self._subject = subject
        self._choice = Choice(os.environ, account, None if config is None else os.fspath(config))
        self._from = from_
        self._interval_s = interval_s
        self._clock = clock
        # Kind of a record -> when it was last mailed, and how many were left out since.
        self._mailed: dict[tuple[str, int, str], tuple[float, int]] = {}
        self._is_mailing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Mail a record, unless one of its kind was mailed a moment ago."""
        if self._is_mailing:
            return  # something logs while it mails for us: that would never end
        self._is_mailing = True
        try:
            left_out = self._left_out(record)
            if left_out is not None:
                self._mail(record, left_out)
        except Exception:  # noqa: BLE001 (whatever it is, the application goes on)
            self.handleError(record)
        finally:
            self._is_mailing = False

    def _left_out(self, record: logging.LogRecord) -> int | None:
        """Return how many records of this kind were left out before it; None: so is this one."""
        kind = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        last, count = self._mailed.pop(kind, (None, 0))
        if last is not None and now - last < self._interval_s:
            self._mailed[kind] = (last, count + 1)
            return None
        self._mailed[kind] = (now, 0)
        while len(self._mailed) > _MAX_KINDS:
            del self._mailed[next(iter(self._mailed))]
        return count

    def _mail(self, record: logging.LogRecord, left_out: int) -> None:
        text = self.format(record) + "\n"
        if left_out:
            text += f"\n({left_out} more records like this one were not mailed)\n"
        letter = Letter(
            to=self._to,
            from_=self._from,
            subject=self._subject_of(record),
            text=text,
            is_automatic=True,
        )
        with make_ready(letter, self._choice) as ready:
            outcome, _ = hand_over(ready.account, ready.envelope, ready.message(), self._choice)
        result_of(outcome).raise_for_failure()

    def _subject_of(self, record: logging.LogRecord) -> str:
        message = record.getMessage().strip()
        first = message.splitlines()[0] if message else ""
        known = vars(record) | {"host": os.uname().nodename, "message": first}
        return (self._subject % known)[:_MAX_SUBJECT]
