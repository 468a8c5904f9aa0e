"""Who is told that a mail was not delivered, how often, and when nobody is."""

from __future__ import annotations

import os
from email import message_from_bytes, policy

import pytest

from pillarbox.config.account import Account, parse_setting
from pillarbox.config.hints import find_hint
from pillarbox.delivery.notice_record import NoticeRecord
from pillarbox.delivery.notices import DOOR, Notices
from pillarbox.errors import ConfigError, SpoolError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.dsn import HEADERS_BYTES
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.notice import Row
from pillarbox.mail.reply import EnhancedCode, Reply
from pillarbox.mail.status import Trouble, bounced, deferred
from pillarbox.secret import Secret
from pillarbox.spool.base import Head, Origin
from pillarbox.spool.memory import Memory
from strict import faults

NOW_S = 1795489200.0  # Tue, 24 Nov 2026 03:00:00 +0000
DAY_S = 86400.0
ALIYUN = "smtp.qiye.aliyun.com"
HEADERS = b"Subject: backup of web01\nFrom: root\n\nsecret body\n"
LOGIN = "alerts@example.org"


def account(name="default", *, own_sender="", **keywords):
    """Return an account that logs in with an address, but for what is said."""
    result = Account(name, "")
    for keyword, text in {
        "host": "mail.example.org",
        "auth": "on",
        "user": LOGIN,
        **keywords,
    }.items():
        field, value = parse_setting(keyword, text)
        result.set(field, value, "test")
    result.own_sender = own_sender
    return result


def head(*to, sender="tim@example.net", door="socket", **wishes):
    """Return the head of a mail; an empty sender is the null reverse-path."""
    reverse_path = None
    if sender:
        reverse_path = parse_mailbox(sender)
    paths = tuple(map(parse_mailbox, to or ("ann@example.com",)))
    envelope = Envelope(reverse_path, paths, **wishes)
    return Head("0abc-def", NOW_S - 600, envelope, origin=Origin(1000, door=door))


def trouble(code=550, text=b"User unknown", enhanced=(5, 1, 1), *, stage="RCPT", **others):
    """Return why it failed."""
    reply = Reply(code, (text,), EnhancedCode(*enhanced) if enhanced else None) if code else None
    known = {"problem": "the server refused the recipient", "scope": "recipient", **others}
    return Trouble(stage=stage, exit_code=67, reply=reply, **known)


def failed(*to, why=None):
    """Return the statuses of recipients that are given up."""
    return [bounced(parse_mailbox(path), why or trouble()) for path in to or ("ann@example.com",)]


def late(why=None):
    """Return the status of a recipient who waits."""
    return [deferred(parse_mailbox("ann@example.com"), why or trouble(None, stage="connect"))]


@pytest.fixture
def notices():
    """Return what makes notices, in memory."""
    return Notices("web01")


@pytest.fixture
def aliases(tmp_path):
    """Return a function that writes an aliases file."""

    def write(text):
        path = tmp_path / "aliases"
        path.write_text(text)
        return str(path)

    return write


def parsed(told):
    """Return a notice as Python's email reads it; it is in order."""
    assert faults(told.notice.content, now_s=NOW_S) == []
    return message_from_bytes(told.notice.content, policy=policy.default)


def facts(told):
    """Return the fields of the first recipient's block."""
    return dict(list(parsed(told).iter_parts())[1].get_payload()[1].items())


def readers(told):
    """Return who is told, in the envelope as in the header."""
    paths = [str(path) for path in told.notice.envelope.forward_paths]
    assert [address.addr_spec for address in parsed(told)["To"].addresses] == paths
    return paths


# -- who is told -----------------------------------------------------------------------------------


def test_bounce_to_goes_before_all(notices, aliases):
    """The account's word counts more than aliases and sender."""
    path = aliases("root: root@example.com\n")
    told = notices.bounce_for(
        head(), failed(), HEADERS, account(bounce_to="boss@example.com", aliases=path), now_s=NOW_S
    )
    assert readers(told) == ["boss@example.com"]
    assert told.reason == "boss@example.com is told"
    assert not told.needs_alarm


