"""
The doctor in the laboratory: each set-up that is broken leads to its root cause and one fix.

The command is run on a machine of its own; nothing is replaced by anything of the tests but the
other end of the network. For the long table it is run in a child of a warm process (``nursery``);
for all else as a shell would run it.
"""

import pytest

from lab import cases_domain, cases_healthy, cases_local, cases_network, cases_session
from lab.cases import BROKEN, EXIT_WARNING, HEALTHY

TABLES = (cases_domain, cases_healthy, cases_local, cases_network, cases_session)

IN_EVERY_FORM = ("wrong-password", "two-spf-records", "new-machine")


def logins(scene):
    """Return the logins that were tried."""
    events = (event for provider in scene.providers for event in provider.events)
    return [event for event in events if event["event"] == "login"]


def is_discreet(scene, report):
    """No mail was sent, no login was tried twice, and nobody was told a password."""
    mails = [mail for each in scene.providers for mail in each.mails]
    assert not mails, mails
    assert len(logins(scene)) <= 1, logins(scene)
    told = report.outcome.out + report.outcome.err
    for secret in {scene.password, scene.settings.get("password")} - {None}:
        assert secret not in told, report


def by_name(case):
    """Return what a case is called in the tests' report."""
    return case.name


@pytest.mark.sliced(2)
@pytest.mark.parametrize("case", BROKEN, ids=by_name)
def test_names_the_root_cause(scene, nursery, case):
    """What is broken is what the doctor names first, with the fix for it."""
    case.damage(scene)
    report = scene.examine(nursery)
    assert report.code == case.code, report
    fix = report.cause["fix"].lower()
    assert not [word for word in case.words if word.lower() not in fix], report
    assert report.exit_code == case.exit_code, report
    is_discreet(scene, report)


@pytest.mark.parametrize("case", HEALTHY, ids=by_name)
def test_finds_nothing_on_a_healthy_machine(scene, case):
    """There is no fault and no warning."""
    case.damage(scene)
    report = scene.examine()
    assert report.cause is None, report
    assert report.exit_code == 0, report
    is_discreet(scene, report)


@pytest.mark.parametrize(
    "case", [case for case in BROKEN if case.name in IN_EVERY_FORM], ids=by_name
)
def test_ends_alike_in_every_form(scene, case):
    """The page, the line for monitoring and the JSON have the same verdict and the same fix."""
    case.damage(scene)
    report = scene.examine()
    page = scene.machine.pillarbox("doctor")
    line = scene.machine.pillarbox("doctor", "--summary")
    assert page.exit_code == line.exit_code == report.exit_code == case.exit_code
    fix = " ".join(report.cause["fix"].split())
    assert fix in " ".join(page.out.split()), page
    state = "WARNING" if case.exit_code == EXIT_WARNING else "CRITICAL"
    assert line.out.startswith(f"PILLARBOX {state} - account default: "), line
    assert line.out.count("\n") == 1


def test_tries_a_refused_password_once(scene):
    """However often one looks, no account is locked by it; a new password is tried at once."""
    scene.set(password="ZyXwVuTs87654321")
    for _ in range(3):
        assert scene.examine().code == "login.refused"
    assert len(logins(scene)) == 1
    scene.set(password=scene.password)
    assert scene.examine().cause is None


# What is broken, and what the fix says to a reader of Chinese.
IN_CHINESE = {
    "wrong-password": "三方客户端安全密码",
    "new-machine": "pillarbox setup",
    "everybody-can-read": "chmod 600 /etc/msmtprc",
    "two-spf-records": "v=spf1 include:spf.qiye.aliyun.com a:mail.two-spf.example -all",
    "cloud-blocks-port-25": "port 465",
    "qq-without-authorization-code": "授权码",
    "expired-certificate": "证书",
    "no-dkim": "DKIM",
}


@pytest.mark.parametrize("name", IN_CHINESE)
def test_speaks_chinese(scene, name):
    """The locale decides on the language; the code is the same."""
    (case,) = [each for each in BROKEN if each.name == name]
    scene.machine.environment["LC_ALL"] = "zh_CN.UTF-8"
    case.damage(scene)
    report = scene.examine()
    assert report.code == case.code, report
    assert IN_CHINESE[name] in report.cause["fix"], report
    told = report.cause["problem"] + report.cause["fix"]
    assert any("\u4e00" <= char <= "\u9fff" for char in told), report
    assert report.facts["language"] == "zh", report
