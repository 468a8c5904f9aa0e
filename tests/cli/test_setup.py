"""``pillarbox setup`` without a terminal: by options, variables and an answer file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from peer import Puppet
from pillarbox.cli.setup import main
from pillarbox.errors import InputOutputError
from pillarbox.intake.provider import EmbeddedProvider, ProviderOptions
from pillarbox.setup.questions import ANSWERS
from pillarbox.setup.report import Report
from programs import call_program
from setup_world import IS_ROOT, ME, SECRET, make_world, mode_of, tree

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture
def world(tmp_path):
    """Return a new home and a provider with one account."""
    with make_world(tmp_path) as made:
        yield made


def test_flags_alone_make_a_proved_account(world):
    """A login, the file with its mode, a test mail, and what is next."""
    result = world.user()
    assert (result.exit_code, result.err) == (0, "")
    assert mode_of(world.rc) == 0o600
    text = world.rc.read_text()
    assert text.startswith("account default\nhost 127.0.0.1\n")
    assert f"\nuser {ME}\npassword {SECRET}\nfrom {ME}\n" in text
    (mail,) = world.provider.wait_for_mails(1)
    assert [str(path) for path in mail.forward_paths] == [ME]
    assert "pillarbox doctor" in result.out
    assert "aliases" not in text
    assert sorted(os.listdir(world.home)) == [".msmtprc"]


def test_msmtp_sends_with_it(world):
    """The proof of the pudding: the program that the tutorial uses, with the file as it is."""
    assert world.user("--no-test-mail").exit_code == 0
    sent = call_program("msmtp", ["me@test.com"], b"Subject: t\n\nx\n", world.env)
    assert (sent.exit_code, sent.err) == (0, "")
    assert len(world.provider.wait_for_mails(1)) == 1


def test_no_secret_is_shown(world):
    """Attack: the password is read from a log of Ansible, or over the shoulder."""
    (world.home / ".msmtprc").write_text("account default\nhost x\npassword hunter2\n")
    (world.home / ".msmtprc").chmod(0o600)
    for result in (world.user("--no-confirm"), world.user("--json")):
        assert result.exit_code == 0
        for word in (SECRET, "hunter2", SECRET[::-1]):
            assert word not in result.out + result.err


def test_the_second_time_nothing_happens(world):
    """No login, no mail, no backup; and ``changed`` is false."""
    assert json.loads(world.user("--json").out)["changed"] is True
    world.provider.wait_for_mails(1)
    before, logins = tree(world.home), len(world.logins)
    result = world.user("--json")
    assert result.exit_code == 0
    said = json.loads(result.out)
    assert (said["changed"], said["logins"], said["tested"]) == (False, 0, "no")
    assert tree(world.home) == before
    assert len(world.logins) == logins
    assert len(world.provider.mails) == 1
    assert "everything is there already" in world.user().out


def test_json_says_what_was_done(world):
    """One object, with what a script may ask for."""
    result = world.user("--json", to="admin@example.org")
    said = json.loads(result.out)
    expected = {
        "changed": True, "file": str(world.rc), "account": "default", "address": ME,
        "host": "127.0.0.1", "port": world.provider.port, "tls": "implicit", "user": ME,
        "store": "file", "credential": None, "backup": None, "logins": 1, "login": True,
        "tested": "sent", "test_recipient": "admin@example.org", "version": 1,
    }  # fmt: skip
    assert {key: said[key] for key in expected} == expected
    assert "the login works" in result.err


def test_a_refused_login_writes_nothing(world):
    """The provider's own explanation first, one try, and the exit code of sending."""
    world.password.write_text("wrong\n")
    result = world.user()
    assert result.exit_code == 77
    assert "Third-Party Client Security Password" in result.out
    assert "526 Authentication failure[0]" in result.out
    assert "nothing was written" in result.out
    assert tree(world.home) == {}
    assert len(world.logins) == 1


def test_a_refused_sender_writes_nothing(world):
    """The login is right, and the address is not the login's: at Aliyun nothing would go out."""
    result = world.run("someone-else@example.com", "--user", user_name=ME)
    assert result.exit_code == 69
    assert "takes no mail from someone-else@example.com" in result.out
    assert "440 mail from account" in result.out
    assert tree(world.home) == {}


def test_a_server_that_is_not_there_writes_nothing(world):
    """The exit code is that of sending: try again."""
    with Puppet() as puppet:
        port = puppet.port
    result = world.user(port=str(port))
    assert result.exit_code == 75
    assert tree(world.home) == {}


