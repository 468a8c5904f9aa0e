"""
An installation: the plan is compared with the system, shown, and carried out; or taken back.

1. ``Installation.compare`` - what the plan (``install_plan``) and the record of an earlier
   installation (``install_record``) mean for this system. Nothing is changed.
2. ``Installation.carry_out`` - the record is written first, then the package, then what calls it,
   so that no program is ever there without what it needs.
3. ``take_back`` - in the other order; to the octet, apart from what others have changed.

The programs of a mail server keep their place with dpkg-divert, without a moment at which there is
no sendmail: the old file gets its second name first, and ours is renamed over it. The rule to
keep: each step may be the last one for today; when it comes again it finds what the last one did.
"""

from __future__ import annotations

import os
from contextlib import suppress

from pillarbox.cli.install_files import NEW, is_same, sight_of
from pillarbox.cli.install_plan import SPOOL, USER, program_paths
from pillarbox.cli.install_record import DONE, FOLDER, PATH, UNDER_WAY, Entry, Record
from pillarbox.cli.install_system import (
    DISTRIB,
    diversions,
    divert,
    has_dpkg,
    ids_of_user,
    make_user,
    remove_user,
    stop_diverting,
)
from pillarbox.errors import InputOutputError
from pillarbox.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pillarbox.cli.install_files import Root, Sight
    from pillarbox.cli.install_plan import Item
    from pillarbox.text import Text

__all__ = ["RUN", "Installation", "take_back"]

RUN = "/run/pillarbox"

_COPIES = f"{FOLDER}/saved"
_FOLDERS_OF_RECORD = (_COPIES, FOLDER)  # go last
_PRIVATE = 0o700
_PUBLIC = 0o755
_MAIL = ("tmp", "queue", "hold", "failed", "corrupt")  # in what a spool's mail can be
_DIVERTED_PREFIX = "/usr"  # dpkg knows nothing of what is elsewhere


