"""From a caller's wishes to the head of an entry: whose mail, to whom, and what he may set."""

from __future__ import annotations

import os
import pwd

import pytest

from pillarbox.delivery.acceptance import _MAX_CHOSEN, SETTINGS, Accounts, Submission, make_head
from pillarbox.errors import ConfigError, DataError, InputOutputError
from pillarbox.mail.address import parse_mailbox
from pillarbox.spool.base import Origin
from pillarbox.spool.entry import is_entry_id

NOW_S = 1.8e9
TWO = "account one\nhost one.example\nfrom me@one.example\naccount two : one\nfrom me@two.example\n"


def accounts(folder, text, **more):
    """Return the accounts of a system file."""
    path = folder / "msmtprc"
    path.write_text(text)
    path.chmod(0o600)
    found = Accounts({}, system_file=str(path), **more)
    found.load()
    return found


def head(found, *to, **wishes):
    """Return the head of a mail to these."""
    recipients = tuple(map(parse_mailbox, to or ("you@example.net",)))
    if isinstance(sender := wishes.get("sender"), str):
        wishes["sender"] = parse_mailbox(sender)
    submission = Submission(recipients, **wishes)
    return make_head(submission, found, hostname="host.example", epoch_s=NOW_S)


def test_head_says_what_was_handed_over(tmp_path):
    """Sender, recipients, wishes and origin stand in it as they came, under an id of its own."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    origin = Origin(1000, 1001, 42, door="socket")
    made = head(
        found,
        "a@example.net",
        "b@example.net",
        sender="cron@example.org",
        ret="HDRS",
        envid="id+20",
        notify="FAILURE",
        priority=5,
        origin=origin,
        settings={"from_full_name": "Cron", "repair": "off"},
    )
    envelope = made.envelope
    assert str(envelope.reverse_path) == "cron@example.org"
    assert [str(each) for each in envelope.forward_paths] == ["a@example.net", "b@example.net"]
    assert (envelope.ret, envelope.envid, envelope.notify) == ("HDRS", "id+20", "FAILURE")
    assert (made.accepted_s, made.priority, made.origin) == (NOW_S, 5, origin)
    assert made.settings == {"from_full_name": "Cron", "repair": "off"}
    assert made.account == "default"
    assert is_entry_id(made.id)
    assert made.message_id.startswith("<")
    again = head(found)
    assert (again.id, again.message_id) != (made.id, made.message_id)


CHOICES = [
    # account asked for, sender, is it the account's own -> account, sender
    ("two", "x@example.org", False, "two", "x@example.org"),
    ("two", None, True, "two", "me@two.example"),
    ("", None, True, "default", "me@one.example"),
    ("", "me@two.example", False, "two", "me@two.example"),
    ("", "nobody@example.org", False, "default", "nobody@example.org"),
    ("", None, False, "default", None),
]


@pytest.mark.parametrize(("name", "sender", "is_own", "account", "reverse_path"), CHOICES)
def test_account_and_sender(name, sender, is_own, account, reverse_path, tmp_path):
    """What is asked for counts; else the sender chooses, and who gives none has the account's."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    made = head(found, account=name, sender=sender, is_own_sender=is_own)
    assert made.account == account
    path = made.envelope.reverse_path
    assert (str(path) if path is not None else None) == reverse_path


@pytest.mark.parametrize("name", ["three", "one\n", "../one", ""])
def test_unknown_account_is_told_at_once(name, tmp_path):
    """A mail that nobody could send is not taken."""
    with pytest.raises(ConfigError):
        head(accounts(tmp_path, TWO), account=name, sender="x@example.org")


