"""
A process that is warm, and has a child for each story: the child is killed, or its calls fail.

Started with ``shim.so`` preloaded, by ``nursery.py``. It reads one order a line (JSON) and
answers with one: what the child said, and how it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from importlib import import_module

from crash.stories import STORIES
from pillarbox.errors import PillarboxError
from pillarbox.spool.directory import Directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pillarbox.spool.base import Spool

_SHIM = ctypes.CDLL(None)
_PROMISED = 75  # how a story ends that could not go on, as sysexits have it


def _tell(order: dict, said: int) -> int:
    """Tell a story with one call of it spoiled; return how it ended."""
    path = order["spool"]
    cut = os.open(order["cut"], os.O_RDONLY) if order["cut"] else -1
    configuration = order["configuration"]
    story = _carry(configuration) if configuration else STORIES[order["story"]][1]
    spool = Directory(path)
    _SHIM.shim_arm(
        os.fsencode(order["root"]),
        ctypes.c_long(order["point"]),
        order["action"],
        order["error"],
        said,
        cut,
        bool(configuration),
    )
    try:
        story(spool, lambda line: os.write(said, line.encode() + b"\n"))
    except PillarboxError as exc:
        os.write(said, f"failing story {exc!r}\n".encode())
        return _PROMISED
    return 0


def _carry(configuration: str) -> Callable[[Spool, Callable[[str], object]], object]:
    from crash.world import accounts_for, carry

    accounts = accounts_for(configuration)
    return lambda spool, say: carry(spool, accounts, say)


def main() -> None:
    """Have a child for each order."""
    import_module("crash.world")  # for its children: it is long to load
    for line in sys.stdin:
        order = json.loads(line)
        readable, writable = os.pipe()
        child = os.fork()
        if not child:
            os.close(readable)
            try:
                os._exit(_tell(order, writable))
            except BaseException as exc:  # noqa: BLE001 (it is told to the parent)
                os.write(writable, f"failing driver {exc!r}\n".encode())
                os._exit(1)
        os.close(writable)
        with os.fdopen(readable) as stream:
            lines = stream.read().splitlines()
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"lines": lines, "ended": ended}), flush=True)


main()
