"""
A file system that promises no more than POSIX does: what may be on the disk behind a power cut.

Only what was fsynced is certain. Of everything else each effect may be there or not, by itself:
every piece of a write, a file's size, every entry that was made in a directory or taken out of it.
``Weak.step`` takes one system call; ``Weak.trees`` yields what a machine may find that loses
power just behind it. A file's fsync says nothing of the entry that leads to it, and a directory's
says nothing of other directories: with ``is_split`` a file that is being renamed may for a while
have two names, or none. Without it a rename is one effect, as on every journalling file system.

Where the subsets are too many they are drawn from a generator with a given seed, after the
extremes: nothing, everything, and everything but one.
"""

from __future__ import annotations

from itertools import islice, product
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["DIRECTORY", "Tree", "Weak"]

DIRECTORY = -1  # what stands in place of a file's number where a name leads to a directory

_SECTOR_BYTES = 512  # what a disk writes whole; bytes of an in-place write are taken one by one
_MAX_PIECES = 6  # of one write; a longer one has larger pieces
_MAX_ALL = 10  # effects whose subsets are all taken; of more some are drawn
_GARBAGE = b"\xa5"  # what was on the disk before, where a size came and its data did not

# What a machine finds: the number of the file behind each name, and the contents of the files in
# the order of their numbers. Trees are compared as they are.
Tree = tuple[frozenset[tuple[str, int]], tuple[bytes, ...]]


class _File:
    """What is certain of a file, and what is not."""

    def __init__(self) -> None:
        self.now = b""
        self.durable = b""
        self.pieces: list[tuple[int, bytes]] = []
        self.sizes: list[int] = []
        self.has_failed = False
        self.variants: list[bytes] | None = [b""]

    def write(self, offset: int, data: bytes) -> None:
        before = self.now.ljust(offset, b"\0")
        self.now = before[:offset] + data + before[offset + len(data) :]
        self.pieces += _pieces(b"" if self.has_failed else before, offset, data)
        self.resize(len(self.now))

    def resize(self, size: int) -> None:
        self.now = self.now[:size].ljust(size, b"\0")
        if size != (self.sizes[-1] if self.sizes else len(self.durable)):
            self.sizes.append(size)
        self.variants = None

    def sync(self) -> None:
        self.durable = self._made_of(self.pieces, len(self.now), b"\0")
        self.pieces, self.sizes = [], []
        self.variants = [self.durable]

    def fail_to_sync(self) -> None:
        """Forget what was to be written, as Linux does; the next fsync says that all is well."""
        self.pieces = []
        self.has_failed = True
        self.variants = None

    def contents(self, random: Random, limit: int) -> list[bytes]:
        """Return what may be in it, each once."""
        if self.variants is None:
            self.variants = list(dict.fromkeys(islice(self._draw(random, limit), 4 * limit)))
            del self.variants[limit:]
        return self.variants

    def _draw(self, random: Random, limit: int) -> Iterator[bytes]:
        sizes = [*self.sizes, len(self.durable)]
        for chosen in _subsets(self.pieces, random, limit):
            for size in sizes if len(sizes) < 4 else (*sizes[-2:], random.choice(sizes)):
                yield self._made_of(chosen, size, b"\0")
            if len(chosen) < len(self.pieces):
                yield self._made_of(chosen, len(self.now), _GARBAGE)

    def _made_of(self, pieces: Sequence[tuple[int, bytes]], size: int, hole: bytes) -> bytes:
        content = bytearray(self.durable.ljust(max(size, len(self.now)), hole))
        for offset, data in pieces:
            content[offset : offset + len(data)] = data
        return bytes(content[:size])


