"""A file is put in its place whole or not at all, and never more readable than before."""

import errno
import os
import re
import stat

import pytest

from pillarbox.errors import InputOutputError
from pillarbox.setup import placing
from pillarbox.setup.placing import Place, Rights, look, make_folder, put, require_room, set_rights

PRIVATE = Rights(-1, -1, 0o600)
IS_ROOT = os.geteuid() == 0


def mode_of(path):
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def backups(folder):
    """Return what was kept of old files."""
    return [path for path in folder.iterdir() if path.name.endswith("~")]


def test_a_new_file_has_its_mode_and_no_backup(tmp_path):
    """There was nothing to keep."""
    path = tmp_path / "msmtprc"
    place = look(str(path))
    assert (place.content, place.status, place.folder) == (b"", None, str(tmp_path))
    assert put(place, b"new", PRIVATE, has_secret=True) == ""
    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o600
    assert os.listdir(tmp_path) == ["msmtprc"]


def test_the_old_file_is_kept_beside_it(tmp_path):
    """Under a name with the time, with what it said and the mode that it had."""
    path = tmp_path / "msmtprc"
    path.write_bytes(b"old")
    path.chmod(0o640)
    kept = put(look(str(path)), b"new", PRIVATE, has_secret=True)
    assert re.fullmatch(r"msmtprc\.\d{8}-\d{6}~", os.path.basename(kept))
    (backup,) = backups(tmp_path)
    assert (str(backup), backup.read_bytes(), mode_of(backup)) == (kept, b"old", 0o640)
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o600)


def test_two_in_one_second_are_both_kept(tmp_path, monkeypatch):
    """No backup is written over."""
    monkeypatch.setattr(placing.time, "strftime", lambda _: "20261124-191500")
    path = tmp_path / "msmtprc"
    for content in (b"1", b"2", b"3"):
        put(look(str(path)), content, PRIVATE, has_secret=True)
    names = {each.name: each.read_bytes() for each in backups(tmp_path)}
    assert names == {"msmtprc.20261124-191500~": b"1", "msmtprc.20261124-191500-2~": b"2"}


def test_what_everybody_could_read_of_a_secret_ends_with_the_backup(tmp_path):
    """Attack: the password of an old file of mode 644 is read from what was kept of it."""
    path = tmp_path / "msmtprc"
    path.write_bytes(b"password hunter2")
    path.chmod(0o644)
    put(look(str(path)), b"new", PRIVATE, has_secret=True)
    (backup,) = backups(tmp_path)
    assert mode_of(backup) == 0o640


def test_what_is_no_secret_is_kept_as_it_was(tmp_path):
    """Aliases are everybody's."""
    path = tmp_path / "aliases"
    path.write_bytes(b"old")
    path.chmod(0o644)
    put(look(str(path)), b"new", Rights(-1, -1, 0o644), has_secret=False)
    (backup,) = backups(tmp_path)
    assert (mode_of(backup), mode_of(path)) == (0o644, 0o644)


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    """People keep such files in a repository."""
    repository = tmp_path / "dotfiles"
    repository.mkdir()
    (repository / "rc").write_bytes(b"old")
    link = tmp_path / ".msmtprc"
    link.symlink_to("dotfiles/rc")
    put(look(str(link)), b"new", PRIVATE, has_secret=True)
    assert link.is_symlink()
    assert (repository / "rc").read_bytes() == b"new"
    assert [path.read_bytes() for path in backups(repository)] == [b"old"]


def test_without_hard_links_the_old_file_is_copied(tmp_path, monkeypatch):
    """FAT and some network file systems have none."""

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "msmtprc"
    path.write_bytes(b"old")
    path.chmod(0o640)
    monkeypatch.setattr(placing.os, "link", refuse)
    put(look(str(path)), b"new", PRIVATE, has_secret=True)
    (backup,) = backups(tmp_path)
    assert (backup.read_bytes(), mode_of(backup), path.read_bytes()) == (b"old", 0o640, b"new")


def test_what_a_killed_run_has_left_is_swept_away(tmp_path):
    """But not what another run is writing at this moment, nor what is another's by its name."""
    path = tmp_path / ".msmtprc"
    dead = tmp_path / ".msmtprc.pillarbox-0123456789abcdef"
    dead.write_bytes(b"secret")
    other = tmp_path / ".msmtprc.pillarbox-notes"
    other.write_bytes(b"mine")
    place = look(str(path))
    descriptor, alive = placing._new_file(place)
    put(place, b"new", PRIVATE, has_secret=True)
    os.close(descriptor)
    names = {".msmtprc", os.path.basename(alive), other.name}
    assert set(os.listdir(tmp_path)) == names


def test_room_is_looked_for_without_leaving_anything(tmp_path):
    """Also a second time, and where the file is there."""
    path = tmp_path / "msmtprc"
    require_room(look(str(path)))
    path.write_bytes(b"old")
    require_room(look(str(path)))
    assert os.listdir(tmp_path) == ["msmtprc"]


