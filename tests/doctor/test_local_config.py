"""The configuration: whoever has none that works is told the file, the line and the fix."""

import os

import pytest

from machine_tree import ACCOUNT, SECRET, as_nobody, tree
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.local_config import CODES, check_config
from pillarbox.text import localize


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


def codes(found):
    """Return what was found, shortly."""
    return [(finding.code, finding.severity) for finding in found]


def test_healthy_configuration_has_no_finding_and_gives_the_facts(machine):
    """The checks behind this one get account, sender, provider and files."""
    machine.configure(ACCOUNT.replace("smtp.example.com", "smtp.qiye.aliyun.com"), 0o640)
    patient = machine.patient()
    assert machine.find(patient, check_config) == []
    assert patient.account is not None
    assert patient.account.port == 465
    assert str(patient.sender) == "no-reply@example.com"
    assert patient.provider is not None
    assert patient.provider.id == "aliyun-qiye"
    assert [file.path for file in patient.files.both() if not file.reason] == [
        f"{machine.root}/etc/msmtprc"
    ]


def test_users_own_file_comes_first(machine):
    """Both files are read, and his account of the same name is taken."""
    machine.configure(ACCOUNT, 0o640)
    machine.configure_user(ACCOUNT.replace("no-reply", "me"))
    patient = machine.patient()
    assert machine.find(patient, check_config) == []
    assert str(patient.sender) == "me@example.com"


def test_sender_of_the_question_is_asked_about(machine):
    """``--from`` is what the account makes of it."""
    machine.configure(ACCOUNT, 0o640)
    patient = machine.patient(settings={"from": "web@example.com"})
    machine.find(patient, check_config)
    assert str(patient.sender) == "web@example.com"


@pytest.mark.parametrize(
    ("host", "port", "known"),
    [
        ("127.0.0.1", 1025, "proton-bridge"),
        ("127.0.0.1", 25, ""),
        ("127.0.0.2", 1025, ""),
        ("::1", 25, ""),
        ("localhost", 25, ""),
        ("smtp.gmail.com", 465, "gmail"),
        ("smtp.example.com", 465, ""),
    ],
)
def test_loopback_is_a_providers_only_at_its_port(machine, host, port, known):
    """A relay on this computer is not Proton's bridge."""
    text = f"account default\nhost {host}\nport {port}\nfrom a@gmail.com\nauth off\n"
    text += {465: "tls on\ntls_starttls off\n", 1025: "tls on\n"}.get(port, "tls off\n")
    machine.configure(text)
    patient = machine.patient()
    assert machine.find(patient, check_config) == []
    assert (patient.provider.id if patient.provider else "") == known


BROKEN = [
    # text, mode, code, severity, words of the evidence or the problem, words of the fix
    pytest.param(
        ACCOUNT.replace("tls_starttls off", "tls_startls off"),
        0o600,
        ("config.syntax", FAULT),
        "msmtprc: line 3, column",
        "msmtprc: line 3: write tls_starttls",
        id="misspelt keyword",
    ),
    pytest.param(
        ACCOUNT.replace("port 465", "port smtps-465"),
        0o600,
        ("config.syntax", FAULT),
        "msmtprc: line 5, column 6",
        "",
        id="no port",
    ),
    pytest.param(
        ACCOUNT + "a\0b\n",
        0o600,
        ("config.syntax", FAULT),
        "msmtprc: line 10, column 2",
        "UTF-8",
        id="NUL",
    ),
    pytest.param(
        ACCOUNT.replace("tls_starttls off", "tls_starttls on"),
        0o600,
        ("config.settings", FAULT),
        "msmtprc: line 5, column 6",
        "tls_starttls off",
        id="STARTTLS at 465",
    ),
    pytest.param(
        ACCOUNT.replace("host smtp.example.com\n", ""),
        0o600,
        ("config.settings", FAULT),
        "host not set",
        "host NAME",
        id="no host",
    ),
    pytest.param(
        ACCOUNT.replace("user no-reply@example.com\n", ""),
        0o600,
        ("config.settings", FAULT),
        "there is no user",
        "user NAME",
        id="no user",
    ),
    pytest.param(
        ACCOUNT.replace("smtp.example.com", "smtp.qiye.aliyum.com"),
        0o600,
        ("config.doubtful", WARNING),
        "msmtprc: line 4, column 6",
        "msmtprc: line 4: write host smtp.qiye.aliyun.com",
        id="misspelt host",
    ),
    pytest.param(
        ACCOUNT + "tls_certcheck off\n",
        0o600,
        ("config.doubtful", WARNING),
        "anybody can pretend",
        "tls_fingerprint",
        id="no check of the certificate",
    ),
    pytest.param(
        ACCOUNT,
        0o644,
        ("config.permissions", WARNING),
        "0644",
        "sudo chmod 600 ",
        id="password for everybody",
    ),
    pytest.param(
        ACCOUNT.replace("from no-reply@example.com\n", "").replace(
            "user no-reply@example.com", "user AKID"
        ),
        0o600,
        ("config.sender", FAULT),
        "has no sender",
        "from ADDRESS",
        id="no sender",
    ),
    pytest.param(
        ACCOUNT.replace("from no-reply@example.com", "from no reply@example.com"),
        0o600,
        ("config.sender", FAULT),
        "from is set at ",
        "from NAME@DOMAIN",
        id="sender that is no address",
    ),
    pytest.param(
        ACCOUNT + "\naccount other\nhost smtp.example.com\ntls on\nauth on\n",
        0o600,
        ("config.others", WARNING),
        "account other",
        "user NAME",
        id="another account is wrong",
    ),
    pytest.param(
        ACCOUNT + "\naccount other\nhost smtp.gmial.com\nfrom o@example.com\n",
        0o600,
        ("config.others", NOTE),
        "smtp.gmial.com",
        "smtp.gmail.com",
        id="another account is doubtful",
    ),
    pytest.param(
        ACCOUNT.replace("account default", "account work"),
        0o600,
        ("config.account", FAULT),
        "account default not found",
        "account default : NAME",
        id="no default",
    ),
    pytest.param(
        "# nothing\n", 0o600, ("config.account", FAULT), "read: ", "names no account", id="empty"
    ),
]


