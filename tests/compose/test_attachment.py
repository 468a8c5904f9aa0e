"""Attachments: what they are taken for, and what cannot be one."""

import os
import tracemalloc

import pytest

from pillarbox.compose.attachment import Attachment, open_attachment
from pillarbox.errors import DataError, InputOutputError, MissingInputError


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.pdf", b"%PDF", "application/pdf"),
        ("a.png", b"text", "image/png"),
        ("a.txt", b"ascii", "text/plain; charset=us-ascii"),
        ("a.txt", "naïve".encode(), "text/plain; charset=utf-8"),
        ("a.txt", "naïve".encode("latin-1"), "text/plain"),
        ("a.csv", "é".encode(), "text/csv; charset=utf-8"),
        ("noname", b"text\n", "text/plain; charset=us-ascii"),
        ("noname", "é".encode(), "text/plain; charset=utf-8"),
        ("noname", b"a\0b", "application/octet-stream"),
        ("noname", b"\xff\xfe", "application/octet-stream"),
        ("noname", "é".encode() * 40_000, "text/plain; charset=utf-8"),
        ("noname", b"x" + "é".encode() * 40_000, "text/plain; charset=utf-8"),
        ("noname", b"x" * 65_536 + "é".encode(), "text/plain; charset=utf-8"),
        ("noname", "é".encode()[:1], "application/octet-stream"),
        ("a.tar.gz", b"", "application/gzip"),
        ("a.tar.bz2", b"", "application/octet-stream"),
        ("mail.eml", b"Subject: x\n\ny\n", "application/octet-stream"),
    ],
)
def test_finds_the_type(name, content, media_type):
    """From the name, else from the content; a charset only where it is sure."""
    assert open_attachment(Attachment(content=content, name=name)).media_type == media_type


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\报告.txt", "报告.txt"),
        ("..", "attachment"),
        ("", "attachment"),
        ("a\r\nb\x1b.txt", "a__b_.txt"),
        ("x" * 300 + ".tar", "x" * 251 + ".tar"),
        ("é" * 300, "é" * 127),
        ("a\udcffb", "a\ufffdb"),
    ],
)
def test_path_tricks_in_a_name(given, name):
    """What the recipient is shown is one file name, of no folder, that is safe to show."""
    assert open_attachment(Attachment(content=b"", name=given)).name == name


def test_a_path_gives_its_last_part_as_the_name(tmp_path):
    """A name that is given goes before it."""
    (tmp_path / "a.txt").write_text("x")
    path = str(tmp_path / "a.txt")
    for wanted, name in ((Attachment(path), "a.txt"), (Attachment(path, name="b.txt"), "b.txt")):
        file = open_attachment(wanted)
        assert (file.name, file.size_bytes) == (name, 1)
        file.close()
        file.close()


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing", "device", "nul"])
def test_what_is_no_file_is_refused(tmp_path, kind):
    """At once: a pipe that nobody writes to is not waited for."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    path = {"device": "/dev/zero", "nul": "a\0b"}.get(kind, str(path))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MissingInputError, match="cannot attach"):
        open_attachment(Attachment(path))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "media_type",
    ["text", "/x", "a/", "a/b\r\nX: y", "a/b; c=d", "multipart/mixed", "Message/rfc822"],
)
def test_header_injection_through_a_type(media_type):
    """A type is two words, and not one that base64 must not stand in."""
    with pytest.raises(DataError, match="is not a type"):
        open_attachment(Attachment(content=b"", media_type=media_type))


def test_a_type_that_is_given_is_used():
    """It is not second-guessed."""
    wanted = Attachment(content=b"x", name="a.txt", media_type="application/x-thing")
    assert open_attachment(wanted).media_type == "application/x-thing"


def test_a_file_that_becomes_shorter_is_never_a_whole_mail(tmp_path):
    """Half a file must not arrive as if it were all of it."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * 100_000)
    file = open_attachment(Attachment(str(path)))
    path.write_bytes(b"x" * 10)
    with pytest.raises(InputOutputError, match="log became shorter"):
        b"".join(file.encoded())
    file.close()


def test_a_file_that_grows_is_sent_as_it_was_opened(tmp_path):
    """What the size says is what is sent."""
    path = tmp_path / "log"
    path.write_bytes(b"x")
    file = open_attachment(Attachment(str(path)))
    path.write_bytes(b"xyz")
    assert b"".join(file.encoded()) == b"eA==\r\n"
    file.close()


def test_a_large_file_is_not_held(tmp_path):
    """20 MiB go through in blocks; it is a hole, which takes no space on the disk either."""
    path = tmp_path / "large"
    with path.open("wb") as made:
        made.truncate(20 << 20)
    file = open_attachment(Attachment(str(path)))
    tracemalloc.start()
    size = sum(map(len, file.encoded()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file.close()
    assert size == file.encoded_bytes
    assert peak < 1 << 20
