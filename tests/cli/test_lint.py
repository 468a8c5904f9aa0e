"""``pillarbox lint``: what a person sees, what a script reads, and the exit codes of both."""

import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stdout

import pytest

from pillarbox.cli import lint_page
from pillarbox.lint.finding import Finding
from pillarbox.mail.rules import RULE_BY_ID
from programs import BIN, ENVIRONMENT, call_program

GOOD = (
    b"From: Web01 <no-reply@example.com>\r\n"
    b"To: admin@example.net\r\n"
    b"Subject: web01: the backup is done\r\n"
    b"Date: %s\r\n"
    b"Message-ID: <1.2@example.com>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"The backup of last night took 12 minutes.\r\n"
)
FROM = "--from=no-reply@example.com"


@pytest.fixture
def good():
    """Return a mail of now with nothing wrong."""
    from time import time

    from pillarbox.mail.originate import format_date

    return GOOD % format_date(time()).encode()


def lint(*arguments, stdin=b"", **env):
    """Run the command; no line of it is a traceback."""
    result = call_program("pillarbox", ["lint", *arguments], stdin, env)
    assert "Traceback" not in result.err + result.out
    assert "internal error" not in result.err
    return result


def test_good_mail_is_clean(good):
    """One line, and exit code 0."""
    result = lint(FROM, stdin=good)
    assert (result.exit_code, result.out, result.err) == (
        0, "standard input: nothing is wrong\n", "",
    )  # fmt: skip


def test_finding_has_its_place_reason_and_remedy(good, tmp_path):
    """A person sees where it is, what was seen, why it matters, what to do, what it costs."""
    path = tmp_path / "mail.eml"
    path.write_bytes(good.replace(b"web01: the backup is done", b"THE BACKUP IS DONE"))
    result = lint(FROM, str(path))
    assert result.exit_code == 0
    assert result.out.startswith(
        "hint    HDR-SUBJ-CAPS  line 3, Subject\n"
        "  the Subject is all capitals\n"
        "  seen      THE BACKUP IS DONE\n"
        "  why       filters count what shouts\n"
        "  to do     write it in small letters\n"
        "  cost      SpamAssassin 0.5, rspamd 2.4 points\n"
        "\n"
    )
    # The path is as long as it is: the last line is wrapped somewhere.
    last = f"{path}: 0 errors, 0 warnings, 1 hints; 0 of 1 are repaired when it is sent"
    assert "".join(result.out.split("\n\n")[1].split()) == "".join(last.split())


def test_repair_tells_what_it_does_with_this_mail(good):
    """Where repair has a word of its own, it stands in the place of the rule's."""
    result = lint(FROM, "--to=admin@example.net", stdin=good.replace(b"admin@example.net", b"root"))
    assert "  repaired  root became admin@example.net\n" in result.out
    assert "seen" not in result.out
    assert "1 of 1 are repaired" in " ".join(result.out.split())


@pytest.mark.parametrize(("old", "new", "code"), [
    (b"web01: the backup is done", b"test", 0),
    (b"The backup of last night took 12 minutes.", b"https://example.com/", 1),
    (b"web01:", b"web01\0:", 2),
])  # fmt: skip
def test_exit_code_is_the_worst_severity(good, old, new, code):
    """Hints are clean, warnings are 1, errors 2; for people and scripts alike."""
    mail = good.replace(old, new)
    assert lint(FROM, stdin=mail).exit_code == code
    assert lint(FROM, "--json", stdin=mail).exit_code == code


def test_json_has_stable_keys(good):
    """One object: findings, summary, scores."""
    mail = good.replace(b"web01: the backup is done", b"test")
    found = json.loads(lint(FROM, "--json", "-", stdin=mail).out)
    assert found == {
        "findings": [
            {
                "rule": "HDR-SUBJ-TEST",
                "severity": "hint",
                "place": "Subject",
                "line": 3,
                "what": "the Subject says nothing: a test, a greeting or a single word",
                "evidence": "test",
                "why": "163 refuses some of these as spam (554 DT:SPM)",
                "fix": "say which computer it is and what happened",
                "cost": {"spamassassin": None, "rspamd": None},
                "source": "RFC 5322 3.6.5",
                "repaired": False,
            }
        ],
        "summary": {"error": 0, "warning": 0, "hint": 1, "total": 1, "repaired": 0},
        "scores": {},
    }