@pytest.mark.parametrize(("text", "mode", "expected", "seen", "fix"), BROKEN)
def test_finds_what_is_wrong_in_the_file(machine, text, mode, expected, seen, fix):
    """One finding each, with its place and the one thing to do."""
    machine.configure(text, mode)
    patient = machine.patient()
    found = machine.find(patient, check_config)
    assert codes(found) == [expected]
    (finding,) = found
    assert seen in " ".join([finding.problem, *finding.evidence])
    assert fix in finding.fix
    assert (patient.account is None) == (finding.severity == FAULT)
    assert localize(finding.fix, "zh")


def test_service_reads_the_file_by_its_group(machine):
    """With mode 600 it could not."""
    machine.install_units()
    path = machine.configure(ACCOUNT, 0o644)
    (finding,) = machine.find(machine.patient(), check_config)
    assert finding.fix == f"sudo chgrp pillarbox {path} && sudo chmod 640 {path}"


def test_every_wrong_line_is_a_finding(machine):
    """A person mends them all before he asks again."""
    machine.configure("account default\nhots a\nport b\n")
    assert codes(machine.find(machine.patient(), check_config)) == [("config.syntax", FAULT)] * 2


def test_named_account_is_examined_and_the_others_are_not_blamed(machine):
    """What is wrong with ``default`` is a warning to whoever asks for another."""
    text = ACCOUNT.replace("user no-reply@example.com\n", "")
    other = "\naccount other\nhost smtp.example.org\nauth off\ntls off\nfrom o@example.org\n"
    machine.configure(text + other)
    patient = machine.patient(account="other")
    assert codes(machine.find(patient, check_config)) == [("config.others", WARNING)]
    assert patient.host == "smtp.example.org"


def test_account_that_is_not_there_is_told_with_those_that_are(machine):
    """``-a`` with a slip of the finger."""
    machine.configure()
    (finding,) = machine.find(machine.patient(account="defualt"), check_config)
    assert finding.code == "config.account"
    assert "default" in finding.fix


@pytest.mark.parametrize("uid", [0, 1000])
def test_without_any_file_setup_is_the_fix(machine, uid):
    """Nothing is configured: both places are named."""
    (finding,) = machine.find(machine.patient(uid=uid), check_config)
    assert (finding.code, finding.severity) == ("config.missing", FAULT)
    assert finding.fix == ("sudo pillarbox setup" if uid == 0 else "pillarbox setup")
    assert "/etc/msmtprc is not there" in finding.evidence[0]


def test_file_that_is_a_directory_is_told(machine):
    """It is there, and nobody can read it."""
    machine.at("/etc/msmtprc").mkdir()
    (finding,) = machine.find(machine.patient(), check_config)
    assert (finding.code, finding.severity) == ("config.unreadable", FAULT)
    assert "directory" in finding.problem