def test_a_stranger_with_another_certificate_gets_no_password(world):
    """Attack: somebody in between answers for the server."""
    result = world.user(trust_file=None)
    assert result.exit_code == 69
    assert world.logins == []
    assert tree(world.home) == {}


@pytest.mark.parametrize(("left_out", "word"), [
    ({"password_file": None}, "PILLARBOX_SETUP_PASSWORD"),
    ({"host": None, "port": None, "tls": None}, "--provider NAME, or --host HOST"),
])  # fmt: skip
def test_what_is_missing_is_named(world, left_out, word):
    """One line that says which option or variable; and 64."""
    result = world.run(
        "me@nowhere.invalid", "--user", env={"PILLARBOX_DNS": "127.0.0.1:9"}, **left_out
    )
    assert result.exit_code == 64
    assert word in result.err
    assert "Traceback" not in result.err
    assert tree(world.home) == {}


def test_a_missing_address_is_named(world):
    """It is the one thing that nobody can find out."""
    result = world.run("--user")
    assert result.exit_code == 64
    assert result.lines == [
        "there is no terminal to ask for address",
        "advice: use ADDRESS, or the variable PILLARBOX_SETUP_ADDRESS",
    ]


@pytest.mark.parametrize(("arguments", "code", "word"), [
    (("a@b@c", "--user"), 65, "a@b@c"),
    (("root", "--user"), 65, "has no domain"),
    ((ME, "--user", "--port", "99999"), 64, "is no port"),
    ((ME, "--user", "--provider", "nobodyatall"), 64, "no provider is called"),
    ((ME, "--user", "--alias"), 64, "--alias is for the system"),
    ((ME, "--user", "--store", "credential"), 64, "--store credential is for the system"),
    ((ME, "--user", "--root", "/x"), 64, "--root is for the system"),
    ((ME, "--user", "--system"), 64, "not allowed with"),
    ((ME, "--user", "--account", "a:b"), 64, "an account is called by one word"),
    ((ME, "--user", "--password", "x"), 64, "unrecognized arguments"),
    ((ME, "--user", "--password-file", "/nonexistent"), 66, "cannot read /nonexistent"),
    ((ME, "--user", "--answers", "/nonexistent"), 66, "cannot read /nonexistent"),
    ((ME, "--user", "--to", "a@@b"), 65, "a@@b"),
    ((ME, "--user", "--to", "root"), 65, "root has no domain"),
    ((ME, "--user", "--host", "a b"), 64, "is no host"),
])  # fmt: skip
def test_a_wrong_option_is_told(world, arguments, code, word):
    """What, and 64 or 65 or 66; never a traceback, and nothing is written."""
    given = {arguments[at] for at in range(len(arguments))}
    rest = [part for key, to in world.server.items() if key not in given for part in (key, to)]
    result = call_program("pillarbox", ["setup", *arguments, *rest], b"", world.env)
    assert result.exit_code == code, result
    assert word in result.err
    assert tree(world.home) == {}


def test_everything_by_variables(world):
    """As a container has it."""
    names = {"host": "127.0.0.1", "port": str(world.provider.port), "tls": "implicit",
             "trust_file": world.provider.ca_file, "password": SECRET, "address": ME,
             "to": "ops@example.org"}  # fmt: skip
    env = world.env | {f"PILLARBOX_SETUP_{name.upper()}": value for name, value in names.items()}
    result = call_program("pillarbox", ["setup", "--user", "--json"], b"", env)
    assert result.exit_code == 0, result.err
    assert json.loads(result.out)["test_recipient"] == "ops@example.org"


def test_everything_by_an_answer_file(world, tmp_path):
    """As Ansible has it; an option wins over a variable, and a variable over the file."""
    answers = tmp_path / "answers.toml"
    answers.write_text(
        f'address = "{ME}"\nhost = "127.0.0.1"\nport = {world.provider.port}\ntls = "implicit"\n'
        f'trust_file = "{world.provider.ca_file}"\npassword = "{SECRET}"\nto = "file@example.org"\n'
        'account = "alerts"\ntest_mail = false\n'
    )
    answers.chmod(0o600)
    env = world.env | {"PILLARBOX_SETUP_TO": "variable@example.org", "PILLARBOX_SETUP_ACCOUNT": "b"}
    command = ["setup", "--user", "--answers", str(answers), "--json", "--account", "option"]
    result = call_program("pillarbox", command, b"", env)
    assert result.exit_code == 0, result.err
    said = json.loads(result.out)
    assert (said["account"], said["tested"]) == ("option", "no")
    assert "warning" not in result.err
    answers.chmod(0o644)
    assert "every user can read it" in call_program("pillarbox", command, b"", env).err


