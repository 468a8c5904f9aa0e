"""What an account becomes for one mail: defaults, sender, and what cannot work."""

import pytest

from pillarbox.config.account import FIELD_BY_NAME
from pillarbox.config.finish import COMMAND_LINE, finish_account, require_sender
from pillarbox.config.load import Wishes
from pillarbox.config.parse import parse
from pillarbox.errors import ConfigError

ENV = {"HOME": "/home/me", "USER": "me", "HOSTNAME": "box"}


def finish(text, settings=None, header=None, **keywords):
    """Finish the last account of a configuration text."""
    account = parse(text.encode(), "rc", run_eval=None).accounts[-1]
    before = vars(account).copy()
    mailname = keywords.pop("mailname", "/nonexistent")
    wishes = Wishes(settings or {}, env=ENV, **keywords)
    finished = finish_account(account, wishes, header, mailname_file=mailname)
    assert vars(account) == before
    return finished


PORTS = [
    ("host h", 25),
    ("host h\nport 26", 26),
    ("host h\ntls on", 25),
    ("host h\ntls_starttls off", 25),
    ("host h\ntls on\ntls_starttls off", 465),
    ("host h\ntls on\ntls_starttls off\nport 25", 25),
    ("host h\nprotocol lmtp\nport 24", 24),
    ("socket /s\nprotocol lmtp", None),
    ("socket /s", 25),
]


@pytest.mark.parametrize(("text", "port"), PORTS)
def test_default_port(text, port):
    """25, or 465 with implicit TLS; LMTP has none, and 587 is never guessed."""
    assert finish(text).port == port


PROXIES = [("", None), ("proxy_host p", 1080), ("proxy_host p\nproxy_port 9", 9)]


@pytest.mark.parametrize(("text", "port"), PROXIES)
def test_default_proxy_port(text, port):
    """A proxy has port 1080 unless the account says otherwise."""
    assert finish("host h\n" + text).proxy_port == port


TRUSTS = [
    ("host h\ntls on", "system"),
    ("host h\ntls on\ntls_trust_file /ca.pem", "/ca.pem"),
    ("host h\ntls on\ntls_trust_file ~/ca.pem", "/home/me/ca.pem"),
    ("defaults\ntls_trust_file\naccount default\nhost h\ntls on", "system"),
    ("host h\ntls_trust_file", None),
    ("host h\ntls on\ntls_certcheck off\ntls_trust_file", None),
]


@pytest.mark.parametrize(("text", "trust"), TRUSTS)
def test_default_trust(text, trust):
    """The system's store, unless the account itself (not a defaults section) says none."""
    assert finish(text).tls_trust_file == trust


PATHS = [("~/x", "/home/me/x"), ("~", "/home/me"), ("~you", "/home/meyou"), ("a~", "a~")]


@pytest.mark.parametrize(("text", "path"), PATHS)
def test_expands_home_directory_in_files(text, path):
    """A leading ~ of a file's name is $HOME; of a socket or a command it is not."""
    account = finish(f"socket ~/s\npasswordeval ~/p\nlogfile {text}\naliases {text}")
    assert (account.logfile, account.aliases) == (path, path)
    assert (account.socket, account.passwordeval) == ("~/s", "~/p")
    account = finish("host h", {"tls_cert_file": "~/c", "tls_key_file": "~/k"})
    assert (account.tls_cert_file, account.tls_key_file) == ("/home/me/c", "/home/me/k")


def test_command_line_wins_and_is_remembered():
    """A setting of the command line replaces the account's, and says so."""
    account = finish("host h\nport 1\ntls on", {"port": 2, "tls": False, "user": "u"})
    assert (account.host, account.port, account.tls, account.user) == ("h", 2, False, "u")
    assert account.where("port") == COMMAND_LINE
    assert account.where("host") == "rc:1"


DOMAINS = [
    ("host h", "localhost"),
    ("host h\ndomain %H.x", "box.x"),
    ("host h\ndomain %U", "%U"),
    ("host h\ndomain", ""),
]


@pytest.mark.parametrize(("text", "domain"), DOMAINS)
def test_domain(text, domain):
    """Our name in EHLO has its own patterns."""
    assert finish(text).domain == domain


