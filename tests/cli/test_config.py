"""``pillarbox config``: what would be used, what is wrong, and what another program had."""

import json
import os

import pytest

from pillarbox.cli import config_check, config_import
from pillarbox.cli.config import main
from pillarbox.config import check, load
from pillarbox.errors import ConfigError, DataError, InputOutputError, MissingInputError, UsageError

RC = """\
defaults
tls on
account main
host smtp.qiye.aliyun.com
port 465
tls_starttls off
auth on
user no-reply@example.com
password hunter2
from no-reply@example.com

account other
host mail.example.org
auth on
user u
passwordeval echo hunter2
from *@example.org

account bare
host mail.example.net
auth on
user u

account default : main
"""

SSMTP = """\
mailhub=smtp.qiye.aliyun.com:465
UseTLS=YES
AuthUser=no-reply@example.com
AuthPass=hunter2
FromLineOverride=YES
TLS_CA_File=/etc/ssl/x
"""


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Give the user a home of his own, and the system no file."""
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    system = str(tmp_path / "etc-msmtprc")
    monkeypatch.setattr(check, "SYSTEM_FILE", system)
    monkeypatch.setattr(config_import, "SYSTEM_FILE", system)
    monkeypatch.setattr(
        load.load_files,
        "__kwdefaults__",
        {
            **load.load_files.__kwdefaults__,
            "system_file": system,
        },
    )


@pytest.fixture(name="rc")
def _rc(tmp_path):
    path = tmp_path / ".msmtprc"
    path.write_text(RC)
    path.chmod(0o600)
    return path


@pytest.fixture(name="ssmtp")
def _ssmtp(tmp_path):
    path = tmp_path / "ssmtp.conf"
    path.write_text(SSMTP)
    return path


def _rows(text):
    """Return keyword -> the rest of its line."""
    pairs = (line.split(None, 1) for line in text.splitlines() if line.strip())
    return {pair[0]: " ".join(pair[1].split()) for pair in pairs if len(pair) > 1}


# -- show ---------------------------------------------------------------------------------------


def test_show_says_who_set_each_value(rc, capsys):
    """File and line, through parents and defaults; and what nobody set but decides."""
    assert main(["show"]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows["host"] == f"smtp.qiye.aliyun.com {rc}:4"
    assert rows["tls"] == f"on {rc}:2"
    assert rows["tls_trust_file"] == "system default"
    assert rows["password"] == f"* {rc}:9"
    assert "proxy_host" not in rows


def test_show_all(rc, capsys):
    """Every keyword, set or not."""
    assert main(["show", "--all", "-a", "other"]) == 0
    rows = _rows(capsys.readouterr().out)
    assert rows["proxy_host"] == "- default"
    assert rows["port"] == "25 default"
    assert rows["passwordeval"].startswith(f"* {rc}:")


@pytest.mark.parametrize(
    ("arguments", "name", "why"),
    [
        ([], "default", "as the default"),
        (["--account", "other"], "other", "as it was named"),
        (["--from", "x@example.org"], "other", "by the sender"),
        (["--from", "x@example.com"], "default", "as the default"),
    ],
)
@pytest.mark.usefixtures("rc")
def test_show_says_why_the_account_was_chosen(arguments, name, why, capsys):
    """The same choice as for a mail."""
    assert main(["show", *arguments]) == 0
    assert f"account {name}, {why}" in capsys.readouterr().out


@pytest.mark.usefixtures("rc")
def test_show_says_what_the_command_line_set(capsys):
    """A sender that was given is marked as such."""
    assert main(["show", "--from", "x@example.org"]) == 0
    assert _rows(capsys.readouterr().out)["from"] == "x@example.org command line"


@pytest.mark.usefixtures("rc")
def test_show_says_where_a_password_is_looked_for(capsys):
    """When the file has none."""
    assert main(["show", "-a", "bare"]) == 0
    assert "looked for in: credential, keyring, netrc, terminal" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["main", "other"])
@pytest.mark.parametrize("flags", [[], ["--all"], ["--json"]])
@pytest.mark.usefixtures("rc")
def test_no_secret_is_shown(name, flags, capsys):
    """Attack: neither the password nor a command that may contain it is printed."""
    assert main(["show", "-a", name, *flags]) == 0
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err


def test_show_json(rc, capsys):
    """Value, source and line of every keyword."""
    assert main(["show", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["account"], row["file"]) == ("default", str(rc))
    assert row["settings"]["port"] == {"value": "465", "source": str(rc), "line": 5}
    assert row["settings"]["proxy_host"]["value"] is None


@pytest.mark.usefixtures("rc")
def test_show_from_the_environment(monkeypatch, tmp_path, capsys):
    """Without a file, SMTPSERVER and EMAIL are named as the source."""
    (tmp_path / ".msmtprc").unlink()
    monkeypatch.setenv("SMTPSERVER", "mail.example.org")
    monkeypatch.setenv("EMAIL", "me@example.org")
    assert main(["show"]) == 0
    out = capsys.readouterr().out
    assert "account -, from the environment" in out
    assert "not read:" in out
    assert _rows(out)["host"] == "mail.example.org environment variable SMTPSERVER"


def test_show_tells_of_a_file_that_others_can_read(rc, capsys):
    """What the loader noticed is said, here at last."""
    if os.geteuid() != 0:
        pytest.skip("a user's own file is refused by the loader")
    rc.chmod(0o644)
    assert main(["show"]) == 0
    assert "every user can read it" in capsys.readouterr().err


def test_show_without_any_file():
    """The loader's own sentence, and its exit code."""
    with pytest.raises(ConfigError, match="no configuration file available"):
        main(["show"])