@pytest.mark.parametrize(("text", "expected"), [
    ("root: adm@example.com\npostmaster: post@example.com\n", ["post@example.com"]),
    ("root: adm@example.com, bob@example.com\n", ["adm@example.com", "bob@example.com"]),
    ("postmaster: root\nroot: adm@example.com\n", ["adm@example.com"]),
    ("postmaster: kim\nroot: adm@example.com\n", ["adm@example.com"]),
    ("root: adm@localhost, root\n", ["tim@example.net"]),
    ("kim: kim@example.com\n", ["tim@example.net"]),
    ("default: all@example.com\n", ["all@example.com"]),
    ("not an alias\n", ["tim@example.net"]),
    ("root: " + ", ".join(f"u{n}@example.com" for n in range(30)) + "\n",
     [f"u{n}@example.com" for n in range(10)]),
])  # fmt: skip
def test_aliases_of_the_world_go_before_the_sender(notices, aliases, text, expected):
    """The postmaster, then root; names of this computer have no mailbox."""
    told = notices.bounce_for(
        head(), failed(), HEADERS, account(aliases=aliases(text)), now_s=NOW_S
    )
    assert readers(told) == expected


def test_the_services_aliases_go_before_the_accounts(aliases, tmp_path):
    """An account's own file is asked where the service names none."""
    (tmp_path / "other").write_text("root: other@example.com\n")
    notices = Notices("web01", aliases=str(tmp_path / "other"))
    told = notices.bounce_for(
        head(),
        failed(),
        HEADERS,
        account(aliases=aliases("root: adm@example.com\n")),
        now_s=NOW_S,
    )
    assert readers(told) == ["other@example.com"]


@pytest.mark.parametrize("sender", [
    "root@example.com", "ROOT@example.com", "mailer-daemon@example.com", "www-data@example.com",
    "kim@localhost", "kim@web01", "kim@web01.local", "kim",
])  # fmt: skip
def test_a_sender_of_the_system_has_no_mailbox(notices, sender):
    """The account's own address is told: such mail goes out from there as well."""
    told = notices.bounce_for(head(sender=sender), failed(), HEADERS, account(), now_s=NOW_S)
    assert readers(told) == [LOGIN]


def test_the_name_of_this_computer_is_no_mailbox():
    """However many dots it has."""
    told = Notices("web01.example.com").bounce_for(
        head(sender="kim@web01.example.com"), failed(), HEADERS, account(), now_s=NOW_S
    )
    assert readers(told) == [LOGIN]


def test_nobody_is_told_at_the_address_that_failed(notices):
    """The next one is; and when there is none, only an alarm is left."""
    boss = account(bounce_to="Ann@example.com")
    assert readers(notices.bounce_for(head(), failed(), HEADERS, boss, now_s=NOW_S)) == [
        "tim@example.net"
    ]
    lost = head(sender="ann@example.com")
    boss = account(bounce_to="ann@example.com", user="ann@example.com")
    told = notices.bounce_for(lost, failed(), HEADERS, boss, now_s=NOW_S)
    assert told.notice is None
    assert told.needs_alarm
    assert "bounce_to" in told.reason


def test_an_address_that_cannot_be_written_is_passed_over(notices):
    """A domain that is no domain stops nobody else."""
    bad = "kim@-\u0301.example"
    told = notices.bounce_for(head(sender=bad), failed(), HEADERS, account(), now_s=NOW_S)
    assert readers(told) == [LOGIN]


# -- from whom, and how ----------------------------------------------------------------------------


@pytest.mark.parametrize(("keywords", "own_sender", "sender"), [
    ({}, "", LOGIN),
    ({}, "news@example.org", "news@example.org"),
    ({}, "*@example.org", LOGIN),
    ({}, "root@localhost", LOGIN),
    ({"auth": "off"}, "news@example.org", "news@example.org"),
    ({"auth": "off", "from": "a@example.org"}, "", "a@example.org"),
    ({"auth": "off"}, "", "tim@example.net"),
    ({"user": "alerts"}, "", "tim@example.net"),
    ({"host": ALIYUN}, "news@example.org", LOGIN),
])  # fmt: skip
def test_from_is_an_address_that_the_provider_takes(notices, keywords, own_sender, sender):
    """The account's own; the login where the provider demands it; else the reader's."""
    told = notices.bounce_for(
        head(), failed(), HEADERS, account(own_sender=own_sender, **keywords), now_s=NOW_S
    )
    assert [address.addr_spec for address in parsed(told)["From"].addresses] == [sender]


