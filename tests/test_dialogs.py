"""Every dialog under ``dialogs/``, held with the real ``msmtp`` (N1-N11, R5 of docs/threats.md)."""

import math
from dataclasses import replace

import pytest

from dialog import FOLDER, MEMORY_LIMIT, find_dialogs, hold, judge, parse, report
from dialog_server import Certificates

DIALOGS = find_dialogs()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Return the certificates of the whole run."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.sliced(3)
@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: str(path.relative_to(FOLDER))[:-7])
def test_dialog(path, certificates, tmp_path):
    """The client withstands the server of this dialog."""
    dialog = parse(path)
    client, server = hold(dialog, certificates, tmp_path)
    assert not judge(dialog, client, server), "\n".join(
        [dialog.about, *report(dialog, client, server)]
    )


def test_the_corpus_is_large_and_nothing_is_in_it_twice():
    """There are 150 dialogs at least (row R5), each with a name, a purpose and its own course."""
    dialogs = [parse(path) for path in DIALOGS]
    courses = {
        (replace(dialog, name="", about="", steps=()), *(step.line for step in dialog.steps))
        for dialog in dialogs
    }
    assert len(dialogs) >= 150
    assert len({dialog.name for dialog in dialogs}) == len(courses) == len(dialogs)
    assert all(dialog.about for dialog in dialogs)


# A dialog that goes well, and what is reported when one of its lines is wrong.
GOOD = """\
# Nothing is wrong here.
tls: implicit
auth: plain
secret: tls
expect exit: 67
expect text: 550 5.1.1 no such user
never sent: DATA

tls
S: 220 mail.example.test ESMTP
C: EHLO client.example.test
S: 250-mail.example.test
S: 250 AUTH PLAIN
C: AUTH PLAIN *
S: 235 welcome
C: MAIL FROM:<sender@example.test>
S: 250 ok
C: RCPT TO:<to@example.test>
S: 550 5.1.1 no such user
C: QUIT
"""


@pytest.mark.parametrize(
    ("line", "planted", "found"),
    [
        ("", "", ""),
        ("expect exit: 67", "expect exit: 0 75", "the exit code is 67, not 0 75"),
        ("no such user\nnever", "no such host\nnever", "the person is not told"),
        ("expect text", "never shown", "the person is told '550 5.1.1 no such user'"),
        ("never sent: DATA", "never sent: RCPT", "the client sent 'RCPT'"),
        ("secret: tls", "secret: never", "SECRET OUT: the password is in the connection"),
        ("auth: plain", "auth: plain\nconnections: 2", "connected 1 times, not 2"),
        ("C: MAIL FROM:<sender", "C: MAIL FROM:<nobody", "line 16 (C: MAIL FROM:<nobody"),
        ("C: QUIT", "C: RSET", "line 20 (C: RSET): the client said 'QUIT'"),
        ("C: QUIT", "C content", "line 20 (C content): the client hung up"),
        (
            "C: RCPT TO:<to@example.test>\nS: 550 5.1.1 no such user\nC: QUIT",
            "C some 9\nS: 550 no",
            "the client went on",
        ),
    ],
)
def test_wrong_expectation_is_reported(line, planted, found, certificates, tmp_path):
    """What a dialog expects and does not get is a failure, and only that."""
    path, own = tmp_path / "planted.dialog", tmp_path / "own"
    path.write_text(GOOD.replace(line, planted, 1))
    own.mkdir()
    dialog = parse(path)
    client, server = hold(dialog, certificates, own)
    wrong = judge(dialog, client, server)
    assert bool(wrong) == bool(found)
    assert found in "\n".join(wrong)


@pytest.fixture(scope="module")
def went_well(certificates, tmp_path_factory):
    """Return a dialog that went as it must, its client and its server."""
    folder = tmp_path_factory.mktemp("went-well")
    (folder / "good.dialog").write_text(GOOD)
    dialog = parse(folder / "good.dialog")
    return dialog, *hold(dialog, certificates, folder)


@pytest.mark.parametrize(
    ("behaviour", "found"),
    [
        ({"exit_code": 0}, "FALSE SUCCESS"),
        ({"exit_code": None}, "the client hung"),
        ({"ended": math.inf}, "the client took inf s"),
        ({"memory": MEMORY_LIMIT + 1}, "of memory"),
        ({"stdout": b"hello"}, "on standard output"),
        ({"shown": []}, "the client failed without a word"),
        ({"stderr": b"msmtp: \x1b[2J\n"}, "standard error has unprintable characters"),
        ({"stderr": b"Traceback\n"}, "the person is told 'Traceback'"),
        ({"log": b""}, "the log has not one line"),
        ({"log": b"one\ntwo\n"}, "the log has not one line"),
        ({"log": b"exitcode=EX_OK\n"}, "log and exit code tell different things"),
        ({"log": b"Canary-4f9d!Kanarienvogel"}, "SECRET OUT: the password is in the log"),
        ({"log": b"Q2FuYXJ5LTRmOWQhS2FuYXJpZW52b2dlbA=="}, "SECRET OUT: the password is in"),
    ],
)
def test_wrong_behaviour_is_reported(behaviour, found, went_well):
    """What no client may do is a failure, whatever the dialog says."""
    dialog, client, server = went_well
    wrong = judge(dialog, replace(client, **behaviour), server)
    assert found in "\n".join(wrong)
