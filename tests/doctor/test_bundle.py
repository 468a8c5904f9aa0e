"""A support bundle: one file for the owner's eyes, in which everything is masked."""

import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.doctor.bundle import Member, open_bundle, pack, versions
from pillarbox.doctor.masking import Mask
from pillarbox.errors import InputOutputError

NOW_S = 1_800_000_000.0


def read(data):
    """Return name -> content of the members of a bundle."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            info.name: archive.extractfile(info).read().decode() for info in archive.getmembers()
        }


def packed(mask, *members):
    """Return the members of a bundle that was made of members."""
    file = io.BytesIO()
    pack(members, mask, file, NOW_S)
    return read(file.getvalue())


def test_every_member_is_masked_on_its_way_in():
    """Secrets everywhere; people where they may be third parties."""
    mask = Mask(["hunter2"], own=["me@example.com"])
    found = packed(
        mask,
        Member("a.txt", "a", "pw hunter2 of me@example.com to bob@example.org"),
        Member("b.txt", "b", "hunter2 hostmaster@example.org", has_people=False),
    )
    folder = "pillarbox-doctor-20270115-080000"
    assert found[f"{folder}/b.txt"] == "*** hostmaster@example.org"
    assert found[f"{folder}/a.txt"].startswith("pw *** of me@example.com to (address ")


@given(secret=st.text(min_size=1, max_size=20), text=st.text(max_size=60))
def test_a_text_of_any_letters_can_be_packed(secret, text):
    """Half a surrogate pair, which a file's name may have, is written as an escape."""
    (content,) = packed(Mask([secret]), Member("a", "a", text + secret)).values()
    assert secret not in content


def test_members_are_the_owners_and_tell_nothing_of_the_machine():
    """No user's name, no mode that lets others read when it is unpacked."""
    file = io.BytesIO()
    pack([Member("a", "a", "x")], Mask([]), file, NOW_S)
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as archive:
        (info,) = archive.getmembers()
    assert (info.mode, info.uid, info.uname, info.mtime) == (0o600, 0, "", int(NOW_S))
    assert info.isfile()


def test_a_bundle_is_new_and_for_its_owner_only(tmp_path):
    """Whatever the umask; and nothing is in it yet."""
    path = tmp_path / "b.tar.gz"
    before = os.umask(0)
    try:
        open_bundle(str(path)).close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputOutputError, match="is there already, and is not overwritten"):
        open_bundle(str(path))


def test_a_bundle_follows_no_link(tmp_path):
    """Attack: a link in /tmp that was put there before would make root write elsewhere."""
    target = tmp_path / "target"
    link = tmp_path / "b.tar.gz"
    link.symlink_to(target)
    with pytest.raises(InputOutputError):
        open_bundle(str(link))
    assert not target.exists()


@pytest.mark.parametrize("path", ["/nonexistent/b.tar.gz", "a\0b", ""])
def test_a_place_that_cannot_be_written_is_told(path):
    """One sentence, whatever the path."""
    with pytest.raises(InputOutputError, match="cannot write"):
        open_bundle(path)


def test_versions_name_what_matters():
    """What every report is asked for first."""
    text = versions()
    for name in ("pillarbox: ", "python: 3.", "openssl: OpenSSL ", "kernel: Linux", "dnspython: "):
        assert name in text
    assert all(": " in line for line in text.splitlines())
