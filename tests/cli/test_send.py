"""``pillarbox send``: from a command line to what a server has."""

import os
import pty
import subprocess
import sys

import pytest

from peer import Peer, Puppet
from pillarbox.cli.send import _OPTIONS
from programs import ENVIRONMENT, call_program, run_program
from written import EXTRAS, PNG, config_for, parsed, text_of


@pytest.fixture
def config(peer, tmp_path):
    """Return the path of a configuration for the peer."""
    peer.received.clear()
    return config_for(peer.port, tmp_path)


@pytest.fixture
def send(peer, config):
    """Return a function that sends and gives what arrived, and the mail that it is."""

    def call(*arguments, stdin=b"body\n", run=call_program, env=None):
        result = run("pillarbox", ["send", "-C", config, *arguments], stdin, env)
        assert (result.exit_code, result.out, result.err) == (0, "", "")
        received = peer.last()
        return received, parsed(received.content)

    return call


@pytest.fixture
def refuse(peer, config):
    """Return a function that gives what is said of a command line, when nothing may be sent."""

    def call(*arguments, stdin=b"", code=64, **rest):
        options = ["send", "-C", config, "to@example.org", *arguments]
        result = call_program("pillarbox", options, stdin, **rest)
        assert result.exit_code == code, result.err
        assert "Traceback" not in result.err
        assert "internal error" not in result.err
        assert peer.received == []
        return result.lines

    return call


def test_sends_standard_input(send):
    """The shortest call: recipients, a subject, a body."""
    received, mail = send("a@example.org", "-s", "disk full", "b@example.org")
    assert received.sender == "me@example.org"
    assert received.recipients == ["a@example.org", "b@example.org"]
    assert (mail["To"], mail["Subject"]) == ("a@example.org, b@example.org", "disk full")
    assert mail["From"] == "me@example.org"
    assert mail.get_content() == "body\n"
    assert "Auto-Submitted" not in mail


def test_every_kind_of_recipient_gets_it_once(send):
    """Blind ones unseen."""
    received, mail = send(
        *("王小明 <a@example.org>", "--to", "b@example.org", "--cc", "Zoë <c@example.org>"),
        *("--bcc", "blind@example.org", "--bcc", "a@example.org", "--reply-to", "r@example.org"),
        *("--from", "Ops <ops@example.org>", "--body", "x"),
    )
    assert received.sender == "ops@example.org"
    assert received.recipients == [f"{name}@example.org" for name in ("a", "b", "c", "blind")]
    assert mail["To"].addresses[0].display_name == "王小明"
    assert mail["Cc"].addresses[0].display_name == "Zoë"
    assert (mail["From"], mail["Reply-To"]) == ("Ops <ops@example.org>", "r@example.org")
    assert b"blind@example.org" not in received.content


def test_headers_priority_and_auto(send):
    """What else can be said in the header."""
    _, mail = send(
        *("a@example.org", "--header", "X-Team: ops", "--header", "X-B: ü"),
        *("--priority", "high", "--auto"),
    )
    assert (mail["X-Team"], mail["X-B"], mail["Importance"]) == ("ops", "ü", "high")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_chooses_the_account(send):
    """By its name; From is its address, so that nobody has to add one."""
    received, mail = send("a@example.org", "-a", "other")
    assert (received.sender, mail["From"]) == ("other@example.org", "Ops Zoë <other@example.org>")


def test_attaches_files(send, tmp_path):
    """Of any name."""
    (tmp_path / "报告.txt").write_text("é\n")
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 2000)
    files = [f"--attach={tmp_path / name}" for name in ("报告.txt", "a.bin")]
    _, mail = send("a@example.org", *files)
    first, second = mail.iter_attachments()
    assert (first.get_filename(), first.get_content()) == ("报告.txt", "é\n")
    assert second.get_content() == bytes(range(256)) * 2000


def test_markdown_with_a_picture(send, tmp_path):
    """As text, and as HTML with the picture in it."""
    (tmp_path / "a.png").write_bytes(PNG)
    _, mail = send(
        *("a@example.org", "--markdown", f"--inline={tmp_path / 'a.png'}"),
        stdin="# 标题\n\n![](cid:a.png)\n".encode(),
        run=run_program,
        env=EXTRAS,
    )
    assert mail.get_body(("plain",)).get_content().startswith("# 标题")
    html = mail.get_body(("html",)).get_content()
    (picture,) = [part for part in mail.walk() if part["Content-ID"]]
    assert f'src="cid:{picture["Content-ID"][1:-1]}"' in html
    assert picture.get_content() == PNG