@pytest.mark.parametrize(("keywords", "expected"), [
    ({}, None),
    ({"host": ALIYUN}, LOGIN),
    ({"host": ALIYUN, "auth": "off"}, None),
    ({"host": ALIYUN, "user": "alerts"}, None),
])  # fmt: skip
def test_the_reverse_path_is_null_but_where_none_is_taken(notices, keywords, expected):
    """RFC 5321 4.5.5; a provider that takes the login only gets that."""
    told = notices.bounce_for(head(), failed(), HEADERS, account(**keywords), now_s=NOW_S)
    path = told.notice.envelope.reverse_path
    assert (str(path) if path is not None else None) == expected


def test_the_entry_of_a_notice(notices):
    """Nobody's, urgent, through the same account, with the Message-ID that is in it."""
    told = notices.bounce_for(head(), failed(), HEADERS, account("work"), now_s=NOW_S)
    made = told.notice.head("0new", now_s=NOW_S)
    assert (made.id, made.accepted_s, made.account, made.priority) == ("0new", NOW_S, "work", 4)
    assert (made.origin.door, made.origin.uid) == (DOOR, -1)
    assert made.message_id == parsed(told)["Message-ID"]
    spool = Memory()
    spool.open()
    draft = spool.begin(made)
    draft.write(told.notice.content)
    draft.commit()
    claim = spool.claim("0new")
    assert claim.read(1 << 20) == told.notice.content
    assert claim.entry.head == made


# -- when nobody is told ---------------------------------------------------------------------------


@pytest.mark.parametrize(("mail", "headers", "needs_alarm"), [
    (head(sender=""), HEADERS, True),
    (head(door=DOOR), HEADERS, True),
    (head(notify="NEVER"), HEADERS, False),
    (head(notify="SUCCESS"), HEADERS, False),
    (head(), b"Auto-Submitted: auto-replied\n" + HEADERS, False),
    (head(), b"auto-submitted: Auto-Replied; x=1\n" + HEADERS, False),
    (head(), b"Auto-Submitted: auto-notified\n" + HEADERS, False),
])  # fmt: skip
def test_no_notice_is_made(notices, mail, headers, needs_alarm):
    """A notice about a notice is a loop; an answer and a sender who wants none have none."""
    told = notices.bounce_for(mail, failed(), headers, account(), now_s=NOW_S)
    assert told.notice is None
    assert told.needs_alarm is needs_alarm
    assert told.reason
    # That it is late is no reason for an alarm: nothing has failed yet.
    late_one = notices.delay_for(mail, late(), headers, account(), now_s=NOW_S, retry_until_s=NOW_S)
    assert late_one.notice is None
    assert not late_one.needs_alarm
    assert late_one.reason == told.reason


@pytest.mark.parametrize(("mail", "headers"), [
    (head(notify="FAILURE"), HEADERS),
    (head(notify="success,failure"), HEADERS),
    (head(ret="FULL"), HEADERS),
    (head(), b"Auto-Submitted: no\n" + HEADERS),
    (head(), b"Auto-Submitted: auto-generated\n" + HEADERS),
    (head(), b"Precedence: bulk\n" + HEADERS),
    (head(), b"x" * (2 << 20)),
    (head(), b""),
])  # fmt: skip
def test_the_mail_of_a_server_has_notices(notices, mail, headers):
    """What cron and monitors write is what matters; and never does the body go along."""
    told = notices.bounce_for(mail, failed(), headers, account(), now_s=NOW_S)
    assert readers(told) == ["tim@example.net"]
    assert b"secret body" not in told.notice.content


@pytest.mark.parametrize(("notify", "is_told"), [
    ("", True), ("DELAY", True), ("FAILURE,DELAY", True), ("FAILURE", False), ("NEVER", False),
])  # fmt: skip
def test_a_delay_is_told_to_whom_wants_it(notices, notify, is_told):
    """RFC 3461 4.1: NOTIFY without DELAY wants none."""
    told = notices.delay_for(
        head(notify=notify), late(), HEADERS, account(), now_s=NOW_S, retry_until_s=NOW_S + 9
    )
    assert (told.notice is not None) is is_told


