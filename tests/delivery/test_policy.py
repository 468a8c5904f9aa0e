"""What follows from a failure: for ever or for a while, and which exit code."""

import itertools

import pytest

from pillarbox.config.hints import Hint, find_hint
from pillarbox.delivery.policy import (
    BROKEN,
    KINDS,
    RULES,
    WAITS,
    account_event,
    apply_hint,
    error_event,
    exit_code_of,
    give_up,
    is_login_made,
    judge,
)
from pillarbox.delivery.schedule import DELAYS_S
from pillarbox.errors import (
    CertificateError,
    ConfigError,
    CorruptEntryError,
    CredentialError,
    DataError,
    HostNotFoundError,
    MissingExtraError,
    MissingInputError,
    NetworkError,
    RemoteProtocolError,
    SpoolError,
    TlsError,
)
from pillarbox.mail.address import parse_mailbox
from pillarbox.mail.reply import Reply
from pillarbox.mail.status import BOUNCED, DEFERRED, Trouble, bounced, deferred, delivered

TO = parse_mailbox("to@example.org")
ALIYUN = "smtp.qiye.aliyun.com"


def status(code, stage, *, scope="message", text=b"text"):
    """Return the status that the engine makes of a reply."""
    reply = Reply(code, (text,)) if code else None
    is_permanent = code >= 500
    trouble = Trouble(
        scope=scope,
        stage=stage,
        problem="it failed",
        exit_code=65 if is_permanent else 75,
        reply=reply,
        advice="mend it",
    )
    return bounced(TO, trouble) if is_permanent else deferred(TO, trouble)


def hint(retry, provider="Provider"):
    """Return a hint of a provider."""
    return Hint(provider, retry, "cause", "fix")


RETRIES = [
    # code, stage, scope, retry class -> action, exit code
    (450, "MAIL", "account", "no", BOUNCED, 65),
    (450, "RCPT", "recipient", "no", BOUNCED, 67),
    (450, "DATA", "message", "no", BOUNCED, 65),
    (450, "BDAT", "message", "no", BOUNCED, 65),
    (450, "content", "message", "no", BOUNCED, 65),
    (450, "MAIL", "account", "later", DEFERRED, 75),
    (550, "RCPT", "recipient", "no", BOUNCED, 65),
    *(
        (550, stage, scope, retry, DEFERRED, 75)
        for stage, scope in (("MAIL", "account"), ("RCPT", "recipient"), ("content", "message"))
        for retry in ("later", "later-once", "next-day", "hold")
    ),
    # A refusal that is not about the mail is not made so by a hint.
    *(
        (code, stage, "site", retry, action, exit_code)
        for stage in ("greeting", "EHLO", "STARTTLS", "AUTH", "connect", "tls", "RSET", "idle")
        for retry in ("no", "later", "hold")
        for code, action, exit_code in ((454, DEFERRED, 75), (554, BOUNCED, 65))
    ),
]


@pytest.mark.parametrize(("code", "stage", "scope", "retry", "action", "exit_code"), RETRIES)
def test_retry_class(code, stage, scope, retry, action, exit_code):
    """A provider's hint overrules the class of a reply, in the stages that are about a mail."""
    before = status(code, stage, scope=scope)
    after = apply_hint(before, hint(retry))
    assert (after.action, after.trouble.exit_code) == (action, exit_code)
    assert (after.forward_path, after.reply) == (before.forward_path, before.reply)
    for name in ("scope", "stage", "problem", "reply", "advice"):
        assert getattr(after.trouble, name) == getattr(before.trouble, name)


@pytest.mark.parametrize("retry", ["no", "later", "later-once", "next-day", "hold"])
@pytest.mark.parametrize("code", [450, 550])
def test_generic_hint_explains_and_decides_nothing(code, retry):
    """What many servers say with a meaning each does not overrule the reply's own class."""
    before = status(code, "RCPT", scope="recipient")
    assert apply_hint(before, hint(retry, provider="")) == before
    assert apply_hint(before, None) == before


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BDAT", "content"])
@pytest.mark.parametrize("known", [None, hint("no"), hint("later"), hint("no", provider="")])
def test_login_failure_never_bounces_a_mail(code, stage, known):
    """A reply that speaks of the login concerns the account, whatever command it answers (R8)."""
    after = apply_hint(status(code, stage, scope="recipient"), known)
    assert (after.action, after.trouble.exit_code, after.trouble.scope) == (DEFERRED, 77, "account")