def test_eval_that_fails_is_told_with_its_line(machine):
    """It is run as for a mail."""
    machine.configure_user("eval false\n")
    (finding,) = machine.find(machine.patient(), check_config)
    assert (finding.code, finding.severity) == ("config.unreadable", FAULT)
    assert "line 1" in finding.problem
    assert "by hand" in finding.fix


def test_file_of_c_that_is_not_there_is_told(machine):
    """``-C`` has to name a file."""
    (finding,) = machine.find(machine.patient(user_file="/nonexistent/rc"), check_config)
    assert finding.code == "config.unreadable"


def test_own_file_with_a_password_that_others_read_is_refused(machine):
    """As msmtp does it; the fix is the command."""
    path = machine.configure_user(ACCOUNT, 0o644)
    os.chown(path, os.geteuid(), -1)
    patient = machine.patient(uid=os.geteuid() or 1000)
    (finding,) = machine.find(patient, check_config)
    assert (finding.code, finding.severity) == ("config.permissions", FAULT)
    assert "chmod 600" in finding.fix
    assert patient.account is None


def test_trust_store_that_is_missing_is_left_to_the_machine(machine):
    """That check knows the package."""
    machine.configure(ACCOUNT + "tls_trust_file /nonexistent/ca.pem\n")
    patient = machine.patient()
    assert machine.find(patient, check_config) == []
    assert patient.account is not None


# -- who may not read it -------------------------------------------------------------------------


@pytest.fixture(name="closed")
def _closed(machine):
    machine.configure(ACCOUNT, 0o600 if os.geteuid() == 0 else 0)
    machine.home.chmod(0o755)
    return machine


def test_user_who_may_not_read_the_file_is_told_how(closed):
    """Without a service, nobody else sends for him."""
    with as_nobody() as uid:
        patient = closed.patient(uid=uid)
        (finding,) = closed.find(patient, check_config)
    assert (finding.code, finding.severity) == ("config.denied", FAULT)
    assert finding.fix == "sudo pillarbox install --start"
    assert f"user id {uid}" in finding.evidence


def test_user_whom_the_service_would_serve_is_told_to_start_it(closed):
    """The unit is there, and its socket is not."""
    closed.install_units()
    with as_nobody() as uid:
        (finding,) = closed.find(closed.patient(uid=uid), check_config)
    assert finding.code == "config.denied"
    assert finding.fix.startswith("sudo systemctl enable --now")


@pytest.mark.parametrize("way", ["socket", "variable"])
def test_submitter_of_a_service_is_healthy(closed, way):
    """He needs no configuration: the examination ends, and nobody is to blame."""
    if way == "socket":
        closed.write("/run/pillarbox/submit.sock", "")
    env = {"PILLARBOX_SOCKET": "/run/other.sock"} if way == "variable" else {}
    with as_nobody() as uid:
        patient = closed.patient(uid=uid, env=env)
        (finding,) = closed.find(patient, check_config)
    assert (finding.code, finding.severity, finding.is_end) == ("config.service", NOTE, True)
    assert "queue status" in finding.meaning
    assert patient.account is None


def test_user_with_a_file_of_his_own_needs_not_the_systems(closed):
    """It is skipped without a word."""
    path = closed.configure_user()
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
    with as_nobody() as uid:
        patient = closed.patient(uid=uid)
        assert closed.find(patient, check_config) == []
    assert patient.account is not None


# -- senders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "user", "sender"),
    [
        ("*@example.com", "AKID", "AKID@example.com"),
        ("*@example.com", "it's", "postmaster@example.com"),
        ("*@example.com", "me@example.com", "me@example.com"),
        ("*@*.example.com", "AKID", ""),
    ],
)
def test_pattern_of_senders_is_examined_with_one_that_fits(machine, pattern, user, sender):
    """Where none can be made up, a person has to name one."""
    text = ACCOUNT.replace("from no-reply@example.com", f"from {pattern}")
    machine.configure(text.replace("user no-reply@example.com", f"user {user}"))
    patient = machine.patient()
    found = machine.find(patient, check_config)
    assert str(patient.sender or "") == sender
    assert codes(found) == ([] if sender else [("config.sender", FAULT)])


def test_password_is_in_no_finding(machine):
    """Attack: a line that is wrong because of a password is told by its place only."""
    machine.configure(f"account default\npassword {SECRET} \npasswor {SECRET}\n")
    (finding,) = machine.find(machine.patient(), check_config)  # ``find`` looks for it
    assert finding.code == "config.syntax"


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
