"""The password: found where it is, doubted where it cannot be the one, and never shown."""

import os

import pytest

from machine_tree import ACCOUNT, SECRET, as_nobody, tree
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.local_config import check_config
from pillarbox.doctor.local_secret import CODES, check_secret
from pillarbox.text import localize


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


WITHOUT = ACCOUNT.replace(f"password {SECRET}\n", "")
ALIYUN = "smtp.qiye.aliyun.com"


def examine(machine, patient):
    """Return what is found of the password, behind the configuration."""
    return machine.find(patient, check_config, check_secret)


def with_password(text):
    """Return the account with another password."""
    return ACCOUNT.replace(SECRET, text)


def configure_command(machine, line):
    """Write the account with a line more; commands of the system's file have to be root's."""
    write = machine.configure if os.geteuid() == 0 else machine.configure_user
    write(WITHOUT + line)


# -- healthy -----------------------------------------------------------------------------------


def place_config(machine):
    """Put the password into the file."""
    machine.configure()


def place_command(machine):
    """Have a command print it."""
    path = machine.write("/etc/secret", f"{SECRET}\n", 0o600)
    configure_command(machine, f"passwordeval cat {path}\n")


def place_netrc(machine):
    """Put it where other programs share it."""
    entry = f"machine smtp.example.com login no-reply@example.com password {SECRET}\n"
    (machine.home / ".netrc").write_text(entry)
    (machine.home / ".netrc").chmod(0o600)
    machine.configure(WITHOUT)


def place_system_netrc(machine):
    """Put it where all users share it."""
    entry = f"machine smtp.example.com login no-reply@example.com password {SECRET}\n"
    machine.write("/etc/netrc", entry, 0o600)
    machine.configure(WITHOUT)


def place_credential(machine):
    """Put it where only systemd gives it to the service."""
    machine.install_units()
    machine.write("/etc/credstore/pillarbox.password", f"{SECRET}\n", 0o600)
    machine.configure(WITHOUT)


PLACES = [place_config, place_command, place_netrc, place_system_netrc, place_credential]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_finds_the_password_where_it_is(machine, place):
    """Nothing is to be said of it, and the login gets it."""
    place(machine)
    patient = machine.patient()
    assert examine(machine, patient) == []
    assert patient.secret is not None
    assert patient.secret.reveal() == SECRET


@pytest.mark.parametrize("auth", ["auth off", "auth external", "auth gssapi"])
def test_login_without_a_password_needs_none(machine, auth):
    """Such an account is healthy."""
    machine.configure(WITHOUT.replace("auth on", auth) + "tls_certcheck on\n")
    patient = machine.patient()
    assert examine(machine, patient) == []
    assert patient.secret is None


def test_nothing_is_run_where_no_login_may_be_tried(machine):
    """``--no-login`` asks no key ring and starts no command."""
    trace = machine.root / "trace"
    configure_command(machine, f"passwordeval touch {trace}\n")
    assert examine(machine, machine.patient(may_log_in=False)) == []
    assert not trace.exists()


def test_given_credentials_directory_counts_before_the_store(machine):
    """In the service itself, systemd has put it elsewhere."""
    machine.install_units()
    machine.write("/etc/credstore/pillarbox.password", "another one\n", 0o600)
    machine.write("/run/credentials/pillarbox.password", f"{SECRET}\n", 0o400)
    machine.configure(WITHOUT)
    env = {"CREDENTIALS_DIRECTORY": str(machine.at("/run/credentials"))}
    patient = machine.patient(env=env)
    assert examine(machine, patient) == []
    assert patient.secret.reveal() == SECRET


# -- none ----------------------------------------------------------------------------------------


def test_without_any_every_place_is_named(machine):
    """The evidence is where we looked, the fix is where to write it."""
    machine.configure(WITHOUT)
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.none", FAULT)
    assert "no-reply@example.com at smtp.example.com" in finding.problem
    assert len(finding.evidence) == 5
    assert finding.fix.startswith("sudo pillarbox setup no-reply@example.com asks")
    assert patient.secret is None


def test_user_sets_his_own_account_up(machine):
    """Without root's rights."""
    machine.configure_user(WITHOUT)
    (finding,) = examine(machine, machine.patient(uid=os.geteuid() or 1000))
    assert finding.fix.startswith("pillarbox setup no-reply@example.com asks")


def test_store_does_not_count_without_the_service(machine):
    """Nobody would read it there."""
    machine.write("/etc/credstore/pillarbox.password", f"{SECRET}\n", 0o600)
    machine.configure(WITHOUT)
    (finding,) = examine(machine, machine.patient())
    assert finding.code == "secret.none"