def test_nothing_is_changed_without_a_reply_or_a_failure():
    """A delivered mail, and a connection that was lost in doubt, stay what they are."""
    good = delivered(TO, Reply(250, (b"ok",)))
    assert apply_hint(good, hint("no")) == good
    lost = deferred(TO, status(0, "content").trouble, is_in_doubt=True)
    assert apply_hint(lost, hint("no")) == lost
    assert apply_hint(lost, hint("no")).is_in_doubt


KNOWN = [
    # Aliyun's replies that mean something else than their class says.
    ("440 mail from account doesn't conform with authentication", "MAIL", BOUNCED, 65),
    ("504 the number of RCPT attempts is achieved the maximum threshold", "RCPT", DEFERRED, 75),
    ("505 the total of RCPTs is achieved the maximum threshold", "RCPT", DEFERRED, 75),
    ("554 Reject by behaviour spamANTISPAM_BAT: too frequently sending", "content", DEFERRED, 75),
    ("552 mailbox is full", "RCPT", DEFERRED, 75),
    # And those that mean it.
    ("554 Reject by content spam", "content", BOUNCED, 65),
    ('450 "MAIL FROM" mailbox unavailable', "MAIL", DEFERRED, 75),
    ("454 Transient reject by behaviour spam", "content", DEFERRED, 75),
    ("450 4.2.0 Greylisted, try again later", "RCPT", DEFERRED, 75),
    ("450 4.2.0 come back in 526 seconds", "RCPT", DEFERRED, 75),
    # The words of a login's reply mean nothing elsewhere.
    ("450 Too many password errors", "RCPT", DEFERRED, 75),
]


@pytest.mark.parametrize(("text", "stage", "action", "exit_code"), KNOWN)
def test_what_aliyun_means(text, stage, action, exit_code):
    """The hints of the tutorial's provider and the policy together: 440 never, 504 later."""
    known = find_hint(text, host=ALIYUN, stage=stage)
    after = apply_hint(status(int(text[:3]), stage, text=text[4:].encode()), known)
    assert (after.action, after.trouble.exit_code) == (action, exit_code)


def made(action, code):
    """Return a status with that exit code."""
    if action == "ok":
        return delivered(TO, Reply(250, (b"ok",)))
    trouble = Trouble(scope="message", stage="content", problem=str(code), exit_code=code)
    return (bounced if action == "never" else deferred)(TO, trouble)


OK = ("ok", 0)
EXIT_CODES = [
    ([], 0),
    ([OK], 0),
    ([OK, OK], 0),
    ([("never", 67)], 67),
    ([OK, ("never", 67), OK], 67),
    ([("never", 65), ("never", 67)], 65),
    ([("never", 67), ("never", 65)], 67),
    ([("later", 75), ("never", 67)], 75),
    ([("never", 67), ("later", 75)], 75),
    ([OK, ("never", 65), ("never", 67), ("later", 75)], 75),
    ([("never", 67), ("later", 77)], 77),
    ([("later", 69), ("later", 77)], 69),
    ([("later", 77), ("later", 75)], 75),
    ([("never", 65), ("later", 76), ("later", 77)], 76),
]


@pytest.mark.parametrize(("statuses", "exit_code"), EXIT_CODES, ids=str)
def test_exit_code_of_several_recipients(statuses, exit_code):
    """75 wins, then what waits for another reason, then the first that failed."""
    assert exit_code_of(itertools.starmap(made, statuses)) == exit_code


_TRIPLES = list(itertools.product([OK, ("never", 67), ("later", 75)], repeat=3))


@pytest.mark.parametrize("statuses", _TRIPLES)
def test_exit_code_is_zero_only_if_all_have_it(statuses):
    """Success is told only of a mail that everybody has; "try again" wins in every order."""
    code = exit_code_of(itertools.starmap(made, statuses))
    assert (code == 0) is all(row == OK for row in statuses)
    assert (code == 75) is (("later", 75) in statuses)


# -- the queue's table -------------------------------------------------------------------------


