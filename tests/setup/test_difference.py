"""What will be different is shown, and no secret."""

import pytest

from pillarbox.setup.difference import difference

PATH = "/etc/msmtprc"
SECRET = "s3cret-word"
FRESH = f"account default\nhost x.example\npassword {SECRET}\n".encode()
OTHER = b"# ours\naccount other\nhost y\npassword hunter2\n\n"
AFTER = OTHER + FRESH


def test_no_secret_is_in_a_difference():
    """Neither the new password nor an old one, nor a command that may contain one."""
    before = OTHER + (
        b"account default\nhost x\npassword hunter4\n#password hunter5\npasswordeval echo hunter6\n"
        b"  password\thunter7\neval echo password hunter8\n"
    )
    shown = "\n".join(difference(before, AFTER, PATH))
    assert "+password ****" in shown
    assert "-password ****" in shown
    assert "hunter" not in shown
    assert SECRET not in shown


def test_a_new_file_is_all_new():
    """It is compared with nothing."""
    first, second, *_ = difference(b"", FRESH, PATH)
    assert (first, second) == ("--- /dev/null", "+++ /etc/msmtprc")


def test_a_new_password_is_seen_in_a_difference():
    """That it is another one is shown; which one is not."""
    before = FRESH.replace(SECRET.encode(), b"hunter2")
    lines = list(difference(before, FRESH, PATH))[3:]
    assert [line for line in lines if line[:1] in "+-"] == ["-password ****", "+password ****"]


@pytest.mark.parametrize("line", [
    "\ufeffpassword hunter2", "\ufeff# password hunter2", "# Password: hunter2",
    "#PASSWORD hunter2",
])  # fmt: skip
def test_a_password_is_starred_however_it_is_written(line):
    """Attack: it is read over the shoulder, for an editor has put a mark in front of it."""
    shown = "\n".join(difference(line.encode() + b"\n", b"host x\n", PATH))
    assert "****" in shown
    assert "hunter2" not in shown
