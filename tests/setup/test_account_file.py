"""An account inside an msmtprc: it is written, and nothing else is touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.config.finish import finish_account
from pillarbox.config.load import Wishes
from pillarbox.errors import ConfigError, DataError
from pillarbox.secret import Secret
from pillarbox.setup.account_file import (
    Login,
    find_default_name,
    read_account,
    require_sound,
    with_account,
)

PATH = "/etc/msmtprc"
ME = "no-reply@example.com"
SECRET = "s3cret-word"

FRESH = b"""\
account default
host smtp.qiye.aliyun.com
port 465
tls on
tls_starttls off
tls_trust_file system
auth on
user no-reply@example.com
password s3cret-word
from no-reply@example.com
"""

# Another's account, with all that must not be touched.
OTHER = b"""\
# our mail, since 2019
defaults
logfile /var/log/msmtp.log

account other   # no comment: a part of the name
host mail.example.org
\tauth  on
user "u"
password hunter2

# the last one
account third : other   # no comment: a part of the name
port 587
"""
OTHER = OTHER.replace(b"   # no comment: a part of the name", b"")


def a_login(**changes):
    """Return a login at Aliyun."""
    facts = {
        "is_implicit": True,
        "user": ME,
        "sender": ME,
        "password": Secret(SECRET),
    } | changes
    return Login(facts.pop("host", "smtp.qiye.aliyun.com"), facts.pop("port", 465), **facts)


def written(text, login=None, name="default", *, is_default=True):
    """Return a text with the account in it."""
    return with_account(text, PATH, name, login or a_login(), is_default=is_default)


def test_an_empty_file_gets_the_tutorials_text():
    """What the tutorial has people type is what is written."""
    assert written(b"") == FRESH


def test_starttls_is_written_out():
    """The port does not tell a reader which of the two it is."""
    text = written(b"", a_login(port=587, is_implicit=False))
    assert b"port 587\ntls on\ntls_starttls on\n" in text


@pytest.mark.parametrize("ending", [b"\n", b"", b"\n\n", b"\n# the end\n", b"\n# the end"])
def test_what_is_there_stays_byte_for_byte(ending):
    """Other accounts, comments, blanks and the order: all of it comes first, unchanged."""
    before = OTHER.rstrip(b"\n") + ending
    after = written(before)
    assert after.startswith(before)
    assert after.endswith(FRESH)
    assert read_account(after, PATH, "third").port == 587
    assert read_account(after, PATH, "other").password.reveal() == "hunter2"


def test_an_account_of_the_name_is_replaced_where_it_stands():
    """Its comments and its log file stay, and so do its neighbours, octet by octet."""
    block = b"account default\n# my note\nhost old\nlogfile ~/log\npassword old\ntls off\n\n"
    tail = b"# the last one\naccount last\nhost last.example\n"
    after = written(OTHER + b"\n" + block + tail)
    assert after.startswith(OTHER + b"\naccount default\n# my note\nhost smtp.qiye.aliyun.com\n")
    assert after.endswith(b"from no-reply@example.com\nlogfile ~/log\n\n" + tail)
    assert b"old" not in after
    account = read_account(after, PATH, "default")
    assert (account.logfile, account.tls, account.from_) == ("~/log", True, ME)


def test_what_would_win_over_the_login_is_replaced_too():
    """Old switches, a fingerprint, a helper: none of them may stay beside the new password."""
    before = (
        b"account default\nhost h\ntls_certcheck off\ntls_fingerprint "
        b"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\ntls_nostarttls\npasswordeval cat x\n"
        b"eval echo password hunter2\nauto_from on\nallow_plaintext_auth on\nfrom *@x.org\n"
    )
    assert written(before) == FRESH


@pytest.mark.parametrize(("above", "line"), [
    (b"tls_certcheck off", b"tls_certcheck on"),
    (b"passwordeval cat /x", b"passwordeval"),
    (b"protocol lmtp", b"protocol smtp"),
    (b"socket /run/x", b"socket"),
    (b"allow_plaintext_auth on", b"allow_plaintext_auth off"),
    (b"tls_host_override x.org", b"tls_host_override"),
])  # fmt: skip
def test_defaults_that_would_weaken_it_are_overruled(above, line):
    """Attack: a section of defaults that nobody remembers switches the verification off."""
    after = written(b"defaults\n" + above + b"\n")
    assert line + b"\n" in after
    account = finish_account(read_account(after, PATH, "default"), Wishes({}, env={}))
    assert (account.tls_certcheck, account.passwordeval, account.protocol) == (True, None, "smtp")
    assert (account.socket, account.allow_plaintext_auth) == (None, False)
    assert written(after) == after


def test_a_maildomain_above_cannot_be_overruled_and_is_told():
    """What has no empty form is not written over silently."""
    with pytest.raises(ConfigError, match="cannot be written so that it counts"):
        written(b"defaults\nmaildomain x.org\n")


@pytest.mark.parametrize("text", [
    b"",
    OTHER,
    b"host old\n",
    b"\xef\xbb\xbfhost old\nlogfile x\n",
    b"account default\r\nhost old\r\n",
    b"account main\nhost x\naccount default : main\n",
    b"defaults\ntls_certcheck off\naliases /etc/aliases\n",
])  # fmt: skip
def test_the_second_time_nothing_is_different(text):
    """Idempotent: so that Ansible says ok, and no backup is made each night."""
    name = find_default_name(text, PATH, ME, "aliyun-qiye")
    once = written(text, name=name)
    assert find_default_name(once, PATH, ME, "aliyun-qiye") == name
    assert written(once, name=name) == once
    account = read_account(once, PATH, "default")
    assert (account.host, account.port, account.user) == ("smtp.qiye.aliyun.com", 465, ME)


def test_the_same_in_other_words_is_left_as_it_is():
    """Whoever has tidied his file up finds it as he left it."""
    tidy = FRESH.replace(b"tls on\n", b"  tls\n").replace(b"user ", b"user\t\t")
    assert written(tidy) == tidy


def test_an_account_above_the_first_account_line_is_the_default_one():
    """Old files have no account line at all."""
    after = written(b"# hello\nhost old\nport 25\n\naccount other\nhost x\n")
    assert after == b"# hello\n" + FRESH.partition(b"\n")[2] + b"\naccount other\nhost x\n"


def test_line_ends_are_those_of_the_file():
    """A file from Windows stays one."""
    after = written(b"account other\r\nhost x\r\n")
    assert after.count(b"\n") == after.count(b"\r\n")


@pytest.mark.parametrize(("text", "name"), [
    (b"", "default"),
    (OTHER, "default"),
    (b"account default\nhost x\n", "default"),
    (b"account main\nhost x\naccount default : main\n", "aliyun-qiye"),
    (b"account main\nhost x\nfrom No-Reply@example.com\naccount default : main\n", "main"),
    (b"account aliyun-qiye\nhost x\naccount default : aliyun-qiye\n", "aliyun-qiye-2"),
])  # fmt: skip
def test_the_account_to_write_where_nobody_named_one(text, name):
    """Another's settings, that the default one only points to, are not written over."""
    assert find_default_name(text, PATH, ME, "aliyun-qiye") == name