@pytest.mark.parametrize(("text", "word"), [
    ("pasword = 'x'", "did you mean password?"),
    ("password = ", "is no TOML"),
    ("password = ['x']", "password must be one word or number"),
    ("confirm = 'perhaps'", "confirm is yes or no, not perhaps"),
])  # fmt: skip
def test_a_faulty_answer_file_is_told(world, tmp_path, text, word):
    """Which line, without what it says: it may be the password."""
    answers = tmp_path / "answers.toml"
    answers.write_text(text + "\n")
    result = world.user("--answers", str(answers))
    assert result.exit_code in (64, 78)
    assert word in result.err
    assert tree(world.home) == {}


def test_the_password_comes_by_standard_input(world):
    """``--password-file -``, read once, although it is looked at twice."""
    result = world.user(stdin=SECRET.encode() + b"\n", password_file="-")
    assert result.exit_code == 0, result.out
    assert f"password {SECRET}\n" in world.rc.read_text()
    assert world.user(stdin=b"\n", password_file="-").exit_code == 66


def test_a_file_that_is_there_is_changed_only_when_that_is_wished(world):
    """Without a terminal: --no-confirm; before it, there is not even a login."""
    world.rc.write_text("account other\nhost x\n")
    world.rc.chmod(0o600)
    result = world.user()
    assert result.exit_code == 64
    assert result.lines == [
        f"{world.rc} would be changed, and nobody can be asked",
        "advice: use --no-confirm, which changes it and keeps the old one",
    ]
    assert world.logins == []
    said = json.loads(world.user("--no-confirm", "--json").out)
    assert world.rc.read_text().startswith("account other\nhost x\n\naccount default\n")
    with open(said["backup"]) as file:
        assert file.read() == "account other\nhost x\n"
    assert mode_of(world.rc) == 0o600


def test_a_dry_run_logs_in_and_writes_nothing(world):
    """The difference is shown, with a starred-out password; no mail is sent."""
    result = world.user("--dry-run")
    assert result.exit_code == 0
    assert "+password ****" in result.out
    assert tree(world.home) == {}
    assert len(world.logins) == 1
    assert world.provider.mails == []
    said = json.loads(world.user("--dry-run", "--json").out)
    assert (said["changed"], said["dry_run"], said["tested"]) == (True, True, "no")


def test_a_file_in_another_place_of_the_user_is_the_one(world):
    """``~/.config/msmtp/config``, where that is what his programs read."""
    other = world.home / ".config/msmtp/config"
    other.parent.mkdir(parents=True)
    other.write_text("account x\nhost x\n")
    other.chmod(0o600)
    assert world.user("--no-confirm").exit_code == 0
    assert "account default" in other.read_text()
    assert not world.rc.exists()


def test_a_faulty_file_is_told_before_anything(world):
    """What cannot be read cannot be added to."""
    world.rc.write_text("hots x\n")
    result = world.user("--no-confirm")
    assert result.exit_code == 78
    assert "line 1: unknown command hots" in result.err
    assert "pillarbox config check" in result.err
    assert world.logins == []


def test_a_test_mail_that_is_refused_is_told(world):
    """The account is written, for the login was good; the exit code is that of the mail."""
    options = ProviderOptions(password=SECRET, refused=("gone@example.org",))
    with EmbeddedProvider(options) as provider:
        world.provider = provider
        result = world.user("--json", to="gone@example.org")
    assert result.exit_code == 67
    said = json.loads(result.out)
    assert (said["changed"], said["login"], said["tested"]) == (True, True, "refused")
    assert "but gone@example.org is refused" in result.err
    assert world.rc.exists()


def test_the_mode_alone_is_mended(world):
    """A file that others can read is closed, without a new text or a backup."""
    assert world.user("--no-test-mail").exit_code == 0
    world.rc.chmod(0o644)
    said = json.loads(world.user("--json", "--no-test-mail").out)
    assert (said["changed"], said["backup"]) == (True, None)
    assert mode_of(world.rc) == 0o600


# -- the system ------------------------------------------------------------------------------------