# -- check --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("rc")
def test_check_of_files_that_are_right(capsys):
    """Notes are no errors."""
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "0 errors, 0 warnings, 1 notes"
    assert "account bare is used only with -a bare" in out


def test_check_says_place_and_advice(tmp_path, capsys):
    """As a compiler does: FILE:LINE:COLUMN: SEVERITY: PROBLEM; exit code 78."""
    path = tmp_path / "x"
    path.write_text("account default\nhots mail.example.org\n")
    assert main(["check", str(path)]) == 78
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}:2:1: error: unknown command hots"
    assert lines[1] == "    did you mean host?"


def test_check_in_chinese(tmp_path, capsys, monkeypatch):
    """A person who reads Chinese gets Chinese."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    path = tmp_path / "x"
    path.write_text("account default\nhost h\nport 465\n")
    assert main(["check", str(path)]) == 78
    assert "端口从第一个字节起就是 TLS" in capsys.readouterr().out


def test_check_json(tmp_path, capsys):
    """The findings as values."""
    path = tmp_path / "x"
    path.write_text("account default\nhost h\nport 465\n")
    assert main(["check", "--json", str(path)]) == 78
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["severity"], row["path"], row["line"], row["column"]) == ("error", str(path), 3, 6)
    assert row["advice"] == "write tls on and tls_starttls off"


def test_check_of_a_good_file(tmp_path, capsys):
    """It is said that nothing was found."""
    path = tmp_path / "x"
    path.write_text("account default\nhost h\nfrom a@b\n")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: nothing is wrong\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 0, "nothing is wrong"),
        ("[deliverie]\n", 78, "deliverie"),
        ("x = \n", 78, ":1:1: error"),
    ],
)
def test_check_of_the_services_settings(text, code, said, tmp_path, capsys):
    """A TOML file is the service's."""
    path = tmp_path / "pillarbox.toml"
    path.write_text(text)
    assert main(["check", str(path)]) == code
    assert said in capsys.readouterr().out


def test_check_looks_at_the_users_service_too(rc, tmp_path, capsys):
    """All files that are used, when none is named."""
    path = tmp_path / ".config/pillarbox/pillarbox.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[deliverie]\n")
    del rc
    assert main(["check"]) == 78
    assert str(path) in capsys.readouterr().out


def test_check_without_any_file(monkeypatch, tmp_path):
    """There is nothing to check, which is not the same as nothing wrong."""
    monkeypatch.setattr(config_check, "_files", lambda _named: ([], []))
    del tmp_path
    with pytest.raises(MissingInputError, match="there is no configuration file"):
        main(["check"])


def test_check_of_a_file_that_is_not_there(tmp_path):
    """A slip in its name is no fault of a configuration."""
    with pytest.raises(MissingInputError, match="there is no file"):
        main(["check", str(tmp_path / "msmtprx")])


def test_check_shows_no_control_characters(tmp_path, capsys):
    """Attack: a file from somewhere does not write on the terminal."""
    path = tmp_path / "x"
    path.write_text("account default\nhost h\nport \x1b[31m\n")
    assert main(["check", str(path)]) == 78
    assert "\x1b" not in capsys.readouterr().out


# -- import -------------------------------------------------------------------------------------


def _import(ssmtp, target, *flags):
    return main(["import", "ssmtp", str(ssmtp), "--to", str(target), *flags])


def test_import_shows_and_writes_nothing(ssmtp, tmp_path, capsys):
    """A preview, without the password."""
    target = tmp_path / "new"
    assert _import(ssmtp, target) == 0
    out = capsys.readouterr().out
    assert "+host smtp.qiye.aliyun.com" in out
    assert "+account default : ssmtp" in out
    assert "+password *" in out
    assert "hunter2" not in out
    assert "nothing was written" in out
    assert not target.exists()


def test_import_writes_a_file_that_works(ssmtp, tmp_path, capsys):
    """Mode 0600, and what ``config show`` reads of it is what the other program had."""
    target = tmp_path / ".msmtprc"
    assert main(["import", "ssmtp", str(ssmtp), "--to", str(target), "--write"]) == 0
    assert target.stat().st_mode & 0o7777 == 0o600
    assert "password hunter2" in target.read_text()
    assert "hunter2" not in capsys.readouterr().out
    assert main(["show"]) == 0
    assert _rows(capsys.readouterr().out)["user"] == f"no-reply@example.com {target}:9"
    assert sorted(os.listdir(tmp_path)) == [".msmtprc", "ssmtp.conf"]