# -- what it says ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("why", "expected"), [
    (trouble(), "5.1.1"),
    (trouble(440, b"no", (4, 7, 1), stage="MAIL"), "5.7.1"),
    (trouble(550, b"no", None), "5.1.0"),
    (trouble(554, b"no", None, stage="content", scope="message"), "5.0.0"),
    (trouble(None, scope="site", stage="connect"), "5.4.1"),
    (trouble(None, scope="account", stage="AUTH"), "5.7.8"),
    (trouble(None, scope="site", stage="tls"), "5.7.10"),
])  # fmt: skip
def test_status_of_a_failure(notices, why, expected):
    """The server's own code, of the class that it came to; else what stands for it."""
    told = notices.bounce_for(head(), failed(why=why), HEADERS, account(), now_s=NOW_S)
    fields = facts(told)
    assert fields["Status"] == expected
    assert ("Diagnostic-Code" in fields) is (why.reply is not None)
    assert ("Remote-MTA" in fields) is (why.reply is not None)


def test_status_of_a_mail_that_took_too_long(notices):
    """5.4.7, whatever the last attempt said."""
    told = notices.bounce_for(
        head(),
        failed(why=trouble(450, b"busy", (4, 2, 1))),
        HEADERS,
        account(),
        now_s=NOW_S,
        is_expired=True,
        last_attempt_s=NOW_S - 60,
    )
    fields = facts(told)
    assert fields["Status"] == "5.4.7"
    assert fields["Diagnostic-Code"] == "smtp; 450 busy"
    assert "Last-Attempt-Date" in fields


def test_what_is_known_of_the_reply_is_told_in_each_language(notices):
    """A provider's hint goes before ours, and both languages have theirs."""
    why = trouble(554, b"Reject by content spam", None, stage="content", advice="look at it")
    whose = account(host="smtpdm.aliyun.com")
    told = notices.bounce_for(head(), failed(why=why), HEADERS, whose, now_s=NOW_S)
    text = next(parsed(told).iter_parts()).get_content()
    for language in ("en", "zh"):
        hint = find_hint(str(why.reply), host=whose.host, stage="content", language=language)
        assert hint.fix in text
    assert "look at it" not in text


def test_our_own_advice_is_told_where_nothing_better_is_known(notices):
    """What to do, of the trouble itself."""
    why = trouble(None, advice="ask Ann", problem="nothing known of this", stage="content")
    told = notices.bounce_for(head(), failed(why=why), HEADERS, account(), now_s=NOW_S)
    assert "what to do: ask Ann" in next(parsed(told).iter_parts()).get_content()


def test_no_secret_in_a_notice(notices):
    """A server that echoes the password has it starred out, in the reply and in our sentence."""
    secret = Secret("hunter2-geheim")
    why = trouble(
        535, b"bad hunter2-geheim", None, problem="it said hunter2-geheim", advice="hunter2-geheim?"
    )
    for told in (
        notices.bounce_for(head(), failed(why=why), HEADERS, account(), now_s=NOW_S, secret=secret),
        notices.broken_for(
            account(),
            "it said hunter2-geheim",
            waiting=1,
            now_s=NOW_S,
            fallback=account("other"),
            advice="hunter2-geheim?",
            secret=secret,
        ),
    ):
        texts = [part.as_string() + str(part.get_payload(decode=True) or b"")
                 for part in parsed(told).walk()]  # fmt: skip
        assert not any("hunter2" in text for text in texts)
        assert any("***" in text for text in texts)


def test_a_long_content_is_looked_at_in_its_beginning(notices):
    """Of a header section as long as a body there is a bounded piece."""
    headers = b"Subject: x\n" + b"X-Y: " + b"y" * 70 + b"\n"
    headers += b"X-Z: z\n" * HEADERS_BYTES
    told = notices.bounce_for(head(), failed(), headers, account(), now_s=NOW_S)
    assert len(told.notice.content) < 2 * HEADERS_BYTES


# -- an account that is broken ---------------------------------------------------------------------


def broken(notices, whose, fallback):
    """Tell of a broken account."""
    return notices.broken_for(
        whose, "login refused", waiting=7, now_s=NOW_S, fallback=fallback, advice="ask"
    )


def test_a_broken_account_is_told_through_its_fallback(notices):
    """From the other account's address to whom the broken one names."""
    other = account("other", user="other@example.org")
    told = broken(notices, account("work", bounce_to="boss@example.com"), other)
    assert told.notice.account == "other"
    assert readers(told) == ["boss@example.com"]
    assert parsed(told)["From"].addresses[0].addr_spec == "other@example.org"
    assert "account work cannot send" in parsed(told)["Subject"]


