"""
``pillarbox try``, end to end: the real provider in a child process, and the checkout's msmtp.

The programs stand in a directory of the test, where an installation would have put them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import string
import subprocess
import sys
from pathlib import Path

import pytest

from pillarbox.cli import try_
from pillarbox.cli.page import Page
from pillarbox.cli.try_texts import TEXTS
from pillarbox.errors import MissingExtraError, UsageError

ROOT = Path(__file__).parent.parent.parent
COMMAND = (
    '$ echo -e "Subject: 这是一封测试发送的邮件, 来自服务器\\n\\n'
    '这里是邮件内容, 仅用于测试" | msmtp me@test.com'
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Give a bin directory with msmtp, and a place for temporary files that must end empty."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    install(programs / "msmtp", (ROOT / "bin" / "msmtp").read_text().split("\n", 1)[1])
    monkeypatch.setattr(sys, "argv", [str(programs / "pillarbox")])
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return tmp_path


def install(path, code):
    """Write a program that this interpreter runs."""
    path.write_text(f"#!{sys.executable}\n# of pillarbox\n{code}")
    path.chmod(0o755)


def left_over(place):
    """Return what the temporary directory holds."""
    return list((place / "tmp").iterdir())


def assert_ordered(text, *pieces):
    """Each piece stands in the text, behind the one before it."""
    position = 0
    for piece in pieces:
        found = text.find(piece, position)
        assert found >= 0, (piece, text)
        position = found + len(piece)


# -- the demonstration -----------------------------------------------------------------------------


def test_mail_goes_through(capfd, place):
    """Configuration, command, session, mail, remarks and next steps are shown in this order."""
    assert try_.main([]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert_ordered(
        out,
        "127.0.0.1, port ",
        "/msmtprc",
        "(mode 600)",
        "account        default",
        "tls            on",
        "tls_trust_file /",
        "tls_starttls   off",
        "host           127.0.0.1",
        "port           ",
        "auth           on",
        "user           no-reply@example.com",
        "password       ********",
        "from           no-reply@example.com",
        COMMAND,
        f"{place / 'bin' / 'msmtp'} -C {place / 'tmp'}",
        "exit code 0 (EX_OK)",
        "TLSv1.",
        "no-reply@example.com (",
        "MAIL FROM   <no-reply@example.com>",
        "RCPT TO     <me@test.com>",
        "Subject     这是一封测试发送的邮件, 来自服务器",
        "这里是邮件内容, 仅用于测试",
        "What msmtp repaired",
        "there is no To header: the recipient is named.",
        "[SpamAssassin 0.9, rspamd 2.0]",
        "7. Next steps",
        "It went as it should.",
    )
    assert left_over(place) == []


def test_mail_goes_through_in_chinese(capfd, monkeypatch, place):
    """The locale chooses the language; LC_ALL wins."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert try_.main([]) == 0
    out = capfd.readouterr().out
    assert_ordered(
        out,
        "邮件不会离开本机\uff0c",
        COMMAND,
        "退出码 0",
        "msmtp 修复了什么",
        "没有 To 邮件头",
        "一切正常。",
    )
    assert "LC_ALL" not in out
    assert left_over(place) == []


def test_lines_fit_into_80_columns(capfd):
    """All but the command lines and what msmtp says, in both languages."""
    from pillarbox.cli.page import width_of

    for lang in TEXTS:
        try_.main(["--lang", lang])
        for line in capfd.readouterr().out.splitlines():
            assert width_of(line) <= 80 or "msmtp" in line or "ca.pem" in line, line


def test_wrong_password(capfd, place):
    """The failure is shown as msmtp and the provider tell it; that it failed is a success."""
    assert try_.main(["--wrong-password"]) == 0
    out = capfd.readouterr().out
    assert_ordered(
        out,
        "The password is wrong on purpose.",
        "exit code 77 (EX_NOPERM)",
        "526 Authentication failure[0]",
        "refused",
        "It failed as it should.",
    )
    assert "as it arrived" not in out
    assert left_over(place) == []


def test_wrong_from(capfd, place):
    """The same for a sender that is not the login."""
    assert try_.main(["--wrong-from", "--lang", "zh"]) == 0
    out = capfd.readouterr().out
    assert_ordered(
        out,
        "from           someone-else@example.com",
        "发件人故意与登录账号不同",
        "LC_ALL=zh_CN.UTF-8",
        "440 mail from account doesn't conform with authentication",
        "如预期地失败了。",
    )
    assert "退出码 0" not in out
    assert left_over(place) == []


