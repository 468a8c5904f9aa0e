"""
Whether an account may be tried now: the one that stands between a broken account and its provider.

A failure of an account is not a failure of its mails: they wait, the account is tried again ever
more seldom, and a person is told once. What is promised, for any sequence of failures, restarts and
jumps of the calendar: in no 24 hours more than ``MAX_LOGINS`` logins that did not succeed, except
for one more each time that a person says ``resume`` or changes the account's settings.

How a caller uses it:

1. ``may_try`` (or ``wait_s``), then ``trying`` right before it connects, and the record is saved
   unless ``is_proven``.
2. ``succeeded`` when the session is ready, or ``failed``. Then ``mail_accepted`` for each mail that
   went through or was refused for a reason of its own, ``failed`` or ``sender_refused`` else.
3. ``needs_notice``, and ``told`` when a person was told. After each change: ``record`` is saved.

Time is the elapsed clock, which nobody can set. It begins anew at a reboot; what is certain then is
only that a record is at least as old as this boot, or as the difference of both readings if that is
less. A restored account may wait for longer than need be, and never for less.
"""

from __future__ import annotations

from pillarbox.delivery.policy import BROKEN, KINDS
from pillarbox.delivery.schedule import DAY_S, DELAYS_S, account_delay_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["MAX_LOGINS", "SENDERS_IN_A_ROW", "Breaker", "fingerprint"]

# Unsuccessful logins in 24 hours: providers lock accounts for as few as ten.
MAX_LOGINS = 8
# Refused senders, all different, from which on it is the account that may not send.
SENDERS_IN_A_ROW = 3
# Of one user's refused senders no more are remembered.
_MAX_SENDERS = 20
# Failures in a row from which on a kind counts: before, it may be chance.
_STRIKES = {"protocol": 3, "busy": 3, "throttled": 2}

# What a session that is ready disproves; the rest is disproved by a mail that goes through.
_DISPROVED_BY_SESSION = frozenset(
    ("tls", "blocked", "login", "locked", "settings", "dropped", "throttled")
)
# What says nothing of the way there, nor of the login.
_OF_MAILS = frozenset(("busy", "daily", "tomorrow", "sender"))
# Seconds that a process waits that finds a login under way whose end nobody saw, the first time,
# the second ...: one that is killed again and again must not log in again and again, and with a
# wrong password these make eight in a day, too.
_CRASHED_S = (0.0, 1800.0, 14400.0)
# What may be over once there is a network again.
_DISPROVED_BY_NETWORK = frozenset(("site", "busy"))
_MAX_REASON = 500
_MAX_FAILURES = 1 << 31
_TEN_YEARS_S = 10 * 365 * DAY_S  # how long a person's pause is said to last
_MAX_NUMBER = 1 << 53  # beyond it, seconds could not be told apart