def test_html_from_a_file(send, tmp_path):
    """A text is made of it."""
    (tmp_path / "a.html").write_text("<p>Hello <b>you</b></p>")
    options = ["a@example.org", "--html", f"--body-file={tmp_path / 'a.html'}"]
    _, mail = send(*options, run=run_program, env=EXTRAS)
    assert mail.get_body(("plain",)).get_content() == "Hello you\n"
    assert "<b>you</b>" in mail.get_body(("html",)).get_content()


def test_a_template(send, tmp_path):
    """Values of the command line go before those of files; -s before the template's subject."""
    (tmp_path / "a.md.j2").write_text("Subject: {{ host }} is {{ state }}\n\n**{{ host }}**\n")
    (tmp_path / "v.json").write_text('{"host": "x", "state": "down"}')
    options = [
        *("a@example.org", f"--template={tmp_path / 'a.md.j2'}"),
        *(f"--vars={tmp_path / 'v.json'}", "--var", "host=web1"),
    ]
    _, mail = send(*options, run=run_program, env=EXTRAS)
    assert mail["Subject"] == "web1 is down"
    assert "<strong>web1</strong>" in mail.get_body(("html",)).get_content()
    _, mail = send(*options, "-s", "mine", run=run_program, env=EXTRAS)
    assert mail["Subject"] == "mine"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("正文\n".encode("gb18030") * 20, "正文\n" * 20),
        (b"\xef\xbb\xbfx\n", "x\n"),
    ],
)
def test_the_body_may_be_in_another_charset(send, octets, text):
    """What a script writes under another locale arrives as text."""
    assert text_of(send("a@example.org", stdin=octets)[1]) == text


def test_header_injection_through_the_command_line(send, refuse):
    """A subject stays one line; an address or header with a line end is refused."""
    received, mail = send("a@example.org", "-s", "x\r\nBcc: evil@example.com\n\nevil")
    assert received.recipients == ["a@example.org"]
    assert mail["Bcc"] is None
    assert "control character" in refuse("--header", "X-A: a\nBcc: b@c")[0]
    assert "control character" in refuse("--cc", "b@c.example\nBcc: d@e.example", code=65)[0]
    assert "cannot be given this way" in refuse("--header", "Content-Type: text/html")[0]


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--attach", "/nonexistent/a"], 66, "cannot attach /nonexistent/a: No such file"),
        (["--attach", "/"], 66, "cannot attach /: it is not a file"),
        (["--attach", "-"], 64, "'-' cannot be attached"),
        (["--body-file", "/nonexistent/b"], 66, "cannot read /nonexistent/b: No such file"),
        (["--body", "x", "--body-file", "y"], 64, "--body and --body-file contradict each other"),
        (["--html", "--markdown"], 64, "the body is either HTML or Markdown"),
        (["--var", "a=b"], 64, "--var and --vars need --template"),
        (["--template", "x", "--body", "y"], 64, "--template gives the body and its kind"),
        (["--template", "/nonexistent/t"], 66, "cannot read /nonexistent/t: No such file"),
        (["--inline", "x"], 64, "an inline picture needs a body in HTML or Markdown"),
        (["--header", "x"], 64, "'x' is not a header"),
        (["--priority", "urgent"], 64, "argument --priority: invalid choice"),
        (["--nonsense"], 64, "unrecognized arguments: --nonsense"),
        (["@"], 65, "invalid address @"),
        (["--from", "a@b.example, c@d.example"], 64, "From must be one address, not 2"),
        (["-a", "missing"], 78, "account missing not found"),
        (["--markdown", "--body", "x"], 69, "Markdown needs an extra: pip install"),
    ],
)
def test_what_cannot_be_sent_is_told_before(refuse, arguments, code, problem):
    """With an exit code of its kind, and nothing sent."""
    lines = refuse(*arguments, code=code)
    assert problem in lines[0]


def test_a_body_that_is_no_text(refuse):
    """It is a file to be attached."""
    assert refuse(stdin=bytes(range(256)), code=65)[0] == "the body is no text"


def test_somebody_must_get_it(config):
    """The message says how."""
    result = call_program("pillarbox", ["send", "-C", config, "--body", "x"])
    assert (result.exit_code, result.lines[0]) == (64, "no recipients found")


