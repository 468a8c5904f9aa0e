"""What a person and a log file are told; a record can be read back whatever is in it."""

import base64
import os
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.config.account import Account, parse_setting
from pillarbox.config.hints import Hint
from pillarbox.delivery import report
from pillarbox.delivery.report import failure_lines, log_lines, mask, write_log
from pillarbox.delivery.submit import Outcome
from pillarbox.errors import EX_NAMES, InputOutputError
from pillarbox.mail.address import Mailbox, parse_mailbox
from pillarbox.mail.envelope import Envelope
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import Trouble, bounced, deferred, delivered
from pillarbox.secret import Secret

ME = parse_mailbox("me@example.org")
TO = parse_mailbox("to@example.org")
CC = parse_mailbox("cc@example.org")


def account(name="", origin="", **keywords):
    """Return an account with these keywords."""
    result = Account(name, origin)
    for keyword, text in {"host": "h.example", **keywords}.items():
        field, value = parse_setting(keyword, text)
        result.set(field, value, "test")
    return result


def trouble(problem="it failed", *lines, code=65, reply_code=550, advice=""):
    """Return a trouble, with a reply if there are lines."""
    reply = Reply(reply_code, lines) if lines else None
    return Trouble(
        scope="message", stage="RCPT", problem=problem, exit_code=code, reply=reply, advice=advice
    )


def outcome(*statuses, sender=ME, secret=None, hints=None, size_bytes=0):
    """Return an outcome of these statuses."""
    envelope = Envelope(sender, tuple(status.forward_path for status in statuses))
    return Outcome(
        envelope,
        statuses,
        hints=tuple(hints or [None] * len(statuses)),
        size_bytes=size_bytes,
        secret=None if secret is None else Secret(secret),
    )


def _log_line(what, whose):
    """Return the record of a mail that nothing was repaired in."""
    (line,) = log_lines(what, whose)
    return line


GOOD = delivered(TO, Reply(250, (b"2.0.0 Ok: queued as 1234",)))


def parse_record(record):
    r"""Read a record back: ``key=value``, quoted or not, ``\xNN`` for what could not stand."""
    found = {}
    position = 0
    while position < len(record):
        match = re.compile(r"([a-z]+)=(?:'([^']*)'|([^ ']*))(?: |$)").match(record, position)
        assert match, record[position:]
        key, quoted, plain = match.groups()
        assert key not in found
        if quoted is None:
            escape = r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))"
            quoted = re.sub(escape, lambda m: chr(int(m[1] or m[2], 16)), plain)
        found[key] = quoted
        position = match.end()
    return found


# -- the record -------------------------------------------------------------------------------

RECORDS = [
    # the outcome, the account, the record behind "host=h.example "
    (
        outcome(GOOD, size_bytes=120),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org mailsize=120 "
            "smtpstatus=250 smtpmsg='250 2.0.0 Ok: queued as 1234' exitcode=EX_OK"
        ),
    ),
    (
        outcome(GOOD, delivered(CC, GOOD.reply), size_bytes=1),
        account(tls="on", auth="on", user="me"),
        (
            "tls=on auth=on user=me from=me@example.org recipients=to@example.org,cc@example.org "
            "mailsize=1 smtpstatus=250 smtpmsg='250 2.0.0 Ok: queued as 1234' exitcode=EX_OK"
        ),
    ),
    (
        outcome(GOOD, sender=None),
        account(auth="external"),
        (
            "tls=off auth=on from= recipients=to@example.org mailsize=0 "
            "smtpstatus=250 smtpmsg='250 2.0.0 Ok: queued as 1234' exitcode=EX_OK"
        ),
    ),
    (
        outcome(GOOD),
        account(user="not logged in"),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org mailsize=0 "
            "smtpstatus=250 smtpmsg='250 2.0.0 Ok: queued as 1234' exitcode=EX_OK"
        ),
    ),
    (
        outcome(bounced(TO, trouble("no", b"5.1.1 who", b"5.1.1 is 'that'"))),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org smtpstatus=550 "
            r"smtpmsg='550-5.1.1 who\n550 5.1.1 is ?that?' errormsg='no' exitcode=EX_DATAERR"
        ),
    ),
    (
        outcome(deferred(TO, trouble("cannot connect", code=75))),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org "
            "errormsg='cannot connect' exitcode=EX_TEMPFAIL"
        ),
    ),
    (
        outcome(GOOD, bounced(CC, trouble("no", b"x", code=67))),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org,cc@example.org "
            "smtpstatus=550 smtpmsg='550 x' errormsg='no' exitcode=EX_NOUSER"
        ),
    ),
    (
        outcome(
            bounced(TO, trouble("never", b"x", code=67)),
            deferred(CC, trouble("later", b"y", code=75, reply_code=450)),
        ),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org,cc@example.org "
            "smtpstatus=450 smtpmsg='450 y' errormsg='later' exitcode=EX_TEMPFAIL"
        ),
    ),
    (
        outcome(bounced(TO, trouble("it's\nno", b"a\r\nb\x00\x1b[m\xff"))),
        account(),
        (
            "tls=off auth=off from=me@example.org recipients=to@example.org smtpstatus=550 "
            r"smtpmsg='550 a\x0d\x0ab\x00\x1b[m\xff' errormsg='it?s\x0ano' exitcode=EX_DATAERR"
        ),
    ),
]


