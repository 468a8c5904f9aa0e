"""Making a service's sockets: modes, directories, and whose a path is."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from pillarbox.errors import ConfigError, SpoolError
from pillarbox.intake.sockets import FOR_ALL, FOR_OWNER, make_socket


@pytest.fixture(autouse=True)
def _umask():
    """Work under the umask of the service."""
    old = os.umask(0o077)
    yield
    os.umask(old)


def mode_of(path):
    """Return the permission bits of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize(("mode", "directory"), [(FOR_ALL, 0o755), (FOR_OWNER, 0o700)])
def test_modes_are_right_whatever_the_umask(tmp_path, mode, directory):
    """A socket for all lies in a directory that all can search; a user's in his own."""
    path = tmp_path / "run" / "pillarbox" / "submit.sock"
    with make_socket(str(path), mode) as sock, socket.socket(socket.AF_UNIX) as client:
        assert mode_of(path) == mode
        assert mode_of(path.parent) == directory
        client.connect(str(path))
        assert not sock.get_inheritable()
        assert os.listdir(path.parent) == ["submit.sock"]


def test_a_directory_that_is_there_keeps_its_mode(tmp_path):
    """RuntimeDirectory= of systemd, say."""
    tmp_path.chmod(0o750)
    make_socket(str(tmp_path / "s"), FOR_ALL).close()
    assert mode_of(tmp_path) == 0o750


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_directory_that_others_can_change_is_refused(tmp_path, mode):
    """Attack P1: where others can put a socket, callers could hand their mail to them."""
    tmp_path.chmod(mode)
    with pytest.raises(ConfigError, match="can be changed by others") as caught:
        make_socket(str(tmp_path / "s"), FOR_ALL)
    assert "chmod go-w" in caught.value.advice
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(tmp_path):
    """Attack P1: its owner could put a socket of his in the place of ours."""
    os.chown(tmp_path, 1234, 1234)
    with pytest.raises(ConfigError, match="can be changed by others"):
        make_socket(str(tmp_path / "s"), FOR_ALL)


def test_a_link_in_the_place_of_the_directory_is_refused(tmp_path):
    """Attack P1: where a link leads is decided by who made it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="can be changed by others"):
        make_socket(str(tmp_path / "link" / "s"), FOR_ALL)


def test_what_a_killed_process_left_is_replaced(tmp_path):
    """Nobody answers there, so a start after a crash needs no person."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    with make_socket(path, FOR_ALL), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def test_a_socket_that_answers_is_left_alone(tmp_path):
    """Attack P8: a second service must not take the first one's callers."""
    path = str(tmp_path / "s")
    with make_socket(path, FOR_ALL) as first:
        with pytest.raises(SpoolError, match="another process answers"):
            make_socket(path, FOR_ALL)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            first.accept()[0].close()


def test_a_service_that_is_too_busy_to_answer_is_left_alone(tmp_path):
    """A full backlog is somebody who listens."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(path)
        busy.listen(0)
        client.connect(path)
        with pytest.raises(SpoolError, match="another process answers"):
            make_socket(path, FOR_ALL)


@pytest.mark.parametrize("kind", ["file", "link", "fifo", "directory"])
def test_what_is_no_socket_is_not_removed(tmp_path, kind):
    """Attack P1: a planted file or link is neither followed nor taken away."""
    path = tmp_path / "s"
    target = tmp_path / "target"
    target.write_text("precious")
    makers = {
        "file": lambda: path.write_text("precious"),
        "link": lambda: path.symlink_to(target),
        "fifo": lambda: os.mkfifo(path),
        "directory": path.mkdir,
    }
    makers[kind]()
    with pytest.raises(ConfigError, match="is there and no socket"):
        make_socket(str(path), FOR_ALL)
    assert path.is_symlink() or path.exists()
    assert target.read_text() == "precious"


def test_a_path_that_is_too_long_is_named(tmp_path):
    """The kernel has 108 octets for it."""
    path = str(tmp_path / ("x" * 100))
    with pytest.raises(ConfigError, match="too long for a socket"):
        make_socket(path, FOR_ALL)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    """With what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make the directory") as caught:
        make_socket(str(tmp_path / "file" / "run" / "s"), FOR_ALL)
    assert caught.value.advice


def test_a_socket_that_cannot_be_put_there_leaves_nothing(tmp_path, monkeypatch):
    """Its name of its own is gone too."""

    def rename(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(ConfigError, match="No space left"):
        make_socket(str(tmp_path / "s"), FOR_ALL)
    assert os.listdir(tmp_path) == []
