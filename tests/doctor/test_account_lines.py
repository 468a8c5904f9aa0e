"""How a fix says which line should stand in an account."""

from __future__ import annotations

import pytest

from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes, choose_account, load_files
from pillarbox.doctor.account_lines import write_line, write_sender


@pytest.fixture(name="account_of")
def _account_of(tmp_path):
    """Return a function that makes an account from lines and from what the caller wishes."""

    def make(lines, **settings):
        path = tmp_path / "msmtprc"
        path.write_text(f"account work\nhost mail.example.org\n{lines}\n")
        path.chmod(0o600)
        wishes = Wishes(settings, env={}, user_file=str(path), account_name="work")
        chosen, _ = choose_account(load_files(wishes), wishes)
        return finish_account(chosen, wishes)

    return make


@pytest.mark.parametrize(
    ("lines", "settings", "fix"),
    [
        ("auth off", {}, "write auth on (FILE:3)"),
        ("", {}, "add the line auth on to account work"),
        ("auth off", {"auth": "plain"}, "give auth on in place of what stands on the command line"),
    ],
)
def test_names_the_place_where_a_line_is(account_of, tmp_path, lines, settings, fix):
    """A line that is there is changed, and one that is not is added."""
    told = write_line(account_of(lines, **settings), "auth", "on")
    assert told.replace(str(tmp_path / "msmtprc"), "FILE") == fix


@pytest.mark.parametrize(
    ("lines", "settings", "fix"),
    [
        ("from you@example.org", {}, "write from me@example.org (FILE:3)"),
        ("user you@example.org", {}, "add the line from me@example.org to account work"),
        ("", {}, "add the line from me@example.org to account work"),
        (
            "from me@example.org",
            {"from": "you@example.org"},
            "give no other sender: the account's own is me@example.org",
        ),
        (
            "from you@example.org",
            {"from": "x@example.org"},
            "give from me@example.org in place of what stands on the command line",
        ),
        ("auto_from on", {}, "write auto_from off and from me@example.org (FILE:3)"),
    ],
)
def test_names_the_place_that_decides_the_sender(account_of, tmp_path, lines, settings, fix):
    """It may be the line, the user's line, the command line or ``auto_from``."""
    told = write_sender(account_of(lines, **settings), "me@example.org")
    assert told.replace(str(tmp_path / "msmtprc"), "FILE") == fix
