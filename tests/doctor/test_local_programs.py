"""Who owns sendmail and msmtp: a warning where callers are hurt, a note where nobody asked."""

import pytest

from machine_tree import SCRIPT, tree
from pillarbox.doctor.finding import FAULT, NOTE, WARNING
from pillarbox.doctor.local_programs import CODES, check_programs

PROFILE = "/etc/apparmor.d/usr.bin.msmtp"
LOADED = "/sys/kernel/security/apparmor/profiles"
SWITCH = "/sys/module/apparmor/parameters/enabled"

# What Debian's package says, shortened.
PROFILE_TEXT = """\
#include <tunables/global>

profile msmtp /usr/bin/msmtp flags=(attach_disconnected) {
  /usr/bin/msmtp mr,
  #include <local/usr.bin.msmtp>
}
"""


@pytest.fixture(name="machine")
def _machine():
    with tree() as made:
        yield made


def find(machine, **options):
    """Return what is found."""
    return machine.find(machine.patient(**options), check_programs)


def test_installed_machine_has_no_finding(machine):
    """All names are ours."""
    machine.install()
    assert find(machine) == []


def test_virtual_environment_without_a_mail_program_is_healthy(machine):
    """Nobody asked for sendmail: a note tells how one would get it."""
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("programs.none", NOTE)
    assert "sudo pillarbox install" in finding.fix


def test_script_of_a_package_is_ours_too(machine):
    """A link to an entry point of pip, or of a distribution."""
    machine.write("/opt/venv/bin/sendmail", "#!/opt/venv/bin/python\nfrom pillarbox.cli import x\n")
    machine.link("/usr/sbin/sendmail", "../../opt/venv/bin/sendmail")
    assert find(machine) == []


def test_sendmail_that_was_taken_away_is_a_warning_where_it_was_installed(machine):
    """Cron would not find it."""
    machine.install()
    machine.at("/usr/sbin/sendmail").unlink()
    machine.at("/usr/lib/sendmail").unlink()
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("programs.none", WARNING)
    assert finding.fix == "sudo pillarbox install"


OWNERS = [
    # link target of sendmail (relative to /usr/sbin), package, its owner
    ("../bin/msmtp", "", "msmtp"),
    ("", "msmtp-mta", "msmtp"),
    ("sendmail.postfix", "", "Postfix"),
    ("", "postfix", "Postfix"),
    ("exim4", "", "Exim"),
    ("", "exim4-daemon-light", "Exim"),
    ("smtpctl", "", "OpenSMTPD"),
    ("", "opensmtpd", "OpenSMTPD"),
    ("", "nullmailer", "nullmailer"),
    ("ssmtp", "", "sSMTP"),
    ("dma", "", "dma"),
    ("../../bin/busybox", "", "BusyBox"),
    ("../lib/sm.bin/sendmail", "sendmail-bin", "Sendmail"),
    ("../lib/courier/sendmail", "courier-mta", "Courier"),
    ("", "", "another program"),
]


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize(("target", "package", "owner"), OWNERS)
def test_other_owner_of_sendmail_is_named(machine, target, package, owner, is_installed):
    """By what the link leads to, or by the package; a warning only where ours was installed."""
    if is_installed:
        machine.install()
    path = f"/usr/sbin/{target}" if target else "/usr/sbin/sendmail"
    machine.at("/usr/sbin").mkdir(parents=True, exist_ok=True)
    machine.write(path, "\x7fELF")
    if target:
        machine.link("/usr/sbin/sendmail", target)
    if package:
        machine.write("/var/lib/dpkg/info/aaa.list", "/.\n/usr\n/usr/sbin/sendmail.distrib\n")
        machine.write(f"/var/lib/dpkg/info/{package}.list", "/.\n/usr/sbin/sendmail\n")
    (finding,) = find(machine)
    severity = WARNING if is_installed else NOTE
    assert (finding.code, finding.severity) == ("programs.sendmail", severity)
    assert owner in finding.problem
    assert "sudo pillarbox install" in finding.fix
    seen = " ".join(finding.evidence)
    assert (target.rpartition("/")[2] or package or "/usr/sbin/sendmail") in seen


def test_alternatives_are_followed(machine):
    """The chain is the evidence."""
    machine.write("/usr/bin/msmtp", "\x7fELF")
    machine.link("/usr/sbin/sendmail", "../../etc/alternatives/sendmail")
    machine.link("/etc/alternatives/sendmail", "../../usr/bin/msmtp")
    (finding,) = find(machine)
    chain = "/usr/sbin/sendmail -> /etc/alternatives/sendmail -> /usr/bin/msmtp"
    assert finding.evidence[0] == chain


def test_absolute_link_is_followed_below_the_root(machine):
    """Attack: a tree that is looked at must not lead out of itself."""
    machine.write("/usr/bin/ours", SCRIPT)
    machine.at("/usr/sbin").mkdir(parents=True)
    machine.at("/usr/sbin/sendmail").symlink_to("/usr/bin/ours")
    assert find(machine) == []


def test_links_in_a_circle_end(machine):
    """Whoever made them, the doctor goes on."""
    machine.link("/usr/sbin/sendmail", "other")
    machine.link("/usr/sbin/other", "sendmail")
    (finding,) = find(machine)
    assert finding.code == "programs.none"


