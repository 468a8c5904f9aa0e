"""``mailq``: what waits to be sent, in the words that scripts know."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pillarbox.cli import mailq
from pillarbox.delivery.carrier import AccountState
from pillarbox.spool.base import FAILED, HOLD, Progress
from pillarbox.spool.directory import Directory
from pillarbox.spool.memory import Memory
from programs import ENVIRONMENT, call_program, run_program
from queue_desk import ANN, CONTENT, OWNER, Desk, HandCarrier, put


@pytest.fixture(name="desk")
def _desk(tmp_path):
    """Return a system's daemon with an empty queue, and its spool and carrier."""
    spool, carrier = Memory(), HandCarrier()
    spool.open()
    with Desk(tmp_path, spool, carrier, owner_uid=os.getuid()) as desk:
        desk.spool, desk.carrier = spool, carrier
        desk.env = {"PILLARBOX_CONTROL": desk.path}
        yield desk


@pytest.mark.parametrize(
    "words", [[], ["-v"], ["-Ac"], ["--help"], ["x@example.org"], ["-X", "/x"]]
)
def test_nothing_waits(words):
    """Where there is no queue the listing is empty, whatever is asked."""
    result = call_program("mailq", words, b"this is no mail\n")
    assert (result.exit_code, result.out, result.err) == (0, "Mail queue is empty\n", "")


def test_in_a_real_process():
    """The same with an interpreter of its own, without a home or a configuration."""
    result = run_program("mailq", env={"HOME": ""})
    assert (result.exit_code, result.out, result.err) == (0, "Mail queue is empty\n", "")