def test_a_missing_directory_is_told_before_anything(tmp_path):
    """A user without a home, or a link that leads nowhere."""
    with pytest.raises(InputOutputError, match="No such file or directory") as caught:
        require_room(look(str(tmp_path / "home" / ".msmtprc")))
    assert caught.value.advice == f"make the directory {tmp_path}/home first"


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
@pytest.mark.parametrize("stranger", ["file", "folder", "home"])
def test_what_belongs_to_another_is_not_written(tmp_path, stranger):
    """Attack: a link in a user's home leads root's "own" account into another's file."""
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    target = folder / "target"
    target.write_bytes(b"")
    (home / ".msmtprc").symlink_to(target)
    os.chown({"file": target, "folder": folder, "home": home}[stranger], 4711, 4711)
    place = look(str(home / ".msmtprc"))
    with pytest.raises(InputOutputError, match="belongs to another user"):
        require_room(place)
    require_room(place, is_rooted=True)


def test_a_directory_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    """Read-only, or no rights: each with its own advice."""
    place = look(str(tmp_path / "msmtprc"))
    for number, advice in (
        (errno.EROFS, "make the file system writable, or set it up where it is"),
        (errno.EACCES, "run it with sudo, or with --user for yourself alone"),
        (errno.ENOSPC, ""),
    ):

        def refuse(*_, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(placing, "_new_file", refuse)
        with pytest.raises(InputOutputError, match="cannot be written") as caught:
            require_room(place)
        assert caught.value.advice == advice


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    """Neither is waited for nor replaced."""
    path = tmp_path / "msmtprc"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(InputOutputError, match="is not a file"):
        look(str(path))


def test_a_file_that_is_too_large_is_refused(tmp_path):
    """It is no configuration, and would not come back whole."""
    path = tmp_path / "msmtprc"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InputOutputError, match="is larger than a mebibyte"):
        look(str(path))


def test_the_mode_alone_is_mended_without_a_backup(tmp_path):
    """What the file says is right already."""
    path = tmp_path / "msmtprc"
    path.write_bytes(b"same")
    path.chmod(0o644)
    place = look(str(path))
    assert not PRIVATE.are_of(place.status)
    set_rights(place, PRIVATE)
    assert PRIVATE.are_of(look(str(path)).status)
    assert os.listdir(tmp_path) == ["msmtprc"]


def test_a_mode_that_cannot_be_mended_is_told(tmp_path):
    """The file has gone meanwhile."""
    status = tmp_path.stat()
    with pytest.raises(InputOutputError, match="cannot be written"):
        set_rights(Place("x", str(tmp_path / "x"), b"", status), PRIVATE)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_owner_and_group_are_set(tmp_path):
    """By root, as wished; and not where it is not wished."""
    path = tmp_path / "msmtprc"
    put(look(str(path)), b"x", Rights(4711, 4712, 0o640), has_secret=True)
    status = path.stat()
    assert (status.st_uid, status.st_gid, mode_of(path)) == (4711, 4712, 0o640)
    assert Rights(4711, 4712, 0o640).are_of(status)
    for other in (Rights(0, 4712, 0o640), Rights(4711, 0, 0o640), Rights(4711, 4712, 0o600)):
        assert not other.are_of(status)
    set_rights(look(str(path)), Rights(0, 0, 0o600))
    assert Rights(0, 0, 0o600).are_of(path.stat())


@pytest.mark.parametrize("change", ["other", "gone", "new"])
def test_what_somebody_else_has_written_meanwhile_is_not_lost(tmp_path, change):
    """The dialogue takes minutes; another person, or another run, may have been faster."""
    path = tmp_path / "msmtprc"
    if change != "new":
        path.write_bytes(b"old")
    place = look(str(path))
    path.unlink() if change == "gone" else path.write_bytes(b"theirs")
    with pytest.raises(InputOutputError, match="changed by somebody else meanwhile"):
        put(place, b"new", PRIVATE, has_secret=True)
    assert os.listdir(tmp_path) == ([] if change == "gone" else ["msmtprc"])
    assert change == "gone" or path.read_bytes() == b"theirs"


def test_who_is_faster_while_we_write_is_not_written_over(tmp_path, monkeypatch):
    """Two runs at the same time: the second one is told, and nothing of its file is left."""
    path = tmp_path / "msmtprc"
    path.write_bytes(b"old")
    place = look(str(path))
    monkeypatch.setattr(placing.os, "fsync", lambda _: path.write_bytes(b"theirs"))
    with pytest.raises(InputOutputError, match="changed by somebody else meanwhile"):
        put(place, b"new", PRIVATE, has_secret=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"msmtprc": b"theirs"}


def test_a_directory_is_made_once_and_for_its_owner_alone(tmp_path):
    """That one is there already is no fault; that it cannot be made is told."""
    folder = tmp_path / "credstore"
    make_folder(str(folder))
    assert mode_of(folder) == 0o700
    make_folder(str(folder))
    with pytest.raises(InputOutputError, match="cannot be written"):
        make_folder(str(tmp_path / "nowhere" / "credstore"))