def test_keep(capfd, place):
    """The configuration and the mail can be kept, for nobody else to read."""
    assert try_.main(["--keep", "--to", "you@test.com"]) == 0
    assert "Kept in" in capfd.readouterr().out  # a long path goes on the next line
    (folder,) = left_over(place)
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("msmtprc", "password", "mail.eml"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert b"Subject:" in (folder / "mail.eml").read_bytes()


def test_password_is_in_no_argv_and_in_no_output(capfd, place):
    """A program that looks at every process while msmtp runs finds no password."""
    install(
        place / "bin" / "msmtp",
        "import glob, sys\n"
        "rc = open(sys.argv[2]).read()\n"
        "password = rc.split('password ')[1].split('\\n')[0]\n"
        "for path in glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    try: line = open(path, 'rb').read()\n"
        "    except OSError: continue\n"
        "    if password.encode() in line: print('FOUND', path)\n"
        "print(len(password), 'characters')\n",
    )
    try_.main([])
    out = capfd.readouterr().out
    assert "16 characters" in out
    assert "FOUND" not in out
    assert "********" in out


REPAIRED = """
import smtplib, ssl, sys
from email.message import EmailMessage
rc = dict(line.split(" ", 1) for line in open(sys.argv[2]).read().splitlines())
mail = EmailMessage()
mail["From"] = f"\u670d\u52a1\u5668 <{rc['from']}>"
mail["To"] = sys.argv[3]
mail["Subject"] = sys.stdin.buffer.readline().decode()[9:].strip()
mail["Date"] = "Tue, 24 Nov 2026 02:50:52 +0000"
mail["Message-ID"] = "<1@example.com>"
mail.set_content(sys.stdin.buffer.read().decode().strip(), cte="base64")
context = ssl.create_default_context(cafile=rc["tls_trust_file"])
with smtplib.SMTP_SSL(rc["host"], int(rc["port"]), context=context) as smtp:
    smtp.login(rc["user"], rc["password"])
    smtp.send_message(mail)
"""


def test_mail_is_decoded_and_what_was_not_repaired_is_not_told(capfd, place):
    """What is said about repairs comes from the log: there is none, and so nothing was done."""
    install(place / "bin" / "msmtp", REPAIRED)
    assert try_.main([]) == 0
    out = capfd.readouterr().out
    assert_ordered(
        out,
        "From        服务器 <no-reply@example.com>",
        "(sent encoded (RFC 2047))",
        "To          me@test.com",
        "Subject     这是一封测试发送的邮件, 来自服务器",
        "(sent encoded (RFC 2047))",
        "     这里是邮件内容, 仅用于测试",
        "Nothing was to be repaired.",
    )


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("", []),
        ("import sys; sys.exit(78)", []),
        (REPAIRED + "sys.exit(1)", []),
        ("import sys; sys.exit(77)", ["--wrong-password"]),
        ("import sys; sys.exit(65)", ["--wrong-from"]),
        (REPAIRED.replace('rc["password"]', '"x"').replace("smtp.login", "#"), ["--wrong-from"]),
    ],
    ids=["nothing sent", "msmtp fails", "wrong exit code", "no login", "no MAIL", "traceback"],
)
def test_what_did_not_go_as_it_should(capfd, place, code, arguments):
    """Exit code 1 when the provider did not see what msmtp's exit code claims."""
    install(place / "bin" / "msmtp", code)
    assert try_.main(arguments) == 1
    assert "It did not go as it should." in capfd.readouterr().out
    assert left_over(place) == []


# -- what can be wrong before ----------------------------------------------------------------------


def test_msmtp_of_somebody_else_is_not_taken(capfd, place, monkeypatch):
    """Only the program of this package is run, wherever another of that name stands."""
    (place / "bin" / "msmtp").write_bytes(b"\x7fELF")
    monkeypatch.setattr(sys, "executable", str(place / "bin" / "python"))
    assert try_.main([]) == 1
    out, err = capfd.readouterr()
    assert err == (
        f"pillarbox try: no msmtp of this package beside {place}/bin:"
        " install it with pip install pillarbox\n"
    )
    assert out == ""


