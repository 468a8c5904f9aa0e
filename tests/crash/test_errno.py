"""A call that fails, at any place and in any way: no yes to what is not there, nothing lost."""

from __future__ import annotations

import errno

import pytest

from crash.nursery import FAIL, FAIL_ON, SHORT, Snapshot, after_kill, compiler_path

pytestmark = pytest.mark.skipif(not compiler_path(), reason="a C compiler is missing (cc)")

# What a call may answer, by the beginning of its name; the others only EIO.
_ERRORS = {
    "create": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EACCES, errno.EROFS),
    "open": (errno.EIO, errno.EMFILE, errno.EACCES),
    "mkdir": (errno.EIO, errno.ENOSPC, errno.EROFS),
    "write": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "pwrite": (errno.EIO, errno.ENOSPC, errno.EROFS),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "fdatasync": (errno.EIO, errno.ENOSPC, errno.EROFS),
    "rename": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    "link": (errno.EIO, errno.ENOSPC, errno.EMLINK, errno.EROFS),
    "unlink": (errno.EIO, errno.EACCES, errno.EROFS),
    "close": (errno.EIO, errno.EDQUOT),
    "flock": (errno.ENOLCK, errno.EIO),
    "fcntl": (errno.EMFILE,),
}
_MOVES_OCTETS = ("read", "pread", "write", "pwrite")
_USED_UP = 75  # a story that could not go on ends so; 0: it could


def _points(calls):
    """Yield each way in which each call can be spoiled."""
    for point, call in enumerate(calls, 1):
        name = call.split()[0].removesuffix("64").removesuffix("at")
        for error in _ERRORS.get(name, (errno.EIO,)):
            yield point, call, FAIL, error
        if name in ("create", "write", "fsync", "link"):
            yield point, call, FAIL_ON, errno.ENOSPC  # the disk is full from there on
        if name in _MOVES_OCTETS:
            yield point, call, SHORT, 0


@pytest.mark.parametrize("story", ["submit", "deliver", "recover"])
def test_says_yes_to_nothing_that_failed(nursery, story, folder):
    """Every call fails in every way, by itself or with all behind it, and the spool is whole."""
    spool = folder / "spool"
    told = [nursery.tell(earlier, spool) for earlier in _EARLIER[story]]
    spool.mkdir(mode=0o700, exist_ok=True)
    before = Snapshot(spool)
    calls = nursery.tell(story, spool).calls
    points = list(_points(calls))
    assert len(points) > _AT_LEAST[story]
    for point, call, action, error in points:
        before.restore(spool)
        spoiled = nursery.tell(story, spool, point, action, error)
        where = f"{story}, call {point}, {call}, action {action}, {errno.errorcode.get(error)}"
        assert spoiled.ended in (0, _USED_UP), f"{where}: {spoiled.lines[-1:]}"
        broken = after_kill(spool, *told, spoiled)
        assert not broken, f"{where}: {broken}"


_EARLIER = {"submit": (), "deliver": ("submit",), "recover": ("submit", "deliver")}
_AT_LEAST = {"submit": 150, "deliver": 250, "recover": 50}