@pytest.mark.parametrize(("what", "whose", "record"), RECORDS)
def test_record(what, whose, record):
    """A record has msmtp's keys in msmtp's order, and those only that apply."""
    assert _log_line(what, whose) == f"host=h.example {record}"
    assert list(parse_record(_log_line(what, whose)))[-1] == "exitcode"


def test_socket_stands_where_there_is_no_host():
    """A record names the socket only when no host is configured."""
    only = account(host="x", socket="/run/s s'=\n")
    only.host = ""
    assert _log_line(outcome(GOOD), only).startswith(r"socket=/run/s\x20s\x27=\x0a tls=off ")
    both = account(socket="/run/s")
    assert _log_line(outcome(GOOD), both).startswith("host=h.example tls=off ")


@pytest.mark.parametrize("code", sorted(EX_NAMES))
def test_every_exit_code_has_its_name(code):
    """exitcode= is the name of sysexits.h."""
    status = GOOD if code == 0 else bounced(TO, trouble(code=code))
    assert _log_line(outcome(status), account()).endswith(f" exitcode={EX_NAMES[code]}")


_texts = st.text(st.characters(codec=None), max_size=30)
_bytes = st.binary(max_size=40)


@settings(max_examples=150, deadline=None)
@given(_texts, _texts, _texts, st.lists(_bytes, min_size=1, max_size=4), _texts, _texts)
def test_a_record_is_one_line_and_can_be_read_back(user, sender, recipient, lines, problem, host):
    """Attack: nothing that anybody wrote makes a second record, or another key (L9)."""
    whose = account(auth="on")
    whose.user, whose.host = user, host or "h"
    failed = bounced(Mailbox(recipient, "example.org"), trouble(problem, *lines))
    record = _log_line(outcome(failed, sender=Mailbox(sender, "")), whose)
    assert record.splitlines() == [record]
    assert record.isprintable()
    record.encode()
    found = parse_record(record)
    assert set(found) <= {
        *("host", "tls", "auth", "user", "from", "recipients", "smtpstatus", "smtpmsg"),
        *("errormsg", "exitcode"),
    }
    # Characters beyond the first plane need more digits than the escape has.
    if all(ord(char) < 0x10000 for char in user + sender):
        assert found.get("user", "") == user
        assert found["from"] == sender
    assert found["exitcode"] == "EX_DATAERR"


def test_a_long_reply_is_cut():
    """A server cannot fill the disk with one record."""
    lines = (b"x" * 2000,) * 100
    record = _log_line(outcome(bounced(TO, trouble("p" * 10_000, *lines))), account())
    assert len(record) < 10_000


# -- what a person is told --------------------------------------------------------------------


def test_lines_of_a_failure():
    """What failed, what the server said, what to do, and in the end that nothing was sent."""
    failed = bounced(TO, trouble("recipient refused", b"5.1.1 no", b"5.1.1 such user", advice="a"))
    hint = Hint("Provider", "no", "the cause", "the fix")
    assert list(failure_lines(outcome(failed, hints=[hint]), account("name", "/etc/msmtprc"))) == [
        "recipient refused",
        "server message: 550-5.1.1 no",
        "server message: 550 5.1.1 such user",
        "advice: a",
        "hint: Provider: the cause",
        "what to do: the fix",
        "could not send mail (account name from /etc/msmtprc)",
    ]


@pytest.mark.parametrize(
    ("advice", "provider", "is_shown"),
    [("", "", True), ("a", "", False), ("a", "Provider", True), ("", "Provider", True)],
)
def test_generic_hint_yields_to_our_own_advice(advice, provider, is_shown):
    """What we know of the failure itself is better than what is often true."""
    failed = bounced(TO, trouble("p", b"x", advice=advice))
    lines = list(failure_lines(outcome(failed, hints=[Hint(provider, "no", "c", "f")]), account()))
    assert ("what to do: f" in lines) is is_shown
    assert (f"advice: {advice}" in lines) is bool(advice)


