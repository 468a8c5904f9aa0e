"""What who delivers tells who takes mail: the accounts, and never a secret."""

from __future__ import annotations

import pytest

from pillarbox.delivery.told_accounts import TellingAccounts, ToldAccounts
from pillarbox.errors import SpoolError

ACCOUNTS = """\
account default
host mail.example.com
from me@example.org
user me
password hunter2
aliases /etc/aliases
account other
host other.example.com
from *@other.example
passwordeval echo hunter2
"""


@pytest.fixture
def place(tmp_path):
    """Return a file of accounts and the folder for what is known of them."""
    (tmp_path / "msmtprc").write_text(ACCOUNTS)
    (tmp_path / "msmtprc").chmod(0o600)
    (tmp_path / "known").mkdir()
    return tmp_path


def telling(place):
    """Return the accounts of who delivers, told."""
    accounts = TellingAccounts({}, system_file=str(place / "msmtprc"))
    accounts.load()
    accounts.tell(str(place / "known"))
    return accounts


def told(place):
    """Return the accounts of who may not read the file."""
    accounts = ToldAccounts({}, folder=str(place / "known"), system_file=str(place / "hidden"))
    accounts.load()
    return accounts


def test_everything_is_told_that_a_mail_needs_and_no_secret(place):
    """Attack P2: not in the file, and not in the account."""
    telling(place)
    assert "hunter2" not in (place / "known/told.json").read_text()
    assert (place / "known/told.json").stat().st_mode & 0o777 == 0o600
    accounts = told(place)
    account = accounts.chosen("", "me@example.org", -1)
    assert (account.name, account.from_, account.aliases) == (
        "default",
        "me@example.org",
        "/etc/aliases",
    )
    assert account.password is None
    assert accounts.chosen("", "you@other.example", -1).name == "other"


def test_before_anything_was_told_a_mail_has_to_be_tried_again(place):
    """The caller hears 75, and not that his account is wrong; then it goes."""
    accounts = told(place)
    with pytest.raises(SpoolError, match="has not told yet"):
        accounts.chosen("", None, -1)
    telling(place)
    assert accounts.chosen("", None, -1).name == "default"


def test_a_change_is_heard_of(place):
    """Without a signal."""
    teller = telling(place)
    accounts = told(place)
    (place / "msmtprc").write_text(ACCOUNTS.replace("me@example.org", "new@example.org"))
    teller.load()
    assert accounts.chosen("", None, -1).from_ == "new@example.org"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "accounts": []}', "\x00"])
def test_a_damaged_file_leaves_what_was_told(place, text):
    """Mail goes on as before."""
    telling(place)
    accounts = told(place)
    (place / "known/told.json").write_text(text)
    assert accounts.chosen("", None, -1).name == "default"


def test_who_may_read_the_file_reads_it(place):
    """As where one process has all roles."""
    accounts = ToldAccounts({}, folder=str(place), system_file=str(place / "msmtprc"))
    accounts.load()
    assert accounts.chosen("", None, -1).name == "default"


@pytest.mark.parametrize(
    ("old", "new"), [('"format": 1', '"format": 2'), ('"user": [', '"password": [')]
)
def test_what_is_of_another_format_or_not_to_be_told_is_not_taken(place, old, new):
    """The file is no second way to set whatever keyword there is."""
    telling(place)
    path = place / "known/told.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    accounts = told(place)
    if "format" in old:
        with pytest.raises(SpoolError, match="has not told yet"):
            accounts.chosen("", None, -1)
    else:
        assert accounts.chosen("", None, -1).password is None
