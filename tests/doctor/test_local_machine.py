"""The machine: names that a mail bears, whom it trusts, room, and a home that can be written to."""

import os

import pytest

import certificates
from machine_tree import ACCOUNT, tree
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.local_config import check_config
from pillarbox.doctor.local_machine import CODES, check_machine, judge_room

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


def find(machine, text=ACCOUNT, **options):
    """Return what is found of the machine, behind the configuration."""
    machine.configure(text)
    patient = machine.patient(**options)
    found = machine.find(patient, check_config, check_machine)
    assert patient.account is not None
    return found


def test_healthy_machine_has_no_finding(machine):
    """A name, a store, room and a home."""
    assert find(machine) == []


def test_without_an_account_only_room_is_looked_at(machine):
    """What the others found is enough."""
    machine.at(BUNDLE).unlink()
    assert machine.find(machine.patient(), check_machine) == []


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["localhost", "(none)", "", "localhost.localdomain", "my_pc", "-"])
def test_computer_without_a_name_of_its_own_is_noted(machine, name):
    """No mail fails for it."""
    machine.write("/proc/sys/kernel/hostname", f"{name}\n")
    if name == "-":
        name = "-pc"
        machine.write("/proc/sys/kernel/hostname", "-pc\n")
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("machine.hostname", NOTE)
    assert name in finding.problem


@pytest.mark.parametrize("name", ["www", "www.example.com", "a1b2c3d4e5f6", "xn--fsq.example"])
def test_computer_with_a_name_is_healthy(machine, name):
    """A container's is a number, and as good as any."""
    machine.write("/proc/sys/kernel/hostname", f"{name}\n")
    assert find(machine) == []


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        ("mail.example.com", False),
        ("localhost", False),
        ("[192.0.2.1]", False),
        ("[IPv6:2001:db8::1]", False),
        ("my_pc.example.com", True),
        ("-a.example.com", True),
        ("mail.example.com.", True),
        ("a" * 64, True),
    ],
)
def test_name_that_ehlo_does_not_take_is_told(machine, name, is_told):
    """RFC 5321 4.1.2: labels of letters, digits and hyphens, or an address in brackets."""
    found = find(machine, ACCOUNT + f"domain {name}\n")
    assert [(finding.code, finding.severity) for finding in found] == (
        [("machine.ehlo", WARNING)] if is_told else []
    )
    for finding in found:
        assert ":10" in finding.evidence[0]


@pytest.mark.parametrize(
    ("content", "is_told"),
    [
        ("example.com\n", False),
        ("debian\n", True),
        ("_x.example.com\n", True),
        ("localhost\n", True),
    ],
)
def test_mail_name_that_senders_get_has_to_be_a_domain(machine, content, is_told):
    """``%M`` puts it behind the @."""
    machine.write("/etc/mailname", content)
    patient_text = ACCOUNT.replace("from no-reply@example.com", "from me@%M")
    machine.configure(patient_text)
    patient = machine.patient()
    list(check_config(patient))
    assert patient.account is not None
    found = machine.find(patient, check_machine)
    assert [(finding.code, finding.severity) for finding in found] == (
        [("machine.mailname", WARNING)] if is_told else []
    )


def test_mail_name_that_nobody_uses_may_be_anything(machine):
    """Most machines have one that says nothing."""
    machine.write("/etc/mailname", "localhost\n")
    assert find(machine) == []


# -- the trust store -------------------------------------------------------------------------------

SYSTEMS = [
    ("ID=debian\n", "sudo apt install --reinstall ca-certificates"),
    ('ID=ubuntu\nID_LIKE="debian"\n', "sudo apt install --reinstall ca-certificates"),
    ("ID=alpine\n", "sudo apk add ca-certificates"),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "sudo dnf reinstall ca-certificates"),
    ("ID=void\nNAME=debian\n", "install the package ca-certificates"),
    ("", "install the package ca-certificates"),
]


@pytest.mark.parametrize(("system", "fix"), SYSTEMS)
def test_missing_store_is_mended_by_the_package_of_the_system(machine, system, fix):
    """Each distribution has a command of its own."""
    machine.write("/etc/os-release", system)
    machine.at(BUNDLE).unlink()
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("machine.store", FAULT)
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize("content", ["", "nonsense\n", "-----BEGIN CERTIFICATE-----\nMIIB\n"])
def test_store_in_which_no_certificate_is_is_as_good_as_none(machine, content):
    """A disk that was full while it was made leaves such a file."""
    machine.write(BUNDLE, content)
    (finding,) = find(machine)
    assert finding.code == "machine.store"
    assert "holds no certificate" in finding.problem


@pytest.mark.parametrize("is_there", [True, False])
def test_store_of_the_account_is_looked_at_in_place_of_the_systems(machine, is_there):
    """The tutorial names Debian's; whoever names another has it."""
    pem = certificates.pem(certificates.authority("root")).decode()
    path = machine.write("/etc/own.pem", pem)
    machine.at(BUNDLE).unlink()
    if not is_there:
        path.unlink()
    found = find(machine, ACCOUNT + f"tls_trust_file {path}\n")
    assert [finding.code for finding in found] == ([] if is_there else ["machine.store"])
    for finding in found:
        assert "correct the path" in finding.fix
        assert ":10" in finding.evidence[0]