def test_repaired_mail_is_printed_and_clean(good):
    """``--repaired`` gives the mail alone, in which ``--as-sent`` finds what is left."""
    mail = good.replace(b"Date:", b"X-Date:").replace(b"web01: the backup is done", b"test")
    repaired = lint(FROM, "--repaired", stdin=mail).out
    assert repaired.startswith("Date: ") or "\r\nDate: " in repaired
    rules = [f["rule"] for f in json.loads(lint(FROM, "--json", stdin=mail).out)["findings"]]
    assert rules == ["HDR-DATE-MISSING", "HDR-SUBJ-TEST"]
    left = json.loads(lint(FROM, "--json", "--as-sent", stdin=mail).out)["findings"]
    assert [finding["rule"] for finding in left] == ["HDR-SUBJ-TEST"]


def test_good_mail_is_printed_as_it_is(good, tmp_path):
    """Byte for byte, whatever ends its lines."""
    for mail in (good, good.replace(b"\r\n", b"\n")):
        result = subprocess.run(
            [sys.executable, str(BIN / "pillarbox"), "lint", FROM, "--repaired"],
            input=mail,
            capture_output=True,
            check=True,
            env={**ENVIRONMENT, "HOME": str(tmp_path)},
        )
        assert result.stdout == mail


def test_recipients_are_those_of_the_command_line(good):
    """Whom the mail does not name is told."""
    result = lint(FROM, "--to=admin@example.net", "--to", "b@example.org", "--json", stdin=good)
    (finding,) = json.loads(result.out)["findings"]
    assert (finding["rule"], finding["evidence"]) == ("HDR-TO-FORGED", "b@example.org")


def test_size_limit_is_that_of_the_command_line(good):
    """The mail is compared with it."""
    assert lint(FROM, "--max-size=100", stdin=good).exit_code == 1
    assert lint(FROM, "--max-size=100000", stdin=good).exit_code == 0


def test_chinese_is_spoken(good):
    """In a Chinese locale every word that is ours is Chinese, in JSON too; keys stay."""
    mail = good.replace(b"web01: the backup is done", b"test")
    result = lint(FROM, stdin=mail, LC_ALL="zh_CN.UTF-8")
    assert "提示" in result.out
    assert "标准输入：0 个错误，0 个警告，1 个提示" in result.out
    found = json.loads(lint(FROM, "--json", stdin=mail, LC_ALL="zh_CN.UTF-8").out)
    assert found["findings"][0]["severity"] == "hint"
    assert found["findings"][0]["fix"] == "写明是哪台机器、发生了什么"
    assert "在发送之前" in lint("--help", LC_ALL="zh_CN.UTF-8").out


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["--nonsense"], 64, "nonsense"),
    (["--from", "a b"], 64, "--from"),
    (["--to"], 64, "--to"),
    (["--max-size=x"], 64, "a number of bytes is needed"),
    (["--max-size=-1"], 64, "a number of bytes is needed"),
    (["--rspamd=nowhere"], 64, "HOST:PORT is needed"),
    (["--rspamd=a:99999999999"], 64, "HOST:PORT is needed"),
    (["--as-sent", "--repaired"], 64, "not allowed with"),
    (["a", "b"], 64, "b"),
    (["/nonexistent/mail"], 66, "cannot read /nonexistent/mail: No such file"),
    (["/"], 66, "cannot read /: Is a directory"),
    (["--rspamd=127.0.0.1:1"], 69, "no rspamd answers at 127.0.0.1:1"),
])  # fmt: skip
def test_wrong_call_is_one_clear_line(arguments, code, said):
    """What, where, and the exit code of its kind."""
    result = lint(*arguments, stdin=b"Subject: x\n\n")
    assert (result.exit_code, result.out) == (code, "")
    assert said in result.err.splitlines()[0]


def test_missing_spamassassin_is_one_clear_line(tmp_path, good):
    """And an advice; exit code 69."""
    result = lint(FROM, "--spamassassin", stdin=good, PATH=str(tmp_path))
    assert result.exit_code == 69
    assert result.lines[0] == "spamassassin is not installed on this computer"