def test_import_adds_to_what_is_there_and_keeps_it(ssmtp, rc, capsys):
    """The old accounts stay, the default stays, the old file is kept, names are not taken."""
    rc.write_text(RC.replace("account other", "account ssmtp"))
    before = rc.read_text()
    assert _import(ssmtp, rc, "--write") == 0
    out = capsys.readouterr().out
    assert rc.read_text().startswith(before)
    assert "account ssmtp-2" in rc.read_text()
    assert rc.read_text().count("account default") == 1
    kept = rc.with_name(".msmtprc.before-import")
    assert kept.read_text() == before
    assert str(kept) in out
    assert "hunter2" not in out


def test_import_twice_changes_nothing(ssmtp, tmp_path, capsys):
    """It can be run again by what sets machines up."""
    target = tmp_path / "new"
    assert _import(ssmtp, target, "--write") == 0
    text = target.read_text()
    assert _import(ssmtp, target, "--write") == 0
    assert "has these settings already" in capsys.readouterr().out
    assert target.read_text() == text
    assert not (tmp_path / "new.before-import").exists()


@pytest.mark.parametrize(
    ("mode", "after"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o600), (0o660, 0o600)]
)
def test_import_never_leaves_a_password_that_all_can_read(mode, after, ssmtp, rc):
    """Attack: a mode that was too wide is not taken over, nor left on the copy."""
    rc.chmod(mode)
    assert _import(ssmtp, rc, "--write") == 0
    assert rc.stat().st_mode & 0o7777 == after
    assert rc.with_name(".msmtprc.before-import").stat().st_mode & 0o7777 == after


def test_import_keeps_every_old_file(ssmtp, rc):
    """A second import does not replace what the first one kept."""
    first = rc.read_text()
    assert _import(ssmtp, rc, "--write") == 0
    ssmtp.write_text(SSMTP.replace("hunter2", "hunter3"))
    second = rc.read_text()
    assert _import(ssmtp, rc, "--write") == 0
    assert rc.with_name(".msmtprc.before-import").read_text() == first
    assert rc.with_name(".msmtprc.before-import.2").read_text() == second


def test_import_writes_through_a_link(ssmtp, rc, tmp_path):
    """Who keeps his files in a repository keeps his link."""
    link = tmp_path / "link"
    link.symlink_to(rc)
    assert _import(ssmtp, link, "--write") == 0
    assert link.is_symlink()
    assert "account ssmtp" in rc.read_text()


def test_import_into_a_faulty_file_is_refused(ssmtp, rc):
    """It is mended first: behind a fault nobody knows what a line belongs to."""
    rc.write_text("hots x\n")
    with pytest.raises(ConfigError, match="line 1"):
        _import(ssmtp, rc, "--write")
    assert rc.read_text() == "hots x\n"


def test_import_cuts_no_file_short(ssmtp, rc):
    """An msmtprc of which only a part would be read is left alone."""
    rc.write_text(f"{RC}# {'x' * (1 << 20)}\n# the end\n")
    before = rc.read_text()
    with pytest.raises(InputOutputError, match="larger than a mebibyte"):
        _import(ssmtp, rc, "--write")
    assert rc.read_text() == before


def test_import_that_cannot_write_leaves_nothing(ssmtp, tmp_path):
    """The directory is not there, or the file is one."""
    with pytest.raises(InputOutputError, match="cannot be written"):
        _import(ssmtp, tmp_path / "none/new", "--write")
    with pytest.raises(InputOutputError):
        _import(ssmtp, tmp_path, "--write")
    assert sorted(os.listdir(tmp_path)) == ["ssmtp.conf"]


def test_import_goes_to_the_usual_place(ssmtp, tmp_path, capsys):
    """The system's file for root, the user's for others."""
    name = "etc-msmtprc" if os.geteuid() == 0 else ".msmtprc"
    assert main(["import", "ssmtp", str(ssmtp)]) == 0
    assert f"+++ {tmp_path / name}" in capsys.readouterr().out


def test_import_of_two_servers_keeps_the_fallback(tmp_path, capsys):
    """Its name follows where the account had to be renamed."""
    (tmp_path / "remotes").write_text("a.example\nb.example\n")
    target = tmp_path / "new"
    target.write_text("account nullmailer2\nhost h\nfrom x@y\n")
    assert main(["import", "nullmailer", str(tmp_path), "--to", str(target), "--write"]) == 0
    assert "fallback nullmailer2-2" in target.read_text()
    capsys.readouterr()
    assert main(["check", str(target)]) == 0


def test_wrong_use():
    """An action and a program are needed."""
    for arguments in ([], ["what"], ["import"], ["import", "exim"]):
        with pytest.raises(UsageError):
            main(arguments)


def test_import_of_what_no_msmtprc_can_say(ssmtp, tmp_path):
    """It is refused, and nothing is written."""
    ssmtp.write_text(SSMTP.replace("hunter2", "x" * 600))
    with pytest.raises(DataError, match="password fits in no line"):
        _import(ssmtp, tmp_path / "new", "--write")
    assert not (tmp_path / "new").exists()