def test_missing_store_of_the_tutorial_is_the_package(machine):
    """It is the one that ca-certificates makes."""
    machine.at(BUNDLE).unlink()
    (finding,) = find(machine, ACCOUNT + f"tls_trust_file {BUNDLE}\n")
    assert finding.fix == "sudo apt install --reinstall ca-certificates"


@pytest.mark.parametrize(
    "lines",
    [
        "tls_fingerprint 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33\n",
        "tls_certcheck off\n",
    ],
)
def test_account_that_trusts_no_store_needs_none(machine, lines):
    """A pinned certificate needs no authority."""
    machine.at(BUNDLE).unlink()
    assert find(machine, ACCOUNT + lines) == []


def test_account_without_tls_needs_no_store(machine):
    """A relay on this computer."""
    machine.at(BUNDLE).unlink()
    text = "account default\nhost 127.0.0.1\nport 25\nfrom me@example.com\ntls off\nauth off\n"
    assert find(machine, text) == []


def test_store_of_the_real_machine_is_looked_at_without_a_root(machine):
    """As OpenSSL would: whether there is one is not for this test to say."""
    patient = machine.patient()
    machine.configure()
    list(check_config(patient))
    patient.root = ""
    assert {finding.code for finding in check_machine(patient)} <= {"machine.store"} | {
        "machine.hostname",
        "machine.space",
        "machine.full",
    }


# -- room ------------------------------------------------------------------------------------------


def numbers(free_percent, inodes_percent, *, total_mib=100_000, total_files=1_000_000):
    """Return what ``os.statvfs`` would."""
    block = 1 << 12
    blocks = (total_mib << 20) // block
    free = int(blocks * free_percent / 100)
    files = int(total_files * inodes_percent / 100)
    return os.statvfs_result((block, block, blocks, free, free, total_files, files, files, 0, 255))


ROOM = [
    # free, free inodes, MiB, inodes, code, words of the problem, words of the fix
    (50, 50, 100_000, 1_000_000, None, "", ""),
    (6, 6, 100_000, 1_000_000, None, "", ""),
    (4, 50, 100_000, 1_000_000, ("machine.space", WARNING), "nearly full", "du -xh"),
    (50, 4, 100_000, 1_000_000, ("machine.space", WARNING), "nearly full", "du -xh"),
    (0, 50, 100_000, 1_000_000, ("machine.full", FAULT), "is full", "du -xh"),
    (0.01, 50, 100_000, 1_000_000, ("machine.full", FAULT), "is full", "du -xh"),
    (50, 0, 100_000, 1_000_000, ("machine.full", FAULT), "no inode", "--inodes"),
    (50, 0, 100_000, 0, None, "", ""),
    (60, 60, 16, 1000, None, "", ""),
    (40, 60, 16, 1000, ("machine.full", FAULT), "is full", "du -xh"),
    (0, 0, 0, 0, None, "", ""),
]


@pytest.mark.parametrize(("free", "inodes", "mib", "files", "expected", "problem", "fix"), ROOM)
def test_room_is_judged_by_the_numbers(free, inodes, mib, files, expected, problem, fix):
    """Full, nearly full, or well; a file system without inodes has none to run out of."""
    found = list(judge_room("/spool", numbers(free, inodes, total_mib=mib, total_files=files)))
    assert [(finding.code, finding.severity) for finding in found] == (
        [expected] if expected else []
    )
    for finding in found:
        assert problem in finding.problem
        assert fix in finding.fix
        assert "MiB" in finding.evidence[0]


def test_place_that_needs_little_is_full_later():
    """A small file system for temporary files is not at its end with some MiB."""
    status = numbers(10, 50, total_mib=64)
    assert [finding.code for finding in judge_room("/x", status)] == ["machine.full"]
    assert list(judge_room("/x", status, 1 << 20)) == []


def test_place_that_cannot_be_looked_at_is_no_finding(machine):
    """Nobody is told of a TMPDIR that is not there twice."""
    assert find(machine, env={"TMPDIR": "/nonexistent"}) == []


# -- home ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "severity", "words"),
    [("", NOTE, "remembered"), ("queue on\n", FAULT, "queue of this user")],
)
def test_home_that_cannot_be_written_to(machine, lines, severity, words):
    """It costs a memory, or with a queue the mail itself."""
    path = machine.write("/home/file", "")
    (finding,) = find(machine, ACCOUNT + lines, env={"HOME": str(path)})
    assert (finding.code, finding.severity) == ("machine.home", severity)
    assert words in finding.problem
    assert str(path) in finding.evidence[0]


def test_other_place_of_the_state_heals_it(machine):
    """As the fix says."""
    path = machine.write("/home/file", "")
    env = {"HOME": str(path), "XDG_STATE_HOME": str(machine.home)}
    assert find(machine, ACCOUNT + "queue on\n", env=env) == []


def test_relative_home_has_an_end(machine, monkeypatch):
    """Attack: HOME=x leads to no root; it is looked for from where we are, as sending does."""
    monkeypatch.chdir(machine.home)
    assert find(machine, ACCOUNT + "queue on\n", env={"HOME": "x"}) == []


def test_home_of_a_submitter_does_not_matter(machine):
    """The service keeps what is to be kept."""
    path = machine.write("/home/file", "")
    machine.write("/run/pillarbox/submit.sock", "")
    assert find(machine, env={"HOME": str(path)}) == []


def test_nothing_is_written_to_find_out(machine):
    """Attack: a doctor that makes files in a home changes what he looks at."""
    find(machine, ACCOUNT + "queue on\n")
    assert list(machine.home.iterdir()) == []


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