class Weak:
    """
    The file system, fed with steps: ``(what, arguments...)``.

    Args:
        seed: For what is drawn.
        is_split: Have the two halves of a rename reach the disk each by itself.
        variants: How many contents of one file, and how many sets of names, are looked at.

    """

    def __init__(self, seed: int = 0, *, is_split: bool = True, variants: int = 48) -> None:
        self._random = Random(seed)
        self._is_split = is_split
        self._variants = variants
        self._files: dict[int, _File] = {}
        self._now: dict[str, int] = {}
        self._durable: dict[str, int] = {}
        # Of each: the directories whose fsync makes it certain, and what it does to names.
        self._effects: list[tuple[frozenset[str], tuple[tuple[str, int | None], ...]]] = []
        self._names: list[dict[str, int]] | None = [{}]
        self._begun: dict[int, list[Any]] = {}  # by fsync: what was done before it began

    def begin_with(self, names: Mapping[str, int], contents: Mapping[int, bytes]) -> None:
        """Have something there from the start, and certain."""
        for number, content in contents.items():
            file = self._files[number] = _File()
            file.write(0, content)
            file.sync()
        self._now, self._durable, self._names = dict(names), dict(names), None

    def step(self, what: str, *arguments: Any) -> None:
        """Take one system call that was made and did not fail."""
        getattr(self, f"_{what}")(*arguments)

    def trees(self, limit: int) -> Iterator[Tree]:
        """Yield up to ``limit`` of the trees that may be there now; all, if there are fewer."""
        name_sets = self._name_sets()
        limit = max(2, limit // len(name_sets))
        for names in name_sets:
            reached = sorted({file for file in names.values() if file != DIRECTORY})
            contents = [
                self._files[file].contents(self._random, self._variants) for file in reached
            ]
            total = 1
            for several in contents:
                total *= len(several)
            if total <= limit:
                chosen: Any = product(*contents)
            else:
                chosen = self._draw(contents, limit)
            key = frozenset(names.items())
            for content in chosen:
                yield key, content

    def _contents(self, file: int) -> list[bytes]:
        return self._files[file].contents(self._random, self._variants)

    def _draw(self, contents: list[list[bytes]], limit: int) -> Iterator[tuple[bytes, ...]]:
        yield tuple(several[0] for several in contents)  # what the first subset is: everything
        for _ in range(limit - 1):
            yield tuple(self._random.choice(several) for several in contents)

    def _name_sets(self) -> list[dict[str, int]]:
        if self._names is None:
            found = {}
            for effects in _subsets(self._effects, self._random, self._variants):
                names = dict(self._durable)
                for _, changes in effects:
                    for name, file in changes:
                        if file is None:
                            names.pop(name, None)
                        else:
                            names[name] = file
                names = {n: f for n, f in names.items() if _parent(n) in names or "/" not in n}
                found[frozenset(names.items())] = names
            self._names = list(found.values())
        return self._names

    def _change(self, *changes: tuple[str, int | None]) -> None:
        for name, file in changes:
            if file is None:
                del self._now[name]
            else:
                self._now[name] = file
        parts = [(change,) for change in changes] if self._is_split else [changes]
        for part in parts:
            self._effects.append((frozenset(_parent(name) for name, _ in part), part))
        self._names = None

    # The steps.

    def _mkdir(self, name: str) -> None:
        self._change((name, DIRECTORY))

    def _create(self, name: str, file: int) -> None:
        self._files[file] = _File()
        self._change((name, file))

    def _write(self, file: int, offset: int, data: bytes) -> None:
        self._files[file].write(offset, data)

    def _resize(self, file: int, size: int) -> None:
        self._files[file].resize(size)

    def _link(self, name: str, target: str) -> None:
        self._change((target, self._now[name]))

    def _rename(self, name: str, target: str) -> None:
        self._change((target, self._now[name]), (name, None))

    def _unlink(self, name: str) -> None:
        self._change((name, None))

    def _sync(self, file: int) -> None:
        self._files[file].sync()

    def _fail_to_sync(self, file: int) -> None:
        self._files[file].fail_to_sync()

    def _begin_sync(self, token: int) -> None:
        self._begun[token] = list(self._effects)

    def _sync_directory(self, directory: str, token: int = -1) -> None:
        """Make certain what was done in a directory before its fsync began, with that token."""
        counted = {id(effect) for effect in self._begun.pop(token, self._effects)}
        left: list[Any] = []
        for effect in self._effects:
            places, changes = effect
            if directory not in places or id(effect) not in counted:
                left.append(effect)
                continue
            for name, file in changes:
                # What was to become of the name before is overtaken.
                left = [other for other in left if name not in dict(other[1])]
                if file is None:
                    self._durable.pop(name, None)
                else:
                    self._durable[name] = file
        if len(left) < len(self._effects):
            self._effects, self._names = left, None


def _parent(name: str) -> str:
    return name.rpartition("/")[0] or "."


def _pieces(before: bytes, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a write into what may reach the disk by itself."""
    if offset + len(data) > len(before):
        step = max(_SECTOR_BYTES, -(-len(data) // _MAX_PIECES // _SECTOR_BYTES) * _SECTOR_BYTES)
        for start in range(0, len(data), step):
            yield offset + start, data[start : start + step]
        return
    changed = [i for i in range(len(data)) if data[i] != before[offset + i]]
    step = -(-len(changed) // _MAX_PIECES) or 1
    for start in range(0, len(changed), step):
        first, last = changed[start], changed[min(start + step, len(changed)) - 1]
        yield offset + first, data[first : last + 1]


def _subsets(effects: list[Any], random: Random, limit: int) -> Iterator[list[Any]]:
    """Yield subsets in order: the extremes, then all of them or as many as are wanted."""
    yield effects
    yield []
    if len(effects) <= _MAX_ALL and 1 << len(effects) <= limit:
        for bits in range(1, (1 << len(effects)) - 1):
            yield [effect for i, effect in enumerate(effects) if bits >> i & 1]
        return
    for i in range(len(effects)):
        yield effects[:i] + effects[i + 1 :]
    for _ in range(limit):
        bits = random.getrandbits(len(effects))
        yield [effect for i, effect in enumerate(effects) if bits >> i & 1]