def trouble(stage, *, scope="site", exit_code=75, code=0, text=b"text"):
    """Return a trouble, with a reply if it has a code."""
    reply = Reply(code, (text,)) if code else None
    return Trouble(scope=scope, stage=stage, problem="it failed", exit_code=exit_code, reply=reply)


def kept(stage, *, in_doubt=False, **facts):
    """Return a status that the engine defers."""
    return deferred(TO, trouble(stage, **facts), is_in_doubt=in_doubt)


def lost_for_ever(stage, **facts):
    """Return a status that the engine gives up."""
    return bounced(TO, trouble(stage, **facts))


GENERIC = ""  # the provider of a hint that is nobody's
NO_TLS = {"exit_code": 69}
DAILY = b"4.5.3 Daily sending quota exceeded"

# row, status, hint's retry class, whose hint, what else -> account, wait ("" = given up)
CASES = [
    ("nonsense, mail in doubt", kept("content", exit_code=76, in_doubt=True), "", "protocol/doubt"),
    ("lost after the content", kept("content", in_doubt=True), "", "site/doubt"),
    ("lost after the content", kept("MAIL", in_doubt=True), "", "site/doubt"),
    ("lost after the content", kept("tls", in_doubt=True, **NO_TLS), "", "site/doubt"),
    ("cannot be sent from here", kept("content", scope="message"), "", "/mail"),
    (
        "cannot be sent from here",
        lost_for_ever("MAIL", scope="message", exit_code=69),
        "",
        "/mail",
    ),
    ("cannot be sent", lost_for_ever("MAIL", scope="message", exit_code=65), "", "/"),
    ("cannot be sent", lost_for_ever("RCPT", scope="recipient", exit_code=65), "", "/"),
    ("nonsense", kept("RCPT", exit_code=76), "", "protocol/mail"),
    ("nonsense", kept("content", exit_code=76), "", "protocol/mail"),
    ("nonsense before a mail", kept("greeting", exit_code=76), "", "protocol/account"),
    ("nonsense before a mail", kept("AUTH", exit_code=76), "", "protocol/account"),
    ("nonsense before a mail", kept("idle", exit_code=76), "", "protocol/account"),
    ("closed behind a mail", kept("MAIL", code=421), "", "/account", {"has_delivered": True}),
    ("closed behind a mail", kept("RSET"), "", "/account", {"has_delivered": True}),
    ("closed while idle", kept("idle", code=421), "", "/account"),
    ("closed while idle", kept("idle"), "", "/account"),
    # The login.
    ("locked", kept("AUTH", code=454), "hold", "locked/account"),
    ("locked", kept("AUTH", code=535), ("hold", GENERIC), "locked/account"),
    ("login tomorrow", kept("AUTH", code=451), "next-day", "tomorrow/account"),
    ("login later", kept("AUTH", code=550), "later", "throttled/account"),
    ("login later, once", kept("AUTH", code=554), "later-once", "throttled/account"),
    ("login never", kept("AUTH", code=454), "no", "login/account"),
    ("closed at login", kept("AUTH", code=421), "", "dropped/account"),
    ("closed at login", kept("AUTH", code=421), ("later", GENERIC), "dropped/account"),
    *(
        ("login deferred", kept("AUTH", code=code), "", "throttled/account")
        for code in (432, 450, 454)
    ),
    *(
        ("login refused", kept("AUTH", code=code, exit_code=77), hint_, "login/account")
        for code in (500, 504, 526, 530, 534, 535, 538, 550, 554)
        for hint_ in ("", ("no", GENERIC))
    ),
    ("lost at login", kept("AUTH"), "", "dropped/account"),
    ("no way to log in", kept("AUTH", scope="account", exit_code=69), "", "login/account"),
    # The way there.
    ("closed at STARTTLS", kept("STARTTLS", code=421), "", "site/account"),
    ("lost at STARTTLS", kept("STARTTLS"), "", "site/account"),
    *(("no STARTTLS", kept("STARTTLS", code=code), "", "tls/account") for code in (454, 502, 554)),
    ("no STARTTLS", kept("STARTTLS", **NO_TLS), "", "tls/account"),
    ("lost in the handshake", kept("tls"), "", "site/account"),
    ("no secured connection", kept("tls", **NO_TLS), "", "tls/account"),
    ("no secured connection", kept("tls", **NO_TLS), ("no", GENERIC), "tls/account"),
    ("greeting tomorrow", kept("greeting", code=554), "next-day", "tomorrow/account"),
    ("greeting later", kept("greeting", code=550), "later", "throttled/account"),
    *(
        ("greeting deferred", kept(stage, code=code), "", "site/account")
        for stage in ("greeting", "EHLO")
        for code in (421, 450)
    ),
    *(
        ("greeting refused", kept(stage, code=554, **NO_TLS), "", "blocked/account")
        for stage in ("greeting", "EHLO")
    ),
    # A mail is under way.
    *(
        ("login missed", lost_for_ever(stage, code=code), hint_, "login/account")
        for stage in ("MAIL", "RCPT", "DATA", "BDAT", "content")
        for code in (530, 534, 535, 538)
        for hint_ in ("", "no")
    ),
    *(
        ("closed", kept(stage, code=421), "", "site/mail")
        for stage in ("MAIL", "RCPT", "DATA", "BDAT", "content")
    ),
    ("closed", kept("content", code=421), "", "site/mail", {"has_delivered": True}),
    *(("lost", kept(stage), "", "site/mail") for stage in ("MAIL", "RCPT", "DATA", "content")),
    ("locked at a mail", lost_for_ever("MAIL", code=550), "hold", "locked/account"),
    ("limit of the day", lost_for_ever("RCPT", code=504), "next-day", "tomorrow/account"),
    ("limit of the day", kept("content", code=452), "next-day", "tomorrow/account"),
    *(
        ("limit", kept(stage, code=code, text=DAILY), "", "daily/account")
        for stage in ("MAIL", "RCPT", "DATA", "content")
        for code in (450, 452)
    ),
    # The sender.
    ("too large", lost_for_ever("MAIL", code=552), "", "/"),
    *(
        ("sender refused", lost_for_ever("MAIL", code=code), hint_, "sender/refused")
        for code in (501, 550, 553, 554)
        for hint_ in ("", "no", ("no", GENERIC))
    ),
    ("sender refused", kept("MAIL", code=440), "no", "sender/refused"),
    (
        "sender refused",
        lost_for_ever("MAIL", code=550),
        "",
        "sender/refused",
        {"refused_before_s": 1799.0},
    ),
    (
        "sender refused again",
        lost_for_ever("MAIL", code=550),
        "",
        "sender/",
        {"refused_before_s": 1800.0},
    ),
    (
        "sender refused again",
        kept("MAIL", code=440),
        "no",
        "sender/",
        {"refused_before_s": 1800.0},
    ),
    (
        "sender refused, as all are",
        lost_for_ever("MAIL", code=550),
        "",
        "sender/account",
        {"refused_before_s": 1800.0, "kind": "sender"},
    ),
    ("sender deferred", kept("MAIL", code=451), "", "busy/mail"),
    ("sender deferred", lost_for_ever("MAIL", code=550), "later", "busy/mail"),
    ("sender deferred", kept("MAIL", code=440), ("no", GENERIC), "busy/mail"),
    # The mail and its recipients.
    ("refused for once", lost_for_ever("content", code=554), "later-once", "/refused"),
    (
        "refused for once",
        lost_for_ever("content", code=554),
        "later-once",
        "/refused",
        {"refused_before_s": 60.0},
    ),
    (
        "refused for once, again",
        lost_for_ever("content", code=554),
        "later-once",
        "/",
        {"refused_before_s": 1800.0},
    ),
    ("recipient", kept("RCPT", code=450), "", "/mail"),
    ("recipient", kept("RCPT", code=452), "", "/mail"),
    ("recipient", kept("RCPT", code=450), "no", "/"),
    ("recipient", lost_for_ever("RCPT", code=550), "", "/"),
    ("recipient", lost_for_ever("RCPT", code=550, text=DAILY), "", "/"),
    ("recipient", lost_for_ever("RCPT", code=552), "later", "/mail"),
    *(
        ("content", make(stage, code=code), hint_, result)
        for stage in ("DATA", "BDAT", "content")
        for make, code, hint_, result in (
            (kept, 451, "", "/mail"),
            (kept, 452, "", "/mail"),
            (kept, 503, "", "/mail"),
            (kept, 450, "no", "/"),
            (lost_for_ever, 550, "", "/"),
            (lost_for_ever, 552, "", "/"),
            (lost_for_ever, 554, "no", "/"),
            (lost_for_ever, 554, "later", "/mail"),
        )
    ),
    # There is no connection.
    ("no connection", kept("connect"), "", "site/account"),
    ("no connection", kept("connect", exit_code=68), "", "site/account"),
    ("no connection", kept("greeting"), "", "site/account"),
    ("no connection", kept("EHLO"), "", "site/account"),
    ("no connection", kept("connect"), ("no", GENERIC), "site/account"),
]