def test_mail_name(tmp_path):
    """%M works in both, and a machine without the file is told so."""
    path = tmp_path / "mailname"
    path.write_text("m.example\n")
    account = finish("host h\ndomain %M\nfrom %U@%M", mailname=str(path))
    assert (account.domain, account.from_) == ("m.example", "me@m.example")
    with pytest.raises(ConfigError, match="/nonexistent: No such file"):
        finish("host h\ndomain %M")


OFF = "host h\nallow_from_override off\n"
# text, -f, --read-envelope-from, From header, sender
SENDERS = [
    ("host h", None, None, None, None),
    ("host h", None, None, "h@x", "h@x"),
    ("host h\nuser u@x", None, None, "h@x", "h@x"),
    ("host h\nuser u@x", None, None, None, "u@x"),
    ("host h\nuser u", None, None, None, None),
    ("host h\nfrom %F\nuser u@x", None, None, None, "u@x"),
    ("host h\nallow_from_override off\nuser u@x", None, None, "h@x", "u@x"),
    ("host h\nfrom a@x", None, None, "h@x", "a@x"),
    ("host h\nfrom", None, None, None, ""),
    ("host h\nfrom %U@%H", None, None, None, "me@box"),
    ("host h\nfrom %F", None, None, "h@x", "h@x"),
    ("host h\nfrom %F", None, None, None, None),
    ("host h\nfrom a@x", "f@x", None, "h@x", "f@x"),
    ("host h\nfrom a@x", "", None, "h@x", ""),
    ("host h", "%U@x", None, None, "me@x"),
    ("host h\nfrom a@x", None, "r@x", "r@x", "r@x"),
    ("host h", None, "a%Host@x", "a%Host@x", "a%Host@x"),
    ("host h", "f@x", "r@x", "r@x", "f@x"),
    (OFF + "from a@x", "f@x", None, "h@x", "a@x"),
    (OFF + "from a@x", None, "r@x", "r@x", "a@x"),
    (OFF, "f@x", None, "h@x", None),
    ("host h\nauto_from on", "f@x", None, "h@x", "me"),
    ("host h\nauto_from on\nmaildomain d\nfrom a@x", "f@x", None, "h@x", "me@d"),
    ("host h\nauto_from on\nmaildomain", None, None, None, "me"),
    # a wildcard is never a sender
    ("host h\nfrom *@x", "f@x", None, "h@x", "f@x"),
    ("host h\nfrom *@x", "f@y", None, "h@x", "f@y"),
    ("host h\nfrom *@x", None, None, "h@x", "h@x"),
    ("host h\nfrom *@x", None, None, "h+tag@x", "h+tag@x"),
    ("host h\nfrom *@%H", None, None, "h@box", "h@box"),
    ("host h\nfrom *@x", None, None, "h@y", None),
    ("host h\nfrom *@x", None, None, None, None),
    ("host h\nfrom *@x\nuser u@x", None, None, "h@x", "h@x"),
    ("host h\nfrom *@x\nuser u@x", None, None, "h@y", "u@x"),
    ("host h\nfrom *@x\nuser u@x", None, None, None, "u@x"),
    ("host h\nfrom *@x\nuser u", None, None, None, None),
    ("host h\nfrom *@x\nuser *@x", None, None, None, None),
    ("host h\nfrom *@x\nuser u@", None, None, None, None),
    ("host h\nfrom *@x\nuser a b@x", None, None, None, None),
    (OFF + "from *@x", "f@x", None, "h@x", "h@x"),
]


@pytest.mark.parametrize(("text", "option", "read", "header", "sender"), SENDERS)
def test_sender(text, option, read, header, sender):
    """The caller's if allowed, else the account's; patterns filled in, wildcards never used."""
    settings = {} if option is None else {"from": option}
    account = finish(text, settings, header, sender=read)
    assert account.from_ == sender
    if sender is None:
        with pytest.raises(ConfigError) as caught:
            require_sender(account)
        assert caught.value.problem == "account default from rc: envelope-from address is missing"
        assert caught.value.exit_code == 78
        assert "-f ADDRESS" in caught.value.advice
    else:
        assert require_sender(account) == sender


