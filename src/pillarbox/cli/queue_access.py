"""
How a command reaches a queue: through the daemon that has it, or its spool by itself.

The daemon is asked where its control socket is there and somebody answers on it. Else the spool is
worked on directly: by its owner, or by root, who becomes the owner meanwhile so that nothing of
root's is left in it. Whatever changes something takes the lock of those who deliver.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from pillarbox.config.places import find_places
from pillarbox.errors import NetworkError, SpoolError
from pillarbox.net.control import ControlClient
from pillarbox.text import language_of, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Self

    from pillarbox.delivery.steward import Steward
    from pillarbox.spool.directory import Directory

    Row = dict[str, Any]

__all__ = ["CONTROL_VARIABLE", "QueueAccess", "QueuePlace", "find_queue"]

# Names another control socket than the one of the settings.
CONTROL_VARIABLE = "PILLARBOX_CONTROL"

_ROOT = 0
_FOR_EVER_S = 20 * 366 * 86400.0  # where no settings say how long: nothing is removed


class QueuePlace:
    """
    Where a queue is.

    Attributes:
        control: The socket of its daemon; empty: its daemon is not asked.
        spool: Its directory.
        settings: The file with its settings; empty: the usual one.
        is_user: It is that of the user, not the system's.
        is_named: The environment names the socket: where nobody answers, nothing else is meant.
        history_kept_s: How long its history is kept, in seconds.

    """

    def __init__(
        self,
        *,
        control: str,
        spool: str,
        settings: str = "",
        is_user: bool,
        is_named: bool = False,
        history_kept_s: float = _FOR_EVER_S,
    ) -> None:
        self.is_named = is_named
        self.history_kept_s = history_kept_s
        self.control = control
        self.spool = spool
        self.settings = settings
        self.is_user = is_user


def find_queue(
    environment: Mapping[str, str], *, is_user: bool, spool: str = "", settings: str = ""
) -> QueuePlace:
    """
    Return where the system's queue, or the user's own, is.

    Args:
        environment: Names the user's directories, and perhaps another control socket.
        is_user: The user's own is meant.
        spool: A directory of a spool: it, and no daemon.
        settings: A file of settings in place of the usual one.

    Raises:
        ConfigError: The settings are wrong.

    """
    if spool:
        return QueuePlace(control="", spool=os.path.abspath(spool), is_user=is_user)
    places = find_places(environment, is_user=is_user)
    control, directory, kept_s = places.control_socket, places.spool, _FOR_EVER_S
    path = settings or places.settings
    # Settings that only the daemon may read are not for everybody who asks for his mails.
    if settings or os.access(path, os.R_OK):
        from pillarbox.config.service import load_service

        service = load_service(settings or None, is_user=is_user, environment=environment)
        control, directory = service.control_socket, service.spool
        kept_s = service.delivery.history_kept_s
    named = environment.get(CONTROL_VARIABLE, "")
    return QueuePlace(
        control=named or control,
        spool=directory,
        settings=settings,
        is_user=is_user,
        is_named=bool(named),
        history_kept_s=kept_s,
    )


class QueueAccess:
    """
    A queue that answers; use it in a ``with``.

    Args:
        place: Where it is.
        environment: Says in which language.
        is_changing: Something will be changed, so that nobody else may deliver meanwhile.

    Attributes:
        place: Where it is.

    Raises:
        NetworkError: The daemon cannot be asked.
        SpoolError: Only a daemon could open it for this user, or somebody else delivers from it.

    """

    def __init__(
        self, place: QueuePlace, environment: Mapping[str, str], *, is_changing: bool = False
    ) -> None:
        self.place = place
        self._environment = environment
        self._is_changing = is_changing
        self._client: ControlClient | None = None
        self._spool: Directory | None = None
        self._steward: Steward | None = None
        self._owner = (_ROOT, _ROOT)

    @property
    def has_daemon(self) -> bool:
        """Whether a daemon answers."""
        return self._client is not None

    @property
    def is_there(self) -> bool:
        """Whether there is such a queue; where none is, nothing waits."""
        return self._client is not None or self._spool is not None

    def __enter__(self) -> Self:
        self._client = _client_for(self.place)
        if self._client is None:
            self._open_spool()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()
        if self._spool is not None:
            with self._as_owner():
                self._spool.close()

    @property
    def directory(self) -> Directory:
        """The spool itself, where no daemon has it."""
        assert self._spool is not None  # has_daemon and is_there say whether it is here
        return self._spool

    def ask(self, command: str, **wishes: object) -> Iterator[Row]:
        """Yield the rows of an answer, the last of which has ``end``."""
        language = language_of(self._environment)
        request = {"command": command, "language": language, **wishes}
        if self._client is not None:
            yield from self._client.ask(request)
        elif self._steward is not None:
            answer = self._steward.answer(os.getuid(), request)
            while True:
                with self._as_owner():
                    row = next(answer, None)
                if row is None:
                    return
                yield row
        else:
            yield from _nothing().answer(os.getuid(), request)

    @contextmanager
    def _as_owner(self) -> Iterator[None]:
        """Be the spool's owner meanwhile: root may, and everybody else is it already."""
        uid, gid = self._owner
        if os.getuid() != _ROOT or uid == _ROOT:
            yield
            return
        groups = os.getgroups()
        try:
            os.setgroups([])
            os.setegid(gid)
            os.seteuid(uid)
        except OSError as exc:
            raise _shut(self.place.spool, exc.strerror) from exc
        try:
            yield
        finally:
            os.seteuid(_ROOT)
            os.setegid(os.getgid())
            os.setgroups(groups)

    def become_owner(self) -> None:
        """Be the spool's owner for good, if we are root."""
        uid, gid = self._owner
        if os.getuid() == _ROOT and uid != _ROOT:
            try:
                os.setgroups([])
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
            except OSError as exc:
                raise _shut(self.place.spool, exc.strerror) from exc

    def _open_spool(self) -> None:
        path = self.place.spool
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return
        except OSError as exc:
            raise _shut(path, exc.strerror) from exc
        if os.getuid() not in (_ROOT, status.st_uid):
            raise _shut(path, say("only its owner and root may look into it"))
        from pillarbox.delivery.clock import Clock
        from pillarbox.delivery.events import Events
        from pillarbox.delivery.health import Memory
        from pillarbox.delivery.history import HISTORY, History
        from pillarbox.delivery.steward import Steward
        from pillarbox.delivery.still import StillCarrier
        from pillarbox.spool.directory import Directory

        self._owner = (status.st_uid, status.st_gid)
        spool = Directory(path, part="deliver" if self._is_changing else "draft")
        with self._as_owner():
            spool.open()
        self._spool = spool
        memory = Memory(spool.accounts_path)
        carrier = StillCarrier(spool, memory, Clock(), knows=self._has_account)
        history = History(f"{path}/{HISTORY}", self.place.history_kept_s)
        events = Events(targets=(), history=history)
        self._steward = Steward(
            spool, carrier, owner_uid=status.st_uid, events=events, history=history
        )

    def _has_account(self, name: str) -> bool:
        """Return whether the queue's configuration has an account."""
        from pillarbox.config.service import load_service
        from pillarbox.delivery.assembly import make_accounts

        place, environment = self.place, self._environment
        service = load_service(
            place.settings or None, is_user=place.is_user, environment=environment
        )
        return name in make_accounts(service, environment, is_user=place.is_user).names()


