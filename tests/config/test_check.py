"""Everything that is wrong with configuration files is found, each with its place."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pillarbox.config import check
from pillarbox.config.check import check_files, usual_files
from pillarbox.config.check_desk import ERROR, NOTE, WARNING
from pillarbox.config.load import Wishes

GOOD = """\
account default
host smtp.qiye.aliyun.com
port 465
tls on
tls_starttls off
auth on
user no-reply@example.com
passwordeval true
from no-reply@example.com
"""


@pytest.fixture(name="found")
def _found(tmp_path):
    """Return what is found in a text: (severity, line, column, problem)."""

    def find(text, mode=0o600, euid=None):
        path = tmp_path / "msmtprc"
        path.write_text(text)
        path.chmod(mode)
        wishes = Wishes({}, env={"HOME": str(tmp_path)}, euid=euid)
        findings = check_files([str(path)], wishes)
        assert all(finding.path == str(path) for finding in findings)
        return [(each.severity, each.line, each.column, str(each.problem)) for each in findings]

    return find


def test_a_good_file_has_no_finding(found):
    """The tutorial's configuration, with the password out of the file."""
    assert found(GOOD) == []


def _with(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


# a file, and its only finding: severity, line, column, words of the problem
FAULTS = [
    (_with("host smtp", "hots smtp"), (ERROR, 2, 1, "unknown command hots")),
    (_with("port 465", "\tport  46x5"), (ERROR, 3, 8, "invalid argument 46x5")),
    (_with("tls on", "tls\ton "), None),
    (_with("tls on\n", "tls maybe\n"), (ERROR, 4, 5, "invalid argument maybe")),
    (_with("tls_starttls off", "tls_starttls on"), (ERROR, 3, 6, "port 465 speaks TLS")),
    (_with("port 465", "port 587"), (ERROR, 3, 6, "port 587 does not begin with TLS")),
    (_with("user no-reply@example.com", "user no-reply"), (ERROR, 7, 6, "whole address")),
    (
        "account default\nhost 127.0.0.1\nport 25\nfrom a@example.com\ntls off\nauth off\n",
        None,
    ),
    ("account default\nhost 127.0.0.3\nport 25\nfrom a@example.com\ntls off\nauth off\n", None),
    (_with("from no-reply", "from root"), (ERROR, 9, 6, "no sender but its user")),
    (_with("from no-reply", "from %U"), None),
    (_with("from no-reply", "from NO-REPLY"), None),
    (_with("aliyun.com\nport", "aliyum.com\nport"), (WARNING, 2, 6, "no known provider's host")),
    (_with("port 465", "port 466"), (WARNING, 3, 6, "not known to take mail at port 466")),
    (_with("port 465\n", ""), None),
    (_with("user no-reply@example.com\n", ""), (ERROR, 6, 6, "there is no user")),
    (_with("passwordeval true", "aliases /nowhere/x"), (ERROR, 8, 9, "aliases: /nowhere/x")),
    (_with("passwordeval true", "logfile /nowhere/x"), (WARNING, 8, 9, "logfile: /nowhere/x")),
    (_with("passwordeval true", "logfile -"), None),
    (_with("passwordeval true", "tls_certcheck off"), (WARNING, 8, 15, "pretend to be")),
    (_with("passwordeval true", "tls_key_file /etc/passwd"), (ERROR, 1, 9, "requires tls_cert")),
    (_with("passwordeval true", "fallback nobody"), (ERROR, 8, 10, "no account nobody")),
    (_with("passwordeval true", "password x\npasswordeval true"), (WARNING, 8, 10, "both set")),
    (_with("account default", "account x"), (WARNING, 0, 0, "no account default")),
    (_with("host smtp.qiye.aliyun.com\n", ""), (ERROR, 1, 9, "host not set")),
    ("# nothing\n", (WARNING, 0, 0, "names no account")),
    ("# x\n a\0b", (ERROR, 2, 3, "NUL byte")),
    (GOOD + "account b\nhost h\n", (NOTE, 10, 9, "used only with -a b")),
    (GOOD + "account b\nhost h\nfrom no-reply@example.com\n", (NOTE, 12, 6, "not chosen for")),
    (GOOD + "account b : default\n", (NOTE, 9, 6, "not chosen for")),
    (GOOD + "account b : zz\nhost h\n", (ERROR, 10, 9, "account zz not (yet) defined")),
    (GOOD + "account default\nhost h\n", (ERROR, 10, 9, "already defined")),
    (GOOD + "x" * 600 + "\n", (ERROR, 10, 1, "longer than 500")),
    ("\ufeff" + _with("account default", "  hots x"), None),
]


@pytest.mark.parametrize(("text", "finding"), [row for row in FAULTS if row[1]])
def test_fault(text, finding, found):
    """A fault alone is found alone, at its place: line, and column of what is wrong."""
    (only,) = found(text)
    assert only[:3] == finding[:3]
    assert finding[3] in only[3]


@pytest.mark.parametrize("text", [text for text, finding in FAULTS[:-1] if finding is None])
def test_no_fault(text, found):
    """What looks odd and is right is not reported."""
    assert found(text) == []


def test_a_byte_order_mark_is_no_column(found):
    """Editors do not count it."""
    assert found("\ufeffhots x\n")[-1][:3] == (ERROR, 1, 1)


def test_all_faults_of_a_file_are_found_at_once(found):
    """Not only the first; and each once, however many accounts take the line over."""
    text = _with("host smtp", "hots smtp") + "tls_certchek off\nport x\nfallback nobody\n"
    text += "account b : default\n"
    problems = [problem for *_, problem in found(text)]
    assert len(problems) == len(set(problems))
    for words in ("hots", "tls_certchek", "invalid argument x", "no account nobody"):
        assert sum(words in problem for problem in problems) == 1


def test_what_follows_a_faulty_account_line_is_not_the_accounts_above(found):
    """Else the account above would be blamed for it."""
    text = GOOD + "account b : zz\nuser no-reply\n"
    assert [line for _, line, *_ in found(text)] == [10]


def test_every_fallback_that_leads_nowhere_is_found(found):
    """A circle and a missing account, in one go."""
    text = GOOD + (
        "account a\nhost h\nfallback b\naccount b\nhost h\nfallback a\n"
        "account c\nhost h\nfrom c@d\nfallback zz\n"
    )
    lines = [line for severity, line, *_ in found(text) if severity == ERROR]
    assert 19 in lines
    assert len(lines) == 2


SHADOWS = [
    ("*@example.org", "x@example.org", True),
    ("x@example.org", "*@example.org", False),
    ("*", "*@example.org", True),
    ("*@example.org", "*@example.org", True),
    ("?@example.org", "*@example.org", False),
    ("x@example.org", "y@example.org", False),
]


@pytest.mark.parametrize(("first", "second", "is_hidden"), SHADOWS)
def test_an_account_that_another_stands_before(first, second, is_hidden, found):
    """The first account whose ``from`` fits is used, so a later one may never be."""
    text = f"account default\nhost h\naccount a\nhost h\nfrom {first}\naccount b\nhost h\n"
    text += f"from {second}\n"
    assert any("not chosen" in problem for *_, problem in found(text)) is is_hidden


@pytest.mark.parametrize(
    ("mode", "euid", "severity", "words"),
    [
        (0o644, 0, WARNING, "every user can read it (mode 0644)"),
        (0o644, None, ERROR, "no more than user read/write"),
        (0o600, None, None, ""),
        (0o602, 0, WARNING, "can be changed by every user"),
    ],
)
def test_permissions(mode, euid, severity, words, found):
    """Who may read a password is told as the loading of a mail decides it."""
    text = _with("passwordeval true", "password x")
    path_findings = found(text, mode, os.geteuid() or 1000 if euid is None else euid)
    if euid is None and os.geteuid() == 0:
        # As root the file is root's, and the caller is not.
        assert (path_findings[0][0], path_findings[0][1]) == (ERROR, 0)
        assert "owned by you" in path_findings[0][3]
    elif severity is None:
        assert path_findings == []
    else:
        assert path_findings[0][0] == severity
        assert words in path_findings[0][3]


def test_no_secret_is_shown(found):
    """Attack: a password at a wrong place is not repeated into a log."""
    for line in ("password=hunter2", "hunter2!x", 'pasword "hunter2"', "password hunter2\nhunter2"):
        text = _with("passwordeval true", line)
        assert not any("hunter2" in problem for *_, problem in found(text))


def test_no_command_is_run(found, tmp_path):
    """Attack: checking a file from somewhere runs nothing of it."""
    mark = tmp_path / "mark"
    text = _with("passwordeval true", f"passwordeval touch {mark}\neval touch {mark}")
    text = text.replace("host smtp", f"eval echo host smtp {mark}\n#")
    findings = found(text)
    assert not mark.exists()
    assert {severity for severity, *_ in findings} == {NOTE}
    assert len(findings) == 2


def test_a_file_that_cannot_be_read(tmp_path):
    """It is said, and is an error."""
    wishes = Wishes({}, env={"HOME": str(tmp_path)})
    for path in (str(tmp_path), str(tmp_path / "none"), "a\0b"):
        (finding,) = check_files([path], wishes)
        assert finding.severity == ERROR
        assert finding.problem.startswith("cannot be read")


def test_the_users_file_hides_accounts_of_the_systems(tmp_path):
    """Two files are seen together, as they are used."""
    system, own = tmp_path / "system", tmp_path / "own"
    system.write_text(GOOD)
    own.write_text(GOOD.replace("port 465", "port 466"))
    findings = check_files([str(system), str(own)], Wishes({}, env={"HOME": str(tmp_path)}))
    assert [(each.severity, each.path, each.line) for each in findings] == [
        (NOTE, str(system), 1),
        (WARNING, str(own), 3),
    ]


def test_usual_files(tmp_path, monkeypatch):
    """The first of the user's two that is there, behind the system's."""
    monkeypatch.setattr(check, "SYSTEM_FILE", str(tmp_path / "etc"))
    wishes = Wishes({}, env={"HOME": str(tmp_path)})
    assert usual_files(wishes) == []
    other = tmp_path / ".config/msmtp/config"
    other.parent.mkdir(parents=True)
    other.touch()
    assert usual_files(wishes) == [str(other)]
    (tmp_path / ".msmtprc").touch()
    (tmp_path / "etc").touch()
    assert usual_files(wishes) == [str(tmp_path / "etc"), str(tmp_path / ".msmtprc")]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(
    st.lists(
        st.sampled_from(
            [
                "account a",
                "account b : a",
                "account default : a,b",
                "host h",
                "port 465",
                "tls on",
                "fallback a",
                "fallback b",
                "eval x",
                "from *",
                "from a@b",
                "auth on",
                "defaults",
                "password x",
                "hots",
                "tls_trust_file ~x",
                '"',
                "account",
                "\t# x",
                "domain %Z é",
            ]
        )
    ),
    st.text(max_size=20),
)
def test_any_text_is_checked(tmp_path, lines, rest):
    """Whatever stands in a file, there is an answer with places inside of it."""
    path = tmp_path / "any"
    path.write_text("\n".join([*lines, rest]), "utf-8", "surrogatepass")
    count = path.read_bytes().count(b"\n") + 1
    for finding in check_files([str(path)], Wishes({}, env={"HOME": str(tmp_path)})):
        assert 0 <= finding.line <= count
        assert bool(finding.line) is bool(finding.column)


@pytest.mark.parametrize(
    ("sender", "advice"),
    [
        ("no-reply@example.com", "write user no-reply@example.com"),
        ("*@example.com", "write user NAME@DOMAIN"),
        ("%U@example.com", "write user NAME@DOMAIN"),
        ("root", "write user NAME@DOMAIN"),
    ],
)
def test_user_without_a_domain_is_mended_by_the_sender(tmp_path, sender, advice):
    """It is the address that he meant, if it is one."""
    path = tmp_path / "msmtprc"
    text = _with("user no-reply@example.com", "user no-reply")
    path.write_text(text.replace("from no-reply@example.com", f"from {sender}"))
    found = check_files([str(path)], Wishes({}, env={"HOME": str(tmp_path)}))
    assert advice in [finding.advice for finding in found]


def test_machine_elsewhere_has_files_of_its_own(tmp_path):
    """What is the system's, and what the mail name is, is told by who asks."""
    path, mail_name = tmp_path / "msmtprc", tmp_path / "mailname"
    path.write_text(GOOD + "domain %M\n")
    path.chmod(0o602)
    wishes = Wishes({}, env={"HOME": str(tmp_path)})
    places = {"system_file": str(path), "mailname_file": str(mail_name)}
    (finding,) = [each for each in check_files([str(path)], wishes, **places) if each.line != 8]
    assert str(mail_name) in finding.problem
    mail_name.write_text("example.com\n")
    (finding,) = check_files([str(path)], wishes, **places)
    assert "passwordeval is refused" in finding.problem
    (finding,) = check_files([str(path)], wishes, mailname_file=str(mail_name))
    assert finding.severity == WARNING
