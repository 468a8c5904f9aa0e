"""at: its daemon goes through the spool once, and sends what the job printed."""

import os
import shutil

import pytest

from callers.arrived import added_fields, assert_silent
from callers.packages import require

# What at writes before the commands of a job: whose they are, to whom and when to send.
JOB = r"""#!/bin/sh
# atrun uid=0 gid=0
# mail root 1
umask 22
cd / || { exit 1; }
printf "h\303\244llo\n.\n..two\nend"
"""
# atd.c: no From, and the number right-aligned.
FORM = "Subject: Output from your job {number:8}\nTo: {to}\n\nh\u00e4llo\n.\n..two\nend"


def test_at_form_arrives_as_at_wrote_it(stage):
    """At's mail has two fields only; the others are added, the output is not touched."""
    written = FORM.format(number=12, to="root").encode()
    assert_silent(stage.run(stage.sendmail, "-i", "root", stdin=written))
    mail = stage.peer.last()
    assert (mail.sender, mail.recipients) == ("me@example.org", ["admin@example.net"])
    assert added_fields(mail, written + b"\n") == ["From", "Date", "Message-ID"]


def test_at_daemon_gets_the_output_of_a_job_to_root(stage):
    """What a job prints arrives, from the regular file that at keeps it in."""
    if os.geteuid() != 0:
        pytest.skip("atd runs as root only")
    program = require("at") / "usr/sbin/atd"
    for name in ("atjobs", "atspool"):
        folder = stage.folder / "spool/cron" / name
        folder.mkdir()
        shutil.chown(folder, "daemon", "daemon")
    # Queue a, job 1, at minute 1: long ago.
    job = stage.folder / "spool/cron/atjobs/a0000100000001"
    job.write_text(JOB)
    job.chmod(0o700)
    assert_silent(stage.run_inside(program, "-d", "-s"))
    mail = stage.peer.last()
    assert (mail.sender, mail.recipients) == ("me@example.org", ["admin@example.net"])
    written = FORM.format(number=1, to="root").encode() + b"\n"
    assert added_fields(mail, written) == ["From", "Date", "Message-ID"]
