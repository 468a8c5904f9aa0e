"""The model allows what POSIX does, and no more."""

from __future__ import annotations

import pytest

from crash.weak import DIRECTORY, Weak

_NEW = [("mkdir", "d"), ("mkdir", "e"), ("sync_directory", "."), ("create", "d/f", 1)]
_SYNCED = [*_NEW, ("write", 1, 0, b"old"), ("sync", 1), ("sync_directory", "d")]

_TABLE = {
    "nothing of a new file is certain": (
        [*_NEW, ("write", 1, 0, b"ab")],
        {(), (("d/f", b""),), (("d/f", b"ab"),), (("d/f", b"\0\0"),), (("d/f", b"\xa5\xa5"),)},
    ),
    "a directory's fsync brings the name and not the data": (
        [*_NEW, ("write", 1, 0, b"a"), ("sync_directory", "d")],
        {(("d/f", b""),), (("d/f", b"a"),), (("d/f", b"\0"),), (("d/f", b"\xa5"),)},
    ),
    "a file's fsync brings the data and not the name": (
        [*_NEW, ("write", 1, 0, b"ab"), ("sync", 1)],
        {(), (("d/f", b"ab"),)},
    ),
    "both are certain": (_SYNCED, {(("d/f", b"old"),)}),
    "bytes written in place come one by one": (
        [*_SYNCED, ("write", 1, 0, b"nld"), ("write", 1, 2, b"w")],
        {(("d/f", data),) for data in (b"old", b"nld", b"olw", b"nlw")},
    ),
    "a rename may leave two names, or none": (
        [*_SYNCED, ("rename", "d/f", "e/f")],
        {
            (("d/f", b"old"),),
            (("e/f", b"old"),),
            (("d/f", b"old"), ("e/f", b"old")),
            (),
        },
    ),
    "the fsync of one directory says nothing of the other": (
        [*_SYNCED, ("rename", "d/f", "e/f"), ("sync_directory", "e")],
        {(("e/f", b"old"),), (("d/f", b"old"), ("e/f", b"old"))},
    ),
    "what was removed may come back": (
        [*_SYNCED, ("unlink", "d/f")],
        {(), (("d/f", b"old"),)},
    ),
    "what was fsynced in vain is not there, whatever the next fsync says": (
        [*_SYNCED, ("write", 1, 0, b"new"), ("fail_to_sync", 1), ("sync", 1)],
        {(("d/f", b"old"),)},
    ),
}


def _trees(steps, **options):
    weak = Weak(**options)
    for step in steps:
        weak.step(*step)
    found = set()
    for names, contents in weak.trees(10_000):
        numbers = sorted({number for _, number in names} - {DIRECTORY})
        of = dict(zip(numbers, contents, strict=True))
        found.add(tuple(sorted((n, of[f]) for n, f in names if f != DIRECTORY)))
    return found


@pytest.mark.parametrize("what", _TABLE)
def test_allows_what_posix_does(what):
    """Each row is a history and everything that may be left of it."""
    steps, expected = _TABLE[what]
    assert _trees(steps) == expected


def test_a_journal_keeps_a_rename_whole():
    """Without the split, a file that is renamed has one name at every instant."""
    steps = [*_SYNCED, ("rename", "d/f", "e/f")]
    assert _trees(steps, is_split=False) == {(("d/f", b"old"),), (("e/f", b"old"),)}


def test_a_write_comes_in_sectors():
    """Of a longer file each piece may be missing by itself."""
    data = b"a" * 512 + b"b" * 512
    trees = _trees([*_NEW, ("write", 1, 0, data), ("sync_directory", "d")])
    assert {
        (("d/f", b"\0" * 512 + b"b" * 512),),
        (("d/f", b"a" * 512 + b"\0" * 512),),
        (("d/f", data),),
        (("d/f", b""),),
    } <= trees


def test_draws_the_same_with_the_same_seed():
    """A finding is found again; another seed looks elsewhere."""
    steps = [*_SYNCED, *(("write", 1, 3 + i, bytes([65 + i])) for i in range(30))]
    assert _trees(steps, seed=1) == _trees(steps, seed=1)
    assert _trees(steps, seed=1) != _trees(steps, seed=2)
