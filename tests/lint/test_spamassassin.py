"""Asking SpamAssassin: its report is read, and its absence is one clear line."""

import os
from shutil import which

import pytest

from pillarbox.errors import EX_UNAVAILABLE
from pillarbox.lint.score import FilterError, Hit, Score, arrived
from pillarbox.lint.spamassassin import ask_spamassassin, read_report

REPORT = """\
Content analysis details:   (9.9 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 9.9 FORGED                 This was in the mail

Content analysis details:   (6.5 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-0.1 DKIM_VALID             Message has a valid signature
 2.7 MISSING_DATE           Missing Date: header
* 1.9 HTML_OBFUSCATE        BODY: Message is 5% to 10% HTML
                            obfuscation
 0.0 HTML_MESSAGE           BODY: HTML\x1b[1m included

"""


def test_last_report_is_read():
    """The one at the end is the program's; one before it may be text (attack: forged report)."""
    assert read_report(REPORT) == Score(
        "spamassassin", 6.5, 5.0,
        (
            Hit("MISSING_DATE", 2.7, "Missing Date: header"),
            Hit("HTML_OBFUSCATE", 1.9, "BODY: Message is 5% to 10% HTML obfuscation"),
            Hit("HTML_MESSAGE", 0.0, "BODY: HTML\\x1b[1m included"),
            Hit("DKIM_VALID", -0.1, "Message has a valid signature"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("report", ["", "Subject: x\n\ntext\n", "0/0\n", "(6.5 points)"])
def test_no_report_is_none(report):
    """A program that only gave the mail back has said nothing."""
    assert read_report(report) is None


def test_missing_program_is_said(tmp_path):
    """The exit code is that of a service that is not there."""
    with pytest.raises(FilterError, match="spamassassin is not installed") as caught:
        ask_spamassassin(b"", {"PATH": str(tmp_path)})
    assert caught.value.exit_code == EX_UNAVAILABLE
    assert caught.value.advice


def test_silent_program_is_said(tmp_path):
    """One that ends without a report is no score of nought."""
    program = tmp_path / "spamassassin"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(FilterError, match="gave no report"):
        ask_spamassassin(b"", {"PATH": str(tmp_path)})


def test_daemon_is_asked_first_and_program_when_it_is_silent(tmp_path):
    """What spamc reports counts; when no spamd answers, it reports nothing."""
    for name, report in (("spamassassin", "1.0"), ("spamc", "2.0")):
        line = f"Content analysis details:   ({report} points, 5.0 required)"
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{line}'\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": str(tmp_path)}
    assert ask_spamassassin(b"", env).points == 2.0
    (tmp_path / "spamc").write_text("#!/bin/sh\nexit 74\n")
    assert ask_spamassassin(b"", env).points == 1.0


@pytest.mark.skipif(not which("spamassassin"), reason="spamassassin is not installed")
def test_real_program_judges_a_mail(good, tmp_path):
    """The good mail costs nothing, and a fault costs what it is known to."""
    env = {**os.environ, "HOME": str(tmp_path)}
    now = 1795489200.0
    assert ask_spamassassin(arrived(good, "a@example.net", now), env).points < 1
    bad = good.replace(b"Date:", b"X-Date:").replace(b"Message-ID:", b"X-ID:")
    names = {hit.name for hit in ask_spamassassin(arrived(bad, "", now), env).hits}
    assert {"MISSING_DATE", "MISSING_MID"} <= names
    assert "RCVD_ILLEGAL_IP" not in names
    assert list(tmp_path.iterdir()) == []