class Installation:
    """
    What is to be done to a system so that it is as planned.

    Args:
        root: The system.
        prefix: As ``/usr``.
        items: The plan, in the order of being put in place.
        diverts: Have dpkg put other packages' files elsewhere, where there is dpkg.
        library: The directory whose files are counted and not named.

    """

    def __init__(
        self, root: Root, prefix: str, items: Sequence[Item], *, diverts: bool, library: str
    ) -> None:
        self._root = root
        self._prefix = prefix
        self._items = items
        self._library = library
        self._diverts = diverts and prefix == _DIVERTED_PREFIX and has_dpkg(root)
        self._to_put: list[Item] = []
        self._to_divert: list[Entry] = []
        self._obsolete: list[Entry] = []
        self._left: list[str] = []
        self._moved: list[str] = []
        self._has_user = ids_of_user(root) is not None
        self._record = Record(prefix)
        self.compare()

    def compare(self) -> None:
        """
        Find what is to be done.

        Raises:
            ConfigError: The record of an earlier installation is damaged.
            InputOutputError: Something is in the way.

        """
        old = Record.read(self._root) or Record(self._prefix)
        record = self._record
        record.folders, record.has_made_user = list(old.folders), old.has_made_user
        self._known_diversions = diversions(self._root)
        for item in self._items:
            self._compare_item(item, old.entries.get(item.path))
        self._obsolete = [e for path, e in old.entries.items() if path not in record.entries]
        self._is_interrupted = old.state != DONE

    def _compare_item(self, item: Item, known: Entry | None) -> None:
        seen, wanted = self._root.look(item.path), sight_of(item)
        if seen is not None and seen["kind"] == "other":
            problem = say("{path} is neither a file nor a link", path=item.path)
            raise InputOutputError(problem, advice=say("take it away"))
        if item.is_settings and seen and (known is None or not is_same(seen, known.now)):
            self._left.append(item.path)
            if known is not None:
                self._record.entries[item.path] = known
            return
        entry = known or self._new_entry(item, seen)
        if known is not None and not is_same(seen, known.now) and not is_same(seen, wanted):
            self._find_changed(known, seen)
        entry.now = wanted
        self._record.entries[item.path] = entry
        if entry.diverted and item.path not in self._known_diversions:
            self._to_divert.append(entry)
        if not is_same(seen, wanted):
            self._to_put.append(item)

    def _new_entry(self, item: Item, seen: Sight | None) -> Entry:
        is_program = item.path in program_paths(self._prefix).values()
        diverted = copy = ""
        if self._diverts and is_program and item.path not in self._known_diversions:
            diverted = item.path + DISTRIB
            there = self._root.look(diverted)
            if there is not None and not is_same(there, seen):
                problem = say("{path} is there already", path=diverted)
                advice = say("take it away, or use --no-divert")
                raise InputOutputError(problem, advice=advice)
        elif seen is not None and seen["kind"] == "file":
            copy = f"{_COPIES}/{item.path.strip('/').replace('/', '-')}"
        return Entry(
            item.path,
            sight_of(item),
            before=seen,
            copy=copy,
            diverted=diverted,
            is_settings=item.is_settings,
        )

    def _find_changed(self, known: Entry, seen: Sight | None) -> None:
        """Note a file of ours that somebody has changed; what was there before us is none."""
        is_untouched = not known.diverted and is_same(seen, known.before)
        is_not_diverted_yet = known.diverted and known.path not in self._known_diversions
        if seen is not None and not is_untouched and not is_not_diverted_yet:
            self._moved.append(known.path)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(
            self._to_put
            or self._to_divert
            or self._obsolete
            or self._is_interrupted
            or not self._has_user
            or self._folders_missing()
        )

    def lines(self) -> Iterator[Text]:
        """Yield what would be done, a sentence each."""
        record = self._record
        if not self._has_user:
            yield say("make the user {user}", user=USER)
        inside = [item for item in self._to_put if item.path.startswith(f"{self._library}/")]
        if inside:
            yield say("put {count} files below {path}", count=len(inside), path=self._library)
        for item in self._to_put:
            if item not in inside:
                yield self._line_of(record.entries[item.path])
        for path in self._folders_missing():
            yield say("make the directory {path}", path=path)
        for entry in self._obsolete:
            yield say("take {path} away, which belongs to an older version", path=entry.path)
        for path in self._left:
            yield say("leave {path} as it is: it is yours", path=path)

    def _line_of(self, entry: Entry) -> Text:
        path = entry.path
        if entry in self._to_divert:
            return say(
                "put {path}; other packages' own goes to {other} (dpkg-divert)",
                path=path,
                other=entry.diverted,
            )
        if path in self._moved:
            return say(
                "put {path}, which was changed; the changed one is kept beside it", path=path
            )
        if entry.copy:
            return say("put {path}, and keep a copy of what is there", path=path)
        return say("put {path}", path=path)

    def _folders_missing(self) -> list[str]:
        folders = (SPOOL, RUN) if self._root.is_here else (SPOOL,)
        return [path for path in folders if not os.path.isdir(self._root.at(path))]

    def carry_out(self) -> list[str]:
        """
        Do it.

        Returns:
            Where files are now that somebody had changed and that had to make way.

        Raises:
            InputOutputError: Something of it cannot be done; what was done stays, and the next
                ``install`` or ``uninstall`` goes on from there.

        """
        root, record = self._root, self._record
        record.folders[:0] = root.make_folders(f"{_COPIES}/x")
        for entry in record.entries.values():
            if (
                entry.copy
                and root.look(entry.copy) is None
                and is_same(root.look(entry.path), entry.before)
            ):
                root.save(entry.path, entry.copy)
        old = Record.read(root)
        for entry in self._obsolete:
            record.entries[entry.path] = entry  # until it is gone
        record.has_made_user = record.has_made_user or (not self._has_user and old is None)
        record.state = UNDER_WAY
        record.write(root)
        moved = [root.move_aside(path) for path in self._moved]
        for item in self._to_put:
            entry = record.entries[item.path]
            made = root.make_folders(item.path)
            if made:
                record.folders[:0] = made
                record.write(root)
            if entry in self._to_divert:
                self._divert(entry)
            root.put(item)
        for entry in self._to_divert:
            self._divert(entry)  # of what was in place already
        for entry in self._obsolete:
            moved += take_back_entry(root, entry)
            del record.entries[entry.path]
        self._make_user_and_folders()
        record.state = DONE
        record.write(root)
        return moved

    def _divert(self, entry: Entry) -> None:
        root = self._root
        if entry.path in diversions(root):
            return
        seen, there = root.look(entry.path), root.look(entry.diverted)
        if seen is not None and there is None and not is_same(seen, entry.now):
            os.link(root.at(entry.path), root.at(entry.diverted), follow_symlinks=False)
        divert(root, entry.path)

    def _make_user_and_folders(self) -> None:
        root, record = self._root, self._record
        if os.geteuid() == 0 and not self._has_user:
            make_user(root, SPOOL)
        owner = ids_of_user(root)
        for path in self._folders_missing():
            record.folders[:0] = [path, *root.make_folders(path)]
            record.write(root)
            os.mkdir(root.at(path), _PRIVATE)
            if os.geteuid() == 0 and owner is not None:
                os.chown(root.at(path), *owner)
            os.chmod(root.at(path), _PRIVATE if path == SPOOL else _PUBLIC)