def test_the_same_trouble_is_told_once():
    """One refusal of the whole mail is one failure, however many recipients it has."""
    same = trouble("refused", b"x")
    statuses = [bounced(parse_mailbox(f"r{n}@x.org"), same) for n in range(5)]
    lines = list(failure_lines(outcome(*statuses), account()))
    assert lines == ["refused", "server message: 550 x", "could not send mail"]


def test_partial_failure_and_doubt_are_told():
    """Who has the mail is not asked to send it again blindly."""
    lost = deferred(TO, trouble("closed"), is_in_doubt=True)
    lines = list(failure_lines(outcome(lost), account()))
    assert lines[1].endswith("it may have arrived")
    # An answer was there: the server says that it has not taken the mail.
    told = deferred(TO, trouble("closing", b"bye", reply_code=421), is_in_doubt=True)
    assert not any("may have arrived" in line for line in failure_lines(outcome(told), account()))
    lines = list(failure_lines(outcome(GOOD, bounced(CC, trouble("no"))), account("a", "/f")))
    assert lines == ["no", "could not send mail to all recipients (account a from /f)"]


@settings(max_examples=100, deadline=None)
@given(_texts, _bytes, _texts, _texts)
def test_a_failure_cannot_write_on_the_terminal(problem, line, name, origin):
    """Attack: control characters, escapes and line separators are shown, not sent."""
    failed = bounced(TO, trouble(problem, line, advice=problem))
    for told in failure_lines(outcome(failed), account(name, origin)):
        assert told.isprintable()


# -- the secret -------------------------------------------------------------------------------

SECRETS = [
    "hunter2",
    "p ss'w\"rd\\",
    "ünïcödé",
    "\x01ctl",
    "a" * 60,
    os.fsdecode(b"\xff\xfe1234"),
    "abcd",
]


def _forms(secret):
    raw = secret.encode("utf-8", "surrogateescape")
    yield raw
    for before in range(6):
        for after in range(4):
            yield base64.b64encode(b"\0" * before + raw + b"!" * after)
    yield base64.b64encode(b"\0user\0" + raw)
    yield base64.b64encode(b"user=x\x01auth=Bearer " + raw + b"\x01\x01")


@pytest.mark.parametrize("secret", SECRETS, ids=ascii)
@pytest.mark.parametrize(
    "around", [(b"", b""), (b"x ", b" y"), (b"<", b">"), (b"AUTH PLAIN ", b"")]
)
def test_secret_is_starred_out(secret, around):
    """Attack: a server that quotes the login back (L10): raw, and in base64 at any place."""
    for form in _forms(secret):
        line = around[0] + form + around[1]
        shown = mask(line, Secret(secret))
        assert form not in shown
        assert b"***" in shown
        if around[0] != b"AUTH PLAIN ":
            assert shown.startswith(around[0])
            assert shown.endswith(around[1])


@pytest.mark.parametrize("secret", SECRETS, ids=ascii)
def test_secret_is_nowhere_in_what_is_told(secret):
    """Neither a line for a person nor the record shows a secret that the server sent."""
    raw = secret.encode("utf-8", "surrogateescape")
    for form in _forms(secret):
        for line in (form, b"x" * 505 + form, form + b"x" * 600):
            failed = bounced(TO, trouble(f"bad reply: {form.decode('utf-8', 'replace')}", line))
            what = outcome(failed, secret=secret)
            text = "\n".join([*failure_lines(what, account()), _log_line(what, account())])
            for leak in (form, raw, secret.encode("utf-8", "backslashreplace")):
                assert leak not in text.encode()
                assert leak.replace(b"'", b"?") not in text.encode()


@pytest.mark.parametrize("cut", range(4, 12))
def test_secret_that_is_cut_off_is_starred_out(cut):
    """Attack: a text that ends in the middle of the secret does not show its first half."""
    secret = "correct horse"
    assert mask(b"nonsense: " + secret[:cut].encode(), Secret(secret)) == b"nonsense: ***"


@pytest.mark.parametrize("secret", [None, ""])
def test_no_secret_hides_nothing(secret):
    """Without a login, or with an empty password, texts stay as they are."""
    assert mask(b"any text", None if secret is None else Secret(secret)) == b"any text"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.text(min_size=1, max_size=12))
def test_masking_ends_and_hides(data, secret):
    """Whatever the text and the secret are, masking ends and the secret is gone."""
    raw = secret.encode("utf-8", "surrogatepass")
    try:
        shown = mask(data + raw + data, Secret(secret))
    except UnicodeEncodeError:
        return  # a lone surrogate that stands for no byte comes from no file
    assert raw not in shown.replace(b"***", b"\n" if raw != b"\n" else b"x")