def test_missing_trustme_is_said_before_anything_is_shown(capfd, monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtraError, match=r"pillarbox\[try\]"):
        try_.main([])
    assert capfd.readouterr().out == ""


def test_provider_that_does_not_start(capfd, place, monkeypatch):
    """One line, exit code 1, and nothing left."""
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    monkeypatch.setattr(try_.sys, "executable", sys.executable)
    monkeypatch.setattr(try_._Provider, "__init__", _failing_provider)
    assert try_.main([]) == 1
    assert "pillarbox try: the provider did not start" in capfd.readouterr().err
    assert left_over(place) == []


def _failing_provider(self, _folder, page):
    self._page = page
    self._command = [sys.executable, "-c", "pass"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wrong-password", "--wrong-from"],
        ["--lang", "fr"],
        ["--lang"],
        ["--to", "-x"],
        ["--to", "a\nb"],
        ["--wrong"],
        ["x"],
    ],
)
def test_wrong_arguments(arguments):
    """Each mistake is a usage error."""
    with pytest.raises(UsageError):
        try_.main(arguments)


def test_help_is_in_the_language_asked_for(capfd):
    """``--help`` names every option, in both languages."""
    for arguments, piece in (
        (["--help"], "a wrong password"),
        (["--help", "--lang=zh"], "错误的密码"),
    ):
        with pytest.raises(SystemExit) as caught:
            try_.main(arguments)
        assert caught.value.code == 0
        out = capfd.readouterr().out
        assert piece in out
        for option in ("--wrong-password", "--wrong-from", "--to", "--keep", "--lang"):
            assert option in out


# -- nothing is left behind ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(place, kind):
    """A signal ends it in the middle: the child ends, and the directory is removed."""
    fifo = place / "fifo"
    os.mkfifo(fifo)
    code = (
        f"import os\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\nopen({str(fifo)!r}).read()"
    )
    install(place / "bin" / "msmtp", code)
    start = f"import sys; sys.argv[0] = {str(place / 'bin' / 'pillarbox')!r}\n"
    start += "from pillarbox.cli.try_ import main; main([])"
    # Tests that run in the background inherit an ignored SIGINT.
    start = f"import signal; signal.signal(2, signal.default_int_handler)\n{start}"
    process = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE)
    msmtp = int(fifo.read_text())
    (child,) = [pid for pid in children_of(process.pid) if pid != msmtp]
    process.send_signal(kind)
    assert process.wait(20) != 0
    process.stdout.close()
    wait_for_end(child)
    if kind == signal.SIGKILL:
        os.kill(msmtp, signal.SIGKILL)  # nobody was left to do it
    else:
        assert left_over(place) == []
    wait_for_end(msmtp)


def children_of(pid):
    """Return the processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_end(pid):
    """Wait until a process that is not ours has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        import select

        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)


# -- texts -----------------------------------------------------------------------------------------


def test_a_repair_is_shown_once(tmp_path):
    """However many parts of a mail it was done in; what the log says besides is passed over."""
    log = tmp_path / "log"
    log.write_text(
        "t repair=MIME-CTE place=a\nt repair=MIME-CTE place=b\nt host=x\nt repair=NEW x\n"
    )
    assert [rule.id for rule in try_._repairs(str(log))] == ["MIME-CTE"]
    assert list(try_._repairs(str(tmp_path / "none"))) == []


def test_texts_have_the_same_keys_and_places():
    """What is said in one language can be said in the other, with the same facts."""
    formatter = string.Formatter()
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()
    for key, english in TEXTS["en"].items():
        places = [
            {name for _, name, _, _ in formatter.parse(text) if name is not None}
            for text in (english, TEXTS["zh"][key])
        ]
        assert places[0] == places[1], key
        assert re.findall(r"%\(\w+\)s", english) == re.findall(r"%\(\w+\)s", TEXTS["zh"][key])


def test_paragraphs_break_between_words_and_wide_characters(capsys):
    """80 columns; a Chinese comma does not begin a line, a word is not cut."""
    comma = "\uff0c"
    page = Page({"x": "字" * 38 + comma + "字" * 10 + " word " * 20})
    page.say("x")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert not any(line.strip().startswith(comma) for line in lines)
    assert "".join(lines).count("word") == 20