def known_hint(given):
    """Return the hint of a case: a provider's own unless it says otherwise."""
    if not given:
        return None
    return hint(given) if isinstance(given, str) else hint(*given)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_row(case):
    """Each failure has its row: what the account and what the mail gets from it."""
    name, status_, given, result, *more = case
    event, wait = result.split("/")
    judged = judge([status_], [known_hint(given)], **(more[0] if more else {}))
    assert judged.rules == (name,)
    assert (judged.event, judged.wait) == (event, wait)
    assert judged.statuses[0].action == (DEFERRED if wait else BOUNCED)
    assert judged.is_counted is (wait != "account")
    assert judged.is_refused is (wait == "refused")
    assert judged.is_in_doubt is status_.is_in_doubt
    assert judged.trouble == judged.statuses[0].trouble


def test_each_row_has_its_case():
    """No row of the table is there without a test, and none is there twice."""
    names = [row[0] for row in RULES]
    assert len(names) == len(set(names))
    assert {case[0] for case in CASES} == set(names)


def test_table_is_made_of_known_words():
    """What the table says of an account has a delay, and what of a mail has one, too."""
    kinds = {row[4] for row in RULES}
    assert kinds - {""} <= set(KINDS)
    assert set(KINDS) == set(DELAYS_S)
    assert set(KINDS) - kinds == {"settings", "internal"}  # these are no troubles of a connection
    assert {row[5] for row in RULES} <= {*WAITS, "known", "class"}
    assert set(KINDS) >= BROKEN