def test_the_system_gets_its_file_and_roots_alias(world):
    """/etc/msmtprc for root alone, aliases for all, and no change the second time."""
    said = json.loads(world.system("--json", to="admin@example.org").out)
    rc, aliases = world.root / "etc/msmtprc", world.root / "etc/aliases"
    assert (mode_of(rc), mode_of(aliases)) == (0o600, 0o644)
    assert rc.read_text().endswith("aliases /etc/aliases\n")
    assert aliases.read_text() == "root: admin@example.org\n"
    assert (said["aliases"], said["root_alias"]) == ("/etc/aliases", ["admin@example.org"])
    before = tree(world.root)
    again = json.loads(world.system("--json", to="admin@example.org").out)
    assert (again["changed"], again["logins"]) == (False, 0)
    assert tree(world.root) == before


def test_roots_alias_that_is_there_stays(world):
    """It is an administrator's decision."""
    aliases = world.root / "etc/aliases"
    aliases.write_text("# ours\nRoot: boss@example.org\n")
    result = world.system()
    assert result.exit_code == 0
    assert aliases.read_text() == "# ours\nRoot: boss@example.org\n"
    assert "mail to root goes to boss@example.org, as before" in result.out
    assert "aliases /etc/aliases" in (world.root / "etc/msmtprc").read_text()


def test_a_file_of_aliases_that_has_others_is_added_to_with_a_yes(world):
    """Like the msmtprc, it is not changed where nobody agrees."""
    aliases = world.root / "etc/aliases"
    aliases.write_text("postmaster: root")
    result = world.system()
    assert result.exit_code == 64
    assert "etc/aliases would be changed" in result.err
    assert world.system("--no-confirm").exit_code == 0
    assert aliases.read_text() == f"postmaster: root\nroot: {ME}\n"


def test_aliases_that_cannot_be_understood_are_left_out(world):
    """An account that named them would fail every mail to a name."""
    aliases = world.root / "etc/aliases"
    aliases.write_text("root boss\n")
    result = world.system()
    assert result.exit_code == 0
    assert "an alias needs the form" in result.out
    assert "aliases" not in (world.root / "etc/msmtprc").read_text()
    assert aliases.read_text() == "root boss\n"


def test_aliases_that_each_user_has_are_left_alone(world):
    """Attack: a file of aliases below the directory where root happens to stand is written."""
    rc = world.root / "etc/msmtprc"
    rc.write_text("account default\nhost x\naliases ~/aliases\n")
    assert world.system("--no-confirm").exit_code == 0
    assert rc.read_text().endswith("aliases ~/aliases\n")
    assert sorted(path.name for path in world.root.rglob("*aliases*")) == []


def test_aliases_that_cannot_be_written_are_told_before_the_login(world):
    """A login is not to be spent on what cannot succeed."""
    (world.root / "etc/msmtprc").write_text("account default\nhost x\naliases /not/there\n")
    result = world.system("--no-confirm")
    assert result.exit_code == 74
    assert "make the directory" in result.err
    assert world.logins == []


@pytest.mark.parametrize("name", ["msmtprc", "aliases", "credstore"])
def test_nothing_outside_of_an_image_is_written(world, tmp_path, name):
    """Attack: a link in an image leads to a file of the machine on which the image is made."""
    outside = tmp_path / "outside"
    if name == "credstore":
        outside.mkdir()
    (world.root / "etc" / name).symlink_to(outside)
    result = world.system("--store", "credential")
    assert result.exit_code == 74
    assert f"leads out of {world.root}" in result.err
    assert not outside.exists() or os.listdir(outside) == []


def test_an_account_without_a_name_is_the_default_one(world):
    """As a variable that is empty says it."""
    world.rc.write_text("account a\nhost h\nfrom a@example.org\naccount default : a\n")
    world.rc.chmod(0o600)
    result = world.run(ME, "--user", "--no-confirm", env={"PILLARBOX_SETUP_ACCOUNT": ""})
    assert result.exit_code == 0
    assert world.rc.read_text().endswith("\n\naccount default : example\n")


def test_a_trust_file_is_written_with_its_whole_path(world):
    """Cron stands in another directory than who has set it up."""
    ca = world.provider.ca_file
    assert world.user(trust_file=os.path.relpath(ca, "/")).exit_code == 0
    assert f"tls_trust_file {ca}\n" in world.rc.read_text()


