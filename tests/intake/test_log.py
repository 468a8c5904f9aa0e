"""The log of a running service: its settings, and a SIGHUP behind a rotation."""

from __future__ import annotations

import json
import signal

from served import Service, accounts_for

MAIL = b"From: me@example.org\nTo: you@example.com\nSubject: test\n\nhello\n"


def test_a_log_file_is_made_anew_behind_a_rotation():
    """What logrotate does: the file is moved away, a SIGHUP, and lines go into a new one."""
    with Service(accounts_for(1)) as service:
        log = service.folder / "mail.log"
        settings = f'[log]\ntargets = ["file", "stderr"]\nfile = "{log}"\nformat = "json"\n'
        service.write_settings(settings)
        service.signal(signal.SIGHUP)
        service.wait_for_line('"event":"reloaded"')
        log.rename(service.folder / "mail.log.1")
        service.signal(signal.SIGHUP)
        service.wait_for_line('"event":"reloaded"', count=2)
        service.hand_over(MAIL)
        service.wait_for_line('"event":"accepted"')
        events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
        assert events[:2] == ["reloaded", "accepted"]
        assert log.stat().st_mode & 0o777 == 0o640
        before = (service.folder / "mail.log.1").read_text().splitlines()
        assert [json.loads(line)["event"] for line in before] == ["reloaded"]


def test_wrong_settings_of_the_log_leave_it_where_it_was():
    """A broken file is refused in one line, and nothing is silent."""
    with Service(accounts_for(1)) as service:
        service.write_settings('[log]\nlevel = "loud"\n')
        service.signal(signal.SIGHUP)
        line = service.wait_for_line("event=reload_refused")
        assert "level" in line
        service.write_settings('[log]\ntargets = ["file"]\nfile = "/nonexistent/log"\n')
        service.signal(signal.SIGHUP)
        line = service.wait_for_line("event=log_failed", "target=file")
        assert "No such file" in line
        service.wait_for_line("event=reloaded")