_STAGES_OF_ACCOUNT = ("connect", "tls", "greeting", "EHLO", "STARTTLS", "AUTH", "RSET", "idle")
_RETRIES = (None, *map(hint, ("no", "later", "later-once", "next-day", "hold")))


@pytest.mark.parametrize("stage", _STAGES_OF_ACCOUNT)
@pytest.mark.parametrize("known", _RETRIES, ids=lambda known: known.retry if known else "none")
def test_failure_of_account_never_bounces_a_mail(stage, known):
    """Whatever is said before a mail's turn, and known of it: the mail waits (R8)."""
    for code, exit_code, refused_s, kind in itertools.product(
        (0, 421, 450, 454, 500, 526, 535, 550, 554), (65, 68, 69, 75, 76, 77), (None, 9e9), KINDS
    ):
        for make in (kept, lost_for_ever):
            before = make(stage, code=code, exit_code=exit_code)
            judged = judge([before], [known], refused_before_s=refused_s, kind=kind)
            assert judged.statuses[0].action == DEFERRED
            assert judged.wait == "account"
            assert not judged.is_counted


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "BDAT", "content"])
@pytest.mark.parametrize("code", [0, 421, 450, 451, 452, 454])
def test_what_the_server_defers_is_never_given_up_but_by_its_own_hint(stage, code):
    """A lost connection and a 4yz keep the mail, unless its provider means "never" by that."""
    for refused_s, kind, given in itertools.product((None, 9e9), ("", "sender"), _RETRIES):
        means_never = bool(code) and code != 421 and given is not None and given.retry == "no"
        judged = judge([kept(stage, code=code)], [given], refused_before_s=refused_s, kind=kind)
        if not means_never:
            assert judged.statuses[0].action == DEFERRED


def test_only_refused_recipients_fail():
    """One recipient's refusal is no other's, in whatever order they come (R10)."""
    good = delivered(TO, Reply(250, (b"ok",)))
    bad, later = lost_for_ever("RCPT", code=550, scope="recipient"), kept("RCPT", code=450)
    for row in itertools.permutations((good, bad, later)):
        judged = judge(row, [None] * 3)
        actions = [status_.action for status_ in judged.statuses]
        assert actions == [status_.action for status_ in row]
        assert (judged.event, judged.wait, judged.is_counted) == ("", "mail", True)
        assert judged.trouble == later.trouble
        assert judged.rules == ("recipient",)