def test_aliases_are_left_alone_when_that_is_wished(world):
    """--no-alias."""
    assert world.system("--no-alias").exit_code == 0
    assert os.listdir(world.root / "etc") == ["msmtprc"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_the_service_can_read_the_systems_file(world):
    """With its user there, the group is his, and the mode 640."""
    (world.root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\npillarbox:x:990:991::/:/x\n")
    assert world.system().exit_code == 0
    status = (world.root / "etc/msmtprc").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 991, 0o640)
    assert json.loads(world.system("--json").out)["changed"] is False


def test_a_group_that_root_has_chosen_stays(world):
    """A file that is closed to all but one group is not closed to that."""
    rc = world.root / "etc/msmtprc"
    rc.write_text("account x\nhost x\n")
    rc.chmod(0o640)
    assert world.system("--no-confirm").exit_code == 0
    assert mode_of(rc) == 0o640


def test_the_password_goes_into_the_services_credential(world):
    """In a file of its own that root alone reads; none stands in the msmtprc."""
    rc = world.root / "etc/msmtprc"
    rc.write_text("account default\nhost x\npassword hunter2\n")
    result = world.system("--no-confirm", "--json", store="credential")
    assert result.exit_code == 0, result.err
    said = json.loads(result.out)
    credential = world.root / "etc/credstore/pillarbox.password"
    assert (said["store"], said["credential"]) == ("credential", str(credential))
    assert credential.read_text() == SECRET + "\n"
    assert (mode_of(credential), mode_of(credential.parent)) == (0o600, 0o700)
    assert "password" not in rc.read_text()
    assert SECRET not in rc.read_text()
    again = world.system("--json", store="credential")
    assert json.loads(again.out)["changed"] is False
    env = world.env | {"CREDENTIALS_DIRECTORY": str(credential.parent)}
    sent = call_program("msmtp", ["-C", str(rc), "me@test.com"], b"Subject: t\n\nx\n", env)
    assert (sent.exit_code, sent.err) == (0, "")


def test_a_new_password_in_the_credential_is_a_change(world):
    """It is proved and written; the old one is kept from others' eyes."""
    assert world.system("--json", store="credential").exit_code == 0
    credential = world.root / "etc/credstore/pillarbox.password"
    credential.write_text("old\n")
    assert world.system("--json", store="credential").exit_code == 64
    assert world.system("--json", "--no-confirm", store="credential").exit_code == 0
    assert credential.read_text() == SECRET + "\n"
    assert all(mode_of(path) == 0o600 for path in credential.parent.iterdir())


def test_a_directory_that_is_missing_is_told(world):
    """An image whose /etc is not there yet."""
    result = world.run(ME, "--root", str(world.root / "nowhere"))
    assert result.exit_code == 74
    assert "make the directory" in result.err
    assert world.logins == []


def test_chinese_by_the_option_and_by_the_locale(world):
    """The texts, the advice and the mail."""
    world.env["LC_ALL"] = "zh_CN.UTF-8"
    result = world.user()
    assert "登录成功" in result.out
    (mail,) = world.provider.wait_for_mails(1)
    assert "请在 pillarbox setup 询问时输入这个词" in mail.content.decode()
    del world.env["LC_ALL"]
    assert "一切都已就绪" in world.user("--lang", "zh").out
    assert "everything is there" in world.user("--lang", "en").out


def test_help_tells_of_all_of_it(world):
    """Every answer has its option in the help."""
    shown = call_program("pillarbox", ["setup", "--help"], b"", world.env).out
    for row in ANSWERS.values():
        assert row.option in shown, row.name


@pytest.mark.parametrize("page", ["setup.md", "setup.zh.md"])
def test_the_page_tells_of_all_of_it(page):
    """Every answer stands there with its option and its name in a file, and all that JSON says."""
    text = (DOCS / page).read_text()
    for row in ANSWERS.values():
        assert f"`{row.name}" in text, row.name
        assert row.option in text, row.name
    for key in Report().as_json():
        assert f"`{key}`" in text, key


def test_the_password_is_inherited_by_no_program(monkeypatch, tmp_path):
    """Attack: what a command of the configuration starts has the password in its environment."""
    monkeypatch.setenv("PILLARBOX_SETUP_PASSWORD", SECRET)
    monkeypatch.setenv("PILLARBOX_LANG", "")
    monkeypatch.setenv("HOME", str(tmp_path / "nothing"))
    with pytest.raises(InputOutputError):
        main([ME, "--user", "--json"])
    assert "PILLARBOX_SETUP_PASSWORD" not in os.environ