def test_credential_that_only_the_service_reads_is_no_fault_of_a_user(machine):
    """He hands his mail over, and needs no password."""
    machine.install_units()
    machine.write("/run/pillarbox/submit.sock", "")
    machine.write("/etc/credstore/pillarbox.password", f"{SECRET}\n", 0o600)
    machine.configure(WITHOUT, 0o644)
    with as_nobody() as uid:
        patient = machine.patient(uid=uid or 1000)
        (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.service", NOTE)
    assert "sudo pillarbox doctor" in finding.fix
    assert patient.secret is None


def test_sealed_credential_is_no_fault_of_root(machine):
    """Only systemd opens it: what can be asked is the service."""
    machine.install_units()
    machine.write("/etc/credstore.encrypted/pillarbox.password", "sealed", 0o600)
    machine.configure(WITHOUT)
    (finding,) = examine(machine, machine.patient())
    assert (finding.code, finding.severity) == ("secret.service", NOTE)
    assert "/etc/credstore.encrypted" in finding.meaning


COMMANDS = [
    ("false", "exit status 1", "by hand"),
    ("true", "printed nothing", "by hand"),
    ("echo", "empty line", "by hand"),
    ("printf 'a\\000b'", "NUL byte", "by hand"),
    ("/nonexistent/program", "exit status 127", "by hand"),
    ("kill -9 $$", "signal 9", "by hand"),
]


@pytest.mark.parametrize(("command", "seen", "fix"), COMMANDS)
def test_command_that_gives_none_is_told_with_its_end(machine, command, seen, fix):
    """The place in the file is evidence; the command is not: it may hold the password."""
    configure_command(machine, f"passwordeval {command}\n")
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.command", FAULT)
    assert seen in finding.problem
    assert command not in finding.problem
    assert fix in finding.fix
    assert finding.evidence[0].endswith("msmtprc: line 9")
    assert patient.secret is None


# -- what it is -----------------------------------------------------------------------------------

PLACEHOLDERS = [
    "the-client-password",
    "The Client Password",
    "YOUR_PASSWORD",
    "<password>",
    "[your-app-password]",
    "xxxxxxxx",
    "XXXX-XXXX",
    "****************",
    "……",
    "…",
    "客户端专用密码",
    "你的授权码",
    "password-here",
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholder_of_a_text_is_a_fault_before_any_login(machine, text):
    """No login is wasted on what is certainly no password."""
    machine.configure(with_password(text))
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.placeholder", FAULT)
    assert finding.evidence[0].endswith("msmtprc:8")
    assert patient.secret is None


@pytest.mark.parametrize("text", ["password", "Secret", "123456", "changeme"])
def test_word_that_somebody_may_use_is_a_warning(machine, text):
    """It may be the password of a laboratory: the login is tried."""
    machine.configure(with_password(text))
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.placeholder", WARNING)
    assert patient.secret.reveal() == text


@pytest.mark.parametrize(
    "text", ["xx", "password1!", "my-passwords-are-long", "正確馬電池", "x#Xy"]
)
def test_password_that_only_looks_like_one_is_none_of_them(machine, text):
    """Whatever else it is, it may be meant."""
    machine.configure(with_password(text))
    patient = machine.patient()
    assert examine(machine, patient) == []
    assert patient.secret.reveal() == text


INVISIBLE = [
    ("abc\u200bdef", "zero width space"),
    ("abcdef\u00a0", "no-break space"),
    ("\ufeffabcdef", "zero width no-break space"),
    ("abc\u3000def", "ideographic space"),
    ("abc\u202edef", "right-to-left override"),
    ("abcdef ", "at its end"),
    (" abcdef", "at its beginning"),
    ("abc\tdef", "U+0009"),
]


@pytest.mark.parametrize(("text", "name"), INVISIBLE)
def test_character_that_is_not_seen_is_named(machine, text, name):
    """They come with copying from a web page; the name says which, and nothing else of it."""
    path = machine.write("/etc/secret", f"{text}\n", 0o600)
    configure_command(machine, f"passwordeval cat {path}\n")
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    is_blank = " " in text
    assert (finding.code, finding.severity) == ("secret.invisible", WARNING if is_blank else FAULT)
    assert name.lower() in finding.problem.lower()
    assert "abc" not in finding.problem
    assert (patient.secret is not None) == is_blank  # no login is wasted on the others


def test_blank_inside_is_part_of_a_password(machine):
    """Google shows its own in four groups, and takes them so."""
    machine.configure(with_password("abcd efgh ijkl mnop"))
    assert examine(machine, machine.patient()) == []


@pytest.mark.parametrize(("count", "is_told"), [(16, False), (15, True), (9, True)])
def test_length_of_aliyuns_client_password_is_known(machine, count, is_told):
    """It has 16 characters; the password of the web page is not taken while they are on."""
    text = with_password(("Ab3dE6" * 4)[:count]).replace("smtp.example.com", ALIYUN)
    machine.configure(text)
    found = examine(machine, machine.patient())
    assert [(finding.code, finding.severity) for finding in found] == (
        [("secret.length", NOTE)] if is_told else []
    )
    for finding in found:
        assert "16" in finding.problem
        assert "16" in localize(finding.problem, "zh")
        assert "阿里" in localize(finding.problem, "zh")
        assert str(count) not in finding.problem


def test_more_lines_of_a_command_are_left_alone_and_told(machine):
    """``pass show`` prints notes behind the password."""
    path = machine.write("/etc/secret", f"{SECRET}\nurl: x\n", 0o600)
    configure_command(machine, f"passwordeval cat {path}\n")
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.lines", NOTE)
    assert patient.secret.reveal() == SECRET


# -- who else reads it ----------------------------------------------------------------------------

FILES = {
    "command": (place_command, "/etc/secret", 0o644),
    "netrc": (place_netrc, "/home/me/.netrc", 0o640),
    "credential": (place_credential, "/etc/credstore/pillarbox.password", 0o604),
}


@pytest.mark.parametrize("name", FILES)
def test_file_of_the_password_that_others_read_is_told(machine, name):
    """The fix is the command."""
    place, path, mode = FILES[name]
    place(machine)
    machine.at(path).chmod(mode)
    patient = machine.patient()
    (finding,) = examine(machine, patient)
    assert (finding.code, finding.severity) == ("secret.readable", WARNING)
    assert f"{mode:04o}" in finding.evidence[0]
    os.system(finding.fix)  # noqa: S605 (it is what a person would do)
    assert examine(machine, machine.patient()) == []
    assert patient.secret is not None


CLOSED = [
    # place, mode, group, the fix; empty: it is well
    ("/etc/secret", 0o600, 0, "sudo chgrp pillarbox"),
    ("/etc/secret", 0o640, 0, "sudo chgrp pillarbox"),
    ("/etc/secret", 0o640, 997, ""),
    ("/root/secret", 0o640, 997, "/etc/credstore/pillarbox.password"),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to the service's group")
@pytest.mark.parametrize(("path", "mode", "group", "fix"), CLOSED)
def test_password_that_root_reads_and_the_service_does_not(machine, path, mode, group, fix):
    """Tried as root, all is well; and no mail of the system goes."""
    machine.install_units()
    machine.write("/run/pillarbox/submit.sock", "")
    place = machine.write(path, f"{SECRET}\n", mode)
    os.chown(place, 0, group)
    configure_command(machine, f"passwordeval cat {place}\n")
    patient = machine.patient()
    found = examine(machine, patient)
    assert [(finding.code, finding.severity) for finding in found] == (
        [("secret.closed", FAULT)] if fix else []
    )
    for finding in found:
        assert fix in finding.fix


def test_netrc_of_root_is_not_the_services(machine):
    """Its home is not there, and hidden."""
    place_netrc(machine)
    machine.install_units()
    machine.write("/run/pillarbox/submit.sock", "")
    (finding,) = examine(machine, machine.patient())
    assert finding.code == "secret.closed"


@pytest.mark.parametrize("missing", ["units", "socket", "root", "account"])
def test_password_is_no_matter_of_a_service_that_does_not_send(machine, missing):
    """It is whoever calls that reads it."""
    place_command(machine)
    if missing != "units":
        machine.install_units()
    if missing != "socket":
        machine.write("/run/pillarbox/submit.sock", "")
    if missing == "account":  # it is root's own, and he sends by himself
        machine.configure_user(WITHOUT + f"passwordeval cat {machine.at('/etc/secret')}\n")
    uid = 1000 if missing == "root" else 0
    assert examine(machine, machine.patient(uid=uid)) == []


@pytest.mark.parametrize(
    "command", ["cat {} | head -1", "head -1 <{}", "sh -c 'cat {}'", "'"], ids=range(4)
)
def test_command_that_is_not_plain_hides_no_fault(machine, command):
    """Whatever it is, the doctor goes on."""
    path = machine.write("/etc/secret", f"{SECRET}\n", 0o644)
    configure_command(machine, f"passwordeval {command.format(path)}\n")
    found = {finding.code for finding in examine(machine, machine.patient())}
    assert found <= {"secret.readable", "secret.command"}


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