def test_delivered_mail_needs_no_decision():
    """Where nothing failed, nothing follows."""
    judged = judge([delivered(TO, Reply(250, (b"ok",)))] * 2, [None] * 2)
    assert (judged.events, judged.wait, judged.is_counted) == ((), "", True)
    assert (judged.trouble, judged.rules, judged.is_in_doubt) == (None, (), False)


def test_longest_wait_and_gravest_event_stand_for_a_mail():
    """Recipients that wait for different reasons wait for the longest together."""
    statuses = [
        kept("RCPT", code=450),
        lost_for_ever("content", code=554),
        lost_for_ever("RCPT", code=504),
        lost_for_ever("RCPT", code=535),
    ]
    hints = [None, hint("later-once"), hint("next-day"), None]
    judged = judge(statuses, hints)
    assert judged.events == ("tomorrow", "login")
    assert judged.event == "login"
    assert (judged.wait, judged.is_refused) == ("refused", True)
    assert judged.trouble == judged.statuses[1].trouble
    assert len(judged.rules) == 4


def test_delivery_to_somebody_is_an_attempt_of_the_mail():
    """A mail that reached one recipient before the account failed was tried."""
    good = delivered(TO, Reply(250, (b"ok",)))
    judged = judge([good, lost_for_ever("RCPT", code=535)], [None, None])
    assert (judged.wait, judged.is_counted) == ("account", True)


def test_expired_mail_fails_whatever_it_waited_for():
    """When both clocks say that it is over, that is nobody else's decision."""
    old = [kept("connect"), lost_for_ever("idle", scope="message")]
    judged = give_up(old)
    assert [status_.action for status_ in judged.statuses] == [BOUNCED, BOUNCED]
    assert [status_.trouble for status_ in judged.statuses] == [each.trouble for each in old]
    assert (judged.events, judged.wait, judged.is_counted) == ((), "", False)
    assert (judged.rules, judged.trouble) == (("expired",), old[0].trouble)


EVENTS = [
    (trouble("connect"), None, "site"),
    (trouble("tls", exit_code=69), None, "tls"),
    (trouble("AUTH", code=535), None, "login"),
    (trouble("AUTH", code=535), hint("hold"), "locked"),
    (trouble("greeting", code=554), None, "blocked"),
    (trouble("content"), None, "site"),
    (trouble("content", scope="message"), None, ""),
    (trouble("idle", code=421), None, ""),
    (trouble("MAIL", code=421), None, "site"),
]


@pytest.mark.parametrize(("given", "known", "kind"), EVENTS, ids=str)
def test_what_a_connections_end_means_for_its_account(given, known, kind):
    """The same table decides of a connection, without a mail."""
    assert account_event(given, known) == kind


def test_end_of_a_connection_that_worked_is_no_failure():
    """A server that closes behind its hundredth mail has done nothing wrong."""
    for given in (trouble("MAIL", code=421), trouble("MAIL"), trouble("RSET")):
        assert account_event(given, has_delivered=True) == ""
        assert account_event(given) == "site"
    assert account_event(trouble("content"), has_delivered=True) == "site"


ERRORS = [
    (SpoolError("x"), "internal"),
    (CorruptEntryError("x"), "internal"),
    (RemoteProtocolError("x"), "protocol"),
    (CertificateError("x"), "tls"),
    (TlsError("x"), "tls"),
    (HostNotFoundError("x"), "site"),
    (NetworkError("x"), "site"),
    (CredentialError("x"), "settings"),
    (ConfigError("x"), "settings"),
    (MissingInputError("x"), "settings"),
    (MissingExtraError("x", "y"), "settings"),
    (DataError("x"), ""),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=lambda value: type(value).__name__)
def test_what_an_exception_means_for_its_account(error, kind):
    """A missing password or a broken setting is no fault of a mail either."""
    assert error_event(error) == kind


def test_login_counts_from_the_moment_it_may_have_been_made():
    """Only what ended before AUTH has certainly cost no login."""
    assert is_login_made(trouble("AUTH", code=535))
    assert is_login_made(trouble("AUTH"))
    assert not is_login_made(trouble("STARTTLS"))
