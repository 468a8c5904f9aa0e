"""
What every fuzz file runs on: atheris where it is installed, else mutations of its seeds.

A fuzz file has a docstring that states its property and each allowed refusal, ``SEEDS``, and
``check``, which takes bytes and raises when the property does not hold. It ends in
``run(check, SEEDS)``. ``python fuzz/fuzz_reply.py 60`` runs one for 60 seconds.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from importlib.util import find_spec
from random import Random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["mutate", "run"]

_SECONDS = 30.0
_MAX_BYTES = 1 << 14  # an input grows by being doubled; longer ones find nothing new

# What parsers of mail trip over; a random byte would seldom be one of these.
_TOKENS = (
    *(b"\r", b"\n", b"\r\n", b"\n\r", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b".", b"\0", b"\t", b" "),
    *(b"\x0b", b"\x7f", b"\x1b[2J", b"\x80", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xc3\xa9"),
    *(b'"', b"\\", b"(", b")", b"<", b">", b"@", b",", b";", b":", b"[", b"]", b"=", b"-", b"+"),
    *(b"220 ", b"250 ", b"250-", b"334 ", b"354 ", b"421 ", b"503 ", b"550 5.1.1 ", b"2200 "),
    *(b"Bcc:", b"0", b"99999999999999999999", b"LAST", b"=?utf-8?B?", b"AUTH ", b"STARTTLS"),
)


def run(check: Callable[[bytes], None], seeds: Sequence[bytes]) -> None:
    """
    Look for an input that breaks the property; end with exit code 1 when there is one.

    The first argument of the command line is for how many seconds to look. Blocks so long.
    """
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    for data in seeds:
        _try(check, data)
    if find_spec("atheris") is None:  # there is no wheel of it for every Python
        _search(check, seeds, seconds)
    else:
        _search_with_atheris(check, seeds, seconds)


def _search_with_atheris(
    check: Callable[[bytes], None], seeds: Sequence[bytes], seconds: float
) -> None:
    import atheris

    rng = Random(0)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        rng.seed(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return mutate(data or rng.choice(seeds), rng)[:max_size]

    def look(data: bytes) -> None:
        try:
            _try(check, data)
        except SystemExit:
            os._exit(1)  # libFuzzer would call it a crash, write a file and exit with 77

    atheris.instrument_all()
    arguments = [sys.argv[0], f"-max_total_time={max(1, int(seconds))}", f"-max_len={_MAX_BYTES}"]
    atheris.Setup(arguments, look, custom_mutator=mutated)
    atheris.Fuzz()


def mutate(data: bytes, rng: Random) -> bytes:
    """Return ``data`` with one to eight changes: tokens and bytes put in, cut out, moved."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        start = rng.randint(0, len(changed))
        end = min(len(changed), start + rng.randint(0, 1 << rng.randint(0, 5)))
        kind = rng.randrange(6)
        if kind == 0:
            changed[start:start] = rng.choice(_TOKENS)
        elif kind == 1:
            changed[start:end] = rng.choice(_TOKENS)
        elif kind == 2:
            del changed[start:end]
        elif kind == 3:
            changed[start : start + 1] = rng.randbytes(1)
        elif kind == 4:
            changed[start:start] = changed[start:end]
        else:
            piece = bytes(changed[start:end])
            del changed[start:end]
            place = rng.randint(0, len(changed))
            changed[place:place] = piece
    return bytes(changed[:_MAX_BYTES])


def _search(check: Callable[[bytes], None], seeds: Sequence[bytes], seconds: float) -> None:
    rng = Random(time.time_ns())
    deadline = time.monotonic() + seconds
    pool = list(seeds)
    tried = 0
    while time.monotonic() < deadline:
        data = mutate(rng.choice(pool), rng)
        _try(check, data)
        tried += 1
        if tried % 50 == 0:  # changes upon changes, but always near a seed
            pool[len(seeds) :] = [*pool[len(seeds) :], data][-200:]
    print(f"{tried} inputs in {seconds:.0f} s, no failure")


def _try(check: Callable[[bytes], None], data: bytes) -> None:
    try:
        check(data)
    except Exception:  # noqa: BLE001 (whatever breaks the property)
        traceback.print_exc()
        print(f"check({data!r})")
        sys.stdout.flush()
        sys.exit(1)