@pytest.mark.parametrize(("whose", "fallback", "expected"), [
    (account(), account(bounce_to="b@example.com"), "b@example.com"),
    (account(), account(), LOGIN),
    (account(auth="off"), account(), None),
    (account(), None, None),
])  # fmt: skip
def test_who_is_told_of_a_broken_account(notices, whose, fallback, expected):
    """The fallback's administrator, then the broken account's mailbox; else only an alarm."""
    told = broken(notices, whose, fallback)
    assert (readers(told) if told.notice else None) == ([expected] if expected else None)
    assert told.needs_alarm is (expected is None)


# -- how often -------------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path):
    """Return the path of the record."""
    return tmp_path / "notices.json"


def fail(notices, number, *, now_s=NOW_S, sender="tim@example.net", **keywords):
    """Let one mail fail."""
    mail = Head(
        f"id-{number}", now_s, Envelope(parse_mailbox(sender), (Mailbox("a", "x.example"),))
    )
    statuses = [bounced(mail.envelope.forward_paths[0], trouble())]
    return notices.bounce_for(mail, statuses, HEADERS, account(**keywords), now_s=now_s)


def find(_name):
    """Return the account of a digest."""
    return account()


def test_behind_the_number_of_a_day_comes_a_digest(record):
    """Everything is told: one by one, and the rest together when the day is over."""
    notices = Notices("web01", record_path=str(record), per_day=3)
    told = [fail(notices, number, now_s=NOW_S + number) for number in range(5)]
    assert [one.notice is not None for one in told] == [True, True, True, False, False]
    assert "digest" in told[3].reason
    assert not told[3].needs_alarm
    assert notices.due(find, now_s=NOW_S + DAY_S - 1) == []
    (notice,) = notices.due(find, now_s=NOW_S + DAY_S)
    text = message_from_bytes(notice.content, policy=policy.default).get_content()
    assert "id-2" not in text
    assert "id-3" in text
    assert "id-4" in text
    assert "550 User unknown" in text
    assert notice.envelope.forward_paths == (parse_mailbox("tim@example.net"),)
    # Until it is in the spool it is due; and then no more.
    assert len(notices.due(find, now_s=NOW_S + DAY_S)) == 1
    notices.settled(notice)
    assert notices.due(find, now_s=NOW_S + 9 * DAY_S) == []
    # The next day begins anew.
    assert fail(notices, 6, now_s=NOW_S + DAY_S).notice is not None


def test_a_restart_forgets_neither_the_number_nor_what_was_put_off(record):
    """What was said to be told in a digest is on the disk when that is said."""
    first = Notices("web01", record_path=str(record), per_day=1)
    assert fail(first, 1).notice is not None
    assert fail(first, 2).notice is None
    assert record.stat().st_mode & 0o777 == 0o600
    again = Notices("web01", record_path=str(record), per_day=1)
    assert fail(again, 3).notice is None
    (notice,) = again.due(find, now_s=NOW_S + DAY_S)
    assert "(2)" in message_from_bytes(notice.content, policy=policy.default)["Subject"]
    # A crash before it is settled: it is due once more, and none is lost.
    (other,) = Notices("web01", record_path=str(record)).due(find, now_s=NOW_S + DAY_S)
    assert other.put_off == notice.put_off
    again.settled(notice)
    assert Notices("web01", record_path=str(record)).due(find, now_s=NOW_S + DAY_S) == []


def test_what_fails_while_a_digest_is_made_stays_for_the_next(record):
    """Only what the digest has is forgotten."""
    notices = Notices("web01", record_path=str(record), per_day=0)
    fail(notices, 1)
    (notice,) = notices.due(find, now_s=NOW_S + DAY_S)
    fail(notices, 2, now_s=NOW_S + DAY_S)
    notices.settled(notice)
    assert notices.due(find, now_s=NOW_S + DAY_S) == []
    (later,) = notices.due(find, now_s=NOW_S + 2 * DAY_S)
    assert [row.queue_id for row in later.put_off.rows] == ["id-2"]


def test_each_reader_has_his_own_number():
    """One who writes bad addresses all day silences nobody else."""
    notices = Notices("web01", per_day=1)
    assert fail(notices, 1).notice is not None
    assert fail(notices, 2).notice is None
    assert fail(notices, 3, sender="kim@example.net").notice is not None


@pytest.mark.parametrize("jump_s", [-10 * 365 * DAY_S, 10 * 365 * DAY_S])
def test_a_clock_that_jumps_loses_nothing(jump_s):
    """A digest comes early rather than never."""
    notices = Notices("web01", per_day=0)
    fail(notices, 1)
    assert len(notices.due(find, now_s=NOW_S + jump_s)) == 1


