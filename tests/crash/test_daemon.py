"""The daemon as a process: what it says on its socket is true on the disk by then."""

from __future__ import annotations

from pathlib import Path

import pytest

import pillarbox
from crash.nursery import COUNT, KILL, build_shim, compiler_path
from pillarbox.spool.base import QUEUE
from pillarbox.spool.directory import Directory
from served import Service, accounts_for

pytestmark = pytest.mark.skipif(not compiler_path(), reason="a C compiler is missing (cc)")

_SIGKILL = 9
_MAIL = b"From: me@example.org\nSubject: test\n\nhello\n"
_NOWHERE = accounts_for(1)  # nobody listens there: it stays in the queue


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """Build the library once."""
    return build_shim(tmp_path_factory.mktemp("shim"))


def _serve(shim, folder, *, point=0, action=COUNT):
    """Return a service whose calls on spool and sockets are counted from its start."""
    folder.mkdir(parents=True)
    orders = f"{point} {action} 0 1 {folder}/log {folder}/spool"
    package = str(Path(pillarbox.__file__).parents[1])
    env = {"LD_PRELOAD": str(shim), "SHIM": orders, "PYTHONPATH": package}
    return Service(_NOWHERE, folder=folder, env=env)


@pytest.fixture
def calls(shim, tmp_path):
    """Return the calls of a daemon that takes one mail."""
    with _serve(shim, tmp_path / "whole") as service:
        (said,) = service.hand_over(_MAIL)
    assert said.startswith("250 2.0.0 Queued as ")
    log = (tmp_path / "whole" / "log").read_text()
    return [line[5:] for line in log.splitlines() if line.startswith("call ")]


def _window(calls):
    """Return from which call to which one, from 1, a mail goes into the spool and is told of."""
    first = next(i for i, call in enumerate(calls) if call.startswith("create ./tmp/"))
    sends = (i for i, call in enumerate(calls) if call.startswith("send <socket>") and i > first)
    return first + 1, next(sends) + 1


def test_says_yes_only_when_the_queue_is_fsynced(calls):
    """Between the birth of the file and the answer lies all that the protocol asks for."""
    first, last = _window(calls)
    window = calls[first - 1 : last]
    assert "fsync ./queue" in window
    before_yes = [call.split()[0] for call in window[: window.index("fsync ./queue") + 1]]
    steps = ("create", "write", "fsync", "renameat")
    assert [call for call in before_yes if call in steps] == [*steps, "fsync"]


def test_killed_in_front_of_any_call_it_keeps_what_it_took(calls, shim, tmp_path):
    """A daemon that dies while a mail comes in has it, or has not said that it has."""
    first, last = _window(calls)
    for point in range(first, last + 2):
        folder = tmp_path / str(point)
        said = ""
        with _serve(shim, folder, point=point, action=KILL) as service:
            try:
                (said,) = service.hand_over(_MAIL)
            except (OSError, AssertionError):
                said = ""
            service.stop()
        spool = Directory(str(folder / "spool"))
        spool.open()
        found = spool.names(QUEUE)
        assert len(found) == 1 if said.startswith("250") else len(found) <= 1, point
        for name in found:
            claim = spool.claim(name)
            assert claim.read(1 << 16) == _MAIL
            claim.close()
        spool.close()
