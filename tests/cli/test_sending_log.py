"""The record of each attempt, and that no secret is in any artefact."""

import os
import re
import subprocess
from base64 import b64encode
from pathlib import Path

from peer import FROM, USER, Puppet, send_to_puppet
from programs import ENVIRONMENT, call_program, start_program

# -- the log, end to end ----------------------------------------------------------------------


def test_log_tells_of_success_and_failure(tmp_path, peer):
    """The file has one line for each attempt and none for what never got on its way."""
    log = tmp_path / "log"
    options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, f"--logfile={log}", "--raw"]
    mail = b"Subject: t\r\n\r\nx\ny"
    assert call_program("msmtp", [*options, "a@x.org", "b@x.org"], mail).exit_code == 0
    received = peer.last()
    size = len(received.content.replace(b"\r\n", b"\n"))
    assert call_program("msmtp", [*options, "no-recipients\n"], mail).exit_code == 65
    send_to_puppet({"MAIL": "550 it's\x07no"}, f"--logfile={log}", "--raw")
    first, second = log.read_text().splitlines()
    assert re.fullmatch(
        r"[A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d host=127\.0\.0\.1 tls=off auth=off "
        rf"from=me@example\.org recipients=a@x\.org,b@x\.org mailsize={size} "
        r"smtpstatus=250 smtpmsg='250 taken' "
        r"exitcode=EX_OK",
        first,
    )
    assert second.partition(" recipients=")[2] == (
        "to@example.org smtpstatus=550 smtpmsg='550 it?s\\x07no' errormsg='envelope from address "
        "me@example.org not accepted by the server' exitcode=EX_DATAERR"
    )
    assert log.stat().st_mode & 0o777 == 0o644


def test_log_failure_keeps_the_exit_code(peer):
    """A log that cannot be written is told with the record, and the mail's fate stays."""
    for code, options in ((0, []), (67, ["--", "refused@x.org"])):
        peer.refused["refused@x.org"] = "550 no"
        call = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, "--logfile=/nonexistent/log"]
        result = call_program("msmtp", [*call, *(options or ["to@x.org"])], b"Subject: t\n\nx\n")
        assert result.exit_code == code
        assert "cannot log to /nonexistent/log: No such file or directory" in result.lines
        assert result.lines[-1].startswith("log info was: host=127.0.0.1 tls=off ")
    peer.received.clear()


def test_log_to_a_pipe_that_nobody_reads(tmp_path, peer):
    """Attack: a FIFO in the place of the log file does not hold the program for ever."""
    os.mkfifo(tmp_path / "log")
    options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, f"--logfile={tmp_path / 'log'}"]
    result = call_program("msmtp", [*options, "to@x.org"], b"Subject: t\n\nx\n")
    assert result.exit_code == 0
    assert result.lines[0].startswith("cannot log to ")
    peer.last()


def test_log_waits_for_its_turn(tmp_path, peer):
    """Two programs that log at once write two whole lines."""
    log = tmp_path / "log"
    options = ["--host=127.0.0.1", f"--port={peer.port}", *FROM, f"--logfile={log}"]
    processes = [
        start_program("msmtp", *options, f"to{n}@x.org", stdin=subprocess.DEVNULL) for n in range(4)
    ]
    for process in processes:
        with process:
            assert process.wait(20) == 0
    lines = log.read_text().splitlines()
    assert sorted(re.findall(r"recipients=(\S+)", "\n".join(lines))) == [
        f"to{n}@x.org" for n in range(4)
    ]
    peer.received.clear()


# -- no secret in an artefact -----------------------------------------------------------------

CANARY = "c4n4ry'S3cr3t%\xe4"  # with what quoting, escaping and encoding would change


def _forms(secret):
    """Return what gives the secret away: itself, in hex, and in base64 at any place."""
    raw = secret.encode()
    forms = {raw, raw[:8], raw[-10:], raw.hex().encode(), secret.replace("'", "?").encode()}
    for before in range(3):
        encoded = b64encode(b"x" * before + raw)
        forms.add(encoded[4 if before else 0 : -4])
    return forms


ECHOES = [
    {},
    {"AUTH": "500 what is {line}"},
    {"AUTH": "535 {line}"},
    {"AUTH": "454 {line}"},
    {"AUTH": f"535 wrong password {CANARY}"},
    {"AUTH": f"535-{CANARY}\r\n535 again {CANARY}"},
    {"AUTH": "535 " + "x" * 500 + CANARY + "x" * 600},
    {"AUTH": f"334 {CANARY}"},
    {"AUTH": f"nonsense {CANARY}"},
    {"AUTH": f"235 hello {CANARY}"},
    {"AUTH": "421 {line}"},
    {"AUTH": ""},
    {"MAIL": f"550 {CANARY}"},
    {"MAIL": f"550 your password is {CANARY}, isn't it"},
    {"RCPT": f"450 {CANARY}"},
    {"RCPT": f"550 <{CANARY}@example.org>"},
    {"DATA": f"250 {CANARY}"},
    {".": f"554 {CANARY}"},
    {".": f"250 queued as {CANARY}"},
    {"": f"554 {CANARY}"},
    {"EHLO": f"250-{CANARY}\r\n250 AUTH PLAIN", "AUTH": "535 {line}"},
    {"RCPT": f"550 5.1.1 {CANARY}{CANARY} {CANARY}"},
    *({"AUTH": "nonsense " + "x" * n + CANARY} for n in (58, 62)),
    *({"AUTH": "nonsense " + "x" * n + "{line}"} for n in (20, 26)),
]


def test_canary(tmp_path):
    """
    Attack: the password on standard error, in the log, in argv (L10).

    One known password, a server that quotes it in every reply that it can, and every artefact is
    searched for it: raw, in hex, in base64 at each alignment.
    """
    log = tmp_path / "log"
    config = tmp_path / ".msmtprc"
    config.touch(mode=0o600)
    artefacts = []
    for replies in ECHOES:
        seen = []
        with Puppet(replies, watch=lambda: seen.append(_shown_to_all(process.pid))) as puppet:  # noqa: B023
            config.write_text(
                f"host 127.0.0.1\nport {puppet.port}\nauth plain\n"
                f"user {USER}\npassword {CANARY}\nfrom {USER}\nlogfile {log}\nrepair off\n"
            )
            with start_program(
                "msmtp",
                "to@example.org",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=ENVIRONMENT | {"HOME": str(tmp_path)},
            ) as process:
                seen += process.communicate(b"Subject: t\n\nx\n", timeout=20)
        assert b"to@example.org" in seen[0]
        artefacts.append((replies, b"".join(seen)))
        assert any(command.startswith("AUTH") for command in puppet.commands) or "" in replies
    assert log.read_bytes().count(b"\n") == len(ECHOES)
    assert len(artefacts) >= 20
    for replies, artefact in [*artefacts, ("the log", log.read_bytes())]:
        for form in _forms(CANARY):
            assert form not in artefact, (replies, artefact)


def _shown_to_all(pid):
    """Return what every user of the machine sees of a process, and what its owner sees."""
    return b"".join(
        Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ", "comm")
    )