def test_sender_remembers_who_made_it():
    """``where`` tells which rule made the sender."""
    assert finish("host h\nfrom a@x").where("from") == "rc:2"
    assert finish("host h", {"from": "f@x"}).where("from") == COMMAND_LINE
    assert finish("host h", sender="r@x").where("from") == "From header"
    assert finish("host h\nfrom *@x", header="h@x").where("from") == "From header"
    assert finish("host h\nfrom *@x\nuser u@x").where("from") == "rc:3"
    assert finish("host h\nauto_from").where("from") == "auto_from"


OWN_SENDERS = [
    # text, -f, the sender, the account's own
    ("host h\nfrom a@x", None, "a@x", "a@x"),
    ("host h\nfrom a@x", "root", "root", "a@x"),
    ("host h\nfrom *@x", "f@x", "f@x", "*@x"),
    ("host h", "f@x", "f@x", ""),
    ("host h\nauto_from on\nfrom a@x", None, "me", "a@x"),
]


@pytest.mark.parametrize(("text", "option", "sender", "own"), OWN_SENDERS)
def test_own_sender_survives_the_callers(text, option, sender, own):
    """What the account itself has under ``from`` is kept, whatever ``-f`` says."""
    account = finish(text, {} if option is None else {"from": option})
    assert (account.from_, account.own_sender) == (sender, own)


def test_missing_sender_explains_the_pattern():
    """The pattern that gave no sender is named with its line."""
    account = finish("host h\nfrom *@x", header="h@y")
    assert account.from_pattern == "*@x"
    with pytest.raises(ConfigError) as caught:
        require_sender(account)
    assert "from *@x (rc:2) is a pattern" in caught.value.advice
    assert finish("host h\nfrom a@x").from_pattern == ""


FAULTS = [
    ("port 25", "host not set"),
    ("socket /s\ntls on", "host not set"),
    ("host h\nprotocol lmtp", "port not set"),
    ("host h\ntls_key_file k", "tls_key_file requires tls_cert_file"),
    ("host h\ntls_cert_file c", "tls_cert_file requires tls_key_file"),
    ("host h\ntls_trust_file\ntls_crl_file c", "tls_crl_file requires tls_trust_file"),
    (
        "host h\ntls on\ntls_trust_file",
        (
            "tls requires either tls_trust_file (highly recommended) or tls_fingerprint or a "
            "disabled tls_certcheck"
        ),
    ),
]


@pytest.mark.parametrize(("text", "problem"), FAULTS)
def test_refuses_what_cannot_work(text, problem):
    """Missing and contradicting settings are told in msmtp's words, with what to do."""
    with pytest.raises(ConfigError) as caught:
        finish(text)
    assert str(caught.value) == f"account default from rc: {problem}"
    assert caught.value.exit_code == 78
    assert caught.value.advice


SOUND = [
    "socket /s",
    "socket /s\ntls on\ntls_host_override n",
    "socket /s\ntls on\nhost n",
    "host h\ntls_key_file k\ntls_cert_file c",
    "host h\ntls on\ntls_crl_file c",
    "host h\ntls on\ntls_trust_file\ntls_certcheck off",
    "host h\ntls on\ntls_trust_file\ntls_fingerprint " + ":".join(["00"] * 32),
    "host h\ntls_trust_file",
]


@pytest.mark.parametrize("text", SOUND)
def test_accepts_what_works(text):
    """The neighbours of the refused settings are fine."""
    assert finish(text).name == "default"


def test_account_of_no_file_is_not_named():
    """An account that is made of options has no name to show."""
    with pytest.raises(ConfigError, match=r"^host not set$"):
        finish_account_of_options({})


def finish_account_of_options(settings):
    """Finish what --host gives."""
    from pillarbox.config.load import choose_account, load_files

    wishes = Wishes(settings, env=ENV, host_given=True)
    account, _ = choose_account(load_files(wishes), wishes)
    return finish_account(account, wishes)


def test_account_of_options():
    """With --host everything comes from options and built-in values."""
    account = finish_account_of_options({"host": "h", "from": "f@x", "tls": True})
    assert (account.host, account.from_, account.port, account.tls) == ("h", "f@x", 25, True)
    assert account.tls_trust_file == "system"
    assert account.is_set("host")
    assert FIELD_BY_NAME["host"].default == ""