def test_only_two_settings_may_be_set_for_a_mail(tmp_path):
    """A caller who may send may not choose the server, run a command or write a file (L1)."""
    found = accounts(tmp_path, "account default\nhost one.example\nfrom me@one.example\n")
    attacks = {
        "host": "evil.example",
        "passwordeval": "touch /tmp/owned",
        "logfile": "/etc/passwd",
        "proxy_host": "evil.example",
        "tls_certcheck": "off",
        "tls": "off",
        "user": "root",
        "password": "x",
        "from": "boss@example.org",
        "aliases": "/etc/passwd",
        "socket": "/run/x",
        "__class__": "x",
        "": "",
    }
    assert head(found, settings=attacks).settings == {}
    assert head(found, settings=attacks | {"repair": "off"}).settings == {"repair": "off"}
    assert {"from_full_name", "repair"} == SETTINGS


def test_value_that_is_none_is_told_at_once(tmp_path):
    """A setting that could not be read later is the caller's to hear of."""
    found = accounts(tmp_path, "account default\nhost one.example\nfrom me@one.example\n")
    with pytest.raises(DataError, match="maybe"):
        head(found, settings={"repair": "maybe"})


def test_recipient_is_named_once(tmp_path):
    """Who is named twice gets one copy."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    made = head(found, "a@example.net", "b@example.net", "a@example.net")
    assert [str(each) for each in made.envelope.forward_paths] == ["a@example.net", "b@example.net"]


@pytest.mark.parametrize("is_of_service", [False, True])
def test_local_names_are_looked_up(is_of_service, tmp_path):
    """Cron's mail to root goes to a person; the service's own aliases go before the account's."""
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("root: admin@example.net, boss@example.net\ndefault: rest@example.net\n")
    wrong.write_text("default: nobody@example.net\n")
    own = wrong if is_of_service else right
    text = f"account default\nhost one.example\nfrom me@one.example\naliases {own}\n"
    more = {"aliases": str(right)} if is_of_service else {}
    made = head(accounts(tmp_path, text, **more), "root", "daemon", "x@example.org")
    assert [str(each) for each in made.envelope.forward_paths] == [
        "admin@example.net",
        "boss@example.net",
        "rest@example.net",
        "x@example.org",
    ]


def test_nobody_is_told_at_once(tmp_path):
    """A mail to nobody is not taken."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    with pytest.raises(DataError):
        make_head(Submission(()), found, hostname="host.example", epoch_s=NOW_S)


def test_received_field_names_the_caller(tmp_path):
    """Who handed it over can be seen from outside, folded, in ASCII (RFC 5321 4.4)."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    made = head(found, origin=Origin(1000, 1000, 7, door="socket"), hello_name="web.example")
    first, second, third = made.trace.split("\r\n\t")
    assert first == "Received: from web.example (uid 1000)"
    assert second == f"by host.example (pillarbox) with LMTP id {made.id};"
    assert third == "Fri, 15 Jan 2027 08:00:00 +0000"
    own = head(found, origin=Origin(door="own")).trace
    assert own.startswith("Received: from host.example\r\n\tby host.example (pillarbox) with local")
    assert head(found, origin=Origin(door="notice")).trace == ""


def test_pattern_of_sender_means_the_caller(tmp_path):
    """``%U`` in a system file is the user who sends, not the one who delivers."""
    found = accounts(tmp_path, "account default\nhost one.example\nfrom %U@example.org\n")
    root = pwd.getpwuid(0).pw_name
    assert str(head(found, is_own_sender=True, origin=Origin(0)).envelope.reverse_path) == (
        f"{root}@example.org"
    )
    nobody = next(each for each in pwd.getpwall() if each.pw_uid not in (0, os.getuid()))
    made = head(found, is_own_sender=True, origin=Origin(nobody.pw_uid))
    assert str(made.envelope.reverse_path) == f"{nobody.pw_name}@example.org"
    unknown = 3_999_999
    made = head(found, is_own_sender=True, origin=Origin(unknown))
    assert str(made.envelope.reverse_path) == f"{unknown}@example.org"


def test_broken_file_leaves_what_was_there(tmp_path):
    """A reload that fails changes nothing: mail goes on through the accounts of before."""
    found = accounts(tmp_path, TWO)
    path = tmp_path / "msmtprc"
    path.write_text("account one\nhost\nnonsense 5\n")
    assert found.has_changed()
    with pytest.raises((ConfigError, InputOutputError)):
        found.load()
    assert found.names() == ["one", "two"]
    assert found.named("one").host == "one.example"
    assert found.generation == 1