def test_delays_count_and_are_never_put_off():
    """A delay that cannot be told now is not told: by then it has arrived, or failed."""
    notices = Notices("web01", per_day=1)
    told = [
        notices.delay_for(head(), late(), HEADERS, account(), now_s=NOW_S, retry_until_s=NOW_S)
        for _ in range(2)
    ]
    assert [one.notice is not None for one in told] == [True, False]
    assert notices.due(find, now_s=NOW_S + DAY_S) == []
    assert fail(notices, 1).notice is None


def test_backscatter_to_many_forged_senders_is_bounded():
    """Whoever sends under a thousand names makes neither a thousand notices nor a large record."""
    notices = Notices("web01", per_day=2)
    told = [fail(notices, n, sender=f"u{n}@example.net") for n in range(1100)]
    assert sum(one.notice is not None for one in told) == 20
    assert told[-1].needs_alarm
    assert len(notices.due(find, now_s=NOW_S + DAY_S)) == 1000 - 20
    # When the day is over, those who were told make room.
    assert fail(notices, 1, sender="new@example.net", now_s=NOW_S + DAY_S).notice is not None


def test_a_digest_keeps_a_bounded_number_of_rows():
    """The rest is counted."""
    notices = Notices("web01", per_day=0)
    for number in range(120):
        fail(notices, number)
    (notice,) = notices.due(find, now_s=NOW_S + DAY_S)
    assert (len(notice.put_off.rows), notice.put_off.count) == (100, 120)
    text = message_from_bytes(notice.content, policy=policy.default).get_content()
    assert "and 20 more" in text


def test_a_record_that_cannot_be_written_puts_nothing_off(tmp_path):
    """Nobody is told that it will be told: the mail is given up later."""
    notices = Notices("web01", record_path=str(tmp_path / "none" / "x.json"), per_day=1)
    assert fail(notices, 1).notice is not None
    with pytest.raises(SpoolError, match="cannot write"):
        fail(notices, 2)
    assert notices.due(find, now_s=NOW_S + DAY_S) == []


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b'{"readers": {"a@b": {}}}', b'{"readers": 3}', b"\xff", b'{"readers": [1]}',
])  # fmt: skip
def test_a_damaged_record_is_put_aside(record, content):
    """Never deleted; and notices are made all the same."""
    record.write_bytes(content)
    notices = Notices("web01", record_path=str(record))
    assert fail(notices, 1).notice is not None
    assert (record.parent / "notices.json.damaged").read_bytes() == content


def test_a_planted_link_is_not_followed(record, tmp_path):
    """The record is written by a new file in its place."""
    victim = tmp_path / "victim"
    victim.write_text("keep")
    os.symlink(victim, f"{record}.new")
    notices = Notices("web01", record_path=str(record), per_day=0)
    with pytest.raises(SpoolError):
        fail(notices, 1)
    assert victim.read_text() == "keep"


def test_the_digest_of_an_account_that_is_gone_waits(record):
    """It may come back; nothing is lost meanwhile."""
    notices = Notices("web01", record_path=str(record), per_day=0)
    fail(notices, 1)

    def gone(name):
        raise ConfigError(f"account {name} not found")

    assert notices.due(gone, now_s=NOW_S + DAY_S) == []
    assert len(notices.due(find, now_s=NOW_S + DAY_S)) == 1


def test_attack_made_up_senders_use_up_the_notices():
    """Whatever a thousand made-up senders were told, who is named by the configuration hears."""
    record = NoticeRecord("", per_day=2)
    row = Row("id", 0.0, "subject", "x@example.net", {"en": "refused"})
    for number in range(1010):
        key = f"nobody{number}@example.org"
        if not record.take(key, now_s=1.0):
            record.put_off(key, "a", row, now_s=1.0)
    assert not record.take("other@example.org", now_s=1.0)
    assert not record.put_off("other@example.org", "a", row, now_s=1.0)
    assert record.take("admin@example.org", now_s=1.0, is_named=True)
    assert record.take("admin@example.org", now_s=1.0, is_named=True)
    assert not record.take("admin@example.org", now_s=1.0, is_named=True)
    assert record.put_off("admin@example.org", "a", row, now_s=1.0, is_named=True)