def test_main_returns_the_exit_code(capsys, monkeypatch):
    """The function that ``sendmail -bp`` calls prints and returns."""
    monkeypatch.delenv("PILLARBOX_CONTROL", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert mailq.main(()) == 0
    assert capsys.readouterr().out == "Mail queue is empty\n"


def test_an_empty_queue_of_a_daemon(desk):
    """It is there, and nothing waits in it."""
    result = call_program("mailq", env=desk.env)
    assert (result.exit_code, result.out, result.err) == (0, "Mail queue is empty\n", "")


def test_the_listing_is_postfixs(desk):
    """Columns, marks, reasons, recipients who still wait, and the last line."""
    waiting = put(
        desk.spool, "a@example.net", "b@example.net", "c@example.net", age_s=3600,
        progress=Progress(b"DPP", attempts=1, reason="450 4.2.1 try later"),
        entry_id="0hognofoxgj-aaaaaaaaaa" + "0" * 15,
    )  # fmt: skip
    put(desk.spool, state=HOLD, sender=None, entry_id="0hognofoxgj-bbbbbbbbbb" + "0" * 15)
    put(desk.spool, state=FAILED)
    desk.carrier.busy.add(waiting)
    result = call_program("mailq", env=desk.env)
    assert (result.exit_code, result.err) == (0, "")
    assert result.out == (
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
        "aaaaaaaaaa*       80  Tue Nov 24 13:41:11  ann@example.org\n"
        "                                                       (450 4.2.1 try later)\n"
        "                                           b@example.net\n"
        "                                           c@example.net\n"
        "\n"
        "bbbbbbbbbb!       80  Tue Nov 24 14:40:11  MAILER-DAEMON\n"
        "                                           you@example.net\n"
        "\n"
        "-- 1 Kbytes in 2 Requests.\n"
    )
    assert len(CONTENT) == 80


def test_one_mail_is_one_request(desk):
    """As Postfix counts; the kilobytes are rounded up."""
    put(desk.spool, content=b"x" * 1025)
    assert call_program("mailq", env=desk.env).out.endswith("\n-- 2 Kbytes in 1 Request.\n")


def test_the_same_in_every_language(desk):
    """Scripts read it."""
    put(desk.spool)
    english, chinese = (
        call_program("mailq", env=desk.env | {"LC_ALL": locale}).out
        for locale in ("C.UTF-8", "zh_CN.UTF-8")
    )
    assert english == chinese


def test_attack_a_reason_with_control_characters(desk):
    """What a server or a caller wrote cannot forge lines or steer a terminal."""
    put(desk.spool)
    reason = "no\x1b[2J\r\n-- 0 Kbytes in 0 Requests."
    desk.carrier.states = [AccountState("work", is_open=True, reason=reason)]
    out = call_program("mailq", env=desk.env).out
    assert out.count("\n-- ") == 1
    assert "\x1b" not in out


def test_the_users_own_queue_is_listed_too(tmp_path, desk):
    """One listing of both, and one sum."""
    put(desk.spool)
    own = Directory(str(tmp_path / ".local/state/pillarbox/spool"))
    own.open()
    put(own)
    own.close()
    out = call_program("mailq", env=desk.env | {"HOME": str(tmp_path)}).out
    assert out.count("Queue ID") == 1
    assert out.endswith("\n-- 1 Kbytes in 2 Requests.\n")


def test_sendmail_bp_lists(desk):
    """It is the same listing."""
    put(desk.spool)
    assert call_program("sendmail", ["-bp"], env=desk.env).out == (
        call_program("mailq", env=desk.env).out
    )


def test_sendmail_q_has_all_tried_now(desk):
    """Nothing is printed, as cron would mail it."""
    put(desk.spool)
    result = call_program("sendmail", ["-q"], env=desk.env)
    assert (result.exit_code, result.out, result.err) == (0, "", "")
    assert ("flush", "") in desk.carrier.told


def test_sendmail_q_without_a_queue():
    """There is nothing to do."""
    result = call_program("sendmail", ["-q"])
    assert (result.exit_code, result.out, result.err) == (0, "", "")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.users
def test_a_user_flushes_what_is_his():
    """He has no power over accounts, so his mails are tried, and nobody else's."""
    spool, carrier = Memory(), HandCarrier()
    spool.open()
    ids = [put(spool, uid=OWNER), put(spool, uid=ANN)]
    code = (
        "import sys; sys.argv[:] = ['sendmail', '-q']; from pillarbox.cli.main import run; run('')"
    )
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: S103 (others have to come to the socket)
        with Desk(Path(name), spool, carrier) as desk:
            subprocess.run(
                [sys.executable, "-S", "-c", code], user=ANN, group=ANN, extra_groups=[],
                env=ENVIRONMENT | {"PILLARBOX_CONTROL": desk.path}, cwd="/", check=True,
            )  # fmt: skip
    assert carrier.told == [("retry", ids[1])]


def test_a_queue_that_cannot_be_looked_into(tmp_path):
    """That is no empty queue: a script must not take it for one."""
    (tmp_path / "file").write_text("")
    result = call_program("mailq", env={"XDG_STATE_HOME": str(tmp_path / "file")})
    assert (result.exit_code, result.out) == (75, "")
    assert "cannot look into the queue" in result.err


@pytest.mark.parametrize(("program", "words"), [("mailq", []), ("sendmail", ["-q"])])
def test_a_daemon_that_was_named_and_does_not_answer(program, words):
    """That is no empty queue either."""
    env = {"PILLARBOX_CONTROL": "/nonexistent/control.sock"}
    result = call_program(program, words, env=env)
    assert (result.exit_code, result.out) == (75, "")
    assert "cannot reach the daemon at /nonexistent/control.sock: No such file" in result.err
    assert "PILLARBOX_CONTROL names it" in result.err


def test_settings_that_are_wrong(tmp_path):
    """They may name another queue, so nothing is said of what waits."""
    (tmp_path / "pillarbox").mkdir()
    (tmp_path / "pillarbox" / "pillarbox.toml").write_text("nonsense = 1\n")
    result = call_program("mailq", env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (result.exit_code, result.out) == (78, "")