def test_the_default_moves_to_the_new_account():
    """``account default : main`` now names the new one, and stands behind it."""
    before = b"account main\nhost x\n\naccount default : main\n"
    after = written(before, name="aliyun")
    assert after.startswith(b"account main\nhost x\n\n")
    assert after.endswith(b"from no-reply@example.com\n\naccount default : aliyun\n")
    assert after.count(b"default") == 1
    assert read_account(after, PATH, "default").from_ == ME


def test_an_account_that_was_named_takes_the_default_from_nobody():
    """Only where there is no default account at all does it become it."""
    main = b"account default\nhost x\n"
    after = written(main, name="alerts", is_default=False)
    assert after.startswith(main)
    assert b"account default :" not in after
    alone = written(b"", name="alerts", is_default=False)
    assert alone.endswith(b"\n\naccount default : alerts\n")


def test_aliases_are_named_once():
    """An account that names a file of aliases keeps it; another gets one."""
    login = a_login(aliases="/etc/aliases")
    assert written(b"", login).endswith(b"aliases /etc/aliases\n")
    own = FRESH + b"aliases /etc/mail/aliases\n"
    assert written(own, login) == own


@pytest.mark.parametrize("secret", [
    " leading", "trailing ", '"quoted"', "#hash", "a\tb", "\N{SNOWMAN}密码", "x" * 480, "\udcff",
    "account x", "with \\ and 'quotes'", "ends in \r",
])  # fmt: skip
def test_any_password_comes_back(secret):
    """Quotes, blanks and octets that are no UTF-8: what was tried is what will be used."""
    after = written(b"", a_login(password=Secret(secret)))
    assert read_account(after, PATH, "default").password.reveal() == secret