def test_a_refusal_is_told_as_msmtp_does(tmp_path):
    """With the server's words, and its exit code; the others get it."""
    with Peer() as peer:
        peer.refused["no@example.org"] = "550 5.1.1 no such user"
        config = config_for(peer.port, tmp_path)
        options = ["send", "-C", config, "a@example.org", "no@example.org", "--body", "x"]
        result = call_program("pillarbox", options)
        assert peer.last().recipients == ["a@example.org"]
    assert result.exit_code != 0
    assert "server message: 550 5.1.1 no such user" in result.lines
    assert result.lines[-1].startswith("could not send mail to all recipients (account default")


def test_writes_the_log_of_the_account(peer, tmp_path):
    """As for every other mail; one that cannot be written changes nothing."""
    peer.received.clear()
    log = tmp_path / "log"
    config = config_for(peer.port, tmp_path, f"logfile {log}")
    options = ["send", "-C", config, "a@example.org", "--body", "x"]
    assert call_program("pillarbox", options).exit_code == 0
    assert "recipients=a@example.org" in log.read_text()
    config_for(peer.port, tmp_path, "logfile /nonexistent/log")
    result = call_program("pillarbox", options)
    assert result.exit_code == 0
    assert "cannot log to /nonexistent/log" in result.err
    assert len(peer.received) == 2


def test_dry_run_prints_and_sends_nothing(peer, config, tmp_path):
    """The mail as it would go out."""
    (tmp_path / "a.bin").write_bytes(b"\0" * 1000)
    options = ["send", "-C", config, "a@example.org", "-s", "测试", "--body", "正文"]
    options += ["--attach", str(tmp_path / "a.bin"), "--dry-run"]
    result = call_program("pillarbox", options)
    assert (result.exit_code, result.err) == (0, "")
    assert "\r" not in result.out
    mail = parsed(result.out.encode())
    assert (mail["From"], mail["Subject"]) == ("me@example.org", "测试")
    assert len(list(mail.iter_attachments())) == 1
    assert peer.received == []


def test_dry_run_says_what_is_repaired(config):
    """On standard error, beside the mail: here an empty body gets a line."""
    result = call_program("pillarbox", ["send", "-C", config, "a@example.org", "--dry-run"])
    assert result.exit_code == 0
    assert any(line.startswith("BODY-EMPTY") for line in result.lines), result.lines


def test_a_file_that_becomes_shorter_is_never_a_whole_mail(tmp_path):
    """The end of the mail is not said then."""
    path = tmp_path / "log"
    path.write_bytes(os.urandom(1 << 20))
    with Puppet(watch=lambda: path.write_bytes(b"x") if commands(puppet) else None) as puppet:
        config = config_for(puppet.port, tmp_path)
        options = ["send", "-C", config, "a@example.org", "--body", "x", f"--attach={path}"]
        result = call_program("pillarbox", options)
    assert result.exit_code == 74
    assert "log became shorter while it was sent" in result.err
    assert "." not in puppet.commands


def commands(puppet):
    """Return the commands so far that come behind what is looked at before connecting."""
    return [line for line in puppet.commands if line.startswith("MAIL")]


def on_terminal(*arguments, stdin=None):
    """Run the command with a terminal for standard error, and for input unless that is given."""
    ours, theirs = pty.openpty()
    code = "from pillarbox.cli.main import run; run('pillarbox')"
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-c", code, "send", *arguments],
            stdin=theirs if stdin is None else stdin,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env=ENVIRONMENT,
            check=False,
            timeout=20,
        )
        os.write(theirs, b"END")
        text = b""
        while not text.endswith(b"END"):
            text += os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, text.decode()


def test_shows_progress_of_a_large_mail_to_a_person(peer, config, tmp_path):
    """On a terminal, in place; a small mail says nothing."""
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    (tmp_path / "small").write_bytes(b"x")
    options = ["-C", config, "a@example.org", "--body", "x", "--attach"]
    code, text = on_terminal(*options, str(tmp_path / "large"))
    assert code == 0
    assert "\r100% of 2.7 MiB" in text
    assert on_terminal(*options, str(tmp_path / "small")) == (0, "END")
    peer.received.clear()


def test_does_not_wait_for_a_person_to_type(config):
    """Nobody knows that he should: a terminal is no body, but files may say it all."""
    code, text = on_terminal("-C", config, "a@example.org")
    assert code == 64
    assert "there is no body" in text


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_help_names_every_option(language):
    """In the language of the person."""
    result = call_program("pillarbox", ["send", "--help"], env={"LC_ALL": language})
    assert result.exit_code == 0
    for flags, _, _ in _OPTIONS:
        assert all(flag in result.out for flag in flags if flag[0] == "-")
    assert ("附件" in result.out) == (language[:2] == "zh")
