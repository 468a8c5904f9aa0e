"""root's line in the file of aliases."""

import pytest

from pillarbox.errors import ConfigError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.aliases import expand_aliases
from pillarbox.setup.placing import look
from pillarbox.setup.root_alias import find_root, with_root

ADMIN = parse_mailbox("admin@example.org")


@pytest.mark.parametrize(("text", "found"), [
    (None, ()),
    ("", ()),
    ("postmaster: root\n", ()),
    ("root: boss@example.org\n", ("boss@example.org",)),
    ('"Root" : boss, other@example.org\nboss: b@example.org\n',
     ("b@example.org", "other@example.org")),
    ("root: alice\n", ("alice",)),
    ("root: root\n", ()),
    ("# root: boss@example.org\n", ()),
    ("default: boss@example.org\n", ("boss@example.org",)),
])  # fmt: skip
def test_whom_mail_to_root_goes_to(tmp_path, text, found):
    """As the sending of mail would find it."""
    path = tmp_path / "aliases"
    if text is not None:
        path.write_text(text)
    assert find_root(look(str(path))) == found


@pytest.mark.parametrize(
    "text", ["root\n", "a: b\na: c\n", "root: |program\n", "root: a\na: root\n"]
)
def test_a_file_that_cannot_be_understood_is_told(tmp_path, text):
    """It is not added to."""
    path = tmp_path / "aliases"
    path.write_text(text)
    with pytest.raises(ConfigError):
        find_root(look(str(path)))


@pytest.mark.parametrize(("before", "after"), [
    (b"", b"root: admin@example.org\n"),
    (b"a: b\n", b"a: b\nroot: admin@example.org\n"),
    (b"a: b", b"a: b\nroot: admin@example.org\n"),
    (b"a: b\r\n", b"a: b\r\nroot: admin@example.org\r\n"),
    (b"# no end", b"# no end\nroot: admin@example.org\n"),
])  # fmt: skip
def test_the_line_is_added_behind_the_rest(tmp_path, before, after):
    """Which stays as it is; and it counts."""
    assert with_root(before, ADMIN) == after
    path = tmp_path / "aliases"
    path.write_bytes(after)
    assert expand_aliases([Mailbox("root", "")], str(path)) == [ADMIN]


def test_a_line_of_ours_is_replaced():
    """And another's, that only looks alike, is not."""
    before = b"# root: old@example.org\nroot: old@example.org\n"
    after = with_root(before, ADMIN, replaces="old@example.org")
    assert after == b"# root: old@example.org\nroot: admin@example.org\n"