def test_filter_is_shown(tmp_path, good):
    """Points, limit, and each rule in words."""
    program = tmp_path / "spamassassin"
    program.write_text(
        "#!/bin/sh\ncat <<'E'\n"
        "Content analysis details:   (6.5 points, 5.0 required)\n\n"
        " pts rule name              description\n"
        "---- ---------------------- --------------------------------------------------\n"
        " 2.7 MISSING_DATE           Missing Date: header\nE\n"
    )
    program.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    result = lint(FROM, "--spamassassin", stdin=good, PATH=path)
    assert "spamassassin: 6.5 points; spam from 5.0 on\n" in result.out
    assert "    2.7  MISSING_DATE: Missing Date: header\n" in result.out
    found = json.loads(lint(FROM, "--spamassassin", "--json", stdin=good, PATH=path).out)
    assert found["scores"]["spamassassin"] == {
        "points": 6.5, "limit": 5.0,
        "hits": [{"name": "MISSING_DATE", "points": 2.7, "description": "Missing Date: header"}],
    }  # fmt: skip


# -- the account ----------------------------------------------------------------------------


def home(tmp_path, text):
    """Return a home directory with a configuration."""
    path = tmp_path / ".msmtprc"
    path.write_text(text)
    path.chmod(0o600)
    return {"HOME": str(tmp_path)}


def test_address_of_the_default_account_is_known(tmp_path, good):
    """A mail without From is told to get the account's."""
    env = home(tmp_path, "account default\nhost smtp.example.com\nfrom me@example.com\n")
    mail = good.replace(b"From:", b"X-From:")
    assert "From: me@example.com\r\n" in lint("--repaired", stdin=mail, **env).out


@pytest.mark.parametrize("text", [
    "account default\nhost smtp.example.com\neval touch {marker}; echo from me@example.com\n",
    "account default\nhost smtp.example.com\npasswordeval touch {marker}\nfrom me@example.com\n",
    "account default\nnonsense\n",
    "account other\nhost x\nfrom me@example.com\n",
    "account default\nfrom *@example.com\n",
    "account default\nfrom %U@%H\n",
    "account default\n",
    "\0",
])  # fmt: skip
def test_configuration_runs_no_command_and_stops_nothing(tmp_path, good, text):
    """Whatever stands in it, the mail is looked at (attack: a command in a configuration)."""
    marker = tmp_path / "marker"
    env = home(tmp_path, text.format(marker=marker))
    result = lint("--to=admin@example.net", stdin=good, **env)
    assert (result.exit_code, result.err) == (0, "")
    assert not marker.exists()


def test_limits_of_the_provider_are_known(tmp_path):
    """Without --max-size, what a known provider takes counts."""
    from pillarbox.cli.lint_account import find_account

    home(tmp_path, "account default\nhost smtp.gmail.com\nfrom me@gmail.com\n")
    account = find_account({"HOME": str(tmp_path)})
    assert str(account.sender) == "me@gmail.com"
    assert account.max_size_bytes
    home(tmp_path, "account default\nhost smtp.example.com\n")
    account = find_account({"HOME": str(tmp_path)})
    assert (account.sender, account.max_size_bytes, account.demands_sender()) == (None, None, False)


# -- the page -------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_no_line_is_wider_than_the_terminal(monkeypatch, columns, language):
    """Neither words nor what was seen of the mail; a wide character takes two columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LC_ALL", language)
    findings = [Finding(rule, "Subject", 3, "x" * 200, is_repaired=is_repaired)
                for rule in RULE_BY_ID.values() for is_repaired in (True, False)]  # fmt: skip
    out = io.StringIO()
    with redirect_stdout(out):
        lint_page.print_page("mail", findings, [])
    widths = [lint_page.width_of(line) for line in out.getvalue().splitlines()]
    assert max(widths) <= columns
    assert out.getvalue().count("x" * 20) >= len(findings)


@pytest.mark.parametrize(("env", "has_colour"), [
    ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
])  # fmt: skip
def test_colour_is_for_terminals_only(monkeypatch, env, has_colour):
    """And not where NO_COLOR is set; what stands in a pipe is plain."""
    finding = Finding(RULE_BY_ID["HDR-DUP"], "Subject", 3, "", is_repaired=True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        lint_page.print_page("mail", [finding], [])
        terminal.flush()
        assert (b"\033[33m" in os.read(ours, 65536)) == has_colour
    os.close(ours)
    out = io.StringIO()
    with redirect_stdout(out):
        lint_page.print_page("mail", [finding], [])
    assert "\033" not in out.getvalue()


def test_mail_cannot_draw_on_the_terminal(good):
    """Escapes of the mail are shown as text (attack: terminal escape sequences)."""
    result = lint(FROM, stdin=good.replace(b"web01: the", b"\033]0;x\007$ !!"))
    assert "\033" not in result.out
    assert "\007" not in result.out
