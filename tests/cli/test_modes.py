"""msmtp's other modes: --pretend, --debug, --serverinfo, --rmqs; and sendmail -bs."""

import base64
import subprocess
from pathlib import Path

import pytest

from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.secret import Secret
from programs import run_program, start_program

PASSWORD = "canary-of-the-modes"
MAIL = b"Subject: modes\n\n.dot\nbody\n"


@pytest.fixture(scope="module")
def provider():
    """Return a provider that offers ETRN and more."""
    keywords = ("PIPELINING", "DSN", "ETRN", "SIZE", "AUTH PLAIN LOGIN")
    options = ProviderOptions(
        user="me@example.org", password=Secret(PASSWORD), keywords=keywords, max_size_bytes=1 << 20
    )
    with EmbeddedProvider(options) as running:
        yield running


@pytest.fixture
def rc(provider, tmp_path):
    """Return a configuration file for the provider."""
    path = tmp_path / "rc"
    path.write_text(
        f"account work\nhost {provider.host}\nport {provider.port}\ntls on\ntls_starttls off\n"
        f"tls_trust_file {provider.ca_file}\nauth on\nuser me@example.org\n"
        f"password {PASSWORD}\nfrom me@example.org\naccount default : work\n"
    )
    path.chmod(0o600)
    return str(path)


def test_pretend_prints_and_sends_nothing(provider, rc):
    """The account in msmtp's words, the password as a star, and no connection."""
    before = len(provider.mails)
    result = run_program("msmtp", ["-P", "-C", rc, "-t", "to@example.org"], MAIL)
    lines = result.out.splitlines()
    assert result.exit_code == 0
    assert f"loaded user configuration file {rc}" in lines
    assert f"using account default from {rc}" in lines
    assert {"host = 127.0.0.1", "password = *", "auth = choose", "timeout = off"} <= set(lines)
    assert lines[-1] == "reading recipients from the command line and the mail"
    assert PASSWORD not in result.out
    assert len(provider.mails) == before


def test_pretend_needs_no_recipients(rc):
    """It shows a configuration; who would get the mail is another question."""
    assert run_program("msmtp", ["-P", "-C", rc], MAIL).exit_code == 0


def test_debug_shows_the_dialogue_without_the_login(rc):
    """Every line of both sides, but of the login only its name."""
    result = run_program("msmtp", ["-d", "-C", rc, "to@example.org"], MAIL)
    lines = result.out.splitlines()
    assert result.exit_code == 0
    assert "--> AUTH PLAIN ***" in lines
    assert any(line.startswith("<-- 220 ") for line in lines)
    assert {"--> RCPT TO:<to@example.org>", "--> ..dot", "--> .", "--> QUIT"} <= set(lines)
    secret = base64.b64encode(f"\0me@example.org\0{PASSWORD}".encode()).decode()
    assert PASSWORD not in result.out
    assert secret not in result.out


def test_debug_hides_every_step_of_a_login(rc):
    """The user name is in a line of its own with LOGIN, and is nobody's business either."""
    result = run_program("msmtp", ["-d", "--auth=login", "-C", rc, "to@example.org"], MAIL)
    lines = result.out.splitlines()
    assert result.exit_code == 0
    assert lines.count("--> ***") == 2
    assert base64.b64encode(b"me@example.org").decode() not in result.out


def test_broken_output_does_not_break_the_mail(provider, rc):
    """Who stops listening to --debug gets the mail sent all the same."""
    before = len(provider.mails)
    with open("/dev/full", "wb", buffering=0) as full:
        words = ["-d", "-C", rc, "to@example.org"]
        process = start_program("msmtp", *words, stdin=subprocess.PIPE, stdout=full)
        process.communicate(MAIL * 2000, timeout=60)  # long enough to fill every buffer
    assert process.returncode in (0, 70)
    provider.wait_for_mails(before + 1)


def test_serverinfo_does_not_log_in(provider, rc):
    """What the server says of itself, as msmtp prints it; a wrong password does not matter."""
    path = Path(rc)
    path.write_text(path.read_text().replace(PASSWORD, "wrong"))
    result = run_program("msmtp", ["-S", "-C", rc], b"")
    lines = result.out.splitlines()
    assert result.exit_code == 0
    assert lines[0].startswith("SMTP server at 127.0.0.1 (")
    assert lines[0].endswith(f", port {provider.port}:")
    assert "TLS certificate information:" in lines
    assert any(line.startswith("        SHA256: ") for line in lines)
    assert "        Maximum message size is 1048576 bytes = 1.00 MiB" in lines
    assert "        PLAIN LOGIN " in lines


def test_rmqs_reports_the_refusal(rc):
    """The provider knows ETRN and has nothing for us."""
    result = run_program("msmtp", ["--rmqs=@example.org", "-C", rc], b"")
    assert result.exit_code == 69
    assert result.lines[0] == "unable to queue messages for node @example.org"
    assert result.lines[1].startswith("server message: 458 ")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-S", "a@b.c"], "too many arguments"),
        (["--rmqs=x", "a@b.c"], "too many arguments"),
        (["-S", "--rmqs=x"], "cannot use both --serverinfo and --rmqs"),
    ],
)
def test_modes_exclude_each_other(rc, words, problem):
    """As msmtp: 64."""
    result = run_program("msmtp", ["-C", rc, *words], b"")
    assert (result.exit_code, result.lines[0][: len(problem)]) == (64, problem)


SESSION = (
    "EHLO me{n}MAIL FROM:<me@example.org>{n}RCPT TO:<a@example.org>{n}DATA{n}"
    "Subject: one{n}{n}..dot{n}.{n}"
    "MAIL FROM:<me@example.org>{n}RCPT TO:<b@example.org>{n}DATA{n}Subject: two{n}{n}x{n}.{n}"
    "QUIT{n}"
)


@pytest.fixture
def home(rc, tmp_path):
    """Return a home in which that configuration is the user's own."""
    place = tmp_path / "home"
    place.mkdir()
    Path(rc).rename(place / ".msmtprc")
    return str(place)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_bs_takes_several_mails(provider, home, end):
    """Full SMTP on standard input, several mails a session, as programs and scripts write it."""
    before = len(provider.mails)
    result = run_program("sendmail", ["-bs"], SESSION.format(n=end).encode(), env={"HOME": home})
    assert result.exit_code == 0
    codes = [line[:3] for line in result.out.splitlines() if line[3:4] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    mails = provider.wait_for_mails(before + 2)[before:]
    assert [str(mail.forward_paths[0]) for mail in mails] == ["a@example.org", "b@example.org"]
    assert mails[0].content.endswith(b"\r\n\r\n.dot\r\n")


def test_bs_answers_as_the_relay_host_did(home):
    """A refusal there is a refusal here, with its words."""
    with Path(home, ".msmtprc").open("a") as file:
        file.write("repair off\n")  # else the login would become the sender
    session = SESSION.format(n="\r\n").replace("FROM:<me@", "FROM:<you@").encode()
    result = run_program("sendmail", ["-bs"], session, env={"HOME": home})
    refusals = [line for line in result.out.splitlines() if line.startswith("554 ")]
    assert len(refusals) == 2
    assert "440 mail from account doesn't conform with authentication" in refusals[0]