def test_link_that_leads_nowhere_is_no_program(machine):
    """Ours was removed, and the link of its older place is left."""
    machine.install()
    machine.at("/usr/sbin/sendmail").unlink()
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("programs.none", WARNING)
    assert finding.evidence[1] == "/usr/lib/sendmail -> /usr/sbin/sendmail is not there"


def test_older_place_of_sendmail_counts_too(machine):
    """Some programs look only there."""
    machine.install()
    machine.write("/usr/lib/exim4", "\x7fELF")
    machine.link("/usr/lib/sendmail", "exim4")
    (finding,) = find(machine)
    assert "/usr/lib/sendmail is not pillarbox but Exim" in finding.problem


def test_other_program_earlier_on_the_path_is_told(machine):
    """Whoever types its name gets that one."""
    machine.install()
    machine.write("/usr/local/bin/msmtp", "\x7fELF", 0o755)
    (finding,) = find(machine, env={"PATH": "/usr/local/bin:/usr/bin:/usr/sbin"})
    assert (finding.code, finding.severity) == ("programs.path", WARNING)
    assert "/usr/local/bin/msmtp" in finding.fix


@pytest.mark.parametrize("path", ["/usr/bin:/usr/local/bin", "/usr/local/bin", "relative:", ""])
def test_path_on_which_ours_comes_first_or_not_at_all_is_healthy(machine, path):
    """Only what hides ours counts."""
    machine.install()
    machine.write("/usr/local/bin/msmtp", "\x7fELF", 0o755)
    assert find(machine, env={"PATH": path}) == []


# -- AppArmor --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["msmtp", "/usr/bin/msmtp"])
def test_profile_in_force_keeps_our_msmtp_from_starting(machine, name):
    """It was made for a program that needs no Python."""
    machine.install()
    machine.write(PROFILE, PROFILE_TEXT)
    machine.write(LOADED, f"/usr/bin/man (enforce)\n{name} (enforce)\n")
    (finding,) = find(machine)
    assert (finding.code, finding.severity) == ("programs.apparmor", FAULT)
    assert "apparmor_parser -R /etc/apparmor.d/usr.bin.msmtp" in finding.fix
    assert f"{name} (enforce)" in finding.evidence[0]


def test_tool_of_apparmor_is_the_fix_where_it_is_there(machine):
    """One short command."""
    machine.install()
    machine.write(LOADED, "msmtp (enforce)\n")
    machine.write("/usr/sbin/aa-disable", "#!/usr/bin/python3\n")
    (finding,) = find(machine)
    assert finding.fix == f"sudo aa-disable {PROFILE}"


def test_profile_is_seen_by_who_may_not_read_the_kernels_list(machine):
    """What would be loaded at boot counts for him."""
    machine.install()
    machine.write(PROFILE, PROFILE_TEXT)
    machine.write(SWITCH, "Y\n")
    (finding,) = find(machine)
    assert finding.code == "programs.apparmor"
    assert PROFILE in finding.evidence[0]


HARMLESS = [
    ({LOADED: "msmtp (complain)\n", SWITCH: "Y\n", PROFILE: PROFILE_TEXT}, "complains"),
    ({LOADED: "/usr/bin/man (enforce)\n", SWITCH: "Y\n", PROFILE: PROFILE_TEXT}, "not loaded"),
    ({SWITCH: "N\n", PROFILE: PROFILE_TEXT}, "AppArmor is off"),
    ({PROFILE: PROFILE_TEXT}, "no AppArmor"),
    ({SWITCH: "Y\n", PROFILE: PROFILE_TEXT.replace("(attach", "(complain,attach")}, "flag"),
    (
        {SWITCH: "Y\n", PROFILE: PROFILE_TEXT, "/etc/apparmor.d/disable/usr.bin.msmtp": ""},
        "disabled, as Debian does",
    ),
    (
        {
            LOADED: "msmtp (enforce)\n",
            "/etc/apparmor.d/local/usr.bin.msmtp": "  /usr/bin/python3* ix,\n",
        },
        "python is let in",
    ),
]


@pytest.mark.parametrize("files", [row[0] for row in HARMLESS], ids=[row[1] for row in HARMLESS])
def test_profile_that_is_not_in_the_way_is_nothing(machine, files):
    """Most machines have the file and do not use it."""
    machine.install()
    for path, text in files.items():
        machine.write(path, text)
    assert find(machine) == []


def test_comment_lets_no_python_in(machine):
    """A line that is commented out says nothing."""
    machine.install()
    machine.write(LOADED, "msmtp (enforce)\n")
    machine.write("/etc/apparmor.d/local/usr.bin.msmtp", "# /usr/bin/python3* ix,\n")
    assert [finding.code for finding in find(machine)] == ["programs.apparmor"]


def test_profile_of_msmtp_itself_is_no_matter_of_ours(machine):
    """Our programs are elsewhere then."""
    machine.write("/usr/bin/msmtp", "\x7fELF")
    machine.write(LOADED, "msmtp (enforce)\n")
    assert [finding.code for finding in find(machine)] == ["programs.none"]


def test_codes_are_all_found_here():
    """Each code has a test above."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert [code for code in CODES if f'"{code}"' not in text] == []