# -- back ------------------------------------------------------------------------------------------


def take_back(root: Root, record: Record) -> tuple[list[str], list[str]]:
    """
    Undo an installation, however far it came.

    Returns:
        What stays in its place because somebody has changed it; and where that is which had to
        make way for what was there before.

    Raises:
        InputOutputError: Something of it cannot be undone; the rest can be, later.

    """
    record.state = UNDER_WAY
    record.write(root)
    kept, moved = [], []
    programs = set(program_paths(record.prefix).values())
    # What calls goes before what is called.
    for entry in sorted(record.entries.values(), key=lambda entry: entry.path not in programs):
        moved += take_back_entry(root, entry)
        if entry.before is None and root.look(entry.path) is not None and not entry.diverted:
            kept.append(entry.path)
    if _has_mail(root):
        kept.append(SPOOL)
    elif SPOOL in record.folders:
        _clear_spool(root)
    _remove_folders(root, [path for path in record.folders if path not in _FOLDERS_OF_RECORD])
    is_gone = SPOOL not in kept
    if record.has_made_user and os.geteuid() == 0 and is_gone and ids_of_user(root):
        remove_user(root)
    for entry in record.entries.values():
        if entry.copy:
            root.remove(entry.copy)
    root.remove_folder(_COPIES)
    root.remove(PATH)  # the last word
    _remove_folders(root, record.folders)
    return kept, moved


def _remove_folders(root: Root, folders: Sequence[str]) -> None:
    """Remove the directories that are empty; what a service leaves in its own does not count."""
    if RUN in folders:
        for name in ("submit.sock", "control.sock"):
            root.remove(f"{RUN}/{name}")
    for path in folders:
        root.remove_folder(path)


def take_back_entry(root: Root, entry: Entry) -> list[str]:
    """Put back what was at a path; return where the file is that somebody had made of ours."""
    with suppress(FileNotFoundError):
        os.unlink(root.at(entry.path + NEW))
    seen = root.look(entry.path)
    other = None
    if entry.diverted:
        if entry.path in diversions(root):
            stop_diverting(root, entry.path)
        other = root.look(entry.diverted)
        if other is None and not is_same(seen, entry.now):
            return []  # it never came to ours, or is another's by now
    elif is_same(seen, entry.before) or (entry.before is None and not is_same(seen, entry.now)):
        return []  # it never came to ours; or it is changed, and nothing has to come back
    moved = []
    if seen is not None and not is_same(seen, entry.now) and not is_same(seen, other):
        moved.append(root.move_aside(entry.path))
    if other is not None:
        _return_diverted(root, entry)
    elif entry.before is not None and not entry.diverted:
        root.restore(entry.path, entry.before, entry.copy)
    else:
        root.remove(entry.path)
    return moved


def _return_diverted(root: Root, entry: Entry) -> None:
    """Rename the file of another package back over ours; both may be one file with two names."""
    place, aside = root.at(entry.path), root.at(entry.diverted)
    if os.path.lexists(place) and os.path.samestat(os.lstat(place), os.lstat(aside)):
        os.unlink(aside)
    else:
        os.rename(aside, place)


def _has_mail(root: Root) -> bool:
    for name in _MAIL:
        with suppress(FileNotFoundError):
            if os.listdir(root.at(f"{SPOOL}/{name}")):
                return True
    return False


def _clear_spool(root: Root) -> None:
    """Remove a spool in which there is no mail."""
    import shutil

    if os.path.isdir(root.at(f"{SPOOL}/queue")):
        for name in os.listdir(root.at(SPOOL)):
            path = root.at(f"{SPOOL}/{name}")
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