def test_change_is_noticed(tmp_path):
    """A file that was written again, or is gone, is another one."""
    found = accounts(tmp_path, TWO)
    assert not found.has_changed()
    path = tmp_path / "msmtprc"
    path.write_text(TWO + "account three : one\n")
    assert found.has_changed()
    found.load()
    assert (found.names(), found.generation) == (["one", "two", "three"], 2)
    assert not found.has_changed()
    path.unlink()
    assert found.has_changed()


@pytest.mark.parametrize(
    "text",
    ["account a\nhost h.example\nfallback b\n", "account a\nhost h.example\nfallback a\n"],
)
def test_fallback_that_leads_nowhere_is_told_at_once(text, tmp_path):
    """An account in reserve that is not there would be found out in the worst moment."""
    with pytest.raises(ConfigError):
        accounts(tmp_path, text)


def test_account_without_host_is_only_inherited_from(tmp_path):
    """What others are made from need not be usable, and is not used."""
    found = accounts(tmp_path, "account base\nport 587\naccount a : base\nhost h.example\n")
    assert found.names() == ["a"]
    with pytest.raises(ConfigError, match="base"):
        found.named("base")
    with pytest.raises(ConfigError, match="gone"):
        found.named("gone")


def test_file_that_vanishes_leaves_what_was_there(tmp_path):
    """An editor or a package may take a file away for a moment: mail must not fail for it."""
    found = accounts(tmp_path, TWO)
    assert found.notes == ()
    (tmp_path / "msmtprc").unlink()
    with pytest.raises(ConfigError, match="no account is left"):
        found.load()
    (tmp_path / "msmtprc").write_text("# nothing\n")
    (tmp_path / "msmtprc").chmod(0o600)
    with pytest.raises(ConfigError, match="no account is left"):
        found.load()
    assert found.names() == ["one", "two"]


def test_account_without_host_is_told_where_it_is_asked_for(tmp_path):
    """Mail of an account that lost its host waits, and the reason says what to do."""
    found = accounts(tmp_path, TWO)
    found._finished.pop("two")
    with pytest.raises(ConfigError, match="two cannot be used"):
        found.named("two")


def test_change_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    """What is written between the reading and the look at the file is not missed for ever."""
    found = accounts(tmp_path, TWO)
    read = found._read

    def read_and_change():
        files = read()
        (tmp_path / "msmtprc").write_text(TWO.replace("one.example", "three.example"))
        return files

    monkeypatch.setattr(found, "_read", read_and_change)
    found.load()
    assert found.named("one").host == "one.example"
    assert found.has_changed()


def test_choice_is_made_anew_after_a_reload(tmp_path):
    """What was remembered of a sender is forgotten with the files that it was read from."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    assert head(found, sender="me@two.example").account == "two"
    (tmp_path / "msmtprc").write_text("account default\nhost new.example\nfrom me@new.example\n")
    found.load()
    made = head(found, sender="me@two.example")
    assert made.account == "default"
    assert found.chosen("", "me@two.example", 0).host == "new.example"


def test_remembered_choices_are_bounded(tmp_path):
    """A caller who invents senders without end fills no memory (attack L11)."""
    found = accounts(tmp_path, TWO + "account default : one\n")
    for number in range(_MAX_CHOSEN + 10):
        assert found.chosen("", f"{number}@example.org", 0).name == "default"
    assert len(found._chosen) <= _MAX_CHOSEN


def test_choice_of_one_user_is_no_others(tmp_path):
    """What is remembered is remembered for the caller that it was made for."""
    found = accounts(tmp_path, "account default\nhost one.example\nfrom %U@example.org\n")
    senders = {
        str(head(found, is_own_sender=True, origin=Origin(uid)).envelope.reverse_path)
        for uid in (0, 3_999_998, 3_999_999, 0)
    }
    assert len(senders) == 3
