"""git send-email: patches through sendmail and msmtp."""

import pytest

from callers.arrived import added_fields, assert_silent, crlf
from callers.packages import require_tool

FILE = "x\n.\n..y\nFrom z\n\u00e9\n\n"


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("sendmail", ["--sendmail-cmd=sendmail"]),
        ("sendmail", ["--sendmail-cmd={bin}/sendmail -v"]),
        ("sendmail", ["--smtp-server={bin}/sendmail"]),
        ("msmtp", ["--sendmail-cmd=msmtp"]),
        ("msmtp", ["--smtp-server={bin}/msmtp", "--smtp-server-option=--account=default"]),
    ],
)
def test_git_sends_a_patch(stage, patch, program, how):
    """A patch arrives from its author at everybody named, and its text can be applied."""
    stage.record(program)
    result = _send(stage, patch, *how, "--envelope-sender=auto")
    assert (result.returncode, result.stderr) == (0, b"")
    mail = stage.peer.last()
    assert mail.sender == "zoe@example.org"
    assert mail.recipients == ["dev@example.org", "admin@example.net"]
    assert added_fields(mail, stage.written) == []
    assert mail.body == crlf(patch.read_bytes().partition(b"\n\n")[2])
    assert mail.value("To") == "dev@example.org"
    assert mail.value("Cc") == "root"


def test_git_finds_sendmail_by_itself(stage, patch):
    """Without a word about how to send, git asks /usr/sbin/sendmail."""
    stage.record()
    send = ["git", "send-email", *OPTIONS, "--quiet", patch]
    result = stage.run_inside(*send)
    assert (result.returncode, result.stderr) == (0, b"")
    mail = stage.peer.last()
    assert mail.sender == "me@example.org"
    assert stage.arguments == ["-i", "dev@example.org", "root"]
    assert added_fields(mail, stage.written) == []


def test_git_says_that_the_relay_refused(stage, patch):
    """Git ends with a failure, and the reason of the relay is to be read."""
    stage.peer.refused["dev@example.org"] = "554 5.7.1 no patches today"
    result = _send(stage, patch, "--sendmail-cmd=sendmail")
    assert result.returncode != 0
    lines = result.stderr.decode().splitlines()
    assert "sendmail: recipient address dev@example.org not accepted by the server" in lines
    assert "sendmail: server message: 554 5.7.1 no patches today" in lines
    assert stage.peer.last().recipients == ["admin@example.net"]  # who is not refused gets it


OPTIONS = ["--confirm=never", "--suppress-cc=all", "--to=dev@example.org", "--cc=root"]


def _send(stage, patch, *how):
    folder = stage.folder / "bin"
    how = [word.format(bin=folder) for word in how]
    return stage.run("git", "send-email", "--quiet", *OPTIONS, *how, patch)


@pytest.fixture
def patch(stage):
    """Return the file of a patch in a repository that is the working directory."""
    require_tool("git-send-email", "git-email")
    require_tool("git")
    (stage.home / ".gitconfig").write_text(
        "[user]\n\tname = Zo\u00eb\n\temail = zoe@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    (stage.home / "file").write_text(FILE)
    message = "Add \u00e9\n\n.\nFrom here\n"
    for command in (
        ["init", "-q"],
        ["add", "file"],
        ["commit", "-q", "-m", message],
        ["format-patch", "-q", "-1", "-o", "patches"],
    ):
        assert_silent(stage.run("git", *command, env={"GIT_CONFIG_NOSYSTEM": "1"}))
    (path,) = (stage.home / "patches").iterdir()
    return path