@pytest.mark.parametrize("secret", ["two\nlines", "nul\0", "x" * 500])
def test_a_password_that_fits_in_no_line_is_refused(secret):
    """Attack: a newline in a password would be a line of configuration."""
    with pytest.raises(DataError, match="password fits in no line") as caught:
        written(b"", a_login(password=Secret(secret)))
    assert secret not in str(caught.value)


@pytest.mark.parametrize("sender", ["a%Hb@example.com", "*@example.com", "a?@example.com"])
def test_a_sender_that_would_be_a_pattern_is_refused(sender):
    """It would stand for other addresses than the one that was proved."""
    with pytest.raises(DataError, match="would be a pattern"):
        written(b"", a_login(sender=sender))


def test_a_faulty_file_is_not_added_to():
    """Its fault would make the new account useless."""
    with pytest.raises(ConfigError) as caught:
        require_sound(b"account x\nhots y\n", PATH)
    assert caught.value.line == 2
    assert caught.value.advice == "mend it first: pillarbox config check /etc/msmtprc"
    require_sound(OTHER, PATH)


_LINES = st.sampled_from([
    "# a comment", "", "defaults", "account a", "account b : a", "account default : a", "host x",
    "port 25", "tls off", "logfile /x", "password p", "tls_certcheck off", "from x@example.org",
    "  auth on", "account default", "set_from_header on", "aliases /x", "protocol lmtp",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES, max_size=12), st.sampled_from(["", "\n"]), st.sampled_from(["\n", "\r\n"]))
def test_any_file_is_completed_or_refused(lines, ending, newline):
    """What is written is read back, others' accounts are as before, and again changes nothing."""
    text = (newline.join(lines) + (ending and newline)).encode()
    try:
        require_sound(text, PATH)
    except ConfigError:
        return
    name = find_default_name(text, PATH, ME, "fresh")
    after = written(text, name=name)
    account = read_account(after, PATH, "default")
    assert (account.host, account.password.reveal(), account.from_) == (
        "smtp.qiye.aliyun.com", SECRET, ME
    )  # fmt: skip
    assert written(after, name=name) == after
    for other in ("a", "b"):
        if f"account {other}".encode() in text and other != name:
            for keyword in ("host", "port", "tls", "from_", "logfile", "tls_certcheck"):
                old, new = (read_account(each, PATH, other) for each in (text, after))
                assert getattr(old, keyword) == getattr(new, keyword)


def test_a_lone_carriage_return_ends_no_line():
    """As for the reader: what stands behind it in a comment is a comment."""
    note = b"# once:\rpassword hunter2\rhost old\n"
    text = with_account(note + FRESH, PATH, "default", a_login(port=587), is_default=True)
    assert text.startswith(note)
    assert text.count(b"\nport 587\n") == 1