class Breaker:
    """
    The breaker of one account.

    Args:
        record: What ``record`` gave once; None or nonsense: nothing is known.
        elapsed_s: The elapsed clock.
        fingerprint: That of the account's settings; another one than the record's has the account
            tried at once.

    Attributes:
        kind: What is wrong, of ``policy.KINDS``; empty: nothing.
        reason: How the failure was told, for people.
        since_s: Since when, in seconds since the epoch, for people; 0: it is well.
        failures: How often in a row the account failed, of whatever kind.
        paused_s: Since when a person has it paused, in seconds since the epoch; 0: nobody has.
        is_proven: A login has succeeded in this process and none has failed since.

    """

    def __init__(
        self,
        record: Mapping[str, Any] | None = None,
        *,
        elapsed_s: float,
        fingerprint: str = "",
    ) -> None:
        self.kind = ""
        self.reason = ""
        self.since_s = 0.0
        self.paused_s = 0.0
        self.failures = 0
        self.is_proven = False
        self._steps: dict[str, int] = {}  # failures in a row by kind
        self._until_s = elapsed_s  # no try before, by the elapsed clock
        self._logins: list[float] = []  # when each unsuccessful login was over
        self._pending = 0  # logins under way
        self._unseen: list[float] = []  # when processes began that had not seen a login's end
        self._crashes = 0  # how many such processes in a row
        self._is_free = False  # a person asked for the next one
        self._in_session: set[str] = set()  # kinds that were met behind a login that worked
        self._senders: list[str] = []  # refused in a row, each once
        self._strangers: list[int | None] = []  # whose mail they were on, each once
        self._told: set[str] = set()
        self._fingerprint = fingerprint
        if record is not None:
            self._restore(record, elapsed_s)

    # -- asking --------------------------------------------------------------------------------

    @property
    def is_broken(self) -> bool:
        """Whether a person must mend something."""
        return self.kind in BROKEN and self._has_struck

    @property
    def is_open(self) -> bool:
        """Whether mail is held back by it at all."""
        return self.kind != "" or self.is_paused

    @property
    def is_paused(self) -> bool:
        """Whether a person said that nothing goes through it; only ``resume`` ends that."""
        return self.paused_s > 0

    @property
    def needs_notice(self) -> bool:
        """Whether a person is to be told, and was not yet."""
        is_notable = self.is_broken or (self.kind == "throttled" and self._has_struck)
        return is_notable and self.kind not in self._told

    @property
    def parallel(self) -> int:
        """How many connections may be open at once; 0: as many as are set."""
        return 0 if self.is_proven and not self.kind else 1

    def may_try(self, elapsed_s: float) -> bool:
        """Tell whether a connection may be opened now."""
        return self.wait_s(elapsed_s) <= 0

    def wait_s(self, elapsed_s: float) -> float:
        """Return how long no connection may be opened, in seconds; 0: it may."""
        if self.is_paused:
            return _TEN_YEARS_S
        if self._is_free:
            return 0.0
        wait_s = self._until_s - elapsed_s
        self._forget(elapsed_s)
        logins = [*self._logins, *self._unseen]
        over = len(logins) + self._pending - MAX_LOGINS
        if over >= 0:
            # Until there is room; those under way may yet succeed, which is asked again then.
            oldest = sorted(logins)[over : over + 1] or [elapsed_s]
            wait_s = max(wait_s, oldest[0] + DAY_S - elapsed_s)
        return max(wait_s, 0.0)

    @property
    def _has_struck(self) -> bool:
        return self._steps.get(self.kind, 0) >= _STRIKES.get(self.kind, 1)

    # -- telling -------------------------------------------------------------------------------

    def trying(self, elapsed_s: float) -> None:
        """Count the login that is about to be made, until it is known what became of it."""
        self._forget(elapsed_s)
        self._is_free = False
        self._pending += 1

    def succeeded(self, elapsed_s: float) -> bool:
        """
        Take that the session is ready.

        Returns:
            Whether something had been wrong: the record is to be saved.

        """
        self._forget(elapsed_s)
        self._pending = max(self._pending - 1, 0)
        self.is_proven = True
        # The password is right, and was so in those, for all that is known.
        self._unseen.clear()
        self._crashes = 0
        was_wrong = self.kind != ""
        self._clear(_DISPROVED_BY_SESSION - self._in_session)
        if not self.kind:
            self._until_s = 0.0
        return was_wrong

    def mail_accepted(self) -> bool:
        """
        Take that a mail went through, or failed for a reason of its own.

        Returns:
            Whether something had been wrong: the record is to be saved.

        """
        self._senders.clear()
        self._strangers.clear()
        if not self.kind and not self._steps:
            return False
        was_wrong = self.kind != ""
        self._clear(self._steps.keys() - (_DISPROVED_BY_SESSION - self._in_session))
        return was_wrong

    def failed(
        self,
        kind: str,
        reason: str,
        *,
        now_s: float,
        elapsed_s: float,
        chance: float = 0.5,
        is_login_made: bool = True,
        is_session: bool = False,
    ) -> bool:
        """
        Take that the account failed; more of the same while it waits changes nothing.

        Args:
            kind: Of ``policy.KINDS``, not empty.
            reason: For people, one line.
            now_s: The calendar, for people.
            elapsed_s: The elapsed clock.
            chance: From 0 to 1: where in its range the delay lies.
            is_login_made: The login of ``trying`` was made, or may have been.
            is_session: It happened later, after ``succeeded``: no login is meant.

        Returns:
            Whether the account has just become something else than it was.

        """
        self._forget(elapsed_s)
        if not is_session:
            self._pending = max(self._pending - 1, 0)
            if is_login_made:
                self._logins.append(elapsed_s)
        if kind not in _OF_MAILS:
            self.is_proven = False  # one connection finds out for all whether it is over
        is_waiting = elapsed_s < self._until_s
        if is_waiting and _gravity(kind) <= _gravity(self.kind):
            return False
        before = (self.kind, self._has_struck)
        if is_session:
            self._in_session.add(kind)
        else:
            self._in_session.discard(kind)
        self.failures = min(self.failures + 1, _MAX_FAILURES)
        step = self._steps[kind] = min(self._steps.get(kind, 0) + 1, _MAX_FAILURES)
        delay_s = account_delay_s(kind, step, chance=chance, now_s=now_s)
        self._until_s = max(self._until_s, elapsed_s + delay_s)
        # What is broken stays so until the contrary is proven, even if the way there fails now.
        if kind in BROKEN or not self.is_broken:
            if not self.kind:
                self.since_s = now_s
            self.kind = kind
            self.reason = reason[:_MAX_REASON]
        return (self.kind, self._has_struck) != before

    def sender_refused(
        self,
        sender: str,
        reason: str,
        *,
        now_s: float,
        elapsed_s: float,
        chance: float = 0.5,
        stranger: int | None = None,
    ) -> bool:
        """
        Take that a mail's sender was refused: the third of different ones in a row is one too many.

        Unless they are all one stranger's: he may have made them up, and could end everybody's
        mail by it (attack: three senders that nobody has).

        Args:
            sender: The reverse-path; empty: the null one.
            stranger: The user whose mail it is; None: somebody who runs this machine.
            reason, now_s, elapsed_s, chance: Those of ``failed``.

        Returns:
            Whether the account has just become something else than it was.

        """
        if sender not in self._senders:
            self._senders.append(sender)
        if stranger not in self._strangers:
            self._strangers.append(stranger)
        is_one = len(self._strangers) == 1 and stranger is not None
        is_too_few = len(self._senders) < SENDERS_IN_A_ROW or is_one
        if is_too_few and self.kind != "sender":
            del self._senders[_MAX_SENDERS:]
            return False
        del self._senders[SENDERS_IN_A_ROW:]
        del self._strangers[SENDERS_IN_A_ROW:]
        return self.failed(
            "sender", reason, now_s=now_s, elapsed_s=elapsed_s, chance=chance, is_session=True
        )

    def pause(self, now_s: float) -> bool:
        """Let nothing go through it, until ``resume``: a person said so; False: it is known."""
        if self.is_paused:
            return False
        self.paused_s = now_s
        return True

    def resume(self) -> None:
        """Have the account tried at once: a person said so."""
        self.paused_s = 0.0
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._clear(frozenset(self._steps))
        self._senders.clear()
        self._strangers.clear()
        self._is_free = True
        self.is_proven = False

    def hurry(self) -> bool:
        """
        Have an account be tried at once that was not reached: the network is back.

        What waits because of its login, or because the provider asked for it, waits on: networks
        come back often, and each time must not be a login.

        Returns:
            Whether it had been waiting for that.

        """
        if self.kind not in _DISPROVED_BY_NETWORK:
            return False
        self._clear(_DISPROVED_BY_NETWORK)
        return True

    def use(self, fingerprint: str) -> bool:
        """Take the settings' fingerprint; when it is another, have it tried, and return True."""
        if fingerprint == self._fingerprint:
            return False
        self._fingerprint = fingerprint
        self._begin_anew()
        return True

    def told(self) -> None:
        """Take that a person was told of what is wrong."""
        self._told.add(self.kind)

    # -- keeping -------------------------------------------------------------------------------

    def record(self, elapsed_s: float) -> dict[str, Any]:
        """Return everything that a restart must know, as JSON can say it; no secret is in it."""
        self._forget(elapsed_s)
        return {
            "version": 1,
            "kind": self.kind,
            "reason": self.reason,
            "since_s": self.since_s,
            "paused_s": self.paused_s,
            "failures": self.failures,
            "steps": dict(self._steps),
            "told": sorted(self._told),
            "in_session": sorted(self._in_session),
            "senders": list(self._senders),
            "strangers": list(self._strangers),
            "fingerprint": self._fingerprint,
            "elapsed_s": elapsed_s,
            "wait_s": max(self._until_s - elapsed_s, 0.0),
            "login_ages_s": [elapsed_s - login_s for login_s in self._logins],
            "unseen_ages_s": [elapsed_s - login_s for login_s in self._unseen],
            "crashes": self._crashes,
            "pending": self._pending,
        }

    def _restore(self, record: Mapping[str, Any], elapsed_s: float) -> None:
        saved_s = _number(record.get("elapsed_s"))
        # The least that can have gone by since: the clock may have begun anew meanwhile.
        gone_s = elapsed_s - saved_s if elapsed_s >= saved_s else max(elapsed_s, 0.0)
        kind = record.get("kind")
        self.kind = kind if isinstance(kind, str) and kind in DELAYS_S else ""
        self.reason = str(record.get("reason", ""))[:_MAX_REASON]
        self.since_s = _number(record.get("since_s"))
        self.paused_s = _number(record.get("paused_s"))
        self.failures = int(_number(record.get("failures")))
        steps = record.get("steps")
        if isinstance(steps, dict):
            self._steps = {
                name: int(_number(count)) for name, count in steps.items() if name in DELAYS_S
            }
        if self.kind:
            self._steps.setdefault(self.kind, 1)
        self._told = {str(name) for name in _list(record, "told")} & DELAYS_S.keys()
        self._in_session = {str(name) for name in _list(record, "in_session")} & DELAYS_S.keys()
        self._senders = [str(name) for name in _list(record, "senders")][:SENDERS_IN_A_ROW]
        self._strangers = [
            uid for uid in _list(record, "strangers") if uid is None or isinstance(uid, int)
        ][:SENDERS_IN_A_ROW]
        self._logins = _moments(record, "login_ages_s", elapsed_s - gone_s)
        self._unseen = _moments(record, "unseen_ages_s", elapsed_s - gone_s)
        self._until_s = elapsed_s + max(_number(record.get("wait_s")) - gone_s, 0.0)
        if self.kind == "site":
            self._until_s = elapsed_s  # to knock costs nothing, and a restart may be the mending
        self._crashes = min(int(_number(record.get("crashes"))), len(_CRASHED_S))
        pending = min(int(_number(record.get("pending"))), MAX_LOGINS)
        if pending:
            # When they were made that nobody saw the end of is not known: as late as can be.
            self._unseen += [elapsed_s] * pending
            self._crashes = min(self._crashes + 1, len(_CRASHED_S))
            self._until_s = max(self._until_s, elapsed_s + _CRASHED_S[self._crashes - 1])
        self._forget(elapsed_s)
        if record.get("fingerprint", "") != self._fingerprint:
            self._begin_anew()

    def _forget(self, elapsed_s: float) -> None:
        """Drop the logins that are a day old."""
        self._logins = [login_s for login_s in self._logins if elapsed_s - login_s < DAY_S]
        self._unseen = [login_s for login_s in self._unseen if elapsed_s - login_s < DAY_S]

    def _clear(self, kinds: frozenset[str] | set[str]) -> None:
        for kind in list(self._steps):
            if kind in kinds:
                del self._steps[kind]
        self._told -= kinds
        self._in_session -= kinds
        if self.kind in kinds:
            self.kind = max(self._steps, key=_gravity, default="")
            self._until_s = 0.0
        if not self.kind:
            self.reason = ""
            self.since_s = 0.0
            self.failures = 0


def fingerprint(*words: str) -> str:
    """
    Return by what other settings of an account are known to be others, its secret among them.

    Sixteen bits: a change is missed once in 65,536 times, and nobody who reads a record learns more
    of a password than those.
    """
    from hashlib import sha256

    return sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:4]


def _gravity(kind: str) -> int:
    return KINDS.index(kind) if kind else -1


def _number(value: object) -> float:
    """Return a number of a record that is not negative; 0 for anything else."""
    is_number = type(value) in (int, float)
    return value if is_number and 0 <= value < _MAX_NUMBER else 0.0  # type: ignore[operator,return-value]


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []


def _moments(record: Mapping[str, Any], name: str, saved_s: float) -> list[float]:
    """Return when things were that had these ages when a record was saved; the youngest few."""
    ages_s = sorted(map(_number, _list(record, name)))
    return [saved_s - age_s for age_s in ages_s[:MAX_LOGINS]]