# -- the file ---------------------------------------------------------------------------------


def written(path, **keywords):
    """Write a record and return what the file has."""
    write_log(account(logfile=str(path), **keywords), ["record"], is_success=True)
    return path.read_text()


TIMES = [
    (None, r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d record\n"),
    ("", r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d record\n"),
    ("none", r"record\n"),
    ("%F %T", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d record\n"),
    ("%s", r"\d{10,} record\n"),
    ("a%nb%tc", r"a\\x0ab\\x09c record\n"),
    ("no time at all", r"no time at all record\n"),
    ("时间", "时间 record\\n"),
    (os.fsdecode(b"\xff%F"), r".* record\n"),
    ("%", r".* record\n"),
]


@pytest.mark.parametrize(("pattern", "expected"), TIMES)
def test_time(tmp_path, pattern, expected):
    """The time stands in front, as strftime has it; ``none`` leaves it out; it is one line."""
    keywords = {} if pattern is None else {"logfile_time_format": pattern}
    text = written(tmp_path / "log", **keywords)
    assert re.fullmatch(expected, text)
    assert text.count("\n") == 1


def test_records_are_appended(tmp_path):
    """What others wrote stays."""
    path = tmp_path / "log"
    path.write_text("before\n")
    assert written(path, logfile_time_format="none") == "before\nrecord\n"
    assert written(path, logfile_time_format="none") == "before\nrecord\nrecord\n"


def test_file_that_another_process_has_locked(tmp_path):
    """The lock is waited for, and then the record is written whole."""
    path = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", _HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.read(1) == b"x"  # it has the lock
        release = threading.Timer(0.1, holder.stdin.close)
        release.start()
        assert written(path, logfile_time_format="none") == "theirs\nrecord\n"
        release.join()


_HOLDER = """
import fcntl, os, sys
file = open(sys.argv[1], "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
os.write(1, b"x")
os.read(0, 1)
file.write(b"theirs\\n")
"""


def test_no_logfile_is_no_work(monkeypatch):
    """Without logfile and syslog nothing is written anywhere."""
    monkeypatch.setattr(report, "_append", None)
    monkeypatch.setattr(report, "_write", None)
    write_log(account(), ["record"], is_success=True)


@pytest.mark.parametrize(
    "path", ["/nonexistent/log", "/dev/full", "/", "/proc/version", "/dev/null/x"]
)
def test_file_that_cannot_be_written(path):
    """The failure names the file and holds the record, so that it is not lost."""
    with pytest.raises(InputOutputError) as caught:
        write_log(account(logfile=path), ["the record"], is_success=True)
    assert caught.value.problem.startswith(f"cannot log to {path}: ")
    assert caught.value.advice == "log info was: the record"


def test_name_of_the_file_cannot_write_on_the_terminal():
    """Attack: control characters in the name of a log file are shown as escapes."""
    with pytest.raises(InputOutputError) as caught:
        write_log(account(logfile="/nonexistent/\x1b[2J\n"), ["the record"], is_success=True)
    assert caught.value.problem.isprintable()


def test_pipe_that_nobody_reads_does_not_block(tmp_path):
    """Attack: a FIFO in the place of the file is an error at once."""
    os.mkfifo(tmp_path / "log")
    with pytest.raises(InputOutputError):
        write_log(account(logfile=str(tmp_path / "log")), ["the record"], is_success=True)


def test_dash_is_standard_output(capfd):
    """``logfile -`` writes to descriptor 1, whatever its encoding."""
    write_log(account(logfile="-", logfile_time_format="时"), ["record"], is_success=False)
    assert capfd.readouterr().out == "时 record\n"


@pytest.mark.parametrize("facility", ["LOG_USER", "LOG_MAIL", "LOG_LOCAL0", "LOG_LOCAL7"])
@pytest.mark.parametrize("is_success", [True, False])
def test_syslog(monkeypatch, facility, is_success):
    """Syslog gets the record without a time, as msmtp, with the facility and a priority."""
    import syslog

    calls = []
    monkeypatch.setattr(syslog, "openlog", lambda *args: calls.append(args))
    monkeypatch.setattr(syslog, "syslog", lambda *args: calls.append(args))
    monkeypatch.setattr(syslog, "closelog", lambda: None)
    write_log(account(syslog=facility), ["record"], is_success=is_success)
    priority = syslog.LOG_INFO if is_success else syslog.LOG_ERR
    assert calls == [("msmtp", 0, getattr(syslog, facility)), (priority, "record")]