def _nothing() -> Steward:
    """Return who answers for a queue that is not there: it is empty, and nobody delivers it."""
    from pillarbox.delivery.clock import Clock
    from pillarbox.delivery.health import Memory
    from pillarbox.delivery.steward import Steward
    from pillarbox.delivery.still import StillCarrier
    from pillarbox.spool import memory

    spool = memory.Memory()
    spool.open()
    return Steward(spool, StillCarrier(spool, Memory(), Clock()), owner_uid=os.getuid())


def _client_for(place: QueuePlace) -> ControlClient | None:
    """Return a conversation with the daemon of a queue; None: there is no daemon."""
    if not place.control or not (place.is_named or os.path.exists(place.control)):
        return None
    try:
        return ControlClient(place.control)
    except NetworkError as exc:
        if place.is_named:
            advice = say("{variable} names it: start it, or unset that", variable=CONTROL_VARIABLE)
            raise NetworkError(exc.problem, peer=exc.peer, advice=advice) from exc
        if isinstance(exc.__cause__, ConnectionRefusedError):
            return None  # what it left behind when it was killed
        raise


def _shut(path: str, reason: str | None) -> SpoolError:
    problem = say("cannot look into the queue {path}: {reason}", path=path, reason=reason or "")
    return SpoolError(problem, advice=say("start the daemon, 'pillarbox serve', or ask root"))
